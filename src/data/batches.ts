/**
 * Labelled images as a sequence of batches in a given order.
 *
 * Bytes become numbers batch by batch, as they are used, so that a set stays as small in memory as its file.
 */

import type { LabelledImages } from '../io/mnist.ts';

/** A few images, ready to be tensors. */
export interface Batch {
  readonly count: number;
  /** `count × rows × columns` numbers: 0 is paper, 1 is ink. */
  readonly images: Float32Array;
  /** `count` classes. */
  readonly labels: Int32Array;
}

/**
 * A random order of `words.length` things: their indices, sorted by a random word each, as JAX shuffles.
 *
 * Equal words, one pair in 2³² of them, keep their order.
 */
export const randomOrder = (words: Uint32Array): number[] =>
  Array.from(words, (_, i) => i).sort((a, b) => words[a]! - words[b]!);

/** The images at `order`, `size` at a time; the last batch holds what is left and may be smaller. */
export function* batches(set: LabelledImages, order: readonly number[], size: number): Generator<Batch, void> {
  const pixels = set.rows * set.columns;
  for (let start = 0; start < order.length; start += size) {
    const chosen = order.slice(start, start + size);
    const images = new Float32Array(chosen.length * pixels);
    for (const [row, i] of chosen.entries()) {
      for (let p = 0; p < pixels; p++) images[row * pixels + p] = set.pixels[i * pixels + p]! / 255;
    }
    yield { count: chosen.length, images, labels: Int32Array.from(chosen, (i) => set.labels[i]!) };
  }
}
