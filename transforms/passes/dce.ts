/**
 * Dead code: equations of which nothing is used are left out, also inside of calls.
 *
 * A call is asked only for the outputs that are used, and given only the inputs that those need. Being unused is all it takes,
 * but for `tap`, which somebody watches; a barrier of which something is used is kept whole, as tying its operands is its purpose.
 */

import { type Atom, type Eqn, hasEffect, type Jaxpr, type Var } from '../../src/core/jaxpr.ts';
import { remember } from '../call.ts';
import type { HigherOrderName, PrimitiveParams } from '../registry.ts';

/** A call that computes only some of its outputs. */
interface Pruned<P> {
  readonly params: P;
  /** Which operands it still takes. */
  readonly takes: readonly boolean[];
}

/** For each primitive with inner jaxprs: the same call for the outputs that are `live`, some of which are. */
const calls: {
  readonly [Name in HigherOrderName]: (
    params: PrimitiveParams<Name>,
    live: readonly boolean[],
  ) => Pruned<PrimitiveParams<Name>>;
} = {
  jit(params, live) {
    const { jaxpr, takes } = pruned(params.jaxpr, live);
    return { params: jaxpr === params.jaxpr ? params : { ...params, jaxpr }, takes };
  },
};

/** The inner program for the outputs that are `live`, without the inputs that those do not need. */
function pruned(jaxpr: Jaxpr, live: readonly boolean[]): { readonly jaxpr: Jaxpr; readonly takes: readonly boolean[] } {
  return remember(jaxpr, `dce ${live.map(Number).join('')}`, () => {
    const outs = jaxpr.outs.filter((_, i) => live[i]);
    const body = dce(outs.length === jaxpr.outs.length ? jaxpr : { ...jaxpr, outs });
    const read = new Set<Atom>(body.outs);
    for (const eqn of body.eqns) for (const atom of eqn.ins) read.add(atom);
    const takes = jaxpr.ins.map((v) => read.has(v));
    const ins = body.ins.filter((_, i) => takes[i]);
    return { jaxpr: ins.length === body.ins.length ? body : { ...body, ins }, takes };
  });
}

/**
 * Leave out what does not contribute to the outputs. Inputs and constants of the program itself stay.
 *
 * @returns `jaxpr` itself if everything contributes
 */
export function dce(jaxpr: Jaxpr): Jaxpr {
  const needed = new Set<Atom>(jaxpr.outs);
  const eqns: Eqn[] = [];
  let changed = false;
  for (let i = jaxpr.eqns.length - 1; i >= 0; i--) {
    const original = jaxpr.eqns[i]!;
    if (!original.outs.some((v) => needed.has(v)) && !hasEffect(original)) {
      changed = true;
      continue;
    }
    const eqn = original.primitive.higherOrder ? pruneCall(original, needed) : original;
    changed ||= eqn !== original;
    for (const atom of eqn.ins) needed.add(atom);
    eqns.push(eqn);
  }
  return changed ? { ...jaxpr, eqns: eqns.reverse() } : jaxpr;
}

function pruneCall(eqn: Eqn, needed: ReadonlySet<Atom>): Eqn {
  const prune = calls[eqn.primitive.name as HigherOrderName] as (
    params: unknown,
    live: readonly boolean[],
  ) => Pruned<unknown>;
  const live = eqn.outs.map((v: Var) => needed.has(v));
  const { params, takes } = prune(eqn.params, live);
  if (params === eqn.params) return eqn;
  return { ...eqn, params, ins: eqn.ins.filter((_, i) => takes[i]), outs: eqn.outs.filter((_, i) => live[i]) };
}
