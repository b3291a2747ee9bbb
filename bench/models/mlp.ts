/** A multilayer perceptron: 784 → 512 → 256 → 10. */

import { pipe } from 'fp-ts/lib/function.js';
import { nn, optim, type Tensor } from 'pullback';
import type { Dense } from './parts.ts';

const { dense, relu } = nn;

/** The parameters of its three layers. */
export interface Params {
  readonly first: Dense;
  readonly second: Dense;
  readonly out: Dense;
}

/** Scores of the classes: float32[batch, 784] → float32[batch, 10]. */
export const model = (p: Params) => (x: Tensor) => pipe(x, dense(p.first), relu, dense(p.second), relu, dense(p.out));

/** Mean cross entropy of a batch. */
export const loss = (p: Params, x: Tensor, labels: Tensor<'int32'>) => nn.crossEntropy(model(p)(x), labels);

/** How it learns. */
export const optimizer = optim.adam(1e-3);
