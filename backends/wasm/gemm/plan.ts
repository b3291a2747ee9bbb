/**
 * How a contraction is computed: which operand plays which part, what is packed, and the blocks in which it goes. All of it follows from
 * the shapes alone, so that results do not depend on who computes which block.
 */

import type { Code, ValueType } from '../code/instructions.ts';
import { type Arithmetic, arithmetic, type Element } from './arithmetic.ts';
import { type Axis, count, merged, run } from './axes.ts';
import { isStraight } from './pack.ts';
import { type Tiles, tiling } from './tiles.ts';

/** What an epilogue may read and write: some rows of C, and of these some columns. */
export interface Block {
  /** The index in the batch, counted through all its axes. */
  readonly batch: Code;
  readonly rowFrom: Code;
  readonly rowTo: Code;
  readonly columnFrom: Code;
  readonly columnTo: Code;
}

/** Code that runs on a block once it is finished; the function takes so many more parameters, for the addresses of its operands. */
export interface Epilogue<B> {
  readonly operands: number;
  readonly code: (block: B) => Code;
}

/** (a, b, c, scratch, from, to), with `together` what was packed, and the operands of the epilogue: all are i32. */
export const parametersOf = (epilogue: { readonly operands: number } | null, together = false): readonly ValueType[] =>
  new Array<ValueType>((together ? 7 : 6) + (epilogue?.operands ?? 0)).fill('i32');

/** C[batch, m, n] = Σₖ A[batch, m, k] · B[batch, k, n], each index through several axes, outermost first. */
export interface Contraction {
  readonly dtype: Element;
  readonly batch: readonly Axis[];
  readonly m: readonly Axis[];
  readonly n: readonly Axis[];
  readonly k: readonly Axis[];
  /** Whether `multiplyAdd` may be relaxed SIMD's. */
  readonly relaxed: boolean;
  /** Operands around which a vector may be read beyond their ends. */
  readonly slack?: { readonly a: boolean; readonly b: boolean };
  readonly epilogue: Epilogue<Block> | null;
  /** False if the epilogue does with parts of rows: there are more blocks then. By default it gets whole rows, as a softmax needs. */
  readonly wholeRows?: boolean;
  /** Whether what several blocks need is packed beforehand, by all who compute them; by default each packs what it needs. */
  readonly together?: boolean;
}

/** An index in tiles, and those in blocks: tiles of a block, and how many blocks there are. */
export interface Tiling extends Tiles {
  readonly block: number;
  readonly blocks: number;
}

/**
 * `direct`: not packed. `gather`: not either, its rows found by a table. `block`: as each block is computed; `kept`: once for the blocks that
 * need it; `panel`: just before its use.
 */
export type Packing = 'direct' | 'gather' | 'block' | 'kept' | 'panel';

export interface Plan {
  readonly e: Arithmetic;
  readonly transposed: boolean;
  readonly batch: readonly Axis[];
  readonly k: readonly Axis[];
  readonly terms: number;
  /** Terms that are summed before the sums go to memory. */
  readonly depth: number;
  readonly rows: Tiling;
  readonly columns: Tiling;
  readonly a: Packing;
  readonly b: Packing;
}

const exchanged = (axes: readonly Axis[]): Axis[] => axes.map(({ extent, a, b, c }) => ({ extent, a: b, b: a, c }));

/** The contraction with A and B, rows and columns in each other's place. */
export const transposed = (x: Contraction): Contraction => ({
  ...x,
  batch: exchanged(x.batch),
  m: exchanged(x.n),
  n: exchanged(x.m),
  k: exchanged(x.k),
  ...(x.slack ? { slack: { a: x.slack.b, b: x.slack.a } } : {}),
});

/** Merged axes; a batch that one operand does not have is rows or columns of the other, unless an epilogue counts in it. */
export function simplified(x: Contraction): Contraction {
  const own = x.epilogue ? () => false : (axis: Axis) => axis.a === 0 || axis.b === 0;
  const batch = merged(x.batch);
  return {
    ...x,
    batch: merged(batch.filter((axis) => !own(axis))),
    m: merged([...batch.filter((axis) => own(axis) && axis.b === 0), ...x.m]),
    n: merged([...batch.filter((axis) => own(axis) && axis.b !== 0), ...x.n]),
    k: merged(x.k),
  };
}

/** Terms, of which a panel of B is 8 KiB: it stays in the first-level cache beside a tile of A. */
const depthLimit = 256;
/** Vectors of a tile of one, two or three rows: enough sums that none waits for itself (an addition takes 4 cycles, two begin in each). */
const widths: readonly (number | undefined)[] = [undefined, 8, 4, 3];
/**
 * Rows of a large B that are read side by side where A has one or two, instead of a panel down through all of them: as many streams as the
 * machine prefetches. Measured for 1 × 1024 by 1024 × 4096: 14 GB/s instead of 6.
 */
const streams = 16;
/** Elements from which B is large. */
const streamLimit = 1 << 17;
/** Rows of which the packed terms, 128 KiB, stay in the second-level cache. */
const rowBlock = 128;
/** Columns that share one packing of a block of rows. */
const columnBlock = 2048;
/** Elements of B that are packed together. */
const packedLimit = 1 << 22;
/** Elements of A that may be kept packed. */
const keepLimit = 1 << 20;
/** Where all dimensions are this small, nothing is packed that need not be. */
const smallDimension = 128;

/** Whether an operand can be read as it lies: one stride along k and one within a group of rows, or neighbouring columns. */
export function readable(k: readonly Axis[], tiles: Tiles, operand: 'a' | 'b', anyStride = operand === 'a'): boolean {
  const own = run(tiles.axes, operand);
  const terms = run(k, operand);
  if (!isStraight(k, operand) || terms.stride < 0 || own.stride < 0 || own.extent % tiles.group !== 0) return false;
  return anyStride || own.stride === 1 || tiles.group === 1;
}

/** @param x - simplified, with columns of C one element apart if it has any */
export function planOuter(x: Contraction, isTransposed: boolean): Plan {
  const e = arithmetic(x.dtype, x.relaxed);
  const terms = count(x.k);
  const total = count(x.m);
  // A panel of B that serves few tiles is not worth being packed, if its rows are stretches of memory.
  const across = run(x.n, 'b');
  const gather = total <= 8 && !isStraight(x.k, 'b') && across.stride === 1 && across.extent >= 2 * e.lanes;
  // Few rows are tiles of two rows and four vectors: as good as four and two, there is less of a remainder, and panels of B are as wide
  // as a cache line, which counts where they are used so little (6 × 512 by 512 × 1024: 35 GFLOP/s instead of 20).
  const height = total > 4 && total <= 12 ? 2 : 4;
  const rows = tiling(x.m, height);
  const width = (widths[Math.min(total, height)] ?? 2) * e.lanes;
  const columns = tiling(x.n, width, gather ? across.extent : undefined);
  const streamed = readable(x.k, columns, 'b') && total <= 4 && terms * columns.total >= streamLimit && terms > streams;
  const narrowest = streamed && total <= 2;
  const limit = !streamed ? depthLimit : narrowest && run(x.n, 'c').stride === 1 ? streams : 8 * streams;
  const parts = Math.max(1, Math.ceil(terms / limit));
  const depth = parts === 1 ? terms : Math.ceil(terms / parts / 8) * 8;
  const small = rows.total <= smallDimension && columns.total <= smallDimension && terms <= smallDimension;
  const directA = readable(x.k, rows, 'a') && (small || columns.total <= 64);
  const directB = readable(x.k, columns, 'b') && (small || streamed || rows.total <= 4);
  // Whole rows for an epilogue: rows of C, which are columns here if the roles are exchanged.
  const whole = x.epilogue !== null && (x.wholeRows ?? true);
  const block = whole && isTransposed ? rows.tiles : Math.min(rows.tiles, rowBlock / height);
  const rowBlocks = Math.max(1, Math.ceil(rows.tiles / Math.max(1, block)));
  const kept = rowBlocks === 1 && rows.tiles * height * terms <= keepLimit;
  const wide = Math.max(8, Math.floor(Math.min(columnBlock, packedLimit / Math.max(1, terms)) / width));
  const panels = whole
    ? columns.tiles
    : rowBlocks > 1
      ? Math.min(columns.tiles, wide)
      : Math.min(columns.tiles, Math.max(kept ? 8 : 32, Math.ceil(columns.tiles / (streamed ? 4 : 16))));
  return {
    e,
    transposed: isTransposed,
    batch: x.batch,
    k: x.k,
    terms,
    depth,
    rows: { ...rows, block, blocks: rowBlocks },
    columns: { ...columns, block: panels, blocks: Math.max(1, Math.ceil(columns.tiles / Math.max(1, panels))) },
    a: directA ? 'direct' : kept ? 'kept' : 'block',
    b: gather ? 'gather' : directB ? 'direct' : rowBlocks > 1 ? 'kept' : 'panel',
  };
}
