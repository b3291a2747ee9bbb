/**
 * Regularization of the gradient (§7): the loss has the square of its gradient in the images added, so that small changes matter
 * less.
 *
 * The step differentiates a gradient: `grad` of something with `grad` in it, compiled into one program. H. Drucker, Y. LeCun,
 * "Double backpropagation" (1992); A. Ross, F. Doshi-Velez (2018).
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, np, random, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import type { Digits } from '../shared/digits.ts';
import { accuracy, fgsm, imageGradient, learned, lossOf, type Params, twoSets } from '../shared/reader.ts';

/** The mean square length of the gradient of an image's loss. */
const roughness = (params: Params, batch: Digits): Tensor =>
  np.div(np.sum(np.square(imageGradient(params, batch))), batch.labels.size);

const options = {
  ...cli.commonOptions('gradient-regularization'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  steps: cli.count(500, 'steps of each training', 25),
  weight: cli.positive(0.3, 'of the gradient in the loss'),
};

export const example: cli.Example<typeof options> = {
  name: 'gradient-regularization',
  about: 'a loss with the length of its own gradient makes a smoother network.',
  options,
  body: ({ data, seed, short, steps, weight }) =>
    pipe(
      twoSets(data, seed, short ? 600 : 8000, short ? 150 : 1000),
      TE.map(([seen, unseen]) => {
        const smooth = (params: Params, batch: Digits): Tensor =>
          np.add(lossOf(params, batch), np.mul(weight, roughness(params, batch)));
        const plain = learned(lossOf, seen, random.key(seed), steps, cli.everySteps('plain', Math.ceil(steps / 3)));
        const regular = learned(
          smooth,
          seen,
          random.key(seed),
          steps,
          cli.everySteps('regularized', Math.ceil(steps / 3)),
        );
        const epsilons = [0, 0.05, 0.1, 0.15, 0.2];
        const attack = jit(fgsm);
        const curve = (params: Params): readonly number[] =>
          epsilons.map((e) => accuracy(params, { images: attack(params, unseen, np.array(e)), labels: unseen.labels }));
        const [a, b] = [curve(plain), curve(regular)];
        const measure = jit(roughness);
        const [rough, smoothed] = [measure(plain, unseen).item(), measure(regular, unseen).item()];
        console.log(
          `mean square gradient ${rough.toFixed(3)}, regularized ${smoothed.toFixed(4)}; under FGSM of 0.1: ${a[2]!.toFixed(3)}, ${b[2]!.toFixed(3)}`,
        );
        const line = (name: string, shares: readonly number[]) => ({
          name,
          points: shares.map((v, i) => [epsilons[i]!, v] as const),
        });
        return {
          numbers: { rough, smoothed, plain: a[0]!, regular: b[0]!, plainAttacked: a[2]!, regularAttacked: b[2]! },
          claims: [
            cli.atMost('mean square gradient, to that of the plain network', smoothed / rough, short ? 1 : 0.5),
            ...(short
              ? []
              : [
                  cli.atLeast('digits right under FGSM of 0.1, beyond the plain network', b[2]! - a[2]!, 0.05),
                  cli.atLeast('digits right without an attack', b[0]!, 0.94),
                ]),
          ],
          files: {
            'robustness.svg': lineChart({
              title: 'What is read under FGSM',
              xLabel: 'ε',
              yLabel: 'digits right',
              series: [line('plain', a), line('regularized', b)],
            }),
          },
        };
      }),
    ),
};
