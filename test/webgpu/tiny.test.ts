/** WebGPU on one screen: what `npm test` runs of it where there is a driver; `npm run test:webgpu` runs all. */

import { grad, jit, np, type Tensor, withDefaultDevice } from 'pullback';
import { expect, test } from 'vitest';
import { device, onWebgpu } from './available.ts';

onWebgpu('a WebGPU device', () => {
  test('computes a loss and its gradient', () => {
    const loss = jit((w: Tensor, x: Tensor) => np.mean(np.square(np.tanh(np.matmul(x, w)))));
    const values = (): readonly number[] => {
      const x = np.reshape(np.linspace(-1, 1, 12), [4, 3]);
      const w = np.reshape(np.linspace(-1, 1, 6), [3, 2]);
      return [loss(w, x).item(), ...np.ravel(grad(loss)(w, x)).dataSync()];
    };
    const [found, wanted] = [withDefaultDevice(device, values), values()];
    found.forEach((x, i) => {
      expect(x).toBeCloseTo(wanted[i]!, 6);
    });
  });
});
