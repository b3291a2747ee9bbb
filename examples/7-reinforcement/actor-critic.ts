/**
 * Actor and critic on the cart-pole: the return of an action is judged against what a second network expected of the state.
 *
 * The critic learns v(s); the advantage is the sum of its surprises, Σ (γλ)ᵏ δₜ₊ₖ with δ = r + γv(s′) − v(s) (J. Schulman et al.,
 * "High-dimensional continuous control using generalized advantage estimation", 2016); an entropy keeps the actor curious.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, scan, type Tensor, train, valueAndGrad, vmap } from 'pullback';
import { contourPlot, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { type Episode, longest, play } from '../shared/cartpole.ts';

const actor = nn.serial(nn.dense.layer(4, 32), nn.lift(np.tanh), nn.dense.layer(32, 2));
const critic = nn.serial(nn.dense.layer(4, 64), nn.lift(np.tanh), nn.dense.layer(64, 1));
const init = (key: random.Key) => ({ actor: actor.init(key), critic: critic.init(random.foldIn(key, 1)) });
type Params = ReturnType<typeof init>;
const [episodes, gamma, lambda] = [32, 0.99, 0.95];

const expected = (p: Params, states: Tensor): Tensor => np.mul(50, np.squeeze(critic.apply(p.critic)(states), -1));

/** Advantages of each step, by a scan backwards in time: float32[episodes, longest]. */
function advantages({ alive, end }: Episode, values: Tensor, last: Tensor): Tensor {
  const shifted = (x: Tensor, at: Tensor): Tensor =>
    np.concatenate([np.index(x, [], [1]) as Tensor, np.expandDims(at, 1)], 1);
  // An episode that is cut at its longest would go on: the value of where it ended stands for what would come.
  const [later, stays] = [shifted(values, last), shifted(alive, end.standing)];
  const surprise = np.sub(np.add(alive, np.mul(gamma, np.mul(later, stays))), np.mul(values, alive));
  const back = (sum: Tensor, [delta, goesOn]: readonly [Tensor, Tensor]): readonly [Tensor, Tensor] => {
    const now = np.add(delta, np.mul(gamma * lambda, np.mul(goesOn, sum)));
    return [now, now];
  };
  const [, sums] = scan(back, np.zeros([values.shape[0]!]), [np.transpose(surprise), np.transpose(stays)] as const, {
    reverse: true,
  });
  return np.mul(np.transpose(sums), alive);
}

const options = { ...cli.commonOptions('actor-critic'), steps: cli.count(250, 'steps of learning', 15) };

export const example: cli.Example<typeof options> = {
  name: 'actor-critic',
  about: 'an actor and a critic learn to balance a pole.',
  options,
  body: ({ seed, short, steps }) => {
    const [initKey, playKey] = random.split(random.key(seed));
    // Episodes that all end at their longest say little, and at a constant rate the policy drifts off again.
    const optimizer = optim.chain(optim.clipByGlobalNorm(1), optim.adam(optim.cosineDecaySchedule(0.003, steps)));
    type Carry = { readonly params: Params; readonly state: optim.OptState };
    const step = ({ params, state }: Carry, key: random.Key) => {
      const policy = (s: Tensor, k: random.Key): Tensor<'int32'> => random.categorical(k, actor.apply(params.actor)(s));
      const played = vmap((k: random.Key) => play(policy, k))(np.stack(random.split(key, episodes)));
      const before = expected(params, played.states);
      const advantage = advantages(played, before, expected(params, played.end.state));
      const target = np.add(before, advantage);
      const count = np.sum(played.alive);
      const scaled = np.div(advantage, np.add(np.std(advantage), 1e-6));
      const loss = (p: Params): [Tensor, Tensor] => {
        const logP = nn.logSoftmax(actor.apply(p.actor)(played.states), -1);
        const chosen = np.squeeze(np.takeAlongAxis(logP, np.expandDims(played.actions, -1), -1), -1) as Tensor;
        const per = (x: Tensor): Tensor => np.div(np.sum(np.mul(x, played.alive)), count);
        const entropy = np.neg(np.sum(np.mul(np.exp(logP), logP), -1));
        const wrong = per(np.square(np.div(np.sub(expected(p, played.states), target), 50)));
        return [np.add(np.neg(per(np.add(np.mul(chosen, scaled), np.mul(0.01, entropy)))), wrong), wrong];
      };
      const [[, wrong], gradient] = valueAndGrad(loss, { hasAux: true })(params);
      const [updates, next] = optimizer.update(gradient, state, params);
      return [
        { params: optim.applyUpdates(params, updates), state: next },
        { length: np.mean(np.sum(played.alive, 1)), wrong },
      ] as const;
    };
    const params = init(initKey);
    const keys = Array.from({ length: steps }, (_, i) => random.foldIn(playKey, i));
    const every = cli.everySteps('mean length of an episode', Math.ceil(steps / 6));
    const [end, told] = train.fold(step, { params, state: optimizer.init(params) }, keys, {
      onStep: ({ length }, i) => every(length, i),
    });
    const [lengths, wrong] = [told.map(({ length }) => length.item()), told.map((t) => t.wrong.item())];
    const greedy = vmap((k: random.Key) => play((s) => np.argmax(actor.apply(end.params.actor)(s)), k))(
      np.stack(random.split(random.foldIn(playKey, 2 ** 31), 100)),
    );
    const path = (np.index(greedy.states, 0, [], [2]) as Tensor).toArray() as [number, number][];
    const balanced = np.mean(np.sum(greedy.alive, 1)).item();
    console.log(
      `the greedy policy balances for ${balanced.toFixed(1)} of ${longest} steps; at the beginning ${lengths[0]!.toFixed(1)}`,
    );
    return TE.of({
      numbers: { first: lengths[0]!, last: lengths.at(-1)!, balanced },
      claims: short
        ? [cli.atLeast('mean length of an episode at the end, to the first', lengths.at(-1)! / lengths[0]!, 1.1)]
        : [
            cli.atLeast('steps that the greedy policy balances, of 200', balanced, 180),
            cli.atLeast('to the policy before learning', balanced / lengths[0]!, 5),
          ],
      files: {
        'values.svg': contourPlot({
          title: 'What the critic expects with the cart at rest, and a way',
          f: (at) => expected(end.params, np.concatenate([np.zeros([at.shape[0]!, 2]), at], 1)),
          x: [-0.1, 0.1],
          y: [-0.6, 0.6],
          xLabel: 'angle',
          yLabel: 'its velocity',
          paths: [{ name: 'fifty steps of the greedy policy', points: path.slice(0, 50) }],
        }),
        'lengths.svg': lineChart({
          title: 'How long the pole is balanced',
          xLabel: 'step of learning',
          yLabel: 'steps',
          series: [{ name: 'mean of 32 episodes', points: lengths.map((v, i) => [i, v] as const) }],
        }),
        'critic.svg': lineChart({
          title: 'How wrong the critic is',
          xLabel: 'step of learning',
          yLabel: 'square error, of values over 50',
          yScale: 'log',
          series: [{ name: 'critic', points: wrong.map((v, i) => [i, v] as const) }],
        }),
      },
    });
  },
};
