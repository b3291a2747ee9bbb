/** Optimizers: momentum, Adam and its relatives, and the chains that have their names. */

import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { map2 } from '../tree/tree.ts';
import { expectHyperparameters, expectNumber, expectOneOf } from './hyperparameters.ts';
import { type Mask, maskedBy } from './masking.ts';
import { filledLike, mixed, mixedSquares, unbiased } from './moments.ts';
import { countOf, mapPairs, partsOf } from './state.ts';
import {
  chainOf,
  type GradientTransformation,
  identity,
  noSteps,
  type OptState,
  oneMore,
  type Schedule,
  scaleByLearningRate,
} from './transformation.ts';

/** Options of {@link trace}. */
export interface TraceOptions {
  /** How much of the trace is kept at each step, in [0, 1). */
  readonly decay: number;
  /** Look one step ahead (Nesterov 1983, as Sutskever et al. 2013 write it); default false. */
  readonly nesterov?: boolean;
}

/**
 * Momentum: the updates become their trace m ← g + decay·m; with `nesterov`, g + decay·m of the new m. (As Nesterov wrote it the
 * gradient is taken ahead instead, `grad(loss)` at params − rate·decay·m, and m is not looked through once more: these are the same
 * steps of the points that are ahead.)
 *
 * The state is `{ trace }`, of the structure of the parameters.
 */
export const trace = (options: TraceOptions): GradientTransformation => {
  const op = 'optim.trace';
  expectHyperparameters(op, options, ['decay'], ['nesterov']);
  expectNumber(op, 'decay', options.decay);
  const { decay, nesterov = false } = options;
  return {
    init: (params) => ({ trace: filledLike(params, 0) as OptState }),
    update: <P>(updates: P, state: OptState) => {
      const accumulate = (trace: unknown): P =>
        mapPairs(op, ['updates', 'state.trace'], (g, m) => np.add(g, np.mul(m, decay)), updates, trace);
      const next = accumulate(partsOf(op, state, 'trace').trace);
      return [nesterov ? accumulate(next) : next, { trace: next as OptState }];
    },
  };
};

/** Options of {@link adam} and {@link scaleByAdam}. */
export interface AdamOptions {
  /** Decay of the mean of gradients; default 0.9. */
  readonly b1?: number;
  /** Decay of the mean of their squares; default 0.999. */
  readonly b2?: number;
  /** Added to the root; default 1e-8. */
  readonly eps?: number;
  /** Added under the root, which keeps it differentiable at 0; default 0. */
  readonly epsRoot?: number;
  /** Look one step ahead (Dozat 2016); default false. */
  readonly nesterov?: boolean;
}

/** The options of {@link scaleByAdam} that are numbers. */
export const adamNumbers = ['b1', 'b2', 'eps', 'epsRoot'] as const;

/**
 * Adam's direction m̂/(√(v̂ + epsRoot) + eps), with m ← b1·m + (1 − b1)·g, v ← b2·v + (1 − b2)·g² and their means without the
 * bias of the start, m̂ = m/(1 − b1ᵗ), v̂ = v/(1 − b2ᵗ).
 *
 * With `nesterov` the direction takes b1·m/(1 − b1ᵗ⁺¹) + (1 − b1)·g/(1 − b1ᵗ) in the place of m̂.
 *
 * The state is `{ count, mu, nu }`. D. Kingma, J. Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1; T. Dozat,
 * "Incorporating Nesterov momentum into Adam" (2016).
 */
export const scaleByAdam = (options: AdamOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByAdam';
  expectHyperparameters(op, options, adamNumbers, ['nesterov']);
  const { b1 = 0.9, b2 = 0.999, eps = 1e-8, epsRoot = 0, nesterov = false } = options;
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
      const nu = mixedSquares(op, 'nu', b2, updates, before.nu);
      const mean = nesterov
        ? map2(
            (m, g) => np.add(np.mul(m, b1), np.mul(g, 1 - b1)),
            unbiased(b1, oneMore(count), mu),
            unbiased(b1, count, updates),
          )
        : unbiased(b1, count, mu);
      const step = map2(rootRatio(eps, epsRoot), mean, unbiased(b2, count, nu));
      return [step, { count, mu: mu as OptState, nu: nu as OptState }];
    },
  };
};

/** m/(√(v + epsRoot) + eps). */
const rootRatio =
  (eps: number, epsRoot: number) =>
  (m: Value, v: Value): Value =>
    np.div(m, np.add(np.sqrt(np.add(v, epsRoot)), eps));

/** Options of {@link amsgrad} and {@link scaleByAmsgrad}. */
export interface AmsgradOptions extends Omit<AdamOptions, 'nesterov'> {
  /**
   * Where the bias of the start is corrected: `'before'` the maximum is taken (optax, the default), `'after'` it (PyTorch), or
   * `'none'`, neither in m nor in v (the paper).
   */
  readonly biasCorrection?: 'before' | 'after' | 'none';
}

const corrections = ['before', 'after', 'none'] as const;

/**
 * AMSGrad's direction: {@link scaleByAdam} with the largest v̂ so far in the place of v̂, so that steps never grow again.
 *
 * The state is `{ count, mu, nu, nuMax }`. S. Reddi, S. Kale, S. Kumar, "On the convergence of Adam and beyond" (2018).
 *
 * @throws DTypeError for a `biasCorrection` that there is not
 */
export const scaleByAmsgrad = (options: AmsgradOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByAmsgrad';
  expectHyperparameters(op, options, adamNumbers, [], ['biasCorrection']);
  const { b1 = 0.9, b2 = 0.999, eps = 1e-8, epsRoot = 0, biasCorrection = 'before' } = options;
  expectOneOf(op, 'biasCorrection', biasCorrection, corrections);
  return {
    init: (params) => ({
      count: noSteps(),
      mu: filledLike(params, 0) as OptState,
      nu: filledLike(params, 0) as OptState,
      nuMax: filledLike(params, 0) as OptState,
    }),
    update: <P>(updates: P, state: OptState) => {
      const before = partsOf(op, state, 'count', 'mu', 'nu', 'nuMax');
      const count = oneMore(countOf(op, before.count));
      const mu = mixed(op, 'mu', b1, updates, before.mu);
      const nu = mixedSquares(op, 'nu', b2, updates, before.nu);
      const most = (v: Value, before: Value): Value => np.maximum(before, v);
      const seen = biasCorrection === 'before' ? unbiased(b2, count, nu) : nu;
      const nuMax = mapPairs(op, ['updates', 'state.nuMax'], most, seen, before.nuMax);
      const mean = biasCorrection === 'none' ? mu : unbiased(b1, count, mu);
      const step = map2(rootRatio(eps, epsRoot), mean, biasCorrection === 'after' ? unbiased(b2, count, nuMax) : nuMax);
      return [step, { count, mu: mu as OptState, nu: nu as OptState, nuMax: nuMax as OptState }];
    },
  };
};

/**
 * Add `rate`·params to the updates: before the learning rate this is the decay of weights. Without memory.
 *
 * @param mask - which parameters decay; all by default, often the matrices alone: `(_, leaf) => leaf.ndim > 1`
 */
export const addDecayedWeights = (rate: number, mask?: Mask): GradientTransformation => {
  const op = 'optim.addDecayedWeights';
  expectNumber(op, 'the rate', rate);
  return maskedBy(mask, {
    init: () => ({}),
    update: (updates, state, params) => {
      partsOf(op, state);
      return [mapPairs(op, ['updates', 'params'], (g, p) => np.add(g, np.mul(p, rate)), updates, params), state];
    },
  });
};

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** Decay of the momentum; none by default. */
  readonly momentum?: number;
  /** Nesterov's momentum; default false. */
  readonly nesterov?: boolean;
}

/**
 * Gradient descent: −rate·g, or −rate·m with the momentum m ← g + momentum·m, as in PyTorch and optax.
 *
 * Where the rate belongs to the momentum instead (v ← momentum·v + rate·g, x ← x − v, as Polyak and many courses write it), the
 * two differ when it changes: that is `chain(scaleByLearningRate(rate), trace({ decay: momentum }))`.
 *
 * @param rate - the learning rate, or a schedule of it
 *
 * @example
 * ```ts
 * import { grad, np, optim, type Tensor } from 'pullback';
 * const optimizer = optim.sgd(0.25);
 * const parabola = (x: Tensor) => np.sum(np.mul(x, x));
 * const [step] = optimizer.update(grad(parabola)(np.array([4])), optimizer.init(np.array([4])), np.array([4]));
 * console.log(optim.applyUpdates(np.array([4]), step).toArray()); // => [ 2 ]
 * ```
 */
export const sgd = (rate: number | Schedule, options: SgdOptions = {}): GradientTransformation => {
  expectHyperparameters('optim.sgd', options, ['momentum'], ['nesterov']);
  const { momentum, nesterov = false } = options;
  return chainOf('optim.sgd', [
    momentum === undefined ? identity() : trace({ decay: momentum, nesterov }),
    scaleByLearningRate(rate),
  ]);
};

/**
 * Adam: {@link scaleByAdam}, then {@link scaleByLearningRate}.
 *
 * @param rate - the learning rate, or a schedule of it
 *
 * @example
 * ```ts
 * import { grad, jit, np, optim, type Tensor } from 'pullback';
 * const optimizer = optim.adam(0.1);
 * const step = jit((x: Tensor, state: optim.OptState) => {
 *   const [updates, next] = optimizer.update(grad((x: Tensor) => np.sum(np.square(x)))(x), state, x);
 *   return [optim.applyUpdates(x, updates), next] as const;
 * });
 * let x = np.array([1, -2]);
 * let state = optimizer.init(x);
 * for (let i = 0; i < 200; i++) [x, state] = step(x, state);
 * console.log(np.max(np.square(x)).item() < 1e-4); // => true
 * ```
 */
export const adam = (rate: number | Schedule, options: AdamOptions = {}): GradientTransformation => {
  expectHyperparameters('optim.adam', options, adamNumbers, ['nesterov']);
  return chainOf('optim.adam', [scaleByAdam(options), scaleByLearningRate(rate)]);
};

/** Options of {@link adamw}. */
export interface AdamwOptions extends AdamOptions {
  /** The share of each weight that is taken away, times the learning rate; default 1e-4. */
  readonly weightDecay?: number;
  /** Which parameters decay; all by default. */
  readonly mask?: Mask;
}

/**
 * Adam with decoupled weight decay: {@link scaleByAdam}, {@link addDecayedWeights}, then {@link scaleByLearningRate}.
 *
 * I. Loshchilov, F. Hutter, "Decoupled weight decay regularization" (2019).
 *
 * @param rate - the learning rate, or a schedule of it
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const optimizer = optim.adamw(0.5, { weightDecay: 0.5, mask: (path) => path === 'w' });
 * const params = { w: np.array([4]), b: np.array([4]) };
 * const [step] = optimizer.update({ w: np.array([1]), b: np.array([1]) }, optimizer.init(params), params);
 * console.log(step.w.toArray(), step.b.toArray()); // => [ -1.5 ] [ -0.5 ]
 * ```
 */
export const adamw = (rate: number | Schedule, options: AdamwOptions = {}): GradientTransformation => {
  expectHyperparameters('optim.adamw', options, [...adamNumbers, 'weightDecay'], ['nesterov'], ['mask']);
  const { weightDecay = 1e-4, mask, ...adams } = options;
  return chainOf('optim.adamw', [scaleByAdam(adams), addDecayedWeights(weightDecay, mask), scaleByLearningRate(rate)]);
};

/**
 * AMSGrad: {@link scaleByAmsgrad}, then {@link scaleByLearningRate}.
 *
 * @param rate - the learning rate, or a schedule of it
 */
export const amsgrad = (rate: number | Schedule, options: AmsgradOptions = {}): GradientTransformation => {
  expectHyperparameters('optim.amsgrad', options, adamNumbers, [], ['biasCorrection']);
  return chainOf('optim.amsgrad', [scaleByAmsgrad(options), scaleByLearningRate(rate)]);
};

/**
 * NAdam: {@link adam} with `nesterov`. PyTorch's has a schedule of b1 besides.
 *
 * T. Dozat, "Incorporating Nesterov momentum into Adam" (2016).
 *
 * @param rate - the learning rate, or a schedule of it
 */
export const nadam = (rate: number | Schedule, options: Omit<AdamOptions, 'nesterov'> = {}): GradientTransformation => {
  expectHyperparameters('optim.nadam', options, adamNumbers);
  return chainOf('optim.nadam', [scaleByAdam({ ...options, nesterov: true }), scaleByLearningRate(rate)]);
};
