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
  eq: binary(0x51),
  add: binary(0x7c),
  mul: binary(0x7e),
  shl: binary(0x86),
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

export * from './atomic.ts';
export * from './simd.ts';
