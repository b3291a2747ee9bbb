/** Pooling to a given number of windows, or to one: adaptive and global. Channels are last, axes of batches before. */

import { showAval } from '../../core/aval.ts';
import type { DType } from '../../core/dtype.ts';
import { ShapeError } from '../../core/errors.ts';
import { range } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { toFloat } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { DTypeOf, Floated, Tensor } from '../../ops/types.ts';
import { expectList } from '../params.ts';
import { avgPool, maxPool } from './pool.ts';

type Pool = (x: Value, window: readonly number[]) => Value;

/** Windows ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉ on each of the axes before the last; they are boxes, so one axis after the other. */
function adaptive(op: string, x: Value, lengths: readonly number[], pool: Pool): Value {
  expectList(op, 'lengths', lengths, '[7, 7]');
  const spatial = lengths.length;
  const first = x.ndim - 1 - spatial;
  const fit = lengths.every((m, i) => Number.isSafeInteger(m) && m > 0 && x.shape[first + i]! > 0);
  if (spatial === 0 || first < 0 || !fit) {
    throw new ShapeError({
      op,
      problem: `${showAval(x.aval)} is not pooled to [${lengths.join(',')}]`,
      remedy: 'give a positive length for each spatial axis of [..., height, width, channels]',
    });
  }
  const before = range(spatial).map((i) => x.shape[first + i]!);
  if (before.every((n, i) => n % lengths[i]! === 0))
    return pool(
      x,
      before.map((n, i) => n / lengths[i]!),
    );
  return lengths.reduce((y, m, i) => {
    const [axis, n] = [first + i, before[i]!];
    const pieces = range(m).map((k) => {
      const [from, to] = [Math.floor((k * n) / m), Math.ceil(((k + 1) * n) / m)];
      const ranges = range(axis + 1).map((a) => (a === axis ? [from, to] : [])) as readonly (readonly number[])[];
      const piece = np.index(y, ...(ranges as readonly [number, number][])) as Value;
      return pool(
        piece,
        range(spatial).map((a) => (a === i ? to - from : 1)),
      );
    });
    return np.concatenate(pieces, axis) as Value;
  }, x);
}

/**
 * The largest element of each of `lengths` windows, which cover the spatial axes: [..., height, width, channels] → [..., ...lengths,
 * channels]. Window i of m goes from ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉, as in PyTorch.
 *
 * @throws ShapeError for lengths that do not fit
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const x = np.reshape(np.array([1, 2, 3, 4, 5]), [5, 1]);
 * console.log(np.ravel(nn.functional.adaptiveMaxPool(x, [2])).toArray()); // => [ 3, 5 ]
 * ```
 */
export const adaptiveMaxPool = <D extends DType>(x: Tensor<D>, lengths: readonly number[]): Tensor<D> =>
  adaptive('nn.functional.adaptiveMaxPool', x, lengths, (v, window) => maxPool(v, window)) as Tensor<D>;

/**
 * The mean of each of `lengths` windows, as {@link adaptiveMaxPool} has the largest element. Integers and `bool` become `float32`.
 *
 * @throws as {@link adaptiveMaxPool}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const x = np.reshape(np.array([1, 2, 3, 4, 5]), [5, 1]);
 * console.log(np.ravel(nn.functional.adaptiveAvgPool(x, [2])).toArray()); // => [ 2, 4 ]
 * ```
 */
export function adaptiveAvgPool<A extends Tensor<DType>>(
  x: A,
  lengths: readonly number[],
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.functional.adaptiveAvgPool';
  const pool: Pool = (v, window) => avgPool(v as Tensor, window) as Value;
  return adaptive(op, toFloat(op, x), lengths, pool) as Tensor<Floated<DTypeOf<A>>>;
}

/** The spatial axes of [batch, ...spatial, channels]. */
function between(op: string, x: Value): number[] {
  if (x.ndim >= 3) return range(x.ndim - 2).map((axis) => axis + 1);
  throw new ShapeError({
    op,
    problem: `${showAval(x.aval)} has no spatial axes`,
    remedy: 'give [batch, ...spatial, channels]',
  });
}

/**
 * The mean of each channel: [batch, ...spatial, channels] → [batch, channels].
 *
 * @throws ShapeError without spatial axes
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.functional.globalAvgPool(np.ones([2, 7, 7, 16])).shape); // => [ 2, 16 ]
 * ```
 */
export const globalAvgPool = <A extends Tensor<DType>>(x: A): Tensor<Floated<DTypeOf<A>>> => {
  const value = toFloat('nn.functional.globalAvgPool', x);
  return np.mean(value, between('nn.functional.globalAvgPool', value)) as Tensor<Floated<DTypeOf<A>>>;
};

/** The largest element of each channel, as {@link globalAvgPool} has the mean. @throws ShapeError without spatial axes */
export const globalMaxPool = <D extends DType>(x: Tensor<D>): Tensor<D> =>
  np.max(x, between('nn.functional.globalMaxPool', x)) as Tensor<D>;

/**
 * The axes from `axis` on as one, in row-major order: [batch, ...] → [batch, size].
 *
 * @throws ShapeError unless there is such an axis
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.functional.flatten(np.ones([8, 5, 5, 16])).shape); // => [ 8, 400 ]
 * ```
 */
export function flatten<D extends DType>(x: Tensor<D>, axis = 1): Tensor<D> {
  if (!Number.isSafeInteger(axis) || axis < 0 || axis > x.ndim) {
    throw new ShapeError({
      op: 'nn.functional.flatten',
      problem: `${showAval(x.aval)} has no axis ${axis}`,
      remedy: 'give the first axis of those that become one',
    });
  }
  const size = x.shape.slice(axis).reduce((n, m) => n * m, 1);
  return np.reshape(x, [...x.shape.slice(0, axis), size]) as Tensor<D>;
}
