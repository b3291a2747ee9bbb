/**
 * Functions of float64: those of the host's `Math` where it has them, to 1e-14, and formulas in terms of those.
 */

import { joint, middle, normalFar, normalMiddle, normalNear, pole, type Rational, tail } from '../../error-function.ts';
import { call, compare, constant, convert, type Expr, op, select } from '../ir/expr.ts';

const f64 = (value: number): Expr => constant(value, 'float64');

/** 2^x, exact for whole x. */
export const exp2 = (x: Expr): Expr => call('pow', f64(2), x);

/** 1/(1 + e^-x), with the exponential of a negative number on either side. */
export function logistic(x: Expr): Expr {
  const e = call('exp', op('neg', op('abs', x)));
  return op('div', select(compare('lt', x, f64(0)), e, f64(1)), op('add', f64(1), e));
}

/** 1/√x. */
export const rsqrt = (x: Expr): Expr => op('div', f64(1), op('sqrt', x));

/** x^y as C99 has it, and not JavaScript: 1 to any power is 1, NaN included, and so is (-1) to an infinite one. */
export function pow(x: Expr, y: Expr): Expr {
  const infinite = compare('eq', op('abs', y), f64(Number.POSITIVE_INFINITY));
  const minus = op('and', compare('eq', x, f64(-1)), infinite);
  return select(op('or', compare('eq', x, f64(1)), minus), f64(1), call('pow', x, y));
}

/** x^n: small powers are products. */
export function integerPow(x: Expr, n: number): Expr {
  if (n < 0 || n > 4) return call('pow', x, f64(n));
  return Array.from({ length: n }, () => x).reduce<Expr>(
    (power, y) => (power.op === 'const' ? y : op('mul', power, y)),
    f64(1),
  );
}

const polynomial = (x: Expr, coefficients: readonly number[]): Expr =>
  coefficients
    .slice(0, -1)
    .reduceRight<Expr>((sum, c) => op('add', op('mul', sum, x), f64(c)), f64(coefficients.at(-1)!));
const rational = (x: Expr, { numerator, denominator }: Rational): Expr =>
  op('div', polynomial(x, numerator), polynomial(x, denominator));

/** erf of |x| ≤ ¾. */
const central = (x: Expr): Expr => op('mul', x, polynomial(op('mul', x, x), middle));

/** erfc of a > ¾: e^-a² has the rounding error of a² in a factor of its own, the square of the short `head` being exact. */
function complementTail(a: Expr): Expr {
  const head = convert(convert(a, 'float32'), 'float64');
  const gaussian = op(
    'mul',
    call('exp', op('mul', op('sub', head, a), op('add', head, a))),
    call('exp', op('neg', op('mul', head, head))),
  );
  const t = op('div', op('sub', a, f64(pole)), op('add', a, f64(pole)));
  const y = op('mul', op('div', polynomial(t, tail), op('add', a, f64(1))), gaussian);
  // Beyond 28 it is less than any double.
  return select(compare('gt', a, f64(28)), f64(0), y);
}

/** As on the reference device: W. J. Cody's division of the line, with polynomials of its own. */
export function erf(x: Expr): Expr {
  const a = op('abs', x);
  const outside = op('copysign', op('sub', f64(1), complementTail(a)), x);
  return select(compare('le', a, f64(joint)), central(x), outside);
}

export function erfc(x: Expr): Expr {
  const tail = complementTail(op('abs', x));
  const outside = select(compare('lt', x, f64(0)), op('sub', f64(2), tail), tail);
  return select(compare('le', op('abs', x), f64(joint)), op('sub', f64(1), central(x)), outside);
}

/** erf⁻¹(x) = Φ⁻¹((1 + x)/2)/√2; ±Infinity at ±1, NaN beyond. */
export function erfInv(x: Expr): Expr {
  const a = op('abs', x);
  const r = op('sub', f64(0.180625), op('mul', f64(0.25), op('mul', x, x)));
  const inside = op('mul', op('mul', x, rational(r, normalMiddle)), f64(Math.SQRT1_2 / 2));
  const area = op('mul', f64(0.5), op('sub', f64(1), a));
  const root = op('sqrt', op('neg', call('log', area)));
  const near = rational(op('sub', root, f64(1.6)), normalNear);
  const far = rational(op('sub', root, f64(5)), normalFar);
  const outside = op('mul', select(compare('le', root, f64(5)), near, far), f64(Math.SQRT1_2));
  const bounded = select(compare('eq', a, f64(1)), f64(Number.POSITIVE_INFINITY), outside);
  return select(compare('le', a, f64(0.85)), inside, op('copysign', bounded, x));
}
