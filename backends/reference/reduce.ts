/**
 * Reductions: a {@link sweep} from the operand onto an accumulator that stands still along the reduced axes.
 *
 * Float sums run in a `Float64Array` and are rounded once at the end. Integer sums and all maxima need no more than the
 * result's own type, so they accumulate in the output.
 */

import type { Aval } from '../../src/core/aval.ts';
import { integerRange, isFloat, isInteger } from '../../src/core/dtype.ts';
import { stridesOf } from '../../src/core/shape.ts';
import type { Kernel, Lower } from './kernel.ts';
import { type Axis, type Block, mergedAxes, type Sweep, sweep } from './strided.ts';

/** The axes of a reduction of `x` over `axes`, its result being dense. */
function reductionAxes(x: Aval, axes: readonly number[]): Axis[] {
  const kept = stridesOf(x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length)));
  const strides = kept.map((stride, axis) => (axes.includes(axis) ? 0 : stride));
  return mergedAxes(x.shape, { offset: 0, strides: stridesOf(x.shape) }, { offset: 0, strides });
}

/** Does each element of the result come from one contiguous run of the operand? */
const reducesRuns = (axes: readonly Axis[]): boolean =>
  axes.every(({ t }, a) => (a === axes.length - 1 ? t === 0 : t !== 0));

/** Sum over `axes`; of nothing 0. Integers wrap. */
export const reduceSum: Lower<{ readonly axes: readonly number[] }> = (ins, outs, params) => {
  const x = ins[0]!;
  const axes = reductionAxes(x, params.axes);
  const runs = axes.at(-1)?.t === 0;
  if (!isFloat(x.dtype)) return reduction(sweep(runs ? addRunWord : addRowsWord, axes, 0, 0), 0);
  const run = sweep(runs ? addRunFloat : addRowsFloat, axes, 0, 0);
  // One run per element, or one element per result: adding the finished sum to 0 rounds it just once.
  if (reducesRuns(axes) || x.size <= outs[0]!.size) return reduction(run, 0);
  return accumulation(run, outs[0]!, 0);
};

/** Product over `axes`; of nothing 1. Integers wrap. */
export const reduceProd: Lower<{ readonly axes: readonly number[] }> = (ins, outs, params) => {
  const axes = reductionAxes(ins[0]!, params.axes);
  if (!isFloat(ins[0]!.dtype)) return reduction(sweep(multiplyWord, axes, 0, 0), 1);
  return accumulation(sweep(multiplyFloat, axes, 0, 0), outs[0]!, 1);
};

/** Accumulates floats in doubles, beside an output that would round at each step. */
export function accumulation(run: Sweep, out: Aval, start: number): Kernel {
  const keep = out.size <= keptScratch ? new Float64Array(out.size) : null;
  return (ins, outs) => {
    const result = outs[0]!;
    const total = result instanceof Float64Array ? result : (keep ?? new Float64Array(out.size));
    run(ins[0]!, total.fill(start));
    if (total !== result) result.set(total);
  };
}

/** Accumulators up to this many elements stay with their kernel instead of being made at each call. */
const keptScratch = 4096;

/** Maximum over `axes`: NaN if any is NaN, `-0 < +0`; of nothing `-Infinity`, the least integer, or false. */
export const reduceMax: Lower<{ readonly axes: readonly number[] }> = (ins, _outs, params) => {
  const x = ins[0]!;
  const axes = reductionAxes(x, params.axes);
  const runs = axes.at(-1)?.t === 0;
  if (isFloat(x.dtype)) return reduction(sweep(runs ? maxRunFloat : maxRowsFloat, axes, 0, 0), -Infinity);
  const least = isInteger(x.dtype) ? integerRange(x.dtype)[0] : 0;
  return reduction(sweep(runs ? maxRunWord : maxRowsWord, axes, 0, 0), least);
};

/** Minimum over `axes`: NaN if any is NaN, `-0 < +0`; of nothing `Infinity`, the greatest integer, or true. */
export const reduceMin: Lower<{ readonly axes: readonly number[] }> = (ins, _outs, params) => {
  const x = ins[0]!;
  const axes = reductionAxes(x, params.axes);
  const runs = axes.at(-1)?.t === 0;
  if (isFloat(x.dtype)) return reduction(sweep(runs ? minRunFloat : minRowsFloat, axes, 0, 0), Infinity);
  const greatest = isInteger(x.dtype) ? integerRange(x.dtype)[1] : 1;
  return reduction(sweep(runs ? minRunWord : minRowsWord, axes, 0, 0), greatest);
};

/** Conjunction over `axes`, bit by bit; of nothing all bits. */
export const reduceAnd: Lower<{ readonly axes: readonly number[] }> = ([x], _outs, { axes }) =>
  reduction(sweep(andBits, reductionAxes(x!, axes), 0, 0), x!.dtype === 'bool' ? 1 : -1);

/** Disjunction over `axes`, bit by bit; of nothing 0. */
export const reduceOr: Lower<{ readonly axes: readonly number[] }> = ([x], _outs, { axes }) =>
  reduction(sweep(orBits, reductionAxes(x!, axes), 0, 0), 0);

/** Reduces onto an output that begins as `start`. */
export const reduction =
  (run: Sweep, start: number): Kernel =>
  (ins, outs) => {
    const out = outs[0]!;
    if (out.length === 1) out[0] = start;
    else out.fill(start);
    run(ins[0]!, out);
  };

// Blocks whose target stands still along the last axis: one local accumulator per run. Then those that add a row onto a row.

const addRunFloat: Block = (x, s, sA, sB, out, t, tA, _tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let sum = 0;
    for (let j = 0; j < nB; j++, from += sB) sum += x[from]!;
    out[t + i * tA]! += sum;
  }
};
export const addRowsFloat: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to]! += x[from]!;
  }
};
const addRunWord: Block = (x, s, sA, sB, out, t, tA, _tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let sum = 0;
    for (let j = 0; j < nB; j++, from += sB) sum = (sum + x[from]!) | 0;
    out[t + i * tA] = (out[t + i * tA]! + sum) | 0;
  }
};
export const addRowsWord: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to] = (out[to]! + x[from]!) | 0;
  }
};

const maxRunFloat: Block = (x, s, sA, sB, out, t, tA, _tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let max = out[t + i * tA]!;
    for (let j = 0; j < nB; j++, from += sB) max = Math.max(max, x[from]!);
    out[t + i * tA] = max;
  }
};
export const maxRowsFloat: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to] = Math.max(out[to]!, x[from]!);
  }
};
const maxRunWord: Block = (x, s, sA, sB, out, t, tA, _tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let max = out[t + i * tA]!;
    for (let j = 0; j < nB; j++, from += sB) max = Math.max(max, x[from]!);
    out[t + i * tA] = max;
  }
};
export const maxRowsWord: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to] = Math.max(out[to]!, x[from]!);
  }
};

const minRunFloat: Block = (x, s, sA, sB, out, t, tA, _tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let min = out[t + i * tA]!;
    for (let j = 0; j < nB; j++, from += sB) min = Math.min(min, x[from]!);
    out[t + i * tA] = min;
  }
};
export const minRowsFloat: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to] = Math.min(out[to]!, x[from]!);
  }
};
const minRunWord: Block = (x, s, sA, sB, out, t, tA, _tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let min = out[t + i * tA]!;
    for (let j = 0; j < nB; j++, from += sB) min = Math.min(min, x[from]!);
    out[t + i * tA] = min;
  }
};
export const minRowsWord: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to] = Math.min(out[to]!, x[from]!);
  }
};

// Seldom in a program's way, so that one block does for runs and rows: the target stands still where its stride is 0.

const multiplyFloat: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to]! *= x[from]!;
  }
};
const multiplyWord: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to] = Math.imul(out[to]!, x[from]!);
  }
};
const andBits: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to]! &= x[from]!;
  }
};
const orBits: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to]! |= x[from]!;
  }
};
