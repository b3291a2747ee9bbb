/**
 * Randomized smoothing (§7.3): the class that noise sees most often cannot be changed by a small enough attack, and how small is
 * certified.
 *
 * If of many noisy copies N(x, σ²) the share p reads one class, then so does the smoothed classifier within the radius σΦ⁻¹(p), p
 * bounded from below by what was counted. For a linear classifier that radius is the distance to its plane, exactly. J. Cohen, E.
 * Rosenfeld, J. Z. Kolter, "Certified adversarial robustness via randomized smoothing" (2019).
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, map, nn, np, random, special, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import type { Digits } from '../shared/digits.ts';
import { learned, type Params, scores, twoSets } from '../shared/reader.ts';

/** The lower bound of a share, of which `hits` of `n` were counted, that holds with probability 1 − α: Clopper and Pearson's, by bisection of the incomplete beta function. */
function lowerBound(hits: Tensor, n: number, alpha: number): Tensor {
  let [low, high] = [np.zerosLike(hits), np.onesLike(hits)];
  for (let i = 0; i < 30; i++) {
    const middle = np.mul(0.5, np.add(low, high));
    const tooLow = np.less(special.betainc(np.maximum(hits, 1e-3), np.add(np.sub(n, hits), 1), middle), alpha);
    [low, high] = [np.where(tooLow, middle, low) as Tensor, np.where(tooLow, high, middle) as Tensor];
  }
  return np.where(np.greater(hits, 0), low, 0) as Tensor;
}

const options = {
  ...cli.commonOptions('smoothing'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  steps: cli.count(800, 'steps of training', 40),
  copies: cli.count(1000, 'noisy copies of a digit', 100),
  sigma: cli.positive(0.5, 'deviation of the noise'),
};

export const example: cli.Example<typeof options> = {
  name: 'smoothing',
  about: 'certificates of robustness by noise: how far each digit may be changed.',
  options,
  body: ({ copies, data, seed, short, sigma, steps }) =>
    pipe(
      twoSets(data, seed, short ? 600 : 8000, short ? 40 : 200),
      TE.map(([seen, unseen]) => {
        const [learnKey, noiseKey] = random.split(random.key(seed));
        // Learned with the noise that it is to meet; the sum of a batch's labels makes its key, as `learned` hands on no other.
        const noisy = (params: Params, { images, labels }: Digits): Tensor => {
          const key = random.foldIn(noiseKey, np.sum(labels) as Tensor<'int32'>);
          return nn.crossEntropy(
            scores(params, np.add(images, np.mul(sigma, random.normal(key, images.shape)))),
            labels,
          );
        };
        const params = learned(noisy, seen, learnKey, steps, cli.everySteps('loss', Math.ceil(steps / 3)));
        /** How often each class is read among noisy copies: float32[n, 10]. */
        const counts = (p: Params, images: Tensor, key: random.Key, n: number): Tensor =>
          map((image: Tensor) => {
            const around = np.add(image, np.mul(sigma, random.normal(key, [n, ...image.shape])));
            return np.astype(np.bincount(np.argmax(scores(p, around), 1), { length: 10 }), 'float32');
          }, images);
        const count = jit((p: Params, x: Tensor, key: random.Key) => counts(p, x, key, copies));
        const guess = np.argmax(count(params, unseen.images, random.foldIn(noiseKey, 1)), 1);
        const hits = np.squeeze(
          np.takeAlongAxis(count(params, unseen.images, random.foldIn(noiseKey, 2)), np.expandDims(guess, 1), 1),
          1,
        ) as Tensor;
        const share = lowerBound(hits, copies, 0.001);
        const radius = np.mul(sigma, special.ndtri(np.maximum(share, 0.5))) as Tensor;
        const right = np.astype(np.equal(guess, unseen.labels), 'float32');
        const certified = (r: number): number =>
          np
            .mean(
              np.mul(right, np.astype(np.logicalAnd(np.greater(share, 0.5), np.greaterEqual(radius, r)), 'float32')),
            )
            .item();
        const radii = Array.from({ length: 21 }, (_, i) => (i / 20) * 3 * sigma);
        console.log(
          `right ${np.mean(right).item().toFixed(3)}; certified within 0.5: ${certified(0.5).toFixed(3)}, within 1: ${certified(1).toFixed(3)}`,
        );

        // Of a plane: noise of deviation σ at the distance d is on its side with probability Φ(d/σ).
        const [w, distance] = [np.div(np.ones([20]), Math.sqrt(20)), 0.6];
        const side = np.greater(
          np.matmul(np.add(np.mul(distance, w), np.mul(sigma, random.normal(noiseKey, [200_000, 20]))), w),
          0,
        );
        const plane = sigma * (special.ndtri(np.mean(np.astype(side, 'float32'))) as Tensor).item();
        // Moved by nearly the radius, in a direction drawn at random, a certified digit is read as before: a check of the certificate, no attack.
        const pushed = random.normal(random.foldIn(noiseKey, 3), unseen.images.shape);
        const lengths = np.reshape(
          np.linalg.vectorNorm(np.reshape(pushed, [unseen.labels.size, -1]), { axis: 1 }),
          [-1, 1, 1, 1],
        );
        const moved = np.add(
          unseen.images,
          np.mul(np.reshape(np.mul(0.95, radius), [-1, 1, 1, 1]), np.div(pushed, lengths)),
        );
        const after = np.argmax(count(params, moved, random.foldIn(noiseKey, 4)), 1);
        const broken = np
          .sum(np.astype(np.logicalAnd(np.greater(radius, 0), np.notEqual(after, guess)), 'int32'))
          .item();
        return {
          numbers: { right: np.mean(right).item(), certified: certified(0.5), plane, broken },
          claims: [
            cli.atLeast('digits right and certified within 0.5', certified(0.5), short ? 0.1 : 0.7),
            cli.atMost('the radius of a linear classifier from its distance', Math.abs(plane - distance), 0.01),
            cli.atMost('certified digits that change when pushed by less than their radius', broken, 0),
          ],
          files: {
            'certified.svg': lineChart({
              title: 'Digits right whatever is done to them',
              xLabel: 'radius, in the length of the change',
              yLabel: 'certified',
              series: [{ name: `σ = ${sigma}`, points: radii.map((r) => [r, certified(r)] as const) }],
            }),
          },
        };
      }),
    ),
};
