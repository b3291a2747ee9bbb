/** Windows that slide, in random programs: every one has an element, so that no extremum is infinite. */

import type { Aval } from '../../src/core/aval.ts';
import { isFloat, isInteger } from '../../src/core/dtype.ts';
import { noParams } from '../../src/core/primitive.ts';
import { sizeOf } from '../../src/core/shape.ts';
import type { CumulativeParams } from '../../src/prim/cumulative.ts';
import { firstOrder as p } from '../../src/prim/registry.ts';
import { type Windows, windowCounts } from '../../src/prim/window.ts';
import type { Draft, Op } from './program.ts';

/** Run `f` on a value with elements and windows over it, if there is one. */
const overWindows =
  (test: (aval: Aval) => boolean, f: (d: Draft, x: number, windows: Windows) => void): Op =>
  (d) => {
    const x = d.pick((aval) => aval.shape.length > 0 && aval.size > 0 && test(aval));
    if (x === null) return;
    const { shape } = d.avals[x]!;
    const lengths = shape.map((n) => 1 + d.next(Math.min(n, 3) - 1));
    const windows: Windows = {
      windowDimensions: lengths,
      windowStrides: shape.map(() => 1 + d.next(1)),
      // At most one place less than a window has, so that the first one reaches an element.
      paddingLow: lengths.map((n) => d.next(n - 1)),
      paddingHigh: lengths.map((n) => d.next(n - 1)),
      baseDilation: shape.map(() => 1),
      windowDilation: shape.map(() => 1),
    };
    if (d.fits(sizeOf(windowCounts('program', d.avals[x]!, windows)))) f(d, x, windows);
  };

const float = ({ dtype }: Aval): boolean => isFloat(dtype);

/** Run `f` on a value with an axis, and from one end of it. */
const along =
  (test: (aval: Aval) => boolean, f: (d: Draft, x: number, params: CumulativeParams) => void): Op =>
  (d) => {
    const x = d.pick((aval) => aval.shape.length > 0 && test(aval));
    if (x !== null) f(d, x, { axis: d.next(d.avals[x]!.shape.length - 1), reverse: d.next(1) === 0 });
  };

/** Sums of windows and cumulative sums, which are linear maps. */
export const windowSums: readonly Op[] = [
  overWindows(float, (d, x, windows) => d.emit(p.reduce_window_sum, [x], windows)),
  along(float, (d, x, params) => d.emit(p.cumsum, [x], params)),
];

/** Cumulative products of moderate values, and logarithms of sums of powers: smooth everywhere. */
export const smoothCumulative: readonly Op[] = [
  along(float, (d, x, params) => d.emit(p.cumprod, [d.emit(p.sin, [x], noParams)], params)),
  along(float, (d, x, params) => d.emit(p.cumlogsumexp, [d.emit(p.sin, [x], noParams)], params)),
];

/** The largest or least elements of windows, and of the first elements. */
export const windowExtrema: readonly Op[] = [
  overWindows(float, (d, x, windows) => d.emit(d.next(1) ? p.reduce_window_max : p.reduce_window_min, [x], windows)),
  along(float, (d, x, params) => d.emit(d.next(1) ? p.cummax : p.cummin, [x], params)),
];

/** What does not depend on an order of summation: extrema, sums of integers, choices. */
export const exactWindows: readonly Op[] = [
  overWindows(
    () => true,
    (d, x, windows) => d.emit(d.next(1) ? p.reduce_window_max : p.reduce_window_min, [x], windows),
  ),
  overWindows(
    ({ dtype }) => isInteger(dtype),
    (d, x, windows) => d.emit(p.reduce_window_sum, [x], windows),
  ),
  overWindows(
    ({ dtype }) => dtype !== 'bool',
    (d, x, windows) =>
      d.emit(p.select_and_gather_add, [x, d.pickLike(x)], { ...windows, select: d.next(1) ? 'ge' : 'le' }),
  ),
  along(
    () => true,
    (d, x, params) => d.emit(d.next(1) ? p.cummax : p.cummin, [x], params),
  ),
  along(
    ({ dtype }) => isInteger(dtype),
    (d, x, params) => d.emit(d.next(1) ? p.cumsum : p.cumprod, [x], params),
  ),
];
