/** Gradient noise, and gradients at the worst point nearby: two ways not to stay in narrow valleys. */

import { valueAndGrad } from '../../transforms/index.ts';
import { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { add, convertElementType } from '../prim/arithmetic.ts';
import { expectKey, type Key, split } from '../random/key.ts';
import { normal } from '../random/samplers.ts';
import { mapKeys } from '../random/trees.ts';
import { map, map2 } from '../tree/tree.ts';
import { globalNorm } from './clipping.ts';
import { expectBound, expectHyperparameters, expectNumber } from './hyperparameters.ts';
import { countOf, partsOf, wrongState } from './state.ts';
import { type GradientTransformation, noSteps, oneMore } from './transformation.ts';

/**
 * Add normal noise of variance eta/t^gamma at step t = 1, 2, …, drawn in float32 for each leaf and step by itself.
 *
 * The state is `{ count, key }`. A. Neelakantan et al., "Adding gradient noise improves learning for very deep networks" (2015).
 *
 * @param eta - the variance at the first step
 * @param gamma - how fast it goes down; 0.55 in the paper
 * @throws DTypeError for a negative `eta`, or what is not a key
 *
 * @example
 * ```ts
 * import { np, optim, random } from 'pullback';
 * const optimizer = optim.chain(optim.addNoise(0.01, 0.55, random.key(0)), optim.sgd(0.1));
 * const x = np.zeros([1000]);
 * const [step] = optimizer.update(x, optimizer.init(x), x);
 * console.log(np.std(step).item().toFixed(3)); // => 0.010
 * ```
 */
export const addNoise = (eta: number, gamma: number, key: Key): GradientTransformation => {
  const op = 'optim.addNoise';
  expectBound(op, 'eta', eta);
  expectNumber(op, 'gamma', gamma);
  expectKey(op, key);
  return {
    init: () => ({ count: noSteps(), key }),
    update: (updates, state) => {
      const before = partsOf(op, state, 'count', 'key');
      const count = oneMore(countOf(op, before.count));
      if (!(before.key instanceof Value)) throw wrongState(op, 'state.key is not a tensor');
      const [own, next] = split(before.key as Key) as readonly [Key, Key];
      const noise = mapKeys(own, (k, leaf) => normal(k, leaf.shape), updates) as typeof updates;
      const noisy = (g: Value, z: Value): Value => {
        const deviation = np.mul(np.power(convertElementType(count, g.dtype), -gamma / 2), Math.sqrt(eta));
        return np.add(g, np.mul(convertElementType(z, g.dtype), deviation));
      };
      return [map2(noisy, updates, noise), { count, key: next }];
    },
  };
};

/** Options of {@link sam}. */
export interface SamOptions {
  /** How far away the gradient is taken; default 0.05. */
  readonly rho?: number;
  /** Measure distances in proportion to the parameters (ASAM), as scaling a layer changes nothing then; default false. */
  readonly adaptive?: boolean;
}

/**
 * Sharpness-aware minimization, in the place of `valueAndGrad(loss)`: the value of the loss, and its gradient not there but at
 * params + rho·g/‖g‖, where it is about the highest nearby. Any optimizer follows it; each step takes two gradients.
 *
 * With `adaptive` the point is params + rho·p²g/‖p·g‖. Where g is 0 it is the params. No derivative passes through the choice of the point.
 *
 * P. Foret et al., "Sharpness-aware minimization for efficiently improving generalization" (2021); J. Kwon et al., "ASAM" (2021).
 *
 * @param loss - from the parameters, and whatever else, to a scalar
 * @returns from the same arguments to `[value, gradient]`
 *
 * @example
 * ```ts
 * import { np, optim, type Tensor } from 'pullback';
 * const valueAndSharpGradient = optim.sam((x: Tensor) => np.sum(np.square(x)), { rho: 0.5 });
 * const [value, gradient] = valueAndSharpGradient(np.array([3, 4]));
 * console.log(value.item(), gradient.toArray()); // => 25 [ 6.599…, 8.8… ]
 * ```
 */
export const sam = <P, A extends readonly unknown[]>(
  loss: (params: P, ...args: A) => Value,
  options: SamOptions = {},
): ((params: P, ...args: A) => readonly [Value, P]) => {
  const op = 'optim.sam';
  expectHyperparameters(op, options, ['rho'], ['adaptive']);
  const { rho = 0.05, adaptive = false } = options;
  expectBound(op, 'rho', rho);
  const slope = valueAndGrad(loss as (...args: readonly unknown[]) => Value) as unknown as (
    params: P,
    ...args: A
  ) => readonly [Value, P];
  return (params, ...args) => {
    const [value, gradient] = slope(params, ...args);
    const scaled = adaptive ? map2((g, p) => np.mul(g, np.abs(p)), gradient, params) : gradient;
    const length = globalNorm(scaled);
    const factor = np.div(rho, np.where(np.equal(length, 0), 1, length));
    const steps = adaptive ? map2((s, p) => np.mul(s, np.abs(p)), scaled, params) : scaled;
    const aside = map((s: Value) => np.mul(s, np.astype(factor, s.dtype)), steps);
    return [
      value,
      slope(
        map2((p, s) => add(p, s), params, aside),
        ...args,
      )[1],
    ];
  };
};
