/**
 * The error function, its complement and its inverse, of float32. Polynomials are minimax, see `test/fixtures/math-polynomials.py`.
 */

import type { Expr } from '../ir/expr.ts';
import { expm1Parts, expPair } from './exponential.ts';
import { logOfNormal } from './logarithm.ts';
import {
  abs,
  add,
  and,
  atMost,
  bits,
  choose,
  div,
  equal,
  float,
  less,
  madd,
  mul,
  neg,
  polynomial,
  sqrt,
  sub,
  withSign,
} from './notation.ts';

/** -log(erfc a)/a - 1 for 0 ≤ a ≤ 3.93, to 2^-27.8 of erf a. */
const logComplement = [
  0.128379166, 0.636619568, 0.102776304, -0.0191478226, -0.000169504885, 0.00167567842, -0.00063736568, 0.000118862401,
  -9.38815265e-6,
];
/** Beyond this erf is 1. */
const greatest = 3.93;

/** erf x = 1 - e^log(erfc x), without cancellation near 0, where the logarithm is small (after N. Juffa). */
export function erf(x: Expr): Expr {
  const a = atMost(abs(x), greatest);
  const exponent = neg(madd(polynomial(a, logComplement), a, a));
  const { product, power } = expm1Parts(exponent);
  return withSign(sub(sub(1, power), product), x);
}

/** (1 + 2a)·e^a²·erfc a - 1 in (a - 2)/(a + 2), for 0 ≤ a ≤ 10.1, to 2^-27.2. */
const scaledComplement = [
  0.276978374, -0.0927638263, -0.166029856, 0.164051309, -0.054225821, -0.00803472102, 0.00874321535, 0.00127284171,
  -0.00148047111, -0.000442092627, 0.000205458768, 0.000107394924,
];
/** Beyond this erfc is 0. */
const vanishing = 10.1;

/** erf(x)/x in x², for |x| ≤ ½, to 2^-28 of 1. */
const flat = [1.12837911, -0.376122832, 0.11278037, -0.0264980458, 0.00425206032];

/**
 * erfc x = 1 - erf x for |x| ≤ ½. Beyond, erfc a = e^-a²·(1 + p)/(1 + 2a), and erfc -a = 2 - erfc a. (M. M. Shepherd & J. G. Laframboise, "Chebyshev approximation of (1 + 2x)
 * exp(x²) erfc x in 0 ≤ x < ∞", 1981.) The square is taken in two parts: that of the first 12 bits of a is exact.
 */
export function erfc(x: Expr): Expr {
  const a = atMost(abs(x), vanishing);
  const p = polynomial(div(sub(a, 2), add(a, 2)), scaledComplement);
  const fraction = div(add(p, 1), madd(a, 2, 1));
  const head = float(and(bits(a), 0xfffff000));
  const tail = expPair(neg(mul(head, head)), mul(sub(head, a), add(head, a)), fraction);
  const level = sub(1, mul(polynomial(mul(x, x), flat), x));
  return choose(less(abs(x), 0.5), level, choose(less(x, 0), sub(2, tail), tail));
}

/** erf⁻¹(x)/x in w - 2.5, for w = -log(1 - x²) ≤ 5, and in √w - 3 beyond, to 2^-24.6 and 2^-26.3. */
const centre = [
  1.50140941, 0.24664028, -0.0041776686, -0.00125275564, 0.000218577377, -4.9434725e-6, -3.52363486e-6, 4.59950343e-7,
  2.81814341e-8, -8.23712742e-9,
];
const outside = [
  2.83297682, 1.00167513, 0.00944514573, -0.0076387804, 0.00568745844, -0.0035932688, 0.00148399884, -6.08656919e-5,
  -0.000308539311, 0.000116678268,
];

/** erf⁻¹ (after M. Giles, "Approximating the erfinv function", GPU Computing Gems, 2010): infinite at ±1, NaN beyond. */
export function erfInv(x: Expr): Expr {
  const a = abs(x);
  const w = neg(logOfNormal(mul(sub(1, a), add(1, a))));
  const near = polynomial(sub(w, 2.5), centre);
  const distant = polynomial(sub(sqrt(w), 3), outside);
  const y = mul(x, choose(less(w, 5), near, distant));
  const edge = choose(equal(a, 1), Number.POSITIVE_INFINITY, Number.NaN);
  return choose(less(a, 1), y, withSign(edge, x));
}
