/**
 * Bits: the Threefry-2x32 generator, logic, shifts and the view of one dtype's bits as another's.
 */

import { allocate, type TypedArray } from '../../src/core/dtype.ts';
import type { Lower } from './kernel.ts';

/** Rotates the 32-bit word `x` left. */
const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** The parity constant of Threefish's key schedule, for 32-bit words. */
const parity = 0x1bd11bda;

/**
 * Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; the variant of
 * Random123 and JAX): encrypts the counters `(x1, x2)` under the keys `(k1, k2)`.
 *
 * Five groups of four rounds; after each, a key word rotates in and the group's number is added to the second lane.
 */
function threefry(ins: readonly TypedArray[], outs: readonly TypedArray[]): void {
  const [k1, k2, x1, x2] = [ins[0]!, ins[1]!, ins[2]!, ins[3]!];
  const [out1, out2] = [outs[0]!, outs[1]!];
  for (let i = 0; i < out1.length; i++) {
    const a = k1[i]! | 0;
    const b = k2[i]! | 0;
    const c = a ^ b ^ parity;
    let x = (x1[i]! + a) | 0;
    let y = (x2[i]! + b) | 0;

    x = (x + y) | 0;
    y = rotate(y, 13) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 15) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 26) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 6) ^ x;
    x = (x + b) | 0;
    y = (y + c + 1) | 0;

    x = (x + y) | 0;
    y = rotate(y, 17) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 29) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 16) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 24) ^ x;
    x = (x + c) | 0;
    y = (y + a + 2) | 0;

    x = (x + y) | 0;
    y = rotate(y, 13) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 15) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 26) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 6) ^ x;
    x = (x + a) | 0;
    y = (y + b + 3) | 0;

    x = (x + y) | 0;
    y = rotate(y, 17) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 29) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 16) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 24) ^ x;
    x = (x + b) | 0;
    y = (y + c + 4) | 0;

    x = (x + y) | 0;
    y = rotate(y, 13) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 15) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 26) ^ x;
    x = (x + y) | 0;
    y = rotate(y, 6) ^ x;
    out1[i] = (x + c) | 0;
    out2[i] = (y + a + 5) | 0;
  }
}

/** Two words of random bits for each element of two keys and two counters; see {@link threefry}. */
export const threefry2x32: Lower<unknown> = () => threefry;

type UnaryLoop = (x: TypedArray, out: TypedArray) => void;
type BinaryLoop = (x: TypedArray, y: TypedArray, out: TypedArray) => void;

const binary =
  (loop: BinaryLoop): Lower<unknown> =>
  () =>
  (ins, outs) =>
    loop(ins[0]!, ins[1]!, outs[0]!);

/** Conjunction, bit by bit; a bool is one bit. */
export const and = binary((x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! & y[i]!;
});

/** Disjunction, bit by bit. */
export const or = binary((x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! | y[i]!;
});

/** Exclusive disjunction, bit by bit. */
export const xor = binary((x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! ^ y[i]!;
});

const notBool: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! ^ 1;
};
const notWord: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = ~x[i]!;
};
/** Complement of each bit. */
export const not: Lower<unknown> = (ins) => {
  const loop = ins[0]!.dtype === 'bool' ? notBool : notWord;
  return (ins, outs) => loop(ins[0]!, outs[0]!);
};

// JavaScript takes shift counts modulo 32; `>>> 0` is the unsigned view that makes a negative count a large one.

/** `x << y`; 0 once every bit is shifted out (a count of 32 and more, as unsigned). */
export const shiftLeft = binary((x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = y[i]! >>> 0 < 32 ? x[i]! << y[i]! : 0;
});

/** `x >> y` with zeros shifted in; 0 once every bit is shifted out. */
export const shiftRightLogical = binary((x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = y[i]! >>> 0 < 32 ? x[i]! >>> y[i]! : 0;
});

/** `x >> y` with copies of the highest bit shifted in; that bit everywhere once all are shifted out. */
export const shiftRightArithmetic = binary((x, y, out) => {
  for (let i = 0; i < out.length; i++) out[i] = x[i]! >> Math.min(y[i]! >>> 0, 31);
});

/** The number of ones: added in pairs, then in fours, then all bytes by a product. */
export const populationCount: Lower<unknown> = () => (ins, outs) => countOnes(ins[0]!, outs[0]!);
const countOnes: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) {
    let bits = x[i]! | 0;
    bits -= (bits >>> 1) & 0x55555555;
    bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
    out[i] = Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
};

/** The number of zeros before the first one; 32 for 0. */
export const clz: Lower<unknown> = () => (ins, outs) => countLeading(ins[0]!, outs[0]!);
const countLeading: UnaryLoop = (x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = Math.clz32(x[i]!);
};

/** The same 32 bits read as another dtype; a float32 that is stored unrounded is rounded to have bits at all. */
export const bitcastConvertType: Lower<unknown> = (ins, outs) => {
  const [from, to] = [ins[0]!, outs[0]!];
  if (from.dtype === to.dtype) return (ins, outs) => outs[0]!.set(ins[0]!);
  return (ins, outs) => {
    const [x, out] = [ins[0]!, outs[0]!];
    // Both in arrays of their own dtypes, whatever the device stores; as bytes, because a NaN read as a number may lose its payload.
    const exact = x.BYTES_PER_ELEMENT === 4 ? x : new Float32Array(x);
    const result = out.BYTES_PER_ELEMENT === 4 ? out : allocate(to.dtype, to.size);
    bytesOf(result).set(bytesOf(exact));
    if (result !== out) out.set(result);
  };
};

const bytesOf = (array: TypedArray): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
