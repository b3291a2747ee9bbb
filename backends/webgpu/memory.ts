/**
 * Memory of the GPU as a cache of immutable values. Results stay there. What the budget has no room for is moved to the host, what was used
 * longest ago first, many at a time and with one read for all of them; where the elements are on the host already nothing is read.
 */

import { DeviceMemoryError } from '../../src/core/errors.ts';
import { type Block, Blocks, classOf } from './blocks.ts';
import type { Connection } from './connection.ts';
import type { Queue } from './queue.ts';
import { Cell, Lease, WebgpuStorage, type Words } from './storage.ts';

/**
 * Tensors with a block, however small, at most; then a quarter of them moves, as tensors that nobody has any more are not told of in a
 * loop that never yields. Where one that was moved is used again, more of them are in use, and there may be twice as many.
 */
const mostCells = 1024;
/** Bytes of what is likely to be read and not used again. */
const small = 256;
/** At least this part of the budget is made free at once. */
const share = 1 / 8;

export class Memory {
  readonly budget: number;
  readonly blocks: Blocks;
  private readonly queue: Queue;
  private readonly connection: Connection;
  /** Cells with a block, the one used last at the end. */
  private readonly cells = new Set<Cell>();
  private most = mostCells;
  private readonly left = new FinalizationRegistry<Lease>(({ cell }) => {
    if (cell) this.release(cell);
  });
  /** Cells filled since all was known to be well. */
  private readonly unsure = new Set<Cell>();
  /** Tensors moved to the host so far. */
  evicted = 0;

  constructor(connection: Connection, queue: Queue, budget: number) {
    this.connection = connection;
    this.queue = queue;
    this.budget = budget;
    this.blocks = new Blocks(connection);
    connection.onSound = () => this.unsure.clear();
    connection.onProblem = (problem) => {
      for (const cell of this.unsure) cell.failure = problem;
      this.unsure.clear();
    };
  }

  /** A storage of words on the host; they reach the GPU when a program needs them. */
  adopt(host: Words): WebgpuStorage {
    const cell = new Cell(host.byteLength);
    cell.host = host;
    return new WebgpuStorage(cell);
  }

  /** A storage that has its block once `fill` is told. */
  empty(bytes: number): WebgpuStorage {
    return new WebgpuStorage(new Cell(bytes));
  }

  /** The block of a storage that a program reads, in which its elements are. @throws the failure of the program that was to make it */
  use(storage: WebgpuStorage): Block {
    const { cell } = storage;
    if (cell.failure) throw cell.failure;
    if (!cell.block) {
      if (cell.moved && this.cells.size > this.most / 2) this.most *= 2;
      cell.moved = false;
      const block = this.take(cell.byteLength, true);
      if (cell.byteLength > 0) this.queue.write(block, cell.host!);
      this.fill(storage, block);
    } else {
      this.cells.delete(cell);
      this.cells.add(cell);
    }
    return cell.block!;
  }

  /** The elements of the storage are in this block. */
  fill(storage: WebgpuStorage, block: Block): void {
    const { cell } = storage;
    if (cell.freed) {
      this.blocks.give(block);
      return;
    }
    cell.block = block;
    cell.lease = new Lease(cell);
    this.left.register(storage, cell.lease);
    this.cells.add(cell);
    if (!cell.host) this.unsure.add(cell);
  }

  /** The cell stays where it is until it is let go as often. */
  hold(cell: Cell): void {
    cell.pins += 1;
  }

  letGo(cell: Cell): void {
    cell.pins -= 1;
    if (cell.freed && cell.pins === 0) this.release(cell);
  }

  /** What a cell holds was read. Of a loss that is shown and a flag that is asked the host has all, and the block is free again. */
  known(cell: Cell, words: Words): void {
    if (cell.byteLength > small || cell.freed) return;
    cell.host = words;
    if (cell.pins === 0) this.release(cell);
  }

  /** Nobody will use the storage again. */
  free({ cell }: WebgpuStorage): void {
    cell.freed = true;
    cell.host = null;
    if (cell.pins === 0) this.release(cell);
  }

  /**
   * A block of at least so many bytes.
   *
   * @param written - whether the host is to write to it: then it must not be known to commands that are not submitted
   * @throws DeviceMemoryError
   */
  take(bytes: number, written = false): Block {
    const { blocks, budget, queue } = this;
    const size = classOf(bytes);
    if (this.cells.size >= this.most) this.thin();
    const ready = (): Block | null => blocks.take(size, queue.batch);
    let found = ready();
    if (!found && blocks.total + size > budget) {
      this.shrink(budget - size);
      if (blocks.total + size > budget) {
        this.evict(Math.max(blocks.total + size - budget, budget * share), 0);
        found = ready();
        if (!found) this.shrink(budget - size);
      }
      if (!found && blocks.total + size > budget) this.refuse(bytes);
    }
    found ??= blocks.make(size);
    if (written && found.batch === queue.batch) queue.flush();
    return found;
  }

  give(block: Block): void {
    this.blocks.give(block);
  }

  private shrink(bytes: number): void {
    if (this.blocks.total > bytes && this.blocks.knows(this.queue.batch)) this.queue.flush();
    this.blocks.shrink(bytes);
  }

  private release(cell: Cell): void {
    const { block } = cell;
    if (!block) return;
    this.cells.delete(cell);
    this.unsure.delete(cell);
    cell.block = null;
    cell.lease!.cell = null;
    cell.lease = null;
    this.blocks.give(block);
  }

  /** There are many tensors: a quarter of them moves, or, on a page, which cannot move them and is told of those that are gone, there may be more. */
  private thin(): void {
    if (this.connection.sync) this.evict(0, this.most / 4);
    else this.most *= 2;
  }

  /** Make so many bytes free, of at least so many cells, those that were used longest ago first. */
  private evict(bytes: number, count: number): void {
    const chosen: Cell[] = [];
    let room = 0;
    for (const cell of this.cells) {
      if (room >= bytes && chosen.length >= count) break;
      if (cell.pins > 0) continue;
      chosen.push(cell);
      room += cell.block!.size;
    }
    const unread = chosen.filter((cell) => cell.host === null && cell.byteLength > 0);
    if (unread.length > 0 && !this.connection.sync) {
      throw new DeviceMemoryError({
        op: 'webgpu',
        problem: `tensors of ${this.budget} bytes are in use, which is the budget of the device, and a page cannot move them to the host without waiting`,
        remedy: 'await the data() of a tensor now and then, or give the device a larger budget',
      });
    }
    for (const some of inParts(unread)) {
      this.queue.readNow(
        some.map((cell) => ({ block: cell.block!, bytes: cell.byteLength })),
        (i, words) => {
          some[i]!.host = words;
          some[i]!.moved = true;
        },
      );
    }
    for (const cell of chosen) this.release(cell);
    this.evicted += chosen.length;
  }

  private refuse(bytes: number): never {
    const used = this.blocks.total - this.blocks.idle;
    throw new DeviceMemoryError({
      op: 'webgpu',
      problem: `no room for ${bytes} bytes: ${used} of a budget of ${this.budget} are in use by the program that runs`,
      remedy: 'give the device a larger budget, compute in smaller pieces, or recompute with checkpoint',
    });
  }
}

/** What is read at once: 64 MiB, or one tensor that is larger. */
function inParts(cells: readonly Cell[]): readonly (readonly Cell[])[] {
  const parts: Cell[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const cell of cells) {
    if (bytes + cell.byteLength > 2 ** 26) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)!.push(cell);
    bytes += cell.byteLength;
  }
  return parts;
}
