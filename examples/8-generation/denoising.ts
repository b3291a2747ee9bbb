/**
 * A denoising autoencoder: it sees digits with noise and says what was there without; so it knows where digits lie.
 *
 * What it takes away points to where data are dense: r(x) − x ≈ σ²∇log p(x). P. Vincent et al. (2008); G. Alain, Y. Bengio (2014).
 * A Gaussian blur, the best of several widths, is the baseline.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor } from 'pullback';
import { imageGrid, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';
import { batchesOf, twoSets } from '../shared/reader.ts';

const network = nn.serial(
  nn.conv.layer([3, 3], 1, 16, { padding: 1 }),
  nn.lift(nn.relu),
  nn.conv.layer([3, 3], 16, 32, { padding: 1, strides: 2 }),
  nn.lift(nn.relu),
  nn.convTranspose.layer([4, 4], 32, 16, { padding: 1, strides: 2 }),
  nn.lift(nn.relu),
  nn.conv.layer([3, 3], 16, 1, { padding: 1 }),
);
type Params = nn.ParamsOf<typeof network>;

/** A blur of this width, of images float32[n, 28, 28, 1]. */
function blurred(images: Tensor, width: number): Tensor {
  const taps = np.exp(np.div(np.square(np.linspace(-3, 3, 7)), -2 * width ** 2));
  const kernel = np.outer(taps, taps);
  return nn.functional.conv(images, np.reshape(np.div(kernel, np.sum(kernel)), [7, 7, 1, 1]), { padding: 'SAME' });
}

const options = {
  ...cli.commonOptions('denoising'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  noise: cli.positive(0.4, 'deviation of the noise'),
  steps: cli.count(800, 'steps of Adam', 25),
};

export const example: cli.Example<typeof options> = {
  name: 'denoising',
  about: 'an autoencoder takes noise away from digits.',
  options,
  body: ({ data, noise, seed, short, steps }) =>
    pipe(
      twoSets(data, seed, short ? 400 : 6000, short ? 100 : 500),
      TE.map(([seen, unseen]) => {
        const [initKey, orderKey, testKey] = random.split(random.key(seed), 3);
        const spoil = (images: Tensor, key: random.Key): Tensor =>
          np.add(images, np.mul(noise, random.normal(key, images.shape)));
        const error = (found: Tensor, images: Tensor): Tensor => np.mean(np.square(np.sub(found, images)));
        function* rows() {
          let i = 0;
          for (const { images } of batchesOf(seen, orderKey!, steps, 32))
            yield { images, key: random.foldIn(orderKey!, 1_000_000 + i++) };
        }
        const loss = (params: Params, { images, key }: { readonly images: Tensor; readonly key: random.Key }): Tensor =>
          error(network.apply(params)(spoil(images, key)), images);
        const optimizer = optim.adam(optim.cosineDecaySchedule(3e-3, steps));
        const { params, losses } = descend(
          loss,
          network.init(initKey!),
          optimizer,
          rows(),
          cli.everySteps('loss', Math.ceil(steps / 4)),
        );
        const noisy = spoil(unseen.images, testKey!);
        const clean = network.apply(params)(noisy);
        const blurs = [0.5, 0.7, 0.9, 1.1, 1.4].map((width) => ({ width, found: blurred(noisy, width) }));
        const best = blurs.reduce((a, b) =>
          error(b.found, unseen.images).item() < error(a.found, unseen.images).item() ? b : a,
        );
        const [before, blur, after] = [noisy, best.found, clean].map((x) => error(x, unseen.images).item()) as [
          number,
          number,
          number,
        ];
        console.log(
          `square error of a pixel: ${before.toFixed(4)} with noise, ${blur.toFixed(4)} by the best blur, ${after.toFixed(4)} by the autoencoder`,
        );
        const some = (y: Tensor): Tensor => np.squeeze(np.index(y, [0, 8]) as Tensor, 3);
        return {
          numbers: { before, blur, after },
          claims: [
            cli.atMost('error of the autoencoder, to that of the noise', after / before, short ? 0.7 : 0.12),
            ...(short ? [] : [cli.atMost('… to that of the best blur', after / blur, 0.5)]),
          ],
          files: {
            'digits.svg': imageGrid({
              title: 'With noise, blurred, and by the autoencoder',
              images: np.concatenate([some(noisy), some(best.found), some(clean)]),
              range: [1, 0],
              columns: 8,
              scale: 2,
            }),
            'loss.svg': lineChart({
              title: 'Learning to take noise away',
              xLabel: 'step',
              yLabel: 'square error',
              yScale: 'log',
              series: [{ name: 'loss', points: losses.map((v, i) => [i, v] as const) }],
            }),
          },
        };
      }),
    ),
};
