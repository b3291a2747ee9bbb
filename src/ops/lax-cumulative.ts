/** The part of `lax` that reduces the first elements along an axis, and one more at each step. */

import type { DType, FloatDType } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import * as cumulative from '../prim/cumulative.ts';
import { staged } from './staged.ts';
import type { Tensor } from './types.ts';
import { describe, expectOptions } from './untyped.ts';

/** Options of the cumulative reductions. */
export interface CumulativeOptions {
  /** Reduce the last elements instead of the first; default false. */
  readonly reverse?: boolean;
}

const reducing =
  (name: string, apply: (x: Value, params: cumulative.CumulativeParams) => Value) =>
  <D extends DType>(x: Tensor<D>, axis = 0, options: CumulativeOptions = {}): Tensor<D> => {
    if (typeof axis !== 'number') {
      throw new DTypeError({
        op: name,
        problem: `${describe(axis)} stands where an axis is expected`,
        remedy: `options come behind the axis: ${name}(x, 0, { reverse: true })`,
      });
    }
    expectOptions(name, options, 'reverse');
    return staged(name, [x], (v) => apply(v!, { axis, reverse: options.reverse ?? false })) as Tensor<D>;
  };

/**
 * The sums of the first 1, 2, … elements along `axis`, or with `reverse` of the last ones; integers wrap.
 *
 * @throws ShapeError for an axis that is out of range
 * @throws DTypeError for `bool`
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const x = np.array([1, 2, 3, 4]);
 * console.log(lax.cumsum(x).toArray()); // => [ 1, 3, 6, 10 ]
 * console.log(lax.cumsum(x, 0, { reverse: true }).toArray()); // => [ 10, 9, 7, 4 ]
 * ```
 */
export const cumsum = reducing('lax.cumsum', cumulative.cumsum);

/**
 * The products of the first elements along `axis`, as {@link cumsum} has the sums; integers wrap. The derivative is right at
 * zeros: it does not divide.
 *
 * @throws as {@link cumsum}
 */
export const cumprod = reducing('lax.cumprod', cumulative.cumprod);

/**
 * The largest of the first elements along `axis`, or with `reverse` of the last ones; NaN from the first NaN on. Ties share the
 * derivative as in JAX: where two parts of the axis meet in a tie, each gets half.
 *
 * @throws ShapeError for an axis that is out of range
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.cummax(np.array([2, 1, 5, 3])).toArray()); // => [ 2, 2, 5, 5 ]
 * ```
 */
export const cummax = reducing('lax.cummax', cumulative.cummax);

/** The least of the first elements along `axis`, as {@link cummax} has the largest. @throws as {@link cummax} */
export const cummin = reducing('lax.cummin', cumulative.cummin);

const logSumExp = reducing('lax.cumlogsumexp', cumulative.cumlogsumexp);

/**
 * The logarithms log Σ eˣ of the sums of powers of the first elements along `axis`, or with `reverse` of the last ones: without
 * overflow, −∞ while there is nothing but −∞. Where a result is infinite its derivative is that of the maximum.
 *
 * @throws ShapeError for an axis that is out of range
 * @throws DTypeError for integers and `bool`
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.cumlogsumexp(np.array([-Infinity, 1000, 1000])).toArray()); // => [ -Infinity, 1000, 1000.693… ]
 * ```
 */
export const cumlogsumexp = <D extends FloatDType>(
  x: Tensor<D>,
  axis?: number,
  options?: CumulativeOptions,
): Tensor<D> => logSumExp(x, axis, options);
