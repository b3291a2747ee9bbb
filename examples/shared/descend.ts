/** The loop that most examples have: a step for each batch, compiled once. */

import { optim, type Tensor, train, valueAndGrad } from 'pullback';

/**
 * The parameters after a step for each batch, the loss before each, and the state of the optimizer, from which a later call goes on.
 *
 * @param loss - of the parameters on a batch: float[]
 * @param onStep - told the loss of each step, and its number from 0
 */
export function descend<P, B>(
  loss: (params: P, batch: B) => Tensor,
  params: P,
  optimizer: optim.GradientTransformation,
  batches: Iterable<B>,
  onStep: (loss: Tensor, index: number) => void = () => {},
  state: optim.OptState = optimizer.init(params),
): { readonly params: P; readonly losses: readonly number[]; readonly state: optim.OptState } {
  type Carry = { readonly params: P; readonly state: optim.OptState };
  const step = ({ params, state }: Carry, batch: B): readonly [Carry, Tensor] => {
    const [value, gradient] = valueAndGrad((p: P) => loss(p, batch))(params);
    // The gradient of a tree has the type of the tree, which the compiler cannot know of any `P`.
    const [updates, next] = optimizer.update(gradient as unknown as P, state, params);
    return [{ params: optim.applyUpdates(params, updates), state: next }, value];
  };
  const [end, losses] = train.fold(step, { params, state }, batches, { onStep });
  return { ...end, losses: losses.map((value) => value.item()) };
}

/** So many steps on the same data. */
export const times = <B>(count: number, batch: B): readonly B[] => Array.from({ length: count }, () => batch);
