/**
 * Generalization (§7.2): a perceptron that is far too large for two hundred digits, and what makes it read digits that it never
 * saw.
 *
 * Dropout, weight decay, augmentation, and stopping when what is held out gets worse, each alone and the same otherwise. All come
 * to read what they learned from; they differ in what they did not.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, type Tensor } from 'pullback';
import { augment } from 'pullback/data';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';
import { chosen, type Digits } from '../shared/digits.ts';
import { twoSets } from '../shared/reader.ts';

const init = (key: random.Key) =>
  [
    nn.dense.init(key, 784, 256),
    nn.dense.init(random.foldIn(key, 1), 256, 256),
    nn.dense.init(random.foldIn(key, 2), 256, 10),
  ] as const;
type Params = ReturnType<typeof init>;

/** Scores; with a key, half of the hidden units are left out. */
function scores([a, b, out]: Params, images: Tensor, key?: random.Key): Tensor {
  const drop = (x: Tensor, i: number): Tensor =>
    key ? nn.dropout(0.5, { training: true })(x, random.foldIn(key, i)) : x;
  const first = drop(nn.relu(nn.dense(a)(np.reshape(images, [images.shape[0]!, 784]))), 0);
  return nn.dense(out)(drop(nn.relu(nn.dense(b)(first)), 1));
}

interface Row extends Digits {
  readonly key: random.Key;
}
interface Method {
  readonly optimizer: optim.GradientTransformation;
  readonly dropout?: boolean;
  readonly augmented?: boolean;
}
const methods: Readonly<Record<string, Method>> = {
  nothing: { optimizer: optim.adam(1e-3) },
  dropout: { optimizer: optim.adam(1e-3), dropout: true },
  'weight decay': { optimizer: optim.adamw(1e-3, { weightDecay: 1 }) },
  augmentation: { optimizer: optim.adam(1e-3), augmented: true },
};

const options = {
  ...cli.commonOptions('generalization'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  images: cli.countIn(200, 'digits to learn from', [50, 5000]),
  steps: cli.count(800, 'steps of each', 30),
};

export const example: cli.Example<typeof options> = {
  name: 'generalization',
  about: 'dropout, weight decay, augmentation and early stopping, on few digits.',
  options,
  body: ({ data, images, seed, short, steps }) =>
    pipe(
      twoSets(data, seed, images, short ? 300 : 1500),
      TE.map(([seen, unseen]) => {
        const [initKey, orderKey] = random.split(random.key(seed));
        const share = jit((p: Params, d: Digits) =>
          np.mean(np.astype(np.equal(np.argmax(scores(p, d.images), 1), d.labels), 'float32')),
        );
        const heldLoss = jit((p: Params) => nn.crossEntropy(scores(p, unseen.images), unseen.labels));
        const every = Math.ceil(steps / 20);
        const rows = Object.entries(methods).map(([name, { optimizer, dropout = false, augmented = false }]) => {
          const loss = (p: Params, { images: x, labels, key }: Row): Tensor => {
            const bent = augmented
              ? augment.randomAffine(key, x, { degrees: 12, translate: 0.08, scale: [0.9, 1.1], shear: 5 })
              : x;
            return nn.crossEntropy(scores(p, bent, dropout ? key : undefined), labels);
          };
          let [p, state] = [init(initKey), optimizer.init(init(initKey))];
          const curve = Array.from({ length: 20 }, (_, part) => {
            const batches = Array.from({ length: every }, (_, i): Row => {
              const key = random.foldIn(orderKey, part * every + i);
              return { ...chosen(seen, random.randint(key, [50], 0, images)), key };
            });
            ({ params: p, state } = descend(loss, p, optimizer, batches, undefined, state));
            return { held: share(p, unseen).item(), loss: heldLoss(p).item() };
          });
          // Early stopping takes what was best on what is held out.
          const stopped = curve.reduce((best, now) => (now.loss < best.loss ? now : best));
          const row = {
            name,
            curve,
            seen: share(p, seen).item(),
            held: curve.at(-1)!.held,
            end: curve.at(-1)!.loss,
            stopped,
          };
          console.log(
            `${name.padEnd(13)} seen ${row.seen.toFixed(3)}, unseen ${row.held.toFixed(3)}; loss unseen ${row.end.toFixed(3)}, at best ${stopped.loss.toFixed(3)}`,
          );
          return row;
        });
        const [nothing, decayed, bent] = ['nothing', 'weight decay', 'augmentation'].map(
          (wanted) => rows.find(({ name }) => name === wanted)!,
        ) as [(typeof rows)[number], (typeof rows)[number], (typeof rows)[number]];
        const line = (of: (point: { held: number; loss: number }) => number) =>
          rows.map(({ name, curve }) => ({
            name,
            points: curve.map((point, i) => [(i + 1) * every, of(point)] as const),
          }));
        return {
          numbers: Object.fromEntries(
            rows.flatMap(({ name, held, end }) => [
              [name, held],
              [`loss, ${name}`, end],
            ]),
          ),
          claims: short
            ? [cli.atLeast('unseen digits right after a few steps', nothing.held, 0.3)]
            : [
                cli.atLeast('what was learned from, right without anything', nothing.seen, 0.999),
                cli.atLeast(
                  'unseen digits right with augmentation, beyond those without',
                  bent.held - nothing.held,
                  0.02,
                ),
                cli.atMost('loss on unseen digits with weight decay, to that without', decayed.end / nothing.end, 1),
                cli.atMost('… stopped early', nothing.stopped.loss / nothing.end, 0.98),
              ],
          files: {
            'accuracy.svg': lineChart({
              title: `Unseen digits right, from ${images}`,
              xLabel: 'step',
              yLabel: 'right',
              series: line(({ held }) => held),
            }),
            'loss.svg': lineChart({
              title: 'Loss on unseen digits',
              xLabel: 'step',
              yLabel: 'cross entropy',
              series: line(({ loss }) => loss),
            }),
          },
        };
      }),
    ),
};
