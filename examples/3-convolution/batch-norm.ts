/**
 * Batch norm on and off, at learning rates from small to absurd (§4.5.4): with it the same network learns at rates that else break
 * it.
 *
 * A deep perceptron on few digits; after the same number of steps, how many unseen digits are right. Training normalizes by the
 * batch and gives the running statistics back as values; inference uses them. S. Ioffe, C. Szegedy, "Batch normalization" (2015).
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor, train, valueAndGrad } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { loadDigits } from '../digits/data.ts';
import { chosen, type Digits, digitsOf } from '../shared/digits.ts';

const sizes = [784, 64, 64, 64, 64];

interface Layer {
  readonly dense: nn.DenseParams;
  readonly norm: ReturnType<typeof nn.batchNorm.init>;
}
interface Params {
  readonly hidden: readonly Layer[];
  readonly out: nn.DenseParams;
}
type States = readonly nn.BatchNormState[];

const init = (key: random.Key): Params => ({
  hidden: sizes.slice(1).map((size, i) => ({
    dense: nn.dense.init(random.foldIn(key, i), sizes[i]!, size),
    norm: nn.batchNorm.init(size),
  })),
  out: nn.dense.init(random.foldIn(key, 9), 64, 10),
});
const fresh: States = sizes.slice(1).map((size) => nn.batchNorm.state(size));

/** Scores, and the statistics after: the norms are left out where `norms` is false. */
function network(
  { hidden, out }: Params,
  states: States,
  images: Tensor,
  norms: boolean,
  training: boolean,
): readonly [Tensor, States] {
  const next: nn.BatchNormState[] = [];
  const last = hidden.reduce(
    (x, { dense, norm }, i) => {
      const z = nn.dense(dense)(x);
      const [y, state] = norms ? nn.batchNorm(norm, { training })(z, states[i]!) : ([z, states[i]!] as const);
      next.push(state);
      return nn.relu(y);
    },
    np.reshape(images, [images.shape[0]!, -1]),
  );
  return [nn.dense(out)(last), next];
}

const options = {
  ...cli.commonOptions('batch-norm'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  steps: cli.count(300, 'steps of descent', 60),
};

export const example: cli.Example<typeof options> = {
  name: 'batch-norm',
  about: 'batch norm on and off at several learning rates.',
  options,
  body: ({ data, seed, short, steps }) =>
    pipe(
      loadDigits({ data, seed }),
      TE.map((split) => {
        const [initKey, orderKey] = random.split(random.key(seed));
        const [seen, unseen] = [digitsOf(split.train, 2000), digitsOf(split.test, 500)];
        const batches = Array.from({ length: steps }, (_, i) =>
          chosen(seen, random.randint(random.foldIn(orderKey, i), [64], 0, seen.labels.size)),
        );
        type Carry = { readonly params: Params; readonly states: States; readonly state: optim.OptState };
        const learn = (norms: boolean, rate: number): number => {
          const sgd = optim.sgd(rate);
          const step = ({ params, states, state }: Carry, { images, labels }: Digits): readonly [Carry, Tensor] => {
            const loss = (p: Params): [Tensor, States] => {
              const [scores, next] = network(p, states, images, norms, true);
              return [nn.crossEntropy(scores, labels), next];
            };
            const [[value, next], gradient] = valueAndGrad(loss, { hasAux: true })(params);
            const [updates, after] = sgd.update(gradient, state, params);
            return [{ params: optim.applyUpdates(params, updates), states: next, state: after }, value];
          };
          const params = init(initKey);
          const [end] = train.fold(step, { params, states: fresh, state: sgd.init(params) }, batches);
          const [scores] = network(end.params, end.states, unseen.images, norms, false);
          return np.mean(np.astype(np.equal(np.argmax(scores, 1), unseen.labels), 'float32')).item();
        };
        const rates = short ? [0.03, 1] : [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3];
        const rows = rates.map((rate) => {
          const [without, within] = [learn(false, rate), learn(true, rate)];
          console.log(`rate ${rate}: ${without.toFixed(3)} without, ${within.toFixed(3)} with batch norm`);
          return { rate, without, within };
        });
        const best = (of: (row: (typeof rows)[number]) => number): number => Math.max(...rows.map(of));
        const at = (rate: number) => rows.find((row) => row.rate === rate)!;
        const usable = (of: (row: (typeof rows)[number]) => number): number =>
          rows.filter((row) => of(row) > 0.8 * best((r) => r.within)).length;
        const line = (name: string, of: (row: (typeof rows)[number]) => number) => ({
          name,
          points: rows.map((row) => [row.rate, of(row)] as const),
        });
        return {
          numbers: {
            without: best((r) => r.without),
            within: best((r) => r.within),
            usableWithout: usable((r) => r.without),
            usableWithin: usable((r) => r.within),
          },
          claims: [
            cli.atLeast('unseen digits right at rate 1, with, beyond those without', at(1).within - at(1).without, 0.3),
            ...(short
              ? []
              : [
                  cli.atLeast(
                    'rates that are of use with it, beyond those without',
                    usable((r) => r.within) - usable((r) => r.without),
                    1,
                  ),
                ]),
          ],
          files: {
            'rates.svg': lineChart({
              title: 'Unseen digits right after as many steps',
              xLabel: 'learning rate',
              yLabel: 'right',
              xScale: 'log',
              series: [line('without batch norm', (r) => r.without), line('with batch norm', (r) => r.within)],
            }),
          },
        };
      }),
    ),
};
