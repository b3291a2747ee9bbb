/**
 * The logarithm of the gamma function and its derivatives, in double precision.
 *
 * All stand on the expansions of Stirling and of Euler and Maclaurin for large arguments (Abramowitz and Stegun 6.1.41, 6.3.18,
 * 23.2.9), to which recurrences lead small ones, and on reflection for negative ones. Errors are a few ulp of the largest term:
 * of the value, but near a zero that is not 1 or 2.
 */

import { type BinaryLoop, binary, unary } from './elementwise.ts';

const halfLogTwoPi = 0.9189385332046728;

/** From where on the expansions are as precise as doubles. */
const far = 10;

/** log Γ(x) − ((x − ½)·log x − x + ½·log 2π) of x ≥ 10: Stirling's series. */
export function stirlingRest(x: number): number {
  const z = 1 / (x * x);
  const series =
    (((((z * (1 / 156) - 691 / 360360) * z + 1 / 1188) * z - 1 / 1680) * z + 1 / 1260) * z - 1 / 360) * z + 1 / 12;
  return series / x;
}

/** log Γ(2 + t)/t for |t| ≤ ½; see `test/fixtures/gamma-function.py`. */
const aboutTwo: readonly number[] = [
  0.42278433509846713, 0.3224670334241132, -0.06735230105319563, 0.02058080842778338, -0.007385551028935545,
  0.002890510330865901, -0.0011927539009983087, 0.0005096695196526673, -0.00022315497746292723, 9.945761692157133e-5,
  -4.4923727564247656e-5, 2.050601970174762e-5, -9.45628851510172e-6, 4.3828545383846665e-6, -1.9743106888421067e-6,
  9.242852225162277e-7, -5.811277768921246e-7, 2.7475390051909663e-7,
];

/** log Γ of 0 < x < 10, from that of [1½, 2½). */
function logGammaNear(x: number): number {
  let [y, product] = [x, 1];
  for (; y >= 2.5; product *= y) y -= 1;
  const rest = y < 0.5 ? y : y < 1.5 ? y - 1 : y - 2;
  let sum = 0;
  for (let n = aboutTwo.length - 1; n >= 0; n--) sum = sum * rest + aboutTwo[n]!;
  // log Γ(2 + t) = t·sum; below 1½ it is divided by 1 + t, and below ½ by t besides.
  if (y >= 1.5) return rest * sum + Math.log(product);
  const one = rest * sum - Math.log1p(rest);
  return y < 0.5 ? one - Math.log(y) : one;
}

/** log |Γ(x)|; Infinity at the poles and at ±Infinity. */
export function logGamma(x: number): number {
  if (x >= far) return (x - 0.5) * (Math.log(x) - 1) + (halfLogTwoPi - 0.5 + stirlingRest(x));
  if (x > 0) return logGammaNear(x);
  if (Number.isNaN(x)) return x;
  const offset = x - Math.round(x);
  // Γ(x)·Γ(−x) = −π/(x·sin πx), and |sin πx| is that of the distance to the next pole.
  if (offset === 0 || x === -Infinity) return Infinity;
  // Their logarithms are added, as the product may be less than any number.
  const sine = Math.abs(offset) < 2 ** -28 ? Math.abs(offset) : Math.abs(Math.sin(Math.PI * offset)) / Math.PI;
  const reflection = -Math.log(sine) - Math.log(-x);
  return reflection - logGamma(-x);
}

/** ψ(x); ∓Infinity at ±0, NaN at the other poles. */
export function digammaOf(x: number): number {
  if (x > 0) {
    let [y, sum] = [x, 0];
    for (; y < far; y += 1) sum -= 1 / y;
    const z = 1 / (y * y);
    const series =
      ((((((z / 12 - 691 / 32760) * z + 1 / 132) * z - 1 / 240) * z + 1 / 252) * z - 1 / 120) * z + 1 / 12) * z;
    return sum + (Math.log(y) - 0.5 / y - series);
  }
  if (!(x > -Infinity)) return NaN;
  const offset = x - Math.round(x);
  if (offset === 0) return x === 0 ? -1 / x : NaN;
  return digammaOf(1 - x) - Math.PI / Math.tan(Math.PI * offset);
}

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
  5.5090028283602295e-18,
  -1.3954464685812522e-19,
];

/** n! of n ≤ 170; beyond, it is no double. */
function factorial(n: number): number {
  let product = 1;
  for (let k = 2; k <= n; k++) product *= k;
  return product;
}

/** n!·Σ (x + k)^−(n + 1) over k = 0, 1, 2, … for x > 0 and n ≥ 1: |ψ⁽ⁿ⁾(x)|. */
function factorialZeta(n: number, x: number, weight: number): number {
  // n!·y^−(n + 1), whose factors may overflow where the product does not: in two halves, or by logarithms.
  const term = (y: number): number => {
    if (n > 170) return Math.exp(weight < Infinity ? weight - (n + 1) * Math.log(y) : n * (Math.log(n / y) - 1));
    const half = y ** (-(n + 1) / 2);
    return half * weight * half;
  };
  let [y, sum] = [x, 0];
  for (let k = 0; k < far; k++, y += 1) sum += term(y);
  const last = term(y);
  if (last === 0 || sum === Infinity) return sum;
  let [rest, factor] = [y / n + 0.5, n + 1];
  factor /= y;
  for (let j = 0; j < bernoulli.length; j++) {
    rest += bernoulli[j]! * factor;
    factor *= ((n + 2 * j + 2) / y) * ((n + 2 * j + 3) / y);
  }
  return sum + last * rest;
}

/**
 * ψ⁽ⁿ⁾(x); NaN unless n is 0, 1, 2, …. At a pole Infinity for odd n; for even n, as the two sides differ, ∓Infinity at ±0 and
 * else NaN.
 */
export function polygammaOf(n: number, x: number): number {
  if (n === 0) return digammaOf(x);
  if (!(n > 0) || !Number.isInteger(n)) return NaN;
  const even = n % 2 === 0;
  const sign = even ? -1 : 1;
  const weight = n > 170 ? logGamma(n + 1) : factorial(n);
  if (x > 0) return x === Infinity ? sign * 0 : sign * factorialZeta(n, x, weight);
  if (Number.isNaN(x) || x === -Infinity) return NaN;
  if (Number.isInteger(x)) return even ? (x === 0 ? -1 / x : NaN) : Infinity;
  // The terms k with x + k < 0 are those of two other series, up to sign: from the fraction above x on, and from 1 − x on.
  // Half-way between poles those of either side are equal, and cancel for even n, before what is far smaller is added.
  const [above, below] = [factorialZeta(n, x - Math.floor(x), weight), factorialZeta(n, Math.ceil(x) - x, weight)];
  const beyond = factorialZeta(n, 1 - x, weight);
  return sign * (even ? above - below + beyond : above + (below - beyond));
}

/** {@link logGamma} of each element. */
export const lgamma = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = logGamma(x[i]!);
});

/** {@link digammaOf} each element. */
export const digamma = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = digammaOf(x[i]!);
});

const polygammaLoop: BinaryLoop = (n, x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = polygammaOf(n[i]!, x[i]!);
};
/** {@link polygammaOf} each pair; the operands are (n, x). */
export const polygamma = binary(polygammaLoop, polygammaLoop);
