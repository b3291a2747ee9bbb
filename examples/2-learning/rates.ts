/**
 * The rates of §3.4 measured: descent on a smooth function that is not convex stays under 4βΔ/T + √(8βΔσ²/T), without noise and
 * with.
 *
 * The function is Σ θᵢ²/(1 + θᵢ²), of which β = 2 is known; the steps are those of the theorem, η = min(1/β, √(2Δ/(Tβσ²))). At one
 * fixed η the squared gradient comes down to a floor of about ηβσ², and no lower.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, jit, np, random, scan, type Tensor, vmap } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

const size = 10;
/** f″ of θ²/(1 + θ²) is 2(1 − 3θ²)/(1 + θ²)³, between −1/2 and 2. */
const loss = (theta: Tensor): Tensor => np.sum(np.div(np.square(theta), np.add(1, np.square(theta))));
const beta = 2;
const start = np.linspace(0.5, 2, size);
const delta = loss(start).item();

/** ‖∇L‖² at each of so many steps of one run; the noise of a gradient has the variance σ² over all its elements. */
const run =
  (steps: number, rate: number, sigma: number) =>
  (key: random.Key): Tensor => {
    const step = (theta: Tensor, i: Tensor<'int32'>): readonly [Tensor, Tensor] => {
      const gradient = grad(loss)(theta);
      const noise = np.mul(sigma / Math.sqrt(size), random.normal(random.foldIn(key, i), [size]));
      return [np.sub(theta, np.mul(rate, np.add(gradient, noise))), np.sum(np.square(gradient))];
    };
    return scan(step, start, np.arange(steps, { dtype: 'int32' }))[1];
  };

const rateOf = (steps: number, sigma: number): number =>
  Math.min(1 / beta, sigma === 0 ? Number.POSITIVE_INFINITY : Math.sqrt((2 * delta) / (steps * beta * sigma ** 2)));
const boundOf = (steps: number, sigma: number): number =>
  (4 * beta * delta) / steps + Math.sqrt((8 * beta * delta * sigma ** 2) / steps);

const options = {
  ...cli.commonOptions('rates'),
  repeats: cli.count(64, 'runs of which means are taken', 16),
  longest: cli.countIn(4096, 'the most steps', [64, 65_536], 512),
};

export const example: cli.Example<typeof options> = {
  name: 'rates',
  about: 'measured rates of descent, with and without noise, under the bound of the theorem.',
  options,
  body: ({ longest, repeats, seed }) => {
    const keys = np.stack(random.split(random.key(seed), repeats));
    const squares = (steps: number, rate: number, sigma: number): Tensor => jit(vmap(run(steps, rate, sigma)))(keys);
    const lengths = Array.from({ length: Math.floor(Math.log2(longest)) - 2 }, (_, i) => 8 * 2 ** i);
    const curves = [0, 0.5, 2].map((sigma) => {
      const measured = lengths.map((steps) => np.mean(np.min(squares(steps, rateOf(steps, sigma), sigma), 1)).item());
      const bounds = lengths.map((steps) => boundOf(steps, sigma));
      const worst = Math.max(...measured.map((value, i) => value / bounds[i]!));
      console.log(`σ = ${sigma}: at most ${worst.toExponential(1)} of the bound`);
      return { sigma, measured, bounds, worst };
    });
    // The floor at a fixed step: the mean of the second half.
    const floors = [0.05, 0.1, 0.2].map((rate) => {
      const tail = np.index(squares(longest, rate, 1), [], [Math.floor(longest / 2)]) as Tensor;
      return { rate, floor: np.mean(tail).item() };
    });
    for (const { rate, floor } of floors) console.log(`η = ${rate}: ‖∇L‖² stays at ${floor.toFixed(4)}`);
    const ratio = floors[2]!.floor / floors[0]!.floor;
    const points = (values: readonly number[]) => lengths.map((steps, i) => [steps, values[i]!] as const);
    return TE.of({
      numbers: {
        worst: Math.max(...curves.map(({ worst }) => worst)),
        ratio,
        floors: floors.map(({ floor }) => floor),
      },
      claims: [
        ...curves.map(({ sigma, worst }) =>
          cli.atMost(`the least squared gradient to its bound, σ = ${sigma}`, worst, 1),
        ),
        { ...cli.atLeast('the floor at four times the step, which is about four times as high', ratio, 3), atMost: 6 },
        cli.atMost('the floor at η = 0.1, to ηβσ²', floors[1]!.floor / (0.1 * beta), 1.5),
      ],
      files: {
        'rates.svg': lineChart({
          title: 'The least squared gradient of T steps, and its bound',
          xLabel: 'T',
          yLabel: '‖∇L‖²',
          xScale: 'log',
          yScale: 'log',
          series: curves.flatMap(({ sigma, measured, bounds }) => [
            { name: `σ = ${sigma}`, points: points(measured.map((v) => Math.max(v, 1e-14))) },
            { name: `bound, σ = ${sigma}`, points: points(bounds) },
          ]),
        }),
      },
    });
  },
};
