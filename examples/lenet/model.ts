/**
 * LeNet-5: two convolutions, each followed by pooling, then three dense layers.
 *
 * Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition" (1998), as it is built
 * today: relu for the squashing function, the largest of each window for the trained mean, softmax for radial basis functions.
 *
 *   28×28×1 → conv 5×5, padded → 28×28×6 → pool → 14×14×6 → conv 5×5 → 10×10×16 → pool → 5×5×16 = 400 → 120 → 84 → 10
 */

import { pipe } from 'fp-ts/lib/function.js';
import { nn, np, random, type Tensor } from 'pullback';
import type { Recipe } from '../digits/train.ts';

const { conv, dense, relu } = nn;

/** Fresh parameters. */
export function init(key: Tensor<'uint32'>) {
  const [k1, k2, k3, k4, k5] = random.split(key, 5);
  return {
    conv1: conv.init(k1, [5, 5], 1, 6),
    conv2: conv.init(k2, [5, 5], 6, 16),
    dense1: dense.init(k3, 400, 120),
    dense2: dense.init(k4, 120, 84),
    out: dense.init(k5, 84, 10),
  };
}

/** The parameters of all layers. */
export type Params = ReturnType<typeof init>;

const pool = (x: Tensor) => nn.functional.maxPool(x, [2, 2]);

/** Scores of the classes: float32[batch, 784] → float32[batch, 10]. */
export const model = (p: Params) => (x: Tensor) =>
  pipe(
    np.reshape(x, [-1, 28, 28, 1]),
    conv(p.conv1, { padding: 'SAME' }),
    relu,
    pool,
    conv(p.conv2),
    relu,
    pool,
    nn.functional.flatten,
    dense(p.dense1),
    relu,
    dense(p.dense2),
    relu,
    dense(p.out),
  );

/** LeNet-5 as the training of `digits` takes it. */
export const recipe: Recipe<Params> = { init, scores: model };
