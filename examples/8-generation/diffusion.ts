/**
 * A diffusion model: noise is added to points until nothing is left of them, and a network learns to say which; taken away step by
 * step from pure noise, it leaves new points.
 *
 * xₜ = √ᾱₜ x₀ + √(1 − ᾱₜ) ε, the loss is ‖ε − ε_θ(xₜ, t)‖², and sampling goes back by (11) of J. Ho, A. Jain, P. Abbeel, "Denoising
 * diffusion probabilistic models" (2020). How close samples
 * come is told by the distance to the nearest points.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, scan, type Tensor } from 'pullback';
import { twoMoons } from 'pullback/data';
import { lineChart, scatterPlot } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

const levels = 100;
const betas = np.linspace(1e-4, 0.12, levels);
/** How much of the signal is left after each level: the running product of 1 − β. */
const left = np.cumprod(np.sub(1, betas));

const width = 128;
const network = nn.serial(
  nn.dense.layer(2 + 16, width),
  nn.lift(nn.silu),
  nn.dense.layer(width, width),
  nn.lift(nn.silu),
  nn.dense.layer(width, width),
  nn.lift(nn.silu),
  nn.dense.layer(width, 2),
);
type Params = nn.ParamsOf<typeof network>;
const clock = nn.sinusoidalPositions(levels, 16);

/** The noise in x at its levels: float32[n, 2], int32[n] → float32[n, 2]. */
const noiseIn = (params: Params, x: Tensor, level: Tensor<'int32'>): Tensor =>
  network.apply(params)(np.concatenate([x, np.take(clock, level, 0)], 1));

/** New points, from noise. */
const sample =
  (count: number) =>
  (params: Params, key: random.Key): Tensor => {
    const step = (x: Tensor, t: Tensor<'int32'>): readonly [Tensor, null] => {
      const [beta, alphaBar] = [np.take(betas, t), np.take(left, t)];
      const noise = noiseIn(params, x, np.broadcastTo(t, [count]) as Tensor<'int32'>);
      const mean = np.div(
        np.sub(x, np.mul(np.div(beta, np.sqrt(np.sub(1, alphaBar))), noise)),
        np.sqrt(np.sub(1, beta)),
      );
      const fresh = np.mul(np.sqrt(beta), random.normal(random.foldIn(key, t), [count, 2]));
      return [np.where(np.greater(t, 0), np.add(mean, fresh), mean) as Tensor, null];
    };
    return scan(step, random.normal(random.foldIn(key, levels), [count, 2]), np.arange(levels, { dtype: 'int32' }), {
      reverse: true,
    })[0];
  };

/** How far, in the mean, a point of one set is from the nearest of the other, both ways added. */
const apart = jit((x: Tensor, y: Tensor): Tensor => {
  const squares = np.sum(np.square(np.sub(np.expandDims(x, 1), np.expandDims(y, 0))), -1);
  return np.add(np.mean(np.sqrt(np.min(squares, 0))), np.mean(np.sqrt(np.min(squares, 1))));
});

const options = { ...cli.commonOptions('diffusion'), steps: cli.count(6000, 'steps of Adam', 150) };

export const example: cli.Example<typeof options> = {
  name: 'diffusion',
  about: 'a small diffusion model makes points of two moons out of noise.',
  options,
  body: ({ seed, short, steps }) => {
    const [seenKey, unseenKey, initKey, drawKey] = random.split(random.key(seed), 4);
    const points = (key: random.Key, n: number): Tensor =>
      np.sub(twoMoons(key, n, { noise: 0.05 }).x, np.array([0.5, 0.25]));
    const [seen, unseen] = [points(seenKey!, 4000), points(unseenKey!, 1000)];
    const loss = (params: Params, key: random.Key): Tensor => {
      const [which, level, noiseKey] = random.split(key, 3);
      const t = random.randint(level!, [256], 0, levels);
      const noise = random.normal(noiseKey!, [256, 2]);
      const signal = np.expandDims(np.take(left, t), 1);
      const x = np.add(
        np.mul(np.sqrt(signal), np.take(seen, random.randint(which!, [256], 0, 4000), 0)),
        np.mul(np.sqrt(np.sub(1, signal)), noise),
      );
      return np.mean(np.square(np.sub(noiseIn(params, x, t), noise)));
    };
    const keys = Array.from({ length: steps }, (_, i) => random.foldIn(drawKey!, i));
    const { params, losses } = descend(
      loss,
      network.init(initKey!),
      optim.adam(optim.cosineDecaySchedule(3e-3, steps)),
      keys,
      cli.everySteps('loss', Math.ceil(steps / 4)),
    );
    const made = jit(sample(1000))(params, random.foldIn(drawKey!, 2 ** 31));
    const far = (x: Tensor): number => apart(x, unseen).item();
    // Beside them: other data, and a Gaussian of the same mean and covariance.
    const factor = np.linalg.cholesky(np.div(np.matmul(np.transpose(seen), seen), 4000));
    const gaussian = np.matmul(random.normal(initKey!, [1000, 2]), np.transpose(factor));
    const [same, model, normal] = [far(np.index(seen, [0, 1000]) as Tensor), far(made), far(gaussian)];
    console.log(
      `distance to the nearest held-out points and back: other data ${same.toFixed(4)}, samples ${model.toFixed(4)}, a Gaussian ${normal.toFixed(4)}`,
    );
    const smooth = losses
      .map((_, i) => losses.slice(Math.max(0, i - 100), i + 1))
      .map((some) => some.reduce((a, b) => a + b, 0) / some.length);
    return TE.of({
      numbers: { same, model, normal },
      claims: [
        cli.atMost(
          'distance of the samples to data and back, to that of a Gaussian',
          model / normal,
          short ? 1.5 : 0.4,
        ),
        cli.atMost('loss at the end, to the first', smooth.at(-1)! / smooth[0]!, 0.9),
      ],
      files: {
        'samples.svg': scatterPlot({
          title: 'Data, and points made out of noise',
          xLabel: 'x₁',
          yLabel: 'x₂',
          groups: [
            { name: 'data', points: np.index(unseen, [0, 700]) as Tensor },
            { name: 'made', points: np.index(made, [0, 700]) as Tensor },
          ],
        }),
        'loss.svg': lineChart({
          title: 'Learning which noise it is',
          xLabel: 'step',
          yLabel: 'square error',
          series: [{ name: 'loss', points: smooth.filter((_, i) => i % 10 === 0).map((v, i) => [10 * i, v] as const) }],
        }),
      },
    });
  },
};
