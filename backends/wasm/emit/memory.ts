/**
 * Loads and stores of vectors: along memory, backwards, by strides, or wherever the lanes say. Beyond the end of the loop nothing is
 * written, and nothing read that may not be there.
 */

import { byteSize, type DType } from '../../../src/core/dtype.ts';
import type { Buffer, Expr, Load } from '../../loop/ir/expr.ts';
import { linear } from '../../loop/ir/integer.ts';
import { sequence, when } from '../code/control.ts';
import { type Code, f32x4, f64x2, get, i8x16, i16x8, i32, i32x4, select, set, v128 } from '../code/instructions.ts';
import { addressOf, type Evaluator, loadElement, type Place, place, type Terms } from './address.ts';
import type { Lanes, Scope } from './scope.ts';

/** An address as the vector loop sees it: so many elements from lane to lane, so many from vector to vector. */
interface Affine {
  readonly stride: number;
  readonly step: number;
  readonly terms: Terms;
  readonly constant: number;
}
/** `null`: anything, lane by lane. */
type Access = Affine | null;

function accessOf(at: Evaluator, x: Expr, { index, rows, lanes }: Lanes): Access {
  const { terms, constant } = linear(x);
  let stride = 0;
  let row = 0;
  for (const [atom, c] of terms) {
    if (atom.op === 'index' && atom.index === index) stride = c;
    else if (atom.op === 'index' && atom.index === rows) row = c;
    else if (at.varies(atom)) return null;
  }
  return { stride, step: rows ? row : lanes * stride, terms: [...terms], constant };
}

/** Where the element of the first lane of the first vector is. */
function placed(
  at: Evaluator,
  buffer: Buffer,
  { stride, step, terms, constant }: Affine,
  { lanes, fold }: Lanes,
): Place {
  return place(at, buffer, terms, constant, Math.min(0, step * (fold - 1)) + Math.min(0, stride * (lanes - 1)));
}

/** Do vectors lie along memory where lanes do not? Then four of them are the rows of a square, read or written by its columns. */
const isSquare = ({ stride, step }: Affine, dtype: DType, { rows, lanes, fold }: Lanes): boolean =>
  rows !== null && fold === 4 && lanes === 4 && dtype !== 'bool' && step === 1 && Math.abs(stride) > 1;

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
  if (access && !x.guard && isSquare(access, x.dtype, lanes)) return squareLoad(at, x, access, home);
  const values = unguarded(at, x, access, home);
  if (!x.guard) {
    // The same for every row.
    if (lanes.rows && access?.step === 0) return new Array<Code>(lanes.fold).fill(home.put('v128', values[0]!));
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

const across = <T>(n: number, of: (i: number) => T): readonly T[] => Array.from({ length: n }, (_, i) => of(i));

function squareLoad(at: Evaluator, x: Load, access: Affine, home: Scope): readonly Code[] {
  const shape = home.lanes!;
  const { pointer, bytes } = placed(at, x.buffer, access, shape);
  const columns = across(4, (l) => {
    const valid = counts(shape, l);
    const offset = l * access.stride;
    if (typeof valid === 'boolean') return home.put('v128', v128.load(pointer, bytes(valid ? offset : 0)));
    const moved = select(i32.const(offset * byteSize(x.dtype)), i32.const(0), valid);
    return home.put('v128', v128.load(i32.add(pointer, moved), bytes(0)));
  });
  return transposed(columns, home);
}

function unguarded(at: Evaluator, x: Load, access: Access, home: Scope): readonly Code[] {
  const { dtype, buffer } = x;
  const { lanes, fold } = home.lanes!;
  if (!access) {
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
  const { stride, step } = access;
  const { pointer, bytes } = placed(at, buffer, access, home.lanes!);
  return across(fold, (u) => {
    const first = u * step;
    if (stride === 1) return loadRun(dtype, lanes, pointer, bytes(first));
    if (stride === 0 && dtype === 'float64') return v128.load64Splat(pointer, bytes(first));
    if (stride === 0 && dtype !== 'bool') return v128.load32Splat(pointer, bytes(first));
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
  if (access && Math.abs(access.stride) <= 1) {
    const values = unguarded(at, x, access, home);
    const live = lanes.lanes === 4 ? masks : masks.map((mask) => v128.shuffle32(mask, mask, [0, 1, 0, 1]));
    const read = across(lanes.fold, (u) => set(registers[u]!, v128.and(values[u]!, wide(masks[u]!))));
    const none = across(lanes.fold, (u) => set(registers[u]!, zero));
    // Vectors that follow each other are read together; rows are far apart.
    if (lanes.rows) read.forEach((code, u) => home.code.push(when(v128.anyTrue(live[u]!), code, none[u]!)));
    else home.code.push(when(v128.anyTrue(live.reduce(v128.or)), sequence(...read), sequence(...none)));
    return registers.map(get);
  }
  const pointers: readonly ((l: number) => readonly [Code, number])[] =
    access === null
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
  access: Affine,
  lanes: Lanes,
): readonly ((l: number) => readonly [Code, number])[] {
  const { pointer, bytes } = placed(at, x.buffer, access, lanes);
  return across(lanes.fold, (u) => (l: number) => [pointer, bytes(u * access.step + l * access.stride)] as const);
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
  const { lanes, tail } = shape;
  const access = accessOf(at, x, shape);
  if (dtype === 'bool' && access?.stride === 1 && !shape.rows && !tail && lanes === 4 && shape.fold === 4) {
    const { pointer, bytes } = placed(at, buffer, access, shape);
    const [a, b, c, d] = values as readonly [Code, Code, Code, Code];
    const all = i8x16.narrowI16x8S(i16x8.narrowI32x4S(a, b), i16x8.narrowI32x4S(c, d));
    // The bytes of masks are −1, of which the lowest bit is kept.
    scope.code.push(v128.store(pointer, v128.and(all, at.word(0x01010101)), bytes(0)));
    return;
  }
  const ready = dtype === 'bool' ? values.map((mask) => scope.put('v128', packed(mask, at.word(1)))) : values;
  const storeLane = (pointer: Code, value: Code, l: number, offset: number): Code =>
    dtype === 'float64'
      ? v128.store64Lane(pointer, value, l, offset)
      : dtype === 'bool'
        ? v128.store8Lane(pointer, value, l, offset)
        : v128.store32Lane(pointer, value, l, offset);
  const storeLanes = (value: Code, to: (l: number) => readonly [Code, number]): void => {
    let from = 0;
    if (typeof tail?.count === 'number' && tail.count >= 2 && access?.stride === 1 && byteSize(dtype) === 4) {
      const [pointer, offset] = to(0);
      scope.code.push(v128.store64Lane(pointer, value, 0, offset));
      from = 2;
    }
    for (let l = from; l < lanes; l++) {
      const valid = counts(shape, l);
      if (valid === false) return;
      const [pointer, offset] = to(l);
      const stored = storeLane(pointer, value, l, offset);
      scope.code.push(valid === true ? stored : when(valid, stored));
    }
  };
  if (!access) {
    scattered(at, buffer, x, scope).forEach((addresses, u) => {
      storeLanes(ready[u]!, (l) => [i32x4.extractLane(addresses, l), 0]);
    });
    return;
  }
  const { stride, step } = access;
  const { pointer, bytes } = placed(at, buffer, access, shape);
  if (isSquare(access, dtype, shape)) {
    transposed(ready, scope).forEach((column, l) => {
      const valid = counts(shape, l);
      const stored = v128.store(pointer, column, bytes(l * stride));
      if (valid !== false) scope.code.push(valid === true ? stored : when(valid, stored));
    });
    return;
  }
  ready.forEach((value, u) => {
    const first = u * step;
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
