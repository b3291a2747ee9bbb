/**
 * `npm start`: a network learns to read handwritten digits.
 *
 * The digits are generated, or MNIST's, read from `--data`. Before training, the model's gradient is held against central
 * differences; afterwards the learning curves are written as SVG and the parameters as safetensors. With `--load` parameters that
 * were written so are judged instead, on the same digits.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { defaultDevice, evalShape, random } from 'pullback';
import { type Failure, paramsCodec, readParams, type Split, type WriteError, writeParams } from 'pullback/io';
import * as cli from '../cli.ts';
import { loadDigits } from './data.ts';
import { checkGradient, tolerance } from './gradient.ts';
import { init, recipe } from './model.ts';
import { curve } from './pictures.ts';
import { countOf, learn as fitted, measurer } from './train.ts';

const options = {
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  epochs: cli.count(10, 'passes over the training set', 2),
  batch: cli.count(100, 'images per step'),
  hidden: cli.count(256, 'units of the hidden layer'),
  rate: cli.positive(1e-3, "Adam's learning rate"),
  save: cli.optionalFile('file of the run: saved after each epoch, gone on with if it is there'),
  load: cli.optionalFile('judge the parameters in this file instead of training'),
  ...cli.commonOptions('digits'),
};

/** What {@link options} decode to. */
export type DigitsOptions = cli.Values<typeof options>;

/** Train, and write what came of it. */
const learn = (given: DigitsOptions, split: Split) =>
  pipe(
    TE.fromIO(() => {
      checkGradient(split.train, recipe(given.hidden), given.seed);
      console.log(`gradient law: holds within ${tolerance.toExponential()}`);
    }),
    TE.flatMap(() => fitted(split, recipe(given.hidden), given)),
    TE.tap(({ params }) => writeParams(`${given.out}/params.safetensors`, params)),
    TE.map(({ parameters, trainSeconds, history }) => {
      const testAccuracy = history.at(-1)!.validation['accuracy']!;
      return {
        numbers: { parameters, trainSeconds, testAccuracy },
        claims: [cli.atLeast('held-out digits read rightly', testAccuracy, given.short ? 0.5 : 0.9)],
        files: { 'loss.svg': curve(history, 'loss'), 'accuracy.svg': curve(history, 'accuracy') },
      };
    }),
  );

/** Judge the parameters of an earlier run. */
const judge = (given: DigitsOptions, split: Split, path: string) =>
  pipe(
    readParams(path, paramsCodec(evalShape(() => init(random.key(0), given.hidden)))),
    TE.map((params) => {
      const { loss, accuracy } = measurer(recipe(given.hidden))(params, split.test);
      console.log(`held out: loss ${loss.toFixed(4)}, accuracy ${accuracy.toFixed(4)}`);
      return { numbers: { parameters: countOf(params), testAccuracy: accuracy } };
    }),
  );

export const example: cli.Example<typeof options> = {
  name: 'digits',
  about: 'a network with one hidden layer learns to read handwritten digits.',
  options,
  body: (given) =>
    pipe(
      loadDigits(given),
      TE.tapIO((split) => () => {
        console.log(
          `${split.train.count} digits to learn from, ${split.test.count} held out; device ${defaultDevice().name}`,
        );
      }),
      TE.flatMap(
        (split): TE.TaskEither<Failure | WriteError, cli.Outcome> =>
          given.load === null ? learn(given, split) : judge(given, split, given.load),
      ),
    ),
};
