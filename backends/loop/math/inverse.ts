/**
 * Inverse trigonometric and hyperbolic functions of float32. Polynomials are minimax, see `test/fixtures/math-polynomials.py`.
 */

import { compare, type Expr, int } from '../ir/expr.ts';
import { log1pOf } from './logarithm.ts';
import {
  abs,
  add,
  bits,
  choose,
  div,
  equal,
  less,
  madd,
  mul,
  neg,
  polynomial,
  sqrt,
  sub,
  withSign,
} from './notation.ts';

/** (atan t - t)/t³ in t², for 0 ≤ t ≤ 1, to 2^-28.5 of atan t. */
const atanTail = [
  -0.333332986, 0.199985296, -0.142640159, 0.109508805, -0.0839930475, 0.0578812845, -0.0310967304, 0.0108684227,
  -0.00178272359,
];

const halfPi = Math.PI / 2;

/** atan t for |t| ≤ 1. */
function flatAngle(t: Expr): Expr {
  const square = mul(t, t);
  return madd(mul(polynomial(square, atanTail), square), t, t);
}

/** atan x = π/2 - atan(1/x) beyond 1. */
export function atan(x: Expr): Expr {
  const a = abs(x);
  const steep = less(1, a);
  const t = div(choose(steep, -1, a), choose(steep, a, 1));
  return withSign(add(choose(steep, halfPi, 0), flatAngle(t)), x);
}

/** The angle of the point (x, y), with C99's results on the axes and at infinity. */
export function atan2(y: Expr, x: Expr): Expr {
  const [rise, run] = [abs(y), abs(x)];
  const steep = less(run, rise);
  const [numerator, denominator] = [choose(steep, neg(run), rise), choose(steep, rise, run)];
  // Equal are 0 and 0, a level angle, and ∞ and ∞, a diagonal.
  const t = choose(equal(numerator, denominator), choose(equal(numerator, 0), 0, 1), div(numerator, denominator));
  const acute = add(choose(steep, halfPi, 0), flatAngle(t));
  // By the sign of x, which zeros have.
  const behind = compare('lt', bits(x), int(0));
  return withSign(choose(behind, sub(Math.PI, acute), acute), y);
}

/** (asin s - s)/s³ in s², for 0 ≤ s ≤ ½, to 2^-27.6 of asin s. */
const asinTail = [0.166667536, 0.0749524906, 0.0454766601, 0.0241481233, 0.0422198214];

/** Whether |x| > ½; there asin √((1 - |x|)/2), elsewhere asin |x|. */
function halfAngle(x: Expr): { readonly steep: Expr; readonly angle: Expr } {
  const a = abs(x);
  const steep = less(0.5, a);
  const square = choose(steep, madd(a, -0.5, 0.5), mul(a, a));
  const s = choose(steep, sqrt(square), a);
  return { steep, angle: madd(mul(polynomial(square, asinTail), square), s, s) };
}

/** asin x = π/2 - 2·asin √((1 - x)/2) above ½; NaN outside of [-1, 1]. */
export function asin(x: Expr): Expr {
  const { steep, angle } = halfAngle(x);
  return withSign(choose(steep, madd(angle, -2, halfPi), angle), x);
}

/** acos x = 2·asin √((1 - x)/2) above ½, π less that of -x below -½, and π/2 - asin x between. */
export function acos(x: Expr): Expr {
  const { steep, angle } = halfAngle(x);
  const twice = add(angle, angle);
  const outside = choose(less(x, 0), sub(Math.PI, twice), twice);
  return choose(steep, outside, sub(halfPi, withSign(angle, x)));
}

/** Beyond this x² + 1 and x² - 1 are x². */
const far = 2 ** 14;

/** asinh x = log(1 + (a + a²/(1 + √(a² + 1)))) of a = |x|, and log 2a far out. */
export function asinh(x: Expr): Expr {
  const a = abs(x);
  const large = less(far, a);
  const square = mul(a, a);
  const root = sqrt(add(square, 1));
  const excess = choose(large, sub(a, 1), add(a, div(square, add(root, 1))));
  const y = log1pOf(excess, choose(large, 1, 0));
  return choose(less(a, Number.POSITIVE_INFINITY), withSign(y, x), x);
}

/** acosh x = log(1 + (t + √(t·(t + 2)))) with t = x - 1, and log 2x far out; NaN below 1. */
export function acosh(x: Expr): Expr {
  const large = less(far, x);
  const t = sub(x, 1);
  const excess = choose(large, t, add(t, sqrt(mul(t, add(t, 2)))));
  const y = log1pOf(excess, choose(large, 1, 0));
  const above = choose(less(x, Number.POSITIVE_INFINITY), y, x);
  return choose(less(x, 1), Number.NaN, above);
}

/** atanh x = ½·log(1 + 2a/(1 - a)) of a = |x|; infinite at ±1, NaN beyond. */
export function atanh(x: Expr): Expr {
  const a = abs(x);
  const y = mul(log1pOf(div(add(a, a), sub(1, a))), 0.5);
  const edge = choose(equal(a, 1), Number.POSITIVE_INFINITY, Number.NaN);
  return choose(less(a, 1), withSign(y, x), withSign(edge, x));
}
