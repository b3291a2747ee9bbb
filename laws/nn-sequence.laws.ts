/**
 * The laws of what reads sequences: recurrences in pieces, in batches and backwards, attention over sets, caches, positions. Weights
 * are drawn by a key; sizes are small and few, so that programs are compiled once.
 */

import * as fc from 'fast-check';
import { makeAval } from '../src/core/aval.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import * as nn from '../src/nn/index.ts';
import * as np from '../src/ops/np.ts';
import type { Tensor } from '../src/ops/types.ts';
import * as random from '../src/random/index.ts';
import { leaves } from '../src/tree/tree.ts';
import { jit } from '../transforms/jit.ts';
import { vmap } from '../transforms/vmap.ts';
import { within } from './arbitrary/elements.ts';
import { permutation } from './arbitrary/shape.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { closeValues, type HostTensor, sameValues, toTensor } from './host.ts';
import { every, expect, type Law, law, type Verdict } from './law.ts';

const [batch, time, size] = [2, 5, 4] as const;

const sequence = tensorOf(makeAval([batch, time, size], 'float32'), within(-2, 2));
const heads = tensorOf(makeAval([batch, time, 2, size], 'float32'), within(-2, 2));
const seeds = fc.nat({ max: 2 ** 31 - 1 });
const cut = fc.integer({ min: 1, max: time - 1 });
const lengths = fc.tuple(fc.integer({ min: 1, max: time }), fc.integer({ min: 1, max: time }));

const float = (x: HostTensor): Tensor => toTensor(x) as Tensor;
const steps = (x: Value, from: number, to: number): Tensor => np.index(x, [], [from, to]) as Tensor;
const int32 = (x: readonly number[]): Tensor<'int32'> => np.array(x as number[], { dtype: 'int32' }) as Tensor<'int32'>;
const near = (what: string, found: readonly Value[], wanted: readonly Value[]): Verdict =>
  closeValues(what, found, wanted, 2e-5);

/** A recurrent layer with weights by a key; compiled once for each kind of arguments, whatever the weights. */
interface Layer {
  readonly name: string;
  readonly run: (seed: number, x: Tensor, options?: object) => readonly [unknown, Value];
  readonly reversed: (seed: number, x: Tensor) => readonly [unknown, Value];
}

/** A layer of this kind. */
function kind<P>(
  name: string,
  init: (key: random.Key) => P,
  apply: (params: P, options?: object) => (x: Tensor, options?: object) => readonly [unknown, Value],
): Layer {
  const run = jit((p: P, x: Tensor, options: object) => apply(p)(x, options));
  const reversed = jit((p: P, x: Tensor) => apply(p, { reverse: true })(x));
  return {
    name,
    run: (seed, x, options = {}) => run(init(random.key(seed)), x, options),
    reversed: (seed, x) => reversed(init(random.key(seed)), x),
  };
}

const two = { layers: 2 } as const;
const layers: readonly Layer[] = [
  kind('rnn', (key) => nn.rnn.init(key, size, 3, two), nn.rnn),
  kind('lstm', (key) => nn.lstm.init(key, size, 3, two), nn.lstm),
  kind('gru', (key) => nn.gru.init(key, size, 3, two), nn.gru),
];
const layer = fc.constantFrom(...layers);
const flipped = (x: Value): Tensor => np.flip(x, 1) as Tensor;

const recurrentLaws: readonly Law[] = [
  law('a sequence read in two pieces is the whole', [layer, seeds, sequence, cut], ({ run }, seed, host, at) => {
    const x = float(host);
    const [last, ys] = run(seed, x);
    const [carry, head] = run(seed, steps(x, 0, at));
    const [end, tail] = run(seed, steps(x, at, time), { carry });
    return near('pieces', [...leaves(end), np.concatenate([head, tail], 1) as Value], [...leaves(last), ys]);
  }),
  law('backwards is forwards on the reversed sequence', [layer, seeds, sequence], ({ run, reversed }, seed, host) => {
    const x = float(host);
    const [last, ys] = reversed(seed, x);
    const [carry, others] = run(seed, flipped(x));
    return near('backwards', [...leaves(last), ys], [...leaves(carry), flipped(others)]);
  }),
  law(
    'what is behind the end of a sequence changes nothing, its outputs are 0',
    [layer, seeds, sequence, sequence, lengths],
    ({ run }, seed, host, other, ends) => {
      const there = np.less(np.arange(time), np.expandDims(int32(ends), 1));
      const [x, mixed] = [float(host), np.where(np.expandDims(there, -1), float(host), float(other)) as Tensor];
      const options = { lengths: int32(ends) };
      const [last, ys] = run(seed, x, options);
      const [carry, others] = run(seed, mixed, options);
      const same = sameValues('behind the end', [...leaves(carry), others], [...leaves(last), ys]);
      if (same._tag === 'Fails') return same;
      return sameValues('outputs', [np.where(np.expandDims(there, -1), 0, ys) as Value], [np.zerosLike(ys) as Value]);
    },
  ),
  law('a sequence of some length is itself alone', [layer, seeds, sequence, cut], ({ run }, seed, host, end) => {
    const x = float(host);
    const second = (y: Value): Value => np.index(y, [1, 2]) as Value;
    const [last, ys] = run(seed, x, { lengths: int32([time, end]) });
    const [carry, others] = run(seed, steps(second(x), 0, end));
    const found = [...leaves(last).map(second), steps(second(ys), 0, end)];
    return near('alone', found, [...leaves(carry), others]);
  }),
  law('a batch is its sequences, by vmap', [layer, seeds, sequence], ({ run }, seed, host) => {
    const x = float(host);
    const each = vmap((v: Tensor) => run(seed, np.expandDims(v, 0) as Tensor)[1])(x);
    return near('each', [np.squeeze(each, 1) as Value], [run(seed, x)[1]]);
  }),
];

const { attentionWeights, dotProductAttention } = nn.functional;

const decoded = jit(
  (p: nn.MultiHeadParams, x: Tensor, cache: nn.KvCache, rotary: boolean): readonly [Value, nn.KvCache] =>
    nn.multiHeadAttention.decode(p, { rotary })(x, cache),
);
const causal = jit((p: nn.MultiHeadParams, x: Tensor, rotary: boolean) =>
  nn.multiHeadAttention(p, { rotary, isCausal: true })(x),
);
type EncoderParams = ReturnType<typeof nn.transformerEncoder.init>;
const encoded = jit((p: EncoderParams, x: Tensor) => nn.transformerEncoder(p)(x));

const attentionLaws: readonly Law[] = [
  law('weights are shares, and of the keys that are seen', [heads, heads, lengths], (q, k, ends) => {
    const mask = nn.paddingMask(int32(ends), time);
    const weights = attentionWeights(float(q), float(k), { mask });
    const hidden = np.where(mask, 0, weights) as Value;
    const sums = np.sum(weights, -1);
    const shares = near('sums', [sums as Value], [np.onesLike(sums) as Value]);
    return shares._tag === 'Fails' ? shares : sameValues('hidden', [hidden], [np.zerosLike(hidden) as Value]);
  }),
  law('keys and values are a set', [heads, heads, heads, permutation(time)], (q, k, v, order) => {
    const shuffled = (x: HostTensor): Tensor => np.take(float(x), int32(order), 1) as Tensor;
    const found = dotProductAttention(float(q), shuffled(k), shuffled(v));
    return near('shuffled', [found], [dotProductAttention(float(q), float(k), float(v))]);
  }),
  law('masked keys are keys that are not there', [heads, heads, heads, cut], (q, k, v, at) => {
    const mask = nn.paddingMask(int32([at, at]), time);
    const found = dotProductAttention(float(q), float(k), float(v), { mask });
    return near('masked', [found], [dotProductAttention(float(q), steps(float(k), 0, at), steps(float(v), 0, at))]);
  }),
  law('grouped queries are queries beside repeated keys', [heads, heads, heads], (q, k, v) => {
    const few = (x: HostTensor): Tensor => np.index(float(x), [], [], [0, 1]) as Tensor;
    const repeated = (x: HostTensor): Tensor => np.concatenate([few(x), few(x)], 2) as Tensor;
    const found = dotProductAttention(float(q), few(k), few(v));
    return near('grouped', [found], [dotProductAttention(float(q), repeated(k), repeated(v))]);
  }),
  law(
    'a cache is the causal whole, in any two pieces',
    [seeds, sequence, cut, fc.boolean()],
    (seed, host, at, rotary) => {
      const params = nn.multiHeadAttention.init(random.key(seed), size, 2, { keyHeads: 1 });
      const x = float(host);
      const [head, cache] = decoded(params, steps(x, 0, at), nn.multiHeadAttention.cache(params, batch, time), rotary);
      const [tail, end] = decoded(params, steps(x, at, time), cache, rotary);
      const whole = causal(params, x, rotary);
      const verdict = near('pieces', [np.concatenate([head, tail], 1) as Value], [whole]);
      return verdict._tag === 'Fails' ? verdict : expect(end.index.item() === time, () => `${end.index.item()} seen`);
    },
  ),
  law(
    'an encoder without positions does not know the order',
    [seeds, sequence, permutation(time)],
    (seed, host, order) => {
      const config = { size, heads: 2, layers: 1, feedForwardSize: 4 };
      const params = nn.transformerEncoder.init(random.key(seed), config);
      const [x, moved] = [float(host), int32(order)];
      return near(
        'shuffled',
        [encoded(params, np.take(x, moved, 1))],
        [np.take(encoded(params, x), moved, 1) as Value],
      );
    },
  ),
];

const positionLaws: readonly Law[] = [
  law(
    'rotations keep lengths, and add up',
    [heads, fc.nat({ max: 50 }), fc.nat({ max: 50 }), fc.boolean()],
    (host, first, second, interleaved) => {
      const at = (p: number) => ({ interleaved, positions: int32(range(time).map((i) => i * p)) });
      const x = float(host);
      const norms = (v: Tensor): Value => np.sum(np.square(v), -1) as Value;
      const once = nn.rotary(x, at(first));
      const kept = closeValues('lengths', [norms(once)], [norms(x)], 1e-4);
      if (kept._tag === 'Fails') return kept;
      return closeValues('twice', [nn.rotary(once, at(second))], [nn.rotary(x, at(first + second))], 1e-4);
    },
  ),
  law(
    'products of rotated queries and keys see differences of positions',
    [heads, heads, fc.nat({ max: 50 })],
    (q, k, by) => {
      const weights = (from: number): Value => {
        const positions = int32(range(time).map((i) => i + from));
        return attentionWeights(nn.rotary(float(q), { positions }), nn.rotary(float(k), { positions }));
      };
      return closeValues('moved', [weights(by)], [weights(0)], 1e-3);
    },
  ),
  law('learned rows from an offset are those of the longer sequence', [seeds, cut], (seed, at) => {
    const layer = nn.learnedPositions(nn.learnedPositions.init(random.key(seed), time, size));
    const zeros = np.zeros([1, time, size]);
    const [part, whole] = [layer(steps(zeros, at, time), { offset: at }), layer(zeros)];
    return sameValues('offset', [part], [steps(whole, at, time)]);
  }),
];

const samplingLaws: readonly Law[] = [
  law('symbols are among the likeliest', [seeds, sequence, fc.integer({ min: 1, max: size })], (seed, host, topK) => {
    const logits = float(host);
    const drawn = nn.sampleSymbols(random.key(seed), logits, { topK });
    const values = Array.from(logits.dataSync());
    return every(Array.from(drawn.dataSync()).entries(), ([row, symbol]) => {
      const scores = values.slice(row * size, (row + 1) * size);
      const better = scores.filter((v) => v > scores[symbol]!).length;
      return expect(better < topK, () => `row ${row}: ${better} symbols are likelier than ${symbol}, topK is ${topK}`);
    });
  }),
];

/** The laws of recurrent layers, attention, positions and sampling. */
export const sequenceLaws: readonly Law[] = [...recurrentLaws, ...attentionLaws, ...positionLaws, ...samplingLaws];
