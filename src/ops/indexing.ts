/**
 * Reading by subscripts: `np.index(x, …)` is NumPy's `x[…]`. What is static becomes slices and reversals, tensors of indices
 * become a gather. Writing is in `at.ts`.
 */

import { showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import { range, sizeOf } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { defaultFill, fillValueOf, type IndexMode, modeCodec } from '../prim/addressing.ts';
import { zeros } from '../prim/compose.ts';
import { gather } from '../prim/gather.ts';
import { reshape, rev, slice } from '../prim/structural.ts';
import { axisOf } from './axes.ts';
import { expectHolds, expectTensor } from './convert.ts';
import type { Indices } from './lax-indexing.ts';
import { located } from './located.ts';
import {
  address,
  type Index,
  type Part,
  parse,
  type Subscripts,
  selectedAval,
  selectedShape,
  selectsNothing,
} from './subscripts.ts';
import type { Tensor } from './types.ts';
import { describe, expectOptions } from './untyped.ts';

export type { Index, Slice } from './subscripts.ts';

/** Options of reading at indices that are data. */
export interface ReadOptions {
  /**
   * What is read where an index is outside: `clip` (the nearest element; default of `np.index` and `get`), `fill` (default of
   * `np.take`). `promise_in_bounds` says that none is.
   */
  readonly mode?: IndexMode;
  /** What `fill` reads; default NaN, the least int32, the greatest uint32, true. */
  readonly fillValue?: number;
}

/** @throws DTypeError unless `mode`, which may come from untyped code, is one */
export function expectMode(op: string, mode: IndexMode): void {
  if (modeCodec.is(mode)) return;
  throw new DTypeError({
    op,
    problem: `there is no mode ${describe(mode)}`,
    remedy: `the modes are ${Object.keys(modeCodec.keys).join(', ')}`,
  });
}

/** The part of `x` that slices and elements name, with axes of length 1 for elements and those of tensors as they are. */
function sliced(x: Value, parts: readonly Part[]): Value {
  const ends = parts.map((part): readonly [number, number, number] => {
    if (part.kind === 'tensor') return [0, x.shape[part.axis]!, 1];
    if (part.kind === 'element') return [part.at, part.at + 1, 1];
    const { start, step, length } = part;
    const last = start + (length - 1) * step;
    return length === 0 ? [0, 0, 1] : step > 0 ? [start, last + 1, step] : [last, start + 1, -step];
  });
  const taken = slice(
    x,
    ends.map(([first]) => first),
    ends.map(([, limit]) => limit),
    ends.map(([, , step]) => step),
  );
  const backwards = parts.filter((part) => part.kind === 'slice' && part.step < 0).map((part) => part.axis);
  return rev(taken, backwards);
}

/** What subscripts select of `x`. */
export function selected(op: string, x: Value, subscripts: Subscripts, options: ReadOptions, wrap = true): Value {
  const { parts, places } = subscripts;
  expectOptions(op, options, 'mode', 'fillValue');
  const { mode = 'clip', fillValue } = options;
  expectMode(op, mode);
  if (fillValue !== undefined) expectHolds(op, fillValue, x.dtype, showAval(x.aval));
  if (selectsNothing(subscripts)) return zeros(selectedAval(x.aval, subscripts));
  const part = sliced(x, parts);
  const kept = parts.filter(({ kind }) => kind !== 'element');
  const result = selectedShape(subscripts, true);
  if (kept.every(({ kind }) => kind === 'slice')) return reshape(part, result);
  // What is left are whole axes and tensors: the axes of elements go, the others are numbered anew.
  const axes = kept.map(({ axis }) => axis);
  const source = reshape(
    part,
    axes.map((axis) => part.shape[axis]!),
  );
  const whole = new Map(
    kept.map((p, axis): readonly [Part, Part] => [
      p,
      p.kind === 'slice' ? { ...p, axis, start: 0, step: 1 } : { ...p, axis },
    ]),
  );
  const places1 = places.map((place) => (place.kind === 'slice' ? (whole.get(place) as typeof place) : place));
  const at = address(source.shape, { ...subscripts, parts: [...whole.values()], places: places1 }, wrap);
  const found = gather(source, at.indices, {
    offsetDims: at.windowDims,
    collapsedSliceDims: at.hidden,
    startIndexMap: at.indexed,
    operandBatchingDims: [],
    startIndicesBatchingDims: [],
    sliceSizes: at.sizes,
    mode,
    fillValue: mode !== 'fill' ? 0 : fillValue === undefined ? defaultFill(x.dtype) : fillValueOf(fillValue),
  });
  return reshape(found, result);
}

/**
 * What NumPy's `x[…]` selects. Each subscript is an integer, a slice `[start, stop, step]` (each may be `null` or left out,
 * `[]` is `:`), `null` for a new axis, `'...'`, a tensor of integers, or a mask (a `bool` tensor or JS booleans); negative ones
 * count from the end. Tensors of indices broadcast with each other, and their axes stand in the result where NumPy puts them.
 *
 * A mask is short for the indices of its true elements, so that these must be known: while staging, use `np.where`, or
 * `np.nonzero` with a size.
 *
 * An integer out of range is an error. An index in a tensor cannot be: it is clamped, as in JAX (`np.at(x, …).get` and
 * `np.take` have other modes).
 *
 * @throws ShapeError for too many subscripts, an integer out of range, a mask that does not fit, or tensors that do not broadcast
 * @throws DTypeError for what is not an index
 * @throws ConcretizationError for a mask that is traced
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([[1, 2, 3], [4, 5, 6]]);
 * console.log(np.index(x, 1, -1).item()); // => 6
 * console.log(np.index(x, [], [null, null, -2]).toArray()); // => [ [ 3, 1 ], [ 6, 4 ] ]
 * console.log(np.index(x, '...', null, 0).shape); // => [ 2, 1 ]
 * console.log(np.index(x, np.array([1, 0, -1], { dtype: 'int32' }), [1, 3]).toArray()); // => [ [ 5, 6 ], [ 2, 3 ], [ 5, 6 ] ]
 * console.log(np.index(x, np.greater(x, 2)).toArray(), np.index(x, [], [true, false, true]).shape); // => [ 3, 4, 5, 6 ] [ 2, 2 ]
 * np.index(x, 2); // throws ShapeError: np.index: index 2 is out of range for axis 0 of float32[2,3]…
 * ```
 */
export function index<D extends DType>(x: Tensor<D>, ...subscripts: readonly Index[]): Tensor<D> {
  const { aval } = expectTensor('np.index', x);
  return located(() => selected('np.index', x, parse('np.index', aval, subscripts), {})) as Tensor<D>;
}

/**
 * The elements of `x` along `axis` (among all of them in row-major order, if it is left out) that `indices` names: the axes of
 * `indices` stand in the result in place of that axis.
 *
 * Negative indices count from the end, except in mode `clip`, where they are 0, as in NumPy.
 *
 * @throws ShapeError for an axis out of range, or indices into an empty axis
 * @throws DTypeError unless the indices are integers
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([[1, 2], [3, 4]]);
 * const at = np.array([1, -1, 7], { dtype: 'int32' });
 * console.log(np.take(x, at, 1).toArray()); // => [ [ 2, 2, NaN ], [ 4, 4, NaN ] ]
 * console.log(np.take(x, at, 1, { mode: 'clip' }).toArray()); // => [ [ 2, 1, 2 ], [ 4, 3, 4 ] ]
 * ```
 */
export function take<D extends DType>(
  x: Tensor<D>,
  indices: Indices,
  axis?: number | null,
  options: ReadOptions = {},
): Tensor<D> {
  const value = expectTensor('np.take', x);
  expectTensor('np.take', indices);
  expectOptions('np.take', options, 'mode', 'fillValue');
  const { mode = 'fill' } = options;
  return located(() => {
    const all = axis === undefined || axis === null;
    const source = all ? reshape(value, [sizeOf(value.shape)]) : value;
    const along = all ? 0 : axisOf('np.take', axis, value.aval);
    const subscripts = parse('np.take', source.aval, [...range(along).map((): Index => []), indices]);
    return selected('np.take', source, subscripts, { ...options, mode }, mode !== 'clip');
  }) as Tensor<D>;
}
