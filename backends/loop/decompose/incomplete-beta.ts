/** The incomplete beta function and its partial derivatives, by the formulas of the reference device and the loop of `quadrature.ts`. */

import type { ParamsOf } from '../../../src/core/primitive.ts';
import type { Value } from '../../../src/core/value.ts';
import { abs, neg } from '../../../src/prim/arithmetic.ts';
import { fullLike } from '../../../src/prim/compose.ts';
import type { betaincGradP } from '../../../src/prim/incomplete.ts';
import { exp, exp2, expm1, log1p } from '../../../src/prim/math.ts';
import { polygamma } from '../../../src/prim/special.ts';
import { deviance, expWord, logWord, negated, product, sum, twoSum, type Word, word } from './double-word.ts';
import {
  choose,
  equals,
  every,
  larger,
  less,
  minus,
  more,
  not,
  over,
  plus,
  rowOf,
  smaller,
  some,
  stacked,
  times,
} from './formulas.ts';
import { digammaRest, peak } from './gamma-rests.ts';
import { risen } from './incomplete-gamma.ts';
import {
  bell,
  expm1mx,
  type Integrand,
  integrate,
  type LogDerivative,
  log1pmx,
  logPower,
  type Slope,
} from './quadrature.ts';

const infinite = Number.POSITIVE_INFINITY;

/** The beta distribution of a and b at x, above which lies y = 1 − x; all positive and finite, x and y below 1. */
interface Beta {
  readonly a: Value;
  readonly b: Value;
  readonly x: Value;
  readonly y: Value;
  /** (a + b)·x − a. */
  readonly delta: Value;
  readonly logs: readonly [Value, Value];
  /** aᵃ·bᵇ/((a + b)ᵃ⁺ᵇ·B(a, b)), and the logarithm of xᵃ·yᵇ/B(a, b) over that. */
  readonly peak: Value;
  readonly exponent: Word;
  /** log x − (ψ(a) − ψ(a + b)), and the same of y and b. */
  readonly scores: readonly [Value, Value];
}

function betaAt(a: Value, b: Value, x: Value): Beta {
  const whole = twoSum(a, b);
  const rest = twoSum(fullLike(x, 1), neg(x));
  const [means, others] = [product(whole, word(x)), product(whole, rest)];
  const delta = sum(means, word(neg(a)));
  const y = rest[0];
  // Each of these once, for all that it is needed of.
  const shapes = stacked(a, b, whole[0]);
  const [peaks, rests] = [peak(shapes), digammaRest(shapes)];
  const logs = logWord(stacked(x, y, whole[0], a, b));
  const ofRow = ([high, low]: Word, i: number): Word => [rowOf(high, i), rowOf(low, i)];
  const refined = (w: Word, low: Value): Word => [w[0], plus(w[1], low)];
  const logX = ofRow(logs, 0);
  const logY = refined(ofRow(logs, 1), over(rest[1], y));
  const logC = refined(ofRow(logs, 2), over(whole[1], whole[0]));
  const pair = (p: Word, q: Word): Word => [stacked(p[0], q[0]), stacked(p[1], q[1])];
  const [both, deltas] = [stacked(a, b), pair(delta, negated(delta))];
  const ratio = (of: Word, shape: number): Word => sum(sum(of, logC), negated(ofRow(logs, shape)));
  const ratios = pair(ratio(logX, 3), ratio(logY, 4));
  const exponents = deviance(both, pair(means, others), deltas, ratios);
  const isNear = less(abs(deltas[0]), times(0.5, both));
  const logRatios = choose(isNear, log1p(choose(isNear, over(deltas[0], both), 0)), ratios[0]);
  const score = (i: number): Value => minus(plus(rowOf(logRatios, i), rowOf(rests, i)), rowOf(rests, 2));
  return {
    a,
    b,
    x,
    y,
    delta: delta[0],
    logs: [plus(...logX), plus(...logY)],
    peak: times(over(rowOf(peaks, 0), rowOf(peaks, 2)), rowOf(peaks, 1)),
    exponent: sum(ofRow(exponents, 0), ofRow(exponents, 1)),
    scores: [score(0), score(1)],
  };
}

const density = ({ peak: top, exponent }: Beta): Value => times(top, expWord(exponent));

/**
 * ∫ factor·exp(−drop) from x on, downwards where `lower`, in steps s of log t/(1 − t). The factor is one of s and of what, upwards,
 * log (1 − t) has grown (or log t, upwards).
 */
function sideOf(
  { a, b, x, y, delta, logs }: Beta,
  lower: Value,
  factor: (s: Value, grown: Value, at: (x: Value) => Value) => Value | null,
): Value {
  const turned = (p: Value, q: Value): readonly [Value, Value] => [choose(lower, p, q), choose(lower, q, p)];
  const [[p, q], [near, far], [logP, logQ]] = [turned(a, b), turned(x, y), turned(...logs)];
  const c = plus(a, b);
  const d = choose(lower, delta, neg(delta));
  const isLeft = less(near, 0.5);
  const knee = minus(logP, logQ);
  const slope = (s: Value): Slope => {
    const fallen = exp(neg(s));
    const total = plus(far, times(near, fallen));
    const [inside, outside] = [over(times(near, fallen), total), over(far, total)];
    return {
      first: minus(over(times(times(c, times(near, far)), minus(0, expm1(neg(s)))), total), d),
      second: times(c, times(inside, outside)),
      grows: more(inside, 0.5),
      beyond: minus(s, knee),
    };
  };
  const integrand: Integrand = (s, at) => {
    const left = at(isLeft);
    // Where far·e^s is so large that 1 is nothing beside it.
    const isLong = more(plus(s, at(logQ)), 40);
    // log(1 + z) with 1 + z = far + near·e^(−s), written with the smaller of the two.
    const z = choose(left, times(at(near), expm1(neg(s))), risen(at(far), choose(isLong, 0, s)));
    const grown = log1p(z);
    const onRight = choose(isLong, plus(s, at(logQ)), grown);
    const mixed = choose(left, grown, minus(onRight, s));
    const long = choose(
      left,
      plus(times(at(p), s), times(at(c), grown)),
      minus(times(at(c), onRight), times(at(q), s)),
    );
    const isShort = choose(left, not(more(s, 1)), not(some(isLong, more(z, 0.5))));
    const small = choose(isShort, s, 0);
    const bend = times(choose(left, at(near), at(far)), expm1mx(choose(left, neg(small), small)));
    const short = minus(times(at(c), plus(log1pmx(choose(isShort, z, 0)), bend)), times(at(d), small));
    return { drop: choose(isShort, short, long), factor: factor(s, neg(mixed), at) };
  };
  return integrate(x, slope, integrand);
}

const within01 = (x: Value): Value => every(more(x, 0), less(x, 1));
const notNegative = (x: Value): Value => some(more(x, 0), equals(x, 0));

/** What is less than this is 0 to a sum with 1. */
const least = (x: Value): number => (x.dtype === 'float32' ? 2 ** -60 : 2 ** -500);

/** Iₓ(a, b). */
export function betainc([a, b, x]: readonly Value[]): readonly Value[] {
  const isBetween = every(more(a!, 0), more(b!, 0), less(a!, infinite), less(b!, infinite), within01(x!));
  const isTiny = less(plus(a!, b!), least(a!));
  const inside = every(isBetween, not(isTiny));
  const [sa, sb, sx] = [choose(inside, a!, 1), choose(inside, b!, 1), choose(inside, x!, 0.5)];
  // The panels need all digits of x, which a denormal one lacks. There (1 − t)ᵇ⁻¹ is 1, so that I of c·x is cᵃ times that of x.
  const [normal, digits] = x!.dtype === 'float32' ? [2 ** -126, 24] : [2 ** -1022, 53];
  const isDenormal = every(less(sx, normal), less(sb, 2 ** 60));
  const beta = betaAt(sa, sb, choose(isDenormal, times(sx, 2 ** digits), sx));
  const lower = less(beta.scores[0], beta.scores[1]);
  const light = smaller(
    times(
      density(beta),
      sideOf(beta, lower, () => null),
    ),
    1,
  );
  const value = times(choose(lower, light, minus(1, light)), choose(isDenormal, exp2(times(sa, -digits)), 1));
  const tiny = over(b!, plus(a!, b!));
  // A distribution of one point where a or b is at an end of its range.
  const atOne = some(equals(a!, infinite), equals(b!, 0));
  const atZero = some(equals(b!, infinite), equals(a!, 0));
  const point = choose(atOne, choose(less(x!, 1), fullLike(x!, 0), 1), choose(atZero, fullLike(x!, 1), x!));
  const hasSense = every(notNegative(a!), notNegative(b!), notNegative(x!), not(more(x!, 1)));
  const isOpen = some(
    every(equals(a!, 0), equals(b!, 0)),
    every(equals(a!, infinite), equals(b!, infinite)),
    not(hasSense),
  );
  return [choose(inside, value, choose(isBetween, tiny, choose(isOpen, Number.NaN, point)))];
}

/** The derivatives of log (tᵃ⁻¹·(1 − t)ᵇ⁻¹/B(a, b)) in a and b, but the first. */
const ofShapes =
  (a: Value, b: Value): LogDerivative =>
  ([i, j]) => {
    const of = (shape: Value): Value => polygamma(fullLike(shape, i! + j! - 1), shape);
    const first = j === 0 ? minus(of(plus(a, b)), of(a)) : of(plus(a, b));
    return i === 0 ? minus(first, of(b)) : first;
  };

/** The derivative of Iₓ(a, b), so many times in a, b and x. */
export function betaincGrad(
  [a, b, x]: readonly Value[],
  { orders: [i, j, k] }: ParamsOf<typeof betaincGradP>,
): readonly Value[] {
  const shapes = every(more(a!, 0), more(b!, 0), less(plus(a!, b!), infinite));
  const domain = every(shapes, notNegative(x!), not(more(x!, 1)));
  const isTiny = less(plus(a!, b!), least(a!));
  const between = every(domain, within01(x!));
  const inside = k === 0 ? every(between, not(isTiny)) : between;
  const [sa, sb, sx] = [choose(inside, a!, 1), choose(inside, b!, 1), choose(inside, x!, 0.5)];
  const beta = betaAt(sa, sb, sx);
  const value = k === 0 ? inShapes(i!, j!, beta) : inSample(i!, j!, k!, beta);
  const atEnd = k === 0 ? choose(between, Number.NaN, fullLike(x!, 0)) : atEnds(i!, j!, k!, a!, b!, x!);
  return [choose(inside, value, choose(domain, atEnd, Number.NaN))];
}

/** The derivatives in a and b alone: means over the side on which log t − E log t, or that of 1 − t, has one sign. */
function inShapes(i: number, j: number, beta: Beta): Value {
  const { a, b, scores } = beta;
  const lower = j === 0 ? less(scores[0], 0) : i === 0 ? more(scores[1], 0) : less(scores[0], scores[1]);
  const known = ofShapes(a, b);
  const higher = new Map<string, Value>();
  for (let n = 0; n <= i; n++) {
    for (let m = 0; m <= j; m++) if (n + m > 1) higher.set(`${n},${m}`, known([n, m]));
  }
  // Times the density, which is small where the others are large.
  const mass = density(beta);
  const side = sideOf(beta, lower, (s, grown, at) => {
    const fallen = minus(grown, s);
    const [ofT, ofRest] = [choose(at(lower), fallen, grown), choose(at(lower), grown, fallen)];
    const mean = bell([i, j], ([n, m]) => {
      const constant = higher.get(`${n},${m}`);
      return constant ? at(constant) : n === 1 ? plus(at(scores[0]), ofT) : plus(at(scores[1]), ofRest);
    });
    return times(at(mass), mean!);
  });
  return choose(lower, side, neg(side));
}

/** The derivatives of log (xᵃ⁻¹·(1 − x)ᵇ⁻¹/B(a, b)). */
function ofDensity(a: Value, b: Value, x: Value, y: Value, scores: readonly [Value, Value]): LogDerivative {
  const shapes = ofShapes(a, b);
  return ([n, m, l]) => {
    if (l === 0) return n! + m! > 1 ? shapes([n!, m!]) : scores[n === 1 ? 0 : 1];
    if (n! + m! > 1) return fullLike(x, 0);
    const [overX, overY] = [logPower(l!, x), times(l! % 2 === 0 ? 1 : -1, logPower(l!, y))];
    if (n! + m! === 1) return n === 1 ? overX : overY;
    const power = (shape: Value, value: Value): Value => choose(equals(shape, 1), 0, times(minus(shape, 1), value));
    return plus(power(a, overX), power(b, overY));
  };
}

/** The derivatives of the density: its half is within the range where the whole may not be. */
function inSample(i: number, j: number, k: number, beta: Beta): Value {
  const { a, b, x, y, peak: top, exponent, scores } = beta;
  const half = expWord([times(0.5, exponent[0]), times(0.5, exponent[1])]);
  const value = over(times(over(times(top, half), x), half), y);
  const factor = bell([i, j, k - 1], ofDensity(a, b, x, y, scores));
  return factor ? times(value, factor) : value;
}

/** The derivatives of the density at 0 and 1, where it is 0, infinite, or that of the other variable's power alone. */
function atEnds(i: number, j: number, k: number, a: Value, b: Value, x: Value): Value {
  const atZero = equals(x, 0);
  const [near, far] = [choose(atZero, a, b), choose(atZero, b, a)];
  const [zero, infinity] = [fullLike(x, 0), fullLike(x, infinite)];
  const end = larger(zero, smaller(x, 1));
  const factor = bell([i, j, k - 1], ofDensity(a, b, end, minus(1, end), [neg(infinity), neg(infinity)]));
  const start = choose(equals(near, 1), far, infinity);
  const value = factor ? times(start, factor) : start;
  return choose(more(near, 1), choose(more(near, k), zero, Number.NaN), value);
}
