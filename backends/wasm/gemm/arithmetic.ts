/**
 * What a product of matrices needs to know of its elements: how many fit into a vector, and how they are loaded, multiplied, added and
 * stored. Kernels are written once over this record.
 */

import { type Code, f32x4, f64x2, get, i32, i32x4, i64, set, v128 } from '../code/instructions.ts';

export type Element = 'float32' | 'float64' | 'int32' | 'uint32';

export interface Arithmetic {
  readonly bytes: number;
  /** Elements of a vector. */
  readonly lanes: number;
  readonly zero: Code;
  readonly add: (x: Code, y: Code) => Code;
  readonly multiply: (x: Code, y: Code) => Code;
  /** x·y + z; of relaxed SIMD rounded once. */
  readonly multiplyAdd: (x: Code, y: Code, z: Code) => Code;
  /** One element in all lanes. */
  readonly loadSplat: (address: Code, offset?: number) => Code;
  /** One element in lane 0, zero in the others. */
  readonly loadFirst: (address: Code, offset?: number) => Code;
  readonly loadLane: (address: Code, vector: Code, lane: number, offset?: number) => Code;
  readonly storeLane: (address: Code, vector: Code, lane: number, offset?: number) => Code;
  /** Copies one element, whatever its bits. */
  readonly copy: (to: Code, from: Code, offset?: number) => Code;
  /** Statements: rows of `lanes` vectors become columns; `spare` are as many vectors again. */
  readonly transpose: (rows: readonly number[], spare: readonly number[]) => readonly Code[];
  /** Statement: lane 0 of `vector` becomes the sum of all. */
  readonly sumLanes: (vector: number) => Code;
  /** A mask of the lanes below `count` (an i32). */
  readonly below: (count: Code) => Code;
}

type Shuffle = readonly [number, number, number, number];

/** 4 × 4 by pairs, then pairs of pairs; what is read is never what was written. */
function transpose4(rows: readonly number[], spare: readonly number[]): Code[] {
  const pick = (to: number, x: number, y: number, lanes: Shuffle): Code =>
    set(to, v128.shuffle32(get(x), get(y), lanes));
  const [a, b, c, d] = rows as [number, number, number, number];
  const [p, q, r, s] = spare as [number, number, number, number];
  return [
    pick(p, a, b, [0, 4, 1, 5]),
    pick(q, c, d, [0, 4, 1, 5]),
    pick(r, a, b, [2, 6, 3, 7]),
    pick(s, c, d, [2, 6, 3, 7]),
    pick(a, p, q, [0, 1, 4, 5]),
    pick(b, p, q, [2, 3, 6, 7]),
    pick(c, r, s, [0, 1, 4, 5]),
    pick(d, r, s, [2, 3, 6, 7]),
  ];
}

function transpose2([a, b]: readonly number[], [p]: readonly number[]): Code[] {
  return [
    set(p!, v128.shuffle64(get(a!), get(b!), [1, 3])),
    set(a!, v128.shuffle64(get(a!), get(b!), [0, 2])),
    set(b!, get(p!)),
  ];
}

const words = {
  bytes: 4,
  lanes: 4,
  loadSplat: v128.load32Splat,
  loadFirst: v128.load32Zero,
  loadLane: v128.load32Lane,
  storeLane: v128.store32Lane,
  copy: (to: Code, from: Code, offset = 0): Code => i32.store(to, i32.load(from, offset), offset),
  transpose: transpose4,
  below: (count: Code): Code => i32x4.ltS(v128.constI32(0, 1, 2, 3), i32x4.splat(count)),
};

const sumOfFour =
  (add: Arithmetic['add']) =>
  (x: number): Code =>
  (out) => {
    set(x, add(get(x), v128.shuffle32(get(x), get(x), [2, 3, 0, 1])))(out);
    set(x, add(get(x), v128.shuffle32(get(x), get(x), [1, 0, 3, 2])))(out);
  };

/** @param relaxed - whether x·y + z may be one instruction, which rounds once where the machine has it */
export function arithmetic(dtype: Element, relaxed: boolean): Arithmetic {
  if (dtype === 'float64') {
    const { add, mul } = f64x2;
    return {
      bytes: 8,
      lanes: 2,
      zero: v128.constF64(0),
      add,
      multiply: mul,
      multiplyAdd: relaxed ? f64x2.relaxedMadd : (x, y, z) => add(z, mul(x, y)),
      loadSplat: v128.load64Splat,
      loadFirst: v128.load64Zero,
      loadLane: v128.load64Lane,
      storeLane: v128.store64Lane,
      copy: (to, from, offset = 0) => i64.store(to, i64.load(from, offset), offset),
      transpose: transpose2,
      sumLanes: (x) => set(x, add(get(x), v128.shuffle64(get(x), get(x), [1, 0]))),
      below: (count) => i32x4.ltS(v128.constI32(0, 0, 1, 1), i32x4.splat(count)),
    };
  }
  if (dtype === 'float32') {
    const { add, mul } = f32x4;
    return {
      ...words,
      zero: v128.constF32(0),
      add,
      multiply: mul,
      multiplyAdd: relaxed ? f32x4.relaxedMadd : (x, y, z) => add(z, mul(x, y)),
      sumLanes: sumOfFour(add),
    };
  }
  // Products and sums modulo 2³² are the same of signed and unsigned words.
  const { add, mul } = i32x4;
  return {
    ...words,
    zero: v128.constI32(0),
    add,
    multiply: mul,
    multiplyAdd: (x, y, z) => add(z, mul(x, y)),
    sumLanes: sumOfFour(add),
  };
}

/** The first `count` elements at an address, zero in the lanes after them, reading no further. */
export function loadPart(e: Arithmetic, address: Code, count: number, offset = 0): Code {
  if (count === e.lanes) return v128.load(address, offset);
  if (count === 1) return e.loadFirst(address, offset);
  const pair = v128.load64Zero(address, offset);
  return count === 2 ? pair : e.loadLane(address, pair, 2, offset + 2 * e.bytes);
}

/** Statements that store the first `count` lanes of a vector side by side. */
export function storePart(e: Arithmetic, address: Code, vector: Code, count: number, offset = 0): readonly Code[] {
  if (count === e.lanes) return [v128.store(address, vector, offset)];
  if (count === 1) return [e.storeLane(address, vector, 0, offset)];
  const pair = v128.store64Lane(address, vector, 0, offset);
  return count === 2 ? [pair] : [pair, e.storeLane(address, vector, 2, offset + 2 * e.bytes)];
}
