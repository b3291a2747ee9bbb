/**
 * What the incomplete gamma and beta functions are computed with: the quadrature of the reference device, all elements at once.
 *
 * A loop takes a panel of Gauss and Legendre a step, with the nodes along an axis in front, until the integrand of every element has
 * died away; an element that is finished keeps its sum. The length of a panel follows from the first two derivatives of the
 * exponent, so that no panel is tried in vain.
 */

import type { Value } from '../../../src/core/value.ts';
import { abs, max, mul, neg } from '../../../src/prim/arithmetic.ts';
import { fullLike, scalar, zeros } from '../../../src/prim/compose.ts';
import { exp, expm1, log, log1p, sqrt } from '../../../src/prim/math.ts';
import { reduceOr, reduceSum } from '../../../src/prim/reduce.ts';
import { whileLoop } from '../../../transforms/while.ts';
import { nodes, weights } from '../../legendre.ts';
import {
  along,
  choose,
  equals,
  every,
  larger,
  less,
  minus,
  more,
  over,
  plus,
  polynomial,
  repeated,
  smaller,
  some,
  times,
  visible,
} from './formulas.ts';

/** An integrand factor(s)·exp(−drop(s)), where drop(0) = 0, in terms of quantities that `at` brings into the shape of s. */
export type Integrand = (s: Value, at: (x: Value) => Value) => { readonly drop: Value; readonly factor: Value | null };

/** How the exponent of an integrand goes on from s. */
export interface Slope {
  /** drop′(s). */
  readonly first: Value;
  /** drop″(s), to which e times itself at a distance of 1 is a bound. */
  readonly second: Value;
  /** May drop″ grow? */
  readonly grows: Value;
  /** How far s is beyond a place at a distance of π from which the integrand is singular, if there is one. */
  readonly beyond: Value | null;
}

/** More panels than any integrand needs: what is not finite ends by itself. */
const mostPanels = 256;

/** The length of a panel that is so far beyond the place where the integrand bends: there it is about 1, and far away any. */
function reach(beyond: Value): Value {
  const longest = beyond.dtype === 'float32' ? 1e30 : 1e300;
  return larger(choose(less(beyond, 0), times(-0.6, beyond), choose(more(beyond, 40), longest, times(2, beyond))), 3);
}

/** The length of a panel along which the exponent falls by some eight, and the integrand does not bend too much. */
function lengthOf({ first, second, grows, beyond }: Slope): Value {
  const fall = 8;
  const even = over(fall, plus(larger(first, 0), times(Math.sqrt(fall / 2), sqrt(second))));
  const growing = choose(grows, larger(log1p(over(fall, second)), 1), Number.POSITIVE_INFINITY);
  const size = log(second);
  const bent = reach(choose(grows, size, neg(size)));
  const length = smaller(smaller(even, growing), bent);
  return beyond ? smaller(length, reach(beyond)) : length;
}

/** ∫ factor(s)·exp(−drop(s)) ds over s ≥ 0, in the shape of `like`. */
export function integrate(like: Value, slope: (s: Value) => Slope, integrand: Integrand): Value {
  const isSingle = like.dtype === 'float32';
  const [deep, small] = isSingle ? [18, 2 ** -26] : [36, 1e-17];
  const zero = zeros(like.aval);
  const [places, shares] = [along(nodes, zero), along(weights, zero)];
  const axes = [0];
  const [, sum] = whileLoop(
    ([, , , running, left]: readonly [Value, Value, Value, Value, Value]): Value<'bool'> =>
      every(
        reduceOr(
          running,
          Array.from({ length: running.ndim }, (_, i) => i),
        ),
        more(left, 0),
      ) as Value<'bool'>,
    ([s, sum, size, running, left]) => {
      const half = times(0.5, lengthOf(slope(s)));
      const points = plus(repeated(s, nodes.length), times(repeated(half, nodes.length), plus(places, 1)));
      const { drop, factor } = integrand(points, (x) => repeated(x, nodes.length));
      const heights = times(shares, exp(minus(0, drop)));
      const part = times(half, reduceSum(factor ? mul(factor, heights) : heights, axes));
      const next = plus(s, times(2, half));
      const fallen = integrand(next, (x) => x).drop;
      const total = plus(sum, part);
      const largest = max(size, abs(total));
      const goesOn = some(less(fallen, deep), more(abs(part), times(small, largest)));
      const going = every(running, goesOn, more(half, 0), less(largest, Number.POSITIVE_INFINITY));
      return [
        choose(going, next, s),
        choose(running, total, sum),
        choose(running, largest, size),
        going,
        minus(left, 1),
      ] as const;
    },
    [zero, zero, zero, fullLike(less(zero, 1), 1), scalar(mostPanels, 'int32')] as const,
  );
  return sum;
}

const oddReciprocals = Array.from({ length: 16 }, (_, n) => 1 / (2 * n + 3));

/** log(1 + x) − x. */
export function log1pmx(x: Value): Value {
  const isFar = some(less(x, -0.5), more(x, 0.7));
  const near = choose(isFar, 0, x);
  const r = over(near, plus(near, 2));
  const square = times(r, r);
  const series = polynomial(square, visible(square, oddReciprocals, 1 / 9));
  const far = choose(equals(x, Number.POSITIVE_INFINITY), neg(x), minus(log1p(x), x));
  return choose(isFar, far, times(r, minus(times(times(2, square), series), near)));
}

/** 2/(n + 2)! for n = 0, 1, …. */
const halvedFactorials = Array.from({ length: 18 }, (_, n) => {
  let value = 1;
  for (let k = 3; k <= n + 2; k++) value /= k;
  return value;
});

/** eˣ − 1 − x. */
export function expm1mx(x: Value): Value {
  const isFar = more(abs(x), 1);
  const near = choose(isFar, 0, x);
  const series = times(times(0.5, times(near, near)), polynomial(near, visible(near, halvedFactorials, 1)));
  return choose(isFar, minus(expm1(x), x), series);
}

/** Partial derivatives of a logarithm, by their orders. */
export type LogDerivative = (orders: readonly number[]) => Value;

/**
 * The partial derivative of exp(f) of these orders, over exp(f), from those of f (Faà di Bruno); `null` stands for 1. One derivative
 * is f₁·exp(f), and the others are those of this product, by Leibniz.
 */
export function bell(orders: readonly number[], log: LogDerivative): Value | null {
  const first = orders.findIndex((n) => n > 0);
  if (first < 0) return null;
  const rest = orders.map((n, i) => (i === first ? n - 1 : n));
  let total: Value | null = null;
  const visit = (taken: readonly number[], count: number): void => {
    const i = taken.length;
    if (i < rest.length) {
      for (let m = 0, choices = 1; m <= rest[i]!; choices = (choices * (rest[i]! - m)) / (m + 1), m++) {
        visit([...taken, m], count * choices);
      }
      return;
    }
    const derivative = log(taken.map((m, k) => (k === first ? m + 1 : m)));
    const others = bell(
      rest.map((n, k) => n - taken[k]!),
      log,
    );
    const product = others ? mul(derivative, others) : derivative;
    const term = count === 1 ? product : times(count, product);
    total = total ? plus(total, term) : term;
  };
  visit([], 1);
  return total;
}

/** (−1)ⁿ⁻¹·(n − 1)!/xⁿ: the n-th derivative of log x. */
export function logPower(n: number, x: Value): Value {
  let value = over(1, x);
  for (let k = 1; k < n; k++) value = times(value, over(-k, x));
  return value;
}
