/**
 * Noise helps off a saddle (§3.4): descent that begins on the ridge ends in the saddle, with a little noise it ends in a minimum.
 *
 * A saddle is stationary and not stable: pushed aside, one moves on. The time to leave grows with the logarithm of how small the
 * noise is.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, hessian, jit, np, random, scan, type Tensor, vmap } from 'pullback';
import { contourPlot, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

/** x² − y² + y⁴/4: a saddle at 0, minima of −1 at (0, ±√2). */
const f = (p: Tensor): Tensor => {
  const [x2, y2] = [np.square(np.index(p, 0) as Tensor), np.square(np.index(p, 1) as Tensor)];
  return np.add(np.sub(x2, y2), np.mul(0.25, np.square(y2)));
};
const rate = 0.05;

/** The points of one run from the ridge y = 0: float32[steps, 2]. */
const run =
  (noise: number, steps: number) =>
  (key: random.Key): Tensor => {
    const step = (p: Tensor, i: Tensor<'int32'>): readonly [Tensor, Tensor] => {
      const push = np.mul(noise, random.normal(random.foldIn(key, i), [2]));
      return [np.sub(p, np.mul(rate, np.add(grad(f)(p), push))), p];
    };
    return scan(step, np.array([1.4, 0]), np.arange(steps, { dtype: 'int32' }))[1];
  };

const options = {
  ...cli.commonOptions('saddle'),
  repeats: cli.countIn(200, 'runs with noise', [2, 100_000], 50),
  steps: cli.count(400, 'steps'),
};

export const example: cli.Example<typeof options> = {
  name: 'saddle',
  about: 'descent from a ridge ends in a saddle; with a little noise it leaves.',
  options,
  body: ({ repeats, seed, steps }) => {
    const keys = random.split(random.key(seed), repeats);
    const runs = (noise: number): Tensor => jit(vmap(run(noise, steps)))(np.stack(keys));
    const still = jit(run(0, steps))(keys[0]!);
    const noises = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1];
    // How many steps until |y| > 1, in the mean.
    const left = noises.map((noise) => {
      const inside = np.less(np.abs(np.index(runs(noise), [], [], 1) as Tensor), 1);
      return np.mean(np.sum(np.astype(inside, 'float32'), 1)).item();
    });
    noises.forEach((noise, i) => console.log(`noise ${noise}: away after ${left[i]!.toFixed(0)} steps`));
    const ends = np.index(runs(1e-2), [], -1) as Tensor;
    const arrived = np.mean(np.astype(np.less(vmap(f)(ends), -0.99), 'float32')).item();
    const upper = np.mean(np.astype(np.greater(np.index(ends, [], 1) as Tensor, 0), 'float32')).item();
    const stuck = np.linalg.norm(np.index(still, -1) as Tensor).item();
    const curvature = np.linalg.eigvalsh(hessian(f)(np.zeros([2])) as Tensor).toArray() as number[];
    console.log(
      `at the saddle the Hessian has the eigenvalues ${curvature.join(' and ')}; ${(100 * arrived).toFixed(0)} % arrive`,
    );
    const path = (name: string, points: Tensor) => ({
      name,
      points: (points.toArray() as [number, number][]).filter((_, i) => i % 4 === 0),
    });
    return TE.of({
      numbers: { stuck, arrived, upper, left },
      claims: [
        cli.atMost('where descent without noise ends, from the saddle', stuck, 1e-6),
        cli.atLeast('share of noisy runs that end in a minimum', arrived, 0.99),
        { ...cli.atLeast('share of them in the upper one', upper, 0.35), atMost: 0.65 },
        { ...cli.atLeast('steps more for a tenth of the noise', left[1]! - left[2]!, 15), atMost: 35 },
      ],
      files: {
        'paths.svg': contourPlot({
          title: 'From the ridge, without noise and with',
          f: vmap(f),
          x: [-0.6, 1.6],
          y: [-2, 2],
          xLabel: 'x',
          yLabel: 'y',
          paths: [
            path('without noise', still),
            ...[1, 2, 3].map((i) => path(`noise 0.01, run ${i}`, run(1e-2, steps)(keys[i]!))),
          ],
        }),
        'times.svg': lineChart({
          title: 'How long it stays',
          xLabel: 'noise',
          yLabel: 'steps near the ridge',
          xScale: 'log',
          series: [{ name: 'mean of the runs', points: noises.map((noise, i) => [noise, left[i]!] as const) }],
        }),
      },
    });
  },
};
