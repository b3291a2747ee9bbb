/**
 * `np`: NumPy's functions on tensors, with broadcasting, promotion and axes.
 *
 * The four operations that NumPy spells out have both names, `np.subtract` and `np.sub`, … The short ones are those of the
 * primitives that they become, and the ones that errors give.
 */

export {
  add,
  div,
  div as divide,
  maximum,
  minimum,
  mul,
  mul as multiply,
  neg,
  neg as negative,
  power,
  reciprocal,
  square,
  sub,
  sub as subtract,
} from './arithmetic.ts';
export { array, type Nested } from './array.ts';
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
  astype,
  type EyeOptions,
  eye,
  full,
  fullLike,
  type LinspaceOptions,
  linspace,
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
