/**
 * Algebra of trees: what holds for a leaf holds for a tree of them, leaf by leaf.
 *
 * Instances are values. The laws (`laws/tree.laws.ts`) hold up to the rounding of the leaf's arithmetic.
 */

import type * as Eq from 'fp-ts/lib/Eq.js';
import type * as M from 'fp-ts/lib/Monoid.js';
import { type Aval, sameAval } from '../core/aval.ts';
import type { Value } from '../core/value.ts';
import { flatten, map, map2 } from './tree.ts';

/** Vectors over the numbers: what a tree of parameters, gradients or updates is. */
export interface VectorSpace<V> {
  readonly add: (a: V, b: V) => V;
  readonly scale: (factor: number, v: V) => V;
  /** The zero of the same structure as `v`. */
  readonly zerosLike: (v: V) => V;
  /** ⟨a, b⟩, summed over all leaves. */
  readonly inner: (a: V, b: V) => Value;
}

/** The arithmetic that a tree's vector space needs of its leaves. */
export interface LeafSpace {
  readonly add: (a: Value, b: Value) => Value;
  readonly scale: (factor: number, x: Value) => Value;
  readonly zerosLike: (x: Value) => Value;
  readonly inner: (a: Value, b: Value) => Value;
  readonly zero: () => Value;
}

/** Avals are equal if shape, dtype and weakness are. */
export const eqAval: Eq.Eq<Aval> = { equals: sameAval };

/** Trees are equal if their structures are, and their leaves pairwise. */
export const eqTree = <T>(leaf: Eq.Eq<Value>): Eq.Eq<T> => ({
  equals: (a, b) => {
    const x = flatten(a, 'eqTree');
    const y = flatten(b, 'eqTree');
    return x.def.key === y.def.key && x.leaves.every((l, i) => leaf.equals(l, y.leaves[i]!));
  },
});

/** Trees of the structure of `empty` form a monoid if their leaves do. */
export const monoidTree = <T>(concat: (a: Value, b: Value) => Value, empty: T): M.Monoid<T> => ({
  concat: (a, b) => map2(concat, a, b),
  empty,
});

/** The vector space of trees over that of their leaves. */
export const vectorSpaceOf = <T>(leaf: LeafSpace): VectorSpace<T> => ({
  add: (a, b) => map2(leaf.add, a, b),
  scale: (factor, v) => map((x: Value) => leaf.scale(factor, x), v),
  zerosLike: (v) => map(leaf.zerosLike, v),
  inner: (a, b) => {
    const ys = flatten(b, 'inner').leaves;
    return flatten(a, 'inner').leaves.reduce((sum, x, i) => leaf.add(sum, leaf.inner(x, ys[i]!)), leaf.zero());
  },
});
