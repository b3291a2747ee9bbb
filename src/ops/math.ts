/** Elementary functions, elementwise. Integers and `bool` become `float32` first. */

import type { Value } from '../core/value.ts';
import { div } from '../prim/arithmetic.ts';
import { fullLike } from '../prim/compose.ts';
import * as prim from '../prim/math.ts';
import { aligned, toFloat } from './convert.ts';
import type { ArrayLike, DTypeOf, Floated, Promoted, Tensor } from './types.ts';

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
/** 2ˣ, elementwise; exact for whole x. */
export const exp2 = elementary('np.exp2', prim.exp2);
/** eˣ − 1, elementwise, with all its digits near 0. */
export const expm1 = elementary('np.expm1', prim.expm1);
/** The natural logarithm, elementwise; −Inf at 0, NaN below. */
export const log = elementary('np.log', prim.log);
/** The logarithm to base 2, elementwise; exact for powers of 2. */
export const log2 = elementary('np.log2', prim.log2);
/** The logarithm to base 10, elementwise. */
export const log10 = elementary('np.log10', (x) => div(prim.log(x), fullLike(x, Math.LN10)));
/**
 * log(1 + x), elementwise, with all its digits near 0; −Inf at −1, NaN below.
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.log1p(1e-10).item()); // => 1.000000…e-10
 * ```
 */
export const log1p = elementary('np.log1p', prim.log1p);
/** The sine of radians, elementwise. */
export const sin = elementary('np.sin', prim.sin);
/** The cosine of radians, elementwise. */
export const cos = elementary('np.cos', prim.cos);
/** The tangent of radians, elementwise. */
export const tan = elementary('np.tan', prim.tan);
/** The angle in [−π/2, π/2] whose sine is x, elementwise; NaN outside of [−1, 1]. */
export const arcsin = elementary('np.arcsin', prim.asin);
/** The angle in [0, π] whose cosine is x, elementwise; NaN outside of [−1, 1]. */
export const arccos = elementary('np.arccos', prim.acos);
/** The angle in [−π/2, π/2] whose tangent is x, elementwise. */
export const arctan = elementary('np.arctan', prim.atan);
/** The hyperbolic sine, elementwise. */
export const sinh = elementary('np.sinh', prim.sinh);
/** The hyperbolic cosine, elementwise. */
export const cosh = elementary('np.cosh', prim.cosh);
/** The hyperbolic tangent, elementwise. */
export const tanh = elementary('np.tanh', prim.tanh);
/** The inverse of the hyperbolic sine, elementwise. */
export const arcsinh = elementary('np.arcsinh', prim.asinh);
/** The inverse of the hyperbolic cosine, elementwise; NaN below 1. */
export const arccosh = elementary('np.arccosh', prim.acosh);
/** The inverse of the hyperbolic tangent, elementwise; ±Inf at ±1, NaN outside. */
export const arctanh = elementary('np.arctanh', prim.atanh);
/** The square root, elementwise; NaN below 0. */
export const sqrt = elementary('np.sqrt', prim.sqrt);
/** The cube root, elementwise, of negative numbers too. */
export const cbrt = elementary('np.cbrt', prim.cbrt);

/**
 * The angle in [−π, π] of the point (x, y) from the positive x-axis, elementwise.
 *
 * @throws ShapeError if the shapes do not broadcast
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.arctan2(np.array([0, 1, -0]), np.array([1, 0, -1])).toArray()); // => [ 0, 1.570796…, -3.141592… ]
 * ```
 */
export function arctan2<A extends ArrayLike, B extends ArrayLike>(y: A, x: B): Tensor<Floated<Promoted<A, B>>> {
  const [a, b] = aligned('np.arctan2', [y, x]);
  return prim.atan2(toFloat('np.arctan2', a!), toFloat('np.arctan2', b!)) as Tensor<Floated<Promoted<A, B>>>;
}
