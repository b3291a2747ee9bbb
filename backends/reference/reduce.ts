/**
 * Reductions: a {@link sweep} from the operand onto an accumulator that stands still along the reduced axes.
 *
 * Float sums run in a `Float64Array` and are rounded once at the end. Integer sums and all maxima need no more than the
 * result's own type, so they accumulate in the output.
 */

import type { Aval } from '../../src/core/aval.ts';
import { integerRange, isFloat, isInteger, type TypedArray } from '../../src/core/dtype.ts';
import { sizeOf, stridesOf } from '../../src/core/shape.ts';
import type { Kernel, Lower } from './kernel.ts';
import { type Axis, type Block, mergedAxes, sweep } from './strided.ts';

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
  const [x, out] = [ins[0]!, outs[0]!];
  const axes = reductionAxes(x, params.axes);
  const runs = axes.at(-1)?.t === 0;
  if (!isFloat(x.dtype)) return reduction(sweep(runs ? addRunWord : addRowsWord, axes, 0, 0), 0);
  const run = sweep(runs ? addRunFloat : addRowsFloat, axes, 0, 0);
  // One run per element, or one element per result: adding the finished sum to 0 rounds it just once.
  if (reducesRuns(axes) || x.size <= out.size) return reduction(run, 0);
  const keep = out.size <= keptScratch ? new Float64Array(out.size) : null;
  return (ins, outs) => {
    const result = outs[0]!;
    if (result instanceof Float64Array) {
      result.fill(0);
      run(ins[0]!, result);
      return;
    }
    const total = keep?.fill(0) ?? new Float64Array(out.size);
    run(ins[0]!, total);
    result.set(total);
  };
};

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

const reduction =
  (run: (source: TypedArray, target: TypedArray) => void, start: number): Kernel =>
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
const addRowsFloat: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
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
const addRowsWord: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
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
const maxRowsFloat: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
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
const maxRowsWord: Block = (x, s, sA, sB, out, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) out[to] = Math.max(out[to]!, x[from]!);
  }
};

/** Index of the first maximum along `axis`; the first NaN, if there is one, is the maximum. Zeros are equal. */
export const argmax: Lower<{ readonly axis: number }> = (ins, _outs, { axis }) => {
  const { shape, dtype } = ins[0]!;
  const length = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const loop = isFloat(dtype) ? argmaxFloat : argmaxWord;
  return (ins, outs) => loop(ins[0]!, outs[0]!, outer, length, inner);
};

type Argmax = (x: TypedArray, out: TypedArray, outer: number, length: number, inner: number) => void;

const argmaxFloat: Argmax = (x, out, outer, length, inner) => {
  for (let a = 0; a < outer; a++) {
    for (let b = 0; b < inner; b++) {
      let at = a * length * inner + b;
      let max = x[at]!;
      let arg = 0;
      // A NaN accumulator stops the search: nothing after the first NaN can win.
      for (let i = 1; i < length && !Number.isNaN(max); i++) {
        at += inner;
        const value = x[at]!;
        if (!(value <= max)) {
          max = value;
          arg = i;
        }
      }
      out[a * inner + b] = arg;
    }
  }
};
const argmaxWord: Argmax = (x, out, outer, length, inner) => {
  for (let a = 0; a < outer; a++) {
    for (let b = 0; b < inner; b++) {
      let at = a * length * inner + b;
      let max = x[at]!;
      let arg = 0;
      for (let i = 1; i < length; i++) {
        at += inner;
        const value = x[at]!;
        if (value > max) {
          max = value;
          arg = i;
        }
      }
      out[a * inner + b] = arg;
    }
  }
};
