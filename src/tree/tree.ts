/**
 * Trees: a model, its gradients, a batch and an optimizer's state are plain nested values with tensors at the leaves.
 *
 * `flatten` and `unflatten` are inverse; everything else is written with them. The type of a tree is the type of the value
 * itself: `map` over `{ w: Tensor }` is a `{ w: Tensor }`.
 */

import * as E from 'fp-ts/lib/Either.js';
import { type Aval, isAval } from '../core/aval.ts';
import { TreeError } from '../core/errors.ts';
import { asyncTrace } from '../core/trace.ts';
import { Value } from '../core/value.ts';
import {
  arrayDef,
  difference,
  join,
  leafDef,
  leafPaths,
  type NodeType,
  nodeDef,
  objectDef,
  staticDef,
  type TreeDef,
} from './def.ts';

/** What a tree has at its leaves. */
export type Leaf = Value | Aval;

/** `T` with every leaf replaced by `B`, statics kept. */
export type Mapped<T, B> = T extends Leaf ? B : T extends object ? { [K in keyof T]: Mapped<T[K], B> } : T;

/** `T` with every leaf replaced by its aval, dtype kept: what is known of a tree before it is computed. */
export type AvalsOf<T> = T extends Aval
  ? T
  : T extends Value<infer D>
    ? Aval<D>
    : T extends object
      ? { [K in keyof T]: AvalsOf<T[K]> }
      : T;

/** The leaves and the structure of a tree. */
export interface Flat<L = Value> {
  readonly leaves: readonly L[];
  readonly def: TreeDef;
}

const nodeTypes: NodeType<unknown, unknown>[] = [];

/**
 * Let instances of a class be nodes of trees.
 *
 * @throws TreeError if the name is taken
 */
export function registerNode<T, Aux>(type: NodeType<T, Aux>): void {
  if (nodeTypes.some((known) => known.name === type.name)) {
    throw new TreeError({ op: 'tree.registerNode', problem: `a node type named ${type.name} exists already` });
  }
  nodeTypes.push(type as unknown as NodeType<unknown, unknown>);
}

const isLeaf = (x: unknown): x is Leaf => x instanceof Value || isAval(x);

/** The aval of a leaf. */
export const avalOf = (leaf: Leaf): Aval => (isAval(leaf) ? leaf : leaf.aval);

/** Deeper than this a tree is taken for a cycle. */
const maxDepth = 1000;

/**
 * The leaves of a tree, in order (keys sorted), and its structure.
 *
 * @param op - who asks, for errors
 * @param root - the name of the tree in error paths
 * @throws TreeError for a typed array, an unregistered class instance or a cycle, naming the path and the remedy
 * @throws AsyncTraceError for a promise
 */
export function flatten<L extends Leaf = Value>(tree: unknown, op = 'tree.flatten', root = ''): Flat<L> {
  const leaves: L[] = [];
  const visit = (x: unknown, path: () => string, depth: number): TreeDef => {
    if (typeof x !== 'object' || x === null) return staticDef(x);
    if (isLeaf(x)) {
      leaves.push(x as L);
      return leafDef;
    }
    if (depth > maxDepth) throw badLeaf(op, path(), 'nests deeper than 1,000 levels: is it cyclic?', 'break the cycle');
    if (Array.isArray(x)) return arrayDef(x.map((child, i) => visit(child, () => `${path()}[${i}]`, depth + 1)));
    const named = (children: Readonly<Record<string, unknown>>): readonly [string[], TreeDef[]] => {
      const names = Object.keys(children).sort();
      return [names, names.map((name) => visit(children[name], () => join(path(), name), depth + 1))];
    };
    const prototype: unknown = Object.getPrototypeOf(x);
    if (prototype === Object.prototype || prototype === null) {
      if (Object.getOwnPropertySymbols(x).length > 0) {
        throw badLeaf(op, path(), 'has symbols for keys, which trees would lose', 'use strings for keys');
      }
      return objectDef(...named(x as Record<string, unknown>));
    }
    const type = nodeTypes.find((candidate) => candidate.is(x));
    if (type) {
      const { children, aux } = type.flatten(x);
      return nodeDef(type, aux, ...named(children));
    }
    throw refuse(op, x, path());
  };
  const def = visit(tree, () => root, 0);
  return { leaves, def };
}

function refuse(op: string, x: object, path: string): Error {
  if (x instanceof Promise) return asyncTrace(op, path || 'the tree', x);
  const name = x.constructor?.name || 'an unnamed class';
  if (ArrayBuffer.isView(x)) {
    return badLeaf(op, path, `is a ${name}: a tree holds tensors, not host arrays`, 'wrap it with np.array(…)');
  }
  return badLeaf(
    op,
    path,
    `is an instance of ${name}, which is not a node of trees`,
    'use a plain object or array, or register the class with tree.registerNode',
  );
}

const badLeaf = (op: string, path: string, problem: string, remedy: string): TreeError =>
  new TreeError({ op, problem: `${shortened(path) || 'the tree'} ${problem}`, remedy });

/** A path of a deep or cyclic tree, cut in the middle. */
const shortened = (path: string): string => (path.length > 120 ? `${path.slice(0, 60)} … ${path.slice(-30)}` : path);

/** The tree of this structure with these leaves. @throws TreeError if their number is wrong */
export function unflatten<T = unknown>(def: TreeDef, leaves: readonly unknown[]): T {
  if (leaves.length !== def.size) {
    throw new TreeError({
      op: 'tree.unflatten',
      problem: `the structure has ${def.size} leaves, ${leaves.length} were given`,
    });
  }
  let next = 0;
  const build = (d: TreeDef): unknown => {
    switch (d.kind) {
      case 'leaf':
        return leaves[next++];
      case 'static':
        return d.value;
      case 'array':
        return d.children.map(build);
      case 'object':
        return Object.fromEntries(d.children.map((child, i) => [d.names[i], build(child)]));
      case 'node':
        return d.type.unflatten(d.aux, Object.fromEntries(d.children.map((child, i) => [d.names[i], build(child)])));
    }
  };
  return build(def) as T;
}

/** The leaves of a tree, in order. */
export const leaves = <L extends Leaf = Value>(tree: unknown): readonly L[] => flatten<L>(tree, 'tree.leaves').leaves;

/** The structure of a tree. */
export const structure = (tree: unknown): TreeDef => flatten(tree, 'tree.structure').def;

/** The leaves with their paths, `layers[2].w`. */
export function leavesWithPaths<L extends Leaf = Value>(tree: unknown, root = ''): readonly (readonly [string, L])[] {
  const flat = flatten<L>(tree, 'tree.leavesWithPaths', root);
  return leafPaths(flat.def, root).map((path, i) => [path, flat.leaves[i]!]);
}

/**
 * Leaves of several trees of one structure, side by side.
 *
 * @throws TreeError at the first place where the structures differ
 */
export function zipLeaves(op: string, first: unknown, ...rest: readonly unknown[]): { def: TreeDef; rows: Value[][] } {
  const flat = flatten(first, op);
  const others = rest.map((tree) => flatten(tree, op));
  for (const other of others) {
    const found = difference(flat.def, other.def, '');
    if (found) {
      throw new TreeError({
        op,
        problem: `the trees have different structures: ${found}`,
        remedy: 'pass trees with the same keys, lengths and static values',
      });
    }
  }
  return { def: flat.def, rows: flat.leaves.map((leaf, i) => [leaf, ...others.map((other) => other.leaves[i]!)]) };
}

/**
 * Apply `f` to every leaf, keeping structure and statics.
 *
 * @example
 * ```ts
 * import { np, tree } from 'pullback';
 * console.log(tree.map((x) => np.mul(x, 2), { w: np.array([1, 2]), name: 'layer' }).w.toArray()); // => [ 2, 4 ]
 * ```
 */
export function map<T, L extends Leaf = Value>(f: (leaf: L) => Leaf, tree: T): T {
  const { leaves: xs, def } = flatten<L>(tree, 'tree.map');
  return unflatten<T>(
    def,
    xs.map((x) => f(x)),
  );
}

/** Apply `f` to the leaves of two trees of one structure, pairwise. @throws TreeError if the structures differ */
export function map2<T>(f: (a: Value, b: Value) => Value, a: T, b: T): T {
  const { def, rows } = zipLeaves('tree.map2', a, b);
  return unflatten<T>(
    def,
    rows.map(([x, y]) => f(x!, y!)),
  );
}

/** Apply `f` to the leaves of `n` trees of one structure, row by row. @throws TreeError if the structures differ */
export function mapN<T>(f: (...row: readonly Value[]) => Value, first: T, ...rest: readonly T[]): T {
  const { def, rows } = zipLeaves('tree.mapN', first, ...rest);
  return unflatten<T>(
    def,
    rows.map((row) => f(...row)),
  );
}

/** Split a tree of pairs: `f` gives two values for each row of leaves. Returns two trees of the structure of `first`. */
export function unzip<T>(
  f: (...row: readonly Value[]) => readonly [Value, Value],
  first: T,
  ...rest: readonly T[]
): readonly [T, T] {
  const { def, rows } = zipLeaves('tree.unzip', first, ...rest);
  const pairs = rows.map((row) => f(...row));
  return [
    unflatten<T>(
      def,
      pairs.map(([a]) => a),
    ),
    unflatten<T>(
      def,
      pairs.map(([, b]) => b),
    ),
  ];
}

/** Apply `f` to every leaf and its path. */
export function mapWithPath<T, L extends Leaf = Value>(f: (leaf: L, path: string) => Leaf, tree: T): T {
  const { leaves: xs, def } = flatten<L>(tree, 'tree.mapWithPath');
  const paths = leafPaths(def);
  return unflatten<T>(
    def,
    xs.map((x, i) => f(x, paths[i]!)),
  );
}

/** Apply `f`, which can fail, to every leaf and its path; the first failure is the result. */
export function traverseEither<T, Err, L extends Leaf = Value>(
  f: (leaf: L, path: string) => E.Either<Err, Leaf>,
  tree: T,
): E.Either<Err, T> {
  const { leaves: xs, def } = flatten<L>(tree, 'tree.traverseEither');
  const paths = leafPaths(def);
  const results: Leaf[] = [];
  for (let i = 0; i < xs.length; i++) {
    const result = f(xs[i]!, paths[i]!);
    if (E.isLeft(result)) return result;
    results.push(result.right);
  }
  return E.right(unflatten<T>(def, results));
}

/** Fold the leaves, in order. */
export const reduce = <B>(f: (acc: B, leaf: Value) => B, initial: B, tree: unknown): B =>
  flatten(tree, 'tree.reduce').leaves.reduce(f, initial);
