/**
 * The laws of decompositions: what a primitive is in terms of simpler ones computes what the primitive does.
 *
 * How exactly is a row of a table that is total over the decompositions: bit for bit where nothing but order and choice is
 * involved, within a tolerance where a series meets a formula, by invariants where the result is not unique.
 */

import { type Decompose, type DecomposedName, decomposing, decompositions } from '../backends/loop/decompose/index.ts';
import { constsAsInputs } from '../src/core/jaxpr.ts';
import type { Primitive } from '../src/core/primitive.ts';
import { range, sizeOf } from '../src/core/shape.ts';
import { stage } from '../src/core/stage.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import type { FftParams } from '../src/prim/fft.ts';
import { call } from '../transforms/call.ts';
import type { Domain } from './arbitrary/elements.ts';
import { factorable, isFactored, nanLaw } from './factors.laws.ts';
import { type FactoredName, factorJudges, type JudgeFactors } from './factors.ts';
import type { Call, Row } from './generators/row.ts';
import { close, closeValues, sameType, sameValues, toHost, toTensor } from './host.ts';
import { every, expect, fails, type Law, law, type Suite, type Verdict } from './law.ts';
import { anyDomain, cases } from './primitive-case.ts';
import { subject } from './primitives.laws.ts';

/** What is applied: a primitive and its operands. */
interface Application {
  readonly operands: readonly Value[];
  readonly params: unknown;
}

/** Says whether the results of a decomposition are those of the primitive. */
interface Judge {
  (found: readonly Value[], wanted: readonly Value[], application: Application): Verdict;
  /** What results may differ by, for the documentation; otherwise that is said where the judge is. */
  readonly words?: string;
}

const bits: Judge = Object.assign<Judge, { words: string }>(
  (found, wanted) => sameValues('decomposed', found, wanted),
  { words: 'the same bits' },
);

/** Within `rtol` of the larger of 1 and the element. */
export const within = (rtol: number): Judge =>
  Object.assign<Judge, { words: string }>((found, wanted) => closeValues('decomposed', found, wanted, rtol), {
    words: `within ${rtol}`,
  });

/** Within so many roundings of the larger of 1 and the element. */
const roundings = (count: number): Judge =>
  Object.assign<Judge, { words: string }>(
    (found, wanted) =>
      closeValues('decomposed', found, wanted, count * (wanted[0]!.dtype === 'float32' ? 2 ** -24 : 2 ** -53)),
    { words: `within ${count} roundings` },
  );

/** Within some roundings of the largest sum that a row of the operands can have. */
const spectrum: Judge = (found, wanted, { operands, params }) => {
  const { kind, fftLengths } = params as FftParams;
  const largest = Math.max(...operands.flatMap((x) => Array.from(x.dataSync(), Math.abs)));
  const rounding = found[0]!.dtype === 'float32' ? 2 ** -24 : 2 ** -53;
  const scale = Math.max(2 ** -20, kind === 'FFT' ? largest * sizeOf(fftLengths) : largest);
  return every(range(2), (i) =>
    close(`decomposed, result ${i}`, toHost(found[i]!), toHost(wanted[i]!), 4 * rounding, scale),
  );
};

/** The factors of the operands, of the types that the primitive has: their elements depend on the order of sums. */
const factors = (name: FactoredName): Judge =>
  Object.assign<Judge, { words: string }>(
    (found, wanted, { operands, params }) => {
      const outs = found.map(toHost);
      const types = every(range(wanted.length), (i) => sameType(`result ${i}`, outs[i]!, toHost(wanted[i]!)));
      return types._tag === 'Fails'
        ? types
        : (factorJudges[name] as JudgeFactors<unknown>)(outs, operands.map(toHost), params);
    },
    { words: 'factors of the operands' },
  );

const judges: { readonly [Name in DecomposedName]: Judge } = {
  sort: bits,
  top_k: bits,
  fft: spectrum,
  scatter_mul: within(1e-6),
  scatter_min: bits,
  scatter_max: bits,
  select_and_scatter_add: within(1e-5),
  cumsum: within(1e-5),
  cumprod: within(1e-6),
  cummax: bits,
  cummin: bits,
  cumlogsumexp: within(1e-6),
  triangular_solve: factors('triangular_solve'),
  cholesky: factors('cholesky'),
  qr: factors('qr'),
  lu: factors('lu'),
  eigh: factors('eigh'),
  svd: factors('svd'),
  tridiagonal_solve: factors('tridiagonal_solve'),
  lgamma: roundings(64),
  digamma: roundings(64),
  bessel_i0e: roundings(16),
  bessel_i1e: roundings(16),
  nextafter: bits,
};

/** What the results of a decomposition may differ by, in words. */
export const toleranceOf = (name: DecomposedName): string => judges[name].words ?? 'some roundings';

/** Any values that the row allows; of what has factors, those that have them. */
const domainOf = <P>(name: string, row: Row<P>): ((call: Call<P>, operand: number) => Domain) =>
  isFactored(name) ? (call, operand) => factorable(name, call, operand) : anyDomain(row);

/** A decomposition computes what its primitive does, and is a program without it. */
export function decompositionLaw<P>(
  primitive: Primitive<string, P>,
  row: Row<P>,
  decompose: Decompose<P>,
  judge: Judge,
): Law {
  return law(
    `${primitive.name}: decomposition = primitive`,
    [cases(row.calls(row.takes), domainOf(primitive.name, row))],
    ({ call: { ins, params }, operands }) => {
      const values = operands.map((x) => toTensor(x));
      const { jaxpr, consts } = stage('law', (...xs) => decompose(xs, params), ins);
      if (jaxpr.eqns.some((eqn) => eqn.primitive.name === primitive.name)) return fails('the program applies it');
      const found = call('law', constsAsInputs(jaxpr), [...consts, ...values]);
      return judge(found, bind(primitive, values, params), { operands: values, params });
    },
  );
}

/** A program that applies a primitive, under {@link decomposing}, applies it no more. */
function decomposingLaw(name: DecomposedName): Law {
  const { primitive, row } = subject(name);
  return law(`${name}: decomposing leaves none`, [row.calls(row.takes)], ({ ins, params }) => {
    const f = (...xs: readonly Value[]): readonly Value[] => decomposing([name], () => bind(primitive, xs, params));
    const { eqns } = stage('law', f, ins).jaxpr;
    return expect(!eqns.some((eqn) => eqn.primitive.name === name), () => `${name} is still applied`);
  });
}

/** What holds no number gives none, decomposed as well. */
const decomposedNanLaw = nanLaw(
  'decomposed factors',
  (Object.keys(decompositions) as readonly DecomposedName[]).filter(isFactored),
  (name, { params }) =>
    (...xs) =>
      (decompositions[name] as Decompose<unknown>)(xs, params),
);

/** The laws of all decompositions. */
export const decompositionsLaws: Suite = {
  name: 'decompositions',
  laws: [
    ...(Object.keys(decompositions) as readonly DecomposedName[]).flatMap((name) => {
      const { primitive, row } = subject(name);
      return [
        decompositionLaw(primitive, row, decompositions[name] as Decompose<unknown>, judges[name]),
        decomposingLaw(name),
      ];
    }),
    decomposedNanLaw,
  ],
};
