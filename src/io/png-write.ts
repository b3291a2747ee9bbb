/** Images as PNG files, through `fast-png`. */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { Tensor, type Value } from '../core/value.ts';
import type { WriteError } from './failure.ts';
import { writeBytes } from './file.ts';

/**
 * An image as the bytes of a PNG file, of 8 bits: what `decodeImage` and `imageTensor` read again, to a 255th.
 *
 * @param image - float[height, width], or float[height, width, channels] of 1 to 4 channels, from 0 to 1; what lies outside is clipped, NaN is 0
 * @returns a promise, which a ShapeError rejects for other shapes, and for a tracer, which has no elements
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * import { decodeImage, encodePng } from 'pullback/io';
 * const bytes = await encodePng(np.array([[0, 1], [0.2, 0.4]]));
 * const read = await decodeImage(bytes, 'image.png');
 * if (read._tag === 'Right') console.log(read.right.data); // => Uint8Array(4) [ 0, 255, 51, 102 ]
 * ```
 */
export async function encodePng(image: Value): Promise<Uint8Array> {
  const [height = 0, width = 0, channels = 1] = image.shape;
  const fits = (image.ndim === 2 || (image.ndim === 3 && channels >= 1 && channels <= 4)) && height > 0 && width > 0;
  if (!fits || !(image instanceof Tensor)) {
    throw new ShapeError({
      op: 'io.encodePng',
      problem: `${showAval(image.aval)} is no image${image instanceof Tensor ? '' : ', but a tracer'}`,
      remedy: 'pass float[height, width] or float[height, width, channels] with 1 to 4 channels, outside of transforms',
    });
  }
  const data = Uint8Array.from(image.dataSync(), (x) => Math.round(255 * Math.min(1, Math.max(0, Number(x) || 0))));
  const { encode } = await import('fast-png');
  return encode({ width, height, data, channels: channels as 1 | 2 | 3 | 4, depth: 8 });
}

/** Write {@link encodePng} of an image, whole or not at all; folders are made. */
export const writePng = (path: string, image: Value): TE.TaskEither<WriteError, string> =>
  pipe(
    TE.fromTask(() => encodePng(image)),
    TE.flatMap((bytes) => writeBytes(path, bytes)),
  );
