/**
 * Deep Q-learning: a network in place of the table, with a replay memory and a target network (V. Mnih et al., 2015).
 *
 * Everything is a value: the memory is a tensor that `np.at` changes copies of, written over in place by the compiler; the target
 * is another tree of parameters. Acting, remembering and learning are one step of one `scan`. The policy at the end is the best
 * one, in every state.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, scan, type Tensor, tree, valueAndGrad } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { arrows, asGrid, drawPolicy, gridworld, next, optimal, signs, states, terminals } from '../shared/gridworld.ts';

const gamma = 0.9;
const [memory, batch] = [2048, 64];
/** States in which there is a move to make. */
const moving = states - terminals.length;
const network = nn.serial(nn.dense.layer(states, 64), nn.lift(nn.relu), nn.dense.layer(64, 4));
type Params = nn.ParamsOf<typeof network>;
const sees = np.eye(states);
const q = (params: Params, state: Tensor<'int32'>): Tensor => network.apply(params)(np.take(sees, state, 0));

/** Where moves lead, int32[states, 4], and which states end. */
const leads = np.array(
  Array.from({ length: states }, (_, s) => arrows.map((_, a) => next(s, a))),
  { dtype: 'int32' },
);
const ends = np.array(Array.from({ length: states }, (_, s) => Number(terminals.includes(s))));

interface Agent {
  readonly params: Params;
  readonly target: Params;
  readonly optimizer: optim.OptState;
  /** State, action and next state of each step remembered: int32[memory, 3]. */
  readonly replay: Tensor<'int32'>;
  readonly state: Tensor<'int32'>;
}

const options = { ...cli.commonOptions('dqn'), steps: cli.count(12_000, 'steps', 1500) };

export const example: cli.Example<typeof options> = {
  name: 'dqn',
  about: 'deep Q-learning with replay and a target network, in one compiled loop.',
  options,
  body: ({ seed, short, steps }) => {
    const [initKey, walkKey] = random.split(random.key(seed));
    const adam = optim.adam(1e-3);
    const step = (agent: Agent, i: Tensor<'int32'>): readonly [Agent, Tensor] => {
      const [exploreKey, actionKey, startKey, batchKey] = random.split(random.foldIn(walkKey, i), 4);
      // Act: ε falls from 1 to 0.2.
      const epsilon = np.maximum(0.2, np.sub(1, np.div(np.astype(i, 'float32'), steps / 3)));
      const greedy = np.argmax(np.ravel(q(agent.params, np.expandDims(agent.state, 0))));
      const action = np.where(
        np.less(random.uniform(exploreKey!), epsilon),
        random.randint(actionKey!, [], 0, 4),
        greedy,
      ) as Tensor<'int32'>;
      const to = np.index(leads, agent.state, action) as Tensor<'int32'>;
      const replay = np
        .at(agent.replay, np.mod(i, memory) as Tensor<'int32'>)
        .set(np.stack([agent.state, action, to])) as Tensor<'int32'>;
      const over = np.greater(np.index(ends, to) as Tensor, 0);
      const fresh = np.add(1, random.randint(startKey!, [], 0, states - 2));
      const state = np.where(over, fresh, to) as Tensor<'int32'>;
      // Learn, from some of what is remembered.
      const filled = np.minimum(np.add(i, 1), memory) as Tensor<'int32'>;
      const places = np.mod(random.randint(batchKey!, [batch], 0, 2 ** 30), filled) as Tensor<'int32'>;
      const rows = np.take(replay, places, 0);
      const [from, did, then] = [0, 1, 2].map((k) => np.index(rows, [], k)) as [
        Tensor<'int32'>,
        Tensor<'int32'>,
        Tensor<'int32'>,
      ];
      const future = np.mul(np.sub(1, np.take(ends, then, 0)), np.max(q(agent.target, then), 1));
      const wanted = np.sub(np.mul(gamma, future), 1);
      const loss = (p: Params): Tensor => {
        const said = np.squeeze(np.takeAlongAxis(q(p, from), np.expandDims(did, 1), 1), 1) as Tensor;
        return nn.huber(said, wanted);
      };
      const [value, gradient] = valueAndGrad(loss)(agent.params);
      const [updates, optimizer] = adam.update(gradient, agent.optimizer, agent.params);
      const params = optim.applyUpdates(agent.params, updates);
      const now = np.equal(np.mod(i, 100), 0);
      const target = tree.map2((a, b) => np.where(now, a, b), params, agent.target);
      return [{ params, target, optimizer, replay, state }, value];
    };
    const start = network.init(initKey);
    const parts = 10;
    const each = Math.ceil(steps / parts);
    const part = jit((agent: Agent, from: Tensor<'int32'>) =>
      scan(step, agent, np.add(from, np.arange(each, { dtype: 'int32' })) as Tensor<'int32'>),
    );
    let agent: Agent = {
      params: start,
      target: start,
      optimizer: adam.init(start),
      replay: np.zeros([memory, 3], { dtype: 'int32' }),
      state: np.array(12, { dtype: 'int32' }),
    };
    const best = optimal(gridworld(0), gamma);
    const wanted = best.q.toArray() as number[][];
    const everywhere = np.arange(states, { dtype: 'int32' });
    const history = Array.from({ length: parts }, (_, k) => {
      const [after, losses] = part(agent, np.array(k * each, { dtype: 'int32' }));
      agent = after;
      const values = q(agent.params, everywhere).toArray() as number[][];
      const right = values.filter(
        (row, s) =>
          !terminals.includes(s) && wanted[s]![row.indexOf(Math.max(...row))]! > Math.max(...wanted[s]!) - 1e-6,
      ).length;
      console.log(
        `step ${(k + 1) * each}: the best move in ${right} of ${moving} states, loss ${np.mean(losses).item().toExponential(1)}`,
      );
      return { right, values };
    });
    const last = history.at(-1)!;
    const policy = last.values.map((row) => row.indexOf(Math.max(...row)));
    for (const row of signs(policy)) console.log(`  ${row.join(' ')}`);
    const learned = np.array(last.values.map((row, s) => (terminals.includes(s) ? 0 : Math.max(...row))));
    const error = np.max(np.abs(np.sub(learned, np.astype(best.v, 'float32')))).item();
    return TE.of({
      numbers: { right: last.right, error },
      claims: [
        cli.atLeast('states in which the greedy move is a best one', last.right, short ? 14 : moving),
        ...(short ? [] : [cli.atMost('values from those of the best policy', error, 0.3)]),
      ],
      files: {
        'values.svg': drawPolicy('The network: values, moves and ways', asGrid(learned), policy),
        'policy.svg': lineChart({
          title: 'States with the best move',
          xLabel: 'step',
          yLabel: 'states',
          series: [{ name: `of ${moving}`, points: history.map(({ right }, k) => [(k + 1) * each, right] as const) }],
        }),
      },
    });
  },
};
