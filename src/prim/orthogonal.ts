/**
 * Factorizations with orthogonal factors, batched over the leading axes: `qr`, `eigh`, `svd`.
 *
 * Each is unique but for signs, which are fixed (see the records), so that a factor is a differentiable function of the matrix
 * wherever eigenvalues or singular values are distinct; {@link eighP} says what is where they are not. Derivatives: M. Giles (2008); S. Walter and L. Lehmann, "Algorithmic
 * differentiation of linear algebra functions" (2010) for QR; J. Townsend, "Differentiating the singular value decomposition" (2016).
 */

import * as t from 'io-ts';
import { type Aval, makeAval } from '../core/aval.ts';
import { NotDifferentiableError } from '../core/errors.ts';
import type { Primitive } from '../core/primitive.ts';
import type { Shape } from '../core/shape.ts';
import { bind } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { abs, add, div, mul, sub } from './arithmetic.ts';
import { le, select } from './compare.ts';
import { fullLike, zeros } from './compose.ts';
import { expectCount } from './define.ts';
import {
  alongColumns,
  alongRows,
  batchOf,
  diagonal,
  expectMatrices,
  expectSquare,
  like,
  matmul,
  matrixTranspose,
  mirrored,
  sidesOf,
  times,
  triangle,
  vmapMatrices,
} from './matrices.ts';
import { reduceMax, unreduce } from './reduce.ts';
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

const eighParams = t.readonly(t.strict({ lower: t.boolean }));

type EighParams = t.TypeOf<typeof eighParams>;

/** 1/x, and 0 where `without`. */
const inverseUnless = (without: Value, x: Value): Value =>
  select(without, zeros(x.aval), div(fullLike(x, 1), select(without, fullLike(x, 1), x)));

/**
 * By how much a value that stands for one of `values` may be off: roundings of the largest, as a matrix and its factors have them.
 * They grow with the root of the side; 16 leaves room for how the matrix was made. In the shape of a value.
 */
function roundingsOf(values: Value, side: number, shape: Shape): Value {
  const axis = values.ndim - 1;
  const largest = unreduce(reduceMax(abs(values), [axis]), values.shape, [axis]);
  const bound = times(largest, 16 * Math.sqrt(side) * (values.dtype === 'float64' ? 2 ** -53 : 2 ** -24));
  return shape.length === values.ndim ? bound : alongRows(bound, shape.at(-1)!);
}

/** `of(gap)`⁻¹ for each pair of values, and 0 for those that roundings do not tell apart. */
function inverseGaps(values: Value, side: number, of: (gap: Value, across: Value, down: Value) => Value): Value {
  const k = values.shape.at(-1)!;
  const [across, down] = [alongColumns(values, k), alongRows(values, k)];
  const gap = sub(across, down);
  return inverseUnless(le(abs(gap), roundingsOf(values, side, gap.shape)), of(gap, across, down));
}

/**
 * Eigenvectors v and eigenvalues w of symmetric matrices, a v = v diag(w), of which one triangle is read. Eigenvalues increase;
 * of each eigenvector the first element that is nearly (to 1 %) as large as its largest is positive. NaN unless all elements
 * that are read are finite.
 *
 * With X = vᵀ da v: dw = diag X, dv = v (F ∘ X), F_ij = 1/(w_j − w_i) (Giles 2008, §3.1), of every order where eigenvalues are
 * distinct. The terms of eigenvalues that are equal up to roundings of the largest ({@link roundingsOf}), where no derivative of a
 * single eigenvector exists, are zero. That gives the first derivatives of what treats equal eigenvalues alike and does not depend
 * on the choice of their vectors, term by term: of Σ g(w), and of projections on the whole space of equal eigenvalues; and second
 * ones of the sum of equal eigenvalues, whose gradient is such a projection. All others would need the terms that are left out:
 * second derivatives of Σ w² or of a projection, and first ones of v f(w) vᵀ, in which both factors change.
 */
export const eighP: Primitive<'eigh', EighParams> = {
  name: 'eigh',
  params: eighParams,
  abstractEval(ins, _params) {
    expectCount('eigh', 1, ins);
    const a = ins[0]!;
    expectSquare('eigh', a);
    return [a, makeAval(a.shape.slice(0, -1), a.dtype, a.weak)];
  },
  jvp([a], [da], params) {
    const [v, w] = eigh(a!, params);
    const n = a!.shape.at(-1)!;
    const turned = matmul(v, matmul(mirrored(da!, params.lower), v), { x: true });
    const gaps = inverseGaps(w, n, (gap) => gap);
    return { outs: [v, w], tangents: [matmul(v, mul(gaps, turned)), diagonal(turned)] };
  },
  transpose: 'nonlinear',
  vmap: vmapMatrices((a, params) => eigh(a, params)),
};

/** Eigenvectors and eigenvalues. */
export const eigh = (a: Value, params: EighParams): readonly [Value, Value] =>
  bind(eighP, [a], params) as readonly [Value, Value];

const svdParams = t.readonly(t.strict({ fullMatrices: t.boolean, computeUv: t.boolean }));

type SvdParams = t.TypeOf<typeof svdParams>;

/**
 * Singular values s, and with `computeUv` orthonormal u and vᵀ with a = u diag(s) vᵀ: for m × n matrices and k = min(m, n), u is
 * m × k and vᵀ k × n; with `fullMatrices` they are square. Singular values decrease; of each column of u the first element that
 * is nearly (to 1 %) as large as its largest is positive, and so of the columns of v that u does not determine. NaN unless all
 * elements are finite.
 *
 * With X = uᵀ da v: ds = diag X, du = u (F ∘ (X S + S Xᵀ)) + (1 − u uᵀ) da v S⁻¹, dv = v (F ∘ (S X + Xᵀ S)) + (1 − v vᵀ) daᵀ u S⁻¹,
 * F_ij = 1/(s_j² − s_i²) (Townsend 2016). The terms of equal singular values, and those of a singular value 0, both up to
 * roundings of the largest, are zero: see {@link eighP} for which derivatives are right there. Those of Σ g(s) are where g′(0) = 0.
 */
export const svdP: Primitive<'svd', SvdParams> = {
  name: 'svd',
  params: svdParams,
  abstractEval(ins, { fullMatrices, computeUv }) {
    expectCount('svd', 1, ins);
    const a = ins[0]!;
    expectMatrices('svd', a);
    const [m, n] = sidesOf(a.shape);
    const k = Math.min(m, n);
    const s = makeAval([...batchOf(a.shape), k], a.dtype, a.weak);
    return computeUv ? [s, like(a, m, fullMatrices ? m : k), like(a, fullMatrices ? n : k, n)] : [s];
  },
  jvp([a], [da], { fullMatrices, computeUv }) {
    const [m, n] = sidesOf(a!.shape);
    if (computeUv && fullMatrices && m !== n) throw ambiguous('svd', a!.aval);
    const [s, u, vt] = svd(a!, { fullMatrices: false, computeUv: true }) as [Value, Value, Value];
    const k = Math.min(m, n);
    const right = matmul(da!, vt, { y: true });
    const turned = matmul(u, right, { x: true });
    if (!computeUv) return { outs: [s], tangents: [diagonal(turned)] };
    const [across, down] = [alongColumns(s, k), alongRows(s, k)];
    const side = Math.max(m, n);
    const gaps = inverseGaps(s, side, (gap, x, y) => mul(add(x, y), gap));
    const symmetricSum = (x: Value): Value => add(x, matrixTranspose(x));
    let du = matmul(u, mul(gaps, symmetricSum(mul(turned, across))));
    let dvt = matmul(mul(gaps, symmetricSum(mul(down, turned))), vt, { x: true });
    const inverse = inverseUnless(le(s, roundingsOf(s, side, s.shape)), s);
    if (m > k) du = add(du, mul(sub(right, matmul(u, turned)), alongColumns(inverse, m)));
    if (n > k) {
      const left = matmul(u, da!, { x: true });
      dvt = add(dvt, mul(alongRows(inverse, n), sub(left, matmul(turned, vt))));
    }
    return { outs: [s, u, vt], tangents: [diagonal(turned), du, dvt] };
  },
  transpose: 'nonlinear',
  vmap: vmapMatrices((a, params) => svd(a, params)),
};

/** Singular values, and the factors that were asked for. */
export const svd = (a: Value, params: SvdParams): readonly Value[] => bind(svdP, [a], params);
