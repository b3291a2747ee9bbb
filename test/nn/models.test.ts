/** GPT, the vision transformer and the transformer: PyTorch's values and gradients; what is generated beside the whole. */

import { grad, jit, nn, np, random, type Tensor, tree, valueAndGrad, vmap } from 'pullback';
import { describe, expect, it, test } from 'vitest';
import { message } from '../errors/message.ts';
import fixture from '../fixtures/sequence/models.json' with { type: 'json' };
import { type Described, expectNear, expectOnWasm, fill, flat, onReference, type Wide } from './sequence-fixtures.ts';

onReference();

import { decoderLayer, encoderLayer, norm, type Raw } from './torch-transformer.ts';

const ids = (rows: readonly (readonly number[])[]): Tensor<'int32'> =>
  np.array(rows as number[][], { dtype: 'int32' }) as Tensor<'int32'>;
const close = (a: Tensor<'float32' | 'float64'>, b: Tensor<'float32' | 'float64'>, tolerance = 1e-5): void => {
  expect(a.shape).toEqual(b.shape);
  expectNear(a, flat(b), tolerance);
};

/** Values and gradients of a model, whose loss is of the raw parameters. */
function expectTorch(
  c: { readonly params: unknown; readonly y: readonly number[]; readonly loss: number },
  model: (raw: Raw) => Wide,
  loss: (y: Wide) => Wide,
): void {
  const torch = c.params as Readonly<Record<string, Described>>;
  const raw: Raw = Object.fromEntries(Object.entries(torch).map(([n, p]) => [n, fill(p.shape, p.seed)]));
  expectNear(model(raw), c.y, 1e-8);
  const [value, g] = jit(valueAndGrad((from: Raw) => loss(model(from))))(raw) as unknown as [Wide, Raw];
  expectNear(value, [c.loss], 1e-8);
  for (const [n, { grad: wanted }] of Object.entries(torch)) if (wanted.length > 0) expectNear(g[n]!, wanted, 1e-7, n);
}

describe('PyTorch’s', () => {
  it('GPT', () => {
    const config = { vocabulary: 5, length: 4, size: 4, heads: 2, layers: 2 } as const;
    const params = (raw: Raw): nn.GptParams<'float64'> => ({
      symbols: raw['symbols.weight']!,
      positions: { table: raw['positions.weight']! },
      blocks: {
        layers: [0, 1].map((i) => encoderLayer(raw, `blocks.layers.${i}.`, 2)),
        norm: norm(raw, 'blocks.norm'),
      },
    });
    expectTorch(
      fixture.gpt,
      (raw) =>
        nn.gpt(
          params(raw),
          config,
        )(
          ids([
            [1, 4, 2],
            [0, 3, 3],
          ]),
        ),
      (y) =>
        nn.crossEntropy(
          y,
          ids([
            [4, 2, 0],
            [3, 3, 1],
          ]),
        ) as Wide,
    );
  });

  it('vision transformer; its patches are a convolution', () => {
    const config = { image: [4, 4], channels: 2, patch: 2, size: 4, heads: 2, layers: 1, classes: 3 } as const;
    // [out, in, height, width] → [height·width·in, out].
    const kernel = (raw: Raw): Wide => np.reshape(np.transpose(raw['patches.weight']!, [2, 3, 1, 0]), [8, 4]) as Wide;
    const params = (raw: Raw): nn.VitParams<'float64'> => ({
      patches: { w: kernel(raw), b: raw['patches.bias']! },
      classToken: raw['token']!,
      positions: { table: raw['positions']! },
      blocks: { layers: [encoderLayer(raw, 'blocks.layers.0.', 2)], norm: norm(raw, 'blocks.norm') },
      head: { w: np.transpose(raw['head.weight']!), b: raw['head.bias']! },
    });
    expectTorch(
      fixture.vit,
      (raw) => nn.vit(params(raw), config)(fill([2, 4, 4, 2], 100)),
      (y) => np.sum(np.mul(y, fill(y.shape, 300))),
    );
    const [x, w] = [fill([2, 4, 6, 2], 1), fill([8, 4], 2)];
    const conv = nn.functional.conv(x, np.reshape(w, [2, 2, 2, 4]) as Wide, { strides: [2, 2], padding: 'VALID' });
    close(np.matmul(nn.patchesOf(x, 2), w), np.reshape(conv, [2, 6, 4]), 1e-12);
  });

  it('transformer', () => {
    const params = (raw: Raw): nn.TransformerParams<'float64'> => ({
      source: raw['source.weight']!,
      target: raw['target.weight']!,
      encoder: { layers: [encoderLayer(raw, 'body.encoder.layers.0.', 2)], norm: norm(raw, 'body.encoder.norm') },
      decoder: { layers: [decoderLayer(raw, 'body.decoder.layers.0.', 2)], norm: norm(raw, 'body.decoder.norm') },
    });
    const lengths = np.array([3, 1], { dtype: 'int32' });
    const [source, target] = [
      ids([
        [1, 2, 3, 0],
        [4, 0, 0, 0],
      ]),
      ids([
        [0, 5, 2],
        [0, 1, 4],
      ]),
    ];
    expectTorch(
      fixture.translator,
      (raw) => nn.transformer(params(raw))({ source, target, lengths }),
      (y) =>
        nn.crossEntropy(
          y,
          ids([
            [5, 2, 0],
            [1, 4, 0],
          ]),
        ) as Wide,
    );
  });
});

const sizes = { vocabulary: 7, length: 12, size: 8, heads: 4, layers: 2 } as const;
const variants: readonly (readonly [string, nn.GptConfig])[] = [
  ['as GPT-2', sizes],
  [
    'rotary, grouped queries, a head of its own, stacked',
    { ...sizes, positions: 'rotary', keyHeads: 2, tied: false, stacked: true },
  ],
  ['sines, norms behind', { ...sizes, positions: 'sinusoidal', norm: 'post', activation: 'relu' }],
];

describe.each(variants)('GPT %s', (_, config) => {
  // Weights large enough that symbols differ.
  const params = tree.map((w: Tensor) => np.mul(w, 3), nn.gpt.init(random.key(0), config)) as nn.GptParams;
  const text = ids([
    [1, 2, 3, 4, 5],
    [6, 5, 0, 1, 2],
  ]);

  it('read in pieces it has the logits of the whole', () => {
    const whole = nn.gpt(params, config)(text);
    const decode = jit((p: nn.GptParams, x: Tensor<'int32'>, c: nn.GptCache) => nn.gpt.decode(p, config)(x, c));
    let cache = nn.gpt.cache(params, 2, 8);
    const parts: Tensor[] = [];
    for (const [from, to] of [
      [0, 3],
      [3, 4],
      [4, 5],
    ] as const) {
      const [logits, next] = decode(params, np.index(text, [], [from, to]) as Tensor<'int32'>, cache);
      parts.push(logits);
      cache = next;
    }
    close(np.concatenate(parts, 1), whole, 1e-4);
    expect(cache.index.item()).toBe(5);
  });

  it('generates the likeliest symbols of the whole, read again and again', () => {
    const steps = 5;
    const written = nn.gpt.generate(params, config)(text, { steps, temperature: 0 });
    let slow = text;
    for (let i = 0; i < steps; i++) {
      const logits = np.index(nn.gpt(params, config)(slow), [], -1) as Tensor;
      slow = np.concatenate([slow, np.expandDims(np.argmax(logits, -1), 1)], 1) as Tensor<'int32'>;
    }
    expect(written.toArray()).toEqual(slow.toArray());
    const program = jit((p: nn.GptParams, x: Tensor<'int32'>) =>
      nn.gpt.generate(p, config)(x, { steps, temperature: 0 }),
    );
    expect(program(params, text).toArray()).toEqual(slow.toArray());
    expect(nn.gpt.generate(params, config)(text, { steps: 1, temperature: 0 }).toArray()).toEqual(
      np.index(slow, [], [0, 6]).toArray(),
    );
    expect(nn.gpt.generate(params, config)(text, { steps: 0, temperature: 0 })).toBe(text);
  });

  it('draws by a key, the same each time; behind the symbol for the end there is nothing else', () => {
    const run = (seed: number, more: object = {}): number[][] =>
      nn.gpt
        .generate(params, config)(text, { steps: 4, key: random.key(seed), ...more })
        .toArray() as number[][];
    expect(run(1)).toEqual(run(1));
    expect(run(2, { temperature: 50 })).not.toEqual(run(1, { temperature: 50 }));
    expect(run(1, { topK: 1 })).toEqual(run(1, { temperature: 0 }));
    const free = run(1);
    const stop = free[0]![6]!;
    const stopped = run(1, { stop });
    const end = free[0]!.indexOf(stop, 5);
    expect(stopped[0]!.slice(0, end + 1)).toEqual(free[0]!.slice(0, end + 1));
    expect(stopped[0]!.slice(end).every((s) => s === stop)).toBe(true);
  });

  it('learns: gradients reach every parameter', () => {
    const loss = (p: nn.GptParams): Tensor => nn.crossEntropy(nn.gpt(p, config)(text), np.roll(text, -1, 1));
    const g = jit(grad(loss))(params);
    for (const [path, x] of tree.leavesWithPaths(g)) {
      // Biases of keys are added to all products of a query alike.
      const nothing = path.endsWith('key.b') && config.positions !== 'rotary';
      if (!nothing)
        expect(
          flat(x as Tensor).some((v) => Math.abs(v) > 1e-7),
          path,
        ).toBe(true);
      expect(flat(x as Tensor).every(Number.isFinite), path).toBe(true);
    }
  });
});

describe('what goes for all of them', () => {
  const params = nn.gpt.init(random.key(0), sizes);
  const text = ids([[1, 2, 3, 4, 5]]);

  it('dropout by a key, layers computed again, vmap, WebAssembly', () => {
    const [dropping, again] = [
      { ...sizes, dropout: 0.5 },
      { ...sizes, dropout: 0.5, checkpoint: true },
    ];
    const plain = nn.gpt(params, sizes)(text);
    close(nn.gpt(params, dropping)(text), plain, 0);
    const some = nn.gpt(params, dropping)(text, { key: random.key(1) });
    expect(flat(some)).not.toEqual(flat(plain));
    close(nn.gpt(params, again)(text, { key: random.key(1) }), some, 1e-6);
    const many = ids([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const each = vmap((x: Tensor<'int32'>) => nn.gpt(params, sizes)(np.expandDims(x, 0)))(many);
    close(np.squeeze(each, 1), nn.gpt(params, sizes)(many), 1e-5);
    expectOnWasm(() => {
      const small = { ...sizes, layers: 1 };
      const p = nn.gpt.init(random.key(0), small);
      const x = ids([[1, 2, 3, 4, 5]]);
      const [value, g] = jit(valueAndGrad((q: typeof p) => nn.crossEntropy(nn.gpt(q, small)(x), np.roll(x, -1, 1))))(p);
      const written = jit((q: typeof p) => nn.gpt.generate(q, small)(x, { steps: 3, key: random.key(2), topK: 3 }))(p);
      return [value, ...tree.leaves(g), np.astype(written, 'float32')] as Tensor[];
    });
  });

  it('configured layers are the layers with their parameters', () => {
    const key = random.key(5);
    const x = random.normal(random.key(6), [2, 5, 8]);
    const heads = { keyHeads: 1, isCausal: true, rotary: true } as const;
    const attention = nn.multiHeadAttention.layer(8, 2, heads);
    const p = nn.multiHeadAttention.init(key, 8, 2, { keyHeads: 1 });
    close(attention.apply(attention.init(key))(x), nn.multiHeadAttention(p, { isCausal: true, rotary: true })(x), 0);
    const one = nn.transformerEncoderLayer.layer(8, 2, { feedForwardSize: 6, norm: 'pre' });
    const q = nn.transformerEncoderLayer.init(key, 8, 2, { feedForwardSize: 6 });
    close(one.apply(one.init(key))(x), nn.transformerEncoderLayer(q, { norm: 'pre' })(x), 0);
    const stack = nn.transformerEncoder.layer({ size: 8, heads: 2, layers: 2 }, { activation: 'silu' });
    close(stack.apply(stack.init(key))(x), nn.transformerEncoder(stack.init(key), { activation: 'silu' })(x), 0);
    const positions = nn.learnedPositions.layer(6, 8, { append: true });
    expect(positions.apply(positions.init(key))(x).shape).toEqual([2, 5, 16]);
    const composed = nn.serial(nn.learnedPositions.layer(6, 8), stack, nn.dense.layer(8, 3));
    const parts = composed.init(key);
    const byHand = nn.dense(parts[2])(stack.apply(parts[1])(nn.learnedPositions(parts[0])(x)));
    close(composed.apply(parts)(x), byHand, 0);
    const model = nn.gpt.layer(sizes);
    close(model.apply(model.init(key))(text), nn.gpt(nn.gpt.init(key, sizes), sizes)(text), 0);
    const config = { image: [4, 4], patch: 2, size: 8, heads: 2, layers: 1, classes: 3 } as const;
    const seeing = nn.vit.layer(config);
    expect(seeing.apply(seeing.init(key))(np.ones([1, 4, 4, 3])).shape).toEqual([1, 3]);
  });

  it('the transformer writes what its scores say, with norms behind and before, in a loop or not', () => {
    for (const more of [{}, { norm: 'pre', stacked: true, tied: false, keyHeads: 1 }] as const) {
      const config = { sourceVocabulary: 7, targetVocabulary: 6, size: 8, heads: 2, layers: 2, ...more };
      const p = tree.map(
        (w: Tensor) => np.mul(w, 2),
        nn.transformer.init(random.key(3), config),
      ) as nn.TransformerParams;
      const source = ids([
        [1, 2, 3, 4],
        [6, 5, 0, 0],
      ]);
      const lengths = np.array([4, 2], { dtype: 'int32' });
      const [start, steps] = [0, 5];
      const run = jit((q: nn.TransformerParams) => nn.transformer.greedy(q, config)(source, { start, steps, lengths }));
      let target = ids([[start], [start]]);
      for (let i = 0; i < steps; i++) {
        const logits = nn.transformer(p, config)({ source, target, lengths });
        const next = np.argmax(np.index(logits, [], -1), -1);
        target = np.concatenate([target, np.expandDims(next, 1)], 1) as Tensor<'int32'>;
      }
      expect(run(p).toArray()).toEqual(np.index(target, [], [1, null]).toArray());
      const stop = (run(p).toArray() as number[][])[0]![1]!;
      const stopped = nn.transformer.greedy(p, config)(source, { start, steps, lengths, stop }).toArray() as number[][];
      const end = stopped[0]!.indexOf(stop);
      expect(end).toBeGreaterThanOrEqual(0);
      expect(stopped[0]!.slice(end).every((s) => s === stop)).toBe(true);
      expect(nn.transformer.greedy(p, config)(source, { start, steps: 0 }).shape).toEqual([2, 0]);
      const dropping = { ...config, dropout: 0.5 };
      const batch = { source, target, lengths };
      close(nn.transformer(p, dropping)(batch), nn.transformer(p, config)(batch), 0);
      const key = random.key(1);
      expect(flat(nn.transformer(p, dropping)({ ...batch, key }))).not.toEqual(flat(nn.transformer(p, config)(batch)));
    }
  });

  test('sampling: temperature, the k likeliest, the fewest of a probability', () => {
    const logits = np.log(np.array([0.5, 0.25, 0.15, 0.1]));
    const draws = (options: nn.SampleOptions): number[] => {
      const many = np.broadcastTo(logits, [4000, 4]);
      const counts = np.bincount(nn.sampleSymbols(random.key(0), many, options), { length: 4 });
      return Array.from(counts.dataSync(), (n) => n / 4000);
    };
    const expectShares = (options: nn.SampleOptions, wanted: readonly number[]): void => {
      draws(options).forEach((share, i) => {
        if (wanted[i] === 0) expect(share).toBe(0);
        else expect(Math.abs(share - wanted[i]!)).toBeLessThan(0.03);
      });
    };
    expectShares({}, [0.5, 0.25, 0.15, 0.1]);
    expectShares({ topK: 2 }, [2 / 3, 1 / 3, 0, 0]);
    expectShares({ topP: 0.6 }, [2 / 3, 1 / 3, 0, 0]);
    expectShares({ topP: 0.4 }, [1, 0, 0, 0]);
    expectShares({ topK: 3, topP: 0.99 }, [0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0]);
    const squares = [0.25, 0.0625, 0.0225, 0.01].map((p) => p / 0.345);
    expectShares({ temperature: 0.5 }, squares);
    expectShares({ temperature: 0 }, [1, 0, 0, 0]);
  });

  it('says what does not fit', () => {
    const vit = { image: [8, 8], patch: 4, size: 8, heads: 2, layers: 1, classes: 3 } as const;
    const wrong: readonly (() => unknown)[] = [
      () => nn.gpt.init(random.key(0), { ...sizes, heads: 3 }),
      () => nn.gpt.init(random.key(0), { vocabulary: 5, size: 8, heads: 2, layers: 1 }),
      () => nn.gpt(params, { ...sizes, positions: 'rotary' }),
      () => nn.gpt(params, { ...sizes, positions: 'alibi' as 'rotary' }),
      () => nn.gpt(params, sizes)(np.zeros([1, 3]) as unknown as Tensor<'int32'>),
      () => nn.gpt(params, sizes)(np.zeros([3], { dtype: 'int32' })),
      () => nn.gpt(params, sizes)(np.zeros([1, 13], { dtype: 'int32' })),
      () => nn.gpt.generate(params, sizes)(text, { steps: 9, temperature: 0 }),
      () => nn.gpt.generate(params, sizes)(text, { steps: 3 }),
      () => nn.gpt.generate(params, sizes)(text, { steps: 3, key: random.key(0), topK: 0 }),
      () => nn.sampleSymbols(random.key(0), np.zeros([3]), { topP: 2 }),
      () => nn.vit.init(random.key(0), { ...vit, patch: 3 }),
      () => nn.vit(nn.vit.init(random.key(0), vit), vit)(np.zeros([1, 8, 10, 3])),
      () => nn.vit(nn.vit.init(random.key(0), vit), vit)(np.zeros([1, 8, 12, 3])),
      () => nn.transformer(params as never),
    ];
    expect(wrong.map(message).join('')).toMatchInlineSnapshot(`
      "
      ShapeError: nn.multiHeadAttention.init: 8 features do not divide into 3 heads
        remedy: use a multiple, or give { headSize }
        at test/nn/models.test.ts:LINE

      ShapeError: nn.gpt.init: length is undefined
        remedy: give a positive integer
        at test/nn/models.test.ts:LINE

      TreeError: nn.gpt: positions are rotary, params.positions is { table }
        remedy: make parameters with nn.gpt.init(key, config), with the same config
        at test/nn/models.test.ts:LINE

      DTypeError: nn.gpt: there are no positions "alibi"
        remedy: use 'learned', 'sinusoidal' or 'rotary'
        at test/nn/models.test.ts:LINE

      DTypeError: nn.gpt: symbols are the tensor float32[1,3]
        remedy: give integers [batch, time]
        at test/nn/models.test.ts:LINE

      ShapeError: nn.gpt: symbols are int32[3]
        remedy: give [batch, time]; np.expandDims(ids, 0) is a batch of one
        at test/nn/models.test.ts:LINE

      ShapeError: nn.learnedPositions: float32[1,13,8] has positions up to 13, the table float32[12,8] ends before
        remedy: make a longer table, or cut the sequence
        at test/nn/models.test.ts:LINE

      ShapeError: nn.gpt.generate: 5 symbols and 9 more need 13 positions, there are 12
        remedy: generate fewer, or shorten the prompt
        at test/nn/models.test.ts:LINE

      DTypeError: nn.gpt.generate: the key is undefined
        remedy: give a key, or { temperature: 0 } for the likeliest symbols
        at test/nn/models.test.ts:LINE

      DTypeError: nn.gpt.generate: topK is 0
        remedy: give a positive integer
        at test/nn/models.test.ts:LINE

      DTypeError: nn.sampleSymbols: topP is 2
        remedy: give a number in (0, 1]
        at test/nn/models.test.ts:LINE

      ShapeError: nn.vit.init: images of 8×8 do not divide into patches of 3
        remedy: let the edge of a patch divide height and width
        at test/nn/models.test.ts:LINE

      ShapeError: nn.patchesOf: float32[1,8,10,3] does not divide into patches of 4
        remedy: give [batch, height, width, channels] and an edge that divides height and width
        at test/nn/models.test.ts:LINE

      ShapeError: nn.vit: float32[1,8,12,3] has 6 patches, there are positions for 4
        remedy: give images of the size of the config
        at test/nn/models.test.ts:LINE

      TreeError: nn.transformer: params.source is undefined
        remedy: make parameters with nn.transformer.init(key, config)
        at test/nn/models.test.ts:LINE
      "
    `);
  });
});
