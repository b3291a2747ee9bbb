/**
 * Narrow products by inner products: where both operands are contiguous along k, vectors along k are multiplied lane by lane, 4 rows by 2
 * columns at a time, and lanes are added up at the end. No lane is idle however few columns there are, and the large operand is
 * read once, where it lies; the small one is transposed first if need be.
 */

import { block, breakIf, countUp, doWhile, nothing, sequence, when } from '../code/control.ts';
import { type Code, call, get, i32, select, set, tee } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import { type Arithmetic, arithmetic, loadPart } from './arithmetic.ts';
import { count, offset, run } from './axes.ts';
import type { Product } from './outer.ts';
import { isStraight } from './pack.ts';
import { type Contraction, parametersOf, readable } from './plan.ts';
import { atEdge, begin, between, finish, type Tiles, tiling } from './tiles.ts';

/** Columns up to which inner products win: 8 are a panel of outer products without an idle lane. */
const isNarrow = (columns: number): boolean => columns < 16 && columns !== 8;

/** Whether a contraction is narrow, and its A contiguous along k. */
export function isDot(x: Contraction): boolean {
  const [rows, terms] = [tiling(x.m, 4), count(x.k)];
  const e = arithmetic(x.dtype, false);
  if (!isNarrow(count(x.n)) || terms < 4 * e.lanes || run(x.k, 'a').stride !== 1) return false;
  return readable(x.k, rows, 'a');
}

/** How the kernel reads and stores; distances in bytes. */
interface DotTile {
  readonly rows: number;
  readonly columns: number;
  readonly terms: number;
  readonly aRow: number;
  readonly bColumn: number;
  readonly cRow: number;
  readonly cColumn: number;
}

/** Steps in a turn, each in a basic block of its own (see `kernel.ts`). */
const unroll = 4;

/** The function (a, b, c). */
function emitDotTile(module: Module, e: Arithmetic, t: DotTile): Func {
  const func = module.func(['i32', 'i32', 'i32']);
  const [a, b, c] = [0, 1, 2];
  const k = func.local('i32');
  const sums = Array.from({ length: t.rows }, () => Array.from({ length: t.columns }, () => func.local('v128')));
  const right = Array.from({ length: t.columns }, () => func.local('v128'));
  const left = func.local('v128');
  const step = (lanes: number): Code =>
    sequence(
      ...right.map((x, j) => set(x, loadPart(e, get(b), lanes, j * t.bColumn))),
      ...sums.flatMap((row, i) => [
        set(left, loadPart(e, get(a), lanes, i * t.aRow)),
        ...row.map((sum, j) => set(sum, e.multiplyAdd(get(left), get(right[j]!), get(sum)))),
      ]),
    );
  const whole = sequence(step(e.lanes), set(a, i32.add(get(a), i32.const(16))), set(b, i32.add(get(b), i32.const(16))));
  const next = tee(k, i32.sub(get(k), i32.const(1)));
  const steps = Array.from({ length: unroll }, (_, u) =>
    u < unroll - 1 ? sequence(whole, breakIf(i32.eqz(next), 1)) : whole,
  );
  const rest = t.terms % e.lanes;
  func.body(
    sequence(
      ...sums.flat().map((sum) => set(sum, e.zero)),
      set(k, i32.const(Math.floor(t.terms / e.lanes))),
      block(doWhile(sequence(...steps), next)),
      // Lanes beyond the last term are zero in both operands, so they add nothing.
      rest > 0 ? step(rest) : nothing,
      ...sums.flatMap((row, i) =>
        row.flatMap((sum, j) => [e.sumLanes(sum), e.storeLane(get(c), get(sum), 0, i * t.cRow + j * t.cColumn)]),
      ),
    ),
  );
  return func;
}

/** Statements: column after column of B, contiguous along k, at `to`. */
function copyColumns(func: Func, e: Arithmetic, x: Contraction, from: number, to: Code): Code {
  const [column, k, pointer] = [func.local('i32'), func.local('i32'), func.local('i32')];
  const source = i32.add(get(from), i32.add(offset(x.n, 'b', get(column), e.bytes), offset(x.k, 'b', get(k), e.bytes)));
  return sequence(
    set(pointer, to),
    countUp(
      column,
      i32.const(0),
      i32.const(count(x.n)),
      1,
      countUp(
        k,
        i32.const(0),
        i32.const(count(x.k)),
        1,
        sequence(e.copy(get(pointer), source), set(pointer, i32.add(get(pointer), i32.const(e.bytes)))),
      ),
    ),
  );
}

/** Rows of a block. */
const rowBlock = 64;

/** @param x - narrow, see {@link isDot} */
export function emitDot(module: Module, x: Contraction, isTransposed: boolean): Product {
  const e = arithmetic(x.dtype, x.relaxed);
  const terms = count(x.k);
  const [rows, columns] = [tiling(x.m, 4), tiling(x.n, 2)];
  const direct = isStraight(x.k, 'b') && run(x.k, 'b').stride === 1 && readable(x.k, columns, 'b', true);
  const strideOf = (axes: Tiles['axes'], operand: 'a' | 'b' | 'c'): number => run(axes, operand).stride * e.bytes;
  const known = new Map<string, Func>();
  const kernel = (height: number, width: number): Func => {
    const key = `${height} ${width}`;
    const shape = { rows: height, columns: width, terms, aRow: strideOf(rows.axes, 'a') };
    const bColumn = direct ? strideOf(columns.axes, 'b') : terms * e.bytes;
    const c = { cRow: strideOf(rows.axes, 'c'), cColumn: strideOf(columns.axes, 'c') };
    const func = known.get(key) ?? emitDotTile(module, e, { ...shape, bColumn, ...c });
    known.set(key, func);
    return func;
  };

  const func = module.func(parametersOf(x.epilogue, x.together));
  const [a, b] = isTransposed ? [1, 0] : [0, 1];
  const [c, scratch, from, to] = [2, 3, 4, 5];
  const local = (): number => func.local('i32');
  const [unit, batch, a0, b0, c0, kept] = [local(), local(), local(), local(), local(), local()];
  const [i, i0, i1, j, row, column, pa, ci] = [local(), local(), local(), local(), local(), local(), local(), local()];
  const perBlock =
    x.epilogue && (x.wholeRows ?? true) && isTransposed ? rows.tiles : Math.min(rows.tiles, rowBlock / 4);
  const perBatch = Math.ceil(rows.tiles / perBlock);
  const tile = (height: number): Code => {
    const one = (width: number): Code =>
      call(
        kernel(height, width).index,
        get(pa),
        direct
          ? i32.add(get(b0), offset(columns.axes, 'b', get(column), e.bytes))
          : i32.add(get(scratch), i32.mul(get(column), i32.const(terms * e.bytes))),
        i32.add(get(ci), offset(columns.axes, 'c', get(column), e.bytes)),
      );
    const edge = atEdge(columns, get(j));
    const across = edge ? when(edge, one(columns.last), one(columns.size)) : one(columns.last);
    return countUp(j, i32.const(0), i32.const(columns.tiles), 1, sequence(set(column, begin(columns, get(j))), across));
  };
  const edge = atEdge(rows, get(i));
  const columnsOfAll = [i32.const(0), i32.const(columns.total)] as const;
  const finished = finish(x, isTransposed, get(batch), between(rows, get(i0), get(i1)), columnsOfAll);
  const keep = when(
    i32.ne(get(kept), get(b0)),
    sequence(copyColumns(func, e, x, b0, get(scratch)), set(kept, get(b0))),
  );
  func.body(
    sequence(
      set(kept, i32.const(-1)),
      countUp(
        unit,
        get(from),
        get(to),
        1,
        sequence(
          set(batch, i32.divU(get(unit), i32.const(perBatch))),
          set(i0, i32.mul(i32.remU(get(unit), i32.const(perBatch)), i32.const(perBlock))),
          set(i1, i32.add(get(i0), i32.const(perBlock))),
          set(i1, select(get(i1), i32.const(rows.tiles), i32.ltS(get(i1), i32.const(rows.tiles)))),
          set(a0, i32.add(get(a), offset(x.batch, 'a', get(batch), e.bytes))),
          set(b0, i32.add(get(b), offset(x.batch, 'b', get(batch), e.bytes))),
          set(c0, i32.add(get(c), offset(x.batch, 'c', get(batch), e.bytes))),
          direct ? nothing : keep,
          countUp(
            i,
            get(i0),
            get(i1),
            1,
            sequence(
              set(row, begin(rows, get(i))),
              set(pa, i32.add(get(a0), offset(rows.axes, 'a', get(row), e.bytes))),
              set(ci, i32.add(get(c0), offset(rows.axes, 'c', get(row), e.bytes))),
              edge ? when(edge, tile(rows.last), tile(rows.size)) : tile(rows.last),
            ),
          ),
          finished,
        ),
      ),
    ),
  );
  const scratchBytes = direct ? 0 : Math.ceil((columns.total * terms * e.bytes) / 64) * 64;
  return { func, scratchBytes, blocks: count(x.batch) * perBatch, unit: 1, packing: null };
}
