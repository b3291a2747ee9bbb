/** Programs on WebGPU beside the default device: loops and branches, products of all shapes, long rows, many operands, memory. */

import {
  cond,
  foriLoop,
  grad,
  jit,
  lax,
  nn,
  np,
  scan,
  switch_,
  type Tensor,
  vmap,
  webgpuCounts,
  webgpuDevice,
  whileLoop,
  withDefaultDevice,
} from 'pullback';
import { expect, test } from 'vitest';
import { device, onWebgpu } from './available.ts';

/** Elements within ±1, the same each time. */
const drawn = (shape: readonly number[], seed = 1): Tensor => {
  const size = shape.reduce((n, x) => n * x, 1);
  return np.reshape(
    np.array(Float32Array.from({ length: size }, (_, i) => Math.sin((i + seed) * (12.9898 + seed)))),
    shape,
  );
};

type Tree = Tensor | Tensor<'int32'> | readonly Tree[];
const flat = (x: Tree): readonly number[] =>
  Array.isArray(x) ? x.flatMap(flat) : Array.from((x as Tensor).dataSync(), Number);

/** The same on both devices, within rounding of sums of `terms`. */
function agree(f: () => Tree, terms = 1): void {
  const [found, wanted] = [withDefaultDevice(device, () => flat(f())), flat(f())];
  expect(found.length).toBe(wanted.length);
  found.forEach((x, i) => {
    const y = wanted[i]!;
    const bound = 4e-6 * Math.sqrt(terms) * Math.max(1, Math.abs(y));
    if (!(Object.is(x, y) || Math.abs(x - y) <= bound)) expect({ at: i, found: x }).toEqual({ at: i, found: y });
  });
}

onWebgpu('loops and branches', () => {
  test('scans with carries and outputs, forwards and backwards, of lengths around the turns that change places', () => {
    for (const length of [0, 1, 2, 3, 8]) {
      for (const reverse of [false, true]) {
        agree(() => {
          const step = jit((c: Tensor, xs: Tensor) =>
            scan(
              ([a, b]: readonly [Tensor, Tensor], x: Tensor) =>
                [[b, np.add(np.mul(a, 0.5), x)] as const, np.sub(a, b)] as const,
              [c, np.mul(c, 2)] as const,
              xs,
              { reverse },
            ),
          );
          const [carry, ys] = step(drawn([130]), drawn([length, 130], 2));
          return [...carry, ys];
        });
      }
    }
  });
  test('a scan in a scan, its counters and its derivative', () => {
    const f = (xs: Tensor, w: Tensor): Tensor => {
      const [total] = scan(
        (c: Tensor, row: Tensor) => {
          const [inner] = scan((d: Tensor, x: Tensor) => [np.tanh(np.add(np.mul(d, w), x)), d] as const, c, row);
          return [inner, inner] as const;
        },
        np.zeros([5]),
        xs,
      );
      return np.sum(total);
    };
    agree(() => jit(f)(drawn([3, 4, 5]), drawn([5], 3)));
    agree(() => jit(grad(f))(drawn([3, 4, 5]), drawn([5], 3)), 60);
  });
  test('while: no turn, one, and more than are encoded at a time', () => {
    const collatz = jit((n: Tensor) =>
      whileLoop(
        ([x]: readonly [Tensor, Tensor]) => np.greater(x, 1),
        ([x, steps]: readonly [Tensor, Tensor]) =>
          [
            np.where(np.equal(np.remainder(x, 2), 0), np.mul(x, 0.5), np.add(np.mul(x, 3), 1)),
            np.add(steps, 1),
          ] as const,
        [n, np.zerosLike(n)] as const,
      ),
    );
    for (const n of [1, 2, 27]) agree(() => [...collatz(np.array(n, { dtype: 'float32' }))]);
  });
  test('while in while, in a batch, and in a branch that is not taken', () => {
    const inner = (x: Tensor): Tensor =>
      whileLoop(
        (y: Tensor) => np.less(y, 10),
        (y: Tensor) => np.add(np.mul(y, 2), 1),
        x,
      );
    const outer = (x: Tensor): Tensor =>
      whileLoop(
        (y: Tensor) => np.less(y, 500),
        (y: Tensor) => np.add(inner(np.remainder(y, 7)), y),
        x,
      );
    agree(() => jit(outer)(np.array(3, { dtype: 'float32' })));
    agree(() => jit(vmap(inner))(np.array([0, 3, 12], { dtype: 'float32' })));
    const either = jit((p: Tensor<'bool'>, x: Tensor) =>
      cond(
        p,
        (y: Tensor) => outer(y),
        (y: Tensor) => np.neg(y),
        x,
      ),
    );
    for (const p of [true, false]) agree(() => either(np.array(p), np.array(3, { dtype: 'float32' })));
  });
  test('branches with loops in them, by an index that is clamped, in a scan', () => {
    const f = jit((is: Tensor<'int32'>, x: Tensor) =>
      scan(
        (c: Tensor, i: Tensor<'int32'>) => {
          const next = switch_(
            i,
            [
              (y: Tensor) => foriLoop(0, 3, (_, z: Tensor) => np.add(np.mul(z, 0.5), 1), y),
              (y: Tensor) => np.neg(y),
              (y: Tensor) => np.mul(y, y),
            ],
            c,
          );
          return [next, next] as const;
        },
        x,
        is,
      ),
    );
    agree(() => [...f(np.array(new Int32Array([0, 1, 2, 7, -3, 0])), drawn([70]))]);
  });
});

onWebgpu('products and convolutions', () => {
  const shapes = [
    [1, 1, 1],
    [1, 700, 3],
    [7, 5, 9],
    [17, 33, 65],
    [64, 64, 64],
    [130, 20, 140],
    [300, 3, 2],
    [10, 4000, 6],
    [257, 18, 1030],
  ] as const;
  test.each(shapes)('[%i,%i]·[·,%i], each operand transposed or not', (m, k, n) => {
    const f = jit((a: Tensor, b: Tensor) => np.matmul(a, b));
    const t = np.transpose;
    agree(() => f(drawn([m, k]), drawn([k, n], 2)), k);
    agree(() => jit((a: Tensor, b: Tensor) => np.matmul(t(a), t(b)))(drawn([k, m]), drawn([n, k], 2)), k);
  });
  test('batches, heads taken out of features, whole numbers', () => {
    agree(() => np.matmul(drawn([3, 2, 9, 20]), drawn([2, 20, 33], 2)), 20);
    agree(() => {
      const heads = (x: Tensor): Tensor => np.transpose(np.reshape(x, [2, 24, 4, 8]), [0, 2, 1, 3]);
      const f = jit((q: Tensor, k: Tensor) => np.einsum('bhqd,bhkd->bhqk', heads(q), heads(k)));
      return f(drawn([2, 24, 32]), drawn([2, 24, 32], 5));
    }, 8);
    const whole = (shape: readonly number[]) => np.astype(np.mul(drawn(shape), 1000), 'int32');
    agree(() => np.matmul(whole([9, 40]), whole([40, 11])));
  });
  test('convolutions with strides, padding, dilation, groups, and both derivatives', () => {
    const kinds = [
      { x: [2, 9, 10, 3], w: [3, 3, 3, 8], strides: [1, 1], padding: 'SAME', o: {} },
      { x: [2, 9, 10, 4], w: [3, 2, 2, 6], strides: [2, 1], padding: 'VALID', o: { featureGroupCount: 2 } },
      { x: [1, 12, 12, 2], w: [3, 3, 2, 5], strides: [1, 1], padding: 'SAME', o: { rhsDilation: [2, 2] } },
    ] as const;
    for (const { x, w, strides, padding, o } of kinds) {
      const f = (a: Tensor, b: Tensor): Tensor =>
        lax.convGeneralDilated(a, b, strides, padding, {
          ...o,
          dimensionNumbers: ['NHWC', 'HWIO', 'NHWC'],
        } as never);
      const loss = (a: Tensor, b: Tensor): Tensor => np.sum(np.square(f(a, b)));
      agree(() => jit(f)(drawn(x), drawn(w, 2)), 40);
      agree(
        () =>
          jit((a: Tensor, b: Tensor) => [grad(loss)(a, b), grad((v: Tensor, u: Tensor) => loss(u, v))(b, a)])(
            drawn(x),
            drawn(w, 2),
          ),
        400,
      );
    }
  });
});

onWebgpu('rows, sequences and scatters', () => {
  test('softmax and layer norm of short rows, of rows that a workgroup keeps, and of longer ones', () => {
    for (const length of [5, 64, 1000, 3000, 9000]) {
      agree(() => jit((x: Tensor) => nn.softmax(x))(drawn([3, length])), length);
      agree(
        () =>
          jit((x: Tensor) => nn.functional.layerNorm(x, { scale: np.ones([length]), bias: np.zeros([length]) }))(
            drawn([3, length]),
          ),
        length,
      );
    }
  });
  test('sums of all, of rows and of columns', () => {
    agree(() => jit((x: Tensor) => [np.sum(x), np.sum(x, 0), np.sum(x, 1), np.max(x)])(drawn([301, 203])), 60000);
  });
  test('sorts, cumulative sums, largest elements', () => {
    agree(() => np.sort(drawn([3, 300])));
    agree(() => np.argsort(drawn([7, 33])));
    agree(() => np.cumsum(drawn([2, 1000]), 1), 1000);
    agree(() => [...lax.topK(drawn([4, 65]), 5)]);
  });
  test('embeddings and their gradient, maximum pooling and its gradient', () => {
    const loss = (table: Tensor, ids: Tensor<'int32'>): Tensor => np.sum(np.square(np.take(table, ids, 0)));
    agree(() => jit(grad(loss))(drawn([5, 70]), np.array(new Int32Array([1, 4, 1, 0, 3, 1]))), 6);
    const pooled = (x: Tensor): Tensor => np.sum(np.square(nn.functional.maxPool(x, [2, 2])));
    agree(() => jit(grad(pooled))(drawn([2, 8, 8, 3])));
  });
  test('a concatenation of more parts than a kernel binds', () => {
    agree(() =>
      jit((...xs: readonly Tensor[]) => np.concatenate([...xs]))(
        ...Array.from({ length: 30 }, (_, i) => drawn([i + 1], i)),
      ),
    );
  });
});

onWebgpu('memory', () => {
  test('what the budget has no room for is on the host, and comes back', () => {
    const small = webgpuDevice({ budget: 2 ** 20 });
    withDefaultDevice(small, () => {
      const all = Array.from({ length: 60 }, (_, i) => np.mul(np.ones([10_000]), i));
      all.forEach((x, i) => {
        expect(np.sum(x).item()).toBe(10_000 * i);
      });
    });
    const { evicted, buffers } = webgpuCounts(small);
    expect(evicted).toBeGreaterThan(20);
    expect(buffers).toBeLessThan(200);
  });
  test('a program that does not fit says so', () => {
    const small = webgpuDevice({ budget: 2 ** 20 });
    expect(() => withDefaultDevice(small, () => np.sum(np.ones([2 ** 20])).item())).toThrow(/budget/);
    expect(withDefaultDevice(small, () => np.sum(np.ones([100])).item())).toBe(100);
  });
});
