/** Elements and tensors again and again. */

import { ShapeError } from '../core/errors.ts';
import { range } from '../core/shape.ts';
import { toValue } from './convert.ts';
import { broadcastTo, expandDims, ravel, reshape } from './shape.ts';
import type { ArrayLike, DTypeOf, Tensor } from './types.ts';
import { describe } from './untyped.ts';

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

/**
 * Each element `repeats` times, side by side along `axis`; of the flattened tensor where no axis is given.
 *
 * @throws ShapeError for a number that is no count, or an axis that there is not
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.repeat(np.array([[1, 2], [3, 4]]), 2, 1).toArray()); // => [ [ 1, 1, 2, 2 ], [ 3, 3, 4, 4 ] ]
 * console.log(np.repeat(np.array([[1, 2]]), 2).toArray()); // => [ 1, 1, 2, 2 ]
 * ```
 */
export function repeat<A extends ArrayLike>(x: A, repeats: number, axis?: number): Tensor<DTypeOf<A>> {
  const op = 'np.repeat';
  const value = axis === undefined ? ravel(x) : toValue(op, x);
  const at = axis === undefined ? 0 : axis < 0 ? axis + value.ndim : axis;
  if (!isCount(repeats) || !(at in value.shape)) {
    throw new ShapeError({
      op,
      problem: `${describe(repeats)} times along axis ${describe(axis ?? 0)} of a tensor of ${value.ndim} axes`,
      remedy: 'give a number of at least 0, and an axis of the tensor',
    });
  }
  const { shape } = value;
  const wide = broadcastTo(expandDims(value, at + 1), [...shape.slice(0, at + 1), repeats, ...shape.slice(at + 1)]);
  return reshape(
    wide,
    shape.map((n, i) => (i === at ? n * repeats : n)),
  ) as Tensor<DTypeOf<A>>;
}

/**
 * The tensor beside itself, `repeats` times on each axis, as NumPy's `tile`: what has fewer entries is taken for 1 in front.
 *
 * @throws ShapeError for numbers that are no counts
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.tile(np.array([1, 2]), [2, 2]).toArray()); // => [ [ 1, 2, 1, 2 ], [ 1, 2, 1, 2 ] ]
 * ```
 */
export function tile<A extends ArrayLike>(x: A, repeats: number | readonly number[]): Tensor<DTypeOf<A>> {
  const op = 'np.tile';
  const value = toValue(op, x);
  const given = typeof repeats === 'number' ? [repeats] : repeats;
  if (!Array.isArray(given) || !given.every(isCount)) {
    throw new ShapeError({
      op,
      problem: `the repeats are ${describe(repeats)}`,
      remedy: 'give a number of at least 0, or one for each axis',
    });
  }
  const rank = Math.max(given.length, value.ndim);
  const counts = [...range(rank - given.length).map(() => 1), ...given];
  const shape = [...range(rank - value.ndim).map(() => 1), ...value.shape];
  const apart = reshape(
    value,
    shape.flatMap((n) => [1, n]),
  );
  const wide = broadcastTo(
    apart,
    shape.flatMap((n, i) => [counts[i]!, n]),
  );
  return reshape(
    wide,
    shape.map((n, i) => n * counts[i]!),
  ) as Tensor<DTypeOf<A>>;
}
