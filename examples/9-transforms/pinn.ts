/**
 * A network that solves a differential equation: u″ = −π² sin πx, u(0) = u(1) = 0, of which it is told no solution.
 *
 * Its loss is the residual of the equation, for which the network is differentiated twice in x, and then once more in its
 * parameters: derivatives of derivatives are functions like others, mapped over points by `vmap`.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, nn, np, optim, random, type Tensor, vmap } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend, times } from '../shared/descend.ts';

const network = nn.serial(
  nn.dense.layer(1, 24),
  nn.lift(np.tanh),
  nn.dense.layer(24, 24),
  nn.lift(np.tanh),
  nn.dense.layer(24, 1),
);
type Params = nn.ParamsOf<typeof network>;

/** u at one point: float[] → float[]. x·(1 − x) makes it 0 at both ends, whatever the network says. */
const u =
  (params: Params) =>
  (x: Tensor): Tensor =>
    np.mul(np.mul(x, np.sub(1, x)), np.index(network.apply(params)(np.reshape(x, [1])), 0) as Tensor);

const exact = (x: Tensor): Tensor => np.sin(np.mul(Math.PI, x));

/** u″ + π² sin πx, at one point. */
const residual =
  (params: Params) =>
  (x: Tensor): Tensor =>
    np.add(grad(grad(u(params)))(x), np.mul(Math.PI ** 2, exact(x)));

const loss = (params: Params, points: Tensor): Tensor => np.mean(np.square(vmap(residual(params))(points)));

const options = { ...cli.commonOptions('pinn'), steps: cli.count(1500, 'steps of Adam', 250) };

export const example: cli.Example<typeof options> = {
  name: 'pinn',
  about: 'a network solves a differential equation by its residual, with derivatives of derivatives.',
  options,
  body: ({ seed, short, steps }) => {
    const inside = np.linspace(0, 1, 32);
    const { params, losses } = descend(
      loss,
      network.init(random.key(seed)),
      optim.adam(optim.cosineDecaySchedule(5e-3, steps)),
      times(steps, inside),
      cli.everySteps('residual', Math.ceil(steps / 5)),
    );
    // Between the points of the training, too.
    const grid = np.linspace(0, 1, 201);
    const [found, truth] = [vmap(u(params))(grid), exact(grid)];
    const error = np.max(np.abs(np.sub(found, truth))).item();
    const line = (name: string, y: Tensor) => ({
      name,
      points: Array.from(grid.dataSync(), (x, i) => [x, y.dataSync()[i]!] as const),
    });
    return TE.of({
      numbers: { error, residual: losses.at(-1)! },
      claims: [cli.atMost('greatest error of u, which is at most 1', error, short ? 0.05 : 2e-3)],
      files: {
        'solution.svg': lineChart({
          title: 'The solution that was found, and the true one',
          xLabel: 'x',
          yLabel: 'u',
          series: [line('network', found), line('sin πx', truth)],
        }),
        'error.svg': lineChart({
          title: 'The residual of the equation while it learns',
          xLabel: 'step',
          yLabel: 'mean square residual',
          yScale: 'log',
          series: [{ name: 'residual', points: losses.map((value, i) => [i, value]) }],
        }),
      },
    });
  },
};
