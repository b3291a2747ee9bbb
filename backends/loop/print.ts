/**
 * Kernels as text, one statement a line, for people, snapshots and `text('loops')`.
 *
 * An expression that a statement uses twice is named before it (`t0 = …`), unless its text is short enough to be repeated. Names of
 * buffers, indices and locals are those they were given, numbered where two share one, so that the text says what is what.
 */

import { type DType, isFloat, shortName } from '../../src/core/dtype.ts';
import { type Buffer, type Const, type Expr, type Fn, operands } from './ir/expr.ts';
import { expressions, inner, type Kernel, type Stmt } from './ir/kernel.ts';

/** Shared expressions up to this length are repeated. */
const short = 12;

/** Infix operations, how tightly they bind, and whether a right operand that binds as tightly needs no parentheses. */
const infix: { readonly [F in Fn]?: readonly [symbol: string, binding: number, associative?: true] } = {
  mul: ['*', 9],
  div: ['/', 9],
  rem: ['%', 9],
  quotient: ['div', 9],
  remainder: ['mod', 9],
  add: ['+', 8],
  sub: ['-', 8],
  shift_left: ['<<', 7],
  shift_right_logical: ['>>>', 7],
  shift_right_arithmetic: ['>>', 7],
  lt: ['<', 6],
  le: ['<=', 6],
  gt: ['>', 6],
  ge: ['>=', 6],
  eq: ['==', 5],
  ne: ['!=', 5],
  and: ['&', 4, true],
  xor: ['^', 3, true],
  or: ['|', 2, true],
};
const [prefix, choice, atom] = [10, 1, 11];

/** Text and how tightly its outermost operation binds. */
interface Text {
  readonly text: string;
  readonly binding: number;
}

/** The number as this dtype is written: `1.5`, `-0.0`, `Inf`, `7u`, `true`. */
function literal({ value, dtype }: Const): string {
  if (dtype === 'bool') return value === 0 ? 'false' : 'true';
  if (dtype === 'uint32') return `${value}u`;
  if (!isFloat(dtype)) return String(value);
  if (!Number.isFinite(value)) return value !== value ? 'NaN' : value > 0 ? 'Inf' : '-Inf';
  return floatText(value, dtype === 'float32' ? 'f' : 'd').slice(0, -1);
}

/** The fewest digits that are this finite float (`f`) or double (`d`), as C-like languages write it: `0.1f`, `-2.0f`. */
export function floatText(value: number, suffix: 'f' | 'd'): string {
  const digits = suffix === 'f' ? shortest(value) : String(value);
  const whole = /^-?\d+$/.test(digits);
  return `${Object.is(value, -0) ? '-' : ''}${digits}${whole ? '.0' : ''}${suffix}`;
}

/** The fewest digits that are nearest to this float32. */
function shortest(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === Math.fround(value)) return text;
  }
  return String(Number(value.toPrecision(9)));
}

/** How often each expression is used by these and by each other. */
function uses(roots: readonly Expr[]): ReadonlyMap<Expr, number> {
  const count = new Map<Expr, number>();
  const visit = (x: Expr): void => {
    const before = count.get(x) ?? 0;
    count.set(x, before + 1);
    if (before === 0) operands(x).forEach(visit);
  };
  roots.forEach(visit);
  return count;
}

/** Names of what a kernel binds, each given to one thing only. */
class Names {
  private readonly given = new Map<object, string>();
  private readonly taken = new Set<string>();
  private temporaries = 0;

  of(thing: { readonly name: string }): string {
    let name = this.given.get(thing);
    if (name === undefined) {
      name = thing.name;
      for (let i = 1; this.taken.has(name); i++) name = `${thing.name}_${i}`;
      this.taken.add(name);
      this.given.set(thing, name);
    }
    return name;
  }

  temporary(): string {
    let name = `t${this.temporaries++}`;
    while (this.taken.has(name)) name = `t${this.temporaries++}`;
    return name;
  }
}

class Printer {
  readonly names = new Names();

  /** The statement's own line, after those of the expressions that it shares. */
  own(stmt: Stmt): readonly string[] {
    const roots = expressions(stmt);
    const lines: string[] = [];
    const shown = this.shared(roots, lines);
    const [first, second] = roots.map((x) => shown(x).text);
    switch (stmt.kind) {
      case 'loop':
        return [...lines, `${stmt.role} ${this.names.of(stmt.index)} < ${first}`];
      case 'local':
        return [...lines, `local ${this.names.of(stmt.local)}: ${shortName(stmt.local.dtype)} = ${first}`];
      case 'assign':
        return [...lines, `${this.names.of(stmt.local)} = ${first}`];
      case 'accumulate':
        return [...lines, `${this.names.of(stmt.local)} ${combination[stmt.combiner]} ${first}`];
      case 'store':
        return [...lines, `${this.names.of(stmt.buffer)}[${first}] = ${second}`];
      case 'if':
        return [...lines, `if ${first}`];
    }
  }

  block(stmts: readonly Stmt[], indent: string): readonly string[] {
    return stmts.flatMap((stmt) => [
      ...this.own(stmt).map((line) => indent + line),
      ...this.block(inner(stmt), `${indent}  `),
    ]);
  }

  /** What shows the expressions of one statement; it writes lines for those that are shared. */
  private shared(roots: readonly Expr[], lines: string[]): (x: Expr) => Text {
    const count = uses(roots);
    const texts = new Map<Expr, Text>();
    const shown = (x: Expr): Text => {
      let found = texts.get(x);
      if (!found) {
        found = this.expr(x, shown);
        if (count.get(x)! > 1 && found.text.length > short) {
          const name = this.names.temporary();
          lines.push(`${name} = ${found.text}`);
          found = { text: name, binding: atom };
        }
        texts.set(x, found);
      }
      return found;
    };
    return shown;
  }

  private expr(x: Expr, shown: (x: Expr) => Text): Text {
    switch (x.op) {
      case 'const': {
        const text = literal(x);
        return { text, binding: text.startsWith('-') ? prefix : atom };
      }
      case 'size':
        return { text: `$${x.slot}`, binding: atom };
      case 'index':
        return { text: this.names.of(x.index), binding: atom };
      case 'local':
        return { text: this.names.of(x.local), binding: atom };
      case 'load': {
        const guard = x.guard ? ` if ${shown(x.guard).text}` : '';
        return { text: `${this.names.of(x.buffer)}[${shown(x.at).text}${guard}]`, binding: atom };
      }
      case 'call':
        return applied(`math.${x.name}`, x.args.map(shown));
      case 'apply': {
        const [left, right] = x.args;
        if (x.fn === 'add' && right?.op === 'const' && x.dtype === 'int32' && right.value < 0) {
          return operation('sub', x.dtype, [shown(left!), { text: String(-right.value), binding: atom }]);
        }
        return operation(x.fn, x.dtype, x.args.map(shown));
      }
    }
  }
}

const combination = { add: '+=', mul: '*=', min: 'min=', max: 'max=', and: '&=', or: '|=' } as const;

const applied = (name: string, args: readonly Text[]): Text => ({
  text: `${name}(${args.map(({ text }) => text).join(', ')})`,
  binding: atom,
});

/** Its text where something binds at least this tightly. */
const within = ({ text, binding }: Text, least: number): string => (binding >= least ? text : `(${text})`);

function operation(fn: Fn, dtype: DType, args: readonly Text[]): Text {
  const found = infix[fn];
  if (found) {
    const [symbol, binding, associative] = found;
    const [left, right] = [within(args[0]!, binding), within(args[1]!, associative ? binding : binding + 1)];
    return { text: `${left} ${symbol} ${right}`, binding };
  }
  switch (fn) {
    case 'neg':
      return { text: `-${within(args[0]!, atom)}`, binding: prefix };
    case 'not':
      return { text: `${dtype === 'bool' ? '!' : '~'}${within(args[0]!, atom)}`, binding: prefix };
    case 'select': {
      const [condition, then, otherwise] = args as readonly [Text, Text, Text];
      const text = `${within(condition, choice + 1)} ? ${within(then, choice + 1)} : ${within(otherwise, choice)}`;
      return { text, binding: choice };
    }
    case 'convert':
      return applied(shortName(dtype), args);
    case 'bitcast':
      return applied(`bits_${shortName(dtype)}`, args);
    default:
      return applied(fn, args);
  }
}

/**
 * The kernel, one statement a line, what is in a loop or an `if` indented.
 *
 * For instance:
 * ```
 * kernel softmax(x: f32[8192], out: f32[8192]) scratch row: f32[1024]
 * parallel i < 8
 *   local m: f32 = -Inf
 *   vector j < 1024
 *     m max= x[i * 1024 + j]
 * ```
 */
export function printKernel(kernel: Kernel): string {
  const printer = new Printer();
  const declared = (buffers: readonly Buffer[]): string => buffers.map((b) => showBuffer(b, printer.names)).join(', ');
  const sizes = kernel.sizes > 0 ? `<${Array.from({ length: kernel.sizes }, (_, slot) => `$${slot}`).join(', ')}>` : '';
  const scratch = kernel.scratch.length > 0 ? ` scratch ${declared(kernel.scratch)}` : '';
  const head = `kernel ${kernel.name}${sizes}(${declared(kernel.operands)})${scratch}`;
  return [head, ...printer.block(kernel.body, '')].join('\n');
}

const showBuffer = (buffer: Buffer, names: Names): string =>
  `${names.of(buffer)}: ${shortName(buffer.dtype)}[${showExpr(buffer.size)}]`;

/** One statement on one line, without what is in it; shared expressions are repeated. For errors, so it is cut where it is long. */
export function showStmt(stmt: Stmt): string {
  const lines = new Printer().own(stmt);
  const text = lines.join('; ');
  return text.length > 160 ? `${text.slice(0, 159)}…` : text;
}

/** An expression on one line. */
export const showExpr = (x: Expr): string => showStmt({ kind: 'if', condition: x, body: [] }).slice('if '.length);
