/** Losses of numbers: errors squared, absolute and between, and likelihoods of counts and of normal variables. */

import type { Value } from '../../core/value.ts';
import * as np from '../../ops/np.ts';
import type { ArrayLike, Floated, Promoted, Tensor } from '../../ops/types.ts';
import { abs, mul, sub } from '../../prim/arithmetic.ts';
import { softplus } from '../activations.ts';
import { expectFlag } from '../params.ts';
import { broadcastBeside, expectOption, type LossOptions, paired, reduced } from './reduction.ts';

/**
 * (prediction − target)², elementwise, in the dtype in which the two meet. The mean is that over all elements, as in PyTorch; the
 * squared distance of vectors, ‖prediction − target‖², is the `'sum'`.
 *
 * @throws ShapeError unless the shapes are equal: [n] beside [n, 1] would broadcast to [n, n]
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.mse(np.array([1, 2]), np.array([1, 4])).item()); // => 2
 * console.log(nn.mse(np.array([1, 2]), np.array([1, 4]), { reduction: 'none' }).toArray()); // => [ 0, 4 ]
 * ```
 */
export function mse<A extends ArrayLike, B extends ArrayLike>(
  prediction: A,
  target: B,
  options?: LossOptions,
): Tensor<Floated<Promoted<A, B>>> {
  const [x, y] = paired('nn.mse', prediction, target);
  const difference = sub(x, y);
  return reduced('nn.mse', mul(difference, difference), options);
}

/** |prediction − target|, elementwise; its derivative where they are equal is 0. @throws as {@link mse} */
export function mae<A extends ArrayLike, B extends ArrayLike>(
  prediction: A,
  target: B,
  options?: LossOptions,
): Tensor<Floated<Promoted<A, B>>> {
  const [x, y] = paired('nn.mae', prediction, target);
  return reduced('nn.mae', abs(sub(x, y)), options);
}

/** Options of {@link huber}. */
export interface HuberOptions extends LossOptions {
  /** From which error on the loss is linear; default 1. */
  readonly delta?: number;
}

/**
 * ½e² for an error |e| ≤ delta, else delta·(|e| − ½delta), elementwise: squares that outliers do not dominate.
 *
 * P. Huber, "Robust estimation of a location parameter", Annals of Statistics 53 (1964).
 *
 * @throws as {@link mse}; DTypeError unless `delta` is a positive number
 */
export function huber<A extends ArrayLike, B extends ArrayLike>(
  prediction: A,
  target: B,
  options: HuberOptions = {},
): Tensor<Floated<Promoted<A, B>>> {
  const [x, y] = paired('nn.huber', prediction, target);
  const { delta = 1 } = options;
  expectOption('nn.huber', 'delta', delta, 'positive number', 'for absolute errors use nn.mae');
  const error = abs(sub(x, y));
  const square: Value = np.minimum(error, delta);
  const losses = np.add(np.mul(np.mul(square, square), 0.5), np.mul(sub(error, square), delta));
  return reduced('nn.huber', losses, options, 'delta');
}

/** Options of {@link smoothL1}. */
export interface SmoothL1Options extends LossOptions {
  /** From which error on the loss is linear; 0: everywhere. Default 1. */
  readonly beta?: number;
}

/**
 * ½e²/beta for an error |e| < beta, else |e| − ½beta, elementwise: {@link huber} divided by its delta, which is {@link mae} for small beta.
 *
 * R. Girshick, "Fast R-CNN" (2015).
 *
 * @throws as {@link mse}; DTypeError for a negative `beta`
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.smoothL1(np.array([1, 8]), np.array([0, 0]), { beta: 2, reduction: 'none' }).toArray()); // => [ 0.25, 7 ]
 * ```
 */
export function smoothL1<A extends ArrayLike, B extends ArrayLike>(
  prediction: A,
  target: B,
  options: SmoothL1Options = {},
): Tensor<Floated<Promoted<A, B>>> {
  const op = 'nn.smoothL1';
  const [x, y] = paired(op, prediction, target);
  const { beta = 1 } = options;
  expectOption(op, 'beta', beta, 'number of at least 0');
  const error = abs(sub(x, y));
  if (beta === 0) return reduced(op, error, options, 'beta');
  const square: Value = np.minimum(error, beta);
  const losses = np.add(np.mul(mul(square, square), 0.5 / beta), sub(error, square));
  return reduced(op, losses, options, 'beta');
}

/**
 * log cosh(prediction − target), elementwise: ½e² for small errors, |e| − log 2 for large ones.
 *
 * @throws as {@link mse}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.logCosh(np.array([0.5, 1000]), np.array([0, 0]), { reduction: 'none' }).toArray()); // => [ 0.12011…, 999.306… ]
 * ```
 */
export function logCosh<A extends ArrayLike, B extends ArrayLike>(
  prediction: A,
  target: B,
  options?: LossOptions,
): Tensor<Floated<Promoted<A, B>>> {
  const [x, y] = paired('nn.logCosh', prediction, target);
  const error = sub(x, y);
  // Near 0, |e| + log(1 + e^−2|e|) − log 2 would keep no digit of e²: there it is ½·log(1 + sinh² e).
  const near = np.lessEqual(abs(error), 1);
  const small = np.sinh(np.where(near, error, 0));
  const far = np.where(near, 1, error);
  const size = abs(far);
  const above = np.sub(np.add(size, softplus(np.mul(size, -2))), Math.LN2);
  return reduced('nn.logCosh', np.where(near, np.mul(np.log1p(mul(small, small)), 0.5), above), options);
}

/** Options of {@link poissonNll}. */
export interface PoissonNllOptions extends LossOptions {
  /** The prediction is the logarithm of the rate (default), or the rate. */
  readonly logInput?: boolean;
  /** Add log(target!), by Stirling's formula for targets above 1, as PyTorch does; default false. */
  readonly full?: boolean;
  /** Added to rates before their logarithm; default 1e-8. */
  readonly eps?: number;
}

/**
 * −log P(target) of counts with the predicted rate, without the term that the rate has no part in: rate − target·log rate,
 * elementwise.
 *
 * @throws as {@link mse}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.poissonNll(np.array([0]), np.array([3])).item()); // => 1
 * ```
 */
export function poissonNll<A extends ArrayLike, B extends ArrayLike>(
  prediction: A,
  target: B,
  options: PoissonNllOptions = {},
): Tensor<Floated<Promoted<A, B>>> {
  const op = 'nn.poissonNll';
  const [x, y] = paired(op, prediction, target);
  const { logInput = true, full = false, eps = 1e-8 } = options;
  expectFlag(op, 'logInput', logInput);
  expectFlag(op, 'full', full);
  expectOption(op, 'eps', eps, 'number of at least 0');
  const own = logInput ? sub(np.exp(x), mul(y, x)) : sub(x, mul(y, np.log(np.add(x, eps))));
  const losses = full ? np.add(own, stirling(y)) : own;
  return reduced(op, losses, options, 'logInput', 'full', 'eps');
}

/** y·log y − y + ½·log(2πy) above 1, else 0. */
function stirling(y: Value): Value {
  const counts = np.greater(y, 1);
  const safe = np.where(counts, y, 1);
  const term = np.add(sub(mul(safe, np.log(safe)), safe), np.mul(np.log(np.mul(safe, 2 * Math.PI)), 0.5));
  return np.where(counts, term, 0);
}

/** Options of {@link gaussianNll}. */
export interface GaussianNllOptions extends LossOptions {
  /** Add the constant ½·log(2π); default false. */
  readonly full?: boolean;
  /** Variances below count as this, and have no derivative; default 1e-6. */
  readonly eps?: number;
}

/**
 * −log p(target) of normal variables of the predicted mean and variance, but for a constant: ½(log v + (target − mean)²/v),
 * elementwise.
 *
 * @param variance - of the shape of the others, or one that broadcasts to it
 * @throws as {@link mse}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.gaussianNll(np.array([0, 1]), np.array([2, 1]), np.array([4, 1])).item()); // => 0.596…
 * ```
 */
export function gaussianNll<A extends ArrayLike, B extends ArrayLike>(
  mean: A,
  target: B,
  variance: ArrayLike,
  options: GaussianNllOptions = {},
): Tensor<Floated<Promoted<A, B>>> {
  const op = 'nn.gaussianNll';
  const [x, y] = paired(op, mean, target);
  const { full = false, eps = 1e-6 } = options;
  expectFlag(op, 'full', full);
  expectOption(op, 'eps', eps, 'number of at least 0');
  const v = np.maximum(broadcastBeside(op, 'variance', variance, x), eps);
  const error = sub(y, x);
  const losses = np.mul(np.add(np.log(v), np.div(mul(error, error), v)), 0.5);
  return reduced(op, full ? np.add(losses, 0.5 * Math.log(2 * Math.PI)) : losses, options, 'full', 'eps');
}
