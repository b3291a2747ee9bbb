/** Digits as tensors: images with an axis of channels, and their classes. */

import { np, type Tensor } from 'pullback';
import type { LabelledImages } from 'pullback/io';

/** Images float32[n, 28, 28, 1], from 0 (paper) to 1 (ink), and classes int32[n]. */
export interface Digits {
  readonly images: Tensor;
  readonly labels: Tensor<'int32'>;
}

/** The first of a set, at most so many. */
export function digitsOf({ count, rows, columns, pixels, labels }: LabelledImages, most = count): Digits {
  const n = Math.min(count, most);
  const values = Float32Array.from(pixels.subarray(0, n * rows * columns), (x) => x / 255);
  return {
    images: np.reshape(np.array(values), [n, rows, columns, 1]),
    labels: np.array(Int32Array.from(labels.subarray(0, n))),
  };
}

/** Some of them, by their places. */
export const chosen = ({ images, labels }: Digits, places: Tensor<'int32'>): Digits => ({
  images: np.take(images, places, 0),
  labels: np.take(labels, places, 0),
});
