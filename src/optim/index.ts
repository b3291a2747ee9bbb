/** Optimizers as gradient transformations. */

export { clip, clipByGlobalNorm, globalNorm } from './clipping.ts';
export {
  type AdamOptions,
  type AdamwOptions,
  adam,
  adamw,
  addDecayedWeights,
  amsgrad,
  type SgdOptions,
  scaleByAdam,
  scaleByAmsgrad,
  sgd,
  type TraceOptions,
  trace,
} from './optimizers.ts';
export {
  type AdagradOptions,
  adagrad,
  type RmsOptions,
  type RmspropOptions,
  rmsprop,
  scaleByRms,
  scaleByRss,
  scaleByStddev,
} from './scaling.ts';
export {
  type CosineDecayOptions,
  constantSchedule,
  cosineDecaySchedule,
  type ExponentialDecayOptions,
  exponentialDecay,
  joinSchedules,
  linearSchedule,
  piecewiseConstantSchedule,
  type WarmupCosineDecayOptions,
  warmupConstantSchedule,
  warmupCosineDecaySchedule,
} from './schedules.ts';
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
