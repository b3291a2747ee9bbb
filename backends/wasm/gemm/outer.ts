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
  /** (a, b, c, scratch, from, to): computes the blocks from `from` up to `to`. */
  readonly func: Func;
  readonly scratchBytes: number;
  readonly blocks: number;
}

const smaller = (x: Code, y: Code): Code => select(x, y, i32.ltS(x, y));
const plus = (x: Code, n: number): Code => (n === 0 ? x : i32.add(x, i32.const(n)));
const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

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

/** Where in scratch memory the parts lie. */
function layout(p: Plan, panelA: Panel | null, panelB: Panel | null) {
  const { e, rows, columns } = p;
  const heightA = rows.block * rows.size * e.bytes * (p.a === 'kept' ? p.terms : p.depth);
  const heightB = columns.size * e.bytes * (p.b === 'kept' ? columns.block * p.terms : p.depth);
  const table = (panel: Panel | null): number => (panel && needsTable(e, panel) ? (p.terms + 1) * 4 : 0);
  const b = panelA ? aligned(heightA) : 0;
  const tableA = b + (panelB ? aligned(heightB) : 0);
  const tableB = tableA + aligned(table(panelA));
  const bytesB = p.b === 'gather' ? p.terms * 4 : table(panelB);
  return { b, tableA, tableB, hasTableA: table(panelA) > 0, hasTableB: bytesB > 0, size: tableB + aligned(bytesB) };
}

export function emitOuter(module: Module, x: Contraction, p: Plan): Product {
  const { e, rows, columns } = p;
  const kernel = kernels(module, p, x.slack?.b ?? false);
  const [panelA, panelB] = [panelOf(x, p, 'a'), panelOf(x, p, 'b')];
  const at = layout(p, panelA, panelB);
  const packA = panelA && emitPack(module, e, panelA);
  const packB = panelB && emitPack(module, e, panelB);

  const func = module.func(parametersOf(x.epilogue));
  const [a, b] = p.transposed ? [1, 0] : [0, 1];
  const [c, scratch, from, to] = [2, 3, 4, 5];
  const local = (): number => func.local('i32');
  const [unit, batch, a0, b0, c0] = [local(), local(), local(), local(), local()];
  const [ib, i, i0, i1, jb, j, j0, j1] = [local(), local(), local(), local(), local(), local(), local(), local()];
  const [k0, kc, pa, pb, cj] = [local(), local(), local(), local(), local()];
  const [keptA, keptI, keptB, keptJ, column, edgeColumn] = [local(), local(), local(), local(), local(), local()];
  const total = Math.max(1, p.terms);

  /** Statements for each part of k, with `k0` and its number of terms in `kc`. */
  const parts = (body: Code): Code =>
    countUp(
      k0,
      i32.const(0),
      i32.const(total),
      Math.max(1, p.depth),
      sequence(
        set(
          kc,
          p.depth >= p.terms ? i32.const(p.terms) : smaller(i32.const(p.depth), i32.sub(i32.const(p.terms), get(k0))),
        ),
        body,
      ),
    );

  const widthA = rows.size * e.bytes;
  const widthB = columns.size * e.bytes;
  const addressA = (tile: Code): Code => {
    const block = p.a === 'kept' ? i32.mul(get(k0), i32.const(rows.block * widthA)) : i32.const(0);
    const within = i32.mul(i32.mul(i32.sub(tile, get(i0)), get(kc)), i32.const(widthA));
    return i32.add(get(scratch), i32.add(block, within));
  };
  const addressB = (panel: Code): Code => {
    const base = plus(get(scratch), at.b);
    if (p.b === 'panel') return base;
    const block = i32.mul(get(k0), i32.const(columns.block * widthB));
    return i32.add(base, i32.add(block, i32.mul(i32.mul(i32.sub(panel, get(j0)), get(kc)), i32.const(widthB))));
  };
  const packTile = (f: Func, t: Tiling, base: number, tile: number, address: Code, table: number): Code =>
    call(
      f.index,
      get(base),
      begin(t, get(tile)),
      groupEnd(t, get(tile)),
      address,
      get(k0),
      i32.add(get(k0), get(kc)),
      plus(get(scratch), table),
    );
  const packRows = packA
    ? countUp(i, get(i0), get(i1), 1, packTile(packA, rows, a0, i, addressA(get(i)), at.tableA))
    : nothing;
  const packPanel = packB ? packTile(packB, columns, b0, j, addressB(get(j)), at.tableB) : nothing;
  const packPanels = countUp(j, get(j0), get(j1), 1, packPanel);

  const tile = (accumulate: boolean): Code => {
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
  };
  const row = offset(rows.axes, 'a', begin(rows, get(i)), e.bytes);
  const stepA = i32.mul(get(k0), i32.const(run(p.k, 'a').stride * e.bytes));
  const stepB = i32.mul(get(k0), i32.const(run(p.k, 'b').stride * e.bytes));
  const tiles = countUp(
    j,
    get(j0),
    get(j1),
    1,
    sequence(
      set(column, begin(columns, get(j))),
      set(edgeColumn, atEdge(columns, get(j)) ?? i32.const(0)),
      set(
        pb,
        p.b === 'direct' || p.b === 'gather'
          ? i32.add(
              i32.add(get(b0), offset(columns.axes, 'b', get(column), e.bytes)),
              p.b === 'gather' ? i32.const(0) : stepB,
            )
          : addressB(get(j)),
      ),
      set(cj, i32.add(get(c0), offset(columns.axes, 'c', get(column), e.bytes))),
      p.b === 'panel' ? packPanel : nothing,
      countUp(
        i,
        get(i0),
        get(i1),
        1,
        sequence(
          set(pa, p.a === 'direct' ? i32.add(i32.add(get(a0), row), stepA) : addressA(get(i))),
          p.depth >= p.terms ? tile(false) : when(i32.eqz(get(k0)), tile(false), tile(true)),
        ),
      ),
    ),
  );
  const perBatch = rows.blocks * columns.blocks;
  const within =
    perBatch === 1 ? i32.const(0) : count(p.batch) === 1 ? get(unit) : i32.remU(get(unit), i32.const(perBatch));
  const different = (x: number, y: number, u: number, v: number): Code =>
    i32.or(i32.ne(get(x), get(y)), i32.ne(get(u), get(v)));
  const keep = (x: number, y: number, u: number, v: number, body: Code): Code =>
    when(different(x, y, u, v), sequence(parts(body), set(x, get(y)), set(u, get(v))));
  const finished = finish(
    x,
    p.transposed,
    get(batch),
    between(rows, get(i0), get(i1)),
    between(columns, get(j0), get(j1)),
  );

  func.body(
    sequence(
      at.hasTableA ? writeTable(func, p.k, 'a', e.bytes, plus(get(scratch), at.tableA)) : nothing,
      at.hasTableB ? writeTable(func, p.k, 'b', e.bytes, plus(get(scratch), at.tableB)) : nothing,
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
          p.a === 'kept' ? keep(keptA, a0, keptI, ib, packRows) : nothing,
          p.b === 'kept' ? keep(keptB, b0, keptJ, jb, packPanels) : nothing,
          parts(sequence(p.a === 'block' ? packRows : nothing, tiles)),
          finished,
        ),
      ),
    ),
  );
  return { func, scratchBytes: at.size, blocks: count(p.batch) * perBatch };
}
