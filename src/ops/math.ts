/** Elementary functions, elementwise. Integers and `bool` become `float32` first. */

import type { Value } from '../core/value.ts';
import * as prim from '../prim/math.ts';
import { toFloat } from './convert.ts';
import type { ArrayLike, DTypeOf, Floated, Tensor } from './types.ts';

const elementary =
  (op: string, apply: (x: Value) => Value) =>
  <A extends ArrayLike>(x: A): Tensor<Floated<DTypeOf<A>>> =>
    apply(toFloat(op, x)) as Tensor<Floated<DTypeOf<A>>>;

/**
 * eˣ, elementwise.
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.exp(np.array([0, 1])).toArray()); // => [ 1, 2.718281… ]
 * ```
 */
export const exp = elementary('np.exp', prim.exp);
/** The natural logarithm, elementwise; −Inf at 0, NaN below. */
export const log = elementary('np.log', prim.log);
/** The hyperbolic tangent, elementwise. */
export const tanh = elementary('np.tanh', prim.tanh);
/** The sine of radians, elementwise. */
export const sin = elementary('np.sin', prim.sin);
/** The cosine of radians, elementwise. */
export const cos = elementary('np.cos', prim.cos);
/** The square root, elementwise; NaN below 0. */
export const sqrt = elementary('np.sqrt', prim.sqrt);
