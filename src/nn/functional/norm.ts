/** Normalization over batches and over features. Integers and `bool` become `float32` first. */

import { showAval } from '../../core/aval.ts';
import type { DType } from '../../core/dtype.ts';
import { DTypeError, ShapeError, TreeError } from '../../core/errors.ts';
import { range } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { axesOf, axisOf } from '../../ops/axes.ts';
import { toFloat } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { DTypeOf, Floated, Tensor } from '../../ops/types.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { stopGradientOf } from '../../prim/identity.ts';
import { rsqrt } from '../../prim/math.ts';
import { expectEpsilon, expectFlag } from '../params.ts';
import { standardize } from '../softmax.ts';

/** Scale and bias after a normalization, and what keeps it finite. */
export interface AffineOptions {
  /** Multiplies the normalized values; default 1. */
  readonly scale?: Tensor<DType>;
  /** Added after that; default 0. */
  readonly bias?: Tensor<DType>;
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
}

/** Options of {@link layerNorm}. */
export interface LayerNormOptions extends AffineOptions {
  /** The axes of the features; the last by default. */
  readonly axis?: number | readonly number[];
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions extends AffineOptions {
  /** The axis of the channels; the last by default, −3 for images with channels first. */
  readonly axis?: number;
  /** Normalize by the batch itself, and let the statistics follow it; default false: normalize by the statistics. */
  readonly training?: boolean;
  /** How much of the statistics comes from this batch; default 0.1. */
  readonly momentum?: number;
}

/** Means and variances of channels over the batches that were seen: each [channels]. */
export interface RunningStatistics {
  readonly mean: Value;
  readonly variance: Value;
}

/** `part`, a tensor over `axes` of `x`, broadcast against `x`. @throws ShapeError unless its shape is that of the axes */
function along(op: string, what: string, part: Value, x: Value, axes: readonly number[]): Value {
  const wanted = axes.map((axis) => x.shape[axis]!);
  const value = toFloat(op, part);
  if (value.ndim !== wanted.length || value.shape.some((n, i) => n !== wanted[i])) {
    throw new ShapeError({
      op,
      problem: `the ${what} ${showAval(value.aval)} does not fit ${showAval(x.aval)} normalized over or by axes (${axes.join()})`,
      remedy: `it must have the shape [${wanted.join(',')}]`,
    });
  }
  return np.reshape(
    value,
    x.shape.map((n, axis) => (axes.includes(axis) ? n : 1)),
  );
}

/** `y` with scale and bias, whose shape is that of `axes`. */
export function affine(op: string, y: Value, axes: readonly number[], { scale, bias }: AffineOptions): Value {
  const scaled = scale === undefined ? y : np.mul(y, along(op, 'scale', scale, y, axes));
  return bias === undefined ? scaled : np.add(scaled, along(op, 'bias', bias, y, axes));
}

/**
 * (x − mean)/√(variance + epsilon) over the axes of the features, each member of a batch by itself, then scale and bias, which
 * have the shape of those axes.
 *
 * J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization" (2016).
 *
 * @throws ShapeError for an axis out of range, and for a scale or bias of another shape
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const y = nn.functional.layerNorm(np.array([[1, 3], [2, 4]]), { bias: np.array([0, 1]) });
 * console.log(np.index(y, 1).toArray()); // => [ -0.99999…, 1.99999… ]
 * ```
 */
export function layerNorm<A extends Tensor<DType>>(x: A, options: LayerNormOptions = {}): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.functional.layerNorm';
  expectOptions(op, options, 'scale', 'bias', 'epsilon', 'axis');
  const value = toFloat(op, x);
  const { axis = -1, epsilon = 1e-5 } = options;
  expectEpsilon(op, epsilon);
  const axes = [...axesOf(op, axis, value.aval)].sort((a, b) => a - b);
  return affine(op, standardize(value, axes, { epsilon }), axes, options) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * (x − mean)/√(variance + epsilon) for each channel, then scale and bias, and the statistics for the next batch: nothing is
 * changed in place.
 *
 * In training mean and variance are those of the batch, over all axes but that of the channels, and take part in
 * derivatives; the statistics returned are (1 − momentum)·old + momentum·(those of this batch, the variance unbiased), as in
 * PyTorch, and no derivative passes through them. Otherwise `running` is used, and returned.
 *
 * S. Ioffe, C. Szegedy, "Batch normalization" (2015).
 *
 * @param running - `{ mean: zeros([channels]), variance: ones([channels]) }` at the beginning
 * @throws ShapeError for statistics, scale or bias that are not [channels], and in training for a batch of one value a channel
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const x = np.array([[1], [3]]);
 * const start = { mean: np.zeros([1]), variance: np.ones([1]) };
 * const [y, next] = nn.functional.batchNorm(x, start, { training: true });
 * console.log(y.toArray(), next.mean.toArray(), next.variance.toArray());
 * // => [ [ -0.99999… ], [ 0.99999… ] ] [ 0.20000… ] [ 1.10000… ]
 * ```
 */
export function batchNorm<A extends Tensor<DType>, S extends RunningStatistics>(
  x: A,
  running: S,
  options: BatchNormOptions = {},
): readonly [Tensor<Floated<DTypeOf<A>>>, Pick<S, 'mean' | 'variance'>] {
  const op = 'nn.functional.batchNorm';
  expectOptions(op, options, 'scale', 'bias', 'epsilon', 'axis', 'training', 'momentum');
  const given: unknown = running;
  if (typeof given !== 'object' || given === null || !('mean' in given) || !('variance' in given)) {
    throw new TreeError({
      op,
      problem: `the running statistics must be { mean, variance }, got ${describe(given)}`,
      remedy: 'start from { mean: np.zeros([channels]), variance: np.ones([channels]) }',
    });
  }
  const value = toFloat(op, x);
  const { axis = -1, epsilon = 1e-5, training = false, momentum = 0.1 } = options;
  expectEpsilon(op, epsilon);
  expectFlag(op, 'training', training);
  if (!(typeof momentum === 'number' && momentum >= 0 && momentum <= 1)) {
    throw new DTypeError({ op, problem: `momentum is ${describe(momentum)}`, remedy: 'give a share in [0, 1]' });
  }
  const channel = axisOf(op, axis, value.aval);
  const others = range(value.ndim).filter((a) => a !== channel);
  const old = {
    mean: along(op, 'mean', running.mean, value, [channel]),
    variance: along(op, 'variance', running.variance, value, [channel]),
  };
  const normalized = (mean: Value, variance: Value): Tensor<Floated<DTypeOf<A>>> => {
    const y = np.mul(np.sub(value, mean), rsqrt(np.add(variance, epsilon)));
    return affine(op, y, [channel], options) as Tensor<Floated<DTypeOf<A>>>;
  };
  if (!training) return [normalized(old.mean, old.variance), running];
  const count = others.reduce((product, a) => product * value.shape[a]!, 1);
  if (count < 2) {
    throw new ShapeError({
      op,
      problem: `${showAval(value.aval)} has ${count} values a channel, of which there is no variance`,
      remedy: 'train on batches of at least two values a channel, or use the statistics: { training: false }',
    });
  }
  const mean = np.mean(value, others, { keepdims: true });
  const centered = np.sub(value, mean);
  const variance = np.mean(np.mul(centered, centered), others, { keepdims: true });
  const follow = (before: Value, now: Value, like: Value): Value =>
    np.reshape(np.add(np.mul(before, 1 - momentum), np.mul(stopGradientOf(now), momentum)), like.shape);
  const next = {
    mean: follow(old.mean, mean, running.mean),
    variance: follow(old.variance, np.mul(variance, count / (count - 1)), running.variance),
  };
  return [normalized(mean, variance), next as Pick<S, 'mean' | 'variance'>];
}
