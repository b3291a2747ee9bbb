/**
 * Functions along an axis: softmax, its logarithm and its normalizer, and standardization. Integers and `bool` become `float32`
 * first.
 */

import type { Value } from '../core/value.ts';
import { axisOf } from '../ops/axes.ts';
import { toFloat } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import type { ArrayLike, Axis, DTypeOf, Floated, ReduceOptions, Tensor } from '../ops/types.ts';
import { expectOptions } from '../ops/untyped.ts';
import { stopGradientOf } from '../prim/identity.ts';
import * as math from '../prim/math.ts';

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
 * eˣ / Σ eˣ along `axis`: positive numbers that sum to 1. Large x do not overflow. −Infinity is a probability of 0; of a row of
 * nothing else there is no distribution, and it gives NaN, as in JAX, though its {@link logsumexp} is −Infinity.
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
 * log(softmax(x)) along `axis`, without taking the logarithm of what has underflowed. NaN in a row of nothing but −Infinity.
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

/**
 * log Σ eˣ over `axis`: a smooth maximum. Large x do not overflow. Where it is infinite it is the maximum, and so is its
 * derivative; elsewhere that is the softmax.
 *
 * @param axis - one axis, several, or all if left out
 * @throws ShapeError for an axis that is out of range, named twice or empty
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.logsumexp(np.array([1000, 1000])).item()); // => 1000.693…
 * ```
 */
export function logsumexp<A extends ArrayLike>(
  x: A,
  axis?: Axis,
  options?: ReduceOptions,
): Tensor<Floated<DTypeOf<A>>> {
  const value = toFloat('nn.logsumexp', x);
  const top = np.max(value, axis, { keepdims: true });
  const ordinary = np.isfinite(top);
  // Differences of infinities would be NaN, and so would be the derivatives of what is not chosen.
  const shift = stopGradientOf(np.where(ordinary, top, 0));
  const powers = np.exp(np.sub(np.where(ordinary, value, 0), shift));
  const total = np.log(np.sum(powers, axis, options));
  const like = (x: Value): Value => np.reshape(x, total.shape);
  return np.where(like(ordinary), np.add(total, like(shift)), like(top)) as Tensor<Floated<DTypeOf<A>>>;
}

/** Options of {@link standardize}. */
export interface StandardizeOptions {
  /** Added to the variance, which keeps constant rows finite; default 1e-5. */
  readonly epsilon?: number;
}

/**
 * (x − mean)/√(variance + epsilon) along `axis`: mean 0, variance 1.
 *
 * @param axis - one axis or several; the last by default
 * @throws ShapeError for an axis that is out of range or named twice
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.standardize(np.array([1, 3])).toArray()); // => [ -0.99999…, 0.99999… ]
 * ```
 */
export function standardize<A extends ArrayLike>(
  x: A,
  axis: number | readonly number[] = -1,
  options: StandardizeOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const value = toFloat('nn.standardize', x);
  expectOptions('nn.standardize', options, 'epsilon');
  const { epsilon = 1e-5 } = options;
  const centered = np.sub(value, np.mean(value, axis, { keepdims: true }));
  const variance = np.mean(np.mul(centered, centered), axis, { keepdims: true });
  return np.mul(centered, math.rsqrt(np.add(variance, epsilon))) as Tensor<Floated<DTypeOf<A>>>;
}
