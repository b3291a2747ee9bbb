/**
 * A cart that balances a pole, as a pure function: A. Barto, R. Sutton, C. Anderson (1983), with the constants of Gym's
 * CartPole-v1.
 */

import { np, random, scan, type Tensor } from 'pullback';

/** An episode ends after so many steps, at the latest. */
export const longest = 200;

/** The next state of float32[4] (position, velocity, angle, its velocity) after a push to the left (0) or right (1). */
export function push(state: Tensor, action: Tensor<'int32'>): Tensor {
  const [x, dx, angle, spin] = [0, 1, 2, 3].map((i) => np.index(state, i)) as [Tensor, Tensor, Tensor, Tensor];
  const force = np.sub(np.mul(20, np.astype(action, 'float32')), 10);
  const [sine, cosine] = [np.sin(angle), np.cos(angle)];
  const along = np.div(np.add(force, np.mul(0.05, np.mul(np.square(spin), sine))), 1.1);
  const turn = np.div(
    np.sub(np.mul(9.8, sine), np.mul(cosine, along)),
    np.mul(0.5, np.sub(4 / 3, np.mul(0.1 / 1.1, np.square(cosine)))),
  );
  const speed = np.sub(along, np.mul(0.05 / 1.1, np.mul(turn, cosine)));
  const moved = (value: Tensor, rate: Tensor): Tensor => np.add(value, np.mul(0.02, rate));
  return np.stack([moved(x, dx), moved(dx, speed), moved(angle, spin), moved(spin, turn)]);
}

/** Has the pole fallen, or the cart left its track? */
export const fallen = (state: Tensor): Tensor<'bool'> =>
  np.logicalOr(
    np.greater(np.abs(np.index(state, 0) as Tensor), 2.4),
    np.greater(np.abs(np.index(state, 2) as Tensor), 0.2095),
  );

/** What happened in an episode; steps after its end have the weight 0. */
export interface Episode {
  readonly states: Tensor;
  readonly actions: Tensor<'int32'>;
  /** 1 for each step until the pole fell: also the rewards. */
  readonly alive: Tensor;
  /** Where it ended, and 1 if the pole was standing there: only its time was up. */
  readonly end: { readonly state: Tensor; readonly standing: Tensor };
}

/** One episode of a policy that says how to push, given a state and a key. */
export function play(policy: (state: Tensor, key: random.Key) => Tensor<'int32'>, key: random.Key): Episode {
  const [startKey, walkKey] = random.split(key);
  const step = ([state, alive]: readonly [Tensor, Tensor], i: Tensor<'int32'>) => {
    const action = policy(state, random.foldIn(walkKey, i));
    const next = push(state, action);
    const still = np.where(fallen(next), 0, alive) as Tensor;
    return [
      [np.where(np.greater(still, 0), next, state) as Tensor, still],
      { states: state, actions: action, alive },
    ] as const;
  };
  const start = random.uniform(startKey, [4], { minval: -0.05, maxval: 0.05 });
  const [[state, standing], told] = scan(step, [start, np.array(1)] as const, np.arange(longest, { dtype: 'int32' }));
  return { ...told, end: { state, standing } };
}
