/**
 * The law of `decompose`: a program in which primitives are replaced, however deep, computes what it computed, and has none of them.
 *
 * Programs are chains of applications, each by itself, in a loop, in a branch, in a loop of branches or in a call.
 */

import * as fc from 'fast-check';
import { type DecomposedName, decompose, decompositions } from '../backends/loop/decompose/index.ts';
import { makeAval } from '../src/core/aval.ts';
import {
  type ClosedJaxpr,
  constsAsInputs,
  type Eqn,
  innerJaxprs,
  type Jaxpr,
  outAvals,
  sameAvals,
} from '../src/core/jaxpr.ts';
import { stage } from '../src/core/stage.ts';
import type { Value } from '../src/core/value.ts';
import { abs, add, mul } from '../src/prim/arithmetic.ts';
import { gt, lt } from '../src/prim/compare.ts';
import { fullLike, scalar } from '../src/prim/compose.ts';
import { cumsum } from '../src/prim/cumulative.ts';
import { fft } from '../src/prim/fft.ts';
import { optimizationBarrier, tap } from '../src/prim/identity.ts';
import { betainc, igamma } from '../src/prim/incomplete.ts';
import { erf, logistic, tanh } from '../src/prim/math.ts';
import { reduceOr } from '../src/prim/reduce.ts';
import { sort } from '../src/prim/sort.ts';
import { polygamma } from '../src/prim/special.ts';
import { cond } from '../transforms/branches.ts';
import { call } from '../transforms/call.ts';
import { jit } from '../transforms/jit.ts';
import { scan } from '../transforms/loops.ts';
import { optimize } from '../transforms/passes/index.ts';
import { whileLoop } from '../transforms/while.ts';
import { within } from './arbitrary/elements.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { closeValues, toHost, toTensor } from './host.ts';
import { every, expect, fails, type Law, law } from './law.ts';

type Step = (x: Value) => Value;

const positive: Step = (x) => add(abs(x), fullLike(x, 0.5));

/** What is decomposed, and for comparison what is not, on vectors, with results that are no larger than the operands. */
const steps: { readonly [Name in string]: Step } = {
  sort: (x) => sort([x], 0)[0]!,
  cumsum: (x) => tanh(cumsum(x, { axis: 0, reverse: false })),
  igamma: (x) => igamma(positive(x), fullLike(x, 1.5)),
  betainc: (x) => betainc(positive(x), fullLike(x, 2), logistic(x)),
  polygamma: (x) => tanh(polygamma(fullLike(x, 1), positive(x))),
  fft: (x) => tanh(fft(x, fullLike(x, 0), { kind: 'FFT', fftLengths: [x.shape[0]!] })[0]),
  erf,
  square: (x) => tanh(mul(x, x)),
  barrier: (x) => optimizationBarrier([x])[0]!,
  tap: (x) => tap('', () => undefined, [x])[0]!,
};

/** Where a step stands. */
const places: { readonly [Name in string]: (step: Step) => Step } = {
  here: (step) => step,
  jit: (step) => (x) => jit(step)(x),
  scan: (step) => (x) => scan((c: Value) => [step(c), null] as const, x, null, { length: 2 })[0],
  while: (step) => (x) =>
    whileLoop(
      ([, n]: readonly [Value, Value]) => lt(n, scalar(2, 'int32')) as Value<'bool'>,
      ([c, n]) => [step(c), add(n, scalar(1, 'int32'))] as const,
      [x, scalar(0, 'int32')] as const,
    )[0],
  cond: (step) => (x) => cond(isPositive(x), step, (y: Value) => y, x),
  branches: (step) => (x) =>
    scan((c: Value) => [cond(isPositive(c), step, (y: Value) => tanh(y), c), null] as const, x, null, { length: 2 })[0],
};

const isPositive = (x: Value): Value<'bool'> => reduceOr(gt(x, fullLike(x, 0)), [0]) as Value<'bool'>;

/** All equations, those of inner programs as well. */
const allEqns = (jaxpr: Jaxpr): readonly Eqn[] =>
  jaxpr.eqns.flatMap((eqn) => [eqn, ...innerJaxprs(eqn).flatMap(allEqns)]);

const names = Object.keys(decompositions) as readonly DecomposedName[];

const countOf = (eqns: readonly Eqn[], name: string): number =>
  eqns.filter((eqn) => eqn.primitive.name === name).length;

/** The program with its constants as inputs, on the default device. */
const run = ({ jaxpr, consts }: ClosedJaxpr, args: readonly Value[]): readonly Value[] =>
  call('law', constsAsInputs(jaxpr), [...consts.map((x) => toTensor(toHost(x))), ...args]);

/** A program and what `decompose` makes of it. */
export const decomposedProgramLaw: Law = law(
  'decompose preserves programs, and leaves none of what it replaces',
  [
    fc.array(fc.tuple(fc.constantFrom(...Object.keys(steps)), fc.constantFrom(...Object.keys(places))), {
      minLength: 1,
      maxLength: 4,
    }),
    fc.integer({ min: 1, max: 6 }).chain((n) => tensorOf(makeAval([n], 'float32'), within(-2, 2))),
  ],
  (chain, operand) => {
    const x = toTensor(operand);
    const f = (v: Value): Value => chain.reduce((y, [step, place]) => places[place]!(steps[step]!)(y), v);
    const closed = stage('law', (v) => [f(v!)], [x.aval]);
    const program = optimize(constsAsInputs(closed.jaxpr));
    const decomposed = decompose(program, names);
    const { jaxpr } = decomposed;
    if (decompose(program, names) !== decomposed && jaxpr !== program) return fails('it is not remembered');
    const [before, after] = [allEqns(program), allEqns(jaxpr)];
    const left = after.find((eqn) => eqn.primitive.name in decompositions);
    if (left) return fails(`${left.primitive.name} is left`);
    if (!before.some((eqn) => eqn.primitive.name in decompositions) && jaxpr !== program) {
      return fails('it is not the program itself, which has nothing to replace');
    }
    if (!sameAvals(outAvals(jaxpr), outAvals(program)) || jaxpr.ins.length !== program.ins.length) {
      return fails('inputs or outputs differ');
    }
    const kept = every(['tap', 'optimization_barrier'], (name) =>
      expect(countOf(after, name) === countOf(before, name), () => `${name} does not occur as often`),
    );
    if (kept._tag === 'Fails') return kept;
    const sources = new Set(before.map((eqn) => eqn.source));
    const lost = after.find((eqn) => !sources.has(eqn.source));
    if (lost) return fails(`${lost.primitive.name} has a source that no equation of the program has`);
    const args = [...closed.consts, x];
    return closeValues('decomposed', run(decomposed, args), run({ jaxpr: program, consts: [] }, args), 1e-4);
  },
);
