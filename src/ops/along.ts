/** Reading and writing along one axis, at an index for each place: what `argsort` and `argmax` return is used so. */

import { makeAval, showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { isInteger } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { inserted, range, type Shape, sizeOf, without } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { defaultFill, fillValueOf, type IndexMode } from '../prim/addressing.ts';
import { zeros } from '../prim/compose.ts';
import { gather } from '../prim/gather.ts';
import { scatter } from '../prim/scatter.ts';
import { reshape } from '../prim/structural.ts';
import type { SetOptions } from './at.ts';
import { axisOf } from './axes.ts';
import { broadcastShapes, expectHolds, expectTensor, promoted } from './convert.ts';
import { expectMode, type ReadOptions } from './indexing.ts';
import type { Indices } from './lax-indexing.ts';
import { located } from './located.ts';
import { stretchTo } from './shape.ts';
import { normalized } from './subscripts.ts';
import type { ArrayLike, Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

/** An operand and indices that agree in all axes but one. */
interface Aligned {
  readonly x: Value;
  readonly indices: Value;
  readonly axis: number;
  /** The lengths of all axes but `axis`. */
  readonly others: Shape;
}

/** @throws DTypeError or ShapeError unless operand and indices broadcast in all axes but one */
function aligned(op: string, x: Value, indices: Value, axis: number | null | undefined): Aligned {
  const value = expectTensor(op, x);
  const at = expectTensor(op, indices);
  if (!isInteger(at.dtype)) {
    throw new DTypeError({
      op,
      problem: `indices are integers, not ${showAval(at.aval)}`,
      remedy: "cast them: np.astype(indices, 'int32')",
    });
  }
  const operand = axis === null ? reshape(value, [value.size]) : value;
  if (operand.ndim !== at.ndim) {
    throw new ShapeError({
      op,
      problem: `${showAval(operand.aval)} and indices ${showAval(at.aval)} have different numbers of axes`,
      remedy: 'give indices with the axes of the operand; np.take reads with one index for all places',
    });
  }
  const along = axis === null ? 0 : axisOf(op, axis ?? -1, operand.aval);
  const [short, found] = [operand, at].map((v) => makeAval(without(v.shape, [along]), v.dtype));
  return { x: operand, indices: at, axis: along, others: broadcastShapes(op, [short!, found!]) };
}

/** Index vectors for `indices` of this shape, and dimension numbers: all axes but `axis` are paired. */
function addressing(indices: Value, shape: Shape, axis: number, length: number, wrap: boolean) {
  const whole = stretchTo('indices', normalized(indices, length, wrap), shape);
  const others = without(range(shape.length), [axis]);
  return { vectors: reshape(whole, [...shape, 1]), others };
}

/**
 * The elements of `x` that `indices` names along `axis` (default the last; `null`: among all elements in row-major order), an index
 * for each place: `indices` and `x` have equally many axes, and broadcast in those besides `axis`.
 *
 * Negative indices count from the end, except in mode `clip`; one outside reads NaN (or what `np.take` would), unless `mode` says
 * otherwise.
 *
 * @throws ShapeError for axes that do not broadcast, an axis out of range, or indices into an empty axis
 * @throws DTypeError unless the indices are integers
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([[30, 10, 20], [1, 3, 2]]);
 * console.log(np.takeAlongAxis(x, np.argsort(x, 1), 1).toArray()); // => [ [ 10, 20, 30 ], [ 1, 2, 3 ] ]
 * console.log(np.takeAlongAxis(x, np.argmax(x, 1, { keepdims: true }), 1).toArray()); // => [ [ 30 ], [ 3 ] ]
 * ```
 */
export function takeAlongAxis<D extends DType>(
  x: Tensor<D>,
  indices: Indices,
  axis?: number | null,
  options: ReadOptions = {},
): Tensor<D> {
  const op = 'np.takeAlongAxis';
  expectOptions(op, options, 'mode', 'fillValue');
  const { mode = 'fill', fillValue } = options;
  expectMode(op, mode);
  return located(() => {
    const { x: operand, indices: at, axis: along, others } = aligned(op, x, indices, axis);
    if (fillValue !== undefined) expectHolds(op, fillValue, operand.dtype, showAval(operand.aval));
    const length = operand.shape[along]!;
    const shape = inserted(others, along, at.shape[along]!);
    if (sizeOf(shape) === 0) return zeros(makeAval(shape, operand.dtype, operand.aval.weak));
    expectElements(op, operand, along);
    const { vectors, others: paired } = addressing(at, shape, along, length, mode !== 'clip');
    return gather(stretchTo(op, operand, inserted(others, along, length)), vectors, {
      offsetDims: [],
      collapsedSliceDims: [along],
      startIndexMap: [along],
      operandBatchingDims: paired,
      startIndicesBatchingDims: paired,
      sliceSizes: shape.map(() => 1),
      mode,
      fillValue: mode !== 'fill' ? 0 : fillValue === undefined ? defaultFill(operand.dtype) : fillValueOf(fillValue),
    });
  }) as Tensor<D>;
}

function expectElements(op: string, x: Value, axis: number): void {
  if (x.shape[axis]! > 0) return;
  throw new ShapeError({
    op,
    problem: `axis ${axis} of ${showAval(x.aval)} is empty: indices cannot name elements of it`,
    remedy: 'index an axis with elements, or use no indices',
  });
}

/**
 * `x` with `values` at the places that `indices` names along `axis` (default the last; `null`: among all elements in row-major
 * order), an index for each place. NumPy's `put_along_axis` as a function: `x` stays as it is.
 *
 * Indices broadcast to the axes of `x`, values to the indices. Where an element is named more than once, one of its values stays,
 * as for `np.at(x, …).set`; negative indices count from the end, and what is outside is dropped.
 *
 * @throws ShapeError for axes that do not broadcast, or an axis out of range
 * @throws DTypeError unless the indices are integers and the dtype of `x` holds the values
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([[30, 10, 20], [1, 3, 2]]);
 * const best = np.argmax(x, 1, { keepdims: true });
 * console.log(np.putAlongAxis(x, best, 0, 1).toArray()); // => [ [ 0, 10, 20 ], [ 1, 0, 2 ] ]
 * ```
 */
export function putAlongAxis<D extends DType>(
  x: Tensor<D>,
  indices: Indices,
  values: ArrayLike,
  axis?: number | null,
  options: SetOptions = {},
): Tensor<D> {
  const op = 'np.putAlongAxis';
  expectOptions(op, options, 'mode', 'uniqueIndices');
  const { mode = 'fill', uniqueIndices = false }: { readonly mode?: IndexMode; readonly uniqueIndices?: boolean } =
    options;
  expectMode(op, mode);
  return located(() => {
    const { x: operand, indices: at, axis: along, others } = aligned(op, x, indices, axis);
    const [, cast] = promoted(op, [operand, values]);
    if (cast!.dtype !== operand.dtype) {
      throw new DTypeError({
        op,
        problem: `${showAval(operand.aval)} does not hold ${cast!.dtype}`,
        remedy: `cast first: np.astype(values, '${operand.dtype}')`,
      });
    }
    const length = operand.shape[along]!;
    const shape = inserted(others, along, at.shape[along]!);
    const whole = stretchTo(op, operand, inserted(others, along, length));
    const updates = stretchTo(op, cast!, shape);
    if (updates.size === 0) return reshape(whole, x.shape);
    expectElements(op, operand, along);
    const { vectors, others: paired } = addressing(at, shape, along, length, true);
    const written = scatter(whole, vectors, updates, {
      updateWindowDims: [],
      insertedWindowDims: [along],
      scatterDimsToOperandDims: [along],
      operandBatchingDims: paired,
      scatterIndicesBatchingDims: paired,
      mode,
      uniqueIndices,
    });
    return reshape(written, x.shape);
  }) as Tensor<D>;
}
