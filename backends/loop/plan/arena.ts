/** Memory of a running program, given out before it runs: each value has a range as long as it lives, the best fitting hole. */

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
