/**
 * Comparisons, choice and casts: where dtypes meet.
 *
 * As in `elementwise.ts` there is one loop per primitive and family, so that none sees more than three kinds of array. A
 * comparison with NaN is false, except `ne`; zeros are equal.
 */

import { integerRange, isFloat, isInteger, type TypedArray } from '../../src/core/dtype.ts';
import type { Lower } from './kernel.ts';

type Comparison = (x: TypedArray, y: TypedArray, out: TypedArray) => void;

const comparison =
  (float: Comparison, word: Comparison): Lower<unknown> =>
  (ins) => {
    const loop = isFloat(ins[0]!.dtype) ? float : word;
    return (ins, outs) => loop(ins[0]!, ins[1]!, outs[0]!);
  };

/** x = y. */
export const eq = comparison(
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! === y[i]! ? 1 : 0;
  },
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! === y[i]! ? 1 : 0;
  },
);

/** x ≠ y. */
export const ne = comparison(
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! !== y[i]! ? 1 : 0;
  },
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! !== y[i]! ? 1 : 0;
  },
);

/** x < y. */
export const lt = comparison(
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! < y[i]! ? 1 : 0;
  },
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! < y[i]! ? 1 : 0;
  },
);

/** x ≤ y. */
export const le = comparison(
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! <= y[i]! ? 1 : 0;
  },
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! <= y[i]! ? 1 : 0;
  },
);

/** x > y. */
export const gt = comparison(
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! > y[i]! ? 1 : 0;
  },
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! > y[i]! ? 1 : 0;
  },
);

/** x ≥ y. */
export const ge = comparison(
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! >= y[i]! ? 1 : 0;
  },
  (x, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = x[i]! >= y[i]! ? 1 : 0;
  },
);

type Choice = (predicate: TypedArray, onTrue: TypedArray, onFalse: TypedArray, out: TypedArray) => void;

const selectFloat: Choice = (predicate, onTrue, onFalse, out) => {
  for (let i = 0; i < out.length; i++) out[i] = predicate[i] !== 0 ? onTrue[i]! : onFalse[i]!;
};
const selectWord: Choice = (predicate, onTrue, onFalse, out) => {
  for (let i = 0; i < out.length; i++) out[i] = predicate[i] !== 0 ? onTrue[i]! : onFalse[i]!;
};
/** `onTrue` where the predicate holds, else `onFalse`; what is not chosen is not looked at. */
export const select: Lower<unknown> = (_ins, outs) => {
  const loop = isFloat(outs[0]!.dtype) ? selectFloat : selectWord;
  return (ins, outs) => loop(ins[0]!, ins[1]!, ins[2]!, outs[0]!);
};

const nonzeroFloat = (x: TypedArray, out: TypedArray): void => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! !== 0 ? 1 : 0;
};
const nonzeroWord = (x: TypedArray, out: TypedArray): void => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! !== 0 ? 1 : 0;
};
// Storing truncates towards zero and takes NaN to 0, which neither comparison catches.
const saturate = (x: TypedArray, out: TypedArray, low: number, high: number): void => {
  for (let i = 0; i < out.length; i++) {
    const value = x[i]!;
    out[i] = value < low ? low : value > high ? high : value;
  }
};
/**
 * Cast. To bool: is it not 0 (so NaN is true). From float to integer: truncate, saturate, NaN is 0. Between integers: the
 * same bits. Otherwise the nearest value of the target, which is what `TypedArray.set` computes.
 */
export const convertElementType: Lower<unknown> = (ins, outs) => {
  const [from, to] = [ins[0]!.dtype, outs[0]!.dtype];
  if (to === 'bool' && from !== 'bool') {
    const loop = isFloat(from) ? nonzeroFloat : nonzeroWord;
    return (ins, outs) => loop(ins[0]!, outs[0]!);
  }
  if (isFloat(from) && isInteger(to)) {
    const [low, high] = integerRange(to);
    return (ins, outs) => saturate(ins[0]!, outs[0]!, low, high);
  }
  return (ins, outs) => outs[0]!.set(ins[0]!);
};
