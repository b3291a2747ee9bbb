/**
 * Elementary functions of floats, one line each, which states the derivative.
 *
 * A derivative is written so that it stays right at both ends of the function: of the forms that are equal on paper the one is
 * taken that neither cancels nor overflows there (erfc′ is a Gaussian, not a difference; expm1′ is eˣ, not y + 1).
 */

import { noParams } from '../core/primitive.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { abs, add, div, max, min, mul, neg, sub } from './arithmetic.ts';
import { eq, select } from './compare.ts';
import { fullLike } from './compose.ts';
import { addTangents, elementwise, unary } from './define.ts';
import { stopGradientOf } from './identity.ts';

const one = (x: Value): Value => fullLike(x, 1);
const square = (x: Value): Value => mul(x, x);
const times = (c: number, x: Value): Value => mul(x, fullLike(x, c));
/** (1 − x)(1 + x): near ±1 it keeps the digits that 1 − x² loses. */
const oneMinusSquare = (x: Value): Value => mul(sub(one(x), x), add(one(x), x));

export const expP = unary('exp', (t, _x, y) => mul(t, y));
export const exp2P = unary('exp2', (t, _x, y) => mul(t, times(Math.LN2, y)));
export const expm1P = unary('expm1', (t, x) => mul(t, exp(x)));
export const logP = unary('log', (t, x) => div(t, x));
export const log2P = unary('log2', (t, x) => div(t, times(Math.LN2, x)));
export const log1pP = unary('log1p', (t, x) => div(t, add(one(x), x)));
/** tanh′ = (1 − y)(1 + y), which keeps its precision where |y| is near 1. */
export const tanhP = unary('tanh', (t, _x, y) => mul(t, oneMinusSquare(y)));
/** σ(x) = 1/(1 + e⁻ˣ); σ′ = σ(x)·σ(−x), which keeps its precision where σ is near 1. */
export const logisticP = unary('logistic', (t, x, y) => mul(t, mul(y, logistic(neg(x)))));
export const sinP = unary('sin', (t, x) => mul(t, cos(x)));
export const cosP = unary('cos', (t, x) => neg(mul(t, sin(x))));
export const tanP = unary('tan', (t, _x, y) => mul(t, add(one(y), square(y))));
export const asinP = unary('asin', (t, x) => mul(t, rsqrt(oneMinusSquare(x))));
export const acosP = unary('acos', (t, x) => neg(mul(t, rsqrt(oneMinusSquare(x)))));
export const atanP = unary('atan', (t, x) => div(t, add(one(x), square(x))));
export const sinhP = unary('sinh', (t, x) => mul(t, cosh(x)));
export const coshP = unary('cosh', (t, x) => mul(t, sinh(x)));
/**
 * asinh′ = 1/√(x² + 1), divided by a scale above and below so that x² does not overflow. The quotient does not depend on the
 * scale, which is therefore a constant to further derivatives. The scale stays finite where x is not: asinh′(∞) is 0.
 */
export const asinhP = unary('asinh', (t, x) => {
  const greatest = fullLike(x, x.dtype === 'float32' ? 2 ** 127 : 2 ** 1023);
  const scale = stopGradientOf(min(max(abs(x), one(x)), greatest));
  const [u, v] = [div(x, scale), div(one(x), scale)];
  return mul(t, div(rsqrt(add(square(u), square(v))), scale));
});
/** acosh′ = 1/√(x − 1) · 1/√(x + 1): the product of the two under one root would overflow. */
export const acoshP = unary('acosh', (t, x) => mul(t, mul(rsqrt(sub(x, one(x))), rsqrt(add(x, one(x))))));
export const atanhP = unary('atanh', (t, x) => div(t, oneMinusSquare(x)));
export const sqrtP = unary('sqrt', (t, _x, y) => div(times(0.5, t), y));
/** x^(−½): the derivative is −½·y/x. */
export const rsqrtP = unary('rsqrt', (t, x, y) => mul(t, times(-0.5, div(y, x))));
/** ∛x: the derivative is 1/(3y²), infinite at 0. */
export const cbrtP = unary('cbrt', (t, _x, y) => div(t, times(3, square(y))));
/** erf x = (2/√π)·∫₀ˣ exp(−s²) ds. */
export const erfP = unary('erf', (t, x) => mul(t, gaussian(x)));
/** 1 − erf x, with all its digits where that difference has none. */
export const erfcP = unary('erfc', (t, x) => neg(mul(t, gaussian(x))));
/** erf⁻¹: the derivative is (√π/2)·exp(y²). */
export const erfInvP = unary('erf_inv', (t, _x, y) => mul(t, times(Math.sqrt(Math.PI) / 2, exp(square(y)))));

/** (2/√π)·exp(−x²). */
const gaussian = (x: Value): Value => times(2 / Math.sqrt(Math.PI), exp(neg(square(x))));

/**
 * xʸ. As in C, x⁰ and 1ʸ are 1 even for NaN, and a negative x has powers for whole y only. Of integers it wraps, and a negative
 * power is the integer part of 1/xⁿ, and −1 (all bits set, as 1/0) at 0.
 *
 * ∂x is y·xʸ⁻¹, but 0 where y = 0, also at x = 0 where that product is 0·∞. ∂y is xʸ·log x, but 0 at x = 0
 * for y ≥ 0, as in JAX; for negative x it is NaN, as xʸ is beside whole y.
 */
export const powP = elementwise('pow', {
  count: 2,
  kind: 'number',
  jvp([x, y], [dx, dy]) {
    const power = pow(x!, y!);
    const zero = fullLike(y!, 0);
    const byBase = (t: Value): Value => mul(t, select(eq(y!, zero), zero, mul(y!, pow(x!, sub(y!, one(y!))))));
    const byExponent = (t: Value): Value => mul(t, mul(power, log(select(eq(x!, zero), one(x!), x!))));
    return { outs: [power], tangents: [addTangents(dx ? byBase(dx) : null, dy ? byExponent(dy) : null)] };
  },
});

/**
 * The angle of the point (x, y) from the positive x-axis, in [−π, π]; operands (y, x).
 *
 * With r² = x² + y²: (x·dy − y·dx)/r². Both are divided by the larger of |x| and |y| first, so that r² neither overflows nor
 * vanishes; the quotient does not depend on that divisor, which is therefore a constant to further derivatives.
 */
export const atan2P = elementwise('atan2', {
  count: 2,
  kind: 'float',
  jvp([y, x], [dy, dx]) {
    const scale = stopGradientOf(max(abs(x!), abs(y!)));
    const [u, v] = [div(x!, scale), div(y!, scale)];
    const overRadius = (t: Value, component: Value): Value =>
      mul(div(t, scale), div(component, add(square(u), square(v))));
    return {
      outs: [atan2(y!, x!)],
      tangents: [addTangents(dy ? overRadius(dy, u) : null, dx ? neg(overRadius(dx, v)) : null)],
    };
  },
});

/** eˣ. */
export const exp = (x: Value): Value => bind1(expP, [x], noParams);
/** 2ˣ, exact for whole x. */
export const exp2 = (x: Value): Value => bind1(exp2P, [x], noParams);
/** eˣ − 1, precise near 0. */
export const expm1 = (x: Value): Value => bind1(expm1P, [x], noParams);
/** The natural logarithm; −Inf at 0, NaN below. */
export const log = (x: Value): Value => bind1(logP, [x], noParams);
/** The logarithm to base 2, exact for powers of 2. */
export const log2 = (x: Value): Value => bind1(log2P, [x], noParams);
/** log(1 + x), precise near 0. */
export const log1p = (x: Value): Value => bind1(log1pP, [x], noParams);
/** The hyperbolic tangent. */
export const tanh = (x: Value): Value => bind1(tanhP, [x], noParams);
/** The logistic function 1/(1 + e⁻ˣ). */
export const logistic = (x: Value): Value => bind1(logisticP, [x], noParams);
/** The sine of radians. */
export const sin = (x: Value): Value => bind1(sinP, [x], noParams);
/** The cosine of radians. */
export const cos = (x: Value): Value => bind1(cosP, [x], noParams);
/** The tangent of radians. */
export const tan = (x: Value): Value => bind1(tanP, [x], noParams);
/** The angle in [−π/2, π/2] whose sine is x; NaN outside of [−1, 1]. */
export const asin = (x: Value): Value => bind1(asinP, [x], noParams);
/** The angle in [0, π] whose cosine is x; NaN outside of [−1, 1]. */
export const acos = (x: Value): Value => bind1(acosP, [x], noParams);
/** The angle in [−π/2, π/2] whose tangent is x. */
export const atan = (x: Value): Value => bind1(atanP, [x], noParams);
/** The angle of the point (x, y), in [−π, π]. */
export const atan2 = (y: Value, x: Value): Value => bind1(atan2P, [y, x], noParams);
/** The hyperbolic sine. */
export const sinh = (x: Value): Value => bind1(sinhP, [x], noParams);
/** The hyperbolic cosine. */
export const cosh = (x: Value): Value => bind1(coshP, [x], noParams);
/** The inverse of the hyperbolic sine. */
export const asinh = (x: Value): Value => bind1(asinhP, [x], noParams);
/** The inverse of the hyperbolic cosine; NaN below 1. */
export const acosh = (x: Value): Value => bind1(acoshP, [x], noParams);
/** The inverse of the hyperbolic tangent; ±Inf at ±1, NaN outside. */
export const atanh = (x: Value): Value => bind1(atanhP, [x], noParams);
/** The square root; NaN below 0. */
export const sqrt = (x: Value): Value => bind1(sqrtP, [x], noParams);
/** 1/√x; Inf at 0, NaN below. */
export const rsqrt = (x: Value): Value => bind1(rsqrtP, [x], noParams);
/** The cube root, of negative numbers too. */
export const cbrt = (x: Value): Value => bind1(cbrtP, [x], noParams);
/** x to the power y. */
export const pow = (x: Value, y: Value): Value => bind1(powP, [x, y], noParams);
/** The error function. */
export const erf = (x: Value): Value => bind1(erfP, [x], noParams);
/** The complement 1 − erf x of the error function. */
export const erfc = (x: Value): Value => bind1(erfcP, [x], noParams);
/** The inverse error function; ±Inf at ±1, NaN outside. */
export const erfInv = (x: Value): Value => bind1(erfInvP, [x], noParams);
