/**
 * Γ itself: e^(log Γ) would have as many wrong digits as log Γ has digits before its point.
 *
 * Small ones are a product of factors that subtractions of whole numbers give exactly, and Γ on [2, 3], a quotient of polynomials
 * that is 1 at 2; so whole numbers have exact factorials as long as the dtype does. Then it is Stirling's formula, with the power
 * in two halves, as it overflows before Γ does. Negative ones are reflected: Γ(x)·Γ(−x) = −π/(x·sin πx).
 */

import { customJvp } from '../../transforms/custom-jvp.ts';
import { range } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { abs, add, div, min, mul, neg, sign, sub } from '../prim/arithmetic.ts';
import { and } from '../prim/bits.ts';
import { eq, ge, le, lt, ne, select } from '../prim/compare.ts';
import { fullLike } from '../prim/compose.ts';
import { exp, expm1, pow, sin } from '../prim/math.ts';
import { floor, round } from '../prim/rounding.ts';
import { digamma } from '../prim/special.ts';

const plus = (c: number, x: Value): Value => add(fullLike(x, c), x);
const times = (c: number, x: Value): Value => mul(fullLike(x, c), x);
const isZero = (x: Value): Value => eq(x, fullLike(x, 0));
/** Σ cₙ·zⁿ, the highest power first. */
const horner = (z: Value, [first, ...rest]: readonly number[]): Value =>
  rest.reduce((sum, c) => plus(c, mul(sum, z)), fullLike(z, first!));

/** Where Stirling's formula begins: beyond the whole numbers whose factorials are floats of this dtype. */
const far = (y: Value): number => (y.dtype === 'float64' ? 24 : 14);
/** Γ(2 + u) = P(u)/Q(u) for 0 ≤ u ≤ 1, to 10⁻¹⁶: S. L. Moshier, Cephes, `gamma.c`. */
const numerator = [
  0.00016011952247675185, 0.0011913514700658638, 0.010421379756176158, 0.04763678004571372, 0.20744822764843598,
  0.4942148268014971, 1,
];
const denominator = [
  -2.3158187332412014e-5, 0.0005396055804933034, -0.004456419138517973, 0.011813978522206043, 0.035823639860549865,
  -0.23459179571824335, 0.0714304917030273, 1,
];
/** log Γ(x) − ((x − ½)·log x − x + ½·log 2π) of x ≥ 10. */
export const stirlingRest = (x: Value): Value =>
  div(
    horner(div(fullLike(x, 1), mul(x, x)), [1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12]),
    x,
  );

/** Γ(y) and y·Γ(y) of 0 ≤ y < `far`. */
function near(y: Value): readonly [Value, Value] {
  const whole = floor(y);
  const u = sub(y, whole);
  const base = div(horner(u, numerator), horner(u, denominator));
  // (y − 1)·(y − 2)·…, as many as stand before Γ(2 + u): the smallest first, so that products of whole numbers stay exact.
  const product = range(far(y) - 3)
    .map((i) => far(y) - 3 - i)
    .map((k) => select(ge(whole, fullLike(y, k + 2)), plus(-k, y), fullLike(y, 1)))
    .reduce(mul);
  const raised = select(isZero(whole), div(base, plus(1, y)), base);
  const value = mul(base, product);
  const isSmall = lt(y, fullLike(y, 2));
  return [select(isSmall, div(raised, y), value), select(isSmall, raised, mul(value, y))];
}

/** Two factors of Γ(y) for y ≥ `far`, neither of which overflows before it does. */
function distant(y: Value): readonly [Value, Value] {
  const half = pow(y, times(0.5, plus(-0.5, y)));
  const scaled = times(Math.sqrt(2 * Math.PI), mul(half, exp(neg(y))));
  return [half, add(scaled, mul(scaled, expm1(stirlingRest(y))))];
}

/** The sign of Γ(x); NaN at −1, −2, …, and at ±0 that of the zero. */
export function signOfGamma(x: Value): Value {
  const whole = floor(x);
  const half = times(0.5, whole);
  const odd = ne(half, floor(half));
  const one = fullLike(x, 1);
  const signed = select(odd, neg(one), one);
  const zero = fullLike(x, 0);
  const atPole = select(isZero(x), div(one, x), fullLike(x, Number.NaN));
  // Infinite at ±0: its sign is that of 1/x.
  const pole = select(isZero(x), sign(atPole), atPole);
  return select(lt(zero, x), one, select(and(le(x, zero), eq(whole, x)), pole, signed));
}

function value(x: Value): Value {
  const y = abs(x);
  const isFar = ge(y, fullLike(y, far(y)));
  const [small, smallTimesY] = near(select(isFar, fullLike(y, 1), y));
  // Γ has overflown, and 1/Γ vanished, long before this bound, where the factors still are numbers.
  const bounded = min(y, fullLike(y, y.dtype === 'float64' ? 200 : 60));
  const [half, other] = distant(select(isFar, bounded, fullLike(y, far(y))));
  const positive = select(isFar, mul(half, other), small);
  const offset = abs(sub(y, round(y)));
  const cosecant = div(fullLike(y, Math.PI), sin(times(Math.PI, offset)));
  const reflected = select(isFar, div(div(div(cosecant, bounded), other), half), div(cosecant, smallTimesY));
  return mul(signOfGamma(x), select(lt(x, fullLike(x, 0)), reflected, positive));
}

/** Γ(x), elementwise, of a float; Γ′ = Γ·ψ. */
export const gammaOf = customJvp(
  function gamma(x: Value): Value {
    return value(x);
  },
  ([x], [dx]) => {
    const y = gammaOf(x);
    return [y, mul(dx, mul(y, digamma(x)))];
  },
) as (x: Value) => Value;
