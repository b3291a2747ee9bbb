/**
 * WebAssembly's instructions as functions: an operand is what emits itself, so code is composed as expressions are written, and one
 * pass over the composition writes the bytes.
 *
 * Names are those of the specification in camelCase, by type: `f32x4.add(a, b)`.
 */

import type { Bytes } from './bytes.ts';

/** Emits code. */
export type Code = (out: Bytes) => void;

/** A type of values. */
export const valueType = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = keyof typeof valueType;

export type Unary = (x: Code) => Code;
export type Binary = (x: Code, y: Code) => Code;
export type Ternary = (x: Code, y: Code, z: Code) => Code;
/** A load from `address` plus a constant number of bytes. */
export type Load = (address: Code, offset?: number) => Code;
export type Store = (address: Code, value: Code, offset?: number) => Code;

const unary =
  (op: number): Unary =>
  (x) =>
  (out) => {
    x(out);
    out.u8(op);
  };
const binary =
  (op: number): Binary =>
  (x, y) =>
  (out) => {
    x(out);
    y(out);
    out.u8(op);
  };
const load =
  (op: number, align: number): Load =>
  (address, offset = 0) =>
  (out) => {
    address(out);
    out.u8(op).u32(align).u32(offset);
  };
const store =
  (op: number, align: number): Store =>
  (address, value, offset = 0) =>
  (out) => {
    address(out);
    value(out);
    out.u8(op).u32(align).u32(offset);
  };
/** Truncation of floats to integers that saturates: NaN is 0. */
const saturating =
  (op: number): Unary =>
  (x) =>
  (out) => {
    x(out);
    out.u8(0xfc).u32(op);
  };

/** A local variable, by its number. */
export const get =
  (local: number): Code =>
  (out) => {
    out.u8(0x20).u32(local);
  };
export const set =
  (local: number, value: Code): Code =>
  (out) => {
    value(out);
    out.u8(0x21).u32(local);
  };
export const tee =
  (local: number, value: Code): Code =>
  (out) => {
    value(out);
    out.u8(0x22).u32(local);
  };
export const drop =
  (value: Code): Code =>
  (out) => {
    value(out);
    out.u8(0x1a);
  };
/** A call of the function with this number. */
export const call =
  (index: number, ...args: readonly Code[]): Code =>
  (out) => {
    for (const arg of args) arg(out);
    out.u8(0x10).u32(index);
  };
/** `condition ? x : y` of numbers, both evaluated. */
export const select =
  (x: Code, y: Code, condition: Code): Code =>
  (out) => {
    x(out);
    y(out);
    condition(out);
    out.u8(0x1b);
  };
/** The same of vectors, chosen as a whole. */
export const selectVector =
  (x: Code, y: Code, condition: Code): Code =>
  (out) => {
    x(out);
    y(out);
    condition(out);
    out.u8(0x1c).u32(1).u8(valueType.v128);
  };

export const i32 = {
  const:
    (x: number): Code =>
    (out) => {
      out.u8(0x41).s32(x);
    },
  eqz: unary(0x45),
  eq: binary(0x46),
  ne: binary(0x47),
  ltS: binary(0x48),
  ltU: binary(0x49),
  gtS: binary(0x4a),
  gtU: binary(0x4b),
  leS: binary(0x4c),
  leU: binary(0x4d),
  geS: binary(0x4e),
  geU: binary(0x4f),
  clz: unary(0x67),
  ctz: unary(0x68),
  popcnt: unary(0x69),
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  divS: binary(0x6d),
  divU: binary(0x6e),
  remS: binary(0x6f),
  remU: binary(0x70),
  and: binary(0x71),
  or: binary(0x72),
  xor: binary(0x73),
  shl: binary(0x74),
  shrS: binary(0x75),
  shrU: binary(0x76),
  load: load(0x28, 2),
  load8U: load(0x2d, 0),
  store: store(0x36, 2),
  store8: store(0x3a, 0),
  truncSatF32S: saturating(0),
  truncSatF32U: saturating(1),
  truncSatF64S: saturating(2),
  truncSatF64U: saturating(3),
  wrapI64: unary(0xa7),
  reinterpretF32: unary(0xbc),
} as const;

export const i64 = {
  const:
    (x: bigint): Code =>
    (out) => {
      out.u8(0x42).s64(x);
    },
  extendI32S: unary(0xac),
  extendI32U: unary(0xad),
  mul: binary(0x7e),
  shrU: binary(0x88),
  reinterpretF64: unary(0xbd),
  and: binary(0x83),
  or: binary(0x84),
  store: store(0x37, 3),
  load: load(0x29, 3),
} as const;

export const f32 = {
  const:
    (x: number): Code =>
    (out) => {
      out.u8(0x43).f32(x);
    },
  load: load(0x2a, 2),
  store: store(0x38, 2),
  eq: binary(0x5b),
  ne: binary(0x5c),
  lt: binary(0x5d),
  gt: binary(0x5e),
  le: binary(0x5f),
  ge: binary(0x60),
  abs: unary(0x8b),
  neg: unary(0x8c),
  ceil: unary(0x8d),
  floor: unary(0x8e),
  trunc: unary(0x8f),
  nearest: unary(0x90),
  sqrt: unary(0x91),
  add: binary(0x92),
  sub: binary(0x93),
  mul: binary(0x94),
  div: binary(0x95),
  min: binary(0x96),
  max: binary(0x97),
  copysign: binary(0x98),
  convertI32S: unary(0xb2),
  convertI32U: unary(0xb3),
  demoteF64: unary(0xb6),
  reinterpretI32: unary(0xbe),
} as const;

export const f64 = {
  const:
    (x: number): Code =>
    (out) => {
      out.u8(0x44).f64(x);
    },
  load: load(0x2b, 3),
  store: store(0x39, 3),
  eq: binary(0x61),
  ne: binary(0x62),
  lt: binary(0x63),
  gt: binary(0x64),
  le: binary(0x65),
  ge: binary(0x66),
  abs: unary(0x99),
  neg: unary(0x9a),
  ceil: unary(0x9b),
  floor: unary(0x9c),
  trunc: unary(0x9d),
  nearest: unary(0x9e),
  sqrt: unary(0x9f),
  add: binary(0xa0),
  sub: binary(0xa1),
  mul: binary(0xa2),
  div: binary(0xa3),
  min: binary(0xa4),
  max: binary(0xa5),
  copysign: binary(0xa6),
  convertI32S: unary(0xb7),
  convertI32U: unary(0xb8),
  promoteF32: unary(0xbb),
  reinterpretI64: unary(0xbf),
} as const;

<<<<<<< HEAD
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
=======
export * from './simd.ts';
>>>>>>> d23a6b5 (WebAssembly device: lint; SIMD instructions in a file of their own)
