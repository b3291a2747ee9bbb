/**
 * The part of `lax` that moves windows to and from places that are data. As everywhere in `lax` nothing is
 * normalized: an index of −1 is outside, not the last.
 */

import { showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { Value } from '../core/value.ts';
import { defaultFill, fillValueOf, type IndexMode } from '../prim/addressing.ts';
import { scalar } from '../prim/compose.ts';
import * as dynamic from '../prim/dynamic.ts';
import * as gathering from '../prim/gather.ts';
import * as scattering from '../prim/scatter.ts';
import { expectHolds } from './convert.ts';
import { staged } from './staged.ts';
import type { Tensor } from './types.ts';

/** Dimension numbers in which the batching dimensions may be left out. */
type WithoutBatching<T, Batching extends keyof T> = Omit<T, Batching> & Partial<Pick<T, Batching>>;

/** Which axes of operand, indices and result of a gather belong together. */
export type GatherDimensionNumbers = WithoutBatching<
  gathering.GatherDimensions,
  'operandBatchingDims' | 'startIndicesBatchingDims'
>;

/** Which axes of operand, indices and updates of a scatter belong together. */
export type ScatterDimensionNumbers = WithoutBatching<
  scattering.ScatterDimensions,
  'operandBatchingDims' | 'scatterIndicesBatchingDims'
>;

/** Options of {@link gather}. */
export interface GatherOptions {
  /** What becomes of a window that is not inside; default `fill`. */
  readonly mode?: IndexMode;
  /** What a window outside is filled with; default NaN, the least int32, the greatest uint32, true. */
  readonly fillValue?: number;
}

/** Options of {@link scatterAdd}. */
export interface ScatterOptions {
  /** What becomes of a window that is not inside; default `fill`, which drops it. */
  readonly mode?: IndexMode;
}

/** Options of {@link scatter}. */
export interface ScatterSetOptions extends ScatterOptions {
  /** The promise that no element is named twice: then, and only then, the scatter can be transposed. Default false. */
  readonly uniqueIndices?: boolean;
}

/** Integer indices. */
export type Indices = Tensor<'int32'> | Tensor<'uint32'> | Tensor<'int32' | 'uint32'>;

/**
 * Windows of `operand`, one for each index vector along the last axis of `startIndices`.
 *
 * StableHLO's gather, with the index vectors on the last axis: window p begins at `startIndices[p]` (on the axes
 * `startIndexMap`) and has the lengths `sliceSizes`; without its collapsed axes it lies at the axes `offsetDims` of the result.
 *
 * @throws ShapeError for dimension numbers that do not fit
 * @throws DTypeError for a fill value that an integer dtype cannot hold
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const rows = np.array([[1, 2], [3, 4], [5, 6]]);
 * const at = np.array([[2], [0], [7]], { dtype: 'int32' });
 * const numbers = { offsetDims: [1], collapsedSliceDims: [0], startIndexMap: [0] };
 * console.log(lax.gather(rows, at, numbers, [1, 2]).toArray()); // => [ [ 5, 6 ], [ 1, 2 ], [ NaN, NaN ] ]
 * console.log(lax.gather(rows, at, numbers, [1, 2], { mode: 'clip' }).toArray()); // => [ [ 5, 6 ], [ 1, 2 ], [ 5, 6 ] ]
 * ```
 */
export function gather<D extends DType>(
  operand: Tensor<D>,
  startIndices: Indices,
  dimensionNumbers: GatherDimensionNumbers,
  sliceSizes: readonly number[],
  { mode = 'fill', fillValue }: GatherOptions = {},
): Tensor<D> {
  return staged('lax.gather', [operand, startIndices], (x, indices) => {
    if (fillValue !== undefined) expectHolds('lax.gather', fillValue, x!.dtype, showAval(x!.aval));
    return gathering.gather(x!, indices!, {
      offsetDims: dimensionNumbers.offsetDims,
      collapsedSliceDims: dimensionNumbers.collapsedSliceDims,
      startIndexMap: dimensionNumbers.startIndexMap,
      operandBatchingDims: dimensionNumbers.operandBatchingDims ?? [],
      startIndicesBatchingDims: dimensionNumbers.startIndicesBatchingDims ?? [],
      sliceSizes,
      mode,
      fillValue: mode !== 'fill' ? 0 : fillValue === undefined ? defaultFill(x!.dtype) : fillValueOf(fillValue),
    });
  }) as Tensor<D>;
}

/** Dimension numbers as parameters. */
export const scatterParams = (d: ScatterDimensionNumbers, mode: IndexMode): scattering.ScatterAddParams => ({
  updateWindowDims: d.updateWindowDims,
  insertedWindowDims: d.insertedWindowDims,
  scatterDimsToOperandDims: d.scatterDimsToOperandDims,
  operandBatchingDims: d.operandBatchingDims ?? [],
  scatterIndicesBatchingDims: d.scatterIndicesBatchingDims ?? [],
  mode,
});

/**
 * `operand` with a window of `updates` in place of its own, for each index vector along the last axis of `scatterIndices`.
 *
 * Where vectors name an element more than once one update stays: the last in row-major order of the vectors on the reference
 * device, an unspecified one elsewhere. Derivatives follow the update that stays.
 *
 * @throws ShapeError for dimension numbers that do not fit
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const at = np.array([[3], [1], [9]], { dtype: 'int32' });
 * const numbers = { updateWindowDims: [], insertedWindowDims: [0], scatterDimsToOperandDims: [0] };
 * console.log(lax.scatter(np.zeros([4]), at, np.array([1, 2, 3]), numbers).toArray()); // => [ 0, 2, 0, 1 ]
 * ```
 */
export function scatter<D extends DType>(
  operand: Tensor<D>,
  scatterIndices: Indices,
  updates: Tensor<D>,
  dimensionNumbers: ScatterDimensionNumbers,
  { mode = 'fill', uniqueIndices = false }: ScatterSetOptions = {},
): Tensor<D> {
  const params = { ...scatterParams(dimensionNumbers, mode), uniqueIndices };
  return staged('lax.scatter', [operand, scatterIndices, updates], (x, indices, values) =>
    scattering.scatter(x!, indices!, values!, params),
  ) as Tensor<D>;
}

/**
 * `operand` with a window of `updates` added to its own, for each index vector along the last axis of `scatterIndices`; all
 * are added where vectors name an element more than once. The adjoint of {@link gather}.
 *
 * @throws ShapeError for dimension numbers that do not fit
 * @throws DTypeError for `bool`
 */
export function scatterAdd<D extends DType>(
  operand: Tensor<D>,
  scatterIndices: Indices,
  updates: Tensor<D>,
  dimensionNumbers: ScatterDimensionNumbers,
  { mode = 'fill' }: ScatterOptions = {},
): Tensor<D> {
  const params = scatterParams(dimensionNumbers, mode);
  return staged('lax.scatterAdd', [operand, scatterIndices, updates], (x, indices, values) =>
    scattering.scatterAdd(x!, indices!, values!, params),
  ) as Tensor<D>;
}

/** Where a window begins on one axis: an integer, or an integer scalar. */
export type Start = number | Indices;

function startsOf(op: string, starts: readonly Start[]): readonly Value[] {
  return starts.map((start) => {
    if (start instanceof Value) return start;
    expectHolds(op, start, 'int32');
    return scalar(start, 'int32');
  });
}

/**
 * The window of `operand` with the lengths `sliceSizes` that begins at `startIndices`, which are clamped so that it lies
 * inside.
 *
 * Unlike in JAX, a negative start is not counted from the end: it is clamped to 0, as any start before the operand. Add the length
 * of the axis to count from the end.
 *
 * @throws ShapeError if the window does not fit, or there is not one start for each axis
 *
 * @example
 * ```ts
 * import { jit, lax, np, type Tensor } from 'pullback';
 * const pair = jit((x: Tensor, i: Tensor<'int32'>) => lax.dynamicSlice(x, [i], [2]));
 * const [two, nine] = [2, 9].map((i) => np.array(i, { dtype: 'int32' }));
 * const x = np.array([1, 2, 3, 4, 5]);
 * console.log(pair(x, two!).toArray(), pair(x, nine!).toArray()); // => [ 3, 4 ] [ 4, 5 ]
 * ```
 */
export const dynamicSlice = <D extends DType>(
  operand: Tensor<D>,
  startIndices: readonly Start[],
  sliceSizes: readonly number[],
): Tensor<D> =>
  staged('lax.dynamicSlice', [operand, ...startsOf('lax.dynamicSlice', startIndices)], (x, ...starts) =>
    dynamic.dynamicSlice(x!, starts, sliceSizes),
  ) as Tensor<D>;

/**
 * `operand` with `update` in place of the window that begins at `startIndices`, which are clamped so that it lies inside.
 *
 * Unlike in JAX, a negative start is not counted from the end: it is clamped to 0, as in {@link dynamicSlice}.
 *
 * @throws ShapeError if the update does not fit, or there is not one start for each axis
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.dynamicUpdateSlice(np.zeros([4]), np.array([1, 2]), [3]).toArray()); // => [ 0, 0, 1, 2 ]
 * ```
 */
export const dynamicUpdateSlice = <D extends DType>(
  operand: Tensor<D>,
  update: Tensor<D>,
  startIndices: readonly Start[],
): Tensor<D> =>
  staged(
    'lax.dynamicUpdateSlice',
    [operand, update, ...startsOf('lax.dynamicUpdateSlice', startIndices)],
    (x, window, ...starts) => dynamic.dynamicUpdateSlice(x!, window!, starts),
  ) as Tensor<D>;
