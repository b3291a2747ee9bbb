/** `np`: NumPy's functions on tensors, with broadcasting, promotion and axes. */

export { add, div, maximum, minimum, mul, neg, power, reciprocal, square, sub } from './arithmetic.ts';
export { bitwiseAnd, bitwiseNot, bitwiseOr, bitwiseXor, leftShift, rightShift } from './bits.ts';
export {
  equal,
  greater,
  greaterEqual,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  notEqual,
  where,
} from './compare.ts';
export {
  arange,
  array,
  astype,
  type EyeOptions,
  eye,
  full,
  fullLike,
  type LinspaceOptions,
  linspace,
  type Nested,
  ones,
  onesLike,
  zeros,
  zerosLike,
} from './create.ts';
export { concatenate, split, stack } from './join.ts';
export { dot, inner, matmul, outer } from './linear.ts';
export { cos, exp, log, sin, sqrt, tanh } from './math.ts';
export { argmax, max, mean, min, sum } from './reduce.ts';
export {
  broadcastTo,
  expandDims,
  expectShape,
  moveaxis,
  ravel,
  reshape,
  squeeze,
  swapaxes,
  transpose,
} from './shape.ts';
export type { ArrayLike, Axis, DTypeOptions, ReduceOptions, ShapeLike, Tensor } from './types.ts';
