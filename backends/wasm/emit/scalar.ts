/** Operations on one element: booleans are 0 and 1, integers of both kinds are i32. */

import type { DType } from '../../../src/core/dtype.ts';
import type { Fn } from '../../loop/ir/expr.ts';
import { type Code, f32, f64, i32, select, type ValueType } from '../code/instructions.ts';
import { f32x4, f64x2 } from '../code/simd.ts';

export const scalarType = (dtype: DType): ValueType =>
  dtype === 'float32' ? 'f32' : dtype === 'float64' ? 'f64' : 'i32';

export function scalarConstant(value: number, dtype: DType): Code {
  if (dtype === 'float32') return f32.const(value);
  if (dtype === 'float64') return f64.const(value);
  return i32.const(dtype === 'bool' ? Number(value !== 0) : value | 0);
}

/** An operation that was asked for with operands it does not take. */
export const unknown = (fn: string, dtype: DType): never => {
  throw new Error(`the Loop IR has no ${fn} of ${dtype}`);
};

/** A divisor that is never 0, where the quotient by 0 is thrown away. */
const safe = (y: Code): Code => i32.add(y, i32.eqz(y));

/** The count as unsigned is at least 32. */
const shiftedOut = (y: Code): Code => i32.gtU(y, i32.const(31));

/** `args` are cheap to repeat: registers or constants. `relaxed`: may multiply-adds be rounded once? */
export function scalarOp(fn: Fn, dtype: DType, from: DType, args: readonly Code[], relaxed = false): Code {
  const [x, y, z] = args as readonly [Code, Code, Code];
  if (fn === 'select') return select(y, z, x);
  if (fn === 'convert') return scalarConvert(x, from, dtype);
  if (fn === 'bitcast') return scalarBitcast(x, from, dtype);
  if (from === 'float32' || from === 'float64') return floatOp(fn, from, x, y, z, relaxed);
  if (from === 'bool') return boolOp(fn, x, y);
  return integerOp(fn, from === 'int32', x, y, z);
}

function floatOp(fn: Fn, dtype: DType, x: Code, y: Code, z: Code, relaxed: boolean): Code {
  const type = dtype === 'float32' ? f32 : f64;
  switch (fn) {
    case 'neg':
    case 'abs':
    case 'sqrt':
    case 'floor':
    case 'ceil':
    case 'trunc':
    case 'nearest':
      return type[fn](x);
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
    case 'min':
    case 'max':
    case 'copysign':
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return type[fn](x, y);
    case 'madd': {
      if (!relaxed) return type.add(type.mul(x, y), z);
      // Rounded as it is in vectors: an element has the same bits wherever it lies.
      const wide = dtype === 'float32' ? f32x4 : f64x2;
      return wide.extractLane(wide.relaxedMadd(wide.splat(x), wide.splat(y), wide.splat(z)), 0);
    }
    default:
      return unknown(fn, dtype);
  }
}

function boolOp(fn: Fn, x: Code, y: Code): Code {
  switch (fn) {
    case 'not':
      return i32.eqz(x);
    case 'and':
    case 'mul':
    case 'min':
      return i32.and(x, y);
    case 'or':
    case 'add':
    case 'max':
      return i32.or(x, y);
    case 'xor':
    case 'ne':
      return i32.xor(x, y);
    case 'eq':
      return i32.eq(x, y);
    case 'lt':
      return i32.ltU(x, y);
    case 'le':
      return i32.leU(x, y);
    case 'gt':
      return i32.gtU(x, y);
    case 'ge':
      return i32.geU(x, y);
    default:
      return unknown(fn, 'bool');
  }
}

const comparisons = {
  eq: [i32.eq, i32.eq],
  ne: [i32.ne, i32.ne],
  lt: [i32.ltU, i32.ltS],
  le: [i32.leU, i32.leS],
  gt: [i32.gtU, i32.gtS],
  ge: [i32.geU, i32.geS],
} as const;

function integerOp(fn: Fn, signed: boolean, x: Code, y: Code, z: Code): Code {
  switch (fn) {
    case 'neg':
      return i32.sub(i32.const(0), x);
    case 'abs':
      return signed ? select(i32.sub(i32.const(0), x), x, i32.ltS(x, i32.const(0))) : x;
    case 'not':
      return i32.xor(x, i32.const(-1));
    case 'clz':
      return i32.clz(x);
    case 'popcount':
      return i32.popcnt(x);
    case 'add':
    case 'sub':
    case 'mul':
    case 'and':
    case 'or':
    case 'xor':
      return i32[fn](x, y);
    case 'min':
      return select(x, y, signed ? i32.ltS(x, y) : i32.ltU(x, y));
    case 'max':
      return select(x, y, signed ? i32.gtS(x, y) : i32.gtU(x, y));
    case 'madd':
      return i32.add(i32.mul(x, y), z);
    case 'div':
      return signed ? signedDivision(x, y) : select(i32.const(-1), i32.divU(x, safe(y)), i32.eqz(y));
    case 'rem':
      // In WebAssembly the remainder of INT_MIN by −1 is 0; only that by 0 traps.
      return select(x, signed ? i32.remS(x, safe(y)) : i32.remU(x, safe(y)), i32.eqz(y));
    case 'quotient':
      return i32.divU(x, safe(y));
    case 'remainder':
      return i32.remU(x, safe(y));
    case 'shift_left':
      return select(i32.const(0), i32.shl(x, y), shiftedOut(y));
    case 'shift_right_logical':
      return select(i32.const(0), i32.shrU(x, y), shiftedOut(y));
    case 'shift_right_arithmetic':
      return i32.shrS(x, select(i32.const(31), y, shiftedOut(y)));
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return comparisons[fn][signed ? 1 : 0](x, y);
    default:
      return unknown(fn, signed ? 'int32' : 'uint32');
  }
}

/** By −1 it is the negation, which wraps; by 0, all bits. Both are divided by 1 instead, since the instruction traps. */
function signedDivision(x: Code, y: Code): Code {
  const trapping = i32.ltU(i32.add(y, i32.const(1)), i32.const(2));
  const quotient = i32.divS(x, select(i32.const(1), y, trapping));
  const negated = select(i32.sub(i32.const(0), x), quotient, i32.eq(y, i32.const(-1)));
  return select(i32.const(-1), negated, i32.eqz(y));
}

function scalarConvert(x: Code, from: DType, to: DType): Code {
  if (from === to) return x;
  if (to === 'bool') {
    if (from === 'float32') return f32.ne(x, f32.const(0));
    if (from === 'float64') return f64.ne(x, f64.const(0));
    return i32.ne(x, i32.const(0));
  }
  if (to === 'float32') {
    if (from === 'float64') return f32.demoteF64(x);
    return from === 'int32' ? f32.convertI32S(x) : f32.convertI32U(x);
  }
  if (to === 'float64') {
    if (from === 'float32') return f64.promoteF32(x);
    return from === 'int32' ? f64.convertI32S(x) : f64.convertI32U(x);
  }
  if (from === 'float32') return to === 'int32' ? i32.truncSatF32S(x) : i32.truncSatF32U(x);
  if (from === 'float64') return to === 'int32' ? i32.truncSatF64S(x) : i32.truncSatF64U(x);
  return x;
}

function scalarBitcast(x: Code, from: DType, to: DType): Code {
  const words: readonly DType[] = ['int32', 'uint32', 'float32'];
  if (from === to) return x;
  if (!words.includes(from) || !words.includes(to)) return unknown(`bitcast to ${to}`, from);
  if (from === 'float32') return i32.reinterpretF32(x);
  return to === 'float32' ? f32.reinterpretI32(x) : x;
}
