/**
 * Common subexpressions: what is computed twice from the same operands is computed once.
 *
 * Primitives are pure, so two equations of the same primitive, parameters and operands have the same outputs. The exceptions
 * are `optimization_barrier`, which stands for a computation that must be done again (two barriers are never merged, and what is
 * computed from their outputs therefore is not either), and `tap`, which is to be seen as often as it was written.
 */

import { eqJaxpr, hashJaxpr, paramsText } from '../../src/core/hash.ts';
import { type Atom, type Eqn, hasEffect, innerJaxprs, isLiteral, type Jaxpr } from '../../src/core/jaxpr.ts';
import { noParams } from '../../src/core/primitive.ts';
import { optimizationBarrierP } from '../../src/prim/identity.ts';
import { withOperands } from './rewrite.ts';

const texts = new WeakMap<object, string>();

/** Parameters as text that is equal for equal ones; inner jaxprs enter by their hash. */
function textOf(params: object): string {
  const known = texts.get(params);
  if (known !== undefined) return known;
  const text = paramsText(params, hashJaxpr);
  texts.set(params, text);
  return text;
}

/** Parameters with equal texts are equal, but for a collision of hashes. */
function sameInner(a: Eqn, b: Eqn): boolean {
  if (!a.primitive.higherOrder) return true;
  const others = innerJaxprs(b);
  return innerJaxprs(a).every((jaxpr, i) => eqJaxpr.equals(jaxpr, others[i]!));
}

/**
 * Merge equal equations into the first of them. The merged ones are gone; what fed only them stays behind, dead.
 *
 * @returns `jaxpr` itself if nothing was merged
 */
export function cse(jaxpr: Jaxpr): Jaxpr {
  const renamed = new Map<Atom, Atom>();
  const numbers = new Map<Atom, number>();
  const first = new Map<string, Eqn>();
  const nameOf = (atom: Atom): string | number => {
    if (isLiteral(atom)) return `${Object.is(atom.value, -0) ? '-0' : atom.value}:${atom.aval.id}`;
    let number = numbers.get(atom);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(atom, number);
    }
    return number;
  };
  const eqns: Eqn[] = [];
  for (const original of jaxpr.eqns) {
    const eqn = withOperands(original, renamed);
    if (eqn.primitive !== optimizationBarrierP && !hasEffect(eqn)) {
      let key = eqn.primitive.name;
      for (const atom of eqn.ins) key += ` ${nameOf(atom)}`;
      if (eqn.params !== noParams) key += ` ${textOf(eqn.params as object)}`;
      const earlier = first.get(key);
      if (earlier && sameInner(earlier, eqn)) {
        for (let i = 0; i < eqn.outs.length; i++) renamed.set(eqn.outs[i]!, earlier.outs[i]!);
        continue;
      }
      first.set(key, eqn);
    }
    eqns.push(eqn);
  }
  if (renamed.size === 0) return jaxpr;
  return { ...jaxpr, eqns, outs: jaxpr.outs.map((atom) => renamed.get(atom) ?? atom) };
}
