/**
 * Special functions that JavaScript's `Math` lacks, in double precision.
 */

import type { TypedArray } from '../../src/core/dtype.ts';
import { joint, middle, normalFar, normalMiddle, normalNear, pole, type Rational, tail } from '../error-function.ts';
import type { Lower } from './kernel.ts';

/**
 * The inverse of the error function, within 1e-15 relative error.
 *
 * erf⁻¹(x) = Φ⁻¹((1 + x) / 2) / √2, with the rational approximations of Φ⁻¹ in M. J. Wichura, "Algorithm AS 241: the
 * percentage points of the normal distribution", Applied Statistics 37 (1988). They are in terms of x² in the middle, and of
 * √(-log of the tail's area) outside, where the area (1 - |x|) / 2 is exact in floating point. ±Infinity at ±1, NaN beyond.
 */
export function erfInverse(x: number): number {
  if (Math.abs(x) <= 0.85) return x * rational(normalMiddle, 0.180625 - 0.25 * x * x) * halfRootHalf;
  const tail = 0.5 * (1 - Math.abs(x));
  if (tail === 0) return Math.sign(x) * Infinity;
  const root = Math.sqrt(-Math.log(tail));
  return Math.sign(x) * Math.SQRT1_2 * (root <= 5 ? rational(normalNear, root - 1.6) : rational(normalFar, root - 5));
}

/** √½ / 2: the middle approximation is in terms of x / 2. */
const halfRootHalf = Math.SQRT1_2 / 2;

const rational = ({ numerator, denominator }: Rational, x: number): number =>
  polynomial(numerator, x) / polynomial(denominator, x);

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
