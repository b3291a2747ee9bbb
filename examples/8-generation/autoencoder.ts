/**
 * An autoencoder: digits through a bottleneck of a few numbers and back, against principal components, the best that is linear.
 *
 * A linear autoencoder of the same size comes to the error of PCA and no lower (P. Baldi, K. Hornik, 1989); with a bend between, it
 * does better. PCA is found by powers of the covariance.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { foriLoop, jit, nn, np, optim, random, type Tensor } from 'pullback';
import { imageGrid, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';
import { batchesOf, twoSets } from '../shared/reader.ts';

const pixels = 784;
const networks = (code: number) => ({
  linear: nn.serial(nn.dense.layer(pixels, code), nn.dense.layer(code, pixels)),
  bent: nn.serial(
    nn.serial(nn.dense.layer(pixels, 128), nn.lift(nn.relu), nn.dense.layer(128, code)),
    nn.serial(nn.dense.layer(code, 128), nn.lift(nn.relu), nn.dense.layer(128, pixels)),
  ),
});

const options = {
  ...cli.commonOptions('autoencoder'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  code: cli.countIn(10, 'numbers of the bottleneck', [1, 100]),
  steps: cli.count(4000, 'steps of Adam', 100),
};

export const example: cli.Example<typeof options> = {
  name: 'autoencoder',
  about: 'digits through a bottleneck, against principal components of the same size.',
  options,
  body: ({ code, data, seed, short, steps }) =>
    pipe(
      twoSets(data, seed, short ? 600 : 6000, short ? 200 : 1000),
      TE.map(([seen, unseen]) => {
        const flat = (images: Tensor): Tensor => np.reshape(images, [images.shape[0]!, pixels]);
        const [x, held] = [flat(seen.images), flat(unseen.images)];
        const mean = np.mean(x, 0);
        // Principal components: what powers of the covariance turn a few vectors to, made orthonormal at each turn.
        const centred = np.sub(x, mean);
        const covariance = np.div(np.matmul(np.transpose(centred), centred), x.shape[0]!);
        const turn = (_: unknown, q: Tensor): Tensor => np.linalg.qr(np.matmul(covariance, q))[0] as Tensor;
        const components = jit(() => foriLoop(0, 100, turn, random.normal(random.key(0), [pixels, code])))();
        const project = (y: Tensor): Tensor =>
          np.add(mean, np.matmul(np.matmul(np.sub(y, mean), components), np.transpose(components)));
        const error = (y: Tensor, back: Tensor): number => np.mean(np.square(np.sub(y, back))).item();
        const pca = error(held, project(held));
        const learn = <P>(name: string, network: nn.Layer<P, Tensor, Tensor>) => {
          const optimizer = optim.adam(optim.cosineDecaySchedule(2e-3, steps));
          const loss = (params: P, { images }: { readonly images: Tensor }): Tensor =>
            nn.mse(network.apply(params)(flat(images)), flat(images));
          const batches = batchesOf(seen, random.key(seed + 1), steps, 128);
          const { params, losses } = descend(
            loss,
            network.init(random.key(seed)),
            optimizer,
            batches,
            cli.everySteps(name, Math.ceil(steps / 4)),
          );
          return { losses, back: network.apply(params)(held), error: error(held, network.apply(params)(held)) };
        };
        const { linear, bent } = networks(code);
        const [straight, curved] = [learn('linear', linear), learn('autoencoder', bent)];
        console.log(
          `square error of a pixel, unseen: PCA ${pca.toFixed(5)}, linear ${straight.error.toFixed(5)}, with bends ${curved.error.toFixed(5)}`,
        );
        const some = (y: Tensor): Tensor => np.reshape(np.index(y, [0, 8]) as Tensor, [8, 28, 28]);
        const line = (name: string, losses: readonly number[]) => ({
          name,
          points: losses.filter((_, i) => i % 10 === 0).map((v, i) => [10 * i, v] as const),
        });
        return {
          numbers: { pca, linear: straight.error, bent: curved.error },
          claims: [
            cli.atLeast('error of the linear autoencoder, to that of PCA', straight.error / pca, 0.97),
            ...(short
              ? []
              : [
                  cli.atMost('… not much more', straight.error / pca, 1.15),
                  cli.atMost('error with bends, to that of PCA', curved.error / pca, 0.85),
                ]),
          ],
          files: {
            'digits.svg': imageGrid({
              title: `Digits; through ${code} numbers by PCA; by the autoencoder`,
              images: np.concatenate([some(held), some(project(held)), some(curved.back)]),
              range: [1, 0],
              columns: 8,
              scale: 2,
            }),
            'losses.svg': lineChart({
              title: 'Square error of a pixel',
              xLabel: 'step',
              yLabel: 'error',
              yScale: 'log',
              series: [
                line('linear', straight.losses),
                line('with bends', curved.losses),
                {
                  name: 'PCA, unseen',
                  points: [
                    [0, pca],
                    [steps, pca],
                  ],
                },
              ],
            }),
          },
        };
      }),
    ),
};
