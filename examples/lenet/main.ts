/**
 * `npm run example lenet`: LeNet-5 learns to read handwritten digits, generated or MNIST's.
 *
 * As in `digits`, the gradient is held against central differences first; curves and parameters are written to `--out`.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { defaultDevice } from 'pullback';
import { type Split, writeParams, writeText } from 'pullback/io';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { loadDigits } from '../digits/data.ts';
import { checkGradient, tolerance } from '../digits/gradient.ts';
import { type Epoch, train as learn } from '../digits/train.ts';
import { recipe } from './model.ts';

const options = {
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  epochs: cli.count(3, 'passes over the training set'),
  images: cli.count(8000, 'images of the training set that are used'),
  batch: cli.count(50, 'images per step'),
  rate: cli.positive(2e-3, "Adam's learning rate"),
  seed: cli.seed(0, 'seed of all that is random'),
  ...cli.commonOptions('lenet'),
};

/** The first images of the training set. */
const limited = ({ train, test }: Split, wanted: number): Split => ({
  train: { ...train, count: Math.min(train.count, wanted) },
  test,
});

const chartOf = (epochs: readonly Epoch[]): string =>
  lineChart({
    title: 'LeNet-5: accuracy by epoch',
    xLabel: 'epoch',
    yLabel: 'fraction classified rightly',
    series: [
      { name: 'training', points: epochs.map(({ epoch, training }) => [epoch, training.accuracy]) },
      { name: 'held out', points: epochs.map(({ epoch, heldOut }) => [epoch, heldOut.accuracy]) },
    ],
  });

const lenet: cli.Example<typeof options> = {
  name: 'lenet',
  about: 'LeNet-5, a convolutional network with max-pooling, learns to read handwritten digits.',
  options,
  body: (given) =>
    pipe(
      loadDigits(given),
      TE.map((split) => limited(split, given.images)),
      TE.tapIO((split) => () => {
        console.log(
          `${split.train.count} digits to learn from, ${split.test.count} held out; device ${defaultDevice().name}`,
        );
        checkGradient(split.train, recipe, given.seed);
        console.log(`gradient law: holds within ${tolerance.toExponential()}`);
      }),
      TE.flatMapTask((split) => () => learn(split, recipe, given)),
      TE.tap(({ epochs }) => writeText(`${given.out}/accuracy.svg`, chartOf(epochs))),
      TE.tap(({ params }) => writeParams(`${given.out}/params.safetensors`, params)),
      TE.map(({ parameters, trainSeconds, epochs }): cli.Summary => {
        console.log(`curves: ${given.out}/accuracy.svg; parameters: ${given.out}/params.safetensors`);
        return { parameters, trainSeconds, testAccuracy: epochs.at(-1)!.heldOut.accuracy };
      }),
    ),
};

await cli.runExample(lenet, process.argv.slice(2));
