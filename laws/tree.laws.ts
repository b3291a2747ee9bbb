/** The laws of trees: flattening loses nothing, traversals keep structure, and instances are what they say. */

import * as fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import type * as Eq from 'fp-ts/lib/Eq.js';
import type { Value } from '../src/core/value.ts';
import * as np from '../src/ops/np.ts';
import { vectorSpace } from '../src/ops/space.ts';
import { key as makeKey } from '../src/random/key.ts';
import { mapKeys } from '../src/random/trees.ts';
import { eqTreeDef, leafPaths } from '../src/tree/def.ts';
import { eqTree, monoidTree } from '../src/tree/instances.ts';
import {
  flatten,
  leaves,
  leavesWithPaths,
  map,
  map2,
  reduce,
  structure,
  traverseEither,
  unflatten,
  unzip,
} from '../src/tree/tree.ts';
import { integers } from './arbitrary/dtype.ts';
import { edgy, within } from './arbitrary/elements.ts';
import { tensor } from './arbitrary/tensor.ts';
import { type HostTree, mapHostTree, tree } from './arbitrary/tree.ts';
import { close, hostTensor, isHostTensor, sameBits, sameValues, toHost, toTensor } from './host.ts';
import { every, expect, fails, holds, type Law, law, type Suite, type Verdict } from './law.ts';

/** The tree on the default device. */
const build = (tree: HostTree): unknown => mapHostTree((x) => toTensor(x), tree);

/** Are two trees the same, node by node, with identical leaves and statics? */
function identical(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b) || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const names = Object.keys(x).sort();
  return names.join() === Object.keys(y).sort().join() && names.every((name) => identical(x[name], y[name]));
}

const sameTrees = (what: string, a: unknown, b: unknown): Verdict => {
  if (!eqTreeDef.equals(structure(a), structure(b)))
    return fails(`${what}: ${structure(a).key} beside ${structure(b).key}`);
  return sameValues(what, leaves(a), leaves(b));
};

/** A tree whose objects have their keys in another order. */
const shuffled = (tree: HostTree): HostTree => {
  if (isHostTensor(tree) || typeof tree !== 'object' || tree === null) return tree;
  if (Array.isArray(tree)) return tree.map(shuffled);
  return Object.fromEntries(
    Object.entries(tree)
      .reverse()
      .map(([name, child]) => [name, shuffled(child)]),
  );
};

const trees = tree();
/** Trees of small floats, of which sums and products are exact. */
const vectors = tree(tensor({ maxRank: 2, dtypes: ['float32'], domain: within(-2, 2) }));
/** Trees of integers, whose addition wraps and so is associative. */
const integerTrees = tree(tensor({ maxRank: 2, dtypes: integers, domain: edgy }));

const structureLaws: readonly Law[] = [
  law('unflatten ∘ flatten = identity', [trees], (host) => {
    const t = build(host);
    const flat = flatten(t);
    return expect(identical(unflatten(flat.def, flat.leaves), t), () => `${flat.def.key} was rebuilt differently`);
  }),
  law('flatten ∘ unflatten = identity', [trees], (host) => {
    const flat = flatten(build(host));
    const again = flatten(unflatten(flat.def, flat.leaves));
    const same = eqTreeDef.equals(again.def, flat.def) && again.leaves.every((x, i) => x === flat.leaves[i]);
    return expect(same, () => `${flat.def.key} became ${again.def.key}`);
  }),
  law('the order of keys is not seen', [trees], (host) => {
    const [a, b] = [build(host), build(shuffled(host))];
    return sameTrees('with keys in another order', b, a);
  }),
  law('a static leaf is part of the structure', [trees, fc.integer()], (host, n) => {
    const [a, b] = [structure([build(host), n]), structure([build(host), n + 1])];
    return expect(!eqTreeDef.equals(a, b), () => `${a.key} is taken for ${b.key}`);
  }),
  law('paths are distinct, one for each leaf, and lead to it', [trees], (host) => {
    const t = build(host);
    const flat = flatten(t);
    const paths = leafPaths(flat.def, 'root');
    const found = paths.map((path) => new Function('root', `return ${path}`)(t) as unknown);
    if (new Set(paths).size !== flat.leaves.length) return fails(`${paths} for ${flat.leaves.length} leaves`);
    const pairs = leavesWithPaths(t, 'root').every(([path, x], i) => path === paths[i] && x === flat.leaves[i]);
    return expect(pairs && found.every((x, i) => x === flat.leaves[i]), () => `${paths} do not lead to the leaves`);
  }),
];

const traversalLaws: readonly Law[] = [
  law('map identity = identity', [trees], (host) => {
    const t = build(host);
    return expect(
      identical(
        map((x: Value) => x, t),
        t,
      ),
      () => `${structure(t).key} has changed`,
    );
  }),
  law('map (f ∘ g) = map f ∘ map g', [vectors], (host) => {
    const t = build(host);
    const [f, g] = [(x: Value): Value => np.sin(x), (x: Value): Value => np.add(x, 1)];
    return sameTrees(
      'composition',
      map((x: Value) => f(g(x)), t),
      map(f, map(g, t)),
    );
  }),
  law('map2, unzip and reduce visit the leaves in order', [vectors], (host) => {
    const t = build(host);
    const sums = map2((a, b) => np.add(a, b), t, t);
    const [same, doubled] = unzip((x) => [x, np.add(x, x)], t);
    const order = reduce<readonly Value[]>((seen, x) => [...seen, x], [], t);
    if (!identical(same, t) || order.some((x, i) => x !== leaves(t)[i])) return fails('leaves have changed places');
    const verdict = sameTrees(
      'map2',
      sums,
      map((x: Value) => np.add(x, x), t),
    );
    return verdict._tag === 'Fails' ? verdict : sameTrees('unzip', doubled, sums);
  }),
  law('traverseEither: all right is map, else the first left', [trees, fc.nat({ max: 5 })], (host, bad) => {
    const t = build(host);
    const paths: string[] = [];
    const f = (x: Value, path: string): E.Either<string, Value> => {
      paths.push(path);
      return paths.length === bad + 1 ? E.left(path) : E.right(x);
    };
    const result = traverseEither(f, t);
    const all = leafPaths(structure(t));
    if (bad >= all.length)
      return expect(E.isRight(result) && identical(result.right, t), () => 'all leaves were right');
    const stopped = E.isLeft(result) && result.left === all[bad] && paths.length === bad + 1;
    return expect(stopped, () => `stopped at ${paths.at(-1)}, expected ${all[bad]}`);
  }),
  law('mapKeys gives each leaf its own key, by its path alone', [vectors, fc.nat()], (host, seed) => {
    const t = build(host);
    const keys: string[] = [];
    const draw = (key: Value<'uint32'>): Value => {
      keys.push(key.dataSync().join());
      return key;
    };
    mapKeys(makeKey(seed), draw, { t });
    const alone = [...keys];
    keys.length = 0;
    mapKeys(makeKey(seed), draw, { a: np.zeros([1]), t, u: [np.zeros([1])] });
    const inside = keys.slice(1, keys.length - 1);
    if (new Set(keys).size !== keys.length) return fails(`a key was given twice: ${keys}`);
    return expect(inside.join(';') === alone.join(';'), () => 'other leaves have changed a key');
  }),
];

const bits: Eq.Eq<Value> = { equals: (a, b) => sameBits('', toHost(a), toHost(b))._tag === 'Holds' };

const instanceLaws: readonly Law[] = [
  law('Eq: reflexive, symmetric, and sees every leaf', [trees, fc.nat()], (host, at) => {
    const eq = eqTree<unknown>(bits);
    const [a, b] = [build(host), build(host)];
    if (!eq.equals(a, a) || !eq.equals(a, b) || !eq.equals(b, a)) return fails('equal trees are told apart');
    const size = structure(a).size;
    if (size === 0) return holds;
    let seen = 0;
    const other = map(
      (x: Value) => (seen++ === at % size ? np.concatenate([np.ravel(x), np.ravel(x), np.array([1])]) : x),
      a,
    );
    return expect(!eq.equals(a, other) && !eq.equals(other, a), () => `another leaf ${at % size} goes unnoticed`);
  }),
  law('Monoid: associative, with a neutral element', [integerTrees, fc.integer(), fc.integer()], (host, m, n) => {
    const a = build(host);
    const shifted = (k: number): unknown => map((x: Value) => np.mul(x, np.full([], k | 0, { dtype: 'int32' })), a);
    const zeros = map((x: Value) => np.zerosLike(x), a);
    const { concat, empty } = monoidTree<unknown>((x, y) => np.add(x, y), zeros);
    const same = map((x: Value) => np.astype(x, 'int32'), a);
    const [b, c] = [shifted(m), shifted(n)];
    const monoid = monoidTree<unknown>(
      (x, y) => np.add(x, y),
      map((x: Value) => np.zerosLike(x), same),
    );
    return every(
      [
        ['associative', monoid.concat(monoid.concat(same, b), c), monoid.concat(same, monoid.concat(b, c))],
        ['left identity', concat(empty, a), a],
        ['right identity', concat(a, empty), a],
      ] as const,
      ([what, x, y]) => sameTrees(what, x, y),
    );
  }),
  law('VectorSpace', [vectors, fc.integer({ min: -4, max: 4 }), fc.integer({ min: -4, max: 4 })], (host, m, n) => {
    const space = vectorSpace<unknown>();
    const a = build(host);
    const b = map((x: Value) => np.sub(x, 0.5), a);
    const zero = space.zerosLike(a);
    const verdict = every(
      [
        ['a + b = b + a', space.add(a, b), space.add(b, a)],
        ['a + 0 = a', space.add(a, zero), a],
        ['1a = a', space.scale(1, a), a],
        ['m(na) = (mn)a', space.scale(m, space.scale(n, a)), space.scale(m * n, a)],
        ['m(a + b) = ma + mb', space.scale(m, space.add(a, b)), space.add(space.scale(m, a), space.scale(m, b))],
        ['(m + n)a = ma + na', space.scale(m + n, a), space.add(space.scale(m, a), space.scale(n, a))],
      ] as const,
      ([what, x, y]) => alike(what, x, y),
    );
    if (verdict._tag === 'Fails') return verdict;
    const inner = (x: unknown, y: unknown): number => Number(space.inner(x, y).item());
    const scale = 1 + inner(a, a) + inner(b, b);
    const near = (x: number, y: number): boolean => Math.abs(x - y) <= 1e-5 * scale * (1 + Math.abs(m));
    const bilinear = near(inner(space.scale(m, a), b), m * inner(a, b)) && near(inner(a, b), inner(b, a));
    return expect(
      bilinear && inner(a, a) >= 0,
      () => `⟨ma, b⟩ = ${inner(space.scale(m, a), b)}, m⟨a, b⟩ = ${m * inner(a, b)}`,
    );
  }),
];

/** Equal trees of numbers, where 0 and −0 are the same. */
const alike = (what: string, a: unknown, b: unknown): Verdict =>
  every(
    leaves(a).map((x, i) => [x, leaves(b)[i]!] as const),
    ([x, y]) => {
      const [found, wanted] = [toHost(x), toHost(y)];
      return close(what, hostTensor(found.shape, found.dtype, found.data), wanted, 1e-6);
    },
  );

/** The laws of trees. */
export const treeLaws: Suite = { name: 'tree', laws: [...structureLaws, ...traversalLaws, ...instanceLaws] };
