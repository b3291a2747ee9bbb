/** Cumulative sums and products, along an axis or over all elements. */

import type { Value } from '../core/value.ts';
import { convertElementType } from '../prim/arithmetic.ts';
import { type CumulativeParams, cumprod as cumprodOf, cumsum as cumsumOf } from '../prim/cumulative.ts';
import { reshape } from '../prim/structural.ts';
import { axisOf } from './axes.ts';
import { toValue } from './convert.ts';
import type { ArrayLike, DTypeOf, Summed, Tensor } from './types.ts';

function cumulative<A extends ArrayLike>(
  op: string,
  x: A,
  axis: number | null | undefined,
  apply: (x: Value, params: CumulativeParams) => Value,
): Tensor<Summed<DTypeOf<A>>> {
  const value = toValue(op, x);
  const counted = value.dtype === 'bool' ? convertElementType(value, 'int32') : value;
  const all = axis === undefined || axis === null;
  const line = all ? reshape(counted, [value.size]) : counted;
  return apply(line, { axis: all ? 0 : axisOf(op, axis, value.aval), reverse: false }) as Tensor<Summed<DTypeOf<A>>>;
}

/**
 * The sums of the first 1, 2, … elements along `axis`, or if it is left out of all elements in row-major order, as one axis; of
 * `bool` the counts, in `int32`.
 *
 * @param axis - negative ones count from the end
 * @throws ShapeError for an axis that is out of range
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([[1, 2], [3, 4]]);
 * console.log([np.cumsum(x).toArray(), np.cumsum(x, 1).toArray()]); // => [ [ 1, 3, 6, 10 ], [ [ 1, 3 ], [ 3, 7 ] ] ]
 * console.log(np.cumsum(np.greater(x, 2)).toArray()); // => [ 0, 0, 1, 2 ]
 * ```
 */
export const cumsum = <A extends ArrayLike>(x: A, axis?: number | null): Tensor<Summed<DTypeOf<A>>> =>
  cumulative('np.cumsum', x, axis, cumsumOf);

/**
 * The products of the first elements, as {@link cumsum} has the sums. The derivative is right at zeros: it does not divide.
 *
 * @throws as {@link cumsum}
 *
 * @example
 * ```ts
 * import { grad, np, type Tensor } from 'pullback';
 * const x = np.array([2, 0, 3]);
 * console.log(np.cumprod(x).toArray()); // => [ 2, 0, 0 ]
 * console.log(grad((v: Tensor) => np.sum(np.cumprod(v)))(x).toArray()); // => [ 1, 8, 0 ]
 * ```
 */
export const cumprod = <A extends ArrayLike>(x: A, axis?: number | null): Tensor<Summed<DTypeOf<A>>> =>
  cumulative('np.cumprod', x, axis, cumprodOf);
