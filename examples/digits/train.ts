/** Adam over shuffled batches, by `train.fit`: the step is one compiled program, and a run that was cut short goes on. */

import { pipe } from 'fp-ts/lib/function.js';
import { concatAll, struct } from 'fp-ts/lib/Monoid.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, type Tensor, train, tree, valueAndGrad } from 'pullback';
import { type augment, dataset, labelledImages } from 'pullback/data';
import type { Failure, LabelledImages, Split, WriteError } from 'pullback/io';
import { tensorsOf } from './data.ts';

/** A model of the images: how it begins, and how it scores the classes. */
export interface Recipe<P> {
  /** Fresh parameters. */
  readonly init: (key: random.Key) => P;
  /** float32[batch, 784] → float32[batch, 10]. */
  readonly scores: (params: P) => (x: Tensor) => Tensor;
}

/** Mean cross-entropy of a batch: float32[batch, 784] and int32[batch]. */
export const lossOf =
  <P>({ scores }: Recipe<P>) =>
  (params: P, x: Tensor, labels: Tensor<'int32'>): Tensor =>
    nn.crossEntropy(scores(params)(x), labels);

/** How well a set is read. */
export interface Measure {
  readonly loss: number;
  readonly accuracy: number;
  /** int32[10, 10]: how many images of a class (rows) were taken for one (columns). */
  readonly confusion: Tensor<'int32'>;
}

/** What training gives. */
export interface Trained<P> {
  readonly params: P;
  /** A record of each epoch: loss and accuracy, of the steps (training) and of what was held out (validation). */
  readonly history: readonly train.EpochRecord[];
  /** Numbers that were learned. */
  readonly parameters: number;
  readonly trainSeconds: number;
}

/** How to train. */
export interface TrainOptions {
  readonly epochs: number;
  readonly batch: number;
  readonly rate: number;
  readonly seed: number;
  /** Let the rate fall to nothing, along a cosine. */
  readonly decay?: boolean;
  /** Changes the images of a step, by its key. */
  readonly augmentation?: augment.Augmentation;
  /** Where the run is saved after each epoch, and gone on with if it is there. */
  readonly save?: string | null;
}

/** What a step makes anew. */
interface Carry<P> {
  readonly params: P;
  readonly state: optim.OptState;
}

/** Train on one half, measure the other after each epoch, and print a line for it. */
export const learn = <P>(
  split: Split,
  model: Recipe<P>,
  { epochs, batch, rate, seed, decay = false, augmentation, save = null }: TrainOptions,
): TE.TaskEither<Failure | WriteError, Trained<P>> => {
  const [initKey, orderKey] = random.split(random.key(seed));
  const images = labelledImages(split.train);
  const steps = Math.ceil(images.length / batch);
  const optimizer = optim.adam(decay ? optim.cosineDecaySchedule(rate, epochs * steps) : rate);

  const step = ({ params, state }: Carry<P>, [x, labels]: ReturnType<typeof tensorsOf>, key: random.Key) => {
    const seen = augmentation === undefined ? x : altered(augmentation, key, x);
    // The scores of the images come along with their loss, so that the model runs once.
    const lossAndScores = (p: P): [Tensor, Tensor] => {
      const scores = model.scores(p)(seen);
      return [nn.crossEntropy(scores, labels), scores];
    };
    const [[loss, scores], gradient] = valueAndGrad(lossAndScores, { hasAux: true })(params);
    // The gradient of a tree has the type of the tree, which the compiler cannot know of any `P`.
    const [updates, next] = optimizer.update(gradient as unknown as P, state, params);
    const hits = nn.metrics.accuracy();
    return [
      { params: optim.applyUpdates(params, updates), state: next },
      { loss, accuracy: hits.value(hits.of(scores, labels)) },
    ] as const;
  };

  const params = model.init(initKey);
  const fresh = train.startRun({ params, state: optimizer.init(params) }, random.key(seed));
  const measure = measurer(model);
  const began = performance.now();
  let epochBegan = began;
  return pipe(
    save === null ? TE.right(fresh) : train.openRun(save, fresh),
    TE.bindTo('run'),
    TE.bind('progress', () => TE.fromTask(() => train.terminalProgress(steps))),
    TE.tapIO(({ run }) => () => {
      if (run.epoch > 0) console.log(`goes on after epoch ${run.epoch} of ${save}`);
      console.log('epoch   loss    accuracy   held-out loss   held-out accuracy   seconds');
      epochBegan = performance.now();
    }),
    TE.flatMap(({ run, progress }) =>
      train.fit(
        step,
        run,
        (epoch, from) =>
          pipe(
            images,
            dataset.shuffle(random.foldIn(orderKey, epoch + 1)),
            dataset.batch(batch),
            dataset.skip(from),
            dataset.map(tensorsOf),
          ),
        {
          epochs,
          progress,
          validate: (carry) => {
            const { loss, accuracy } = measure(carry.params, split.test);
            return { loss, accuracy };
          },
          onEpoch: (record) => {
            console.log(lineOf(record, (performance.now() - epochBegan) / 1000));
            epochBegan = performance.now();
          },
          ...(save !== null && { save: { path: save } }),
        },
      ),
    ),
    TE.map(({ carry, history }) => ({
      params: carry.params,
      history,
      parameters: countOf(carry.params),
      trainSeconds: Math.round(performance.now() - began) / 1000,
    })),
  );
};

/** The images of a batch as the model takes them, changed by chance. */
const altered = (change: augment.Augmentation, key: random.Key, x: Tensor): Tensor =>
  np.reshape(change(key, np.reshape(x, [-1, 28, 28, 1])), x.shape);

/** How many numbers there are in the parameters. */
export const countOf = (params: unknown): number => tree.reduce((total, leaf) => total + leaf.size, 0, params);

const lineOf = ({ epoch, training, validation }: train.EpochRecord, seconds: number): string =>
  [
    String(epoch + 1).padStart(5),
    training['loss']!.toFixed(4).padStart(8),
    training['accuracy']!.toFixed(4).padStart(10),
    validation['loss']!.toFixed(4).padStart(15),
    validation['accuracy']!.toFixed(4).padStart(19),
    seconds.toFixed(1).padStart(11),
  ].join('');

/** Measures of a whole set: a monoid adds up what one compiled program says of each batch. */
export function measurer<P>({ scores }: Recipe<P>) {
  const [losses, hits, confusion] = [nn.metrics.mean(), nn.metrics.accuracy(), nn.metrics.confusionMatrix(10)];
  const of = jit((params: P, x: Tensor, labels: Tensor<'int32'>) => {
    const found = scores(params)(x);
    return {
      loss: losses.of(nn.crossEntropy(found, labels, { reduction: 'none' })),
      accuracy: hits.of(found, labels),
      confusion: confusion.of(np.argmax(found, 1), labels),
    };
  });
  return (params: P, set: LabelledImages): Measure => {
    const batches = pipe(labelledImages(set), dataset.batch(500), dataset.map(tensorsOf));
    const seen = concatAll(struct({ loss: losses, accuracy: hits, confusion }))(
      Array.from(batches, ([x, labels]) => of(params, x, labels)),
    );
    return {
      loss: Number(losses.value(seen.loss).item()),
      accuracy: Number(hits.value(seen.accuracy).item()),
      confusion: confusion.value(seen.confusion),
    };
  };
}
