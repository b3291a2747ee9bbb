/** Optimizers as gradient transformations. */

export {
  type AdadeltaOptions,
  type AdamaxOptions,
  adadelta,
  adamax,
  type LionOptions,
  lion,
  type ScaleByAdadeltaOptions,
  type ScaleByLionOptions,
  scaleByAdadelta,
  scaleByAdamax,
  scaleByLion,
} from './adaptive.ts';
export { type EmaOptions, ema, incrementalUpdate, lookahead, multiSteps } from './averages.ts';
export { clip, clipByGlobalNorm, clipByNorm, globalNorm } from './clipping.ts';
export {
  type CosineOnecycleOptions,
  cosineOnecycleSchedule,
  type LinearOnecycleOptions,
  linearOnecycleSchedule,
  piecewiseInterpolateSchedule,
  polynomialSchedule,
  sgdrSchedule,
  type WarmRestart,
} from './cycles.ts';
export { type AdafactorOptions, adafactor, type FactoredRmsOptions, scaleByFactoredRms } from './factored.ts';
export {
  adaptiveGradClip,
  clipByBlockRms,
  type LambOptions,
  type LarsOptions,
  lamb,
  lars,
  scaleByParamBlockRms,
  scaleByTrustRatio,
  type TrustRatioOptions,
} from './layerwise.ts';
export { type LbfgsOptions, lbfgs, type ScaleByLbfgsOptions, scaleByLbfgs } from './lbfgs.ts';
export {
  type BacktrackingOptions,
  scaleByBacktrackingLinesearch,
  scaleByZoomLinesearch,
  type ZoomOptions,
} from './linesearch.ts';
export { type Labels, type LabelTree, type Mask, masked, multiTransform } from './masking.ts';
export { addNoise, type SamOptions, sam } from './noise.ts';
export {
  type AdamOptions,
  type AdamwOptions,
  type AmsgradOptions,
  adam,
  adamw,
  addDecayedWeights,
  amsgrad,
  nadam,
  type SgdOptions,
  scaleByAdam,
  scaleByAmsgrad,
  sgd,
  type TraceOptions,
  trace,
} from './optimizers.ts';
export { injectHyperparams, type ReduceOnPlateauOptions, reduceOnPlateau } from './plateau.ts';
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
  type Extra,
  type GradientTransformation,
  identity,
  monoid,
  type OptState,
  type Schedule,
  scale,
  scaleByLearningRate,
  scaleBySchedule,
  setToZero,
} from './transformation.ts';
