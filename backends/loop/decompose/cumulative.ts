/**
 * Cumulative reductions as an associative scan: O(log n) elementwise steps on parts of the axis, each of which is parallel, where
 * a loop along the axis would be none.
 */

import type { Value } from '../../../src/core/value.ts';
import { add, max, min, mul } from '../../../src/prim/arithmetic.ts';
import { associativeScan } from '../../../src/prim/associative.ts';
import { type CumulativeParams, logAddExp } from '../../../src/prim/cumulative.ts';

const scanOf =
  (combine: (a: Value, b: Value) => Value) =>
  ([x]: readonly Value[], { axis, reverse }: CumulativeParams): readonly Value[] =>
    associativeScan(([a], [b]) => [combine(a!, b!)], [x!], [axis], reverse);

/** Sums of the first elements. */
export const cumsum = scanOf(add);
/** Products of the first elements. */
export const cumprod = scanOf(mul);
/** The largest of the first elements. */
export const cummax = scanOf(max);
/** The least of the first elements. */
export const cummin = scanOf(min);
/** log Σ eˣ of the first elements. */
export const cumlogsumexp = scanOf(logAddExp);
