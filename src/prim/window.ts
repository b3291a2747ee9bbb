/**
 * Windows that slide over a tensor: their sums and extrema, and the two maps that say which element of each window is extreme.
 *
 * The geometry is StableHLO's, on each axis alone: between elements there are `baseDilation` − 1 holes, then padding before and
 * after (negative padding cuts, holes too), and window o takes the places o·stride + k·windowDilation for k below its length.
 * Holes and padding are no elements: a window of nothing else gives the identity of its reduction.
 */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval, withShape } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { ints } from '../core/params.ts';
import type { Hole, Primitive, VmapRule } from '../core/primitive.ts';
import { inserted, type Shape, sameShape } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { zeros } from './compose.ts';
import { alignBatch, allWeak, expectCount, expectKind, expectSame, known, linearJvp } from './define.ts';

/** How windows lie over a tensor: an entry for each axis. */
export interface Windows {
  /** The lengths of a window, at least 1. */
  readonly windowDimensions: readonly number[];
  /** From one window to the next, at least 1. */
  readonly windowStrides: readonly number[];
  /** How many places there are before the first element; negative numbers cut. */
  readonly paddingLow: readonly number[];
  /** How many places there are after the last element; negative numbers cut. */
  readonly paddingHigh: readonly number[];
  /** From one element to the next, at least 1. */
  readonly baseDilation: readonly number[];
  /** From one place of a window to the next, at least 1. */
  readonly windowDilation: readonly number[];
}

const windowFields = {
  windowDimensions: ints,
  windowStrides: ints,
  paddingLow: ints,
  paddingHigh: ints,
  baseDilation: ints,
  windowDilation: ints,
};

const windowParams: t.Type<Windows, unknown> = t.readonly(t.strict(windowFields));

/** The length of `n` things that are `dilation` apart. */
export const dilated = (n: number, dilation: number): number => (n === 0 ? 0 : (n - 1) * dilation + 1);

/**
 * How many windows there are on each axis of `shape`.
 *
 * @throws ShapeError for windows that do not lie over this shape
 */
export function windowCounts(op: string, aval: Aval, windows: Windows): Shape {
  const { shape } = aval;
  const { windowDimensions, windowStrides, paddingLow, paddingHigh, baseDilation, windowDilation } = windows;
  const positive = [windowDimensions, windowStrides, baseDilation, windowDilation];
  const padded = shape.map((n, i) => dilated(n, baseDilation[i]!) + paddingLow[i]! + paddingHigh[i]!);
  const complete = [...positive, paddingLow, paddingHigh].every((entries) => entries.length === shape.length);
  if (!complete || positive.some((entries) => entries.some((n) => !(n >= 1))) || padded.some((n) => !(n >= 0))) {
    const pairs = paddingLow.map((low, i) => `[${low},${paddingHigh[i]}]`);
    throw new ShapeError({
      op,
      problem:
        `windows (${windowDimensions.join()}), strides (${windowStrides.join()}), padding (${pairs.join()}), dilations ` +
        `(${baseDilation.join()}) and (${windowDilation.join()}) do not fit ${showAval(aval)}`,
      remedy: 'give one entry for each axis, all but paddings at least 1, cutting no more than there is',
    });
  }
  return padded.map((n, i) => {
    const extent = dilated(windowDimensions[i]!, windowDilation[i]!);
    return n < extent ? 0 : Math.floor((n - extent) / windowStrides[i]!) + 1;
  });
}

/** The windows with an axis more at `dim`, on which they have length 1. */
const batched = (windows: Windows, dim: number): Windows => ({
  windowDimensions: inserted(windows.windowDimensions, dim, 1),
  windowStrides: inserted(windows.windowStrides, dim, 1),
  paddingLow: inserted(windows.paddingLow, dim, 0),
  paddingHigh: inserted(windows.paddingHigh, dim, 0),
  baseDilation: inserted(windows.baseDilation, dim, 1),
  windowDilation: inserted(windows.windowDilation, dim, 1),
});

/** The batch is one more axis, at its place. */
const vmapWindows =
  <P extends Windows>(apply: (operands: readonly Value[], params: P) => Value): VmapRule<P> =>
  (size, operands, dims, params) => {
    const [aligned, dim] = alignBatch(size, operands, dims);
    return { outs: [apply(aligned, { ...params, ...batched(params, dim) })], dims: [dim] };
  };

/**
 * The windows over the results of `windows` that lead back to the operand, of this shape.
 *
 * Element p is place k of window o where o·s + k·w − low = p·b. Read from p, the windows in question are at the places
 * p·b + low − k·w of results that are s apart: windows with stride b over a base dilated by s, k running backwards.
 */
function adjoint(windows: Windows, shape: Shape, counts: Shape): Windows {
  const { windowDimensions, windowStrides, paddingLow, baseDilation, windowDilation } = windows;
  return {
    windowDimensions,
    windowStrides: baseDilation,
    paddingLow: paddingLow.map((low, i) => (windowDimensions[i]! - 1) * windowDilation[i]! - low),
    paddingHigh: paddingLow.map(
      (low, i) => dilated(shape[i]!, baseDilation[i]!) + low - dilated(counts[i]!, windowStrides[i]!),
    ),
    baseDilation: windowStrides,
    windowDilation,
  };
}

/** The sum of each window. It is linear, and its transpose is a sum over windows again: see {@link adjoint}. */
export const reduceWindowSumP: Primitive<'reduce_window_sum', Windows> = {
  name: 'reduce_window_sum',
  params: windowParams,
  abstractEval(ins, windows) {
    expectCount('reduce_window_sum', 1, ins);
    expectKind('reduce_window_sum', 'number', ins[0]!);
    return [withShape(ins[0]!, windowCounts('reduce_window_sum', ins[0]!, windows))];
  },
  jvp: linearJvp((x, windows) => reduceWindowSum(x, windows)),
  transpose([ct], [x], windows) {
    const { aval } = x as Hole;
    if (aval.size === 0) return [zeros(aval)];
    return [reduceWindowSum(ct!, adjoint(windows, aval.shape, ct!.shape))];
  },
  vmap: vmapWindows(([x], windows) => reduceWindowSum(x!, windows)),
};

/** The derivative of an extremum is that of the first element that attains it. */
const extremum = <Name extends 'reduce_window_max' | 'reduce_window_min'>(
  name: Name,
  select: Select,
  apply: (x: Value, windows: Windows) => Value,
): Primitive<Name, Windows> => ({
  name,
  params: windowParams,
  abstractEval(ins, windows) {
    expectCount(name, 1, ins);
    return [withShape(ins[0]!, windowCounts(name, ins[0]!, windows))];
  },
  jvp: ([x], [dx], windows) => ({
    outs: [apply(x!, windows)],
    tangents: [selectAndGatherAdd(dx!, x!, { ...windows, select })],
  }),
  transpose: 'nonlinear',
  vmap: vmapWindows(([x], windows) => apply(x!, windows)),
});

/** The maximum of each window; NaN if any is; −Inf, the least integer or false where a window has no elements. */
export const reduceWindowMaxP = extremum('reduce_window_max', 'ge', (x, windows) => reduceWindowMax(x, windows));

/** The minimum of each window; NaN if any is; Inf, the greatest integer or true where a window has no elements. */
export const reduceWindowMinP = extremum('reduce_window_min', 'le', (x, windows) => reduceWindowMin(x, windows));

const selectCodec = t.keyof({ ge: null, le: null }, 'Select');

/** Which element of a window is selected: the largest (`ge`) or the least (`le`). */
export type Select = t.TypeOf<typeof selectCodec>;

/** Windows, and which element of each is selected. */
export interface SelectParams extends Windows {
  readonly select: Select;
}

const selectParams: t.Type<SelectParams, unknown> = t.readonly(t.strict({ ...windowFields, select: selectCodec }));

/**
 * Of each window over the second operand, the element of the first at the place of the extreme element: the first in row-major
 * order of those that are, NaN before all numbers. A window without elements gives 0.
 *
 * Linear in the first operand; in the second it is a step, whose derivative is zero.
 */
export const selectAndGatherAddP: Primitive<'select_and_gather_add', SelectParams> = {
  name: 'select_and_gather_add',
  params: selectParams,
  abstractEval(ins, params) {
    expectCount('select_and_gather_add', 2, ins);
    expectKind('select_and_gather_add', 'number', ins[0]!);
    expectSame('select_and_gather_add', ins);
    const counts = windowCounts('select_and_gather_add', ins[1]!, params);
    return [makeAval(counts, ins[0]!.dtype, allWeak(ins))];
  },
  jvp: ([tangents, x], [dt], params) => ({
    outs: [selectAndGatherAdd(tangents!, x!, params)],
    tangents: [dt ? selectAndGatherAdd(dt, x!, params) : null],
  }),
  transpose: ([ct], [, x], params) => [selectAndScatterAdd(ct!, known('select_and_gather_add', x!), params), null],
  vmap: vmapWindows(([tangents, x], params) => selectAndGatherAdd(tangents!, x!, params)),
};

/**
 * Zeros in the shape of the second operand, and each element of the first, one for each window, added where the extreme element
 * of its window is: the adjoint of `select_and_gather_add`. What belongs to a window without elements is dropped.
 */
export const selectAndScatterAddP: Primitive<'select_and_scatter_add', SelectParams> = {
  name: 'select_and_scatter_add',
  params: selectParams,
  abstractEval(ins, params) {
    expectCount('select_and_scatter_add', 2, ins);
    const [source, x] = ins;
    expectKind('select_and_scatter_add', 'number', source!);
    expectSame('select_and_scatter_add', [withShape(source!, []), withShape(x!, [])]);
    const counts = windowCounts('select_and_scatter_add', x!, params);
    if (!sameShape(source!.shape, counts)) {
      throw new ShapeError({
        op: 'select_and_scatter_add',
        problem: `there are [${counts.join()}] windows over ${showAval(x!)}, got the source ${showAval(source!)}`,
        remedy: 'give a source with one element for each window',
      });
    }
    return [makeAval(x!.shape, x!.dtype, allWeak(ins))];
  },
  jvp: ([source, x], [ds], params) => ({
    outs: [selectAndScatterAdd(source!, x!, params)],
    tangents: [ds ? selectAndScatterAdd(ds, x!, params) : null],
  }),
  transpose: ([ct], [, x], params) => [selectAndGatherAdd(ct!, known('select_and_scatter_add', x!), params), null],
  vmap: vmapWindows(([source, x], params) => selectAndScatterAdd(source!, x!, params)),
};

/** The sum of each window. */
export const reduceWindowSum = (x: Value, windows: Windows): Value => bind1(reduceWindowSumP, [x], windows);
/** The maximum of each window. */
export const reduceWindowMax = (x: Value, windows: Windows): Value => bind1(reduceWindowMaxP, [x], windows);
/** The minimum of each window. */
export const reduceWindowMin = (x: Value, windows: Windows): Value => bind1(reduceWindowMinP, [x], windows);
/** Of each window over `x`, the element of `tangents` where that of `x` is extreme. */
export const selectAndGatherAdd = (tangents: Value, x: Value, params: SelectParams): Value =>
  bind1(selectAndGatherAddP, [tangents, x], params);
/** Each element of `source` where the extreme element of its window over `x` is. */
export const selectAndScatterAdd = (source: Value, x: Value, params: SelectParams): Value =>
  bind1(selectAndScatterAddP, [source, x], params);
