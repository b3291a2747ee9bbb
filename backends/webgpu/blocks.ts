/** Buffers of the GPU, by their size: what is free is used again before a new one is made. */

import { DeviceMemoryError } from '../../src/core/errors.ts';
import type { Connection } from './connection.ts';

/** A buffer, and what is known of its use. */
export interface Block {
  /** Tells it from all others; what stands for it in keys of caches. */
  readonly id: number;
  readonly buffer: GPUBuffer;
  readonly size: number;
  /** The last batch of commands that was told of it. */
  batch: number;
}

const least = 256;

/** Sizes that are kept apart: four in each power of two, so that at most a fifth of a buffer is not used. */
export function classOf(bytes: number): number {
  if (bytes <= least) return least;
  const step = Math.max(least, 2 ** (Math.ceil(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}

export class Blocks {
  private readonly connection: Connection;
  /** Those that are free, the one freed last at the end. */
  private readonly free = new Map<number, Block[]>();
  private next = 0;
  /** Buffers made so far. */
  created = 0;
  /** Bytes of all buffers, and of those that are free. */
  total = 0;
  idle = 0;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** A free block of this class; of several one that the batch `except` does not know, if there is one. */
  take(size: number, except = -1): Block | null {
    const list = this.free.get(size);
    if (!list || list.length === 0) return null;
    const found = list.findLastIndex(({ batch }) => batch !== except);
    const [block] = list.splice(found < 0 ? list.length - 1 : found, 1);
    this.idle -= size;
    return block!;
  }

  /** @throws DeviceMemoryError for more than the GPU has in one buffer */
  make(size: number, usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST): Block {
    const { device, facts } = this.connection;
    if (size > facts.bufferBytes) {
      throw new DeviceMemoryError({
        op: 'webgpu',
        problem: `a tensor of ${size} bytes, and a buffer of ${facts.name} has at most ${facts.bufferBytes}`,
        remedy: 'compute in smaller pieces, or on the default device',
      });
    }
    const buffer = device.createBuffer({ size, usage });
    this.created += 1;
    this.total += size;
    return { id: this.next++, buffer, size, batch: -1 };
  }

  give(block: Block): void {
    const list = this.free.get(block.size);
    if (list) list.push(block);
    else this.free.set(block.size, [block]);
    this.idle += block.size;
  }

  /** Whether a free block is known to the batch, whose commands are not submitted: it must not be destroyed before. */
  knows(batch: number): boolean {
    return [...this.free.values()].some((list) => list.some((block) => block.batch === batch));
  }

  /** Destroy free blocks until at most `bytes` are left in all. */
  shrink(bytes: number): void {
    for (const [size, list] of this.free) {
      while (list.length > 0 && this.total > bytes) {
        list.shift()!.buffer.destroy();
        this.total -= size;
        this.idle -= size;
      }
      if (this.total <= bytes) return;
    }
  }
}
