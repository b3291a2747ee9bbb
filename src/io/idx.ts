/**
 * IDX, the format of MNIST: a header of big-endian sizes, then the elements, big-endian, row-major.
 *
 * ```
 * byte 0–1  zero
 * byte 2    type of the elements: 08 uint8, 09 int8, 0B int16, 0C int32, 0D float32, 0E float64
 * byte 3    number of axes n
 * 4 … 4+4n  length of each axis, 32 bits unsigned
 * ```
 *
 * The header is believed only as far as the bytes bear it out: nothing is allocated for elements that are not there.
 * Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { absurdAxis } from './aval.ts';
import { corrupt, type DecodeError, type DecodeErrors, decodeErrors, type Reading, truncated } from './failure.ts';
import { readBytes } from './file.ts';
import { gunzip, isGzip } from './gzip.ts';

const types = {
  8: {
    name: 'uint8',
    bytes: 1,
    make: (n: number) => new Uint8Array(n),
    read: (v: DataView, i: number) => v.getUint8(i),
  },
  9: { name: 'int8', bytes: 1, make: (n: number) => new Int8Array(n), read: (v: DataView, i: number) => v.getInt8(i) },
  11: {
    name: 'int16',
    bytes: 2,
    make: (n: number) => new Int16Array(n),
    read: (v: DataView, i: number) => v.getInt16(i),
  },
  12: {
    name: 'int32',
    bytes: 4,
    make: (n: number) => new Int32Array(n),
    read: (v: DataView, i: number) => v.getInt32(i),
  },
  13: {
    name: 'float32',
    bytes: 4,
    make: (n: number) => new Float32Array(n),
    read: (v: DataView, i: number) => v.getFloat32(i),
  },
  14: {
    name: 'float64',
    bytes: 8,
    make: (n: number) => new Float64Array(n),
    read: (v: DataView, i: number) => v.getFloat64(i),
  },
} as const;

type TypeCode = keyof typeof types;

/** Types of elements that an IDX file can hold. */
export type IdxDType = (typeof types)[TypeCode]['name'];

/** An IDX file's contents, in the machine's own byte order. */
export interface Idx {
  readonly shape: readonly number[];
  readonly dtype: IdxDType;
  readonly data: Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;
}

/** The longest file that is read, header and elements: 1 GiB. MNIST's longest is 47 MB. */
export const idxLimit = 2 ** 30;

/** `uint8[10000,28,28]`, as messages print it. */
export const showIdx = (idx: Pick<Idx, 'shape' | 'dtype'>): string => `${idx.dtype}[${idx.shape.join(',')}]`;

interface Header {
  readonly type: (typeof types)[TypeCode];
  readonly shape: readonly number[];
  /** Where the elements begin. */
  readonly start: number;
  /** Where the file ends. */
  readonly end: number;
}

function decodeHeader(bytes: Uint8Array): E.Either<DecodeError, Header> {
  if (bytes.length < 4) return E.left(truncated(4, bytes.length));
  const view = viewOf(bytes);
  const code = view.getUint8(2);
  if (view.getUint16(0) !== 0)
    return E.left(corrupt(`not an IDX file: it begins with ${hex(bytes, 4)}, not with 00 00.`));
  if (!isTypeCode(code)) {
    return E.left(
      corrupt(`not an IDX file: it begins with ${hex(bytes, 4)}; byte 2 should be 08, 09, 0b, 0c, 0d or 0e.`),
    );
  }
  const type = types[code];
  const start = 4 + 4 * view.getUint8(3);
  if (bytes.length < start) return E.left(truncated(start, bytes.length));
  const shape = Array.from({ length: view.getUint8(3) }, (_, axis) => view.getUint32(4 + 4 * axis));
  // 255 axes of up to 2³² overflow even a double, to Infinity, which exceeds the limit as well as any other number. A zero
  // among them makes the product 0 whatever the others say (and Infinity · 0 NaN), so it is looked for first.
  const size = shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
  const end = start + size * type.bytes;
  if (end > idxLimit) {
    const promised = showIdx({ shape, dtype: type.name });
    return E.left(corrupt(`the header promises ${promised}, which exceeds the limit of ${idxLimit} bytes.`));
  }
  const absurd = absurdAxis('shape', shape);
  return absurd === null ? E.right({ type, shape, start, end }) : E.left(absurd);
}

/**
 * Decode the bytes of an uncompressed IDX file.
 *
 * It never throws: bytes too few are `Truncated`, a wrong magic number, an absurd size or bytes after the end `Corrupt`.
 *
 * @param path - what the bytes came from, for the messages
 */
export const decodeIdx = (bytes: Uint8Array, path: string): E.Either<DecodeErrors, Idx> =>
  pipe(
    decodeHeader(bytes),
    E.flatMap((header) => decodeElements(bytes, header)),
    E.mapLeft((error) => decodeErrors(path, error)),
  );

function decodeElements(bytes: Uint8Array, { type, shape, start, end }: Header): E.Either<DecodeError, Idx> {
  if (bytes.length < end) return E.left(truncated(end, bytes.length));
  if (bytes.length > end) {
    return E.left(corrupt(`it goes on after the ${end} bytes that its header promises (${bytes.length} in all).`));
  }
  const size = (end - start) / type.bytes;
  const data = type.make(size);
  if (data instanceof Uint8Array) data.set(bytes.subarray(start, end));
  else {
    const view = viewOf(bytes);
    for (let i = 0; i < size; i++) data[i] = type.read(view, start + i * type.bytes);
  }
  return E.right({ shape, dtype: type.name, data });
}

/**
 * Read an IDX file, gzipped or not (its first bytes tell, not its name).
 *
 * A gzipped file is decompressed only as far as its own IDX header promises.
 */
export const readIdx = (path: string): Reading<Idx> =>
  pipe(
    readBytes(path),
    TE.flatMap((bytes): Reading<Idx> => {
      if (!isGzip(bytes)) return TE.fromEither(decodeIdx(bytes, path));
      return () => decodeGzippedIdx(bytes, path);
    }),
  );

/** {@link decodeIdx} of a gzipped file. */
export async function decodeGzippedIdx(bytes: Uint8Array, path: string): Promise<E.Either<DecodeErrors, Idx>> {
  const failed = (error: DecodeError) => E.left(decodeErrors(path, error));
  const beginning = await gunzip(bytes, longestHeader);
  const header = decodeHeader(beginning.bytes);
  if (beginning.end === 'damaged') return failed(damaged);
  if (E.isLeft(header)) return failed(header.left);
  const { bytes: whole, end } = await gunzip(bytes, header.right.end);
  if (end === 'damaged') return failed(damaged);
  if (end === 'dropped')
    return failed(corrupt(`it goes on after the ${header.right.end} bytes that its header promises.`));
  if (end === 'early' && whole.length === header.right.end)
    return failed(corrupt('the gzip stream lacks its checksum.'));
  return decodeIdx(whole, path);
}

const damaged = corrupt('the gzip stream is damaged. Fetch the file again.');
const longestHeader = 4 + 4 * 255;

const isTypeCode = (code: number): code is TypeCode => code in types;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const hex = (bytes: Uint8Array, count: number): string =>
  Array.from(bytes.subarray(0, count), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
