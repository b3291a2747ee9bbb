/**
 * `npm run wgsl`: compiles and runs WGSL that the printer makes, and compares what it computes with the interpreter of the Loop IR.
 *
 * Ten sample kernels at several sizes, then each operation on edge values, elementary functions, then random kernels (`WGSL_RUNS` of them, from
 * `WGSL_SEED`). It needs a WebGPU device, and says how to get one.
 */

import * as fc from 'fast-check';
import { runKernel } from '../../backends/loop/interpret.ts';
import type { Kernel } from '../../backends/loop/ir/kernel.ts';
import { type WgslOptions, wgsl } from '../../backends/webgpu/wgsl/kernel.ts';
import { edgy } from '../../laws/arbitrary/elements.ts';
import { kernels } from '../../laws/arbitrary/kernel.ts';
import { allocate, type TypedArray } from '../../src/core/dtype.ts';
import * as samples from '../loop/samples.ts';
import { difference, isSubnormal, type Tolerance } from './compare.ts';
import { type Gpu, howToInstall, openGpu } from './gpu.ts';
import { functions, operations } from './operations.ts';

const opened = await openGpu();
if (!opened) {
  console.error(howToInstall);
  process.exit(2);
}
const gpu: Gpu = opened;
console.log(`WGSL on ${gpu.name}`);

let failures = 0;
const report = (name: string, problem: string | null, ms: number): void => {
  if (problem) failures++;
  console.log(
    `${problem ? '✗' : '✓'} ${name} (${ms.toFixed(0)} ms)${problem ? `\n  ${problem.replaceAll('\n', '\n  ')}` : ''}`,
  );
};

/** What differs between the device and the interpreter. */
async function judge(
  kernel: Kernel,
  operands: () => readonly TypedArray[],
  tolerance: Tolerance,
  options: WgslOptions = {},
): Promise<string | null> {
  const [found, wanted] = [operands(), operands()];
  runKernel(kernel, wanted, [], { fused: true });
  const program = wgsl(kernel, options);
  try {
    await gpu.run(program, found);
  } catch (error) {
    return `${(error as Error).message}\n${program.code}`;
  }
  for (const [i, buffer] of kernel.operands.entries()) {
    const problem = difference(found[i]!, wanted[i]!, tolerance);
    if (problem) return `${buffer.name}: ${problem}`;
  }
  return null;
}

const sizeOf = (kernel: Kernel, place: number): number => {
  const { size } = kernel.operands[place]!;
  return size.op === 'const' ? size.value : 0;
};

/** Numbers within ±2, the same on each call; bools and integers likewise. */
const ordinary = (kernel: Kernel) => (): readonly TypedArray[] =>
  kernel.operands.map(({ dtype }, place) => {
    const array = allocate(dtype, sizeOf(kernel, place));
    for (let i = 0; i < array.length; i++) {
      const x = Math.sin(i * 12.9898 + place * 78.233) * 2;
      array[i] = dtype === 'bool' ? Number(x > 0) : dtype === 'float32' ? x : Math.floor(x * 100);
    }
    return array;
  });

/** Elements among which are NaN, infinities, zeros of both signs, extremes. */
const edged = (kernel: Kernel, seed: number) => (): readonly TypedArray[] =>
  kernel.operands.map(({ dtype }, place) => {
    const array = allocate(dtype, sizeOf(kernel, place));
    array.set(fc.sample(edgy(dtype, array.length), { numRuns: 1, seed: seed + place })[0]!);
    return array;
  });

// The sums of a kernel are in another order; 64 units of what its terms add up to are room enough for 1,000 of them.
const exact: Tolerance = { ulps: 0, scale: 0 };
const rounded = (scale: number): Tolerance => ({ ulps: 64, scale });

const few: WgslOptions = { workgroupsPerDimension: 7 };
const programs: readonly (readonly [Kernel, Tolerance, WgslOptions?])[] = [
  [samples.elementwise(), exact],
  [samples.elementwise(40, 70), exact, few],
  [samples.transpose(), exact],
  [samples.transpose(130, 67), exact],
  [samples.pad(), exact],
  [samples.concatenate(), exact],
  [samples.sumRows(), rounded(4)],
  [samples.sumRows(52, 130), rounded(4), few],
  [samples.sumColumns(), rounded(4)],
  [samples.sumColumns(100, 300), rounded(4)],
  [samples.fullSum(), rounded(1000)],
  [samples.dot(), rounded(4)],
  [samples.dot(65, 33, 70), rounded(4)],
  [samples.softmax(), rounded(2 ** -6)],
  [samples.softmax(9, 1024), rounded(2 ** -10)],
  [samples.layerNorm(), rounded(1)],
  [samples.layerNorm(9, 1024), rounded(1)],
];
for (const [kernel, tolerance, options] of programs) {
  const start = performance.now();
  const problem = await judge(kernel, ordinary(kernel), tolerance, options);
  const sizes = kernel.operands.map((_, place) => sizeOf(kernel, place)).join(', ');
  report(`${kernel.name} [${sizes}]`, problem, performance.now() - start);
}
for (const kernel of [samples.elementwise(), samples.transpose(), samples.pad(), samples.concatenate()]) {
  const start = performance.now();
  report(`${kernel.name} of edge values`, await judge(kernel, edged(kernel, 7), exact), performance.now() - start);
}

for (const { name, kernel, operands, tolerance } of [...operations(), ...functions()]) {
  const start = performance.now();
  report(name, await judge(kernel, operands, tolerance), performance.now() - start);
}

/** Does a subnormal number occur, which the device may take for 0? */
function meetsSubnormal(kernel: Kernel, operands: readonly TypedArray[]): boolean {
  let found = false;
  runKernel(kernel, operands, [], {
    watch: (x, value) => {
      found ||= x.dtype === 'float32' && isSubnormal(value);
    },
  });
  return found;
}

const runs = Number(process.env['WGSL_RUNS'] ?? 100);
const seed = Number(process.env['WGSL_SEED'] ?? Date.now() % 2 ** 31);
const start = performance.now();
const details = await fc.check(
  fc.asyncProperty(kernels({ float64: false }), async ({ kernel, operands }) => {
    fc.pre(kernel.operands.length <= 8 && !meetsSubnormal(kernel, operands()));
    const problem = await judge(kernel, operands, exact);
    if (problem) throw new Error(problem);
  }),
  { numRuns: runs, seed },
);
const problem = details.failed
  ? `${fc.defaultReportMessage(details)}\n${(details.errorInstance as Error)?.message}`
  : null;
report(`${details.numRuns} random kernels, seed ${seed}`, problem, performance.now() - start);

await gpu.close();
console.log(failures === 0 ? 'all as the interpreter' : `${failures} differ`);
process.exitCode = failures === 0 ? 0 : 1;
