/** How far results of a GPU may be from the interpreter's. */

import type { TypedArray } from '../../src/core/dtype.ts';

/** What an adapter computes with: units in the last place of the larger of an element and `scale`; subnormals may be 0. */
export interface Tolerance {
  readonly ulps: number;
  readonly scale: number;
}

const smallest = 2 ** -126;

/** Is this a float32 that devices may take for 0? */
export const isSubnormal = (x: number): boolean => x !== 0 && Math.abs(x) < smallest;

const ulp = (x: number): number => 2 ** (Math.floor(Math.log2(Math.max(Math.abs(x), smallest))) - 23);

/** The first difference, in words; `null` if there is none. */
export function difference(found: TypedArray, wanted: TypedArray, { ulps, scale }: Tolerance): string | null {
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [found[i]!, wanted[i]!];
    if (Object.is(a, b)) continue;
    const float = wanted instanceof Float32Array;
    const close =
      float &&
      Number.isFinite(a) &&
      Number.isFinite(b) &&
      (Math.abs(a - b) <= ulps * ulp(Math.max(Math.abs(b), scale)) ||
        (Math.abs(a) < smallest && Math.abs(b) < smallest));
    if (!close || (a === b && ulps === 0)) return `element ${i} is ${text(a)}, not ${text(b)}`;
  }
  return null;
}

const text = (x: number): string => (Object.is(x, -0) ? '-0' : String(x));
