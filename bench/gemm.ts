/**
 * Products of matrices beside the machine's peak: `npx tsx bench/gemm.ts [plain] [NAME…]` prints GFLOP/s and the share of what
 * independent multiplications and additions of 128-bit vectors reach in the same process.
 */

import v8 from 'node:v8';
import { doWhile, sequence } from '../backends/wasm/code/control.ts';
import { f32x4, get, i32, set, tee, v128 } from '../backends/wasm/code/instructions.ts';
import { Module } from '../backends/wasm/code/module.ts';
import { emitContraction } from '../backends/wasm/gemm/gemm.ts';
import { webAssembly } from '../backends/wasm/webassembly.ts';

v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
const memory = new webAssembly.Memory({ initial: 4096, maximum: 4096, shared: true });
const floats = new Float32Array(memory.buffer);

type Run = (...args: number[]) => void;
const instance = (module: Module): Record<string, Run> =>
  new webAssembly.Instance(new webAssembly.Module(module.encode()), { env: { memory } }).exports as Record<string, Run>;
const newModule = (): Module => new Module({ shared: true, maximum: 4096 });

/** Milliseconds: of this process's work, not of the clock, where other programs are running too. */
const now = process.env['CPU'] ? () => process.cpuUsage().user / 1000 : () => performance.now();

/** The least milliseconds of a call, after 60 ms of calls. */
function fastest(run: () => void, milliseconds = Number(process.env['MS'] ?? 300)): number {
  const begin = performance.now();
  while (performance.now() - begin < 60) run();
  let once = performance.now();
  run();
  once = performance.now() - once;
  const times = Math.max(1, Math.ceil((process.env['CPU'] ? 10 : 1) / Math.max(once, 1e-4)));
  let best = Number.POSITIVE_INFINITY;
  for (const start = performance.now(); performance.now() - start < milliseconds; ) {
    const t = now();
    for (let i = 0; i < times; i++) run();
    best = Math.min(best, (now() - t) / times);
  }
  return best;
}

/** GFLOP/s of twelve independent sums of products. */
function peak(relaxed: boolean): number {
  const module = newModule();
  const f = module.func(['i32'], [], 'peak');
  const sums = Array.from({ length: 12 }, () => f.local('v128'));
  const x = f.local('v128');
  const step = (s: number) =>
    set(s, relaxed ? f32x4.relaxedMadd(get(x), get(x), get(s)) : f32x4.add(get(s), f32x4.mul(get(x), get(s))));
  f.body(
    sequence(
      doWhile(sequence(...sums.map(step), ...sums.map(step)), tee(0, i32.sub(get(0), i32.const(1)))),
      v128.store(
        i32.const(0),
        sums.map(get).reduce((a, b) => f32x4.add(a, b)),
      ),
    ),
  );
  const run = instance(module)['peak']!;
  const turns = 20_000;
  return (2 * 4 * 24 * turns) / fastest(() => run(turns)) / 1e6;
}

interface Case {
  readonly name: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a?: 'T';
  readonly b?: 'T';
}

const square = (n: number): Case[] => [
  { name: `${n}`, m: n, n, k: n },
  { name: `${n} AᵀB`, m: n, n, k: n, a: 'T' },
  { name: `${n} ABᵀ`, m: n, n, k: n, b: 'T' },
];
const dense = (batch: number, inputs: number, outputs: number): Case[] => [
  { name: `dense ${batch}×${inputs}→${outputs}`, m: batch, n: outputs, k: inputs },
  { name: `  its dW`, m: inputs, n: outputs, k: batch, a: 'T' },
  { name: `  its dX`, m: batch, n: inputs, k: outputs, b: 'T' },
];
const cases: Case[] = [
  ...[64, 128, 256, 512, 1024, 2048].flatMap(square),
  ...dense(128, 784, 512),
  ...dense(64, 400, 120),
  ...dense(64, 120, 84),
  ...dense(64, 84, 10),
  { name: 'matvec 4096×1024', m: 4096, n: 1, k: 1024 },
  { name: 'matvec 256×1024', m: 256, n: 1, k: 1024 },
  { name: 'matvec Aᵀ 1024×4096', m: 1024, n: 1, k: 4096, a: 'T' },
  { name: 'vecmat 1024×4096', m: 1, n: 4096, k: 1024 },
  { name: 'vecmat 1024×256', m: 1, n: 256, k: 1024 },
  { name: 'vecmat Bᵀ 4096×1024', m: 1, n: 4096, k: 1024, b: 'T' },
  { name: 'outer 2048×2048', m: 2048, n: 2048, k: 1 },
  { name: 'k=8 1024×1024', m: 1024, n: 1024, k: 8 },
  ...[2, 3, 4, 6, 7, 10, 12].flatMap((n): Case[] => [
    { name: `n=${n} 1024×512`, m: 1024, n, k: 512 },
    { name: `n=${n} AᵀB`, m: 1024, n, k: 512, a: 'T' },
    { name: `m=${n} 512×1024`, m: n, n: 1024, k: 512 },
    { name: `m=${n} ABᵀ`, m: n, n: 1024, k: 512, b: 'T' },
  ]),
];

const relaxed = !process.argv.includes('plain');
const chosen = process.argv.slice(2).filter((x) => x !== 'plain');
const limit = peak(relaxed);
console.log(`peak ${limit.toFixed(1)} GFLOP/s${relaxed ? ', relaxed' : ''}`);
for (const { name, m, n, k, a, b } of cases) {
  if (chosen.length > 0 && !chosen.some((x) => name.includes(x))) continue;
  const module = newModule();
  const { func, scratchBytes, blocks } = emitContraction(module, {
    dtype: 'float32',
    batch: [],
    m: [{ extent: m, a: a ? 1 : k, b: 0, c: n }],
    n: [{ extent: n, a: 0, b: b ? k : 1, c: 1 }],
    k: [{ extent: k, a: a ? m : 1, b: b ? 1 : n, c: 0 }],
    relaxed,
    epilogue: null,
  });
  const outer = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], 'run');
  outer.body((out) => {
    for (let i = 0; i < 6; i++) get(i)(out);
    out.u8(0x10).u32(func.index);
  });
  const run = instance(module)['run']!;
  let next = 1024;
  const take = (bytes: number): number => {
    const at = next;
    next += Math.ceil(bytes / 64) * 64 + 64;
    return at;
  };
  const [pa, pb, pc, scratch] = [take(m * k * 4), take(k * n * 4), take(m * n * 4), take(scratchBytes)];
  for (let i = 0; i < m * k; i++) floats[pa! / 4 + i] = Math.sin(i * 1.7);
  for (let i = 0; i < k * n; i++) floats[pb! / 4 + i] = Math.cos(i * 0.9);
  const time = fastest(() => run(pa!, pb!, pc!, scratch!, 0, blocks));
  let worst = 0;
  for (let s = 0; s < 300; s++) {
    const [i, j] = [s % 3 === 0 ? m - 1 : (s * 7919) % m, s % 3 === 1 ? n - 1 : (s * 104729) % n];
    let sum = 0;
    for (let l = 0; l < k; l++)
      sum += floats[pa! / 4 + (a ? l * m + i : i * k + l)]! * floats[pb! / 4 + (b ? j * k + l : l * n + j)]!;
    worst = Math.max(worst, Math.abs(sum - floats[pc! / 4 + i * n + j]!));
  }
  const speed = (2 * m * n * k) / time / 1e6;
  const bytes = 4 * (m * k + k * n + m * n);
  console.log(
    name.padEnd(26),
    `${speed.toFixed(1).padStart(6)} GF ${((100 * speed) / limit).toFixed(0).padStart(4)} %`,
    `${(time * 1000).toFixed(1).padStart(9)} µs ${(bytes / time / 1e6).toFixed(1).padStart(6)} GB/s  ${blocks} blocks`,
    worst < 1e-3 ? '' : `ERROR ${worst}`,
  );
}
