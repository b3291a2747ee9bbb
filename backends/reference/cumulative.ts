/** Cumulative reductions: one running value along each line of an axis, in double, of which every element is a rounding. */

import { isFloat, type TypedArray } from '../../src/core/dtype.ts';
import { sizeOf } from '../../src/core/shape.ts';
import type { CumulativeParams } from '../../src/prim/cumulative.ts';
import type { Lower } from './kernel.ts';

/** Runs along `length` elements from position `at`, which are `step` apart. */
type Line = (x: TypedArray, out: TypedArray, at: number, step: number, length: number) => void;

const lines =
  (float: Line, word: Line): Lower<CumulativeParams> =>
  ([x], _outs, { axis, reverse }) => {
    const { shape, dtype } = x!;
    const length = shape[axis]!;
    const inner = sizeOf(shape.slice(axis + 1));
    const outer = sizeOf(shape.slice(0, axis));
    const line = isFloat(dtype) ? float : word;
    const [first, step] = reverse ? [(length - 1) * inner, -inner] : [0, inner];
    return (ins, outs) => {
      if (length === 0) return;
      for (let a = 0; a < outer; a++) {
        for (let b = 0; b < inner; b++) line(ins[0]!, outs[0]!, a * length * inner + first + b, step, length);
      }
    };
  };

/** Sums; integers wrap. */
export const cumsum = lines(
  (x, out, at, step, length) => {
    let sum = 0;
    for (let i = 0; i < length; i++, at += step) out[at] = sum += x[at]!;
  },
  (x, out, at, step, length) => {
    let sum = 0;
    for (let i = 0; i < length; i++, at += step) out[at] = sum = (sum + x[at]!) | 0;
  },
);

/** Products; integers wrap. */
export const cumprod = lines(
  (x, out, at, step, length) => {
    let product = 1;
    for (let i = 0; i < length; i++, at += step) out[at] = product *= x[at]!;
  },
  (x, out, at, step, length) => {
    let product = 1;
    for (let i = 0; i < length; i++, at += step) out[at] = product = Math.imul(product, x[at]!);
  },
);

/** Maxima; NaN from the first NaN on, `-0 < +0`. */
export const cummax = lines(
  (x, out, at, step, length) => {
    let max = -Infinity;
    for (let i = 0; i < length; i++, at += step) out[at] = max = Math.max(max, x[at]!);
  },
  (x, out, at, step, length) => {
    let max = -Infinity;
    for (let i = 0; i < length; i++, at += step) out[at] = max = Math.max(max, x[at]!);
  },
);

/** Minima; NaN from the first NaN on, `-0 < +0`. */
export const cummin = lines(
  (x, out, at, step, length) => {
    let min = Infinity;
    for (let i = 0; i < length; i++, at += step) out[at] = min = Math.min(min, x[at]!);
  },
  (x, out, at, step, length) => {
    let min = Infinity;
    for (let i = 0; i < length; i++, at += step) out[at] = min = Math.min(min, x[at]!);
  },
);

/** log Σ eˣ = top + log sum, where `top` is the largest x so far, and `sum` that of the powers of all minus it. */
const logSumExpLine: Line = (x, out, at, step, length) => {
  let top = -Infinity;
  let sum = 0;
  for (let i = 0; i < length; i++, at += step) {
    const value = x[at]!;
    if (value > top) {
      sum = sum * Math.exp(top - value) + 1;
      top = value;
    } else sum += value === top ? 1 : Math.exp(value - top);
    out[at] = top + Math.log(sum);
  }
};

/** log Σ eˣ, without overflow. */
export const cumlogsumexp = lines(logSumExpLine, logSumExpLine);
