/** A tree of tensors as one vector. */

import { showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { sliceAxis } from '../prim/structural.ts';
import { flatten, unflatten } from '../tree/tree.ts';
import { astype, zeros } from './create.ts';
import { concatenate } from './join.ts';
import { ravel as flat, reshape } from './shape.ts';
import type { Tensor } from './types.ts';

/**
 * All elements of a tree, leaf by leaf, as one vector, and the way back: what methods of linear algebra want of parameters
 * (`jax.flatten_util.ravel_pytree`).
 *
 * The vector has the dtype that the leaves promote to; the way back gives each leaf its own again.
 *
 * @returns `[flat, unravel]`: float[n], and the function from float[n] to a tree like `t`, which throws a ShapeError for another length
 *
 * @example
 * ```ts
 * import { np, tree } from 'pullback';
 * const [flat, unravel] = tree.ravel({ w: np.array([[1, 2]]), b: np.array(3) });
 * console.log(flat.toArray()); // => [ 3, 1, 2 ]
 * console.log(unravel(np.mul(2, flat)).w.toArray()); // => [ [ 2, 4 ] ]
 * ```
 */
export function ravel<T>(t: T): readonly [flat: Tensor, unravel: (flat: Tensor) => T] {
  const { leaves, def } = flatten(t, 'tree.ravel');
  const whole = leaves.length === 0 ? zeros([0]) : (concatenate(leaves.map((leaf) => flat(leaf))) as Tensor);
  const unravel = (vector: Tensor): T => {
    if (vector.ndim !== 1 || vector.shape[0] !== whole.shape[0]) {
      throw new ShapeError({
        op: 'tree.ravel',
        problem: `${showAval(vector.aval)} is not a tree of ${whole.shape[0]} elements`,
        remedy: 'pass a vector of as many elements as ravel gave',
      });
    }
    let at = 0;
    const parts = leaves.map((leaf): Value => {
      const part = sliceAxis(vector, 0, at, at + leaf.size);
      at += leaf.size;
      return astype(reshape(part, leaf.shape), leaf.dtype);
    });
    return unflatten<T>(def, parts);
  };
  return [whole, unravel];
}
