/**
 * A contraction by outer products: blocks of rows and columns of C, in each of them parts of k, in each of those all tiles, for which
 * panels of A and B are packed as the plan says.
 *
 * A panel of B (8 columns) is used by all tiles of a block of rows before the next: it stays in the first-level cache, the block of A in
 * the second.
 */

import { countUp, nothing, sequence, when } from '../code/control.ts';
import { type Code, call, get, i32, select, set } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import { type Axis, count, offset, run } from './axes.ts';
import { emitTile } from './kernel.ts';
import { emitPack, needsTable, type Panel, writeTable } from './pack.ts';
import { type Contraction, type Plan, parametersOf, type Tiling } from './plan.ts';
import { atEdge, begin, between, finish, groupEnd } from './tiles.ts';

export interface Product {
  /** (a, b, c, scratch, from, to): computes the blocks from `from` up to `to`; with `together`, (…, to, packed). */
  readonly func: Func;
  readonly scratchBytes: number;
  readonly blocks: number;
  /** Neighbouring blocks that are computed best by one caller, as they share what it packs. */
  readonly unit: number;
  /** What comes first, in blocks of its own and with the same parameters: packing, to so many bytes that all callers share. */
  readonly packing: { readonly func: Func; readonly blocks: number; readonly bytes: number } | null;
}

const smaller = (x: Code, y: Code): Code => select(x, y, i32.ltS(x, y));
const plus = (x: Code, n: number): Code => (n === 0 ? x : i32.add(x, i32.const(n)));
const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Parameters of the functions, beside a and b. */
const [c, scratch, from, to, packed] = [2, 3, 4, 5, 6];
const localNames = [
  ...(['unit', 'batch', 'a0', 'b0', 'c0', 'ib', 'i', 'i0', 'i1', 'jb', 'j', 'j0', 'j1'] as const),
  ...(['k0', 'kc', 'pa', 'pb', 'cj', 'keptA', 'keptI', 'keptB', 'keptJ', 'column', 'edgeColumn'] as const),
] as const;
type Locals = Readonly<Record<(typeof localNames)[number], number>>;

/** The kernels of a contraction, emitted when they are needed. */
function kernels(
  module: Module,
  p: Plan,
  slackB: boolean,
): (edgeRow: boolean, edgeColumn: boolean, accumulate: boolean) => Func {
  const { e, rows, columns, k } = p;
  const lanes = columns.last;
  const known = new Map<string, Func>();
  const strideOf = (axes: readonly Axis[], operand: 'a' | 'b' | 'c'): number => run(axes, operand).stride * e.bytes;
  return (edgeRow, edgeColumn, accumulate) => {
    const key = `${edgeRow} ${edgeColumn} ${accumulate}`;
    const found = known.get(key);
    if (found) return found;
    const width = edgeColumn ? lanes : columns.size;
    const vectors = Math.ceil(width / e.lanes);
    const func = emitTile(module, e, {
      rows: edgeRow ? rows.last : rows.size,
      vectors,
      lastLanes: width - (vectors - 1) * e.lanes,
      a:
        p.a === 'direct'
          ? { row: strideOf(rows.axes, 'a'), step: strideOf(k, 'a') }
          : { row: e.bytes, step: rows.size * e.bytes },
      b:
        p.b === 'gather'
          ? { step: null, exact: !slackB }
          : p.b === 'direct'
            ? { step: strideOf(k, 'b'), exact: !slackB }
            : { step: columns.size * e.bytes, exact: false },
      c: { row: strideOf(rows.axes, 'c'), column: strideOf(columns.axes, 'c') },
      accumulate,
      empty: p.terms === 0,
    });
    known.set(key, func);
    return func;
  };
}

/** How an operand is packed, if it is. */
function panelOf(x: Contraction, p: Plan, operand: 'a' | 'b'): Panel | null {
  if (p[operand] === 'direct' || p[operand] === 'gather') return null;
  const t = operand === 'a' ? p.rows : p.columns;
  const slack = x.slack?.[operand] ?? false;
  return { operand, rows: t.axes, terms: p.k, height: t.size, group: t.group, partial: t.last !== t.size, slack };
}

/** Elements that are packed beforehand, at most. */
const togetherLimit = 1 << 23;

/** Whether a kept operand is packed beforehand, once for all blocks. */
function isPackedFirst(x: Contraction, p: Plan): boolean {
  if (!x.together || count(p.batch) > 1 || p.rows.blocks * p.columns.blocks === 1) return false;
  const t = p.a === 'kept' ? p.rows : p.b === 'kept' ? p.columns : null;
  return t !== null && t.tiles * t.size * p.terms <= togetherLimit;
}

/** Where the parts lie: in scratch memory, or a kept operand that is packed `first` in memory of its own. */
function layout(p: Plan, panelA: Panel | null, panelB: Panel | null, first: boolean) {
  const { e, rows, columns } = p;
  const heightA = aligned(rows.block * rows.size * e.bytes * (p.a === 'kept' ? p.terms : p.depth));
  const heightB = aligned(columns.size * e.bytes * (p.b === 'kept' ? columns.block * p.terms : p.depth));
  const table = (panel: Panel | null): number => (panel && needsTable(e, panel) ? (p.terms + 1) * 4 : 0);
  const aside = { a: first && p.a === 'kept', b: first && p.b === 'kept' };
  const b = panelA && !aside.a ? heightA : 0;
  const tableA = b + (panelB && !aside.b ? heightB : 0);
  const tableB = tableA + aligned(table(panelA));
  const bytesB = p.b === 'gather' ? p.terms * 4 : table(panelB);
  return {
    b: aside.b ? 0 : b,
    tableA,
    tableB,
    hasTableA: table(panelA) > 0,
    hasTableB: bytesB > 0,
    size: tableB + aligned(bytesB),
    aside,
    /** From one block of columns of B that is packed beforehand to the next. */
    nextB: aside.b ? heightB : 0,
    packed: aside.a ? heightA : aside.b ? heightB * columns.blocks : 0,
  };
}

export function emitOuter(module: Module, x: Contraction, p: Plan): Product {
  const [panelA, panelB] = [panelOf(x, p, 'a'), panelOf(x, p, 'b')];
  const first = isPackedFirst(x, p);
  const shape: Shape = {
    x,
    p,
    kernel: kernels(module, p, x.slack?.b ?? false),
    at: layout(p, panelA, panelB, first),
    packA: panelA && emitPack(module, p.e, panelA),
    packB: panelB && emitPack(module, p.e, panelB),
  };
  const { rows, columns } = p;
  const perBatch = rows.blocks * columns.blocks;
  const func = new Outer(module, shape).product();
  const packing = first ? new Outer(module, shape).packing() : null;
  const keeps = p.b === 'kept' || p.a === 'kept';
  return {
    func,
    scratchBytes: shape.at.size,
    blocks: count(p.batch) * perBatch,
    unit: first || !keeps ? 1 : count(p.batch) > 1 ? perBatch : rows.blocks,
    packing: packing && { func: packing, blocks: packedTiles(p), bytes: shape.at.packed },
  };
}

/** Tiles that are packed first: of A, or of B. */
const packedTiles = ({ a, rows, columns }: Plan): number => (a === 'kept' ? rows.tiles : columns.tiles);

/** What the functions of a contraction are made of. */
interface Shape {
  readonly x: Contraction;
  readonly p: Plan;
  readonly kernel: (edgeRow: boolean, edgeColumn: boolean, accumulate: boolean) => Func;
  readonly at: ReturnType<typeof layout>;
  readonly packA: Func | null;
  readonly packB: Func | null;
}

/** A function over blocks, or over what is packed first, with its locals. */
class Outer {
  private readonly shape: Shape;
  private readonly func: Func;
  private readonly l: Locals;
  private readonly a: number;
  private readonly b: number;

  constructor(module: Module, shape: Shape) {
    this.shape = shape;
    const { x, p } = shape;
    this.func = module.func(parametersOf(x.epilogue, x.together));
    const named = localNames.map((name) => [name, this.func.local('i32')] as const);
    this.l = Object.fromEntries(named) as Locals;
    [this.a, this.b] = p.transposed ? [1, 0] : [0, 1];
  }

  /** Statements for each part of k, with `k0` and its number of terms in `kc`. */
  private parts(body: Code): Code {
    const { depth, terms } = this.shape.p;
    const { k0, kc } = this.l;
    const rest = smaller(i32.const(depth), i32.sub(i32.const(terms), get(k0)));
    return countUp(
      k0,
      i32.const(0),
      i32.const(Math.max(1, terms)),
      Math.max(1, depth),
      sequence(set(kc, depth >= terms ? i32.const(terms) : rest), body),
    );
  }

  private get begin(): Code {
    const { at, p } = this.shape;
    const { k, e } = p;
    return sequence(
      at.hasTableA ? writeTable(this.func, k, 'a', e.bytes, plus(get(scratch), at.tableA)) : nothing,
      at.hasTableB ? writeTable(this.func, k, 'b', e.bytes, plus(get(scratch), at.tableB)) : nothing,
    );
  }

  private addressA(tile: Code): Code {
    const { p, at } = this.shape;
    const { k0, kc, i0 } = this.l;
    const width = p.rows.size * p.e.bytes;
    const block = p.a === 'kept' ? i32.mul(get(k0), i32.const(p.rows.block * width)) : i32.const(0);
    const within = i32.mul(i32.mul(i32.sub(tile, get(i0)), get(kc)), i32.const(width));
    return i32.add(get(at.aside.a ? packed : scratch), i32.add(block, within));
  }

  private addressB(panel: Code): Code {
    const { p, at } = this.shape;
    const { k0, kc, j0, jb } = this.l;
    const base = plus(get(at.aside.b ? packed : scratch), at.b);
    if (p.b === 'panel') return base;
    const width = p.columns.size * p.e.bytes;
    const block = i32.mul(get(k0), i32.const(p.columns.block * width));
    const from = at.nextB > 0 ? i32.add(i32.mul(get(jb), i32.const(at.nextB)), block) : block;
    return i32.add(base, i32.add(from, i32.mul(i32.mul(i32.sub(panel, get(j0)), get(kc)), i32.const(width))));
  }

  private pack(f: Func, t: Tiling, base: number, tile: number, address: Code, table: number): Code {
    const { k0, kc } = this.l;
    return call(
      f.index,
      get(base),
      begin(t, get(tile)),
      groupEnd(t, get(tile)),
      address,
      get(k0),
      i32.add(get(k0), get(kc)),
      plus(get(scratch), table),
    );
  }

  private get packRow(): Code {
    const { packA, p, at } = this.shape;
    const { i, a0 } = this.l;
    return packA ? this.pack(packA, p.rows, a0, i, this.addressA(get(i)), at.tableA) : nothing;
  }

  private get packPanel(): Code {
    const { packB, p, at } = this.shape;
    const { j, b0 } = this.l;
    return packB ? this.pack(packB, p.columns, b0, j, this.addressB(get(j)), at.tableB) : nothing;
  }

  /** One tile, whose panels are there. */
  private tile(accumulate: boolean): Code {
    const { p, kernel, at } = this.shape;
    const { rows, columns, e } = p;
    const { i, j, k0, kc, pa, pb, cj, edgeColumn } = this.l;
    const one = (edgeRow: boolean, edgeOfColumn: boolean): Code =>
      call(
        kernel(edgeRow, edgeOfColumn, accumulate).index,
        get(pa),
        get(pb),
        i32.add(get(cj), offset(rows.axes, 'c', begin(rows, get(i)), e.bytes)),
        get(kc),
        p.b === 'gather' ? i32.add(plus(get(scratch), at.tableB), i32.shl(get(k0), i32.const(2))) : i32.const(0),
      );
    const edgeRow = atEdge(rows, get(i));
    const across = (edgeOfColumn: boolean): Code => {
      if (edgeRow) return when(edgeRow, one(true, edgeOfColumn), one(false, edgeOfColumn));
      return one(rows.last !== rows.size, edgeOfColumn);
    };
    if (atEdge(columns, get(j))) return when(get(edgeColumn), across(true), across(false));
    return across(columns.last !== columns.size);
  }

  /** All tiles of a block. */
  private get tiles(): Code {
    const { p } = this.shape;
    const { rows, columns, e, k } = p;
    const { i, i0, i1, j, j0, j1, k0, a0, b0, c0, pa, pb, cj, column, edgeColumn } = this.l;
    const row = offset(rows.axes, 'a', begin(rows, get(i)), e.bytes);
    const stepA = i32.mul(get(k0), i32.const(run(k, 'a').stride * e.bytes));
    const stepB = i32.mul(get(k0), i32.const(run(k, 'b').stride * e.bytes));
    const own = i32.add(get(b0), offset(columns.axes, 'b', get(column), e.bytes));
    const addressOfB = p.b === 'gather' ? own : p.b === 'direct' ? i32.add(own, stepB) : this.addressB(get(j));
    return countUp(
      j,
      get(j0),
      get(j1),
      1,
      sequence(
        set(column, begin(columns, get(j))),
        set(edgeColumn, atEdge(columns, get(j)) ?? i32.const(0)),
        set(pb, addressOfB),
        set(cj, i32.add(get(c0), offset(columns.axes, 'c', get(column), e.bytes))),
        p.b === 'panel' ? this.packPanel : nothing,
        countUp(
          i,
          get(i0),
          get(i1),
          1,
          sequence(
            set(pa, p.a === 'direct' ? i32.add(i32.add(get(a0), row), stepA) : this.addressA(get(i))),
            p.depth >= p.terms ? this.tile(false) : when(i32.eqz(get(k0)), this.tile(false), this.tile(true)),
          ),
        ),
      ),
    );
  }

  /** Packs a kept operand, unless it is there: neither another block of it, nor one of another index of the batch. */
  private keep(x: number, y: number, u: number, v: number, body: Code): Code {
    const different = i32.or(i32.ne(get(x), get(y)), i32.ne(get(u), get(v)));
    return when(different, sequence(this.parts(body), set(x, get(y)), set(u, get(v))));
  }

  product(): Func {
    const { x, p, at } = this.shape;
    const { rows, columns, e } = p;
    const { unit, batch, a0, b0, c0, ib, i, i0, i1, jb, j, j0, j1, keptA, keptI, keptB, keptJ } = this.l;
    const { a, b } = this;
    const perBatch = rows.blocks * columns.blocks;
    const within =
      perBatch === 1 ? i32.const(0) : count(p.batch) === 1 ? get(unit) : i32.remU(get(unit), i32.const(perBatch));
    const packRows = countUp(i, get(i0), get(i1), 1, this.packRow);
    const packPanels = countUp(j, get(j0), get(j1), 1, this.packPanel);
    const [ownRows, ownColumns] = [between(rows, get(i0), get(i1)), between(columns, get(j0), get(j1))];
    return this.func.body(
      sequence(
        this.begin,
        // No block is kept yet: no operand is at this address.
        set(keptA, i32.const(-1)),
        set(keptB, i32.const(-1)),
        countUp(
          unit,
          get(from),
          get(to),
          1,
          sequence(
            set(batch, i32.divU(get(unit), i32.const(perBatch))),
            set(jb, i32.divU(within, i32.const(rows.blocks))),
            set(ib, i32.remU(within, i32.const(rows.blocks))),
            set(a0, i32.add(get(a), offset(p.batch, 'a', get(batch), e.bytes))),
            set(b0, i32.add(get(b), offset(p.batch, 'b', get(batch), e.bytes))),
            set(c0, i32.add(get(c), offset(p.batch, 'c', get(batch), e.bytes))),
            set(i0, i32.mul(get(ib), i32.const(rows.block))),
            set(i1, smaller(i32.const(rows.tiles), i32.add(get(i0), i32.const(rows.block)))),
            set(j0, i32.mul(get(jb), i32.const(columns.block))),
            set(j1, smaller(i32.const(columns.tiles), i32.add(get(j0), i32.const(columns.block)))),
            p.a === 'kept' && !at.aside.a ? this.keep(keptA, a0, keptI, ib, packRows) : nothing,
            p.b === 'kept' && !at.aside.b ? this.keep(keptB, b0, keptJ, jb, packPanels) : nothing,
            this.parts(sequence(p.a === 'block' ? packRows : nothing, this.tiles)),
            finish(x, p.transposed, get(batch), ownRows, ownColumns),
          ),
        ),
      ),
    );
  }

  /** Packs the tiles of a kept operand from `from` to `to`. */
  packing(): Func {
    const { p } = this.shape;
    const { i, j, jb, j0, a0, b0 } = this.l;
    const { a, b } = this;
    const rows = sequence(set(a0, get(a)), countUp(i, get(from), get(to), 1, this.parts(this.packRow)));
    const blockOf = sequence(
      set(jb, i32.divU(get(j), i32.const(p.columns.block))),
      set(j0, i32.mul(get(jb), i32.const(p.columns.block))),
    );
    const panels = sequence(
      set(b0, get(b)),
      countUp(j, get(from), get(to), 1, sequence(blockOf, this.parts(this.packPanel))),
    );
    return this.func.body(sequence(this.begin, p.a === 'kept' ? rows : panels));
  }
}
