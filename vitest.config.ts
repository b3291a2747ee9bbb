/** How the tests run: the package's own names resolve to its sources, and every run leaves a JSON report for `.ci/run`. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^pullback$/, replacement: at('src/index.ts') },
      { find: /^pullback\/laws$/, replacement: at('laws/index.ts') },
      { find: /^pullback\/([\w/-]+)$/, replacement: at('src/entry/$1.ts') },
    ],
  },
  test: {
    setupFiles: ['test/setup.ts'],
    // The kernels of every program are checked (`backends/loop/check.ts`), as its equations are.
    env: { PULLBACK_CHECK: '1' },
    include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', '.cache/**'],
    // One worker per core, as the laws are compute-bound. Each file is a process: tests of memory measure their own only.
    pool: 'forks',
    maxWorkers: Math.max(1, Math.min(4, availableParallelism())),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', 'json'],
    outputFile: { json: '.reports/vitest.json' },
  },
});
