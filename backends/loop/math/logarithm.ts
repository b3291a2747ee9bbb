/**
 * Logarithms of float32.
 *
 * x = 2^e·(1 + m) with 1 + m between √½ and √2, by arithmetic on the bits (as in S. L. Moshier's Cephes, `logf`), so that m is exact.
 * log(1 + m) = m - m²/2 + m³·Q(m) with a minimax Q; near 1, where e = 0, the result is as precise as m is. Coefficients and errors
 * are printed by `test/fixtures/math-polynomials.py`.
 */

import { convert, type Expr, int, op } from '../ir/expr.ts';
import {
  add,
  bits,
  choose,
  equal,
  float,
  less,
  madd,
  mul,
  polynomial,
  shiftLeft,
  shiftRight,
  sub,
} from './notation.ts';

/** ln 2 in two parts, the first of 9 bits: its product with an exponent is exact. */
const ln2High = 0.693359375;
const ln2Low = -2.1219444005469057e-4;
/** log₂e - 1. */
const log2eMinus1 = 0.4426950408889634;

/** (log(1 + m) - m + m²/2)/m³ of √½ ≤ 1 + m ≤ √2, to 2^-30.3 of the logarithm. */
const tail = [
  0.333333135, -0.250000089, 0.20002073, -0.166679919, 0.142203107, -0.124061123, 0.118838698, -0.116712071,
  0.0674992353,
];

/** The bits of √½. */
const rootHalf = 0x3f3504f3;
const leastNormal = 2 ** -126;

/** x = 2^e·(1 + m), of a positive finite x: e as a float, m, and m³·Q(m). */
interface Parts {
  readonly e: Expr;
  readonly m: Expr;
  readonly square: Expr;
  readonly tail: Expr;
}

function parts(x: Expr): Parts {
  const denormal = less(x, leastNormal);
  const { e, ...rest } = normalParts(choose(denormal, mul(x, 2 ** 23), x));
  return { e: sub(e, choose(denormal, 23, 0)), ...rest };
}

function normalParts(x: Expr): Parts {
  const exponent = shiftRight(op('sub', bits(x), int(rootHalf)), 23);
  const m = sub(float(op('sub', bits(x), shiftLeft(exponent, 23))), 1);
  return { e: convert(exponent, 'float32'), m, ...series(m) };
}

/** m² and m³·Q(m). */
function series(m: Expr): Pick<Parts, 'square' | 'tail'> {
  const square = mul(m, m);
  return { square, tail: mul(mul(polynomial(m, tail), m), square) };
}

/** What a logarithm is at 0, of negatives, Infinity and NaN; `y` elsewhere. */
function withEdges(x: Expr, y: Expr): Expr {
  const positive = choose(less(x, Number.POSITIVE_INFINITY), y, x);
  return choose(less(0, x), positive, choose(equal(x, 0), Number.NEGATIVE_INFINITY, Number.NaN));
}

const logOfParts = ({ e, m, square, tail }: Parts): Expr =>
  madd(e, ln2High, add(m, madd(square, -0.5, madd(e, ln2Low, tail))));

/** Natural logarithm. */
export const log = (x: Expr): Expr => withEdges(x, logOfParts(parts(x)));

/** Natural logarithm of positive normal floats. */
export const logOfNormal = (x: Expr): Expr => logOfParts(normalParts(x));

/** Logarithm to base 2: e + log₂e·log(1 + m), in which m itself has no rounding. */
export function log2(x: Expr): Expr {
  const { e, m, square, tail } = parts(x);
  const y = madd(square, -0.5, tail);
  const low = madd(y, log2eMinus1, mul(m, log2eMinus1));
  return withEdges(x, add(add(add(low, y), m), e));
}

/**
 * log(1 + x), plus log 2 times `octaves`, of finite x > -1.
 *
 * It is e·ln 2 + log(1 + m) with the e of 1 + x, and m = x·2^-e + (2^-e - 1), which loses nothing where e = 0 (as N. Juffa
 * does it in CUDA's `log1pf`).
 */
export function log1pOf(x: Expr, octaves?: Expr): Expr {
  const exponent = shiftRight(op('sub', bits(add(x, 1)), int(rootHalf)), 23);
  const power = float(op('sub', int(0x3f800000), shiftLeft(exponent, 23)));
  // Far out 2^-e is no normal float, and the 1 is lost in x.
  const far = sub(float(op('sub', bits(x), shiftLeft(exponent, 23))), 1);
  const m = choose(less(x, 2 ** 30), madd(x, power, sub(power, 1)), far);
  const { square, tail } = series(m);
  const whole = convert(exponent, 'float32');
  const e = octaves ? add(whole, octaves) : whole;
  return madd(e, ln2High, add(m, madd(square, -0.5, madd(e, ln2Low, tail))));
}

/** log(1 + x). */
export function log1p(x: Expr): Expr {
  const within = choose(less(x, Number.POSITIVE_INFINITY), log1pOf(x), x);
  const above = choose(less(-1, x), within, choose(equal(x, -1), Number.NEGATIVE_INFINITY, Number.NaN));
  return choose(equal(x, 0), x, above);
}
