/**
 * Sorting: the key of each row as doubles, with the numbers of its elements, through a stable merge sort; then every operand is
 * read in that order. NaN is set aside first, so that the sort itself compares numbers by `<`, to which −0 and 0 are equal.
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

/** Keys that are numbers to the front, in their order; NaN behind. Returns how many numbers there are. */
function load(x: TypedArray, at: number, step: number, row: Row): number {
  const length = row.keys.length;
  let count = 0;
  let nans = 0;
  for (let i = 0; i < length; i++) {
    const key = x[at + i * step]!;
    if (Number.isNaN(key)) nans += 1;
    else {
      row.keys[count] = key;
      row.numbers[count++] = i;
    }
  }
  if (nans > 0) {
    for (let i = 0, behind = count; i < length; i++) if (Number.isNaN(x[at + i * step]!)) row.numbers[behind++] = i;
  }
  return count;
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

/** All operands in the order of the first along `dimension`. */
export const sort: Lower<{ readonly dimension: number }> = (ins, _outs, { dimension }) => {
  const { shape } = ins[0]!;
  const length = shape[dimension]!;
  const step = sizeOf(shape.slice(dimension + 1));
  const outer = sizeOf(shape.slice(0, dimension));
  const permutes = ins.map((x) => (isFloat(x.dtype) ? permuteFloat : permuteWord));
  return (ins, outs) => {
    const [row, spare] = [makeRow(length), makeRow(length)];
    for (let a = 0; a < outer; a++) {
      for (let b = 0; b < step; b++) {
        const at = a * length * step + b;
        const count = load(ins[0]!, at, step, row);
        const sorted = mergeSort(row, spare, count);
        // What is not a number stays in `row`, behind the others.
        if (sorted !== row) row.numbers.set(sorted.numbers.subarray(0, count));
        for (let k = 0; k < permutes.length; k++) permutes[k]!(ins[k]!, outs[k]!, row.numbers, length, at, step);
      }
    }
  };
};
