/**
 * SGD with momentum and Adam over jax-js's public API: its optimizers (`@jax-js/optax`) are not on npm.
 *
 * jax-js owns its arguments: a function disposes of what it is given, and `.ref` keeps a value for another use.
 */

import type * as jax from '@jax-js/jax';

type Jax = typeof jax;
type Leaf = jax.Array;
/** Parameters by name. */
export type Params = Record<string, Leaf>;
/** A state is a tree. */
export type State = Record<string, Leaf | Params>;

/** An optimizer of optax's shape. */
export interface Optimizer {
  readonly init: (params: Params) => State;
  readonly update: (gradient: Params, state: State, params: Params) => readonly [updates: Params, state: State];
}

/** Both optimizers, for this copy of the library. */
export function optimizers({ numpy: np, tree }: Jax) {
  const each = (f: (...leaves: Leaf[]) => Leaf, ...params: Params[]): Params =>
    (tree.map as (f: (...leaves: Leaf[]) => Leaf, ...trees: Params[]) => Params)(f, ...params);
  const zeros = (params: Params): Params => each((p) => np.zerosLike(p), params);

  const sgd = (rate: number, momentum = 0): Optimizer => ({
    init(params) {
      if (momentum !== 0) return zeros(params);
      tree.dispose(params);
      return {};
    },
    update(gradient, state, params) {
      tree.dispose(params);
      if (momentum === 0) return [each((g) => g.mul(-rate), gradient), state];
      const trace = each((g, t) => g.add(t.mul(momentum)), gradient, state as Params);
      return [each((t) => t.ref.mul(-rate), trace), trace];
    },
  });

  const adam = (rate: number, [b1, b2, epsilon] = [0.9, 0.999, 1e-8] as const): Optimizer => ({
    init: (params) => ({ count: np.zeros([]), m: zeros(tree.ref(params)), v: zeros(params) }),
    update(gradient, state, params) {
      tree.dispose(params);
      const { count, m, v } = state as { count: Leaf; m: Params; v: Params };
      const steps = count.add(1);
      const unbias = (decay: number): Leaf =>
        np
          .exp(steps.ref.mul(Math.log(decay)))
          .mul(-1)
          .add(1);
      const [c1, c2] = [unbias(b1), unbias(b2)];
      const first = each((a, g) => a.mul(b1).add(g.mul(1 - b1)), m, tree.ref(gradient));
      const second = each((a, g) => a.mul(b2).add(g.ref.mul(g).mul(1 - b2)), v, gradient);
      const update = (a: Leaf, b: Leaf): Leaf =>
        a.ref
          .div(c1.ref)
          .mul(-rate)
          .div(np.sqrt(b.ref.div(c2.ref)).add(epsilon));
      const updates = each(update, first, second);
      c1.dispose();
      c2.dispose();
      return [updates, { count: steps, m: first, v: second }];
    },
  });

  const applyUpdates = (params: Params, updates: Params): Params => each((p, u) => p.add(u), params, updates);
  return { sgd, adam, applyUpdates };
}
