/**
 * Samplers: bits, and distributions made of them by JAX's algorithms, in its order of operations.
 *
 * What is made of bits by IEEE arithmetic (`bits`, `uniform`) is JAX's to the last bit; what goes through a transcendental
 * function (`normal`) is within 4 ulp of it.
 */

import { showAval } from '../core/aval.ts';
import { type FloatDType, isFloat } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { shapeOf } from '../ops/axes.ts';
import { toValue } from '../ops/convert.ts';
import { located } from '../ops/located.ts';
import { stretchTo } from '../ops/shape.ts';
import type { ShapeLike } from '../ops/types.ts';
import { dtypeIn } from '../ops/untyped.ts';
import { add, convertElementType, max, mul, neg, sub } from '../prim/arithmetic.ts';
import { bitcastConvertType, or, shiftRightLogical, xor } from '../prim/bits.ts';
import { filled, fullLike } from '../prim/compose.ts';
import { erfInv, log, log1p } from '../prim/math.ts';
import { hashIndices, type Key } from './key.ts';

/**
 * Independent uniform 32-bit words.
 *
 * @param shape - of the result; a scalar by default
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.bits(random.key(0), [3]).toArray()); // => [ 4070199207, 4202968722, 1427181096 ]
 * ```
 */
export function bits(key: Key, shape: ShapeLike = []): Value<'uint32'> {
  return bitsOf('random.bits', key, shape);
}

function bitsOf(op: string, key: Key, shape: ShapeLike): Value<'uint32'> {
  const [high, low] = hashIndices(op, key, shape);
  return xor(high, low) as Value<'uint32'>;
}

/** Options of {@link uniform}. */
export interface UniformOptions<D extends FloatDType = 'float32'> {
  /** The least value; default 0. A tensor must broadcast to the shape. */
  readonly minval?: number | Value;
  /** What all values are below (up to rounding); default 1. A tensor must broadcast to the shape. */
  readonly maxval?: number | Value;
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Uniform numbers in [minval, maxval): multiples of 2⁻²³ (float64: 2⁻⁵²) of the interval.
 *
 * @param shape - of the result; a scalar by default
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.uniform(random.key(0)).item()); // => 0.947667…
 * console.log(random.uniform(random.key(3), [2], { minval: -2, maxval: 5 }).toArray()); // => [ -1.48163…, 4.56701… ]
 * ```
 */
export function uniform<D extends FloatDType = 'float32'>(
  key: Key,
  shape: ShapeLike = [],
  options: UniformOptions<D> = {},
): Value<NoInfer<D>> {
  const float = dtypeIn('random.uniform', options, 'minval', 'maxval') ?? 'float32';
  return uniformOf('random.uniform', key, shape, options.minval ?? 0, options.maxval ?? 1, float) as Value<D>;
}

/** {@link uniform}, for what is made of it: `op` is the name for errors. */
export function uniformOf(
  op: string,
  key: Key,
  shape: ShapeLike,
  minval: number | Value,
  maxval: number | Value,
  dtype: FloatDType,
): Value {
  expectFloat(op, dtype);
  const lengths = shapeOf(op, shape);
  const low = bound(op, minval, lengths, dtype);
  const width = sub(bound(op, maxval, lengths, dtype), low);
  const unit = dtype === 'float32' ? unit32(op, key, lengths) : unit64(op, key, lengths);
  return max(low, add(mul(unit, width), low));
}

/** @throws DTypeError unless `dtype`, which may come from untyped code, is a floating-point dtype */
export function expectFloat(op: string, dtype: FloatDType): void {
  if (!isFloat(dtype)) {
    throw new DTypeError({ op, problem: `makes floating-point numbers, not ${dtype}`, remedy: "use dtype: 'float32'" });
  }
}

/** A bound of an interval in the shape of the result. */
function bound(op: string, x: number | Value, shape: Shape, dtype: FloatDType): Value {
  if (typeof x === 'number') return filled(shape, x, dtype);
  const value = toValue(op, x);
  if (!isFloat(value.dtype)) {
    throw new DTypeError({
      op,
      problem: `the bounds must be floating-point numbers, got ${showAval(value.aval)}`,
      remedy: `cast first: np.astype(x, '${dtype}')`,
    });
  }
  return stretchTo(op, convertElementType(value, dtype), shape);
}

/** In [0, 1): the upper 23 bits as the mantissa of a number in [1, 2), minus 1. */
function unit32(op: string, key: Key, shape: Shape): Value {
  const words = bitsOf(op, key, shape);
  const mantissa = shiftRightLogical(words, fullLike(words, 9));
  const float = bitcastConvertType(or(mantissa, fullLike(words, 0x3f800000)), 'float32');
  return sub(float, fullLike(float, 1));
}

/** In [0, 1): the upper 52 bits of two words, times 2⁻⁵². Both products and the sum are exact. */
function unit64(op: string, key: Key, shape: Shape): Value {
  const [high, low] = hashIndices(op, key, shape);
  const part = (x: Value, weight: number): Value => {
    const float = convertElementType(x, 'float64');
    return mul(float, fullLike(float, weight));
  };
  return add(part(high, 2 ** -32), part(shiftRightLogical(low, fullLike(low, 12)), 2 ** -52));
}

/** Options of {@link normal}. */
export interface NormalOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Standard normal numbers: √2·erf⁻¹(u) for u uniform in (−1, 1).
 *
 * @param shape - of the result; a scalar by default
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.normal(random.key(0), [2]).toArray()); // => [ 1.62264…, 2.02526… ]
 * ```
 */
export function normal<D extends FloatDType = 'float32'>(
  key: Key,
  shape: ShapeLike = [],
  options: NormalOptions<D> = {},
): Value<NoInfer<D>> {
  const float = dtypeIn('random.normal', options) ?? 'float32';
  return normalOf('random.normal', key, shape, float) as Value<D>;
}

/** The number after −1. */
export const afterMinusOne = (dtype: FloatDType): number => (dtype === 'float32' ? -1 + 2 ** -24 : -1 + 2 ** -53);

/** {@link normal}, for what is made of it: `op` is the name for errors. */
export function normalOf(op: string, key: Key, shape: ShapeLike, dtype: FloatDType): Value {
  // From the number after −1, so that erf⁻¹ is finite.
  const u = uniformOf(op, key, shape, afterMinusOne(dtype), 1, dtype);
  return mul(fullLike(u, Math.SQRT2), erfInv(u));
}

/** Options of {@link gumbel}. */
export interface GumbelOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Standard Gumbel numbers: −ln(−ln u) for u uniform in (0, 1).
 *
 * @param shape - of the result; a scalar by default
 */
export function gumbel<D extends FloatDType = 'float32'>(
  key: Key,
  shape: ShapeLike = [],
  options: GumbelOptions<D> = {},
): Value<NoInfer<D>> {
  const float = dtypeIn('random.gumbel', options) ?? 'float32';
  // The least normal number, so that the inner logarithm is finite.
  const minval = float === 'float32' ? 2 ** -126 : 2 ** -1022;
  return located(() => neg(log(neg(log(uniformOf('random.gumbel', key, shape, minval, 1, float)))))) as Value<D>;
}

/** Options of {@link exponential}. */
export interface ExponentialOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Standard exponential numbers: −ln(1 − u) for u uniform in [0, 1).
 *
 * @param shape - of the result; a scalar by default
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.exponential(random.key(9), [2]).toArray()); // => [ 0.041632…, 3.42842… ]
 * ```
 */
export function exponential<D extends FloatDType = 'float32'>(
  key: Key,
  shape: ShapeLike = [],
  options: ExponentialOptions<D> = {},
): Value<NoInfer<D>> {
  const float = dtypeIn('random.exponential', options) ?? 'float32';
  return located(() => neg(log1p(neg(uniformOf('random.exponential', key, shape, 0, 1, float))))) as Value<D>;
}
