/** What `mlp` and `lenet` have in common: a model learns to read digits, with all that `train` and `viz` have for it. */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { defaultDevice } from 'pullback';
import { augment } from 'pullback/data';
import { type Split, writeParams } from 'pullback/io';
import * as cli from '../cli.ts';
import { loadDigits } from './data.ts';
import { checkGradient, tolerance } from './gradient.ts';
import { report } from './pictures.ts';
import { learn, type Recipe } from './train.ts';

/** A model that is to learn, and how long. */
export interface Reader<P> {
  readonly name: string;
  readonly about: string;
  readonly title: string;
  readonly recipe: Recipe<P>;
  readonly epochs: number;
  readonly batch: number;
  readonly rate: number;
  /** The share of held-out digits that it must read. */
  readonly wanted: number;
}

/** Handwriting leans, and is large or small: a digit that is bent a little is the same digit. */
const augmentation: augment.Augmentation = (key, x) =>
  augment.randomAffine(key, x, { degrees: 10, translate: 0.07, scale: [0.9, 1.1], shear: 5 });

/** The first images of the training set. */
const limited = ({ train, test }: Split, wanted: number): Split => ({
  train: { ...train, count: Math.min(train.count, wanted) },
  test,
});

/** Train a model on digits: Adam whose rate falls along a cosine, on images that are bent a little at every step. */
export function reader<P>({ name, about, title, recipe, epochs, batch, rate, wanted }: Reader<P>) {
  const options = {
    data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
    epochs: cli.count(epochs, 'passes over the training set', 1),
    images: cli.count(60_000, 'images of the training set that are used, at most', 2000),
    batch: cli.count(batch, 'images per step'),
    rate: cli.positive(rate, "Adam's learning rate at first; it falls along a cosine"),
    save: cli.optionalFile('file of the run: saved after each epoch, gone on with if it is there'),
    ...cli.commonOptions(name),
  };
  const example: cli.Example<typeof options> = {
    name,
    about,
    options,
    body: (given) =>
      pipe(
        loadDigits(given),
        TE.map((split) => limited(split, given.images)),
        TE.tapIO((split) => () => {
          const { train, test } = split;
          console.log(`${train.count} digits to learn from, ${test.count} held out; device ${defaultDevice().name}`);
          checkGradient(train, recipe, given.seed);
          console.log(`gradient law: holds within ${tolerance.toExponential()}`);
        }),
        TE.flatMap((split) =>
          pipe(
            learn(split, recipe, { ...given, decay: true, augmentation }),
            TE.bindTo('trained'),
            TE.bind('page', ({ trained }) => TE.fromIO(() => report(title, recipe, trained, split.test))),
          ),
        ),
        TE.tap(({ trained }) => writeParams(`${given.out}/params.safetensors`, trained.params)),
        TE.map(({ trained: { parameters, trainSeconds, history }, page }) => {
          const testAccuracy = history.at(-1)!.validation['accuracy']!;
          return {
            numbers: { parameters, trainSeconds, testAccuracy },
            claims: [cli.atLeast('held-out digits read rightly', testAccuracy, given.short ? 0.3 : wanted)],
            files: { 'index.html': page },
          };
        }),
      ),
  };
  return example;
}
