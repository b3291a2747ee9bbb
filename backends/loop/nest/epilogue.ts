/** What is done with a product of matrices, or another result that fills the rows of a cluster: as a nest, and for a part of the product. */

import type { Var } from '../../../src/core/jaxpr.ts';
import { type Body, buffersOf } from '../fuse/cluster.ts';
import type { Dataflow } from '../fuse/dataflow.ts';
import { type Expr, type Index, index, type Local, read, size } from '../ir/expr.ts';
import { linear, plus } from '../ir/integer.ts';
import type { Kernel, Stmt } from '../ir/kernel.ts';
import { substitution } from '../ir/rewrite.ts';
import { accessesOf, extentOf } from './axes.ts';
import { dependsOn, draftOf, Nest, type Put, simplified } from './nest.ts';

/** Lines and columns of a product, as indices of their own. */
export interface Lines {
  readonly line: Index;
  /** `null` for a convolution, whose lines are images of several axes. */
  readonly column: Index | null;
  /** Whether lines are along `n`, and columns along `m`. */
  readonly across: boolean;
  /** What depends on the indices of the cluster, by line and column. */
  readonly by: (x: Expr) => Expr;
}

/** What is done with all of a product: `product` is read instead of `local`. */
export function epilogueOf(
  name: string,
  body: Body,
  stored: readonly Var[],
  flow: Dataflow,
  local: Local,
  product: Expr,
): Kernel {
  const full = draftOf(body, stored, flow);
  const by = substitution(new Map([[read(local), product]]));
  const places = full.rows.map((put) => ({ ...put, value: by(put.value) }));
  const draft = simplified({ kept: full.kept, reduced: [], sums: [], places, rows: [] });
  const statements = new Nest(draft, []).statements();
  const outputs = stored.map((v) => flow.buffer(v));
  const inputs = [...buffersOf(places.map((put) => put.value))].filter((x) => !outputs.includes(x));
  return { name, operands: [...inputs, ...outputs], scratch: [], sizes: 0, body: statements };
}

/** Columns of a product from which an epilogue goes with its parts. */
const leastColumns = 8;

/**
 * {@link epilogueOf} of a part of the product; `null` where columns do not lie side by side or are few. With columns its sizes are the
 * first of them and how many; the turns of its outer loop are the lines.
 *
 * @param anyWalk - whether columns may lie anywhere, and be few
 */
export function tileOf(
  name: string,
  body: Body,
  stored: readonly Var[],
  flow: Dataflow,
  local: Local,
  product: Expr,
  { line, column, by: named }: Lines,
  anyWalk = false,
): Kernel | null {
  const full = draftOf(body, stored, flow);
  const by = substitution(new Map([[read(local), product]]));
  let places = full.rows.map(({ buffer, at, value }) => ({ buffer, at: named(at), value: named(by(value)) }));
  let inner: readonly Stmt[];
  if (column) {
    const along = index(column);
    if (!anyWalk && (extentOf(column) < leastColumns || !walksAlong(places, along))) return null;
    const part: Index = { name: column.name, extent: size(1) };
    const moved = substitution(new Map([[along, plus(index(part), size(0))]]));
    const body = places.map(
      ({ buffer, at, value }): Stmt => ({ kind: 'store', buffer, at: moved(at), value: moved(value) }),
    );
    inner = [{ kind: 'loop', index: part, role: 'vector', body }];
  } else {
    const draft = simplified({ kept: full.kept.filter((x) => x !== line), reduced: [], sums: [], places, rows: [] });
    places = [...draft.places];
    inner = new Nest(draft, []).statements();
  }
  const outputs = stored.map((v) => flow.buffer(v));
  const inputs = [...buffersOf(places.map((put) => put.value))].filter((x) => !outputs.includes(x));
  const statements: readonly Stmt[] = [{ kind: 'loop', index: line, role: 'parallel', body: inner }];
  return { name, operands: [...inputs, ...outputs], scratch: [], sizes: column ? 2 : 0, body: statements };
}

/** Is every address one step further, or the same, for the next of these indices? */
function walksAlong(places: readonly Put[], along: Expr): boolean {
  const { addresses } = accessesOf(
    places.map(({ value }) => value),
    places.map(({ at }) => at),
  );
  return addresses.every(({ at }) =>
    [...linear(at).terms].every(([atom, factor]) =>
      atom === along ? factor === 1 : !dependsOn(atom, new Set([along])),
    ),
  );
}
