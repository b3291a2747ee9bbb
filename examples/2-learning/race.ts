/**
 * The race of the optimizers of §3.5: descent, momentum, Nesterov, AdaGrad, RMSProp, Adam and AMSGrad, on Beale's function, in
 * Rosenbrock's valley and off a saddle.
 *
 * Each has one rate for a function, the best of a few. On a plateau what adapts its rates is ahead, in the valley what has
 * momentum.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, np, optim, scan, type Tensor, valueAndGrad, vmap } from 'pullback';
import { contourPlot } from 'pullback/viz';
import * as cli from '../cli.ts';

const coordinates = (p: Tensor): readonly [Tensor, Tensor] => [np.index(p, 0) as Tensor, np.index(p, 1) as Tensor];
const sum = (...terms: readonly Tensor[]): Tensor => terms.reduce((a, b) => np.add(a, b));

const landscapes = {
  beale: {
    f: (p: Tensor): Tensor => {
      const [x, y] = coordinates(p);
      const term = (c: number, power: number): Tensor =>
        np.square(np.add(np.sub(c, x), np.mul(x, np.power(y, power) as Tensor)));
      return sum(term(1.5, 1), term(2.25, 2), term(2.625, 3));
    },
    start: [1, 1.5],
    least: 0,
    x: [-0.5, 4],
    y: [-1.5, 2],
  },
  rosenbrock: {
    f: (p: Tensor): Tensor => {
      const [x, y] = coordinates(p);
      return np.add(np.square(np.sub(1, x)), np.mul(20, np.square(np.sub(y, np.square(x)))));
    },
    start: [-1.2, 1],
    least: 0,
    x: [-1.8, 1.8],
    y: [-0.8, 2],
  },
  saddle: {
    // A saddle at 0; minima of −1 at (0, ±√2).
    f: (p: Tensor): Tensor => {
      const [x, y] = coordinates(p);
      const y2 = np.square(y);
      return sum(np.square(x), np.neg(y2), np.mul(0.25, np.square(y2)));
    },
    start: [1.5, 1e-4],
    least: -1,
    x: [-0.6, 1.8],
    y: [-0.5, 2],
  },
} as const;
type Landscape = (typeof landscapes)[keyof typeof landscapes];

const racers: Readonly<Record<string, (rate: number) => optim.GradientTransformation>> = {
  descent: (rate) => optim.sgd(rate),
  momentum: (rate) => optim.sgd(rate, { momentum: 0.9 }),
  Nesterov: (rate) => optim.sgd(rate, { momentum: 0.9, nesterov: true }),
  AdaGrad: (rate) => optim.adagrad(rate * 10),
  RMSProp: (rate) => optim.rmsprop(rate),
  Adam: (rate) => optim.adam(rate * 3),
  AMSGrad: (rate) => optim.amsgrad(rate * 3),
};
const rates = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1];

/** Where an optimizer comes by, and the values there: float32[steps, 2] and float32[steps]. */
const run = ({ f, start }: Landscape, optimizer: optim.GradientTransformation, steps: number) => {
  const p = np.array([...start]);
  type Carry = { readonly p: Tensor; readonly state: optim.OptState };
  const step = ({ p, state }: Carry): readonly [Carry, { readonly p: Tensor; readonly value: Tensor }] => {
    const [value, gradient] = valueAndGrad(f)(p);
    const [updates, next] = optimizer.update(gradient, state, p);
    return [
      { p: optim.applyUpdates(p, updates), state: next },
      { p, value },
    ];
  };
  const { p: path, value } = jit(() => scan(step, { p, state: optimizer.init(p) }, null, { length: steps })[1])();
  return { path: path.toArray() as [number, number][], values: value.toArray() as number[] };
};

const options = { ...cli.commonOptions('race'), steps: cli.count(300, 'steps', 150) };

export const example: cli.Example<typeof options> = {
  name: 'race',
  about: 'seven optimizers race on three functions, and their ways are drawn.',
  options,
  body: ({ short, steps }) => {
    const results = Object.entries(landscapes).map(([name, landscape]) => {
      const tried = short ? rates.slice(2, 5) : rates;
      const finishers = Object.entries(racers).map(([racer, make]) => {
        const runs = tried.map((rate) => run(landscape, make(rate), steps));
        const end = ({ values }: (typeof runs)[number]): number =>
          Number.isFinite(values.at(-1)!) ? values.at(-1)! : 1e9;
        const best = runs.reduce((a, b) => (end(b) < end(a) ? b : a));
        return { racer, path: best.path, end: end(best) - landscape.least };
      });
      const told = finishers.map(({ racer, end }) => `${racer} ${end.toExponential(1)}`).join(', ');
      console.log(`${name}: ${told}`);
      const picture = contourPlot({
        title: `Seven ways on ${name}`,
        f: vmap(landscape.f),
        x: landscape.x,
        y: landscape.y,
        xLabel: 'x',
        yLabel: 'y',
        paths: finishers.map(({ racer, path }) => ({
          name: racer,
          points: path.filter((_, i) => i < 40 || i % 5 === 0),
        })),
      });
      return { name, finishers, picture };
    });
    const endOf = (name: string, racer: string): number =>
      results.find((r) => r.name === name)!.finishers.find((f) => f.racer === racer)!.end;
    const arrived = (name: string): number =>
      results.find((r) => r.name === name)!.finishers.filter(({ end }) => end < (short ? 0.3 : 0.05)).length;
    return TE.of({
      numbers: Object.fromEntries(
        results.flatMap(({ name, finishers }) => finishers.map(({ racer, end }) => [`${name} ${racer}`, end])),
      ),
      claims: [
        cli.atLeast('optimizers near the minimum of Beale', arrived('beale'), 5),
        cli.atLeast('optimizers off the saddle, at a minimum', arrived('saddle'), 5),
        cli.atLeast(
          'plain descent in the valley, to momentum',
          endOf('rosenbrock', 'descent') / endOf('rosenbrock', 'momentum'),
          2,
        ),
      ],
      files: Object.fromEntries(results.map(({ name, picture }) => [`${name}.svg`, picture])),
    });
  },
};
