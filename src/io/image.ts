/**
 * Images as samples, and the two kinds of file that hold them: PNG and JPEG.
 *
 * Channels are 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGB and alpha, not premultiplied), as stored; samples have 8 or 16
 * bits. Colour profiles, gamma and EXIF are ignored, the rotation in EXIF among them: pixels come as the file has them.
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { makeAval } from '../core/aval.ts';
import { DTypeError } from '../core/errors.ts';
import { type Tensor, tensorFrom } from '../core/value.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { corrupt, type DecodeError, type DecodeErrors, decodeErrors, type Reading } from './failure.ts';
import { readBytes } from './file.ts';
import { decodeJpegPixels, isJpeg } from './jpeg.ts';
import { decodePngPixels, isPng } from './png.ts';

/** Samples of an image. */
export interface Pixels {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 2 | 3 | 4;
  /** `height × width × channels` samples, row-major: of 8 bits, or of 16 where the file has 16. */
  readonly data: Uint8Array | Uint16Array;
}

/** Options of decoding images. */
export interface ImageOptions {
  /**
   * The channels that are wanted; default: those of the file. Alpha is dropped, not blended, and added as opaque; grey becomes
   * three equal channels; RGB becomes grey by ITU-R 601 (0.299 R + 0.587 G + 0.114 B, rounded).
   */
  readonly channels?: Pixels['channels'];
  /** Images of more pixels are refused before anything is decoded; default 2²⁶, 8192 × 8192. */
  readonly maxPixels?: number;
}

const defaultPixels = 2 ** 26;

/** @throws DTypeError unless these are options of images */
export function imageOptions(op: string, options: ImageOptions): Required<ImageOptions> | { maxPixels: number } {
  expectOptions(op, options, 'channels', 'maxPixels');
  const { channels, maxPixels = defaultPixels } = options;
  if (channels !== undefined && ![1, 2, 3, 4].includes(channels)) {
    throw new DTypeError({ op, problem: `channels is ${describe(channels)}`, remedy: 'use 1, 2, 3 or 4' });
  }
  if (!(Number.isSafeInteger(maxPixels) && maxPixels > 0)) {
    throw new DTypeError({ op, problem: `maxPixels is ${describe(maxPixels)}`, remedy: 'use a positive integer' });
  }
  return channels === undefined ? { maxPixels } : { channels, maxPixels };
}

/**
 * Decode a PNG or JPEG file; its first bytes tell which. The promise never rejects.
 *
 * What is damaged or cut short is refused, and so is what declares more pixels than its bytes can hold, before memory is taken
 * for them. JPEG: baseline and progressive, grey or colour of 8 bits; not CMYK, arithmetic coding or lossless. PNG: all but
 * interlaced ones of fewer than 8 bits; a palette becomes RGB, a transparent colour alpha, and 1, 2 and 4 bits are stretched to 8.
 *
 * @param source - what the bytes came from, for the messages
 * @throws DTypeError for options that there are not, at once
 */
export function decodeImage(
  bytes: Uint8Array,
  source: string,
  options: ImageOptions = {},
): Promise<E.Either<DecodeErrors, Pixels>> {
  const checked = imageOptions('io.decodeImage', options);
  return pixelsOf(bytes, source, checked);
}

async function pixelsOf(
  bytes: Uint8Array,
  source: string,
  options: ReturnType<typeof imageOptions>,
): Promise<E.Either<DecodeErrors, Pixels>> {
  const decode = isPng(bytes) ? decodePngPixels : isJpeg(bytes) ? decodeJpegPixels : noImage;
  return pipe(
    await decode(bytes, options.maxPixels),
    E.bimap(
      (error) => decodeErrors(source, error),
      (pixels) => ('channels' in options ? withChannels(pixels, options.channels) : pixels),
    ),
  );
}

const noImage = (bytes: Uint8Array): Promise<E.Either<DecodeError, Pixels>> => {
  const beginning = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return Promise.resolve(E.left(corrupt(`neither a PNG nor a JPEG file: it begins with ${beginning || 'nothing'}.`)));
};

/**
 * Read a PNG or JPEG file; see {@link decodeImage}.
 *
 * @throws DTypeError for options that there are not, at once and not in the task
 *
 * @example
 * ```ts
 * import * as E from 'fp-ts/lib/Either.js';
 * import { readImage, showFailure } from 'pullback/io';
 * const image = await readImage('cat.png', { channels: 3 })();
 * console.log(E.isLeft(image) && showFailure(image.left)); // => cat.png: cannot be read: no such file or folder
 * ```
 */
export function readImage(path: string, options: ImageOptions = {}): Reading<Pixels> {
  const checked = imageOptions('io.readImage', options);
  return readPixels(path, checked);
}

/** {@link readImage} with options that have been checked. */
export const readPixels = (path: string, options: ReturnType<typeof imageOptions>): Reading<Pixels> =>
  pipe(
    readBytes(path),
    TE.flatMap(
      (bytes): Reading<Pixels> =>
        () =>
          pixelsOf(bytes, path, options),
    ),
  );

/** The same image with as many channels. */
function withChannels(pixels: Pixels, wanted: Pixels['channels']): Pixels {
  const { height, width, channels, data } = pixels;
  if (channels === wanted) return pixels;
  const count = height * width;
  const out = data instanceof Uint8Array ? new Uint8Array(count * wanted) : new Uint16Array(count * wanted);
  const opaque = data instanceof Uint8Array ? 255 : 65535;
  const [coloured, transparent] = [channels >= 3, channels % 2 === 0];
  for (let i = 0; i < count; i++) {
    const from = i * channels;
    const to = i * wanted;
    const alpha = transparent ? data[from + channels - 1]! : opaque;
    if (wanted >= 3) {
      for (let c = 0; c < 3; c++) out[to + c] = data[from + (coloured ? c : 0)]!;
    } else {
      const [r, g, b] = [data[from]!, data[from + 1]!, data[from + 2]!];
      // Thousandths are integers, so that rounding is the same everywhere.
      out[to] = coloured ? Math.floor((299 * r + 587 * g + 114 * b + 500) / 1000) : r;
    }
    if (wanted % 2 === 0) out[to + wanted - 1] = alpha;
  }
  return { height, width, channels: wanted, data: out };
}

/**
 * An image as a tensor float32[height, width, channels], from 0 to 1: samples divided by 255, or by 65,535 where they have 16 bits.
 *
 * @example
 * ```ts
 * import { imageTensor } from 'pullback/io';
 * const image = { height: 1, width: 2, channels: 1, data: Uint8Array.of(0, 255) } as const;
 * console.log(imageTensor(image)); // => float32[1,2,1] [[[0], [1]]]
 * ```
 */
export function imageTensor(pixels: Pixels): Tensor<'float32'> {
  const { height, width, channels } = pixels;
  return tensorFrom(makeAval([height, width, channels], 'float32'), unitSamples(pixels));
}

/** The samples of an image from 0 to 1. */
export function unitSamples({ data }: Pixels): Float32Array {
  const most = data instanceof Uint8Array ? 255 : 65535;
  return Float32Array.from(data, (sample) => sample / most);
}
