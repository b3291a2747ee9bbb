/**
 * What the incomplete gamma and beta functions and their partial derivatives are computed with: quadrature.
 *
 * Both are probabilities, ∫ exp(ℓ(u)) du over a half-line of u = log t or u = log t/(1 − t), where ℓ is analytic in a strip and
 * concave: from the end x of the half-line the integrand falls, at least exponentially. So panels of Gauss and Legendre, which
 * are long where the integrand is slow, find it to the last digits for every a, b and x alike, the large ones too, where series
 * and continued fractions crawl. Of the two half-lines the lighter one is taken, so that nothing cancels. A derivative in a or b
 * is the mean of a polynomial in the derivatives of ℓ (of Bell, by Faà di Bruno), over the same panels.
 */

import { nodes, weights } from '../legendre.ts';

/** exp(−`drop`(s)) falls from 1 at s = 0 on. */
export interface Tail {
  readonly drop: (s: number) => number;
  /** About how far the first panel may reach. */
  readonly scale: number;
  /** Where `drop` bends: it is singular at a distance of π from there. */
  readonly knee: number;
}

/** No panel is longer, so that none is infinite. */
const longest = 1e300;

/** ∫ factor(s)·exp(−drop(s)) ds over s ≥ 0. */
export function integrate({ drop, scale, knee }: Tail, factor: (s: number) => number): number {
  let [s, at, width, sum, size] = [0, 0, scale, 0, 0];
  for (let panel = 0; panel < 4096; panel++) {
    const away = s - knee;
    width = Math.min(4 * width, away < 0 ? Math.max(3, -0.6 * away) : away > 40 ? longest : Math.max(3, 2 * away));
    let next = drop(s + width);
    // A fall by e⁸ is as much as a panel resolves.
    for (; !(next - at <= 8) && width > 0; next = drop(s + width)) width /= 2;
    let part = 0;
    for (let k = 0; k < nodes.length; k++) {
      const point = s + (width / 2) * (1 + nodes[k]!);
      part += weights[k]! * factor(point) * Math.exp(-drop(point));
    }
    sum += (width / 2) * part;
    size = Math.max(size, Math.abs(sum));
    s += width;
    at = next;
    if (!(width > 0 && size < Infinity) || (at > 36 && Math.abs((width / 2) * part) <= 1e-17 * size)) break;
  }
  return sum;
}

/** log(1 + x) − x. */
export function log1pmx(x: number): number {
  if (x < -0.5 || x > 0.7) return Math.log1p(x) - x;
  const r = x / (2 + x);
  const square = r * r;
  let sum = 0;
  for (let n = 33; n >= 3; n -= 2) sum = sum * square + 1 / n;
  return r * (2 * square * sum - x);
}

/** eˣ − 1 − x. */
export function expm1mx(x: number): number {
  if (Math.abs(x) > 0.5) return Math.expm1(x) - x;
  let sum = 1;
  for (let n = 16; n >= 3; n--) sum = 1 + (sum * x) / n;
  return (x * x * sum) / 2;
}

const sum = (ns: readonly number[]): number => ns.reduce((a, b) => a + b, 0);

/** Partial derivatives of a logarithm, by their orders. */
export type LogDerivative = (orders: readonly number[]) => number;

/**
 * The partial derivative of exp(f) of these orders, over exp(f), from those of f (Faà di Bruno): one derivative is
 * f₁·exp(f), and the others are those of this product, by Leibniz.
 */
export function bell(orders: readonly number[], log: LogDerivative): number {
  const first = orders.findIndex((n) => n > 0);
  if (first < 0) return 1;
  if (sum(orders) === 1) return log(orders);
  const rest = orders.map((n, i) => (i === first ? n - 1 : n));
  let total = 0;
  const visit = (taken: readonly number[], count: number): void => {
    const i = taken.length;
    if (i < rest.length) {
      for (let m = 0, choices = 1; m <= rest[i]!; choices = (choices * (rest[i]! - m)) / (m + 1), m++) {
        visit([...taken, m], count * choices);
      }
      return;
    }
    const left = rest.map((n, k) => n - taken[k]!);
    total += count * log(taken.map((m, k) => (k === first ? m + 1 : m))) * bell(left, log);
  };
  visit([], 1);
  return total;
}

/** (−1)ⁿ⁻¹·(n − 1)!/xⁿ: the n-th derivative of log x. */
export function logPower(n: number, x: number): number {
  let value = 1 / x;
  for (let k = 1; k < n; k++) value *= -k / x;
  return value;
}

/** The factor of the integral of the density itself. */
export const one = (): number => 1;
