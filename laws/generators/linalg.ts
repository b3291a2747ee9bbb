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
import { apart, definite, dominant, large, oftenThese, pivoting, symmetric } from '../arbitrary/matrices.ts';
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
  reordered: 64,
  results: ({ ins: [a], params }) => {
    const [m, n] = [rowsOf(a!), columnsOf(a!)];
    const k = params.fullMatrices ? m : Math.min(m, n);
    return [shaped(a!, m, k), shaped(a!, k, n)];
  },
};

/** Results beside the first: vectors, weak if the operand is. */
const vectors = (source: Aval, n: number): Aval =>
  makeAval([...source.shape.slice(0, -2), n], source.dtype, source.weak);

const lu: Row<None> = {
  takes: floats,
  calls: (dtypes) => matrix(dtypes).map((a) => makeCall([a], noParams)),
  operands: claim(piecewise('where the pivot changes, or is zero'), pivoting),
  values: ({ ins }) => oftenThese(pivoting(ins[0]!.shape)),
  linear: nowhere,
  results: ({ ins: [a] }) => {
    const [batch, m, n] = [a!.shape.slice(0, -2), rowsOf(a!), columnsOf(a!)];
    return [a!, makeAval([...batch, Math.min(m, n)], 'int32'), makeAval([...batch, m], 'int32')];
  },
};

const eigh: Row<FirstOrderParams<'eigh'>> = {
  takes: floats,
  calls: (dtypes) => fc.tuple(square(dtypes), fc.boolean()).map(([a, lower]) => makeCall([a], { lower })),
  operands: ({ ins: [a], params }) => [
    { derivative: piecewise('where eigenvalues are equal'), domain: symmetric(a!.shape, params.lower) },
  ],
  values: ({ ins: [a], params }) => oftenThese(symmetric(a!.shape, params.lower)),
  linear: nowhere,
  reordered: 64,
  results: ({ ins: [a] }) => [a!, vectors(a!, rowsOf(a!))],
};

const svdCalls =
  (fits: (m: number, n: number) => boolean): Row<FirstOrderParams<'svd'>>['calls'] =>
  (dtypes) =>
    fc
      .tuple(matrix(dtypes), fc.boolean(), fc.boolean())
      .map(([a, full, computeUv]) =>
        makeCall([a], { fullMatrices: full && (!computeUv || fits(rowsOf(a), columnsOf(a))), computeUv }),
      );

const svd: Row<FirstOrderParams<'svd'>> = {
  takes: floats,
  calls: svdCalls(() => true),
  differentiableCalls: svdCalls((m, n) => m === n)(floats),
  operands: claim(piecewise('where singular values are equal or zero'), apart),
  values: ({ ins }) => oftenThese(apart(ins[0]!.shape)),
  linear: nowhere,
  reordered: 64,
  results: ({ ins: [a], params: { fullMatrices, computeUv } }) => {
    const [m, n] = [rowsOf(a!), columnsOf(a!)];
    const k = Math.min(m, n);
    const s = vectors(a!, k);
    return computeUv ? [s, shaped(a!, m, fullMatrices ? m : k), shaped(a!, fullMatrices ? n : k, n)] : [s];
  },
};

const tridiagonalSolve: Row<None> = {
  takes: floats,
  calls: (dtypes) =>
    fc.tuple(batch, side, side, dtype(dtypes), weaknesses(4)).map(([b, n, k, d, weak]) =>
      makeCall(
        weak.map((w, i) => makeAval(i < 3 ? [...b, n] : [...b, n, k], d, w)),
        noParams,
      ),
    ),
  operands: claim(
    smooth,
    () => within(-0.75, 0.75),
    () => large,
    () => within(-0.75, 0.75),
    anything,
  ),
  values: (_call, operand) => oftenThese(operand === 1 ? large : within(-0.75, 0.75)),
  linear: () => [[3]],
  results: ({ ins }) => [makeAval(ins[3]!.shape, ins[3]!.dtype, together(ins))],
};

/** Rows by name. */
export const linalgRows = {
  triangular_solve: triangularSolve,
  cholesky,
  qr,
  lu,
  eigh,
  svd,
  tridiagonal_solve: tridiagonalSolve,
} as const;
