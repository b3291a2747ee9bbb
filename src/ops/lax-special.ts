/** Special functions of `lax`. */

import type { FloatDType } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import * as special from '../prim/special.ts';
import { staged } from './staged.ts';
import type { Tensor } from './types.ts';

const unary =
  (name: string, apply: (x: Value) => Value) =>
  <D extends FloatDType>(x: Tensor<D>): Tensor<D> =>
    staged(name, [x], apply as (...operands: Value[]) => Value) as Tensor<D>;

const binary =
  (name: string, apply: (x: Value, y: Value) => Value) =>
  <D extends FloatDType>(x: Tensor<D>, y: Tensor<D>): Tensor<D> =>
    staged(name, [x, y], apply as (...operands: Value[]) => Value) as Tensor<D>;

/** log |Γ(x)|; Inf at 0, −1, −2, … and ±Inf. */
export const lgamma = unary('lax.lgamma', special.lgamma);
/** ψ(x) = Γ′(x)/Γ(x); ∓Inf at ±0, NaN at −1, −2, …. */
export const digamma = unary('lax.digamma', special.digamma);
/**
 * The n-th derivative of {@link digamma} at x; NaN unless n is 0, 1, 2, ….
 *
 * @throws NotDifferentiableError when it is differentiated in n
 */
export const polygamma = binary('lax.polygamma', special.polygamma);
/** The modified Bessel function I₀(x), scaled by e^(−|x|). */
export const besselI0e = unary('lax.besselI0e', special.besselI0e);
/** The modified Bessel function I₁(x), scaled by e^(−|x|). */
export const besselI1e = unary('lax.besselI1e', special.besselI1e);
/**
 * The float after x on the way to y; y where they are equal. The derivative in x is 1, in y 0.
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.nextafter(np.array(1), np.array(2)).item() - 1 === 2 ** -23); // => true
 * ```
 */
export const nextafter = binary('lax.nextafter', special.nextafter);
