/** Encoder and decoder of recurrent cells: a loop of PyTorch's cells, values and gradients; what is written beside its scores. */

import { jit, nn, np, random, type Tensor, tree, valueAndGrad } from 'pullback';
import { describe, expect, it, test } from 'vitest';
import { message } from '../errors/message.ts';

onReference();

import fixture from '../fixtures/sequence/models.json' with { type: 'json' };
import { type Described, expectNear, expectOnWasm, fill, flat, onReference, type Wide } from './sequence-fixtures.ts';

type Raw = Readonly<Record<string, Wide>>;

const ids = (rows: readonly (readonly number[])[]): Tensor<'int32'> =>
  np.array(rows as number[][], { dtype: 'int32' }) as Tensor<'int32'>;
const batch = {
  source: ids([
    [1, 2, 3, 0],
    [4, 0, 0, 0],
  ]),
  target: ids([
    [0, 5, 2],
    [0, 1, 4],
  ]),
  lengths: np.array([3, 1], { dtype: 'int32' }),
};

/** PyTorch's GRU cell as ours. */
function gruCell(raw: Raw, prefix: string, suffix: string): nn.GruParams<'float64'> {
  const [ih, hh] = [raw[`${prefix}bias_ih${suffix}`]!, raw[`${prefix}bias_hh${suffix}`]!];
  const hidden = ih.shape[0]! / 3;
  const inside = np.astype(np.less(np.arange(3 * hidden), 2 * hidden), 'float64');
  return {
    wx: np.transpose(raw[`${prefix}weight_ih${suffix}`]!),
    wh: np.transpose(raw[`${prefix}weight_hh${suffix}`]!),
    b: np.add(ih, np.mul(hh, inside)),
    bn: np.index(hh, [2 * hidden, null]) as Wide,
  };
}

const dense = (raw: Raw, name: string) => ({ w: np.transpose(raw[`${name}.weight`]!), b: raw[`${name}.bias`]! });

const params = (raw: Raw): nn.Seq2SeqParams<'float64'> => ({
  source: raw['source.weight']!,
  target: raw['target.weight']!,
  encoder: [{ forward: gruCell(raw, 'encoder.', '_l0'), backward: gruCell(raw, 'encoder.', '_l0_reverse') }],
  bridge: dense(raw, 'bridge'),
  decoder: gruCell(raw, 'decoder.', ''),
  out: dense(raw, 'out'),
  ...(raw['wq'] ? { attention: { wq: raw['wq'], wk: raw['wk']!, v: raw['v']! } } : {}),
});

test.each(['attentive', 'plain'] as const)('%s, as a loop of PyTorch’s cells', (name) => {
  const c = fixture[name];
  const torch = c.params as unknown as Readonly<Record<string, Described>>;
  const raw: Raw = Object.fromEntries(Object.entries(torch).map(([n, p]) => [n, fill(p.shape, p.seed)]));
  expectNear(nn.seq2seq(params(raw))(batch), c.y, 1e-8);
  if (name === 'attentive') expectNear(nn.seq2seq.weights(params(raw))(batch), c.weights, 1e-8);
  const loss = (from: Raw): Wide =>
    nn.crossEntropy(nn.seq2seq(params(from))(batch), np.roll(batch.target, -1, 1)) as Wide;
  const [value, g] = jit(valueAndGrad(loss))(raw) as unknown as [Wide, Raw];
  expectNear(value, [c.loss], 1e-8);
  for (const [n, { grad: wanted }] of Object.entries(torch)) if (wanted.length > 0) expectNear(g[n]!, wanted, 1e-7, n);
});

describe.each([
  { cell: 'gru', attention: true },
  { cell: 'lstm', attention: true, bidirectional: true, layers: 2 },
  { cell: 'rnn', attention: false },
] as const)('$cell, attention $attention', (options) => {
  const config = { sourceVocabulary: 5, targetVocabulary: 6, embeddingSize: 3, hiddenSize: 4, ...options };
  const p = tree.map((w: Tensor) => np.mul(w, 2), nn.seq2seq.init(random.key(1), config)) as nn.Seq2SeqParams;

  it('writes what its scores say', () => {
    const { source, lengths } = batch;
    const [start, steps] = [0, 5];
    const written = jit((q: nn.Seq2SeqParams) => nn.seq2seq.greedy(q, config)(source, { start, steps, lengths }))(p);
    let target = ids([[start], [start]]);
    for (let i = 0; i < steps; i++) {
      const logits = nn.seq2seq(p, config)({ source, target, lengths });
      const next = np.argmax(np.index(logits, [], -1), -1);
      target = np.concatenate([target, np.expandDims(next, 1)], 1) as Tensor<'int32'>;
    }
    expect(written.toArray()).toEqual(np.index(target, [], [1, null]).toArray());
    const stop = (written.toArray() as number[][])[0]![1]!;
    const stopped = nn.seq2seq.greedy(p, config)(source, { start, steps, lengths, stop }).toArray() as number[][];
    expect(stopped[0]!.slice(stopped[0]!.indexOf(stop)).every((s) => s === stop)).toBe(true);
  });

  it('what is behind the end of a source changes nothing', () => {
    const other = ids([
      [1, 2, 3, 4],
      [4, 3, 2, 1],
    ]);
    expect(flat(nn.seq2seq(p, config)({ ...batch, source: other }))).toEqual(flat(nn.seq2seq(p, config)(batch)));
  });

  it('the same on WebAssembly', () => {
    expectOnWasm(() => {
      const q = nn.seq2seq.init(random.key(1), config);
      const own = { source: ids([[1, 2, 3, 0]]), target: ids([[0, 5, 2]]) };
      const f = (r: typeof q): Tensor => nn.crossEntropy(nn.seq2seq(r, config)(own), np.roll(own.target, -1, 1));
      const [value, g] = jit(valueAndGrad(f))(q);
      return [value, ...tree.leaves(g)] as Tensor[];
    });
  });
});

it('says what does not fit', () => {
  const config = { sourceVocabulary: 5, targetVocabulary: 6, embeddingSize: 3, hiddenSize: 4 };
  const plain = nn.seq2seq.init(random.key(0), { ...config, attention: false });
  const wrong: readonly (() => unknown)[] = [
    () => nn.seq2seq.init(random.key(0), { ...config, cell: 'sru' as 'gru' }),
    () => nn.seq2seq.weights(plain),
    () => nn.seq2seq({} as nn.Seq2SeqParams),
    () => nn.seq2seq(plain, { cell: 'lstm' }),
    () => nn.seq2seq(plain)({ source: np.zeros([2, 3]) as never, target: batch.target }),
    () => nn.seq2seq.greedy(plain)(batch.source, { start: 0, steps: -1 }),
  ];
  expect(wrong.map(message).join('')).toMatchInlineSnapshot(`
    "
    DTypeError: nn.seq2seq.init: there is no cell "sru"
      remedy: use 'gru', 'lstm' or 'rnn'
      at test/nn/seq2seq.test.ts:LINE

    TreeError: nn.seq2seq.weights: params.attention is undefined: the decoder does not look back
      remedy: make parameters with nn.seq2seq.init(key, { attention: true, … })
      at test/nn/seq2seq.test.ts:LINE

    TreeError: nn.seq2seq: params are {}
      remedy: make parameters with nn.seq2seq.init(key, config)
      at test/nn/seq2seq.test.ts:LINE

    ShapeError: nn.lstm: wx float32[3,12], wh float32[4,12], b float32[12] do not make a cell
      remedy: make parameters with nn.lstmCell.init(key, inSize, hiddenSize): { wx, wh, b }
      at test/nn/seq2seq.test.ts:LINE

    DTypeError: nn.seq2seq: symbols are the tensor float32[2,3]
      remedy: give integers [batch, time]
      at test/nn/seq2seq.test.ts:LINE

    ShapeError: nn.seq2seq.greedy: steps is -1
      remedy: give a non-negative integer
      at test/nn/seq2seq.test.ts:LINE
    "
  `);
});
