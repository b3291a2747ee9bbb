/** What layers refuse, and under which name; layers without parameters that are drawn by what is given. */

import { nn, np, random, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { message } from '../errors/message.ts';
import { flat, onReference } from './sequence-fixtures.ts';

onReference();

describe('what is given wrongly is refused under the name of the layer', () => {
  const key = random.key(0);
  const x = np.ones([2, 3]);
  const image = np.ones([1, 4, 4, 2]);
  // biome-ignore lint/suspicious/noExplicitAny: what untyped code passes is meant here
  const js = nn as unknown as { readonly [name: string]: any };
  const state = nn.batchNorm.state(3);
  const rows: readonly (readonly [string, () => unknown, string])[] = [
    ['a size from a config', () => js['dense'].init(key, '3', 8), 'ShapeError: nn.dense.init: inSize is "3"'],
    ['a size of 0', () => nn.dense.init(key, 3, 0), 'ShapeError: nn.dense.init: outSize is 0'],
    [
      'an option of dense',
      () => js['dense'].init(key, 3, 8, { bias: false }),
      "DTypeError: nn.dense.init: there is no option 'bias'",
    ],
    [
      'a number for a window',
      () => js['conv'].init(key, 3, 3, 8),
      'ShapeError: nn.conv.init: the window is 3\n  remedy: give an array, [3, 3] say',
    ],
    [
      'a number for strides of pooling',
      () => js['functional'].maxPool(image, [2, 2], { strides: 2 }),
      'ShapeError: nn.functional.maxPool: strides (2) and window dilation (1,1) do not fit a window [2,2]',
    ],
    [
      'a word for a flag of pooling',
      () => js['functional'].avgPool(image, [2, 2], { countIncludePad: 'no' }),
      'DTypeError: nn.functional.avgPool: countIncludePad is "no", not a boolean',
    ],
    [
      'a number of windows',
      () => js['functional'].adaptiveAvgPool(image, 2),
      'ShapeError: nn.functional.adaptiveAvgPool: lengths is 2',
    ],
    [
      'no parameters of a norm',
      () => js['layerNorm'](null),
      'TreeError: nn.layerNorm: params are null, not { scale?, bias? }',
    ],
    [
      'a parameter of another name',
      () => js['layerNorm']({ gamma: np.ones([3]) }),
      "TreeError: nn.layerNorm: there is no parameter 'gamma'",
    ],
    [
      'a scale that does not fit',
      () => nn.layerNorm(nn.layerNorm.init(4))(x),
      'ShapeError: nn.functional.layerNorm: the scale float32[4] does not fit float32[2,3]',
    ],
    [
      'features that are a word',
      () => js['rmsNorm'].init('3'),
      'ShapeError: nn.rmsNorm.init: the shape of features is "3"',
    ],
    [
      'epsilon from a config',
      () => js['rmsNorm'](nn.rmsNorm.init(3), { epsilon: '1e-5' })(x),
      'DTypeError: nn.functional.rmsNorm: epsilon is "1e-5"',
    ],
    [
      'a negative epsilon',
      () => nn.layerNorm({}, { epsilon: -1 })(x),
      'DTypeError: nn.functional.layerNorm: epsilon is -1',
    ],
    [
      'groups that do not divide',
      () => nn.groupNorm({}, { groups: 2 })(np.ones([1, 4, 3])),
      'ShapeError: nn.functional.groupNorm: float32[1,4,3] does not divide into 2 groups',
    ],
    [
      'no spatial axes',
      () => nn.instanceNorm({})(x),
      'ShapeError: nn.functional.instanceNorm: float32[2,3] has no spatial axes',
    ],
    [
      'a word for training',
      () => js['batchNorm']({}, { training: 'no' })(x, state),
      'DTypeError: nn.functional.batchNorm: training is "no", not a boolean',
    ],
    [
      'a momentum of 2',
      () => nn.batchNorm({}, { momentum: 2 })(x, state),
      'DTypeError: nn.functional.batchNorm: momentum is 2',
    ],
    [
      'no statistics',
      () => js['batchNorm']({})(x),
      'TreeError: nn.functional.batchNorm: the running statistics must be { mean, variance }, got undefined',
    ],
    [
      'a batch of one',
      () => nn.batchNorm({}, { training: true })(np.ones([1, 3]), state),
      'ShapeError: nn.functional.batchNorm: float32[1,3] has 1 values a channel',
    ],
    [
      'nothing to fold',
      () => js['foldBatchNorm'](nn.dense.init(key, 2, 3), {}),
      'TreeError: nn.foldBatchNorm: params.mean is undefined, not a tensor',
    ],
    [
      'a norm of another size to fold',
      () => nn.foldBatchNorm(nn.dense.init(key, 2, 4), {}, state),
      'ShapeError: nn.foldBatchNorm: mean float32[3] does not fit weights float32[2,4]',
    ],
    [
      'indices that are floats',
      () => js['embedding'](nn.embedding.init(key, 4, 2))(x),
      'DTypeError: nn.functional.embedding: the indices are float32[2,3], not integers',
    ],
    [
      'indices that are an array',
      () => js['embedding'](nn.embedding.init(key, 4, 2))([1, 2]),
      'DTypeError: nn.functional.embedding: an operand is an array',
    ],
    [
      'a padding that is a word',
      () => js['embedding'](nn.embedding.init(key, 4, 2), { paddingIndex: '0' })(np.array([0], { dtype: 'int32' })),
      'DTypeError: nn.functional.embedding: paddingIndex is "0"',
    ],
    [
      'a table of one axis',
      () => nn.embedding({ table: np.ones([3]) }),
      'ShapeError: nn.embedding: table float32[3] do not make a layer',
    ],
    [
      'a word for two directions',
      () => js['lstm'].init(key, 3, 4, { bidirectional: 'no' }),
      'DTypeError: nn.lstm.init: bidirectional is "no", not a boolean',
    ],
    ['half a unit', () => nn.lstm.init(key, 3, 2.5), 'ShapeError: nn.lstm.init: hiddenSize is 2.5'],
    [
      'a dropout in a layer without a key',
      () => js['rnn'].layer(3, 4, { dropout: 0.5 }),
      'DTypeError: nn.rnn.layer: dropout needs a key in each call',
    ],
    [
      'a window of a receptive field',
      () => js['receptiveField']([{ window: 3 }]),
      'ShapeError: nn.receptiveField: window is 3, not a tuple',
    ],
  ];
  it.each(rows)('%s', (_what, f, wanted) => {
    expect(message(f)).toContain(wanted);
  });
});

it('dense is drawn by initializers, as convolutions are', () => {
  const { heNormal, constant } = nn.initializers;
  const key = random.key(4);
  const layer = nn.dense.layer(3, 2, { w: heNormal, b: constant(2) });
  expect(layer.init(key).b.toArray()).toEqual([2, 2]);
  expect(nn.dense.init(key, 3, 2, { w: heNormal }).w.toArray()).toEqual(heNormal(key, [3, 2]).toArray());
});

it('recurrent layers compose: the outputs of all steps', () => {
  const options = { layers: 2, bidirectional: true } as const;
  const x = random.normal(random.key(1), [2, 5, 3]);
  const last = nn.lift((ys: Tensor) => np.index(ys, [], -1) as Tensor, 'last');
  const model = nn.serial(nn.gru.layer(3, 4, { ...options, resetAfter: false }), last, nn.dense.layer(8, 2));
  const params = model.init(random.key(0));
  const [, ys] = nn.gru(params[0], { resetAfter: false })(x);
  expect(flat(model.apply(params)(x))).toEqual(flat(nn.dense(params[2])(np.index(ys, [], -1) as Tensor)));
  expect(nn.lstm.layer(3, 4, { forgetBias: 0 }).init(random.key(0))[0]!.forward.b.toArray()).toEqual(Array(16).fill(0));
  expect(nn.rnn.layer(3, 4, { activation: 'relu', reverse: true, ...options }).name).toBe('rnn 3→4');
});
