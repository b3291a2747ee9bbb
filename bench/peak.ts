/** The program that measures the peak of 128-bit SIMD, with relaxed instructions if `RELAXED=1`. */

import { setFlagsFromString } from 'node:v8';
import { chains, iterations, loop } from './peak-loop.ts';
import { quiet, serve, type Task } from './program.ts';
import { webAssembly } from './web-assembly.ts';
import { workloadNames } from './workloads.ts';

const relaxed = process.env['RELAXED'] === '1';
// The optimizing compiler from the first call on.
setFlagsFromString('--no-liftoff');

function peak(): Task {
  const { run } = new webAssembly.Instance(new webAssembly.Module(loop(relaxed))).exports as {
    run: (n: number) => number;
  };
  return { call: () => run(iterations), check: () => [run(iterations) / chains] };
}

quiet();
// The same whatever the workload, so that it is measured beside each.
const tasks = Object.fromEntries(workloadNames.map((name) => [name, peak]));
await serve(tasks, { version: process.versions.v8, threads: 1, relaxed }, '');
