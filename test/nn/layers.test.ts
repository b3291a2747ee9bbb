/** Convolutions, pooling, norms, embedding, dropout: PyTorch's values and gradients, edges, messages. */

import { grad, jit, nn, np, random, type Tensor, valueAndGrad, vmap } from 'pullback';
import { describe, expect, it } from 'vitest';
import { message } from '../errors/message.ts';
import fixture from '../fixtures/torch-layers.json' with { type: 'json' };
import { expectNear, expectOnWasm, fill, flat, onReference, type Wide } from './sequence-fixtures.ts';

onReference();

type Named = Readonly<Record<string, Wide>>;
type Options = Readonly<Record<string, unknown>>;
const indices = np.array(
  [
    [1, 4],
    [1, 0],
  ],
  { dtype: 'int32' },
) as Tensor<'int32'>;
const state = (): { mean: Wide; variance: Wide } => ({ mean: fill([4], 7), variance: np.add(fill([4], 8), 1) });

const scales = ({ scale, bias }: Named): Required<nn.ScaleParams<'float64'>> => ({ scale: scale!, bias: bias! });

/** What computes each of the cases; options come from JSON. */
const layers: Readonly<Record<string, (t: Named, o: never) => Wide>> = {
  conv: ({ x, w, b }, o) => nn.conv({ w: w!, b: b! }, o)(x!),
  convTranspose: ({ x, w, b }, o) => nn.convTranspose({ w: w!, b: b! }, o)(x!),
  adaptiveAvgPool: ({ x }, o: { lengths: number[] }) => nn.functional.adaptiveAvgPool(x!, o.lengths),
  adaptiveMaxPool: ({ x }, o: { lengths: number[] }) => nn.functional.adaptiveMaxPool(x!, o.lengths),
  globalAvgPool: ({ x }) => nn.functional.globalAvgPool(x!),
  globalMaxPool: ({ x }) => nn.functional.globalMaxPool(x!),
  layerNorm: (t, o) => nn.layerNorm(scales(t), o)(t['x']!),
  groupNorm: (t, o) => nn.groupNorm(scales(t), o)(t['x']!),
  instanceNorm: (t, o) => nn.instanceNorm(scales(t), o)(t['x']!),
  rmsNorm: (t, o) => nn.rmsNorm(scales(t), o)(t['x']!),
  batchNorm: (t, o) => nn.batchNorm(scales(t), o)(t['x']!, state())[0],
  embedding: ({ table }, o) => nn.embedding({ table: table! }, o)(indices),
};

const named = fixture.cases.map((c) => ({ ...c, what: `${c.name} ${JSON.stringify(c.options)}` }));

describe.each(named)('$what', (c) => {
  const tensors = Object.fromEntries(Object.entries(c.shapes).map(([name, shape], i) => [name, fill(shape, 1 + i)]));
  const run = (t: Named): Wide => layers[c.name]!(t, c.options as Options as never);
  const loss = (t: Named): Wide => {
    const y = run(t);
    return np.sum(np.mul(y, fill(y.shape, 300))) as Wide;
  };

  it('has the values and gradients of PyTorch, compiled as well', () => {
    const y = run(tensors);
    expect(y.shape).toEqual(c.yShape);
    expectNear(y, c.y);
    expectNear(jit(run)(tensors), c.y);
    for (const g of [grad(loss)(tensors), jit(grad(loss))(tensors)]) {
      for (const [name, wanted] of Object.entries(c.grads)) expectNear(g[name]!, wanted as number[], 1e-8, `d ${name}`);
    }
  });
});

it('batch norm returns the statistics of PyTorch, and those given where it does not train', () => {
  const c = fixture.cases.find((d) => 'state' in d)! as unknown as { state: { mean: number[]; variance: number[] } };
  const [, next] = nn.batchNorm({}, { training: true, momentum: 0.3 })(fill([2, 3, 2, 4], 1), state());
  expectNear(next.mean, c.state.mean);
  expectNear(next.variance, c.state.variance);
  const start = state();
  expect(nn.batchNorm({})(fill([2, 4], 1), start)[1]).toBe(start);
});

describe('batch norm folds into what is before', () => {
  const [norm, at] = [{ scale: fill([4], 3), bias: fill([4], 4) }, state()];
  it('a dense layer', () => {
    const [layer, x] = [{ w: fill([3, 4], 1), b: fill([4], 2) }, fill([5, 3], 5)];
    const [wanted] = nn.batchNorm(norm, { epsilon: 0.01 })(nn.dense(layer)(x), at);
    expectNear(nn.dense(nn.foldBatchNorm(layer, norm, at, { epsilon: 0.01 }))(x), flat(wanted), 1e-12);
  });
  it('a convolution, with groups, without a bias, a scale and a bias', () => {
    const [layer, x] = [{ w: fill([3, 3, 1, 4], 1) }, fill([2, 5, 5, 2], 5)];
    const options = { groups: 2, padding: 'SAME' } as const;
    const [wanted] = nn.batchNorm({})(nn.conv(layer, options)(x), at);
    expectNear(nn.conv(nn.foldBatchNorm(layer, {}, at), options)(x), flat(wanted), 1e-12);
  });
});

describe('convolutions', () => {
  const key = random.key(0);
  it('make parameters of the window, channels and groups', () => {
    const shapes = (p: nn.ConvParams): unknown => [p.w.shape, p.b?.shape];
    expect(shapes(nn.conv.init(key, [3, 2], 4, 6, { groups: 2 }))).toEqual([[3, 2, 2, 6], [6]]);
    expect(shapes(nn.conv.init(key, [3], 4, 6, { bias: false }))).toEqual([[3, 4, 6], undefined]);
    expect(shapes(nn.convTranspose.init(key, [3], 4, 6, { groups: 2 }))).toEqual([[3, 3, 4], [6]]);
    // Initializers are shown the taps of a convolution, of whose fans they know; each output of a group keeps its taps.
    const seen: (readonly number[])[] = [];
    const byOutput = (_: random.Key, shape: readonly number[]): Tensor => {
      seen.push(shape);
      return np.astype(np.broadcastTo(np.arange(shape.at(-1)!), shape), 'float32');
    };
    const turned = nn.convTranspose.init(key, [1], 4, 6, { groups: 2, w: byOutput });
    expect(seen).toEqual([[1, 2, 6]]);
    expect(turned.w.toArray()).toEqual([
      [
        [0, 0, 3, 3],
        [1, 1, 4, 4],
        [2, 2, 5, 5],
      ],
    ]);
    const drawn = nn.conv.layer([3], 4, 6, { w: nn.initializers.ones, b: nn.initializers.constant(2) }).init(key);
    expect(np.sum(drawn.w).item()).toBe(72);
    expect(drawn.b?.toArray()).toEqual([2, 2, 2, 2, 2, 2]);
  });
  it('draw taps for which the outputs have the variance of the inputs', () => {
    const x = random.normal(random.key(1), [4, 16, 16, 32]);
    for (const layer of [nn.conv.layer([3, 3], 32, 64), nn.convTranspose.layer([3, 3], 32, 64, { groups: 2 })]) {
      const y = layer.apply(layer.init(key))(x);
      expect(np.var(np.index(y, [], [3, 12], [3, 12]) as Tensor).item()).toBeCloseTo(1, 0);
    }
  });
  it('pad as JAX where the padding has a name', () => {
    const params = nn.conv.init(key, [3], 1, 1);
    expect(nn.conv(params, { strides: 2, padding: 'SAME' })(np.ones([1, 7, 1])).shape).toEqual([1, 4, 1]);
    expect(nn.convTranspose(params, { strides: 2, padding: 'SAME' })(np.ones([1, 7, 1])).shape).toEqual([1, 14, 1]);
  });
  it('are the same on WebAssembly', () => {
    expectOnWasm(() => {
      const p = nn.conv.init(random.key(2), [3, 3], 4, 8, { groups: 2 });
      const x = random.normal(random.key(3), [2, 6, 6, 4]);
      const loss = (q: typeof p): Tensor => np.sum(np.square(nn.conv(q, { groups: 2, padding: 1, strides: 2 })(x)));
      const [value, g] = valueAndGrad(loss)(p);
      return [value, g.w, g.b];
    });
  });
  it('say what does not fit', () => {
    expect(message(() => nn.conv({ w: np.ones([3, 4]), b: np.ones([4]) }))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.conv: taps float32[3,4] and bias float32[4] do not make a layer
        remedy: make parameters with nn.conv.init(key, window, inSize, outSize): taps w with a window of one to three axes, and b: float[out]
        at test/nn/layers.test.ts:LINE
      "
    `);
    expect(message(() => nn.conv({ w: 3 as unknown as Tensor }))).toMatchInlineSnapshot(`
      "
      TreeError: nn.conv: params.w is 3, not a tensor
        remedy: make parameters with nn.conv.init(key, window, inSize, outSize): taps w with a window of one to three axes, and b: float[out]
        at test/nn/layers.test.ts:LINE
      "
    `);
    expect(message(() => nn.conv.init(key, [3], 3, 4, { groups: 2 }))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.conv.init: inSize/groups is 1.5
        remedy: give a positive integer
        at test/nn/layers.test.ts:LINE
      "
    `);
    expect(message(() => nn.convTranspose({ w: np.ones([3, 2, 4]), b: np.ones([4]) }))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.convTranspose: taps float32[3,2,4] and bias float32[4] do not make a layer
        remedy: make parameters with nn.convTranspose.init(key, window, inSize, outSize): taps w with a window of one to three axes, and b: float[out]
        at test/nn/layers.test.ts:LINE
      "
    `);
  });
});

describe('dropout', () => {
  const [key, x] = [random.key(0), random.normal(random.key(1), [8, 50])];
  it('leaves x as it is outside of training and at rate 0, and nothing at rate 1', () => {
    expect(nn.dropout(0.5, { training: false })(x)).toBe(x);
    expect(nn.dropout(0, { training: true })(x)).toBe(x);
    const none = nn.dropout(1, { training: true });
    expect(none(np.array([Number.POSITIVE_INFINITY]), key).toArray()).toEqual([0]);
    expect(grad((v: Tensor) => np.sum(none(v, key)))(np.ones([2])).toArray()).toEqual([0, 0]);
  });
  it('keeps a share of 1 − rate, times 1/(1 − rate); its derivative is its mask', () => {
    const drop = nn.dropout(0.25, { training: true });
    const ones = np.ones([100, 100]);
    const values = flat(drop(ones, key));
    expect(values.every((v) => v === 0 || Math.abs(v - 4 / 3) < 1e-6)).toBe(true);
    // Five deviations of the share of 10,000 elements.
    expect(Math.abs(values.filter((v) => v !== 0).length / 10_000 - 0.75)).toBeLessThan(5 * Math.sqrt(0.1875 / 10_000));
    expect(flat(jit(drop)(ones, key))).toEqual(values);
    expect(flat(grad((v: Tensor) => np.sum(drop(v, key)))(ones))).toEqual(values);
  });
  it('draws for each of a batch by its key', () => {
    const keys = random.split(key, 8);
    const each = vmap((v: Tensor, k: random.Key) => nn.dropout(0.5, { training: true })(v, k))(x, np.stack([...keys]));
    expect(flat(np.index(each, 3) as Tensor)).toEqual(
      flat(nn.dropout(0.5, { training: true })(np.index(x, 3) as Tensor, keys[3]!)),
    );
  });
  it('says what is missing', () => {
    expect(message(() => nn.dropout(0.5, { training: true })(x))).toMatchInlineSnapshot(`
      "
      DTypeError: nn.dropout: there is no key
        remedy: give one to each call: drop(x, key)
        at test/nn/layers.test.ts:LINE
      "
    `);
    expect(message(() => nn.dropout(1.5, { training: true }))).toMatchInlineSnapshot(`
      "
      DTypeError: nn.dropout: the rate is 1.5
        remedy: give a probability in [0, 1]
        at test/nn/layers.test.ts:LINE
      "
    `);
  });
});

it('an index without a row is NaN, a negative one counts from the end', () => {
  const params = { table: fill([3, 1], 1) };
  const rows = flat(nn.embedding(params)(np.array([-1, 3], { dtype: 'int32' })));
  expect(rows).toEqual([flat(params.table)[2], Number.NaN]);
});

describe('initializers', () => {
  const { initializers } = nn;
  const key = random.key(3);
  const shape = [3, 3, 20, 40];
  const [fanIn, fanOut] = [180, 360];
  const rows = [
    ['lecunNormal', 1 / fanIn],
    ['lecunUniform', 1 / fanIn],
    ['glorotNormal', 2 / (fanIn + fanOut)],
    ['xavierUniform', 2 / (fanIn + fanOut)],
    ['kaimingNormal', 2 / fanIn],
    ['heUniform', 2 / fanIn],
  ] as const;
  it.each(rows)('%s has mean 0 and its variance, within its bounds', (name, variance) => {
    for (const dtype of ['float32', 'float64'] as const) {
      const values = flat(initializers[name](key, shape, { dtype }));
      const n = values.length;
      // Five deviations: of the mean, and of the variance, whose numbers have a kurtosis of less than 3.
      expect(Math.abs(values.reduce((a, b) => a + b, 0) / n)).toBeLessThan(5 * Math.sqrt(variance / n));
      const measured = values.reduce((a, b) => a + b * b, 0) / n;
      expect(Math.abs(measured / variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
      const bound = (name.endsWith('Uniform') ? Math.sqrt(3) : 2 / 0.8796) * Math.sqrt(variance);
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound * (1 + 1e-6));
    }
  });
  it('normal numbers are not cut, truncated ones are', () => {
    const how = { distribution: 'normal', mode: 'fanOut', scale: 2 } as const;
    const values = flat(initializers.varianceScaling(key, [100, 100], how));
    expect(values.reduce((a, b) => a + b * b, 0) / 10_000).toBeCloseTo(0.02, 2);
    expect(Math.max(...values)).toBeGreaterThan(3 * Math.sqrt(0.02));
    const cut = flat(initializers.truncatedNormal(key, [1000], { deviation: 3, bounds: [-1, 0.5] }));
    expect(Math.min(...cut)).toBeGreaterThanOrEqual(-3);
    expect(Math.max(...cut)).toBeLessThanOrEqual(1.5);
  });
  it.each([[[6, 4]], [[4, 6]], [[2, 2, 3, 5]]])('orthogonal kernels of %s', (size) => {
    const w = np.reshape(initializers.orthogonal(key, size, { gain: 2, dtype: 'float64' }), [-1, size.at(-1)!]);
    const [rows, columns] = w.shape as unknown as [number, number];
    const gram = rows < columns ? np.matmul(w, np.transpose(w)) : np.matmul(np.transpose(w), w);
    expectNear(gram, flat(np.mul(np.eye(Math.min(rows, columns), undefined, { dtype: 'float64' }), 4) as Wide), 1e-12);
  });
  it('gains are those of PyTorch', () => {
    const { leakyRelu, ...others } = fixture.gains;
    for (const [name, wanted] of Object.entries(others))
      expect(initializers.gain(name as 'relu')).toBeCloseTo(wanted, 12);
    expect(initializers.gain('leakyRelu', 0.2)).toBeCloseTo(leakyRelu, 12);
  });
  it('say what is none', () => {
    const mode = 'fan' as 'fanIn';
    expect(message(() => initializers.varianceScaling(key, [2, 2], { mode }))).toMatchInlineSnapshot(`
      "
      DTypeError: nn.initializers.varianceScaling: there is no mode "fan"
        remedy: use 'fanIn', 'fanOut' or 'fanAvg'
        at test/nn/layers.test.ts:LINE
      "
    `);
    expect(message(() => initializers.orthogonal(key, [2]))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.initializers.orthogonal: [2] is not the shape of a matrix
        remedy: give [in, out] or [...window, in, out]
        at test/nn/layers.test.ts:LINE
      "
    `);
  });
});
