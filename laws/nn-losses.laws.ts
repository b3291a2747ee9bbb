/** The laws of losses: what one is in terms of another, what does not change them, and their derivatives. */

import * as fc from 'fast-check';
import { makeAval } from '../src/core/aval.ts';
import type { Value } from '../src/core/value.ts';
import * as nn from '../src/nn/index.ts';
import * as np from '../src/ops/np.ts';
import type { Tensor } from '../src/ops/types.ts';
import { vmap } from '../transforms/vmap.ts';
import { within } from './arbitrary/elements.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { checkGrads, GradientError } from './check-grads.ts';
import { closeValues, type HostTensor, toTensor } from './host.ts';
import { every, expect, holds, inconclusive, type Law, law, type Verdict } from './law.ts';

const [batch, classes] = [3, 4] as const;
const none = { reduction: 'none' } as const;

const logits = tensorOf(makeAval([batch, classes], 'float64'), within(-4, 4));
const labels = fc.array(fc.nat({ max: classes - 1 }), { minLength: batch, maxLength: batch });
const share = fc.integer({ min: 0, max: 8 }).map((n) => n / 8);
const weights = tensorOf(makeAval([classes], 'float64'), within(0.25, 2));

const wide = (x: HostTensor): Tensor<'float64'> => toTensor(x) as Tensor<'float64'>;
const int32 = (x: readonly number[]): Tensor<'int32'> => np.array(x as number[], { dtype: 'int32' });
const near = (what: string, found: Value, wanted: Value): Verdict => closeValues(what, [found], [wanted], 1e-10);

/** Losses of a batch of rows of numbers beside other such rows. */
const pairs: readonly (readonly [string, (x: Tensor<'float64'>, y: Tensor<'float64'>, o?: nn.LossOptions) => Value])[] =
  [
    ['mse', (x, y, o) => nn.mse(x, y, o)],
    ['mae', (x, y, o) => nn.mae(x, y, o)],
    ['huber', (x, y, o) => nn.huber(x, y, o)],
    ['smoothL1', (x, y, o) => nn.smoothL1(x, y, { ...o, beta: 0.5 })],
    ['logCosh', (x, y, o) => nn.logCosh(x, y, o)],
    ['poissonNll', (x, y, o) => nn.poissonNll(x, np.exp(y), { ...o, full: true })],
    ['gaussianNll', (x, y, o) => nn.gaussianNll(x, y, np.exp(x), o)],
    [
      'sigmoidBinaryCrossEntropy',
      (x, y, o) => nn.sigmoidBinaryCrossEntropy(x, nn.sigmoid(y), { ...o, labelSmoothing: 0.25 }),
    ],
    ['binaryCrossEntropy', (x, y, o) => nn.binaryCrossEntropy(nn.sigmoid(x), nn.sigmoid(y), o)],
    ['sigmoidFocal', (x, y, o) => nn.sigmoidFocal(x, nn.sigmoid(y), { ...o, alpha: 0.25 })],
    ['hinge', (x, y, o) => nn.hinge(x, np.sign(y), o)],
    ['crossEntropy', (x, y, o) => nn.crossEntropy(x, nn.softmax(y), { ...o, labelSmoothing: 0.25 })],
    ['klDivergence', (x, y, o) => nn.klDivergence(nn.logSoftmax(x), nn.softmax(y), o)],
    ['cosineEmbedding', (x, y, o) => nn.cosineEmbedding(x, y, np.ones(x.shape.slice(0, -1)), o)],
    ['triplet', (x, y, o) => nn.triplet(x, y, np.flip(x, -1), o)],
  ];

const pair = fc.constantFrom(...pairs);

/** The laws of losses. */
export const lossLaws: readonly Law[] = [
  law('a loss is that of each row, their sum or their mean', [pair, logits, logits], ([name, loss], a, b) => {
    const [x, y] = [wide(a), wide(b)];
    const each = loss(x, y, none);
    const sum = near(`${name}: the sum`, loss(x, y, { reduction: 'sum' }), np.sum(each));
    if (sum._tag === 'Fails') return sum;
    const mean = near(`${name}: the mean`, loss(x, y), np.mean(each));
    if (mean._tag === 'Fails') return mean;
    const lanes = vmap((p: Tensor<'float64'>, q: Tensor<'float64'>) => loss(p, q, none))(x, y);
    return near(`${name}: vmap`, lanes, each);
  }),
  law('gradients of losses are what differences say', [pair, logits, logits], ([name, loss], a, b) => {
    const target = wide(b);
    try {
      checkGrads((x: Tensor<'float64'>) => loss(x, target), [wide(a)], { modes: ['rev'] });
      return holds;
    } catch (error) {
      // At a kink, such as that of a hinge, differences decide nothing.
      if (error instanceof GradientError && !error.decided) return inconclusive(`${name}: ${error.message}`);
      throw error;
    }
  }),
  law('crossEntropy does not see what is added to all logits', [logits, labels, share], (a, y, by) => {
    const x = wide(a);
    const options = { labelSmoothing: by, reduction: 'none' } as const;
    return near(
      'shifted',
      nn.crossEntropy(np.add(x, 1000 * by), int32(y), options),
      nn.crossEntropy(x, int32(y), options),
    );
  }),
  law('labels are rows of one probability, smoothed or not', [logits, labels, share, weights], (a, y, by, w) => {
    const [x, label] = [wide(a), int32(y)];
    const options = { labelSmoothing: by, weight: wide(w), reduction: 'sum' } as const;
    return near('oneHot', nn.crossEntropy(x, nn.oneHot(label, classes), options), nn.crossEntropy(x, label, options));
  }),
  law('crossEntropy is nll of the log-softmax, and of two classes the binary one', [logits, labels], (a, y) => {
    const [x, label] = [wide(a), int32(y)];
    const split = near('nll', nn.nll(nn.logSoftmax(x), label), nn.crossEntropy(x, label));
    if (split._tag === 'Fails') return split;
    const yes = int32(y.map((k) => k % 2));
    const two = np.index(x, [], [0, 2]) as Tensor<'float64'>;
    const margin = np.sub(np.index(x, [], 1), np.index(x, [], 0)) as Tensor<'float64'>;
    return near('binary', nn.sigmoidBinaryCrossEntropy(margin, yes), nn.crossEntropy(two, yes));
  }),
  law('what is ignored might as well not be there', [logits, labels, weights], (a, y, w) => {
    const x = wide(a);
    const rest = [[0, batch - 1]] as const;
    const options = { weight: wide(w) };
    const kept = nn.crossEntropy(np.index(x, ...rest) as Tensor<'float64'>, int32(y.slice(0, -1)), options);
    return near('ignored', nn.crossEntropy(x, int32([...y.slice(0, -1), -1]), { ...options, ignoreIndex: -1 }), kept);
  }),
  law('a focal loss of gamma 0 is the cross entropy', [logits, labels], (a, y) => {
    const [x, label] = [wide(a), int32(y)];
    const many = near('softmax', nn.softmaxFocal(x, label, { gamma: 0 }), nn.crossEntropy(x, label));
    if (many._tag === 'Fails') return many;
    const yes = nn.oneHot(label, classes);
    return near('sigmoid', nn.sigmoidFocal(x, yes, { gamma: 0 }), nn.sigmoidBinaryCrossEntropy(x, yes));
  }),
  law('a divergence is not negative, and 0 of a distribution from itself', [logits, logits], (a, b) => {
    const [p, q] = [wide(a), wide(b)];
    const own = near(
      'own',
      nn.klDivergence(nn.logSoftmax(p), nn.softmax(p), none),
      np.zeros([batch], { dtype: 'float64' }),
    );
    if (own._tag === 'Fails') return own;
    const other = nn.klDivergence(nn.logSoftmax(p), nn.softmax(q), none).dataSync();
    return every(other, (d) => expect(d >= -1e-12, () => `a divergence is ${d}`));
  }),
  law('ctc of one step and one label is the cross entropy', [logits, labels], (a, y) => {
    // The blank is a class behind the others, with a probability like any other.
    const x = np.concatenate([wide(a), np.zeros([batch, 1], { dtype: 'float64' })], 1);
    const found = nn.ctc(np.expandDims(x, 1), np.expandDims(int32(y), 1), { blank: classes, reduction: 'none' });
    return near('ctc', found, nn.crossEntropy(x, int32(y), none));
  }),
];
