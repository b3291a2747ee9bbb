/** Keys for the leaves of a tree, by their paths. */

import { type Leaf, type Mapped, mapWithPath } from '../tree/tree.ts';
import { expectKey, foldIn, type Key } from './key.ts';

const offsetBasis = 0xcbf29ce484222325n;
const prime = 0x100000001b3n;

/** 64-bit FNV-1a (Fowler, Noll, Vo; draft-eastlake-fnv) of a text in UTF-8, as its high and low words. */
export function hashPath(path: string): readonly [number, number] {
  let hash = offsetBasis;
  for (const byte of new TextEncoder().encode(path)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * prime);
  return [Number(hash >> 32n), Number(hash & 0xffffffffn)];
}

/**
 * Make every leaf of a tree from a key of its own, which depends on the key and on the leaf's path: adding a leaf to a model
 * or removing one changes no other.
 *
 * The key of a leaf is `foldIn(foldIn(key, high), low)` with the words of 64-bit FNV-1a of its path, `layers[2].w`.
 *
 * @param init - makes a leaf from its key, what stands there in `tree` (a tensor, or an aval such as `evalShape` returns) and
 *   its path
 *
 * @example
 * ```ts
 * import { np, random, tree } from 'pullback';
 * const like = { w: np.zeros([784, 256]), b: np.zeros([256]) };
 * const noise = tree.mapKeys(random.key(0), (key, leaf) => random.normal(key, leaf.shape), like);
 * console.log(noise.w.shape); // => [ 784, 256 ]
 * ```
 */
export function mapKeys<T, R extends Leaf, L extends Leaf = Leaf>(
  key: Key,
  init: (key: Key, leaf: L, path: string) => R,
  tree: T,
): Mapped<T, R> {
  expectKey('tree.mapKeys', key);
  const made = mapWithPath<unknown, L>((leaf, path) => {
    const [high, low] = hashPath(path);
    return init(foldIn(foldIn(key, high), low), leaf, path);
  }, tree);
  return made as Mapped<T, R>;
}
