/**
 * Where the time of a product of matrices goes: `npx tsx bench/anatomy.ts [plain]` runs its parts alone, as often as the whole runs them,
 * and prints a table, which `npm run bench` puts into RESULTS.md.
 * The ceiling is the micro-kernel on panels that stay in the first-level cache; what is left of the whole after it and packing is
 * reading and writing C, caches, and the loops around.
 */

import { countUp } from '../backends/wasm/code/control.ts';
import { call, get, i32 } from '../backends/wasm/code/instructions.ts';
import { emitContraction } from '../backends/wasm/gemm/gemm.ts';
import { emitTile } from '../backends/wasm/gemm/kernel.ts';
import { emitPack } from '../backends/wasm/gemm/pack.ts';
import { type Contraction, planOuter, simplified } from '../backends/wasm/gemm/plan.ts';
import { fastest, newModule, peak, reserve, runner } from './machine.ts';

const relaxed = !process.argv.includes('plain');
const limit = peak();
console.log(
  `${relaxed ? 'With' : 'Without'} relaxed SIMD, of a peak of ${limit.toFixed(1)} GFLOP/s; milliseconds, and shares of the whole:\n\n` +
    '| product | whole | micro-kernel in the nearest cache | packing A | packing B | the rest: C, caches, loops |\n' +
    '| --- | ---: | ---: | ---: | ---: | ---: |',
);
for (const [size, a, b] of [
  [512, '', ''],
  [1024, '', ''],
  [1024, 'T', ''],
  [1024, '', 'T'],
  [2048, '', ''],
] as const) {
  const n = size;
  const x: Contraction = {
    dtype: 'float32',
    batch: [],
    m: [{ extent: n, a: a ? 1 : n, b: 0, c: n }],
    n: [{ extent: n, a: 0, b: b ? n : 1, c: 1 }],
    k: [{ extent: n, a: a ? n : 1, b: b ? 1 : n, c: 0 }],
    relaxed,
    epilogue: null,
  };
  const p = planOuter(simplified(x), false);
  const parts = Math.ceil(p.terms / p.depth);
  const wholeModule = newModule();
  const { func, scratchBytes, blocks } = emitContraction(wholeModule, x);
  const [pa, pb, pc, scratch] = reserve([n * n * 4, n * n * 4, n * n * 4, scratchBytes]);
  const product = runner(wholeModule, func);
  const whole = fastest(() => product(pa!, pb!, pc!, scratch!, 0, blocks));

  const tile = newModule();
  const kernel = emitTile(tile, p.e, {
    rows: p.rows.size,
    vectors: p.columns.size / p.e.lanes,
    lastLanes: p.e.lanes,
    a: { row: p.e.bytes, step: p.rows.size * p.e.bytes },
    b: { step: p.columns.size * p.e.bytes, exact: false },
    c: { row: p.columns.size * p.e.bytes, column: p.e.bytes },
    accumulate: parts > 1,
    empty: false,
  });
  const many = tile.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const i = many.local('i32');
  many.body(countUp(i, i32.const(0), get(3), 1, call(kernel.index, get(0), get(1), get(2), get(4), i32.const(0))));
  const tiles = runner(tile, many);
  // Few at a time, so that on a busy machine some calls are not interrupted.
  const some = 1024;
  const ceiling =
    fastest(() => tiles(pa!, pb!, pc!, some, p.depth, 0)) * ((p.rows.tiles * p.columns.tiles * parts) / some);

  const packing = (operand: 'a' | 'b'): number => {
    const t = operand === 'a' ? p.rows : p.columns;
    if (p[operand] !== 'block' && p[operand] !== 'kept') return 0;
    const module = newModule();
    const panel = { operand, rows: t.axes, terms: p.k, height: t.size, group: t.group, partial: false, slack: false };
    const pack = emitPack(module, p.e, panel);
    const all = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
    const [j, k] = [all.local('i32'), all.local('i32')];
    const to = i32.add(get(1), i32.mul(i32.remU(get(j), i32.const(t.block)), i32.const(t.size * p.e.bytes * p.depth)));
    const first = i32.mul(get(j), i32.const(t.size));
    const end = i32.add(get(k), i32.const(p.depth));
    const one = call(pack.index, get(0), first, i32.const(n - 1), to, get(k), end, i32.const(0));
    const panels = countUp(j, i32.const(0), i32.const(t.tiles), 1, one);
    all.body(countUp(k, i32.const(0), i32.const(p.terms), p.depth, panels));
    const run = runner(module, all);
    const once = fastest(() => run(operand === 'a' ? pa! : pb!, scratch!, 0, 0, 0, 0));
    return once * (operand === 'a' && p.a === 'block' ? p.columns.blocks : 1);
  };
  const [ofA, ofB] = [packing('a'), packing('b')];
  const share = (time: number): string => `${time.toFixed(2)} (${((100 * time) / whole).toFixed(1)} %)`;
  const rate = (time: number): string => `${((200 * n ** 3) / time / 1e6 / limit).toFixed(0)} % of peak`;
  const rest = share(whole - ceiling - ofA - ofB);
  console.log(
    `| ${n}${a && ' AᵀB'}${b && ' ABᵀ'} | ${whole.toFixed(2)}: ${rate(whole)} | ${share(ceiling)}: ${rate(ceiling)} | ${share(ofA)} | ${share(ofB)} | ${rest} |`,
  );
}
