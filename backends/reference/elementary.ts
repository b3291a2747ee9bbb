/**
 * Elementary functions and powers, element by element: one plain loop each, for the reason given in `elementwise.ts`.
 *
 * JavaScript leaves the precision of `Math` to the engine. V8's functions (fdlibm) were measured against mpmath within 3e-16
 * relative, powers within 8e-16; `test/fixtures/special-functions.py` holds every engine to that.
 */

import { isFloat, type TypedArray } from '../../src/core/dtype.ts';
import { type BinaryLoop, binary, type UnaryLoop, unary } from './elementwise.ts';
import type { Lower } from './kernel.ts';

/** e^x. */
export const exp = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.exp(x[i]!);
});

/** Natural logarithm; NaN below 0. */
export const log = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.log(x[i]!);
});

/** Hyperbolic tangent. */
export const tanh = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.tanh(x[i]!);
});

/** 1 / (1 + e^-x), with the exponential of a negative number on either side, so that neither tail loses its digits. */
export const logistic = unary((x, out) => {
  for (let i = 0; i < out.length; i++) {
    const value = x[i]!;
    const e = Math.exp(-Math.abs(value));
    out[i] = (value < 0 ? e : 1) / (1 + e);
  }
});

/** Sine of radians. */
export const sin = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.sin(x[i]!);
});

/** Cosine of radians. */
export const cos = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.cos(x[i]!);
});

/** Square root; NaN below 0. */
export const sqrt = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.sqrt(x[i]!);
});

/** 2^x, exact for whole x. */
export const exp2 = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = 2 ** x[i]!;
});

/** e^x - 1. */
export const expm1 = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.expm1(x[i]!);
});

/** Logarithm to base 2, exact for powers of 2; NaN below 0. */
export const log2 = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.log2(x[i]!);
});

/** log(1 + x); NaN below -1. */
export const log1p = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.log1p(x[i]!);
});

/** Tangent of radians. */
export const tan = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.tan(x[i]!);
});

/** Inverse sine; NaN outside of [-1, 1]. */
export const asin = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.asin(x[i]!);
});

/** Inverse cosine; NaN outside of [-1, 1]. */
export const acos = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.acos(x[i]!);
});

/** Inverse tangent. */
export const atan = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.atan(x[i]!);
});

/** Hyperbolic sine. */
export const sinh = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.sinh(x[i]!);
});

/** Hyperbolic cosine. */
export const cosh = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.cosh(x[i]!);
});

/** Inverse hyperbolic sine. */
export const asinh = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.asinh(x[i]!);
});

/** Inverse hyperbolic cosine; NaN below 1. */
export const acosh = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.acosh(x[i]!);
});

/** Inverse hyperbolic tangent; NaN outside of [-1, 1]. */
export const atanh = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.atanh(x[i]!);
});

/** 1 / √x; NaN below 0. */
export const rsqrt = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = 1 / Math.sqrt(x[i]!);
});

/** Cube root. */
export const cbrt = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.cbrt(x[i]!);
});

const square: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! * x[i]!;
};
const productFloat = (x: TypedArray, out: TypedArray, exponent: number): void => {
  for (let i = 0; i < out.length; i++) {
    const base = x[i]!;
    let power = 1;
    for (let n = 0; n < exponent; n++) power *= base;
    out[i] = power;
  }
};
const wholePowFloat = (x: TypedArray, out: TypedArray, exponent: number): void => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! ** exponent;
};
const wholePowWord = (x: TypedArray, out: TypedArray, exponent: number): void => {
  for (let i = 0; i < out.length; i++) out[i] = wordPower(x[i]!, exponent);
};
/** `x^n` modulo 2^32, for `n` ≥ 0. */
function wordPower(x: number, n: number): number {
  let base = x | 0;
  let power = 1;
  for (let bits = n; bits > 0; bits = Math.floor(bits / 2)) {
    if (bits % 2 === 1) power = Math.imul(power, base);
    base = Math.imul(base, base);
  }
  return power;
}
/** x^exponent: `x^0` is 1 for every `x`. Small powers are products; products of many factors would gather their roundings. */
export const integerPow: Lower<{ readonly exponent: number }> = (ins, _outs, { exponent }) => {
  if (!isFloat(ins[0]!.dtype)) return (ins, outs) => wholePowWord(ins[0]!, outs[0]!, exponent);
  if (exponent === 2) return (ins, outs) => square(ins[0]!, outs[0]!);
  const loop = exponent >= 0 && exponent <= 4 ? productFloat : wholePowFloat;
  return (ins, outs) => loop(ins[0]!, outs[0]!, exponent);
};

const powFloat: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) {
    const [base, exponent] = [x[i]!, y[i]!];
    // C and NumPy, but not JavaScript: 1 to any power, NaN included, is 1, and so is (-1) to an infinite one.
    const unit = base === 1 || (base === -1 && Math.abs(exponent) === Infinity);
    out[i] = unit ? 1 : base ** exponent;
  }
};
const powWord: BinaryLoop = (x, y, out) => {
  for (let i = 0; i < out.length; i++) {
    const [base, exponent] = [x[i]!, y[i]!];
    if (exponent >= 0) out[i] = wordPower(base, exponent);
    else if (base === 1 || base === -1) out[i] = exponent % 2 === 0 ? 1 : base;
    else out[i] = base === 0 ? -1 : 0;
  }
};
/** x^y; of integers wrapped, a negative power being the truncated quotient `1 / x^n`, with all bits set for `x = 0`. */
export const pow = binary(powFloat, powWord);

const atan2Float: BinaryLoop = (y, x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.atan2(y[i]!, x[i]!);
};
/** The angle of the point (x, y); the operands are (y, x). */
export const atan2 = binary(atan2Float, atan2Float);
