/** Where the digits come from: a folder of MNIST's files, or a generator of handwriting. */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { np, random } from 'pullback';
import { type Batch, digits } from 'pullback/data';
import { decodeErrors, type LabelledImages, mislabelled, type Reading, readMnist, type Split } from 'pullback/io';

/** 8,000 generated digits to learn from and 2,000 to be judged on. */
async function generated(seed: number): Promise<Split> {
  const [training, heldOut] = random.split(random.key(seed));
  return { train: await digits(training, 8000), test: await digits(heldOut, 2000) };
}

/** The digits that the options ask for, neither half empty. */
export const loadDigits = ({ data, seed }: { readonly data: string | null; readonly seed: number }): Reading<Split> =>
  data === null
    ? TE.fromTask(() => generated(seed))
    : pipe(
        readMnist(data),
        TE.flatMapEither((split) =>
          Math.min(split.train.count, split.test.count) > 0
            ? E.right(split)
            : E.left(decodeErrors(data, mislabelled('it has too few images to learn from some and hold others out.'))),
        ),
      );

/** A batch as tensors: float32[batch, 784] and int32[batch]. */
export const tensorsOf = ({ count, images, labels }: Batch) =>
  [np.reshape(np.array(images), [count, -1]), np.array(labels)] as const;

/** Indices of a whole set, in its own order. */
export const inOrder = (set: LabelledImages): number[] => Array.from({ length: set.count }, (_, i) => i);
