/**
 * Adversarial training (§7.3): a network learns from digits that are attacked as it stands, at every step, and is hard to attack
 * after that.
 *
 * The attack is part of the step: a gradient with respect to the images inside of the loss of which the gradient with respect to
 * the parameters is taken, stopped between. The plain network falls below half under FGSM of ε = 0.2, this one reads on. A. Madry
 * et al., "Towards deep learning models resistant to adversarial attacks" (2018).
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, np, random, stopGradient, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import type { Digits } from '../shared/digits.ts';
import { accuracy, fgsm, learned, lossOf, type Params, twoSets } from '../shared/reader.ts';

/** The loss on digits under FGSM: of a batch each has an ε of its own, from 0, which is no attack, to the greatest. */
const robust =
  (greatest: number) =>
  (params: Params, batch: Digits): Tensor => {
    const epsilons = np.reshape(np.linspace(0, greatest, batch.labels.size), [-1, 1, 1, 1]);
    return lossOf(params, { ...batch, images: stopGradient(fgsm(params, batch, epsilons)) });
  };

const options = {
  ...cli.commonOptions('adversarial-training'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  steps: cli.count(2200, 'steps of each training', 80),
  epsilon: cli.positive(0.2, 'the attack'),
};

export const example: cli.Example<typeof options> = {
  name: 'adversarial-training',
  about: 'a network that learns from attacked digits withstands the attack.',
  options,
  body: ({ data, epsilon, seed, short, steps }) =>
    pipe(
      twoSets(data, seed, short ? 1000 : 9000, short ? 150 : 1000),
      TE.map(([seen, unseen]) => {
        const every = (what: string) => cli.everySteps(what, Math.ceil(steps / 4));
        const plain = learned(lossOf, seen, random.key(seed), steps, every('plain'));
        const hardened = learned(robust(epsilon * 1.2), seen, random.key(seed), steps, every('adversarial'));
        const attack = jit(fgsm);
        const epsilons = [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3].map((e) => (e * epsilon) / 0.2);
        const curve = (params: Params): readonly number[] =>
          epsilons.map((e) => accuracy(params, { images: attack(params, unseen, np.array(e)), labels: unseen.labels }));
        const [a, b] = [curve(plain), curve(hardened)];
        console.log(
          `under FGSM of ε = ${epsilon}: ${a[4]!.toFixed(3)} plain, ${b[4]!.toFixed(3)} adversarially trained`,
        );
        const line = (name: string, shares: readonly number[]) => ({
          name,
          points: shares.map((v, i) => [epsilons[i]!, v] as const),
        });
        return {
          numbers: { plain: a[0]!, plainAttacked: a[4]!, hardened: b[0]!, hardenedAttacked: b[4]! },
          claims: short
            ? [cli.atLeast('digits right under the attack, beyond the plain network', b[4]! - a[4]!, 0.05)]
            : [
                cli.atLeast('adversarially trained: digits right under the attack', b[4]!, 0.8),
                cli.atMost('the plain network under it', a[4]!, 0.5),
                cli.atLeast('adversarially trained: digits right without an attack', b[0]!, 0.95),
              ],
          files: {
            'robustness.svg': lineChart({
              title: 'What is read under FGSM',
              xLabel: 'ε',
              yLabel: 'digits right',
              series: [line('plain', a), line('adversarially trained', b)],
            }),
          },
        };
      }),
    ),
};
