/**
 * Runs generated products in a memory whose every byte is watched: operands and result lie between canaries, and the memory ends where
 * the last of them does, so that reading further traps.
 */

import v8 from 'node:v8';
import { call, get } from '../../backends/wasm/code/instructions.ts';
import { Module } from '../../backends/wasm/code/module.ts';
import type { Element } from '../../backends/wasm/gemm/arithmetic.ts';
import type { Product } from '../../backends/wasm/gemm/outer.ts';
import { webAssembly } from '../../backends/wasm/webassembly.ts';

// Node 20 compiles relaxed SIMD behind a flag; later versions ignore it.
v8.setFlagsFromString('--experimental-wasm-relaxed-simd');

export const arrays = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint32: Uint32Array };
export type Values = Float32Array | Float64Array | Int32Array | Uint32Array;

const page = 65536;
const canary = 0xa5;

export interface Job {
  readonly dtype: Element;
  readonly emit: (module: Module) => Product;
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  /** Elements of the result, and what they hold before (NaN, or a number no product gives). */
  readonly size: number;
}

export interface Outcome {
  readonly values: Values;
  /** The same from calls that compute one block each, last block first. */
  readonly piecewise: Values;
  readonly blocks: number;
  readonly intact: boolean;
}

/** The result of one call for all blocks, and of one call for each. */
export function compute({ dtype, emit, a, b, size }: Job): Outcome {
  const module = new Module({ shared: false, maximum: 65536 });
  const product = emit(module);
  const entry = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], 'run');
  entry.body(call(product.func.index, ...[0, 1, 2, 3, 4, 5].map(get)));
  const bytes = arrays[dtype].BYTES_PER_ELEMENT;
  const gap = 64;
  const lengths = [product.scratchBytes, size * bytes, a.length * bytes, b.length * bytes];
  const total = lengths.reduce((sum, n) => sum + gap + Math.ceil(n / 8) * 8, gap);
  const memory = new webAssembly.Memory({ initial: Math.ceil(total / page), maximum: 65536 });
  const whole = new Uint8Array(memory.buffer).fill(canary);
  // From the end: B ends with the memory, or as near as its alignment allows.
  let end = whole.length;
  const [pb, pa, pc, scratch] = [...lengths].reverse().map((n) => {
    const at = Math.floor((end - n) / bytes) * bytes;
    end = Math.floor((at - gap) / 16) * 16;
    return at;
  }) as [number, number, number, number];
  const view = (at: number, n: number): Values => new arrays[dtype](memory.buffer as ArrayBuffer, at, n);
  view(pa, a.length).set(Array.from(a));
  view(pb, b.length).set(Array.from(b));
  const before = whole.slice();
  const run = new webAssembly.Instance(new webAssembly.Module(module.encode()), { env: { memory } }).exports['run'] as (
    ...args: number[]
  ) => void;
  run(pa, pb, pc, scratch, 0, product.blocks);
  const values = view(pc, size).slice();
  const same = (from: number, to: number): boolean =>
    Buffer.compare(whole.subarray(from, to), before.subarray(from, to)) === 0;
  const intact = same(0, scratch) && same(scratch + product.scratchBytes, pc) && same(pc + size * bytes, whole.length);
  whole.fill(canary, pc, pc + size * bytes);
  for (let block = product.blocks - 1; block >= 0; block--) run(pa, pb, pc, scratch, block, block + 1);
  return { values, piecewise: view(pc, size).slice(), blocks: product.blocks, intact };
}

/** A NaN is any NaN: which bits an addition of NaNs gives, the machine may choose. */
export const sameBits = (x: Values, y: Values): boolean =>
  x.length === y.length && x.every((v, i) => Object.is(v, y[i]!));

/** Numbers of both signs, of all bits for integers. */
export const numbers = (n: number, dtype: Element, seed: number): number[] => {
  let state = seed | 1;
  return Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    if (dtype === 'int32') return state;
    return dtype === 'uint32' ? state >>> 0 : Math.fround(state / 2 ** 31);
  });
};
