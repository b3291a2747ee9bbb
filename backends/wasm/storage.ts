/**
 * What a tensor of the device holds: bytes that are in linear memory, or on the host, or (freed) nowhere.
 *
 * A storage and its bytes are two objects because one must be garbage before the other. The table of blocks reaches the
 * bytes, and must, to move them out when their place is needed; it must not reach the storage, or nothing would ever be
 * garbage. The finalizer's held value ({@link Lease}) reaches the bytes while they are in linear memory only: held beyond
 * that, it would keep every evicted copy alive in a loop that never yields.
 */

import type { Storage } from '../../src/core/backend.ts';
import type { Block } from './blocks.ts';

/** Bytes of at most `smallBytes`, which take turns in the cells of a nursery (`nursery.ts`). */
export class SmallBytes {
  /** Where they are; 0 if not in linear memory. */
  address = 0;
  /** Where whole words of them are, if they were moved out, and the first of these words. */
  host: Int32Array | null = null;
  from = 0;
  pins = 0;
  /** Pinned since the nursery last looked: they get another turn. */
  used = false;
  freed = false;
  /** The number of their cell, while `address` is not 0. */
  cell = 0;
  readonly byteLength: number;

  constructor(byteLength: number) {
    this.byteLength = byteLength;
  }

  /** How many words hold them. */
  get words(): number {
    return (this.byteLength + 3) >> 2;
  }
}

/** Bytes with a block of their own. */
export class LargeBytes {
  address = 0;
  /** They themselves, while they have no block; never both, so that every byte is counted once. */
  host: ArrayBuffer | null = null;
  pins = 0;
  freed = false;
  block: Block<LargeBytes> | null = null;
  /** The neighbours in the order of last use, while there is a block. */
  older: LargeBytes | null = null;
  newer: LargeBytes | null = null;
  /** The storage, from when they get a block to the end of the job; then a finalizer watches it. */
  owner: WasmStorage | null = null;
  /** Their place among those with an owner. */
  youngAt = -1;
  lease: Lease | null = null;
  readonly byteLength: number;

  constructor(byteLength: number) {
    this.byteLength = byteLength;
  }
}

/** What the registry of finalizers holds: the way to a block, cut when the block is given up. */
export class Lease {
  bytes: LargeBytes | null;

  constructor(bytes: LargeBytes) {
    this.bytes = bytes;
  }
}

/** The elements of a tensor on a WebAssembly device. */
export class WasmStorage implements Storage {
  readonly byteLength: number;
  /** @internal */
  readonly small: SmallBytes | null;
  /** @internal */
  readonly large: LargeBytes | null;

  constructor(byteLength: number, small: SmallBytes | null, large: LargeBytes | null) {
    this.byteLength = byteLength;
    this.small = small;
    this.large = large;
  }
}
