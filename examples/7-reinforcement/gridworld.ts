/**
 * A gridworld as a Markov decision process (§8.2): transitions and rewards are two tensors, an episode is a `scan`, and a value is
 * a mean of returns.
 *
 * G = Σ γᵏ Rₜ₊ₖ₊₁ of many episodes, all at once by `vmap`, comes to v_π = (I − γP_π)⁻¹ r_π, from every state.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, np, random, scan, type Tensor, vmap } from 'pullback';
import { heatMap, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { asGrid, drawPolicy, gridworld, optimal, side, states, way } from '../shared/gridworld.ts';

const gamma = 0.95;
const options = {
  ...cli.commonOptions('gridworld'),
  episodes: cli.count(2000, 'episodes from each state', 200),
  slip: cli.probability(0.2, 'how often a move goes astray'),
};

export const example: cli.Example<typeof options> = {
  name: 'gridworld',
  about: 'a gridworld as tensors; returns of simulated episodes against the values.',
  options,
  body: ({ episodes, seed, short, slip }) => {
    const process = gridworld(slip);
    const chances = np.astype(np.sum(process.transitions, 2), 'float32');
    const table = np.log(np.astype(process.transitions, 'float32'));
    const pays = np.astype(process.rewards, 'float32');
    const horizon = 150;
    /** The discounted return of one episode under the random policy. */
    const episode = (start: Tensor<'int32'>, key: random.Key): Tensor => {
      const step = ([state, discount]: readonly [Tensor<'int32'>, Tensor], i: Tensor<'int32'>) => {
        const [actionKey, moveKey] = random.split(random.foldIn(key, i));
        const action = random.randint(actionKey, [], 0, 4);
        const reward = np.mul(discount, np.index(pays, state, action) as Tensor);
        const to = random.categorical(moveKey, np.index(table, state, action) as Tensor);
        return [[to, np.mul(gamma, discount)], reward] as const;
      };
      return np.sum(scan(step, [start, np.array(1)] as const, np.arange(horizon, { dtype: 'int32' }))[1]);
    };
    const fromEach = jit((key: random.Key) => {
      const run = vmap(vmap(episode, [null, 0]), [0, null]);
      return run(np.arange(states, { dtype: 'int32' }), np.stack(random.split(key, 64)));
    });
    const batches = Array.from({ length: Math.ceil(episodes / 64) }, (_, i) =>
      fromEach(random.foldIn(random.key(seed), i)),
    );
    const returns = np.concatenate(batches, 1);
    const simulated = np.mean(returns, 1);
    const errors = np.div(np.std(returns, 1), Math.sqrt(returns.shape[1]!));

    // Of the random policy, in closed form.
    const average = np.mean(process.transitions, 1);
    const system = np.sub(np.eye(states, states, { dtype: 'float64' }), np.mul(gamma, average));
    const exact = np.linalg.solve(system, np.mean(process.rewards, 1)) as Tensor<'float64'>;
    const off = np.max(np.div(np.abs(np.sub(simulated, np.astype(exact, 'float32'))), np.add(errors, 1e-6))).item();
    const { q, v } = optimal(process, gamma);
    const policy = np.argmax(q, 1).toArray() as number[];
    const path = way(policy, states - side);
    console.log(
      `returns of ${returns.shape[1]} episodes a state are ${off.toFixed(1)} standard errors from the values at most; the best way from a corner: ${path.join(' → ')}`,
    );
    return TE.of({
      numbers: { off, steps: path.length - 1, corner: (np.index(v, states - side) as Tensor<'float64'>).item() },
      claims: [
        cli.atMost(
          'probabilities of a state and a move: their sum, from 1',
          np.max(np.abs(np.sub(chances, 1))).item(),
          1e-6,
        ),
        cli.atMost('simulated returns from the values, in standard errors, of 25', off, short ? 4.5 : 4),
        { ...cli.atLeast('steps of the best way from the lower left corner', path.length - 1, 4), atMost: 4 },
      ],
      files: {
        'values.svg': heatMap({
          title: 'Values of the random policy',
          values: asGrid(exact),
          digits: 1,
          xLabel: 'column',
          yLabel: 'row',
          width: 420,
          height: 400,
        }),
        'policy.svg': drawPolicy('The best policy, its values and ways', asGrid(v), policy),
        'returns.svg': lineChart({
          title: 'Simulated and exact values',
          xLabel: 'state',
          yLabel: 'value',
          series: [
            { name: 'mean return', points: (simulated.toArray() as number[]).map((y, i) => [i, y] as const) },
            { name: 'closed form', points: (exact.toArray() as number[]).map((y, i) => [i, y] as const) },
          ],
        }),
      },
    });
  },
};
