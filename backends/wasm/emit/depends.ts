/** What expressions depend on and what statements change: by these, values are kept, moved out of loops, and computed anew. */

import type { Buffer, Expr, Index, Local } from '../../loop/ir/expr.ts';
import { operands } from '../../loop/ir/expr.ts';
import { expressions, inner, type Stmt } from '../../loop/ir/kernel.ts';

export interface Dependence {
  readonly indices: ReadonlySet<Index>;
  readonly locals: ReadonlySet<Local>;
  readonly buffers: ReadonlySet<Buffer>;
  /** Is memory read without a guard? Then it may only be computed where the program does. */
  readonly reads: boolean;
}

const none: Dependence = { indices: new Set(), locals: new Set(), buffers: new Set(), reads: false };

/** The union. */
export function together(all: readonly Dependence[]): Dependence {
  if (all.length === 0) return none;
  if (all.length === 1) return all[0]!;
  return {
    indices: new Set(all.flatMap((x) => [...x.indices])),
    locals: new Set(all.flatMap((x) => [...x.locals])),
    buffers: new Set(all.flatMap((x) => [...x.buffers])),
    reads: all.some((x) => x.reads),
  };
}

const known = new WeakMap<Expr, Dependence>();

export function dependence(x: Expr): Dependence {
  let found = known.get(x);
  if (!found) {
    found = compute(x);
    known.set(x, found);
  }
  return found;
}

function compute(x: Expr): Dependence {
  if (x.op === 'index') return { ...none, indices: new Set([x.index]) };
  if (x.op === 'local') return { ...none, locals: new Set([x.local]) };
  const of = together(operands(x).map(dependence));
  if (x.op !== 'load') return of;
  // What a guarded address reads is read under the guard too.
  const reads = x.guard ? dependence(x.guard).reads : true;
  return { ...of, buffers: new Set([...of.buffers, x.buffer]), reads };
}

/** What statements change: registers that they assign, memory that they write. */
export interface Effects {
  readonly locals: ReadonlySet<Local>;
  readonly buffers: ReadonlySet<Buffer>;
}

export function effects(body: readonly Stmt[]): Effects {
  const locals = new Set<Local>();
  const buffers = new Set<Buffer>();
  visit(body, (stmt) => {
    if (stmt.kind === 'assign' || stmt.kind === 'accumulate') locals.add(stmt.local);
    if (stmt.kind === 'store') buffers.add(stmt.buffer);
  });
  return { locals, buffers };
}

/** Statements and those in them, outermost first. */
export function visit(body: readonly Stmt[], see: (stmt: Stmt) => void): void {
  for (const stmt of body) {
    see(stmt);
    visit(inner(stmt), see);
  }
}

/** Every expression of the statements, each once. */
export function visitExpressions(body: readonly Stmt[], see: (x: Expr) => void): void {
  const seen = new Set<Expr>();
  const walk = (x: Expr): void => {
    if (seen.has(x)) return;
    seen.add(x);
    for (const operand of operands(x)) walk(operand);
    see(x);
  };
  visit(body, (stmt) => {
    for (const x of expressions(stmt)) walk(x);
  });
}

const meet = <T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean => {
  for (const x of a) if (b.has(x)) return true;
  return false;
};

/** May what changes these be seen in a value? */
export const touches = (changed: Effects, of: Dependence): boolean =>
  meet(changed.locals, of.locals) || meet(changed.buffers, of.buffers);
