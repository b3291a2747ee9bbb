/** Instructions of SIMD: 128 bits as 16, 8, 4 or 2 lanes. `relaxed*` belongs to relaxed SIMD. */

import type { Bytes } from './bytes.ts';
import type { Binary, Code, Load, Ternary, Unary } from './instructions.ts';

const simd = (out: Bytes, op: number): Bytes => out.u8(0xfd).u32(op);
const vector1 =
  (op: number): Unary =>
  (x) =>
  (out) => {
    x(out);
    simd(out, op);
  };
const vector2 =
  (op: number): Binary =>
  (x, y) =>
  (out) => {
    x(out);
    y(out);
    simd(out, op);
  };
const vector3 =
  (op: number): Ternary =>
  (x, y, z) =>
  (out) => {
    x(out);
    y(out);
    z(out);
    simd(out, op);
  };
const vectorLoad =
  (op: number, align: number): Load =>
  (address, offset = 0) =>
  (out) => {
    address(out);
    simd(out, op).u32(align).u32(offset);
  };
const lane =
  (op: number) =>
  (x: Code, index: number): Code =>
  (out) => {
    x(out);
    simd(out, op).u8(index);
  };
const replaceLane =
  (op: number) =>
  (x: Code, index: number, value: Code): Code =>
  (out) => {
    x(out);
    value(out);
    simd(out, op).u8(index);
  };
const storeLane =
  (op: number, align: number) =>
  (address: Code, value: Code, index: number, offset = 0): Code =>
  (out) => {
    address(out);
    value(out);
    simd(out, op).u32(align).u32(offset).u8(index);
  };
/** A vector with one lane replaced by what is loaded. */
const loadLane =
  (op: number, align: number) =>
  (address: Code, vector: Code, index: number, offset = 0): Code =>
  (out) => {
    address(out);
    vector(out);
    simd(out, op).u32(align).u32(offset).u8(index);
  };
const constant =
  (write: (out: Bytes) => void): Code =>
  (out) => {
    simd(out, 0x0c);
    write(out);
  };

export const v128 = {
  load: vectorLoad(0x00, 2),
  load8Splat: vectorLoad(0x07, 0),
  load32Splat: vectorLoad(0x09, 2),
  load64Splat: vectorLoad(0x0a, 3),
  load32Zero: vectorLoad(0x5c, 2),
  load64Zero: vectorLoad(0x5d, 3),
  store:
    (address: Code, value: Code, offset = 0): Code =>
    (out) => {
      address(out);
      value(out);
      simd(out, 0x0b).u32(2).u32(offset);
    },
  load32Lane: loadLane(0x56, 2),
  load64Lane: loadLane(0x57, 3),
  store8Lane: storeLane(0x58, 0),
  store16Lane: storeLane(0x59, 1),
  store32Lane: storeLane(0x5a, 2),
  store64Lane: storeLane(0x5b, 3),
  constF32: (x: number, y = x, z = x, w = x): Code => constant((out) => out.f32(x).f32(y).f32(z).f32(w)),
  constF64: (x: number, y = x): Code => constant((out) => out.f64(x).f64(y)),
  constI32: (x: number, y = x, z = x, w = x): Code => constant((out) => out.i32(x).i32(y).i32(z).i32(w)),
  /** 64-bit lanes of two vectors, numbered 0 … 3. */
  shuffle64:
    (x: Code, y: Code, lanes: readonly [number, number]): Code =>
    (out) => {
      x(out);
      y(out);
      simd(out, 0x0d);
      for (const from of lanes) for (let i = 0; i < 8; i++) out.u8(from * 8 + i);
    },
  /** 32-bit lanes of two vectors, numbered 0 … 7. */
  shuffle32:
    (x: Code, y: Code, lanes: readonly [number, number, number, number]): Code =>
    (out) => {
      x(out);
      y(out);
      simd(out, 0x0d);
      for (const from of lanes) for (let i = 0; i < 4; i++) out.u8(from * 4 + i);
    },
  not: vector1(0x4d),
  and: vector2(0x4e),
  andnot: vector2(0x4f),
  or: vector2(0x50),
  xor: vector2(0x51),
  /** Bits of x where the mask has ones, else of y. */
  bitselect: vector3(0x52),
  anyTrue: vector1(0x53),
} as const;

export const i8x16 = {
  narrowI16x8U: vector2(0x66),
  narrowI16x8S: vector2(0x65),
  swizzle: vector2(0x0e),
  shuffle:
    (x: Code, y: Code, lanes: readonly number[]): Code =>
    (out) => {
      x(out);
      y(out);
      simd(out, 0x0d);
      for (const from of lanes) out.u8(from);
    },
  popcnt: vector1(0x62),
} as const;

export const i16x8 = {
  narrowI32x4S: vector2(0x85),
  narrowI32x4U: vector2(0x86),
  extendLowI8x16U: vector1(0x89),
  extaddPairwiseI8x16U: vector1(0x7d),
} as const;

const shift =
  (op: number) =>
  (x: Code, count: Code): Code =>
  (out) => {
    x(out);
    count(out);
    simd(out, op);
  };

export const i32x4 = {
  splat: vector1(0x11),
  extractLane: lane(0x1b),
  replaceLane: replaceLane(0x1c),
  eq: vector2(0x37),
  ne: vector2(0x38),
  ltS: vector2(0x39),
  ltU: vector2(0x3a),
  gtS: vector2(0x3b),
  gtU: vector2(0x3c),
  leS: vector2(0x3d),
  leU: vector2(0x3e),
  geS: vector2(0x3f),
  geU: vector2(0x40),
  extaddPairwiseI16x8U: vector1(0x7f),
  abs: vector1(0xa0),
  neg: vector1(0xa1),
  allTrue: vector1(0xa3),
  bitmask: vector1(0xa4),
  extendLowI16x8U: vector1(0xa9),
  shl: shift(0xab),
  shrS: shift(0xac),
  shrU: shift(0xad),
  add: vector2(0xae),
  sub: vector2(0xb1),
  mul: vector2(0xb5),
  minS: vector2(0xb6),
  minU: vector2(0xb7),
  maxS: vector2(0xb8),
  maxU: vector2(0xb9),
  truncSatF32x4S: vector1(0xf8),
  truncSatF32x4U: vector1(0xf9),
  truncSatZeroF64x2S: vector1(0xfc),
  truncSatZeroF64x2U: vector1(0xfd),
  /** Lanes of x where the mask has ones, of y where zeros; other masks give anything. */
  relaxedLaneselect: vector3(0x10b),
} as const;

export const i64x2 = {
  splat: vector1(0x12),
  extractLane: lane(0x1d),
  extendLowI32x4S: vector1(0xc7),
  extendLowI32x4U: vector1(0xc9),
  add: vector2(0xce),
  sub: vector2(0xd1),
  shl: shift(0xcb),
  shrS: shift(0xcc),
  shrU: shift(0xcd),
} as const;

export const f32x4 = {
  splat: vector1(0x13),
  extractLane: lane(0x1f),
  replaceLane: replaceLane(0x20),
  eq: vector2(0x41),
  ne: vector2(0x42),
  lt: vector2(0x43),
  gt: vector2(0x44),
  le: vector2(0x45),
  ge: vector2(0x46),
  ceil: vector1(0x67),
  floor: vector1(0x68),
  trunc: vector1(0x69),
  nearest: vector1(0x6a),
  demoteZeroF64x2: vector1(0x5e),
  abs: vector1(0xe0),
  neg: vector1(0xe1),
  sqrt: vector1(0xe3),
  add: vector2(0xe4),
  sub: vector2(0xe5),
  mul: vector2(0xe6),
  div: vector2(0xe7),
  min: vector2(0xe8),
  max: vector2(0xe9),
  pmin: vector2(0xea),
  pmax: vector2(0xeb),
  convertI32x4S: vector1(0xfa),
  convertI32x4U: vector1(0xfb),
  relaxedMadd: vector3(0x105),
  relaxedNmadd: vector3(0x106),
} as const;

export const f64x2 = {
  splat: vector1(0x14),
  extractLane: lane(0x21),
  replaceLane: replaceLane(0x22),
  eq: vector2(0x47),
  ne: vector2(0x48),
  lt: vector2(0x49),
  gt: vector2(0x4a),
  le: vector2(0x4b),
  ge: vector2(0x4c),
  ceil: vector1(0x74),
  floor: vector1(0x75),
  trunc: vector1(0x7a),
  nearest: vector1(0x94),
  promoteLowF32x4: vector1(0x5f),
  abs: vector1(0xec),
  neg: vector1(0xed),
  sqrt: vector1(0xef),
  add: vector2(0xf0),
  sub: vector2(0xf1),
  mul: vector2(0xf2),
  div: vector2(0xf3),
  min: vector2(0xf4),
  max: vector2(0xf5),
  pmin: vector2(0xf6),
  pmax: vector2(0xf7),
  convertLowI32x4S: vector1(0xfe),
  convertLowI32x4U: vector1(0xff),
  relaxedMadd: vector3(0x107),
  relaxedNmadd: vector3(0x108),
} as const;
