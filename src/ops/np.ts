/**
 * `np`: NumPy's functions on tensors, with broadcasting, promotion and axes.
 *
 * The four operations that NumPy spells out have both names, `np.subtract` and `np.sub`, … The short ones are those of the
 * primitives that they become, and the ones that errors give.
 */

export { putAlongAxis, takeAlongAxis } from './along.ts';
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
export { type At, at, type SetOptions, type WriteOptions } from './at.ts';
export { bitwiseAnd, bitwiseNot, bitwiseOr, bitwiseXor, leftShift, rightShift } from './bits.ts';
export {
  allclose,
  type CloseOptions,
  equal,
  greater,
  greaterEqual,
  isclose,
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
export { cumprod, cumsum } from './cumulative.ts';
export { einsum, tensordot } from './einsum.ts';
export * as fft from './fft.ts';
export { type Index, index, type ReadOptions, type Slice, take } from './indexing.ts';
export { concatenate, split, stack } from './join.ts';
export type { Indices } from './lax-indexing.ts';
export * as linalg from './linalg.ts';
export { dot, inner, matmul, outer } from './linear.ts';
export {
  arccos,
  arccosh,
  arcsin,
  arcsinh,
  arctan,
  arctan2,
  arctanh,
  cbrt,
  cos,
  cosh,
  exp,
  exp2,
  expm1,
  log,
  log1p,
  log2,
  log10,
  sin,
  sinh,
  sqrt,
  tan,
  tanh,
} from './math.ts';
export {
  type AlongOptions,
  cross,
  type DiagonalOptions,
  diagonal,
  matrixTranspose,
  trace,
  vecdot,
} from './matrix.ts';
export {
  argwhere,
  compress,
  extract,
  flatnonzero,
  nonzero,
  type SizeOptions,
} from './nonzero.ts';
export { argsort, lexsort, type SortOptions, sort } from './order.ts';
export { type PadOptions, type PadWidth, pad } from './pad.ts';
export {
  median,
  nanmedian,
  nanpercentile,
  nanquantile,
  percentile,
  type QuantileMethod,
  type QuantileOptions,
  quantile,
} from './quantile.ts';
export {
  all,
  any,
  argmax,
  argmin,
  max,
  mean,
  min,
  prod,
  std,
  sum,
  type VarianceOptions,
  var_ as var,
} from './reduce.ts';
export { repeat, tile } from './repeat.ts';
export {
  abs,
  ceil,
  clip,
  floor,
  fmod,
  isfinite,
  isinf,
  isnan,
  mod,
  remainder,
  round,
  sign,
  trunc,
} from './rounding.ts';
export {
  type BincountOptions,
  bincount,
  digitize,
  type SearchOptions,
  searchsorted,
  type Unique,
  type UniqueOptions,
  unique,
  uniqueAll,
} from './search.ts';
export {
  broadcastTo,
  expandDims,
  expectShape,
  flip,
  moveaxis,
  ravel,
  reshape,
  roll,
  squeeze,
  swapaxes,
  transpose,
} from './shape.ts';
export { tri, tril, triu } from './triangle.ts';
export type { ArrayLike, Axis, DTypeOptions, ReduceOptions, ShapeLike, Tensor } from './types.ts';
