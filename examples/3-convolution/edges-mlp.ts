/**
 * Features made by hand (end of §4.2.2): Sobel's derivatives, pooled, for the same perceptron that else sees raw pixels.
 *
 * Few digits to learn from: the kernels know that edges matter and pooling that places do not much. A network that learns its kernels (`lenet`) does better still: this is what one had before.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor } from 'pullback';
import { imageGrid } from 'pullback/viz';
import * as cli from '../cli.ts';
import { loadDigits } from '../digits/data.ts';
import { descend, times } from '../shared/descend.ts';
import { digitsOf } from '../shared/digits.ts';

const sobel = np.array([
  [1, 0, -1],
  [2, 0, -2],
  [1, 0, -1],
]);
/** float32[3, 3, 1, 4]: to the right, downwards, and both the other way. */
const kernels = np.expandDims(
  np.stack([sobel, np.transpose(sobel), np.neg(sobel), np.neg(np.transpose(sobel))], -1),
  2,
);

/** How strong edges of four directions are, in windows of four pixels: float32[n, 28, 28, 1] → float32[n, 7, 7, 4]. */
const edges = (images: Tensor): Tensor => {
  const strengths = nn.relu(nn.functional.conv(images, kernels, { padding: 'SAME' }));
  return nn.functional.avgPool(strengths, [4, 4], { strides: [4, 4] });
};
const flat = (x: Tensor): Tensor => np.reshape(x, [x.shape[0]!, -1]);

const options = {
  ...cli.commonOptions('edges-mlp'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  images: cli.count(500, 'digits to learn from', 200),
  steps: cli.count(400, 'steps of Adam', 80),
};

export const example: cli.Example<typeof options> = {
  name: 'edges-mlp',
  about: "Sobel's edges as features for a perceptron, against raw pixels.",
  options,
  body: ({ data, images, seed, short, steps }) =>
    pipe(
      loadDigits({ data, seed }),
      TE.map(({ train, test }) => {
        const [seen, unseen] = [digitsOf(train, images), digitsOf(test, short ? 400 : 1000)];
        const learn = (name: string, features: (x: Tensor) => Tensor): number => {
          // In the units of what is learned from, whatever else there is to see.
          const f = features(seen.images);
          const [mean, deviation] = [np.mean(f, 0), np.add(np.std(f, 0), 0.1)];
          const see = (g: Tensor): Tensor => np.div(np.sub(g, mean), deviation);
          const [x, held] = [see(f), see(features(unseen.images))];
          const model = nn.serial(nn.dense.layer(x.shape[1]!, 64), nn.lift(nn.relu), nn.dense.layer(64, 10));
          const start = model.init(random.key(seed));
          const loss = (params: typeof start): Tensor => nn.crossEntropy(model.apply(params)(x), seen.labels);
          const { params } = descend(
            loss,
            start,
            optim.adamw(2e-3, { weightDecay: 0.01 }),
            times(steps, null),
            cli.everySteps(name, steps / 2),
          );
          const hits = np.equal(np.argmax(model.apply(params)(held), 1), unseen.labels);
          return np.mean(np.astype(hits, 'float32')).item();
        };
        const pixels = learn('pixels', flat);
        const byEdges = learn('edges', (x) => flat(edges(x)));
        console.log(`unseen digits right: ${pixels.toFixed(3)} by pixels, ${byEdges.toFixed(3)} by edges`);
        const some = np.index(seen.images, [0, 5]) as Tensor;
        const found = nn.relu(nn.functional.conv(some, kernels, { padding: 'SAME' }));
        const rows = [
          np.squeeze(some, 3),
          ...[0, 1, 2, 3].map((k) => np.div(np.index(found, [], [], [], k) as Tensor, 4)),
        ];
        return {
          numbers: { pixels, edges: byEdges },
          claims: [
            cli.atLeast('what edges get right more than pixels', byEdges - pixels, short ? 0 : 0.01),
            cli.atLeast('unseen digits right by edges', byEdges, short ? 0.75 : 0.88),
          ],
          files: {
            'edges.svg': imageGrid({
              title: 'Digits, and their edges of four directions',
              images: np.concatenate(rows),
              range: [1, 0],
              columns: 5,
              scale: 2,
            }),
          },
        };
      }),
    ),
};
