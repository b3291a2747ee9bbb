/**
 * Triangular systems and the factorization of positive definite matrices, batched over the leading axes.
 *
 * Derivatives: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008).
 * A triangle that is not read has no derivative, so that every rule is the exact derivative of what is computed.
 */

import * as t from 'io-ts';
import { makeAval, showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { type None, none } from '../core/params.ts';
import { noParams, type Primitive, type Tangent } from '../core/primitive.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { neg, sub } from './arithmetic.ts';
import { select } from './compare.ts';
import { zeros } from './compose.ts';
import { addTangents, allWeak, batchAt, expectCount, known } from './define.ts';
import {
  expectBatched,
  expectMatrices,
  expectSquare,
  matmul,
  mirrored,
  onDiagonal,
  sidesOf,
  times,
  triangle,
  vmapMatrices,
} from './matrices.ts';
import { moveAxis, reshape } from './structural.ts';

const solveParams = t.readonly(
  t.strict({ leftSide: t.boolean, lower: t.boolean, transposeA: t.boolean, unitDiagonal: t.boolean }),
);

/** Which triangle is read, how, and on which side of the unknown it stands. */
export type TriangularSolveParams = t.TypeOf<typeof solveParams>;

/**
 * The solution x of op(a) x = b (`leftSide`) or x op(a) = b, where op(a) is the lower or upper triangle of `a`, or its transpose.
 * With `unitDiagonal` the diagonal of `a` is not read either: it is 1.
 *
 * x is linear in b, and dx = op(a)⁻¹ (db − op(da) x).
 */
export const triangularSolveP: Primitive<'triangular_solve', TriangularSolveParams> = {
  name: 'triangular_solve',
  params: solveParams,
  abstractEval(ins, { leftSide }) {
    expectCount('triangular_solve', 2, ins);
    const [a, b] = ins;
    expectSquare('triangular_solve', a!);
    expectMatrices('triangular_solve', b!);
    expectBatched('triangular_solve', a!, b!);
    const [n] = sidesOf(a!.shape);
    const [rows, columns] = sidesOf(b!.shape);
    if (n !== (leftSide ? rows : columns)) {
      throw new ShapeError({
        op: 'triangular_solve',
        problem: `${showAval(a!)} does not fit the ${leftSide ? 'rows' : 'columns'} of ${showAval(b!)}`,
        remedy: leftSide ? 'a x = b needs as many rows in b as in a' : 'x a = b needs as many columns in b as in a',
      });
    }
    return [makeAval(b!.shape, b!.dtype, allWeak(ins))];
  },
  jvp([a, b], [da, db], params) {
    const x = triangularSolve(a!, b!, params);
    const { leftSide, lower, transposeA, unitDiagonal } = params;
    let change: Tangent = db!;
    if (da) {
      const moved = triangle(da, lower, unitDiagonal);
      const product = leftSide ? matmul(moved, x, { x: transposeA }) : matmul(x, moved, { y: transposeA });
      change = addTangents(db!, neg(product));
    }
    return { outs: [x], tangents: [triangularSolve(a!, change!, params)] };
  },
  transpose: ([ct], [a], params) => [
    null,
    triangularSolve(known('triangular_solve', a!), ct!, { ...params, transposeA: !params.transposeA }),
  ],
  vmap(size, [a, b], [aDim, bDim], params) {
    if (aDim !== null) {
      return { outs: [triangularSolve(moveAxis(a!, aDim!, 0), batchAt(size, b!, bDim!, 0), params)], dims: [0] };
    }
    // One matrix for all lanes: they are more right-hand sides of it.
    const at = b!.ndim - (params.leftSide ? 2 : 3);
    const lanes = moveAxis(b!, bDim!, at);
    const { shape } = lanes;
    const wide = reshape(lanes, [...shape.slice(0, at), shape[at]! * shape[at + 1]!, ...shape.slice(at + 2)]);
    return { outs: [reshape(triangularSolve(a!, wide, params), shape)], dims: [at] };
  },
};

/** The solution of a triangular system. */
export const triangularSolve = (a: Value, b: Value, params: TriangularSolveParams): Value =>
  bind1(triangularSolveP, [a, b], params);

/** Which triangular system to solve; all that is left out is false. */
export const solving = (options: Partial<TriangularSolveParams>): TriangularSolveParams => ({
  leftSide: false,
  lower: false,
  transposeA: false,
  unitDiagonal: false,
  ...options,
});

/**
 * The lower triangular L with L Lᵀ = a and a positive diagonal, zeros above it. Of `a` the lower triangle is read. NaN in the
 * whole triangle unless `a` is positive definite.
 *
 * dL = L Φ(L⁻¹ da L⁻ᵀ), where Φ takes the lower triangle and half of the diagonal (Giles 2008, §2.1.5; I. Murray 2016).
 */
export const choleskyP: Primitive<'cholesky', None> = {
  name: 'cholesky',
  params: none,
  abstractEval(ins) {
    expectCount('cholesky', 1, ins);
    expectSquare('cholesky', ins[0]!);
    return [ins[0]!];
  },
  jvp([a], [da]) {
    const l = cholesky(a!);
    const half = triangularSolve(l, mirrored(da!, true), solving({ leftSide: true, lower: true }));
    const whole = triangularSolve(l, half, solving({ lower: true, transposeA: true }));
    const diagonal = select(onDiagonal(whole), whole, zeros(whole.aval));
    return { outs: [l], tangents: [matmul(l, sub(triangle(whole, true), times(diagonal, 0.5)))] };
  },
  transpose: 'nonlinear',
  vmap: vmapMatrices((a) => [cholesky(a)]),
};

/** The Cholesky factor. */
export const cholesky = (a: Value): Value => bind1(choleskyP, [a], noParams);
