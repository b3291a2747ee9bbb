/** Training as a workload of this library. */

import { jit, np, optim, type Tensor, valueAndGrad } from 'pullback';
import type { Host } from './data.ts';
import type { Task } from './program.ts';

/** Data on the device. */
export const tensor = ({ data: values, shape }: Host): Tensor => np.reshape(np.array(values), shape);
/** Whole numbers on the device. */
export const integers = (values: Int32Array, shape: readonly number[]): Tensor<'int32'> =>
  np.reshape(np.array(values), shape);

/** A model as its file exports it. */
export interface Model<P, X, Y> {
  readonly loss: (params: P, x: X, truth: Y) => Tensor;
  readonly optimizer: optim.GradientTransformation;
}

/** Steps of training, each on the same batch, as one compiled program that reuses the memory of what it replaces. */
export function training<P, X, Y>({ loss, optimizer }: Model<P, X, Y>, initial: P, x: X, labels: Y): Task {
  // The gradient of a tree has the type of the tree, which the compiler cannot know of any `P`.
  const lossAndGradient = valueAndGrad(loss) as unknown as (...args: Parameters<typeof loss>) => readonly [Tensor, P];
  const step = jit(
    (params: P, state: optim.OptState, batch: X, truth: Y) => {
      const [value, gradient] = lossAndGradient(params, batch, truth);
      const [updates, next] = optimizer.update(gradient, state, params);
      return [value, optim.applyUpdates(params, updates), next] as const;
    },
    { donateArgnums: [0, 1] },
  );
  let params = initial;
  let state = optimizer.init(params);
  const losses: number[] = [];
  return {
    call: () => {
      const [value, ...next] = step(params, state, x, labels);
      [params, state] = next;
      losses.push(value.item());
    },
    check: () => losses,
  };
}
