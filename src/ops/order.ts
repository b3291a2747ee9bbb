/** Order along an axis: sorting, and the permutation that sorts. */

import type { DType } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { sort as sortOf } from '../prim/sort.ts';
import { iota, reshape, rev } from '../prim/structural.ts';
import { axisOf } from './axes.ts';
import { broadcast, expectTensor } from './convert.ts';
import type { Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

/** `x` and the axis to sort, which is the last if it is not named, and the only one of all elements if it is `null`. */
function rows(op: string, x: Value, axis: number | null | undefined): readonly [Value, number] {
  const value = expectTensor(op, x);
  return axis === null ? [reshape(value, [value.size]), 0] : [value, axisOf(op, axis ?? -1, value.aval)];
}

/** Options of {@link sort} and {@link argsort}. */
export interface SortOptions {
  /** From the largest element to the smallest, NaN first. Default false. */
  readonly descending?: boolean;
}

/**
 * The elements along `axis` (default the last; `null`: all elements, in one row) in increasing order, NaN last.
 *
 * The derivative is that of the permutation: it goes with the elements.
 *
 * @throws ShapeError for an axis out of range, DTypeError for an option that there is not
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.sort(np.array([[3, NaN, 1], [2, 0, 1]])).toArray()); // => [ [ 1, 3, NaN ], [ 0, 1, 2 ] ]
 * console.log(np.sort(np.array([1, 3, 2]), -1, { descending: true }).toArray()); // => [ 3, 2, 1 ]
 * ```
 */
export function sort<D extends DType>(x: Tensor<D>, axis?: number | null, options: SortOptions = {}): Tensor<D> {
  expectOptions('np.sort', options, 'descending');
  const [value, at] = rows('np.sort', x, axis);
  const sorted = sortOf([value], at)[0]!;
  return (options.descending ? rev(sorted, [at]) : sorted) as Tensor<D>;
}

/**
 * The indices (`int32`) that put the elements along `axis` (default the last; `null`: all elements, in one row) in increasing
 * order, NaN last. Stable, also from the largest on: equal elements keep their order, −0 and 0 among them.
 *
 * @throws ShapeError for an axis out of range, DTypeError for an option that there is not
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([30, 10, 20, 10]);
 * const order = np.argsort(x);
 * console.log(order.toArray(), np.take(x, order).toArray()); // => [ 1, 3, 2, 0 ] [ 10, 10, 20, 30 ]
 * ```
 */
export function argsort(x: Value, axis?: number | null, options: SortOptions = {}): Tensor<'int32'> {
  expectOptions('np.argsort', options, 'descending');
  const [value, at] = rows('np.argsort', x, axis);
  const places = iota(value.shape, at, 'int32');
  if (!options.descending) return sortOf([value, places], at)[1] as Tensor<'int32'>;
  // Equal elements stand in their order again when what was sorted backwards is turned round.
  const [, order] = sortOf([rev(value, [at]), rev(places, [at])], at);
  return rev(order!, [at]) as Tensor<'int32'>;
}

/**
 * The indices (`int32`) that put rows in the order of several keys: of the last one, where it is equal of the one before, and so
 * on. The keys, of any dtypes, broadcast with each other; the order is along `axis`, by default the last. Stable, NaN last.
 *
 * @throws ShapeError for no keys, keys that do not broadcast, or an axis out of range
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const given = np.array([2, 1, 1]);
 * const family = np.array([0, 7, 0]);
 * console.log(np.lexsort([given, family]).toArray()); // => [ 2, 0, 1 ]
 * ```
 */
export function lexsort(keys: readonly Value[], axis = -1): Tensor<'int32'> {
  for (const key of keys) expectTensor('np.lexsort', key);
  if (keys.length === 0) {
    throw new ShapeError({ op: 'np.lexsort', problem: 'there are no keys', remedy: 'pass at least one' });
  }
  const rows = [...broadcast('np.lexsort', keys)].reverse();
  const first = rows[0]!;
  const at = axisOf('np.lexsort', axis, first.aval);
  return sortOf([...rows, iota(first.shape, at, 'int32')], at, rows.length).at(-1) as Tensor<'int32'>;
}
