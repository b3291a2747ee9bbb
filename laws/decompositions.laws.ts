/**
 * The laws of decompositions: what a primitive is in terms of simpler ones computes what the primitive does.
 *
 * How exactly is a row of a table that is total over the decompositions: bit for bit where nothing but order and choice is
 * involved, within a tolerance where a series meets a formula, by invariants where the result is not unique.
 */

import * as fc from 'fast-check';
import { type Decompose, type DecomposedName, decompositions } from '../backends/loop/decompose/index.ts';
import { makeAval, showAval } from '../src/core/aval.ts';
import { type DType, isFloat } from '../src/core/dtype.ts';
import { type ClosedJaxpr, constsAsInputs } from '../src/core/jaxpr.ts';
import type { Primitive } from '../src/core/primitive.ts';
import { range, sizeOf } from '../src/core/shape.ts';
import { stage } from '../src/core/stage.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import type { FftParams } from '../src/prim/fft.ts';
import { call } from '../transforms/call.ts';
import { type Domain, edges, edgy } from './arbitrary/elements.ts';
import { decomposedProgramLaw } from './decomposed-programs.laws.ts';
import { factorable, isFactored, nanLaw } from './factors.laws.ts';
import { type FactoredName, factorJudges, type JudgeFactors } from './factors.ts';
import { type Call, makeCall, type Row } from './generators/row.ts';
import { close, closeValues, sameType, sameValues, toHost, toTensor } from './host.ts';
import { every, expect, fails, type Law, law, type Suite, type Verdict } from './law.ts';
import { anyDomain, cases } from './primitive-case.ts';
import { subject } from './primitives.laws.ts';

/** What is applied: a primitive and its operands. */
export interface Application {
  readonly operands: readonly Value[];
  readonly params: unknown;
}

/** Says whether the results of a decomposition are those of the primitive. */
export interface Judge {
  (found: readonly Value[], wanted: readonly Value[], application: Application): Verdict;
  /** What results may differ by, for the documentation; otherwise that is said where the judge is. */
  readonly words?: string;
}

const bits: Judge = Object.assign<Judge, { words: string }>(
  (found, wanted) => sameValues('decomposed', found, wanted),
  { words: 'the same bits' },
);

/** Floats within `rtol` of the larger of 1 and the element; integers exactly, which wrap in any order of sums and products. */
export const within = (rtol: number): Judge =>
  Object.assign<Judge, { words: string }>(
    (found, wanted) =>
      wanted.every((x) => isFloat(x.dtype))
        ? closeValues('decomposed', found, wanted, rtol)
        : sameValues('decomposed', found, wanted),
    { words: `floats within ${rtol}, integers the same bits` },
  );

/** The size of the largest term of which an element is the sum, which it may be far below. */
type Scale = (operands: readonly number[], params: unknown) => number;

/**
 * Within so many roundings of the element itself, or of the largest term of its sum; what has not all digits of its dtype may be 0.
 *
 * Doubles are compared with doubles, where both sides have the errors of exponents: of e^E |E| times as many.
 */
const digits = (count: { readonly float32: number; readonly float64: number }, scale: Scale | null = null): Judge =>
  Object.assign<Judge, { words: string }>(
    ([found], [wanted], { operands, params }) => {
      const [a, b] = [toHost(found!), toHost(wanted!)];
      const types = sameType('decomposed', a, b);
      if (types._tag === 'Fails') return types;
      const single = b.dtype === 'float32';
      const [unit, least] = single ? [2 ** -24, 2 ** -126] : [2 ** -53, 2 ** -1022];
      const ins = operands.map((x) => x.dataSync());
      return every(range(b.data.length), (i) => {
        const [x, y] = [a.data[i]!, b.data[i]!];
        const point = ins.map((data) => data[i]!);
        const size = scale ? Math.max(Math.abs(y), scale(point, params)) : Math.abs(y);
        const units = single ? count.float32 : count.float64 * (1 + Math.abs(Math.log(Math.abs(y) || 1)));
        return expect(
          Object.is(x, y) || x === y || Math.abs(x - y) <= units * unit * size + least,
          () => `decomposed: ${x}, expected ${y} at (${point.join(', ')}) with ${JSON.stringify(params)}`,
        );
      });
    },
    {
      words:
        `within ${count.float32} roundings of a float32, ${count.float64}·(1 + |log|) of a float64` +
        (scale ? ', of the largest term' : ''),
    },
  );

/** The term of the nearest pole; near the root of the digamma function at 1.46 those of its series. */
const nearestPole: Scale = ([n, x]) => {
  let value = 1;
  for (let k = 1; k <= n! && k < 200; k++) value *= k;
  if (x! > 0) return n === 0 ? gammaSlopes([x!], null) : 0;
  return value * Math.abs(x! - Math.round(x!)) ** -(n! + 1);
};

/** Near the roots at 1 and 2, and at those below 0, the terms of the recurrence and of the reflection. */
const gammaLogarithms: Scale = ([x]) => (x! < 0 ? 1 - x! * Math.log1p(-x!) : Math.abs(x! - 2) < 1.5 ? 1 : 0);

/** Near the root at 1.46, and at those below 0. */
const gammaSlopes: Scale = ([x]) => (x! < 0 ? 1 + Math.log1p(-x!) : Math.abs(x! - 1.5) < 0.5 ? 1 : 0);

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

/**
 * The factors of the operands, of the types that the primitive has: their elements depend on the order of sums. Which elements are NaN
 * and which infinite, where an operand is infinite, depends on that order too: nothing is said of it.
 */
const factors = (name: FactoredName): Judge =>
  Object.assign<Judge, { words: string }>(
    (found, wanted, { operands, params }) => {
      const outs = found.map(toHost);
      const types = every(range(wanted.length), (i) => sameType(`result ${i}`, outs[i]!, toHost(wanted[i]!)));
      return types._tag === 'Fails'
        ? types
        : (factorJudges[name] as JudgeFactors<unknown>)(outs, operands.map(toHost), params);
    },
    { words: 'factors of finite operands' },
  );

/** About the largest product of derivatives of the logarithm of the density of which a derivative is the mean. */
const gammaTerms: Scale = ([a, x], params) => {
  const [i, j] = (params as { readonly orders: readonly [number, number] }).orders;
  const shape = Math.max(Math.abs(a!), 2 ** -20);
  const score = 1 + 1 / shape + Math.abs(Math.log(x! / shape));
  return score ** (i - (j === 0 ? 1 : 0)) * (j > 1 ? (1 + Math.abs(a! - 1) / x!) ** (j - 1) : 1);
};

const betaTerms: Scale = ([a, b, x], params) => {
  const [i, j, k] = (params as { readonly orders: readonly [number, number, number] }).orders;
  const [inA, inB] = [1 + 1 / a! - Math.log(x!), 1 + 1 / b! - Math.log1p(-x!)];
  const inX = k > 1 ? (1 + Math.abs(a! - 1) / x! + Math.abs(b! - 1) / (1 - x!)) ** (k - 1) : 1;
  return ((inA ** i * inB ** j) / (k === 0 ? Math.max(inA, inB) : 1)) * inX;
};

/** How exactly each decomposition computes what its primitive does. */
export const decompositionJudges: { readonly [Name in DecomposedName]: Judge } = {
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
  lgamma: digits({ float32: 64, float64: 64 }, gammaLogarithms),
  digamma: digits({ float32: 64, float64: 64 }, gammaSlopes),
  bessel_i0e: digits({ float32: 16, float64: 16 }),
  bessel_i1e: digits({ float32: 16, float64: 16 }),
  nextafter: bits,
  erf: digits({ float32: 6, float64: 6 }),
  erfc: digits({ float32: 8, float64: 8 }),
  erf_inv: digits({ float32: 8, float64: 8 }),
  polygamma: digits({ float32: 16, float64: 64 }, nearestPole),
  igamma: digits({ float32: 16, float64: 64 }),
  igammac: digits({ float32: 16, float64: 64 }),
  igamma_grad: digits({ float32: 64, float64: 64 }, gammaTerms),
  random_gamma_grad: digits({ float32: 32, float64: 64 }),
  regularized_incomplete_beta: digits({ float32: 16, float64: 64 }),
  regularized_incomplete_beta_grad: digits({ float32: 64, float64: 256 }, betaTerms),
};

/** Numbers of all sizes above 0 as often as the values at which rules break. */
const positive: Domain = (dtype, n) =>
  fc.array(
    fc.oneof(
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 2048 }).map((k) => k / 256) },
      { weight: 2, arbitrary: fc.integer({ min: -320, max: 320 }).map((k) => rounded(dtype, Math.exp(k / 32))) },
      { weight: 1, arbitrary: fc.constantFrom(...edges[dtype]) },
    ),
    { minLength: n, maxLength: n, size: 'max' },
  );

/** {@link positive}, without the greatest and least floats: second derivatives lose all digits there, on the reference device as well. */
const moderate: Domain = (dtype, n) =>
  positive(dtype, n).map((xs) => xs.map((x) => (x === 0 || !Number.isFinite(x) || isModerate(x) ? x : 1)));

const isModerate = (x: number): boolean => Math.abs(x) > 2 ** -10 && Math.abs(x) < 2 ** 20;

/** Probabilities, those near 0 and 1 as well, as often as what is none. */
const probability: Domain = (dtype, n) =>
  fc.array(
    fc.oneof(
      { weight: 2, arbitrary: fc.integer({ min: 0, max: 256 }).map((k) => k / 256) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 320 }).map((k) => rounded(dtype, Math.exp(-k / 32))) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 320 }).map((k) => rounded(dtype, 1 - Math.exp(-k / 32))) },
      { weight: 1, arbitrary: fc.constantFrom(...edges[dtype]) },
    ),
    { minLength: n, maxLength: n, size: 'max' },
  );

/** {@link probability}, where densities are no greater than floats. */
const moderateProbability: Domain = (dtype, n) =>
  probability(dtype, n).map((xs) => xs.map((x) => (x === 0 || Math.abs(x) > 2 ** -20 ? x : 1)));

/** Orders of derivatives as often as numbers that are none. */
const order: Domain = (dtype, n) =>
  fc.array(
    fc.oneof({ weight: 4, arbitrary: fc.nat({ max: 12 }) }, { weight: 1, arbitrary: fc.constantFrom(...edges[dtype]) }),
    { minLength: n, maxLength: n, size: 'max' },
  );

const rounded = (dtype: DType, x: number): number => (dtype === 'float32' ? Math.fround(x) : x);

/** The operands of what is only defined for some, where hardly any of all values would be. */
const domains: { readonly [Name in DecomposedName]?: readonly Domain[] } = {
  polygamma: [order, edgy],
  igamma: [positive, positive],
  igammac: [positive, positive],
  igamma_grad: [moderate, moderate],
  random_gamma_grad: [positive, positive],
  regularized_incomplete_beta: [positive, positive, probability],
  regularized_incomplete_beta_grad: [moderate, moderate, moderateProbability],
};

/** What the results of a decomposition may differ by, in words. */
export const toleranceOf = (name: DecomposedName): string => decompositionJudges[name].words ?? 'some roundings';

/** Few shapes, so that their programs are staged once: these are elementwise, and large. */
const fewShapes = <P>(call: Call<P>): Call<P> => {
  const [shape] = [[], [0], [6]].slice(call.ins[0]!.shape.length % 3);
  return makeCall(
    call.ins.map(({ dtype }) => makeAval(shape!, dtype)),
    call.params,
  );
};

/** Any values that the row allows; of what has factors, those that have them. */
export const domainOf = <P>(name: string, row: Row<P>): ((call: Call<P>, operand: number) => Domain) => {
  const special = domains[name as DecomposedName];
  if (special) return (_, operand) => special[operand]!;
  return isFactored(name) ? (call, operand) => factorable(name, call, operand) : anyDomain(row);
};

/** A decomposition computes what its primitive does, and is a program without it. */
export function decompositionLaw<P>(
  primitive: Primitive<string, P>,
  row: Row<P>,
  decompose: Decompose<P>,
  judge: Judge,
): Law {
  const calls = Object.hasOwn(domains, primitive.name) ? row.calls(row.takes).map(fewShapes) : row.calls(row.takes);
  const programs = new Map<string, ClosedJaxpr>();
  return law(
    `${primitive.name}: decomposition = primitive`,
    [cases(calls, domainOf(primitive.name, row))],
    ({ call: { ins, params }, operands }) => {
      const values = operands.map((x) => toTensor(x));
      const key = `${ins.map(showAval).join()} ${JSON.stringify(params)}`;
      const staged = programs.get(key) ?? stage('law', (...xs) => decompose(xs, params), ins);
      programs.set(key, staged);
      const { jaxpr, consts } = staged;
      if (jaxpr.eqns.some((eqn) => eqn.primitive.name === primitive.name)) return fails('the program applies it');
      const found = call('law', constsAsInputs(jaxpr), [...consts, ...values]);
      return judge(found, bind(primitive, values, params), { operands: values, params });
    },
  );
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
      return decompositionLaw(primitive, row, decompositions[name] as Decompose<unknown>, decompositionJudges[name]);
    }),
    decomposedNanLaw,
    decomposedProgramLaw,
  ],
};
