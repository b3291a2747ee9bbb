/**
 * Fine-tuning: a body that has learned one task begins another with a new head, and needs few examples of it.
 *
 * A network reads digits 0–4 with many examples; its parameters go through a file, and `train.restorePartly` gives another network
 * its body, not its head. With three examples each of 5–9 it is ahead of one that begins from nothing on generated digits; on
 * MNIST by as much for two of three seeds, and level for the third.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, type Tensor, train } from 'pullback';
import { type Failure, readSafetensors, type WriteError, writeParams } from 'pullback/io';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { loadDigits } from '../digits/data.ts';
import { descend } from '../shared/descend.ts';
import { chosen, type Digits, digitsOf } from '../shared/digits.ts';

const body = nn.serial(
  nn.conv.layer([5, 5], 1, 8, { strides: 2, padding: 2 }),
  nn.lift(nn.relu),
  nn.conv.layer([3, 3], 8, 16, { strides: 2, padding: 1 }),
  nn.lift((x: Tensor) => nn.functional.flatten(nn.relu(x))),
  nn.dense.layer(784, 48),
  nn.lift(nn.relu),
);
const init = (key: random.Key) => ({ body: body.init(key), head: nn.dense.init(random.foldIn(key, 1), 48, 5) });
type Params = ReturnType<typeof init>;
const scores = (p: Params, images: Tensor): Tensor => nn.dense(p.head)(body.apply(p.body)(images));
const lossOf = (p: Params, { images, labels }: Digits): Tensor => nn.crossEntropy(scores(p, images), labels);

/** The digits from `first` on, five classes; at most so many of each, behind those that are skipped. */
function classes({ images, labels }: Digits, first: number, most: number, skipped = 0): Digits {
  const seen = new Map<number, number>();
  const places = Array.from(labels.dataSync()).flatMap((label, i) => {
    const n = seen.get(label) ?? 0;
    seen.set(label, n + 1);
    return label >= first && label < first + 5 && n >= skipped && n < skipped + most ? [i] : [];
  });
  const some = chosen({ images, labels }, np.array(places, { dtype: 'int32' }));
  return { images: some.images, labels: np.sub(some.labels, first) as Tensor<'int32'> };
}

const options = {
  ...cli.commonOptions('fine-tuning'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  each: cli.count(3, 'examples of each new class'),
  steps: cli.count(500, 'steps of the first task', 60),
};

export const example: cli.Example<typeof options> = {
  name: 'fine-tuning',
  about: 'a body that learned one task begins another, with few examples.',
  options,
  body: ({ data, each, out, seed, short, steps }) => {
    const [initKey, freshKey, orderKey] = random.split(random.key(seed), 3);
    const file = `${out}/first.safetensors`;
    return pipe(
      loadDigits({ data, seed }),
      TE.map(({ train: seen, test }) => ({ seen: digitsOf(seen), unseen: digitsOf(test) })),
      TE.bind('first', ({ seen }) =>
        TE.fromIO(() => {
          const old = classes(seen, 0, short ? 100 : 100_000);
          const batches = Array.from({ length: steps }, (_, i) =>
            chosen(old, random.randint(random.foldIn(orderKey!, i), [64], 0, old.labels.size)),
          );
          return descend(
            lossOf,
            init(initKey!),
            optim.adam(2e-3),
            batches,
            cli.everySteps('digits 0 to 4', Math.ceil(steps / 3)),
          ).params;
        }),
      ),
      TE.tap(({ first }): TE.TaskEither<Failure | WriteError, unknown> => writeParams(file, first)),
      TE.bindW('tensors', () => readSafetensors(file)),
      TE.bindW('restored', ({ tensors }) =>
        TE.fromEither(
          train.restorePartly(init(freshKey!), tensors.tensors, {
            nameOf: (path) => (path.startsWith('head') ? null : path),
            source: file,
          }),
        ),
      ),
      TE.map(({ seen, unseen, restored }) => {
        const test = classes(unseen, 5, 200);
        const hits = jit((p: Params) =>
          np.mean(np.astype(np.equal(np.argmax(scores(p, test.images), 1), test.labels), 'float32')),
        );
        const adam = optim.adam(2e-3);
        // Which few examples one has is chance: means of several draws.
        const draws = Array.from({ length: short ? 1 : 8 }, (_, i) => classes(seen, 5, each, i * each));
        const learn = (start: Params): readonly number[] => {
          const curves = draws.map((few) => {
            let [p, state] = [start, adam.init(start)];
            return Array.from({ length: short ? 4 : 12 }, () => {
              const batches = Array.from({ length: 10 }, () => few);
              ({ params: p, state } = descend(lossOf, p, adam, batches, undefined, state));
              return hits(p).item();
            });
          });
          return curves[0]!.map((_, i) => curves.reduce((sum, curve) => sum + curve[i]!, 0) / curves.length);
        };
        const [tuned, scratch] = [learn(restored.params), learn(init(freshKey!))];
        const mean = (curve: readonly number[]): number => curve.reduce((a, b) => a + b, 0) / curve.length;
        console.log(
          `${restored.restored.length} leaves restored, ${restored.kept.length} kept; ${tuned.at(-1)!.toFixed(3)} right, from nothing ${scratch.at(-1)!.toFixed(3)}`,
        );
        const line = (name: string, curve: readonly number[]) => ({
          name,
          points: curve.map((v, i) => [10 * (i + 1), v] as const),
        });
        return {
          numbers: { tuned: tuned.at(-1)!, scratch: scratch.at(-1)!, restored: restored.restored.length },
          claims: [
            cli.atLeast(
              'what fine-tuning gets right beyond learning from nothing, on the way',
              mean(tuned) - mean(scratch),
              short ? -0.1 : data === null ? 0.02 : -0.02,
            ),
            cli.atLeast('unseen digits 5 to 9 right', tuned.at(-1)!, short ? 0.35 : 0.6),
          ],
          files: {
            'curves.svg': lineChart({
              title: `Digits 5 to 9, of which ${each} each are seen`,
              xLabel: 'step',
              yLabel: 'unseen digits right',
              series: [line('fine-tuned', tuned), line('from nothing', scratch)],
            }),
          },
        };
      }),
    );
  },
};
