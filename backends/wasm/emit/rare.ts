/**
 * Selects of which a side is long: it is computed in a block that is entered only if a lane wants it. Nearly all work of a sine is the
 * reduction of angles that programs hardly have.
 */

import type { Apply, Expr } from '../../loop/ir/expr.ts';
import { operands } from '../../loop/ir/expr.ts';
import { expressions, type Stmt } from '../../loop/ir/kernel.ts';

/** What selects on one condition have on one side, and nothing else needs. */
export interface Branch {
  readonly condition: Expr;
  /** For which condition it is wanted. */
  readonly wanted: boolean;
  /** The operands of the selects. */
  readonly values: readonly Expr[];
  /** What only they need. */
  readonly only: ReadonlySet<Expr>;
  /** What they need and others too. */
  readonly shared: readonly Expr[];
}

/** Of a select, the branches that its second and third operand are in. */
export type Branches = ReadonlyMap<Expr, ReadonlyMap<number, Branch>>;

/** Operations that are worth a jump: it may be mispredicted, and what it skips cannot hide latency. */
const enough = 40;
const costOf = (x: Expr): number => (x.op === 'call' ? 10 : x.op === 'apply' ? 1 : 0);

const isSelect = (x: Expr): x is Apply => x.op === 'apply' && x.fn === 'select';

/** Everything below these. */
function below(roots: readonly Expr[]): ReadonlySet<Expr> {
  const seen = new Set<Expr>();
  const walk = (x: Expr): void => {
    if (seen.has(x)) return;
    seen.add(x);
    for (const operand of operands(x)) walk(operand);
  };
  for (const x of roots) walk(x);
  return seen;
}

/** How often each of these is an operand of one of them; the root is used once more. */
function usesIn(nodes: ReadonlySet<Expr>, root: Expr): ReadonlyMap<Expr, number> {
  const uses = new Map<Expr, number>([[root, 1]]);
  for (const x of nodes) for (const y of operands(x)) uses.set(y, (uses.get(y) ?? 0) + 1);
  return uses;
}

/** What nobody needs but these selects for their operand `side`: whose last use falls with those of it. */
function onlyFor(selects: readonly Apply[], side: number, uses: ReadonlyMap<Expr, number>): ReadonlySet<Expr> {
  const left = new Map<Expr, number>();
  const only = new Set<Expr>();
  const drop = (x: Expr): void => {
    const rest = (left.get(x) ?? uses.get(x)!) - 1;
    left.set(x, rest);
    if (rest > 0) return;
    only.add(x);
    for (const y of operands(x)) drop(y);
  };
  for (const x of selects) drop(x.args[side]!);
  return only;
}

const total = (xs: Iterable<Expr>): number => {
  let cost = 0;
  for (const x of xs) cost += costOf(x);
  return cost;
};

/** Branches of selects on one condition, and the selects of each. */
function* branchesFor(
  uses: ReadonlyMap<Expr, number>,
  selects: readonly Apply[],
  side: number,
): Iterable<readonly [Branch, Apply[]]> {
  if (selects.length > 1) {
    // Selects that others of them need come before these, in a branch of their own.
    const reached = below(selects.map((x) => x.args[side]!));
    const inner = selects.filter((x) => reached.has(x));
    if (inner.length > 0) {
      const outer = selects.filter((x) => !reached.has(x));
      yield* branchesFor(uses, outer, side);
      yield* branchesFor(uses, inner, side);
      return;
    }
  }
  const only = onlyFor(selects, side, uses);
  if (total(only) < enough) return;
  const shared = new Set<Expr>();
  for (const x of only) {
    // Addresses are no values, but pointers.
    for (const y of x.op === 'load' ? [] : operands(x)) if (!only.has(y)) shared.add(y);
  }
  const long = selects.filter((x) => only.has(x.args[side]!));
  const values = [...new Set(long.map((x) => x.args[side]!))];
  yield [{ condition: selects[0]!.args[0]!, wanted: side === 1, values, only, shared: [...shared] }, long];
}

const known = new WeakMap<Expr, Branches>();
const none: Branches = new Map();

function branchesIn(root: Expr): Branches {
  const found = known.get(root);
  if (found) return found;
  const nodes = below([root]);
  const made = new Map<Expr, Map<number, Branch>>();
  if (total(nodes) > enough) {
    const conditions = new Map<Expr, Apply[]>();
    for (const x of nodes) {
      if (!isSelect(x)) continue;
      const same = conditions.get(x.args[0]!);
      if (same) same.push(x);
      else conditions.set(x.args[0]!, [x]);
    }
    const uses = usesIn(nodes, root);
    for (const selects of conditions.values()) {
      for (const side of [1, 2]) {
        for (const [branch, long] of branchesFor(uses, selects, side)) {
          for (const x of long) made.set(x, (made.get(x) ?? new Map()).set(side, branch));
        }
      }
    }
  }
  known.set(root, made);
  return made;
}

/** The branches in the value of a statement. */
export function branchesOf(stmt: Stmt): Branches {
  if (stmt.kind === 'loop') return none;
  return branchesIn(expressions(stmt).at(-1)!);
}
