/** The incomplete gamma function and all its partial derivatives, in double precision, by the quadrature of `quadrature.ts`. */

import { type BinaryLoop, binary } from './elementwise.ts';
import { digammaOf, logGamma, polygammaOf, stirlingRest } from './gamma.ts';
import type { Lower } from './kernel.ts';
import { bell, expm1mx, integrate, log1pmx, logPower, one, type Tail } from './quadrature.ts';

/** log a − ψ(a). */
export function digammaRest(a: number): number {
  if (a < 10) return Math.log(a) - digammaOf(a);
  const z = 1 / (a * a);
  const series =
    ((((((z / 12 - 691 / 32760) * z + 1 / 132) * z - 1 / 240) * z + 1 / 252) * z - 1 / 120) * z + 1 / 12) * z;
  return 0.5 / a + series;
}

/** aᵃ·e⁻ᵃ/Γ(a). */
export function peak(a: number): number {
  if (a >= 10) return Math.sqrt(a / (2 * Math.PI)) * Math.exp(-stirlingRest(a));
  const log = a * (Math.log(a) - 1);
  return a < 1 ? a * Math.exp(log - logGamma(1 + a)) : Math.exp(log - logGamma(a));
}

/** a·log(1 + δ/a) − δ, where log(1 + δ/a) is also `ratio`. */
export const deviance = (a: number, delta: number, ratio: number): number =>
  Math.abs(delta) < a / 2 ? a * log1pmx(delta / a) : a * ratio - delta;

/** The gamma distribution of shape a at x, both positive and finite: what is on either side. */
interface GammaSides {
  /** xᵃ·e⁻ˣ/Γ(a). */
  readonly density: number;
  readonly isLower: boolean;
  readonly tail: Tail;
  /** log x − ψ(a). */
  readonly score: number;
}

function gammaSides(a: number, x: number): GammaSides {
  const ratio = Math.log(x) - Math.log(a);
  const near = Math.abs(x - a) < a / 2 ? Math.log1p((x - a) / a) : ratio;
  const score = near + digammaRest(a);
  const isLower = score < 0;
  const density = peak(a) * Math.exp(deviance(a, x - a, ratio));
  const slope = Math.abs(x - a);
  const tail = isLower
    ? { drop: (s: number) => (a - x) * s + x * expm1mx(-s), scale: 1 / (slope + Math.sqrt(x)), knee: Math.log(x) }
    : {
        drop: (s: number) => (s > 700 ? Math.exp(s + Math.log(x)) - x - a * s : (x - a) * s + x * expm1mx(s)),
        scale: 1 / (slope + Math.sqrt(x)),
        knee: -Math.log(x),
      };
  return { density, isLower, tail: { ...tail, scale: Math.min(tail.scale, 1) }, score };
}

/** P(a, x), or with `upper` its complement Q; at the ends their limits, NaN at (0, 0) and (∞, ∞). */
export function incompleteGamma(a: number, x: number, upper: boolean): number {
  if (!(a >= 0 && x >= 0) || (a === 0 && x === 0) || (a === Infinity && x === Infinity)) return NaN;
  if (a === 0 || x === Infinity) return upper ? 0 : 1;
  if (x === 0 || a === Infinity) return upper ? 1 : 0;
  const { density, isLower, tail } = gammaSides(a, x);
  const light = Math.min(1, density * integrate(tail, one));
  return isLower === upper ? 1 - light : light;
}

/** The derivative of P(a, x), `orders[0]` times in a and `orders[1]` times in x. */
export function incompleteGammaGrad([i, j]: readonly [number, number], a: number, x: number): number {
  if (!(a >= 0 && x >= 0) || (a === 0 && x === 0) || a === Infinity) return NaN;
  if (x === Infinity) return 0;
  if (j === 0) {
    if (x === 0) return 0;
    // At 0 the derivative is one-sided: the limit of that beside it.
    const shape = Math.max(a, 2 ** -900);
    const { density, isLower, tail, score } = gammaSides(shape, x);
    const higher = orders(i, (n) => (n < 2 ? 0 : -polygammaOf(n - 1, shape)));
    const factor = (s: number): number => bell([i], ([n]) => (n === 1 ? score + (isLower ? -s : s) : higher[n!]!));
    const side = integrate(tail, factor);
    return (isLower ? density : -density) * side;
  }
  if (x === 0 && a > 1) return a > j ? 0 : NaN;
  if (a === 0) return i === 0 ? 0 : incompleteGammaGrad([i, j], 2 ** -900, x);
  const { density, score } = x === 0 ? { density: 0, score: -Infinity } : gammaSides(a, x);
  return (
    (x === 0 ? (a === 1 ? 1 : Infinity) : density / x) *
    bell([i, j - 1], ([n, m]) => {
      if (m === 0) return n === 1 ? score : -polygammaOf(n! - 1, a);
      if (n === 1) return logPower(m!, x);
      return n === 0 ? (a === 1 ? 0 : (a - 1) * logPower(m!, x)) - (m === 1 ? 1 : 0) : 0;
    })
  );
}

/** A value for each order up to n. */
const orders = (n: number, value: (order: number) => number): readonly number[] =>
  Array.from({ length: n + 1 }, (_, order) => value(order));

/** −(∂P/∂a)/(∂P/∂x): how a sample x of the gamma distribution moves with its shape a, where P(a, x) stays. */
export function gammaSampleGrad(a: number, x: number): number {
  if (!(a > 0 && x >= 0) || a === Infinity || x === Infinity) return NaN;
  if (x === 0) return 0;
  const { isLower, tail, score } = gammaSides(Math.max(a, 2 ** -1022), x);
  const side = integrate(tail, (s) => score + (isLower ? -s : s));
  return x * (isLower ? -side : side);
}

const lower: BinaryLoop = (a, x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = incompleteGamma(a[i]!, x[i]!, false);
};
const upper: BinaryLoop = (a, x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = incompleteGamma(a[i]!, x[i]!, true);
};
const sampleGrad: BinaryLoop = (a, x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = gammaSampleGrad(a[i]!, x[i]!);
};
/** P(a, x) of each pair. */
export const igamma = binary(lower, lower);
/** Q(a, x) = 1 − P(a, x) of each pair. */
export const igammac = binary(upper, upper);
/** {@link gammaSampleGrad} of each pair. */
export const randomGammaGrad = binary(sampleGrad, sampleGrad);
/** {@link incompleteGammaGrad} of each pair. */
export const igammaGrad: Lower<{ readonly orders: readonly number[] }> = (_ins, _outs, { orders: [i, j] }) => {
  const orders = [i!, j!] as const;
  return (ins, outs) => {
    const [a, x, out] = [ins[0]!, ins[1]!, outs[0]!];
    for (let k = 0; k < out.length; k++) out[k] = incompleteGammaGrad(orders, a[k]!, x[k]!);
  };
};
