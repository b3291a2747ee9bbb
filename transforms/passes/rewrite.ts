/**
 * The engine of local rewrites: one walk over a program, in which each equation is replaced by something simpler until no
 * rewrite applies to it.
 *
 * A rewrite is data: a name, what it states, the primitives it looks at, and a function from an equation and the definitions
 * of its operands to a replacement. As operands come before their users, their definitions are final when a rewrite looks at
 * them, so that one walk reaches the fixpoint.
 */

import { type Aval, makeAval, sameAval } from '../../src/core/aval.ts';
import { type Atom, type Eqn, isLiteral, type Jaxpr, makeLiteral } from '../../src/core/jaxpr.ts';
import type { Primitive } from '../../src/core/primitive.ts';
import { broadcastInDimP } from '../../src/prim/structural.ts';

/** A primitive on operands: an equation without its output. */
export interface Application {
  readonly primitive: Primitive;
  readonly params: unknown;
  readonly ins: readonly Atom[];
}

/** What computes the same output: an atom that is there already, or another application. */
export type Replacement = Atom | Application;

/** The equation that binds a variable; inputs and literals have none. */
export type Definitions = ReadonlyMap<Atom, Eqn>;

/**
 * A law of the primitives, read from left to right: it holds bit for bit for every input, including NaN, ±Inf, −0 and wrapped
 * integers, on every device. (The sign and the payload of a NaN, which IEEE 754 leaves open, are not counted: NaN is one value.)
 */
export interface Rewrite {
  readonly name: string;
  /** The law, as printed: `x · 1 = x`. */
  readonly states: string;
  /** The primitives whose equations it looks at; each has one output. */
  readonly on: readonly Primitive[];
  /** The replacement of the equation's output; `null` where the law does not apply. */
  readonly apply: (eqn: Eqn, definitions: Definitions) => Replacement | null;
}

/** Rewrites of one equation in a row. Two or three happen; the bound is for rewrites that undo each other. */
const patience = 16;

/**
 * Apply `rewrites` everywhere until none applies. What was bypassed stays behind, dead: run `dce` afterwards.
 *
 * A replacement counts only if it has the aval of what it replaces, weakness included; the engine drops others, so a rewrite
 * need not think of weak types. At most 16 rewrites are applied to one equation, so the time is linear in the program.
 *
 * @returns `jaxpr` itself if no rewrite applied
 */
export function rewrite(jaxpr: Jaxpr, rewrites: readonly Rewrite[]): Jaxpr {
  const byPrimitive = indexed(rewrites);
  const renamed = new Map<Atom, Atom>();
  const definitions = new Map<Atom, Eqn>();
  const eqns: Eqn[] = [];
  let changed = false;
  for (const original of jaxpr.eqns) {
    let eqn = withOperands(original, renamed);
    let replaced: Atom | null = null;
    for (let i = 0; i < patience && replaced === null; i++) {
      const replacement = firstReplacement(eqn, byPrimitive.get(eqn.primitive), definitions);
      if (replacement === null) break;
      if (isApplication(replacement)) eqn = { ...replacement, outs: eqn.outs, source: eqn.source };
      else replaced = replacement;
    }
    if (replaced !== null) renamed.set(eqn.outs[0]!, replaced);
    else {
      eqns.push(eqn);
      for (const v of eqn.outs) definitions.set(v, eqn);
    }
    changed ||= replaced !== null || eqn !== original;
  }
  return changed ? { ...jaxpr, eqns, outs: jaxpr.outs.map((atom) => renamed.get(atom) ?? atom) } : jaxpr;
}

/** The equation with its operands renamed; itself if none is. */
export function withOperands(eqn: Eqn, renamed: ReadonlyMap<Atom, Atom>): Eqn {
  if (!eqn.ins.some((atom) => renamed.has(atom))) return eqn;
  return { ...eqn, ins: eqn.ins.map((atom) => renamed.get(atom) ?? atom) };
}

function firstReplacement(
  eqn: Eqn,
  rewrites: readonly Rewrite[] | undefined,
  definitions: Definitions,
): Replacement | null {
  if (!rewrites || eqn.outs.length !== 1) return null;
  const { aval } = eqn.outs[0]!;
  for (const { apply } of rewrites) {
    const replacement = apply(eqn, definitions);
    if (replacement && sameAval(avalOf(replacement), aval)) return replacement;
  }
  return null;
}

const isApplication = (x: Replacement): x is Application => 'primitive' in x;

const avalOf = (x: Replacement): Aval =>
  isApplication(x)
    ? x.primitive.abstractEval(
        x.ins.map((atom) => atom.aval),
        x.params,
      )[0]!
    : x.aval;

const indexes = new WeakMap<readonly Rewrite[], ReadonlyMap<Primitive, readonly Rewrite[]>>();

function indexed(rewrites: readonly Rewrite[]): ReadonlyMap<Primitive, readonly Rewrite[]> {
  const known = indexes.get(rewrites);
  if (known) return known;
  const index = new Map<Primitive, Rewrite[]>();
  for (const one of rewrites) {
    for (const primitive of one.on) {
      const list = index.get(primitive);
      if (list) list.push(one);
      else index.set(primitive, [one]);
    }
  }
  indexes.set(rewrites, index);
  return index;
}

/** A rewrite of the equations of one primitive. */
export const on = <P>(
  primitive: Primitive<string, P>,
  name: string,
  states: string,
  apply: (eqn: Eqn, params: P, definitions: Definitions) => Replacement | null,
): Rewrite => ({
  name,
  states,
  on: [primitive as Primitive],
  apply: (eqn, definitions) => apply(eqn, eqn.params as P, definitions),
});

/** A primitive on operands. */
export const application = <P>(primitive: Primitive<string, P>, ins: readonly Atom[], params: P): Application => ({
  primitive: primitive as Primitive,
  ins,
  params,
});

/** The definition of `atom` if it is an application of `primitive`. */
export function definedBy<P>(
  primitive: Primitive<string, P>,
  atom: Atom,
  definitions: Definitions,
): { readonly ins: readonly Atom[]; readonly params: P } | null {
  const eqn = definitions.get(atom);
  return eqn?.primitive === (primitive as Primitive) ? { ins: eqn.ins, params: eqn.params as P } : null;
}

/** The scalar that every element of `atom` is equal to, where its definition says so: `atom` is it, or a broadcast of it. */
export function elementOf(atom: Atom, definitions: Definitions): Atom | null {
  if (atom.aval.shape.length === 0) return atom;
  const source = definedBy(broadcastInDimP, atom, definitions)?.ins[0];
  return source?.aval.shape.length === 0 ? source : null;
}

/** The value of every element of `atom`, where its definition says so. */
export function constantOf(atom: Atom, definitions: Definitions): number | null {
  const element = elementOf(atom, definitions);
  return element && isLiteral(element) ? element.value : null;
}

/** The scalar `element` in every place of `shape`. */
export const spread = (element: Atom, shape: readonly number[]): Replacement =>
  shape.length === 0 ? element : application(broadcastInDimP, [element], { shape, broadcastDimensions: [] });

/** `value` in every element of `aval`. */
export const constant = ({ shape, dtype, weak }: Aval, value: number): Replacement =>
  spread(makeLiteral(makeAval([], dtype, weak), value), shape);

/** Are these the same variable, or literals of the same value and aval? */
export const sameAtom = (a: Atom, b: Atom): boolean =>
  a === b || (isLiteral(a) && isLiteral(b) && Object.is(a.value, b.value) && sameAval(a.aval, b.aval));
