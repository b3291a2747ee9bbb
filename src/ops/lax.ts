/**
 * `lax`: one function for each primitive, under JAX's name.
 *
 * Operands are tensors of equal shapes and dtypes: nothing broadcasts, promotes or counts axes from the end here. A function
 * adds exactly one equation to a program (none where it would change nothing).
 */

import type { DType } from '../core/dtype.ts';
import { annotate } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import * as arithmetic from '../prim/arithmetic.ts';
import * as bits from '../prim/bits.ts';
import * as compare from '../prim/compare.ts';
import * as dot from '../prim/dot.ts';
import { optimizationBarrier as barrier } from '../prim/identity.ts';
import * as math from '../prim/math.ts';
import * as reduction from '../prim/reduce.ts';
import * as structural from '../prim/structural.ts';
import { flatten, unflatten } from '../tree/tree.ts';
import { expectTensor } from './convert.ts';
import type { Tensor } from './types.ts';
import { expectDType } from './untyped.ts';

export { stopGradient } from '../../transforms/stop.ts';
export type { DotDimensions } from '../prim/dot.ts';

/** `apply` of tensors; what the primitive refuses is reported with the name that the user called. */
function staged<R>(name: string, operands: readonly Value[], apply: (...operands: Value[]) => R): R {
  const tensors = operands.map((x) => expectTensor(name, x));
  return annotate(
    () => `while computing ${name}`,
    () => apply(...tensors),
  );
}

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
/** eˣ. */
export const exp = unary('lax.exp', math.exp);
/** The natural logarithm; −Inf at 0, NaN below. */
export const log = unary('lax.log', math.log);
/** The hyperbolic tangent. */
export const tanh = unary('lax.tanh', math.tanh);
/** The logistic function 1/(1 + e⁻ˣ). */
export const logistic = unary('lax.logistic', math.logistic);
/** The sine of radians. */
export const sin = unary('lax.sin', math.sin);
/** The cosine of radians. */
export const cos = unary('lax.cos', math.cos);
/** The square root; NaN below 0. */
export const sqrt = unary('lax.sqrt', math.sqrt);
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

/** The sum over `axes`. */
export const reduceSum = <D extends DType>(x: Tensor<D>, axes: readonly number[]): Tensor<D> =>
  staged('lax.reduceSum', [x], (v) => reduction.reduceSum(v!, axes)) as Tensor<D>;

/** The maximum over `axes`; NaN if any element is; −Inf, the smallest integer or false over an empty axis. */
export const reduceMax = <D extends DType>(x: Tensor<D>, axes: readonly number[]): Tensor<D> =>
  staged('lax.reduceMax', [x], (v) => reduction.reduceMax(v!, axes)) as Tensor<D>;

/** The index of the first maximum along `axis`; of the first NaN if there is one. */
export const argmax = (x: Value, axis: number): Tensor<'int32'> =>
  staged('lax.argmax', [x], (v) => reduction.argmax(v!, axis)) as Tensor<'int32'>;

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
