/**
 * Sweeps: nested loops over two strided views of one shape.
 *
 * Broadcasting, transposition, slicing, padding and concatenation are the same loop, `target[t] = source[s]`, with
 * different strides; a reduction is that loop with a target stride of 0 on the reduced axes. A {@link sweep} is planned once:
 * axes of length 1 go, neighbours that step alike in both views merge, and what remains runs as an odometer over blocks of
 * two axes. The blocks are plain loops over typed arrays, chosen by the strides.
 */

import { type DType, isFloat, type TypedArray } from '../../src/core/dtype.ts';
import type { Shape } from '../../src/core/shape.ts';

/** Where the elements of a view lie in its array: `offset + Σ index[a] * strides[a]`. */
export interface View {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** The two inner loops of a sweep: `nA` by `nB` elements, from source position `s` and target position `t`. */
export type Block = (
  source: TypedArray,
  s: number,
  sA: number,
  sB: number,
  target: TypedArray,
  t: number,
  tA: number,
  tB: number,
  nA: number,
  nB: number,
) => void;

/** One axis of a sweep: its length, and its stride in either view. */
export interface Axis {
  readonly n: number;
  readonly s: number;
  readonly t: number;
}

/** The axes of a sweep from outermost to innermost, without those of length 1, merged where both views allow. */
export function mergedAxes(shape: Shape, source: View, target: View): Axis[] {
  const axes: Axis[] = [];
  for (let a = 0; a < shape.length; a++) {
    const axis: Axis = { n: shape[a]!, s: source.strides[a]!, t: target.strides[a]! };
    if (axis.n === 1) continue;
    const last = axes.at(-1);
    if (last && last.s === axis.s * axis.n && last.t === axis.t * axis.n) {
      axes[axes.length - 1] = { n: last.n * axis.n, s: axis.s, t: axis.t };
    } else axes.push(axis);
  }
  return axes;
}

/** A planned sweep. */
export type Sweep = (source: TypedArray, target: TypedArray) => void;

/** A planned sweep that begins at positions `s` of the source and `t` of the target. */
export type Mover = (source: TypedArray, s: number, target: TypedArray, t: number) => void;

const unit: Axis = { n: 1, s: 0, t: 0 };

/** Runs `block` over `axes`; the last two are the block's own. */
export function mover(block: Block, axes: readonly Axis[]): Mover {
  if (axes.some(({ n }) => n === 0)) return () => {};
  const { n: nB, s: sB, t: tB } = axes.at(-1) ?? unit;
  const { n: nA, s: sA, t: tA } = axes.at(-2) ?? unit;
  const outer = axes.slice(0, -2);
  if (outer.length === 0) return (source, s, target, t) => block(source, s, sA, sB, target, t, tA, tB, nA, nB);
  const lengths = outer.map(({ n }) => n);
  const sourceSteps = outer.map(({ s }) => s);
  const targetSteps = outer.map(({ t }) => t);
  const cells = lengths.reduce((product, n) => product * n, 1);
  // Every digit is back at 0 after a full turn, so one odometer serves every call.
  const digits = lengths.map(() => 0);
  return (source, sourceOffset, target, targetOffset) => {
    let s = sourceOffset;
    let t = targetOffset;
    for (let cell = 0; cell < cells; cell++) {
      block(source, s, sA, sB, target, t, tA, tB, nA, nB);
      for (let a = digits.length - 1; a >= 0; a--) {
        s += sourceSteps[a]!;
        t += targetSteps[a]!;
        if (++digits[a]! < lengths[a]!) break;
        s -= sourceSteps[a]! * lengths[a]!;
        t -= targetSteps[a]! * lengths[a]!;
        digits[a] = 0;
      }
    }
  };
}

/** A {@link mover} of which the beginning is known. */
export function sweep(block: Block, axes: readonly Axis[], sourceOffset: number, targetOffset: number): Sweep {
  const move = mover(block, axes);
  return (source, target) => move(source, sourceOffset, target, targetOffset);
}

/**
 * Copies one view of `shape` onto another, of the same dtype.
 *
 * The source may repeat elements (stride 0); the elements of the target must be distinct.
 */
export function stridedCopy(dtype: DType, shape: Shape, source: View, target: View): Sweep {
  const move = stridedMove(dtype, shape, source.strides, target.strides);
  return (from, to) => move(from, source.offset, to, target.offset);
}

/** A {@link stridedCopy} between views whose offsets are not known yet. */
export function stridedMove(dtype: DType, shape: Shape, source: readonly number[], target: readonly number[]): Mover {
  const axes = mergedAxes(shape, { offset: 0, strides: source }, { offset: 0, strides: target });
  const float = isFloat(dtype);
  const { n, s, t } = axes.at(-1) ?? unit;
  let block: Block = float ? copyFloat : copyWord;
  if (t === 1 && s === 1 && n >= longRun) block = copyRuns;
  else if (t === 1 && s === 0 && n >= longRun) block = fillRuns;
  else if (s !== 1) {
    // Reads along the last axis jump. If another axis is the source's contiguous one, tiles of the two reuse cache lines.
    const contiguous = axes.findIndex((axis) => axis.s === 1);
    if (contiguous >= 0) {
      const [moved] = axes.splice(contiguous, 1);
      axes.splice(-1, 0, moved!);
      if (moved!.n > tile || n > tile) block = float ? tileFloat : tileWord;
    }
  }
  return mover(block, axes);
}

/** From this length on, the built-in `set` and `fill` beat a loop in spite of their cost per call. */
const longRun = 128;

const copyRuns: Block = (source, s, sA, _sB, target, t, tA, _tB, nA, nB) => {
  if (nA === 1 && nB === source.length) {
    target.set(source, t);
    return;
  }
  for (let i = 0; i < nA; i++) target.set(source.subarray(s + i * sA, s + i * sA + nB), t + i * tA);
};

const fillRuns: Block = (source, s, sA, _sB, target, t, tA, _tB, nA, nB) => {
  for (let i = 0; i < nA; i++) target.fill(source[s + i * sA]!, t + i * tA, t + i * tA + nB);
};

// The same text twice: a call site that has seen more than four kinds of typed array falls to a generic, tenfold slower path.
const copyFloat: Block = (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++) {
      target[to] = source[from]!;
      from += sB;
      to += tB;
    }
  }
};
const copyWord: Block = (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++) {
      target[to] = source[from]!;
      from += sB;
      to += tB;
    }
  }
};

/** Side of the tiles of a transposition: two of 4-byte elements fit the first-level cache several times over. */
const tile = 32;

const tiled =
  (copy: Block): Block =>
  (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
    for (let i = 0; i < nA; i += tile) {
      const rows = Math.min(tile, nA - i);
      for (let j = 0; j < nB; j += tile) {
        const columns = Math.min(tile, nB - j);
        copy(source, s + i * sA + j * sB, sA, sB, target, t + i * tA + j * tB, tA, tB, rows, columns);
      }
    }
  };
const tileFloat = tiled(copyFloat);
const tileWord = tiled(copyWord);
