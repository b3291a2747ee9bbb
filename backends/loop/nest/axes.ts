/** The axes of a nest: neighbours that are one walk through memory become one, and one of them is computed several places at a time. */

import type { Expr, Index } from '../ir/expr.ts';
import { index, int, operands } from '../ir/expr.ts';
import { linear, quotient, remainder } from '../ir/integer.ts';
import { substitution } from '../ir/rewrite.ts';

/** Where a nest reads or writes, and what else it computes from indices. */
export interface Accesses {
  readonly addresses: readonly { readonly at: Expr; readonly stored: boolean }[];
  /** Indices used for more than addresses that are sums of them. */
  readonly pinned: ReadonlySet<Expr>;
}

export function accessesOf(values: readonly Expr[], stores: readonly Expr[]): Accesses {
  const addresses: { at: Expr; stored: boolean }[] = [];
  const pinned = new Set<Expr>();
  const seen = new Set<Expr>();
  const address = (at: Expr, stored: boolean): void => {
    addresses.push({ at, stored });
    for (const atom of linear(at).terms.keys()) if (atom.op !== 'index') visit(atom);
  };
  const visit = (x: Expr): void => {
    if (seen.has(x)) return;
    seen.add(x);
    if (x.op === 'index') pinned.add(x);
    else if (x.op === 'load') {
      address(x.at, false);
      if (x.guard) visit(x.guard);
    } else for (const y of operands(x)) visit(y);
  };
  for (const value of values) visit(value);
  for (const at of stores) address(at, true);
  return { addresses, pinned };
}

const coefficient = (at: Expr, of: Expr): number => linear(at).terms.get(of) ?? 0;

export const extentOf = (x: Index): number => (x.extent.op === 'const' ? x.extent.value : Number.NaN);

/** One step: two neighbours of `axes` that can be one, the axes afterwards, and what to put for the two. */
export function mergeable(
  axes: readonly Index[],
  { addresses, pinned }: Accesses,
): { readonly axes: readonly Index[]; readonly by: (x: Expr) => Expr } | null {
  for (let i = 0; i + 1 < axes.length; i++) {
    const [outer, inner] = [axes[i]!, axes[i + 1]!];
    const [a, b] = [index(outer), index(inner)];
    const n = extentOf(inner);
    if (n === 0 || extentOf(outer) === 0 || pinned.has(a) || pinned.has(b)) continue;
    if (!addresses.every(({ at }) => coefficient(at, a) === n * coefficient(at, b))) continue;
    const merged: Index = { name: outer.name, extent: int(extentOf(outer) * n) };
    const x = index(merged);
    const by = substitution(
      new Map([
        [a, quotient(x, int(n))],
        [b, remainder(x, int(n))],
      ]),
    );
    return { axes: [...axes.slice(0, i), merged, ...axes.slice(i + 2)], by };
  }
  return null;
}

/** How well an axis is walked by vectors: neighbours in memory are good, jumps are bad. */
export function vectorScore(axis: Index, { addresses, pinned }: Accesses): number {
  const x = index(axis);
  let score = pinned.has(x) ? -1 : 0;
  for (const { at, stored } of addresses) {
    const c = coefficient(at, x);
    const hidden = mentionsInside(at, x);
    if (hidden) score -= 3;
    else if (c === 1) score += stored ? 4 : 2;
    else if (c === 0) score += 1;
    else score -= stored ? 4 : 2;
  }
  return extentOf(axis) >= 4 ? score : score - 1000;
}

/** Does the index occur in an atom of the address other than itself? */
function mentionsInside(at: Expr, x: Expr): boolean {
  for (const atom of linear(at).terms.keys()) if (atom !== x && mentions(atom, x)) return true;
  return false;
}

const mentions = (e: Expr, x: Expr): boolean => e === x || operands(e).some((y) => mentions(y, x));
