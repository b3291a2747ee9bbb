/** What a device is made of: a connection, its queue of commands, its memory, and what is compiled for it. */

import type { Block } from './blocks.ts';
import type { Connection } from './connection.ts';
import { Memory } from './memory.ts';
import { Counters, Pipelines } from './pipelines.ts';
import { Queue } from './queue.ts';

export class Gpu {
  readonly connection: Connection;
  readonly queue: Queue;
  readonly memory: Memory;
  readonly pipelines: Pipelines;
  readonly counters: Counters;
  /** What slots are that nothing is bound to. */
  readonly nothing: Block;

  constructor(connection: Connection, budget: number) {
    this.connection = connection;
    this.queue = new Queue(connection);
    this.memory = new Memory(connection, this.queue, budget);
    this.pipelines = new Pipelines(connection);
    this.counters = new Counters(connection, this.queue, this.pipelines);
    this.nothing = this.memory.blocks.make(256);
  }

  /** A block that holds what a gate writes, or is to write. */
  gateBlock(words: readonly number[]): Block {
    const { STORAGE, INDIRECT, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const usage = STORAGE | INDIRECT | COPY_SRC | COPY_DST;
    const block = this.memory.blocks.make(4 * words.length, usage);
    this.queue.write(block, Uint32Array.from(words));
    return block;
  }
}
