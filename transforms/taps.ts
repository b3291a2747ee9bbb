/**
 * How what passes a `tap` gets out of a program: as hidden outputs, behind the outputs, which are handed over when the
 * outermost program has run. So a program has no effects while it runs, and every device shows the same.
 *
 * A tap in a loop is shown once, with all steps stacked along axis 0; in a branch, if the branch was taken: a mask beside the
 * values says which are real.
 */

import { type Aval, withShape } from '../src/core/aval.ts';
import { evalTrace, observeWith } from '../src/core/eager.ts';
import { type Atom, type Eqn, hasEffect, isObserved, type Jaxpr, makeVar } from '../src/core/jaxpr.ts';
import type { ParamsOf } from '../src/core/primitive.ts';
import { withTrace } from '../src/core/trace.ts';
import { type Tensor, tensorFrom, type Value } from '../src/core/value.ts';
import { type Deliver, tapP } from '../src/prim/identity.ts';
import type { HigherOrderName, PrimitiveParams } from './registry.ts';

/** What is shown of one tap: this many hidden outputs. */
interface Shown {
  readonly label: string;
  readonly deliver: Deliver;
  readonly count: number;
  /** How many axes of the hidden outputs are steps of loops. */
  readonly steps: number;
  /** Is there one more, a bool for each step: has it run? */
  readonly masked: boolean;
}

/** A program with what it shows as further outputs. */
export interface Exposed {
  readonly jaxpr: Jaxpr;
  readonly shown: readonly Shown[];
}

const remembered = new WeakMap<Jaxpr, Exposed>();

/** The program with what passes its taps behind its outputs; made once for each program. */
export function expose(jaxpr: Jaxpr): Exposed {
  const known = remembered.get(jaxpr);
  if (known) return known;
  const renamed = new Map<Atom, Atom>();
  const eqns: Eqn[] = [];
  const hidden: Atom[] = [];
  const shown: Shown[] = [];
  for (const original of jaxpr.eqns) {
    const eqn = { ...original, ins: original.ins.map((atom) => renamed.get(atom) ?? atom) };
    if (eqn.primitive.name === tapP.name) {
      const { deliver, label } = eqn.params as ParamsOf<typeof tapP>;
      eqn.outs.forEach((v, i) => renamed.set(v, eqn.ins[i]!));
      hidden.push(...eqn.ins);
      shown.push({ label, deliver, count: eqn.ins.length, steps: 0, masked: false });
    } else if (hasEffect(eqn)) {
      const inner = (exposers[eqn.primitive.name as HigherOrderName] as Exposer<unknown>)(eqn.params);
      const outs = inner.hidden.map(makeVar);
      eqns.push({ ...eqn, params: inner.params, outs: [...eqn.outs, ...outs] });
      hidden.push(...outs);
      shown.push(...inner.shown);
    } else eqns.push(eqn);
  }
  const outs = [...jaxpr.outs.map((atom) => renamed.get(atom) ?? atom), ...hidden];
  const exposed = { jaxpr: { ...jaxpr, eqns, outs }, shown };
  remembered.set(jaxpr, exposed);
  return exposed;
}

/** Parameters whose program has these outputs more, and what they are. */
interface ExposedParams<P> {
  readonly params: P;
  readonly hidden: readonly Aval[];
  readonly shown: readonly Shown[];
}

type Exposer<P> = (params: P) => ExposedParams<P>;

/** The avals of what `exposed` has more outputs than `jaxpr`. */
const hiddenOf = (jaxpr: Jaxpr, exposed: Exposed): readonly Aval[] =>
  exposed.jaxpr.outs.slice(jaxpr.outs.length).map((atom) => atom.aval);

/** How each primitive that holds programs shows what they do. */
const exposers: { readonly [Name in HigherOrderName]: Exposer<PrimitiveParams<Name>> } = {
  jit(params) {
    const exposed = expose(params.jaxpr);
    return {
      params: { ...params, jaxpr: exposed.jaxpr },
      hidden: hiddenOf(params.jaxpr, exposed),
      shown: exposed.shown,
    };
  },
  scan(params) {
    const exposed = expose(params.jaxpr);
    return {
      params: { ...params, jaxpr: exposed.jaxpr },
      hidden: hiddenOf(params.jaxpr, exposed).map((aval) => withShape(aval, [params.length, ...aval.shape])),
      shown: exposed.shown.map((one) => ({ ...one, steps: one.steps + 1 })),
    };
  },
};

/** Hand the hidden outputs over, in the order of the program. */
function deliver(shown: readonly Shown[], hidden: readonly Tensor[]): void {
  let next = 0;
  for (const { deliver: show, label, count, steps, masked } of shown) {
    const values = hidden.slice(next, next + count);
    next += count;
    const mask = masked ? hidden[next++]! : null;
    const kept = mask ? ran(values, mask, steps) : values;
    if (kept) withTrace(evalTrace, () => show(kept, label));
  }
}

/** The values of the steps that have run, stacked along one axis; `null` if none has. */
function ran(values: readonly Tensor[], mask: Tensor, steps: number): readonly Value[] | null {
  const flags = mask.dataSync();
  const rows = Array.from(flags.keys()).filter((i) => flags[i] !== 0);
  if (steps === 0) return rows.length > 0 ? values : null;
  return values.map((x) => {
    const shape = x.shape.slice(steps);
    const data = x.dataSync();
    const size = data.length / flags.length;
    const picked = data.slice(0, rows.length * size);
    rows.forEach((row, i) => picked.set(data.subarray(row * size, (row + 1) * size), i * size));
    return tensorFrom(withShape(x.aval, [rows.length, ...shape]), picked, x.device);
  });
}

observeWith((jaxpr) => {
  if (!isObserved(jaxpr)) return null;
  const { jaxpr: whole, shown } = expose(jaxpr);
  return { jaxpr: whole, hidden: whole.outs.length - jaxpr.outs.length, deliver: (hidden) => deliver(shown, hidden) };
});
