/**
 * The laws of factorizations: the factors are what they are called, for matrices of every size and scale, of low rank, diagonal or
 * zero; and what holds no number gives none.
 */

import * as fc from 'fast-check';
import type { Shape } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { type Domain, within } from './arbitrary/elements.ts';
import { apart, definite, dominant, either, large, lowRank } from './arbitrary/matrices.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { type FactoredName, factorJudges, type JudgeFactors } from './factors.ts';
import type { Call, Row } from './generators/row.ts';
import { type HostTensor, hostTensor, toHost, toTensor } from './host.ts';
import { expect, type Law, law, type Suite } from './law.ts';
import { applying } from './primitive-case.ts';
import { subject } from './primitives.laws.ts';

/** Ordinary matrices, and those at which factorizations go wrong. */
const general = (shape: Shape): Domain => either(either(within(-2, 2), apart(shape)), lowRank(shape));

/** From what each operand is drawn. */
const domains: { readonly [Name in FactoredName]: readonly ((shape: Shape) => Domain)[] } = {
  triangular_solve: [dominant, () => within(-2, 2)],
  cholesky: [definite],
  qr: [general],
  lu: [general],
  eigh: [general],
  svd: [general],
  tridiagonal_solve: [() => within(-0.75, 0.75), () => large, () => within(-0.75, 0.75), () => within(-2, 2)],
};

/** Powers of two by which operands are multiplied: up to where squares of elements overflow or vanish. */
const scales = { float32: [-140, -100, 0, 0, 0, 100, 120], float64: [-1060, -600, 0, 0, 0, 600, 1015] } as const;

/** A call with its operands, which are multiplied by powers of two. */
const scaledCase = (
  name: FactoredName,
  row: Row<unknown>,
): fc.Arbitrary<{ call: Call<unknown>; operands: HostTensor[] }> =>
  row.calls(row.takes).chain((call) =>
    fc
      .tuple(
        ...call.ins.map((aval, i) =>
          fc.tuple(
            tensorOf(aval, domains[name][i]!(aval.shape)),
            fc.constantFrom(...scales[aval.dtype === 'float32' ? 'float32' : 'float64']),
          ),
        ),
      )
      .map((drawn) => ({
        call,
        // The scale of a solution is that of the right-hand side by that of the matrix, which must be a number too.
        operands: drawn.map(([x, exponent], i) => (i < drawn.length - 1 ? x : scaled(x, 2 ** exponent))),
      })),
  );

const scaled = (x: HostTensor, by: number): HostTensor =>
  hostTensor(
    x.shape,
    x.dtype,
    Array.from(x.data, (v) => v * by),
    x.weak,
  );

/** Is this primitive judged by factors? */
export const isFactored = (name: string): name is FactoredName => Object.hasOwn(factorJudges, name);

/** From what an operand is drawn so that the factors exist. */
export const factorable = (name: FactoredName, { ins }: Call<unknown>, operand: number): Domain =>
  domains[name][operand]!(ins[operand]!.shape);

/** The results are the factors of the operands. */
function factorsLaw(name: FactoredName): Law {
  const { primitive, row } = subject(name);
  const judge = factorJudges[name] as JudgeFactors<unknown>;
  return law(`${name}: factors`, [scaledCase(name, row)], ({ call, operands }) => {
    const outs = applying(primitive, call)(...operands.map((x) => toTensor(x)));
    return judge(outs.map(toHost), operands, call.params);
  });
}

/** How results are found. */
type Apply = (name: FactoredName, call: Call<unknown>) => (...operands: readonly Value[]) => readonly Value[];

/** What holds no number gives none: a result says so. */
export function nanLaw(what: string, names: readonly FactoredName[], apply: Apply): Law {
  const arbitrary = fc.constantFrom(...names).chain((name) => {
    const { row } = subject(name);
    return row
      .calls(row.takes)
      .filter(({ ins }) => ins.every((aval) => aval.size > 0))
      .map((call) => ({ name, call }));
  });
  return law(`${what}: NaN gives NaN`, [arbitrary], ({ name, call }) => {
    const operands = call.ins.map(({ shape, dtype, size }) =>
      toTensor(hostTensor(shape, dtype, new Float64Array(size).fill(Number.NaN))),
    );
    const numbers = apply(name, call)(...operands).flatMap((x) => Array.from(x.dataSync(), Number));
    return expect(numbers.some(Number.isNaN), () => `the results of ${name} are ${numbers}`);
  });
}

const names = Object.keys(factorJudges) as readonly FactoredName[];

/** The laws of all factorizations. */
export const factorsLaws: Suite = {
  name: 'factors',
  laws: [...names.map(factorsLaw), nanLaw('factors', names, (name, call) => applying(subject(name).primitive, call))],
};
