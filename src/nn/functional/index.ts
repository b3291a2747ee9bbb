/** Layers without parameters of their own: functions on tensors, on which the layers of `nn` stand. */

export { type AvgPoolOptions, avgPool, type Layout, maxPool, minPool, type PoolOptions } from './pool.ts';
