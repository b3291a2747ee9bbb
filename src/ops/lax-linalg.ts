/**
 * `lax.linalg`: JAX's linear algebra on batches of matrices, which lie on the last two axes. Operands are floats with equal batch
 * axes; `np.linalg` promotes and broadcasts.
 *
 * Where a function symmetrizes its operand first, it reads only one triangle if told not to: `{ symmetrizeInput: false }`.
 */

import type { FloatDType } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import { add } from '../prim/arithmetic.ts';
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

/** Options of {@link qr}. */
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
