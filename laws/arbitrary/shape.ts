/** Arbitrary shapes: small, of few axes, sometimes empty; they shrink to scalars and to length 1. */

import * as fc from 'fast-check';
import { type Shape, sizeOf } from '../../src/core/shape.ts';

/** Bounds of a {@link shape}. */
export interface ShapeOptions {
  readonly minRank?: number;
  readonly maxRank?: number;
  /** May an axis have length 0? Default true, for one axis in sixteen. */
  readonly empty?: boolean;
  /** One of these, and no other. */
  readonly among?: readonly Shape[];
}

/** More elements than this no tensor of a law has. */
export const maxSize = 64;

/** A length from 1 to 4, or 0 now and then. */
export const axisLength = (empty = true): fc.Arbitrary<number> => {
  const some = fc.integer({ min: 1, max: 4 });
  return empty ? fc.oneof({ weight: 15, arbitrary: some }, { weight: 1, arbitrary: fc.constant(0) }) : some;
};

/** A shape of at most {@link maxSize} elements. */
export const shape = ({ minRank = 0, maxRank = 4, empty = true, among }: ShapeOptions = {}): fc.Arbitrary<Shape> =>
  among
    ? fc.constantFrom(...among)
    : fc.array(axisLength(empty), { minLength: minRank, maxLength: maxRank, size: 'max' }).map(bounded);

/** The shape with its last axes cut to length 1 until it is small. */
export function bounded(lengths: Shape): Shape {
  const result = [...lengths];
  for (let axis = result.length - 1; sizeOf(result) > maxSize; axis--) result[axis] = 1;
  return result;
}

/** The permutations of `0, …, n − 1`. */
export const permutation = (n: number): fc.Arbitrary<number[]> =>
  fc.shuffledSubarray(
    Array.from({ length: n }, (_, i) => i),
    { minLength: n, maxLength: n },
  );
