/** Optimizers that divide each gradient by the size it usually has: RMSProp and Adagrad. */

import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { mul } from '../prim/arithmetic.ts';
import { rsqrt } from '../prim/math.ts';
import { map2 } from '../tree/tree.ts';
import { expectHyperparameters } from './hyperparameters.ts';
import { filledLike, mixed, mixedSquares } from './moments.ts';
import { type TraceOptions, trace } from './optimizers.ts';
import { mapPairs, partsOf } from './state.ts';
import {
  chainOf,
  type GradientTransformation,
  identity,
  type OptState,
  type Schedule,
  scaleByLearningRate,
} from './transformation.ts';

/** Options of {@link scaleByRms} and {@link scaleByStddev}. */
export interface RmsOptions {
  /** Decay of the mean of squares; default 0.9. */
  readonly decay?: number;
  /** Added to it under the root; default 1e-8. */
  readonly eps?: number;
  /** Add `eps` under the root (default, optax and most books), or to the root (PyTorch). */
  readonly epsInSqrt?: boolean;
  /** The mean of squares before the first step; default 0. */
  readonly initialScale?: number;
}

/** g/√(v + eps), or g/(√v + eps). */
const overRoot =
  (eps: number, epsInSqrt: boolean) =>
  (g: Value, v: Value): Value =>
    epsInSqrt ? np.mul(g, rsqrt(np.add(v, eps))) : np.div(g, np.add(np.sqrt(v), eps));

const rmsNumbers = ['decay', 'eps', 'initialScale'] as const;

/**
 * g/√(v + eps), with the running mean of squares v ← decay·v + (1 − decay)·g².
 *
 * The state is `{ nu }`. T. Tieleman, G. Hinton, "Lecture 6.5: RMSProp" (2012).
 */
export const scaleByRms = (options: RmsOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByRms';
  expectHyperparameters(op, options, rmsNumbers, ['epsInSqrt']);
  const { decay = 0.9, eps = 1e-8, epsInSqrt = true, initialScale = 0 } = options;
  return {
    init: (params) => ({ nu: filledLike(params, initialScale) as OptState }),
    update: <P>(updates: P, state: OptState) => {
      const nu = mixedSquares(op, 'nu', decay, updates, partsOf(op, state, 'nu').nu);
      const step = map2(overRoot(eps, epsInSqrt), updates, nu);
      return [step, { nu: nu as OptState }];
    },
  };
};

/**
 * g/√(v − m² + eps): as {@link scaleByRms}, but by the variance around the running mean m ← decay·m + (1 − decay)·g.
 *
 * The state is `{ mu, nu }`. A. Graves, "Generating sequences with recurrent neural networks" (2013).
 */
export const scaleByStddev = (options: RmsOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByStddev';
  expectHyperparameters(op, options, rmsNumbers, ['epsInSqrt']);
  const { decay = 0.9, eps = 1e-8, epsInSqrt = true, initialScale = 0 } = options;
  return {
    init: (params) => ({ mu: filledLike(params, 0) as OptState, nu: filledLike(params, initialScale) as OptState }),
    update: <P>(updates: P, state: OptState) => {
      const before = partsOf(op, state, 'mu', 'nu');
      const mu = mixed(op, 'mu', decay, updates, before.mu);
      const nu = mixedSquares(op, 'nu', decay, updates, before.nu);
      const variance = map2((v: Value, m: Value) => np.sub(v, mul(m, m)), nu, mu);
      const step = map2(overRoot(eps, epsInSqrt), updates, variance);
      return [step, { mu: mu as OptState, nu: nu as OptState }];
    },
  };
};

/** Options of {@link rmsprop}. */
export interface RmspropOptions extends RmsOptions {
  /** Divide by the standard deviation ({@link scaleByStddev}); default false. */
  readonly centered?: boolean;
  /** Decay of the momentum of the steps; none by default. */
  readonly momentum?: number;
  /** Nesterov's momentum; default false. */
  readonly nesterov?: TraceOptions['nesterov'];
}

/**
 * RMSProp: {@link scaleByRms}, then {@link scaleByLearningRate}, then the momentum of the steps, as in optax. With
 * `{ epsInSqrt: false }` it is PyTorch's at a constant rate.
 *
 * @param rate - the learning rate, or a schedule of it
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const optimizer = optim.rmsprop(0.1, { decay: 0.75 });
 * const x = np.array([1, 1]);
 * const [step] = optimizer.update(np.array([8, -0.01]), optimizer.init(x), x);
 * console.log(step.toArray()); // => [ -0.20000…, 0.19996… ]
 * ```
 */
export const rmsprop = (rate: number | Schedule, options: RmspropOptions = {}): GradientTransformation => {
  expectHyperparameters('optim.rmsprop', options, [...rmsNumbers, 'momentum'], ['epsInSqrt', 'centered', 'nesterov']);
  const { centered = false, momentum, nesterov = false, ...rms } = options;
  return chainOf('optim.rmsprop', [
    centered ? scaleByStddev(rms) : scaleByRms(rms),
    scaleByLearningRate(rate),
    momentum === undefined ? identity() : trace({ decay: momentum, nesterov }),
  ]);
};

/** Options of {@link adagrad} and {@link scaleByRss}. */
export interface AdagradOptions {
  /** The sum of squares before the first step; default 0.1. */
  readonly initialAccumulatorValue?: number;
  /** Added to it under the root; default 1e-7. */
  readonly eps?: number;
  /** Add `eps` under the root (default, optax and most books), or to the root (PyTorch). */
  readonly epsInSqrt?: boolean;
}

const adagradNumbers = ['initialAccumulatorValue', 'eps'] as const;

/** g/√(s + eps), with the sum s ← s + g² over all steps; 0 where s is 0. The state is `{ sumOfSquares }`. */
export const scaleByRss = (options: AdagradOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByRss';
  expectHyperparameters(op, options, adagradNumbers, ['epsInSqrt']);
  const { initialAccumulatorValue = 0.1, eps = 1e-7, epsInSqrt = true } = options;
  return {
    init: (params) => ({ sumOfSquares: filledLike(params, initialAccumulatorValue) as OptState }),
    update: <P>(updates: P, state: OptState) => {
      const before = partsOf(op, state, 'sumOfSquares').sumOfSquares;
      const names = ['updates', 'state.sumOfSquares'] as const;
      const sumOfSquares = mapPairs(op, names, (g, s) => np.add(s, mul(g, g)), updates, before);
      const divided = overRoot(eps, epsInSqrt);
      const step = (g: Value, s: Value): Value => np.where(np.greater(s, 0), divided(g, s), 0);
      return [map2(step, updates, sumOfSquares), { sumOfSquares: sumOfSquares as OptState }];
    },
  };
};

/**
 * Adagrad: {@link scaleByRss}, then {@link scaleByLearningRate}.
 *
 * J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and stochastic optimization" (2011).
 *
 * @param rate - the learning rate, or a schedule of it
 */
export const adagrad = (rate: number | Schedule, options: AdagradOptions = {}): GradientTransformation => {
  expectHyperparameters('optim.adagrad', options, adagradNumbers, ['epsInSqrt']);
  return chainOf('optim.adagrad', [scaleByRss(options), scaleByLearningRate(rate)]);
};
