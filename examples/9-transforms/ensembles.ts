/**
 * A deep ensemble: sixteen networks, from sixteen keys, trained at once by mapping the training of one.
 *
 * Where there are data they agree; where there are none they differ, and say so: their spread is what a single network does not
 * know of itself. B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and scalable predictive uncertainty estimation" (2017).
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, scan, type Tensor, valueAndGrad, vmap } from 'pullback';
import { scatterPlot } from 'pullback/viz';
import * as cli from '../cli.ts';

const network = nn.serial(
  nn.dense.layer(1, 32),
  nn.lift(nn.relu),
  nn.dense.layer(32, 32),
  nn.lift(nn.relu),
  nn.dense.layer(32, 1),
);
type Params = nn.ParamsOf<typeof network>;

const predict = (params: Params, x: Tensor): Tensor => np.squeeze(network.apply(params)(np.expandDims(x, 1)), 1);

/** Train one network from its key: pure, so that it is trained for many keys by `vmap`. */
const trainOne =
  (x: Tensor, y: Tensor, steps: number) =>
  (key: random.Key): Params => {
    const adam = optim.adam(0.01);
    const loss = (params: Params): Tensor => np.mean(np.square(np.sub(predict(params, x), y)));
    const params = network.init(key);
    type Carry = { readonly params: Params; readonly state: optim.OptState };
    const step = ({ params, state }: Carry): readonly [Carry, Tensor] => {
      const [value, gradient] = valueAndGrad(loss)(params);
      const [updates, next] = adam.update(gradient, state, params);
      return [{ params: optim.applyUpdates(params, updates), state: next }, value];
    };
    return scan(step, { params, state: adam.init(params) }, null, { length: steps })[0].params;
  };

/** x³ − x with noise, seen on two intervals only. */
function observed(key: random.Key, count: number): { readonly x: Tensor; readonly y: Tensor } {
  const [sideKey, noiseKey] = random.split(key);
  const x = np.concatenate([
    random.uniform(sideKey, [count / 2], { minval: -1.4, maxval: -0.5 }),
    random.uniform(random.foldIn(sideKey, 1), [count / 2], { minval: 0.5, maxval: 1.2 }),
  ]);
  const noise = np.mul(0.05, random.normal(noiseKey, [count]));
  return { x, y: np.add(np.sub(np.power(x, 3), x), noise) };
}

const options = {
  ...cli.commonOptions('ensembles'),
  members: cli.countIn(16, 'networks', [2, 256]),
  steps: cli.count(1000, 'steps of each', 150),
};

export const example: cli.Example<typeof options> = {
  name: 'ensembles',
  about: 'many networks are trained at once by vmap, and their spread shows what they do not know.',
  options,
  body: ({ members, seed, short, steps }) => {
    const [dataKey, initKey] = random.split(random.key(seed));
    const { x, y } = observed(dataKey, 60);
    const keys = random.split(initKey, members);
    const ensemble = jit(vmap(trainOne(x, y, steps)))(np.stack(keys));
    const grid = np.linspace(-2, 2, 161);
    const each = vmap((params: Params) => predict(params, grid))(ensemble);
    const [mean, spread] = [np.mean(each, 0), np.std(each, 0)];
    const at = (values: Tensor, i: number): number => values.dataSync()[i]!;
    const within = (from: number, to: number): number => {
      const chosen = Array.from(grid.dataSync(), (v, i) => [v, at(spread, i)] as const).filter(
        ([v]) => v >= from && v <= to,
      );
      return chosen.reduce((sum, [, s]) => sum + s, 0) / chosen.length;
    };
    const known = (within(-1.4, -0.5) + within(0.5, 1.2)) / 2;
    const unknown = (within(-2, -1.7) + within(1.5, 2)) / 2;
    console.log(`spread where there are data ${known.toFixed(4)}, where there are none ${unknown.toFixed(4)}`);
    const line = (name: string, factor: number) => ({
      name,
      points: Array.from(grid.dataSync(), (v, i) => [v, at(mean, i) + factor * at(spread, i)] as const),
    });
    return TE.of({
      numbers: { known, unknown },
      claims: [
        cli.atLeast('spread beyond the data, in spreads among them', unknown / known, short ? 2.5 : 3),
        cli.atMost('spread among the data', known, short ? 0.2 : 0.05),
      ],
      files: {
        'ensemble.svg': scatterPlot({
          title: 'The mean of sixteen networks, and twice their spread',
          xLabel: 'x',
          yLabel: 'y',
          groups: [{ name: 'data', points: np.stack([x, y], 1) }],
          lines: [line('mean', 0), line('mean + 2 spreads', 2), line('mean − 2 spreads', -2)],
          y: [-4, 4],
        }),
      },
    });
  },
};
