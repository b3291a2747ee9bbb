/**
 * Loads and stores. An address is a sum of multiples of indices: what an outer loop knows of it is added up there, and in the loop of
 * its last term it is a pointer that moves by a constant. Constants go into the instructions' offsets where the rest cannot be negative,
 * as offsets are added without wrapping.
 */

import { byteSize, type DType } from '../../../src/core/dtype.ts';
import { apply, type Buffer, type Expr, type Load, load } from '../../loop/ir/expr.ts';
import { both, linear, range } from '../../loop/ir/integer.ts';
import { sequence, when } from '../code/control.ts';
import {
  type Code,
  f32,
  f32x4,
  f64,
  f64x2,
  get,
  i8x16,
  i16x8,
  i32,
  i32x4,
  select,
  set,
  v128,
} from '../code/instructions.ts';
import { dependence, together } from './depends.ts';
import { scalarConstant, scalarType } from './scalar.ts';
import type { Lanes, Scope } from './scope.ts';

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

type Terms = readonly (readonly [Expr, number])[];

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
interface Place {
  readonly pointer: Code;
  readonly bytes: (elements: number) => number;
}

function place(at: Evaluator, buffer: Buffer, terms: Terms, constant: number, lowest: number): Place {
  const size = byteSize(buffer.dtype);
  const low = terms.reduce((sum, [x, c]) => sum + c * (c > 0 ? range(x).low : range(x).high), 0);
  if (low >= 0 && constant + lowest >= 0 && constant * size < 1 << 30) {
    return { pointer: address(at, buffer, terms, 0), bytes: (elements) => (constant + elements) * size };
  }
  return { pointer: address(at, buffer, terms, constant + lowest), bytes: (elements) => (elements - lowest) * size };
}

/** The address of a guarded load, whose own loads need the guard as well. */
function addressOf({ at, guard }: Load): Expr {
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

const loadElement = (dtype: DType, pointer: Code, offset: number): Code =>
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

/** An address as the vector loop sees it: so many elements a step, or anything. */
type Access = { readonly stride: number; readonly terms: Terms; readonly constant: number } | { readonly stride: null };

function accessOf(at: Evaluator, x: Expr, { index }: Lanes): Access {
  const { terms, constant } = linear(x);
  let stride = 0;
  for (const [atom, c] of terms) {
    if (atom.op === 'index' && atom.index === index) stride = c;
    else if (at.varies(atom)) return { stride: null };
  }
  return { stride, terms: [...terms], constant };
}

/** Does lane `l` count? `null`: it does in every vector. */
function counts({ tail }: Lanes, l: number): boolean | Code {
  if (!tail || l === 0) return true;
  return typeof tail.count === 'number' ? l < tail.count : i32.gtS(tail.count, i32.const(l));
}

/** Lanes of the vector that is `u`-th, reversed: the last element first. */
function reversed(value: Code, dtype: DType, lanes: 2 | 4): Code {
  if (dtype === 'float64') return v128.shuffle32(value, value, [2, 3, 0, 1]);
  return v128.shuffle32(value, value, lanes === 4 ? [3, 2, 1, 0] : [1, 0, 3, 2]);
}

/** Consecutive elements from memory. */
function loadRun(dtype: DType, lanes: 2 | 4, pointer: Code, offset: number): Code {
  if (dtype === 'bool') {
    return i32x4.neg(i32x4.extendLowI16x8U(i16x8.extendLowI8x16U(v128.load32Zero(pointer, offset))));
  }
  return lanes === 2 && dtype !== 'float64' ? v128.load64Zero(pointer, offset) : v128.load(pointer, offset);
}

/** Lanes from elements. */
function gathered(dtype: DType, elements: readonly Code[]): Code {
  const [first, ...others] = elements as readonly [Code, ...Code[]];
  if (dtype === 'float64') return others.reduce((v, x, l) => f64x2.replaceLane(v, l + 1, x), f64x2.splat(first));
  if (dtype === 'float32') return others.reduce((v, x, l) => f32x4.replaceLane(v, l + 1, x), f32x4.splat(first));
  const words = others.reduce((v, x, l) => i32x4.replaceLane(v, l + 1, x), i32x4.splat(first));
  return dtype === 'bool' ? i32x4.neg(words) : words;
}

/** Byte addresses of the lanes, in registers. */
function scattered(at: Evaluator, buffer: Buffer, x: Expr, home: Scope): readonly Code[] {
  const shift = Math.log2(byteSize(buffer.dtype));
  const base = at.base(buffer);
  return at.vector(x).map((v) => {
    const bytes = shift === 0 ? v : i32x4.shl(v, i32.const(shift));
    return home.put('v128', i32x4.add(bytes, i32x4.splat(base)));
  });
}

/** For each vector its value; reading where lanes count, and where `mask` says so if there is one. */
export function vectorLoad(at: Evaluator, x: Load, home: Scope): readonly Code[] {
  const lanes = home.lanes!;
  const access = accessOf(at, addressOf(x), lanes);
  if (x.guard && at.varies(x.guard)) return maskedLoad(at, x, access, home);
  const values = unguarded(at, x, access, home);
  if (!x.guard) return values.map((value) => home.put('v128', value));
  const guard = at.scalar(x.guard);
  const zero = at.word(0);
  const registers = values.map(() => home.register('v128'));
  home.code.push(
    when(
      guard,
      sequence(...values.map((value, u) => set(registers[u]!, value))),
      sequence(...registers.map((r) => set(r, zero))),
    ),
  );
  return registers.map(get);
}

const across = <T>(n: number, of: (i: number) => T): readonly T[] => Array.from({ length: n }, (_, i) => of(i));

function unguarded(at: Evaluator, x: Load, access: Access, home: Scope): readonly Code[] {
  const { dtype, buffer } = x;
  const { lanes, fold } = home.lanes!;
  if (access.stride === null) {
    return scattered(at, buffer, addressOf(x), home).map((addresses) =>
      gathered(
        dtype,
        across(lanes, (l) => {
          const own = i32x4.extractLane(addresses, l);
          const valid = counts(home.lanes!, l);
          const pointer = valid === true ? own : i32x4.extractLane(addresses, 0);
          return loadElement(dtype, typeof valid === 'boolean' ? pointer : select(own, pointer, valid), 0);
        }),
      ),
    );
  }
  const { stride, terms, constant } = access;
  const last = stride * (fold * lanes - 1);
  const { pointer, bytes } = place(at, buffer, terms, constant, Math.min(0, last));
  return across(fold, (u) => {
    const first = u * lanes * stride;
    if (stride === 1) return loadRun(dtype, lanes, pointer, bytes(first));
    if (stride === 0 && dtype === 'float64') return v128.load64Splat(pointer, bytes(0));
    if (stride === 0 && dtype !== 'bool') return v128.load32Splat(pointer, bytes(0));
    if (stride === -1) return reversed(loadRun(dtype, lanes, pointer, bytes(first - lanes + 1)), dtype, lanes);
    return gathered(
      dtype,
      across(lanes, (l) => {
        const valid = counts(home.lanes!, l);
        // Beyond the end of the loop the first element is read again: others might not be there.
        const element = first + (valid === false ? 0 : l * stride);
        if (typeof valid === 'boolean') return loadElement(dtype, pointer, bytes(element));
        const moved = select(i32.const((element - first) * byteSize(dtype)), i32.const(0), valid);
        return loadElement(dtype, i32.add(pointer, moved), bytes(first));
      }),
    );
  });
}

/**
 * The guard differs between lanes. Consecutive elements are read as whole vectors if any lane is: memory goes on for 64 bytes on both
 * sides of a buffer. Others are read one by one.
 */
function maskedLoad(at: Evaluator, x: Load, access: Access, home: Scope): readonly Code[] {
  const { dtype } = x;
  const lanes = home.lanes!;
  const { tail } = lanes;
  const guard = at.vector(x.guard!);
  const masks = tail ? guard.map((mask) => home.put('v128', v128.and(mask, tail.mask))) : guard;
  const zero = at.word(0);
  const wide = (mask: Code): Code => (dtype === 'float64' ? v128.shuffle32(mask, mask, [0, 0, 1, 1]) : mask);
  const registers = masks.map(() => home.register('v128'));
  if (access.stride === 1 || access.stride === -1 || access.stride === 0) {
    const values = unguarded(at, x, access, home);
    const live = lanes.lanes === 4 ? masks : masks.map((mask) => v128.shuffle32(mask, mask, [0, 1, 0, 1]));
    const any = v128.anyTrue(live.reduce(v128.or));
    home.code.push(
      when(
        any,
        sequence(...values.map((value, u) => set(registers[u]!, v128.and(value, wide(masks[u]!))))),
        sequence(...registers.map((r) => set(r, zero))),
      ),
    );
    return registers.map(get);
  }
  const pointers: readonly ((l: number) => readonly [Code, number])[] =
    access.stride === null
      ? scattered(at, x.buffer, addressOf(x), home).map((all) => (l: number) => [i32x4.extractLane(all, l), 0] as const)
      : strided(at, x, access, lanes);
  masks.forEach((mask, u) => {
    const register = registers[u]!;
    home.code.push(set(register, zero));
    for (let l = 0; l < lanes.lanes; l++) {
      const [pointer, offset] = pointers[u]!(l);
      const element = loadElement(dtype, pointer, offset);
      home.code.push(when(i32x4.extractLane(mask, l), set(register, replaced(dtype, get(register), l, element))));
    }
  });
  return registers.map(get);
}

function strided(
  at: Evaluator,
  x: Load,
  { stride, terms, constant }: Extract<Access, { stride: number }>,
  { lanes, fold }: Lanes,
): readonly ((l: number) => readonly [Code, number])[] {
  const { pointer, bytes } = place(at, x.buffer, terms, constant, Math.min(0, stride * (fold * lanes - 1)));
  return across(fold, (u) => (l: number) => [pointer, bytes((u * lanes + l) * stride)] as const);
}

function replaced(dtype: DType, vector: Code, lane: number, element: Code): Code {
  if (dtype === 'float64') return f64x2.replaceLane(vector, lane, element);
  if (dtype === 'float32') return f32x4.replaceLane(vector, lane, element);
  return i32x4.replaceLane(vector, lane, dtype === 'bool' ? i32.sub(i32.const(0), element) : element);
}

/** Booleans as bytes, in the lowest bytes of a vector. */
const packed = (mask: Code, one: Code): Code => {
  const words = v128.and(mask, one);
  return i8x16.narrowI16x8S(i16x8.narrowI32x4S(words, words), words);
};

/** Store a value for each lane; of an incomplete vector, the lanes that count. */
export function vectorStore(at: Evaluator, buffer: Buffer, x: Expr, values: readonly Code[]): void {
  const { scope } = at;
  const { dtype } = buffer;
  const shape = scope.lanes!;
  const { lanes, fold, tail } = shape;
  const access = accessOf(at, x, shape);
  const ready = dtype === 'bool' ? values.map((mask) => scope.put('v128', packed(mask, at.word(1)))) : values;
  const storeLane = (pointer: Code, value: Code, l: number, offset: number): Code =>
    dtype === 'float64'
      ? v128.store64Lane(pointer, value, l, offset)
      : dtype === 'bool'
        ? v128.store8Lane(pointer, value, l, offset)
        : v128.store32Lane(pointer, value, l, offset);
  const storeLanes = (value: Code, to: (l: number) => readonly [Code, number]): void => {
    for (let l = 0; l < lanes; l++) {
      const valid = counts(shape, l);
      if (valid === false) return;
      const [pointer, offset] = to(l);
      const stored = storeLane(pointer, value, l, offset);
      scope.code.push(valid === true ? stored : when(valid, stored));
    }
  };
  if (access.stride === null) {
    scattered(at, buffer, x, scope).forEach((addresses, u) => {
      storeLanes(ready[u]!, (l) => [i32x4.extractLane(addresses, l), 0]);
    });
    return;
  }
  const { stride, terms, constant } = access;
  const { pointer, bytes } = place(at, buffer, terms, constant, Math.min(0, stride * (fold * lanes - 1)));
  ready.forEach((value, u) => {
    const first = u * lanes * stride;
    if (tail || Math.abs(stride) !== 1 || (stride === -1 && dtype === 'bool')) {
      storeLanes(value, (l) => [pointer, bytes(first + l * stride)]);
    } else if (stride === 1) {
      scope.code.push(storeRun(dtype, lanes, pointer, value, bytes(first)));
    } else {
      scope.code.push(storeRun(dtype, lanes, pointer, reversed(value, dtype, lanes), bytes(first - lanes + 1)));
    }
  });
}

function storeRun(dtype: DType, lanes: 2 | 4, pointer: Code, value: Code, offset: number): Code {
  if (dtype === 'bool') {
    return lanes === 4 ? v128.store32Lane(pointer, value, 0, offset) : v128.store16Lane(pointer, value, 0, offset);
  }
  return lanes === 2 && dtype !== 'float64'
    ? v128.store64Lane(pointer, value, 0, offset)
    : v128.store(pointer, value, offset);
}
