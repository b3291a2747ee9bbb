/**
 * A generative adversarial network on eight Gaussians in a ring, and the dynamics of its training.
 *
 * A generator moves noise, a discriminator tells what it makes from data, and each steps along a gradient of its own: two losses,
 * one program. The generator finds one mode after the other; that it found them all, and how close, is counted. I. Goodfellow et
 * al. (2014), with the non-saturating loss; the discriminator's slope is kept small where data are (L. Mescheder, A. Geiger, S.
 * Nowozin, 2018).
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, nn, np, optim, random, type Tensor, train, valueAndGrad, vmap } from 'pullback';
import { lineChart, scatterPlot } from 'pullback/viz';
import * as cli from '../cli.ts';

const modes = 8;
const centres = np.stack(
  [0, 1, 2, 3, 4, 5, 6, 7].map((k) => np.array([2 * Math.cos((k * Math.PI) / 4), 2 * Math.sin((k * Math.PI) / 4)])),
);
const ring = (key: random.Key, n: number): Tensor => {
  const which = random.randint(key, [n], 0, modes);
  return np.add(np.take(centres, which, 0), np.mul(0.1, random.normal(random.foldIn(key, 1), [n, 2])));
};

const mlp = (from: number, to: number) =>
  nn.serial(
    nn.dense.layer(from, 128),
    nn.lift(nn.relu),
    nn.dense.layer(128, 128),
    nn.lift(nn.relu),
    nn.dense.layer(128, to),
  );
const [generator, critic] = [mlp(8, 2), mlp(2, 1)];
type G = nn.ParamsOf<typeof generator>;
type D = nn.ParamsOf<typeof critic>;
const make = (g: G, key: random.Key, n: number): Tensor => generator.apply(g)(random.normal(key, [n, 8]));
const judge = (d: D, x: Tensor): Tensor => np.squeeze(critic.apply(d)(x), 1);

/** How many modes have at least a fortieth of the points within four deviations, and the share of points that are near a mode. */
function coverage(points: Tensor): { readonly found: number; readonly near: number } {
  const distances = np.linalg.vectorNorm(np.sub(np.expandDims(points, 1), np.expandDims(centres, 0)), { axis: 2 });
  const close = np.astype(np.less(distances, 0.4), 'float32');
  const share = np.mean(close, 0).toArray() as number[];
  return { found: share.filter((s) => s > 1 / 40).length, near: np.mean(np.max(close, 1)).item() };
}

const options = { ...cli.commonOptions('gan-mixture'), steps: cli.count(6000, 'steps of both', 60) };

export const example: cli.Example<typeof options> = {
  name: 'gan-mixture',
  about: 'a generator and a discriminator on a ring of eight Gaussians.',
  options,
  body: ({ seed, short, steps }) => {
    const [gKey, dKey, dataKey] = random.split(random.key(seed), 3);
    const adam = optim.adam(1e-3, { b1: 0.5 });
    const slope = vmap(
      grad((x: Tensor, d: D) => np.index(judge(d, np.expandDims(x, 0)), 0) as Tensor),
      [0, null],
    );
    type Carry = { readonly g: G; readonly d: D; readonly gState: optim.OptState; readonly dState: optim.OptState };
    const step = ({ g, d, gState, dState }: Carry, key: random.Key) => {
      const [realKey, noiseKey, otherKey] = random.split(key, 3);
      const [real, fake] = [ring(realKey!, 128), make(g, noiseKey!, 128)];
      const dLoss = (p: D): Tensor => {
        const told = np.add(np.mean(nn.softplus(np.neg(judge(p, real)))), np.mean(nn.softplus(judge(p, fake))));
        return np.add(told, np.mul(0.1, np.mean(np.sum(np.square(slope(real, p)), 1))));
      };
      const [dValue, dGradient] = valueAndGrad(dLoss)(d);
      const [dUpdates, dNext] = adam.update(dGradient, dState, d);
      const sharper = optim.applyUpdates(d, dUpdates);
      const [gValue, gGradient] = valueAndGrad((p: G) =>
        np.mean(nn.softplus(np.neg(judge(sharper, make(p, otherKey!, 128))))),
      )(g);
      const [gUpdates, gNext] = adam.update(gGradient, gState, g);
      return [
        { g: optim.applyUpdates(g, gUpdates), d: sharper, gState: gNext, dState: dNext },
        { dValue, gValue },
      ] as const;
    };
    const [g, d] = [generator.init(gKey!), critic.init(dKey!)];
    let carry: Carry = { g, d, gState: adam.init(g), dState: adam.init(d) };
    const parts = 12;
    const values: { d: number; g: number }[] = [];
    const history = Array.from({ length: parts }, (_, part) => {
      const keys = Array.from({ length: steps / parts }, (_, i) => random.foldIn(dataKey!, part * 100_000 + i));
      const [next, told] = train.fold(step, carry, keys);
      carry = next;
      for (const { dValue, gValue } of told) values.push({ d: dValue.item(), g: gValue.item() });
      const points = make(carry.g, random.foldIn(dataKey!, 2 ** 31), 1000);
      const covered = coverage(points);
      console.log(
        `step ${((part + 1) * steps) / parts}: ${covered.found} of ${modes} modes, ${(100 * covered.near).toFixed(0)} % of points near one`,
      );
      return { points, ...covered };
    });
    const last = history.at(-1)!;
    // At the end neither wins: the discriminator's loss of who cannot tell is 2·log 2.
    const end = values.slice(-Math.ceil(steps / 10)).reduce((sum, v) => sum + v.d, 0) / Math.ceil(steps / 10);
    const cloud = (k: number) => ({
      name: `step ${((k + 1) * steps) / parts}`,
      points: np.index(history[k]!.points, [0, 400]) as Tensor,
    });
    const line = (name: string, of: (v: { d: number; g: number }) => number) => ({
      name,
      points: values.filter((_, i) => i % 10 === 0).map((v, i) => [10 * i, of(v)] as const),
    });
    return TE.of({
      numbers: { modes: last.found, near: last.near, end },
      claims: short
        ? [cli.atMost("the discriminator's loss at the end, to the first", end / values[0]!.d, 1.2)]
        : [
            cli.atLeast('modes that were found', last.found, 7),
            cli.atLeast('share of points near a mode', last.near, 0.75),
            {
              ...cli.atLeast("the discriminator's loss at the end, to 2·log 2", end / (2 * Math.log(2)), 0.8),
              atMost: 1.1,
            },
          ],
      files: {
        'samples.svg': scatterPlot({
          title: 'What the generator makes, as it learns',
          xLabel: 'x₁',
          yLabel: 'x₂',
          x: [-3, 3],
          y: [-3, 3],
          groups: [{ name: 'data', points: ring(dKey!, 400) }, cloud(0), cloud(2), cloud(parts - 1)],
          width: 560,
          height: 560,
        }),
        'losses.svg': lineChart({
          title: 'Two players',
          xLabel: 'step',
          yLabel: 'loss',
          series: [line('discriminator', (v) => v.d), line('generator', (v) => v.g)],
        }),
      },
    });
  },
};
