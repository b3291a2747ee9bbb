/**
 * Arithmetic of indices: sums of multiples in one normal form, with quotients and remainders simplified by what ranges allow.
 *
 * An address is a sum Σ cᵢ·xᵢ + c of *atoms* xᵢ; adding and scaling merge equal atoms, so `(i·8 + j) div 8` is `i` where j < 8, and the
 * views of a program (reshape, transpose, slice) mostly leave no arithmetic behind.
 */

import { apply, compare, constant, type Expr, int } from './expr.ts';

/** A sum of multiples of atoms, and a constant: int32, which wrap around in data; indices do not. */
export interface Linear {
  readonly terms: ReadonlyMap<Expr, number>;
  readonly constant: number;
}

/** Bounds that hold for every turn of the loops; infinite where nothing is known. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

const linears = new WeakMap<Expr, Linear>();
const ranges = new WeakMap<Expr, Range>();

/** The normal form of an int32 expression. */
export function linear(x: Expr): Linear {
  let found = linears.get(x);
  if (!found) {
    found = decompose(x);
    linears.set(x, found);
  }
  return found;
}

function decompose(x: Expr): Linear {
  if (x.op === 'const') return { terms: new Map(), constant: x.value };
  if (x.op === 'apply' && x.dtype === 'int32') {
    const [a, b] = x.args as readonly [Expr, Expr];
    if (x.fn === 'add') return sum(linear(a), linear(b), 1);
    if (x.fn === 'sub') return sum(linear(a), linear(b), -1);
    if (x.fn === 'mul' && b.op === 'const') return scaled(linear(a), b.value);
    if (x.fn === 'mul' && a.op === 'const') return scaled(linear(b), a.value);
  }
  return { terms: new Map([[x, 1]]), constant: 0 };
}

function sum(a: Linear, b: Linear, factor: number): Linear {
  const terms = new Map(a.terms);
  for (const [atom, c] of b.terms) {
    const total = ((terms.get(atom) ?? 0) + Math.imul(factor, c)) | 0;
    if (total === 0) terms.delete(atom);
    else terms.set(atom, total);
  }
  return { terms, constant: (a.constant + Math.imul(factor, b.constant)) | 0 };
}

const scaled = (a: Linear, factor: number): Linear => {
  const terms = [...a.terms].map(([atom, c]) => [atom, Math.imul(c, factor)] as const);
  return { terms: new Map(terms.filter(([, c]) => c !== 0)), constant: Math.imul(a.constant, factor) };
};

/** f·c·(x div c) + f·(x mod c) is f·x: what a reshape takes apart and the address puts together again. */
function rejoined(a: Linear): Linear {
  for (const [atom, factor] of a.terms) {
    if (atom.op !== 'apply' || atom.fn !== 'remainder') continue;
    const [x, divisor] = atom.args as readonly [Expr, Expr];
    if (divisor.op !== 'const') continue;
    const whole = quotient(x, divisor);
    if (a.terms.get(whole) !== factor * divisor.value) continue;
    const terms = new Map(a.terms);
    terms.delete(atom);
    terms.delete(whole);
    return rejoined(sum({ terms, constant: a.constant }, linear(x), factor));
  }
  return a;
}

/** The expression of a normal form. */
function expression(form: Linear): Expr {
  const { terms, constant: c } = rejoined(form);
  let built: Expr | null = null;
  for (const [atom, factor] of [...terms].sort(([a], [b]) => a.id - b.id)) {
    const term = factor === 1 ? atom : apply('mul', 'int32', atom, int(factor));
    built = built ? apply('add', 'int32', built, term) : term;
  }
  if (!built) return int(c);
  return c === 0 ? built : apply('add', 'int32', built, int(c));
}

export const plus = (x: Expr, y: Expr): Expr => expression(sum(linear(x), linear(y), 1));

export const minus = (x: Expr, y: Expr): Expr => expression(sum(linear(x), linear(y), -1));

/** The product; of two atoms it is an atom. */
export function times(x: Expr, y: Expr): Expr {
  if (y.op === 'const') return expression(scaled(linear(x), y.value));
  if (x.op === 'const') return expression(scaled(linear(y), x.value));
  return apply('mul', 'int32', x, y);
}

/** The parts of x that are multiples of `divisor`, divided by it, and the rest. */
function split(x: Expr, divisor: number): { readonly whole: Linear; readonly rest: Linear } {
  const { terms, constant: c } = linear(x);
  const whole = new Map<Expr, number>();
  const rest = new Map<Expr, number>();
  for (const [atom, factor] of terms) {
    if (factor % divisor === 0) whole.set(atom, factor / divisor);
    else rest.set(atom, factor);
  }
  const quotient = Math.floor(c / divisor);
  return {
    whole: { terms: whole, constant: quotient },
    rest: { terms: rest, constant: c - quotient * divisor },
  };
}

/** x div y of a non-negative x and a positive y. */
export function quotient(x: Expr, y: Expr): Expr {
  if (y.op !== 'const') return apply('quotient', 'int32', x, y);
  if (y.value === 1) return x;
  const { whole, rest } = split(x, y.value);
  const left = expression(rest);
  const { low, high } = range(left);
  if (low >= 0 && high < y.value) return expression(whole);
  // Taken apart only where both parts stay non-negative.
  if (low < 0 || range(expression(whole)).low < 0) return divided(x, y);
  return plus(expression(whole), divided(left, y));
}

/** (x div a) div b = x div (a·b). */
function divided(x: Expr, y: Expr): Expr {
  if (x.op === 'const' && y.op === 'const') return int(Math.floor(x.value / y.value));
  if (x.op === 'apply' && x.fn === 'quotient' && x.args[1]!.op === 'const' && y.op === 'const') {
    return quotient(x.args[0]!, int(x.args[1]!.value * y.value));
  }
  return apply('quotient', 'int32', x, y);
}

/** x mod y of a non-negative x and a positive y. */
export function remainder(x: Expr, y: Expr): Expr {
  if (y.op !== 'const') return apply('remainder', 'int32', x, y);
  if (y.value === 1) return int(0);
  const { whole, rest } = split(x, y.value);
  const left = expression(rest);
  const { low, high } = range(left);
  if (low >= 0 && high < y.value) return left;
  const whole0 = range(expression(whole)).low >= 0;
  const of = low >= 0 && whole0 ? left : x;
  return of.op === 'const' ? int(of.value % y.value) : apply('remainder', 'int32', of, y);
}

/** Bounds of an int32 expression. */
export function range(x: Expr): Range {
  let found = ranges.get(x);
  if (!found) {
    found = bounds(x);
    ranges.set(x, found);
  }
  return found;
}

const unknown: Range = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

function bounds(x: Expr): Range {
  switch (x.op) {
    case 'const':
      return { low: x.value, high: x.value };
    case 'index': {
      const { extent } = x.index;
      return { low: 0, high: extent.op === 'const' ? Math.max(extent.value - 1, 0) : unknown.high };
    }
    case 'size':
      return { low: 0, high: unknown.high };
    case 'apply':
      return boundsOfApply(x.fn, x.args, x);
    default:
      return unknown;
  }
}

function boundsOfApply(fn: string, args: readonly Expr[], x: Expr): Range {
  if (x.dtype !== 'int32') return unknown;
  const [a, b] = args as readonly [Expr, Expr];
  if (fn === 'quotient' && b.op === 'const') {
    const { low, high } = range(a);
    return { low: Math.max(0, Math.floor(low / b.value)), high: Math.floor(high / b.value) };
  }
  if (fn === 'remainder' && b.op === 'const') return { low: 0, high: Math.min(range(a).high, b.value - 1) };
  if (fn === 'min') {
    return { low: Math.min(range(a).low, range(b).low), high: Math.min(range(a).high, range(b).high) };
  }
  if (fn === 'max') {
    return { low: Math.max(range(a).low, range(b).low), high: Math.max(range(a).high, range(b).high) };
  }
  const { terms, constant: c } = linear(x);
  if (terms.has(x)) return unknown;
  let [low, high] = [c, c];
  for (const [atom, factor] of terms) {
    const r = range(atom);
    low += factor * (factor > 0 ? r.low : r.high);
    high += factor * (factor > 0 ? r.high : r.low);
  }
  return { low, high };
}

/** low ≤ x < high, of which what always holds is left out; `null` if all does. */
export function within(x: Expr, low: number, high: number): Expr | null {
  const bound = range(x);
  const above = bound.low >= low ? null : compare('ge', x, int(low));
  const below = bound.high < high ? null : compare('lt', x, int(high));
  return both(above, below);
}

/** The conjunction of guards. */
export const both = (a: Expr | null, b: Expr | null): Expr | null =>
  a && b ? (a === b ? a : apply('and', 'bool', a, b)) : (a ?? b);

/** The row-major address of `at` in an array of this shape. */
export function flat(at: readonly Expr[], shape: readonly number[]): Expr {
  if (at.length === 1) return at[0]!;
  let address: Linear = { terms: new Map(), constant: 0 };
  let stride = 1;
  for (let axis = at.length - 1; axis >= 0; axis--) {
    address = sum(address, linear(at[axis]!), stride);
    stride *= shape[axis]!;
  }
  return expression(address);
}

/** The indices that a row-major address has in an array of this shape. */
export function unflat(address: Expr, shape: readonly number[]): readonly Expr[] {
  const at: Expr[] = [];
  let rest = address;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = int(shape[axis]!);
    at[axis] = axis === 0 ? rest : shape[axis] === 1 ? int(0) : remainder(rest, length);
    rest = quotient(rest, length);
  }
  return at;
}

export const truth = constant(1, 'bool');
