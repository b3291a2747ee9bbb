/**
 * Programs on 1, 2, 3 and 5 threads: results have the same bits, with relaxed SIMD and without. Here every step is shared
 * that can be, however small (`shareAll`), and the first call waits until all threads have its code.
 */

import {
  cond,
  grad,
  jit,
  lax,
  nn,
  np,
  random,
  scan,
  type Tensor,
  tree,
  valueAndGrad,
  vmap,
  whileLoop,
  withDefaultDevice,
} from 'pullback';
import { afterAll, describe, expect, it } from 'vitest';
import { wasmDevice } from '../../backends/wasm/device.ts';
import type { Team } from '../../backends/wasm/team/team.ts';
import type { Device } from '../../src/core/backend.ts';

type Shared = Device & { readonly team: Team | null; readonly threads: number };
const deviceOf = (threads: number, relaxed = true): Shared =>
  wasmDevice({ threads, relaxed, shareAll: true, budget: 2 ** 28 }) as Shared;

const normal = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);

/** Programs of some size `n`, of all kinds of steps. */
const programs: Readonly<Record<string, (n: number) => unknown>> = {
  elementwise: (n) => jit((x: Tensor) => np.mul(np.tanh(x), np.exp(np.sin(x))))(normal(1, 31, n)),
  transpose: (n) => jit((x: Tensor) => np.add(np.transpose(x), 1))(normal(1, 70, n)),
  rows: (n) => jit((x: Tensor) => [nn.softmax(x), np.cumsum(x, 1), np.var(x, 1)])(normal(2, 41, n)),
  columns: (n) => jit((x: Tensor) => [np.sum(x, 0), np.max(x, 0)])(normal(3, 90, n)),
  'one sum': (n) => jit((x: Tensor) => [np.sum(np.square(x)), np.max(x), np.argmin(x)])(normal(4, 300, n)),
  'a wide matrix': (n) => jit((x: Tensor) => np.sum(np.tanh(x), 0))(normal(4, 40, 16 * n)),
  product: (n) =>
    jit((a: Tensor, b: Tensor) => nn.relu(np.add(np.matmul(a, b), 1)))(normal(5, n, 130), normal(6, 130, 300)),
  'products of views': (n) =>
    jit((a: Tensor, b: Tensor) => [np.matmul(np.transpose(a), b), np.matmul(np.transpose(b), a)])(
      normal(5, 160, 2 * n),
      normal(6, 160, n),
    ),
  'eager products': (n) => [
    np.matmul(normal(5, n, 20), normal(6, 20, 300)),
    np.matmul(normal(9, 2, 260, n), normal(10, 2, n, 12)),
  ],
  'narrow products': (n) => jit((a: Tensor, b: Tensor) => np.matmul(a, b))(normal(7, 301, n), normal(8, n, 3)),
  'a batch of products': (n) => jit((a: Tensor) => np.matmul(a, np.swapaxes(a, 1, 2)))(normal(9, 5, n, 40)),
  convolution: (n) =>
    jit(valueAndGrad((w: Tensor) => np.mean(np.square(lax.conv(normal(10, 6, 3, n, 12), w, [1, 1], 'SAME')))))(
      normal(11, 8, 3, 3, 3),
    ),
  'a loop': (n) => {
    const turn = (h: Tensor, x: Tensor): [Tensor, Tensor] => {
      const next = np.tanh(np.add(np.matmul(h, normal(13, n, n)), x));
      return [next, np.sum(next, 1)];
    };
    return jit((xs: Tensor) => scan(turn, np.zeros([20, n]), xs))(normal(12, 9, 20, n));
  },
  'a loop whose end is data': (n) =>
    jit((x: Tensor) =>
      whileLoop(
        (y: Tensor) => np.greater(np.max(np.abs(y)), 0.3),
        (y: Tensor) => np.mul(np.add(np.sin(y), y), 0.4),
        x,
      ),
    )(normal(14, 33, n)),
  branches: (n) =>
    jit(
      (x: Tensor) =>
        scan(
          (c: Tensor, i: Tensor) => [
            cond(
              np.greater(np.sum(c), i),
              (y: Tensor) => np.tanh(y),
              (y: Tensor) => np.add(np.mul(y, 1.5), 0.25),
              c,
            ),
            null,
          ],
          x,
          np.linspace(0, 11, 12),
        )[0],
    )(normal(15, 40, n)),
  training: (n) => {
    const p = { w: normal(16, n, 64), v: normal(17, 64, 10) };
    const x = normal(18, 50, n);
    const loss = (q: typeof p) =>
      nn.crossEntropy(np.matmul(nn.gelu(np.matmul(x, q.w)), q.v), np.remainder(np.arange(50), 10));
    const next = jit((q: typeof p) => {
      const g = grad(loss)(q);
      return { w: np.sub(q.w, np.mul(g.w, 0.1)), v: np.sub(q.v, np.mul(g.v, 0.1)) };
    });
    const { w, v } = next(next(next(p)));
    return [w, v];
  },
  'rows by vmap': (n) => jit(vmap((x: Tensor) => np.sort(np.div(x, np.sum(np.abs(x))))))(normal(19, 20, n)),
  scatter: (n) =>
    jit((x: Tensor) => np.at(x, np.arange(n) as Tensor<'int32'>).add(np.ones([n, 9])))(normal(20, n + 3, 9)),
};

const bits = (x: unknown): readonly Uint8Array[] =>
  tree.leaves(x as Tensor).map((y) => {
    const { buffer, byteOffset, byteLength } = y.dataSync();
    return new Uint8Array(buffer, byteOffset, byteLength);
  });

/** With all remainders of eight; `npm run soak threads` takes all of them for each program, a test one with relaxed SIMD and another without. */
const sizes = [1, 2, 3, 4, 5, 6, 7].map((r) => 8 * (r % 4 === 3 ? 9 : 4) + r);
const deep = process.env['SOAK_THREADS'] === '1';
const sizesOf = (name: string, relaxed: boolean): readonly number[] =>
  deep ? sizes : [sizes[(Object.keys(programs).indexOf(name) + (relaxed ? 0 : 3)) % sizes.length]!];

describe.each([true, false])('relaxed SIMD %s', (relaxed) => {
  const one = deviceOf(1, relaxed);
  const several = (relaxed || deep ? [2, 3, 5] : [5]).map((threads) => deviceOf(threads, relaxed));
  it.each(Object.entries(programs))(
    '%s: the same bits on any number of threads',
    { timeout: 120_000 },
    (name, program) => {
      for (const n of sizesOf(name, relaxed)) {
        const expected = withDefaultDevice(one, () => bits(program(n)));
        for (const device of several) {
          expect(withDefaultDevice(device, () => bits(program(n)))).toEqual(expected);
        }
      }
    },
  );
  afterAll(() => {
    // They did share.
    for (const device of several) expect(device.team!.calls).toBeGreaterThan(50);
  });
});
