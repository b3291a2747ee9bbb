/** The incomplete gamma function and its partial derivatives, by the formulas of the reference device and the loop of `quadrature.ts`. */

import type { ParamsOf } from '../../../src/core/primitive.ts';
import type { Value } from '../../../src/core/value.ts';
import { abs, neg } from '../../../src/prim/arithmetic.ts';
import { fullLike } from '../../../src/prim/compose.ts';
import type { igammaGradP } from '../../../src/prim/incomplete.ts';
import { exp, expm1, log1p } from '../../../src/prim/math.ts';
import { polygamma } from '../../../src/prim/special.ts';
import { deviance, expWord, logWord, negated, sum, twoSum, type Word, word } from './double-word.ts';
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
import { bell, expm1mx, type Integrand, integrate, logPower, type Slope } from './quadrature.ts';

const infinite = Number.POSITIVE_INFINITY;

/** The gamma distribution of shape a at x, both positive and finite. */
interface Gamma {
  readonly a: Value;
  readonly x: Value;
  /** aᵃ·e⁻ᵃ/Γ(a), and the logarithm of xᵃ·e⁻ˣ/Γ(a) over that. */
  readonly peak: Value;
  readonly exponent: Word;
  /** log x − ψ(a). */
  readonly score: Value;
  /** The lighter side: below x (−1) or above (1). */
  readonly side: Value;
}

function gammaAt(a: Value, x: Value): Gamma {
  const delta = twoSum(x, neg(a));
  const isNear = less(abs(delta[0]), times(0.5, a));
  const near = log1p(choose(isNear, over(delta[0], a), 0));
  const logs = logWord(stacked(x, a));
  const logOf = (i: number): Word => [rowOf(logs[0], i), rowOf(logs[1], i)];
  const ratio = sum(logOf(0), negated(logOf(1)));
  const score = plus(choose(isNear, near, ratio[0]), digammaRest(a));
  return {
    a,
    x,
    peak: peak(a),
    exponent: deviance(a, word(x), delta, ratio),
    score,
    side: choose(less(score, 0), fullLike(x, -1), 1),
  };
}

const density = ({ peak: top, exponent }: Gamma): Value => times(top, expWord(exponent));

/** x·(eˢ − 1), which is finite where eˢ need not be. */
export function risen(x: Value, signed: Value): Value {
  const root = exp(times(0.5, signed));
  const isFar = more(abs(signed), 1);
  return choose(isFar, minus(times(times(x, root), root), x), times(x, expm1(choose(isFar, 0, signed))));
}

/** ∫ factor·exp(−drop) from x on, to the lighter side, in steps s of the logarithm. */
function sideOf({ a, x, side }: Gamma, factor: (signed: Value, at: (x: Value) => Value) => Value | null): Value {
  const delta = minus(x, a);
  const slope = (s: Value): Slope => {
    const grown = risen(x, times(side, s));
    const second = plus(grown, x);
    return { first: times(side, plus(delta, grown)), second, grows: more(side, 0), beyond: null };
  };
  const integrand: Integrand = (s, at) => {
    const signed = times(at(side), s);
    const far = minus(risen(at(x), signed), times(at(a), signed));
    const near = plus(times(at(delta), signed), times(at(x), expm1mx(signed)));
    return { drop: choose(more(s, 1), far, near), factor: factor(signed, at) };
  };
  return integrate(x, slope, integrand);
}

/** Inside of the domain the operands, elsewhere 1. */
const safely = (inside: Value, ...xs: readonly Value[]): readonly Value[] => xs.map((x) => choose(inside, x, 1));

const notNegative = (x: Value): Value => some(more(x, 0), equals(x, 0));

/** Is P(a, x) without a value? */
const unknown = (a: Value, x: Value): Value =>
  some(
    not(every(notNegative(a), notNegative(x))),
    every(equals(a, 0), equals(x, 0)),
    every(equals(a, infinite), equals(x, infinite)),
  );

const isInside = (a: Value, x: Value): Value => every(more(a, 0), more(x, 0), less(a, infinite), less(x, infinite));

const regularized =
  (upper: boolean) =>
  ([a, x]: readonly Value[]): readonly Value[] => {
    const [sa, sx] = safely(isInside(a!, x!), a!, x!);
    const gamma = gammaAt(sa!, sx!);
    const light = smaller(
      times(
        density(gamma),
        sideOf(gamma, () => null),
      ),
      1,
    );
    const value = choose(more(gamma.side, 0), upper ? light : minus(1, light), upper ? minus(1, light) : light);
    const all = some(equals(a!, 0), equals(x!, infinite));
    const none = some(equals(x!, 0), equals(a!, infinite));
    const ends = choose(all, upper ? 0 : 1, choose(none, fullLike(x!, upper ? 1 : 0), value));
    return [choose(unknown(a!, x!), Number.NaN, ends)];
  };

/** P(a, x). */
export const igamma = regularized(false);
/** Q(a, x). */
export const igammac = regularized(true);

/** A shape so small that it stands for 0. */
const leastShape = (a: Value): number => (a.dtype === 'float32' ? 2 ** -120 : 2 ** -900);

/** −ψ⁽ⁿ⁻¹⁾(a): a derivative of −log Γ(a). */
const ofShape = (n: number, a: Value): Value => neg(polygamma(fullLike(a, n - 1), a));

/** The derivative of P(a, x), so many times in a and in x. */
export function igammaGrad(
  [a, x]: readonly Value[],
  { orders: [i, j] }: ParamsOf<typeof igammaGradP>,
): readonly Value[] {
  const outside = some(unknown(a!, x!), equals(a!, infinite));
  const inside = every(not(outside), more(x!, 0), less(x!, infinite));
  const [sa, sx] = safely(inside, larger(a!, leastShape(a!)), x!);
  const value = j === 0 ? inShape(i!, sa!, sx!) : inSample(i!, j!, sa!, sx!);
  const atEnd = j === 0 ? fullLike(x!, 0) : atZero(i!, j!, a!);
  const ends = choose(inside, value, choose(equals(x!, infinite), 0, atEnd));
  return [choose(outside, Number.NaN, j! > 0 && i === 0 ? choose(equals(a!, 0), 0, ends) : ends)];
}

/** The derivatives in a alone: means over one side. */
function inShape(i: number, a: Value, x: Value): Value {
  const gamma = gammaAt(a, x);
  const higher = Array.from({ length: i + 1 }, (_, n) => (n < 2 ? null : ofShape(n, a)));
  // Times the density, which is small where the others are large.
  const mass = density(gamma);
  const side = sideOf(gamma, (signed, at) =>
    times(at(mass), bell([i], ([n]) => (n === 1 ? plus(at(gamma.score), signed) : at(higher[n!]!)))!),
  );
  return times(neg(gamma.side), side);
}

/** The derivatives of log (xᵃ⁻¹·e⁻ˣ/Γ(a)). */
const ofDensity =
  (a: Value, x: Value, score: Value) =>
  ([n, m]: readonly number[]): Value => {
    if (m === 0) return n === 1 ? score : ofShape(n!, a);
    if (n! > 1) return fullLike(x, 0);
    if (n === 1) return logPower(m!, x);
    const power = choose(equals(a, 1), 0, times(minus(a, 1), logPower(m!, x)));
    return m === 1 ? minus(power, 1) : power;
  };

/** The derivatives of the density: its half is within the range where the whole may not be. */
function inSample(i: number, j: number, a: Value, x: Value): Value {
  const gamma = gammaAt(a, x);
  const half = expWord([times(0.5, gamma.exponent[0]), times(0.5, gamma.exponent[1])]);
  const value = times(over(times(gamma.peak, half), x), half);
  const factor = bell([i, j - 1], ofDensity(a, x, gamma.score));
  return factor ? times(value, factor) : value;
}

/** The derivatives of the density at x = 0. */
function atZero(i: number, j: number, a: Value): Value {
  const x = fullLike(a, 0);
  const above = less(fullLike(a, j), a);
  const shape = larger(a, leastShape(a));
  const factor = bell([i, j - 1], ofDensity(shape, x, fullLike(a, Number.NEGATIVE_INFINITY)));
  const start = choose(equals(a, 1), fullLike(a, 1), infinite);
  return choose(more(a, 1), choose(above, fullLike(a, 0), Number.NaN), factor ? times(start, factor) : start);
}

/** −(∂P/∂a)/(∂P/∂x). */
export function randomGammaGrad([a, x]: readonly Value[]): readonly Value[] {
  const inside = isInside(a!, x!);
  const [sa, sx] = safely(inside, larger(a!, a!.dtype === 'float32' ? 2 ** -126 : 2 ** -1022), x!);
  const gamma = gammaAt(sa!, sx!);
  // A small x comes before the score, which may be as large, and a large one after the integral, which may be as small.
  const side = sideOf(gamma, (signed, at) => times(at(smaller(sx!, 1)), plus(at(gamma.score), signed)));
  const value = times(larger(sx!, 1), times(gamma.side, side));
  const atEnd = every(more(a!, 0), less(a!, infinite), equals(x!, 0));
  return [choose(inside, value, choose(atEnd, fullLike(x!, 0), Number.NaN))];
}
