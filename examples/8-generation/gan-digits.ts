/**
 * A generative adversarial network on digits: convolutions turned around draw them, and a network that reads digits says how good
 * they are.
 *
 * The score is the inception score with a reader of digits in its place: exp E KL(p(y|x) ‖ p(y)), which is 1 for noise and 10 for
 * clear digits of all kinds (T. Salimans et al., 2016). The architecture is a small DCGAN (A. Radford, L. Metz, S. Chintala, 2016).
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, jit, nn, np, optim, random, type Tensor, train, valueAndGrad } from 'pullback';
import { imageGrid, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { batchesOf, learned, lossOf, scores, twoSets } from '../shared/reader.ts';

const noise = 32;
const init = (key: random.Key) => ({
  g: {
    dense: nn.dense.init(random.foldIn(key, 0), noise, 7 * 7 * 32),
    up: nn.convTranspose.init(random.foldIn(key, 1), [4, 4], 32, 16),
    out: nn.convTranspose.init(random.foldIn(key, 2), [4, 4], 16, 1),
  },
  d: {
    down: nn.conv.init(random.foldIn(key, 3), [4, 4], 1, 16),
    again: nn.conv.init(random.foldIn(key, 4), [4, 4], 16, 32),
    out: nn.dense.init(random.foldIn(key, 5), 7 * 7 * 32, 1),
  },
});
type G = ReturnType<typeof init>['g'];
type D = ReturnType<typeof init>['d'];
function draw(g: G, z: Tensor): Tensor {
  const start = np.reshape(nn.relu(nn.dense(g.dense)(z)), [-1, 7, 7, 32]);
  const middle = nn.relu(nn.convTranspose(g.up, { strides: 2, padding: 1 })(start));
  return nn.sigmoid(nn.convTranspose(g.out, { strides: 2, padding: 1 })(middle));
}
function judge(d: D, x: Tensor): Tensor {
  const first = nn.leakyRelu(nn.conv(d.down, { strides: 2, padding: 1 })(x), 0.2);
  const second = nn.leakyRelu(nn.conv(d.again, { strides: 2, padding: 1 })(first), 0.2);
  return np.squeeze(nn.dense(d.out)(nn.functional.flatten(second)), 1);
}
const options = {
  ...cli.commonOptions('gan-digits'),
  data: cli.optionalFolder("folder with MNIST's IDX files; digits are generated without it"),
  steps: cli.count(2000, 'steps of both', 15),
};

export const example: cli.Example<typeof options> = {
  name: 'gan-digits',
  about: 'a generator of digits against a discriminator, scored by a network that reads digits.',
  options,
  body: ({ data, seed, short, steps }) =>
    pipe(
      twoSets(data, seed, short ? 600 : 8000, 500),
      TE.map(([seen, unseen]) => {
        const [initKey, orderKey, noiseKey, showKey] = random.split(random.key(seed), 4);
        const reader = learned(
          lossOf,
          seen,
          random.key(seed),
          short ? 40 : 600,
          cli.everySteps('the reader', short ? 40 : 300),
        );
        const { g, d } = init(initKey!);
        const adam = optim.adam(5e-4, { b1: 0.5 });
        type Carry = { readonly g: G; readonly d: D; readonly gState: optim.OptState; readonly dState: optim.OptState };
        type Row = { readonly real: Tensor; readonly key: random.Key };
        const step = ({ g, d, gState, dState }: Carry, { real, key }: Row) => {
          const [a, b] = random.split(key);
          const fake = draw(g, random.normal(a, [64, noise]));
          const dLoss = (p: D): Tensor => {
            const slopes = grad((x: Tensor) => np.sum(judge(p, x)))(real);
            const told = np.add(np.mean(nn.softplus(np.neg(judge(p, real)))), np.mean(nn.softplus(judge(p, fake))));
            return np.add(told, np.mul(0.05, np.div(np.sum(np.square(slopes)), 64)));
          };
          const [dValue, dGradient] = valueAndGrad(dLoss)(d);
          const [dUpdates, dNext] = adam.update(dGradient, dState, d);
          const sharper = optim.applyUpdates(d, dUpdates);
          const [gValue, gGradient] = valueAndGrad((p: G) =>
            np.mean(nn.softplus(np.neg(judge(sharper, draw(p, random.normal(b, [64, noise])))))),
          )(g);
          const [gUpdates, gNext] = adam.update(gGradient, gState, g);
          return [
            { g: optim.applyUpdates(g, gUpdates), d: sharper, gState: gNext, dState: dNext },
            { dValue, gValue },
          ] as const;
        };
        function* rows(): Generator<Row> {
          let i = 0;
          for (const { images } of batchesOf(seen, orderKey!, steps))
            yield { real: images, key: random.foldIn(noiseKey!, i++) };
        }
        let told = 0;
        const onStep = ({ dValue, gValue }: { readonly dValue: Tensor; readonly gValue: Tensor }): void => {
          if (++told % Math.ceil(steps / 5) === 0)
            console.log(
              `step ${told}: discriminator ${dValue.item().toFixed(3)}, generator ${gValue.item().toFixed(3)}`,
            );
        };
        const [end, values] = train.fold(step, { g, d, gState: adam.init(g), dState: adam.init(d) }, rows(), {
          onStep,
        });
        /** exp of the mean divergence of what is read from what is read on average: 1 to 10. */
        const score = jit((x: Tensor): Tensor => {
          const logP = nn.logSoftmax(scores(reader, x), 1);
          const mean = np.log(np.mean(np.exp(logP), 0));
          return np.exp(np.mean(np.sum(np.mul(np.exp(logP), np.sub(logP, mean)), 1)));
        });
        const z = random.normal(showKey!, [500, noise]);
        const made = jit(draw)(end.g, z);
        const [before, after, real] = [draw(g, z), made, unseen.images].map((x) => score(x).item()) as [
          number,
          number,
          number,
        ];
        console.log(`score: ${before.toFixed(2)} before, ${after.toFixed(2)} after, ${real.toFixed(2)} of true digits`);
        const line = (name: string, of: (v: (typeof values)[number]) => Tensor) => ({
          name,
          points: values.filter((_, i) => i % 10 === 0).map((v, i) => [10 * i, of(v).item()] as const),
        });
        return {
          numbers: { before, after, real },
          claims: short
            ? [
                cli.atLeast('score of true digits', real, 1.5),
                cli.atLeast("the generator's score after a few steps, to that before", after / before, 0.8),
              ]
            : [
                cli.atLeast('score of what is made, to that of true digits', after / real, 0.6),
                cli.atLeast('… to that before learning', after / before, 2),
              ],
          files: {
            'made.svg': imageGrid({
              title: 'Digits that nobody wrote',
              images: np.squeeze(np.index(made, [0, 60]) as Tensor, 3),
              range: [1, 0],
              columns: 12,
              scale: 1.4,
            }),
            'losses.svg': lineChart({
              title: 'Two players',
              xLabel: 'step',
              yLabel: 'loss',
              series: [line('discriminator', (v) => v.dValue), line('generator', (v) => v.gValue)],
            }),
          },
        };
      }),
    ),
};
