/**
 * The notation in which formulas of float32 are written: operations of the Loop IR with operands that may be numbers.
 *
 * Two habits keep the formulas right on every machine. A `madd` may round once or twice, so nothing may depend on its inner rounding:
 * products that must be exact have few enough bits. And NaN must come through: a comparison with NaN is false, so that a NaN takes
 * the last of the branches.
 */

import { bitcast, compare, constant, type Expr, int, op, select } from '../ir/expr.ts';

/** An expression, or the float32 nearest to a number. */
export type Operand = Expr | number;

/** The float32 nearest to `value`, as a constant. */
export const f32 = (value: number): Expr => constant(Math.fround(value), 'float32');

const term = (x: Operand): Expr => (typeof x === 'number' ? f32(x) : x);

export const add = (x: Operand, y: Operand): Expr => op('add', term(x), term(y));
export const sub = (x: Operand, y: Operand): Expr => op('sub', term(x), term(y));
export const mul = (x: Operand, y: Operand): Expr => op('mul', term(x), term(y));
export const div = (x: Operand, y: Operand): Expr => op('div', term(x), term(y));
/** x·y + z. */
export const madd = (x: Operand, y: Operand, z: Operand): Expr => op('madd', term(x), term(y), term(z));
export const abs = (x: Expr): Expr => op('abs', x);
export const neg = (x: Expr): Expr => op('neg', x);
export const sqrt = (x: Expr): Expr => op('sqrt', x);

export const less = (x: Operand, y: Operand): Expr => compare('lt', term(x), term(y));
export const equal = (x: Operand, y: Operand): Expr => compare('eq', term(x), term(y));
/** Whether x is NaN. */
export const missing = (x: Expr): Expr => compare('ne', x, x);
export const choose = (condition: Expr, then: Operand, otherwise: Operand): Expr =>
  select(condition, term(then), term(otherwise));
/** The lesser of x and a bound; NaN if x is. */
export const atMost = (x: Expr, bound: number): Expr => op('min', x, f32(bound));
/** The greater of x and a bound; NaN if x is. */
export const atLeast = (x: Expr, bound: number): Expr => op('max', x, f32(bound));

/** c₀ + c₁·x + c₂·x² + …, by Horner's rule. */
export const polynomial = (x: Expr, coefficients: readonly number[]): Expr =>
  coefficients
    .slice(0, -1)
    .reduceRight<Expr>((sum, coefficient) => madd(sum, x, coefficient), f32(coefficients.at(-1)!));

/** The 32 bits of a float32, as an int32. */
export const bits = (x: Expr): Expr => bitcast(x, 'int32');
/** The float32 with these bits. */
export const float = (x: Expr): Expr => bitcast(x, 'float32');

export const shiftLeft = (x: Expr, by: number): Expr => op('shift_left', x, int(by));
export const shiftRight = (x: Expr, by: number): Expr => op('shift_right_arithmetic', x, int(by));
export const and = (x: Expr, mask: number): Expr => op('and', x, int(mask | 0));

/** The bit of the sign. */
const signBit = int(0x80000000 | 0);
/** x, a magnitude, with the sign of `of`. */
export const withSign = (x: Expr, of: Expr): Expr => op('copysign', x, of);
/** x with its sign changed where `of` is negative. */
export const flipSign = (x: Expr, of: Expr): Expr => float(op('xor', bits(x), op('and', bits(of), signBit)));

/**
 * 1.5·2²³. Adding it to a small x rounds x to a whole number, which is left in the low bits of the sum; subtracting it again leaves the
 * whole number as a float.
 */
export const roundingMagic = 12582912;
