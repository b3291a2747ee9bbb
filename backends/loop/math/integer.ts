/**
 * Elementwise primitives that are exact: of integers, and of floats where only signs, bounds and whole multiples matter.
 */

import { compare, constant, convert, type Expr, op, select } from '../ir/expr.ts';

const floating = (x: Expr): boolean => x.dtype === 'float32' || x.dtype === 'float64';
const like = (x: Expr, value: number): Expr => constant(value, x.dtype);

/** -1, 0 or 1; zeros and NaN are their own signs. */
export function sign(x: Expr): Expr {
  if (floating(x)) return select(compare('lt', like(x, 0), op('abs', x)), op('copysign', like(x, 1), x), x);
  const positive = select(compare('ne', x, like(x, 0)), like(x, 1), like(x, 0));
  return x.dtype === 'uint32' ? positive : select(compare('lt', x, like(x, 0)), like(x, -1), positive);
}

/** Neither infinite nor NaN. */
export const finite = (x: Expr): Expr =>
  floating(x) ? compare('lt', op('abs', x), like(x, Number.POSITIVE_INFINITY)) : constant(1, 'bool');

/** x between `low` and `high`, which wins if they cross; NaN if any is. */
export const clamp = (low: Expr, x: Expr, high: Expr): Expr => op('min', op('max', x, low), high);

/** What a truncated quotient leaves, with the sign of x. */
export const rem = (x: Expr, y: Expr): Expr => (x.dtype === 'float32' ? remainder(x, y) : op('rem', x, y));

/** Quotients of one step of {@link remainder} are below this. */
const step = 2 ** 28;

/**
 * In float64, where it is exact: multiples q·2^28k·|y| are taken off for k = 9, …, 0, as in division by hand. What is left before step
 * k is below 2^28·(2^28k·|y|), so that q has 28 bits and the product 52. The quotient that is cut off to q is never rounded up
 * to a whole number: it is a multiple of 2^-24 below 2^28.
 */
function remainder(x: Expr, y: Expr): Expr {
  const double = (z: Expr): Expr => op('abs', convert(z, 'float64'));
  const divisor = double(y);
  let rest = double(x);
  for (let k = 9; k >= 0; k--) {
    const multiple = op('mul', divisor, constant(step ** k, 'float64'));
    rest = op('sub', rest, op('mul', op('trunc', op('div', rest, multiple)), multiple));
  }
  // ∞/∞ and x/0 made NaN of the rest; below an infinite y, finite x stay as they are.
  const left = op('copysign', convert(rest, 'float32'), x);
  return select(compare('lt', op('abs', x), op('abs', y)), x, left);
}

/** The operands of a remainder that {@link rem} has written; `null` for anything else. Machines without float64 have their own. */
export function remainderIn(x: Expr): readonly [Expr, Expr] | null {
  if (x.op !== 'apply' || x.fn !== 'select' || x.dtype !== 'float32') return null;
  const [below, small, left] = x.args as readonly [Expr, Expr, Expr];
  if (left.op !== 'apply' || left.fn !== 'copysign' || below.op !== 'apply' || below.fn !== 'lt') return null;
  const [rest, bound] = [left.args[0]!, below.args[1]!];
  if (rest.op !== 'apply' || rest.fn !== 'convert' || rest.args[0]!.dtype !== 'float64') return null;
  return bound.op === 'apply' && bound.fn === 'abs' ? [small, bound.args[0]!] : null;
}

/** x^n modulo 2^32, for whole n ≥ 0. */
export function wordPower(x: Expr, n: number): Expr {
  let power: Expr = like(x, 1);
  let base = x;
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = power.op === 'const' ? base : op('mul', power, base);
    if (rest > 1) base = op('mul', base, base);
  }
  return power;
}

/** x^y modulo 2^32; a negative y gives the truncated quotient 1/x^|y|, all bits set for x = 0. */
export function wordPow(x: Expr, y: Expr): Expr {
  const [zero, one] = [like(x, 0), like(x, 1)];
  const bit = (n: number): Expr =>
    compare('ne', op('and', op('shift_right_logical', y, like(y, n)), like(y, 1)), like(y, 0));
  let power: Expr = one;
  let base = x;
  for (let n = 0; n < 32; n++) {
    power = select(bit(n), op('mul', power, base), power);
    base = op('mul', base, base);
  }
  if (x.dtype === 'uint32') return power;
  const unit = select(bit(0), x, one);
  const isUnit = op('or', compare('eq', x, one), compare('eq', x, like(x, -1)));
  const inverse = select(isUnit, unit, select(compare('eq', x, zero), like(x, -1), zero));
  return select(compare('lt', y, zero), inverse, power);
}
