/**
 * The micro-kernel of outer products: a tile of `rows` × `vectors` accumulators, to which each step of k adds a column of A times a row
 * of B. Operands are packed, or lie where their strides say.
 *
 * Tiles at an edge are kernels of their own with fewer rows or lanes, so that nothing is computed twice and nothing is stored, nor
 * read, beyond the matrix. Lanes are independent, so what is in the ones not stored reaches no result.
 */

import { block, breakIf, doWhile, sequence } from '../code/control.ts';
import { type Code, get, i32, set, tee } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import { type Arithmetic, loadPart, storePart } from './arithmetic.ts';

/** All distances in bytes. */
export interface Tile {
  readonly rows: number;
  readonly vectors: number;
  /** Lanes of the last vector that are columns of the matrix. */
  readonly lastLanes: number;
  readonly a: { readonly row: number; readonly step: number };
  /** `exact`: nothing may be read beyond the last column. `step` is null where a table has the offset of each row of B. */
  readonly b: { readonly step: number | null; readonly exact: boolean };
  readonly c: { readonly row: number; readonly column: number };
  /** Whether the tile is added to what is in C. */
  readonly accumulate: boolean;
  /** Whether there is anything to sum over. */
  readonly empty: boolean;
}

/**
 * Steps of k in a turn of the loop, each but the last with a way out of it, so that each is a basic block and any number of steps
 * possible. V8 11.3 (Node 20) moves all loads of a block to its top, and spills: four steps in one block make 26 GFLOP/s of 256 × 256
 * (relaxed 30), four blocks 44.8 (53.6), one step a turn 42.8 (53.5).
 */
const unroll = 4;

/** The function (a, b, c, steps, table), of addresses; `steps` ≥ 1 unless empty. */
export function emitTile(module: Module, e: Arithmetic, tile: Tile): Func {
  const func = module.func(['i32', 'i32', 'i32', 'i32', 'i32']);
  const [a, b, c, k, table] = [0, 1, 2, 3, 4];
  const gathered = tile.b.step === null;
  const at = gathered ? func.local('i32') : b;
  const { rows, vectors } = tile;
  const sums = Array.from({ length: rows }, () => Array.from({ length: vectors }, () => func.local('v128')));
  const right = Array.from({ length: vectors }, () => func.local('v128'));
  const left = func.local('v128');
  const lanes = (j: number): number => (j === vectors - 1 ? tile.lastLanes : e.lanes);

  const step = sequence(
    gathered ? set(at, i32.add(get(b), i32.load(get(table)))) : () => {},
    ...right.map((x, j) => set(x, loadPart(e, get(at), tile.b.exact ? lanes(j) : e.lanes, j * 16))),
    ...sums.flatMap((row, i) => [
      set(left, e.loadSplat(get(a), i * tile.a.row)),
      ...row.map((sum, j) => set(sum, e.multiplyAdd(get(left), get(right[j]!), get(sum)))),
    ]),
    set(a, i32.add(get(a), i32.const(tile.a.step))),
    gathered ? set(table, i32.add(get(table), i32.const(4))) : set(b, i32.add(get(b), i32.const(tile.b.step ?? 0))),
  );
  const next = tee(k, i32.sub(get(k), i32.const(1)));
  const steps = Array.from({ length: unroll }, (_, u) =>
    u < unroll - 1 ? sequence(step, breakIf(i32.eqz(next), 1)) : step,
  );
  const each = (visit: (sum: number, i: number, j: number) => readonly Code[]): Code[] =>
    sums.flatMap((row, i) => row.flatMap((sum, j) => visit(sum, i, j)));
  func.body(
    sequence(
      ...each((sum, i, j) => [set(sum, tile.accumulate ? loadC(e, tile, get(c), i, j, lanes(j)) : e.zero)]),
      tile.empty ? () => {} : block(doWhile(sequence(...steps), next)),
      ...each((sum, i, j) => storeC(e, tile, get(c), sum, i, j, lanes(j))),
    ),
  );
  return func;
}

const contiguous = (e: Arithmetic, tile: Tile): boolean => tile.c.column === e.bytes;

function loadC(e: Arithmetic, tile: Tile, c: Code, i: number, j: number, lanes: number): Code {
  const at = (lane: number): number => i * tile.c.row + (j * e.lanes + lane) * tile.c.column;
  if (contiguous(e, tile)) return loadPart(e, c, lanes, at(0));
  let vector = e.loadFirst(c, at(0));
  for (let lane = 1; lane < lanes; lane++) vector = e.loadLane(c, vector, lane, at(lane));
  return vector;
}

function storeC(e: Arithmetic, tile: Tile, c: Code, sum: number, i: number, j: number, lanes: number): readonly Code[] {
  const at = (lane: number): number => i * tile.c.row + (j * e.lanes + lane) * tile.c.column;
  if (contiguous(e, tile)) return storePart(e, c, get(sum), lanes, at(0));
  return Array.from({ length: lanes }, (_, lane) => e.storeLane(c, get(sum), lane, at(lane)));
}
