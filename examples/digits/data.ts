/** Where the digits come from: a folder of MNIST's files, or a generator of handwriting. */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { np, random } from 'pullback';
import { type Batch, digits, type LabelledImage } from 'pullback/data';
import { decodeErrors, mislabelled, type Reading, readMnist, type Split } from 'pullback/io';

/** Generated digits to learn from and to be judged on. */
async function generated(seed: number, seen: number, unseen: number): Promise<Split> {
  const [training, heldOut] = random.split(random.key(seed));
  return { train: await digits(training, seen), test: await digits(heldOut, unseen) };
}

/** What digits are asked for. */
export interface DigitsAsked {
  readonly data: string | null;
  readonly seed: number;
  /** How many are generated to learn from (8,000 unless said) and to be judged on (2,000). */
  readonly seen?: number;
  readonly unseen?: number;
}

/** The digits that the options ask for, neither half empty. */
export const loadDigits = ({ data, seed, seen = 8000, unseen = 2000 }: DigitsAsked): Reading<Split> =>
  data === null
    ? TE.fromTask(() => generated(seed, seen, unseen))
    : pipe(
        readMnist(data),
        TE.flatMapEither((split) =>
          Math.min(split.train.count, split.test.count) > 0
            ? E.right(split)
            : E.left(decodeErrors(data, mislabelled('it has too few images to learn from some and hold others out.'))),
        ),
      );

/** A batch of images as the models take it: float32[batch, 784] and int32[batch]. */
export const tensorsOf = ({ image, label }: Batch<LabelledImage>) =>
  [np.reshape(image, [label.size, -1]), label] as const;
