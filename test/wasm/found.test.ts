/** What random programs once found, each as a program of its own. */

import { jit, lax, np, random, type Tensor, vmap, wasmDevice, withDefaultDevice } from 'pullback';
import { expect, test } from 'vitest';

const device = wasmDevice({ check: true });
const on = <A>(f: () => A): A => withDefaultDevice(device, f);

test('the least int32 is subtracted as it wraps around', () => {
  const least = -(2 ** 31);
  const f = (x: Tensor<'int32'>): Tensor<'int32'> =>
    lax.sub(lax.neg(lax.populationCount(x)), np.full([2], least, { dtype: 'int32' }));
  expect(on(() => jit(f)(np.array([7, 0], { dtype: 'int32' }) as Tensor<'int32'>).toArray())).toEqual([
    2 ** 31 - 3,
    least,
  ]);
  const product = (x: Tensor<'int32'>): Tensor<'int32'> =>
    lax.mul(lax.mul(x, np.full([2], 123_456_789, { dtype: 'int32' })), np.full([2], 987_654_321, { dtype: 'int32' }));
  expect(on(() => jit(product)(np.array([1, -3], { dtype: 'int32' }) as Tensor<'int32'>).toArray())).toEqual(
    [1, -3].map((x) => Math.imul(Math.imul(x, 123_456_789), 987_654_321)),
  );
});

test('a convolution of nothing but padding reads neither factor', () => {
  const f = (x: Tensor, w: Tensor): Tensor =>
    lax.convGeneralDilated(np.neg(np.transpose(x, [1, 0, 2])), np.neg(w), [1], [[1, 1]], { lhsDilation: [2] });
  expect(on(() => jit(f)(np.zeros([4, 2, 0]), np.ones([3, 4, 2])).toArray())).toEqual([
    [[0], [0], [0]],
    [[0], [0], [0]],
  ]);
});

test('an element has the same bits alone, in a vector and in a batch', () => {
  const numbers = Array.from({ length: 200 }, (_, i) => i / 61 - 1.6);
  for (const f of [lax.atan, lax.exp, lax.sin, lax.erf, lax.tanh, lax.lgamma]) {
    const [alone, together, mapped] = on(() => [
      numbers.map((x) => jit(f)(np.array(x)).item()),
      f(np.array(numbers)).toArray(),
      jit(vmap((x: Tensor) => f(x)))(np.array(numbers)).toArray(),
    ]);
    expect([together, mapped]).toEqual([alone, alone]);
  }
});

test('pieces of one value that are put together again compute it once, however many they are', () => {
  const stacked = (n: number): number =>
    on(
      () =>
        jit((key: random.Key) => np.stack(random.split(key, n)))
          .lower(random.key(0))
          .compile()
          .text('wat').length,
    );
  expect(stacked(30) / stacked(4)).toBeLessThan(1.1);
  const keys = random.split(random.key(0), 5);
  expect(on(() => jit((key: random.Key) => np.stack(random.split(key, 5)))(random.key(0))).toArray()).toEqual(
    keys.map((key) => key.toArray()),
  );
});

test('a result that nobody asked for has memory of its own', () => {
  // The keys of `top_k` were written over its indices: with the rows in another order, or on two threads, they stayed there.
  const two = wasmDevice({ threads: 2, shareAll: true });
  const indices = jit((x: Tensor<'float64'>) => lax.topK(x, 1)[1]);
  const x = np.astype(np.reshape(np.sin(np.arange(4096)), [4096, 1]), 'float64');
  expect(np.max(np.abs(withDefaultDevice(two, () => indices(x)))).item()).toBe(0);
});
