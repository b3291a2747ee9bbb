/**
 * `np.linalg`: linear algebra under NumPy's names, on the matrices of the last two axes. All axes before are batch axes. Integers and
 * `bool` become `float32` first, also where NumPy would keep them.
 */

import type { DType } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import { located } from './located.ts';
import { diagonalOf, traceOf } from './matrix.ts';
import type { Summed, Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

export { tensordot } from './einsum.ts';
export type { FullMatricesOptions, SymmetrizeOptions } from './lax-linalg.ts';
export { det, slogdet } from './linalg-det.ts';
export {
  type CholeskyOptions,
  cholesky,
  type EighOptions,
  eigh,
  eigvalsh,
  qr,
  type SvdOptions,
  svd,
  svdvals,
} from './linalg-factor.ts';
export type { HermitianOptions } from './linalg-hermitian.ts';
export { type LeastSquares, lstsq, matrixRank, pinv, type RankOptions } from './linalg-least.ts';
export {
  cond,
  type MatrixNormOptions,
  type MatrixOrd,
  matrixNorm,
  norm,
  type VectorNormOptions,
  vectorNorm,
} from './linalg-norm.ts';
export { inv, matrixPower, multiDot, solve, tensorinv, tensorsolve } from './linalg-solve.ts';
export { matmul, outer } from './linear.ts';
export { type AlongOptions, cross, matrixTranspose, vecdot } from './matrix.ts';

/** Options of {@link diagonal} and {@link trace}. */
export interface OffsetOptions {
  /** Which diagonal: 0 the main one, above it positive, below it negative. */
  readonly offset?: number;
}

const lastTwo = { axis1: -2, axis2: -1 } as const;

/** A diagonal of the matrices on the last two axes. @throws ShapeError for fewer than two axes */
export function diagonal<D extends DType>(x: Tensor<D>, options: OffsetOptions = {}): Tensor<D> {
  const op = 'np.linalg.diagonal';
  expectOptions(op, options, 'offset');
  return located((): Value => diagonalOf(op, x, { ...options, ...lastTwo })) as Tensor<D>;
}

/** The sum of a diagonal of the matrices on the last two axes. @throws ShapeError for fewer than two axes */
export function trace<D extends DType>(x: Tensor<D>, options: OffsetOptions = {}): Tensor<Summed<D>> {
  const op = 'np.linalg.trace';
  expectOptions(op, options, 'offset');
  return located((): Value => traceOf(op, x, { ...options, ...lastTwo })) as Tensor<Summed<D>>;
}
