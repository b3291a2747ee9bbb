/** Kernels of the Loop IR, statement by statement in plain JavaScript: what compiled ones are held to. Every float32 operation is rounded. */

import type { Apply, Buffer, Expr, Index, Local } from '../../backends/loop/ir/expr.ts';
import type { Kernel, Stmt } from '../../backends/loop/ir/kernel.ts';
import { allocate, type DType, type TypedArray } from '../../src/core/dtype.ts';

const word = new DataView(new ArrayBuffer(8));
const count = (y: number): number => y >>> 0;

/** A value as its dtype holds it. */
function held(x: number, dtype: DType): number {
  if (dtype === 'float32') return Math.fround(x);
  if (dtype === 'int32') return x | 0;
  if (dtype === 'uint32') return x >>> 0;
  return dtype === 'bool' ? Number(x !== 0) : x;
}

const ones = (x: number): number => [...(x >>> 0).toString(2)].filter((d) => d === '1').length;

function halfEven(x: number): number {
  const low = Math.floor(x);
  if (!Number.isFinite(x)) return x;
  const nearest = x - low < 0.5 || (x - low === 0.5 && low % 2 === 0) ? low : low + 1;
  return nearest === 0 && (x < 0 || Object.is(x, -0)) ? -0 : nearest;
}

function divided(x: number, y: number, dtype: DType): number {
  if (dtype === 'float32' || dtype === 'float64') return x / y;
  return y === 0 ? -1 : Math.trunc(x / y);
}

function converted(x: number, from: DType, to: DType): number {
  if (to === 'bool') return Number(x !== 0);
  if ((from === 'float32' || from === 'float64') && (to === 'int32' || to === 'uint32')) {
    if (Number.isNaN(x)) return 0;
    const [low, high] = to === 'int32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
    return Math.trunc(Math.min(Math.max(x, low), high));
  }
  return x;
}

function cast(x: number, from: DType, to: DType): number {
  if (from === 'float32') word.setFloat32(0, x);
  else word.setInt32(0, x);
  return to === 'float32' ? word.getFloat32(0) : to === 'int32' ? word.getInt32(0) : word.getUint32(0);
}

export function applied({ fn, dtype, args }: Apply, values: readonly number[]): number {
  const from = args[0]!.dtype;
  const [x, y, z] = values as [number, number, number];
  const integer = from === 'int32' || from === 'uint32';
  switch (fn) {
    case 'neg':
      return held(-x, dtype);
    case 'abs':
      return held(Math.abs(x), dtype);
    case 'sqrt':
      return held(Math.sqrt(x), dtype);
    case 'floor':
      return Math.floor(x);
    case 'ceil':
      return Math.ceil(x);
    case 'trunc':
      return Math.trunc(x);
    case 'nearest':
      return halfEven(x);
    case 'not':
      return dtype === 'bool' ? 1 - x : held(~x, dtype);
    case 'clz':
      return Math.clz32(x);
    case 'popcount':
      return ones(x);
    case 'add':
      return held(x + y, dtype);
    case 'sub':
      return held(x - y, dtype);
    case 'mul':
      return integer ? held(Math.imul(x, y), dtype) : held(x * y, dtype);
    case 'div':
      return held(divided(x, y, from), dtype);
    case 'rem':
      return integer && y === 0 ? x : held(x % y, dtype);
    case 'min':
      return Math.min(x, y);
    case 'max':
      return Math.max(x, y);
    case 'and':
      return held(x & y, dtype);
    case 'or':
      return held(x | y, dtype);
    case 'xor':
      return held(x ^ y, dtype);
    case 'shift_left':
      return held(count(y) < 32 ? x << y : 0, dtype);
    case 'shift_right_logical':
      return held(count(y) < 32 ? x >>> y : 0, dtype);
    case 'shift_right_arithmetic':
      return held((x | 0) >> Math.min(count(y), 31), dtype);
    case 'copysign': {
      const negative = y < 0 || Object.is(y, -0);
      return negative ? -Math.abs(x) : Math.abs(x);
    }
    case 'quotient':
      return Math.floor(x / y);
    case 'remainder':
      return x % y;
    case 'eq':
      return Number(x === y);
    case 'ne':
      return Number(x !== y);
    case 'lt':
      return Number(x < y);
    case 'le':
      return Number(x <= y);
    case 'gt':
      return Number(x > y);
    case 'ge':
      return Number(x >= y);
    case 'select':
      return x !== 0 ? y : z;
    case 'madd':
      return integer ? held(Math.imul(x, y) + z, dtype) : held(held(x * y, dtype) + z, dtype);
    case 'convert':
      return held(converted(x, from, dtype), dtype);
    case 'bitcast':
      return cast(x, from, dtype);
  }
}

const functions: Readonly<Record<string, (...args: number[]) => number>> = {
  exp: Math.exp,
  sin: Math.sin,
  atan2: Math.atan2,
};

/** Run a kernel on arrays, in their order; of a partitioned one, the turns from … to. */
export function evaluate(
  kernel: Kernel,
  arrays: readonly TypedArray[],
  sizes: readonly number[] = [],
  turns?: readonly [number, number],
): void {
  const memory = new Map<Buffer, TypedArray>(kernel.operands.map((buffer, i) => [buffer, arrays[i]!]));
  const indices = new Map<Index, number>();
  const locals = new Map<Local, number>();
  const value = (x: Expr): number => {
    switch (x.op) {
      case 'const':
        return held(x.value, x.dtype);
      case 'index':
        return indices.get(x.index)!;
      case 'size':
        return sizes[x.slot]!;
      case 'local':
        return locals.get(x.local)!;
      case 'load': {
        if (x.guard && value(x.guard) === 0) return 0;
        const found = memory.get(x.buffer)![value(x.at)];
        if (found === undefined) throw new Error(`${x.buffer.name} is read at ${value(x.at)}`);
        return found;
      }
      case 'call':
        return functions[x.name]!(...x.args.map(value));
      case 'apply':
        return applied(x, x.args.map(value));
    }
  };
  for (const buffer of kernel.scratch) memory.set(buffer, allocate(buffer.dtype, value(buffer.size)));
  const run = (stmt: Stmt, outermost: boolean): void => {
    switch (stmt.kind) {
      case 'loop': {
        const chosen = outermost && turns && stmt.role === 'parallel';
        const [from, to] = chosen ? turns : [0, value(stmt.index.extent)];
        for (let i = from; i < to; i++) {
          indices.set(stmt.index, i);
          for (const x of stmt.body) run(x, false);
        }
        return;
      }
      case 'local':
      case 'assign':
        locals.set(stmt.local, value(stmt.value));
        return;
      case 'accumulate': {
        const args = [locals.get(stmt.local)!, value(stmt.value)];
        const { dtype } = stmt.local;
        const x = { op: 'apply', fn: stmt.combiner, dtype, args: [{ dtype }] } as unknown as Apply;
        locals.set(stmt.local, applied(x, args));
        return;
      }
      case 'store': {
        const array = memory.get(stmt.buffer)!;
        const at = value(stmt.at);
        if (!(at >= 0 && at < array.length)) throw new Error(`${stmt.buffer.name} is written at ${at}`);
        array[at] = value(stmt.value);
        return;
      }
      case 'if':
        if (value(stmt.condition) !== 0) for (const x of stmt.body) run(x, false);
    }
  };
  for (const stmt of kernel.body) run(stmt, kernel.body.length === 1);
}
