/**
 * Expressions of the Loop IR: what one element is, in terms of loop indices, loads and locals.
 *
 * Nodes are interned, so equal expressions are one object and a shared one is computed once where it is used twice. Operations are
 * those that both machines have; what they do at the edges is the reference device's meaning: NaN propagates through `min` and `max`,
 * integers wrap, `x div 0` is all bits, conversions of floats to integers saturate and send NaN to 0. Transcendentals of float32 are
 * expanded into these before (`math`); those of float64 are `call`s.
 */

import type { DType } from '../../../src/core/dtype.ts';

/** A loop's variable: int32, from 0 to `extent` − 1. */
export interface Index {
  readonly name: string;
  readonly extent: Expr;
}

/** A register that statements assign. */
export interface Local {
  readonly name: string;
  readonly dtype: DType;
}

/** Memory that a kernel reads or writes, in elements. */
export interface Buffer {
  readonly name: string;
  readonly dtype: DType;
  /**
   * `operand`: given by the caller. `scratch`: `size` elements while the kernel runs; every turn of a `parallel` loop has its own, in
   * which it finds only what it stored itself.
   */
  readonly kind: 'operand' | 'scratch';
  readonly size: Expr;
}

export const unaryFns = ['neg', 'abs', 'sqrt', 'floor', 'ceil', 'trunc', 'nearest', 'not', 'clz', 'popcount'] as const;
export const binaryFns = [
  'add',
  'sub',
  'mul',
  'div',
  'rem',
  'min',
  'max',
  'and',
  'or',
  'xor',
  'shift_left',
  'shift_right_logical',
  'shift_right_arithmetic',
  // Magnitude of the first, sign of the second; floats.
  'copysign',
  // Of non-negative int32 by positive ones: what indices need.
  'quotient',
  'remainder',
] as const;
export const compareFns = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const;

/** `madd` is x·y + z, rounded once or twice as the machine likes. `select` is condition, then, otherwise; both are evaluated. */
export type Fn =
  | (typeof unaryFns)[number]
  | (typeof binaryFns)[number]
  | (typeof compareFns)[number]
  | 'select'
  | 'madd'
  | 'convert'
  | 'bitcast';

interface Node {
  readonly id: number;
  readonly dtype: DType;
}

/** The element that the dtype holds: booleans are 0 and 1. */
export interface Const extends Node {
  readonly op: 'const';
  readonly value: number;
}
export interface IndexRef extends Node {
  readonly op: 'index';
  readonly index: Index;
}
/** An int32 that the caller passes when the kernel runs: sizes of kernels that are compiled once for all of them. */
export interface Size extends Node {
  readonly op: 'size';
  readonly slot: number;
}
export interface LocalRef extends Node {
  readonly op: 'local';
  readonly local: Local;
}
/** An element of `buffer`; where the guard is false nothing is read, and the value is 0. */
export interface Load extends Node {
  readonly op: 'load';
  readonly buffer: Buffer;
  readonly at: Expr;
  readonly guard: Expr | null;
}
export interface Apply extends Node {
  readonly op: 'apply';
  readonly fn: Fn;
  readonly args: readonly Expr[];
}
/** A function of float64 that the host has: `exp`, `log1p`, `atan2`, … under the names of `Math`. */
export interface Call extends Node {
  readonly op: 'call';
  readonly name: string;
  readonly args: readonly Expr[];
}

export type Expr = Const | IndexRef | Size | LocalRef | Load | Apply | Call;

/** Distributes over the members of a union. */
type Fresh<T> = T extends Node ? Omit<T, 'id'> : never;

const interned = new Map<string, Expr>();
const identities = new WeakMap<object, number>();
let next = 0;

const identity = (x: object): number => {
  let id = identities.get(x);
  if (id === undefined) {
    id = next++;
    identities.set(x, id);
  }
  return id;
};

function intern(key: string, node: Fresh<Expr>): Expr {
  const found = interned.get(key);
  if (found) return found;
  const made = { id: next++, ...node } as Expr;
  interned.set(key, made);
  return made;
}

/** Operations by their name and dtype, then by their operands: most have one or two, whose ids are one number. */
const operations = new Map<string, Map<DType, Map<number, Expr>>>();
/** Ids below this; two of them are an exact double. */
const idLimit = 2 ** 26;

function operation(fn: Fn, dtype: DType, args: readonly Expr[]): Expr {
  const [a, b] = args as readonly [Expr, Expr?];
  if (args.length > 2 || next >= idLimit)
    return intern(`${fn}:${dtype}:${ids(args)}`, { op: 'apply', dtype, fn, args });
  const byArgs = entry(
    entry(operations, fn, () => new Map<DType, Map<number, Expr>>()),
    dtype,
    () => new Map<number, Expr>(),
  );
  const key = b ? (a.id + 1) * idLimit + b.id : a.id;
  return entry(byArgs, key, () => ({ id: next++, op: 'apply', dtype, fn, args }));
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let found = map.get(key);
  if (found === undefined) {
    found = make();
    map.set(key, found);
  }
  return found;
}

/**
 * Before a program is lowered: forget the expressions of earlier ones, of which another finds little but numbers again. Kernels hold
 * their own; kept here, each would hold what is known of it as well (3,000 programs of nine products and sums: 77 MB of heap, not 28).
 */
export function forgetExpressions(): void {
  interned.clear();
  operations.clear();
}

/** How many expressions are found again. */
export const expressionCount = (): number => {
  let count = interned.size;
  for (const byType of operations.values()) for (const byArgs of byType.values()) count += byArgs.size;
  return count;
};

const ids = (args: readonly Expr[]): string => args.map((x) => x.id).join();

export const constant = (value: number, dtype: DType): Expr =>
  intern(`c${dtype}${Object.is(value, -0) ? '-0' : value}`, { op: 'const', dtype, value });

/** A whole number; adding 0 makes 0 of −0, which arithmetic of indices in doubles can give. */
export const int = (value: number): Expr => constant(value + 0, 'int32');

export const index = (of: Index): Expr => intern(`i${identity(of)}`, { op: 'index', dtype: 'int32', index: of });

export const size = (slot: number): Expr => intern(`s${slot}`, { op: 'size', dtype: 'int32', slot });

export const read = (local: Local): Expr => intern(`l${identity(local)}`, { op: 'local', dtype: local.dtype, local });

export const load = (buffer: Buffer, at: Expr, guard: Expr | null = null): Expr =>
  intern(`m${identity(buffer)},${at.id},${guard?.id}`, { op: 'load', dtype: buffer.dtype, buffer, at, guard });

export const apply = (fn: Fn, dtype: DType, ...args: readonly Expr[]): Expr => operation(fn, dtype, args);

export const call = (name: string, ...args: readonly Expr[]): Expr =>
  intern(`f${name}:${ids(args)}`, { op: 'call', dtype: 'float64', name, args });

/** An operation whose result has the dtype of its first operand. */
export const op = (fn: Fn, ...args: readonly Expr[]): Expr => apply(fn, args[0]!.dtype, ...args);

export const compare = (fn: (typeof compareFns)[number], x: Expr, y: Expr): Expr => apply(fn, 'bool', x, y);

export const select = (condition: Expr, then: Expr, otherwise: Expr): Expr => {
  if (condition.op === 'const') return condition.value !== 0 ? then : otherwise;
  return then === otherwise ? then : apply('select', then.dtype, condition, then, otherwise);
};

export const convert = (x: Expr, dtype: DType): Expr => (x.dtype === dtype ? x : apply('convert', dtype, x));

export const bitcast = (x: Expr, dtype: DType): Expr => (x.dtype === dtype ? x : apply('bitcast', dtype, x));

/** The operands of an expression, guards and addresses included. */
export function operands(x: Expr): readonly Expr[] {
  if (x.op === 'apply' || x.op === 'call') return x.args;
  if (x.op === 'load') return x.guard ? [x.at, x.guard] : [x.at];
  return [];
}
