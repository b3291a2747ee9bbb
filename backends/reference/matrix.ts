/** What kernels of linear algebra share: matrices are copied to double precision, worked on in place, and stored rounded. */

import type { TypedArray } from '../../src/core/dtype.ts';
import { type Shape, sizeOf } from '../../src/core/shape.ts';

/** The number of matrices, their rows and their columns. */
export const matricesOf = (shape: Shape): readonly [count: number, rows: number, columns: number] => [
  sizeOf(shape.slice(0, -2)),
  shape.at(-2)!,
  shape.at(-1)!,
];

/** Fill `to` with the elements of `from` that begin at `offset`. */
export function load(from: TypedArray, offset: number, to: Float64Array): void {
  to.set(from.subarray(offset, offset + to.length));
}

/** The largest magnitude; NaN if any element is. */
export function largest(x: Float64Array): number {
  let most = 0;
  for (let i = 0; i < x.length; i++) {
    const size = Math.abs(x[i]!);
    if (!(size <= most)) most = size;
    if (most !== most) return most;
  }
  return most;
}

/**
 * A power of two that brings a positive number to the neighbourhood of 1, by which scaling rounds nothing. A subnormal number
 * is brought as near as one factor can.
 */
export const scaleOf = (size: number): number =>
  size > 0 && size < Infinity ? 2 ** Math.max(-1000, Math.min(1000, -Math.floor(Math.log2(size)))) : 1;
