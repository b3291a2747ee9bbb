/** Steps in proportion to the parameters that they change, layer by layer: LARS, LAMB, and clipping by the same ratio. */

import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { mul } from '../prim/arithmetic.ts';
import { expectBound, expectHyperparameters, expectNumber } from './hyperparameters.ts';
import type { Mask } from './masking.ts';
import { type AdamOptions, adamNumbers, addDecayedWeights, scaleByAdam, trace } from './optimizers.ts';
import { mapPairs, partsOf } from './state.ts';
import {
  chainOf,
  type GradientTransformation,
  type Schedule,
  scaleByLearningRate,
  stateless,
} from './transformation.ts';

/** √Σx², whose derivative at 0 is not asked for: 0 has the norm 0. */
export const normOf = (x: Value, axis?: readonly number[]): Value =>
  np.sqrt(np.sum(mul(x, x), axis, { keepdims: axis !== undefined }));

/** Options of {@link scaleByTrustRatio}. */
export interface TrustRatioOptions {
  /** Norms below count as this; default 0. */
  readonly minNorm?: number;
  /** The ratio is multiplied by this; default 1. */
  readonly trustCoefficient?: number;
  /** Added to the norm of the updates; default 0. */
  readonly eps?: number;
}

/**
 * Each leaf of the updates times trustCoefficient·‖parameters‖/(‖updates‖ + eps), norms of that leaf; where one of the two is 0,
 * as it is. Without memory.
 *
 * Y. You, I. Gitman, B. Ginsburg, "Large batch training of convolutional networks" (2017).
 */
export const scaleByTrustRatio = (options: TrustRatioOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByTrustRatio';
  expectHyperparameters(op, options, ['minNorm', 'trustCoefficient', 'eps']);
  const { minNorm = 0, trustCoefficient = 1, eps = 0 } = options;
  const scaled = (update: Value, param: Value): Value => {
    const [size, length] = [np.maximum(normOf(param), minNorm), np.maximum(normOf(update), minNorm)];
    const none = np.logicalOr(np.equal(size, 0), np.equal(length, 0));
    const ratio = np.div(np.mul(size, trustCoefficient), np.where(none, 1, np.add(length, eps)));
    return np.mul(update, np.astype(np.where(none, 1, ratio), update.dtype));
  };
  return {
    init: () => ({}),
    update: (updates, state, params) => {
      partsOf(op, state);
      return [mapPairs(op, ['updates', 'params'], scaled, updates, params), state];
    },
  };
};

/** Options of {@link lamb}. */
export interface LambOptions extends Omit<AdamOptions, 'nesterov'> {
  /** Added to the root; default 1e-6. */
  readonly eps?: number;
  /** Added to the direction, times the parameters; default 0. */
  readonly weightDecay?: number;
  /** Which parameters decay; all by default. */
  readonly mask?: Mask;
}

/**
 * LAMB: {@link scaleByAdam}, {@link addDecayedWeights}, {@link scaleByTrustRatio}, then {@link scaleByLearningRate}; for large
 * batches.
 *
 * Y. You et al., "Large batch optimization for deep learning: training BERT in 76 minutes" (2020).
 *
 * @param rate - the learning rate, or a schedule of it
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const optimizer = optim.lamb(0.5, { eps: 0 });
 * const params = { w: np.array([3, 4]), b: np.array([0, 0]) };
 * const [step] = optimizer.update({ w: np.array([7, -7]), b: np.array([7, -7]) }, optimizer.init(params), params);
 * console.log(step.w.toArray(), step.b.toArray()); // => [ -1.767…, 1.767… ] [ -0.499…, 0.499… ]
 * ```
 */
export const lamb = (rate: number | Schedule, options: LambOptions = {}): GradientTransformation => {
  expectHyperparameters('optim.lamb', options, [...adamNumbers, 'weightDecay'], [], ['mask']);
  const { weightDecay = 0, mask, eps = 1e-6, ...adams } = options;
  return chainOf('optim.lamb', [
    scaleByAdam({ eps, ...adams }),
    addDecayedWeights(weightDecay, mask),
    scaleByTrustRatio(),
    scaleByLearningRate(rate),
  ]);
};

/** Options of {@link lars}. */
export interface LarsOptions {
  /** Added to the gradients, times the parameters; default 0. */
  readonly weightDecay?: number;
  /** Which parameters decay; all by default. */
  readonly mask?: Mask;
  /** The ratio is multiplied by this; default 0.001. */
  readonly trustCoefficient?: number;
  /** Added to the norm of the updates; default 0. */
  readonly eps?: number;
  /** Decay of the momentum of the steps; default 0.9. */
  readonly momentum?: number;
  /** Nesterov's momentum; default false. */
  readonly nesterov?: boolean;
}

/**
 * LARS: {@link addDecayedWeights}, {@link scaleByTrustRatio}, {@link scaleByLearningRate}, then the momentum of the steps.
 *
 * Y. You, I. Gitman, B. Ginsburg, "Large batch training of convolutional networks" (2017).
 *
 * @param rate - the learning rate, or a schedule of it
 */
export const lars = (rate: number | Schedule, options: LarsOptions = {}): GradientTransformation => {
  const numbers = ['weightDecay', 'trustCoefficient', 'eps', 'momentum'];
  expectHyperparameters('optim.lars', options, numbers, ['nesterov'], ['mask']);
  const { weightDecay = 0, mask, trustCoefficient = 0.001, eps = 0, momentum = 0.9, nesterov = false } = options;
  return chainOf('optim.lars', [
    addDecayedWeights(weightDecay, mask),
    scaleByTrustRatio({ trustCoefficient, eps }),
    scaleByLearningRate(rate),
    trace({ decay: momentum, nesterov }),
  ]);
};

/** √(mean of squares) of a leaf. */
const rmsOf = (x: Value): Value => np.sqrt(np.mean(mul(x, x)));

/** Each leaf of the updates divided so that its root mean square is at most `threshold`. @throws DTypeError for a negative one */
export const clipByBlockRms = (threshold: number): GradientTransformation => {
  const op = 'optim.clipByBlockRms';
  expectBound(op, 'the threshold', threshold);
  return stateless(op, (update) => {
    const rms = rmsOf(update);
    const within = np.lessEqual(rms, threshold);
    return np.mul(update, np.where(within, 1, np.div(threshold, np.where(within, 1, rms))));
  });
};

/**
 * Each leaf of the updates times the root mean square of its parameters, or `minScale` if that is more. Without memory.
 *
 * @param minScale - default 1e-3
 */
export const scaleByParamBlockRms = (minScale = 1e-3): GradientTransformation => {
  const op = 'optim.scaleByParamBlockRms';
  expectNumber(op, 'minScale', minScale);
  const scaled = (update: Value, param: Value): Value =>
    np.mul(update, np.astype(np.maximum(rmsOf(param), minScale), update.dtype));
  return {
    init: () => ({}),
    update: (updates, state, params) => {
      partsOf(op, state);
      return [mapPairs(op, ['updates', 'params'], scaled, updates, params), state];
    },
  };
};

/** Norms of what belongs to one output: all axes but the last; of a vector, all of it. */
const unitwise = (x: Value): Value =>
  normOf(x, x.ndim <= 1 ? x.shape.map((_, i) => i) : x.shape.slice(1).map((_, i) => i));

/**
 * Adaptive gradient clipping: what belongs to one output (all axes but the last of a leaf; a vector is one) is shortened to at
 * most clipping·max(‖parameters‖, eps). Without memory.
 *
 * A. Brock et al., "High-performance large-scale image recognition without normalization" (2021).
 *
 * @param eps - parameters count as at least this long; default 1e-3
 * @throws DTypeError for negative numbers
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const agc = optim.adaptiveGradClip(0.5);
 * const w = np.array([[3, 3], [4, 4]]);
 * console.log(agc.update(np.array([[0, 1], [10, 1]]), agc.init(w), w)[0].toArray()); // => [ [ 0, 1 ], [ 2.5, 1 ] ]
 * ```
 */
export const adaptiveGradClip = (clipping: number, eps = 1e-3): GradientTransformation => {
  const op = 'optim.adaptiveGradClip';
  expectBound(op, 'the clipping', clipping);
  expectBound(op, 'eps', eps);
  const clipped = (update: Value, param: Value): Value => {
    const most = np.astype(np.mul(np.maximum(unitwise(param), eps), clipping), update.dtype);
    const length = unitwise(update);
    const within = np.lessEqual(length, most);
    return np.mul(update, np.where(within, 1, np.div(most, np.where(within, 1, length))));
  };
  return {
    init: () => ({}),
    update: (updates, state, params) => {
      partsOf(op, state);
      return [mapPairs(op, ['updates', 'params'], clipped, updates, params), state];
    },
  };
};
