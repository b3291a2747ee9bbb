/**
 * Sorting: the key of each row as doubles, with the numbers of its elements, through a stable merge sort; then every operand is
 * read in that order. NaN is set aside first, so that the sort itself compares numbers by `<`, to which −0 and 0 are equal.
 *
 * Several keys are sorted one after the other from the last to the first: because each sort is stable, it keeps the order of
 * those before it where its own key is equal.
 */

import { isFloat, type TypedArray } from '../../src/core/dtype.ts';
import { sizeOf } from '../../src/core/shape.ts';
import type { Lower } from './kernel.ts';

/** Runs of this length are sorted by insertion before they are merged. */
const runLength = 12;

/** Keys and the numbers of their elements, which move together. */
interface Row {
  readonly keys: Float64Array;
  readonly numbers: Uint32Array;
}

const makeRow = (length: number): Row => ({ keys: new Float64Array(length), numbers: new Uint32Array(length) });

function insertionSort({ keys, numbers }: Row, begin: number, end: number): void {
  for (let i = begin + 1; i < end; i++) {
    const key = keys[i]!;
    const number = numbers[i]!;
    let at = i;
    for (; at > begin && key < keys[at - 1]!; at--) {
      keys[at] = keys[at - 1]!;
      numbers[at] = numbers[at - 1]!;
    }
    keys[at] = key;
    numbers[at] = number;
  }
}

/** Merge the sorted parts [begin, middle) and [middle, end) of `from`; of equal keys those of the first part come first. */
function merge(from: Row, to: Row, begin: number, middle: number, end: number): void {
  let [left, right] = [begin, middle];
  for (let at = begin; at < end; at++) {
    const second = left === middle || (right < end && from.keys[right]! < from.keys[left]!);
    const source = second ? right++ : left++;
    to.keys[at] = from.keys[source]!;
    to.numbers[at] = from.numbers[source]!;
  }
}

/** Sort the first `length` keys, none of which is NaN; the result is in one of the two rows. */
function mergeSort(row: Row, spare: Row, length: number): Row {
  for (let begin = 0; begin < length; begin += runLength) {
    insertionSort(row, begin, Math.min(begin + runLength, length));
  }
  let [from, to] = [row, spare];
  for (let width = runLength; width < length; width *= 2) {
    for (let begin = 0; begin < length; begin += 2 * width) {
      merge(from, to, begin, Math.min(begin + width, length), Math.min(begin + 2 * width, length));
    }
    [from, to] = [to, from];
  }
  return from;
}

/** Keys that are numbers to the front, in the given order; NaN behind. Returns how many numbers there are. */
function load(x: TypedArray, at: number, step: number, order: Uint32Array, row: Row): number {
  const length = order.length;
  let count = 0;
  let nans = 0;
  for (let i = 0; i < length; i++) {
    const number = order[i]!;
    const key = x[at + number * step]!;
    if (Number.isNaN(key)) nans += 1;
    else {
      row.keys[count] = key;
      row.numbers[count++] = number;
    }
  }
  if (nans > 0) {
    for (let i = 0, behind = count; i < length; i++) {
      if (Number.isNaN(x[at + order[i]! * step]!)) row.numbers[behind++] = order[i]!;
    }
  }
  return count;
}

/** Brings `order` into that of a key. */
function sortBy(x: TypedArray, at: number, step: number, order: Uint32Array, row: Row, spare: Row): void {
  const count = load(x, at, step, order, row);
  const sorted = mergeSort(row, spare, count);
  order.set(sorted.numbers.subarray(0, count));
  // What is not a number stayed in `row`, behind the others.
  order.set(row.numbers.subarray(count, order.length), count);
}

const permuteFloat = (
  x: TypedArray,
  out: TypedArray,
  numbers: Uint32Array,
  count: number,
  at: number,
  step: number,
): void => {
  for (let i = 0; i < count; i++) out[at + i * step] = x[at + numbers[i]! * step]!;
};
const permuteWord = (
  x: TypedArray,
  out: TypedArray,
  numbers: Uint32Array,
  count: number,
  at: number,
  step: number,
): void => {
  for (let i = 0; i < count; i++) out[at + i * step] = x[at + numbers[i]! * step]!;
};

/** All operands in the order of the first `numKeys` along `dimension`. */
export const sort: Lower<{ readonly dimension: number; readonly numKeys: number }> = (ins, _outs, params) => {
  const { dimension, numKeys } = params;
  const { shape } = ins[0]!;
  const length = shape[dimension]!;
  const step = sizeOf(shape.slice(dimension + 1));
  const outer = sizeOf(shape.slice(0, dimension));
  const permutes = ins.map((x) => (isFloat(x.dtype) ? permuteFloat : permuteWord));
  return (ins, outs) => {
    const [row, spare, order] = [makeRow(length), makeRow(length), new Uint32Array(length)];
    for (let a = 0; a < outer; a++) {
      for (let b = 0; b < step; b++) {
        const at = a * length * step + b;
        for (let i = 0; i < length; i++) order[i] = i;
        for (let k = numKeys - 1; k >= 0; k--) sortBy(ins[k]!, at, step, order, row, spare);
        for (let k = 0; k < permutes.length; k++) permutes[k]!(ins[k]!, outs[k]!, order, length, at, step);
      }
    }
  };
};

/** The `k` largest of each row, the first of equal ones in front: a row read backwards, sorted, and read backwards again. */
export const topK: Lower<{ readonly k: number }> = (ins, _outs, { k }) => {
  const length = ins[0]!.shape.at(-1)!;
  const rows = sizeOf(ins[0]!.shape.slice(0, -1));
  return ([x], [values, indices]) => {
    const [row, spare, order] = [makeRow(length), makeRow(length), new Uint32Array(length)];
    for (let a = 0; a < rows; a++) {
      for (let i = 0; i < length; i++) order[i] = length - 1 - i;
      sortBy(x!, a * length, 1, order, row, spare);
      for (let i = 0; i < k; i++) {
        const number = order[length - 1 - i]!;
        values![a * k + i] = x![a * length + number]!;
        indices![a * k + i] = number;
      }
    }
  };
};
