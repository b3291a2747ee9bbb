/** Activations: functions of a tensor, elementwise or along an axis. */

import type { FloatDType } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { le, select } from '../prim/compare.ts';
import { zeros } from '../prim/compose.ts';
import { stopGradientOf } from '../prim/identity.ts';
import * as math from '../prim/math.ts';

/**
 * max(x, 0), elementwise. Its derivative at 0 is 0; NaN stays NaN.
 *
 * @example
 * ```ts
 * import { grad, nn, np, type Tensor } from 'pullback';
 * console.log(nn.relu(np.array([-2, 0, 3])).toArray()); // => [ 0, 0, 3 ]
 * console.log(grad((x: Tensor) => np.sum(nn.relu(x)))(np.array([-2, 0, 3])).toArray()); // => [ 0, 0, 1 ]
 * ```
 */
export function relu<D extends FloatDType>(x: Value<D>): Value<D> {
  const zero = zeros(x.aval);
  return select(le(x, zero), zero, x) as Value<D>;
}

/** The logistic function 1/(1 + e⁻ˣ), elementwise, in (0, 1). */
export const sigmoid = <D extends FloatDType>(x: Value<D>): Value<D> => math.logistic(x) as Value<D>;

/** The hyperbolic tangent, elementwise, in (−1, 1). */
export const tanh = <D extends FloatDType>(x: Value<D>): Value<D> => math.tanh(x) as Value<D>;

/**
 * The Gaussian error linear unit in its tanh form, ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))), elementwise.
 *
 * JAX's default. It differs from x·Φ(x) by at most 5·10⁻⁴. D. Hendrycks, K. Gimpel, "Gaussian error linear units" (2016).
 */
export function gelu<D extends FloatDType>(x: Value<D>): Value<D> {
  const cubic = np.add(x, np.mul(np.mul(x, np.mul(x, x)), 0.044715));
  return np.mul(np.mul(x, 0.5), np.add(math.tanh(np.mul(cubic, Math.sqrt(2 / Math.PI))), 1)) as Value<D>;
}

/** x minus its maximum along `axis`, which cancels in every softmax and keeps exp in range; no derivative passes through it. */
const shifted = (x: Value, axis: number): Value => np.sub(x, stopGradientOf(np.max(x, axis, { keepdims: true })));

/**
 * eˣ / Σ eˣ along `axis`: positive numbers that sum to 1. Large x do not overflow.
 *
 * @param axis - the axis of the classes; the last by default
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.softmax(np.array([1000, 1000])).toArray()); // => [ 0.5, 0.5 ]
 * ```
 */
export function softmax<D extends FloatDType>(x: Value<D>, axis = -1): Value<D> {
  const powers = np.exp(shifted(x, axis));
  return np.div(powers, np.sum(powers, axis, { keepdims: true })) as Value<D>;
}

/**
 * log(softmax(x)) along `axis`, without taking the logarithm of what has underflowed.
 *
 * @param axis - the axis of the classes; the last by default
 */
export function logSoftmax<D extends FloatDType>(x: Value<D>, axis = -1): Value<D> {
  const y = shifted(x, axis);
  return np.sub(y, np.log(np.sum(np.exp(y), axis, { keepdims: true }))) as Value<D>;
}
