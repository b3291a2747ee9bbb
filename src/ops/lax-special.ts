/** Special functions of `lax`. */

import type { FloatDType } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import * as incomplete from '../prim/incomplete.ts';
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
 * The n-th derivative of {@link digamma} at x; NaN unless n is 0, 1, 2, …. Below 0 and for even n it has zeros, near which its
 * error is some roundings of the terms of the nearest poles, n!/|x − pole|ⁿ⁺¹, that cancel there: as much as an ulp of x makes.
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

/**
 * The lower incomplete gamma function P(a, x), regularized: the probability below x of the gamma distribution of shape a.
 *
 * It is differentiable in both, as often as you like. NaN for a < 0 or x < 0; 1 at a = 0 < x.
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.igamma(np.array(1), np.array(Math.LN2)).item()); // => 0.5
 * ```
 */
export const igamma = binary('lax.igamma', incomplete.igamma);
/** The upper incomplete gamma function Q(a, x) = 1 − P(a, x), regularized; precise also where it is small. */
export const igammac = binary('lax.igammac', incomplete.igammac);
/**
 * The derivative of {@link igamma}, `orders[0]` times in a and `orders[1]` times in x.
 *
 * Second and higher ones in a lose digits as a → 0: their terms grow as 1/aⁿ.
 *
 * @throws ShapeError unless `orders` are two numbers of derivatives, not both 0
 */
export const igammaGrad = <D extends FloatDType>(
  a: Tensor<D>,
  x: Tensor<D>,
  orders: readonly [inA: number, inX: number],
): Tensor<D> => staged('lax.igammaGrad', [a, x], (u, v) => incomplete.igammaGrad(u!, v!, orders)) as Tensor<D>;
/** The derivative of {@link igamma} in a (JAX: `lax.igamma_grad_a`). */
export const igammaGradA = binary('lax.igammaGradA', (a, x) => incomplete.igammaGrad(a, x, [1, 0]));
/** The derivative in a of a sample x of the gamma distribution of shape a: −(∂P/∂a)/(∂P/∂x). */
export const randomGammaGrad = binary('lax.randomGammaGrad', incomplete.randomGammaGrad);
/**
 * The incomplete beta function Iₓ(a, b), regularized: the probability below x of the beta distribution of a and b.
 *
 * It is differentiable in all three, as often as you like (in JAX in x only). NaN for x outside of [0, 1], or negative a or b.
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.betainc(np.array(2), np.array(2), np.array(0.25)).item().toFixed(5)); // => 0.15625
 * ```
 */
export const betainc = <D extends FloatDType>(a: Tensor<D>, b: Tensor<D>, x: Tensor<D>): Tensor<D> =>
  staged('lax.betainc', [a, b, x], (u, v, w) => incomplete.betainc(u!, v!, w!)) as Tensor<D>;
/**
 * The derivative of {@link betainc}, of these orders in a, b and x.
 *
 * @throws ShapeError unless `orders` are three numbers of derivatives, not all 0
 */
export const betaincGrad = <D extends FloatDType>(
  a: Tensor<D>,
  b: Tensor<D>,
  x: Tensor<D>,
  orders: readonly [inA: number, inB: number, inX: number],
): Tensor<D> =>
  staged('lax.betaincGrad', [a, b, x], (u, v, w) => incomplete.betaincGrad(u!, v!, w!, orders)) as Tensor<D>;
