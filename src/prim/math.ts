/** Elementary functions of one float. Each line states the derivative. */

import { noParams } from '../core/primitive.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { add, div, mul, neg, sub } from './arithmetic.ts';
import { fullLike } from './compose.ts';
import { unary } from './define.ts';

export const expP = unary('exp', (t, _x, y) => mul(t, y));
export const logP = unary('log', (t, x) => div(t, x));
/** tanh′ = (1 − y)(1 + y), which keeps its precision where |y| is near 1. */
export const tanhP = unary('tanh', (t, _x, y) => {
  const one = fullLike(y, 1);
  return mul(t, mul(sub(one, y), add(one, y)));
});
/** σ(x) = 1/(1 + e⁻ˣ); σ′ = σ(x)·σ(−x), which keeps its precision where σ is near 1. */
export const logisticP = unary('logistic', (t, x, y) => mul(t, mul(y, logistic(neg(x)))));
export const sinP = unary('sin', (t, x) => mul(t, cos(x)));
export const cosP = unary('cos', (t, x) => neg(mul(t, sin(x))));
export const sqrtP = unary('sqrt', (t, _x, y) => div(mul(t, fullLike(y, 0.5)), y));
/** erf⁻¹: the derivative is (√π/2)·exp(y²). */
export const erfInvP = unary('erf_inv', (t, _x, y) => mul(t, mul(fullLike(y, Math.sqrt(Math.PI) / 2), exp(mul(y, y)))));

/** eˣ. */
export const exp = (x: Value): Value => bind1(expP, [x], noParams);
/** The natural logarithm; −Inf at 0, NaN below. */
export const log = (x: Value): Value => bind1(logP, [x], noParams);
/** The hyperbolic tangent. */
export const tanh = (x: Value): Value => bind1(tanhP, [x], noParams);
/** The logistic function 1/(1 + e⁻ˣ). */
export const logistic = (x: Value): Value => bind1(logisticP, [x], noParams);
/** The sine of radians. */
export const sin = (x: Value): Value => bind1(sinP, [x], noParams);
/** The cosine of radians. */
export const cos = (x: Value): Value => bind1(cosP, [x], noParams);
/** The square root; NaN below 0. */
export const sqrt = (x: Value): Value => bind1(sqrtP, [x], noParams);
/** The inverse error function; ±Inf at ±1, NaN outside. */
export const erfInv = (x: Value): Value => bind1(erfInvP, [x], noParams);
