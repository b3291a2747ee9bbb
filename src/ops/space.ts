/** The vector space of tensors, and through it that of trees of tensors. */

import { type LeafSpace, type VectorSpace, vectorSpaceOf } from '../tree/instances.ts';
import { add, mul } from './arithmetic.ts';
import { constant, weakNumber } from './convert.ts';
import { zerosLike } from './create.ts';
import { sum } from './reduce.ts';

/** The arithmetic of a tensor as a vector; ⟨a, b⟩ is the sum of all products. */
export const leafSpace: LeafSpace = {
  add: (a, b) => add(a, b),
  scale: (factor, x) => mul(factor, x),
  zerosLike: (x) => zerosLike(x),
  inner: (a, b) => sum(mul(a, b)),
  zero: () => constant(0, weakNumber),
};

/**
 * The vector space of trees of type `P`: parameters, gradients, updates.
 *
 * @example
 * ```ts
 * import { np, tree } from 'pullback';
 * const params = { w: np.array([1, 2]), b: np.array(3) };
 * const space = tree.vectorSpace<typeof params>();
 * console.log(space.scale(2, params).w.toArray(), space.inner(params, params).item()); // => [ 2, 4 ] 14
 * ```
 */
export const vectorSpace = <P>(): VectorSpace<P> => vectorSpaceOf<P>(leafSpace);
