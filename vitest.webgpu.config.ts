/** `npm run test:webgpu`: the suites of the WebGPU device, on whatever driver there is; `test/webgpu/available.ts` says what it needs. */
import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

const { resolve } = base;

export default mergeConfig(
  defineConfig({ resolve }),
  defineConfig({
    test: {
      name: 'webgpu',
      include: ['test/webgpu/**/*.test.ts'],
      setupFiles: ['test/setup.ts'],
      env: { PULLBACK_CHECK: '1', PULLBACK_THREADS: '1' },
      pool: 'forks',
      maxWorkers: 2,
      testTimeout: 120_000,
      hookTimeout: 120_000,
      reporters: ['default', 'json'],
      outputFile: { json: '.reports/webgpu.json' },
    },
  }),
);
