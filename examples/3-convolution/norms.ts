/**
 * Which elements are normalized together (Fig. 4.14): by batch, layer, instance and group norm.
 *
 * It is not drawn from the definitions but found in the code: an element's output depends on the inputs of its group, so that its
 * gradient is not zero exactly there. Each norm leaves a group with mean 0 and variance 1.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, nn, np, random, type Tensor } from 'pullback';
import { imageGrid } from 'pullback/viz';
import * as cli from '../cli.ts';

/** Images, rows, columns and channels. */
const [n, h, w, c] = [6, 2, 3, 6];

const norms: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  'batch norm': (x) => nn.functional.batchNorm(x, nn.batchNorm.state(c), { training: true })[0],
  'layer norm': (x) => nn.functional.layerNorm(x, { axis: [1, 2, 3] }),
  'instance norm': (x) => nn.functional.instanceNorm(x),
  'group norm': (x) => nn.functional.groupNorm(x, 2),
};
/** The elements that each normalizes together: images, places, channels. */
const groups: Readonly<Record<string, number>> = {
  'batch norm': n * h * w,
  'layer norm': h * w * c,
  'instance norm': h * w,
  'group norm': h * w * (c / 2),
};

const options = cli.commonOptions('norms');

export const example: cli.Example<typeof options> = {
  name: 'norms',
  about: 'which elements batch, layer, instance and group norm normalize together, found by gradients.',
  options,
  body: ({ seed }) => {
    const x = np.add(np.mul(3, random.normal(random.key(seed), [n, h, w, c])), 5);
    const rows = Object.entries(norms).map(([name, norm]) => {
      // Of one element, in the second image and the second channel.
      const slopes = grad((y: Tensor) => np.index(norm(y), 1, 0, 0, 1) as Tensor)(x);
      const together = np.greater(np.abs(slopes), 1e-7);
      const count = np.sum(np.astype(together, 'int32')).item();
      const inGroup = np.astype(together, 'float32');
      const mean = np.div(np.sum(np.mul(norm(x), inGroup)), count);
      const variance = np.div(np.sum(np.mul(np.square(np.sub(norm(x), mean)), inGroup)), count);
      console.log(
        `${name}: ${count} elements together, of mean ${mean.item().toFixed(3)} and variance ${variance.item().toFixed(3)}`,
      );
      // Images downwards, channels to the right: an element of the picture is all places of an image in a channel.
      const picture = np.astype(np.any(together, [1, 2]), 'float32');
      return { name, count, picture, off: Math.max(Math.abs(mean.item()), Math.abs(variance.item() - 1)) };
    });
    const right = rows.filter(({ name, count }) => count === groups[name]).length;
    return TE.of({
      numbers: Object.fromEntries(rows.map(({ name, count }) => [name, count])),
      claims: [
        cli.atLeast('norms that normalize together what the figure shows', right, rows.length),
        cli.atMost('mean and variance of a group, from 0 and 1', Math.max(...rows.map(({ off }) => off)), 1e-3),
      ],
      files: {
        'norms.svg': imageGrid({
          title: 'Normalized together: images (downwards) and channels (to the right)',
          images: np.stack(rows.map(({ picture }) => picture)),
          captions: rows.map(({ name }) => name),
          range: [1.4, -0.2],
          columns: 4,
          scale: 22,
        }),
      },
    });
  },
};
