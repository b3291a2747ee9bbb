/**
 * Elements as files hold them: of either byte order, and of more types than tensors have.
 *
 * A type that a tensor lacks is widened where every one of its values survives (float16 → float32, int8 → int32), or where
 * the values that are there do (int64 → int32): a number that would change is an error, never rounded or wrapped.
 */

import * as E from 'fp-ts/lib/Either.js';
import { allocate, byteSize, type DType, integerRange, type TypedArray } from '../core/dtype.ts';
import { type Corrupt, corrupt } from './failure.ts';

/** A type of element in a file. */
export interface Wire {
  /** Bytes of one element. */
  readonly bytes: number;
  /** The dtype that it is read as. */
  readonly dtype: DType;
  /** The element at `at`; of an integer type wider than 32 bits, possibly beyond `dtype`. */
  readonly get: (view: DataView, at: number, little: boolean) => number;
}

const wire = (bytes: number, dtype: DType, get: Wire['get']): Wire => ({ bytes, dtype, get });

/** The types that are read. */
export const wires = {
  float16: wire(2, 'float32', (v, at, le) => fromHalf(v.getUint16(at, le))),
  bfloat16: wire(2, 'float32', (v, at, le) => fromBrain(v.getUint16(at, le))),
  float32: wire(4, 'float32', (v, at, le) => v.getFloat32(at, le)),
  float64: wire(8, 'float64', (v, at, le) => v.getFloat64(at, le)),
  int8: wire(1, 'int32', (v, at) => v.getInt8(at)),
  int16: wire(2, 'int32', (v, at, le) => v.getInt16(at, le)),
  int32: wire(4, 'int32', (v, at, le) => v.getInt32(at, le)),
  int64: wire(8, 'int32', (v, at, le) => Number(v.getBigInt64(at, le))),
  uint8: wire(1, 'uint32', (v, at) => v.getUint8(at)),
  uint16: wire(2, 'uint32', (v, at, le) => v.getUint16(at, le)),
  uint32: wire(4, 'uint32', (v, at, le) => v.getUint32(at, le)),
  uint64: wire(8, 'uint32', (v, at, le) => Number(v.getBigUint64(at, le))),
  bool: wire(1, 'bool', (v, at) => v.getUint8(at)),
} as const satisfies Record<string, Wire>;

/** The name of a type of element in a file. */
export type WireName = keyof typeof wires;

/** IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));

/** bfloat16 is the upper half of a float32. */
function fromBrain(bits: number): number {
  scratch.setUint16(0, bits);
  return scratch.getFloat32(0);
}

const hostIsLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * `count` elements from the byte `start` on, in the storage of their dtype.
 *
 * The caller has made sure that the bytes are there, so that what is allocated is bounded by the file.
 */
export function readElements(
  bytes: Uint8Array,
  start: number,
  count: number,
  name: WireName,
  little: boolean,
): E.Either<Corrupt, TypedArray> {
  const type: Wire = wires[name];
  const host = allocate(type.dtype, count);
  if (name === type.dtype && (little === hostIsLittle || type.bytes === 1)) {
    // Bit for bit, so that the payload of a NaN survives.
    new Uint8Array(host.buffer).set(bytes.subarray(start, start + count * type.bytes));
  } else {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [least, greatest] = rangeOf(type);
    for (let i = 0; i < count; i++) {
      const element = type.get(view, start + i * type.bytes, little);
      if (element < least || element > greatest) {
        return E.left(corrupt(`element ${i} of ${name} is ${element}, which ${type.dtype} cannot hold.`));
      }
      host[i] = element;
    }
  }
  if (name === 'bool') {
    const odd = (host as Uint8Array).findIndex((x) => x > 1);
    if (odd >= 0) return E.left(corrupt(`element ${odd} of bool is the byte ${host[odd]}, neither 0 nor 1.`));
  }
  return E.right(host);
}

const rangeOf = ({ bytes, dtype }: Wire): readonly [number, number] =>
  bytes === 8 && (dtype === 'int32' || dtype === 'uint32')
    ? integerRange(dtype)
    : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

/** Write a host array at `start`, little-endian, in the storage of `dtype` (a device may hold float32 in doubles). */
export function writeElements(target: Uint8Array, start: number, host: TypedArray, dtype: DType): void {
  const stored = allocate(dtype, host.length);
  if (stored.BYTES_PER_ELEMENT === host.BYTES_PER_ELEMENT) bytesOf(stored).set(bytesOf(host));
  else stored.set(host);
  target.set(bytesOf(stored), start);
  if (hostIsLittle) return;
  for (let at = start; at < start + stored.byteLength; at += byteSize(dtype)) {
    target.subarray(at, at + byteSize(dtype)).reverse();
  }
}

const bytesOf = (host: TypedArray): Uint8Array => new Uint8Array(host.buffer, host.byteOffset, host.byteLength);
