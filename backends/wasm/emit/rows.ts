/**
 * Sums down the columns of a matrix, row by row.
 *
 * A vector loop around serial ones takes a few columns all the way down, and reads a sliver of every row: a new page and a new cache line
 * each time. Where the matrix is large, its locals become rows of scratch, and the vector loop is done inside of the serial ones, one row
 * of memory after the other. Turns of the vector loop know nothing of each other, so each still sees its own statements in their order.
 */

import { byteSize } from '../../../src/core/dtype.ts';
import {
  apply,
  type Buffer,
  call,
  compare,
  constant,
  type Expr,
  index,
  int,
  type Local,
  load,
  op,
} from '../../loop/ir/expr.ts';
import { linear, times } from '../../loop/ir/integer.ts';
import type { Kernel, Stmt } from '../../loop/ir/kernel.ts';
import { strideOf } from './address.ts';
import { dependence, visit, visitExpressions } from './depends.ts';
import { isVectorizable, type Loop } from './plan.ts';

/** Where it is worth while: measured, sums of 16 × 512 and more; below, strips of columns are as fast or faster. */
export interface RowLimits {
  /** Columns: fewer are held in registers, more would not stay in the cache. */
  readonly fewest: number;
  readonly most: number;
  /** Elements: of a matrix that does not stay in the cache. */
  readonly large: number;
  /** Bytes from row to row. */
  readonly far: number;
}

const usual: RowLimits = { fewest: 512, most: 8192, large: 1 << 13, far: 2048 };
const done = new WeakMap<Kernel, Kernel>();

/** The kernel, with vector loops inside of serial ones where that is better. Law: it runs the same. */
export function rowwise(kernel: Kernel, limits: RowLimits = usual): Kernel {
  if (limits !== usual) return new Rows(kernel, limits).kernel();
  let found = done.get(kernel);
  if (!found) {
    found = new Rows(kernel, limits).kernel();
    done.set(kernel, found);
  }
  return found;
}

class Rows {
  private readonly given: Kernel;
  private readonly limits: RowLimits;
  private readonly scratch: Buffer[];

  constructor(given: Kernel, limits: RowLimits) {
    this.given = given;
    this.limits = limits;
    this.scratch = [...given.scratch];
  }

  kernel(): Kernel {
    const body = this.given.body.flatMap((stmt) => this.rewritten(stmt));
    return this.scratch.length === this.given.scratch.length
      ? this.given
      : { ...this.given, body, scratch: this.scratch };
  }

  private rewritten(stmt: Stmt): readonly Stmt[] {
    if (stmt.kind === 'if') return [{ ...stmt, body: stmt.body.flatMap((x) => this.rewritten(x)) }];
    if (stmt.kind !== 'loop') return [stmt];
    if (stmt.role !== 'vector') return [{ ...stmt, body: stmt.body.flatMap((x) => this.rewritten(x)) }];
    const worth = worthwhile(stmt, this.limits);
    if (worth === null) return [stmt];
    const rows = this.turned(stmt);
    if (worth === true) return rows;
    return [
      { kind: 'if', condition: worth, body: rows },
      { kind: 'if', condition: op('not', worth), body: [stmt] },
    ];
  }

  /** The statements of a vector loop, each for all turns before the next. */
  private turned({ index: over, body }: Loop): readonly Stmt[] {
    const at = index(over);
    const rows = new Map<Local, Buffer>();
    const known = new Map<Expr, Expr>();
    const from = (x: Expr): Expr => {
      let found = known.get(x);
      if (!found) {
        if (x.op === 'local') found = rows.has(x.local) ? load(rows.get(x.local)!, at) : x;
        else if (x.op === 'load') found = load(x.buffer, from(x.at), x.guard ? from(x.guard) : null);
        else if (x.op === 'apply') found = apply(x.fn, x.dtype, ...x.args.map(from));
        else found = x.op === 'call' ? call(x.name, ...x.args.map(from)) : x;
        known.set(x, found);
      }
      return found;
    };
    const rowOf = (local: Local): Buffer => {
      const size = over.extent.op === 'const' ? over.extent : int(this.limits.most);
      const made: Buffer = { name: `${local.name}${this.scratch.length}`, dtype: local.dtype, kind: 'scratch', size };
      this.scratch.push(made);
      rows.set(local, made);
      known.clear();
      return made;
    };
    const put = (local: Local, value: Expr): Stmt => ({ kind: 'store', buffer: rows.get(local)!, at, value });
    const all = (stmts: readonly Stmt[]): readonly Stmt[] => {
      const out: Stmt[] = [];
      let run: Stmt[] = [];
      const close = (): void => {
        if (run.length > 0) out.push({ kind: 'loop', index: over, role: 'vector', body: run });
        run = [];
      };
      for (const stmt of stmts) {
        if (stmt.kind === 'loop' || stmt.kind === 'if') {
          close();
          out.push({ ...stmt, body: all(stmt.body) });
        } else if (stmt.kind === 'local') {
          const value = from(stmt.value);
          rowOf(stmt.local);
          run.push(put(stmt.local, value));
        } else if (stmt.kind === 'store') run.push({ ...stmt, at: from(stmt.at), value: from(stmt.value) });
        else if (stmt.kind === 'assign') run.push(put(stmt.local, from(stmt.value)));
        else {
          const { combiner, local, value } = stmt;
          run.push(put(local, apply(combiner, local.dtype, load(rows.get(local)!, at), from(value))));
        }
      }
      close();
      return out;
    };
    return all(body);
  }
}

/** Always, never (`null`), or where a condition on sizes holds. */
function worthwhile(loop: Loop, { fewest, most, large, far }: RowLimits): true | Expr | null {
  const { extent } = loop.index;
  const own = new Set<Local>();
  let shared = false;
  let rows: Expr | null = null;
  visit(loop.body, (stmt) => {
    if (stmt.kind === 'local') own.add(stmt.local);
    if (stmt.kind === 'accumulate' && !own.has(stmt.local)) shared = true;
    if (stmt.kind !== 'loop') return;
    if (dependence(stmt.index.extent).locals.size > 0 || dependence(stmt.index.extent).reads) shared = true;
    // Loops inside of each other multiply; of those that follow each other the first is taken.
    rows ??= turns(stmt);
  });
  if (shared || !rows || !isVectorizable(loop) || !crosses(loop, far)) return null;
  const cells = times(rows, extent);
  const conditions = [
    compare('ge', extent, int(fewest)),
    compare('le', extent, int(most)),
    compare('ge', cells, int(large)),
  ].filter((x) => !(known(x) === true));
  if (conditions.some((x) => known(x) === false)) return null;
  if (conditions.length === 0) return true;
  return conditions.reduce((a, b) => apply('and', 'bool', a, b), constant(1, 'bool'));
}

/** A comparison of constants. */
function known(x: Expr): boolean | null {
  if (x.op !== 'apply') return null;
  const [a, b] = x.args as readonly [Expr, Expr];
  if (a.op !== 'const' || b.op !== 'const') return null;
  return x.fn === 'ge' ? a.value >= b.value : a.value <= b.value;
}

/** How often a loop and the first one in it turn. */
function turns(loop: Loop): Expr {
  const inner = loop.body.find((stmt) => stmt.kind === 'loop');
  return inner ? times(loop.index.extent, turns(inner)) : loop.index.extent;
}

/** Is memory read along the vector loop and far apart along a loop inside? */
function crosses(loop: Loop, far: number): boolean {
  let found = false;
  visit(loop.body, (stmt) => {
    if (stmt.kind !== 'loop') return;
    visitExpressions(stmt.body, (x) => {
      if (x.op !== 'load') return;
      const { terms } = linear(x.at);
      const along = strideOf(terms, loop.index);
      const down = strideOf(terms, stmt.index);
      if (along?.factor === 1 && !along.by && down && (down.by || Math.abs(down.factor) * byteSize(x.dtype) >= far)) {
        found = true;
      }
    });
  });
  return found;
}
