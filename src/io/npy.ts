/**
 * NPY, the file of one array that `numpy.save` writes, versions 1, 2 and 3.
 *
 * ```
 * 6 bytes     93 "NUMPY"
 * 2 bytes     major and minor version
 * 2|4 bytes   length of the header, little-endian (2 bytes in version 1)
 * the header  a Python literal, { 'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, padded with blanks
 * the rest    the elements, in C or Fortran order
 * ```
 *
 * The literal is read by a parser that knows these three keys and nothing else of Python; arrays of Python objects, which would
 * be pickles, are refused as any other type of element that a tensor cannot hold.
 * Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { makeAval } from '../core/aval.ts';
import type { TypedArray } from '../core/dtype.ts';
import { type Shape, stridesOf } from '../core/shape.ts';
import { type Tensor, tensorFrom } from '../core/value.ts';
import { absurdAxis, elementCount, maxRank } from './aval.ts';
import { readElements, type WireName, wires } from './elements.ts';
import {
  corrupt,
  type DecodeError,
  type DecodeErrors,
  decodeErrors,
  invalid,
  type Reading,
  showValue,
  truncated,
} from './failure.ts';
import { readBytes } from './file.ts';

const wireOf = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
} as const satisfies Record<string, WireName>;

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const;

/** The header of a plain array is 118 bytes long; only records have long ones, and those are refused. */
const headerLimit = 10_000;

interface Header {
  readonly wire: WireName;
  readonly little: boolean;
  readonly fortran: boolean;
  readonly shape: Shape;
  /** Where the elements begin. */
  readonly start: number;
}

function decodeHeader(bytes: Uint8Array): E.Either<DecodeError, Header> {
  if (magic.some((byte, i) => i < bytes.length && bytes[i] !== byte)) {
    return E.left(corrupt('not an NPY file: it does not begin with 93 4e 55 4d 50 59.'));
  }
  if (bytes.length < 10) return E.left(truncated(10, bytes.length));
  const [major, minor] = [bytes[6]!, bytes[7]!];
  if (major < 1 || major > 3 || minor !== 0) return E.left(corrupt(`NPY version ${major}.${minor} is not known.`));
  const begin = major === 1 ? 10 : 12;
  if (bytes.length < begin) return E.left(truncated(begin, bytes.length));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > headerLimit) return E.left(corrupt(`its header would be ${length} bytes long, beyond ${headerLimit}.`));
  const start = begin + length;
  if (bytes.length < start) return E.left(truncated(start, bytes.length));
  // Version 3 allows UTF-8 for the names of fields, which plain arrays do not have.
  const text = Array.from(bytes.subarray(begin, start), (byte) => String.fromCharCode(byte)).join('');
  return pipe(
    decodeLiteral(text),
    E.map((literal) => ({ ...literal, start })),
  );
}

const descriptor = /^(['"])([<>|=])([a-zA-Z]\d*)\1$/;
const tuple = /^\(\s*(?:\d+L?\s*,\s*)*(?:\d+L?\s*)?\)$/;
// One entry of the dictionary; what is captured of a value is judged afterwards.
const entry = /\s*(['"])(\w+)\1\s*:\s*('[^']*'|"[^"]*"|\([^()]*\)|\[.*\]|\w+)\s*(,|(?=\}))/sy;

/** The three entries of the Python literal, in any order, each once. */
function decodeLiteral(text: string): E.Either<DecodeError, Omit<Header, 'start'>> {
  const values = new Map<string, string>();
  const body = text.trim();
  const malformed = corrupt(`its header is not a dictionary of descr, fortran_order and shape: ${showValue(body)}.`);
  if (!body.startsWith('{') || !body.endsWith('}')) return E.left(malformed);
  entry.lastIndex = 1;
  let end = 1;
  for (let found = entry.exec(body); found !== null; found = entry.exec(body)) {
    if (values.has(found[2]!) || values.size === 3) return E.left(malformed);
    values.set(found[2]!, found[3]!);
    end = entry.lastIndex;
  }
  if (body.slice(end, -1).trim() !== '' || values.size !== 3) return E.left(malformed);
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map((key) => values.get(key));
  if (descr === undefined || order === undefined || shape === undefined) return E.left(malformed);

  const [, , sign, code = ''] = descriptor.exec(descr) ?? [];
  const known = Object.hasOwn(wireOf, code) ? wireOf[code as keyof typeof wireOf] : undefined;
  // A byte has no order, all else must: '=' would be the order of a machine that we do not know.
  if (known === undefined || sign === '=' || (sign === '|') !== (wires[known].bytes === 1)) {
    return E.left(invalid('descr', `one of ${Object.keys(wireOf).join(', ')} with its byte order`, showValue(descr)));
  }
  if (order !== 'True' && order !== 'False') return E.left(invalid('fortran_order', 'True or False', showValue(order)));
  const lengths = tuple.test(shape) ? (shape.match(/\d+/g) ?? []).map(Number) : null;
  // In Python (3) is a number, not a tuple.
  if (lengths === null || (lengths.length === 1 && !shape.includes(',')) || !lengths.every(Number.isSafeInteger)) {
    return E.left(invalid('shape', 'a tuple of non-negative integers', showValue(shape)));
  }
  if (lengths.length > maxRank) return E.left(invalid('shape', `at most ${maxRank} axes`, `${lengths.length}`));
  const absurd = absurdAxis('shape', lengths);
  if (absurd !== null) return E.left(absurd);
  return E.right({ wire: known, little: sign !== '>', fortran: order === 'True', shape: lengths });
}

/**
 * Decode the bytes of an NPY file as a tensor. It never throws.
 *
 * `<f2` becomes float32, `i1` and `<i2` int32, `u1` and `<u2` uint32; `<i8` (NumPy's own integers) and `<u8` as well, if every
 * element fits; big-endian types likewise.
 *
 * @param source - what the bytes came from, for the messages
 */
export const decodeNpy = (bytes: Uint8Array, source: string): E.Either<DecodeErrors, Tensor> =>
  pipe(
    decodeHeader(bytes),
    E.flatMap((header) => decodeElements(bytes, header)),
    E.mapLeft((error) => decodeErrors(source, error)),
  );

function decodeElements(
  bytes: Uint8Array,
  { wire, little, fortran, shape, start }: Header,
): E.Either<DecodeError, Tensor> {
  const size = elementCount(shape);
  const end = start + size * wires[wire].bytes;
  if (bytes.length < end) return E.left(truncated(end, bytes.length));
  if (bytes.length > end) {
    return E.left(corrupt(`it goes on after the ${end} bytes that its header promises (${bytes.length} in all).`));
  }
  return pipe(
    readElements(bytes, start, size, wire, little),
    E.map((host) => {
      const aval = makeAval(shape, wires[wire].dtype);
      return tensorFrom(aval, fortran ? rowMajor(host, shape) : host);
    }),
  );
}

/** Elements in Fortran order, first axis fastest, as row-major ones. */
function rowMajor(host: TypedArray, shape: Shape): TypedArray {
  const out = host.slice();
  const strides = stridesOf(shape);
  const index = shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < host.length; i++) {
    out[at] = host[i]!;
    for (let axis = 0; axis < shape.length; axis++) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** Read an NPY file as a tensor. */
export const readNpy = (path: string): Reading<Tensor> =>
  pipe(
    readBytes(path),
    TE.flatMapEither((bytes): E.Either<DecodeErrors, Tensor> => decodeNpy(bytes, path)),
  );
