/**
 * REINFORCE on the cart-pole: the gradient of an expected return from episodes alone.
 *
 * ∇J = E Σ ∇log π(aₜ|sₜ)·(Gₜ − b): what was done before good returns becomes more likely. Sixty-four episodes are played at once,
 * `vmap` of a `scan`, and playing and learning are one program. R. Williams (1992); the baseline is the mean return of the time
 * step.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, stopGradient, type Tensor, train, valueAndGrad, vmap } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { type Episode, longest, play } from '../shared/cartpole.ts';

const network = nn.serial(nn.dense.layer(4, 32), nn.lift(np.tanh), nn.dense.layer(32, 2));
type Params = nn.ParamsOf<typeof network>;
const episodes = 64;
const gamma = 0.99;

/** Rewards from each step on, discounted: float32[episodes, longest]. */
const returnsOf = ({ alive }: Episode): Tensor => {
  const powers = np.power(gamma, np.astype(np.arange(longest), 'float32')) as Tensor;
  const ahead = np.flip(np.cumsum(np.flip(np.mul(alive, powers), 1), 1), 1);
  return np.div(ahead, powers);
};

const options = { ...cli.commonOptions('reinforce'), steps: cli.count(150, 'steps of learning', 12) };

export const example: cli.Example<typeof options> = {
  name: 'reinforce',
  about: 'a policy learns to balance a pole, by the gradient of expected returns.',
  options,
  body: ({ seed, short, steps }) => {
    const [initKey, playKey] = random.split(random.key(seed));
    const adam = optim.adam(0.01);
    type Carry = { readonly params: Params; readonly state: optim.OptState };
    const step = ({ params, state }: Carry, key: random.Key): readonly [Carry, Tensor] => {
      const policy = (s: Tensor, k: random.Key): Tensor<'int32'> => random.categorical(k, network.apply(params)(s));
      const played = vmap((k: random.Key) => play(policy, k))(np.stack(random.split(key, episodes)));
      const returns = returnsOf(played);
      const baseline = np.div(np.sum(np.mul(returns, played.alive), 0), np.maximum(np.sum(played.alive, 0), 1));
      const advantage = np.mul(np.sub(returns, baseline), played.alive);
      const scaled = stopGradient(np.div(advantage, np.add(np.std(advantage), 1e-6)));
      const loss = (p: Params): Tensor => {
        const logP = nn.logSoftmax(network.apply(p)(played.states), -1);
        const chosen = np.squeeze(np.takeAlongAxis(logP, np.expandDims(played.actions, -1), -1), -1) as Tensor;
        return np.div(np.neg(np.sum(np.mul(chosen, scaled))), episodes);
      };
      const [, gradient] = valueAndGrad(loss)(params);
      const [updates, next] = adam.update(gradient, state, params);
      return [{ params: optim.applyUpdates(params, updates), state: next }, np.mean(np.sum(played.alive, 1))];
    };
    const params = network.init(initKey);
    const keys = Array.from({ length: steps }, (_, i) => random.foldIn(playKey, i));
    const [end, lengths] = train.fold(step, { params, state: adam.init(params) }, keys, {
      onStep: cli.everySteps('mean length of an episode', Math.ceil(steps / 6)),
    });
    const curve = lengths.map((x) => x.item());
    const greedy = vmap((k: random.Key) => play((s) => np.argmax(network.apply(end.params)(s)), k))(
      np.stack(random.split(random.foldIn(playKey, 2 ** 31), 100)),
    );
    const balanced = np.mean(np.sum(greedy.alive, 1)).item();
    console.log(
      `the greedy policy balances for ${balanced.toFixed(1)} of ${longest} steps; at the beginning ${curve[0]!.toFixed(1)}`,
    );
    return TE.of({
      numbers: { first: curve[0]!, last: curve.at(-1)!, balanced },
      claims: short
        ? [cli.atLeast('mean length of an episode at the end, to the first', curve.at(-1)! / curve[0]!, 1.2)]
        : [
            cli.atLeast('steps that the greedy policy balances, of 200', balanced, 180),
            cli.atLeast('to the policy before learning', balanced / curve[0]!, 5),
          ],
      files: {
        'lengths.svg': lineChart({
          title: 'How long the pole is balanced',
          xLabel: 'step of learning',
          yLabel: 'steps',
          series: [{ name: 'mean of 64 episodes', points: curve.map((v, i) => [i, v] as const) }],
        }),
      },
    });
  },
};
