/**
 * Stability of training (§7.1): how a deep network begins, and how long its steps may be.
 *
 * The spread of activations goes down or up as a power of the depth unless weights have the variance 1/n for tanh (Xavier) or 2/n
 * for relu (He). And descent on a loss with the sharpness λ, its largest Hessian eigenvalue, is stable up to the rate 2/λ: beyond
 * it a quadratic explodes, and a network leaves its valley or is lost.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { foriLoop, hvp, jit, nn, np, optim, random, scan, type Tensor, tree, valueAndGrad } from 'pullback';
import { spirals } from 'pullback/data';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend, times } from '../shared/descend.ts';

const [width, depth] = [128, 30];

/** The deviation of the activations behind each of so many layers. */
const spreads = (activation: (x: Tensor) => Tensor, variance: number, key: random.Key): number[] => {
  const layer = (x: Tensor, k: random.Key): readonly [Tensor, Tensor] => {
    const w = np.mul(Math.sqrt(variance / width), random.normal(k, [width, width]));
    const y = activation(np.matmul(x, w));
    return [y, np.std(y)];
  };
  const x = random.normal(random.foldIn(key, 2 ** 31), [64, width]);
  return jit(() => scan(layer, x, np.stack(random.split(key, depth)))[1])().toArray() as number[];
};

const network = nn.serial(
  nn.dense.layer(2, 16),
  nn.lift(np.tanh),
  nn.dense.layer(16, 16),
  nn.lift(np.tanh),
  nn.dense.layer(16, 2),
);
type Params = nn.ParamsOf<typeof network>;

const options = { ...cli.commonOptions('stability'), steps: cli.count(300, 'steps of descent', 100) };

export const example: cli.Example<typeof options> = {
  name: 'stability',
  about: 'how activations spread through a deep network, and which learning rates are stable.',
  options,
  body: ({ seed, steps }) => {
    const [depthKey, dataKey, initKey] = random.split(random.key(seed), 3);
    const rows = {
      'tanh, 1/n': spreads(np.tanh, 1, depthKey!),
      'relu, 2/n': spreads(nn.relu, 2, depthKey!),
      'relu, 1/n': spreads(nn.relu, 1, depthKey!),
      'tanh, 0.1/n': spreads(np.tanh, 0.1, depthKey!),
      'relu, 4/n': spreads(nn.relu, 4, depthKey!),
    };
    for (const [name, values] of Object.entries(rows))
      console.log(`${name}: deviation ${values.at(-1)!.toExponential(1)} behind ${depth} layers`);
    const perLayer = (name: keyof typeof rows): number => (rows[name].at(-1)! / rows[name][4]!) ** (1 / (depth - 5));

    const { x, label } = spirals(dataKey!, 150, { noise: 0.05 });
    const loss = (params: Params): Tensor => nn.crossEntropy(network.apply(params)(x), label);
    const start = descend(loss, network.init(initKey!), optim.adam(0.01), times(200, null)).params;
    // The largest eigenvalue by powers of the Hessian.
    const [flat, unravel] = tree.ravel(start);
    const power = (_: unknown, v: Tensor): Tensor => {
      const next = hvp((w: Tensor) => loss(unravel(w)), [flat], [v]);
      return np.div(next, np.linalg.vectorNorm(next));
    };
    const direction = jit(() => foriLoop(0, 100, power, np.div(np.ones(flat.shape), Math.sqrt(flat.size))))();
    const sharpness = (
      np.dot(
        direction,
        hvp((w: Tensor) => loss(unravel(w)), [flat], [direction]),
      ) as Tensor
    ).item();
    const losses = (rate: number): number[] => {
      const step = (p: Params): readonly [Params, Tensor] => {
        const [value, gradient] = valueAndGrad(loss)(p);
        const space = tree.vectorSpace<Params>();
        return [space.add(p, space.scale(-rate, gradient)), value];
      };
      return jit((p: Params) => scan(step, p, null, { length: steps })[1])(start).toArray() as number[];
    };
    const factors = [0.5, 0.9, 1.5, 4];
    const curves = factors.map((factor) => ({ name: `η = ${factor}·2/λ`, values: losses((factor * 2) / sharpness) }));
    const rises = (values: readonly number[]): number =>
      values.slice(1, 21).filter((v, i) => v > values[i]! + 1e-7).length;
    console.log(`sharpness ${sharpness.toFixed(2)}: stable up to η = ${(2 / sharpness).toFixed(4)}`);
    const line = (name: string, values: readonly number[]) => ({
      name,
      points: values.map((v, i) => [i + 1, v] as const),
    });
    return TE.of({
      numbers: {
        sharpness,
        he: perLayer('relu, 2/n'),
        halved: perLayer('relu, 1/n'),
        doubled: perLayer('relu, 4/n'),
      },
      claims: [
        {
          ...cli.atLeast('He: what a layer does to the deviation, a factor', perLayer('relu, 2/n'), 0.94),
          atMost: 1.06,
        },
        { ...cli.atLeast('half of it: √½ a layer', perLayer('relu, 1/n'), 0.67), atMost: 0.75 },
        { ...cli.atLeast('twice of it: √2 a layer', perLayer('relu, 4/n'), 1.33), atMost: 1.5 },
        cli.atMost('rises of the loss in twenty steps at half of 2/λ', rises(curves[0]!.values), 0),
        cli.atLeast('… at four times 2/λ', rises(curves[3]!.values), 3),
        cli.atMost(
          'the loss at the end at 0.9·2/λ, to that at the beginning',
          curves[1]!.values.at(-1)! / curves[1]!.values[0]!,
          1,
        ),
      ],
      files: {
        'spread.svg': lineChart({
          title: 'The deviation of activations through a deep network',
          xLabel: 'layer',
          yLabel: 'deviation',
          yScale: 'log',
          series: Object.entries(rows).map(([name, values]) => line(name, values)),
        }),
        'rates.svg': lineChart({
          title: 'Descent about the stable rate 2/λ',
          xLabel: 'step',
          yLabel: 'loss',
          yScale: 'log',
          series: curves.map(({ name, values }) => line(name, values)),
        }),
      },
    });
  },
};
