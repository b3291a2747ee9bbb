/**
 * What the operations of the Loop IR give for numbers: the reference device's meaning, with a rounding after every operation.
 *
 * A value is the JavaScript number that the dtype holds; booleans are 0 and 1. The bits of a NaN are not part of its value.
 */

import { type DType, integerRange, isFloat, isInteger } from '../../src/core/dtype.ts';
import type { Fn } from './ir/expr.ts';
import type { Combiner } from './ir/kernel.ts';

/** An operation on the values of its operands. */
export type Scalar = (x: number, y: number, z: number) => number;

/** The nearest value of a dtype; integers wrap. */
const rounders: { readonly [D in DType]: (x: number) => number } = {
  bool: (x) => x,
  uint32: (x) => x >>> 0,
  int32: (x) => x | 0,
  float32: Math.fround,
  float64: (x) => x,
};

/**
 * What `quotient` and `remainder` give where they are not defined. A guarded load may compute such an address and not use it; the
 * number is far outside of what a buffer holds, so that using it is an error.
 */
export const unspecified = -1_073_676_289;

const word = new DataView(new ArrayBuffer(8));

/** The 32 bits of a value as another dtype. */
function reinterpret(x: number, from: DType, to: DType): number {
  if (from === 'float32') word.setFloat32(0, x);
  else word.setInt32(0, x | 0);
  return to === 'float32' ? word.getFloat32(0) : to === 'int32' ? word.getInt32(0) : word.getUint32(0);
}

/** Is the sign bit set? A NaN counts as positive. */
const negative = (x: number): boolean => x < 0 || Object.is(x, -0);

/** Halves go to the even neighbour. */
function nearest(x: number): number {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

function popcount(x: number): number {
  let count = 0;
  for (let bits = x | 0; bits !== 0; bits &= bits - 1) count++;
  return count;
}

/** From `from` to `to`: bool is x ≠ 0; floats to integers truncate, saturate and send NaN to 0; integers keep their bits. */
function conversion(from: DType, to: DType): Scalar {
  if (to === 'bool') return (x) => (x !== 0 ? 1 : 0);
  if (isFloat(from) && isInteger(to)) {
    const [low, high] = integerRange(to);
    // NaN passes both comparisons, and adding 0 makes a positive zero of a negative one.
    return (x) => (x !== x ? 0 : x < low ? low : x > high ? high : Math.trunc(x) + 0);
  }
  return rounders[to];
}

const floats = {
  neg: (x) => -x,
  abs: Math.abs,
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  rem: (x, y) => x % y,
  min: (x, y) => Math.min(x, y),
  max: (x, y) => Math.max(x, y),
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  nearest,
  copysign: (x, y) => (negative(x) === negative(y) ? x : -x),
} satisfies Partial<Record<Fn, Scalar>>;

/** On 32 bits as JavaScript's integer operators see them; the caller wraps to the dtype. */
const words = {
  neg: (x) => -x,
  abs: Math.abs,
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: Math.imul,
  // The double quotient of two 32-bit integers never rounds across an integer.
  div: (x, y) => (y === 0 ? -1 : Math.trunc(x / y)),
  rem: (x, y) => (y === 0 ? x : x % y),
  min: (x, y) => Math.min(x, y),
  max: (x, y) => Math.max(x, y),
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  not: (x) => ~x,
  clz: Math.clz32,
  popcount,
  shift_left: (x, y) => (y >>> 0 < 32 ? x << y : 0),
  shift_right_logical: (x, y) => (y >>> 0 < 32 ? x >>> y : 0),
  shift_right_arithmetic: (x, y) => x >> Math.min(y >>> 0, 31),
  quotient: (x, y) => (x >= 0 && y > 0 ? Math.floor(x / y) : unspecified),
  remainder: (x, y) => (x >= 0 && y > 0 ? x % y : unspecified),
} satisfies Partial<Record<Fn, Scalar>>;

const booleans = {
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  not: (x) => x ^ 1,
} satisfies Partial<Record<Fn, Scalar>>;

const comparisons = {
  eq: (x, y) => (x === y ? 1 : 0),
  ne: (x, y) => (x !== y ? 1 : 0),
  lt: (x, y) => (x < y ? 1 : 0),
  le: (x, y) => (x <= y ? 1 : 0),
  gt: (x, y) => (x > y ? 1 : 0),
  ge: (x, y) => (x >= y ? 1 : 0),
} satisfies Partial<Record<Fn, Scalar>>;

/** The functions of one dtype, by that of their operands. */
const table = (dtype: DType): Partial<Record<Fn, Scalar>> =>
  isFloat(dtype) ? floats : dtype === 'bool' ? booleans : words;

/** Does `fn` take two operands (or one) of this dtype? */
export const applies = (fn: Fn, dtype: DType): boolean => fn in table(dtype) || fn in comparisons;

/**
 * The operation `fn` from operands of dtype `from` to one of dtype `to`. What it does is said in `ir/expr.ts`.
 *
 * @param fused - is `madd` rounded once?
 * @throws RangeError for a function that does not take this dtype; `checkKernel` says so before
 */
export function scalar(fn: Fn, from: DType, to: DType, fused = false): Scalar {
  switch (fn) {
    case 'select':
      return (x, y, z) => (x !== 0 ? y : z);
    case 'convert':
      return conversion(from, to);
    case 'bitcast':
      return (x) => reinterpret(x, from, to);
    case 'madd': {
      if (isFloat(to) && fused) return (x, y, z) => fma(x, y, z, to);
      const round = rounders[to];
      return isFloat(to) ? (x, y, z) => round(round(x * y) + z) : (x, y, z) => round(Math.imul(x, y) + z);
    }
    default: {
      if (fn in comparisons) return comparisons[fn as keyof typeof comparisons];
      const found = table(from)[fn];
      if (!found) throw new RangeError(`${fn} of ${from}`);
      const round = rounders[to];
      return (x, y, z) => round(found(x, y, z));
    }
  }
}

/** What an accumulation starts from: the value that changes nothing. */
export function identity(combiner: Combiner, dtype: DType): number {
  const [low, high] = isInteger(dtype)
    ? integerRange(dtype)
    : dtype === 'bool'
      ? [0, 1]
      : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  switch (combiner) {
    case 'add':
    case 'or':
      return 0;
    case 'mul':
      return 1;
    case 'min':
      return high;
    case 'max':
      return low;
    case 'and':
      return dtype === 'int32' ? -1 : high;
  }
}

/** Functions of float64 that the host has, by how many operands they take. */
export const hostFunctions: {
  readonly [name: string]: { readonly arity: number; readonly of: (x: number, y: number) => number };
} = Object.fromEntries(
  (
    [
      ['exp', 1],
      ['expm1', 1],
      ['log', 1],
      ['log1p', 1],
      ['log2', 1],
      ['sin', 1],
      ['cos', 1],
      ['tan', 1],
      ['asin', 1],
      ['acos', 1],
      ['atan', 1],
      ['atan2', 2],
      ['sinh', 1],
      ['cosh', 1],
      ['tanh', 1],
      ['asinh', 1],
      ['acosh', 1],
      ['atanh', 1],
      ['cbrt', 1],
      ['pow', 2],
    ] as const
  ).map(([name, arity]) => [name, { arity, of: Math[name] as (x: number, y: number) => number }]),
);

/** A finite double as an integer times a power of two. */
function parts(x: number): readonly [bigint, number] {
  word.setFloat64(0, x);
  const bits = word.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = exponent === 0 ? fraction : fraction | 0x10000000000000n;
  return [x < 0 ? -magnitude : magnitude, Math.max(exponent, 1) - 1075];
}

/** x·y + z rounded once, by exact integers: slow, and right for every input. */
export function fma(x: number, y: number, z: number, dtype: 'float32' | 'float64'): number {
  if (Number.isFinite(x) && Number.isFinite(y) && !Number.isFinite(z)) return z;
  if (!(Number.isFinite(x) && Number.isFinite(y)) || x === 0 || y === 0) return rounders[dtype](x * y + z);
  const [mx, ex] = parts(x);
  const [my, ey] = parts(y);
  const [mz, ez] = parts(z);
  const exponent = Math.min(ex + ey, ez);
  const sum = ((mx * my) << BigInt(ex + ey - exponent)) + (mz << BigInt(ez - exponent));
  return sum === 0n ? 0 : rounded(sum, exponent, dtype);
}

/** The float nearest to mantissa · 2^exponent; ties go to the even one. */
function rounded(mantissa: bigint, exponent: number, dtype: 'float32' | 'float64'): number {
  const [precision, least] = dtype === 'float32' ? [24, -149] : [53, -1074];
  let magnitude = mantissa < 0n ? -mantissa : mantissa;
  const length = magnitude.toString(2).length;
  const last = Math.max(exponent + length - precision, least);
  let power = exponent;
  if (last > exponent) {
    const drop = BigInt(last - exponent);
    const kept = magnitude >> drop;
    const twice = (magnitude - (kept << drop)) * 2n;
    const unit = 1n << drop;
    magnitude = kept + (twice > unit || (twice === unit && (kept & 1n) === 1n) ? 1n : 0n);
    power = last;
  }
  // Two factors, as 2^power alone may be below the smallest double.
  const half = Math.trunc(power / 2);
  const value = Number(magnitude) * 2 ** half * 2 ** (power - half);
  const signed = mantissa < 0n ? -value : value;
  return dtype === 'float32' ? Math.fround(signed) : signed;
}
