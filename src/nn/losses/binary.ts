/** Losses of independent yes/no questions: binary cross entropy from logits and from probabilities, and the focal loss. */

import type { Value } from '../../core/value.ts';
import { toFloat, toValue } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { ArrayLike, DTypeOf, Floated, Tensor } from '../../ops/types.ts';
import { convertElementType, mul, neg, sub } from '../../prim/arithmetic.ts';
import { fullLike } from '../../prim/compose.ts';
import * as math from '../../prim/math.ts';
import { softplus } from '../activations.ts';
import { focus } from './classes.ts';
import { broadcastBeside, expectOption, type LossOptions, paired, reduced } from './reduction.ts';

/** Options of {@link binaryCrossEntropy}. */
export interface BinaryCrossEntropyOptions extends LossOptions {
  /** A weight of the answer yes, for each question or for all; default 1. */
  readonly posWeight?: ArrayLike;
}

/** Options of {@link sigmoidBinaryCrossEntropy}. */
export interface SigmoidBinaryCrossEntropyOptions extends BinaryCrossEntropyOptions {
  /** The share ε of each label that is given to yes and no alike: y(1 − ε) + ε/2; default 0. */
  readonly labelSmoothing?: number;
}

/** Predictions beside labels of their dtype and shape. */
function questions(op: string, predictions: ArrayLike, labels: ArrayLike): readonly [x: Value, yes: Value, no: Value] {
  const scores = toFloat(op, predictions);
  const [x, yes] = paired(op, scores, convertElementType(toValue(op, labels), scores.dtype));
  return [x, yes, sub(fullLike(yes, 1), yes)];
}

const weighed = (op: string, posWeight: ArrayLike | undefined, losses: Value): Value =>
  posWeight === undefined ? losses : mul(losses, broadcastBeside(op, 'posWeight', posWeight, losses));

/**
 * −y·log σ(x) − (1 − y)·log(1 − σ(x)), elementwise: the cross entropy of independent yes/no questions. (PyTorch calls it binary cross
 * entropy with logits.)
 *
 * @param logits - x, of which σ(x) is the probability of yes
 * @param labels - y in [0, 1], of the same shape; other dtypes are cast
 * @throws ShapeError unless the shapes are equal, and that of `posWeight` broadcasts to them
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const [logits, labels] = [np.array([0, 1000]), np.array([1, 0])];
 * console.log(nn.sigmoidBinaryCrossEntropy(logits, labels).item()); // => 500.346…
 * console.log(nn.sigmoidBinaryCrossEntropy(logits, labels, { posWeight: 2 }).item()); // => 500.693…
 * ```
 */
export function sigmoidBinaryCrossEntropy<A extends ArrayLike>(
  logits: A,
  labels: ArrayLike,
  options: SigmoidBinaryCrossEntropyOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.sigmoidBinaryCrossEntropy';
  const { posWeight, labelSmoothing = 0 } = options;
  expectOption(op, 'labelSmoothing', labelSmoothing, 'share from 0 to 1');
  const [x, yes, no] = questions(op, logits, labels);
  const smooth = (y: Value): Value =>
    labelSmoothing === 0 ? y : np.add(np.mul(y, 1 - labelSmoothing), labelSmoothing / 2);
  const positive = weighed(op, posWeight, mul(smooth(yes), softplus(neg(x))));
  return reduced(op, np.add(positive, mul(smooth(no), softplus(x))), options, 'posWeight', 'labelSmoothing');
}

/** −weight·log p, and 0 where the weight is, at p = 0 too. */
function surprise(weight: Value, p: Value, log: (p: Value) => Value): Value {
  const none = np.equal(weight, 0);
  return np.where(none, 0, neg(mul(weight, log(np.where(none, 0.5, p)))));
}

/**
 * −y·log p − (1 − y)·log(1 − p), elementwise. From logits use {@link sigmoidBinaryCrossEntropy}, which keeps the digits of probabilities
 * near 1.
 *
 * A certain prediction that is wrong has the loss Infinity; PyTorch bounds the logarithms by −100.
 *
 * @param probabilities - p in [0, 1]
 * @param labels - y in [0, 1], of the same shape; other dtypes are cast
 * @throws as {@link sigmoidBinaryCrossEntropy}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.binaryCrossEntropy(np.array([0.5, 1]), np.array([1, 1]), { reduction: 'none' }).toArray()); // => [ 0.693…, 0 ]
 * ```
 */
export function binaryCrossEntropy<A extends ArrayLike>(
  probabilities: A,
  labels: ArrayLike,
  options: BinaryCrossEntropyOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.binaryCrossEntropy';
  const [p, yes, no] = questions(op, probabilities, labels);
  const positive = weighed(op, options.posWeight, surprise(yes, p, math.log));
  const negative = surprise(no, p, (x) => math.log1p(neg(x)));
  return reduced(op, np.add(positive, negative), options, 'posWeight');
}

/** Options of {@link sigmoidFocal}. */
export interface SigmoidFocalOptions extends LossOptions {
  /** The power of 1 − p; 0 is {@link sigmoidBinaryCrossEntropy}. Default 2. */
  readonly gamma?: number;
  /** The weight of yes, in [0, 1], beside 1 − alpha of no; without it both weigh 1. */
  readonly alpha?: number;
}

/**
 * −(1 − p)^gamma·log p, elementwise, with p the probability σ(x) gives to the right answer: a {@link sigmoidBinaryCrossEntropy} in which
 * what is known already counts less.
 *
 * T.-Y. Lin et al., "Focal loss for dense object detection" (2017); labels between 0 and 1 as in torchvision and optax.
 *
 * @param logits - x, of which σ(x) is the probability of yes
 * @param labels - y in [0, 1], of the same shape; other dtypes are cast
 * @throws as {@link sigmoidBinaryCrossEntropy}; DTypeError for a negative `gamma` or an `alpha` that is no share
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.sigmoidFocal(np.array([Math.log(3)]), np.array([1])).item()); // => 0.01798…
 * ```
 */
export function sigmoidFocal<A extends ArrayLike>(
  logits: A,
  labels: ArrayLike,
  options: SigmoidFocalOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.sigmoidFocal';
  const { gamma = 2, alpha } = options;
  expectOption(op, 'gamma', gamma, 'number of at least 0');
  if (alpha !== undefined) expectOption(op, 'alpha', alpha, 'share from 0 to 1');
  const [x, yes, no] = questions(op, logits, labels);
  const entropy = np.add(mul(yes, softplus(neg(x))), mul(no, softplus(x)));
  const missed = np.add(mul(yes, math.logistic(neg(x))), mul(no, math.logistic(x)));
  const focused = mul(focus(missed, gamma), entropy);
  const losses = alpha === undefined ? focused : mul(focused, np.add(np.mul(yes, alpha), np.mul(no, 1 - alpha)));
  return reduced(op, losses, options, 'gamma', 'alpha');
}
