/** An index in tiles, and code that counts in them: where one begins, where its group ends, whether it is the small one at its end. */

import { nothing } from '../code/control.ts';
import { type Code, i32, select } from '../code/instructions.ts';
import { type Axis, count, run } from './axes.ts';
import type { Contraction } from './plan.ts';

/**
 * Tiles do not cross from one group to the next, within which C has one stride (and perhaps another operand has); so the last tile of a
 * group may be smaller.
 */
export interface Tiles {
  readonly axes: readonly Axis[];
  readonly total: number;
  readonly group: number;
  /** Indices of a tile, of the last one of a group, and tiles of a group and of all. */
  readonly size: number;
  readonly last: number;
  readonly perGroup: number;
  readonly tiles: number;
}

/** Tiles of at most `size` indices, in groups of at most `most`. */
export function tiling(axes: readonly Axis[], size: number, most = Number.POSITIVE_INFINITY): Tiles {
  const total = count(axes);
  const group = Math.min(run(axes, 'c').extent, most);
  const perGroup = Math.ceil(group / size);
  const last = group % size === 0 ? size : group % size;
  return { axes, total, group, size, last, perGroup, tiles: perGroup * (total / group) };
}

const plus = (x: Code, n: number): Code => (n === 0 ? x : i32.add(x, i32.const(n)));
const product = (x: Code, n: number): Code => (n === 1 ? x : i32.mul(x, i32.const(n)));

/** The index where a tile begins. */
export function begin(t: Tiles, tile: Code): Code {
  if (t.perGroup === t.tiles) return product(tile, t.size);
  const group = product(i32.divU(tile, i32.const(t.perGroup)), t.group);
  return i32.add(group, product(i32.remU(tile, i32.const(t.perGroup)), t.size));
}

/** The last index of the group of a tile. */
export function groupEnd(t: Tiles, tile: Code): Code {
  if (t.perGroup === t.tiles) return i32.const(t.total - 1);
  return plus(product(i32.divU(tile, i32.const(t.perGroup)), t.group), t.group - 1);
}

/** Whether a tile is the last of its group, and smaller; null if none or all are. */
export function atEdge(t: Tiles, tile: Code): Code | null {
  if (t.last === t.size || t.perGroup === 1) return null;
  const within = t.perGroup === t.tiles ? tile : i32.remU(tile, i32.const(t.perGroup));
  return i32.eq(within, i32.const(t.perGroup - 1));
}

/** The index where tile `from` begins, and where tile `to` does or the last one ends. */
export const between = (t: Tiles, from: Code, to: Code): readonly [Code, Code] => [
  begin(t, from),
  select(i32.const(t.total), begin(t, to), i32.eq(to, i32.const(t.tiles))),
];

/** An epilogue on the rows and columns of a block, as they were before they changed places. */
export function finish(
  x: Pick<Contraction, 'epilogue'>,
  isTransposed: boolean,
  batch: Code,
  rows: readonly [Code, Code],
  columns: readonly [Code, Code],
): Code {
  const [[rowFrom, rowTo], [columnFrom, columnTo]] = isTransposed ? [columns, rows] : [rows, columns];
  return x.epilogue ? x.epilogue.code({ batch, rowFrom, rowTo, columnFrom, columnTo }) : nothing;
}
