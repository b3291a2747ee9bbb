/** Adam over shuffled batches: the step is one compiled program, the loop around it a fold. */

import { SingleBar } from 'cli-progress';
import { pipe } from 'fp-ts/lib/function.js';
import { jit, optim, random, type Tensor, tree, valueAndGrad } from 'pullback';
import { dataset, labelledImages } from 'pullback/data';
import type { LabelledImages, Split } from 'pullback/io';
import { fold } from 'pullback/train';
import { tensorsOf } from './data.ts';

/** How well a set is read. */
export interface Measure {
  readonly loss: number;
  readonly accuracy: number;
}

/** One pass over the training set, and the measures after it. */
export interface Epoch {
  readonly epoch: number;
  readonly training: Measure;
  readonly heldOut: Measure;
  readonly seconds: number;
}

/** A model of the images: how it begins, what a wrong answer costs, and how often it is right. */
export interface Recipe<P> {
  /** Fresh parameters. */
  readonly init: (key: Tensor<'uint32'>) => P;
  /** Mean loss of a batch: float32[batch, 784] and int32[batch]. */
  readonly loss: (params: P, x: Tensor, labels: Tensor<'int32'>) => Tensor;
  /** How many of a batch are classified rightly, and its mean loss. */
  readonly score: (params: P, x: Tensor, labels: Tensor<'int32'>) => { right: Tensor<'int32'>; loss: Tensor };
}

/** What training gives. */
export interface Trained<P> {
  readonly params: P;
  readonly epochs: readonly Epoch[];
  /** Numbers that were learned. */
  readonly parameters: number;
  readonly trainSeconds: number;
}

/** What a step makes anew. */
interface Progress<P> {
  readonly params: P;
  readonly state: optim.OptState;
}

/** How to train. */
export interface TrainOptions {
  readonly epochs: number;
  readonly batch: number;
  readonly rate: number;
  readonly seed: number;
}

/** Train on one half, measure both after each epoch, and print a line for it. */
export async function train<P>(split: Split, model: Recipe<P>, options: TrainOptions): Promise<Trained<P>> {
  const [initKey, orderKey] = random.split(random.key(options.seed));
  const optimizer = optim.adam(options.rate);
  // The gradient of a tree has the type of the tree, which the compiler cannot know of any `P`.
  const lossAndGradient = valueAndGrad(model.loss) as (...args: Parameters<typeof model.loss>) => [Tensor, P];
  const step = ({ params, state }: Progress<P>, [x, labels]: ReturnType<typeof tensorsOf>) => {
    const [loss, grads] = lossAndGradient(params, x, labels);
    const [updates, next] = optimizer.update(grads, state, params);
    return [
      { params: optim.applyUpdates(params, updates), state: next },
      { loss, count: labels.size },
    ] as const;
  };
  const measure = measurer(model);

  const params = model.init(initKey);
  let progress: Progress<P> = { params, state: optimizer.init(params) };
  const epochs: Epoch[] = [];
  const images = labelledImages(split.train);
  const bar = progressBar(images.length);
  const began = performance.now();
  console.log('epoch   loss    accuracy   held-out loss   held-out accuracy   seconds');
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    const epochBegan = performance.now();
    const batches = pipe(
      images,
      dataset.shuffle(random.foldIn(orderKey, epoch)),
      dataset.batch(options.batch),
      dataset.map(tensorsOf),
    );
    bar.begin(epoch);
    [progress] = fold(step, progress, batches, {
      onStep: ({ loss, count }) => bar.advance(count, loss.item()),
    });
    bar.end();
    const seconds = (performance.now() - epochBegan) / 1000;
    const row = {
      epoch,
      training: measure(progress.params, split.train),
      heldOut: measure(progress.params, split.test),
      seconds,
    };
    epochs.push(row);
    console.log(lineOf(row));
  }
  return {
    params: progress.params,
    epochs,
    parameters: countOf(params),
    trainSeconds: Math.round(performance.now() - began) / 1000,
  };
}

/** How many numbers there are in the parameters. */
export const countOf = (params: unknown): number => tree.reduce((total, leaf) => total + leaf.size, 0, params);

const lineOf = ({ epoch, training, heldOut, seconds }: Epoch): string =>
  [
    String(epoch).padStart(5),
    training.loss.toFixed(4).padStart(8),
    training.accuracy.toFixed(4).padStart(10),
    heldOut.loss.toFixed(4).padStart(15),
    heldOut.accuracy.toFixed(4).padStart(19),
    seconds.toFixed(1).padStart(11),
  ].join('');

/** Loss and accuracy of a whole set, by one compiled program. */
export function measurer<P>(model: Recipe<P>) {
  const compiled = jit(model.score);
  return (params: P, set: LabelledImages): Measure => {
    let [right, total] = [0, 0];
    for (const batch of pipe(labelledImages(set), dataset.batch(500))) {
      const [x, labels] = tensorsOf(batch);
      const scored = compiled(params, x, labels);
      right += scored.right.item();
      total += scored.loss.item() * labels.size;
    }
    return { loss: total / set.count, accuracy: right / set.count };
  };
}

/** A progress bar of one epoch; nothing at all when the output is not a terminal. */
function progressBar(images: number) {
  if (!process.stdout.isTTY) return { begin: () => {}, advance: () => {}, end: () => {} };
  const bar = new SingleBar({
    format: 'epoch {epoch} [{bar}] {value}/{total} images, loss {loss}, {eta} s left',
    clearOnComplete: true,
    hideCursor: true,
    barCompleteChar: '=',
    barIncompleteChar: ' ',
    stream: process.stdout,
  });
  return {
    begin: (epoch: number) => bar.start(images, 0, { epoch, loss: '-' }),
    advance: (count: number, loss: number) => bar.increment(count, { loss: loss.toFixed(4) }),
    end: () => bar.stop(),
  };
}
