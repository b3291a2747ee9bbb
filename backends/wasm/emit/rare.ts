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

/** Everything below these, without what is below operands that are left out. */
function below(roots: readonly Expr[], leftOut: (x: Expr, operand: number) => boolean): ReadonlySet<Expr> {
  const seen = new Set<Expr>();
  const walk = (x: Expr): void => {
    if (seen.has(x)) return;
    seen.add(x);
    operands(x).forEach((operand, i) => {
      if (!leftOut(x, i)) walk(operand);
    });
  };
  for (const x of roots) walk(x);
  return seen;
}

const all = (): boolean => false;
const total = (xs: Iterable<Expr>): number => {
  let cost = 0;
  for (const x of xs) cost += costOf(x);
  return cost;
};

/** Branches of selects on one condition, and the selects of each. */
function* branchesFor(root: Expr, selects: readonly Apply[], side: number): Iterable<readonly [Branch, Apply[]]> {
  const reached = below(
    selects.map((x) => x.args[side]!),
    all,
  );
  if (total(reached) < enough) return;
  // Selects that others of them need come before these, in a branch of their own.
  const inner = selects.filter((x) => reached.has(x));
  if (inner.length > 0) {
    const outer = selects.filter((x) => !reached.has(x));
    yield* branchesFor(root, outer, side);
    yield* branchesFor(root, inner, side);
    return;
  }
  const ours = new Set<Expr>(selects);
  const others = below([root], (x, i) => i === side && ours.has(x));
  const only = new Set([...reached].filter((x) => !others.has(x)));
  if (total(only) < enough) return;
  const shared = new Set<Expr>();
  for (const x of only) {
    // Addresses are no values, but pointers.
    for (const y of x.op === 'load' ? [] : operands(x)) if (others.has(y)) shared.add(y);
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
  const nodes = below([root], all);
  const made = new Map<Expr, Map<number, Branch>>();
  if (total(nodes) > enough) {
    const conditions = new Map<Expr, Apply[]>();
    for (const x of nodes) {
      if (!isSelect(x)) continue;
      const same = conditions.get(x.args[0]!);
      if (same) same.push(x);
      else conditions.set(x.args[0]!, [x]);
    }
    for (const selects of conditions.values()) {
      for (const side of [1, 2]) {
        for (const [branch, long] of branchesFor(root, selects, side)) {
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
