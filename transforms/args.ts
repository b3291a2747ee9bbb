/**
 * Between users' functions and flat ones: differentiated arguments, and tangents or cotangents that follow their structure.
 */

import { compatible, showAval } from '../src/core/aval.ts';
import { type DType, isFloat } from '../src/core/dtype.ts';
import { DTypeError, NotDifferentiableError, ShapeError, TreeError } from '../src/core/errors.ts';
import type { Tangent } from '../src/core/primitive.ts';
import { sameShape } from '../src/core/shape.ts';
import { describe } from '../src/core/untyped.ts';
import { escaped, Tracer, Value } from '../src/core/value.ts';
import { scalar } from '../src/prim/compose.ts';
import { arrayDef, join, leafPaths, type TreeDef } from '../src/tree/def.ts';
import { avalOf, type Flat, flatten, type Leaf, unflatten } from '../src/tree/tree.ts';

/** Arguments as a user may pass them where derivatives are taken: a bare number stands for a scalar. */
export type Args<A extends readonly unknown[]> = { [K in keyof A]: A[K] extends Value ? A[K] | number : A[K] };

/** Tangents or cotangents of a `T`: `null` is zero, and the only one of an integer or bool leaf. */
export type TangentOf<T> = T extends Value ? T | null : T extends object ? { [K in keyof T]: TangentOf<T[K]> } : T;

/** Tangents of arguments, a bare number for a scalar. */
export type Tangents<A extends readonly unknown[]> = {
  [K in keyof A]: A[K] extends Value ? TangentOf<A[K]> | number : TangentOf<A[K]>;
};

/** What a derivative with respect to a `T` is: a `T`; for a bare number, a tensor. */
export type Cotangent<T> = T extends number ? Value<'float32'> : T;

/** A bare number, given as a whole argument, is a weak scalar. */
export const promoteNumber = (x: unknown): unknown => (typeof x === 'number' ? scalar(x, 'float32', true) : x);

/** Differentiated arguments, with the path of each leaf. */
export interface Primals<L = Value> extends Flat<L> {
  readonly paths: readonly string[];
}

/**
 * Flatten arguments that are differentiated.
 *
 * @param positions - where each stands among the arguments of the function, for paths
 * @throws TreeError if one has no tensor
 */
export function flattenPrimals<L extends Leaf = Value>(
  op: string,
  args: readonly unknown[],
  root = 'args',
  positions?: readonly number[],
): Primals<L> {
  if (!Array.isArray(args)) {
    throw new TreeError({
      op,
      problem: `${root} must be an array of the arguments, got ${describe(args)}`,
      remedy: `pass an array, also of one: ${op}(f, [x])`,
    });
  }
  const flats = args.map((arg, i) => {
    const path = `${root}[${positions?.[i] ?? i}]`;
    const flat = flatten<L>(promoteNumber(arg), op, path);
    if (flat.def.size > 0) return { ...flat, paths: leafPaths(flat.def, path) };
    throw new TreeError({
      op,
      problem: `${path} has no tensor to differentiate with respect to: it is ${flat.def.key}`,
      remedy: 'pass tensors (np.array(…)), or choose other arguments with argnums',
    });
  });
  return {
    leaves: flats.flatMap((flat) => flat.leaves),
    def: arrayDef(flats.map((flat) => flat.def)),
    paths: flats.flatMap((flat) => flat.paths),
  };
}

/** The position that an argnum names; negative ones count from the end. @throws TreeError if there is none */
export function positionOf(op: string, argnum: number, count: number): number {
  const at = argnum < 0 ? argnum + count : argnum;
  if (Number.isInteger(at) && at >= 0 && at < count) return at;
  throw new TreeError({
    op,
    problem: `argnums names argument ${argnum}, the function was called with ${count}`,
    remedy: 'count arguments from 0, or from the end with negative numbers',
  });
}

/** The arguments of `f` that are differentiated, and `f` as a function of them. */
export interface Chosen<R> {
  readonly chosen: Primals;
  readonly partial: (...differentiated: readonly unknown[]) => R;
}

/** @throws TreeError if `argnums` names an argument that there is not, or one twice */
export function chooseArgs<A extends readonly unknown[], R>(
  op: string,
  f: (...args: A) => R,
  args: readonly unknown[],
  argnums: number | readonly number[],
): Chosen<R> {
  const wanted = typeof argnums === 'number' ? [argnums] : argnums;
  const positions = wanted.map((n) => positionOf(op, n, args.length));
  if (new Set(positions).size !== positions.length) {
    throw new TreeError({
      op,
      problem: `argnums (${wanted.join()}) names an argument twice`,
      remedy: 'name each argument once',
    });
  }
  const chosen = flattenPrimals(
    op,
    positions.map((i) => args[i]),
    'args',
    positions,
  );
  const partial = (...differentiated: readonly unknown[]): R => {
    const all: unknown[] = [...args];
    positions.forEach((at, i) => {
      all[at] = differentiated[i];
    });
    return f(...(all as unknown as A));
  };
  return { chosen, partial };
}

/** @throws NotDifferentiableError at the first leaf that is not of a floating-point dtype */
export function expectFloats(op: string, { leaves, paths }: Primals<Leaf>): void {
  const at = leaves.findIndex((x) => !isFloat(avalOf(x).dtype));
  if (at < 0) return;
  throw new NotDifferentiableError({
    op,
    problem: `${paths[at]} is ${showAval(avalOf(leaves[at]!))}: only floating-point inputs have derivatives`,
    remedy: "cast it with np.astype(x, 'float32'), or leave it out of argnums",
  });
}

/** A function of trees as a function of leaves. The structure of its output is known after it ran. */
export function flatFunction<A extends readonly unknown[], R>(
  op: string,
  f: (...args: A) => R,
  def: TreeDef,
): { readonly flat: (...leaves: readonly Value[]) => readonly Value[]; readonly outDef: () => TreeDef } {
  let outDef: TreeDef | null = null;
  return {
    flat: (...leaves) => {
      const out = flatten(f(...unflatten<A>(def, leaves)), op, 'output');
      outDef = out.def;
      expectLive(op, out.leaves);
      return out.leaves;
    },
    outDef: () => outDef!,
  };
}

/** `transformed`, named after the transform and what it was applied to: `grad(loss)`. Programs and errors print it. */
export function nameAfter<F extends (...args: never[]) => unknown>(
  transform: string,
  original: { readonly name: string },
  transformed: F,
): F {
  return Object.defineProperty(transformed, 'name', { value: `${transform}(${original.name || 'anonymous'})` });
}

/** @throws EscapedTracerError if one of the outputs of a traced function is a tracer whose transform has ended */
export function expectLive(op: string, outs: readonly Value[]): void {
  for (const x of outs) if (x instanceof Tracer && !x.trace.live) throw escaped(op, x);
}

/** What the leaf of a tangent or cotangent must be. */
interface Expected {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/**
 * Tangents (or cotangents) in the structure of what they belong to, leaf by leaf. `null` stands for zero, of a leaf or of a
 * whole subtree, and is the only tangent of an integer or bool leaf.
 *
 * @throws TreeError where the structure differs
 * @throws ShapeError where a leaf has another shape, DTypeError where it has another dtype
 */
export function flattenTangents(
  op: string,
  what: string,
  tree: unknown,
  def: TreeDef,
  expected: readonly Expected[],
): readonly Tangent[] {
  const result: Tangent[] = [];
  const differs = (path: string, problem: string): TreeError =>
    new TreeError({
      op,
      problem: `${path || what} ${problem}`,
      remedy: `give each ${what} the structure of what it belongs to, with null (zero) where it has none`,
    });
  const visit = (x: unknown, d: TreeDef, path: string): void => {
    if (x === null) {
      for (let i = 0; i < d.size; i++) result.push(null);
      return;
    }
    switch (d.kind) {
      case 'static':
        return;
      case 'leaf':
        result.push(leaf(x, path));
        return;
      case 'array':
        if (!Array.isArray(x) || x.length !== d.children.length) {
          throw differs(path, `must be an array of ${d.children.length}`);
        }
        d.children.forEach((child, i) => visit(x[i], child, `${path}[${i}]`));
        return;
      default: {
        if (typeof x !== 'object' || x === null) throw differs(path, `must have the keys ${d.names.join(', ')}`);
        const children = d.kind === 'node' ? d.type.flatten(x).children : (x as Record<string, unknown>);
        if (Object.keys(children).sort().join() !== d.names.join()) {
          throw differs(
            path,
            `must have the keys ${d.names.join(', ')}, has ${Object.keys(children).sort().join(', ')}`,
          );
        }
        d.children.forEach((child, i) => visit(children[d.names[i]!], child, join(path, d.names[i]!)));
      }
    }
  };
  const leaf = (x: unknown, path: string): Tangent => {
    const want = expected[result.length]!;
    const value = promoteNumber(x);
    if (!(value instanceof Value)) throw differs(path, 'must be a tensor or null');
    if (!isFloat(want.dtype)) throw differs(path, `must be null: ${want.dtype} has no derivative`);
    const weakScalar = typeof x === 'number' && want.shape.length === 0;
    if (!weakScalar && !compatible(value.aval, { ...value.aval, shape: want.shape, dtype: want.dtype })) {
      const Wrong = sameShape(value.shape, want.shape) ? DTypeError : ShapeError;
      throw new Wrong({
        op,
        problem: `${path} must be ${want.dtype}[${want.shape.join(',')}], got ${showAval(value.aval)}`,
        remedy: `give each ${what} the shape and dtype of what it belongs to`,
      });
    }
    return weakScalar ? scalar(x as number, want.dtype) : value;
  };
  visit(tree, def, what);
  return result;
}

/** Tangents back in the structure of what they belong to; zeros are instantiated by `zero`, non-float leaves are `null`. */
export function unflattenTangents<T>(
  def: TreeDef,
  tangents: readonly Tangent[],
  avals: readonly Expected[],
  zero: (index: number) => Value,
): T {
  return unflatten<T>(
    def,
    tangents.map((t, i) => (isFloat(avals[i]!.dtype) ? (t ?? zero(i)) : null)),
  );
}
