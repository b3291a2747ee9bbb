/**
 * Sine, cosine and tangent of float32.
 *
 * x = n·π/2 + r with |r| ≤ π/4. Up to 12,800, π/2 is subtracted in parts of 11 bits, whose products with n, of 13 bits, are exact
 * (Cody & Waite): the float32 nearest to a multiple of π/2 there is 4.2e-9 away from it, and five parts leave 24 bits of that.
 * Beyond, the fraction of x/2π is found in integers ({@link largeAngle}). Polynomials are minimax on [-π/4, π/4], see
 * `test/fixtures/math-polynomials.py`.
 */

import { compare, convert, type Expr, int, op } from '../ir/expr.ts';
import {
  abs,
  add,
  and,
  bits,
  choose,
  div,
  flipSign,
  float,
  less,
  madd,
  mul,
  neg,
  polynomial,
  roundingMagic,
  shiftLeft,
  shiftRight,
  sub,
} from './notation.ts';

/** π/2, in multiples of 2^-10, 2^-21, 2^-32, 2^-43, and the rest. */
const quarterTurn = [
  1.5703125, 0.0004839897155761719, -1.6298145055770874e-7, 6.082245818106458e-11, -5.1453114636784356e-14,
] as const;
const twoOverPi = 0.6366197723675814;
/** The greatest angle that is reduced by {@link quarterTurn}: 8,149 quarter turns. */
const greatestSmallAngle = 12800;

/** (sin r - r)/r³ in r², to 2^-28 of sin r, and (cos r - 1 + r²/2)/r⁴, to 2^-32.6. */
const sinTail = [-0.166666552, 0.00833219104, -0.000195186061];
const cosTail = [0.0416666456, -0.00138873013, 2.44306684e-5];

/** An angle as quarter turns, of which the low two bits matter, and the rest in radians: r and what its rounding left out. */
interface Angle {
  readonly quarters: Expr;
  readonly r: Expr;
  readonly low: Expr;
}

/** x + y rounded, and the rounding error, where |x| ≥ |y| or x = 0 (T. J. Dekker, 1971). */
function exactSum(x: Expr, y: Expr): readonly [Expr, Expr] {
  const rounded = add(x, y);
  return [rounded, add(sub(x, rounded), y)];
}

/** Of x from 0 to {@link greatestSmallAngle}. */
function smallAngle(x: Expr): Angle {
  const shifted = madd(x, twoOverPi, roundingMagic);
  const n = sub(shifted, roundingMagic);
  const [first, second, third, fourth, fifth] = quarterTurn;
  // Exact. Then digits may fall off, unless much cancels.
  const r2 = madd(n, -second, madd(n, -first, x));
  const [r3, lost3] = exactSum(r2, mul(n, -third));
  const [r, lost4] = exactSum(r3, mul(n, -fourth));
  return { quarters: bits(shifted), r, low: madd(n, -fifth, add(lost3, lost4)) };
}

/**
 * The binary digits of 2^-10/2π after the point: row b holds the words of 32 bits that start at bits 8·b, 8·b + 32, ….
 */
const turnDigits: readonly (readonly number[])[] = [
  [0x000a2f98, 0x36e4e441, 0x529fc275, 0x7d1f534d, 0xdc0db629, 0x5993c439],
  [0x0a2f9836, 0xe4e44152, 0x9fc2757d, 0x1f534ddc, 0x0db62959, 0x93c43904],
  [0x2f9836e4, 0xe441529f, 0xc2757d1f, 0x534ddc0d, 0xb6295993, 0xc439041f],
  [0x9836e4e4, 0x41529fc2, 0x757d1f53, 0x4ddc0db6, 0x295993c4, 0x39041fe5],
];

const word = (x: Expr, y: Expr, fn: 'add' | 'sub' | 'mul' | 'xor' | 'or'): Expr => op(fn, x, y);
const high16 = (x: Expr): Expr => op('shift_right_logical', x, int(16));
const low16 = (x: Expr): Expr => and(x, 0xffff);
const bitOf = (x: Expr, bit: number): Expr => compare('ne', and(x, 1 << bit), int(0));
const sum = (...xs: readonly Expr[]): Expr => xs.reduce((a, b) => word(a, b, 'add'));

/** The high word of x·y, both unsigned; one less at times if the carries from below are not `counted`. */
function highProduct(x: Expr, y: Expr, counted: boolean): Expr {
  const [low, middle1] = [word(low16(x), low16(y), 'mul'), word(low16(x), high16(y), 'mul')];
  const middle2 = word(high16(x), low16(y), 'mul');
  const high = sum(word(high16(x), high16(y), 'mul'), high16(middle1), high16(middle2));
  return counted ? sum(high, high16(sum(high16(low), low16(middle1), low16(middle2)))) : high;
}

/** Whether x < y, both unsigned. */
const below = (x: Expr, y: Expr): Expr => {
  const sign = int(0x80000000 | 0);
  return compare('lt', word(x, sign, 'xor'), word(y, sign, 'xor'));
};

/**
 * Of finite x above 2^13, by the method of M. Payne & R. Hanek ("Radian reduction for trigonometric functions", SIGNUM Newsletter 18,
 * 1983): only those digits of 1/2π are multiplied that the fraction of x/2π depends on.
 *
 * x = X·2^(8q - 10) with an integer X below 2^31, and q from 0 to 14 chooses three words of digits by its bits. Of the product 64 bits
 * after the point remain; the float32 closest to a multiple of π/2 leaves 24 of them and more.
 */
function largeAngle(x: Expr): Angle {
  const from13 = word(bits(x), int((127 + 13) << 23), 'sub');
  const q = shiftRight(from13, 26);
  // The mantissa with the rest of the exponent.
  const mantissa = word(and(from13, 0x7fffff), int(0x800000), 'or');
  const power = shiftLeft(word(and(shiftRight(from13, 23), 7), int(127), 'add'), 23);
  const whole = word(mantissa, convert(float(power), 'int32'), 'mul');

  const [q0, q1, q2, q3] = [bitOf(q, 0), bitOf(q, 1), bitOf(q, 2), bitOf(q, 3)];
  const digit = (b: number, i: number): Expr => int(turnDigits[b]![i]! | 0);
  const aligned = turnDigits[0]!.map((_, i) =>
    choose(q1, choose(q0, digit(3, i), digit(2, i)), choose(q0, digit(1, i), digit(0, i))),
  );
  const halved = [0, 1, 2, 3].map((i) => choose(q3, aligned[i + 2]!, aligned[i]!));
  const [w1, w2, w3] = [0, 1, 2].map((i) => choose(q2, halved[i + 1]!, halved[i]!)) as [Expr, Expr, Expr];

  const partial = word(whole, w2, 'mul');
  const lowWord = sum(partial, highProduct(whole, w3, false));
  const carry = choose(below(lowWord, partial), int(1), int(0));
  const high = sum(word(whole, w1, 'mul'), highProduct(whole, w2, true), carry);

  // The nearest quarter turn, and what is left, as a magnitude and a sign.
  const quarters = op('shift_right_logical', sum(high, int(1 << 29)), int(30));
  const rest = word(high, shiftLeft(quarters, 30), 'sub');
  const sign = shiftRight(rest, 31);
  const [restHigh, restLow] = [word(rest, sign, 'xor'), word(lowWord, sign, 'xor')];
  // In radians: 12 bits of the rest times 12 bits of 2π are exact, so that what matters is rounded once.
  const leading = convert(and(restHigh, ~0x3ffff), 'float32');
  const fraction = mul(convert(op('shift_right_logical', restLow, int(8)), 'float32'), 2 ** -24);
  const trailing = add(convert(and(restHigh, 0x3ffff), 'float32'), fraction);
  const unit = 2 ** -32;
  const [r, low] = exactSum(
    mul(leading, turnHigh * unit),
    madd(trailing, 2 * Math.PI * unit, mul(leading, turnLow * unit)),
  );
  const signed = (y: Expr): Expr => float(word(bits(y), and(sign, 0x80000000), 'xor'));
  // Infinity - Infinity is NaN.
  return { quarters, r: add(signed(r), sub(x, x)), low: signed(low) };
}

/** 2π, its first 12 bits and the rest. */
const turnHigh = 6.283203125;
const turnLow = 2 * Math.PI - turnHigh;

function angle(x: Expr): Angle {
  const near = smallAngle(x);
  const far = largeAngle(x);
  const large = less(greatestSmallAngle, x);
  return {
    quarters: choose(large, far.quarters, near.quarters),
    r: choose(large, far.r, near.r),
    low: choose(large, far.low, near.low),
  };
}

const sinOf = (r: Expr, low: Expr, square: Expr): Expr =>
  add(r, madd(mul(polynomial(square, sinTail), square), r, low));
const cosOf = (square: Expr): Expr => madd(mul(square, square), polynomial(square, cosTail), madd(square, -0.5, 1));

/** Sine of radians: odd, so that of |x|, with the sign of x. */
export function sin(x: Expr): Expr {
  const { quarters, r, low } = angle(abs(x));
  const square = mul(r, r);
  const y = choose(bitOf(quarters, 0), cosOf(square), sinOf(r, low, square));
  return flipSign(y, float(word(bits(x), shiftLeft(quarters, 30), 'xor')));
}

/** Cosine of radians: a quarter turn ahead of the sine. */
export function cos(x: Expr): Expr {
  const { quarters, r, low } = angle(abs(x));
  const square = mul(r, r);
  const y = choose(bitOf(quarters, 0), sinOf(r, low, square), cosOf(square));
  return flipSign(y, float(shiftLeft(word(quarters, int(1), 'add'), 30)));
}

/** Tangent of radians: sine over cosine, or minus cosine over sine after an odd number of quarter turns. */
export function tan(x: Expr): Expr {
  const { quarters, r, low } = angle(abs(x));
  const square = mul(r, r);
  const [s, c] = [sinOf(r, low, square), cosOf(square)];
  const odd = bitOf(quarters, 0);
  const y = div(choose(odd, neg(c), s), choose(odd, s, c));
  return flipSign(y, x);
}
