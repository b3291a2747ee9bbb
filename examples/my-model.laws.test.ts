/**
 * The laws of your own model, in your own vitest: say which arguments it takes, and check what it promises, a line for each law.
 *
 * Copy this file beside a model and change the first half.
 */

import { pipe } from 'fp-ts/lib/function.js';
import { evalShape, grad, makeAval, nn, np, random, type Tensor } from 'pullback';
import { adjointLaw, args, batchingLaw, between, gradientLaw, jitLaw, tensorOf } from 'pullback/laws';
import { test } from 'vitest';

/** Features, hidden units, classes. */
const [features, hidden, classes] = [3, 4, 3];

/** A classifier of three layers that normalizes what is hidden. */
const init = (key: Tensor<'uint32'>) => {
  const [first, second, third] = random.split(key, 3);
  return {
    layers: [nn.dense.init(first, features, hidden), nn.dense.init(second, hidden, hidden)],
    scale: np.ones([hidden]),
    out: nn.dense.init(third, hidden, classes),
  };
};
type Params = ReturnType<typeof init>;

const scores = ({ layers: [first, second], scale, out }: Params, x: Tensor) =>
  pipe(
    x,
    nn.dense(first!),
    nn.gelu,
    nn.dense(second!),
    (h) => np.mul(nn.standardize(h), scale),
    nn.swish,
    nn.dense(out),
  );

const loss = (params: Params, x: Tensor, labels: Tensor<'int32'>) =>
  np.add(nn.crossEntropy(scores(params, x), labels), np.mul(1e-3, np.sum(np.square(params.out.w))));

// Any parameters of the right shapes, any features, any labels.
const params = evalShape(() => init(random.key(0)));
const example = args(params, makeAval([features], 'float32'));
const batch = args(
  params,
  makeAval([2, features], 'float32'),
  tensorOf(makeAval([2], 'int32'), between(0, classes - 1)),
);

test('the gradient of the loss is what differences say', () => {
  gradientLaw(loss, batch).check({ runs: 30 });
});

test('so is the gradient of the gradient', () => {
  gradientLaw(loss, batch, { order: 2 }).check({ runs: 5 });
});

test('a batch is scored as its examples are', () => {
  batchingLaw(scores, example).check({ runs: 30 });
});

test('the compiled gradient is the gradient', () => {
  jitLaw(grad(loss), batch).check({ runs: 30 });
});

test('reverse mode is the adjoint of forward mode', () => {
  adjointLaw(loss, batch).check({ runs: 30 });
});
