/** Where along an axis the extremum is. The first NaN, if there is one, is every extremum; zeros are equal. */

import { isFloat, type TypedArray } from '../../src/core/dtype.ts';
import { sizeOf } from '../../src/core/shape.ts';
import type { Lower } from './kernel.ts';

/** Lines along an axis of `length` elements: `outer · inner` of them, whose elements are `inner` apart. */
type Search = (x: TypedArray, out: TypedArray, outer: number, length: number, inner: number) => void;

const search =
  (float: Search, word: Search): Lower<{ readonly axis: number }> =>
  (ins, _outs, { axis }) => {
    const { shape, dtype } = ins[0]!;
    const length = shape[axis]!;
    const inner = sizeOf(shape.slice(axis + 1));
    const outer = sizeOf(shape.slice(0, axis));
    const loop = isFloat(dtype) ? float : word;
    return (ins, outs) => loop(ins[0]!, outs[0]!, outer, length, inner);
  };

const argmaxFloat: Search = (x, out, outer, length, inner) => {
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
const argmaxWord: Search = (x, out, outer, length, inner) => {
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
/** The index of the first maximum. */
export const argmax = search(argmaxFloat, argmaxWord);

const argminFloat: Search = (x, out, outer, length, inner) => {
  for (let a = 0; a < outer; a++) {
    for (let b = 0; b < inner; b++) {
      let at = a * length * inner + b;
      let min = x[at]!;
      let arg = 0;
      // A NaN accumulator stops the search: nothing after the first NaN can win.
      for (let i = 1; i < length && !Number.isNaN(min); i++) {
        at += inner;
        const value = x[at]!;
        if (!(value >= min)) {
          min = value;
          arg = i;
        }
      }
      out[a * inner + b] = arg;
    }
  }
};
const argminWord: Search = (x, out, outer, length, inner) => {
  for (let a = 0; a < outer; a++) {
    for (let b = 0; b < inner; b++) {
      let at = a * length * inner + b;
      let min = x[at]!;
      let arg = 0;
      for (let i = 1; i < length; i++) {
        at += inner;
        const value = x[at]!;
        if (value < min) {
          min = value;
          arg = i;
        }
      }
      out[a * inner + b] = arg;
    }
  }
};
/** The index of the first minimum. */
export const argmin = search(argminFloat, argminWord);
