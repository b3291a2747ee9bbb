/** How the tests run: the package's own names resolve to its sources, and every run leaves a JSON report for `.ci/run`. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * Families of tests that leave nothing behind but the default device, which their setup sets: they share a process, so that the library
 * is loaded once for all of them rather than a hundred times.
 */
const together = [
  'test/{ops,nn,optim,errors,io,data,jaxpr,passes,core,control}/**/*.test.ts',
  'test/{activations,functional,losses,metrics,nn,optim,optim-refusals,pool,random*,schedules,viz}.test.ts',
];
const onReference = ['test/reference/**/*.test.ts'];
/** `npm run test:webgpu` runs these; the tiny suite is of both. */
const onGpu = ['test/webgpu/{errors,examples,laws,loops,processes,programs,shapes,waiting}.test.ts'];
const never = ['**/node_modules/**', 'dist/**', '.cache/**'];

export default defineConfig({
  resolve: {
    alias: [
      { find: /^pullback$/, replacement: at('src/index.ts') },
      { find: /^pullback\/laws$/, replacement: at('laws/index.ts') },
      { find: /^pullback\/([\w/-]+)$/, replacement: at('src/entry/$1.ts') },
    ],
  },
  test: {
    // The kernels of every program are checked (`backends/loop/check.ts`), as its equations are. Test files run side by side, each on one
    // thread; `test/wasm/threads.test.ts` has devices with several, `npm run soak threads` runs the laws on two.
    env: { PULLBACK_CHECK: '1', PULLBACK_THREADS: process.env['PULLBACK_THREADS'] ?? '1' },
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          setupFiles: ['test/setup.ts'],
          include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
          exclude: [...never, ...together, ...onReference, ...onGpu],
        },
      },
      {
        extends: true,
        test: {
          name: 'together',
          isolate: false,
          setupFiles: ['test/setup.ts', 'test/own-device.ts'],
          include: together,
          exclude: never,
        },
      },
      {
        extends: true,
        test: {
          name: 'reference',
          isolate: false,
          setupFiles: ['test/setup.ts', 'test/reference/device.ts'],
          include: onReference,
          exclude: never,
        },
      },
    ],
    // One worker per core, as the laws are compute-bound. Other files are a process each: tests of memory measure their own only.
    pool: 'forks',
    maxWorkers: Math.max(1, Math.min(4, availableParallelism())),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', 'json'],
    outputFile: { json: '.reports/vitest.json' },
  },
});
