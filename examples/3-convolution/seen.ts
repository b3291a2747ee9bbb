/**
 * What learned filters see: the taps of a first layer, and images that excite units of the second, found by climbing their
 * gradient.
 *
 * A small network learns to read digits. Its first filters are edges and strokes; the images that a deeper unit likes best are made
 * from noise, by the same `grad` that trained it, with respect to the image this time. K. Simonyan, A. Vedaldi, A. Zisserman, "Deep
 * inside convolutional networks" (2014).
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { foriLoop, grad, jit, nn, np, optim, random, type Tensor, vmap } from 'pullback';
import { imageGrid } from 'pullback/viz';
import * as cli from '../cli.ts';
import { loadDigits } from '../digits/data.ts';
import { descend } from '../shared/descend.ts';
import { chosen, type Digits, digitsOf } from '../shared/digits.ts';

const first = nn.serial(nn.conv.layer([5, 5], 1, 8, { padding: 2 }), nn.lift(nn.relu));
const second = nn.serial(nn.conv.layer([5, 5], 8, 16, { strides: 2 }), nn.lift(nn.relu));
const pooled = nn.lift((x: Tensor) => nn.functional.flatten(nn.functional.maxPool(x, [2, 2])));
const network = nn.serial(nn.serial(first, second), pooled, nn.dense.layer(6 * 6 * 16, 10));
type Params = nn.ParamsOf<typeof network>;

/** The mean response of each unit of the second layer: float32[28, 28, 1] → float32[16]. */
const responses = ([hidden]: Params, image: Tensor): Tensor =>
  np.mean(nn.serial(first, second).apply(hidden)(np.expandDims(image, 0)), [0, 1, 2]);

/** An image on which a unit answers strongly, for its contrast: gradient ascent, kept in bounds and on average grey. */
const exciting = (params: Params, unit: Tensor<'int32'>, start: Tensor, steps: number): Tensor => {
  const climb = (_: unknown, image: Tensor): Tensor => {
    const slope = grad((x: Tensor) => np.index(responses(params, x), unit) as Tensor)(image);
    const step = np.div(slope, np.maximum(np.max(np.abs(slope)), 1e-12));
    return np.clip(np.mul(0.98, np.add(image, np.mul(0.05, step))), -1, 1);
  };
  return foriLoop(0, steps, climb, start);
};

const options = {
  ...cli.commonOptions('seen'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  steps: cli.count(600, 'steps of Adam', 40),
  climbs: cli.count(100, 'steps uphill', 20),
};

export const example: cli.Example<typeof options> = {
  name: 'seen',
  about: 'the filters of a network that reads digits, and the images that its units like best.',
  options,
  body: ({ climbs, data, seed, short, steps }) =>
    pipe(
      loadDigits({ data, seed }),
      TE.map(({ train, test }) => {
        const [initKey, orderKey, noiseKey] = random.split(random.key(seed), 3);
        const [seen, unseen] = [digitsOf(train), digitsOf(test, 500)];
        const batches = Array.from({ length: steps }, (_, i) =>
          chosen(seen, random.randint(random.foldIn(orderKey!, i), [64], 0, seen.labels.size)),
        );
        const loss = (params: Params, { images, labels }: Digits): Tensor =>
          nn.crossEntropy(network.apply(params)(images), labels);
        const { params } = descend(
          loss,
          network.init(initKey!),
          optim.adam(2e-3),
          batches,
          cli.everySteps('loss', Math.ceil(steps / 4)),
        );
        const hits = np.equal(np.argmax(network.apply(params)(unseen.images), 1), unseen.labels);
        const accuracy = np.mean(np.astype(hits, 'float32')).item();

        const noise = np.mul(0.1, random.normal(noiseKey!, [16, 28, 28, 1]));
        const units = np.arange(16);
        const images = jit(vmap((u: Tensor<'int32'>, x: Tensor) => exciting(params, u, x, climbs)))(units, noise);
        const answer = (xs: Tensor): Tensor =>
          vmap((u: Tensor<'int32'>, x: Tensor) => np.index(responses(params, x), u) as Tensor)(units, xs);
        const [before, after] = [answer(noise), answer(images)];
        const louder = np.sum(np.astype(np.greater(after, np.add(np.mul(2, before), 1e-3)), 'int32')).item();
        // Against digits: the unit's answer to its image, over its greatest answer to any of these.
        const onDigits = np.max(vmap((x: Tensor) => responses(params, x))(unseen.images), 0);
        const beyond = np.mean(np.astype(np.greater(after, onDigits), 'float32')).item();
        console.log(
          `${(100 * accuracy).toFixed(1)} % of unseen digits right; ${louder} of 16 units answer their image twice as loud`,
        );
        const [[[taps]]] = params;
        return {
          numbers: { accuracy, louder, beyond },
          claims: [
            cli.atLeast('unseen digits read rightly', accuracy, short ? 0.5 : 0.94),
            cli.atLeast('units that answer their image twice as loud as noise', louder, 12),
            cli.atLeast('share of units that answer it louder than any digit', beyond, short ? 0.3 : 0.5),
          ],
          files: {
            'filters.svg': imageGrid({
              title: 'The first filters',
              images: np.moveaxis(np.squeeze(taps.w, 2), -1, 0),
              columns: 8,
              scale: 10,
            }),
            'units.svg': imageGrid({
              title: 'What units of the second layer like best',
              images: np.squeeze(images, 3),
              columns: 8,
              scale: 2,
            }),
          },
        };
      }),
    ),
};
