/**
 * `pullback/laws`: the library's promises as properties that run, and what they are made of: laws with seed and path, arbitrary
 * shapes, tensors, trees and programs, finite differences, and a check of your own gradients.
 *
 * It needs `fast-check` (a peer dependency) and no test runner: call {@link Law.check} in yours.
 */

import '../src/entry/device.ts';

export { args, type Drawable, type Drawn } from './arbitrary/args.ts';
export { axesOf, insertions, subsets } from './arbitrary/axes.ts';
export { type BroadcastPair, broadcastPair } from './arbitrary/broadcast.ts';
export { dtype, everyDType, floats, integers, logicals, numbers } from './arbitrary/dtype.ts';
export { awayFromZero, type Domain, edges, edgy, separated, summable, within } from './arbitrary/elements.ts';
export { jaxprOf, type Op, type Program, type ProgramOptions, programs } from './arbitrary/program.ts';
export * as programOps from './arbitrary/program-ops.ts';
export { between, readable } from './arbitrary/readable.ts';
export { permutation, type ShapeOptions, shape } from './arbitrary/shape.ts';
export { type TensorOptions, tensor, tensorOf } from './arbitrary/tensor.ts';
export { type HostTree, mapHostTree, tree } from './arbitrary/tree.ts';
export { type CheckGradsOptions, checkGrads, GradientError } from './check-grads.ts';
export { type Difference, type DifferenceOptions, difference, exact, type NumericFunction, numeric } from './fd.ts';
export {
  type AdjointOptions,
  type Arguments,
  adjointLaw,
  batchingLaw,
  gradientLaw,
  jitLaw,
  type ToleranceOptions,
} from './function-laws.ts';
export { type Call, type Derivative, generators, type OperandClaim, type Row } from './generators.ts';
export { close, closeValues, type HostTensor, hostTensor, sameBits, sameValues, toHost, toTensor } from './host.ts';
export { interpret } from './interpret.ts';
export {
  every,
  expect,
  type Failure,
  fails,
  holds,
  inconclusive,
  type Law,
  LawError,
  law,
  monoidVerdict,
  type Report,
  type RunOptions,
  type Suite,
  showReport,
  type Verdict,
} from './law.ts';
export {
  judgeMutants,
  type MutantTable,
  mutantTable,
  mutations,
  type Outcome,
  showMutantTable,
  survivors,
} from './mutants.ts';
export { rewriteLaw, unsoundRewrites } from './passes.laws.ts';
export { lawsOf, primitiveLaws } from './primitives.laws.ts';
export { suites } from './suites.ts';
