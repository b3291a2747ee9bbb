/** The part of `lax` that orders. */

import type { DType } from '../core/dtype.ts';
import { Value } from '../core/value.ts';
import { sort as sortOf, topK as topKOf } from '../prim/sort.ts';
import { staged } from './staged.ts';
import type { Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

/** Options of {@link sort}. */
export interface SortOptions {
  /** The axis along which rows lie; default the last. */
  readonly dimension?: number;
  /** How many of the operands are keys, in the order of their weight; default 1. */
  readonly numKeys?: number;
}

/**
 * Tensors of one shape, all in the order of the first along an axis; with `numKeys`, where that is equal, in the order of the
 * second, and so on. Stable; −0 equals 0, and NaN comes last.
 *
 * @throws ShapeError if shapes differ, the axis is out of range, or there are fewer operands than keys
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const [keys, values] = lax.sort([np.array([3, 1, 2]), np.array([true, false, false])]);
 * console.log(keys.toArray(), values.toArray()); // => [ 1, 2, 3 ] [ false, false, true ]
 * const [, second] = lax.sort([np.array([1, 1, 0]), np.array([6, 5, 9])], { numKeys: 2 });
 * console.log(second.toArray()); // => [ 9, 5, 6 ]
 * console.log(lax.sort(np.array([3, NaN, 1])).toArray()); // => [ 1, 3, NaN ]
 * ```
 */
export function sort<D extends DType>(operand: Tensor<D>, options?: SortOptions): Tensor<D>;
export function sort<const T extends readonly Value[]>(
  operands: T,
  options?: SortOptions,
): { -readonly [I in keyof T]: T[I] };
export function sort(operand: Value | readonly Value[], options: SortOptions = {}): Value | readonly Value[] {
  expectOptions('lax.sort', options, 'dimension', 'numKeys');
  const { dimension, numKeys = 1 } = options;
  const operands = operand instanceof Value ? [operand] : operand;
  const sorted = staged('lax.sort', operands, (...xs) => sortOf(xs, dimension ?? (xs[0]?.ndim ?? 0) - 1, numKeys));
  return operand instanceof Value ? sorted[0]! : sorted;
}

/**
 * The `k` largest elements along the last axis, in decreasing order, and their indices. Of equal elements those in front come
 * first; NaN is larger than everything. The derivative goes with the elements.
 *
 * @throws ShapeError if there are fewer than `k` elements
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const [values, indices] = lax.topK(np.array([[1, 5, 3], [2, 2, 0]]), 2);
 * console.log(values.toArray(), indices.toArray()); // => [ [ 5, 3 ], [ 2, 2 ] ] [ [ 1, 2 ], [ 0, 1 ] ]
 * ```
 */
export const topK = <D extends DType>(operand: Tensor<D>, k: number): [Tensor<D>, Tensor<'int32'>] =>
  staged('lax.topK', [operand], (x) => topKOf(x!, k)) as unknown as [Tensor<D>, Tensor<'int32'>];
