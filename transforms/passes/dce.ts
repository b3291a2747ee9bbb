/**
 * Dead code: equations of which nothing is used are left out, also inside of calls.
 *
 * A call is asked only for the outputs that are used, and given only the inputs that those need; a loop keeps the carries that
 * what is used depends on. Being unused is all it takes,
 * but for `tap`, which somebody watches; a barrier of which something is used is kept whole, as tying its operands is its purpose.
 */

import { type Atom, type Eqn, hasEffect, type Jaxpr, type Var } from '../../src/core/jaxpr.ts';
import { closure, count } from '../bodies.ts';
import { mask, remember } from '../call.ts';
import type { HigherOrderName, PrimitiveParams } from '../registry.ts';

/** A call that computes only some of its outputs. */
interface Pruned<P> {
  readonly params: P;
  /** Which operands it still takes. */
  readonly takes: readonly boolean[];
  /** Which outputs it still has: those that are live, and carries that those need. */
  readonly gives: readonly boolean[];
}

/** The call as it is. */
const whole = <P>(params: P): Pruned<P> => ({ params, takes: [], gives: [] });

/** For each primitive with inner jaxprs: the same call for the outputs that are `live`, some of which are. */
const calls: {
  readonly [Name in HigherOrderName]: (
    params: PrimitiveParams<Name>,
    live: readonly boolean[],
  ) => Pruned<PrimitiveParams<Name>>;
} = {
  jit(params, live) {
    const { jaxpr, takes } = pruned(params.jaxpr, live);
    return { params: jaxpr === params.jaxpr ? params : { ...params, jaxpr }, takes, gives: live };
  },
  scan(params, live) {
    const { consts, carry } = params;
    const ys = live.slice(carry);
    const prune = (carries: readonly boolean[]) =>
      pruned(params.jaxpr, [...carries, ...ys], (i) => carries[i - consts] === true);
    // A carry that is returned or read in a step is needed from the step before.
    const { flags, made } = closure(live.slice(0, carry), (carries) => {
      const body = prune(carries);
      return { flags: body.takes.slice(consts, consts + carry), made: body };
    });
    const { jaxpr, takes } = made;
    const gives = [...flags, ...ys];
    if (jaxpr === params.jaxpr) return { params, takes, gives };
    const kept = { consts: count(takes.slice(0, consts)), carry: count(flags) };
    return { params: { ...params, ...kept, jaxpr }, takes, gives };
  },
  while(params, live) {
    const { condConsts, bodyConsts } = params;
    const prune = (carries: readonly boolean[]) => ({
      cond: pruned(params.cond, [true], (i) => carries[i - condConsts] === true),
      body: pruned(params.body, carries, (i) => carries[i - bodyConsts] === true),
    });
    const { flags, made } = closure(live, (carries) => {
      const { cond, body } = prune(carries);
      const read = carries.map((_, i) => cond.takes[condConsts + i]! || body.takes[bodyConsts + i]!);
      return { flags: read, made: { cond, body } };
    });
    const { cond, body } = made;
    const [cc, bc] = [cond.takes.slice(0, condConsts), body.takes.slice(0, bodyConsts)];
    const takes = [...cc, ...bc, ...flags];
    if (cond.jaxpr === params.cond && body.jaxpr === params.body) return { params, takes, gives: flags };
    const kept = { condConsts: count(cc), bodyConsts: count(bc) };
    return { params: { cond: cond.jaxpr, body: body.jaxpr, ...kept }, takes, gives: flags };
  },
  cond(params, live) {
    const { branches } = params;
    const found = branches.map((branch) => pruned(branch, live).takes);
    const reads = branches[0]!.ins.map((_, i) => found.some((takes) => takes[i]));
    const kept = branches.map((branch) => pruned(branch, live, (i) => reads[i]!).jaxpr);
    const same = kept.every((branch, j) => branch === branches[j]);
    return { params: same ? params : { branches: kept }, takes: [true, ...reads], gives: live };
  },
  // Rules are for all outputs. These calls are inlined before a program is compiled, and pruned then.
  checkpoint: whole,
  custom_jvp: whole,
  custom_vjp: whole,
  custom_lin: whole,
  custom_vmap: whole,
  custom_linear_solve: whole,
};

/** The inner program for the outputs that are `live`, without the inputs that those do not need, unless they must be kept. */
function pruned(
  jaxpr: Jaxpr,
  live: readonly boolean[],
  keeps: (i: number) => boolean = () => false,
): { readonly jaxpr: Jaxpr; readonly takes: readonly boolean[] } {
  return remember(jaxpr, `dce ${mask(live)} ${mask(jaxpr.ins.map((_, i) => keeps(i)))}`, () => {
    const outs = jaxpr.outs.filter((_, i) => live[i]);
    const body = dce(outs.length === jaxpr.outs.length ? jaxpr : { ...jaxpr, outs });
    const read = new Set<Atom>(body.outs);
    for (const eqn of body.eqns) for (const atom of eqn.ins) read.add(atom);
    const takes = jaxpr.ins.map((v, i) => read.has(v) || keeps(i));
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
  const { params, takes, gives } = prune(eqn.params, live);
  if (params === eqn.params) return eqn;
  return { ...eqn, params, ins: eqn.ins.filter((_, i) => takes[i]), outs: eqn.outs.filter((_, i) => gives[i]) };
}
