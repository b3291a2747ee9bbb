/** Arbitrary axes: one, several, or the places where operands have a batch axis. */

import * as fc from 'fast-check';
import { range } from '../../src/core/shape.ts';

/** Distinct axes of a rank, in any order; possibly none. */
export const axesOf = (rank: number): fc.Arbitrary<readonly number[]> => fc.shuffledSubarray(range(rank));

/** For each rank, where a new axis goes: from 0 to the rank. */
export const insertions = (ranks: readonly number[]): fc.Arbitrary<readonly number[]> =>
  fc.tuple(...ranks.map((rank) => fc.nat({ max: rank })));

/** All non-empty subsets of `items`, the single ones first. */
export function subsets<A>(items: readonly A[]): readonly (readonly A[])[] {
  const all = range(2 ** items.length).map((bits) => items.filter((_, i) => (bits >> i) & 1));
  return all.filter((subset) => subset.length > 0).sort((a, b) => a.length - b.length);
}
