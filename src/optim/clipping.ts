/** Bounds on updates: element by element, or on their length as one vector. */

import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { vectorSpace } from '../ops/space.ts';
import { mul } from '../prim/arithmetic.ts';
import { map } from '../tree/tree.ts';
import { expectBound } from './hyperparameters.ts';
import { partsOf } from './state.ts';
import { type GradientTransformation, stateless } from './transformation.ts';

/** Every element between −`maxDelta` and `maxDelta`. @throws DTypeError for a negative bound */
export const clip = (maxDelta: number): GradientTransformation => {
  expectBound('optim.clip', 'the bound', maxDelta);
  return stateless('optim.clip', (update) => np.clip(update, -maxDelta, maxDelta));
};

/** Each leaf shortened to a Euclidean length of at most `maxNorm`, by itself. @throws DTypeError for a negative bound */
export const clipByNorm = (maxNorm: number): GradientTransformation => {
  const op = 'optim.clipByNorm';
  expectBound(op, 'the greatest norm', maxNorm);
  return stateless(op, (update) => {
    const norm = np.sqrt(np.sum(mul(update, update)));
    const within = np.lessEqual(norm, maxNorm);
    return np.mul(update, np.where(within, 1, np.div(maxNorm, np.where(within, 1, norm))));
  });
};

/**
 * The Euclidean length of all elements of a tree as one vector.
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * console.log(optim.globalNorm({ w: np.array([2, 3]), b: np.array(6) }).item()); // => 7
 * ```
 */
export const globalNorm = <P>(updates: P): Value => np.sqrt(vectorSpace<P>().inner(updates, updates));

/**
 * All updates multiplied by one factor, so that their {@link globalNorm} is at most `maxNorm`; shorter ones stay as they are, and
 * so do all with `maxNorm` Infinity. With 0 all become 0, updates of length 0 too, where optax has NaN.
 *
 * R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks" (2013).
 *
 * @throws DTypeError for a negative bound
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const optimizer = optim.chain(optim.clipByGlobalNorm(1), optim.sgd(0.1));
 * const params = np.array([0, 0]);
 * console.log(optimizer.update(np.array([30, 40]), optimizer.init(params), params)[0].toArray()); // => [ -0.05999…, -0.07999… ]
 * ```
 */
export const clipByGlobalNorm = (maxNorm: number): GradientTransformation => {
  const op = 'optim.clipByGlobalNorm';
  expectBound(op, 'the greatest norm', maxNorm);
  return {
    init: () => ({}),
    update: (updates, state) => {
      partsOf(op, state);
      const norm = globalNorm(updates);
      const within = np.lessEqual(norm, maxNorm);
      const factor = np.where(within, 1, np.div(maxNorm, np.where(within, 1, norm)));
      return [map((update: Value) => np.mul(update, np.astype(factor, update.dtype)), updates), state];
    },
  };
};
