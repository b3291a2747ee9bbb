/** A small convolutional network that reads digits, and its training: what attacks and defences are tried on. */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, jit, nn, np, optim, random, type Tensor } from 'pullback';
import type { Reading } from 'pullback/io';
import { loadDigits } from '../digits/data.ts';
import { init as initLenet, model, type Params } from '../lenet/model.ts';
import { descend } from './descend.ts';
import { chosen, type Digits, digitsOf } from './digits.ts';

export type { Params };

/** LeNet-5 on images float32[n, 28, 28, 1]: float32[n, 10]. */
export const scores = (params: Params, images: Tensor): Tensor =>
  model(params)(np.reshape(images, [images.shape[0]!, 784]));

export const lossOf = (params: Params, { images, labels }: Digits): Tensor =>
  nn.crossEntropy(scores(params, images), labels);

const hits = jit((params: Params, { images, labels }: Digits) =>
  np.mean(np.astype(np.equal(np.argmax(scores(params, images), 1), labels), 'float32')),
);

/** The share that is read rightly. */
export const accuracy = (params: Params, digits: Digits): number => hits(params, digits).item();

/** The gradient of the loss with respect to the images. */
export const imageGradient = (params: Params, { images, labels }: Digits): Tensor =>
  grad((x: Tensor) => nn.crossEntropy(scores(params, x), labels, { reduction: 'sum' }))(images);

/** I. Goodfellow, J. Shlens, C. Szegedy (2015): one step of length ε in every pixel, uphill in the loss; within [0, 1]. */
export const fgsm = (params: Params, digits: Digits, epsilon: number | Tensor): Tensor =>
  np.clip(np.add(digits.images, np.mul(epsilon, np.sign(imageGradient(params, digits)))), 0, 1);

/** Digits to learn from and digits held out, at most so many. */
export const twoSets = (
  data: string | null,
  seed: number,
  seen: number,
  unseen: number,
): Reading<readonly [Digits, Digits]> =>
  pipe(
    loadDigits({ data, seed, seen: Math.min(seen, 8000), unseen: Math.min(unseen, 2000) }),
    TE.map(({ train, test }) => [digitsOf(train, seen), digitsOf(test, unseen)] as const),
  );

/** So many batches of 64, drawn anew at each step. */
export function* batchesOf(digits: Digits, key: random.Key, steps: number, size = 64): Generator<Digits> {
  for (let i = 0; i < steps; i++)
    yield chosen(digits, random.randint(random.foldIn(key, i), [size], 0, digits.labels.size));
}

/** LeNet-5 after so many steps of Adam on a loss. */
export const learned = (
  loss: (params: Params, batch: Digits) => Tensor,
  digits: Digits,
  key: random.Key,
  steps: number,
  onStep?: (loss: Tensor, index: number) => void,
): Params => {
  const [initKey, orderKey] = random.split(key);
  const adam = optim.adam(optim.cosineDecaySchedule(2e-3, steps));
  return descend(loss, initLenet(initKey), adam, batchesOf(digits, orderKey, steps), onStep).params;
};
