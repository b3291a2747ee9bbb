/** Places among sorted values, and counts of values: binary search, bins, distinct elements. */

import { showAval } from '../core/aval.ts';
import { type DType, isFloat, isInteger } from '../core/dtype.ts';
import { ConcretizationError, DTypeError, ShapeError } from '../core/errors.ts';
import { Tensor as Concrete, type Value } from '../core/value.ts';
import { add, convertElementType, sub } from '../prim/arithmetic.ts';
import { and, not, or } from '../prim/bits.ts';
import { eq, le, lt, ne, select } from '../prim/compare.ts';
import { filled, fullLike } from '../prim/compose.ts';
import { gatherAlong } from '../prim/gather.ts';
import { reduceMax } from '../prim/reduce.ts';
import { scatterAdd } from '../prim/scatter.ts';
import { sort } from '../prim/sort.ts';
import { broadcastInDim, concatenate, iota, reshape, rev, sliceAxis } from '../prim/structural.ts';
import { expectHolds, expectTensor, promoted, toValue } from './convert.ts';
import type { Indices } from './lax-indexing.ts';
import { located } from './located.ts';
import { chosen, expectSize, filledWhere, sizeFor } from './nonzero.ts';
import type { ArrayLike, DTypeOf, Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

/** Options of {@link searchsorted}. */
export interface SearchOptions {
  /** Before (`left`, default) or behind (`right`) what is equal. */
  readonly side?: 'left' | 'right';
}

/** @throws ShapeError unless `x` is a row */
function expectRow(op: string, x: Value): Value {
  if (expectTensor(op, x).ndim === 1) return x;
  throw new ShapeError({ op, problem: `${showAval(x.aval)} is not a row`, remedy: 'pass a tensor with one axis' });
}

/** `a < b` in the order of sorting: NaN behind everything. */
const precedes = (a: Value, b: Value): Value => (isFloat(a.dtype) ? or(lt(a, b), and(eq(a, a), ne(b, b))) : lt(a, b));

/** How many elements of a sorted row come before each of `values`: binary search, from the highest bit of the answer. */
function search(row: Value, values: Value, side: 'left' | 'right'): Value {
  const n = row.shape[0]!;
  const flat = reshape(values, [values.size]);
  let found = filled([flat.size], 0, 'int32');
  for (let bit = 2 ** Math.floor(Math.log2(Math.max(1, n))); n > 0 && bit >= 1; bit /= 2) {
    const next = add(found, fullLike(found, bit));
    const inside = le(next, fullLike(next, n));
    const at = select(inside, sub(next, fullLike(next, 1)), fullLike(next, 0));
    const element = gatherAlong(row, at, 0);
    const before = side === 'left' ? precedes(element, flat) : not(precedes(flat, element));
    found = select(and(inside, before), next, found);
  }
  return reshape(found, values.shape);
}

/**
 * Where each of `values` belongs into the sorted row `a` so that it stays sorted (`int32`): NaN is sorted behind everything.
 *
 * It is a binary search, log₂ n steps. What it returns for a row that is not sorted is not specified.
 *
 * @throws ShapeError unless `a` is a row
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const a = np.array([10, 20, 20, 30]);
 * console.log(np.searchsorted(a, np.array([5, 20, 99])).toArray()); // => [ 0, 1, 4 ]
 * console.log(np.searchsorted(a, 20, { side: 'right' }).item()); // => 3
 * ```
 */
export function searchsorted(a: Value, values: ArrayLike, options: SearchOptions = {}): Tensor<'int32'> {
  const op = 'np.searchsorted';
  expectOptions(op, options, 'side');
  const { side = 'left' } = options;
  if (side !== 'left' && side !== 'right') {
    throw new DTypeError({ op, problem: `there is no side '${String(side)}'`, remedy: "use 'left' or 'right'" });
  }
  return located(() => {
    const [row, wanted] = promoted(op, [expectRow(op, a), values]) as readonly [Value, Value];
    return search(row, wanted, side);
  }) as Tensor<'int32'>;
}

/**
 * The number of the bin that each element of `x` lies in (`int32`): bin i lies between `bins[i − 1]` and `bins[i]`, which increase or
 * decrease. The smaller of the two belongs to it, the other does not; with `right` it is the other way round.
 *
 * @throws ShapeError unless `bins` is a row
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.digitize(np.array([0.2, 6.4, 3, 1]), np.array([0, 1, 2.5, 4])).toArray()); // => [ 1, 4, 3, 2 ]
 * ```
 */
export function digitize(x: ArrayLike, bins: Value, options: { readonly right?: boolean } = {}): Tensor<'int32'> {
  const op = 'np.digitize';
  expectOptions(op, options, 'right');
  const { right = false } = options;
  return located(() => {
    const [row, values] = promoted(op, [expectRow(op, bins), x]) as readonly [Value, Value];
    const n = row.shape[0]!;
    const side = right ? 'left' : 'right';
    const up = search(row, values, side);
    if (n < 2) return up;
    const behind = search(rev(row, [0]), values, side);
    const down = sub(fullLike(behind, n), behind);
    const increases = le(reshape(sliceAxis(row, 0, 0, 1), []), reshape(sliceAxis(row, 0, n - 1, n), []));
    return select(broadcastInDim(increases, up.shape, []), up, down);
  }) as Tensor<'int32'>;
}

/** Options of {@link bincount}. */
export interface BincountOptions {
  /** What each element counts; default 1. */
  readonly weights?: Value;
  /** The number of counts; needed while staging. Default: one more than the largest element. */
  readonly length?: number;
  /** The least number of counts, where `length` is not given. */
  readonly minlength?: number;
}

/**
 * How often each of 0, 1, 2, … occurs in a row of integers (`int32`), or the sum of the weights of where it does. Elements below 0
 * or from `length` on are not counted.
 *
 * @throws ShapeError for weights of another shape
 * @throws DTypeError unless the elements are integers
 * @throws ConcretizationError while staging, without a length
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([1, 3, 1, 0], { dtype: 'int32' });
 * console.log(np.bincount(x).toArray()); // => [ 1, 2, 0, 1 ]
 * console.log(np.bincount(x, { weights: np.array([1, 2, 3, 4]), length: 3 }).toArray()); // => [ 4, 4, 0 ]
 * ```
 */
export function bincount(x: Indices, options: BincountOptions = {}): Tensor<DType> {
  const op = 'np.bincount';
  expectOptions(op, options, 'weights', 'length', 'minlength');
  const row = expectRow(op, x);
  if (!isInteger(row.dtype)) {
    throw new DTypeError({ op, problem: `counts integers, not ${showAval(row.aval)}`, remedy: 'cast with np.astype' });
  }
  const weights = options.weights && expectTensor(op, options.weights);
  if (weights && weights.shape.join() !== row.shape.join()) {
    throw new ShapeError({
      op,
      problem: `weights ${showAval(weights.aval)} are not those of ${showAval(row.aval)}`,
      remedy: 'give one weight for each element',
    });
  }
  return located(() => {
    const length = countsFor(op, row, options);
    const counted = weights ?? filled(row.shape, 1, 'int32');
    const values = counted.dtype === 'bool' ? convertElementType(counted, 'int32') : counted;
    if (length === 0) return filled([0], 0, values.dtype);
    return scatterAdd(filled([length], 0, values.dtype), reshape(row, [row.size, 1]), values, {
      updateWindowDims: [],
      insertedWindowDims: [0],
      scatterDimsToOperandDims: [0],
      operandBatchingDims: [],
      scatterIndicesBatchingDims: [],
      mode: 'fill',
    });
  }) as Tensor<DType>;
}

function countsFor(op: string, row: Value, { length, minlength = 0 }: BincountOptions): number {
  if (length !== undefined) return expectSize(op, length);
  const least = expectSize(op, minlength);
  if (row.size === 0) return least;
  if (!(row instanceof Concrete)) {
    throw new ConcretizationError({
      op,
      problem: `${showAval(row.aval)} is traced: the largest element is not known yet`,
      remedy: 'say how many are counted: np.bincount(x, { length })',
    });
  }
  return Math.max(least, 1 + Math.max(-1, reduceMax(row, [0]).item() as number));
}

/** Options of {@link unique} and {@link uniqueAll}. */
export interface UniqueOptions {
  /** The number of results; needed while staging. Default: as many as there are distinct elements. */
  readonly size?: number;
  /** What stands where there are fewer. Default: the least element. */
  readonly fillValue?: number;
}

/** The distinct elements of a tensor, and where they are. */
export interface Unique<D extends DType> {
  /** In increasing order; −0 equals 0, and all NaN are one, the last. */
  readonly values: Tensor<D>;
  /** Where each first occurs, among all elements in row-major order. */
  readonly indices: Tensor<'int32'>;
  /** For each element, in the shape of the operand, the number of its value. */
  readonly inverseIndices: Tensor<'int32'>;
  /** How often each occurs. */
  readonly counts: Tensor<'int32'>;
}

/**
 * The distinct elements, in increasing order.
 *
 * @throws ConcretizationError while staging, without a size
 *
 * @example
 * ```ts
 * import { jit, np, type Tensor } from 'pullback';
 * const x = np.array([[3, 1], [1, 2]]);
 * console.log(np.unique(x).toArray()); // => [ 1, 2, 3 ]
 * console.log(jit((y: Tensor) => np.unique(y, { size: 4, fillValue: -1 }))(x).toArray()); // => [ 1, 2, 3, -1 ]
 * ```
 */
export const unique = <A extends ArrayLike>(x: A, options: UniqueOptions = {}): Tensor<DTypeOf<A>> =>
  located(() => distinct('np.unique', x, options).values) as Tensor<DTypeOf<A>>;

/**
 * The distinct elements with their first places, the number of each element's value, and counts: NumPy's `unique_all`.
 *
 * @throws ConcretizationError while staging, without a size
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const { values, indices, inverseIndices, counts } = np.uniqueAll(np.array([5, 1, 5, 5]));
 * console.log(values.toArray(), indices.toArray()); // => [ 1, 5 ] [ 1, 0 ]
 * console.log(inverseIndices.toArray(), counts.toArray()); // => [ 1, 0, 1, 1 ] [ 1, 3 ]
 * ```
 */
export const uniqueAll = <A extends ArrayLike>(x: A, options: UniqueOptions = {}): Unique<DTypeOf<A>> =>
  located(() => distinct('np.uniqueAll', x, options)) as unknown as Unique<DTypeOf<A>>;

function distinct(op: string, x: ArrayLike, options: UniqueOptions): Unique<DType> {
  expectOptions(op, options, 'size', 'fillValue');
  const value = toValue(op, x);
  const { fillValue } = options;
  if (fillValue !== undefined) expectHolds(op, fillValue, value.dtype, showAval(value.aval));
  const n = value.size;
  const numbers = iota([n], 0, 'int32');
  const [sorted, order] = sort([reshape(value, [n]), numbers], 0) as readonly [Value, Value];
  const starts = concatenate([filled([Math.min(1, n)], 1, 'bool'), changes(sorted)], 0);
  const size = sizeFor(op, starts, options.size);
  // One more than is asked for, because a run ends where the next begins.
  const { at, valid } = chosen(starts, size + 1);
  const begins = filledWhere(valid, at, n);
  const cut = (v: Value): Value => sliceAxis(v, 0, 0, size);
  const read = (v: Value): Value => (n === 0 ? filled([size], 0, v.dtype) : gatherAlong(v, cut(at), 0));
  const found = read(sorted);
  const run = sub(search(begins, numbers, 'right'), fullLike(numbers, 1));
  const places = sort([order, numbers], 0)[1]!;
  const results = {
    values: fillValue === undefined ? found : filledWhere(cut(valid), found, fillValue),
    indices: read(order),
    inverseIndices: reshape(n === 0 ? run : gatherAlong(run, places, 0), value.shape),
    counts: sub(sliceAxis(begins, 0, 1, size + 1), cut(begins)),
  };
  return results as unknown as Unique<DType>;
}

/** For each element of a sorted row but the first: is it another than the one before? */
function changes(sorted: Value): Value {
  const n = sorted.shape[0]!;
  const [before, after] = [sliceAxis(sorted, 0, 0, Math.max(0, n - 1)), sliceAxis(sorted, 0, Math.min(1, n), n)];
  return precedes(before, after);
}
