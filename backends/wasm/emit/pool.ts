/**
 * Constants that vector code loads from memory before its loops, splat into registers: V8 materialises a `v128.const` again at each use,
 * while a loaded value stays where it is.
 */

export interface ConstantPool {
  /** The address of a 32-bit word. */
  word(bits: number): number;
  /** The address of a double. */
  double(value: number): number;
}

/** A pool that begins at this address, a multiple of 8; {@link contents} goes there before the code runs. */
export class Constants implements ConstantPool {
  readonly base: number;
  private readonly words: number[] = [];
  private readonly addresses = new Map<string, number>();

  constructor(base: number) {
    this.base = base;
  }

  word(bits: number): number {
    return this.find(`${bits | 0}`, [bits | 0]);
  }

  double(value: number): number {
    const [low, high] = new Int32Array(new Float64Array([value]).buffer) as unknown as [number, number];
    return this.find(`${low},${high}`, [low, high]);
  }

  private find(key: string, words: readonly number[]): number {
    let address = this.addresses.get(key);
    if (address === undefined) {
      if (words.length === 2 && this.words.length % 2 === 1) this.words.push(0);
      address = this.base + this.words.length * 4;
      this.words.push(...words);
      this.addresses.set(key, address);
    }
    return address;
  }

  contents(): Int32Array {
    return new Int32Array(this.words);
  }
}
