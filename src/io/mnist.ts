/**
 * MNIST's four IDX files as labelled images, checked against each other.
 *
 * A folder may hold the training files, the test files (`t10k`) or both, each gzipped or not. Where one half is missing the
 * other is split, every tenth image being held out, so that any folder gives a training and a test set.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as RA from 'fp-ts/lib/ReadonlyArray.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { decodeErrors, mislabelled, type Reading, readError } from './failure.ts';
import { listFolder } from './file.ts';
import { type Idx, readIdx, showIdx } from './idx.ts';

/** Grey images of one size, each with a class. */
export interface LabelledImages {
  /** Number of images. */
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
  /** `count × rows × columns` bytes, row-major: 0 is paper, 255 is ink. */
  readonly pixels: Uint8Array;
  /** `count` classes, 0–9. */
  readonly labels: Uint8Array;
}

/** What to learn from and what to be judged on. */
export interface Split {
  readonly train: LabelledImages;
  readonly test: LabelledImages;
}

/** The images at `indices`, in that order. */
export function takeImages(set: LabelledImages, indices: readonly number[]): LabelledImages {
  const size = set.rows * set.columns;
  const pixels = new Uint8Array(indices.length * size);
  for (const [to, from] of indices.entries())
    pixels.set(set.pixels.subarray(from * size, (from + 1) * size), to * size);
  return { ...set, count: indices.length, pixels, labels: Uint8Array.from(indices, (i) => set.labels[i]!) };
}

/** Hold every tenth image out as the test set: those with `index % 10 = 9`. */
export const holdOutTenth = (set: LabelledImages): Split => {
  const { left: train, right: test } = pipe(
    RA.makeBy(set.count, (i) => i),
    RA.partition((i) => i % 10 === 9),
  );
  return { train: takeImages(set, train), test: takeImages(set, test) };
};

/**
 * Pair a file of images with its file of labels.
 *
 * `Mislabelled` if either is something else, if their counts differ, or if a label is not a digit.
 */
export const labelImages = (
  images: Idx,
  imagesPath: string,
  labels: Idx,
  labelsPath: string,
): Reading<LabelledImages> => {
  const failed = (path: string, reason: string) => TE.left(decodeErrors(path, mislabelled(reason)));
  if (images.dtype !== 'uint8' || images.shape.length !== 3 || images.shape[1] !== 28 || images.shape[2] !== 28) {
    return failed(imagesPath, `expected images uint8[n,28,28], found ${showIdx(images)}.`);
  }
  if (labels.dtype !== 'uint8' || labels.shape.length !== 1) {
    return failed(labelsPath, `expected labels uint8[n], found ${showIdx(labels)}.`);
  }
  const count = images.shape[0]!;
  if (labels.shape[0] !== count) {
    return failed(labelsPath, `${labels.shape[0]} labels for the ${count} images of ${imagesPath}.`);
  }
  const classes = labels.data as Uint8Array;
  const wrong = classes.findIndex((label) => label > 9);
  if (wrong >= 0) return failed(labelsPath, `label ${wrong} is ${classes[wrong]}, not a digit 0–9.`);
  return TE.right({ count, rows: 28, columns: 28, pixels: images.data as Uint8Array, labels: classes });
};

/**
 * Read MNIST from a folder that holds `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, or the same of `t10k`, or
 * both, each optionally `.gz`.
 *
 * With one half only, {@link holdOutTenth} makes the split.
 */
export const readMnist = (folder: string): Reading<Split> =>
  pipe(
    listFolder(folder),
    TE.flatMap((names): Reading<Split> => {
      const train = names.some((name) => name.startsWith('train-'));
      const test = names.some((name) => name.startsWith('t10k-'));
      if (train && test) {
        return pipe(
          TE.Do,
          TE.bind('train', () => readHalf(folder, 'train', names)),
          TE.bind('test', () => readHalf(folder, 't10k', names)),
        );
      }
      if (train || test) return pipe(readHalf(folder, train ? 'train' : 't10k', names), TE.map(holdOutTenth));
      return TE.left(
        readError(folder, 'it holds neither train-images-idx3-ubyte nor t10k-images-idx3-ubyte, nor either as .gz'),
      );
    }),
  );

const readHalf = (folder: string, half: 'train' | 't10k', names: readonly string[]): Reading<LabelledImages> => {
  const path = (file: string) => `${folder}/${names.includes(file) ? file : `${file}.gz`}`;
  const imagesPath = path(`${half}-images-idx3-ubyte`);
  const labelsPath = path(`${half}-labels-idx1-ubyte`);
  return pipe(
    TE.Do,
    TE.bind('images', () => readIdx(imagesPath)),
    TE.bind('labels', () => readIdx(labelsPath)),
    TE.flatMap(({ images, labels }) => labelImages(images, imagesPath, labels, labelsPath)),
  );
};
