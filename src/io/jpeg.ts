/**
 * JPEG: the markers are read here, strictly; the blocks are left to `jpeg-js`.
 *
 * A decoder is given only files that end with their end-of-image marker, of a kind that it knows, and with at least a bit for
 * each block of the size that they declare. Chroma is repeated, not smoothed, where it has fewer samples, so that pixels differ by a
 * few units from libjpeg's. Source: ITU-T T.81.
 */

import * as E from 'fp-ts/lib/Either.js';
import { corrupt, type DecodeError, truncated } from './failure.ts';
import type { Pixels } from './image.ts';

/** Do the bytes begin as a JPEG file does? */
export const isJpeg = (bytes: Uint8Array): boolean =>
  bytes[0] === 0xff && (bytes.length < 2 || (bytes[1] === 0xd8 && (bytes.length < 3 || bytes[2] === 0xff)));

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: number;
}

/** A progressive file shows a block in at most this many scans: 64 coefficients of 3 components, refined bit by bit, take fewer. */
const mostScans = 200;

const unreadable: Readonly<Record<number, string>> = {
  195: 'lossless',
  197: 'hierarchical',
  198: 'hierarchical',
  199: 'hierarchical',
  201: 'arithmetically coded',
  202: 'arithmetically coded',
  203: 'arithmetically coded',
  205: 'arithmetically coded',
  206: 'arithmetically coded',
  207: 'arithmetically coded',
};

/** The frame of a file whose segments follow each other up to the end-of-image marker. */
function readFrame(bytes: Uint8Array, maxPixels: number): E.Either<DecodeError, Frame> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let frame: Frame | null = null;
  let scans = 0;
  let at = 2;
  for (;;) {
    if (bytes.length < at + 2) return E.left(truncated(at + 2, bytes.length));
    if (bytes[at] !== 0xff) return E.left(corrupt(`byte ${at} should begin a marker.`));
    const marker = bytes[at + 1]!;
    // A marker may be preceded by fill bytes.
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0xd9) break;
    if (marker === 0x01 || marker === 0x00 || (marker >= 0xd0 && marker <= 0xd8)) {
      return E.left(corrupt(`the marker ff ${hex(marker)} at byte ${at} is out of place.`));
    }
    if (bytes.length < at + 4) return E.left(truncated(at + 4, bytes.length));
    const length = view.getUint16(at + 2);
    const end = at + 2 + length;
    if (length < 2) return E.left(corrupt(`the segment at byte ${at} has a length of ${length}.`));
    if (bytes.length < end) return E.left(truncated(end, bytes.length));
    const kind = unreadable[marker];
    if (kind !== undefined)
      return E.left(corrupt(`it is ${kind}, and only baseline and progressive JPEG are decoded.`));
    if (marker >= 0xc0 && marker <= 0xc2) {
      if (frame !== null) return E.left(corrupt('it has two frames.'));
      const read = frameOf(view, at + 4, length - 2, bytes.length, maxPixels);
      if (E.isLeft(read)) return read;
      frame = read.right;
    }
    at = end;
    if (marker !== 0xda) continue;
    if (frame === null) return E.left(corrupt('a scan comes before the frame.'));
    if (++scans > mostScans) return E.left(corrupt(`it has more than ${mostScans} scans.`));
    // Coded data end at a marker that is neither a stuffed zero nor a restart.
    while (at < bytes.length) {
      const next = bytes[at + 1];
      if (bytes[at] === 0xff && next !== 0x00 && !(next !== undefined && next >= 0xd0 && next <= 0xd7)) break;
      at++;
    }
  }
  if (frame === null || scans === 0) return E.left(corrupt('it ends without an image.'));
  return E.right(frame);
}

function frameOf(
  view: DataView,
  at: number,
  length: number,
  fileLength: number,
  maxPixels: number,
): E.Either<DecodeError, Frame> {
  if (length < 6) return E.left(corrupt('the header of its frame is too short.'));
  const [precision, height, width, components] = [
    view.getUint8(at),
    view.getUint16(at + 1),
    view.getUint16(at + 3),
    view.getUint8(at + 5),
  ];
  if (length !== 6 + 3 * components) return E.left(corrupt('the header of its frame has a wrong length.'));
  if (precision !== 8) return E.left(corrupt(`its samples have ${precision} bits, and only 8 are decoded.`));
  if (width === 0 || height === 0) return E.left(corrupt(`it is ${width} pixels wide and ${height} high.`));
  if (components !== 1 && components !== 3) {
    return E.left(corrupt(`it has ${components} components: only grey and colour images are decoded, not CMYK.`));
  }
  for (let c = 0; c < components; c++) {
    const factors = view.getUint8(at + 7 + 3 * c);
    if ([factors >> 4, factors & 15].some((factor) => factor < 1 || factor > 4)) {
      return E.left(corrupt(`component ${c} has the sampling factors ${factors >> 4} and ${factors & 15}.`));
    }
  }
  if (width * height > maxPixels) {
    return E.left(corrupt(`${width} × ${height} pixels are more than the ${maxPixels} that maxPixels allows.`));
  }
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  if (blocks > 8 * fileLength) {
    return E.left(
      corrupt(`${width} × ${height} pixels are ${blocks} blocks, more than ${fileLength} bytes have bits.`),
    );
  }
  return E.right({ width, height, components });
}

const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

/** Decode the bytes of a JPEG file. It never rejects. */
export async function decodeJpegPixels(bytes: Uint8Array, maxPixels: number): Promise<E.Either<DecodeError, Pixels>> {
  const read = readFrame(bytes, maxPixels);
  if (E.isLeft(read)) return read;
  const { width, height, components } = read.right;
  try {
    const jpeg = await import('jpeg-js');
    const { data } = jpeg.default.decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxResolutionInMP: maxPixels / 1e6 + 1,
      maxMemoryUsageInMB: 2 ** 14,
    });
    if (data.length !== width * height * 3) return E.left(corrupt('its frame is not what its header says.'));
    if (components === 3) return E.right({ width, height, channels: 3, data });
    return E.right({ width, height, channels: 1, data: data.filter((_, i) => i % 3 === 0) });
  } catch (error) {
    return E.left(corrupt(`${(error as Error).message}.`));
  }
}
