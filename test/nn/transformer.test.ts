/** Transformer layers and their stacks: PyTorch's values and gradients, and the forms of a stack beside each other. */

import {
  grad,
  jit,
  makeJaxpr,
  nn,
  np,
  optimize,
  peakLiveBytes,
  random,
  type Tensor,
  tree,
  valueAndGrad,
  vmap,
} from 'pullback';
import { checkGrads } from 'pullback/laws';
import { describe, expect, it, test } from 'vitest';
import { message } from '../errors/message.ts';
import fixture from '../fixtures/sequence/transformer.json' with { type: 'json' };
import { type Described, expectNear, expectOnWasm, fill, flat, onReference, type Wide } from './sequence-fixtures.ts';

onReference();

import { decoderLayer, encoderLayer, norm, type Raw } from './torch-transformer.ts';

const normal = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);
const close = (a: Tensor<'float32' | 'float64'>, b: Tensor<'float32' | 'float64'>, tolerance = 1e-5): void => {
  expect(a.shape).toEqual(b.shape);
  expectNear(a, flat(b), tolerance);
};
const lengths = (...values: number[]): Tensor<'int32'> => np.array(values, { dtype: 'int32' });

type Run = (raw: Raw, x: Wide, memory: Wide) => Wide;
const cases: Readonly<Record<Exclude<keyof typeof fixture, 'source'>, Run>> = {
  encoderPost: (raw, x) =>
    nn.transformerEncoderLayer(encoderLayer(raw, '', 2))(x, { mask: nn.paddingMask(lengths(3, 2), 3) }),
  encoderPre: (raw, x) => nn.transformerEncoderLayer(encoderLayer(raw, '', 2), { norm: 'pre', activation: 'gelu' })(x),
  decoderPost: (raw, x, memory) =>
    nn.transformerDecoderLayer(decoderLayer(raw, '', 2))(x, { memory, memoryMask: nn.paddingMask(lengths(2, 4), 4) }),
  decoderPre: (raw, x, memory) =>
    nn.transformerDecoderLayer(decoderLayer(raw, '', 2), { norm: 'pre', activation: 'gelu' })(x, { memory }),
  stack: (raw, x) => {
    const layers = [0, 1].map((i) => encoderLayer(raw, `layers.${i}.`, 2));
    const options = { norm: 'pre', isCausal: true } as const;
    const plain = nn.transformerEncoder({ layers, norm: norm(raw, 'norm') }, options)(x);
    const looped = nn.transformerEncoder({ layers: nn.stackLayers(layers), norm: norm(raw, 'norm') }, options)(x);
    const again = nn.transformerEncoder({ layers, norm: norm(raw, 'norm') }, { ...options, checkpoint: true })(x);
    return np.div(np.add(np.add(plain, looped), again), 3) as Wide;
  },
};

describe('PyTorch’s layers', () => {
  test.each(Object.keys(cases) as (keyof typeof cases)[])('%s: values and gradients', (name) => {
    const c = fixture[name];
    const run = cases[name];
    const torch = c.params as unknown as Readonly<Record<string, Described>>;
    const raw: Raw = Object.fromEntries(Object.entries(torch).map(([n, p]) => [n, fill(p.shape, p.seed)]));
    const [x, memory] = [fill([2, 3, 4], 100), fill([2, 4, 4], 101)];
    expectNear(run(raw, x, memory), c.y, 1e-8);
    const loss: Run = (...args) => np.sum(np.mul(run(...args), fill([2, 3, 4], 300)));
    const [p, gx, gm] = jit(grad(loss, { argnums: [0, 1, 2] }))(raw, x, memory) as unknown as [Raw, Wide, Wide];
    for (const [n, { grad: wanted }] of Object.entries(torch)) expectNear(p[n]!, wanted, 1e-7, n);
    expectNear(gx, c.gradX, 1e-7);
    if (c.gradMemory.length > 0) expectNear(gm, c.gradMemory, 1e-7);
  });
});

describe('stacks', () => {
  const config = { size: 8, heads: 4, keyHeads: 2, layers: 3, norm: true, feedForwardSize: 12 };
  const params = nn.transformerEncoder.init(random.key(0), config);
  const stacked = nn.transformerEncoder.init(random.key(0), { ...config, stacked: true });
  const x = normal(1, 2, 5, 8);

  it('a loop over stacked layers, and layers computed again, are the stack: values and gradients', () => {
    const energy =
      (options: nn.TransformerStackOptions) =>
      (p: typeof params): Tensor =>
        np.sum(
          np.square(nn.transformerEncoder(p, { norm: 'pre', rotary: true, ...options })(x, { key: random.key(5) })),
        );
    for (const dropout of [0, 0.25]) {
      const [value, g] = valueAndGrad(energy({ dropout }))(params);
      const [again, h] = valueAndGrad(energy({ dropout, checkpoint: true }))(params);
      const [looped, k] = valueAndGrad(energy({ dropout }))(stacked);
      const [both, l] = valueAndGrad(energy({ dropout, checkpoint: true }))(stacked);
      const ws = (t: typeof params): Tensor =>
        np.stack((t.layers as nn.EncoderLayerParams[]).map((q) => q.attention.query.w));
      for (const v of [again, looped, both]) close(v, value, 1e-5);
      close(ws(h), ws(g), 1e-4);
      for (const t of [k, l]) close((t.layers as nn.EncoderLayerParams).attention.query.w, ws(g), 1e-4);
    }
  });

  it('the program of stacked layers does not grow', () => {
    const lines = (layers: number): number => {
      const p = nn.transformerEncoder.init(random.key(0), { ...config, layers, stacked: true });
      return `${makeJaxpr((v: Tensor) => nn.transformerEncoder(p)(v))(x)}`.split('\n').length;
    };
    expect(lines(7)).toBe(lines(2));
  });

  it('layers computed again need less memory', () => {
    const deep = nn.transformerEncoder.init(random.key(0), { ...config, layers: 8 });
    const long = normal(1, 2, 32, 8);
    const peak = (checkpoint: boolean): number => {
      const energy = (p: typeof deep): Tensor => np.sum(nn.transformerEncoder(p, { checkpoint })(long));
      return peakLiveBytes(optimize(makeJaxpr(grad(energy))(deep).jaxpr));
    };
    expect(peak(true)).toBeLessThan(peak(false) / 3);
  });

  it('a position behind a mask changes nothing before it', () => {
    const run = nn.transformerEncoder(params, { isCausal: true });
    const other = np.concatenate([np.index(x, [], [0, 4]) as Tensor, normal(9, 2, 1, 8)], 1);
    close(np.index(run(other), [], [0, 4]) as Tensor, np.index(run(x), [], [0, 4]) as Tensor, 1e-6);
    expect(flat(np.index(run(other), [], 4))).not.toEqual(flat(np.index(run(x), [], 4)));
    // A padded sequence is the shorter one.
    const encoder = nn.transformerEncoder(params);
    const padded = encoder(x, { mask: nn.paddingMask(lengths(3, 5), 5) });
    close(np.index(padded, [0, 1], [0, 3]) as Tensor, encoder(np.index(x, [0, 1], [0, 3]) as Tensor));
  });

  it('without an order: a permutation of positions permutes the result', () => {
    const order = np.array([3, 0, 4, 1, 2], { dtype: 'int32' });
    const encoder = nn.transformerEncoder(params);
    close(encoder(np.take(x, order, 1)), np.take(encoder(x), order, 1));
  });

  it('under vmap, by differences, and on WebAssembly', () => {
    const xs = normal(2, 3, 2, 5, 8);
    const each = vmap((v: Tensor) => nn.transformerEncoder(stacked)(v))(xs);
    close(np.index(each, 1) as Tensor, nn.transformerEncoder(params)(np.index(xs, 1) as Tensor));
    const small = { size: 4, heads: 2, layers: 2, stacked: true, feedForwardSize: 4 };
    const p = nn.transformerDecoder.init(random.key(3), small);
    checkGrads(
      (q: typeof p, v: Tensor, memory: Tensor) =>
        np.sum(np.sin(nn.transformerDecoder(q, { activation: 'silu' })(v, { memory }))),
      [p, normal(4, 1, 2, 4), normal(5, 1, 3, 4)],
      { directions: 1, modes: ['rev'] },
    );
    expectOnWasm(() => {
      const q = nn.transformerDecoder.init(random.key(3), small);
      const f = (r: typeof q, v: Tensor) =>
        np.sum(np.square(nn.transformerDecoder(r, { norm: 'pre' })(v, { memory: v })));
      const [value, g] = jit(valueAndGrad(f))(q, normal(4, 1, 2, 4));
      return [value, ...tree.leaves(g)] as Tensor[];
    });
  });

  it('says what does not fit', () => {
    const wrong: readonly (() => unknown)[] = [
      () => nn.transformerEncoder.init(random.key(0), { size: 512, heads: 6, layers: 6 }),
      () => nn.transformerEncoder.init(random.key(0), { size: 8, heads: 2, layers: 0 }),
      () => nn.transformerEncoder.init(random.key(0), { ...config, depth: 2 } as never),
      () => nn.transformerEncoder(params)(np.zeros([2, 5, 7])),
      () => nn.transformerEncoder(params, { norm: 'before' as 'pre' }),
      () => nn.transformerEncoder(params, { activation: 'swish' as 'silu' }),
      () => nn.transformerEncoder({ layers: [] }),
      () => nn.transformerEncoderLayer({} as nn.EncoderLayerParams),
      () => nn.transformerDecoder(params as never),
      () => nn.stackLayers([]),
    ];
    expect(wrong.map(message).join('')).toMatchInlineSnapshot(`
      "
      ShapeError: nn.multiHeadAttention.init: 512 features do not divide into 6 heads
        remedy: use a multiple, or give { headSize }
        at test/nn/transformer.test.ts:LINE

      ShapeError: nn.transformerEncoder.init: layers is 0
        remedy: give a positive integer
        at test/nn/transformer.test.ts:LINE

      DTypeError: nn.transformerEncoder.init: there is no option 'depth'
        remedy: the options are { size, heads, layers, norm, stacked, feedForwardSize, keyHeads }
        at test/nn/transformer.test.ts:LINE

      ShapeError: nn.transformerEncoder: input float32[2,5,7] is not [batch, time, 8]
        remedy: reshape it
        at test/nn/transformer.test.ts:LINE

      DTypeError: nn.transformerEncoder: there is no norm "before"
        remedy: use 'post' or 'pre'
        at test/nn/transformer.test.ts:LINE

      DTypeError: nn.transformerEncoder: there is no activation "swish"
        remedy: use 'relu' or 'gelu' or 'geluTanh' or 'silu'
        at test/nn/transformer.test.ts:LINE

      TreeError: nn.transformerEncoder: params.layers is empty, not layers
        remedy: make parameters with nn.transformerEncoder.init(key, { size, heads, layers })
        at test/nn/transformer.test.ts:LINE

      TreeError: nn.transformerEncoderLayer: params.attentionNorm.scale is undefined, not a tensor
        remedy: make parameters with nn.transformerEncoderLayer.init
        at test/nn/transformer.test.ts:LINE

      TreeError: nn.transformerDecoder: params.crossNorm.scale is undefined, not a tensor
        remedy: make parameters with nn.transformerDecoder.init
        at test/nn/transformer.test.ts:LINE

      TreeError: nn.stackLayers: there are no layers
        remedy: give one at least
        at test/nn/transformer.test.ts:LINE
      "
    `);
  });
});
