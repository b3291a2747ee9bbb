/** The part of `lax` that combines: scatters in which updates meet what is there, and each other, by a product or an extremum. */

import type { DType } from '../core/dtype.ts';
import type { ScatterAddParams } from '../prim/scatter.ts';
import * as combining from '../prim/scatter-combine.ts';
import {
  type Indices,
  type ScatterDimensionNumbers,
  type ScatterOptions,
  type ScatterSetOptions,
  scatterParams,
} from './lax-indexing.ts';
import { staged } from './staged.ts';
import type { Tensor } from './types.ts';

/**
 * `operand` with a window of `updates` multiplied onto its own, for each index vector along the last axis of `scatterIndices`; all
 * are multiplied where vectors name an element more than once.
 *
 * The derivatives, of every order, are right there too, and at zeros; with `uniqueIndices` they are cheaper.
 *
 * @throws ShapeError for dimension numbers that do not fit
 * @throws DTypeError for `bool`
 *
 * @example
 * ```ts
 * import { grad, lax, np, type Tensor } from 'pullback';
 * const at = np.array([[1], [1], [0]], { dtype: 'int32' });
 * const numbers = { updateWindowDims: [], insertedWindowDims: [0], scatterDimsToOperandDims: [0] };
 * const f = (u: Tensor) => lax.scatterMul(np.array([2, 3, 4]), at, u, numbers);
 * console.log(f(np.array([0, 5, 7])).toArray()); // => [ 14, 0, 4 ]
 * console.log(grad((u: Tensor) => np.sum(f(u)))(np.array([0, 5, 7])).toArray()); // => [ 15, 0, 2 ]
 * ```
 */
export function scatterMul<D extends DType>(
  operand: Tensor<D>,
  scatterIndices: Indices,
  updates: Tensor<D>,
  dimensionNumbers: ScatterDimensionNumbers,
  { mode = 'fill', uniqueIndices = false }: ScatterSetOptions = {},
): Tensor<D> {
  const params = { ...scatterParams(dimensionNumbers, mode), uniqueIndices };
  return staged('lax.scatterMul', [operand, scatterIndices, updates], (x, indices, values) =>
    combining.scatterMul(x!, indices!, values!, params),
  ) as Tensor<D>;
}

const extremum =
  (name: string, apply: (x: Tensor<DType>, i: Tensor<DType>, u: Tensor<DType>, p: ScatterAddParams) => Tensor<DType>) =>
  <D extends DType>(
    operand: Tensor<D>,
    scatterIndices: Indices,
    updates: Tensor<D>,
    dimensionNumbers: ScatterDimensionNumbers,
    { mode = 'fill' }: ScatterOptions = {},
  ): Tensor<D> =>
    staged(name, [operand, scatterIndices, updates], (x, indices, values) =>
      apply(x!, indices!, values!, scatterParams(dimensionNumbers, mode)),
    ) as Tensor<D>;

/**
 * `operand`, and the smaller of it and every window of `updates` at the index vectors of `scatterIndices`; NaN if any is. All that
 * attain the minimum of an element share its derivative equally.
 */
export const scatterMin = extremum('lax.scatterMin', combining.scatterMin);

/**
 * `operand`, and the larger of it and every window of `updates` at the index vectors of `scatterIndices`; NaN if any is. All that
 * attain the maximum of an element share its derivative equally.
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const at = np.array([[1], [1], [0]], { dtype: 'int32' });
 * const numbers = { updateWindowDims: [], insertedWindowDims: [0], scatterDimsToOperandDims: [0] };
 * console.log(lax.scatterMax(np.array([2, 3, 4]), at, np.array([9, 5, 1]), numbers).toArray()); // => [ 2, 9, 4 ]
 * ```
 */
export const scatterMax = extremum('lax.scatterMax', combining.scatterMax);
