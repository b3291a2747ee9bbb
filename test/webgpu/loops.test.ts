/** Loops of training that never yield keep to the budget of the device. SOAK_ITERATIONS is how many steps: 10,000 in the soak. */

import { jit, np, type Tensor, webgpuCounts, webgpuDevice, withDefaultDevice } from 'pullback';
import { expect, test } from 'vitest';
import { gpuOf } from '../../backends/webgpu/machine.ts';
import { onWebgpu } from './available.ts';

const steps = Number(process.env['SOAK_ITERATIONS'] || 600);
const budget = 2 ** 22;

onWebgpu('a loop that never yields', () => {
  test('stays within its budget, and makes nothing once it has begun', { timeout: 60_000 + 60 * steps }, () => {
    const device = webgpuDevice({ budget });
    withDefaultDevice(device, () => {
      // Nothing is donated: what a step replaces is garbage that nobody is told of.
      const step = jit((w: Tensor, x: Tensor) => np.tanh(np.matmul(x, w)));
      let w = np.ones([64, 64]);
      const x = np.mul(np.ones([64, 64]), 0.01);
      const run = (count: number): void => {
        for (let i = 0; i < count; i++) {
          w = step(w, x);
          // A batch from the host, and a number that is read.
          if (i % 10 === 0) np.sum(np.mul(np.reshape(np.array(new Float32Array(4096)), [64, 64]), w)).item();
        }
      };
      run(steps / 2);
      const before = webgpuCounts(device);
      run(steps / 2);
      const after = webgpuCounts(device);
      const { blocks } = gpuOf(device).memory;
      expect(blocks.total).toBeLessThanOrEqual(budget);
      expect(after.evicted).toBeGreaterThan(before.evicted);
      // Sizes change places now and then.
      expect(after.buffers - before.buffers).toBeLessThan(steps / 20);
      expect(after.pipelines).toBe(before.pipelines);
    });
  });
});
