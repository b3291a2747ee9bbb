/**
 * Addresses, and loads and stores of one element. An address is a sum of multiples of indices: what an outer loop knows of it is added up there, and in the loop of
 * its last term it is a pointer that moves by a constant. Constants go into the instructions' offsets where the rest cannot be negative,
 * as offsets are added without wrapping.
 */

import { byteSize, type DType } from '../../../src/core/dtype.ts';
import { apply, type Buffer, type Expr, type Index, index, type Load, load } from '../../loop/ir/expr.ts';
import { both, linear, range } from '../../loop/ir/integer.ts';
import { when } from '../code/control.ts';
import { type Code, f32, f64, get, i32, set, v128 } from '../code/instructions.ts';
import { dependence, together } from './depends.ts';
import { scalarConstant, scalarType } from './scalar.ts';
import type { Scope } from './scope.ts';

/** What evaluates expressions, as memory accesses see it. */
export interface Evaluator {
  /** The block that is being built. */
  readonly scope: Scope;
  scalar(x: Expr): Code;
  vector(x: Expr): readonly Code[];
  /** Is it different in the lanes of the vector loop around? */
  varies(x: Expr): boolean;
  word(bits: number): Code;
  base(buffer: Buffer): Code;
  /** A number that tells buffers apart. */
  name(buffer: Buffer): number;
}

export type Terms = readonly (readonly [Expr, number])[];

const scaled = (x: Code, by: number): Code => (by === 1 ? x : i32.mul(x, i32.const(by)));

/** The register with the address of element Σ terms + shift. */
function address(at: Evaluator, buffer: Buffer, terms: Terms, shift: number): Code {
  const bytes = byteSize(buffer.dtype);
  const base = at.base(buffer);
  const key = `${at.name(buffer)}:${terms.map(([x, c]) => `${c}*${x.id}`).join()}+${shift}`;
  const of = together(terms.map(([x]) => dependence(x)));
  const home = at.scope.home(of);
  if (terms.length === 0) {
    return shift === 0
      ? base
      : home.once(key, of, () => [home.put('i32', i32.add(base, i32.const(shift * bytes)))])[0]!;
  }
  const own = terms.filter(([x]) => at.scope.home(dependence(x)) === home);
  const rest = terms.filter((term) => !own.includes(term));
  const [first, factor] = own[0]!;
  const { loop, parent } = home;
  if (loop && parent && own.length === 1 && first.op === 'index' && first.index === loop.index) {
    const pointer = (): readonly Code[] => {
      const outer = address(at, buffer, rest, shift);
      const register = parent.register('i32');
      const begun = loop.fromZero ? outer : i32.add(outer, scaled(get(loop.counter), factor * bytes));
      parent.code.push(set(register, begun));
      loop.pointers.push({ register, unit: factor * bytes });
      return [get(register)];
    };
    return parent.once(`>${key}`, together(rest.map(([x]) => dependence(x))), pointer)[0]!;
  }
  const total = (): readonly Code[] => {
    let sum = address(at, buffer, rest, shift);
    for (const [x, c] of own) sum = i32.add(sum, scaled(at.scalar(x), c * bytes));
    return [home.put('i32', sum)];
  };
  return home.once(key, of, total)[0]!;
}

/** A pointer, and how many bytes from there an element is: `elements` beyond the one asked for, of which `lowest` is the least. */
export interface Place {
  readonly pointer: Code;
  readonly bytes: (elements: number) => number;
}

export function place(
  at: Evaluator,
  buffer: Buffer,
  terms: Terms,
  constant: number,
  lowest: number,
  offsets = true,
): Place {
  const size = byteSize(buffer.dtype);
  const low = terms.reduce((sum, [x, c]) => sum + c * (c > 0 ? range(x).low : range(x).high), 0);
  if (offsets && low >= 0 && constant + lowest >= 0 && constant * size < 1 << 30) {
    return { pointer: address(at, buffer, terms, 0), bytes: (elements) => (constant + elements) * size };
  }
  return { pointer: address(at, buffer, terms, constant + lowest), bytes: (elements) => (elements - lowest) * size };
}

/** How an address moves with an index: by so many elements a step, times a size if there is one. */
export interface Stride {
  readonly factor: number;
  readonly by: Expr | null;
  /** The terms in which it does. */
  readonly atoms: readonly Expr[];
}

/** `null` if it moves in another way. */
export function strideOf(terms: ReadonlyMap<Expr, number>, over: Index): Stride | null {
  let [factor, by]: [number, Expr | null] = [0, null];
  const atoms: Expr[] = [];
  const i = index(over);
  for (const [atom, c] of terms) {
    if (!dependence(atom).indices.has(over)) continue;
    const [a, b] = atom.op === 'apply' && atom.fn === 'mul' ? (atom.args as readonly [Expr, Expr]) : [];
    const other = a === i ? b! : b === i ? a! : null;
    if (atoms.length > 0 || (atom !== i && (!other || dependence(other).indices.has(over)))) return null;
    atoms.push(atom);
    factor = c;
    by = other;
  }
  return { factor, by, atoms };
}

/** The address of a guarded load, whose own loads need the guard as well. */
export function addressOf({ at, guard }: Load): Expr {
  const guarded = (x: Expr): Expr => {
    if (x.op === 'load') return load(x.buffer, guarded(x.at), both(guard, x.guard));
    return x.op === 'apply' ? apply(x.fn, x.dtype, ...x.args.map(guarded)) : x;
  };
  return guard && dependence(at).buffers.size > 0 ? guarded(at) : at;
}

/** One element, of an address that is the same in all lanes. */
function placeOf(at: Evaluator, buffer: Buffer, x: Expr): Place {
  const { terms, constant } = linear(x);
  return place(at, buffer, [...terms], constant, 0);
}

export const loadElement = (dtype: DType, pointer: Code, offset: number): Code =>
  dtype === 'float32'
    ? f32.load(pointer, offset)
    : dtype === 'float64'
      ? f64.load(pointer, offset)
      : dtype === 'bool'
        ? i32.load8U(pointer, offset)
        : i32.load(pointer, offset);

const storeElement = (dtype: DType, pointer: Code, value: Code, offset: number): Code =>
  dtype === 'float32'
    ? f32.store(pointer, value, offset)
    : dtype === 'float64'
      ? f64.store(pointer, value, offset)
      : dtype === 'bool'
        ? i32.store8(pointer, value, offset)
        : i32.store(pointer, value, offset);

/** A load that is the same in all lanes, as a number. */
export function scalarLoad(at: Evaluator, x: Load, home: Scope): Code {
  const { pointer, bytes } = placeOf(at, x.buffer, addressOf(x));
  const { dtype } = x;
  const value = loadElement(dtype, pointer, bytes(0));
  if (!x.guard) return home.put(scalarType(dtype), value);
  const guard = at.scalar(x.guard);
  const register = home.register(scalarType(dtype));
  home.code.push(when(guard, set(register, value), set(register, scalarConstant(0, dtype))));
  return get(register);
}

/** The same in all lanes of a vector; of what is not a boolean, without a guard. */
export function splatLoad(at: Evaluator, x: Load): Code {
  const { pointer, bytes } = placeOf(at, x.buffer, x.at);
  return x.dtype === 'float64' ? v128.load64Splat(pointer, bytes(0)) : v128.load32Splat(pointer, bytes(0));
}

export function scalarStore(at: Evaluator, buffer: Buffer, x: Expr, value: Code): void {
  const { pointer, bytes } = placeOf(at, buffer, x);
  at.scope.code.push(storeElement(buffer.dtype, pointer, value, bytes(0)));
}
