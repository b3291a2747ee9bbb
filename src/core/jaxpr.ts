/**
 * The only IR: a jaxpr is a list of equations over typed variables, in evaluation order, single assignment.
 *
 * A jaxpr has no free variables and no effects. What a traced function captured is its `consts`, which a {@link ClosedJaxpr}
 * carries as values; jaxprs inside parameters have none ({@link constsAsInputs}).
 */

import { type Aval, sameAval } from './aval.ts';
import { annotate } from './errors.ts';
import type { Primitive } from './primitive.ts';
import { type Source, unknownSource, withSource } from './source.ts';
import { bind } from './trace.ts';
import { scalarTensor, type Value } from './value.ts';

/** A variable: assigned once, known by identity. */
export interface Var {
  readonly aval: Aval;
}

/** A scalar constant written in place; booleans are 0 and 1. */
export interface Literal {
  readonly aval: Aval;
  readonly value: number;
}

/** An operand of an equation or an output of a jaxpr. */
export type Atom = Var | Literal;

export const isLiteral = (atom: Atom): atom is Literal => 'value' in atom;
export const makeVar = (aval: Aval): Var => ({ aval });
export const makeLiteral = (aval: Aval, value: number): Literal => ({ aval, value });

/** One application of a primitive. */
export interface Eqn {
  readonly primitive: Primitive;
  readonly params: unknown;
  readonly ins: readonly Atom[];
  readonly outs: readonly Var[];
  /** Where the user wrote it; `null` for what a pass has made. */
  readonly source: Source | null;
}

/** A typed program. */
export interface Jaxpr {
  /** Captured values, before the inputs. */
  readonly consts: readonly Var[];
  readonly ins: readonly Var[];
  readonly eqns: readonly Eqn[];
  readonly outs: readonly Atom[];
}

/** A jaxpr with the values of its constants. */
export interface ClosedJaxpr {
  readonly jaxpr: Jaxpr;
  readonly consts: readonly Value[];
}

/** Is this parameter a jaxpr? */
export const isJaxpr = (x: unknown): x is Jaxpr =>
  typeof x === 'object' && x !== null && 'eqns' in x && 'consts' in x && 'outs' in x;

/** The same program with its constants as the first inputs. */
export const constsAsInputs = (jaxpr: Jaxpr): Jaxpr =>
  jaxpr.consts.length === 0 ? jaxpr : { ...jaxpr, consts: [], ins: [...jaxpr.consts, ...jaxpr.ins] };

/** The scalar tensor that a literal stands for. */
export const literalValue = ({ aval, value }: Literal): Value => scalarTensor(aval, value);

/**
 * Interpret a jaxpr with the current trace: `evalJaxpr` under a transform's trace *is* the transform of the program.
 *
 * @param consts - one value for each of `jaxpr.consts`
 * @param args - one value for each of `jaxpr.ins`
 */
export function evalJaxpr(jaxpr: Jaxpr, consts: readonly Value[], args: readonly Value[]): readonly Value[] {
  const env = new Map<Atom, Value>();
  const read = (atom: Atom): Value => env.get(atom) ?? literalValue(atom as Literal);
  jaxpr.consts.forEach((v, i) => env.set(v, consts[i]!));
  jaxpr.ins.forEach((v, i) => env.set(v, args[i]!));
  for (const eqn of jaxpr.eqns) {
    const outs = fromEqn('evaluating', eqn, () => bind(eqn.primitive, eqn.ins.map(read), eqn.params));
    eqn.outs.forEach((v, i) => env.set(v, outs[i]!));
  }
  return jaxpr.outs.map(read);
}

/** Run `f`, which stems from `eqn`: what it stages has the source of `eqn`, and its errors name it. */
export const fromEqn = <A>(doing: string, eqn: Eqn, f: () => A): A =>
  annotate(whileDoing(doing, eqn), () => withSource(eqn.source ?? unknownSource, f));

/** `while transposing dot_general from model.ts:41:9`. */
export const whileDoing = (doing: string, eqn: Eqn) => (): string =>
  `while ${doing} ${eqn.primitive.name}${eqn.source?.location ? ` from ${eqn.source.location}` : ''}`;

/** The avals of the inputs, or of the outputs. */
export const inAvals = (jaxpr: Jaxpr): readonly Aval[] => jaxpr.ins.map((v) => v.aval);
export const outAvals = (jaxpr: Jaxpr): readonly Aval[] => jaxpr.outs.map((a) => a.aval);

/** Do two lists of avals agree, one by one? */
export const sameAvals = (a: readonly Aval[], b: readonly Aval[]): boolean =>
  a.length === b.length && a.every((x, i) => sameAval(x, b[i]!));

/** The number of equations, counted through all inner jaxprs. */
export function countEqns(jaxpr: Jaxpr): number {
  let count = 0;
  for (const eqn of jaxpr.eqns) {
    count += 1;
    for (const inner of innerJaxprs(eqn)) count += countEqns(inner);
  }
  return count;
}

/** The jaxprs in an equation's parameters. */
export const innerJaxprs = (eqn: Eqn): readonly Jaxpr[] => eqn.primitive.higherOrder?.jaxprs(eqn.params) ?? [];

const effects = new WeakMap<Jaxpr, boolean>();

/** Does anything in the program have an effect? */
export function isObserved(jaxpr: Jaxpr): boolean {
  let known = effects.get(jaxpr);
  if (known === undefined) {
    known = jaxpr.eqns.some(hasEffect);
    effects.set(jaxpr, known);
  }
  return known;
}

/** Must the equation be kept though nothing of it is used? */
export const hasEffect = (eqn: Eqn): boolean =>
  eqn.primitive.effect === true || (eqn.primitive.higherOrder !== undefined && innerJaxprs(eqn).some(isObserved));
