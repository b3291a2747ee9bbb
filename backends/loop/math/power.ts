/**
 * Powers and roots of float32.
 *
 * x^y = 2^(y·log₂x), where y·log₂x may be as large as 150 and must be right to 2^-26: log₂ is computed to some 32 bits in two floats,
 * much as in FreeBSD's `e_powf.c` (Sun Microsystems, 1993). Products that must be exact are of floats cut to 12 bits.
 */

import { convert, type Expr, int, op } from '../ir/expr.ts';
import { scaledExp2 } from './exponential.ts';
import {
  abs,
  add,
  and,
  bits,
  choose,
  div,
  equal,
  f32,
  flipSign,
  float,
  less,
  madd,
  missing,
  mul,
  polynomial,
  shiftLeft,
  shiftRight,
  sqrt,
  sub,
  withSign,
} from './notation.ts';

/** 1/√x: -Infinity at -0, NaN below. */
export const rsqrt = (x: Expr): Expr => div(1, sqrt(x));

const both = (a: Expr, b: Expr): Expr => op('and', a, b);

/** The first 12 bits of x. */
const leading = (x: Expr): Expr => float(and(bits(x), 0xfffff000));

/** An unevaluated sum; `high` has 12 bits. */
interface Pair {
  readonly high: Expr;
  readonly low: Expr;
}

/** 2/ln 2 in two parts, the first of 12 bits. */
const scaleHigh = 2.884765625;
const scaleLow = 2 / Math.LN2 - scaleHigh;

/** 2/ln 2·(atanh s - s)/s³ in s², for |s| ≤ (√2 - 1)/(√2 + 1), to 2^-36 of atanh s. */
const atanhTail = [0.961796701, 0.577078879, 0.411921471, 0.336624682];

const [rootHalf, leastNormal] = [0x3f3504f3, 2 ** -126];

/** log₂ x of a positive finite x: e + 2/ln 2·atanh s with s = (m - 1)/(m + 1), for x = 2^e·m. */
function log2Pair(x: Expr): Pair {
  const denormal = less(x, leastNormal);
  const normal = bits(choose(denormal, mul(x, 2 ** 23), x));
  const exponent = shiftRight(op('sub', normal, int(rootHalf)), 23);
  const m = float(op('sub', normal, shiftLeft(exponent, 23)));
  const e = sub(convert(exponent, 'float32'), choose(denormal, 23, 0));

  // The numerator is exact. Of the denominator the first 12 bits are taken, and the rest, exactly.
  const numerator = sub(m, 1);
  const denominator = add(m, 1);
  const denominatorHigh = leading(denominator);
  const denominatorLow = sub(m, sub(denominatorHigh, 1));
  const inverse = div(1, denominator);
  const s = mul(numerator, inverse);
  const sHigh = leading(s);
  const remainder = sub(sub(numerator, mul(sHigh, denominatorHigh)), mul(sHigh, denominatorLow));
  const sLow = mul(remainder, inverse);

  const square = mul(s, s);
  const tail = mul(mul(s, square), polynomial(square, atanhTail));
  const main = mul(sHigh, scaleHigh);
  // The tail is taken at s; its slope times what s lacks is s²·(sHigh + sLow - s).
  const lacking = madd(square, sub(sLow, sub(s, sHigh)), sLow);
  const rest = add(madd(lacking, 2 / Math.LN2, mul(sHigh, scaleLow)), tail);
  // e + main is exact enough to be taken apart again; |e| ≥ |main| or e = 0.
  const high = leading(add(e, add(main, rest)));
  return { high, low: add(sub(main, sub(high, e)), rest) };
}

/** x^y of a positive finite x, and y = `high` + what is missing to y, where `high` has 12 bits. */
function powerOf(x: Expr, y: Expr, high: Expr, low: Expr): Expr {
  const log = log2Pair(x);
  const main = mul(high, log.high);
  const rest = madd(low, log.high, mul(y, log.low));
  return scaledExp2(main, rest);
}

/**
 * x^y as C99 has it: 1 to any power is 1, and so is anything to the power 0, NaN included; (-1) to an infinite power is 1; negatives have
 * whole powers only, of which the odd ones are negative, those of -0 included.
 */
export function pow(x: Expr, y: Expr): Expr {
  const base = abs(x);
  const high = leading(y);
  const magnitude = powerOf(base, y, high, sub(y, high));

  const infinite = (z: Expr): Expr => equal(z, Number.POSITIVE_INFINITY);
  const or = (...xs: readonly Expr[]): Expr => xs.reduce((a, b) => op('or', a, b));
  const not = (a: Expr): Expr => op('not', a);

  // Where either is infinite, or x is 0: Infinity if both point the same way.
  const extreme = or(equal(x, 0), infinite(base), infinite(abs(y)));
  const grows = op('xor', less(1, base), less(y, 0));
  const size = choose(extreme, choose(grows, Number.POSITIVE_INFINITY, 0), magnitude);
  const unit = choose(equal(base, 1), 1, size);

  const whole = equal(op('trunc', y), y);
  const halfY = mul(y, 0.5);
  const odd = both(whole, not(equal(op('trunc', halfY), halfY)));
  const signed = choose(odd, flipSign(unit, x), unit);
  const real = choose(
    or(missing(x), missing(y), both(both(less(x, 0), not(infinite(base))), not(whole))),
    Number.NaN,
    signed,
  );
  return choose(or(equal(x, 1), equal(y, 0)), 1, real);
}

/** Powers that are products of the base or its reciprocal: of all mantissas the worst is 3.44 units off (n = 6), and n = 7 has 4.4. */
const [leastProduct, greatestProduct] = [-3, 6];

/** x^n by squaring; of more factors by {@link pow}'s logarithm. Reciprocals are taken first: 1/x underflows only where x^n does. */
export function integerPow(x: Expr, n: number): Expr {
  if (n === 0) return f32(1);
  if (n >= leastProduct && n <= greatestProduct) return product(n < 0 ? div(1, x) : x, Math.abs(n));
  const base = abs(x);
  const head = firstBits(n);
  const magnitude = powerOf(base, f32(n), f32(head), f32(n - head));
  // Of 0 and Infinity one is the reciprocal of the other.
  const inside = both(less(0, base), less(base, Number.POSITIVE_INFINITY));
  const edge = n > 0 ? base : div(1, base);
  const size = choose(inside, magnitude, edge);
  return n % 2 === 0 ? size : withSign(size, x);
}

/** The first 12 bits of a whole number, or 11. */
function firstBits(n: number): number {
  const unit = 2 ** Math.max(0, Math.floor(Math.log2(Math.abs(n))) - 10);
  return Math.trunc(n / unit) * unit;
}

function product(x: Expr, n: number): Expr {
  if (n === 1) return x;
  const half = product(x, Math.floor(n / 2));
  const square = mul(half, half);
  return n % 2 === 0 ? square : mul(square, x);
}

/**
 * Cube root: a third of the bits is within a few percent (W. Kahan), Halley's step within 2^-14, and Newton's within 2^-28, its
 * correction being small enough to lose nothing.
 */
export function cbrt(x: Expr): Expr {
  const a = abs(x);
  // What is below it has denormal intermediate results, which some machines take for 0.
  const denormal = less(a, 2 ** -100);
  const normal = choose(denormal, mul(a, 2 ** 24), a);
  const third = convert(mul(convert(bits(normal), 'float32'), 1 / 3), 'int32');
  const t0 = float(op('add', third, int(0x2a5137a0)));
  // t·(t³ + 2a)/(2t³ + a), all of a quarter, so that nothing overflows.
  const cube = mul(mul(t0, t0), mul(t0, 0.25));
  const quarter = mul(normal, 0.25);
  const t1 = mul(t0, div(madd(quarter, 2, cube), madd(cube, 2, quarter)));
  const t2 = madd(sub(div(normal, mul(t1, t1)), t1), 1 / 3, t1);
  const root = mul(t2, choose(denormal, 2 ** -8, 1));
  return choose(both(less(0, a), less(a, Number.POSITIVE_INFINITY)), withSign(root, x), x);
}
