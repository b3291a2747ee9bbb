/**
 * `lax.linalg`: JAX's linear algebra on batches of matrices, which lie on the last two axes. Operands are floats with equal batch
 * axes; `np.linalg` promotes and broadcasts.
 *
 * Where a function symmetrizes its operand first, it reads only one triangle if told not to: `{ symmetrizeInput: false }`.
 */

import type { FloatDType } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import { add } from '../prim/arithmetic.ts';
import * as elimination from '../prim/lu.ts';
import { expectSquare, matrixTranspose, times } from '../prim/matrices.ts';
import * as orthogonal from '../prim/orthogonal.ts';
import * as triangular from '../prim/triangular.ts';
import { staged } from './staged.ts';
import type { Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

/** Options of {@link triangularSolve}; all are false if left out. */
export type TriangularSolveOptions = Partial<triangular.TriangularSolveParams>;

/** Options of what is meant for symmetric matrices. */
export interface SymmetrizeOptions {
  /** Compute with (x + xᵀ)/2, so that the gradient is symmetric too. Default true; else one triangle is read. */
  readonly symmetrizeInput?: boolean;
}

/** Options of {@link qr} and {@link svd}. */
export interface FullMatricesOptions {
  /** Square orthogonal factors, completed by columns that the matrix does not determine. Default true. */
  readonly fullMatrices?: boolean;
}

/** (x + xᵀ)/2. */
export function symmetrized(op: string, x: Value): Value {
  expectSquare(op, x.aval);
  return times(add(x, matrixTranspose(x)), 0.5);
}

/**
 * The solution x of x op(a) = b, or with `leftSide` of op(a) x = b, where op(a) is the upper triangle of `a` (with `lower` the
 * lower one) or with `transposeA` the transpose of it. With `unitDiagonal` the diagonal is taken to be 1.
 *
 * Substitution: a zero on the diagonal gives ±Inf or NaN.
 *
 * @param a - `float[..., n, n]`; the other triangle is not read
 * @param b - `float[..., m, n]`, with `leftSide` `float[..., n, m]`
 * @throws ShapeError if `a` is not square, or the two do not fit
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const a = np.array([[2, NaN], [1, 4]]);
 * const b = np.array([[2], [9]]);
 * console.log(lax.linalg.triangularSolve(a, b, { leftSide: true, lower: true }).toArray()); // => [ [ 1 ], [ 2 ] ]
 * ```
 */
export function triangularSolve<D extends FloatDType>(
  a: Tensor<D>,
  b: Tensor<D>,
  options: TriangularSolveOptions = {},
): Tensor<D> {
  const op = 'lax.linalg.triangularSolve';
  expectOptions(op, options, 'leftSide', 'lower', 'transposeA', 'unitDiagonal');
  const params = triangular.solving(options);
  return staged(op, [a, b], (x, y) => triangular.triangularSolve(x!, y!, params)) as Tensor<D>;
}

/**
 * The lower triangular L with L Lᵀ = x and a positive diagonal; NaN in its whole triangle unless `x` is positive definite.
 *
 * @param x - `float[..., n, n]`
 * @throws ShapeError unless the matrices are square
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.linalg.cholesky(np.array([[4, 2], [2, 10]])).toArray()); // => [ [ 2, 0 ], [ 1, 3 ] ]
 * console.log(lax.linalg.cholesky(np.array([[1, 2], [2, 1]])).toArray()); // => [ [ NaN, 0 ], [ NaN, NaN ] ]
 * ```
 */
export function cholesky<D extends FloatDType>(x: Tensor<D>, options: SymmetrizeOptions = {}): Tensor<D> {
  const op = 'lax.linalg.cholesky';
  expectOptions(op, options, 'symmetrizeInput');
  const { symmetrizeInput = true } = options;
  return staged(op, [x], (v) => triangular.cholesky(symmetrizeInput ? symmetrized(op, v!) : v!)) as Tensor<D>;
}

/**
 * [q, r] with x = q r, orthonormal columns of q, and an upper triangular r. Signs are those of Householder's reflections, as in
 * LAPACK: diagonal elements of r may be negative.
 *
 * Differentiable where the first min(m, n) columns are independent.
 *
 * @param x - `float[..., m, n]`
 * @throws NotDifferentiableError for a derivative with `fullMatrices` of a matrix with more rows than columns
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const [q, r] = lax.linalg.qr(np.array([[3], [4]]), { fullMatrices: false });
 * console.log(q.toArray(), r.toArray()); // => [ [ -0.6… ], [ -0.8… ] ] [ [ -5 ] ]
 * ```
 */
export function qr<D extends FloatDType>(
  x: Tensor<D>,
  options: FullMatricesOptions = {},
): readonly [q: Tensor<D>, r: Tensor<D>] {
  const op = 'lax.linalg.qr';
  expectOptions(op, options, 'fullMatrices');
  const { fullMatrices = true } = options;
  return staged(op, [x], (v) => orthogonal.qr(v!, { fullMatrices })) as unknown as readonly [Tensor<D>, Tensor<D>];
}

/**
 * [lu, pivots, permutation] with x[permutation] = l u: below its diagonal the first holds the unit lower triangular l, on and above
 * it the upper triangular u. In step i the rows i and `pivots[i]` were exchanged.
 *
 * Differentiable where no pivot is zero but the last, of a matrix with no more rows than columns.
 *
 * @param x - `float[..., m, n]`
 * @returns `float[..., m, n]`, `int32[..., min(m, n)]`, `int32[..., m]`
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const [lu, pivots, permutation] = lax.linalg.lu(np.array([[1, 2], [4, 4]]));
 * console.log(lu.toArray(), pivots.toArray(), permutation.toArray()); // => [ [ 4, 4 ], [ 0.25, 1 ] ] [ 1, 1 ] [ 1, 0 ]
 * ```
 */
export function lu<D extends FloatDType>(
  x: Tensor<D>,
): readonly [lu: Tensor<D>, pivots: Tensor<'int32'>, permutation: Tensor<'int32'>] {
  return staged('lax.linalg.lu', [x], (v) => elimination.lu(v!)) as unknown as readonly [
    Tensor<D>,
    Tensor<'int32'>,
    Tensor<'int32'>,
  ];
}

/** Options of {@link eigh}. */
export interface EighOptions extends SymmetrizeOptions {
  /** Which triangle is read if the operand is not symmetrized. Default the lower one. */
  readonly lower?: boolean;
}

/**
 * [v, w]: the eigenvectors of a symmetric matrix, as columns of v, and its eigenvalues w, which increase. (JAX's order;
 * `np.linalg.eigh` has the eigenvalues first.) Signs are settled: of each eigenvector, the first element that is nearly (to 1 %) as large
 * as its largest is positive. NaN if an element is not finite.
 *
 * Derivatives are right in every order where eigenvalues are distinct. Where they are equal, up to 16 √n roundings of the largest,
 * their vectors, and each value alone, have no derivative, and the rule leaves out the terms 1/(λᵢ − λⱼ). All derivatives are then
 * finite. Right are gradients of Σ g(w) and of projections on the whole space of equal eigenvalues, and second derivatives of the
 * sum of equal eigenvalues; wrong are higher derivatives of these, and gradients of functions of the matrix, v f(w) vᵀ: write such
 * a function by products and `np.linalg.solve` if eigenvalues may be equal.
 *
 * @param x - `float[..., n, n]`
 * @throws ShapeError unless the matrices are square
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const [v, w] = lax.linalg.eigh(np.array([[2, 0], [0, 1]]));
 * console.log(w.toArray(), v.toArray()); // => [ 1, 2 ] [ [ 0, 1 ], [ 1, 0 ] ]
 * ```
 */
export function eigh<D extends FloatDType>(
  x: Tensor<D>,
  options: EighOptions = {},
): readonly [v: Tensor<D>, w: Tensor<D>] {
  const op = 'lax.linalg.eigh';
  expectOptions(op, options, 'lower', 'symmetrizeInput');
  const { lower = true, symmetrizeInput = true } = options;
  return staged(op, [x], (v) =>
    orthogonal.eigh(symmetrizeInput ? symmetrized(op, v!) : v!, { lower }),
  ) as unknown as readonly [Tensor<D>, Tensor<D>];
}

/** Options of {@link svd}. */
export interface SvdOptions extends FullMatricesOptions {
  /** Also the singular vectors. Default true. */
  readonly computeUv?: boolean;
}

/**
 * [u, s, vᵀ] with x = u diag(s) vᵀ: orthonormal columns of u and v, and the singular values s ≥ 0, which decrease; without
 * `computeUv` only s. Signs are settled: of each column of u, the first element that is nearly (to 1 %) as large as its largest is
 * positive. NaN if an element is not finite.
 *
 * Where singular values are equal, or zero, up to 16 √max(m, n) roundings of the largest, their vectors have no derivative: as for
 * {@link eigh} the terms that would be infinite are left out, and right there are gradients of Σ g(s) (with g′(0) = 0 if one is
 * zero) and of projections on whole spaces of equal singular values, not of u f(s) vᵀ.
 *
 * @param x - `float[..., m, n]`
 * @throws NotDifferentiableError for a derivative with `fullMatrices` and `computeUv` of matrices that are not square
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const [u, s, vt] = lax.linalg.svd(np.array([[0, 2], [1, 0], [0, 0]]), { fullMatrices: false });
 * console.log(s.toArray(), u.shape, vt.toArray()); // => [ 2, 1 ] [ 3, 2 ] [ [ 0, 1 ], [ 1, 0 ] ]
 * ```
 */
export function svd<D extends FloatDType>(x: Tensor<D>, options: SvdOptions & { readonly computeUv: false }): Tensor<D>;
export function svd<D extends FloatDType>(
  x: Tensor<D>,
  options?: FullMatricesOptions & { readonly computeUv?: true },
): readonly [u: Tensor<D>, s: Tensor<D>, vt: Tensor<D>];
export function svd(x: Value, options: SvdOptions = {}): Value | readonly Value[] {
  const op = 'lax.linalg.svd';
  expectOptions(op, options, 'fullMatrices', 'computeUv');
  const { fullMatrices = true, computeUv = true } = options;
  const [s, u, vt] = staged(op, [x], (v) => orthogonal.svd(v!, { fullMatrices, computeUv }));
  return computeUv ? [u!, s!, vt!] : s!;
}

/**
 * The solution x of a x = b for matrices with the diagonal `d`, below it `dl` and above it `du`: in row i they are `dl[i]`, `d[i]`,
 * `du[i]`, so that the first of `dl` and the last of `du` are not read. A singular matrix gives ±Inf or NaN.
 *
 * @param dl - `float[..., n]`, as `d` and `du`
 * @param b - `float[..., n, k]`
 * @throws ShapeError if they do not fit
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const [dl, d, du] = [np.array([0, -1, -1]), np.array([1, 2, 2]), np.array([-1, -1, 0])];
 * console.log(lax.linalg.tridiagonalSolve(dl, d, du, np.array([[1], [0], [0]])).toArray()); // => [ [ 3 ], [ 2 ], [ 1 ] ]
 * ```
 */
export const tridiagonalSolve = <D extends FloatDType>(
  dl: Tensor<D>,
  d: Tensor<D>,
  du: Tensor<D>,
  b: Tensor<D>,
): Tensor<D> =>
  staged('lax.linalg.tridiagonalSolve', [dl, d, du, b], (l, m, u, right) =>
    elimination.tridiagonalSolve(l!, m!, u!, right!),
  ) as Tensor<D>;
