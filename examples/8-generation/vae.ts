/**
 * A variational autoencoder: digits from a plane of two numbers, with a bound of their likelihood.
 *
 * ELBO = E[log p(x|z)] − KL(q(z|x) ‖ N(0, I)) ≤ log p(x); averaging k samples inside of the logarithm gives a tighter bound, here by some
 * nats. D. Kingma, M. Welling, "Auto-encoding variational Bayes" (2014); Y. Burda, R. Grosse, R. Salakhutdinov
 * (2016).
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, special, type Tensor, vmap } from 'pullback';
import { imageGrid, lineChart, scatterPlot } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';
import { batchesOf, twoSets } from '../shared/reader.ts';

const [pixels, latent] = [784, 2];
const encoder = nn.serial(nn.dense.layer(pixels, 200), nn.lift(nn.relu), nn.dense.layer(200, 2 * latent));
const decoder = nn.serial(nn.dense.layer(latent, 200), nn.lift(nn.relu), nn.dense.layer(200, pixels));
const init = (key: random.Key) => ({ encoder: encoder.init(key), decoder: decoder.init(random.foldIn(key, 1)) });
type Params = ReturnType<typeof init>;

/** Mean and logarithm of the deviation of q(z|x), each float32[n, 2]. */
const encode = (p: Params, x: Tensor): readonly [Tensor, Tensor] => {
  const y = encoder.apply(p.encoder)(x);
  return [np.index(y, [], [0, latent]) as Tensor, np.index(y, [], [latent]) as Tensor];
};
/** log p(x|z) of Bernoulli pixels: float32[n]. */
const logLikelihood = (p: Params, x: Tensor, z: Tensor): Tensor =>
  np.neg(np.sum(nn.sigmoidBinaryCrossEntropy(decoder.apply(p.decoder)(z), x, { reduction: 'none' }), 1));
const logNormal = (z: Tensor, mean: Tensor | number, logDeviation: Tensor | number): Tensor =>
  np.sum(
    np.sub(
      np.mul(-0.5, np.square(np.div(np.sub(z, mean), np.exp(logDeviation)))),
      np.add(logDeviation, 0.5 * Math.log(2 * Math.PI)),
    ),
    1,
  );

/** log p(x|z) + log p(z) − log q(z|x), of a drawn z: float32[n], whose mean is the ELBO. */
const weight = (p: Params, x: Tensor, key: random.Key): Tensor => {
  const [mean, log] = encode(p, x);
  const z = np.add(mean, np.mul(np.exp(log), random.normal(key, mean.shape)));
  return np.sub(np.add(logLikelihood(p, x, z), logNormal(z, 0, 0)), logNormal(z, mean, log));
};

const options = {
  ...cli.commonOptions('vae'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  steps: cli.count(4000, 'steps of Adam', 100),
};

export const example: cli.Example<typeof options> = {
  name: 'vae',
  about: 'a variational autoencoder with a latent plane, and bounds of the likelihood.',
  options,
  body: ({ data, seed, short, steps }) =>
    pipe(
      twoSets(data, seed, short ? 600 : 8000, short ? 100 : 500),
      TE.map(([seen, unseen]) => {
        const [initKey, orderKey, noiseKey] = random.split(random.key(seed), 3);
        const flat = (images: Tensor): Tensor => np.reshape(images, [images.shape[0]!, pixels]);
        function* rows() {
          let i = 0;
          for (const { images } of batchesOf(seen, orderKey!, steps, 100))
            yield { x: flat(images), key: random.foldIn(noiseKey!, i++) };
        }
        const loss = (p: Params, { x, key }: { readonly x: Tensor; readonly key: random.Key }): Tensor =>
          np.neg(np.mean(weight(p, x, key)));
        const optimizer = optim.adam(optim.cosineDecaySchedule(2e-3, steps));
        const { params, losses } = descend(
          loss,
          init(initKey!),
          optimizer,
          rows(),
          cli.everySteps('−ELBO', Math.ceil(steps / 4)),
        );
        const held = flat(unseen.images);
        const samples = short ? 10 : 100;
        const weights = jit((p: Params) =>
          vmap((key: random.Key) => weight(p, held, key))(np.stack(random.split(noiseKey!, samples))),
        )(params);
        const elbo = np.mean(weights).item();
        const tighter = np.mean(np.sub(special.logsumexp(weights, 0), Math.log(samples))).item();
        // A model without latents: each pixel by its mean, a Bernoulli of its own.
        const pixel = np.clip(np.mean(flat(seen.images), 0), 0.001, 0.999);
        const alone = np
          .mean(np.sum(np.add(np.mul(held, np.log(pixel)), np.mul(np.sub(1, held), np.log(np.sub(1, pixel)))), 1))
          .item();
        console.log(
          `held out, nats a digit: ELBO ${elbo.toFixed(1)}, of ${samples} samples ${tighter.toFixed(1)}; pixels by themselves ${alone.toFixed(1)}`,
        );
        const [codes] = encode(params, held);
        const labels = unseen.labels.dataSync();
        const rows10 = codes.toArray() as number[][];
        const side = 12;
        const grid = Array.from({ length: side * side }, (_, i) => [
          ((i % side) / (side - 1)) * 4 - 2,
          2 - (Math.floor(i / side) / (side - 1)) * 4,
        ]);
        const drawn = np.reshape(nn.sigmoid(decoder.apply(params.decoder)(np.array(grid))), [side * side, 28, 28]);
        return {
          numbers: { elbo, tighter, alone },
          claims: [
            cli.atLeast(
              'nats by which the bound of many samples is tighter than the ELBO',
              tighter - elbo,
              short ? 0.1 : 1,
            ),
            ...(short ? [] : [cli.atLeast('ELBO beyond the likelihood of pixels by themselves', elbo - alone, 25)]),
            cli.atMost('−ELBO at the end, to the beginning', losses.at(-1)! / losses[0]!, 0.6),
          ],
          files: {
            'plane.svg': imageGrid({
              title: 'Digits over the latent plane, from −2 to 2',
              images: drawn,
              range: [1, 0],
              columns: side,
              scale: 1.2,
            }),
            'codes.svg': scatterPlot({
              title: 'Where held-out digits lie',
              xLabel: 'z₁',
              yLabel: 'z₂',
              groups: Array.from({ length: 10 }, (_, k) => ({
                name: `${k}`,
                points: rows10.filter((_, i) => labels[i] === k),
              })).filter(({ points }) => points.length > 0),
            }),
            'loss.svg': lineChart({
              title: 'Learning',
              xLabel: 'step',
              yLabel: '−ELBO, nats',
              series: [{ name: '−ELBO', points: losses.map((v, i) => [i, v] as const) }],
            }),
          },
        };
      }),
    ),
};
