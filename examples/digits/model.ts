/** The model: two dense layers. */

import { pipe } from 'fp-ts/lib/function.js';
import { nn, random, type Tensor } from 'pullback';
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

/** The whole, with this many units in the hidden layer. */
export const recipe = (hidden: number): Recipe<Params> => ({ init: (key) => init(key, hidden), scores: model });
