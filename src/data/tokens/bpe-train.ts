/**
 * Learning of merges, with counts that are kept up to date: a merge looks only at the pieces that have its pair.
 *
 * Pairs wait in a heap by their count; one whose count has changed since is put back with what it is now. Every count is exact
 * when its pair is taken.
 */

import { Heap } from './heap.ts';

/** A pair as a number: tokens stay below 2²⁶. */
const keyOf = (a: number, b: number): number => a * 2 ** 26 + b;

interface Pair {
  count: number;
  readonly key: number;
  /** Pieces that have, or had, the pair. */
  readonly pieces: Set<number>;
}

/** A pair and the count that it had when it was put into the heap. */
interface Offer {
  readonly count: number;
  readonly pair: Pair;
}

/** More frequent pairs first, then smaller ones. */
const precedes = (a: Offer, b: Offer): boolean => a.count > b.count || (a.count === b.count && a.pair.key < b.pair.key);

/** Up to `most` merges of pieces, each with how often it comes. */
export function learned(
  pieces: readonly (readonly [bytes: Uint8Array, count: number])[],
  most: number,
): readonly (readonly [number, number])[] {
  const tokens = pieces.map(([bytes]) => Array.from(bytes));
  const pairs = new Map<number, Pair>();
  const change = (a: number, b: number, piece: number, by: number): Pair => {
    const key = keyOf(a, b);
    let pair = pairs.get(key);
    if (!pair) {
      pair = { count: 0, key, pieces: new Set() };
      pairs.set(key, pair);
    }
    pair.count += by;
    if (by > 0) pair.pieces.add(piece);
    return pair;
  };
  tokens.forEach((list, piece) => {
    for (let i = 0; i + 1 < list.length; i++) change(list[i]!, list[i + 1]!, piece, pieces[piece]![1]);
  });
  const heap = new Heap(precedes);
  for (const pair of pairs.values()) heap.push({ count: pair.count, pair });

  const merges: (readonly [number, number])[] = [];
  while (merges.length < most) {
    const offer = heap.pop();
    if (!offer) break;
    const { pair, count } = offer;
    if (pair.count !== count) {
      if (pair.count > 0) heap.push({ count: pair.count, pair });
      continue;
    }
    // A pair that comes once shortens nothing else.
    if (count < 2) break;
    const [a, b] = [Math.floor(pair.key / 2 ** 26), pair.key % 2 ** 26];
    const made = 256 + merges.length;
    merges.push([a, b]);
    const grown = new Set<Pair>();
    for (const piece of pair.pieces) {
      const list = tokens[piece]!;
      const weight = pieces[piece]![1];
      const after = replaced(list, a, b, made);
      if (after.length === list.length) continue;
      for (let i = 0; i + 1 < list.length; i++) change(list[i]!, list[i + 1]!, piece, -weight);
      for (let i = 0; i + 1 < after.length; i++) {
        const touched = change(after[i]!, after[i + 1]!, piece, weight);
        if (after[i] === made || after[i + 1] === made) grown.add(touched);
      }
      tokens[piece] = after;
    }
    pairs.delete(pair.key);
    for (const touched of grown) heap.push({ count: touched.count, pair: touched });
  }
  return merges;
}

/** A list with each pair a, b, from the left, as one token. */
function replaced(list: readonly number[], a: number, b: number, made: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < list.length; i++) {
    if (list[i] === a && list[i + 1] === b) {
      out.push(made);
      i++;
    } else out.push(list[i]!);
  }
  return out;
}
