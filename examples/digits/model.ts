/** The model: two dense layers, what is lost by a wrong answer, and how often it is right. */

import { pipe } from 'fp-ts/lib/function.js';
import { nn, np, random, type Tensor } from 'pullback';
import type { Recipe } from './train.ts';

const { dense, relu } = nn;

/** Pixels of an image and classes of a digit. */
export const sizes = { pixels: 784, classes: 10 } as const;

/** Fresh parameters: 784 → hidden → 10. */
export function init(key: Tensor<'uint32'>, hidden: number) {
  const [first, second] = random.split(key);
  return { hidden: dense.init(first, sizes.pixels, hidden), out: dense.init(second, hidden, sizes.classes) };
}

/** The parameters of both layers. */
export type Params = ReturnType<typeof init>;

/** Scores of the classes: float32[batch, 784] → float32[batch, 10]. */
export const model = (params: Params) => (x: Tensor) => pipe(x, dense(params.hidden), relu, dense(params.out));

/** Mean cross-entropy of a batch. */
export const loss = (params: Params, x: Tensor, labels: Tensor<'int32'>) => nn.crossEntropy(model(params)(x), labels);

/** How many of a batch are classified rightly, and the sum of their losses. */
export function score(params: Params, x: Tensor, labels: Tensor<'int32'>) {
  const scores = model(params)(x);
  const right = np.sum(np.equal(np.argmax(scores, 1), labels));
  return { right, loss: nn.crossEntropy(scores, labels) };
}

/** The whole, with this many units in the hidden layer. */
export const recipe = (hidden: number): Recipe<Params> => ({
  init: (key) => init(key, hidden),
  loss,
  score,
});
