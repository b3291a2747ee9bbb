/** Nothing of the layers falls off the compiled path: products and convolutions are kernels of their own, and loops are those of scans. */

import { grad, jit, nn, np, optim, random, type Tensor, tree, wasmDevice, withDefaultDevice } from 'pullback';
import { expect, test } from 'vitest';

const key = random.key(0);

/** What is asked of a jitted function of any trees. */
interface Lowers {
  lower(...args: readonly unknown[]): { compile(): { text(form: 'plan'): string } };
}

/** How many steps of each kind a plan has; those inside of a loop are counted once. */
function kindsOf(f: (...args: never[]) => unknown, ...args: readonly unknown[]): Readonly<Record<string, number>> {
  const plan = withDefaultDevice(wasmDevice(), () =>
    (jit(f) as unknown as Lowers)
      .lower(...args)
      .compile()
      .text('plan'),
  );
  const kinds: Record<string, number> = {};
  for (const [, kind = ''] of plan.matchAll(/^\s*\d+: ([a-z]+)/gm)) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
}

/** The kinds in the gradient with respect to parameters and input of the sum of squares of what a layer gives. */
const gradientKinds = <P>(apply: (params: P) => (x: Tensor) => Tensor, params: P, x: Tensor) =>
  kindsOf(grad((p: P, y: Tensor) => np.sum(np.square(apply(p)(y))), { argnums: [0, 1] }) as never, params, x);

const images = random.normal(key, [4, 16, 16, 8]);
const sequence = random.normal(key, [4, 32, 64]);

test('a convolution and both its derivatives are convolutions, a dense layer and both its derivatives products', () => {
  const conv = gradientKinds((p: nn.ConvParams) => nn.conv(p), nn.conv.init(key, [3, 3], 8, 16), images);
  // The taps turned around, and the sum for the bias.
  expect(conv).toEqual({ convolve: 3, nest: 2 });
  const grouped = { groups: 4, padding: 'SAME', strides: 2 } as const;
  const parts = nn.conv.init(key, [3, 3], 8, 16, { groups: 4 });
  expect(gradientKinds((p: nn.ConvParams) => nn.conv(p, grouped), parts, images)['convolve']).toBe(3);
  const dense = gradientKinds(
    (p: nn.DenseParams) => nn.dense(p),
    nn.dense.init(key, 64, 64),
    random.normal(key, [64, 64]),
  );
  expect([dense['contract'], dense['repeat'], dense['while']]).toEqual([3, undefined, undefined]);
});

const norm = { scale: np.ones([8]), bias: np.zeros([8]) };
const attention = nn.multiHeadAttention.init(key, 64, 4);
const layer = nn.transformerEncoderLayer.init(key, 64, 4, { feedForwardSize: 128 });
const straight: Readonly<Record<string, () => Readonly<Record<string, number>>>> = {
  maxPool: () => gradientKinds((s: Tensor) => (x) => np.mul(s, nn.functional.maxPool(x, [2, 2])), np.ones([8]), images),
  avgPool: () => gradientKinds((s: Tensor) => (x) => np.mul(s, nn.functional.avgPool(x, [2, 2])), np.ones([8]), images),
  layerNorm: () => gradientKinds((p: typeof norm) => nn.layerNorm(p), norm, images),
  rmsNorm: () => gradientKinds((p: typeof norm) => nn.rmsNorm(p), norm, images),
  groupNorm: () => gradientKinds((p: typeof norm) => nn.groupNorm(p, { groups: 2 }), norm, images),
  batchNorm: () =>
    gradientKinds(
      (p: typeof norm) => (x) => nn.batchNorm(p, { training: true })(x, nn.batchNorm.state(8))[0],
      norm,
      images,
    ),
  attention: () =>
    gradientKinds((p: nn.MultiHeadParams) => nn.multiHeadAttention(p, { isCausal: true }), attention, sequence),
  encoder: () => gradientKinds((p: nn.EncoderLayerParams) => nn.transformerEncoderLayer(p), layer, sequence),
  crossEntropy: () => {
    const labels = np.zeros([32], { dtype: 'int32' });
    return gradientKinds(
      (s: Tensor) => (x) => nn.crossEntropy(np.mul(s, x), labels),
      np.ones([10]),
      random.normal(key, [32, 10]),
    );
  },
};

test.each(Object.keys(straight))('%s has no loop but those of its kernels', (name) => {
  const kinds = straight[name]!();
  expect(Object.keys(kinds).length).toBeGreaterThan(0);
  expect(kinds).not.toHaveProperty('repeat');
  expect(kinds).not.toHaveProperty('while');
});

const recurrences: Readonly<Record<string, () => Readonly<Record<string, number>>>> = {
  lstm: () => gradientKinds((p: nn.RecurrentLayers) => (x) => nn.lstm(p)(x)[1], nn.lstm.init(key, 64, 64), sequence),
  gru: () => gradientKinds((p: nn.GruLayers) => (x) => nn.gru(p)(x)[1], nn.gru.init(key, 64, 64), sequence),
};

test.each(Object.keys(recurrences))('%s is one loop forward and one backward, its inputs multiplied before', (name) => {
  const kinds = recurrences[name]!();
  expect([kinds['repeat'], kinds['while']]).toEqual([2, undefined]);
});

test.each([
  ['momentum', optim.sgd(0.1, { momentum: 0.9 })],
  ['adam', optim.adam(0.1)],
  ['adamw', optim.adamw(0.1)],
  ['lion', optim.lion(0.1)],
  ['lamb', optim.lamb(0.1)],
] as const)('%s has no loop but those of its kernels', (_name, optimizer) => {
  const params = { w: np.ones([64, 64]), b: np.zeros([64]) };
  const state = optimizer.init(params);
  const kinds = kindsOf(
    ((p: typeof params, s: optim.OptState, g: typeof params) => optimizer.update(g, s, p)) as never,
    params,
    state,
    tree.map((x: Tensor) => np.ones(x.shape), params),
  );
  expect(kinds['nest']).toBeGreaterThan(0);
  expect(kinds).not.toHaveProperty('repeat');
  expect(kinds).not.toHaveProperty('while');
});
