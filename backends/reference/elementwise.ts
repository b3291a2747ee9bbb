/**
 * Arithmetic, element by element: one plain loop per primitive and family of dtypes.
 *
 * The loops repeat each other's text on purpose. V8 keeps type feedback per function literal, so a loop shared through a
 * callback sees every operation and every kind of array, and runs ten times slower. Here `addFloat` only ever sees
 * `Float32Array` and `Float64Array`, and `addWord` the integers. Values are doubles; storing rounds a float and, for
 * the sums and differences of 32-bit integers, which are exact, wraps.
 */

import { isFloat, type TypedArray } from '../../src/core/dtype.ts';
import type { Lower } from './kernel.ts';

type UnaryLoop = (x: TypedArray, out: TypedArray) => void;
type BinaryLoop = (x: TypedArray, y: TypedArray, out: TypedArray) => void;

/** The family is that of the operands. */
const unary =
  (float: UnaryLoop, word: UnaryLoop = float): Lower<unknown> =>
  (ins) => {
    const loop = isFloat(ins[0]!.dtype) ? float : word;
    return (ins, outs) => loop(ins[0]!, outs[0]!);
  };
const binary =
  (float: BinaryLoop, word: BinaryLoop): Lower<unknown> =>
  (ins) => {
    const loop = isFloat(ins[0]!.dtype) ? float : word;
    return (ins, outs) => loop(ins[0]!, ins[1]!, outs[0]!);
  };

const addFloat: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! + y[i]!;
};
const addWord: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = (x[i]! + y[i]!) | 0;
};
/** Sum; integers wrap. */
export const add = binary(addFloat, addWord);

const subFloat: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! - y[i]!;
};
const subWord: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = (x[i]! - y[i]!) | 0;
};
/** Difference; integers wrap. */
export const sub = binary(subFloat, subWord);

const mulFloat: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! * y[i]!;
};
const mulWord: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.imul(x[i]!, y[i]!);
};
/** Product; integers wrap. */
export const mul = binary(mulFloat, mulWord);

const divFloat: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! / y[i]!;
};
// The double quotient of two 32-bit integers never rounds across an integer, so truncating it is exact; `| 0` wraps INT_MIN / -1.
const divWord: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = y[i] === 0 ? -1 : (x[i]! / y[i]!) | 0;
};
/** Quotient; that of integers truncates, `x / 0` has all bits set, and `INT_MIN / -1` is `INT_MIN`. */
export const div = binary(divFloat, divWord);

const maxFloat: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.max(x[i]!, y[i]!);
};
const maxWord: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.max(x[i]!, y[i]!);
};
/** The greater; NaN if either is, and `-0 < +0`: exactly `Math.max`. */
export const max = binary(maxFloat, maxWord);

const minFloat: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.min(x[i]!, y[i]!);
};
const minWord: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.min(x[i]!, y[i]!);
};
/** The lesser; NaN if either is, and `-0 < +0`: exactly `Math.min`. */
export const min = binary(minFloat, minWord);

const negFloat: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = -x[i]!;
};
const negWord: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = -x[i]! | 0;
};
/** Negation; `-INT_MIN` is `INT_MIN`. */
export const neg = unary(negFloat, negWord);

/** e^x. */
export const exp = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.exp(x[i]!);
});

/** Natural logarithm; NaN below 0. */
export const log = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.log(x[i]!);
});

/** Hyperbolic tangent. */
export const tanh = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.tanh(x[i]!);
});

/** 1 / (1 + e^-x), with the exponential of a negative number on either side, so that neither tail loses its digits. */
export const logistic = unary((x, out) => {
  for (let i = 0; i < out.length; i++) {
    const value = x[i]!;
    const e = Math.exp(-Math.abs(value));
    out[i] = (value < 0 ? e : 1) / (1 + e);
  }
});

/** Sine of radians. */
export const sin = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.sin(x[i]!);
});

/** Cosine of radians. */
export const cos = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.cos(x[i]!);
});

/** Square root; NaN below 0. */
export const sqrt = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.sqrt(x[i]!);
});

const square: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! * x[i]!;
};
const powFloat = (x: TypedArray, out: TypedArray, exponent: number): void => {
  const n = Math.abs(exponent);
  for (let i = 0; i < out.length; i++) {
    let base = x[i]!;
    let power = 1;
    for (let bits = n; bits > 0; bits = Math.floor(bits / 2)) {
      if (bits & 1) power *= base;
      base *= base;
    }
    out[i] = exponent < 0 ? 1 / power : power;
  }
};
const powWord = (x: TypedArray, out: TypedArray, exponent: number): void => {
  for (let i = 0; i < out.length; i++) {
    let base = x[i]! | 0;
    let power = 1;
    for (let bits = exponent; bits > 0; bits = Math.floor(bits / 2)) {
      if (bits & 1) power = Math.imul(power, base);
      base = Math.imul(base, base);
    }
    out[i] = power;
  }
};
/** x^exponent by repeated squaring; `x^0` is 1 for every `x`, `x^-n` is `1 / x^n`, integers wrap. */
export const integerPow: Lower<{ readonly exponent: number }> = (ins, _outs, { exponent }) => {
  if (!isFloat(ins[0]!.dtype)) return (ins, outs) => powWord(ins[0]!, outs[0]!, exponent);
  if (exponent === 2) return (ins, outs) => square(ins[0]!, outs[0]!);
  return (ins, outs) => powFloat(ins[0]!, outs[0]!, exponent);
};
