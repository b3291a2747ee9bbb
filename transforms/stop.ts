/** `stopGradient`, on trees. */

import { stopGradientOf } from '../src/prim/identity.ts';
import { map } from '../src/tree/tree.ts';

/**
 * The same values, as constants to every derivative.
 *
 * @example
 * ```ts
 * import { grad, np, stopGradient, type Tensor } from 'pullback';
 * console.log(grad((x: Tensor) => np.mul(x, stopGradient(x)))(3).item()); // => 3
 * ```
 */
export const stopGradient = <T>(tree: T): T => map(stopGradientOf, tree);
