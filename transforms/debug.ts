/** Looking into a program while it stays pure: what passes is shown when the outermost program has run. */

import { type Deliver, tap } from '../src/prim/identity.ts';
import type { TreeDef } from '../src/tree/def.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';
import './taps.ts';

/** What is done with a tree that has passed a tap of this label. */
type Watch = (x: never, label: string) => void;

/** Deliveries by watcher and structure: the same tap is the same equation, and is compiled once. */
const deliveries = new WeakMap<Watch, Map<string, Deliver>>();

function deliveryTo(watch: Watch, def: TreeDef): Deliver {
  let known = deliveries.get(watch);
  if (!known) {
    known = new Map();
    deliveries.set(watch, known);
  }
  let delivery = known.get(def.key);
  if (!delivery) {
    delivery = (values, label) => watch(unflatten<never>(def, values), label);
    known.set(def.key, delivery);
  }
  return delivery;
}

function tapped<T>(label: string, watch: (x: T, label: string) => void, x: T): T {
  const { leaves, def } = flatten(x, 'debug');
  return unflatten<T>(def, tap(label, deliveryTo(watch, def), leaves));
}

/**
 * `x` itself; `f` is called with its value once the outermost program has run.
 *
 * Inside of `jit` nothing is computed yet, so the call comes when all is done, in the order of the program. Under `vmap`, `f`
 * sees the whole batch, along axis 0; in a loop, all steps at once, along axis 0 (of a `whileLoop`, in its predicate too, the last
 * 16). In a batched `cond` or `whileLoop`, lanes that do not take the branch, or have stopped, show the value of a lane that
 * runs: they are computed from its operands. Derivatives see the identity and show nothing. What `f` returns is ignored, and what
 * it throws leaves the call of the program.
 *
 * @param f - takes a tree like `x`
 *
 * @example
 * ```ts
 * import { debug, jit, np, type Tensor } from 'pullback';
 * const seen: unknown[] = [];
 * const see = (x: Tensor): void => {
 *   seen.push(x.toArray());
 * };
 * const f = jit((x: Tensor) => np.sum(debug.callback(see, np.square(x))));
 * f(np.array([1, 2, 3]));
 * console.log(seen); // => [ [ 1, 4, 9 ] ]
 * ```
 */
export const callback = <T>(f: (x: T) => void, x: T): T => tapped('', f, x);

const printer = (x: unknown, label: string): void => console.log(`${label}:`, x);

/**
 * `x` itself; `label: x` is printed once the outermost program has run. See {@link callback} for what is seen under transforms.
 *
 * @example
 * ```ts
 * import { debug, grad, np, type Tensor } from 'pullback';
 * const f = (x: Tensor) => np.square(debug.print('x', np.sin(x)));
 * grad(f)(0); // prints x: float32[] 0
 * ```
 */
export const print = <T>(label: string, x: T): T => tapped(label, printer, x);
