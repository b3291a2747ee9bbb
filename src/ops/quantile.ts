/** Quantiles: what sorted elements say of a distribution. */

import { showAval } from '../core/aval.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { range, sizeOf, without } from '../core/shape.ts';
import { Value } from '../core/value.ts';
import { add, convertElementType, div, mul, sub } from '../prim/arithmetic.ts';
import { eq, lt, ne, select } from '../prim/compare.ts';
import { fullLike, scalar } from '../prim/compose.ts';
import { gatherAlong } from '../prim/gather.ts';
import { reduceSum } from '../prim/reduce.ts';
import { ceil, floor, round } from '../prim/rounding.ts';
import { sort } from '../prim/sort.ts';
import { broadcastInDim, moveAxis, reshape, sliceAxis, transpose } from '../prim/structural.ts';
import { axesOf } from './axes.ts';
import { expectTensor, toFloat } from './convert.ts';
import { take } from './indexing.ts';
import { located } from './located.ts';
import type { ArrayLike, Axis, DTypeOf, Floated, ReduceOptions, Tensor } from './types.ts';
import { describe, expectOptions } from './untyped.ts';

/** Which element, or what between two, a quantile is that lies between them. */
export type QuantileMethod = 'linear' | 'lower' | 'higher' | 'midpoint' | 'nearest';

/** Options of {@link quantile}, {@link percentile}, {@link nanquantile} and {@link nanpercentile}. */
export interface QuantileOptions extends ReduceOptions {
  /** What lies between two elements: `linear` (default) interpolates. */
  readonly method?: QuantileMethod;
}

const methods: readonly QuantileMethod[] = ['linear', 'lower', 'higher', 'midpoint', 'nearest'];

/** Rows of sorted elements, and how the result is shaped. */
interface Rows {
  /** The elements in rows along the last axis, in order. */
  readonly sorted: Value;
  /** The shape of a result. */
  readonly shape: readonly number[];
}

function rowsOf(op: string, x: ArrayLike, axis: Axis, keepdims: boolean): Rows {
  const value = toFloat(op, x);
  const axes = axesOf(op, axis, value.aval);
  const kept = without(range(value.ndim), axes);
  const lengths = kept.map((i) => value.shape[i]!);
  const length = sizeOf(axes.map((i) => value.shape[i]!));
  if (length === 0) {
    throw new ShapeError({
      op,
      problem: `there are no elements over axes (${axes.join()}) of ${showAval(value.aval)}`,
      remedy: 'use axes with elements',
    });
  }
  const rows = reshape(transpose(value, [...kept, ...axes]), [...lengths, length]);
  return {
    sorted: sort([rows], lengths.length)[0]!,
    shape: keepdims ? value.shape.map((n, i) => (axes.includes(i) ? 1 : n)) : lengths,
  };
}

/** Between `low` and `high`, at `weight` from one to the other; `low` itself where the weight is 0, be the other infinite. */
function between(low: Value, high: Value, weight: Value): Value {
  const isLow = eq(weight, fullLike(weight, 0));
  const step = sub(select(isLow, low, high), low);
  return select(isLow, low, add(low, mul(select(isLow, fullLike(step, 0), step), weight)));
}

/** The quantile at a position (counted in elements) of sorted rows, which is known: along a last axis of length 1. */
function atPosition(sorted: Value, position: number, method: QuantileMethod): Value {
  const read = (at: number): Value => sliceAxis(sorted, sorted.ndim - 1, at, at + 1);
  const [low, high] = [Math.floor(position), Math.ceil(position)];
  const fraction = position - low;
  if (method === 'lower' || fraction === 0) return read(low);
  if (method === 'higher') return read(high);
  if (method === 'nearest') return read(fraction < 0.5 || (fraction === 0.5 && low % 2 === 0) ? low : high);
  const weight = fullLike(read(low), method === 'midpoint' ? 0.5 : fraction);
  return between(read(low), read(high), weight);
}

/** The quantiles at `positions`, a row, of sorted rows: along the last axis. */
function atPositions(sorted: Value, positions: Value, method: QuantileMethod): Value {
  const last = sorted.ndim - 1;
  const read = (at: Value): Value =>
    take(sorted as Tensor, convertElementType(at, 'int32') as Tensor<'int32'>, last, { mode: 'clip' });
  if (method === 'lower') return read(floor(positions));
  if (method === 'higher') return read(ceil(positions));
  if (method === 'nearest') return read(round(positions));
  const [low, high] = [read(floor(positions)), read(ceil(positions))];
  const fraction = sub(positions, floor(positions));
  const half = select(eq(fraction, fullLike(fraction, 0)), fraction, fullLike(fraction, 0.5));
  return between(low, high, broadcastInDim(method === 'midpoint' ? half : fraction, low.shape, [last]));
}

/** The quantiles at `parts`, a row of numbers from 0 to 1, of sorted rows up to their first NaN: along the last axis. */
function ofNumbers(sorted: Value, parts: Value, method: QuantileMethod): Value {
  const last = sorted.ndim - 1;
  const isNumber = eq(sorted, sorted);
  const counts = reduceSum(convertElementType(isNumber, sorted.dtype), [last]);
  const shape = [...counts.shape, parts.size];
  const greatest = broadcastInDim(sub(counts, fullLike(counts, 1)), shape, range(last));
  const positions = mul(greatest, broadcastInDim(parts, shape, [last]));
  // Of no numbers, the first element is read: a NaN.
  const read = (at: Value): Value => {
    const place = convertElementType(at, 'int32');
    const none = fullLike(place, 0);
    return gatherAlong(sorted, select(lt(place, none), none, place), last);
  };
  if (method === 'lower') return read(floor(positions));
  if (method === 'higher') return read(ceil(positions));
  if (method === 'nearest') return read(round(positions));
  const fraction = sub(positions, floor(positions));
  const half = select(eq(fraction, fullLike(fraction, 0)), fraction, fullLike(fraction, 0.5));
  return between(read(floor(positions)), read(ceil(positions)), method === 'midpoint' ? half : fraction);
}

function quantiles(
  op: string,
  x: ArrayLike,
  q: number | Value,
  axis: Axis,
  scale: number,
  options: QuantileOptions,
  ignoresNan = false,
): Value {
  expectOptions(op, options, 'method', 'keepdims');
  const { method = 'linear', keepdims = false } = options;
  if (!methods.includes(method)) {
    throw new DTypeError({
      op,
      problem: `there is no method ${describe(method)}`,
      remedy: `the methods are ${methods.join(', ')}`,
    });
  }
  if (!(q instanceof Value) && !(q >= 0 && q <= scale)) {
    throw new ShapeError({
      op,
      problem: `${String(q)} is not between 0 and ${scale}`,
      remedy: 'ask for a part of all',
    });
  }
  if (q instanceof Value && q.ndim > 1) {
    throw new ShapeError({
      op,
      problem: `${showAval(q.aval)} has more than one axis`,
      remedy: 'ask for one quantile, or for a row of them',
    });
  }
  const { sorted, shape } = rowsOf(op, x, axis, keepdims);
  const last = sorted.ndim - 1;
  const length = sorted.shape[last]!;
  if (ignoresNan) {
    const given = q instanceof Value ? convertElementType(expectTensor(op, q), sorted.dtype) : null;
    const parts = given ? div(given, fullLike(given, scale)) : scalar((q as number) / scale, sorted.dtype);
    const found = ofNumbers(sorted, reshape(parts, [parts.size]), method);
    return reshape(moveAxis(found, last, 0), [...parts.shape, ...shape]);
  }
  // NaN is sorted to the end, and spoils a row.
  const greatest = sliceAxis(sorted, last, length - 1, length);
  const spoilt = (found: Value): Value => {
    const whole = broadcastInDim(greatest, found.shape, range(found.ndim));
    return select(ne(whole, whole), whole, found);
  };
  if (!(q instanceof Value)) {
    return reshape(spoilt(atPosition(sorted, (q / scale) * (length - 1), method)), shape);
  }
  const row = reshape(convertElementType(expectTensor(op, q), sorted.dtype), [q.size]);
  const found = spoilt(atPositions(sorted, mul(row, fullLike(row, (length - 1) / scale)), method));
  return reshape(moveAxis(found, last, 0), [...q.shape, ...shape]);
}

/**
 * The value below which the part `q` of the elements over `axis` lies, between 0 and 1: 0.5 is the median. Of a row of parts, the
 * quantiles stand along a new first axis. NaN if any element is. Integers become `float32` first.
 *
 * @throws ShapeError for axes without elements, or a number that is not between 0 and 1
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([4, 1, 3, 2]);
 * console.log(np.quantile(x, 0.25).item(), np.quantile(x, 0.25, null, { method: 'lower' }).item()); // => 1.75 1
 * console.log(np.quantile(x, np.array([0, 0.5, 1])).toArray()); // => [ 1, 2.5, 4 ]
 * ```
 */
export function quantile<A extends ArrayLike>(
  x: A,
  q: number | Value,
  axis?: Axis,
  options: QuantileOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  return located(() => quantiles('np.quantile', x, q, axis, 1, options)) as Tensor<Floated<DTypeOf<A>>>;
}

/** As {@link quantile}, with `q` between 0 and 100. */
export function percentile<A extends ArrayLike>(
  x: A,
  q: number | Value,
  axis?: Axis,
  options: QuantileOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  return located(() => quantiles('np.percentile', x, q, axis, 100, options)) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * The middle one of the elements over `axis`, or the mean of the two in the middle; NaN if any element is.
 *
 * @throws ShapeError for axes without elements
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.median(np.array([[3, 1, 2], [4, 9, 5]]), 1).toArray()); // => [ 2, 5 ]
 * ```
 */
export function median<A extends ArrayLike>(
  x: A,
  axis?: Axis,
  options: ReduceOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  expectOptions('np.median', options, 'keepdims');
  const middle = { ...options, method: 'midpoint' } as const;
  return located(() => quantiles('np.median', x, 0.5, axis, 1, middle)) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * As {@link quantile}, of the elements that are not NaN; NaN where there are none.
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([[3, NaN, 1], [NaN, NaN, NaN]]);
 * console.log(np.nanquantile(x, 0.25, 1).toArray(), np.nanmedian(x, 1).toArray()); // => [ 1.5, NaN ] [ 2, NaN ]
 * ```
 */
export function nanquantile<A extends ArrayLike>(
  x: A,
  q: number | Value,
  axis?: Axis,
  options: QuantileOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  return located(() => quantiles('np.nanquantile', x, q, axis, 1, options, true)) as Tensor<Floated<DTypeOf<A>>>;
}

/** As {@link nanquantile}, with `q` between 0 and 100. */
export function nanpercentile<A extends ArrayLike>(
  x: A,
  q: number | Value,
  axis?: Axis,
  options: QuantileOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  return located(() => quantiles('np.nanpercentile', x, q, axis, 100, options, true)) as Tensor<Floated<DTypeOf<A>>>;
}

/** As {@link median}, of the elements that are not NaN; NaN where there are none. */
export function nanmedian<A extends ArrayLike>(
  x: A,
  axis?: Axis,
  options: ReduceOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  expectOptions('np.nanmedian', options, 'keepdims');
  const middle = { ...options, method: 'midpoint' } as const;
  return located(() => quantiles('np.nanmedian', x, 0.5, axis, 1, middle, true)) as Tensor<Floated<DTypeOf<A>>>;
}
