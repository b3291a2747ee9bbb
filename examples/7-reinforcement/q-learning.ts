/**
 * Q-learning (§8.2.5): the best values from experience alone, without the tables of the world.
 *
 * q(s, a) ← q(s, a) + α (r + γ max q(s′, ·) − q(s, a)) after each step of an ε-greedy walk, a `scan` in twenty
 * parts; α falls with the visits of a pair. It comes to q*, and its policy loses next to nothing. C. Watkins, P. Dayan (1992).
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, np, random, scan, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { asGrid, drawPolicy, gridworld, optimal, signs, states, terminals } from '../shared/gridworld.ts';

const gamma = 0.9;

const options = {
  ...cli.commonOptions('q-learning'),
  steps: cli.count(400_000, 'steps of the walk', 20_000),
  slip: cli.probability(0.1, 'how often a move goes astray'),
};

export const example: cli.Example<typeof options> = {
  name: 'q-learning',
  about: 'Q-learning finds the best policy of a gridworld from experience.',
  options,
  body: ({ seed, short, slip, steps }) => {
    const process = gridworld(slip);
    const best = optimal(process, gamma);
    const table = np.log(np.astype(process.transitions, 'float32'));
    const ends = np.array(Array.from({ length: states }, (_, s) => terminals.includes(s)));
    const key = random.key(seed);
    interface Walk {
      readonly q: Tensor;
      readonly visits: Tensor;
      readonly state: Tensor<'int32'>;
    }
    const step = ({ q, visits, state }: Walk, i: Tensor<'int32'>): readonly [Walk, null] => {
      const [greedyKey, actionKey, moveKey, startKey] = random.split(random.foldIn(key, i), 4);
      const explore = random.bernoulli(greedyKey!, 0.3);
      const greedy = np.argmax(np.index(q, state) as Tensor);
      const action = np.where(explore, random.randint(actionKey!, [], 0, 4), greedy) as Tensor<'int32'>;
      const to = random.categorical(moveKey!, np.index(table, state, action) as Tensor);
      const target = np.sub(np.mul(gamma, np.max(np.index(q, to) as Tensor)), 1);
      const count = np.add(np.index(visits, state, action) as Tensor, 1);
      // Between 1/n, which is a mean, and a constant, which forgets.
      const rate = np.power(count, -0.7) as Tensor;
      const change = np.mul(rate, np.sub(target, np.index(q, state, action) as Tensor));
      const fresh = np.add(1, random.randint(startKey!, [], 0, states - 2)) as Tensor<'int32'>;
      const state2 = np.where(np.index(ends, to) as Tensor<'bool'>, fresh, to) as Tensor<'int32'>;
      return [
        { q: np.at(q, state, action).add(change), visits: np.at(visits, state, action).set(count), state: state2 },
        null,
      ];
    };
    // In parts, to see how it comes there.
    const each = Math.ceil(steps / 20);
    const part = jit(
      (walk: Walk, from: Tensor<'int32'>) =>
        scan(step, walk, np.add(from, np.arange(each, { dtype: 'int32' })) as Tensor<'int32'>)[0],
    );
    let walk: Walk = {
      q: np.zeros([states, 4]),
      visits: np.zeros([states, 4]),
      state: np.array(12, { dtype: 'int32' }),
    };
    const errors: number[] = [];
    for (let i = 0; i < 20; i++) {
      walk = part(walk, np.array(i * each, { dtype: 'int32' }));
      errors.push(np.max(np.abs(np.sub(walk.q, np.astype(best.q, 'float32')))).item());
    }
    const chosen = np.argmax(walk.q, 1).toArray() as number[];
    const wanted = best.q.toArray() as number[][];
    // What is lost by the choice in a state, beside the best.
    const lost = Math.max(
      ...chosen.map((a, s) => (terminals.includes(s) ? 0 : Math.max(...wanted[s]!) - wanted[s]![a]!)),
    );
    console.log(`q is ${errors.at(-1)!.toFixed(3)} from q* at most; its policy loses ${lost.toFixed(4)} at most`);
    for (const row of signs(chosen)) console.log(`  ${row.join(' ')}`);
    return TE.of({
      numbers: { error: errors.at(-1)!, lost },
      claims: [
        cli.atMost('q from q*, at most', errors.at(-1)!, short ? 1 : 0.15),
        cli.atMost('what its policy loses in a state, at most', lost, short ? 0.5 : 0.05),
      ],
      files: {
        'values.svg': drawPolicy('Learned values, moves and ways', asGrid(np.max(walk.q, 1)), chosen),
        'errors.svg': lineChart({
          title: 'Q-learning comes to q*',
          xLabel: 'step',
          yLabel: 'greatest error',
          yScale: 'log',
          series: [{ name: 'error of q', points: errors.map((e, i) => [(i + 1) * each, e] as const) }],
        }),
      },
    });
  },
};
