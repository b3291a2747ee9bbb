/** How loops are computed: how many lanes, how many vectors at once, and which are better computed in squares. */

import { byteSize } from '../../../src/core/dtype.ts';
import type { Buffer, Expr, Local } from '../../loop/ir/expr.ts';
import { linear } from '../../loop/ir/integer.ts';
import { type Combiner, expressions, type Stmt } from '../../loop/ir/kernel.ts';
import { strideOf } from './address.ts';
import { dependence, visit, visitExpressions } from './depends.ts';
import { branchesOf } from './rare.ts';

export type Loop = Extract<Stmt, { kind: 'loop' }>;

/** How a vector loop is computed. */
export interface Plan {
  readonly lanes: 2 | 4;
  readonly fold: number;
  /** Locals declared inside. */
  readonly locals: ReadonlySet<Local>;
  /** What its turns accumulate together. */
  readonly shared: ReadonlyMap<Local, Combiner>;
}

function declared(body: readonly Stmt[]): ReadonlySet<Local> {
  const locals = new Set<Local>();
  visit(body, (stmt) => {
    if (stmt.kind === 'local') locals.add(stmt.local);
  });
  return locals;
}

/** Is the loop computed several elements at a time? */
export const isVector = (loop: Loop): boolean =>
  (loop.role === 'vector' || (loop.role === 'serial' && isIndependent(loop))) && isVectorizable(loop);

/** Is all control inside the same for every lane? Otherwise the loop is computed element by element. */
export function isVectorizable(loop: Loop): boolean {
  const own = declared(loop.body);
  let uniform = true;
  visit(loop.body, (stmt) => {
    if (stmt.kind === 'assign' && !own.has(stmt.local)) uniform = false;
    if (stmt.kind !== 'loop' && stmt.kind !== 'if') return;
    for (const x of expressions(stmt)) {
      const { indices, locals } = dependence(x);
      if (indices.has(loop.index) || [...locals].some((local) => own.has(local))) uniform = false;
    }
  });
  return uniform;
}

/**
 * Is this a serial loop whose turns have nothing to do with each other, each reading of what they store only its own element? It is as
 * good as a vector loop.
 */
function isIndependent(loop: Loop): boolean {
  let independent = true;
  const stored = new Map<Buffer, Expr>();
  const own = declared(loop.body);
  visit(loop.body, (stmt) => {
    if (stmt.kind === 'loop' || stmt.kind === 'assign' || stmt.kind === 'accumulate') independent = false;
    if (stmt.kind !== 'store') return;
    const moves = strideOf(linear(stmt.at).terms, loop.index);
    if (!moves || moves.by || moves.factor === 0 || stored.has(stmt.buffer)) independent = false;
    for (const local of dependence(stmt.at).locals) if (own.has(local)) independent = false;
    stored.set(stmt.buffer, stmt.at);
  });
  visitExpressions(loop.body, (x) => {
    if (x.op === 'load' && (stored.get(x.buffer) ?? x.at) !== x.at) independent = false;
  });
  return independent && stored.size > 0;
}

export function planOf(loop: Loop, length: number | null): Plan {
  const locals = declared(loop.body);
  const shared = new Map<Local, Combiner>();
  let wide = false;
  visit(loop.body, (stmt) => {
    if (stmt.kind === 'accumulate' && !locals.has(stmt.local)) shared.set(stmt.local, stmt.combiner);
    if ('local' in stmt && stmt.local.dtype === 'float64') wide = true;
    if (stmt.kind === 'store' && stmt.buffer.dtype === 'float64') wide = true;
  });
  let operations = 0;
  const rare = new Set<Expr>();
  visit(loop.body, (stmt) => {
    for (const sides of branchesOf(stmt).values()) {
      for (const { only } of sides.values()) for (const x of only) rare.add(x);
    }
  });
  visitExpressions(loop.body, (x) => {
    if (x.dtype === 'float64') wide = true;
    if ((x.op === 'call' || x.op === 'apply') && !rare.has(x)) operations++;
  });
  const lanes = wide ? 2 : 4;
  const live = locals.size + shared.size;
  let fold = operations <= 52 ? 4 : 2;
  while (fold > 1 && fold * live > 8) fold /= 2;
  while (fold > 1 && length !== null && length < fold * lanes) fold /= 2;
  return { lanes, fold, locals, shared };
}

/**
 * Is this a parallel loop around one vector loop that moves across rows of memory where this one moves along them, or the reverse? Then
 * four turns of both are a square, transposed in registers. The vector loop, or `null`.
 */
export function squareOf(loop: Loop): Loop | null {
  const [inner, ...others] = loop.body;
  if (loop.role !== 'parallel' || others.length > 0 || inner?.kind !== 'loop' || inner.role !== 'vector') return null;
  if (inner.body.some((stmt) => stmt.kind !== 'store' && stmt.kind !== 'local')) return null;
  if (dependence(inner.index.extent).indices.has(loop.index)) return null;
  if (planOf(inner, null).lanes !== 4) return null;
  let crosses = false;
  const see = (at: Expr, bytes: number): void => {
    const { terms } = linear(at);
    const along = strideOf(terms, inner.index);
    const down = strideOf(terms, loop.index);
    const far = along !== null && (along.by !== null || Math.abs(along.factor) > 1);
    if (bytes === 4 && far && down?.factor === 1 && !down.by) crosses = true;
  };
  visitExpressions(inner.body, (x) => {
    if (x.op === 'load' && !x.guard) see(x.at, byteSize(x.dtype));
  });
  for (const stmt of inner.body) if (stmt.kind === 'store') see(stmt.at, byteSize(stmt.buffer.dtype));
  return crosses ? inner : null;
}
