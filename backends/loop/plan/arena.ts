/** Memory of a running program, given out before it runs: each value has a range as long as it lives, the best fitting hole. */

import type { Aval } from '../../../src/core/aval.ts';

const alignment = 64;
/** Whole vectors may be read past the end of a value. */
const slack = 64;

const rounded = (bytes: number): number => Math.ceil((bytes + slack) / alignment) * alignment;

interface Hole {
  offset: number;
  length: number;
}

export class Arena {
  private holes: Hole[] = [];
  private top = 0;

  /** Bytes in use at most so far. */
  get size(): number {
    return this.top;
  }

  /** The offset of a new range. */
  take(bytes: number): number {
    const length = rounded(bytes);
    let best: Hole | null = null;
    for (const hole of this.holes) {
      if (hole.length >= length && (best === null || hole.length < best.length)) best = hole;
    }
    if (best) {
      const { offset } = best;
      best.offset += length;
      best.length -= length;
      if (best.length === 0) this.holes = this.holes.filter((x) => x !== best);
      return offset;
    }
    // A hole at the end grows.
    const last = this.holes.find((x) => x.offset + x.length === this.top);
    if (last) {
      this.holes = this.holes.filter((x) => x !== last);
      this.top = last.offset + length;
      return last.offset;
    }
    const offset = this.top;
    this.top += length;
    return offset;
  }

  /** Give a range back. */
  free(offset: number, bytes: number): void {
    const hole: Hole = { offset, length: rounded(bytes) };
    for (const other of [...this.holes]) {
      if (other.offset + other.length === hole.offset) {
        hole.offset = other.offset;
        hole.length += other.length;
      } else if (hole.offset + hole.length === other.offset) hole.length += other.length;
      else continue;
      this.holes = this.holes.filter((x) => x !== other);
    }
    this.holes.push(hole);
  }
}

/** Memory in which each value has a buffer of its own, or that of one that is gone: what machines need that bind whole buffers. */
export class Buffers {
  /** Bytes of each buffer. */
  readonly sizes: number[] = [];
  private readonly unused = new Set<number>();
  /** Those whose size stays as it is. */
  private readonly fixed = new Set<number>();

  get size(): number {
    return this.sizes.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** The number of a buffer: the smallest unused one that is large enough, or else the largest, which grows. */
  take(bytes: number): number {
    let best: number | null = null;
    for (const i of this.unused) {
      if (best === null || this.fits(i, best, bytes)) best = i;
    }
    if (best === null || (this.fixed.has(best) && this.sizes[best]! < bytes)) return this.sizes.push(bytes) - 1;
    this.unused.delete(best);
    this.sizes[best] = Math.max(this.sizes[best]!, bytes);
    return best;
  }

  /** A buffer of this size now and ever, so that it can change places with another one. */
  takeFixed(bytes: number): number {
    for (const i of this.unused) {
      if (this.sizes[i] !== bytes || !this.fixed.has(i)) continue;
      this.unused.delete(i);
      return i;
    }
    const made = this.sizes.push(bytes) - 1;
    this.fixed.add(made);
    return made;
  }

  free(buffer: number, _bytes: number): void {
    this.unused.add(buffer);
  }

  /** Is the buffer a better choice than `other`? */
  private fits(buffer: number, other: number, bytes: number): boolean {
    const [own, others] = [this.sizes[buffer]!, this.sizes[other]!];
    return own >= bytes ? others < bytes || own < others : others < bytes && own > others;
  }
}

/** Values that are named where a program is too large. */
const shown = 3;

/** The largest values of a program, largest first. */
export class Largest {
  private readonly found: { readonly aval: Aval; readonly bytes: number }[] = [];

  get values(): readonly Aval[] {
    return this.found.map(({ aval }) => aval);
  }

  note(aval: Aval, bytes: number): void {
    if (this.found.length === shown && this.found.at(-1)!.bytes >= bytes) return;
    this.found.push({ aval, bytes });
    this.found.sort((a, b) => b.bytes - a.bytes);
    this.found.length = Math.min(this.found.length, shown);
  }
}
