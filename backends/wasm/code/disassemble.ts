/**
 * Modules as text: what {@link Module} encodes, in the text format of the specification, one instruction a line.
 *
 * Written from the specification's tables and not from our encoder, so that each is a check of the other. It knows the sections and
 * instructions that we emit, and says where it meets another.
 */

import { CompileError } from '../../../src/core/errors.ts';

/** Names of consecutive opcodes; `.` for those that we do not use. */
const runs = (table: readonly (readonly [first: number, names: string])[]): ReadonlyMap<number, string> =>
  new Map(
    table.flatMap(([first, names]) =>
      names
        .trim()
        .split(/\s+/)
        .map((name, i) => [first + i, name] as const)
        .filter(([, name]) => name !== '.'),
    ),
  );

/** Each name of an instruction of these types. */
const of = (type: string, names: string): string =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => (name === '.' ? name : `${type}.${name}`))
    .join(' ');

const integer = 'clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr';
const integerComparisons = 'eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u';
const float = 'abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign';
const comparisons = 'eq ne lt gt le ge';
const laneComparisons = 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u';

/** Instructions of one byte. */
const plain = runs([
  [0x00, 'unreachable nop block loop if else . . . . . end br br_if . return call'],
  [0x1a, 'drop select select'],
  [0x20, 'local.get local.set local.tee'],
  [0x28, 'i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u'],
  [0x36, 'i32.store i64.store f32.store f64.store i32.store8 i32.store16'],
  [0x41, 'i32.const i64.const f32.const f64.const'],
  [0x45, of('i32', integerComparisons)],
  [0x50, of('i64', integerComparisons)],
  [0x5b, of('f32', comparisons)],
  [0x61, of('f64', comparisons)],
  [0x67, of('i32', integer)],
  [0x79, of('i64', integer)],
  [0x8b, of('f32', float)],
  [0x99, of('f64', float)],
  [0xa7, of('i32', 'wrap_i64 trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u')],
  [0xac, of('i64', 'extend_i32_s extend_i32_u trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u')],
  [0xb2, of('f32', 'convert_i32_s convert_i32_u convert_i64_s convert_i64_u demote_f64')],
  [0xb7, of('f64', 'convert_i32_s convert_i32_u convert_i64_s convert_i64_u promote_f32')],
  [0xbc, 'i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64'],
]);

/** Behind the byte 0xfc. */
const more = runs([
  [0, of('i32', 'trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u')],
  [10, 'memory.copy memory.fill'],
]);

/** Behind the byte 0xfd. */
const vector = runs([
  [0x00, of('v128', 'load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u')],
  [0x07, of('v128', 'load8_splat load16_splat load32_splat load64_splat store const')],
  [0x0d, of('i8x16', 'shuffle swizzle splat')],
  [0x10, 'i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat'],
  [0x15, 'i8x16.extract_lane_s i8x16.extract_lane_u i8x16.replace_lane'],
  [0x18, 'i16x8.extract_lane_s i16x8.extract_lane_u i16x8.replace_lane'],
  [0x1b, 'i32x4.extract_lane i32x4.replace_lane i64x2.extract_lane i64x2.replace_lane'],
  [0x1f, 'f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane f64x2.replace_lane'],
  [0x23, of('i8x16', laneComparisons)],
  [0x2d, of('i16x8', laneComparisons)],
  [0x37, of('i32x4', laneComparisons)],
  [0x41, of('f32x4', comparisons)],
  [0x47, of('f64x2', comparisons)],
  [0x4d, of('v128', 'not and andnot or xor bitselect any_true load8_lane load16_lane load32_lane load64_lane')],
  [0x58, of('v128', 'store8_lane store16_lane store32_lane store64_lane load32_zero load64_zero')],
  [0x5e, 'f32x4.demote_f64x2_zero f64x2.promote_low_f32x4'],
  [0x60, of('i8x16', 'abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u')],
  [0x67, of('f32x4', 'ceil floor trunc nearest')],
  [0x6b, of('i8x16', 'shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u')],
  [0x74, 'f64x2.ceil f64x2.floor i8x16.min_s i8x16.min_u i8x16.max_s i8x16.max_u f64x2.trunc i8x16.avgr_u'],
  [0x7c, of('i16x8', 'extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u')],
  [0x7e, of('i32x4', 'extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u')],
  [0x80, of('i16x8', 'abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u')],
  [0x87, of('i16x8', 'extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u')],
  [0x8b, of('i16x8', 'shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u')],
  [0x94, 'f64x2.nearest i16x8.mul i16x8.min_s i16x8.min_u i16x8.max_s i16x8.max_u'],
  [0xa0, of('i32x4', 'abs neg . all_true bitmask')],
  [0xa7, of('i32x4', 'extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u')],
  [0xab, of('i32x4', 'shl shr_s shr_u add . . sub . . . mul min_s min_u max_s max_u dot_i16x8_s')],
  [0xc0, of('i64x2', 'abs neg . all_true bitmask')],
  [0xc7, of('i64x2', 'extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u')],
  [0xcb, of('i64x2', 'shl shr_s shr_u add . . sub . . . mul eq ne lt_s gt_s le_s ge_s')],
  [0xe0, of('f32x4', 'abs neg . sqrt add sub mul div min max pmin pmax')],
  [0xec, of('f64x2', 'abs neg . sqrt add sub mul div min max pmin pmax')],
  [0xf8, of('i32x4', 'trunc_sat_f32x4_s trunc_sat_f32x4_u')],
  [0xfa, of('f32x4', 'convert_i32x4_s convert_i32x4_u')],
  [0xfc, of('i32x4', 'trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero')],
  [0xfe, of('f64x2', 'convert_low_i32x4_s convert_low_i32x4_u')],
  [0x100, 'i8x16.relaxed_swizzle'],
  [
    0x101,
    of('i32x4', 'relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u relaxed_trunc_f64x2_s_zero relaxed_trunc_f64x2_u_zero'),
  ],
  [0x105, 'f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd'],
  [0x109, 'i8x16.relaxed_laneselect i16x8.relaxed_laneselect i32x4.relaxed_laneselect i64x2.relaxed_laneselect'],
  [0x10d, 'f32x4.relaxed_min f32x4.relaxed_max f64x2.relaxed_min f64x2.relaxed_max'],
]);

/** Behind the byte 0xfe. */
const atomics = runs([
  [0x00, 'memory.atomic.notify memory.atomic.wait32'],
  [0x10, 'i32.atomic.load i64.atomic.load'],
  [0x17, 'i32.atomic.store i64.atomic.store'],
  [0x1e, 'i32.atomic.rmw.add'],
  [0x25, 'i32.atomic.rmw.sub'],
  [0x49, 'i64.atomic.rmw.cmpxchg'],
]);

const types: Readonly<Record<number, string>> = { 127: 'i32', 126: 'i64', 125: 'f32', 124: 'f64', 123: 'v128' };

interface Signature {
  readonly params: readonly string[];
  readonly results: readonly string[];
}

/** A position in the bytes of a module. */
class Reader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  u8(): number {
    return this.bytes[this.at++]!;
  }

  u32(): number {
    return Number(this.leb(false));
  }

  /** An integer of 7 bits a byte, signed or not. */
  leb(signed: boolean): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 127) << shift;
      if ((byte & 128) !== 0) continue;
      return signed && (byte & 64) !== 0 ? value - (1n << (shift + 7n)) : value;
    }
  }

  name(): string {
    const length = this.u32();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }

  list<A>(read: () => A): readonly A[] {
    return Array.from({ length: this.u32() }, read);
  }

  type(): string {
    return types[this.u8()] ?? this.unknown('type', this.at - 1);
  }

  /** A float as text; a NaN with its bits where it is not the usual one. */
  float(bytes: 4 | 8): string {
    const value = bytes === 4 ? this.view.getFloat32(this.at, true) : this.view.getFloat64(this.at, true);
    const high = this.view.getUint32(this.at + bytes - 4, true);
    const low = bytes === 8 ? this.view.getUint32(this.at, true) : 0;
    this.at += bytes;
    const sign = high >>> 31 ? '-' : '';
    if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return `${sign}inf`;
    if (!Number.isNaN(value)) return Object.is(value, -0) ? '-0' : String(value);
    const payload = bytes === 4 ? BigInt(high & 0x7fffff) : (BigInt(high & 0xfffff) << 32n) | BigInt(low);
    const usual = bytes === 4 ? 1n << 22n : 1n << 51n;
    return `${sign}nan${payload === usual ? '' : `:0x${payload.toString(16)}`}`;
  }

  word(): string {
    this.at += 4;
    return `0x${this.view
      .getUint32(this.at - 4, true)
      .toString(16)
      .padStart(8, '0')}`;
  }

  unknown(what: string, at: number): never {
    throw new CompileError({
      op: 'disassemble',
      problem: `unknown ${what} 0x${this.bytes[at]?.toString(16)} at byte ${at} of the module`,
      remedy: 'add it to backends/wasm/code/disassemble.ts',
    });
  }
}

/** The module in the text format. */
export function disassemble(bytes: Uint8Array): string {
  const reader = new Reader(bytes);
  reader.at = 8;
  let signatures: readonly Signature[] = [];
  const lines: string[] = ['(module'];
  const names = new Map<number, readonly string[]>();
  const functions: Signature[] = [];
  let imported = 0;
  const label = (index: number): string => `$${names.get(index)?.[0] ?? index}`;
  while (!reader.done) {
    const section = reader.u8();
    const end = reader.u32() + reader.at;
    switch (section) {
      case 1:
        signatures = reader.list(() => {
          reader.at += 1;
          return { params: reader.list(() => reader.type()), results: reader.list(() => reader.type()) };
        });
        break;
      case 2:
        reader.list(() => {
          const [from, name] = [reader.name(), reader.name()];
          if (reader.u8() === 2) {
            const flags = reader.u8();
            const limits = `${reader.u32()}${flags & 1 ? ` ${reader.u32()}` : ''}${flags & 2 ? ' shared' : ''}`;
            lines.push(`  (import "${from}" "${name}" (memory ${limits}))`);
            return;
          }
          const signature = signatures[reader.u32()]!;
          names.set(functions.push(signature) - 1, [name]);
          lines.push(`  (import "${from}" "${name}" (func $${name}${signatureText(signature)}))`);
        });
        imported = functions.length;
        break;
      case 3:
        functions.push(...reader.list(() => signatures[reader.u32()]!));
        break;
      case 7:
        reader.list(() => {
          const name = reader.name();
          reader.at += 1;
          const index = reader.u32();
          names.set(index, [...(names.get(index) ?? []), name]);
        });
        break;
      case 10:
        for (let index = imported, left = reader.u32(); left > 0; index++, left--) {
          const exported = (names.get(index) ?? []).map((name) => ` (export "${name}")`).join('');
          lines.push(`  (func ${label(index)}${exported}${signatureText(functions[index]!)}`, ...body(reader, label));
          lines[lines.length - 1] += ')';
        }
        break;
      default:
        reader.unknown('section', reader.at);
    }
    reader.at = end;
  }
  return `${lines.join('\n')})`;
}

const signatureText = ({ params, results }: Signature): string =>
  [['param', params] as const, ['result', results] as const]
    .filter(([, list]) => list.length > 0)
    .map(([word, list]) => ` (${word} ${list.join(' ')})`)
    .join('');

/** Locals and instructions of a function, indented by the blocks that they are in. */
function body(reader: Reader, label: (index: number) => string): readonly string[] {
  const end = reader.u32() + reader.at;
  const locals = reader.list(() => new Array<string>(reader.u32()).fill(reader.type())).flat();
  const lines = locals.length > 0 ? [`    (local ${locals.join(' ')})`] : [];
  let depth = 2;
  while (reader.at < end - 1) {
    const text = instruction(reader, label);
    if (text === 'end' || text === 'else') depth -= 1;
    lines.push('  '.repeat(depth) + text);
    if (/^(block|loop|if|else)\b/.test(text)) depth += 1;
  }
  reader.at = end;
  return lines.length > 0 ? lines : [''];
}

function instruction(reader: Reader, label: (index: number) => string): string {
  const at = reader.at;
  const code = reader.u8();
  if (code === 0xfc) {
    const name = more.get(reader.u32()) ?? reader.unknown('instruction', at + 1);
    if (name.startsWith('memory.')) reader.at += name === 'memory.copy' ? 2 : 1;
    return name;
  }
  if (code === 0xfe) return (atomics.get(reader.u32()) ?? reader.unknown('atomic', at + 1)) + memory(reader);
  if (code === 0xfd) return vectorInstruction(reader, vector.get(reader.u32()) ?? reader.unknown('vector', at + 1));
  const name = plain.get(code) ?? reader.unknown('instruction', at);
  switch (code) {
    case 0x02:
    case 0x03:
    case 0x04: {
      const type = reader.u8();
      return type === 0x40 ? name : `${name} (result ${types[type] ?? reader.unknown('block type', reader.at - 1)})`;
    }
    case 0x10:
      return `${name} ${label(reader.u32())}`;
    case 0x1c:
      return `${name} (result ${reader.list(() => reader.type()).join(' ')})`;
    case 0x41:
    case 0x42:
      return `${name} ${reader.leb(true)}`;
    case 0x43:
      return `${name} ${reader.float(4)}`;
    case 0x44:
      return `${name} ${reader.float(8)}`;
  }
  if (name.startsWith('local.') || name.startsWith('br')) return `${name} ${reader.u32()}`;
  return code >= 0x28 && code <= 0x3e ? `${name}${memory(reader)}` : name;
}

function vectorInstruction(reader: Reader, name: string): string {
  if (name === 'v128.const') return `${name} i32x4 ${Array.from({ length: 4 }, () => reader.word()).join(' ')}`;
  if (name === 'i8x16.shuffle') return `${name} ${Array.from({ length: 16 }, () => reader.u8()).join(' ')}`;
  const access = /\.(load|store)/.test(name) ? memory(reader) : '';
  return `${name}${access}${/_lane(_[su])?$/.test(name) ? ` ${reader.u8()}` : ''}`;
}

/** Offset and alignment of an access, where they are not the usual ones: the offset 0, and the alignment 1 is never taken for granted. */
function memory(reader: Reader): string {
  const align = 2 ** reader.u32();
  const offset = reader.u32();
  return `${offset === 0 ? '' : ` offset=${offset}`} align=${align}`;
}
