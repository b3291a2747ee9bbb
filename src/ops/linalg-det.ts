/** The part of `np.linalg` about determinants. */

import type { Value } from '../core/value.ts';
import { determinant, signAndLog } from './linalg-elimination.ts';
import { squares } from './linalg-operands.ts';
import { located } from './located.ts';
import type { DTypeOf, Floated, Tensor } from './types.ts';

/**
 * The determinants of square matrices.
 *
 * The gradient is the matrix of cofactors, at singular matrices too. Up to three rows it is a polynomial, with all its derivatives;
 * of larger matrices, first derivatives hold at every rank and second ones from rank n − 1 on.
 *
 * @param a - `float[..., n, n]`
 * @throws ShapeError unless the matrices are square
 *
 * @example
 * ```ts
 * import { grad, np, type Tensor } from 'pullback';
 * const singular = np.array([[1, 2], [2, 4]]);
 * console.log(np.linalg.det(singular).item()); // => 0
 * console.log(grad((a: Tensor) => np.linalg.det(a))(singular).toArray()); // => [ [ 4, -2 ], [ -2, 1 ] ]
 * ```
 */
export function det<A extends Value>(a: A): Tensor<Floated<DTypeOf<A>>> {
  const value = squares('np.linalg.det', a);
  return located(() => determinant(value)) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * [sign, log|det|]: the determinants of square matrices, without overflow; [0, −Inf] of singular ones, where there is no derivative.
 *
 * @param a - `float[..., n, n]`
 * @throws ShapeError unless the matrices are square
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const [sign, logabsdet] = np.linalg.slogdet(np.mul(np.eye(100), -10));
 * console.log(sign.item(), logabsdet.item()); // => 1 230.258…
 * ```
 */
export function slogdet<A extends Value>(
  a: A,
): readonly [sign: Tensor<Floated<DTypeOf<A>>>, logabsdet: Tensor<Floated<DTypeOf<A>>>] {
  const value = squares('np.linalg.slogdet', a);
  return located(() => signAndLog(value)) as unknown as ReturnType<typeof slogdet<A>>;
}
