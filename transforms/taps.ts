/**
 * How what passes a `tap` gets out of a program: as hidden outputs, behind the outputs, which are handed over when the
 * outermost program has run. So a program has no effects while it runs, and every device shows the same.
 *
 * A tap in a loop is shown once, with all steps stacked along axis 0; in a branch, if the branch was taken: a mask beside the
 * values says which are real.
 */

import { type Aval, makeAval, withShape } from '../src/core/aval.ts';
import { evalTrace, observeWith } from '../src/core/eager.ts';
import {
  type Atom,
  type Eqn,
  evalJaxpr,
  hasEffect,
  isObserved,
  type Jaxpr,
  makeLiteral,
  makeVar,
} from '../src/core/jaxpr.ts';
import type { ParamsOf, Primitive } from '../src/core/primitive.ts';
import { bind, withTrace } from '../src/core/trace.ts';
import { type Tensor, tensorFrom, type Value } from '../src/core/value.ts';
import { full, zeros } from '../src/prim/compose.ts';
import { type Deliver, tapP } from '../src/prim/identity.ts';
import { broadcastInDimP, concatenate, reshape, sliceAxis } from '../src/prim/structural.ts';
import { derive } from './bodies.ts';
import { jitP } from './call.ts';
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
      const { primitive } = eqn;
      const inner = (exposers[primitive.name as HigherOrderName] as Exposer<unknown>)(eqn.params, primitive);
      const outs = inner.hidden.map(makeVar);
      const more = (inner.start ?? []).map((aval) => zerosInto(eqns, aval));
      const called = inner.program
        ? { primitive: jitP as Primitive, params: { name: primitive.name, jaxpr: inner.program } }
        : { primitive, params: inner.params };
      eqns.push({ ...eqn, ...called, ins: [...eqn.ins, ...more], outs: [...eqn.outs, ...outs] });
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
  /** The avals of further operands, which are zeros. */
  readonly start?: readonly Aval[];
  /** A program to call in the place of the equation. */
  readonly program?: Jaxpr;
}

/** Zeros of this aval, made by an equation. */
function zerosInto(eqns: Eqn[], aval: Aval): Atom {
  const zero = makeLiteral(makeAval([], aval.dtype, aval.weak), 0);
  if (aval.shape.length === 0) return zero;
  const out = makeVar(aval);
  const params = { shape: aval.shape, broadcastDimensions: [] };
  eqns.push({ primitive: broadcastInDimP as Primitive, params, ins: [zero], outs: [out], source: null });
  return out;
}

type Exposer<P> = (params: P, primitive: Primitive) => ExposedParams<P>;

/** The avals of what `exposed` has more outputs than `jaxpr`. */
const hiddenOf = (jaxpr: Jaxpr, exposed: Exposed): readonly Aval[] =>
  exposed.jaxpr.outs.slice(jaxpr.outs.length).map((atom) => atom.aval);

/** What is shown of one tap, with the places of its hidden outputs; those that have no mask get one. */
interface Masked {
  readonly shown: Shown;
  /** The avals of the values, and of the mask: a bool for each step. */
  readonly avals: readonly Aval[];
  /** The values and the mask, from all hidden outputs of a program that has run. */
  readonly read: (hidden: readonly Value[]) => readonly Value[];
}

/** The taps of a program with a mask for each: where it may not run, or run more often than is kept. */
function masked(jaxpr: Jaxpr, exposed: Exposed): readonly Masked[] {
  const hidden = hiddenOf(jaxpr, exposed);
  let next = 0;
  return exposed.shown.map((shown) => {
    const at = next;
    next += shown.count + Number(shown.masked);
    const values = hidden.slice(at, at + shown.count);
    const steps = shown.masked ? hidden[at + shown.count]!.shape : (values[0]?.shape.slice(0, shown.steps) ?? []);
    const mask = makeAval(steps, 'bool');
    return {
      shown: { ...shown, masked: true },
      avals: [...values, mask],
      read: (all) => [...all.slice(at, at + shown.count), shown.masked ? all[at + shown.count]! : full(mask, 1)],
    };
  });
}

/** The steps of a loop of unknown length that are kept: the last ones. */
const kept = 16;

/** The avals of the steps of taps that are kept. */
const keptOf = (taps: readonly Masked[]): readonly Aval[] =>
  taps.flatMap(({ avals }) => avals.map((aval) => withShape(aval, [kept, ...aval.shape])));

/** The last steps in order: the oldest goes, what is `hidden` in the newest comes behind the others. */
const pushed = (taps: readonly Masked[], before: readonly Value[], hidden: readonly Value[]): readonly Value[] =>
  taps
    .flatMap(({ read }) => read(hidden))
    .map((x, i) => concatenate([sliceAxis(before[i]!, 0, 1, kept), reshape(x, [1, ...x.shape])], 0));

/** What is shown of taps in a loop. */
const inLoop = (taps: readonly Masked[]): readonly Shown[] =>
  taps.map(({ shown }) => ({ ...shown, steps: shown.steps + 1 }));

type WhileParams = PrimitiveParams<'while'>;

/** A loop with taps in its predicate, which is evaluated once before the first step: a program that carries what it said. */
function exposePredicate(params: WhileParams, primitive: Primitive): ExposedParams<WhileParams> {
  const { body, cond, condConsts, bodyConsts } = params;
  const [exposedCond, exposedBody] = [expose(cond), expose(body)];
  const [condTaps, bodyTaps] = [masked(cond, exposedCond), masked(body, exposedBody)];
  const [condKept, bodyKept] = [keptOf(condTaps), keptOf(bodyTaps)];
  const count = body.outs.length;
  const constants = [
    ...cond.ins.slice(0, condConsts).map((v) => v.aval),
    ...body.ins.slice(0, bodyConsts).map((v) => v.aval),
  ];
  const carry = body.ins.slice(bodyConsts).map((v) => v.aval);
  const judge = (consts: readonly Value[], at: readonly Value[], before: readonly Value[]): readonly Value[] => {
    const [runs, ...hidden] = evalJaxpr(exposedCond.jaxpr, [], [...consts.slice(0, condConsts), ...at]);
    return [runs!, ...pushed(condTaps, before, hidden)];
  };
  const carried = [cond.outs[0]!.aval, ...condKept, ...bodyKept, ...carry];
  const runs = derive('debug', (first) => [first!], carried).jaxpr;
  const step = derive(
    'debug',
    (...args) => {
      const consts = args.slice(0, constants.length);
      const before = args.slice(constants.length + 1);
      const results = evalJaxpr(
        exposedBody.jaxpr,
        [],
        [...consts.slice(condConsts), ...before.slice(condKept.length + bodyKept.length)],
      );
      const next = results.slice(0, count);
      const ofBody = pushed(bodyTaps, before.slice(condKept.length), results.slice(count));
      return [...judge(consts, next, before), ...ofBody, ...next];
    },
    [...constants, ...carried],
  ).jaxpr;
  const { jaxpr: program } = derive(
    'debug',
    (...args) => {
      const consts = args.slice(0, constants.length);
      const start = judge(consts, args.slice(constants.length), condKept.map(zeros));
      const operands = [...consts, ...start, ...bodyKept.map(zeros), ...args.slice(constants.length)];
      const loop: WhileParams = { cond: runs, body: step, condConsts: 0, bodyConsts: constants.length };
      const [, ...results] = bind(primitive, operands, loop);
      return [
        ...results.slice(condKept.length + bodyKept.length),
        ...results.slice(0, condKept.length + bodyKept.length),
      ];
    },
    [...constants, ...carry],
  );
  return { params, hidden: [...condKept, ...bodyKept], shown: inLoop([...condTaps, ...bodyTaps]), program };
}

/** A call shows what its program does. */
function exposeCall<P extends { readonly jaxpr: Jaxpr }>(params: P): ExposedParams<P> {
  const exposed = expose(params.jaxpr);
  return { params: { ...params, jaxpr: exposed.jaxpr }, hidden: hiddenOf(params.jaxpr, exposed), shown: exposed.shown };
}

/** How each primitive that holds programs shows what they do. */
const exposers: { readonly [Name in HigherOrderName]: Exposer<PrimitiveParams<Name>> } = {
  scan(params) {
    const exposed = expose(params.jaxpr);
    return {
      params: { ...params, jaxpr: exposed.jaxpr },
      hidden: hiddenOf(params.jaxpr, exposed).map((aval) => withShape(aval, [params.length, ...aval.shape])),
      shown: exposed.shown.map((one) => ({ ...one, steps: one.steps + 1 })),
    };
  },
  while(params, primitive) {
    const { body, cond, condConsts, bodyConsts } = params;
    if (isObserved(cond)) return exposePredicate(params, primitive);
    const exposed = expose(body);
    const taps = masked(body, exposed);
    const start = keptOf(taps);
    const { jaxpr } = derive(
      'debug',
      (...args) => {
        const results = evalJaxpr(exposed.jaxpr, [], args.slice(0, body.ins.length));
        const latest = pushed(taps, args.slice(body.ins.length), results.slice(body.outs.length));
        return [...results.slice(0, body.outs.length), ...latest];
      },
      [...body.ins.map((v) => v.aval), ...start],
    );
    return {
      params: { cond: { ...cond, ins: [...cond.ins, ...start.map(makeVar)] }, body: jaxpr, condConsts, bodyConsts },
      hidden: start,
      shown: inLoop(taps),
      start,
    };
  },
  cond({ branches }) {
    const exposed = branches.map(expose);
    const taps = branches.map((branch, j) => masked(branch, exposed[j]!));
    const hidden = taps.flatMap((own) => own.flatMap(({ avals }) => avals));
    const shownBy = branches.map((branch, j) => {
      const { jaxpr } = derive(
        'debug',
        (...args) => {
          const results = evalJaxpr(exposed[j]!.jaxpr, [], args);
          const own = results.slice(branch.outs.length);
          const all = taps.map((some, k) =>
            some.flatMap(({ avals, read }) => (k === j ? read(own) : avals.map(zeros))),
          );
          return [...results.slice(0, branch.outs.length), ...all.flat()];
        },
        branch.ins.map((v) => v.aval),
      );
      return jaxpr;
    });
    return { params: { branches: shownBy }, hidden, shown: taps.flatMap((own) => own.map(({ shown }) => shown)) };
  },
  jit: exposeCall,
  checkpoint: exposeCall,
  custom_jvp: exposeCall,
  custom_vjp: exposeCall,
  custom_linear_solve(params) {
    const exposed = expose(params.solve);
    return {
      params: { ...params, solve: exposed.jaxpr },
      hidden: hiddenOf(params.solve, exposed),
      shown: exposed.shown,
    };
  },
  custom_vmap: exposeCall,
  // It is a derivative, and those show nothing.
  custom_lin: (params) => ({ params, hidden: [], shown: [] }),
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
