/**
 * `npm start`: a network learns to read handwritten digits.
 *
 * The digits are generated, or MNIST's, read from `--data`. Before training, the model's gradient is held against central
 * differences; afterwards the learning curves are written as SVG.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { writeText } from 'pullback/io';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { loadDigits } from './data.ts';
import { checkGradient, tolerance } from './gradient.ts';
import { type Epoch, train } from './train.ts';

const options = {
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  epochs: cli.count(10, 'passes over the training set'),
  batch: cli.count(100, 'images per step'),
  hidden: cli.count(256, 'units of the hidden layer'),
  rate: cli.positive(1e-3, "Adam's learning rate"),
  seed: cli.seed(0, 'seed of all that is random'),
  ...cli.commonOptions('digits'),
};

/** What {@link options} decode to. */
export type DigitsOptions = cli.Values<typeof options>;

const chartOf = (epochs: readonly Epoch[], what: 'loss' | 'accuracy'): string =>
  lineChart({
    title: what === 'loss' ? 'Cross-entropy by epoch' : 'Accuracy by epoch',
    xLabel: 'epoch',
    yLabel: what === 'loss' ? 'mean cross-entropy' : 'fraction classified rightly',
    series: [
      { name: 'training', points: epochs.map(({ epoch, training }) => [epoch, training[what]]) },
      { name: 'held out', points: epochs.map(({ epoch, heldOut }) => [epoch, heldOut[what]]) },
    ],
  });

const digits: cli.Example<typeof options> = {
  name: 'digits',
  about: 'a network with one hidden layer learns to read handwritten digits.',
  options,
  body: (given) =>
    pipe(
      TE.Do,
      TE.bind('split', () => loadDigits(given)),
      TE.tapIO(({ split }) => () => {
        console.log(`${split.train.count} digits to learn from, ${split.test.count} held out`);
        checkGradient(split.train, given);
        console.log(`gradient law: holds within ${tolerance.toExponential()}`);
      }),
      TE.bind('trained', ({ split }) => TE.fromTask(() => train(split, given))),
      TE.tap(({ trained }) => writeText(`${given.out}/loss.svg`, chartOf(trained.epochs, 'loss'))),
      TE.tap(({ trained }) => writeText(`${given.out}/accuracy.svg`, chartOf(trained.epochs, 'accuracy'))),
      TE.map(({ trained: { device, parameters, trainSeconds, epochs } }) => {
        console.log(`curves: ${given.out}/loss.svg and accuracy.svg`);
        return { device, parameters, trainSeconds, testAccuracy: epochs.at(-1)!.heldOut.accuracy };
      }),
    ),
};

await cli.runExample(digits, process.argv.slice(2));
