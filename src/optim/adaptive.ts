/** Relatives of Adam and Adagrad: AdaDelta, which needs no rate, AdaMax, which looks at maxima, and Lion, which looks at signs. */

import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { rsqrt } from '../prim/math.ts';
import { map2 } from '../tree/tree.ts';
import { expectHyperparameters } from './hyperparameters.ts';
import type { Mask } from './masking.ts';
import { filledLike, mixed, mixedSquares, unbiased } from './moments.ts';
import { addDecayedWeights } from './optimizers.ts';
import { countOf, mapPairs, partsOf } from './state.ts';
import {
  chainOf,
  type GradientTransformation,
  noSteps,
  type OptState,
  oneMore,
  type Schedule,
  scaleByLearningRate,
} from './transformation.ts';

/** Options of {@link scaleByAdadelta}. */
export interface ScaleByAdadeltaOptions {
  /** Decay of both means of squares; default 0.9. */
  readonly rho?: number;
  /** Added to both under their roots; default 1e-6. */
  readonly eps?: number;
}

const adadeltaNumbers = ['rho', 'eps'] as const;

/**
 * d = g·√(x + eps)/√(v + eps), with the running means of squares v ← rho·v + (1 − rho)·g² of gradients, and then
 * x ← rho·x + (1 − rho)·d² of steps.
 *
 * The state is `{ nu, steps }`. M. Zeiler, "ADADELTA: an adaptive learning rate method" (2012).
 */
export const scaleByAdadelta = (options: ScaleByAdadeltaOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByAdadelta';
  expectHyperparameters(op, options, adadeltaNumbers);
  const { rho = 0.9, eps = 1e-6 } = options;
  return {
    init: (params) => ({ nu: filledLike(params, 0) as OptState, steps: filledLike(params, 0) as OptState }),
    update: <P>(updates: P, state: OptState) => {
      const before = partsOf(op, state, 'nu', 'steps');
      const nu = mixedSquares(op, 'nu', rho, updates, before.nu);
      const scaled = map2((g, v) => np.mul(g, rsqrt(np.add(v, eps))), updates, nu);
      const sized = (g: Value, x: Value): Value => np.mul(g, np.sqrt(np.add(x, eps)));
      const step = mapPairs(op, ['updates', 'state.steps'], sized, scaled, before.steps);
      return [step, { nu: nu as OptState, steps: mixedSquares(op, 'steps', rho, step, before.steps) as OptState }];
    },
  };
};

/** Options of {@link adadelta}. */
export interface AdadeltaOptions extends ScaleByAdadeltaOptions {
  /** Added to the gradients, times the parameters; default 0. */
  readonly weightDecay?: number;
}

/**
 * AdaDelta: {@link addDecayedWeights}, {@link scaleByAdadelta}, then {@link scaleByLearningRate}.
 *
 * @param rate - the learning rate, or a schedule of it; 1 as it was published
 */
export const adadelta = (rate: number | Schedule = 1, options: AdadeltaOptions = {}): GradientTransformation => {
  expectHyperparameters('optim.adadelta', options, [...adadeltaNumbers, 'weightDecay']);
  const { weightDecay = 0, ...own } = options;
  return chainOf('optim.adadelta', [addDecayedWeights(weightDecay), scaleByAdadelta(own), scaleByLearningRate(rate)]);
};

/** Options of {@link adamax} and {@link scaleByAdamax}. */
export interface AdamaxOptions {
  /** Decay of the mean of gradients; default 0.9. */
  readonly b1?: number;
  /** Decay of their maximum; default 0.999. */
  readonly b2?: number;
  /** Added to the magnitude of each gradient; default 1e-8. */
  readonly eps?: number;
}

const adamaxNumbers = ['b1', 'b2', 'eps'] as const;

/**
 * m̂/u, with the mean m ← b1·m + (1 − b1)·g without the bias of its start, and the decaying maximum u ← max(b2·u, |g| + eps).
 *
 * The state is `{ count, mu, nu }`. D. Kingma, J. Ba, "Adam: a method for stochastic optimization" (2015), algorithm 2; eps as in
 * optax and PyTorch.
 */
export const scaleByAdamax = (options: AdamaxOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByAdamax';
  expectHyperparameters(op, options, adamaxNumbers);
  const { b1 = 0.9, b2 = 0.999, eps = 1e-8 } = options;
  return {
    init: (params) => ({
      count: noSteps(),
      mu: filledLike(params, 0) as OptState,
      nu: filledLike(params, 0) as OptState,
    }),
    update: <P>(updates: P, state: OptState) => {
      const before = partsOf(op, state, 'count', 'mu', 'nu');
      const count = oneMore(countOf(op, before.count));
      const mu = mixed(op, 'mu', b1, updates, before.mu);
      const most = (g: Value, u: Value): Value => np.maximum(np.mul(u, b2), np.add(np.abs(g), eps));
      const nu = mapPairs(op, ['updates', 'state.nu'], most, updates, before.nu);
      const step = map2((m, u) => np.div(m, u), unbiased(b1, count, mu), nu);
      return [step, { count, mu: mu as OptState, nu: nu as OptState }];
    },
  };
};

/**
 * AdaMax: {@link scaleByAdamax}, then {@link scaleByLearningRate}.
 *
 * @param rate - the learning rate, or a schedule of it
 */
export const adamax = (rate: number | Schedule, options: AdamaxOptions = {}): GradientTransformation => {
  expectHyperparameters('optim.adamax', options, adamaxNumbers);
  return chainOf('optim.adamax', [scaleByAdamax(options), scaleByLearningRate(rate)]);
};

/** Options of {@link scaleByLion}. */
export interface ScaleByLionOptions {
  /** How much of the mean there is in the step; default 0.9. */
  readonly b1?: number;
  /** Decay of the mean of gradients; default 0.99. */
  readonly b2?: number;
}

const lionNumbers = ['b1', 'b2'] as const;

/**
 * sign(b1·m + (1 − b1)·g), and then m ← b2·m + (1 − b2)·g.
 *
 * The state is `{ mu }`. X. Chen et al., "Symbolic discovery of optimization algorithms" (2023).
 */
export const scaleByLion = (options: ScaleByLionOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByLion';
  expectHyperparameters(op, options, lionNumbers);
  const { b1 = 0.9, b2 = 0.99 } = options;
  return {
    init: (params) => ({ mu: filledLike(params, 0) as OptState }),
    update: <P>(updates: P, state: OptState) => {
      const { mu } = partsOf(op, state, 'mu');
      const sign = (g: Value, m: Value): Value => np.sign(np.add(np.mul(m, b1), np.mul(g, 1 - b1)));
      const step = mapPairs(op, ['updates', 'state.mu'], sign, updates, mu);
      return [step, { mu: mixed(op, 'mu', b2, updates, mu) as OptState }];
    },
  };
};

/** Options of {@link lion}. */
export interface LionOptions extends ScaleByLionOptions {
  /** The share of each weight that is taken away, times the learning rate; default 1e-3. */
  readonly weightDecay?: number;
  /** Which parameters decay; all by default. */
  readonly mask?: Mask;
}

/**
 * Lion: {@link scaleByLion}, {@link addDecayedWeights}, then {@link scaleByLearningRate}. Rates are 3 to 10 times smaller than
 * Adam's, as every element moves by as much.
 *
 * @param rate - the learning rate, or a schedule of it
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const optimizer = optim.lion(0.25);
 * const x = np.array([0, 0, 0]);
 * console.log(optimizer.update(np.array([5, -0.1, 0]), optimizer.init(x), x)[0].toArray()); // => [ -0.25, 0.25, -0 ]
 * ```
 */
export const lion = (rate: number | Schedule, options: LionOptions = {}): GradientTransformation => {
  expectHyperparameters('optim.lion', options, [...lionNumbers, 'weightDecay'], [], ['mask']);
  const { weightDecay = 1e-3, mask, ...own } = options;
  return chainOf('optim.lion', [scaleByLion(own), addDecayedWeights(weightDecay, mask), scaleByLearningRate(rate)]);
};
