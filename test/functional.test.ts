/** Layers as functions: convolution, normalization, attention, embedding, beside loops over numbers. */

import { grad, jit, linearTranspose, nn, np, random, type Tensor, vmap } from 'pullback';
import { checkGrads } from 'pullback/laws';
import { describe, expect, it, test } from 'vitest';
import { message } from './errors/message.ts';

const { batchNorm, conv, convTranspose, dotProductAttention, embedding, layerNorm } = nn.functional;
const normal = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);
const flat = (x: Tensor): number[] => np.ravel(x).toArray() as number[];

function expectClose(x: Tensor, shape: readonly number[], values: readonly number[]): void {
  expect(x.shape).toEqual(shape);
  flat(x).forEach((v, i) => {
    expect(Math.abs(v - values[i]!), `element ${i}: ${v} and ${values[i]}`).toBeLessThan(2e-5);
  });
  expect(flat(x)).toHaveLength(values.length);
}

describe('conv', () => {
  test.each([
    [1, 1, 'VALID'],
    [2, 1, 'SAME'],
    [1, 2, 'SAME'],
    [2, 2, 'SAME'],
  ] as const)('stride %i, %i groups, %s: the values of a loop, in both layouts', (stride, groups, padding) => {
    const [height, width, inputs, outputs, taps] = [6, 5, 4, 6, 3];
    const x = normal(1, 2, height, width, inputs);
    const w = normal(2, taps, taps, inputs / groups, outputs);
    const bias = normal(3, outputs);
    const [xs, ws, bs] = [flat(x), flat(w), flat(bias)];
    const count = (n: number): number =>
      padding === 'SAME' ? Math.ceil(n / stride) : Math.floor((n - taps) / stride) + 1;
    const lowEdge = (n: number): number =>
      padding === 'SAME' ? Math.floor(Math.max(0, (count(n) - 1) * stride + taps - n) / 2) : 0;
    const wanted: number[] = [];
    for (let b = 0; b < 2; b++)
      for (let r = 0; r < count(height); r++)
        for (let c = 0; c < count(width); c++)
          for (let o = 0; o < outputs; o++) {
            let sum = bs[o]!;
            const group = Math.floor(o / (outputs / groups));
            for (let i = 0; i < taps; i++)
              for (let j = 0; j < taps; j++)
                for (let f = 0; f < inputs / groups; f++) {
                  const [y, z] = [r * stride + i - lowEdge(height), c * stride + j - lowEdge(width)];
                  if (y < 0 || z < 0 || y >= height || z >= width) continue;
                  const feature = group * (inputs / groups) + f;
                  sum +=
                    xs[((b * height + y) * width + z) * inputs + feature]! *
                    ws[((i * taps + j) * (inputs / groups) + f) * outputs + o]!;
                }
            wanted.push(sum);
          }
    const options = { strides: [stride, stride], groups, padding, bias } as const;
    const y = conv(x, w, options);
    expectClose(y, [2, count(height), count(width), outputs], wanted);
    const first = conv(np.moveaxis(x, -1, 1), np.transpose(w, [3, 2, 0, 1]), { ...options, layout: 'channelsFirst' });
    expectClose(np.moveaxis(first, 1, -1), y.shape, wanted);
    // Axes of batches: none, and several.
    expectClose(conv(np.index(x, 0) as Tensor, w, options), y.shape.slice(1), wanted.slice(0, y.size / 2));
    expectClose(conv(np.reshape(x, [1, 2, height, width, inputs]), w, options), [1, ...y.shape], wanted);
    checkGrads(
      (a: Tensor, k: Tensor, c: Tensor) => np.sum(np.square(conv(a, k, { ...options, bias: c }))),
      [x, w, bias],
      {
        modes: ['rev'],
      },
    );
  });

  test.each([
    [{ strides: [2], padding: 'SAME' }, 3, 4],
    [{ strides: [3], padding: 'SAME' }, 2, 4],
    [{ strides: [2], padding: [[1, 1]] }, 3, 4],
    [{ strides: [2], outputPadding: [1], padding: [[1, 0]] }, 3, 4],
    [{ dilation: [2], groups: 2 }, 3, 5],
    [{ strides: [3], dilation: [2], outputPadding: [2] }, 2, 3],
  ] as const)('convTranspose %o is its transpose', (options, taps, n) => {
    const { outputPadding: extra = [0], ...shared } = options as { outputPadding?: readonly number[] };
    const groups = 'groups' in options ? options.groups : 1;
    const w = normal(4, taps, 4 / groups, 6);
    const y = normal(5, 2, n, 6);
    const z = convTranspose(y, w, { ...shared, outputPadding: extra });
    expect(z.shape.slice(-1)).toEqual([4]);
    const back = linearTranspose(
      (x: Tensor) => conv(x, w, shared),
      [np.zeros(z.shape)],
    )(y) as unknown as readonly Tensor[];
    expectClose(z, back[0]!.shape, flat(back[0]!));
    const turned = { ...shared, outputPadding: extra, layout: 'channelsFirst', bias: np.ones([4]) } as const;
    const first = convTranspose(np.moveaxis(y, -1, 1), np.transpose(w, [2, 1, 0]), turned);
    expectClose(
      np.moveaxis(first, 1, -1),
      z.shape,
      flat(z).map((v) => v + 1),
    );
  });

  it('has the lengths of PyTorch', () => {
    const shape = (n: number, taps: number, options: nn.functional.ConvTransposeOptions): number =>
      convTranspose(np.ones([n, 1]), np.ones([taps, 1, 1]), options).shape[0]!;
    expect(shape(5, 3, { strides: [2], padding: [[1, 1]] })).toBe(9);
    expect(shape(5, 3, { strides: [2], padding: [[1, 1]], outputPadding: [1] })).toBe(10);
    expect(shape(5, 4, { strides: [3], dilation: [2] })).toBe(19);
    expect(shape(5, 2, { strides: [3], padding: 'SAME' })).toBe(15);
  });
});

describe('normalization', () => {
  it('layerNorm has the values of a loop', () => {
    const x = normal(6, 2, 3, 4);
    const [scale, bias] = [normal(7, 3, 4), normal(8, 3, 4)];
    const [xs, s, b] = [flat(x), flat(scale), flat(bias)];
    const wanted: number[] = [];
    for (let n = 0; n < 2; n++) {
      const part = xs.slice(12 * n, 12 * n + 12);
      const mean = part.reduce((p, q) => p + q) / 12;
      const variance = part.reduce((p, q) => p + (q - mean) ** 2, 0) / 12;
      part.forEach((v, i) => wanted.push(((v - mean) / Math.sqrt(variance + 1e-3)) * s[i]! + b[i]!));
    }
    const f = (v: Tensor, c: Tensor, d: Tensor): Tensor =>
      layerNorm(v, { axis: [-1, -2], scale: c, bias: d, epsilon: 1e-3 });
    expectClose(f(x, scale, bias), [2, 3, 4], wanted);
    checkGrads((v: Tensor, c: Tensor, d: Tensor) => np.sum(np.sin(f(v, c, d))), [x, scale, bias]);
    const lanes = vmap((v: Tensor) => f(v, scale, bias))(x);
    expectClose(lanes, [2, 3, 4], wanted);
  });

  it('batchNorm has the values of a loop, and its statistics follow', () => {
    const x = normal(9, 4, 3, 2);
    const [scale, bias] = [normal(10, 3), normal(11, 3)];
    const running = { mean: np.array([1, 2, 3]), variance: np.array([4, 5, 6]) };
    const [xs, s, b] = [flat(x), flat(scale), flat(bias)];
    const at = (n: number, c: number, i: number): number => xs[(n * 3 + c) * 2 + i]!;
    const means: number[] = [];
    const variances: number[] = [];
    for (let c = 0; c < 3; c++) {
      const all = [0, 1, 2, 3].flatMap((n) => [at(n, c, 0), at(n, c, 1)]);
      means.push(all.reduce((p, q) => p + q) / 8);
      variances.push(all.reduce((p, q) => p + (q - means[c]!) ** 2, 0) / 8);
    }
    const wanted = (mean: readonly number[], variance: readonly number[]): number[] =>
      xs.map((v, k) => {
        const c = Math.floor(k / 2) % 3;
        return ((v - mean[c]!) / Math.sqrt(variance[c]! + 1e-5)) * s[c]! + b[c]!;
      });
    const options = { axis: 1, scale, bias } as const;
    const [y, next] = jit((v: Tensor) => batchNorm(v, running, { ...options, training: true, momentum: 0.25 }))(x);
    expectClose(y, x.shape, wanted(means, variances));
    expectClose(
      next.mean as Tensor,
      [3],
      means.map((m, c) => 0.75 * (c + 1) + 0.25 * m),
    );
    expectClose(
      next.variance as Tensor,
      [3],
      variances.map((v, c) => 0.75 * (c + 4) + (0.25 * v * 8) / 7),
    );
    const [z, same] = batchNorm(x, running, options);
    expectClose(z, x.shape, wanted([1, 2, 3], [4, 5, 6]));
    expect(same).toBe(running);
    checkGrads(
      (v: Tensor, c: Tensor, d: Tensor) =>
        np.sum(np.sin(batchNorm(v, running, { axis: 1, scale: c, bias: d, training: true })[0])),
      [x, scale, bias],
    );
    const through = grad((v: Tensor) => np.sum(batchNorm(v, running, { axis: 1, training: true })[1].mean as Tensor))(
      x,
    );
    expect(flat(through as Tensor).every((v) => v === 0)).toBe(true);
  });

  it('says what does not fit', () => {
    const start = { mean: np.zeros([2]), variance: np.ones([2]) };
    expect(message(() => layerNorm(np.zeros([2, 3]), { scale: np.ones([2]) }))).toContain(
      'nn.functional.layerNorm: the scale float32[2] does not fit float32[2,3]',
    );
    expect(message(() => batchNorm(np.zeros([2, 3]), start))).toContain('the mean float32[2] does not fit');
    expect(message(() => batchNorm(np.zeros([1, 2]), start, { training: true }))).toContain(
      'float32[1,2] has 1 values a channel, of which there is no variance',
    );
  });
});

describe('dotProductAttention', () => {
  interface Sizes {
    readonly heads: number;
    readonly keyHeads: number;
    readonly causal: boolean;
    readonly seen?: (t: number, s: number) => boolean;
  }
  /** [batch, queries, heads, dim] by loops; a query that sees nothing has the mean. */
  function attended(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, { heads, keyHeads, causal, seen }: Sizes): number[] {
    const [[batch, queries, , dim], [, keys]] = [q.shape as number[], k.shape as number[]];
    const [qs, ks, vs, bs] = [flat(q), flat(k), flat(v), flat(bias)];
    const out: number[] = [];
    for (let b = 0; b < batch!; b++)
      for (let t = 0; t < queries!; t++)
        for (let h = 0; h < heads; h++) {
          const g = Math.floor((h * keyHeads) / heads);
          const visible = (s: number): boolean => (!causal || s <= t) && (seen?.(t, s) ?? true);
          const scores = Array.from({ length: keys! }, (_, s) => {
            let sum = 0;
            for (let d = 0; d < dim!; d++)
              sum +=
                qs[((b * queries! + t) * heads + h) * dim! + d]! * ks[((b * keys! + s) * keyHeads + g) * dim! + d]!;
            return visible(s) ? Math.exp(sum / Math.sqrt(dim!) + bs[(h * queries! + t) * keys! + s]!) : 0;
          });
          const nothing = scores.every((p) => p === 0);
          const weights = nothing ? scores.map(() => 1) : scores;
          const total = weights.reduce((p, r) => p + r);
          for (let d = 0; d < dim!; d++)
            out.push(
              weights.reduce((sum, p, s) => sum + (p / total) * vs[((b * keys! + s) * keyHeads + g) * dim! + d]!, 0),
            );
        }
    return out;
  }

  test.each([
    { heads: 2, keyHeads: 2, causal: false },
    { heads: 4, keyHeads: 2, causal: true },
    { heads: 2, keyHeads: 1, causal: false, seen: (t: number, s: number) => t > 0 && (t + s) % 2 === 0 },
    { heads: 2, keyHeads: 2, causal: true, seen: (_: number, s: number) => s !== 1 },
  ])('%o: the values of a loop', (sizes) => {
    const [q, k, v] = [
      normal(12, 2, 3, sizes.heads, 4),
      normal(13, 2, 5, sizes.keyHeads, 4),
      normal(14, 2, 5, sizes.keyHeads, 4),
    ];
    const bias = normal(15, sizes.heads, 3, 5);
    const seen = 'seen' in sizes ? sizes.seen : undefined;
    const mask = seen
      ? {
          mask: np.greater(
            np.array(Array.from({ length: 3 }, (_, t) => Array.from({ length: 5 }, (__, s) => Number(seen(t, s))))),
            0,
          ),
        }
      : {};
    const options = { isCausal: sizes.causal, ...mask };
    const f = (a: Tensor, b: Tensor, c: Tensor, d: Tensor): Tensor =>
      dotProductAttention(a, b, c, { ...options, bias: d });
    const wanted = attended(q, k, v, bias, sizes as Sizes);
    expectClose(f(q, k, v, bias), [2, 3, sizes.heads, 4], wanted);
    expectClose(vmap(f, [0, 0, 0, null])(q, k, v, bias), [2, 3, sizes.heads, 4], wanted);
    checkGrads((...args: [Tensor, Tensor, Tensor, Tensor]) => np.sum(np.sin(f(...args))), [q, k, v, bias], {
      modes: ['rev'],
    });
  });

  it('says what does not fit', () => {
    const q = np.zeros([2, 3, 4]);
    expect(message(() => dotProductAttention(q, np.zeros([2, 2, 4]), np.zeros([2, 2, 4])))).toContain(
      'query float32[2,3,4], key float32[2,2,4] and value float32[2,2,4] do not fit',
    );
    expect(
      message(() => dotProductAttention(q, q, q, { mask: np.zeros([2, 2]) as unknown as Tensor<'bool'> })),
    ).toContain('the mask float32[2,2] is not bool');
    expect(message(() => dotProductAttention(q, q, q, { bias: np.zeros([2, 3, 3, 2, 2]) }))).toContain(
      'the bias float32[2,3,3,2,2] does not broadcast to [1,3,2,2]',
    );
  });
});

describe('embedding', () => {
  const table = np.array([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const at = np.array(
    [
      [2, 0],
      [-1, 7],
    ],
    { dtype: 'int32' },
  );

  it('reads rows, and NaN where there is none', () => {
    expect(embedding(at, table).toArray()).toEqual([
      [
        [5, 6],
        [1, 2],
      ],
      [
        [5, 6],
        [Number.NaN, Number.NaN],
      ],
    ]);
  });

  it('adds up cotangents of rows that are read twice; none reaches the row of padding', () => {
    const some = np.array([2, 0, 2], { dtype: 'int32' });
    const total = (options?: nn.functional.EmbeddingOptions) => (w: Tensor) => np.sum(embedding(some, w, options));
    expect((grad(total())(table) as Tensor).toArray()).toEqual([
      [1, 1],
      [0, 0],
      [2, 2],
    ]);
    expect((grad(total({ paddingIndex: 2 }))(table) as Tensor).toArray()).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
    ]);
    const without = (paddingIndex: number, indices: Tensor<'int32'> | Tensor<'uint32'>) =>
      (grad((w: Tensor) => np.sum(embedding(indices, w, { paddingIndex })))(table) as Tensor).toArray();
    expect(without(-1, some)).toEqual(without(2, some));
    expect(without(2, np.array([0, -1], { dtype: 'int32' }))).toEqual(without(2, np.array([0, 2], { dtype: 'int32' })));
    expect(without(-1, np.array([0, 2], { dtype: 'uint32' }))).toEqual(
      without(2, np.array([0, 2], { dtype: 'int32' })),
    );
    expect(message(() => embedding(some, table, { paddingIndex: 3 }))).toContain('float32[3,2] has no row 3');
    expect(message(() => embedding(some, np.zeros([3])))).toContain('the table float32[3] is not [rows, dim]');
  });
});
