/**
 * Rows of linear algebra. Laws of values hold for every matrix, so that they are given such too that have no factors; the
 * derivatives are those of matrices whose factors are unique.
 */

import * as fc from 'fast-check';
import { type Aval, makeAval } from '../../src/core/aval.ts';
import type { DType } from '../../src/core/dtype.ts';
import type { None } from '../../src/core/params.ts';
import { noParams } from '../../src/core/primitive.ts';
import type { Shape } from '../../src/core/shape.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { dtype, floats } from '../arbitrary/dtype.ts';
import { type Domain, within } from '../arbitrary/elements.ts';
import { apart, definite, dominant, oftenThese } from '../arbitrary/matrices.ts';
import { axisLength } from '../arbitrary/shape.ts';
import {
  type Call,
  likeFirst,
  makeCall,
  nowhere,
  type OperandClaim,
  piecewise,
  type Row,
  smooth,
  together,
  weaknesses,
} from './row.ts';

/** The length of a batch axis, sometimes 0; mostly there is no such axis. */
const batch: fc.Arbitrary<Shape> = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.tuple(fc.integer({ min: 1, max: 2 })) },
  { weight: 1, arbitrary: fc.tuple(fc.nat({ max: 2 }), fc.integer({ min: 1, max: 2 })) },
);

/** The length of a side, sometimes 0. */
const side = axisLength().map((n) => Math.min(n, 3));

const [columnsOf, rowsOf] = [(aval: Aval): number => aval.shape.at(-1)!, (aval: Aval): number => aval.shape.at(-2)!];

/** Matrices of any sides, weak now and then. */
const matrix = (dtypes: readonly DType[]): fc.Arbitrary<Aval> =>
  fc
    .tuple(batch, side, side, dtype(dtypes), weaknesses(1))
    .map(([b, m, n, d, [weak]]) => makeAval([...b, m, n], d, weak!));

/** Square matrices. */
const square = (dtypes: readonly DType[]): fc.Arbitrary<Aval> =>
  fc.tuple(batch, side, dtype(dtypes), weaknesses(1)).map(([b, n, d, [weak]]) => makeAval([...b, n, n], d, weak!));

/** A claim for each operand, with the domain of its shape. */
const claim =
  (derivative: OperandClaim['derivative'], ...domains: readonly ((shape: Shape) => Domain)[]) =>
  ({ ins }: Call<unknown>): readonly OperandClaim[] =>
    ins.map((aval, i) => ({ derivative, domain: domains[i]!(aval.shape) }));

const anything = () => within(-2, 2);

const triangularSolve: Row<FirstOrderParams<'triangular_solve'>> = {
  takes: floats,
  calls: (dtypes) =>
    fc
      .tuple(
        square(dtypes),
        side,
        weaknesses(1),
        fc.record({
          leftSide: fc.boolean(),
          lower: fc.boolean(),
          transposeA: fc.boolean(),
          unitDiagonal: fc.boolean(),
        }),
      )
      .map(([a, k, [weak], params]) => {
        const n = rowsOf(a);
        const sides = params.leftSide ? [n, k] : [k, n];
        return makeCall([a, makeAval([...a.shape.slice(0, -2), ...sides], a.dtype, weak!)], params);
      }),
  operands: claim(smooth, dominant, anything),
  values: ({ ins }, operand) => (operand === 0 ? oftenThese(dominant(ins[0]!.shape)) : oftenThese(anything())),
  linear: () => [[1]],
  results: ({ ins }) => [makeAval(ins[1]!.shape, ins[1]!.dtype, together(ins))],
};

const cholesky: Row<None> = {
  takes: floats,
  calls: (dtypes) => square(dtypes).map((a) => makeCall([a], noParams)),
  operands: claim(smooth, definite),
  values: ({ ins }) => oftenThese(definite(ins[0]!.shape)),
  linear: nowhere,
  results: likeFirst,
};

const shaped = (source: Aval, ...sides: Shape): Aval =>
  makeAval([...source.shape.slice(0, -2), ...sides], source.dtype, source.weak);

const qrCalls =
  (fits: (fullMatrices: boolean, m: number, n: number) => boolean): Row<FirstOrderParams<'qr'>>['calls'] =>
  (dtypes) =>
    fc
      .tuple(matrix(dtypes), fc.boolean())
      .map(([a, full]) => makeCall([a], { fullMatrices: full && fits(full, rowsOf(a), columnsOf(a)) }));

const qr: Row<FirstOrderParams<'qr'>> = {
  takes: floats,
  calls: qrCalls(() => true),
  differentiableCalls: qrCalls((_, m, n) => m <= n)(floats),
  operands: claim(piecewise('where the first columns are dependent, or a reflection is not needed'), apart),
  values: ({ ins }) => oftenThese(apart(ins[0]!.shape)),
  linear: nowhere,
  results: ({ ins: [a], params }) => {
    const [m, n] = [rowsOf(a!), columnsOf(a!)];
    const k = params.fullMatrices ? m : Math.min(m, n);
    return [shaped(a!, m, k), shaped(a!, k, n)];
  },
};

/** Rows by name. */
export const linalgRows = {
  triangular_solve: triangularSolve,
  cholesky,
  qr,
} as const;
