/** Neighbouring blocks that can make one hole: holes, and tensors that no running program has pinned. */

import type { Block } from './blocks.ts';
import type { LargeBytes } from './storage.ts';

/** Whether a block is a hole or can become one: not what is lent, nor what is pinned. */
const canMove = ({ free, tenant }: Block<LargeBytes>): boolean => free || (tenant !== null && tenant.pins === 0);

/**
 * Neighbouring blocks of at least `size` bytes, none of them pinned or reserved, with the fewest bytes to move; `null` if
 * there are none.
 */
export function cheapestRun(blocks: Iterable<Block<LargeBytes>>, size: number): readonly Block<LargeBytes>[] | null {
  let best: readonly Block<LargeBytes>[] | null = null;
  let fewest = Number.POSITIVE_INFINITY;
  let run: Block<LargeBytes>[] = [];
  let [room, moved] = [0, 0];
  const cost = (block: Block<LargeBytes>): number => (block.free ? 0 : block.size);
  for (const block of blocks) {
    if (!canMove(block)) {
      run = [];
      room = moved = 0;
      continue;
    }
    run.push(block);
    room += block.size;
    moved += cost(block);
    while (room - run[0]!.size >= size) {
      const left = run.shift()!;
      room -= left.size;
      moved -= cost(left);
    }
    if (room >= size && moved < fewest) {
      best = [...run];
      fewest = moved;
    }
  }
  return best;
}

/** The first blocks from the lowest address on that make room for `size` bytes and can all move; `null` if there are none. */
export function lowestRun(blocks: Iterable<Block<LargeBytes>>, size: number): readonly Block<LargeBytes>[] | null {
  let run: Block<LargeBytes>[] = [];
  let room = 0;
  for (const block of blocks) {
    if (!canMove(block)) {
      run = [];
      room = 0;
      continue;
    }
    run.push(block);
    room += block.size;
    if (room >= size) return run;
  }
  return null;
}

/** The sizes of the tensors that are pinned, the largest first. */
export function pinnedIn(blocks: Iterable<Block<LargeBytes>>): readonly number[] {
  const pinned: number[] = [];
  for (const { tenant } of blocks) if (tenant && tenant.pins > 0) pinned.push(tenant.byteLength);
  return pinned.sort((a, b) => b - a);
}
