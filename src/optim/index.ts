/** Optimizers as gradient transformations. */

export {
  type AdamOptions,
  adam,
  type SgdOptions,
  scaleByAdam,
  sgd,
  type TraceOptions,
  trace,
} from './optimizers.ts';
export {
  applyUpdates,
  chain,
  type GradientTransformation,
  identity,
  monoid,
  type OptState,
  type Schedule,
  scale,
  scaleByLearningRate,
  scaleBySchedule,
} from './transformation.ts';
