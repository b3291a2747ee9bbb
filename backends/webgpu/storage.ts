/**
 * What a tensor of the device holds: a block of the GPU, a copy on the host, or both; as tensors never change, either is right.
 *
 * A storage and its cell are two objects because one must be garbage before the other: the device's list of cells, which it goes through
 * for blocks to give away, must not reach the storage. The finalizer's held value ({@link Lease}) reaches the cell while it has a block
 * only: held beyond that, it would keep every copy on the host alive in a loop that never yields.
 */

import type { Storage } from '../../src/core/backend.ts';
import type { TypedArray } from '../../src/core/dtype.ts';
import type { Block } from './blocks.ts';

/** Elements as the GPU has them, four bytes each. */
export type Words = Uint32Array | Int32Array | Float32Array;

export class Cell {
  block: Block | null = null;
  host: Words | null = null;
  /** Programs that are being encoded and need it where it is. */
  pins = 0;
  freed = false;
  /** The elements were read back, to make room. */
  moved = false;
  /** Why it has no elements: the program that was to make them failed. */
  failure: Error | null = null;
  lease: Lease | null = null;
  readonly byteLength: number;

  constructor(byteLength: number) {
    this.byteLength = byteLength;
  }
}

export class Lease {
  cell: Cell | null;

  constructor(cell: Cell) {
    this.cell = cell;
  }
}

/** The elements of a tensor on a WebGPU device. */
export class WebgpuStorage implements Storage {
  /** @internal */
  readonly cell: Cell;

  constructor(cell: Cell) {
    this.cell = cell;
  }

  get byteLength(): number {
    return this.cell.byteLength;
  }
}

/** Elements as words: booleans are 0 and 1 in four bytes. The array itself where it is words already. */
export const wordsOf = (host: TypedArray): Words =>
  host instanceof Uint8Array ? Uint32Array.from(host) : (host as Words);
