/** Normalization within one example: over groups of channels, over each channel, by the root mean square. */

import { showAval } from '../../core/aval.ts';
import type { DType } from '../../core/dtype.ts';
import { ShapeError } from '../../core/errors.ts';
import { range } from '../../core/shape.ts';
import { axesOf } from '../../ops/axes.ts';
import { toFloat } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { DTypeOf, Floated, Tensor } from '../../ops/types.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { rsqrt } from '../../prim/math.ts';
import { expectEpsilon } from '../params.ts';
import { standardize } from '../softmax.ts';
import { type AffineOptions, affine } from './norm.ts';

/**
 * (x − mean)/√(variance + epsilon) over all spatial axes and the channels of a group: float[batch, ...spatial, channels] → the same;
 * then scale and bias, each [channels].
 *
 * Y. Wu, K. He, "Group normalization" (2018).
 *
 * @throws ShapeError unless the groups divide the channels, and for a scale or bias of another shape
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const x = np.array([[1, 3, 10, 30]]);
 * console.log(nn.functional.groupNorm(x, 2).toArray()); // => [ [ -0.99999…, 0.99999…, -1, 1 ] ]
 * ```
 */
export function groupNorm<A extends Tensor<DType>>(
  x: A,
  groups: number,
  options: AffineOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  return grouped('nn.functional.groupNorm', x, groups, options);
}

function grouped<A extends Tensor<DType>>(
  op: string,
  x: A,
  groups: number,
  options: AffineOptions,
): Tensor<Floated<DTypeOf<A>>> {
  expectOptions(op, options, 'scale', 'bias', 'epsilon');
  const value = toFloat(op, x);
  const channels = value.shape.at(-1) ?? 0;
  const divides = Number.isSafeInteger(groups) && groups > 0 && channels % groups === 0;
  if (value.ndim < 2 || !divides) {
    throw new ShapeError({
      op,
      problem: `${showAval(value.aval)} does not divide into ${describe(groups)} groups`,
      remedy: 'give [batch, ..., channels] and a number of groups that divides the channels',
    });
  }
  const apart = np.reshape(value, [...value.shape.slice(0, -1), groups, channels / groups]);
  const axes = range(apart.ndim).filter((axis) => axis !== 0 && axis !== apart.ndim - 2);
  const { epsilon = 1e-5 } = options;
  expectEpsilon(op, epsilon);
  const y = np.reshape(standardize(apart, axes, { epsilon }), value.shape);
  return affine(op, y, [value.ndim - 1], options) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * (x − mean)/√(variance + epsilon) over the spatial axes, each channel of each example by itself: float[batch, ...spatial, channels]
 * → the same; then scale and bias, each [channels]. It is {@link groupNorm} with as many groups as channels.
 *
 * D. Ulyanov, A. Vedaldi, V. Lempitsky, "Instance normalization" (2016).
 *
 * @throws ShapeError for fewer than three axes, and for a scale or bias of another shape
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const x = np.array([[[1, 10], [3, 30]]]);
 * console.log(nn.functional.instanceNorm(x).toArray()); // => [ [ [ -0.99999…, -1 ], [ 0.99999…, 1 ] ] ]
 * ```
 */
export function instanceNorm<A extends Tensor<DType>>(x: A, options: AffineOptions = {}): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.functional.instanceNorm';
  if (x.ndim < 3) {
    throw new ShapeError({
      op,
      problem: `${showAval(x.aval)} has no spatial axes`,
      remedy: 'give [batch, ...spatial, channels]',
    });
  }
  return grouped(op, x, Math.max(x.shape.at(-1)!, 1), options);
}

/** Options of {@link rmsNorm}. */
export interface RmsNormOptions extends AffineOptions {
  /** The axes of the features; the last by default. */
  readonly axis?: number | readonly number[];
}

/**
 * x/√(mean of x² + epsilon) over the axes of the features, then scale and bias, which have the shape of those axes. Epsilon is 1e-6 by
 * default.
 *
 * B. Zhang, R. Sennrich, "Root mean square layer normalization" (2019).
 *
 * @throws ShapeError for an axis out of range, and for a scale or bias of another shape
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.functional.rmsNorm(np.array([3, 4])).toArray()); // => [ 0.84852…, 1.13137… ]
 * ```
 */
export function rmsNorm<A extends Tensor<DType>>(x: A, options: RmsNormOptions = {}): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.functional.rmsNorm';
  expectOptions(op, options, 'scale', 'bias', 'epsilon', 'axis');
  const value = toFloat(op, x);
  const { axis = -1, epsilon = 1e-6 } = options;
  expectEpsilon(op, epsilon);
  const axes = [...axesOf(op, axis, value.aval)].sort((a, b) => a - b);
  const square = np.mean(np.mul(value, value), axes, { keepdims: true });
  return affine(op, np.mul(value, rsqrt(np.add(square, epsilon))), axes, options) as Tensor<Floated<DTypeOf<A>>>;
}
