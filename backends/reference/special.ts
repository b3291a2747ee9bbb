/**
 * Special functions that JavaScript's `Math` lacks, in double precision.
 */

import type { TypedArray } from '../../src/core/dtype.ts';
import { joint, middle, pole, tail } from '../error-function.ts';
import type { Lower } from './kernel.ts';

/**
 * The inverse of the error function, within 1e-15 relative error.
 *
 * erf⁻¹(x) = Φ⁻¹((1 + x) / 2) / √2, with the rational approximations of Φ⁻¹ in M. J. Wichura, "Algorithm AS 241: the
 * percentage points of the normal distribution", Applied Statistics 37 (1988). They are in terms of x² in the middle, and of
 * √(-log of the tail's area) outside, where the area (1 - |x|) / 2 is exact in floating point. ±Infinity at ±1, NaN beyond.
 */
export function erfInverse(x: number): number {
  if (Math.abs(x) <= 0.85) {
    const r = 0.180625 - 0.25 * x * x;
    const numerator =
      ((((((2509.0809287301227 * r + 33430.57558358813) * r + 67265.7709270087) * r + 45921.95393154987) * r +
        13731.69376550946) *
        r +
        1971.5909503065513) *
        r +
        133.14166789178438) *
        r +
      3.3871328727963665;
    const denominator =
      ((((((5226.495278852546 * r + 28729.085735721943) * r + 39307.89580009271) * r + 21213.794301586597) * r +
        5394.196021424751) *
        r +
        687.1870074920579) *
        r +
        42.31333070160091) *
        r +
      1;
    return (x * numerator * halfRootHalf) / denominator;
  }
  const tail = 0.5 * (1 - Math.abs(x));
  if (tail === 0) return Math.sign(x) * Infinity;
  const root = Math.sqrt(-Math.log(tail));
  return Math.sign(x) * Math.SQRT1_2 * (root <= 5 ? nearTail(root - 1.6) : farTail(root - 5));
}

/** √½ / 2: the middle approximation is in terms of x / 2. */
const halfRootHalf = Math.SQRT1_2 / 2;

const nearTail = (r: number): number =>
  (((((((0.0007745450142783414 * r + 0.022723844989269184) * r + 0.2417807251774506) * r + 1.2704582524523684) * r +
    3.6478483247632045) *
    r +
    5.769497221460691) *
    r +
    4.630337846156546) *
    r +
    1.4234371107496835) /
  (((((((1.0507500716444169e-9 * r + 0.0005475938084995345) * r + 0.015198666563616457) * r + 0.14810397642748008) * r +
    0.6897673349851) *
    r +
    1.6763848301838038) *
    r +
    2.053191626637759) *
    r +
    1);

const farTail = (r: number): number =>
  (((((((2.0103343992922881e-7 * r + 2.7115555687434876e-5) * r + 0.0012426609473880784) * r + 0.026532189526576124) *
    r +
    0.29656057182850487) *
    r +
    1.7848265399172913) *
    r +
    5.463784911164114) *
    r +
    6.657904643501103) /
  (((((((2.0442631033899397e-15 * r + 1.421511758316446e-7) * r + 1.8463183175100548e-5) * r + 0.0007868691311456133) *
    r +
    0.014875361290850615) *
    r +
    0.1369298809227358) *
    r +
    0.599832206555888) *
    r +
    1);

const erfInverseLoop = (x: TypedArray, out: TypedArray): void => {
  for (let i = 0; i < out.length; i++) out[i] = erfInverse(x[i]!);
};

/** {@link erfInverse} of each element. */
export const erfInv: Lower<unknown> = () => (ins, outs) => erfInverseLoop(ins[0]!, outs[0]!);

/** The error function within 3e-16, and its complement within 6e-16, relative, by the polynomials of `error-function.ts`. */
export function errorFunction(x: number): number {
  if (Math.abs(x) <= joint) return x * polynomial(middle, x * x);
  return Math.sign(x) * (1 - complementTail(Math.abs(x)));
}

/** 1 - erf x; see {@link errorFunction}. */
export function complementaryErrorFunction(x: number): number {
  if (Math.abs(x) <= joint) return 1 - x * polynomial(middle, x * x);
  return x < 0 ? 2 - complementTail(-x) : complementTail(x);
}

/** erfc of x > ¾. Beyond 28 it is less than any double. */
function complementTail(x: number): number {
  if (x > 28) return 0;
  // exp(-x²) with the rounding error of x² in a factor of its own: the square of the short `head` is exact.
  const head = Math.fround(x);
  const gaussian = Math.exp((head - x) * (head + x)) * Math.exp(-head * head);
  return (polynomial(tail, (x - pole) / (x + pole)) / (x + 1)) * gaussian;
}

function polynomial(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (let n = coefficients.length - 1; n >= 0; n--) sum = sum * x + coefficients[n]!;
  return sum;
}

const erfLoop = (x: TypedArray, out: TypedArray): void => {
  for (let i = 0; i < out.length; i++) out[i] = errorFunction(x[i]!);
};
const erfcLoop = (x: TypedArray, out: TypedArray): void => {
  for (let i = 0; i < out.length; i++) out[i] = complementaryErrorFunction(x[i]!);
};

/** {@link errorFunction} of each element. */
export const erf: Lower<unknown> = () => (ins, outs) => erfLoop(ins[0]!, outs[0]!);
/** {@link complementaryErrorFunction} of each element. */
export const erfc: Lower<unknown> = () => (ins, outs) => erfcLoop(ins[0]!, outs[0]!);
