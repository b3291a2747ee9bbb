/**
 * Bodies of loops and branches: functions on trees, traced into programs that equations hold.
 *
 * A body that carries values from step to step must return them in the types in which it takes them. JS numbers among them are
 * weak scalars, so their type is found by tracing: a weak value takes the type that the body gives it, and the body is traced
 * again if that has changed anything.
 */

import { type Aval, makeAval, sameAval, showAval } from '../src/core/aval.ts';
import { type DType, isFloat, isInteger, promote } from '../src/core/dtype.ts';
import { DTypeError, ShapeError, TreeError } from '../src/core/errors.ts';
import { constsAsInputs, type Jaxpr } from '../src/core/jaxpr.ts';
import { sameShape } from '../src/core/shape.ts';
import { stage } from '../src/core/stage.ts';
import type { Value } from '../src/core/value.ts';
import { convertElementType } from '../src/prim/arithmetic.ts';
import { scalar } from '../src/prim/compose.ts';
import { arrayDef, difference, leafDef, leafPaths, nodeDef, objectDef, type TreeDef } from '../src/tree/def.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';
import { expectLive } from './args.ts';
import type { Derived } from './call.ts';
import type { FlatFunction } from './jvp.ts';

/** Any carry: a constraint that lets the compiler infer tuples, `[h, c]`, as tuples and not as arrays. */
export type AsTuple = [] | object | number | boolean | string | null | undefined;

/** A tree in which a JS number or boolean may stand for a scalar. */
export type Weakly<T> =
  T extends Value<infer D>
    ? T | (D extends 'bool' ? boolean : number)
    : T extends (...args: never[]) => unknown
      ? T
      : T extends object
        ? { [K in keyof T]: Weakly<T[K]> }
        : T;

/** The same tree with tensors in place of JS numbers and booleans. */
export type Lifted<T> = T extends Value
  ? T
  : T extends number
    ? Value<'float32'>
    : T extends boolean
      ? Value<'bool'>
      : T extends (...args: never[]) => unknown
        ? T
        : T extends object
          ? { [K in keyof T]: Lifted<T[K]> }
          : T;

/** The leaves of a tree whose JS numbers and booleans are leaves as well: weak scalars. */
export interface FlatScalars {
  readonly leaves: readonly Value[];
  readonly def: TreeDef;
  /** The JS number that a leaf was made of, `null` for the others. */
  readonly numbers: readonly (number | null)[];
}

/** {@link flatten}, with JS numbers and booleans as weak scalars. */
export function flattenScalars(tree: unknown, op: string, root: string): FlatScalars {
  const flat = flatten(tree, op, root);
  const leaves: Value[] = [];
  const numbers: (number | null)[] = [];
  const add = (x: Value, number: number | null): TreeDef => {
    leaves.push(x);
    numbers.push(number);
    return leafDef;
  };
  let next = 0;
  const visit = (def: TreeDef): TreeDef => {
    switch (def.kind) {
      case 'leaf':
        return add(flat.leaves[next++]!, null);
      case 'static':
        if (typeof def.value === 'number') return add(scalar(def.value, 'float32', true), def.value);
        if (typeof def.value === 'boolean') return add(scalar(Number(def.value), 'bool', true), null);
        return def;
      case 'array':
        return arrayDef(def.children.map(visit));
      case 'object':
        return objectDef(def.names, def.children.map(visit));
      case 'node':
        return nodeDef(def.type, def.aux, def.names, def.children.map(visit));
    }
  };
  const def = visit(flat.def);
  return { leaves, def, numbers };
}

/** The program of a function of leaves, with what it captures as its first inputs. */
export function derive(transform: string, f: FlatFunction, avals: readonly Aval[]): Derived {
  const { jaxpr, consts } = stage(transform, f, avals);
  return { jaxpr: constsAsInputs(jaxpr), consts };
}

/** A traced body that carries values. */
export interface CarryingBody extends Derived {
  /** The initial carry, in the types in which the body takes it. */
  readonly carry: readonly Value[];
  readonly carryDef: TreeDef;
  /** The structure of what the body returns besides. */
  readonly restDef: TreeDef;
}

/** What a body returns for a carry: the next one, and the rest. */
type Step = (carry: unknown, rest: readonly Value[]) => { readonly carry: unknown; readonly rest: unknown };

/**
 * Trace a body until its carry comes out in the types in which it goes in.
 *
 * @param rest - the avals of what the body takes besides
 * @throws TreeError, ShapeError or DTypeError if the carry changes its structure or the type of a leaf
 */
export function traceCarrying(op: string, init: FlatScalars, rest: readonly Aval[], step: Step): CarryingBody {
  const attempt = (avals: readonly Aval[]) => {
    let after: readonly Aval[] = [];
    let restDef: TreeDef | null = null;
    const body = derive(
      op,
      (...args) => {
        const out = step(unflatten(init.def, args.slice(0, avals.length)), args.slice(avals.length));
        const found = flattenScalars(out.carry, op, 'carry');
        expectSameStructure(op, init.def, found.def);
        const extra = flattenScalars(out.rest, op, 'output');
        restDef = extra.def;
        const carry = found.leaves.map((x, i) => inTypeOf(x, found.numbers[i]!, avals[i]!));
        after = carry.map((x) => x.aval);
        expectLive(op, [...carry, ...extra.leaves]);
        return [...carry, ...extra.leaves];
      },
      [...avals, ...rest],
    );
    return { body, restDef: restDef!, after, next: after.map((b, i) => typeOf(avals[i]!, b, init.numbers[i]!)) };
  };

  let avals: readonly Aval[] = init.leaves.map((x) => x.aval);
  for (;;) {
    const tried = attempt(avals);
    let next: readonly (Aval | null)[] = tried.next;
    if (next.every((aval, i) => aval !== null && sameAval(aval, avals[i]!))) {
      const probe = asIntegers(init, avals, tried.body.jaxpr);
      const integers = probe && decided(avals, () => attempt(probe).next);
      if (!integers) {
        const carry = init.leaves.map((x, i) => initial(op, x, init.numbers[i]!, avals[i]!));
        return { ...tried.body, carry, carryDef: init.def, restDef: tried.restDef };
      }
      next = integers;
    }
    if (next.includes(null)) throw carryChanged(op, init, avals, tried.after);
    avals = next as Aval[];
  }
}

/** The type of a carried leaf that is `before` a step and `after` it; `null` if there is none. */
function typeOf(before: Aval, after: Aval, number: number | null): Aval | null {
  if (!sameShape(before.shape, after.shape)) return null;
  const { shape } = before;
  if (before.dtype === after.dtype) return makeAval(shape, before.dtype, before.weak && after.weak);
  const met = promote(before, after).dtype;
  if (before.weak && (met === after.dtype || (number !== null && after.dtype !== 'bool'))) {
    return makeAval(shape, after.dtype, after.weak);
  }
  return after.weak && met === before.dtype ? before : null;
}

/**
 * A JS number beside an integer is an integer, which a weak float cannot tell: where a program with integers leaves a number
 * weak, it is tried as one.
 */
function asIntegers(init: FlatScalars, avals: readonly Aval[], jaxpr: Jaxpr): readonly Aval[] | null {
  const isOpen = (i: number): boolean => init.numbers[i] !== null && avals[i]!.weak && isFloat(avals[i]!.dtype);
  const strong = (aval: Aval): boolean => isInteger(aval.dtype) && !aval.weak;
  const present = jaxpr.eqns.some((eqn) => [...eqn.ins, ...eqn.outs].some((atom) => strong(atom.aval)));
  if (!present || !avals.some((_, i) => isOpen(i))) return null;
  return avals.map((aval, i) => (isOpen(i) ? makeAval(aval.shape, 'int32', true) : aval));
}

/** The avals with those replaced that `probe` has found to be integers; `null` if there are none, or the body refuses them. */
function decided(avals: readonly Aval[], probe: () => readonly (Aval | null)[]): readonly Aval[] | null {
  try {
    const found = probe();
    const result = avals.map((aval, i) => {
      const integer = found[i];
      return aval.weak && integer && isInteger(integer.dtype) && !integer.weak ? integer : aval;
    });
    return result.some((aval, i) => aval.dtype !== avals[i]!.dtype) ? result : null;
  } catch (error) {
    if (error instanceof DTypeError) return null;
    throw error;
  }
}

/** A carried result in the type in which it went in, if only its weakness is in the way. */
function inTypeOf(x: Value, number: number | null, aval: Aval): Value {
  if (x.dtype === aval.dtype || !x.aval.weak || !sameShape(x.shape, aval.shape)) return x;
  if (number !== null && aval.dtype !== 'bool') return fits(number, aval.dtype) ? scalar(number, aval.dtype) : x;
  return promote(x.aval, aval).dtype === aval.dtype ? convertElementType(x, aval.dtype, aval.weak) : x;
}

const fits = (x: number, dtype: DType): boolean => isFloat(dtype) || Number.isInteger(x);

/** The initial value of a carried leaf in its type. */
function initial(op: string, x: Value, number: number | null, { dtype, weak }: Aval): Value {
  if (x.dtype === dtype) return x;
  if (number === null) return convertElementType(x, dtype, weak);
  if (fits(number, dtype)) return scalar(number, dtype, weak);
  throw new DTypeError({
    op,
    problem: `the number ${number} is carried as ${dtype}, which cannot hold it`,
    remedy: 'start from a number of that dtype, or cast what the body returns',
  });
}

function expectSameStructure(op: string, before: TreeDef, after: TreeDef): void {
  const found = difference(before, after, 'carry');
  if (found === null) return;
  throw new TreeError({
    op,
    problem: `the body returns a carry of another structure than it takes: ${found}`,
    remedy: 'return a carry with the same keys, lengths and static values',
  });
}

function carryChanged(op: string, init: FlatScalars, before: readonly Aval[], after: readonly Aval[]): Error {
  const paths = leafPaths(init.def, 'carry');
  const changed = before.flatMap((aval, i) =>
    typeOf(aval, after[i]!, init.numbers[i]!) === null
      ? [`${paths[i]} is ${showAval(aval)} before a step and ${showAval(after[i]!)} after it`]
      : [],
  );
  const shapes = before.some((aval, i) => !sameShape(aval.shape, after[i]!.shape));
  const parts = {
    op,
    problem: `the carry changes its type: ${changed.join('; ')}`,
    remedy: shapes
      ? 'start from a carry of the shape that the body returns'
      : 'cast the initial carry, or what the body returns, with np.astype',
  };
  return shapes ? new ShapeError(parts) : new DTypeError(parts);
}

/** The least flags that hold those of `start` and are closed under what `step` makes of them; and what it made of these. */
export function closure<A>(
  start: readonly boolean[],
  step: (flags: readonly boolean[]) => { readonly flags: readonly boolean[]; readonly made: A },
): { readonly flags: readonly boolean[]; readonly made: A } {
  let flags = start;
  for (;;) {
    const { flags: found, made } = step(flags);
    const grown = flags.map((flag, i) => flag || found[i]!);
    if (grown.every((flag, i) => flag === flags[i])) return { flags, made };
    flags = grown;
  }
}

/** Hand out the arguments of a flat function a few at a time. */
export function reader<A>(all: readonly A[]): (count: number) => readonly A[] {
  let next = 0;
  return (count) => {
    next += count;
    return all.slice(next - count, next);
  };
}

/** The entries whose flag is set. */
export const where = <A>(xs: readonly A[], flags: readonly boolean[]): readonly A[] => xs.filter((_, i) => flags[i]);

/** How many flags are set. */
export const count = (flags: readonly boolean[]): number => flags.filter(Boolean).length;

/** Those that are not zero. */
export const present = <A>(xs: readonly (A | null)[]): readonly A[] => xs.filter((x): x is A => x !== null);

/** Which are not zero. */
export const isPresent = (xs: readonly unknown[]): readonly boolean[] => xs.map((x) => x !== null);
