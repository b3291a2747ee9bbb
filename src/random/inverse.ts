/**
 * Distributions by inversion: the inverse of the distribution function at uniform numbers, by JAX's formulas on the same bits.
 *
 * What is drawn is a differentiable function of the parameters.
 */

import type { FloatDType } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import { located } from '../ops/located.ts';
import { stretchTo } from '../ops/shape.ts';
import type { ShapeLike } from '../ops/types.ts';
import { abs, div, max, min, mul, neg, sign, sub } from '../prim/arithmetic.ts';
import { lt, select } from '../prim/compare.ts';
import { fullLike } from '../prim/compose.ts';
import { stopGradientOf } from '../prim/identity.ts';
import { erf, erfInv, log, log1p, tan } from '../prim/math.ts';
import { nextafter } from '../prim/special.ts';
import type { Key } from './key.ts';
import { drawnShape, floatIn, parameter } from './parameters.ts';
import { afterMinusOne, uniformOf } from './samplers.ts';

/** The distance from 1 to the next number. */
const epsilon = (dtype: FloatDType): number => (dtype === 'float32' ? 2 ** -23 : 2 ** -52);

/** Options of {@link laplace}. */
export interface LaplaceOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Standard Laplace numbers, of density ½e^(−|x|): sign(u)·ln(1 − |u|) for u uniform in (−1, 1).
 *
 * @param shape - of the result; a scalar by default
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.laplace(random.key(0), [2]).toArray()); // => [ -2.25698…, -3.15027… ]
 * ```
 */
export function laplace<D extends FloatDType = 'float32'>(
  key: Key,
  shape: ShapeLike = [],
  options: LaplaceOptions<D> = {},
): Value<NoInfer<D>> {
  const op = 'random.laplace';
  const float = floatIn(op, options);
  return located(() => {
    const u = uniformOf(op, key, shape, afterMinusOne(float), 1, float);
    return mul(sign(u), log1p(neg(abs(u))));
  }) as Value<D>;
}

/** Options of {@link cauchy}. */
export interface CauchyOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Standard Cauchy numbers, of density 1/(π(1 + x²)): tan(π(u − ½)) for u uniform in (0, 1).
 *
 * @param shape - of the result; a scalar by default
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.cauchy(random.key(0), [2]).toArray()); // => [ 6.0274…, 14.8378… ]
 * ```
 */
export function cauchy<D extends FloatDType = 'float32'>(
  key: Key,
  shape: ShapeLike = [],
  options: CauchyOptions<D> = {},
): Value<NoInfer<D>> {
  const op = 'random.cauchy';
  const float = floatIn(op, options);
  return located(() => {
    const u = uniformOf(op, key, shape, epsilon(float), 1, float);
    return tan(mul(fullLike(u, Math.PI), sub(u, fullLike(u, 0.5))));
  }) as Value<D>;
}

/** Options of {@link logistic}. */
export interface LogisticOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Standard logistic numbers, of density e^(−x)/(1 + e^(−x))²: ln(u/(1 − u)) for u uniform in (0, 1).
 *
 * @param shape - of the result; a scalar by default
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.logistic(random.key(0), [2]).toArray()); // => [ 2.89637…, 3.82177… ]
 * ```
 */
export function logistic<D extends FloatDType = 'float32'>(
  key: Key,
  shape: ShapeLike = [],
  options: LogisticOptions<D> = {},
): Value<NoInfer<D>> {
  const op = 'random.logistic';
  const float = floatIn(op, options);
  return located(() => {
    const u = uniformOf(op, key, shape, epsilon(float), 1, float);
    return log(div(u, sub(fullLike(u, 1), u)));
  }) as Value<D>;
}

/** Options of {@link truncatedNormal}. */
export interface TruncatedNormalOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Standard normal numbers on condition that they are in (lower, upper): √2·erf⁻¹(u) for u uniform between erf(lower/√2) and
 * erf(upper/√2). NaN where the interval is empty.
 *
 * Far out, where erf rounds to ±1 (at ±5.4 for `float32`, ±8.3 for `float64`), all of the interval is drawn as its end.
 *
 * @param lower - a number, or a float tensor; it may be −Infinity
 * @param upper - likewise, up to Infinity
 * @param shape - of the result; by default that in which the bounds meet
 * @throws DTypeError for bounds that are not floats; ShapeError if they do not broadcast to the shape
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.truncatedNormal(random.key(0), -2, 2, [3]).toArray()); // => [ 1.45595…, 1.71474…, -0.41267… ]
 * ```
 */
export function truncatedNormal<D extends FloatDType = 'float32'>(
  key: Key,
  lower: number | Value,
  upper: number | Value,
  shape?: ShapeLike,
  options: TruncatedNormalOptions<D> = {},
): Value<NoInfer<D>> {
  const op = 'random.truncatedNormal';
  const float = floatIn(op, options);
  return located(() => {
    const bounds = [lower, upper].map((x) => parameter(op, 'the bounds', x, float));
    const lengths = drawnShape(
      op,
      shape,
      bounds.map((x) => x.aval),
    );
    const [low, high] = bounds.map((x) => stretchTo(op, x, lengths)) as [Value, Value];
    return between(op, key, low, high, float);
  }) as Value<D>;
}

function between(op: string, key: Key, low: Value, high: Value, float: FloatDType): Value {
  const root = fullLike(low, Math.SQRT2);
  const u = uniformOf(op, key, low.shape, erf(div(low, root)), erf(div(high, root)), float);
  const x = mul(root, erfInv(u));
  // Rounding may have left the open interval; what holds x inside of it has no part in the derivative.
  const least = stopGradientOf(nextafter(low, fullLike(low, Number.POSITIVE_INFINITY)));
  const greatest = stopGradientOf(nextafter(high, fullLike(high, Number.NEGATIVE_INFINITY)));
  return select(lt(low, high), min(max(x, least), greatest), fullLike(x, Number.NaN));
}
