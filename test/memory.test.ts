/** Tensors are plain garbage-collected values: nothing leaks, even in loops that never yield. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { grad, jit, np, referenceDevice, type Tensor, wasmDevice, withDefaultDevice } from 'pullback';
import { expect, test } from 'vitest';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const megabytes = (): number => process.memoryUsage().rss / 2 ** 20;

const budget = 64 * 2 ** 20;

test.each([
  ['reference', () => referenceDevice(), 0],
  ['wasm', () => wasmDevice({ budget }), budget / 2 ** 20],
] as const)('a synchronous loop over 1 MiB tensors stays within the budget and 300 MB: %s', (_, make, own) => {
  withDefaultDevice(make(), () => {
    let x: Tensor = np.zeros([2 ** 18]);
    const before = megabytes();
    for (let i = 0; i < 1500; i++) x = np.add(x, 1);
    expect(x.dataSync()[0]).toBe(1500);
    expect(megabytes() - before).toBeLessThan(own + 300);
  });
});

test('100,000 synchronous iterations are flat over the last four fifths', () => {
  const step = jit(grad((v: Tensor) => np.sum(np.mul(v, v))));
  let x: Tensor = np.ones([64]);
  let early = 0;
  for (let i = 0; i < 100_000; i++) {
    if (i === 20_000) {
      collect();
      early = megabytes();
    }
    x = np.mul(step(x), 0.5);
  }
  collect();
  expect(x.dataSync()[0]).toBe(1);
  expect(megabytes() - early).toBeLessThan(50);
});

test('the cache of jit does not keep a static function alive', async () => {
  const apply = jit((f: (v: Tensor) => Tensor, v: Tensor) => f(v));
  const x = np.ones([2]);
  const refs: WeakRef<object>[] = [];
  const call = (k: number): void => {
    const f = (v: Tensor): Tensor => np.mul(v, k);
    refs.push(new WeakRef(f));
    apply(f, x);
    grad((v: Tensor) => np.sum(apply(f, v)))(x);
  };
  for (let k = 0; k < 5; k++) call(k);
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
  expect(refs.filter((ref) => ref.deref() !== undefined).length).toBe(0);
  expect(apply.traces).toBe(5);
});

test('nor a static argument, nor the tensors of the first call', async () => {
  const apply = jit((f: (v: Tensor) => Tensor, v: Tensor) => f(v), { staticArgnums: 0 });
  const refs: WeakRef<object>[] = [];
  const call = (k: number): void => {
    const f = (v: Tensor): Tensor => np.mul(v, k);
    const x = np.ones([2 + k]);
    refs.push(new WeakRef(f), new WeakRef(x));
    apply(f, x);
  };
  for (let k = 0; k < 5; k++) call(k);
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
  expect(refs.filter((ref) => ref.deref() !== undefined).length).toBe(0);
});
