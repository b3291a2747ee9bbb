/**
 * Batch, stochastic and mini-batch descent (§3.3.4), by how often an example is looked at.
 *
 * The gradient of all examples is right and dear, that of one is cheap and wrong by chance, that of a few is between. For the same
 * number of examples seen, mini-batches come farthest; one at a time goes fast at first, and never comes to rest.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor } from 'pullback';
import { blobs } from 'pullback/data';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

const count = 512;

const options = { ...cli.commonOptions('descents'), epochs: cli.count(20, 'times that every example is seen', 8) };

export const example: cli.Example<typeof options> = {
  name: 'descents',
  about: 'batch, stochastic and mini-batch descent, per example seen.',
  options,
  body: ({ epochs, seed }) => {
    const [dataKey, orderKey] = random.split(random.key(seed));
    const { x, label } = blobs(dataKey, count, { noise: 0.6 });
    const features = np.concatenate([x, np.ones([count, 1])], 1);
    const lossOf = (w: Tensor, xs: Tensor, labels: Tensor<'int32'>): Tensor =>
      nn.crossEntropy(np.matmul(xs, w), labels);
    const best = descend(
      (w: Tensor) => lossOf(w, features, label),
      np.zeros([3, 3]),
      optim.adam(0.1),
      Array.from({ length: 600 }, () => null),
    );
    const least = lossOf(best.params, features, label).item();

    /** Losses over all, an epoch after the other; the mean of the last four tells how restless the end is. */
    const run = (size: number, rate: number) => {
      const ends: number[] = [];
      let w = np.zeros([3, 3]);
      const excess: number[] = [lossOf(w, features, label).item() - least];
      for (let epoch = 0; epoch < epochs; epoch++) {
        const order = random.permutation(random.foldIn(orderKey, epoch), count);
        const batches = Array.from({ length: count / size }, (_, i) => {
          const chosen = np.index(order, [i * size, (i + 1) * size]) as Tensor<'int32'>;
          return { xs: np.take(features, chosen, 0), labels: np.take(label, chosen, 0) as Tensor<'int32'> };
        });
        w = descend(
          (p: Tensor, b: (typeof batches)[number]) => lossOf(p, b.xs, b.labels),
          w,
          optim.sgd(rate),
          batches,
        ).params;
        excess.push(lossOf(w, features, label).item() - least);
        ends.push(excess.at(-1)!);
      }
      return { excess, end: ends.slice(-4).reduce((a, b) => a + b, 0) / Math.min(4, ends.length) };
    };
    const runs = { 'all 512': run(512, 1), 'mini-batches of 32': run(32, 0.3), 'one by one': run(1, 0.3) };
    for (const [name, { end }] of Object.entries(runs))
      console.log(`${name}: ${end.toExponential(2)} above the least loss`);
    const { 'all 512': batch, 'mini-batches of 32': mini, 'one by one': single } = runs;
    return TE.of({
      numbers: { least, batch: batch.end, mini: mini.end, single: single.end },
      claims: [
        cli.atLeast('how far all at once is from the least, to mini-batches', batch.end / mini.end, 1.5),
        cli.atLeast('how far one by one is, to mini-batches', single.end / mini.end, 1.5),
        cli.atLeast(
          'what one by one gains in its first epoch, to all at once',
          (single.excess[0]! - single.excess[1]!) / (batch.excess[0]! - batch.excess[1]!),
          1.2,
        ),
      ],
      files: {
        'losses.svg': lineChart({
          title: 'How far from the least loss, by examples seen',
          xLabel: 'epochs',
          yLabel: 'loss above the least',
          yScale: 'log',
          series: Object.entries(runs).map(([name, { excess }]) => ({
            name,
            points: excess.map((v, i) => [i, v] as const),
          })),
        }),
      },
    });
  },
};
