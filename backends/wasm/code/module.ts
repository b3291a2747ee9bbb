/** A WebAssembly module under construction: functions that call each other by number, one imported memory. */

import { Bytes } from './bytes.ts';
import { type Code, type ValueType, valueType } from './instructions.ts';

/** A function: parameters are its first locals. */
export class Func {
  readonly index: number;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  private readonly locals: ValueType[] = [];
  private code: Code | null = null;

  constructor(index: number, params: readonly ValueType[], results: readonly ValueType[]) {
    this.index = index;
    this.params = params;
    this.results = results;
  }

  /** A new local variable, zero at first; its number. May be called while the body is emitted. */
  local(type: ValueType): number {
    return this.params.length + this.locals.push(type) - 1;
  }

  body(code: Code): this {
    this.code = code;
    return this;
  }

  /** Locals and code, as a code section holds them. */
  encode(): Bytes {
    const code = new Bytes(1024);
    this.code?.(code);
    code.u8(0x0b);
    const runs: [number, ValueType][] = [];
    for (const type of this.locals) {
      const last = runs.at(-1);
      if (last?.[1] === type) last[0] += 1;
      else runs.push([1, type]);
    }
    const head = new Bytes(16).u32(runs.length);
    for (const [count, type] of runs) head.u32(count).u8(valueType[type]);
    return new Bytes(8)
      .u32(head.length + code.length)
      .append(head)
      .append(code);
  }
}

/** Builds a module; imports come before functions. The memory is imported as `env.memory`, functions as `env.NAME`. */
export class Module {
  private readonly types = new Map<
    string,
    { index: number; params: readonly ValueType[]; results: readonly ValueType[] }
  >();
  private readonly imports: { name: string; type: number }[] = [];
  private readonly functions: Func[] = [];
  private readonly exports: { name: string; index: number }[] = [];
  private readonly shared: boolean;
  private readonly maximum: number;

  /** @param memory - how the imported memory is declared; `maximum` in pages of 64 KiB */
  constructor(memory: { readonly shared: boolean; readonly maximum: number }) {
    this.shared = memory.shared;
    this.maximum = memory.maximum;
  }

  private typeOf(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const found = this.types.get(key);
    if (found) return found.index;
    const index = this.types.size;
    this.types.set(key, { index, params, results });
    return index;
  }

  /** The number of an imported function. */
  import(name: string, params: readonly ValueType[], results: readonly ValueType[]): number {
    if (this.functions.length > 0) throw new Error('imports must come before functions');
    const known = this.imports.findIndex((x) => x.name === name);
    if (known >= 0) return known;
    return this.imports.push({ name, type: this.typeOf(params, results) }) - 1;
  }

  func(params: readonly ValueType[], results: readonly ValueType[] = [], exportAs?: string): Func {
    const f = new Func(this.imports.length + this.functions.length, params, results);
    this.typeOf(params, results);
    this.functions.push(f);
    if (exportAs !== undefined) this.export(exportAs, f);
    return f;
  }

  export(name: string, { index }: Func): void {
    this.exports.push({ name, index });
  }

  encode(): Uint8Array<ArrayBuffer> {
    // Bodies first: what emits them may still add locals.
    const bodies = this.functions.map((f) => f.encode());
    const types = new Bytes().u32(this.types.size);
    for (const { params, results } of this.types.values()) {
      types.u8(0x60);
      for (const list of [params, results]) {
        types.u32(list.length);
        for (const type of list) types.u8(valueType[type]);
      }
    }
    const imports = new Bytes().u32(this.imports.length + 1);
    for (const { name, type } of this.imports) imports.name('env').name(name).u8(0).u32(type);
    imports.name('env').name('memory').u8(2);
    imports
      .u8(this.shared ? 3 : 1)
      .u32(0)
      .u32(this.maximum);
    const declared = new Bytes().u32(this.functions.length);
    for (const f of this.functions) declared.u32(this.typeOf(f.params, f.results));
    const exported = new Bytes().u32(this.exports.length);
    for (const { name, index } of this.exports) exported.name(name).u8(0).u32(index);
    const code = new Bytes(4096).u32(bodies.length);
    for (const body of bodies) code.append(body);
    return new Bytes(4096)
      .bytes([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
      .section(1, types)
      .section(2, imports)
      .section(3, declared)
      .section(7, exported)
      .section(10, code)
      .done();
  }
}
