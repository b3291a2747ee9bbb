/** Arbitrary pairs of shapes that broadcast, as NumPy has it, with the shape they meet in. */

import * as fc from 'fast-check';
import type { Shape } from '../../src/core/shape.ts';
import { shape } from './shape.ts';

/** Two shapes and what they broadcast to. */
export interface BroadcastPair {
  readonly left: Shape;
  readonly right: Shape;
  readonly result: Shape;
}

/** How an axis of the result arises: both have it, one has length 1 there. */
const roles = ['both', 'left', 'right'] as const;

/** Shapes that broadcast with each other: axes of length 1, and leading axes that are missing on one side. */
export const broadcastPair = (): fc.Arbitrary<BroadcastPair> =>
  shape({ maxRank: 3 }).chain((result) =>
    fc
      .tuple(
        fc.array(fc.constantFrom(...roles), { minLength: result.length, maxLength: result.length }),
        fc.nat({ max: result.length }),
        fc.boolean(),
      )
      .map(([from, missing, isLeft]) => {
        const side = (other: 'left' | 'right', cut: boolean): Shape =>
          result.map((n, axis) => (from[axis] === other ? 1 : n)).slice(cut ? missing : 0);
        const left = side('right', isLeft);
        const right = side('left', !isLeft);
        return { left, right, result: meet(left, right) };
      }),
  );

/** The shape of the result: from the right, 1 gives way to the other's length. */
function meet(left: Shape, right: Shape): Shape {
  const rank = Math.max(left.length, right.length);
  return Array.from({ length: rank }, (_, axis) => {
    const a = left[axis - rank + left.length] ?? 1;
    const b = right[axis - rank + right.length] ?? 1;
    return a === 1 ? b : a;
  });
}
