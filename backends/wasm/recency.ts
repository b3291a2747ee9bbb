/** Large bytes in linear memory in the order of their last use, linked through themselves: a touch allocates nothing. */

import type { LargeBytes } from './storage.ts';

export class Recency {
  oldest: LargeBytes | null = null;
  #newest: LargeBytes | null = null;
  size = 0;

  /** Add as the newest. */
  add(bytes: LargeBytes): void {
    bytes.older = this.#newest;
    bytes.newer = null;
    if (this.#newest) this.#newest.newer = bytes;
    else this.oldest = bytes;
    this.#newest = bytes;
    this.size++;
  }

  remove(bytes: LargeBytes): void {
    const { older, newer } = bytes;
    if (older) older.newer = newer;
    else this.oldest = newer;
    if (newer) newer.older = older;
    else this.#newest = older;
    bytes.older = null;
    bytes.newer = null;
    this.size--;
  }

  /** Make the newest. */
  touch(bytes: LargeBytes): void {
    if (bytes === this.#newest) return;
    this.remove(bytes);
    this.add(bytes);
  }
}
