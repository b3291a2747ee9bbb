/**
 * The gamma function's logarithm and its derivatives, Bessel functions, neighbours of a float.
 *
 * As in `math.ts` a line states its derivative, in a form that stays right at both ends of the function.
 */

import { NotDifferentiableError } from '../core/errors.ts';
import { noParams } from '../core/primitive.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { add, div, mul, sign, sub } from './arithmetic.ts';
import { eq, select } from './compare.ts';
import { fullLike } from './compose.ts';
import { elementwise, unary } from './define.ts';

/** log |Γ(x)|. */
export const lgammaP = unary('lgamma', (t, x) => mul(t, digamma(x)));
/** ψ(x) = Γ′(x)/Γ(x). */
export const digammaP = unary('digamma', (t, x) => mul(t, polygamma(fullLike(x, 1), x)));

/** ψ⁽ⁿ⁾(x), for whole n; operands (n, x). In x it is differentiable, and n is a number of derivatives: there are none in between. */
export const polygammaP = elementwise('polygamma', {
  count: 2,
  kind: 'float',
  jvp([n, x], [dn, dx]) {
    if (dn) {
      throw new NotDifferentiableError({
        op: 'polygamma',
        problem: 'has no derivative in its order n, which is a whole number',
        remedy: 'differentiate in x only, or stop the gradient of n: lax.stopGradient(n)',
      });
    }
    return { outs: [polygamma(n!, x!)], tangents: [mul(dx!, polygamma(add(n!, fullLike(n!, 1)), x!))] };
  },
});

/** e^(−|x|)·I₀(x), even, with a kink at 0. */
export const besselI0eP = unary('bessel_i0e', (t, x, y) => mul(t, sub(besselI1e(x), mul(sign(x), y))));

/** e^(−|x|)·I₁(x), odd. I₁′(x) = I₀(x) − I₁(x)/x, where I₁(x)/x is ½ at 0. */
export const besselI1eP = unary('bessel_i1e', (t, x, y) => {
  const atZero = eq(x, fullLike(x, 0));
  const safe = select(atZero, fullLike(x, 1), x);
  const ratio = select(atZero, fullLike(x, 0.5), div(y, safe));
  return mul(t, sub(sub(besselI0e(x), ratio), mul(sign(x), y)));
});

/**
 * The float after x on the way to y.
 *
 * It is x up to less than rounding, so its derivative in x is that of x, and in y there is none.
 */
export const nextafterP = elementwise('nextafter', {
  count: 2,
  kind: 'float',
  jvp: ([x, y], [dx]) => ({ outs: [nextafter(x!, y!)], tangents: [dx ?? null] }),
});

/** log |Γ(x)|; Inf at 0, −1, −2, … and ±Inf. */
export const lgamma = (x: Value): Value => bind1(lgammaP, [x], noParams);
/** The logarithmic derivative of Γ; NaN at −1, −2, …, and at ±0 ∓Inf. */
export const digamma = (x: Value): Value => bind1(digammaP, [x], noParams);
/** The n-th derivative of {@link digamma}; NaN unless n is 0, 1, 2, …. */
export const polygamma = (n: Value, x: Value): Value => bind1(polygammaP, [n, x], noParams);
/** The modified Bessel function I₀, scaled by e^(−|x|). */
export const besselI0e = (x: Value): Value => bind1(besselI0eP, [x], noParams);
/** The modified Bessel function I₁, scaled by e^(−|x|). */
export const besselI1e = (x: Value): Value => bind1(besselI1eP, [x], noParams);
/** The next float after x in the direction of y; y where both are equal. */
export const nextafter = (x: Value, y: Value): Value => bind1(nextafterP, [x, y], noParams);
