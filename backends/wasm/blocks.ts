/**
 * Which bytes of an address range are in use: best fit, with neighbouring holes merged at once.
 *
 * Blocks are linked in the order of their addresses, so that merging is a look at both neighbours; holes are linked besides
 * in bins, four to an octave of sizes. Everything in a bin is smaller than everything in the next, so the best fit is the
 * smallest that fits of the first bin that has one. An exact fit ends the search, and tensors of a program come in few
 * sizes: in practice it looks at one hole.
 */

/** Addresses and sizes are multiples of this: a cache line, and every vector. */
export const alignment = 64;

/** Round up to a multiple of {@link alignment}. */
export const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/** A range of addresses: a hole, or in use by its tenant, or (without one) for good. */
export class Block<T> {
  address: number;
  size: number;
  free = false;
  tenant: T | null = null;
  /** The neighbours in the order of addresses. */
  before: Block<T> | null = null;
  after: Block<T> | null = null;
  /** The neighbours in the bin of a hole. */
  previous: Block<T> | null = null;
  next: Block<T> | null = null;

  constructor(address: number, size: number) {
    this.address = address;
    this.size = size;
  }
}

/** Four bins an octave, up to 4 GiB of 64-byte units. */
const binCount = 4 * 27;

function binOf(size: number): number {
  const units = size / alignment;
  const octave = 31 - Math.clz32(units);
  return 4 * octave + (Math.floor((4 * units) / 2 ** octave) & 3);
}

/** The blocks of one range of addresses that can be extended at its end. */
export class Blocks<T> {
  readonly #bins: (Block<T> | null)[] = new Array<Block<T> | null>(binCount).fill(null);
  #first: Block<T> | null = null;
  #last: Block<T> | null = null;
  #end: number;
  /** Bytes in holes. */
  free = 0;
  /** How many blocks are no holes. */
  used = 0;

  constructor(start: number) {
    this.#end = start;
  }

  /** The bytes of the hole at the end of the range, which extending it lengthens. */
  get tail(): number {
    return this.#last?.free ? this.#last.size : 0;
  }

  /** Let the range end at `end`, a multiple of {@link alignment} that is not before the end so far. */
  extend(end: number): void {
    if (end === this.#end) return;
    const block = new Block<T>(this.#end, end - this.#end);
    block.before = this.#last;
    if (this.#last) this.#last.after = block;
    else this.#first = block;
    this.#last = block;
    this.#end = end;
    this.#open(block);
  }

  /** A block of exactly `size` bytes from the smallest hole that holds it; `null` if none does. */
  take(size: number): Block<T> | null {
    if (size > this.free) return null;
    const hole = this.#best(size);
    return hole && this.cut(hole, size);
  }

  /** A block of `size` bytes from the beginning of a hole that holds it. */
  cut(hole: Block<T>, size: number): Block<T> {
    this.#unbin(hole);
    hole.free = false;
    this.used++;
    if (hole.size > size) this.#bin(this.#split(hole, size));
    return hole;
  }

  /** Make a block a hole; returns the hole that it and its neighbours are now. */
  give(block: Block<T>): Block<T> {
    this.used--;
    block.tenant = null;
    return this.#open(block);
  }

  /** All blocks in the order of their addresses. */
  *[Symbol.iterator](): Generator<Block<T>> {
    for (let block = this.#first; block; block = block.after) yield block;
  }

  #best(size: number): Block<T> | null {
    for (let bin = binOf(size); bin < binCount; bin++) {
      let best: Block<T> | null = null;
      for (let hole = this.#bins[bin] ?? null; hole; hole = hole.next) {
        if (hole.size === size) return hole;
        if (hole.size > size && (!best || hole.size < best.size)) best = hole;
      }
      if (best) return best;
    }
    return null;
  }

  /** Merge a block that is in no bin with the holes beside it. */
  #open(block: Block<T>): Block<T> {
    const { before, after } = block;
    let hole = block;
    if (before?.free) {
      this.#unbin(before);
      this.#swallow(before, block);
      hole = before;
    }
    if (after?.free) {
      this.#unbin(after);
      this.#swallow(hole, after);
    }
    this.#bin(hole);
    return hole;
  }

  /** Lengthen `block` by its right neighbour. */
  #swallow(block: Block<T>, right: Block<T>): void {
    block.size += right.size;
    block.after = right.after;
    if (right.after) right.after.before = block;
    else this.#last = block;
  }

  /** Cut `block` to `size`; returns the rest. */
  #split(block: Block<T>, size: number): Block<T> {
    const rest = new Block<T>(block.address + size, block.size - size);
    rest.before = block;
    rest.after = block.after;
    if (block.after) block.after.before = rest;
    else this.#last = rest;
    block.after = rest;
    block.size = size;
    return rest;
  }

  #bin(hole: Block<T>): void {
    const bin = binOf(hole.size);
    const head = this.#bins[bin] ?? null;
    hole.free = true;
    hole.previous = null;
    hole.next = head;
    if (head) head.previous = hole;
    this.#bins[bin] = hole;
    this.free += hole.size;
  }

  #unbin(hole: Block<T>): void {
    if (hole.previous) hole.previous.next = hole.next;
    else this.#bins[binOf(hole.size)] = hole.next;
    if (hole.next) hole.next.previous = hole.previous;
    hole.previous = null;
    hole.next = null;
    this.free -= hole.size;
  }
}
