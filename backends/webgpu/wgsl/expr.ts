/**
 * Expressions of the Loop IR in WGSL.
 *
 * Booleans are `bool` in expressions and u32 in memory. What WGSL computes when it compiles it also refuses when it compiles: operations
 * of constants alone get one operand that is no constant expression.
 */

import type { DType } from '../../../src/core/dtype.ts';
import { CompileError } from '../../../src/core/errors.ts';
import { unknownSource } from '../../../src/core/source.ts';
import { type Apply, type Const, type Expr, type Fn, operands } from '../../loop/ir/expr.ts';
import { floatText } from '../../loop/print.ts';
import type { PreludeName } from './prelude.ts';

/** Names of what expressions refer to, and what they need of the prelude. */
export interface Scope {
  readonly name: (thing: { readonly name: string }) => string;
  readonly use: (name: PreludeName) => string;
  readonly fail: (problem: string) => never;
}

const types: { readonly [D in DType]: string | null } = {
  bool: 'bool',
  uint32: 'u32',
  int32: 'i32',
  float32: 'f32',
  float64: null,
};

/** The type of a value; WGSL has no float64. */
export const typeOf = (dtype: DType, { fail }: Pick<Scope, 'fail'>): string =>
  types[dtype] ?? fail(`WGSL has no ${dtype}`);

/** The type of an element in memory. */
export const storedType = (dtype: DType, scope: Pick<Scope, 'fail'>): string =>
  dtype === 'bool' ? 'u32' : typeOf(dtype, scope);

/** What is thrown for kernels that WGSL cannot hold. */
export const refusal =
  (kernel: string): ((problem: string) => never) =>
  (problem) => {
    throw new CompileError({ op: kernel, problem, source: unknownSource });
  };

/** The uniform that a parameter is. */
export const parameter = (slot: number): string => `p${slot}_`;

const word = new DataView(new ArrayBuffer(4));
const hex = (bits: number): string => `0x${(bits >>> 0).toString(16).padStart(8, '0')}u`;

/** A number of this dtype. Specials, subnormals and the largest floats are made of their bits at run time. */
export function literal(value: number, dtype: DType, scope: Scope): string {
  switch (dtype) {
    case 'bool':
      return value === 0 ? 'false' : 'true';
    case 'uint32':
      return `${value}u`;
    case 'int32':
      return value === -2147483648 ? 'bitcast<i32>(0x80000000u)' : `${value}i`;
    default: {
      typeOf(dtype, scope);
      const magnitude = Math.abs(value);
      const plain = (magnitude >= 2 ** -126 && magnitude <= 1e38) || Object.is(value, 0);
      if (plain) return floatText(value, 'f');
      word.setFloat32(0, value);
      return `${scope.use('special')}(${hex(word.getUint32(0))})`;
    }
  }
}

const infix: { readonly [F in Fn]?: string } = { add: '+', sub: '-', mul: '*', quotient: '/', remainder: '%' };
const bitwise: { readonly [F in Fn]?: string } = { and: '&', or: '|', xor: '^' };
const comparison: { readonly [F in Fn]?: string } = { eq: '==', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' };
const builtin: { readonly [F in Fn]?: string } = {
  abs: 'abs',
  sqrt: 'sqrt',
  floor: 'floor',
  ceil: 'ceil',
  trunc: 'trunc',
  nearest: 'round',
  clz: 'countLeadingZeros',
  popcount: 'countOneBits',
  min: 'min',
  max: 'max',
  madd: 'fma',
};

/** `fn` of operands that are texts, which bind tighter than anything around them. */
export function applied(fn: Fn, from: DType, to: DType, args: readonly string[], scope: Scope): string {
  const [a, b, c] = args as readonly [string, string, string];
  const { use } = scope;
  const float = from === 'float32';
  const type = typeOf(from, scope);
  if (fn in infix) return `(${a} ${infix[fn]} ${b})`;
  if (fn in bitwise) return from === 'bool' && fn === 'xor' ? `(${a} != ${b})` : `(${a} ${bitwise[fn]} ${b})`;
  if (fn in comparison) return compared(fn, from, a, b, scope);
  switch (fn) {
    case 'neg':
      return from === 'uint32' ? `(0u - ${a})` : float ? `(-${a})` : `(0i - ${a})`;
    case 'not':
      return from === 'bool' ? `(!${a})` : `(~${a})`;
    case 'div':
      return float ? `(${a} / ${b})` : `${use(from === 'int32' ? 'div_i32' : 'div_u32')}(${a}, ${b})`;
    case 'rem':
      return `${use(float ? 'rem_f32' : from === 'int32' ? 'rem_i32' : 'rem_u32')}(${a}, ${b})`;
    case 'select':
      return `select(${c}, ${b}, ${a})`;
    case 'copysign':
      return `${use('copysign')}(${a}, ${b})`;
    case 'convert':
      return converted(a, from, to, scope);
    case 'bitcast':
      return `bitcast<${typeOf(to, scope)}>(${a})`;
    case 'shift_left':
    case 'shift_right_logical': {
      const count = /^(\d+)[iu]$/.exec(b);
      if (count && Number(count[1]) < 32) {
        const word = `(${cast('u32', type, a)} ${fn === 'shift_left' ? '<<' : '>>'} ${count[1]}u)`;
        return cast(type, 'u32', word);
      }
      const shifted = `${use(fn)}(${cast('u32', type, a)}, ${cast('u32', type, b)})`;
      return cast(type, 'u32', shifted);
    }
    case 'shift_right_arithmetic':
      return cast(type, 'i32', `${use(fn)}(${cast('i32', type, a)}, ${cast('u32', type, b)})`);
    case 'min':
    case 'max':
      if (float) return `${use(fn === 'min' ? 'min_f32' : 'max_f32')}(${a}, ${b})`;
      return `${fn}(${a}, ${b})`;
    default:
      return `${builtin[fn] ?? scope.fail(`WGSL has no ${fn}`)}(${args.join(', ')})`;
  }
}

/** The same bits as another type. */
const cast = (to: string, from: string, text: string): string => (to === from ? text : `bitcast<${to}>(${text})`);

function compared(fn: Fn, from: DType, a: string, b: string, { use }: Scope): string {
  if (from === 'float32') {
    if (fn === 'gt') return `${use('lt_f32')}(${b}, ${a})`;
    if (fn === 'ge') return `${use('le_f32')}(${b}, ${a})`;
    return `${use(fn === 'eq' ? 'eq_f32' : fn === 'ne' ? 'ne_f32' : fn === 'lt' ? 'lt_f32' : 'le_f32')}(${a}, ${b})`;
  }
  if (from === 'bool' && fn !== 'eq' && fn !== 'ne') return `(u32(${a}) ${comparison[fn]} u32(${b}))`;
  return `(${a} ${comparison[fn]} ${b})`;
}

function converted(x: string, from: DType, to: DType, scope: Scope): string {
  const [source, target] = [typeOf(from, scope), typeOf(to, scope)];
  if (source === target) return x;
  if (to === 'bool') {
    return from === 'float32'
      ? `((bitcast<u32>(${x}) & 0x7fffffffu) != 0u)`
      : `(${x} != ${from === 'int32' ? '0i' : '0u'})`;
  }
  if (from === 'float32') return `${scope.use(to === 'int32' ? 'to_i32' : 'to_u32')}(${x})`;
  return from === 'bool' || to === 'float32' ? `${target}(${x})` : cast(target, source, x);
}

/** Operations that are constant expressions if their operands are. */
const folds = (x: Apply): boolean => x.fn !== 'select';

/** Drivers take x + 0 for x, which −0 is not, and x · 0 for 0, which NaN is not: they must not see the 0. */
const arithmetic: ReadonlySet<Fn> = new Set(['add', 'sub', 'mul', 'div', 'madd']);
const additive: ReadonlySet<Fn> = new Set(['add', 'sub']);
const multiplicative: ReadonlySet<Fn> = new Set(['mul', 'div']);
const vanishes = ({ dtype, value }: Const): boolean => dtype === 'float32' && value === 0;

/**
 * Would a driver merge an operation with its operand y, by the algebra of real numbers? spirv-opt, which SwiftShader runs, takes
 * (y + c) − c for y, (a − b) + b for a, and a·b + a·c for a·(b + c); what rounds numbers or finds rounding errors is lost.
 */
function merges(x: Apply, y: Expr): boolean {
  if (x.dtype !== 'float32' || y.op !== 'apply') return false;
  const others = x.args.filter((z) => z !== y);
  const products = (z: Expr): readonly Expr[] => (z.op === 'apply' && z.fn === 'mul' ? z.args : []);
  if (additive.has(x.fn) && products(y).some((a) => others.some((z) => products(z).includes(a)))) return true;
  if (!(additive.has(x.fn) && additive.has(y.fn)) && !(multiplicative.has(x.fn) && multiplicative.has(y.fn)))
    return false;
  const constants = (z: Apply): boolean => z.args.some(({ op }) => op === 'const');
  return (constants(x) && constants(y)) || y.args.some((a) => others.includes(a));
}

/** A constant that is no constant expression. */
function opaque(x: Const, scope: Scope): string {
  if (vanishes(x)) return `${scope.use('special')}(${hex(Object.is(x.value, -0) ? 0x80000000 : 0)})`;
  const text = literal(x.value, x.dtype, scope);
  if (text.startsWith('special(')) return text;
  return `${scope.use(`opaque_${typeOf(x.dtype, scope)}` as PreludeName)}(${text})`;
}

/**
 * Shows the expressions of one statement; what is used twice is bound by a `let` among `lines` first.
 */
export function expressionsOf(
  roots: readonly Expr[],
  lines: string[],
  scope: Scope & { readonly temporary: () => string },
): (x: Expr) => string {
  const uses = new Map<Expr, number>();
  const count = (x: Expr): void => {
    const before = uses.get(x) ?? 0;
    uses.set(x, before + 1);
    if (before === 0) operands(x).forEach(count);
  };
  roots.forEach(count);
  const texts = new Map<Expr, string>();
  const show = (x: Expr): string => {
    let text = texts.get(x);
    if (text === undefined) {
      text = expression(x, show, scope);
      if (uses.get(x)! > 1 && (x.op === 'apply' || x.op === 'load')) {
        const name = scope.temporary();
        lines.push(`let ${name} = ${bare(text)};`);
        text = name;
      }
      texts.set(x, text);
    }
    return text;
  };
  return show;
}

/** Without the parentheses around all of it. */
export function bare(text: string): string {
  if (!text.startsWith('(')) return text;
  let depth = 0;
  for (let i = 0; i < text.length - 1; i++) {
    depth += text[i] === '(' ? 1 : text[i] === ')' ? -1 : 0;
    if (depth === 0) return text;
  }
  return text.slice(1, -1);
}

function expression(x: Expr, show: (x: Expr) => string, scope: Scope): string {
  switch (x.op) {
    case 'const':
      return literal(x.value, x.dtype, scope);
    case 'index':
      return scope.name(x.index);
    case 'local':
      return scope.name(x.local);
    case 'size':
      return parameter(x.slot);
    case 'call':
      return scope.fail(`WGSL has no float64, and no math.${x.name}`);
    case 'load': {
      const { buffer, guard } = x;
      const at = bare(show(x.at));
      const element = (address: string): string =>
        buffer.dtype === 'bool' && buffer.kind === 'operand'
          ? `(${scope.name(buffer)}[${address}] != 0u)`
          : `${scope.name(buffer)}[${address}]`;
      if (!guard) return element(at);
      const condition = bare(show(guard));
      return `select(${literal(0, x.dtype, scope)}, ${element(`select(0i, ${at}, ${condition})`)}, ${condition})`;
    }
    case 'apply': {
      const constant = folds(x) && x.args.every((y) => y.op === 'const');
      const [left, right] = x.args;
      if (
        x.fn === 'add' &&
        x.dtype === 'int32' &&
        right?.op === 'const' &&
        right.value < 0 &&
        right.value > -2147483648 &&
        !constant
      ) {
        return `(${show(left!)} - ${literal(-right.value, 'int32', scope)})`;
      }
      const args = x.args.map((y, i) => {
        if (y.op === 'const' && ((constant && i === 0) || (arithmetic.has(x.fn) && vanishes(y))))
          return opaque(y, scope);
        return merges(x, y) ? `${scope.use('opaque_f32')}(${bare(show(y))})` : show(y);
      });
      return applied(x.fn, x.args[0]!.dtype, x.dtype, args, scope);
    }
  }
}
