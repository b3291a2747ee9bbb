/** The incomplete beta function and all its partial derivatives, in double precision, by the quadrature of `quadrature.ts`. */

import { polygammaOf } from './gamma.ts';
import { deviance, digammaRest, peak } from './incomplete-gamma.ts';
import type { Lower } from './kernel.ts';
import { bell, expm1mx, integrate, type LogDerivative, log1pmx, logPower, one, type Tail } from './quadrature.ts';

/** The beta distribution of a and b at x, below which lies y = 1 − x; all positive and finite, x and y below 1. */
interface BetaSide {
  /** xᵃ·yᵇ/B(a, b). */
  readonly density: number;
  /** ∫ exp(−drop) over this is the probability below x, over the density. */
  readonly tail: Tail;
  /** log x − (ψ(a) − ψ(a + b)), and the same of y and b. */
  readonly scores: readonly [number, number];
  /** log (1 − t)/(1 − x) where the logarithm of t/(1 − t) is less than that of x/y by s. */
  readonly risen: (s: number) => number;
}

function betaSide(a: number, b: number, x: number, y: number): BetaSide {
  const c = a + b;
  const delta = x * b - y * a;
  const [logX, logY] = [x < 0.5 ? Math.log(x) : Math.log1p(-y), y < 0.5 ? Math.log(y) : Math.log1p(-x)];
  const [overA, overB] = [logX + Math.log(c) - Math.log(a), logY + Math.log(c) - Math.log(b)];
  const exponent = deviance(a, delta, overA) + deviance(b, -delta, overB);
  const near = (shape: number, d: number, ratio: number): number =>
    (Math.abs(d) < shape / 2 ? Math.log1p(d / shape) : ratio) + digammaRest(shape) - digammaRest(c);
  const left = x < 0.5;
  // y·(eˢ − 1), also where y is less than any number has all its digits.
  const grown = (s: number): number => (s > 700 ? Math.exp(s + logY) : y * Math.expm1(s));
  const logGrown = (w: number, s: number): number => (w > 1e17 ? s + logY : Math.log1p(w));
  // log(1 + z), where 1 + z = y + x·e^(−s), written with the smaller of x and y.
  const mixed = (s: number): number => (left ? Math.log1p(x * Math.expm1(-s)) : logGrown(grown(s), s) - s);
  const drop = (s: number): number => {
    if (left) {
      if (s > 1) return a * s + c * mixed(s);
      return c * (log1pmx(x * Math.expm1(-s)) + x * expm1mx(-s)) - delta * s;
    }
    const w = grown(s);
    if (w > 0.5) return c * logGrown(w, s) - b * s;
    return c * (log1pmx(w) + (s > 700 ? w : y * expm1mx(s))) - delta * s;
  };
  return {
    density: ((peak(a) * peak(b)) / peak(c)) * Math.exp(exponent),
    tail: { drop, scale: Math.min(1, 1 / (Math.abs(delta) + Math.sqrt(c * x * y))), knee: logX - logY },
    scores: [near(a, delta, overA), near(b, -delta, overB)],
    risen: (s) => -mixed(s),
  };
}

/** Where a and b are at an end of their range: I is the distribution of a point, 0 or 1. `null` inside, NaN where it is not known. */
function pointMass(a: number, b: number, x: number): number | null {
  if (!(a >= 0 && b >= 0 && x >= 0 && x <= 1)) return NaN;
  if ((a === 0 && b === 0) || (a === Infinity && b === Infinity)) return NaN;
  if (a === Infinity || b === 0) return x < 1 ? 0 : 1;
  if (b === Infinity || a === 0) return 1;
  return x === 0 || x === 1 ? x : null;
}

/** What is less than this is 0 to a sum with 1, and has no reciprocal that could be squared. */
const least = 2 ** -500;

/** Iₓ(a, b), regularized; the limits where a or b is 0 or infinite, NaN where there is none. */
export function incompleteBeta(a: number, b: number, x: number): number {
  const point = pointMass(a, b, x);
  if (point !== null) return point;
  // Of so small a and b the distribution is that of two points.
  if (a + b < least) return b / (a + b);
  const y = 1 - x;
  // Which side is lighter, by the mean of log t/(1 − t).
  const { density, tail, scores } = betaSide(a, b, x, y);
  if (scores[0] < scores[1]) return Math.min(1, density * integrate(tail, one));
  const other = betaSide(b, a, y, x);
  return Math.max(0, 1 - other.density * integrate(other.tail, one));
}

/** The derivatives of log (tᵃ⁻¹·(1 − t)ᵇ⁻¹/B(a, b)) in a and b: the first ones are given. */
const shapeDerivatives =
  (a: number, b: number): LogDerivative =>
  ([i, j]) =>
    polygammaOf(i! + j! - 1, a + b) - (j === 0 ? polygammaOf(i! - 1, a) : 0) - (i === 0 ? polygammaOf(j! - 1, b) : 0);

/** The derivative of Iₓ(a, b), `orders` times in a, b and x; NaN where a or b is not positive and finite, or both nearly 0. */
export function incompleteBetaGrad(
  [i, j, k]: readonly [number, number, number],
  a: number,
  b: number,
  x: number,
): number {
  if (!(a > 0 && b > 0 && x >= 0 && x <= 1 && a + b < Infinity)) return NaN;
  const y = 1 - x;
  const inside = x > 0 && x < 1;
  if (k === 0) {
    if (!inside) return 0;
    if (a + b < least) return NaN;
    const at = betaSide(a, b, x, y);
    // With a derivative in a or b alone, the side on which log t − E log t (or that of 1 − t) has one sign.
    const isLower = j === 0 ? at.scores[0] < 0 : i === 0 ? at.scores[1] > 0 : at.scores[0] < at.scores[1];
    const { density, tail, scores, risen } = isLower ? at : betaSide(b, a, y, x);
    const own = isLower ? ([i, j] as const) : ([j, i] as const);
    const shape = isLower ? shapeDerivatives(a, b) : shapeDerivatives(b, a);
    const known = Array.from({ length: own[0] + 1 }, (_, n) =>
      Array.from({ length: own[1] + 1 }, (_, m) => (n + m < 2 ? 0 : shape([n, m]))),
    );
    const side = integrate(tail, (s) => {
      const up = risen(s);
      return bell(own, ([n, m]) => (n! + m! > 1 ? known[n!]![m!]! : n === 1 ? scores[0] - s + up : scores[1] + up));
    });
    return isLower ? density * side : -density * side;
  }
  const { density, scores } = inside ? betaSide(a, b, x, y) : { density: 0, scores: [-Infinity, -Infinity] as const };
  const shape = shapeDerivatives(a, b);
  const log: LogDerivative = ([n, m, l]) => {
    if (l === 0) return n! + m! > 1 ? shape([n!, m!]) : n === 1 ? scores[0] : scores[1];
    const [overX, overY] = [logPower(l!, x), (l! % 2 === 0 ? 1 : -1) * logPower(l!, y)];
    if (n! + m! === 0) return (a === 1 ? 0 : (a - 1) * overX) + (b === 1 ? 0 : (b - 1) * overY);
    return n! + m! > 1 ? 0 : n === 1 ? overX : overY;
  };
  if (inside) return (density / (x * y)) * bell([i, j, k - 1], log);
  // At an end the density is 0, infinite, or that of the other variable's power alone.
  const [near, far] = x === 0 ? [a, b] : [b, a];
  if (near > 1) return near > k ? 0 : NaN;
  return (near === 1 ? far : Infinity) * bell([i, j, k - 1], log);
}

/** {@link incompleteBeta} of each triple (a, b, x). */
export const betainc: Lower<unknown> = () => (ins, outs) => {
  const [a, b, x, out] = [ins[0]!, ins[1]!, ins[2]!, outs[0]!];
  for (let i = 0; i < out.length; i++) out[i] = incompleteBeta(a[i]!, b[i]!, x[i]!);
};

/** {@link incompleteBetaGrad} of each triple (a, b, x). */
export const betaincGrad: Lower<{ readonly orders: readonly number[] }> = (_ins, _outs, { orders: [i, j, k] }) => {
  const orders = [i!, j!, k!] as const;
  return (ins, outs) => {
    const [a, b, x, out] = [ins[0]!, ins[1]!, ins[2]!, outs[0]!];
    for (let n = 0; n < out.length; n++) out[n] = incompleteBetaGrad(orders, a[n]!, b[n]!, x[n]!);
  };
};
