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

/** One operand, one result. */
export type UnaryLoop = (x: TypedArray, out: TypedArray) => void;
/** Two operands, one result. */
export type BinaryLoop = (x: TypedArray, y: TypedArray, out: TypedArray) => void;

/** A primitive of one operand: its loop for floats, and that for the others. The family is that of the operands. */
export const unary =
  (float: UnaryLoop, word: UnaryLoop = float): Lower<unknown> =>
  (ins) => {
    const loop = isFloat(ins[0]!.dtype) ? float : word;
    return (ins, outs) => loop(ins[0]!, outs[0]!);
  };
/** As {@link unary}, of two operands. */
export const binary =
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

const absFloat: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.abs(x[i]!);
};
const absWord: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.abs(x[i]!);
};
/** Absolute value; `|INT_MIN|` is stored as `INT_MIN`. */
export const abs = unary(absFloat, absWord);

const signFloat: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.sign(x[i]!);
};
const signWord: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.sign(x[i]!);
};
/** -1, 0 or 1; the sign of a zero stays, NaN is NaN. */
export const sign = unary(signFloat, signWord);

const remFloat: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! % y[i]!;
};
const remWord: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = y[i] === 0 ? x[i]! : x[i]! % y[i]!;
};
/** What a truncated quotient leaves, exactly, with the sign of `x`; of integers `x rem 0` is `x`. */
export const rem = binary(remFloat, remWord);

type TernaryLoop = (x: TypedArray, y: TypedArray, z: TypedArray, out: TypedArray) => void;
const clampFloat: TernaryLoop = (low, x, high, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(x[i]!, low[i]!), high[i]!);
};
const clampWord: TernaryLoop = (low, x, high, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(x[i]!, low[i]!), high[i]!);
};
/** `x` between `low` and `high`, which wins if they cross; NaN if any is. */
export const clamp: Lower<unknown> = (ins) => {
  const loop = isFloat(ins[0]!.dtype) ? clampFloat : clampWord;
  return (ins, outs) => loop(ins[0]!, ins[1]!, ins[2]!, outs[0]!);
};

/** The greatest whole number not above. */
export const floor = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.floor(x[i]!);
});

/** The least whole number not below. */
export const ceil = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.ceil(x[i]!);
});

/** The nearest whole number: `Math.round` takes halves up, so an odd result half above `x` is one too many. */
export const round = unary((x, out) => {
  for (let i = 0; i < out.length; i++) {
    const value = x[i]!;
    const up = Math.round(value);
    out[i] = up - value === 0.5 && up % 2 !== 0 ? up - 1 : up;
  }
});

/** Neither infinite nor NaN. */
export const finite = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Number.isFinite(x[i]!) ? 1 : 0;
});
