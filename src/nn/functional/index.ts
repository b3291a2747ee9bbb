/** Layers without parameters of their own: functions on tensors, on which the layers of `nn` stand. */

export {
  type AttentionOptions,
  type AttentionWeightsOptions,
  attentionWeights,
  dotProductAttention,
  type EmbeddingOptions,
  embedding,
} from './attention.ts';
export { type ConvOptions, type ConvTransposeOptions, conv, convTranspose } from './conv.ts';
export {
  type AffineOptions,
  type BatchNormOptions,
  batchNorm,
  type LayerNormOptions,
  layerNorm,
  type RunningStatistics,
} from './norm.ts';
export { groupNorm, instanceNorm, type RmsNormOptions, rmsNorm } from './norm-groups.ts';
export { type AvgPoolOptions, avgPool, type Layout, maxPool, minPool, type PoolOptions } from './pool.ts';
export { adaptiveAvgPool, adaptiveMaxPool, flatten, globalAvgPool, globalMaxPool } from './pool-whole.ts';
