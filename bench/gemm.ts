/**
 * Products of matrices beside the machine's peak: `npx tsx bench/gemm.ts [plain] [NAME…]` prints GFLOP/s and the share of what
 * independent multiplications and additions of 128-bit vectors reach in the same process.
 */

import { emitContraction } from '../backends/wasm/gemm/gemm.ts';
import { fastest, floats, line, newModule, peak, reserve, runner } from './machine.ts';

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
  { name: 'tall 120', m: 120, n: 512, k: 256 },
  ...[2, 3, 4, 6, 7, 10, 12].flatMap((n): Case[] => [
    { name: `n=${n} 1024×512`, m: 1024, n, k: 512 },
    { name: `n=${n} AᵀB`, m: 1024, n, k: 512, a: 'T' },
    { name: `m=${n} 512×1024`, m: n, n: 1024, k: 512 },
    { name: `m=${n} ABᵀ`, m: n, n: 1024, k: 512, b: 'T' },
  ]),
];

const relaxed = !process.argv.includes('plain');
const chosen = process.argv.slice(2).filter((x) => x !== 'plain');
const limit = peak();
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
  const run = runner(module, func);
  const [pa, pb, pc, scratch] = reserve([m * k * 4, k * n * 4, m * n * 4, scratchBytes]);
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
  const bytes = 4 * (m * k + k * n + m * n);
  const verdict = worst < 1e-3 ? '' : `ERROR ${worst}`;
  console.log(line(name, time, 2 * m * n * k, bytes, limit), ` ${blocks} blocks ${verdict}`);
}
