/**
 * Products of matrices of any size: extents and strides are arguments, so that eager products compile once.
 *
 * Rows of A and columns of B are packed in blocks, as in `outer.ts`, and a tile is always whole: what lies beyond an edge repeats the last
 * row or column. A tile is computed beside C and then put into it, so that no kernel knows how C lies.
 */

import { countUp, sequence, when, whileDo } from '../code/control.ts';
import { type Code, call, get, i32, select, set, v128 } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import { type Arithmetic, arithmetic, type Element } from './arithmetic.ts';
import { type Axis, count, merged } from './axes.ts';
import { emitTile } from './kernel.ts';
import { type Contraction, simplified, transposed } from './plan.ts';

const rows = 4;
const vectors = 2;
/** Rows and columns that are packed together, and terms at most. */
const rowBlock = 64;
const columnBlock = 512;
const depthLimit = 256;
/** Bytes of a tile of sums. */
const tileBytes = 128;

const smaller = (x: Code, y: Code): Code => select(x, y, i32.ltS(x, y));
const add = (...xs: readonly Code[]): Code => xs.reduce((a, b) => i32.add(a, b));
const advance = (local: number, by: Code): Code => set(local, i32.add(get(local), by));

/** The arguments, in their order; strides in bytes. */
export const argumentNames = [
  ...(['a', 'b', 'c', 'scratch', 'm', 'n', 'k', 'depth', 'more', 'batch'] as const),
  ...(['batchA', 'batchB', 'batchC', 'rowA', 'termA', 'termB', 'columnB', 'rowC', 'columnC'] as const),
] as const;
type Argument = (typeof argumentNames)[number];

/**
 * The function (from, stride, step, first, end, to, terms): `width` rows of an operand side by side, one after the other; rows are `stride`
 * apart, terms `step`; of rows from `end` on the last one is taken.
 */
function emitPack(module: Module, e: Arithmetic, width: number): Func {
  const func = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [from, stride, step, first, end, to, terms] = [0, 1, 2, 3, 4, 5, 6];
  const [k, pointer, target] = [func.local('i32'), func.local('i32'), func.local('i32')];
  const size = width * e.bytes;
  const last = i32.sub(get(end), i32.const(1));
  const begin = (r: number): Code =>
    set(pointer, add(get(from), i32.mul(smaller(i32.add(get(first), i32.const(r)), last), get(stride))));
  const one = (r: number): Code =>
    sequence(
      begin(r),
      set(target, i32.add(get(to), i32.const(r * e.bytes))),
      countUp(
        k,
        i32.const(0),
        get(terms),
        1,
        sequence(e.copy(get(target), get(pointer)), advance(target, i32.const(size)), advance(pointer, get(step))),
      ),
    );
  const singly = sequence(...Array.from({ length: width }, (_, r) => one(r)));
  // Neighbours in memory, all of which there are.
  const together = sequence(
    begin(0),
    set(target, get(to)),
    countUp(
      k,
      i32.const(0),
      get(terms),
      1,
      sequence(
        ...Array.from({ length: width / e.lanes }, (_, i) =>
          v128.store(get(target), v128.load(get(pointer), i * 16), i * 16),
        ),
        advance(target, i32.const(size)),
        advance(pointer, get(step)),
      ),
    ),
  );
  const whole = i32.leS(i32.add(get(first), i32.const(width)), get(end));
  const contiguous = i32.eq(get(stride), i32.const(e.bytes));
  return func.body(when(i32.and(whole, contiguous), together, singly));
}

/** The function (tile, c, rowC, columnC, rows, columns, add): puts a tile into C, or adds it to what is there. */
function emitPut(module: Module, e: Arithmetic): Func {
  const func = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [tile, c, rowC, columnC, height, width, more] = [0, 1, 2, 3, 4, 5, 6];
  const [i, j, pointer, at] = [func.local('i32'), func.local('i32'), func.local('i32'), func.local('i32')];
  const full = vectors * e.lanes;
  const row = (body: Code): Code =>
    countUp(
      i,
      i32.const(0),
      get(height),
      1,
      sequence(body, advance(tile, i32.const(full * e.bytes)), advance(c, get(rowC))),
    );
  const vector = (added: boolean): Code =>
    sequence(
      ...Array.from({ length: vectors }, (_, v) => {
        const own = v128.load(get(tile), v * 16);
        return v128.store(get(c), added ? e.add(v128.load(get(c), v * 16), own) : own, v * 16);
      }),
    );
  const single = sequence(
    set(pointer, get(c)),
    set(at, get(tile)),
    countUp(
      j,
      i32.const(0),
      get(width),
      1,
      sequence(
        when(
          get(more),
          e.storeLane(get(pointer), e.add(e.loadFirst(get(pointer)), e.loadFirst(get(at))), 0),
          e.copy(get(pointer), get(at)),
        ),
        advance(pointer, get(columnC)),
        advance(at, i32.const(e.bytes)),
      ),
    ),
  );
  const whole = i32.and(i32.eq(get(width), i32.const(full)), i32.eq(get(columnC), i32.const(e.bytes)));
  return func.body(when(whole, when(get(more), row(vector(true)), row(vector(false))), row(single)));
}

/** Adds to the module the function of {@link argumentNames} for elements of a dtype. */
export function emitGeneric(module: Module, dtype: Element, relaxed: boolean): Func {
  const e = arithmetic(dtype, relaxed);
  const columns = vectors * e.lanes;
  const tile = emitTile(module, e, {
    rows,
    vectors,
    lastLanes: e.lanes,
    a: { row: e.bytes, step: rows * e.bytes },
    b: { step: columns * e.bytes, exact: false },
    c: { row: columns * e.bytes, column: e.bytes },
    accumulate: false,
    empty: false,
  });
  const [packA, packB] = [emitPack(module, e, rows), emitPack(module, e, columns)];
  const put = emitPut(module, e);
  const func = module.func(argumentNames.map(() => 'i32' as const));
  const x = Object.fromEntries(argumentNames.map((name, i) => [name, i])) as Record<Argument, number>;
  const local = (): number => func.local('i32');
  const [batch, k0, kc, j0, j1, j, i0, i1, i, pa, pb, sums] = [
    ...[local(), local(), local(), local(), local(), local()],
    ...[local(), local(), local(), local(), local(), local()],
  ] as [number, number, number, number, number, number, number, number, number, number, number, number];
  const packedA = i32.add(get(x.scratch), i32.const(tileBytes));
  const packedB = i32.add(packedA, i32.mul(get(x.depth), i32.const(rowBlock * e.bytes)));
  const times = (count: Code, of: number): Code => i32.mul(count, get(of));
  const pack = (of: Func, operand: 'a' | 'b', first: number, to: number): Code =>
    call(
      of.index,
      i32.add(get(operand === 'a' ? x.a : x.b), times(get(k0), operand === 'a' ? x.termA : x.termB)),
      get(operand === 'a' ? x.rowA : x.columnB),
      get(operand === 'a' ? x.termA : x.termB),
      get(first),
      get(operand === 'a' ? x.m : x.n),
      get(to),
      get(kc),
    );
  const stepA = i32.mul(get(kc), i32.const(rows * e.bytes));
  const stepB = i32.mul(get(kc), i32.const(columns * e.bytes));
  const one = sequence(
    call(tile.index, get(pa), get(pb), get(x.scratch), get(kc), i32.const(0)),
    call(
      put.index,
      get(x.scratch),
      add(get(x.c), times(get(i), x.rowC), times(get(j), x.columnC)),
      get(x.rowC),
      get(x.columnC),
      smaller(i32.const(rows), i32.sub(get(x.m), get(i))),
      smaller(i32.const(columns), i32.sub(get(x.n), get(j))),
      get(sums),
    ),
    advance(pa, stepA),
  );
  const tiles = sequence(
    set(pb, packedB),
    countUp(
      j,
      get(j0),
      get(j1),
      columns,
      sequence(set(pa, packedA), countUp(i, get(i0), get(i1), rows, one), advance(pb, stepB)),
    ),
  );
  const packRows = sequence(
    set(pa, packedA),
    countUp(i, get(i0), get(i1), rows, sequence(pack(packA, 'a', i, pa), advance(pa, stepA))),
  );
  const packColumns = sequence(
    set(pb, packedB),
    countUp(j, get(j0), get(j1), columns, sequence(pack(packB, 'b', j, pb), advance(pb, stepB))),
  );
  const rowBlocks = countUp(
    i0,
    i32.const(0),
    get(x.m),
    rowBlock,
    sequence(set(i1, smaller(get(x.m), i32.add(get(i0), i32.const(rowBlock)))), packRows, tiles),
  );
  const columnBlocks = countUp(
    j0,
    i32.const(0),
    get(x.n),
    columnBlock,
    sequence(set(j1, smaller(get(x.n), i32.add(get(j0), i32.const(columnBlock)))), packColumns, rowBlocks),
  );
  const parts = sequence(
    set(k0, i32.const(0)),
    set(sums, get(x.more)),
    whileDo(
      i32.ltS(get(k0), get(x.k)),
      sequence(
        set(kc, smaller(get(x.depth), i32.sub(get(x.k), get(k0)))),
        columnBlocks,
        set(sums, i32.const(1)),
        advance(k0, get(x.depth)),
      ),
    ),
  );
  return func.body(
    countUp(
      batch,
      i32.const(0),
      get(x.batch),
      1,
      sequence(parts, advance(x.a, get(x.batchA)), advance(x.b, get(x.batchB)), advance(x.c, get(x.batchC))),
    ),
  );
}

/** What a contraction is to the function: calls of it, with the offsets of their operands and the arguments after the scratch. */
export interface GenericCalls {
  /** Whether A and B change places. */
  readonly transposed: boolean;
  readonly scratchBytes: number;
  readonly calls: readonly {
    readonly a: number;
    readonly b: number;
    readonly c: number;
    readonly rest: readonly number[];
  }[];
}

const none: Axis = { extent: 1, a: 0, b: 0, c: 0 };

/** The longest axis of an index, which the function runs through, and those that calls run through. */
function apart(axes: readonly Axis[]): { readonly own: Axis; readonly others: readonly Axis[] } {
  const all = merged(axes);
  const own = all.reduce((best, axis) => (axis.extent > best.extent ? axis : best), none);
  return { own, others: all.filter((axis) => axis !== own) };
}

/** The offsets of all values of some axes. */
function placesOf(axes: readonly Axis[]): readonly Axis[] {
  return axes.reduce<readonly Axis[]>(
    (places, axis) =>
      places.flatMap((place) =>
        Array.from({ length: axis.extent }, (_, i) => ({
          extent: 1,
          a: place.a + i * axis.a,
          b: place.b + i * axis.b,
          c: place.c + i * axis.c,
        })),
      ),
    [none],
  );
}

/** How the function of {@link emitGeneric} computes a contraction that has elements. */
export function genericCalls(contraction: Contraction): GenericCalls {
  const plain = simplified(contraction);
  const nOf = (x: Contraction): Axis => apart(x.n).own;
  const isTransposed = nOf(plain).c !== 1 && (nOf(transposed(plain)).c === 1 || count(plain.n) === 1);
  const x = isTransposed ? transposed(plain) : plain;
  const { bytes } = arithmetic(x.dtype, false);
  const [batch, m, n, k] = [apart(x.batch), apart(x.m), apart(x.n), apart(x.k)];
  const terms = k.own.extent;
  const partCount = Math.max(1, Math.ceil(terms / depthLimit));
  const depth = partCount === 1 ? terms : Math.ceil(terms / partCount / 8) * 8;
  const packed = (extent: number, tile: number, most: number): number =>
    Math.min(Math.ceil(extent / tile) * tile, most);
  const scratchBytes = tileBytes + (rowBlock + packed(n.own.extent, 8, columnBlock)) * depth * bytes + 64;
  const fixed = (more: number): readonly number[] => [
    ...[m.own.extent, n.own.extent, terms, depth, more, batch.own.extent],
    ...[batch.own.a, batch.own.b, batch.own.c].map((stride) => stride * bytes),
    ...[m.own.a, k.own.a, k.own.b, n.own.b, m.own.c, n.own.c].map((stride) => stride * bytes),
  ];
  const calls = placesOf([...batch.others, ...m.others, ...n.others]).flatMap((place) =>
    placesOf(k.others).map((part, i) => ({
      a: (place.a + part.a) * bytes,
      b: (place.b + part.b) * bytes,
      c: place.c * bytes,
      rest: fixed(i === 0 ? 0 : 1),
    })),
  );
  return { transposed: isTransposed, scratchBytes, calls };
}
