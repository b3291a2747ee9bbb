/**
 * Loads and stores of vectors: along memory, backwards, by strides, or wherever the lanes say. Beyond the end of the loop nothing is
 * written, and nothing read that may not be there.
 */

import { byteSize, type DType } from '../../../src/core/dtype.ts';
import type { Buffer, Expr, Load } from '../../loop/ir/expr.ts';
import { linear } from '../../loop/ir/integer.ts';
import { sequence, when } from '../code/control.ts';
import { type Code, f32x4, f64x2, get, i8x16, i16x8, i32, i32x4, select, set, v128 } from '../code/instructions.ts';
import { addressOf, type Evaluator, loadElement, place, type Stride, strideOf, type Terms } from './address.ts';
import { dependence } from './depends.ts';
import type { Lanes, Scope } from './scope.ts';

/**
 * An address as the vector loop sees it: so many elements from lane to lane, so many from vector to vector; `null` where a size that the
 * caller passes says how many.
 */
interface Affine {
  readonly stride: number | null;
  readonly step: number | null;
  readonly terms: Terms;
  readonly constant: number;
  /** The same in bytes, in registers, where they are sizes. */
  readonly strideBytes: Code | null;
  readonly stepBytes: Code | null;
}
/** `null`: anything, lane by lane. */
type Access = Affine | null;

function accessOf(at: Evaluator, dtype: DType, x: Expr, { index, rows, lanes }: Lanes): Access {
  const { terms, constant } = linear(x);
  const along = strideOf(terms, index);
  const down = rows ? strideOf(terms, rows) : null;
  if (!along || (rows && !down)) return null;
  const moving = new Set([...along.atoms, ...(down?.atoms ?? [])]);
  for (const atom of terms.keys()) if (!moving.has(atom) && at.varies(atom)) return null;
  const inBytes = ({ by, factor }: Stride, times: number): Code | null => {
    if (!by) return null;
    const home = at.scope.home(dependence(by));
    const key = `${by.id}*${factor * times}:${byteSize(dtype)}`;
    const bytes = (): Code => i32.mul(at.scalar(by), i32.const(factor * times * byteSize(dtype)));
    return home.once(key, dependence(by), () => [home.put('i32', bytes())])[0]!;
  };
  for (const way of [along, down]) if (way?.by && at.varies(way.by)) return null;
  return {
    stride: along.by ? null : along.factor,
    step: rows ? (down!.by ? null : down!.factor) : along.by ? null : lanes * along.factor,
    terms: [...terms],
    constant,
    strideBytes: inBytes(along, 1),
    stepBytes: rows ? inBytes(down!, 1) : inBytes(along, lanes),
  };
}

/** Where the element of a lane of a vector is: a pointer, and an offset from there. */
type Spread = (u: number, l: number) => readonly [Code, number];

function spread(at: Evaluator, buffer: Buffer, access: Affine, { lanes, fold }: Lanes, home: Scope): Spread {
  const { terms, constant, strideBytes, stepBytes } = access;
  const [stride, step] = [access.stride ?? 0, access.step ?? 0];
  const lowest = Math.min(0, step * (fold - 1)) + Math.min(0, stride * (lanes - 1));
  const fixed = !strideBytes && !stepBytes;
  const { pointer, bytes } = place(at, buffer, terms, constant, lowest, fixed);
  const known = new Map<number, Code>();
  // Each from the one before, by what is not known of the step.
  const moved = (u: number, l: number): Code => {
    if (u === 0 && l === 0) return pointer;
    const key = u * lanes + l;
    const found = known.get(key);
    if (found) return found;
    const from = l > 0 ? moved(u, l - 1) : moved(u - 1, 0);
    const made = home.put('i32', i32.add(from, l > 0 ? strideBytes! : stepBytes!));
    known.set(key, made);
    return made;
  };
  return (u, l) => [moved(stepBytes ? u : 0, strideBytes ? l : 0), bytes(u * step + l * stride)];
}

/** Byte addresses of lanes that lie anywhere. */
function scattered(at: Evaluator, buffer: Buffer, x: Expr, home: Scope): Spread {
  const shift = Math.log2(byteSize(buffer.dtype));
  const base = at.base(buffer);
  const all = at.vector(x).map((v) => {
    const bytes = shift === 0 ? v : i32x4.shl(v, i32.const(shift));
    return home.put('v128', i32x4.add(bytes, i32x4.splat(base)));
  });
  return (u, l) => [i32x4.extractLane(all[u]!, l), 0];
}

/** Do vectors lie along memory where lanes do not? Then four of them are the rows of a square, read or written by its columns. */
const isSquare = ({ stride, step }: Affine, dtype: DType, { rows, lanes, fold }: Lanes): boolean =>
  rows !== null &&
  fold === 4 &&
  lanes === 4 &&
  dtype !== 'bool' &&
  step === 1 &&
  (stride === null || Math.abs(stride) > 1);

/** Columns of a square from its rows. */
function transposed([a, b, c, d]: readonly Code[], to: Scope): readonly Code[] {
  const both = (x: Code, y: Code, lanes: readonly [number, number, number, number]): Code =>
    to.put('v128', v128.shuffle32(x, y, lanes));
  const [low, high] = [both(a!, b!, [0, 4, 1, 5]), both(a!, b!, [2, 6, 3, 7])];
  const [low2, high2] = [both(c!, d!, [0, 4, 1, 5]), both(c!, d!, [2, 6, 3, 7])];
  return [
    both(low, low2, [0, 1, 4, 5]),
    both(low, low2, [2, 3, 6, 7]),
    both(high, high2, [0, 1, 4, 5]),
    both(high, high2, [2, 3, 6, 7]),
  ];
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

const across = <T>(n: number, of: (i: number) => T): readonly T[] => Array.from({ length: n }, (_, i) => of(i));

/** For each vector its value; reading where lanes count, and where the guard says so if there is one. */
export function vectorLoad(at: Evaluator, x: Load, home: Scope): readonly Code[] {
  const shape = home.lanes!;
  const address = addressOf(x);
  const access = accessOf(at, x.dtype, address, shape);
  const where = access ? spread(at, x.buffer, access, shape, home) : scattered(at, x.buffer, address, home);
  if (x.guard && at.varies(x.guard)) return maskedLoad(at, x, access, where, home);
  if (access && !x.guard && isSquare(access, x.dtype, shape)) {
    const columns = across(4, (l) => home.put('v128', v128.load(...valid(shape, where, 0, l))));
    return transposed(columns, home);
  }
  const values = unguarded(x.dtype, access, where, shape);
  if (!x.guard) {
    // The same for every row.
    if (shape.rows && access?.step === 0) return new Array<Code>(shape.fold).fill(home.put('v128', values[0]!));
    return values.map((value) => home.put('v128', value));
  }
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

/** The same place, or beyond the end of the loop that of the first lane: others might not be there. */
function valid(shape: Lanes, where: Spread, u: number, l: number): readonly [Code, number] {
  const counted = counts(shape, l);
  if (counted === true) return where(u, l);
  const [first, offset] = where(u, 0);
  if (counted === false) return [first, offset];
  const [own, ownOffset] = where(u, l);
  const moved = ownOffset === offset ? own : i32.add(own, i32.const(ownOffset - offset));
  return [select(moved, first, counted), offset];
}

function unguarded(dtype: DType, access: Access, where: Spread, shape: Lanes): readonly Code[] {
  const { lanes, fold } = shape;
  const stride = access?.stride ?? null;
  return across(fold, (u) => {
    if (stride === 1) return loadRun(dtype, lanes, ...where(u, 0));
    if (stride === 0 && dtype === 'float64') return v128.load64Splat(...where(u, 0));
    if (stride === 0 && dtype !== 'bool') return v128.load32Splat(...where(u, 0));
    if (stride === -1) return reversed(loadRun(dtype, lanes, ...where(u, lanes - 1)), dtype, lanes);
    return gathered(
      dtype,
      across(lanes, (l) => loadElement(dtype, ...valid(shape, where, u, l))),
    );
  });
}

/**
 * The guard differs between lanes. Consecutive elements are read as whole vectors if any lane is: memory goes on for 64 bytes on both
 * sides of a buffer. Others are read one by one.
 */
function maskedLoad(at: Evaluator, x: Load, access: Access, where: Spread, home: Scope): readonly Code[] {
  const { dtype } = x;
  const shape = home.lanes!;
  const { lanes, fold, tail, rows } = shape;
  const guard = at.vector(x.guard!);
  const masks = tail ? guard.map((mask) => home.put('v128', v128.and(mask, tail.mask))) : guard;
  const zero = at.word(0);
  const wide = (mask: Code): Code => (dtype === 'float64' ? v128.shuffle32(mask, mask, [0, 0, 1, 1]) : mask);
  const registers = masks.map(() => home.register('v128'));
  if (access && access.stride !== null && Math.abs(access.stride) <= 1) {
    const values = unguarded(dtype, access, where, shape);
    const live = lanes === 4 ? masks : masks.map((mask) => v128.shuffle32(mask, mask, [0, 1, 0, 1]));
    const read = across(fold, (u) => set(registers[u]!, v128.and(values[u]!, wide(masks[u]!))));
    const none = across(fold, (u) => set(registers[u]!, zero));
    // Vectors that follow each other are read together; rows are far apart.
    if (rows) for (let u = 0; u < fold; u++) home.code.push(when(v128.anyTrue(live[u]!), read[u]!, none[u]!));
    else home.code.push(when(v128.anyTrue(live.reduce(v128.or)), sequence(...read), sequence(...none)));
    return registers.map(get);
  }
  masks.forEach((mask, u) => {
    const register = registers[u]!;
    home.code.push(set(register, zero));
    for (let l = 0; l < lanes; l++) {
      const element = loadElement(dtype, ...where(u, l));
      home.code.push(when(i32x4.extractLane(mask, l), set(register, replaced(dtype, get(register), l, element))));
    }
  });
  return registers.map(get);
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

const storeLane = (dtype: DType, [pointer, offset]: readonly [Code, number], value: Code, l: number): Code =>
  dtype === 'float64'
    ? v128.store64Lane(pointer, value, l, offset)
    : dtype === 'bool'
      ? v128.store8Lane(pointer, value, l, offset)
      : v128.store32Lane(pointer, value, l, offset);

/** Store a value for each lane; of an incomplete vector, the lanes that count. */
export function vectorStore(at: Evaluator, buffer: Buffer, x: Expr, values: readonly Code[]): void {
  const { scope } = at;
  const { dtype } = buffer;
  const shape = scope.lanes!;
  const { lanes, fold, rows, tail } = shape;
  const access = accessOf(at, dtype, x, shape);
  const where = access ? spread(at, buffer, access, shape, scope) : scattered(at, buffer, x, scope);
  const stride = access?.stride ?? null;
  const whole = !tail && (stride === 1 || (stride === -1 && dtype !== 'bool'));
  const stored = (code: Code, l: number): void => {
    const counted = counts(shape, l);
    if (counted !== false) scope.code.push(counted === true ? code : when(counted, code));
  };
  if (dtype === 'bool' && stride === 1 && whole && !rows && lanes === 4 && fold === 4) {
    const [a, b, c, d] = values as readonly [Code, Code, Code, Code];
    const all = i8x16.narrowI16x8S(i16x8.narrowI32x4S(a, b), i16x8.narrowI32x4S(c, d));
    // The bytes of masks are −1, of which the lowest bit is kept.
    const [pointer, offset] = where(0, 0);
    scope.code.push(v128.store(pointer, v128.and(all, at.word(0x01010101)), offset));
    return;
  }
  if (access && isSquare(access, dtype, shape)) {
    transposed(values, scope).forEach((column, l) => {
      const [pointer, offset] = where(0, l);
      stored(v128.store(pointer, column, offset), l);
    });
    return;
  }
  const ready = dtype === 'bool' ? values.map((mask) => scope.put('v128', packed(mask, at.word(1)))) : values;
  ready.forEach((value, u) => {
    if (whole) {
      const [pointer, offset] = where(u, stride === 1 ? 0 : lanes - 1);
      scope.code.push(storeRun(dtype, lanes, pointer, stride === 1 ? value : reversed(value, dtype, lanes), offset));
      return;
    }
    const pair = typeof tail?.count === 'number' && tail.count >= 2 && stride === 1 && byteSize(dtype) === 4;
    if (pair) {
      const [pointer, offset] = where(u, 0);
      scope.code.push(v128.store64Lane(pointer, value, 0, offset));
    }
    for (let l = pair ? 2 : 0; l < lanes; l++) stored(storeLane(dtype, where(u, l), value, l), l);
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
