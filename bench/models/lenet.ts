/**
 * LeNet-5 with relu and max-pooling, channels first:
 *
 *   1×28×28 → conv 5×5, padded → 6×28×28 → pool → 6×14×14 → conv 5×5 → 16×10×10 → pool → 16×5×5 = 400 → 120 → 84 → 10
 */

import { pipe } from 'fp-ts/lib/function.js';
import { nn, np, optim, type Tensor } from 'pullback';
import type { Conv, Dense } from './parts.ts';

const { dense, relu } = nn;
const layout = 'channelsFirst';

/** The parameters of its five layers. */
export interface Params {
  readonly conv1: Conv;
  readonly conv2: Conv;
  readonly dense1: Dense;
  readonly dense2: Dense;
  readonly out: Dense;
}

const conv =
  ({ w, b }: Conv, padding: 'SAME' | 'VALID') =>
  (x: Tensor) =>
    nn.functional.conv(x, w, { bias: b, padding, layout });

const pool = (x: Tensor) => nn.functional.maxPool(x, [2, 2], { layout });

/** Scores of the classes: float32[batch, 1, 28, 28] → float32[batch, 10]. */
export const model = (p: Params) => (x: Tensor) =>
  pipe(
    x,
    conv(p.conv1, 'SAME'),
    relu,
    pool,
    conv(p.conv2, 'VALID'),
    relu,
    pool,
    (features) => np.reshape(features, [-1, 400]),
    dense(p.dense1),
    relu,
    dense(p.dense2),
    relu,
    dense(p.out),
  );

/** Mean cross entropy of a batch. */
export const loss = (p: Params, x: Tensor, labels: Tensor<'int32'>) => nn.crossEntropy(model(p)(x), labels);

/** How it learns. */
export const optimizer = optim.sgd(0.01, { momentum: 0.9 });
