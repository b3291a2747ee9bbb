/** A compiled step reads and writes each tensor once: parameters, gradients and whatever the optimizer remembers of them. */

import { jit, makeAval, np, optim, type Tensor, tree, wasmDevice, withDefaultDevice } from 'pullback';
import { expect, test } from 'vitest';

const size = 4096;

/** What is asked of a jitted step; its types are those of any state, which are deeper than the compiler looks. */
interface Lowers {
  lower(...args: readonly unknown[]): { compile(): { cost(): { readonly bytes: number } } };
}

/** The bytes that one step of an optimizer moves, in tensors of the size of the parameters. */
function tensorsMoved(optimizer: optim.GradientTransformation): number {
  const step = jit((p: Tensor, state: optim.OptState, g: Tensor) => {
    const [updates, next] = optimizer.update(g, state, p);
    return [optim.applyUpdates(p, updates), next] as const;
  });
  return withDefaultDevice(wasmDevice(), () => {
    const aval = makeAval([size], 'float32');
    const state = tree.map((x: Tensor) => makeAval(x.shape, x.dtype), optimizer.init(np.zeros([size])));
    const { bytes } = (step as unknown as Lowers).lower(aval, state, aval).compile().cost();
    return bytes / (4 * size);
  });
}

test.each([
  ['sgd', optim.sgd(0.1), 3],
  ['momentum', optim.sgd(0.1, { momentum: 0.9 }), 5],
  ['nesterov', optim.sgd(0.1, { momentum: 0.9, nesterov: true }), 5],
  ['adagrad', optim.adagrad(0.1), 5],
  ['rmsprop', optim.rmsprop(0.1), 5],
  ['lion', optim.lion(0.1), 5],
  ['adadelta', optim.adadelta(), 7],
  ['adam', optim.adam(0.1), 7],
  ['adam with a schedule', optim.adam(optim.cosineDecaySchedule(0.1, 100)), 7],
  ['nadam', optim.nadam(0.1), 7],
  ['adamw', optim.adamw(0.1), 7],
  ['adamax', optim.adamax(0.1), 7],
  ['amsgrad', optim.amsgrad(0.1), 9],
] as const)('%s moves each of its tensors once', (_name, optimizer, tensors) => {
  const found = tensorsMoved(optimizer);
  // Scalars, such as the number of steps, are beside.
  expect(found).toBeGreaterThanOrEqual(tensors);
  expect(found).toBeLessThan(tensors + 0.05);
});
