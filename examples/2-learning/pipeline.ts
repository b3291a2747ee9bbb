/**
 * The whole pipeline (§1.2) on two classes of drawings in a folder of images: collect, look, split, learn, judge, predict.
 *
 * The drawings are generated and written as PNG files, a folder for each class; everything after that knows the folder only, and
 * would do the same with yours. Steps that spoil results are kept apart: what is held out is seen once, at the end.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor } from 'pullback';
import { captionedShapes, toTensor } from 'pullback/data';
import { type ClassedImage, imageTensor, readImage, readImageFolder, writePng } from 'pullback/io';
import { imageGrid, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

const kinds = ['circle', 'triangle'];

/** Write drawings of both kinds, each under its kind: what collecting data would have given. */
const collect = (folder: string, key: random.Key, count: number) =>
  pipe(
    [...captionedShapes(key, 6 * count, { size: 24 })]
      .filter(({ shapes }) => shapes.length === 1 && kinds.includes(shapes[0]!.kind))
      .slice(0, count)
      .map(({ image, shapes }, i) => writePng(`${folder}/${shapes[0]!.kind}/${i}.png`, toTensor(image))),
    TE.sequenceSeqArray,
  );

interface Examples {
  readonly x: Tensor;
  readonly y: Tensor<'int32'>;
}
const examplesOf = (images: readonly ClassedImage[]): Examples => ({
  x: np.stack(images.map(({ pixels }) => imageTensor(pixels))),
  y: np.array(
    images.map(({ label }) => label),
    { dtype: 'int32' },
  ),
});

const model = nn.serial(
  nn.conv.layer([5, 5], 3, 8, { strides: 2, padding: 2 }),
  nn.lift(nn.relu),
  nn.conv.layer([3, 3], 8, 16, { strides: 2, padding: 1 }),
  nn.lift((x: Tensor) => np.max(nn.relu(x), [1, 2])),
  nn.dense.layer(16, 2),
);
type Params = nn.ParamsOf<typeof model>;
const accuracy = (params: Params, { x, y }: Examples): number =>
  np.mean(np.astype(np.equal(np.argmax(model.apply(params)(x), 1), y), 'float32')).item();

const options = {
  ...cli.commonOptions('pipeline'),
  images: cli.countIn(600, 'drawings', [40, 10_000], 120),
  epochs: cli.count(60, 'passes over the training set', 10),
};

export const example: cli.Example<typeof options> = {
  name: 'pipeline',
  about: 'from a folder of images to a classifier that is judged and used.',
  options,
  body: ({ epochs, images: count, out, seed, short }) => {
    const [drawKey, splitKey, initKey, orderKey] = random.split(random.key(seed), 4);
    const folder = `${out}/images-${count}-${seed}`;
    return pipe(
      collect(folder, drawKey!, count),
      TE.flatMap(() => readImageFolder(folder, { channels: 3 })),
      TE.map(({ classes, images }) => {
        console.log(`${images.length} images of ${classes.join(' and ')}`);
        // Split by a key, before anything is learned: three fifths, one fifth, one fifth.
        const order = random.permutation(splitKey!, images.length).toArray() as number[];
        const cuts = [0, 0.6, 0.8, 1].map((part) => Math.floor(part * images.length));
        const [train, validation, test] = [0, 1, 2].map((k) =>
          examplesOf(order.slice(cuts[k], cuts[k + 1]).map((i) => images[i]!)),
        ) as [Examples, Examples, Examples];
        // Standardized by what the training set says, which goes with the model.
        const [mean, deviation] = [np.mean(train.x, [0, 1, 2]), np.std(train.x, [0, 1, 2])];
        const scaled = ({ x, y }: Examples): Examples => ({ x: np.div(np.sub(x, mean), deviation), y });
        const loss = (params: Params, { x, y }: Examples): Tensor => nn.crossEntropy(model.apply(params)(x), y);
        const adam = optim.adam(3e-3);
        const size = train.y.size;
        let [params, state] = [model.init(initKey!), adam.init(model.init(initKey!))];
        let best = { params, held: 0 };
        const curve = Array.from({ length: epochs }, (_, epoch) => {
          const places = random.permutation(random.foldIn(orderKey!, epoch), size);
          const batches = Array.from({ length: Math.floor(size / 24) }, (_, i) => {
            const some = np.index(places, [24 * i, 24 * (i + 1)]) as Tensor<'int32'>;
            return scaled({ x: np.take(train.x, some, 0), y: np.take(train.y, some, 0) });
          });
          let losses: readonly number[];
          ({ params, state, losses } = descend(loss, params, adam, batches, undefined, state));
          const held = accuracy(params, scaled(validation));
          if (held > best.held) best = { params, held };
          if ((epoch + 1) % Math.ceil(epochs / 5) === 0)
            console.log(`epoch ${epoch + 1}: loss ${losses.at(-1)!.toFixed(4)}, validation ${held.toFixed(3)}`);
          return { epoch: epoch + 1, seen: accuracy(params, scaled(train)), held };
        });
        const unseen = accuracy(best.params, scaled(test));
        console.log(`once, at the end: ${(100 * unseen).toFixed(1)} % of the test set right`);
        return { best, classes, curve, images, mean, deviation, test, unseen };
      }),
      // Used: a file that comes along.
      TE.bindW('drawing', ({ images }) => readImage(images[0]!.path, { channels: 3 })),
      TE.map(({ best, classes, curve, deviation, drawing, images, mean, test, unseen }) => {
        const named = (x: Tensor): string[] =>
          (np.argmax(model.apply(best.params)(np.div(np.sub(x, mean), deviation)), 1).toArray() as number[]).map(
            (k) => classes[k]!,
          );
        const [said] = named(np.expandDims(imageTensor(drawing), 0));
        console.log(`${images[0]!.path} is a ${said}`);
        const some = np.index(test.x, [0, 10]) as Tensor;
        const line = (name: string, of: (row: (typeof curve)[number]) => number) => ({
          name,
          points: curve.map((row) => [row.epoch, of(row)] as const),
        });
        return {
          numbers: { validation: best.held, test: unseen, images: images.length },
          claims: [
            cli.atLeast('images of the test set right', unseen, short ? 0.55 : 0.95),
            { ...cli.atLeast('images that came back from the folder', images.length, count), atMost: count },
          ],
          files: {
            'predictions.svg': imageGrid({
              title: 'Held-out drawings, and what they are taken for',
              images: some,
              range: [0, 1],
              captions: named(some),
              columns: 5,
              scale: 3.5,
            }),
            'accuracy.svg': lineChart({
              title: 'Learning',
              xLabel: 'epoch',
              yLabel: 'right',
              series: [line('training', (r) => r.seen), line('validation', (r) => r.held)],
            }),
          },
        };
      }),
    );
  },
};
