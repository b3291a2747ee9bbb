/**
 * `lax`: one function for each primitive, under JAX's name.
 *
 * Operands are tensors of equal shapes and dtypes: nothing broadcasts, promotes or counts axes from the end here. A function
 * adds exactly one equation to a program (none where it would change nothing; those of `lax.linalg` that symmetrize add that).
 */

import { showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import { inserted, type Shape, without } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import * as arithmetic from '../prim/arithmetic.ts';
import * as bits from '../prim/bits.ts';
import * as compare from '../prim/compare.ts';
import * as dot from '../prim/dot.ts';
import { optimizationBarrier as barrier } from '../prim/identity.ts';
import * as math from '../prim/math.ts';
import * as reduction from '../prim/reduce.ts';
import * as rounding from '../prim/rounding.ts';
import * as structural from '../prim/structural.ts';
import { flatten, unflatten } from '../tree/tree.ts';
import { expectTensor } from './convert.ts';
import { staged } from './staged.ts';
import type { Tensor } from './types.ts';
import { expectDType } from './untyped.ts';

export { stopGradient } from '../../transforms/stop.ts';
export type { IndexMode } from '../prim/addressing.ts';
export type { DotDimensions } from '../prim/dot.ts';
export {
  type ConvDimensionNumbers,
  type ConvOptions,
  type ConvTransposeOptions,
  conv,
  convDimensionNumbers,
  convGeneralDilated,
  convTranspose,
} from './lax-conv.ts';
export { type CumulativeOptions, cumlogsumexp, cummax, cummin, cumprod, cumsum } from './lax-cumulative.ts';
export { type FftKind, fft } from './lax-fft.ts';
export {
  dynamicSlice,
  dynamicUpdateSlice,
  type GatherDimensionNumbers,
  type GatherOptions,
  gather,
  type Indices,
  type ScatterDimensionNumbers,
  type ScatterOptions,
  type ScatterSetOptions,
  type Start,
  scatter,
  scatterAdd,
} from './lax-indexing.ts';
export * as linalg from './lax-linalg.ts';
export { scatterMax, scatterMin, scatterMul } from './lax-scatter.ts';
export { type SortOptions, sort, topK } from './lax-sort.ts';
export {
  besselI0e,
  besselI1e,
  betainc,
  betaincGrad,
  digamma,
  igamma,
  igammac,
  igammaGrad,
  igammaGradA,
  lgamma,
  nextafter,
  polygamma,
  randomGammaGrad,
} from './lax-special.ts';
export {
  reduceWindow,
  selectAndGatherAdd,
  selectAndScatterAdd,
  type WindowComputation,
  type WindowOptions,
} from './lax-window.ts';
export type { Padding } from './padding.ts';

const unary =
  (name: string, apply: (x: Value) => Value) =>
  <D extends DType>(x: Tensor<D>): Tensor<D> =>
    staged(name, [x], apply as (...operands: Value[]) => Value) as Tensor<D>;

const binary =
  (name: string, apply: (x: Value, y: Value) => Value) =>
  <D extends DType>(x: Tensor<D>, y: Tensor<D>): Tensor<D> =>
    staged(name, [x, y], apply as (...operands: Value[]) => Value) as Tensor<D>;

const comparison =
  (name: string, apply: (x: Value, y: Value) => Value) =>
  <D extends DType>(x: Tensor<D>, y: Tensor<D>): Tensor<'bool'> =>
    staged(name, [x, y], apply as (...operands: Value[]) => Value) as Tensor<'bool'>;

/** x + y; integers wrap. */
export const add = binary('lax.add', arithmetic.add);
/** x − y; integers wrap. */
export const sub = binary('lax.sub', arithmetic.sub);
/** x · y; integers wrap. */
export const mul = binary('lax.mul', arithmetic.mul);
/** x / y; integers truncate toward zero, and x/0 is −1 (all bits set). */
export const div = binary('lax.div', arithmetic.div);
/** −x. */
export const neg = unary('lax.neg', arithmetic.neg);
/** The larger of x and y; NaN if either is. */
export const max = binary('lax.max', arithmetic.max);
/** The smaller of x and y; NaN if either is. */
export const min = binary('lax.min', arithmetic.min);
/** |x|; of integers, |INT_MIN| is INT_MIN. The derivative at 0 is 0. */
export const abs = unary('lax.abs', arithmetic.abs);
/** −1, 0 or 1; the sign of a zero stays, NaN is NaN. */
export const sign = unary('lax.sign', arithmetic.sign);
/** What the truncated quotient of x and y leaves; it has the sign of x. Of integers, x rem 0 is x. */
export const rem = binary('lax.rem', arithmetic.rem);
/** The greatest whole number that is at most x. */
export const floor = unary('lax.floor', rounding.floor);
/** The least whole number that is at least x. */
export const ceil = unary('lax.ceil', rounding.ceil);
/** The nearest whole number, of two the even one (JAX: `lax.round` with `TO_NEAREST_EVEN`). */
export const round = unary('lax.round', rounding.round);
/** Is x neither infinite nor NaN? */
const finite = (x: Value): Tensor<'bool'> => staged('lax.isFinite', [x], (v) => rounding.finite(v!)) as Tensor<'bool'>;

export { finite as isFinite };

/**
 * x, but at least `low` and at most `high`, which wins where they cross; NaN if any is.
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.clamp(np.zeros([3]), np.array([-1, 0.5, 2]), np.ones([3])).toArray()); // => [ 0, 0.5, 1 ]
 * ```
 */
export const clamp = <D extends DType>(low: Tensor<D>, x: Tensor<D>, high: Tensor<D>): Tensor<D> =>
  staged('lax.clamp', [low, x, high], (a, b, c) => arithmetic.clamp(a!, b!, c!)) as Tensor<D>;

/** eˣ. */
export const exp = unary('lax.exp', math.exp);
/** 2ˣ, exact for whole x. */
export const exp2 = unary('lax.exp2', math.exp2);
/** eˣ − 1, precise near 0. */
export const expm1 = unary('lax.expm1', math.expm1);
/** The natural logarithm; −Inf at 0, NaN below. */
export const log = unary('lax.log', math.log);
/** The logarithm to base 2, exact for powers of 2. */
export const log2 = unary('lax.log2', math.log2);
/** log(1 + x), precise near 0. */
export const log1p = unary('lax.log1p', math.log1p);
/** The hyperbolic tangent. */
export const tanh = unary('lax.tanh', math.tanh);
/** The logistic function 1/(1 + e⁻ˣ). */
export const logistic = unary('lax.logistic', math.logistic);
/** The sine of radians. */
export const sin = unary('lax.sin', math.sin);
/** The cosine of radians. */
export const cos = unary('lax.cos', math.cos);
/** The tangent of radians. */
export const tan = unary('lax.tan', math.tan);
/** The angle in [−π/2, π/2] whose sine is x; NaN outside of [−1, 1]. */
export const asin = unary('lax.asin', math.asin);
/** The angle in [0, π] whose cosine is x; NaN outside of [−1, 1]. */
export const acos = unary('lax.acos', math.acos);
/** The angle in [−π/2, π/2] whose tangent is x. */
export const atan = unary('lax.atan', math.atan);
/** The angle of the point (x, y), in [−π, π]. */
export const atan2 = binary('lax.atan2', math.atan2);
/** The hyperbolic sine. */
export const sinh = unary('lax.sinh', math.sinh);
/** The hyperbolic cosine. */
export const cosh = unary('lax.cosh', math.cosh);
/** The inverse of the hyperbolic sine. */
export const asinh = unary('lax.asinh', math.asinh);
/** The inverse of the hyperbolic cosine; NaN below 1. */
export const acosh = unary('lax.acosh', math.acosh);
/** The inverse of the hyperbolic tangent; ±Inf at ±1, NaN outside. */
export const atanh = unary('lax.atanh', math.atanh);
/** The square root; NaN below 0. */
export const sqrt = unary('lax.sqrt', math.sqrt);
/** 1/√x; Inf at 0, NaN below. */
export const rsqrt = unary('lax.rsqrt', math.rsqrt);
/** The cube root, of negative numbers too. */
export const cbrt = unary('lax.cbrt', math.cbrt);
/**
 * x to the power y. x⁰ and 1ʸ are 1, even for NaN; a negative x has powers for whole y only; of integers it wraps.
 */
export const pow = binary('lax.pow', math.pow);
/** The error function. */
export const erf = unary('lax.erf', math.erf);
/** The complement 1 − erf x of the error function. */
export const erfc = unary('lax.erfc', math.erfc);
/** The inverse error function; ±Inf at ±1, NaN outside. */
export const erfInv = unary('lax.erfInv', math.erfInv);

/** x to the power of a JS integer. @throws DTypeError for a negative power of integers */
export const integerPow = <D extends DType>(x: Tensor<D>, exponent: number): Tensor<D> =>
  staged('lax.integerPow', [x], (v) => arithmetic.integerPow(v!, exponent)) as Tensor<D>;

/** x = y. */
export const eq = comparison('lax.eq', compare.eq);
/** x ≠ y. */
export const ne = comparison('lax.ne', compare.ne);
/** x < y. */
export const lt = comparison('lax.lt', compare.lt);
/** x ≤ y. */
export const le = comparison('lax.le', compare.le);
/** x > y. */
export const gt = comparison('lax.gt', compare.gt);
/** x ≥ y. */
export const ge = comparison('lax.ge', compare.ge);

/** `onTrue` where `pred`, else `onFalse`; all of one shape. */
export const select = <D extends DType>(pred: Tensor<'bool'>, onTrue: Tensor<D>, onFalse: Tensor<D>): Tensor<D> =>
  staged('lax.select', [pred, onTrue, onFalse], (p, x, y) => compare.select(p!, x!, y!)) as Tensor<D>;

/** x ∧ y: bitwise on integers, logical on `bool`. */
export const bitwiseAnd = binary('lax.bitwiseAnd', bits.and);
/** x ∨ y: bitwise on integers, logical on `bool`. */
export const bitwiseOr = binary('lax.bitwiseOr', bits.or);
/** x ⊕ y: bitwise on integers, logical on `bool`. */
export const bitwiseXor = binary('lax.bitwiseXor', bits.xor);
/** ¬x: bitwise on integers, logical on `bool`. */
export const bitwiseNot = unary('lax.bitwiseNot', bits.not);
/** The number of bits of x that are 1. */
export const populationCount = unary('lax.populationCount', bits.populationCount);
/** The number of zeros before the highest bit of x that is 1; 32 for 0. */
export const clz = unary('lax.clz', bits.clz);
/** x shifted left by y bits; 0 from 32 bits on. */
export const shiftLeft = binary('lax.shiftLeft', bits.shiftLeft);
/** x shifted right by y bits, zeros entering; 0 from 32 bits on. */
export const shiftRightLogical = binary('lax.shiftRightLogical', bits.shiftRightLogical);
/** x shifted right by y bits, the sign entering. */
export const shiftRightArithmetic = binary('lax.shiftRightArithmetic', bits.shiftRightArithmetic);

/** The two output words of Threefry-2x32 with the key (k1, k2) on the words (x1, x2), elementwise. */
export const threefry2x32 = (
  k1: Tensor<'uint32'>,
  k2: Tensor<'uint32'>,
  x1: Tensor<'uint32'>,
  x2: Tensor<'uint32'>,
): readonly [Tensor<'uint32'>, Tensor<'uint32'>] =>
  staged('lax.threefry2x32', [k1, k2, x1, x2], (a, b, c, d) =>
    bits.threefry2x32(a!, b!, c!, d!),
  ) as unknown as readonly [Tensor<'uint32'>, Tensor<'uint32'>];

/** `x` as another dtype: floats truncate toward zero and saturate as integers (NaN is 0); `bool` is x ≠ 0. */
export const convertElementType = <D extends DType>(x: Value, dtype: D): Tensor<D> =>
  staged('lax.convertElementType', [x], (v) =>
    arithmetic.convertElementType(v!, expectDType('lax.convertElementType', dtype)),
  ) as Tensor<D>;

/**
 * The bits of `x` as another 32-bit dtype.
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.bitcastConvertType(np.array(1), 'uint32').item().toString(16)); // => 3f800000
 * ```
 */
export const bitcastConvertType = <D extends DType>(x: Value, dtype: D): Tensor<D> =>
  staged('lax.bitcastConvertType', [x], (v) =>
    bits.bitcastConvertType(v!, expectDType('lax.bitcastConvertType', dtype)),
  ) as Tensor<D>;

const reducing =
  (name: string, apply: (x: Value, axes: readonly number[]) => Value) =>
  <D extends DType>(x: Tensor<D>, axes: readonly number[]): Tensor<D> =>
    staged(name, [x], (v) => apply(v!, axes)) as Tensor<D>;

/** The sum over `axes`; integers wrap. */
export const reduceSum = reducing('lax.reduceSum', reduction.reduceSum);
/** The product over `axes`; integers wrap. */
export const reduceProd = reducing('lax.reduceProd', reduction.reduceProd);
/** The maximum over `axes`; NaN if any element is; −Inf, the smallest integer or false over an empty axis. */
export const reduceMax = reducing('lax.reduceMax', reduction.reduceMax);
/** The minimum over `axes`; NaN if any element is; Inf, the largest integer or true over an empty axis. */
export const reduceMin = reducing('lax.reduceMin', reduction.reduceMin);
/** The conjunction over `axes`, bitwise on integers; true (all bits set) over an empty axis. */
export const reduceAnd = reducing('lax.reduceAnd', reduction.reduceAnd);
/** The disjunction over `axes`, bitwise on integers; false (0) over an empty axis. */
export const reduceOr = reducing('lax.reduceOr', reduction.reduceOr);

/** The index of the first maximum along `axis`; of the first NaN if there is one. */
export const argmax = (x: Value, axis: number): Tensor<'int32'> =>
  staged('lax.argmax', [x], (v) => reduction.argmax(v!, axis)) as Tensor<'int32'>;

/** The index of the first minimum along `axis`; of the first NaN if there is one. */
export const argmin = (x: Value, axis: number): Tensor<'int32'> =>
  staged('lax.argmin', [x], (v) => reduction.argmin(v!, axis)) as Tensor<'int32'>;

/**
 * The contraction of two tensors: the axes of the result are the batch axes, the free axes of `lhs`, then those of `rhs`.
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const dimensions = { lhsContracting: [0], rhsContracting: [1], lhsBatch: [], rhsBatch: [] };
 * console.log(lax.dotGeneral(np.zeros([2, 3]), np.zeros([4, 2]), dimensions).shape); // => [ 3, 4 ]
 * ```
 */
export const dotGeneral = <D extends DType>(lhs: Tensor<D>, rhs: Tensor<D>, dimensions: dot.DotDimensions): Tensor<D> =>
  staged('lax.dotGeneral', [lhs, rhs], (a, b) => dot.dotGeneral(a!, b!, dimensions)) as Tensor<D>;

/** `x` with its axis i as axis `broadcastDimensions[i]` of `shape`, stretched where its length is 1. */
export const broadcastInDim = <D extends DType>(
  x: Tensor<D>,
  shape: Shape,
  broadcastDimensions: readonly number[],
): Tensor<D> =>
  staged('lax.broadcastInDim', [x], (v) => structural.broadcastInDim(v!, shape, broadcastDimensions)) as Tensor<D>;

/** `x` under another shape of the same size. */
export const reshape = <D extends DType>(x: Tensor<D>, shape: Shape): Tensor<D> =>
  staged('lax.reshape', [x], (v) => structural.reshape(v!, shape)) as Tensor<D>;

/**
 * `x` without the axes `dimensions`, which have length 1.
 *
 * In JAX this and {@link expandDims} are primitives. Here each is the `reshape` that it means: every rule would be that of
 * `reshape`, and an IR in which one meaning has one name has fewer patterns to match.
 *
 * @throws ShapeError for an axis of another length
 */
export function squeeze<D extends DType>(x: Tensor<D>, dimensions: readonly number[]): Tensor<D> {
  const { aval } = expectTensor('lax.squeeze', x);
  const wide = dimensions.find((d) => aval.shape[d] !== 1);
  if (wide !== undefined) {
    throw new ShapeError({
      op: 'lax.squeeze',
      problem: `${showAval(aval)} has no axis ${wide} of length 1`,
      remedy: 'name axes of length 1, counted from 0',
    });
  }
  return structural.reshape(x, without(aval.shape, dimensions)) as Tensor<D>;
}

/** `x` with new axes of length 1 at the positions `dimensions` of the result. @throws ShapeError if those are not positions of it */
export function expandDims<D extends DType>(x: Tensor<D>, dimensions: readonly number[]): Tensor<D> {
  const { aval } = expectTensor('lax.expandDims', x);
  const ndim = aval.shape.length + dimensions.length;
  if (dimensions.some((d, i) => !Number.isInteger(d) || d < 0 || d >= ndim || dimensions.indexOf(d) !== i)) {
    throw new ShapeError({
      op: 'lax.expandDims',
      problem: `(${dimensions.join()}) are not new axes of ${showAval(aval)}`,
      remedy: `name each position once, from 0 to ${ndim - 1}`,
    });
  }
  const shape = [...dimensions]
    .sort((a, b) => a - b)
    .reduce((lengths: Shape, d) => inserted(lengths, d, 1), aval.shape);
  return structural.reshape(x, shape) as Tensor<D>;
}

/** `x` with its axes permuted: axis i of the result is axis `permutation[i]` of `x`. */
export const transpose = <D extends DType>(x: Tensor<D>, permutation: readonly number[]): Tensor<D> =>
  staged('lax.transpose', [x], (v) => structural.transpose(v!, permutation)) as Tensor<D>;

/** The part of `x` from `start` to `limit` (exclusive) by `strides` (1 if left out), on each axis. */
export const slice = <D extends DType>(
  x: Tensor<D>,
  start: readonly number[],
  limit: readonly number[],
  strides?: readonly number[],
): Tensor<D> => staged('lax.slice', [x], (v) => structural.slice(v!, start, limit, strides)) as Tensor<D>;

/** `x` with its elements in the opposite order along each of `dimensions`. */
export const rev = <D extends DType>(x: Tensor<D>, dimensions: readonly number[]): Tensor<D> =>
  staged('lax.rev', [x], (v) => structural.rev(v!, dimensions)) as Tensor<D>;

/**
 * `x` padded with a scalar: on each axis `[low, high, interior]` elements before, behind and between; negative `low` and
 * `high` cut.
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.pad(np.array([1, 2, 3]), np.array(0), [[1, -1, 1]]).toArray()); // => [ 0, 1, 0, 2, 0 ]
 * ```
 */
export const pad = <D extends DType>(
  x: Tensor<D>,
  paddingValue: Tensor<D>,
  padding: readonly (readonly [low: number, high: number, interior: number])[],
): Tensor<D> =>
  staged('lax.pad', [x, paddingValue], (v, value) =>
    structural.pad(
      v!,
      value!,
      padding.map(([low]) => low),
      padding.map(([, high]) => high),
      padding.map(([, , interior]) => interior),
    ),
  ) as Tensor<D>;

/** Tensors of equal shapes but for axis `dimension`, one after the other along it. */
export const concatenate = <D extends DType>(operands: readonly Tensor<D>[], dimension: number): Tensor<D> =>
  staged('lax.concatenate', operands, (...xs) => structural.concatenate(xs, dimension)) as Tensor<D>;

/** 0, 1, 2, … along `dimension` of `shape`, which may be one length. */
export const iota = <D extends Exclude<DType, 'bool'>>(dtype: D, shape: number | Shape, dimension = 0): Tensor<D> =>
  staged('lax.iota', [], () =>
    structural.iota(typeof shape === 'number' ? [shape] : shape, dimension, expectDType('lax.iota', dtype)),
  ) as Tensor<D>;

/** The same tree; all its tensors are computed before any of the results is used, and no pass moves or merges across. */
export function optimizationBarrier<T>(operands: T): T {
  const { leaves, def } = flatten(operands, 'lax.optimizationBarrier');
  return leaves.length === 0 ? operands : unflatten<T>(def, barrier(leaves));
}
