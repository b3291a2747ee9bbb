/** Kernels compiled and run in a memory of their own, with canaries around every buffer. */

import v8 from 'node:v8';
import type { Kernel } from '../../backends/loop/ir/kernel.ts';
import { hostFunctions } from '../../backends/loop/scalar.ts';
import { Module } from '../../backends/wasm/code/module.ts';
import { callsOf, emitKernel, partitionOf, scratchBytes } from '../../backends/wasm/emit/kernel.ts';
import { Constants } from '../../backends/wasm/emit/pool.ts';
import { webAssembly } from '../../backends/wasm/webassembly.ts';
import { allocate, byteSize, type TypedArray } from '../../src/core/dtype.ts';

v8.setFlagsFromString('--experimental-wasm-relaxed-simd');

const pages = 64;
const memory = new webAssembly.Memory({ initial: pages, maximum: pages });
const bytes = new Uint8Array(memory.buffer);
const poolAt = 256;
const dataAt = 8192;
const canary = 0xa5;

const host: Readonly<Record<string, (x: number, y: number) => number>> = {
  ...Object.fromEntries(Object.entries(hostFunctions).map(([name, { of }]) => [name, of])),
  rem: (x, y) => x % y,
};

export interface Compiled {
  /** The arrays after the kernel ran on copies of these. */
  run(
    arrays: readonly TypedArray[],
    sizes?: readonly number[],
    turns?: readonly (readonly [number, number])[],
  ): TypedArray[];
}

export function compile(kernel: Kernel, relaxed = false): Compiled {
  const module = new Module({ shared: false, maximum: pages });
  const constants = new Constants(poolAt);
  const calls = callsOf(kernel).map(({ name, arity }) => ({
    name,
    number: module.import(name, new Array<'f64'>(arity).fill('f64'), ['f64']),
  }));
  emitKernel(module, kernel, { relaxed, constants, calls: (name) => calls.find((x) => x.name === name)!.number });
  const instance = new webAssembly.Instance(new webAssembly.Module(module.encode()), { env: { memory, ...host } });
  const run = instance.exports[kernel.name] as (...args: number[]) => void;
  return {
    run(arrays, sizes = [], turns = []) {
      new Int32Array(memory.buffer).set(constants.contents(), poolAt / 4);
      bytes.fill(canary, dataAt);
      let next = dataAt;
      const reserve = (size: number): number => {
        const at = next;
        next = Math.ceil((at + size + 64) / 64) * 64;
        if (next > bytes.length) throw new Error('the memory of the tests is too small');
        return at;
      };
      const addresses = arrays.map((array) => {
        const at = reserve(array.byteLength);
        bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
        return at;
      });
      const scratch = reserve(scratchBytes(kernel, sizes));
      const end = next;
      const extent = (): number => {
        const [first] = kernel.body;
        const size = first?.kind === 'loop' ? first.index.extent : null;
        return size?.op === 'const' ? size.value : size?.op === 'size' ? sizes[size.slot]! : Number.NaN;
      };
      if (partitionOf(kernel)) {
        for (const turn of turns.length > 0 ? turns : [[0, extent()] as const])
          run(...addresses, scratch, ...sizes, ...turn);
      } else run(...addresses, scratch, ...sizes);
      const out = arrays.map((array, i) => {
        const at = addresses[i]!;
        for (let b = at + array.byteLength; b < (addresses[i + 1] ?? scratch); b++) {
          if (bytes[b] !== canary)
            throw new Error(`operand ${i} is written ${b - at - array.byteLength} bytes beyond its end`);
        }
        const dtype = kernel.operands[i]!.dtype;
        const copy = allocate(dtype, array.length);
        new Uint8Array(copy.buffer).set(bytes.subarray(at, at + array.length * byteSize(dtype)));
        return copy;
      });
      for (let b = end; b < Math.min(end + 4096, bytes.length); b++) {
        if (bytes[b] !== canary) throw new Error('memory beyond the scratch area is written');
      }
      return out;
    },
  };
}
