/**
 * Functions of float64: those of the host's `Math` where it has them, to 1e-14, and formulas in terms of those.
 */

import { call, compare, constant, type Expr, op, select } from '../ir/expr.ts';

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
