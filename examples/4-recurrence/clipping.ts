/**
 * Clipping the gradient (§5.3): where it explodes, a step of bounded length goes on where a full one is thrown out.
 *
 * A recurrent network learns to add two marked numbers of a sequence, its matrix a little too large at first. The same descent with
 * and without `optim.clipByGlobalNorm`: one learns, the other is lost at its first steep wall. R. Pascanu, T. Mikolov, Y. Bengio,
 * "On the difficulty of training recurrent neural networks" (2013).
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor, train, tree, valueAndGrad } from 'pullback';
import { addingProblem } from 'pullback/data';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

const [length, size] = [20, 32];

interface Params {
  readonly cell: nn.RecurrentParams;
  readonly out: nn.DenseParams;
}

/** A network of rectified units whose matrix is the identity, a little too large: its state grows as 1.1ᵗ. */
function init(key: random.Key): Params {
  const [forCell, forOut] = random.split(key);
  const cell = nn.rnnCell.init(forCell, 2, size);
  return {
    cell: { ...cell, wh: np.mul(1.1, np.eye(size)) },
    out: nn.dense.init(forOut, size, 1),
  };
}

const lossOf = ({ cell, out }: Params, x: Tensor, y: Tensor): Tensor => {
  const [last] = nn.recurrence(nn.rnnCell(cell, { activation: 'relu' }), nn.rnnCell.carry(cell, [x.shape[0]!]), x);
  return nn.mse(np.squeeze(nn.dense(out)(last), 1), y);
};

const options = {
  ...cli.commonOptions('clipping'),
  steps: cli.count(2000, 'steps', 300),
  rate: cli.positive(0.05, 'learning rate'),
};

export const example: cli.Example<typeof options> = {
  name: 'clipping',
  about: 'the same descent with and without clipping, where gradients explode.',
  options,
  body: ({ rate, seed, short, steps }) => {
    const [initKey, dataKey] = random.split(random.key(seed));
    type Carry = { readonly params: Params; readonly state: optim.OptState };
    const learn = (optimizer: optim.GradientTransformation) => {
      const step = (
        { params, state }: Carry,
        key: random.Key,
      ): readonly [Carry, { readonly loss: Tensor; readonly norm: Tensor }] => {
        const { x, y } = addingProblem(key, 32, length);
        const [loss, gradient] = valueAndGrad(lossOf)(params, x, y);
        const [updates, next] = optimizer.update(gradient, state, params);
        const norm = np.sqrt(tree.vectorSpace<Params>().inner(gradient, gradient) as Tensor);
        return [
          { params: optim.applyUpdates(params, updates), state: next },
          { loss, norm },
        ];
      };
      const params = init(initKey);
      const keys = Array.from({ length: steps }, (_, i) => random.foldIn(dataKey, i));
      const [, seen] = train.fold(step, { params, state: optimizer.init(params) }, keys);
      return { losses: seen.map(({ loss }) => loss.item()), norms: seen.map(({ norm }) => norm.item()) };
    };
    const plain = learn(optim.sgd(rate));
    const clipped = learn(optim.chain(optim.clipByGlobalNorm(0.5), optim.sgd(rate)));
    const tail = (losses: readonly number[]): number => losses.slice(-50).reduce((a, b) => a + b, 0) / 50;
    // Who always says the mean of the sum is wrong by its variance, 1/6.
    const [without, within] = [tail(plain.losses), tail(clipped.losses)];
    const steepest = Math.max(...clipped.norms);
    console.log(
      `loss at the end: ${without.toExponential(2)} without, ${within.toFixed(4)} with clipping; gradients up to ${steepest.toFixed(0)}`,
    );
    const line = (name: string, values: readonly number[]) => ({ name, points: values.map((v, i) => [i, v] as const) });
    return TE.of({
      numbers: { without: Number.isFinite(without) ? without : null, within, steepest },
      claims: [
        cli.atMost('loss with clipping, to that of the mean', within / (1 / 6), short ? 3 : 0.5),
        cli.atLeast('loss without, to that with', Number.isFinite(without) ? without / within : 1e9, 2),
        cli.atLeast('the longest gradient, to the length to which it is clipped', steepest / 0.5, 20),
      ],
      files: {
        'losses.svg': lineChart({
          title: 'Learning to add',
          xLabel: 'step',
          yLabel: 'square error',
          yScale: 'log',
          series: [line('without clipping', plain.losses), line('with clipping', clipped.losses)],
        }),
        'norms.svg': lineChart({
          title: 'The lengths of gradients, before they are clipped',
          xLabel: 'step',
          yLabel: '‖gradient‖',
          yScale: 'log',
          series: [line('with clipping', clipped.norms)],
        }),
      },
    });
  },
};
