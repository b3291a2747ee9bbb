/**
 * Expressions of the Loop IR as JavaScript, for tests that evaluate millions of them: each node a variable, each float32 operation
 * rounded by `Math.fround`. Like the interpreter it is a reading of what `backends/loop/ir/expr.ts` says, and shares no code with it.
 */

import { type Apply, type Expr, type Local, operands, read } from '../../backends/loop/ir/expr.ts';
import type { DType } from '../../src/core/dtype.ts';

/** How `madd` rounds: the product and the sum, or the sum alone. */
export type Rounding = 'twice' | 'once';

type Run = (ins: readonly ArrayLike<number>[], out: { [i: number]: number }, length: number) => void;

const local = (name: string, dtype: DType): Local => ({ name, dtype });

/** A loop that evaluates `f` at elements of arrays. */
export function compiled(dtypes: readonly DType[], f: (...args: Expr[]) => Expr, rounding: Rounding): Run {
  const locals = dtypes.map((dtype, i) => local(`in${i}`, dtype));
  const root = f(...locals.map(read));
  const lines: string[] = [];
  const names = new Map<Expr, string>();
  const nameOf = (x: Expr): string => {
    const known = names.get(x);
    if (known) return known;
    const args = operands(x).map(nameOf);
    const text = x.op === 'local' ? `ins[${locals.indexOf(x.local)}][i]` : textOf(x, args, rounding);
    const name = `v${names.size}`;
    names.set(x, name);
    lines.push(`const ${name} = ${text};`);
    return name;
  };
  const result = nameOf(root);
  const body = `${lines.join('\n    ')}\n    out[i] = +${result};`;
  return new Function(
    'scratch',
    'support',
    `const fround = Math.fround;
const { nearest, copysign, toInt, popcount } = support;
return (ins, out, length) => {
  for (let i = 0; i < length; i++) {
    ${body}
  }
};`,
  )(scratch, support) as Run;
}

const buffer = new ArrayBuffer(8);
const scratch = {
  float32: new Float32Array(buffer),
  int32: new Int32Array(buffer),
  uint32: new Uint32Array(buffer),
  float64: new Float64Array(buffer),
};

const support = {
  /** To the nearest whole number, halves to the even one. */
  nearest(x: number): number {
    const up = Math.round(x);
    const even = up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
    return even === 0 ? x * 0 : even;
  },
  copysign: (x: number, of: number): number => (of < 0 || Object.is(of, -0) ? -Math.abs(x) : Math.abs(x)),
  /** Saturating, NaN to 0. */
  toInt: (x: number): number => (x >= 2147483648 ? 2147483647 : x <= -2147483648 ? -2147483648 : x | 0),
  popcount(x: number): number {
    let count = 0;
    for (let rest = x; rest !== 0; rest &= rest - 1) count++;
    return count;
  },
};

function textOf(x: Expr, args: readonly string[], rounding: Rounding): string {
  if (x.op === 'const') return Object.is(x.value, -0) ? '-0' : String(x.value);
  if (x.op === 'call') return `Math.${x.name}(${args.join()})`;
  if (x.op !== 'apply') throw new Error(`no ${x.op} here`);
  return textOfApply(x, args, rounding);
}

const words: Readonly<Partial<Record<Apply['fn'], (a: string, b: string) => string>>> = {
  add: (a, b) => `(${a} + ${b}) | 0`,
  sub: (a, b) => `(${a} - ${b}) | 0`,
  mul: (a, b) => `Math.imul(${a}, ${b})`,
  neg: (a) => `-${a} | 0`,
  abs: (a) => `Math.abs(${a}) | 0`,
  and: (a, b) => `${a} & ${b}`,
  or: (a, b) => `${a} | ${b}`,
  xor: (a, b) => `${a} ^ ${b}`,
  not: (a) => `~${a}`,
  shift_left: (a, b) => `${a} << ${b}`,
  shift_right_logical: (a, b) => `(${a} >>> ${b}) | 0`,
  shift_right_arithmetic: (a, b) => `${a} >> ${b}`,
  clz: (a) => `Math.clz32(${a})`,
  popcount: (a) => `popcount(${a})`,
  min: (a, b) => `Math.min(${a}, ${b})`,
  max: (a, b) => `Math.max(${a}, ${b})`,
};
const truths: typeof words = {
  and: (a, b) => `${a} && ${b}`,
  or: (a, b) => `${a} || ${b}`,
  xor: (a, b) => `${a} !== ${b}`,
  not: (a) => `!${a}`,
};
const floats: typeof words = {
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  rem: (a, b) => `${a} % ${b}`,
  neg: (a) => `-${a}`,
  abs: (a) => `Math.abs(${a})`,
  sqrt: (a) => `Math.sqrt(${a})`,
  floor: (a) => `Math.floor(${a})`,
  ceil: (a) => `Math.ceil(${a})`,
  trunc: (a) => `Math.trunc(${a})`,
  nearest: (a) => `nearest(${a})`,
  min: (a, b) => `Math.min(${a}, ${b})`,
  max: (a, b) => `Math.max(${a}, ${b})`,
  copysign: (a, b) => `copysign(${a}, ${b})`,
};
const comparisons: Readonly<Partial<Record<Apply['fn'], string>>> = {
  eq: '===',
  ne: '!==',
  lt: '<',
  le: '<=',
  gt: '>',
  ge: '>=',
};

function textOfApply(x: Apply, args: readonly string[], rounding: Rounding): string {
  const [a, b, c] = args as [string, string, string];
  const from = x.args[0]!.dtype;
  if (x.fn === 'select') return `${a} ? ${b} : ${c}`;
  if (comparisons[x.fn]) return `${a} ${comparisons[x.fn]} ${b}`;
  if (x.fn === 'madd') {
    if (x.dtype !== 'float32') return `${a} * ${b} + ${c}`;
    return rounding === 'once' ? `fround(${a} * ${b} + ${c})` : `fround(fround(${a} * ${b}) + ${c})`;
  }
  if (x.fn === 'bitcast') return `(scratch.${from}[0] = ${a}, scratch.${x.dtype}[0])`;
  if (x.fn === 'convert') {
    if (x.dtype === 'float64' || x.dtype === 'bool') return x.dtype === 'bool' ? `${a} != 0` : `+${a}`;
    if (x.dtype === 'float32') return `fround(${a})`;
    if (x.dtype === 'int32') return from.startsWith('float') ? `toInt(${a})` : `${a} | 0`;
    throw new Error(`no conversion to ${x.dtype} here`);
  }
  const text = (x.dtype === 'bool' ? truths : x.dtype.startsWith('float') ? floats : words)[x.fn]?.(a, b);
  if (text === undefined) throw new Error(`no ${x.fn} of ${x.dtype} here`);
  return x.dtype === 'float32' ? `fround(${text})` : text;
}
