/** A growing array of bytes with WebAssembly's integer encodings (LEB128). */
export class Bytes {
  private buffer: Uint8Array;
  private count = 0;

  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity);
  }

  get length(): number {
    return this.count;
  }

  private reserve(extra: number): void {
    const needed = this.count + extra;
    if (needed <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, needed));
    grown.set(this.buffer.subarray(0, this.count));
    this.buffer = grown;
  }

  u8(x: number): this {
    if (this.count === this.buffer.length) this.reserve(1);
    this.buffer[this.count++] = x;
    return this;
  }

  u32(x: number): this {
    let rest = x >>> 0;
    while (rest > 127) {
      this.u8((rest & 127) | 128);
      rest >>>= 7;
    }
    return this.u8(rest);
  }

  s32(x: number): this {
    let rest = x | 0;
    for (;;) {
      const low = rest & 127;
      rest >>= 7;
      if ((rest === 0 && (low & 64) === 0) || (rest === -1 && (low & 64) !== 0)) return this.u8(low);
      this.u8(low | 128);
    }
  }

  /** A 64-bit integer. */
  s64(x: bigint): this {
    let rest = x;
    for (;;) {
      const low = Number(rest & 127n);
      rest >>= 7n;
      if ((rest === 0n && (low & 64) === 0) || (rest === -1n && (low & 64) !== 0)) return this.u8(low);
      this.u8(low | 128);
    }
  }

  i32(x: number): this {
    scratch.setInt32(0, x, true);
    return this.copied(4);
  }

  f32(x: number): this {
    scratch.setFloat32(0, x, true);
    return this.copied(4);
  }

  f64(x: number): this {
    scratch.setFloat64(0, x, true);
    return this.copied(8);
  }

  private copied(n: number): this {
    for (let i = 0; i < n; i++) this.u8(scratch.getUint8(i));
    return this;
  }

  bytes(x: ArrayLike<number>): this {
    this.reserve(x.length);
    this.buffer.set(x, this.count);
    this.count += x.length;
    return this;
  }

  append(other: Bytes): this {
    return this.bytes(other.buffer.subarray(0, other.count));
  }

  /** A name: its length and its UTF-8. */
  name(x: string): this {
    const encoded = new TextEncoder().encode(x);
    return this.u32(encoded.length).bytes(encoded);
  }

  /** A section of a module: its number, its length, its contents. */
  section(id: number, body: Bytes): this {
    return this.u8(id).u32(body.length).append(body);
  }

  done(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer.slice(0, this.count));
  }
}

const scratch = new DataView(new ArrayBuffer(8));
