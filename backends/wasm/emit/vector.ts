/**
 * Operations on a vector of two or four elements. A lane is 32 bits wide, but for float64, of which there are two; a boolean is a lane
 * of ones or zeros, 32 bits wide beside float64 too. Where there are two lanes, the upper two of 32 bits hold anything.
 */

import type { DType } from '../../../src/core/dtype.ts';
import type { Apply, Expr, Fn } from '../../loop/ir/expr.ts';
import { type Code, f32x4, f64x2, i8x16, i16x8, i32x4, v128 } from '../code/instructions.ts';
import { unknown } from './scalar.ts';

/** What operations need besides their operands. */
export interface VectorContext {
  readonly lanes: 2 | 4;
  readonly relaxed: boolean;
  /** A register that holds the word in all lanes. */
  readonly word: (bits: number) => Code;
  readonly double: (value: number) => Code;
}

/** 64-bit masks as 32-bit ones, and back. */
const narrow = (mask: Code, any: Code): Code => v128.shuffle32(mask, any, [0, 2, 0, 2]);
const widen = (mask: Code): Code => v128.shuffle32(mask, mask, [0, 0, 1, 1]);

/** The operation on registers; `null` if there is no instruction for it, and it goes lane by lane. */
export function vectorOp(x: Apply, args: readonly Code[], context: VectorContext): Code | null {
  const from = x.args[0]!.dtype;
  const [a, b, c] = args as readonly [Code, Code, Code];
  if (x.fn === 'select') return choice(x, x.dtype === 'float64' ? widen(a) : a, b, c, context);
  if (x.fn === 'convert') return vectorConvert(a, from, x.dtype, context);
  if (x.fn === 'bitcast') return a;
  if (from === 'bool') return maskOp(x.fn, a, b);
  if (from === 'float32' || from === 'float64') {
    return extremum(x, a, b) ?? floatOp(x.fn, from, a, b, c, context);
  }
  return integerOp(x, a, b, c, context);
}

/** All bits zero. */
const isZero = (x: Expr): boolean => x.op === 'const' && Object.is(x.value, 0);

function choice({ args }: Apply, mask: Code, then: Code, otherwise: Code, { relaxed }: VectorContext): Code {
  if (isZero(args[1]!)) return v128.andnot(otherwise, mask);
  if (isZero(args[2]!)) return v128.and(then, mask);
  // Of a mask of whole lanes the relaxed instruction says what it does, and it is one where `bitselect` is three.
  return relaxed ? i32x4.relaxedLaneselect(then, otherwise, mask) : v128.bitselect(then, otherwise, mask);
}

/**
 * The greater or lesser of x and a constant c. `x < c ? c : x` keeps a NaN and costs a fraction of the instruction that also tells
 * zeros apart; only beside a zero of the other sign that matters.
 */
function extremum({ fn, args, dtype }: Apply, a: Code, b: Code): Code | null {
  if (fn !== 'min' && fn !== 'max') return null;
  const [x, y] = args as readonly [Expr, Expr];
  if (y.op === 'const') return beside(fn, dtype, a, b, y.value);
  return x.op === 'const' ? beside(fn, dtype, b, a, x.value) : null;
}

function beside(fn: 'min' | 'max', dtype: DType, x: Code, c: Code, value: number): Code | null {
  const type = dtype === 'float64' ? f64x2 : f32x4;
  if (Number.isNaN(value)) return null;
  if (fn === 'max') return Object.is(value, 0) ? v128.andnot(x, type.le(x, c)) : type.pmax(x, c);
  return Object.is(value, -0) ? null : type.pmin(x, c);
}

/** The same of a combiner. */
export function vectorCombine(fn: Fn, dtype: DType, a: Code, b: Code): Code {
  if (dtype === 'bool') return maskOp(fn, a, b);
  if (dtype === 'float32' || dtype === 'float64') {
    const type = dtype === 'float32' ? f32x4 : f64x2;
    if (fn === 'add' || fn === 'mul' || fn === 'min' || fn === 'max') return type[fn](a, b);
    return unknown(fn, dtype);
  }
  return wordOp(fn, dtype === 'int32', a, b) ?? unknown(fn, dtype);
}

function floatOp(fn: Fn, dtype: DType, a: Code, b: Code, c: Code, context: VectorContext): Code {
  const double = dtype === 'float64';
  const type = double ? f64x2 : f32x4;
  switch (fn) {
    case 'neg':
    case 'abs':
    case 'sqrt':
    case 'floor':
    case 'ceil':
    case 'trunc':
    case 'nearest':
      return type[fn](a);
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
    case 'min':
    case 'max':
      return type[fn](a, b);
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return double ? narrow(type[fn](a, b), a) : type[fn](a, b);
    case 'copysign':
      return v128.bitselect(b, a, double ? context.double(-0) : context.word(0x80000000));
    case 'madd':
      return context.relaxed ? type.relaxedMadd(a, b, c) : type.add(type.mul(a, b), c);
    default:
      return unknown(fn, dtype);
  }
}

function maskOp(fn: Fn, a: Code, b: Code): Code {
  switch (fn) {
    case 'not':
      return v128.not(a);
    case 'and':
    case 'mul':
    case 'min':
      return v128.and(a, b);
    case 'or':
    case 'add':
    case 'max':
      return v128.or(a, b);
    case 'xor':
    case 'ne':
      return v128.xor(a, b);
    case 'eq':
      return v128.not(v128.xor(a, b));
    case 'lt':
      return v128.andnot(b, a);
    case 'gt':
      return v128.andnot(a, b);
    case 'le':
      return v128.or(v128.not(a), b);
    case 'ge':
      return v128.or(a, v128.not(b));
    default:
      return unknown(fn, 'bool');
  }
}

const comparisons = {
  eq: [i32x4.eq, i32x4.eq],
  ne: [i32x4.ne, i32x4.ne],
  lt: [i32x4.ltU, i32x4.ltS],
  le: [i32x4.leU, i32x4.leS],
  gt: [i32x4.gtU, i32x4.gtS],
  ge: [i32x4.geU, i32x4.geS],
} as const;

function wordOp(fn: Fn, signed: boolean, a: Code, b: Code): Code | null {
  switch (fn) {
    case 'add':
    case 'sub':
    case 'mul':
      return i32x4[fn](a, b);
    case 'and':
    case 'or':
    case 'xor':
      return v128[fn](a, b);
    case 'min':
      return signed ? i32x4.minS(a, b) : i32x4.minU(a, b);
    case 'max':
      return signed ? i32x4.maxS(a, b) : i32x4.maxU(a, b);
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return comparisons[fn][signed ? 1 : 0](a, b);
    default:
      return null;
  }
}

function integerOp(x: Apply, a: Code, b: Code, c: Code, context: VectorContext): Code | null {
  const signed = x.args[0]!.dtype === 'int32';
  switch (x.fn) {
    case 'neg':
      return i32x4.neg(a);
    case 'abs':
      return signed ? i32x4.abs(a) : a;
    case 'not':
      return v128.not(a);
    case 'popcount':
      return i32x4.extaddPairwiseI16x8U(i16x8.extaddPairwiseI8x16U(i8x16.popcnt(a)));
    case 'madd':
      return i32x4.add(i32x4.mul(a, b), c);
    case 'quotient':
      return quotientOf(x, a, b, context);
    case 'div':
      return division(a, b, signed, context);
    default:
      return wordOp(x.fn, signed, a, b);
  }
}

/** Both halves, as doubles, through an operation, and back. */
function throughDoubles(a: Code, b: Code, signed: boolean, lanes: 2 | 4, op: (a: Code, b: Code) => Code): Code {
  const double = signed ? f64x2.convertLowI32x4S : f64x2.convertLowI32x4U;
  const whole = signed ? i32x4.truncSatZeroF64x2S : i32x4.truncSatZeroF64x2U;
  const low = whole(op(double(a), double(b)));
  if (lanes === 2) return low;
  const upper = (v: Code): Code => v128.shuffle32(v, v, [2, 3, 2, 3]);
  const high = whole(op(double(upper(a)), double(upper(b))));
  return v128.shuffle32(low, high, [0, 1, 4, 5]);
}

/** The quotient of 32-bit integers as doubles is never rounded across an integer. By 0 it is all bits; INT_MIN by −1 wraps. */
function division(a: Code, b: Code, signed: boolean, { lanes, word }: VectorContext): Code {
  const quotient = throughDoubles(a, b, signed, lanes, f64x2.div);
  const wrapped = signed ? v128.bitselect(i32x4.neg(a), quotient, i32x4.eq(b, word(-1))) : quotient;
  return v128.or(wrapped, i32x4.eq(b, word(0)));
}

function quotientOf(x: Apply, a: Code, b: Code, { lanes, double }: VectorContext): Code {
  const by = x.args[1]!;
  if (by.op !== 'const') return throughDoubles(a, b, true, lanes, f64x2.div);
  // Half a step above, the product with the reciprocal is at least ½/d away from an integer, and its error is below that.
  return throughDoubles(a, b, true, lanes, (v) => f64x2.mul(f64x2.add(v, double(0.5)), double(1 / by.value)));
}

function vectorConvert(a: Code, from: DType, to: DType, { word, double }: VectorContext): Code {
  if (from === to) return a;
  if (to === 'bool') {
    if (from === 'float32') return f32x4.ne(a, word(0));
    if (from === 'float64') return narrow(f64x2.ne(a, double(0)), a);
    return i32x4.ne(a, word(0));
  }
  if (from === 'bool') {
    if (to === 'float32') return v128.and(a, word(0x3f800000));
    return to === 'float64' ? f64x2.convertLowI32x4S(i32x4.neg(a)) : i32x4.neg(a);
  }
  if (to === 'float32') {
    if (from === 'float64') return f32x4.demoteZeroF64x2(a);
    return from === 'int32' ? f32x4.convertI32x4S(a) : f32x4.convertI32x4U(a);
  }
  if (to === 'float64') {
    if (from === 'float32') return f64x2.promoteLowF32x4(a);
    return from === 'int32' ? f64x2.convertLowI32x4S(a) : f64x2.convertLowI32x4U(a);
  }
  if (from === 'float32') return to === 'int32' ? i32x4.truncSatF32x4S(a) : i32x4.truncSatF32x4U(a);
  if (from === 'float64') return to === 'int32' ? i32x4.truncSatZeroF64x2S(a) : i32x4.truncSatZeroF64x2U(a);
  return a;
}
