/** A device that cannot wait, as on a page: programs queue up behind what must be known first, and `await x.data()` brings it all about. */

import { type Device, jit, np, type Tensor, whileLoop, withDefaultDevice } from 'pullback';
import { expect, test } from 'vitest';
import { Connection } from '../../backends/webgpu/connection.ts';
import { gpuOf, webgpuOn } from '../../backends/webgpu/machine.ts';
import { device, onWebgpu } from './available.ts';

/** The same GPU, without a way to wait. */
function page(budget?: number): Device {
  const { connection } = gpuOf(device);
  return webgpuOn(new Connection(connection.device, 'page', { gpu: {} as GPU, sync: null }), budget);
}

const settled = (x: Tensor): Promise<readonly number[]> => x.data().then((data) => Array.from(data));

onWebgpu('on a page', () => {
  test('a program runs once its kernels are compiled, and later ones after it', async () => {
    const own = page();
    const [x, y, z] = withDefaultDevice(own, () => {
      const a = np.mul(np.arange(4, { dtype: 'float32' }), 2);
      const b = np.add(a, 1);
      return [a, b, np.sum(b)] as const;
    });
    expect(await settled(z)).toEqual([16]);
    expect([await settled(x), await settled(y)]).toEqual([
      [0, 2, 4, 6],
      [1, 3, 5, 7],
    ]);
  });
  test('a loop whose length is data, and what is called behind it and donated meanwhile', async () => {
    const own = page();
    const f = jit((n: Tensor) =>
      whileLoop(
        (x: Tensor) => np.less(np.max(x), 1000),
        (x: Tensor) => np.add(np.mul(x, 2), 1),
        n,
      ),
    );
    const next = jit((x: Tensor) => np.add(x, 1), { donateArgnums: 0 });
    const last = withDefaultDevice(own, () => next(next(f(np.ones([3])))));
    expect(await settled(last)).toEqual([1025, 1025, 1025]);
  });
  test('dataSync says what to do, and a failure reaches those who read what was to be made', async () => {
    const own = page(2 ** 20);
    const x = withDefaultDevice(own, () => np.ones([10]));
    expect(() => withDefaultDevice(own, () => np.add(x, 1).dataSync())).toThrow(
      /a page cannot wait for the GPU[\s\S]*await x\.data\(\)/,
    );
    const large = withDefaultDevice(own, () => np.add(np.ones([2 ** 20]), 1));
    await expect(large.data()).rejects.toThrow(/budget/);
    expect(await settled(withDefaultDevice(own, () => np.add(x, 1)))).toEqual(Array.from({ length: 10 }, () => 2));
  });
  test('a loop that never awaits comes to the end of its memory, and says so', async () => {
    const own = page(2 ** 20);
    const x = withDefaultDevice(own, () => np.ones([2000]));
    await x.data();
    await withDefaultDevice(own, () => np.mul(x, 2)).data();
    const loop = (): void => {
      for (let i = 0; i < 500; i++) np.mul(x, 2);
    };
    expect(() => withDefaultDevice(own, loop)).toThrow(/await the data\(\) of a tensor now and then/);
  });
  test('more tensors than a device with a host that waits would leave where they are', async () => {
    const own = page();
    const x = withDefaultDevice(own, () => np.array([1, 2]));
    const all = Array.from({ length: 1100 }, (_, i) => np.mul(x, i));
    expect(await settled(all[1099]!)).toEqual([1099, 2198]);
    expect(await settled(all[0]!)).toEqual([0, 0]);
  });
});
