/**
 * What is the same in kernels that differ in names: where each index and local is bound, and an order of summands.
 *
 * Indices and locals are told by how many are bound around them, buffers by their place. Operands of commutative operations are
 * ordered by digests: where kernels that differ in sizes only are to be alike, by digests in which all sizes count alike.
 */

import type { DType } from '../../src/core/dtype.ts';
import { type Apply, type Expr, type Fn, operands } from './ir/expr.ts';
import { type Linear, linear } from './ir/integer.ts';
import type { Kernel, Stmt } from './ir/kernel.ts';

/** What is bound where a statement stands, as numbers. */
export interface Levels {
  readonly of: ReadonlyMap<object, number>;
  readonly indices: number;
  readonly locals: number;
}

/** Buffers by their place. */
export const outermost = (kernel: Kernel): Levels => ({
  of: new Map([...kernel.operands, ...kernel.scratch].map((buffer, place) => [buffer, place])),
  indices: 0,
  locals: 0,
});

/** What is bound in the body of a statement. */
export const inside = (levels: Levels, stmt: Stmt): Levels =>
  stmt.kind === 'loop'
    ? { ...levels, of: new Map(levels.of).set(stmt.index, levels.indices), indices: levels.indices + 1 }
    : levels;

/** What is bound after a statement. */
export const after = (levels: Levels, stmt: Stmt): Levels =>
  stmt.kind === 'local'
    ? { ...levels, of: new Map(levels.of).set(stmt.local, levels.locals), locals: levels.locals + 1 }
    : levels;

/** Operations whose operands commute, to the last bit. */
const commutative: ReadonlySet<Fn> = new Set(['add', 'mul', 'min', 'max', 'and', 'or', 'xor', 'eq', 'ne']);

const mix = (hash: number, x: number): number => {
  const mixed = Math.imul(hash ^ x, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
};

const textHash = (text: string): number => {
  let hash = text.length;
  for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
  return hash;
};

/** Which of two expressions comes first; 0 only for equal ones, but for chance. */
export type Order = (x: Expr, y: Expr) => number;

/** An order by what expressions are, where this is bound; if sizes are `alike`, by what they are but for their sizes first. */
export function orderOf(levels: Levels, sizes: 'exact' | 'alike'): Order {
  const exact = digests(levels, (n) => n);
  if (sizes === 'exact') return (x, y) => exact(x) - exact(y);
  // Other numbers than these are made parameters.
  const alike = digests(levels, (n) => (Math.abs(n) < 2 ? n : 2 * Math.sign(n)));
  return (x, y) => alike(x) - alike(y) || exact(x) - exact(y);
}

/** Digests of expressions, with whole numbers seen through `whole`. */
function digests({ of }: Levels, whole: (n: number) => number): (x: Expr) => number {
  const found = new Map<Expr, number>();
  const digest = (x: Expr): number => {
    let hash = found.get(x);
    if (hash === undefined) {
      hash = compute(x);
      found.set(x, hash);
    }
    return hash;
  };
  const sum = (x: Linear): number => {
    const terms = [...x.terms].map(([atom, c]) => mix(digest(atom), whole(c))).sort((a, b) => a - b);
    return terms.reduce(mix, textHash('sum') + whole(x.constant));
  };
  const compute = (x: Expr): number => {
    const head = textHash(`${x.op}:${x.dtype}`);
    switch (x.op) {
      case 'const':
        return mix(head, x.dtype === 'int32' ? whole(x.value) : textHash(numberText(x.value, x.dtype)));
      case 'size':
        return mix(head, x.slot);
      case 'index':
        return mix(head, of.get(x.index) ?? -1);
      case 'local':
        return mix(head, of.get(x.local) ?? -1);
      case 'load':
        return operands(x)
          .map(digest)
          .reduce(mix, mix(head, of.get(x.buffer) ?? -1));
      case 'call':
        return x.args.map(digest).reduce(mix, mix(head, textHash(x.name)));
      case 'apply': {
        const terms = summands(x);
        if (terms) return sum(terms);
        const args = x.args.map(digest);
        return (commutative.has(x.fn) ? args.sort((a, b) => a - b) : args).reduce(mix, mix(head, textHash(x.fn)));
      }
    }
  };
  return digest;
}

const magnitudes = new WeakMap<Expr, number>();

/** Bounds the factors of a sum, so that computing them in doubles is exact. */
function magnitude(x: Expr): number {
  if (x.op === 'const') return Math.abs(x.value);
  if (x.op !== 'apply' || x.dtype !== 'int32') return 1;
  let found = magnitudes.get(x);
  if (found === undefined) {
    const [a, b] = x.args as readonly [Expr, Expr];
    found = x.fn === 'mul' ? magnitude(a) * magnitude(b) : 1;
    if (x.fn === 'add' || x.fn === 'sub') found = magnitude(a) + magnitude(b);
    magnitudes.set(x, found);
  }
  return found;
}

/** A sum, difference or multiple of int32 as a sum of atoms; `null` for everything else. */
export function summands(x: Expr): Linear | null {
  const arithmetic = x.op === 'apply' && x.dtype === 'int32' && (x.fn === 'add' || x.fn === 'sub' || x.fn === 'mul');
  if (!arithmetic || magnitude(x) > 2 ** 31) return null;
  const found = linear(x);
  return found.terms.has(x) ? null : found;
}

/** The atoms of a sum with their factors, in this order. */
export const ordered = ({ terms }: Linear, order: Order): readonly (readonly [Expr, number])[] =>
  [...terms].sort(([x, a], [y, b]) => order(x, y) || a - b);

/** The operands of an operation: in this order if they commute. */
export const operandsIn = (x: Apply, order: Order): readonly Expr[] =>
  commutative.has(x.fn) ? [...x.args].sort(order) : x.args;

/** A number as text: zeros of both signs differ. */
export const numberText = (value: number, dtype: DType): string => `${dtype} ${Object.is(value, -0) ? '-0' : value}`;
