/**
 * What is left of the gamma function and of ψ when their great terms are taken away. In both every term is positive: recurrences to
 * arguments beyond 10, whose steps are small rests themselves, and Stirling's series there.
 */

import type { Value } from '../../../src/core/value.ts';
import { exp, log, log1p, sqrt } from '../../../src/prim/math.ts';
import { reduceSum } from '../../../src/prim/reduce.ts';
import { along, choose, less, minus, over, plus, polynomial, repeated, times, visible } from './formulas.ts';
import { log1pmx } from './quadrature.ts';

const steps = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/** a, a + 1, …, a + 9 along a new first axis. */
const climb = (a: Value): Value => plus(repeated(a, steps.length), along(steps, a));

const stirling = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];
const digammaSeries = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760];

/**
 * log Γ(a) − ((a − ½)·log a − a + ½·log 2π) of a ≥ 1.
 *
 * A step from a to a + 1 takes away (a + ½)·log(1 + 1/a) − 1 = r²/3 + r⁴/5 + … with r = 1/(2a + 1).
 */
function stirlingRest(a: Value): Value {
  const y = plus(a, 10);
  const z = over(1, times(y, y));
  const far = over(polynomial(z, visible(z, stirling, 1 / 100)), y);
  const r = over(1, plus(times(2, climb(a)), 1));
  const square = times(r, r);
  const odd = Array.from({ length: 18 }, (_, n) => 1 / (2 * n + 3));
  const parts = times(square, polynomial(square, visible(square, odd, 1 / 9)));
  return plus(reduceSum(parts, [0]), far);
}

/** aᵃ·e⁻ᵃ/Γ(a) of a > 0; below 1 from that of 1 + a. */
export function peak(a: Value): Value {
  const isSmall = less(a, 1);
  const shape = choose(isSmall, plus(a, 1), a);
  const value = times(sqrt(times(shape, 1 / (2 * Math.PI))), exp(minus(0, stirlingRest(shape))));
  const small = choose(isSmall, a, 1);
  const exponent = minus(plus(times(small, log(over(small, plus(small, 1)))), 1), log1p(small));
  return choose(isSmall, times(times(small, value), exp(exponent)), value);
}

/** log a − ψ(a) of a > 0. A step from a to a + 1 takes away 1/a − log(1 + 1/a). */
export function digammaRest(a: Value): Value {
  const y = plus(a, 10);
  const z = over(1, times(y, y));
  const far = plus(over(0.5, y), times(z, polynomial(z, visible(z, digammaSeries, 1 / 100))));
  return minus(far, reduceSum(log1pmx(over(1, climb(a))), [0]));
}
