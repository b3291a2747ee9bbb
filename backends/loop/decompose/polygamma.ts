/**
 * `polygamma` of orders that are only known as the program runs: n!·Σ (x + k)^−(n + 1) by Euler and Maclaurin, and reflection.
 *
 * A term is n/(y·π(n))·e^(n·log(n/y) − n), where π(n) = nⁿ·e⁻ⁿ/Γ(n): neither n! nor a power is ever formed, which would overflow long
 * before the term does.
 */

import type { Value } from '../../../src/core/value.ts';
import { neg } from '../../../src/prim/arithmetic.ts';
import { fullLike } from '../../../src/prim/compose.ts';
import { reduceSum } from '../../../src/prim/reduce.ts';
import { ceil, finite, floor } from '../../../src/prim/rounding.ts';
import { digamma } from '../../../src/prim/special.ts';
import { sliceAxis } from '../../../src/prim/structural.ts';
import { expWord, logWord, negated, product, sum, twoSum, word } from './double-word.ts';
import {
  along,
  choose,
  equals,
  every,
  less,
  minus,
  more,
  not,
  over,
  plus,
  repeated,
  rowOf,
  stacked,
  times,
} from './formulas.ts';
import { peak } from './gamma-rests.ts';

/** From where on the series is as precise as doubles. */
const far = 10;

/** B₂ⱼ/(2j)! for j = 1, 2, …: the weights of Euler and Maclaurin. */
const bernoulli: readonly number[] = [
  1 / 12,
  -1 / 720,
  1 / 30240,
  -1 / 1209600,
  1 / 47900160,
  -5.284190138687493e-10,
  1.3382536530684679e-11,
  -3.3896802963225827e-13,
  8.586062056277845e-15,
  -2.174868698558062e-16,
  5.50900282826023e-18,
  -1.3954464685812522e-19,
];

/** n!·Σ (x + k)^−(n + 1) over k = 0, 1, 2, … for x > 0 and n ≥ 1. */
function factorialZeta(n: Value, x: Value): Value {
  const counts = along(
    Array.from({ length: far + 1 }, (_, k) => k),
    x,
  );
  const order = repeated(n, far + 1);
  const [y, low] = twoSum(repeated(x, far + 1), counts);
  const power = product(word(order), sum(logWord(order), negated(logWord(y))));
  const [high, rest] = sum(power, word(neg(order)));
  // y has lost `low`, of which the power makes so many times as much.
  const lost = times(plus(order, 1), over(low, y));
  const powers = expWord([high, minus(rest, lost)]);
  const peaks = peak(order);
  const terms = times(over(over(order, y), peaks), powers);
  const at = rowOf(y, far);
  let factor = over(plus(n, 1), at);
  let series = plus(over(at, n), 0.5);
  bernoulli.forEach((b, j) => {
    series = plus(series, times(b, factor));
    factor = times(factor, times(over(plus(n, 2 * j + 2), at), over(plus(n, 2 * j + 3), at)));
  });
  // Its last term times the series, which may be much greater; where that overflows it is nothing beside the first term.
  const tail = times(rowOf(powers, far), over(times(series, over(n, at)), rowOf(peaks, far)));
  return plus(reduceSum(sliceAxis(terms, 0, 0, far), [0]), choose(finite(tail), tail, 0));
}

/** ψ⁽ⁿ⁾(x), for n = 0, 1, 2, …. */
export function polygamma([n, x]: readonly Value[]): readonly Value[] {
  const isWhole = every(more(n!, 0), less(n!, Number.POSITIVE_INFINITY), equals(n!, floor(n!)));
  const order = choose(isWhole, n!, 1);
  const halved = times(0.5, order);
  const isEven = equals(halved, floor(halved));
  const isPositive = more(x!, 0);
  const isPole = every(not(isPositive), more(x!, Number.NEGATIVE_INFINITY), equals(x!, floor(x!)));
  const isInside = every(not(isPole), less(x!, Number.POSITIVE_INFINITY), more(x!, Number.NEGATIVE_INFINITY));
  const inside = choose(isInside, x!, 0.5);
  const negative = choose(isPositive, -0.5, inside);
  // Below 0 the terms k with x + k < 0 are those of two other series, up to sign: from the fraction above x on, and from 1 − x on.
  const starts = stacked(
    choose(isPositive, inside, minus(negative, floor(negative))),
    minus(ceil(negative), negative),
    minus(1, negative),
  );
  const sums = factorialZeta(repeated(order, 3), starts);
  // Half-way between poles those of either side are equal, and cancel for even n, before what is far smaller is added.
  const [above, below, beyond] = [rowOf(sums, 0), rowOf(sums, 1), rowOf(sums, 2)];
  const reflected = choose(isEven, plus(minus(above, below), beyond), plus(above, minus(below, beyond)));
  const size = choose(isPositive, above, reflected);
  const value = choose(isEven, neg(size), size);
  const atZero = equals(x!, 0);
  const pole = choose(
    isEven,
    choose(atZero, over(-1, choose(atZero, x!, 1)), Number.NaN),
    fullLike(x!, Number.POSITIVE_INFINITY),
  );
  const atInfinity = choose(isEven, fullLike(x!, -0), 0);
  const outside = choose(isPole, pole, choose(more(x!, 0), atInfinity, Number.NaN));
  const found = choose(isInside, value, outside);
  return [choose(equals(n!, 0), digamma(x!), choose(isWhole, found, Number.NaN))];
}
