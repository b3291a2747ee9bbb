/** Adam over shuffled batches: the step is one compiled program, the loop is plain TypeScript. */

import { SingleBar } from 'cli-progress';
import { defaultDevice, jit, optim, random, type Tensor, tree, valueAndGrad } from 'pullback';
import { batches, randomOrder } from 'pullback/data';
import type { LabelledImages, Split } from 'pullback/io';
import { inOrder, tensorsOf } from './data.ts';
import { init, loss, type Params, score } from './model.ts';

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

/** What training gives. */
export interface Trained {
  readonly params: Params;
  readonly epochs: readonly Epoch[];
  readonly device: string;
  /** Numbers that were learned. */
  readonly parameters: number;
  readonly trainSeconds: number;
}

/** How to train. */
export interface TrainOptions {
  readonly epochs: number;
  readonly batch: number;
  readonly hidden: number;
  readonly rate: number;
  readonly seed: number;
}

/** Train on one half, measure both after each epoch, and print a line for it. */
export async function train(split: Split, options: TrainOptions): Promise<Trained> {
  const [initKey, orderKey] = random.split(random.key(options.seed));
  const optimizer = optim.adam(options.rate);
  const step = jit((params: Params, state: optim.OptState, x: Tensor, labels: Tensor<'int32'>) => {
    const [value, grads] = valueAndGrad(loss)(params, x, labels);
    const [updates, next] = optimizer.update(grads, state, params);
    return [value, optim.applyUpdates(params, updates), next] as const;
  });
  const measure = measurer();

  let params = init(initKey, options.hidden);
  let state = optimizer.init(params);
  const epochs: Epoch[] = [];
  const bar = progressBar(split.train.count);
  const began = performance.now();
  console.log('epoch   loss    accuracy   held-out loss   held-out accuracy   seconds');
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    const epochBegan = performance.now();
    const order = randomOrder(await random.bits(random.foldIn(orderKey, epoch), [split.train.count]).data());
    bar.begin(epoch);
    for (const batch of batches(split.train, order, options.batch)) {
      const [x, labels] = tensorsOf(batch);
      const [value, ...next] = step(params, state, x, labels);
      [params, state] = next;
      bar.advance(batch.count, value.item());
    }
    bar.end();
    const seconds = (performance.now() - epochBegan) / 1000;
    const row = { epoch, training: measure(params, split.train), heldOut: measure(params, split.test), seconds };
    epochs.push(row);
    console.log(lineOf(row));
  }
  return {
    params,
    epochs,
    device: defaultDevice().name,
    parameters: countOf(params),
    trainSeconds: Math.round(performance.now() - began) / 1000,
  };
}

/** How many numbers there are in the parameters. */
export const countOf = (params: Params): number => tree.reduce((total, leaf) => total + leaf.size, 0, params);

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
export function measurer() {
  const compiled = jit(score);
  return (params: Params, set: LabelledImages): Measure => {
    let [right, total] = [0, 0];
    for (const batch of batches(set, inOrder(set), 500)) {
      const [x, labels] = tensorsOf(batch);
      const scored = compiled(params, x, labels);
      right += scored.right.item();
      total += scored.loss.item() * batch.count;
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
