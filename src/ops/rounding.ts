/** Magnitude, sign, rounding, remainders and bounds, and which numbers are finite. */

import { isFloat } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import * as prim from '../prim/arithmetic.ts';
import { and, or } from '../prim/bits.ts';
import { eq, gt, lt, ne, select } from '../prim/compare.ts';
import { fullLike } from '../prim/compose.ts';
import { expectKind } from '../prim/define.ts';
import * as rounding from '../prim/rounding.ts';
import { arithmetic } from './arithmetic.ts';
import { toFloat, toValue } from './convert.ts';
import type { ArrayLike, DTypeOf, Promoted, Tensor, WithNumber } from './types.ts';

/** |x|, elementwise; |INT_MIN| is INT_MIN. The derivative at 0 is 0. @throws DTypeError for `bool` */
export function abs<A extends ArrayLike>(x: A): Tensor<DTypeOf<A>> {
  const value = toValue('np.abs', x);
  expectKind('np.abs', 'number', value.aval);
  return prim.abs(value) as Tensor<DTypeOf<A>>;
}

/** −1, 0 or 1, elementwise; NaN for NaN. @throws DTypeError for `bool` */
export function sign<A extends ArrayLike>(x: A): Tensor<DTypeOf<A>> {
  const value = toValue('np.sign', x);
  expectKind('np.sign', 'number', value.aval);
  return prim.sign(value) as Tensor<DTypeOf<A>>;
}

/** Integers are whole already; `bool` becomes `float32`. */
const rounded =
  (op: string, apply: (x: Value) => Value) =>
  <A extends ArrayLike>(x: A): Tensor<WithNumber<DTypeOf<A>>> => {
    const value = toValue(op, x);
    const number = value.dtype === 'bool' ? toFloat(op, value) : value;
    return (isFloat(number.dtype) ? apply(number) : number) as Tensor<WithNumber<DTypeOf<A>>>;
  };

/** The greatest whole number that is at most x, elementwise, in the dtype of x. */
export const floor = rounded('np.floor', rounding.floor);
/** The least whole number that is at least x, elementwise, in the dtype of x. */
export const ceil = rounded('np.ceil', rounding.ceil);
/** x without its fraction, elementwise, in the dtype of x. */
export const trunc = rounded('np.trunc', (x) => select(lt(x, fullLike(x, 0)), rounding.ceil(x), rounding.floor(x)));

/**
 * x to `decimals` digits behind the point (before it, if negative), elementwise; halves go to the even digit.
 *
 * An integer whose nearest multiple of the power of ten is beyond its dtype goes to the last multiple within: 2147483647 of `int32`
 * to tens is 2147483640.
 *
 * @throws DTypeError unless `decimals` is an integer from −37 to 37
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.round(np.array([0.5, 1.5, -2.5])).toArray()); // => [ 0, 2, -2 ]
 * console.log(np.round(np.array([1250, 1350], { dtype: 'int32' }), -2).toArray()); // => [ 1200, 1400 ]
 * ```
 */
export function round<A extends ArrayLike>(x: A, decimals = 0): Tensor<WithNumber<DTypeOf<A>>> {
  if (!Number.isInteger(decimals) || Math.abs(decimals) > 37) {
    throw new DTypeError({
      op: 'np.round',
      problem: `the number of decimals must be an integer from -37 to 37, got ${decimals}`,
      remedy: 'float32 has seven digits and exponents to 38',
    });
  }
  const unit = 10 ** Math.abs(decimals);
  const value = toValue('np.round', x);
  if (!isFloat(value.dtype) && value.dtype !== 'bool') {
    return (decimals < 0 ? roundWhole(value, unit) : value) as Tensor<WithNumber<DTypeOf<A>>>;
  }
  return roundTo(toFloat('np.round', value), unit, decimals) as Tensor<WithNumber<DTypeOf<A>>>;
}

function roundTo(x: Value, unit: number, decimals: number): Value {
  if (decimals === 0) return rounding.round(x);
  const factor = fullLike(x, unit);
  if (decimals < 0) return prim.mul(rounding.round(prim.div(x, factor)), factor);
  const scaled = prim.mul(x, factor);
  // What overflows when scaled has no decimals.
  return select(rounding.finite(scaled), prim.div(rounding.round(scaled), factor), x);
}

/** An integer to a multiple of `unit`, a power of ten, that its dtype holds; of two equally near ones to the even multiple. */
function roundWhole(x: Value, unit: number): Value {
  const zero = fullLike(x, 0);
  if (unit > 2 ** 32) return zero;
  const [step, half, two] = [fullLike(x, unit), fullLike(x, unit / 2), fullLike(x, 2)];
  const rest = prim.rem(x, step);
  const towardZero = prim.sub(x, rest);
  const odd = ne(prim.rem(prim.div(towardZero, step), two), zero);
  const distance = prim.abs(rest);
  // On an odd multiple a half goes up as well.
  const up = or(gt(distance, half), and(odd, eq(distance, half)));
  const next = prim.add(towardZero, prim.mul(prim.sign(x), step));
  // What wraps is on the wrong side of x.
  const held = select(gt(x, zero), gt(next, x), lt(next, x));
  return select(and(up, held), next, towardZero);
}

/** The remainder with the sign of the divisor. */
function floorRemainder(x: Value, y: Value): Value {
  const rest = prim.rem(x, y);
  const zero = fullLike(rest, 0);
  const wrongSign = and(ne(lt(rest, zero), lt(y, zero)), ne(rest, zero));
  return select(wrongSign, prim.add(rest, y), rest);
}

/**
 * What is left of x after the multiples of y up to the floor of x/y, elementwise: it has the sign of y, as in Python. Of
 * integers, x mod 0 is x; of floats NaN.
 *
 * @throws ShapeError if the shapes do not broadcast
 * @throws DTypeError for two `bool`s
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.mod(np.array([-7, 7]), 3).toArray(), np.fmod(np.array([-7, 7]), 3).toArray()); // => [ 2, 1 ] [ -1, 1 ]
 * ```
 */
export function mod<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return arithmetic('np.mod', floorRemainder, null, x, y);
}

/** {@link mod}, under NumPy's other name. @throws as {@link mod} */
export function remainder<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return arithmetic('np.remainder', floorRemainder, null, x, y);
}

/** What the truncated quotient of x and y leaves, elementwise: it has the sign of x, as in C. @throws as {@link mod} */
export function fmod<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return arithmetic('np.fmod', prim.rem, null, x, y);
}

/** The dtype in which `A` meets a bound, which may be absent. */
type Bounded<A, B> = B extends ArrayLike ? Promoted<A, B> : DTypeOf<A>;

/**
 * x, but at least `low` and at most `high`, elementwise; a bound that is `null` is none. Where they cross, `high` wins. On a tie
 * x and the bound share the derivative, as for `np.maximum`.
 *
 * @throws ShapeError if the shapes do not broadcast
 * @throws DTypeError for a JS number beside an integer tensor that cannot hold it
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.clip(np.array([-1, 0.5, 2]), 0, 1).toArray()); // => [ 0, 0.5, 1 ]
 * console.log(np.clip(np.array([-1, 0.5, 2]), null, 1).toArray()); // => [ -1, 0.5, 1 ]
 * ```
 */
export function clip<A extends ArrayLike, L extends ArrayLike | null, H extends ArrayLike | null = null>(
  x: A,
  low: L,
  high?: H,
): Tensor<Bounded<Tensor<Bounded<A, L>>, H>> {
  const value = toValue('np.clip', x);
  const raised: Value = low === null ? value : arithmetic('np.clip', prim.max, prim.max, low, value);
  return (
    high === null || high === undefined ? raised : arithmetic('np.clip', prim.min, prim.min, high, raised)
  ) as Tensor<Bounded<Tensor<Bounded<A, L>>, H>>;
}

/** Is x neither infinite nor NaN? Elementwise; true for integers and `bool`. */
export function isfinite(x: ArrayLike): Tensor<'bool'> {
  const value = toValue('np.isfinite', x);
  return (isFloat(value.dtype) ? rounding.finite(value) : eq(value, value)) as Tensor<'bool'>;
}

/** Is x not a number? Elementwise. */
export function isnan(x: ArrayLike): Tensor<'bool'> {
  const value = toValue('np.isnan', x);
  return ne(value, value) as Tensor<'bool'>;
}

/** Is x infinite, of either sign? Elementwise. */
export function isinf(x: ArrayLike): Tensor<'bool'> {
  const value = toValue('np.isinf', x);
  const infinite = isFloat(value.dtype)
    ? eq(prim.abs(value), fullLike(value, Number.POSITIVE_INFINITY))
    : ne(value, value);
  return infinite as Tensor<'bool'>;
}
