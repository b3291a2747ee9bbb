/**
 * Inlining: the body of every call in place of the call, so that what stands on the two sides of a call meets. Calls are `jit`
 * and what customizes derivatives, which have been taken when a program is compiled.
 *
 * Each copy binds variables of its own; equations keep the source that they had in the body.
 */

import { type Aval, sameAval } from '../../src/core/aval.ts';
import { type Atom, type Eqn, isLiteral, type Jaxpr, makeLiteral, makeVar } from '../../src/core/jaxpr.ts';
import type { Primitive } from '../../src/core/primitive.ts';
import { convertElementTypeP } from '../../src/prim/arithmetic.ts';

/** The program that is to stand in the place of an equation, if there is one. */
type BodyOf = (eqn: Eqn) => Jaxpr | null;

const bodyOf: BodyOf = ({ primitive, params }) => primitive.higherOrder?.body?.(params) ?? null;

const jitBody: BodyOf = (eqn) => (eqn.primitive.name === 'jit' ? bodyOf(eqn) : null);

/**
 * The program without `jit` calls, at any depth; calls with rules of their own stay, for derivatives that are still to be taken.
 *
 * @returns `jaxpr` itself if there is no such call
 */
export const inlineJit = (jaxpr: Jaxpr): Jaxpr => inlined(jaxpr, jitBody);

/**
 * The program without calls, at any depth.
 *
 * A call may pass a strong operand where its body was traced for a weak one, or the other way round; there a conversion is put
 * in, which changes no element.
 *
 * @returns `jaxpr` itself if there is no call
 */
export const inline = (jaxpr: Jaxpr): Jaxpr => inlined(jaxpr, bodyOf);

function inlined(jaxpr: Jaxpr, body: BodyOf): Jaxpr {
  if (!jaxpr.eqns.some(body)) return jaxpr;
  const eqns: Eqn[] = [];
  const outs = splice(jaxpr, new Map(), eqns, false, body);
  return { ...jaxpr, eqns, outs };
}

/** Append the equations of `jaxpr` with their variables renamed by `renamed`; returns the renamed outputs. */
function splice(
  jaxpr: Jaxpr,
  renamed: Map<Atom, Atom>,
  eqns: Eqn[],
  copy: boolean,
  bodyOfCall: BodyOf,
): readonly Atom[] {
  const read = (atom: Atom): Atom => renamed.get(atom) ?? atom;
  for (const eqn of jaxpr.eqns) {
    const ins = eqn.ins.map(read);
    const body = bodyOfCall(eqn);
    if (body) {
      const operands = body.ins.map((v, i) => [v, withAval(ins[i]!, v.aval, eqn, eqns)] as const);
      const results = splice(body, new Map(operands), eqns, true, bodyOfCall);
      for (let i = 0; i < results.length; i++) renamed.set(eqn.outs[i]!, results[i]!);
      continue;
    }
    const outs = copy ? eqn.outs.map(({ aval }) => makeVar(aval)) : eqn.outs;
    if (copy) for (let i = 0; i < outs.length; i++) renamed.set(eqn.outs[i]!, outs[i]!);
    eqns.push({ ...eqn, ins, outs });
  }
  return jaxpr.outs.map(read);
}

/** `atom` with the weakness of `aval`, the rest of which it has. */
function withAval(atom: Atom, aval: Aval, call: Eqn, eqns: Eqn[]): Atom {
  if (sameAval(atom.aval, aval)) return atom;
  if (isLiteral(atom)) return makeLiteral(aval, atom.value);
  const converted = makeVar(aval);
  const { dtype, weak } = aval;
  eqns.push({
    primitive: convertElementTypeP as Primitive,
    params: { dtype, weak },
    ins: [atom],
    outs: [converted],
    source: call.source,
  });
  return converted;
}
