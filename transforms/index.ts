/** Transforms of functions: derivatives, batching, staging, control flow. */

export { type AssociativeScanOptions, associativeScan } from './associative-scan.ts';
export { grad, jvp, linearize, linearTranspose, valueAndGrad, vjp } from './autodiff.ts';
export { cond, switch_ } from './branches.ts';
export {
  type CheckpointOptions,
  type CheckpointPolicy,
  checkpoint,
  checkpointName,
  checkpointPolicies,
} from './checkpoint.ts';
export { closureConvert } from './closure.ts';
export type { Compiled, Lowered } from './compiled.ts';
export { customJvp } from './custom-jvp.ts';
export { customVjp } from './custom-vjp.ts';
export { type Batched, type BatchedPrefix, customVmap } from './custom-vmap.ts';
export type { CustomOptions } from './customized.ts';
export * as debug from './debug.ts';
export { hessian, hvp, jacfwd, jacrev } from './derived.ts';
export { type CheckFiniteOptions, checkFinite } from './finite.ts';
export { evalShape, makeJaxpr } from './inspect.ts';
export { type JitOptions, type Jitted, jit } from './jit.ts';
export { customLinearSolve, type LinearMap, type LinearSolveOptions } from './linear-solve.ts';
export { foriLoop, type MapOptions, map, type ScanOptions, scan } from './loops.ts';
export { optimize } from './passes/index.ts';
export { peakLiveBytes } from './passes/live.ts';
export { devicePut } from './placement.ts';
export type { Profile } from './profile.ts';
export { customRoot } from './root.ts';
export { stopGradient } from './stop.ts';
export { type Axes, vmap } from './vmap.ts';
export { whileLoop } from './while.ts';
