/** What the benchmarks of kernels share: a memory, timing, and the peak of 128-bit arithmetic in this process. */

import v8 from 'node:v8';
import { doWhile, sequence } from '../backends/wasm/code/control.ts';
import { call, f32x4, get, i32, set, tee, v128 } from '../backends/wasm/code/instructions.ts';
import { type Func, Module } from '../backends/wasm/code/module.ts';
import { webAssembly } from '../backends/wasm/webassembly.ts';

v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
const pages = 4096;
const memory = new webAssembly.Memory({ initial: pages, maximum: pages, shared: true });
export const floats = new Float32Array(memory.buffer);
for (let i = 0; i < floats.length; i++) floats[i] = Math.sin(i % 8191);

type Run = (...args: number[]) => void;

export const newModule = (): Module => new Module({ shared: true, maximum: pages });

const instance = (module: Module): Run =>
  new webAssembly.Instance(new webAssembly.Module(module.encode()), { env: { memory } }).exports['run'] as Run;

/** Calls a function of a module that takes six addresses and numbers. */
export function runner(module: Module, func: Func): Run {
  const entry = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], 'run');
  entry.body(call(func.index, ...[0, 1, 2, 3, 4, 5].map(get)));
  return instance(module);
}

/** Addresses of so many bytes each, one after the other. */
export function reserve(sizes: readonly number[]): number[] {
  let next = 1024;
  return sizes.map((bytes) => {
    const at = next;
    next += Math.ceil(bytes / 64) * 64 + 64;
    return at;
  });
}

/** Milliseconds: with CPU=1 those of this process, not of the clock, where other programs are running too. */
const now = process.env['CPU'] ? () => process.cpuUsage().user / 1000 : () => performance.now();
const milliseconds = Number(process.env['MS'] ?? 300);

/** The least milliseconds of a call, after 100 ms of calls in which V8 compiles it well. */
export function fastest(run: () => void): number {
  const begin = performance.now();
  while (performance.now() - begin < 100) run();
  let once = performance.now();
  run();
  once = performance.now() - once;
  const times = Math.max(1, Math.ceil((process.env['CPU'] ? 40 : 1) / Math.max(once, 1e-4)));
  let best = Number.POSITIVE_INFINITY;
  for (const start = performance.now(); performance.now() - start < milliseconds; ) {
    const t = now();
    for (let i = 0; i < times; i++) run();
    best = Math.min(best, (now() - t) / times);
  }
  return best;
}

/** GFLOP/s of twelve independent sums of products, fused: as many as separate multiplications and additions reach at best. */
export function peak(): number {
  const module = newModule();
  const f = module.func(['i32'], [], 'run');
  const sums = Array.from({ length: 12 }, () => f.local('v128'));
  const x = f.local('v128');
  const step = (s: number) => set(s, f32x4.relaxedMadd(get(x), get(x), get(s)));
  f.body(
    sequence(
      doWhile(sequence(...sums.map(step), ...sums.map(step)), tee(0, i32.sub(get(0), i32.const(1)))),
      v128.store(
        i32.const(0),
        sums.map(get).reduce((a, b) => f32x4.add(a, b)),
      ),
    ),
  );
  const run = instance(module);
  const turns = 20_000;
  return (2 * 4 * 24 * turns) / fastest(() => run(turns)) / 1e6;
}

/** A line of a table: speed, share of the peak, time, bytes of operands and result. */
export function line(name: string, time: number, flops: number, bytes: number, limit: number): string {
  const speed = flops / time / 1e6;
  return [
    name.padEnd(28),
    `${speed.toFixed(1).padStart(6)} GF ${((100 * speed) / limit).toFixed(0).padStart(4)} %`,
    `${(time * 1000).toFixed(1).padStart(9)} µs ${(bytes / time / 1e6).toFixed(1).padStart(6)} GB/s`,
  ].join(' ');
}
