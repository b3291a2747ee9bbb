/**
 * Exponentials of float32.
 *
 * e^x = 2^n·e^r with n = ⌊x·log₂e⌉ and |r| ≤ ½·ln 2. ln 2 is subtracted in two parts, of which the first has so few bits that its
 * product with n is exact (W. J. Cody & W. Waite, "Software Manual for the Elementary Functions", 1980). e^r = 1 + r + r²·q(r) with a
 * minimax q of degree 4; coefficients and errors are printed by `test/fixtures/math-polynomials.py`. n is found by adding a constant
 * that holds the bias of exponents as well, so that one shift makes a power of 2 of it.
 */

import { type Expr, op } from '../ir/expr.ts';
import {
  abs,
  add,
  atLeast,
  atMost,
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
  withSign,
} from './notation.ts';

const log2e = Math.LOG2E;
/** ln 2 in two parts, the first of 9 bits. */
const ln2High = 0.693359375;
const ln2Low = -2.1219444005469057e-4;

/** (e^r - 1 - r)/r², to 2^-28.3 of e^r. */
const exponentialTail = [0.49999994, 0.166665211, 0.0416682586, 0.00836866722, 0.00138212286];

/** e^(x·scale) = 2^n·e^r: r, n, and an integer whose low 9 bits are n + offset. */
interface Reduced {
  readonly r: Expr;
  readonly n: Expr;
  readonly power: Expr;
}

function reduce(x: Expr, offset: number): Reduced {
  const magic = roundingMagic + offset;
  const shifted = madd(x, log2e, magic);
  const n = sub(shifted, magic);
  const r = madd(n, -ln2Low, madd(n, -ln2High, x));
  return { r, n, power: bits(shifted) };
}

/** e^r for |r| ≤ ½·ln 2. */
const small = (r: Expr): Expr => add(madd(polynomial(r, exponentialTail), mul(r, r), r), 1);

/** 2^(k - 127), of an integer whose low 8 bits are k. */
const powerOfTwo = (k: Expr): Expr => float(shiftLeft(k, 23));

/**
 * 2^(n + shift)·y with gradual underflow, of n from -152 to 129: half of the power at a time, since the whole has no float. The power
 * was found with offset 254 + shift.
 */
function scale(y: Expr, power: Expr): Expr {
  const half = shiftRight(power, 1);
  return mul(mul(y, powerOfTwo(half)), powerOfTwo(op('sub', power, half)));
}

/** Beyond these e^x is 0 and Infinity. */
const [lowest, highest] = [-104, 89];

/** e^(x)·2^shift. */
function scaledExp(x: Expr, shift: number): Expr {
  const { r, power } = reduce(atLeast(atMost(x, highest + 1), lowest), 254 + shift);
  return scale(small(r), power);
}

/** e^x. */
export const exp = (x: Expr): Expr => scaledExp(x, 0);

/** e^x of x ≤ 0: as {@link exp}, but the power is scaled by 2^64 instead of halved. */
export function expNonPositive(x: Expr): Expr {
  const { r, power } = reduce(atLeast(x, lowest), 127 + 64);
  return mul(mul(small(r), powerOfTwo(power)), 2 ** -64);
}

/** e^(x + y)·factor with gradual underflow, of x + y from {@link lowest} to 0, where |y| < 0.1. */
export function expPair(x: Expr, y: Expr, factor: Expr): Expr {
  const magic = roundingMagic + 127 + 64;
  const shifted = madd(add(x, y), log2e, magic);
  const n = sub(shifted, magic);
  const r = add(madd(n, -ln2High, x), madd(n, -ln2Low, y));
  return mul(mul(mul(small(r), powerOfTwo(bits(shifted))), factor), 2 ** -64);
}

/** 2^x, exact for whole x: their r is 0. */
export function exp2(x: Expr): Expr {
  const magic = roundingMagic + 254;
  const within = atLeast(atMost(x, 129), -151);
  const shifted = add(within, magic);
  const r = sub(within, sub(shifted, magic));
  return scale(small(mul(r, Math.LN2)), bits(shifted));
}

/** 2^(main + rest) of a large and a small number, which may be infinite together. */
export function scaledExp2(main: Expr, rest: Expr): Expr {
  const magic = roundingMagic + 254;
  // What is left of the sum is exact in the large number, and small.
  const total = atLeast(atMost(add(main, rest), 129), -151);
  const shifted = add(total, magic);
  const r = add(sub(main, sub(shifted, magic)), rest);
  // Beyond ½ by the rounding of the total, and far beyond where that was cut off.
  const bounded = atLeast(atMost(r, 0.53125), -0.53125);
  return scale(small(mul(bounded, Math.LN2)), bits(shifted));
}

/** (e^r - 1 - r)/r², to 2^-31 of e^r - 1. */
const expm1Tail = [0.5, 0.166666657, 0.0416664928, 0.00833354425, 0.00139323261, 0.000197633111];
/** e^r - 1 for |r| ≤ ½·ln 2. */
const smallExpm1 = (r: Expr): Expr => madd(polynomial(r, expm1Tail), mul(r, r), r);

/** e^x - 1 = 2·(2^(n-1)·(e^r - 1) + (2^(n-1) - ½)): the halves keep n = 128 within the exponents. */
export function expm1(x: Expr): Expr {
  const { r, power } = reduce(atLeast(atMost(x, highest), -18), 126);
  const s = powerOfTwo(power);
  const y = madd(smallExpm1(r), s, sub(s, 0.5));
  // Halving a denormal would cost its last bit, and -0 its sign.
  return choose(less(abs(x), 2 ** -24), x, add(y, y));
}

/** e^x - 1 = power - 1 + product, of x from -87 to 0; the power is of 2. */
export function expm1Parts(x: Expr): { readonly product: Expr; readonly power: Expr } {
  const { r, power } = reduce(x, 127);
  const s = powerOfTwo(power);
  return { product: mul(smallExpm1(r), s), power: s };
}

/**
 * tanh x = (1 - e)/(1 + e) with e = e^-2|x| = s + s·p, where s = 2^n and p = e^r - 1: sums of 1 ± s, which is exact, and s·p, so that
 * nothing cancels near 0, where s = 1.
 */
export function tanh(x: Expr): Expr {
  const { r, power } = reduce(mul(atMost(abs(x), 10), -2), 127);
  const s = powerOfTwo(power);
  const p = smallExpm1(r);
  return withSign(div(madd(p, s, sub(s, 1)), madd(p, s, add(s, 1))), x);
}

/** 1/(1 + e^-x), with the exponential of a negative number on either side. */
export function logistic(x: Expr): Expr {
  const e = expNonPositive(neg(abs(x)));
  return div(choose(less(x, 0), e, 1), add(e, 1));
}

/** cosh x = E + ¼/E with E = e^|x|/2, which overflows only where cosh does. */
export function cosh(x: Expr): Expr {
  const e = scaledExp(abs(x), -1);
  return add(e, div(0.25, e));
}

/** (sinh x - x)/x³ in x², for |x| ≤ 1. */
const sinhTail = [0.166666672, 0.00833331142, 0.000198426278, 2.78401626e-6];

/** sinh x = E - ¼/E as for {@link cosh}, and a polynomial where the difference would cancel. */
export function sinh(x: Expr): Expr {
  const a = abs(x);
  const e = scaledExp(a, -1);
  const z = mul(x, x);
  const near = madd(mul(polynomial(z, sinhTail), z), x, x);
  return choose(less(a, 1), near, flipSign(sub(e, div(0.25, e)), x));
}
