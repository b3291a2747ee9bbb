/** Rows of windows and of what selects in them. */

import * as fc from 'fast-check';
import { makeAval } from '../../src/core/aval.ts';
import type { DType } from '../../src/core/dtype.ts';
import { range, type Shape, sizeOf } from '../../src/core/shape.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import type { Windows } from '../../src/prim/window.ts';
import { everyDType, numbers } from '../arbitrary/dtype.ts';
import { type Domain, edgy, separated, summable, tied, within } from '../arbitrary/elements.ts';
import {
  aval,
  type Call,
  claims,
  everywhere,
  floatsOf,
  makeCall,
  notFloat,
  nowhere,
  ofShape,
  piecewise,
  type Row,
  smooth,
  together,
  weaknesses,
  zero,
} from './row.ts';

/** The geometry on one axis. */
interface Axis {
  readonly window: number;
  readonly stride: number;
  readonly low: number;
  readonly high: number;
  readonly base: number;
  readonly dilation: number;
}

/** The places of window `o`, as elements of an axis of length `n`: those that are holes or padding are left out. */
const elementsOf = (n: number, { window, stride, low, base, dilation }: Axis, o: number): readonly number[] =>
  range(window)
    .map((k) => (o * stride + k * dilation - low) / base)
    .filter((p) => Number.isInteger(p) && p >= 0 && p < n);

/** How many windows an axis of length `n` has; negative if more is cut than there is. */
function countOf(n: number, { window, stride, low, high, base, dilation }: Axis): number {
  const places = (n === 0 ? 0 : 1 + (n - 1) * base) + low + high;
  let count = 0;
  while (count * stride + (window - 1) * dilation < places) count++;
  return places < 0 ? -1 : count;
}

const trivial: Axis = { window: 1, stride: 1, low: 0, high: 0, base: 1, dilation: 1 };

/** What lies over an axis of length `n`; each entry is mostly what it is in a plain window. */
function axisOver(n: number, whole: boolean): fc.Arbitrary<Axis> {
  const mostly = (plain: number, low: number, high: number): fc.Arbitrary<number> =>
    fc.oneof(fc.constant(plain), fc.integer({ min: low, max: high }));
  return fc
    .record({
      window: fc.integer({ min: 1, max: 3 }),
      stride: fc.integer({ min: 1, max: 3 }),
      low: mostly(0, -2, 2),
      high: mostly(0, -2, 2),
      base: mostly(1, 1, 3),
      dilation: mostly(1, 1, 3),
    })
    .map((axis) => (countOf(n, axis) < 0 ? { ...axis, low: 0, high: 0 } : axis))
    .map((axis) => {
      const empty = range(Math.max(0, countOf(n, axis))).some((o) => elementsOf(n, axis, o).length === 0);
      return whole && empty ? { ...axis, low: 0, high: 0, base: 1 } : axis;
    });
}

const entries = (axes: readonly Axis[]): Windows => ({
  windowDimensions: axes.map((a) => a.window),
  windowStrides: axes.map((a) => a.stride),
  paddingLow: axes.map((a) => a.low),
  paddingHigh: axes.map((a) => a.high),
  baseDilation: axes.map((a) => a.base),
  windowDilation: axes.map((a) => a.dilation),
});

/** The number of windows on each axis. */
const counts = (shape: Shape, w: Windows): Shape =>
  shape.map((n, i) =>
    countOf(n, {
      window: w.windowDimensions[i]!,
      stride: w.windowStrides[i]!,
      low: w.paddingLow[i]!,
      high: w.paddingHigh[i]!,
      base: w.baseDilation[i]!,
      dilation: w.windowDilation[i]!,
    }),
  );

/** More windows than this no call has. */
const maxWindows = 80;

/** An operand and windows over it, of which none is without elements if they are to be `whole`. */
const windows = (dtypes: readonly DType[], whole = false) =>
  aval(dtypes).chain((x) =>
    fc.tuple(...x.shape.map((n) => axisOver(n, whole))).map((drawn) => {
      const axes = [...drawn];
      for (let i = axes.length - 1; sizeOf(counts(x.shape, entries(axes))) > maxWindows; i--) axes[i] = trivial;
      return { x, over: entries(axes) };
    }),
  );

const reduced = ({ ins, params }: Call<Windows>): Shape => counts(ins[0]!.shape, params);

const reduceWindowSum: Row<FirstOrderParams<'reduce_window_sum'>> = {
  takes: numbers,
  calls: (dtypes) => windows(dtypes).map(({ x, over }) => makeCall([x], over)),
  operands: claims(smooth),
  linear: everywhere,
  results: ofShape(reduced),
  terms: ({ params }) => sizeOf(params.windowDimensions),
};

/** Of a window without elements the extremum is infinite, and there are no differences. */
const extremum: Row<FirstOrderParams<'reduce_window_max'>> = {
  takes: everyDType,
  calls: reduceWindowSum.calls,
  operands: claims(piecewise('where it is attained more than once'), separated),
  linear: nowhere,
  differentiableCalls: windows(floatsOf(everyDType), true).map(({ x, over }) => makeCall([x], over)),
  results: ofShape(reduced),
};

const selection = (dtypes: readonly DType[]) =>
  fc
    .tuple(windows(dtypes), fc.constantFrom('ge' as const, 'le' as const), weaknesses(2))
    .map(([{ x, over }, select, weak]) => ({
      shape: x.shape,
      dtype: x.dtype,
      params: { ...over, select },
      weak,
    }));

/** The first operand moves; that by which places are selected has many equal elements, of which the first is to be selected. */
const selects = ({ ins }: Call<unknown>) =>
  ins.map(({ dtype }, i) =>
    floatsOf([dtype]).length === 0
      ? { derivative: notFloat, domain: edgy }
      : { derivative: i === 0 ? smooth : zero, domain: i === 0 ? within(-2, 2) : tied },
  );

const firstIfFloat = ({ ins }: Call<unknown>) => (floatsOf([ins[0]!.dtype]).length > 0 ? [[0]] : []);

const selectAndGatherAdd: Row<FirstOrderParams<'select_and_gather_add'>> = {
  takes: numbers,
  calls: (dtypes) =>
    selection(dtypes).map(({ shape, dtype, params, weak }) =>
      makeCall([makeAval(shape, dtype, weak[0]!), makeAval(shape, dtype, weak[1]!)], params),
    ),
  operands: selects,
  linear: firstIfFloat,
  results: ofShape(({ ins, params }) => counts(ins[1]!.shape, params)),
  moves: true,
};

/** No negative numbers, so that the absolute values select the same places; many that are equal. */
const nonnegative: Domain = (dtype, n) =>
  floatsOf([dtype]).length > 0
    ? fc.array(fc.constantFrom(0, -0, 0.5, 1, 2, Number.POSITIVE_INFINITY, Number.NaN), { minLength: n, maxLength: n })
    : edgy(dtype, n);

const selectAndScatterAdd: Row<FirstOrderParams<'select_and_scatter_add'>> = {
  takes: numbers,
  calls: (dtypes) =>
    selection(dtypes).map(({ shape, dtype, params, weak }) =>
      makeCall([makeAval(counts(shape, params), dtype, weak[0]!), makeAval(shape, dtype, weak[1]!)], params),
    ),
  operands: selects,
  values: (_call, operand) => (operand === 0 ? summable : nonnegative),
  linear: firstIfFloat,
  results: ({ ins }) => [makeAval(ins[1]!.shape, ins[1]!.dtype, together(ins))],
  terms: ({ params }) => sizeOf(params.windowDimensions),
};

/** Rows by name. */
export const windowRows = {
  reduce_window_sum: reduceWindowSum,
  reduce_window_max: extremum,
  reduce_window_min: extremum,
  select_and_gather_add: selectAndGatherAdd,
  select_and_scatter_add: selectAndScatterAdd,
} as const;
