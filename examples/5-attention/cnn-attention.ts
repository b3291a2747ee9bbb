/**
 * A convolutional network with self-attention behind it (§6.5.5, Fig. 6.12): each place of the grid may look at every other.
 *
 * Two squares stand anywhere in a picture, and the question is whether they have one colour: a relation of far places, which attention
 * answers by comparing them. Pooling over all places can answer it as well, as six colours fit into its channels: both are shown.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor, vmap } from 'pullback';
import { imageGrid, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

const [side, channels] = [24, 24];

interface Pictures {
  readonly images: Tensor;
  readonly same: Tensor<'int32'>;
}

/** A picture of two squares of 4 pixels, of six colours: float32[side, side, 3], and whether the colours are the same. */
function picture(key: random.Key) {
  const [placeKey, colourKey, sameKey] = random.split(key, 3);
  const places = random.randint(placeKey!, [2, 2], 0, side - 4);
  const palette = np.array([
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
    [1, 1, 0],
    [1, 0, 1],
    [0, 1, 1],
  ]);
  const first = random.randint(colourKey!, [], 0, 6);
  const same = random.randint(sameKey!, [], 0, 2);
  const other = np.mod(np.add(first, np.add(1, random.randint(random.foldIn(colourKey!, 1), [], 0, 5))), 6);
  const second = np.where(np.equal(same, 1), first, other);
  const inside = (i: number): Tensor => {
    const along = (axis: number): Tensor<'bool'> => {
      const offset = np.sub(np.arange(side), np.index(places, i, axis));
      return np.logicalAnd(np.greaterEqual(offset, 0), np.less(offset, 4));
    };
    return np.astype(np.logicalAnd(np.expandDims(along(0), 1), np.expandDims(along(1), 0)), 'float32');
  };
  const paint = (mask: Tensor, colour: Tensor<'int32'>): Tensor =>
    np.mul(np.expandDims(mask, -1), np.index(palette, colour) as Tensor);
  return { images: np.maximum(paint(inside(0), first), paint(inside(1), second as Tensor<'int32'>)), same };
}
const drawn = (key: random.Key, count: number): Pictures => vmap(picture)(np.stack(random.split(key, count)));

const eye = nn.serial(
  nn.conv.layer([4, 4], 3, channels, { strides: 2, padding: 1 }),
  nn.lift(nn.relu),
  nn.conv.layer([3, 3], channels, channels, { strides: 2, padding: 1 }),
  nn.lift(nn.relu),
);
const init = (key: random.Key) => ({
  eye: eye.init(key),
  blocks: nn.transformerEncoder.init(random.foldIn(key, 1), {
    size: channels,
    heads: 4,
    layers: 2,
    feedForwardSize: 48,
  }),
  hidden: nn.dense.init(random.foldIn(key, 2), channels, 48),
  out: nn.dense.init(random.foldIn(key, 3), 48, 2),
});
type Params = ReturnType<typeof init>;

/** Scores of "different" and "same", with attention between the places of the grid or without. */
const scores = (p: Params, images: Tensor, looks: boolean): Tensor => {
  const grid = np.reshape(eye.apply(p.eye)(images), [images.shape[0]!, 36, channels]);
  const places = looks ? nn.transformerEncoder(p.blocks)(grid) : grid;
  return nn.dense(p.out)(nn.relu(nn.dense(p.hidden)(np.max(places, 1))));
};

const options = { ...cli.commonOptions('cnn-attention'), steps: cli.count(1500, 'steps of Adam', 12) };

export const example: cli.Example<typeof options> = {
  name: 'cnn-attention',
  about: 'self-attention behind a convolutional network compares what is far apart.',
  options,
  body: ({ seed, short, steps }) => {
    const [initKey, dataKey] = random.split(random.key(seed));
    const test = drawn(random.foldIn(dataKey, 2 ** 31), short ? 200 : 1000);
    const learn = (name: string, looks: boolean) => {
      const loss = (p: Params, key: random.Key): Tensor => {
        const { images, same } = drawn(key, 64);
        return nn.crossEntropy(scores(p, images, looks), same);
      };
      const batches = Array.from({ length: steps }, (_, i) => random.foldIn(dataKey, i));
      const { params, losses } = descend(
        loss,
        init(initKey),
        optim.adam(optim.warmupCosineDecaySchedule(0, 3e-3, Math.ceil(steps / 10), steps)),
        batches,
        cli.everySteps(name, Math.ceil(steps / 4)),
      );
      const hits = np.equal(np.argmax(scores(params, test.images, looks), 1), test.same);
      return { name, losses, accuracy: np.mean(np.astype(hits, 'float32')).item() };
    };
    const [without, within] = [learn('without attention', false), learn('with attention', true)];
    console.log(`right: ${without.accuracy.toFixed(3)} without attention, ${within.accuracy.toFixed(3)} with it`);
    const same = test.same.dataSync();
    return TE.of({
      numbers: { without: without.accuracy, with: within.accuracy },
      claims: short
        ? [cli.atMost('loss after a few steps, to that of a guess', within.losses.at(-1)! / Math.LN2, 1.05)]
        : [
            cli.atLeast('answers right with attention', within.accuracy, 0.95),
            cli.atLeast('… not less than without', within.accuracy - without.accuracy, -0.01),
          ],
      files: {
        'pictures.svg': imageGrid({
          title: 'The same colour, or not?',
          images: np.index(test.images, [0, 10]) as Tensor,
          range: [0, 1],
          captions: Array.from(same.slice(0, 10), (s) => (s === 1 ? 'same' : 'different')),
          columns: 5,
          scale: 3.5,
        }),
        'losses.svg': lineChart({
          title: 'Learning to compare',
          xLabel: 'step',
          yLabel: 'cross entropy',
          series: [without, within].map(({ name, losses }) => ({
            name,
            points: losses.filter((_, i) => i % 5 === 0).map((v, i) => [5 * i, v] as const),
          })),
        }),
      },
    });
  },
};
