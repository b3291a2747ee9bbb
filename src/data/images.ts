/** Sets of images as datasets: bytes become numbers as they are asked for, so that a set stays as small in memory as its file. */

import type { LabelledImages } from '../io/mnist.ts';
import { type Dataset, make } from './dataset.ts';
import { type HostArray, integer, madeOf } from './element.ts';

/** A grey image with its class. */
export interface LabelledImage {
  /** float32[rows, columns, 1], from 0 (paper) to 1 (ink). */
  readonly image: HostArray<'float32'>;
  /** int32[]. */
  readonly label: HostArray<'int32'>;
}

/**
 * The images of a set, in its order.
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { random } from 'pullback';
 * import { dataset, digits, labelledImages } from 'pullback/data';
 * const set = labelledImages(await digits(random.key(0), 10));
 * const { image, label } = pipe(set, dataset.batch(4)).at(0);
 * console.log(image.shape, label.dtype); // => [ 4, 28, 28, 1 ] int32
 * ```
 */
export function labelledImages({ count, rows, columns, pixels, labels }: LabelledImages): Dataset<LabelledImage> {
  const size = rows * columns;
  return make(count, (i) => {
    const image = new Float32Array(size);
    for (let p = 0; p < size; p++) image[p] = pixels[i * size + p]! / 255;
    return { image: madeOf('float32', [rows, columns, 1], image), label: integer(labels[i]!) };
  });
}
