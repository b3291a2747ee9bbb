/** The part of `np.linalg` that factors matrices. */

import { ShapeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { matrixTranspose } from '../prim/matrices.ts';
import * as orthogonal from '../prim/orthogonal.ts';
import * as triangular from '../prim/triangular.ts';
import { type FullMatricesOptions, type SymmetrizeOptions, symmetrized } from './lax-linalg.ts';
import { type HermitianOptions, symmetricSvd } from './linalg-hermitian.ts';
import { matrices, matricesOf, squares } from './linalg-operands.ts';
import { located } from './located.ts';
import type { DTypeOf, Floated, Tensor } from './types.ts';
import { describe, expectOptions } from './untyped.ts';

/** Matrices of the floating-point dtype of `A`. */
type Matrices<A extends Value> = Tensor<Floated<DTypeOf<A>>>;

/** Options of {@link cholesky}. */
export interface CholeskyOptions extends SymmetrizeOptions {
  /** Return the upper triangular factor Lᵀ. Default false. */
  readonly upper?: boolean;
}

/**
 * The lower triangular L with L Lᵀ = a and a positive diagonal; NaN in the whole triangle unless `a` is positive definite.
 *
 * `a` is symmetrized first, unless `{ symmetrizeInput: false }` says that its lower triangle is to be read.
 *
 * @param a - `float[..., n, n]`
 * @throws ShapeError unless the matrices are square
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.linalg.cholesky(np.array([[4, 2], [2, 10]])).toArray()); // => [ [ 2, 0 ], [ 1, 3 ] ]
 * np.linalg.cholesky(np.zeros([2, 3]));
 * // throws ShapeError: np.linalg.cholesky: needs square matrices, got float32[2,3]: 2 rows and 3 columns…
 * ```
 */
export function cholesky<A extends Value>(a: A, options: CholeskyOptions = {}): Matrices<A> {
  const op = 'np.linalg.cholesky';
  expectOptions(op, options, 'upper', 'symmetrizeInput');
  const value = squares(op, a);
  return located(() => {
    const l = triangular.cholesky((options.symmetrizeInput ?? true) ? symmetrized(op, value) : value);
    return options.upper ? matrixTranspose(l) : l;
  }) as Matrices<A>;
}

/**
 * a = q r with orthonormal columns of q and upper triangular r: `reduced` (default) q is m × k and r k × n with k = min(m, n),
 * `complete` m × m and m × n; `r` returns r alone. Signs are LAPACK's: diagonal elements of r may be negative.
 *
 * @param a - `float[..., m, n]`
 * @throws ShapeError for another mode
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const [q, r] = np.linalg.qr(np.array([[3, 1], [4, 5]]));
 * console.log(np.round(np.matmul(q, r), 3).toArray()); // => [ [ 3, 1 ], [ 4, 5 ] ]
 * ```
 */
export function qr<A extends Value>(a: A, mode: 'r'): Matrices<A>;
export function qr<A extends Value>(a: A, mode?: 'reduced' | 'complete'): readonly [q: Matrices<A>, r: Matrices<A>];
export function qr(a: Value, mode: 'reduced' | 'complete' | 'r' = 'reduced'): Value | readonly Value[] {
  const op = 'np.linalg.qr';
  if (mode !== 'reduced' && mode !== 'complete' && mode !== 'r') {
    throw new ShapeError({
      op,
      problem: `${describe(mode)} is not a mode`,
      remedy: "use 'reduced', 'complete' or 'r'",
    });
  }
  const value = matrices(op, a);
  return located(() => {
    const [q, r] = orthogonal.qr(value, { fullMatrices: mode === 'complete' });
    return mode === 'r' ? r : [q, r];
  });
}

/** Options of {@link eigh}. */
export interface EighOptions extends SymmetrizeOptions {
  /** Which triangle is read if the operand is not symmetrized. Default the lower one. */
  readonly UPLO?: 'L' | 'U';
}

function eigenpairs(op: string, a: Value, options: EighOptions): readonly [v: Value, w: Value] {
  expectOptions(op, options, 'UPLO', 'symmetrizeInput');
  const { UPLO = 'L', symmetrizeInput = true } = options;
  if (UPLO !== 'L' && UPLO !== 'U') {
    throw new ShapeError({ op, problem: `${describe(UPLO)} is not a triangle`, remedy: "UPLO is 'L' or 'U'" });
  }
  const value = squares(op, a);
  return located(() => orthogonal.eigh(symmetrizeInput ? symmetrized(op, value) : value, { lower: UPLO === 'L' }));
}

/**
 * [w, v]: the eigenvalues of symmetric matrices, which increase, and their eigenvectors as columns of v. Of each, the first element
 * that is nearly (to 1 %) as large as its largest is positive.
 *
 * At equal eigenvalues the vectors have no derivative. Gradients are finite, and right of Σ g(w) and of projections on whole
 * spaces of equal eigenvalues; most others, and most second derivatives, are not: `lax.linalg.eigh` says which.
 *
 * @param a - `float[..., n, n]`; symmetrized first, unless `{ symmetrizeInput: false }`
 * @throws ShapeError unless the matrices are square
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const [w, v] = np.linalg.eigh(np.array([[2, 0], [0, 1]]));
 * console.log(w.toArray(), v.toArray()); // => [ 1, 2 ] [ [ 0, 1 ], [ 1, 0 ] ]
 * ```
 */
export function eigh<A extends Value>(a: A, options: EighOptions = {}): readonly [w: Matrices<A>, v: Matrices<A>] {
  const [v, w] = eigenpairs('np.linalg.eigh', a, options);
  return [w, v] as unknown as readonly [Matrices<A>, Matrices<A>];
}

/** The eigenvalues of symmetric matrices, which increase. @throws as {@link eigh} */
export function eigvalsh<A extends Value>(a: A, options: EighOptions = {}): Matrices<A> {
  return eigenpairs('np.linalg.eigvalsh', a, options)[1] as Matrices<A>;
}

/** Options of {@link svd}. */
export interface SvdOptions extends FullMatricesOptions, HermitianOptions {
  /** Compute u and vᵀ too. Default true. */
  readonly computeUv?: boolean;
}

/**
 * [u, s, vᵀ] with a = u diag(s) vᵀ: orthonormal columns of u and v, and the singular values s ≥ 0, which decrease. u and v are
 * square unless `{ fullMatrices: false }`; with `{ computeUv: false }` there is only s. Of each column of u, the first element that
 * is nearly (to 1 %) as large as its largest is positive.
 *
 * Derivatives of u and v need `{ fullMatrices: false }`, unless the matrices are square. Where singular values are equal or zero
 * they are finite, see `lax.linalg.svd`.
 *
 * @param a - `float[..., m, n]`
 * @throws ShapeError for matrices that are said to be symmetric, by `{ hermitian: true }`, and are not square
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const [u, s, vt] = np.linalg.svd(np.array([[0, 2], [1, 0], [0, 0]]), { fullMatrices: false });
 * console.log(s.toArray(), u.shape, vt.toArray()); // => [ 2, 1 ] [ 3, 2 ] [ [ 0, 1 ], [ 1, 0 ] ]
 * ```
 */
export function svd<A extends Value>(a: A, options: SvdOptions & { readonly computeUv: false }): Matrices<A>;
export function svd<A extends Value>(
  a: A,
  options?: SvdOptions & { readonly computeUv?: true },
): readonly [u: Matrices<A>, s: Matrices<A>, vt: Matrices<A>];
export function svd(a: Value, options: SvdOptions = {}): Value | readonly Value[] {
  const op = 'np.linalg.svd';
  expectOptions(op, options, 'fullMatrices', 'computeUv', 'hermitian');
  const { fullMatrices = true, computeUv = true, hermitian = false } = options;
  const value = matricesOf(op, a, hermitian);
  const [s, u, vt] = located(() =>
    hermitian ? symmetricSvd(symmetrized(op, value)) : orthogonal.svd(value, { fullMatrices, computeUv }),
  );
  return computeUv ? [u!, s!, vt!] : s!;
}

/** The singular values, which decrease. @throws ShapeError for fewer than two axes */
export function svdvals<A extends Value>(a: A): Matrices<A> {
  const value = matrices('np.linalg.svdvals', a);
  return located(() => orthogonal.svd(value, { fullMatrices: false, computeUv: false })[0]) as Matrices<A>;
}
