/**
 * Factorizations with orthogonal factors, batched over the leading axes: `qr`, `eigh`, `svd`.
 *
 * Each is unique but for signs, which are fixed (see the records), so that a factor is a differentiable function of the matrix
 * wherever eigenvalues or singular values are distinct. Derivatives: M. Giles (2008); S. Walter and L. Lehmann, "Algorithmic
 * differentiation of linear algebra functions" (2010) for QR; J. Townsend, "Differentiating the singular value decomposition" (2016).
 */

import * as t from 'io-ts';
import type { Aval } from '../core/aval.ts';
import { NotDifferentiableError } from '../core/errors.ts';
import type { Primitive } from '../core/primitive.ts';
import { bind } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { add, sub } from './arithmetic.ts';
import { expectCount } from './define.ts';
import { expectMatrices, like, matmul, matrixTranspose, sidesOf, triangle, vmapMatrices } from './matrices.ts';
import { concatenate, sliceAxis } from './structural.ts';
import { solving, triangularSolve } from './triangular.ts';

const qrParams = t.readonly(t.strict({ fullMatrices: t.boolean }));

type QrParams = t.TypeOf<typeof qrParams>;

const ambiguous = (op: string, aval: Aval): NotDifferentiableError => {
  const [m, n] = sidesOf(aval.shape);
  return new NotDifferentiableError({
    op,
    problem: `the ${m} × ${n} matrices do not determine the columns that fullMatrices adds, which have no derivative`,
    remedy: 'leave out fullMatrices where derivatives are taken',
  });
};

/**
 * a = q r with orthonormal columns of q and an upper triangular r: for m × n matrices and k = min(m, n), q is m × k and r
 * k × n; with `fullMatrices` they are m × m and m × n.
 *
 * Signs are those of Householder's reflections as LAPACK has them: where a reflection is needed, the diagonal element of r
 * has the sign opposite to that of the element which it replaces.
 *
 * With C = qᵀ da r⁻¹: dr = (triu C + (tril₋₁ C)ᵀ) r, and dq = (da r⁻¹ − q C) + q (tril₋₁ C − (tril₋₁ C)ᵀ) (Walter and Lehmann
 * 2010). That needs the first k columns to be independent. The further columns r₂ = qᵀ a₂ of a wide matrix follow.
 */
export const qrP: Primitive<'qr', QrParams> = {
  name: 'qr',
  params: qrParams,
  abstractEval(ins, { fullMatrices }) {
    expectCount('qr', 1, ins);
    const a = ins[0]!;
    expectMatrices('qr', a);
    const [m, n] = sidesOf(a.shape);
    const k = fullMatrices ? m : Math.min(m, n);
    return [like(a, m, k), like(a, k, n)];
  },
  jvp([a], [da], params) {
    const [m, n] = sidesOf(a!.shape);
    if (params.fullMatrices && m > n) throw ambiguous('qr', a!.aval);
    const [q, r] = qr(a!, params);
    const k = Math.min(m, n);
    const first = (x: Value): Value => sliceAxis(x, x.ndim - 1, 0, k);
    const rest = (x: Value): Value => sliceAxis(x, x.ndim - 1, k, n);
    const upper = first(r);
    const moved = triangularSolve(upper, first(da!), solving({}));
    const inside = matmul(q, moved, { x: true });
    const below = triangle(inside, true, true);
    const turn = sub(below, matrixTranspose(below));
    const dq = add(sub(moved, matmul(q, inside)), matmul(q, turn));
    const dUpper = matmul(sub(inside, turn), upper);
    if (n === k) return { outs: [q, r], tangents: [dq, triangle(dUpper, false)] };
    const dRest = add(matmul(dq, rest(a!), { x: true }), matmul(q, rest(da!), { x: true }));
    return { outs: [q, r], tangents: [dq, concatenate([triangle(dUpper, false), dRest], r.ndim - 1)] };
  },
  transpose: 'nonlinear',
  vmap: vmapMatrices((a, params) => qr(a, params)),
};

/** The factors q and r. */
export const qr = (a: Value, params: QrParams): readonly [Value, Value] =>
  bind(qrP, [a], params) as readonly [Value, Value];
