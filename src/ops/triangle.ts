/** Triangles of matrices: what lies below a diagonal, or above it. */

import { showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { add, convertElementType } from '../prim/arithmetic.ts';
import { ge, select } from '../prim/compare.ts';
import { fullLike, zeros } from '../prim/compose.ts';
import { iota } from '../prim/structural.ts';
import { shapeOf } from './axes.ts';
import { expectHolds, expectTensor } from './convert.ts';
import type { EyeOptions } from './create.ts';
import type { Tensor } from './types.ts';
import { dtypeIn } from './untyped.ts';

/** True on the `k`-th diagonal of the last two axes of `shape` and below it. */
function lower(op: string, shape: Shape, k: number): Value {
  expectHolds(op, k, 'int32', 'the indices of the rows');
  const row = iota(shape, shape.length - 2, 'int32');
  return ge(k === 0 ? row : add(row, fullLike(row, k)), iota(shape, shape.length - 1, 'int32'));
}

/**
 * Ones on the diagonal `k` of a `rows` × `columns` matrix (square if `columns` is left out) and below it, zeros above.
 *
 * @throws ShapeError unless both are non-negative integers
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.tri(2, 3).toArray()); // => [ [ 1, 0, 0 ], [ 1, 1, 0 ] ]
 * ```
 */
export function tri<D extends DType = 'float32'>(
  rows: number,
  columns: number = rows,
  options: EyeOptions<D> = {},
): Tensor<D> {
  const dtype = dtypeIn('np.tri', options, 'k') ?? 'float32';
  const { k = 0 } = options;
  return convertElementType(lower('np.tri', shapeOf('np.tri', [rows, columns]), k), dtype) as Tensor<D>;
}

function matrices(op: string, x: Value): Value {
  if (expectTensor(op, x).ndim >= 2) return x;
  throw new ShapeError({
    op,
    problem: `${showAval(x.aval)} is no matrix: it has ${x.ndim === 1 ? '1 axis' : 'no axes'}`,
    remedy: 'a triangle is that of the last two axes',
  });
}

/**
 * `x` with zeros above the diagonal `k` (0 is the main one, 1 the next one above) of its last two axes.
 *
 * @throws ShapeError for fewer than two axes
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.tril(np.array([[1, 2], [3, 4]])).toArray()); // => [ [ 1, 0 ], [ 3, 4 ] ]
 * ```
 */
export function tril<D extends DType>(x: Tensor<D>, k = 0): Tensor<D> {
  const value = matrices('np.tril', x);
  const mask = lower('np.tril', value.shape, k);
  return select(mask, value, zeros(value.aval)) as Tensor<D>;
}

/** `x` with zeros below the diagonal `k` of its last two axes. @throws as {@link tril} */
export function triu<D extends DType>(x: Tensor<D>, k = 0): Tensor<D> {
  const value = matrices('np.triu', x);
  const mask = lower('np.triu', value.shape, k - 1);
  return select(mask, zeros(value.aval), value) as Tensor<D>;
}
