/**
 * Windows: one place of a window at a time, over all windows that have an element there.
 *
 * On one axis, place k of window o meets element p where o·stride + k·windowDilation − low = p·baseDilation. For one k the
 * solutions are two arithmetic progressions, of windows and of elements, so that a reduction over windows is a sequence of
 * {@link sweep}s between strided views, and padding and holes are never touched. An axis on which every place of every window
 * is an element needs no sequence: there the places are an axis of the sweep, on which the target stands still.
 */

import { integerRange, isFloat, isInteger, type TypedArray } from '../../src/core/dtype.ts';
import { type Shape, sizeOf, stridesOf } from '../../src/core/shape.ts';
import type { SelectParams, Windows } from '../../src/prim/window.ts';
import type { Kernel, Lower } from './kernel.ts';
import {
  accumulation,
  addRowsFloat,
  addRowsWord,
  maxRowsFloat,
  maxRowsWord,
  minRowsFloat,
  minRowsWord,
  reduction,
} from './reduce.ts';
import { type Axis, type Block, mergedAxes, type Sweep, sweep } from './strided.ts';

/** A part of the pairs of elements and windows: axes of the two views, and where they begin. */
interface Meeting {
  readonly s: number;
  readonly t: number;
  /** Windows along the axis, and before it, where they are an axis, places. */
  readonly axes: readonly Axis[];
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Where place `k` of windows on one axis meets elements, if it does; in elements of the axis. */
function meeting(windows: Windows, axis: number, n: number, count: number, k: number): Meeting | null {
  const [stride, base] = [windows.windowStrides[axis]!, windows.baseDilation[axis]!];
  const shift = k * windows.windowDilation[axis]! - windows.paddingLow[axis]!;
  const common = gcd(stride, base);
  const step = base / common;
  let o = 0;
  while (o < step && (o * stride + shift) % base !== 0) o++;
  if (o === step) return null;
  o += step * Math.max(0, Math.ceil((Math.ceil(-shift / stride) - o) / step));
  const last = Math.min(count - 1, Math.floor(((n - 1) * base - shift) / stride));
  if (o > last) return null;
  const axes = [{ n: Math.floor((last - o) / step) + 1, s: stride / common, t: step }];
  return { s: (o * stride + shift) / base, t: o, axes };
}

/** Is every place of every window on this axis an element? */
function isFull(windows: Windows, axis: number, n: number, count: number): boolean {
  const reach =
    (count - 1) * windows.windowStrides[axis]! +
    (windows.windowDimensions[axis]! - 1) * windows.windowDilation[axis]! -
    windows.paddingLow[axis]!;
  return windows.baseDilation[axis] === 1 && windows.paddingLow[axis]! <= 0 && count > 0 && reach < n;
}

/** All meetings on one axis, by place; as one meeting if `merge` and possible. */
function along(windows: Windows, axis: number, n: number, count: number, merge: boolean): readonly Meeting[] {
  const length = windows.windowDimensions[axis]!;
  if (merge && isFull(windows, axis, n, count)) {
    const places = { n: length, s: windows.windowDilation[axis]!, t: 0 };
    const along = { n: count, s: windows.windowStrides[axis]!, t: 1 };
    return [{ s: -windows.paddingLow[axis]!, t: 0, axes: [places, along] }];
  }
  return Array.from({ length }, (_, k) => meeting(windows, axis, n, count, k)).filter((m) => m !== null);
}

/** A sweep from the elements to the windows, place by place in row-major order unless `merge`. */
function overWindows(block: Block, x: Shape, counts: Shape, windows: Windows, merge: boolean): Sweep {
  const [from, to] = [stridesOf(x), stridesOf(counts)];
  let parts: readonly Meeting[] = [{ s: 0, t: 0, axes: [] }];
  x.forEach((n, axis) => {
    const own = along(windows, axis, n, counts[axis]!, merge).map(({ s, t, axes }) => ({
      s: s * from[axis]!,
      t: t * to[axis]!,
      axes: axes.map((a) => ({ n: a.n, s: a.s * from[axis]!, t: a.t * to[axis]! })),
    }));
    parts = parts.flatMap((part) =>
      own.map(({ s, t, axes }) => ({ s: part.s + s, t: part.t + t, axes: [...part.axes, ...axes] })),
    );
  });
  const sweeps = parts.map(({ s, t, axes }) => {
    // Places outermost, so that the inner loops run along rows.
    const ordered = [...axes.filter((axis) => axis.t === 0), ...axes.filter((axis) => axis.t !== 0)];
    const lengths = ordered.map((axis) => axis.n);
    const source = { offset: s, strides: ordered.map((axis) => axis.s) };
    const target = { offset: t, strides: ordered.map((axis) => axis.t) };
    return sweep(block, mergedAxes(lengths, source, target), s, t);
  });
  return (source, target) => {
    for (let i = 0; i < sweeps.length; i++) sweeps[i]!(source, target);
  };
}

/** The sum of each window; of nothing 0. Integers wrap. */
export const reduceWindowSum: Lower<Windows> = ([x], [out], windows) => {
  const block = isFloat(x!.dtype) ? addRowsFloat : addRowsWord;
  const run = overWindows(block, x!.shape, out!.shape, windows, true);
  return isFloat(x!.dtype) ? accumulation(run, out!, 0) : reduction(run, 0);
};

/** The maximum of each window: NaN if any is NaN, `-0 < +0`; of nothing `-Infinity`, the least integer, or false. */
export const reduceWindowMax: Lower<Windows> = ([x], [out], windows) => {
  const block = isFloat(x!.dtype) ? maxRowsFloat : maxRowsWord;
  const least = isFloat(x!.dtype) ? -Infinity : isInteger(x!.dtype) ? integerRange(x!.dtype)[0] : 0;
  return reduction(overWindows(block, x!.shape, out!.shape, windows, true), least);
};

/** The minimum of each window: NaN if any is NaN, `-0 < +0`; of nothing `Infinity`, the greatest integer, or true. */
export const reduceWindowMin: Lower<Windows> = ([x], [out], windows) => {
  const block = isFloat(x!.dtype) ? minRowsFloat : minRowsWord;
  const greatest = isFloat(x!.dtype) ? Infinity : isInteger(x!.dtype) ? integerRange(x!.dtype)[1] : 1;
  return reduction(overWindows(block, x!.shape, out!.shape, windows, true), greatest);
};

// Targets hold where the extreme element of their window is, as far as it has been seen; −1 before the first. A NaN stays.

const selectGeFloat: Block = (x, s, sA, sB, chosen, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) {
      const best = chosen[to]!;
      if (best < 0 || (!Number.isNaN(x[best]!) && !(x[from]! <= x[best]!))) chosen[to] = from;
    }
  }
};
const selectLeFloat: Block = (x, s, sA, sB, chosen, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) {
      const best = chosen[to]!;
      if (best < 0 || (!Number.isNaN(x[best]!) && !(x[from]! >= x[best]!))) chosen[to] = from;
    }
  }
};
const selectGeWord: Block = (x, s, sA, sB, chosen, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) {
      const best = chosen[to]!;
      if (best < 0 || x[from]! > x[best]!) chosen[to] = from;
    }
  }
};
const selectLeWord: Block = (x, s, sA, sB, chosen, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) {
      const best = chosen[to]!;
      if (best < 0 || x[from]! < x[best]!) chosen[to] = from;
    }
  }
};

type Move = (source: TypedArray, chosen: Int32Array, out: TypedArray) => void;

/** Selects by the second operand of shape `x`, and moves elements of the first to or from there. */
function selecting(float: boolean, x: Shape, counts: Shape, params: SelectParams, move: Move): Kernel {
  const [ge, le] = float ? [selectGeFloat, selectLeFloat] : [selectGeWord, selectLeWord];
  const run = overWindows(params.select === 'ge' ? ge : le, x, counts, params, false);
  const windows = sizeOf(counts);
  return (ins, outs) => {
    const chosen = new Int32Array(windows).fill(-1);
    run(ins[1]!, chosen);
    move(ins[0]!, chosen, outs[0]!);
  };
}

const gatherFloat: Move = (source, chosen, out) => {
  for (let i = 0; i < out.length; i++) out[i] = chosen[i]! < 0 ? 0 : source[chosen[i]!]!;
};
const gatherWord: Move = (source, chosen, out) => {
  for (let i = 0; i < out.length; i++) out[i] = chosen[i]! < 0 ? 0 : source[chosen[i]!]!;
};

/** Of each window over the second operand, the element of the first where the extreme one is; of nothing 0. */
export const selectAndGatherAdd: Lower<SelectParams> = ([, x], [out], params) => {
  const float = isFloat(x!.dtype);
  return selecting(float, x!.shape, out!.shape, params, float ? gatherFloat : gatherWord);
};

const scatterFloat: Move = (source, chosen, out) => {
  const total = out instanceof Float64Array ? out.fill(0) : new Float64Array(out.length);
  for (let i = 0; i < chosen.length; i++) if (chosen[i]! >= 0) total[chosen[i]!]! += source[i]!;
  if (total !== out) out.set(total);
};
const scatterWord: Move = (source, chosen, out) => {
  out.fill(0);
  for (let i = 0; i < chosen.length; i++) {
    const at = chosen[i]!;
    if (at >= 0) out[at] = (out[at]! + source[i]!) | 0;
  }
};

/** Each element of the first operand, added to zeros where the extreme element of its window over the second is. */
export const selectAndScatterAdd: Lower<SelectParams> = ([source, x], _outs, params) => {
  const float = isFloat(x!.dtype);
  return selecting(float, x!.shape, source!.shape, params, float ? scatterFloat : scatterWord);
};
