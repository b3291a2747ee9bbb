/** Activations: functions of a tensor, elementwise or along an axis. Integers and `bool` become `float32` first. */

import type { Value } from '../core/value.ts';
import { axisOf } from '../ops/axes.ts';
import { toFloat } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import type { ArrayLike, DTypeOf, Floated, Tensor } from '../ops/types.ts';
import { le, select } from '../prim/compare.ts';
import { zeros } from '../prim/compose.ts';
import { stopGradientOf } from '../prim/identity.ts';
import * as math from '../prim/math.ts';

const activation =
  (op: string, apply: (x: Value) => Value) =>
  <A extends ArrayLike>(x: A): Tensor<Floated<DTypeOf<A>>> =>
    apply(toFloat(op, x)) as Tensor<Floated<DTypeOf<A>>>;

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
export const relu = activation('nn.relu', (x) => {
  const zero = zeros(x.aval);
  return select(le(x, zero), zero, x);
});

/** The logistic function 1/(1 + e⁻ˣ), elementwise, in (0, 1). */
export const sigmoid = activation('nn.sigmoid', math.logistic);

/** The hyperbolic tangent, elementwise, in (−1, 1). */
export const tanh = activation('nn.tanh', math.tanh);

/**
 * The Gaussian error linear unit in its tanh form, ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))), elementwise.
 *
 * JAX's default. It differs from x·Φ(x) by at most 5·10⁻⁴. D. Hendrycks, K. Gimpel, "Gaussian error linear units" (2016).
 */
export const gelu = activation('nn.gelu', (x) => {
  const cubic = np.add(x, np.mul(np.mul(x, np.mul(x, x)), 0.044715));
  return np.mul(np.mul(x, 0.5), np.add(math.tanh(np.mul(cubic, Math.sqrt(2 / Math.PI))), 1));
});

/**
 * x minus its maximum along `axis`, which cancels in every softmax and keeps exp in range; no derivative passes through it.
 * An empty axis has no maximum and needs none.
 *
 * @throws ShapeError for an axis out of range
 */
function shifted(op: string, operand: ArrayLike, axis: number): Value {
  const x = toFloat(op, operand);
  if (x.shape[axisOf(op, axis, x.aval)] === 0) return x;
  return np.sub(x, stopGradientOf(np.max(x, axis, { keepdims: true })));
}

/**
 * eˣ / Σ eˣ along `axis`: positive numbers that sum to 1. Large x do not overflow.
 *
 * @param axis - the axis of the classes; the last by default
 * @throws ShapeError for an axis out of range
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.softmax(np.array([1000, 1000])).toArray()); // => [ 0.5, 0.5 ]
 * ```
 */
export function softmax<A extends ArrayLike>(x: A, axis = -1): Tensor<Floated<DTypeOf<A>>> {
  const powers = np.exp(shifted('nn.softmax', x, axis));
  return np.div(powers, np.sum(powers, axis, { keepdims: true })) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * log(softmax(x)) along `axis`, without taking the logarithm of what has underflowed.
 *
 * @param axis - the axis of the classes; the last by default
 * @throws ShapeError for an axis out of range
 */
export function logSoftmax<A extends ArrayLike>(x: A, axis = -1): Tensor<Floated<DTypeOf<A>>> {
  return logSoftmaxOf('nn.logSoftmax', x, axis) as Tensor<Floated<DTypeOf<A>>>;
}

/** {@link logSoftmax}, for the errors of another. */
export function logSoftmaxOf(op: string, x: ArrayLike, axis: number): Value {
  const y = shifted(op, x, axis);
  return np.sub(y, np.log(np.sum(np.exp(y), axis, { keepdims: true })));
}
