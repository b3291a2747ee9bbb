/**
 * safetensors: named tensors in one file, as the Python library of that name writes and reads them.
 *
 * ```
 * 8 bytes   length n of the header, little-endian
 * n bytes   JSON: { "name": { "dtype": "F32", "shape": [2,3], "data_offsets": [begin, end] }, …, "__metadata__": { … } }
 * the rest  the elements, little-endian and row-major, without gaps or overlaps
 * ```
 *
 * The header is a hostile document until it is proved otherwise: io-ts says what each entry is, and the entries together must
 * cover the rest of the file exactly, so that nothing is allocated that the file does not hold.
 * Source: https://github.com/huggingface/safetensors (format, "Notes" included).
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import type { Task } from 'fp-ts/lib/Task.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import * as t from 'io-ts';
import { makeAval } from '../core/aval.ts';
import { byteSize, type DType } from '../core/dtype.ts';
import { NotSerializableError } from '../core/errors.ts';
import { type Tensor, tensorFrom } from '../core/value.ts';
import { absurdAxis, elementCount, lengthCodec, shapeCodec } from './aval.ts';
import { readElements, type WireName, wires, writeElements } from './elements.ts';
import {
  corrupt,
  type DecodeError,
  type DecodeErrors,
  decodeAt,
  decodeErrors,
  decodeWith,
  type Invalid,
  invalid,
  type Reading,
  showValue,
  truncated,
  type WriteError,
} from './failure.ts';
import { readBytes, writeBytes } from './file.ts';
import { parseJson, repeatedKey, textOf } from './json.ts';
import { type NamedTensors, namedLeaves } from './params.ts';

/** What a safetensors file holds. */
export interface Safetensors {
  readonly tensors: NamedTensors;
  readonly metadata: Metadata;
}

/** Free text beside the tensors, by key. */
export type Metadata = Readonly<Record<string, string>>;

const wireOf = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U64: 'uint64',
  U32: 'uint32',
  U16: 'uint16',
  U8: 'uint8',
  BOOL: 'bool',
} as const satisfies Record<string, WireName>;

/** Wide elements first, in the Python library's order, so that each tensor is aligned to its own elements. */
const nameOf: Readonly<Record<DType, keyof typeof wireOf>> = {
  float64: 'F64',
  float32: 'F32',
  uint32: 'U32',
  int32: 'I32',
  bool: 'BOOL',
};

const order = (dtype: DType): number => Object.keys(nameOf).indexOf(dtype);

const metadataKey = '__metadata__';

/** A header is a few hundred bytes a tensor: the Python library refuses longer ones as well. */
export const safetensorsHeaderLimit = 100_000_000;

const entryCodec = t.strict({
  dtype: t.keyof(wireOf, `one of ${Object.keys(wireOf).join(', ')}`),
  shape: shapeCodec,
  data_offsets: t.tuple([lengthCodec, lengthCodec]),
});

interface Entry extends t.TypeOf<typeof entryCodec> {
  readonly name: string;
}

interface Header {
  readonly entries: readonly Entry[];
  readonly metadata: Metadata;
  /** Where the elements begin. */
  readonly start: number;
}

function decodeHeader(bytes: Uint8Array, source: string): E.Either<DecodeErrors, Header> {
  const failed = (error: DecodeError) => E.left(decodeErrors(source, error));
  if (bytes.length < 8) return failed(truncated(8, bytes.length));
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > safetensorsHeaderLimit) {
    return failed(
      corrupt(`not a safetensors file: its header would be ${length} bytes long, beyond ${safetensorsHeaderLimit}.`),
    );
  }
  const start = 8 + Number(length);
  if (bytes.length < start) return failed(truncated(start, bytes.length));
  // Decoders of text drop a byte order mark, JSON's blanks: the format has neither before the brace.
  if (length === 0n || bytes[8] !== 0x7b) return failed(corrupt('its header does not begin with {.'));
  const parsed = pipe(
    textOf(bytes.subarray(8, start)),
    E.bindTo('text'),
    E.bind('value', ({ text }) => parseJson(text)),
  );
  if (E.isLeft(parsed)) return failed(parsed.left);
  const repeated = repeatedKey(parsed.right.text);
  if (repeated !== null) {
    const { key, written, under } = repeated;
    if (under === null) return failed(corrupt(`the header names ${written} twice.`));
    return failed(invalid(`${under}.${key}`, 'one value of this key', 'another'));
  }
  return pipe(
    parsed.right.value,
    decodeWith(t.UnknownRecord, source),
    E.flatMap((header) => decodeEntries(header, source)),
    E.map((decoded) => ({ ...decoded, start })),
  );
}

/** One by one, ending at the first that is wrong, so that there are no more errors than a reader can use. */
function decodeEntries(
  header: Readonly<Record<string, unknown>>,
  source: string,
): E.Either<DecodeErrors, Pick<Header, 'entries' | 'metadata'>> {
  const entries: Entry[] = [];
  const metadata: [string, string][] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === metadataKey) {
      const texts = decodeAt(t.UnknownRecord, name, value);
      if (E.isLeft(texts)) return E.left(decodeErrors(source, ...texts.left));
      for (const [key, text] of Object.entries(texts.right)) {
        const decoded = decodeAt(t.string, `${name}.${key}`, text);
        if (E.isLeft(decoded)) return E.left(decodeErrors(source, ...decoded.left));
        metadata.push([key, decoded.right]);
      }
    } else {
      const decoded = decodeEntry(name, value);
      if (E.isLeft(decoded)) return E.left(decodeErrors(source, ...decoded.left));
      entries.push(decoded.right);
    }
  }
  return E.right({ entries, metadata: Object.fromEntries(metadata) });
}

/** What the codec would drop is refused: a key that the format does not have, an offset too many. */
function decodeEntry(name: string, value: unknown): E.Either<readonly [Invalid, ...Invalid[]], Entry> {
  const decoded = decodeAt(entryCodec, name, value);
  if (E.isLeft(decoded)) return decoded;
  const written = value as Readonly<Record<string, unknown>> & { readonly data_offsets: readonly unknown[] };
  const unknown = Object.keys(written).find((key) => !Object.hasOwn(entryCodec.type.props, key));
  if (unknown !== undefined) {
    return E.left([invalid(`${name}.${unknown}`, 'no key of this name', showValue(written[unknown]))]);
  }
  if (written.data_offsets.length !== 2) {
    return E.left([invalid(`${name}.data_offsets`, 'exactly two integers', showValue(written.data_offsets))]);
  }
  const absurd = absurdAxis(`${name}.shape`, decoded.right.shape);
  return absurd === null ? E.right({ name, ...decoded.right }) : E.left([absurd]);
}

/** The entries must cover the elements exactly, each with the bytes that its shape and dtype ask for. */
function checkCover(entries: readonly Entry[], available: number): DecodeError | null {
  let end = 0;
  for (const { name, dtype, shape, data_offsets } of [...entries].sort(byOffsets)) {
    const [from, to] = data_offsets;
    const size = elementCount(shape) * wires[wireOf[dtype]].bytes;
    if (to - from !== size) {
      return invalid(`${name}.data_offsets`, `${size} bytes for ${dtype}[${shape}]`, `${to - from}`);
    }
    if (from < end)
      return corrupt(`the elements of ${name} begin at ${from}, before those of another tensor end (${end}).`);
    if (from > end) return corrupt(`the bytes ${end} to ${from}, before the elements of ${name}, belong to no tensor.`);
    end = to;
  }
  if (end > available) return truncated(end, available);
  return end < available ? corrupt(`it goes on for ${available - end} bytes after the last tensor.`) : null;
}

// An empty tensor begins where its successor does: it comes first.
const byOffsets = ({ data_offsets: a }: Entry, { data_offsets: b }: Entry): number => a[0] - b[0] || a[1] - b[1];

/**
 * Decode the bytes of a safetensors file. It never throws.
 *
 * `F16`, `BF16` become float32, `I8` and `I16` int32, `U8` and `U16` uint32; `I64` and `U64` as well, if every element fits.
 *
 * @param source - what the bytes came from, for the messages
 */
export function decodeSafetensors(bytes: Uint8Array, source: string): E.Either<DecodeErrors, Safetensors> {
  const header = decodeHeader(bytes, source);
  if (E.isLeft(header)) return header;
  const { entries, metadata, start } = header.right;
  const wrong = checkCover(entries, bytes.length - start);
  if (wrong !== null) return E.left(decodeErrors(source, wrong));
  const tensors: [string, Tensor][] = [];
  for (const { name, dtype, shape, data_offsets } of entries) {
    const elements = readElements(bytes, start + data_offsets[0], elementCount(shape), wireOf[dtype], true);
    if (E.isLeft(elements)) {
      return E.left(decodeErrors(source, corrupt(`${name}: ${elements.left.reason}`)));
    }
    tensors.push([name, tensorFrom(makeAval(shape, wires[wireOf[dtype]].dtype), elements.right)]);
  }
  // Not by assignment: a name like __proto__ must become a property like any other.
  return E.right({ tensors: Object.fromEntries(tensors), metadata });
}

/** Read a safetensors file. */
export const readSafetensors = (path: string): Reading<Safetensors> =>
  pipe(
    readBytes(path),
    TE.flatMapEither((bytes): E.Either<DecodeErrors, Safetensors> => decodeSafetensors(bytes, path)),
  );

/**
 * The parameters in a safetensors file, as the tree that `codec` describes (see `paramsCodec`).
 *
 * The errors name each leaf that is missing, superfluous, or of another type.
 */
export const readParams = <T>(path: string, codec: t.Decoder<unknown, T>): Reading<T> =>
  pipe(
    readSafetensors(path),
    TE.flatMapEither(({ tensors }): E.Either<DecodeErrors, T> => decodeWith(codec, path)(tensors)),
  );

/**
 * The bytes of a safetensors file. Law: decoding gives the same names, types and bits.
 *
 * @throws NotSerializableError if a tensor is called `__metadata__`, which the format keeps for itself, or is empty with an axis
 *   so long that {@link decodeSafetensors} refuses it
 */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Task<Uint8Array> {
  if (Object.hasOwn(tensors, metadataKey)) {
    throw new NotSerializableError({
      op: 'io.encodeSafetensors',
      problem: `a tensor is called ${metadataKey}, a name that safetensors keeps for itself`,
      remedy: 'rename it',
    });
  }
  for (const [name, x] of Object.entries(tensors)) {
    const absurd = absurdAxis(`${name}.shape`, x.shape);
    if (absurd === null) continue;
    throw new NotSerializableError({
      op: 'io.encodeSafetensors',
      problem: `${absurd.at} is ${absurd.actual}, and a file holds ${absurd.expected}`,
      remedy: 'reshape it',
    });
  }
  const sorted = Object.entries(tensors).sort(([a, x], [b, y]) => order(x.dtype) - order(y.dtype) || (a < b ? -1 : 1));
  return async () => {
    const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [[metadataKey, metadata]] : [];
    const begins: number[] = [];
    let end = 0;
    for (const [name, x] of sorted) {
      begins.push(end);
      end += x.size * byteSize(x.dtype);
      header.push([name, { dtype: nameOf[x.dtype], shape: x.shape, data_offsets: [begins.at(-1), end] }]);
    }
    const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
    const start = 8 + Math.ceil(text.length / 8) * 8;
    const bytes = new Uint8Array(start + end);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
    bytes.set(text, 8);
    bytes.fill(0x20, 8 + text.length, start);
    for (const [i, [, x]] of sorted.entries()) writeElements(bytes, start + begins[i]!, await x.data(), x.dtype);
    return bytes;
  };
}

/** Write tensors as a safetensors file, whole or not at all; gives back its path. */
export const writeSafetensors = (path: string, file: Safetensors): TE.TaskEither<WriteError, string> =>
  pipe(
    TE.fromTask(encodeSafetensors(file)),
    TE.flatMap((bytes) => writeBytes(path, bytes)),
  );

/**
 * Write a tree of tensors as a safetensors file, each under the path of its leaf; what is static in the tree is not written.
 *
 * Law: {@link readParams} with the codec of the tree's avals gives the same tree.
 */
export const writeParams = (path: string, tree: unknown, metadata: Metadata = {}): TE.TaskEither<WriteError, string> =>
  writeSafetensors(path, { tensors: namedLeaves(tree), metadata });
