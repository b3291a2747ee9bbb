/**
 * Adversarial attacks (§7.3): pixels are changed a little, in the direction that raises the loss, and a network that read nearly
 * all digits reads hardly any.
 *
 * FGSM takes one step along the sign of the gradient with respect to the image, PGD several small ones, each back into the ε-box.
 * Noise of the same size does nothing. I. Goodfellow et al. (2015); A. Madry et al. (2018).
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { foriLoop, jit, np, random, type Tensor } from 'pullback';
import { imageGrid, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import type { Digits } from '../shared/digits.ts';
import { accuracy, fgsm, imageGradient, learned, lossOf, type Params, scores, twoSets } from '../shared/reader.ts';

/** So many steps of a quarter of ε, each projected back to the box about the image. */
const pgd = (params: Params, digits: Digits, epsilon: number | Tensor, steps: number): Tensor => {
  const { images, labels } = digits;
  const step = (_: unknown, x: Tensor): Tensor => {
    const moved = np.add(x, np.mul(np.div(epsilon, 4), np.sign(imageGradient(params, { images: x, labels }))));
    return np.clip(np.clip(moved, np.sub(images, epsilon), np.add(images, epsilon)), 0, 1);
  };
  return foriLoop(0, steps, step, images);
};

const options = {
  ...cli.commonOptions('fgsm'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  steps: cli.count(600, 'steps of training', 60),
  unseen: cli.count(500, 'held-out digits that are attacked', 100),
};

export const example: cli.Example<typeof options> = {
  name: 'fgsm',
  about: 'attacks on a network that reads digits, by the gradient of its loss in the pixels.',
  options,
  body: ({ data, seed, short, steps, unseen: count }) =>
    pipe(
      twoSets(data, seed, short ? 1000 : 8000, count),
      TE.map(([seen, unseen]) => {
        const params = learned(lossOf, seen, random.key(seed), steps, cli.everySteps('loss', Math.ceil(steps / 3)));
        const attacks = {
          noise: (_: Params, d: Digits, e: Tensor): Tensor =>
            np.clip(np.add(d.images, np.mul(e, random.rademacher(random.key(1), d.images.shape))), 0, 1),
          FGSM: fgsm,
          PGD: (p: Params, d: Digits, e: Tensor): Tensor => pgd(p, d, e, 10),
        };
        const epsilons = [0, 0.05, 0.1, 0.15, 0.2, 0.3];
        const curves = Object.entries(attacks).map(([name, attack]) => {
          const attacked = jit(attack);
          const shares = epsilons.map((epsilon) =>
            accuracy(params, { images: attacked(params, unseen, np.array(epsilon)), labels: unseen.labels }),
          );
          console.log(
            `${name.padEnd(6)} ${shares.map((share, i) => `ε ${epsilons[i]}: ${share.toFixed(2)}`).join('   ')}`,
          );
          return { name, shares };
        });
        const at = (index: number, epsilon: number): number => curves[index]!.shares[epsilons.indexOf(epsilon)]!;
        // Within the box, as it must be.
        const far = np.max(np.abs(np.sub(fgsm(params, unseen, 0.1), unseen.images))).item();
        const some = {
          images: np.index(unseen.images, [0, 8]) as Tensor,
          labels: np.index(unseen.labels, [0, 8]) as Tensor<'int32'>,
        };
        const changed = pgd(params, some, 0.15, 10);
        const guesses = (x: Tensor): readonly number[] => Array.from(np.argmax(scores(params, x), 1).dataSync());
        return {
          numbers: { clean: at(0, 0), noise: at(0, 0.2), fgsm: at(1, 0.2), pgd: at(2, 0.2) },
          claims: [
            cli.atLeast('digits right without an attack', at(0, 0), short ? 0.7 : 0.95),
            cli.atMost('under FGSM of ε = 0.2', at(1, 0.2), 0.5),
            cli.atMost('under PGD, not more than under FGSM', at(2, 0.2) - at(1, 0.2), 0.02),
            cli.atLeast('under noise of ε = 0.2, beyond FGSM', at(0, 0.2) - at(1, 0.2), 0.2),
            cli.atMost('how far a pixel is moved at ε = 0.1', far, 0.1 + 1e-6),
          ],
          files: {
            'accuracy.svg': lineChart({
              title: 'What is still read',
              xLabel: 'ε',
              yLabel: 'digits right',
              series: curves.map(({ name, shares }) => ({
                name,
                points: shares.map((v, i) => [epsilons[i]!, v] as const),
              })),
            }),
            'attacks.svg': imageGrid({
              title: 'Digits, and what they are read as under PGD of ε = 0.15',
              images: np.squeeze(np.concatenate([some.images, changed]), 3),
              range: [1, 0],
              captions: [...guesses(some.images), ...guesses(changed)].map((digit) => `read as ${digit}`),
              columns: 8,
              scale: 2,
            }),
          },
        };
      }),
    ),
};
