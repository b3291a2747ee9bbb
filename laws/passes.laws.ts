/**
 * The laws of the passes: every one changes how a program computes and no bit of what, NaN, ±Inf and −0 included.
 *
 * Each named rewrite is judged alone, on programs to which it applies, against the equations as written.
 */

import * as fc from 'fast-check';
import { referenceDevice } from '../backends/reference/device.ts';
import { makeAval } from '../src/core/aval.ts';
import { checkJaxpr } from '../src/core/check.ts';
import { runJaxpr } from '../src/core/eager.ts';
import { eqJaxpr, hashJaxpr } from '../src/core/hash.ts';
import {
  type Atom,
  countEqns,
  inAvals,
  isLiteral,
  type Jaxpr,
  makeVar,
  outAvals,
  sameAvals,
  type Var,
} from '../src/core/jaxpr.ts';
import { showJaxpr, showJaxprInline } from '../src/core/pretty.ts';
import { noParams, type Primitive } from '../src/core/primitive.ts';
import { range } from '../src/core/shape.ts';
import { stage } from '../src/core/stage.ts';
import { addP, divP, mulP, negP, subP } from '../src/prim/arithmetic.ts';
import { notP } from '../src/prim/bits.ts';
import { eqP, geP, ltP } from '../src/prim/compare.ts';
import { asFunction } from '../transforms/call.ts';
import {
  cse,
  dce,
  fold,
  folding,
  inline,
  optimize,
  type Rewrite,
  rewrite,
  simplifications,
  simplify,
} from '../transforms/passes/index.ts';
import { application, constant, constantOf, definedBy, on, type Replacement } from '../transforms/passes/rewrite.ts';
import type { PrimitiveName } from '../transforms/registry.ts';
import { Draft, jaxprOf, type Op, programs } from './arbitrary/program.ts';
import { exact, feeders } from './arbitrary/program-ops.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { generators } from './generators.ts';
import { type HostTensor, sameBits, toHost, toTensor } from './host.ts';
import { interpret } from './interpret.ts';
import { every, expect, type Law, law, type Suite, type Verdict } from './law.ts';

const dtypes = ['float32', 'int32', 'uint32', 'bool'] as const;

/** A program as a jaxpr, with inputs that are edge values. */
interface Case {
  readonly jaxpr: Jaxpr;
  readonly inputs: readonly HostTensor[];
}

const withInputs = (jaxprs: fc.Arbitrary<Jaxpr>): fc.Arbitrary<Case> =>
  jaxprs.chain((jaxpr) =>
    fc.tuple(...jaxpr.ins.map((v) => tensorOf(v.aval))).map((inputs) => {
      const self: Case = { jaxpr, inputs };
      const show = (): string => `${showJaxprInline(jaxpr)} of ${fc.stringify(inputs)}`;
      return Object.defineProperty(self, fc.toStringMethod, { value: show });
    }),
  );

/** Programs over every dtype. */
export const anyPrograms: fc.Arbitrary<Jaxpr> = programs({ ops: exact, dtypes, maxSteps: 10 }).map(jaxprOf);

/** Well typed, of the same inputs and outputs, and the same results bit for bit. */
function preserves(after: Jaxpr, { jaxpr, inputs }: Case): Verdict {
  checkJaxpr(after);
  const typed = sameAvals(inAvals(after), inAvals(jaxpr)) && sameAvals(outAvals(after), outAvals(jaxpr));
  if (!typed) return expect(false, () => `the avals of inputs or outputs have changed: ${showJaxprInline(after)}`);
  const wanted = interpret(jaxpr, inputs);
  const found = interpret(after, inputs);
  return every(range(wanted.length), (i) =>
    sameBits(`result ${i} of ${showJaxprInline(after)}`, found[i]!, wanted[i]!),
  );
}

const passes = { inline, cse, dce, fold, simplify, optimize };

const passLaws = Object.entries(passes).map(
  ([name, pass]): Law => law(`${name} preserves values`, [withInputs(anyPrograms)], (c) => preserves(pass(c.jaxpr), c)),
);

/** The primitives that an operation of random programs applies. */
function emitted(op: Op): ReadonlySet<string> {
  const draft = new Draft(
    dtypes.map((dtype) => makeAval([2, 3], dtype)),
    [op],
  );
  draft.decode([{ op: 0, picks: [0, 1, 2], numbers: [1, 1, 1, 1, 1, 1, 1, 1], body: [] }]);
  return new Set(draft.steps.map((step) => step.primitive.name));
}

const tagged = exact.map((op) => ({ op, names: emitted(op) }));

/** Programs to which a rewrite applies: half of their operations are those that it looks at, half of their inputs floats. */
function programsFor(one: Rewrite): fc.Arbitrary<Jaxpr> {
  const looked = tagged.filter(({ names }) => one.on.some(({ name }) => names.has(name))).map(({ op }) => op);
  const repeats = Math.ceil(feeders.length / looked.length);
  const ops = [...feeders, ...range(repeats).flatMap(() => looked)];
  const taken = one.on.flatMap(({ name }) => generators[name as PrimitiveName].takes);
  const inputs = dtypes.filter((dtype) => taken.includes(dtype));
  return fc
    .constantFrom(...inputs, ...inputs.map(() => 'float32' as const))
    .chain((dtype) => programs({ ops, dtypes: [dtype, dtype, 'bool'], maxInputs: 2 }))
    .map(jaxprOf)
    .filter((jaxpr) => rewrite(jaxpr, [one]) !== jaxpr);
}

/** What a rewrite states, on programs to which it applies. */
export const rewriteLaw = (one: Rewrite): Law =>
  law(`rewrite ${one.name}: ${one.states}`, [withInputs(programsFor(one))], (c) =>
    preserves(rewrite(c.jaxpr, [one]), c),
  );

const rewriteLaws = [...simplifications, folding].map(rewriteLaw);

const zeroOf = (atom: Atom): Replacement => constant(atom.aval, 0);

/** Rewrites that look right and are not: each is wrong for a NaN, an infinity, a signed zero or a wrapped integer only. */
export const unsoundRewrites: readonly Rewrite[] = [
  on(addP, 'add_zero', 'x + 0 = x', (eqn, _, ds) => (constantOf(eqn.ins[1]!, ds) === 0 ? eqn.ins[0]! : null)),
  on(mulP, 'mul_zero', 'x · 0 = 0', (eqn, _, ds) => (constantOf(eqn.ins[1]!, ds) === 0 ? zeroOf(eqn.ins[0]!) : null)),
  on(subP, 'sub_self', 'x − x = 0', (eqn) => (eqn.ins[0] === eqn.ins[1] ? zeroOf(eqn.ins[0]!) : null)),
  on(divP, 'div_self', 'x / x = 1', (eqn) => (eqn.ins[0] === eqn.ins[1] ? constant(eqn.outs[0]!.aval, 1) : null)),
  on(eqP, 'eq_self', 'x = x', (eqn) => (eqn.ins[0] === eqn.ins[1] ? constant(eqn.outs[0]!.aval, 1) : null)),
  {
    name: 'neg_sub',
    states: '−(x − y) = y − x',
    on: [negP as Primitive, subP as Primitive],
    apply: (eqn, ds) => {
      const difference = eqn.primitive === (negP as Primitive) ? definedBy(subP, eqn.ins[0]!, ds) : null;
      return difference && application(subP, [difference.ins[1]!, difference.ins[0]!], noParams);
    },
  },
  on(notP, 'not_lt', 'not (x < y) = x ≥ y', (eqn, _, ds) => {
    const compared = definedBy(ltP, eqn.ins[0]!, ds);
    return compared && application(geP, compared.ins, noParams);
  }),
];

/** The same program with other variables, in the same order. */
function renamed(jaxpr: Jaxpr): Jaxpr {
  const fresh = new Map<Atom, Var>();
  const define = (v: Var): Var => {
    const made = makeVar(v.aval);
    fresh.set(v, made);
    return made;
  };
  const read = (atom: Atom): Atom => (isLiteral(atom) ? { ...atom } : fresh.get(atom)!);
  return {
    consts: jaxpr.consts.map(define),
    ins: jaxpr.ins.map(define),
    eqns: jaxpr.eqns.map((eqn) => ({ ...eqn, ins: eqn.ins.map(read), outs: eqn.outs.map(define) })),
    outs: jaxpr.outs.map(read),
  };
}

const structureLaws: readonly Law[] = [
  law('hash, equality and text do not see names', [anyPrograms], (jaxpr) => {
    const other = renamed(jaxpr);
    return every(
      [
        ['eqJaxpr', eqJaxpr.equals(jaxpr, other)],
        ['hashJaxpr', hashJaxpr(jaxpr) === hashJaxpr(other)],
        ['showJaxpr', showJaxpr(jaxpr) === showJaxpr(other)],
      ] as const,
      ([name, same]) => expect(same, () => `${name} tells a program from itself under other names`),
    );
  }),
  law('equality sees every equation', [anyPrograms], (jaxpr) =>
    every(range(jaxpr.eqns.length), (i) => {
      const eqns = jaxpr.eqns.map((eqn, k) =>
        k === i ? { ...eqn, primitive: { ...eqn.primitive, name: 'other' } } : eqn,
      );
      const other = { ...jaxpr, eqns };
      const seen = !eqJaxpr.equals(jaxpr, other) && hashJaxpr(jaxpr) !== hashJaxpr(other);
      return expect(seen, () => `another primitive in equation ${i} goes unnoticed`);
    }),
  ),
  law('interpreting while staging gives the program back', [anyPrograms], (jaxpr) => {
    const again = stage('law', asFunction(jaxpr), inAvals(jaxpr)).jaxpr;
    return expect(eqJaxpr.equals(again, jaxpr), () => `it became ${showJaxprInline(again)}`);
  }),
  law('optimize does not add equations, and is idempotent', [anyPrograms], (jaxpr) => {
    const once = optimize(jaxpr);
    const twice = optimize({ ...once });
    if (countEqns(once) > countEqns(jaxpr))
      return expect(false, () => `${countEqns(jaxpr)} equations became ${showJaxprInline(once)}`);
    return expect(countEqns(twice) === countEqns(once), () => `a second time made ${showJaxprInline(once)} shorter`);
  }),
  law('the reference device computes what the equations say', [withInputs(anyPrograms)], ({ jaxpr, inputs }) => {
    const device = referenceDevice();
    const outs = runJaxpr(
      device,
      jaxpr,
      inputs.map((x) => toTensor(x, device)),
    );
    const wanted = interpret(jaxpr, inputs);
    return every(range(outs.length), (i) => sameBits(`result ${i}`, toHost(outs[i]!), wanted[i]!));
  }),
];

/** The laws of the passes and of the IR. */
export const passesLaws: Suite = { name: 'passes', laws: [...structureLaws, ...passLaws, ...rewriteLaws] };
