/**
 * Pullback: pure functions over immutable tensors, and the transforms that differentiate, batch and compile them.
 *
 * This file re-exports; it contains nothing.
 */

import './entry/device.ts';

export { type ReferenceOptions, referenceDevice } from '../backends/reference/device.ts';
export { type WasmOptions, wasmDevice } from '../backends/wasm/device.ts';
export {
  acquireWebgpu,
  type WebgpuCounts,
  type WebgpuOptions,
  webgpuCounts,
  webgpuDevice,
} from '../backends/webgpu/device.ts';
export * from '../transforms/index.ts';
export { type Aval, makeAval, showAval } from './core/aval.ts';
export { type Device, defaultDevice, setDefaultDevice, withDefaultDevice } from './core/backend.ts';
export { checkJaxpr } from './core/check.ts';
export type { DType, FloatDType, TypedArray } from './core/dtype.ts';
export {
  AsyncTraceError,
  CheckError,
  CompileError,
  ConcretizationError,
  DeviceMemoryError,
  DonatedTensorError,
  DTypeError,
  type ErrorTag,
  EscapedTracerError,
  NonFiniteError,
  NonScalarLossError,
  NotDifferentiableError,
  NotSerializableError,
  PullbackError,
  ShapeError,
  TreeError,
  WorkerError,
} from './core/errors.ts';
export { eqJaxpr, hashJaxpr } from './core/hash.ts';
export type { ProgramCost, ProgramText, StepEvent, StepProfile } from './core/inspection.ts';
export { type ClosedJaxpr, countEqns, type Jaxpr } from './core/jaxpr.ts';
export { showJaxpr } from './core/pretty.ts';
export type { Shape } from './core/shape.ts';
export type { NestedArray } from './core/value.ts';
export * as special from './entry/special.ts';
export * as tree from './entry/tree.ts';
export * as nn from './nn/index.ts';
export type { Complex } from './ops/complex.ts';
export * as lax from './ops/lax.ts';
export * as np from './ops/np.ts';
export type { ArrayLike, Tensor } from './ops/types.ts';
export * as optim from './optim/index.ts';
export * as random from './random/index.ts';
export * as train from './train/index.ts';
