/**
 * PNG: the container is read here, strictly; the scan lines are left to `fast-png`.
 *
 * What a decoder is given is a file of the critical chunks alone, whose compressed data are known to hold as many bytes as the
 * header promises. So it takes no more memory than that, and profiles or texts that inflate without end never reach it.
 * Source: https://www.w3.org/TR/png-3/
 */

import type { DecodedPng } from 'fast-png';
import * as E from 'fp-ts/lib/Either.js';
import { corrupt, type DecodeError, truncated } from './failure.ts';
import { unzlib } from './gzip.ts';
import type { Pixels } from './image.ts';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] as const;

/** Do the bytes begin as a PNG file does? */
export const isPng = (bytes: Uint8Array): boolean =>
  bytes.length > 0 && signature.every((byte, i) => i >= bytes.length || bytes[i] === byte);

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
  readonly interlaced: boolean;
}

/** Samples of a pixel in the scan lines, and the depths that each type of colour allows. */
const colours: Readonly<Record<number, readonly [channels: number, depths: readonly number[]]>> = {
  0: [1, [1, 2, 4, 8, 16]],
  2: [3, [8, 16]],
  3: [1, [1, 2, 4, 8]],
  4: [2, [8, 16]],
  6: [4, [8, 16]],
};

/** The critical chunks, and the one ancillary chunk that changes what pixels are. */
const wanted: readonly string[] = ['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'];

interface Container {
  readonly header: Header;
  /** The compressed data of all `IDAT`. */
  readonly data: Uint8Array;
  /** A file of the wanted chunks. */
  readonly file: Uint8Array;
}

/** Deflate cannot make more than 1032 bytes of one. */
const mostInflated = 1032;

function readContainer(bytes: Uint8Array, maxPixels: number): E.Either<DecodeError, Container> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Uint8Array[] = [];
  const data: Uint8Array[] = [];
  let header: Header | null = null;
  let at: number = signature.length;
  if (bytes.length < at) return E.left(truncated(at, bytes.length));
  for (;;) {
    if (bytes.length < at + 12) return E.left(truncated(at + 12, bytes.length));
    const length = view.getUint32(at);
    const end = at + 12 + length;
    if (bytes.length < end) return E.left(truncated(end, bytes.length));
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) return E.left(corrupt(`byte ${at + 4} should begin the name of a chunk.`));
    if ((header === null) !== (type === 'IHDR'))
      return E.left(corrupt(`the chunk ${type} at byte ${at} is out of place.`));
    if (type === 'IHDR') {
      if (length !== 13) return E.left(corrupt(`its header has ${length} bytes, not 13.`));
      const read = readHeader(view, at + 8, maxPixels);
      if (E.isLeft(read)) return read;
      header = read.right;
    }
    if (wanted.includes(type)) chunks.push(bytes.subarray(at, end));
    // A capital begins the name of a chunk without which the image cannot be understood.
    else if (/^[A-Z]/.test(type)) return E.left(corrupt(`the chunk ${type} is not known.`));
    if (type === 'IDAT') data.push(bytes.subarray(at + 8, end - 4));
    at = end;
    if (type === 'IEND') break;
  }
  return E.right({ header: header!, data: joined(data), file: joined([Uint8Array.from(signature), ...chunks]) });
}

function readHeader(view: DataView, at: number, maxPixels: number): E.Either<DecodeError, Header> {
  const [width, height] = [view.getUint32(at), view.getUint32(at + 4)];
  const [depth, colour, compression, filter, interlace] = [0, 1, 2, 3, 4].map((i) => view.getUint8(at + 8 + i));
  if (width === 0 || height === 0) return E.left(corrupt(`it is ${width} pixels wide and ${height} high.`));
  if (width * height > maxPixels) {
    return E.left(corrupt(`${width} × ${height} pixels are more than the ${maxPixels} that maxPixels allows.`));
  }
  if (!colours[colour!]?.[1].includes(depth!)) {
    return E.left(corrupt(`colour type ${colour} with ${depth} bits a sample is not PNG.`));
  }
  if (compression !== 0 || filter !== 0 || interlace! > 1) {
    return E.left(corrupt(`compression ${compression}, filter ${filter} and interlacing ${interlace} are not PNG's.`));
  }
  if (interlace === 1 && depth! < 8) {
    return E.left(corrupt(`interlaced images of ${depth} bits a sample are not decoded. Save it without interlacing.`));
  }
  return E.right({ width, height, depth: depth!, colour: colour!, interlaced: interlace === 1 });
}

/** Column and row where each pass of Adam7 begins, and its steps. */
const passes = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Bytes of all scan lines, each with the byte of its filter. */
function rawSize({ width, height, depth, colour, interlaced }: Header): number {
  const bits = colours[colour]![0] * depth;
  const lines = (columns: number, rows: number): number =>
    columns === 0 || rows === 0 ? 0 : rows * (1 + Math.ceil((columns * bits) / 8));
  if (!interlaced) return lines(width, height);
  return passes.reduce(
    (sum, [x, y, dx, dy]) =>
      sum + lines(Math.max(0, Math.ceil((width - x) / dx)), Math.max(0, Math.ceil((height - y) / dy))),
    0,
  );
}

/** Decode the bytes of a PNG file. It never rejects. */
export async function decodePngPixels(bytes: Uint8Array, maxPixels: number): Promise<E.Either<DecodeError, Pixels>> {
  const container = readContainer(bytes, maxPixels);
  if (E.isLeft(container)) return container;
  const { header, data, file } = container.right;
  const size = rawSize(header);
  const short = (count: number): DecodeError =>
    corrupt(
      `its data are ${count} bytes when decompressed, and ${header.width} × ${header.height} pixels take ${size}.`,
    );
  if (size > mostInflated * (data.length + 1)) return E.left(short(data.length * mostInflated));
  const { bytes: raw, end } = await unzlib(data, size);
  if (end === 'damaged') return E.left(corrupt('its compressed data are damaged. Fetch the file again.'));
  if (end !== 'whole' || raw.length !== size) return E.left(short(raw.length));
  try {
    const { decode } = await import('fast-png');
    return E.right(pixelsOf(decode(file, { checkCrc: true }), header));
  } catch (error) {
    return E.left(corrupt(`${(error as Error).message}.`));
  }
}

function pixelsOf({ data, palette, transparency }: DecodedPng, { width, height, depth, colour }: Header): Pixels {
  const samples = depth < 8 ? unpacked(data, width, height, depth) : data;
  if (colour === 3) {
    if (!palette) throw new Error('it has colours by number, and no palette');
    return coloured(samples, palette, width, height);
  }
  const whole = 2 ** depth - 1;
  const stored = colours[colour]![0] as 1 | 2 | 3 | 4;
  const key = transparency && transparency.length >= stored ? transparency : null;
  const channels = (key ? stored + 1 : stored) as Pixels['channels'];
  const stretch = depth < 8 ? 255 / whole : 1;
  const out = depth === 16 ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    let hidden = key !== null;
    for (let c = 0; c < stored; c++) {
      const sample = samples[i * stored + c]!;
      hidden &&= sample === key![c];
      out[i * channels + c] = sample * stretch;
    }
    if (key) out[i * channels + stored] = hidden ? 0 : depth === 16 ? 65535 : 255;
  }
  return { height, width, channels, data: out };
}

/** Samples of fewer than 8 bits, which begin anew at a byte in each row. */
function unpacked(packed: ArrayLike<number>, width: number, height: number, depth: number): Uint8Array {
  const out = new Uint8Array(width * height);
  const stride = Math.ceil((width * depth) / 8);
  const perByte = 8 / depth;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = packed[y * stride + Math.floor(x / perByte)]!;
      out[y * width + x] = (byte >> (8 - depth * ((x % perByte) + 1))) & (2 ** depth - 1);
    }
  }
  return out;
}

function coloured(
  indices: ArrayLike<number>,
  palette: readonly (readonly number[])[],
  width: number,
  height: number,
): Pixels {
  const channels = palette.some((entry) => entry.length > 3) ? 4 : 3;
  const out = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    const entry = palette[indices[i]!];
    if (!entry) throw new Error(`pixel ${i} has colour ${indices[i]} of a palette of ${palette.length}`);
    for (let c = 0; c < channels; c++) out[i * channels + c] = entry[c] ?? 255;
  }
  return { height, width, channels, data: out };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
