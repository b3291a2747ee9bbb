/** Arithmetic, with broadcasting and promotion. `bool` adds as "or" and multiplies as "and", as in NumPy. */

import { type DType, isFloat } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import * as prim from '../prim/arithmetic.ts';
import { and, or } from '../prim/bits.ts';
import { expectKind } from '../prim/define.ts';
import { pow } from '../prim/math.ts';
import { aligned, toFloat, toValue } from './convert.ts';
import type { ArrayLike, DTypeOf, Floated, Promoted, Summed, Tensor } from './types.ts';

/** A binary operation on numbers; `onBools` is its meaning on `bool`, if it has one. */
export function arithmetic<D extends DType>(
  op: string,
  onNumbers: (x: Value, y: Value) => Value,
  onBools: ((x: Value, y: Value) => Value) | null,
  x: ArrayLike,
  y: ArrayLike,
): Tensor<D> {
  const [a, b] = aligned(op, [x, y]);
  if (a!.dtype !== 'bool') return onNumbers(a!, b!) as Tensor<D>;
  if (!onBools) expectKind(op, 'number', a!.aval);
  return (onBools ?? onNumbers)(a!, b!) as Tensor<D>;
}

/**
 * x + y, elementwise; "or" for two `bool`s.
 *
 * Shapes broadcast as in NumPy: aligned at the last axis, lengths equal or 1. Dtypes promote by JAX's lattice.
 *
 * @throws ShapeError if the shapes do not broadcast
 * @throws DTypeError for a JS number beside an integer tensor that cannot hold it
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const column = np.array([[1], [2]]);
 * console.log(np.add(column, np.array([10, 20])).toArray()); // => [ [ 11, 21 ], [ 12, 22 ] ]
 * np.add(np.arange(3), 0.5); // throws DTypeError: np.add: the number 0.5 is not an integer, but beside int32[3] it must be one…
 * ```
 */
export function add<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return arithmetic('np.add', prim.add, or, x, y);
}

/** x − y, elementwise. @throws as {@link add}, and DTypeError for two `bool`s */
export function sub<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return arithmetic('np.sub', prim.sub, null, x, y);
}

/** x · y, elementwise; "and" for two `bool`s. @throws as {@link add} */
export function mul<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return arithmetic('np.mul', prim.mul, and, x, y);
}

/**
 * x / y, elementwise: true division, so that integers and `bool` become `float32`.
 *
 * @throws as {@link add}
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.div(np.arange(4), 2).toArray()); // => [ 0, 0.5, 1, 1.5 ]
 * ```
 */
export function div<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Floated<Promoted<A, B>>> {
  const [a, b] = aligned('np.div', [x, y]);
  return prim.div(toFloat('np.div', a!), toFloat('np.div', b!)) as Tensor<Floated<Promoted<A, B>>>;
}

/** −x, elementwise; integers wrap. @throws DTypeError for `bool` */
export function neg<A extends ArrayLike>(x: A): Tensor<DTypeOf<A>> {
  const value = toValue('np.neg', x);
  expectKind('np.neg', 'number', value.aval);
  return prim.neg(value) as Tensor<DTypeOf<A>>;
}

/** The larger of x and y, elementwise; NaN if either is. @throws as {@link add} */
export function maximum<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return arithmetic('np.maximum', prim.max, prim.max, x, y);
}

/** The smaller of x and y, elementwise; NaN if either is. @throws as {@link add} */
export function minimum<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return arithmetic('np.minimum', prim.min, prim.min, x, y);
}

/**
 * x to the power y, elementwise; x⁰ is 1 for every x.
 *
 * A JS integer y is exact at 0 and for negative x, in value and derivative. Otherwise a negative x has powers for whole y only.
 * Two `bool`s count as `int32`; integers wrap, and a negative power of an integer from a tensor of exponents is the integer
 * part of 1/xⁿ.
 *
 * @throws ShapeError if the shapes do not broadcast
 * @throws DTypeError for a JS exponent that is negative or not integral beside an integer tensor
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.power(np.array([-2, 0, 3]), 3).toArray()); // => [ -8, 0, 27 ]
 * console.log(np.power(np.array([4, 9]), np.array([0.5, -1])).toArray()); // => [ 2, 0.111111… ]
 * np.power(np.arange(3), -1); // throws DTypeError: np.power: int32 cannot hold the negative power -1…
 * ```
 */
export function power<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Summed<Promoted<A, B>>> {
  if (typeof y === 'number' && Number.isSafeInteger(y)) {
    return prim.integerPow(powerBase(toValue('np.power', x), y), y) as Tensor<Summed<Promoted<A, B>>>;
  }
  const [base, exponent] = aligned('np.power', [x, y]);
  if (base!.dtype !== 'bool') return pow(base!, exponent!) as Tensor<Summed<Promoted<A, B>>>;
  const count = (v: Value): Value => prim.convertElementType(v, 'int32');
  return pow(count(base!), count(exponent!)) as Tensor<Summed<Promoted<A, B>>>;
}

/** `x` in a dtype that holds its powers by the JS integer `exponent`. */
function powerBase(x: Value, exponent: number): Value {
  if (x.dtype === 'bool') return toFloat('np.power', x);
  if (exponent >= 0 || isFloat(x.dtype)) return x;
  throw new DTypeError({
    op: 'np.power',
    problem: `${x.dtype} cannot hold the negative power ${exponent}`,
    remedy: "cast first: np.astype(x, 'float32')",
  });
}

/** x², elementwise. @throws DTypeError for `bool` */
export function square<A extends ArrayLike>(x: A): Tensor<DTypeOf<A>> {
  const value = toValue('np.square', x);
  expectKind('np.square', 'number', value.aval);
  return prim.integerPow(value, 2) as Tensor<DTypeOf<A>>;
}

/** 1 / x, elementwise. Integers become `float32`. */
export function reciprocal<A extends ArrayLike>(x: A): Tensor<Floated<DTypeOf<A>>> {
  const value = toFloat('np.reciprocal', x);
  const [one, divisor] = aligned('np.reciprocal', [1, value]);
  return prim.div(one!, divisor!) as Tensor<Floated<DTypeOf<A>>>;
}
