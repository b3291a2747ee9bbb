/** Gaussian elimination: `lu` with partial pivoting, and the solution of tridiagonal systems. Batched over the leading axes. */

import { makeAval, showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { type None, none } from '../core/params.ts';
import { noParams, type Primitive, type Tangent } from '../core/primitive.ts';
import { range, sameShape } from '../core/shape.ts';
import { bind, bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { add, mul, neg, sub } from './arithmetic.ts';
import { and } from './bits.ts';
import { ge, select } from './compare.ts';
import { fullLike, scalar } from './compose.ts';
import { addTangents, allWeak, batchAt, expectCount, expectSame, known } from './define.ts';
import { gatherAlong } from './gather.ts';
import {
  alongRows,
  batchOf,
  expectBatched,
  expectMatrices,
  like,
  matmul,
  onDiagonal,
  sidesOf,
  triangle,
  vmapMatrices,
} from './matrices.ts';
import { broadcastInDim, iota, moveAxis, pad, reshape, sliceAxis } from './structural.ts';
import { solving, triangularSolve } from './triangular.ts';

/** `x` with zeros appended to its rows and columns until these are `rows` and `columns`. */
function extended(x: Value, rows: number, columns: number): Value {
  const [m, n] = sidesOf(x.shape);
  if (m === rows && n === columns) return x;
  const none = range(x.ndim).map(() => 0);
  return pad(x, scalar(0, x.dtype, x.aval.weak), none, [...none.slice(2), rows - m, columns - n], none);
}

/** `x` with ones on its diagonal from the element `from` on. */
function withOnes(x: Value, from: number): Value {
  const late = broadcastInDim(iota([x.shape.at(-1)!], 0, 'int32'), x.shape, [x.ndim - 1]);
  const chosen = and(onDiagonal(x), ge(late, fullLike(late, from)));
  return select(chosen, fullLike(x, 1), x);
}

/**
 * a[permutation] = l u, with the unit lower triangular l below the diagonal of the first result and u on and above it. In step i
 * the rows i and `pivots[i]` were exchanged: the pivot is the element of largest magnitude on and below the diagonal, of several
 * the first. A zero pivot is no error: u then has a zero on its diagonal.
 *
 * With Y = l⁻¹ da[permutation] and X = Y u⁻¹: dl = l tril₋₁ X, du = triu X · u = Y − tril₋₁ X · u. Of a matrix with no more rows
 * than columns tril₋₁ X does not depend on the last pivot, so that the derivative is right where that one is zero: the
 * determinant has a derivative there.
 */
export const luP: Primitive<'lu', None> = {
  name: 'lu',
  params: none,
  abstractEval(ins) {
    expectCount('lu', 1, ins);
    const a = ins[0]!;
    expectMatrices('lu', a);
    const [m, n] = sidesOf(a.shape);
    const batch = batchOf(a.shape);
    return [a, makeAval([...batch, Math.min(m, n)], 'int32'), makeAval([...batch, m], 'int32')];
  },
  jvp([a], [da]) {
    const [packed, pivots, permutation] = lu(a!);
    const [m, n] = sidesOf(a!.shape);
    const k = Math.min(m, n);
    const part = (columns: number, rows: number): Value =>
      sliceAxis(sliceAxis(packed, packed.ndim - 2, 0, rows), packed.ndim - 1, 0, columns);
    // Square factors: l continued by the identity to the right, u by the identity downwards.
    const l = withOnes(extended(triangle(part(k, m), true, true), m, m), 0);
    const u = withOnes(extended(triangle(part(n, k), false), n, n), k);
    const rows = gatherAlong(da!, broadcastInDim(permutation, da!.shape, range(da!.ndim - 1)), da!.ndim - 2);
    const left = triangularSolve(l, rows, solving({ leftSide: true, lower: true, unitDiagonal: true }));
    // No element of tril₋₁ X is divided by the last pivot, unless there are rows below it.
    const divisors = withOnes(u, m > n ? n : k - 1);
    const below = triangle(triangularSolve(divisors, left, solving({})), true, true);
    const dl = matmul(l, below);
    const du = sub(left, matmul(below, u));
    return { outs: [packed, pivots, permutation], tangents: [add(dl, triangle(du, false)), null, null] };
  },
  transpose: 'nonlinear',
  vmap: vmapMatrices((a) => lu(a)),
};

/** The packed factors, the pivots and the permutation of rows. */
export const lu = (a: Value): readonly [Value, Value, Value] =>
  bind(luP, [a], noParams) as readonly [Value, Value, Value];

/** The elements one place further along an axis (for `by` = −1 one place back), a zero in the place that becomes free. */
function shifted(x: Value, axis: number, by: 1 | -1): Value {
  const at = (n: number): readonly number[] => range(x.ndim).map((i) => (i === axis ? n : 0));
  return x.shape[axis] === 0 ? x : pad(x, scalar(0, x.dtype, x.aval.weak), at(by), at(-by), at(0));
}

/**
 * The solution x of a x = b for the matrices with `d` on the diagonal, `dl` below and `du` above it: `dl[i]` is left of `d[i]` and
 * `du[i]` right of it, so that `dl[0]` and `du[n − 1]` are not read. Elimination with partial pivoting, as LAPACK's gtsv.
 *
 * x is linear in b, and dx = a⁻¹ (db − da x).
 */
export const tridiagonalSolveP: Primitive<'tridiagonal_solve', None> = {
  name: 'tridiagonal_solve',
  params: none,
  abstractEval(ins) {
    expectCount('tridiagonal_solve', 4, ins);
    const [dl, d, du, b] = ins;
    expectSame('tridiagonal_solve', [dl!, d!, du!]);
    expectMatrices('tridiagonal_solve', b!);
    if (d!.shape.length === 0 || !sameShape(d!.shape, b!.shape.slice(0, -1))) {
      throw new ShapeError({
        op: 'tridiagonal_solve',
        problem: `diagonals ${showAval(d!)} do not fit the rows of ${showAval(b!)}`,
        remedy: 'the diagonals are [..., n] and the right-hand sides [..., n, k]',
      });
    }
    expectBatched('tridiagonal_solve', like(b!, 1, 1), makeAval([...batchOf(b!.shape), 1, 1], d!.dtype));
    return [makeAval(b!.shape, b!.dtype, allWeak(ins))];
  },
  jvp([dl, d, du, b], [ddl, dd, ddu, db]) {
    const x = tridiagonalSolve(dl!, d!, du!, b!);
    const [row, columns] = [x.ndim - 2, x.shape.at(-1)!];
    const band = (tangent: Tangent, of: Value): Tangent => tangent && neg(mul(alongRows(tangent, columns), of));
    const fromBands = addTangents(
      addTangents(band(ddl!, shifted(x, row, 1)), band(dd!, x)),
      band(ddu!, shifted(x, row, -1)),
    );
    return { outs: [x], tangents: [tridiagonalSolve(dl!, d!, du!, addTangents(db!, fromBands)!)] };
  },
  transpose([ct], operands) {
    const [dl, d, du] = operands.slice(0, 3).map((x) => known('tridiagonal_solve', x)) as [Value, Value, Value];
    const axis = d.ndim - 1;
    return [null, null, null, tridiagonalSolve(shifted(du, axis, 1), d, shifted(dl, axis, -1), ct!)];
  },
  vmap(size, operands, dims) {
    const [dl, d, du, b] = operands as readonly [Value, Value, Value, Value];
    if (dims.slice(0, 3).some((dim) => dim !== null)) {
      const [l, m, u, right] = operands.map((x, i) => batchAt(size, x, dims[i]!, 0)) as [Value, Value, Value, Value];
      return { outs: [tridiagonalSolve(l, m, u, right)], dims: [0] };
    }
    // One matrix for all lanes: they are more right-hand sides of it.
    const at = b.ndim - 2;
    const lanes = moveAxis(b, dims[3]!, at);
    const { shape } = lanes;
    const wide = reshape(lanes, [...shape.slice(0, at), shape[at]! * shape[at + 1]!]);
    return { outs: [reshape(tridiagonalSolve(dl, d, du, wide), shape)], dims: [at] };
  },
};

/** The solution of a tridiagonal system. */
export const tridiagonalSolve = (dl: Value, d: Value, du: Value, b: Value): Value =>
  bind1(tridiagonalSolveP, [dl, d, du, b], noParams);
