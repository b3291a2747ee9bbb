/** Losses of choices between classes: cross entropy from logits, negative log-likelihood, and the focal loss. */

import { showAval } from '../../core/aval.ts';
import { isInteger } from '../../core/dtype.ts';
import { DTypeError, ShapeError } from '../../core/errors.ts';
import { range, sameShape } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { shapeOf } from '../../ops/axes.ts';
import { toFloat, toValue } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { ArrayLike, DTypeOf, Floated, Tensor } from '../../ops/types.ts';
import { describe } from '../../ops/untyped.ts';
import { convertElementType, mul, neg } from '../../prim/arithmetic.ts';
import { eq, select } from '../../prim/compare.ts';
import { fullLike, zeros } from '../../prim/compose.ts';
import { expm1 } from '../../prim/math.ts';
import { reduceMax, reduceSum } from '../../prim/reduce.ts';
import { broadcastInDim, iota } from '../../prim/structural.ts';
import { logSoftmaxOf } from '../softmax.ts';
import { expectOption, type LossOptions, reduced, weighted } from './reduction.ts';

/** True at class `label` of each row of `classes`: bool[...labels.shape, classes]. */
function classMask(op: string, labels: Value, classes: number): Value {
  if (!isInteger(labels.dtype)) {
    throw new DTypeError({
      op,
      problem: `labels must be integers, got ${showAval(labels.aval)}`,
      remedy: "cast first: np.astype(labels, 'int32')",
    });
  }
  const shape = shapeOf(op, [...labels.shape, classes]);
  return eq(broadcastInDim(labels, shape, range(labels.ndim)), iota(shape, labels.ndim, labels.dtype));
}

/**
 * A row for each label: 1 at the label, 0 elsewhere; all 0 for a label outside of [0, classes).
 *
 * @param labels - integers of any shape
 * @returns float32[...labels.shape, classes]
 * @throws DTypeError for labels that are not integers
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.oneHot(np.array([2, 0], { dtype: 'int32' }), 3).toArray()); // => [ [ 0, 0, 1 ], [ 1, 0, 0 ] ]
 * ```
 */
export const oneHot = (labels: ArrayLike, classes: number): Tensor<'float32'> =>
  convertElementType(classMask('nn.oneHot', toValue('nn.oneHot', labels), classes), 'float32') as Tensor<'float32'>;

/** Options of {@link nll}. */
export interface NllOptions extends LossOptions {
  /** Labels of this value take no part; the mean is that of the others, and NaN if there are none. None by default. */
  readonly ignoreIndex?: number;
  /** A weight for each class, float[classes]; the mean is divided by the weights of the labels. All 1 by default. */
  readonly weight?: ArrayLike;
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends NllOptions {
  /** The share of each label that is given to all classes alike, in [0, 1]; default 0. */
  readonly labelSmoothing?: number;
}

/** The weights of classes as a row beside `logs`. @throws ShapeError unless there is one for each class */
function classWeights(op: string, weight: ArrayLike, logs: Value): Value {
  const row = convertElementType(toFloat(op, weight), logs.dtype);
  if (sameShape(row.shape, [logs.shape.at(-1)!])) return broadcastInDim(row, logs.shape, [logs.ndim - 1]);
  throw new ShapeError({
    op,
    problem: `weight ${showAval(row.aval)} does not fit classes ${showAval(logs.aval)}`,
    remedy: `give a vector of ${logs.shape.at(-1)} weights, one for each class`,
  });
}

/** The losses of labels, and what their mean is divided by. */
interface Picked {
  readonly losses: Value;
  readonly weights: Value | undefined;
}

/** −log p at the label of each row. What is not selected, such as −∞ of a masked class, does not take part. */
function ofLabels(op: string, logs: Value, labels: Value, options: CrossEntropyOptions): Picked {
  const { ignoreIndex, weight, labelSmoothing = 0 } = options;
  if (ignoreIndex !== undefined && !Number.isInteger(ignoreIndex)) {
    const problem = `ignoreIndex is ${describe(ignoreIndex)}, not a whole number`;
    throw new DTypeError({ op, problem, remedy: 'give the label of what is to be left out, such as -1' });
  }
  const last = logs.ndim - 1;
  const mask = classMask(op, labels, logs.shape[last]!);
  const at = (xs: Value): Value => reduceSum(select(mask, xs, zeros(xs.aval)), [last]);
  const weights = weight === undefined ? undefined : classWeights(op, weight, logs);
  let losses = neg(at(logs));
  const own = weights === undefined ? undefined : at(weights);
  if (own !== undefined) losses = mul(losses, own);
  if (labelSmoothing !== 0) {
    const all = weights === undefined ? logs : mul(weights, logs);
    const uniform = np.mul(neg(reduceSum(all, [last])), labelSmoothing / logs.shape[last]!);
    losses = np.add(np.mul(losses, 1 - labelSmoothing), uniform);
  }
  losses = select(reduceMax(mask, [last]), losses, fullLike(losses, Number.NaN));
  if (ignoreIndex === undefined) return { losses, weights: own };
  const ignored = np.equal(labels, ignoreIndex);
  const counted = own ?? fullLike(losses, 1);
  return {
    losses: select(ignored, zeros(losses.aval), losses),
    weights: select(ignored, zeros(counted.aval), counted),
  };
}

/** −Σ label·log p. Where the label is 0 the term is, at log p = −∞ of a masked class too. */
function ofProbabilities(
  op: string,
  logs: Value,
  labels: Value,
  { weight, labelSmoothing = 0 }: CrossEntropyOptions,
): Value {
  const share = labelSmoothing / logs.shape.at(-1)!;
  const smooth = labelSmoothing === 0 ? labels : np.add(np.mul(labels, 1 - labelSmoothing), share);
  const absent = np.logicalAnd(eq(smooth, zeros(smooth.aval)), eq(logs, fullLike(logs, Number.NEGATIVE_INFINITY)));
  const terms = mul(smooth, select(absent, zeros(logs.aval), logs));
  return neg(reduceSum(weight === undefined ? terms : mul(terms, classWeights(op, weight, logs)), [logs.ndim - 1]));
}

const misfit = (op: string, scores: Value, wanted: Value, what: string, remedy: string): ShapeError =>
  new ShapeError({
    op,
    problem: `labels ${showAval(wanted.aval)} do not fit ${what} ${showAval(scores.aval)}`,
    remedy,
  });

/**
 * −log p(label) for each member of a batch, with p the softmax of the logits along the last axis.
 *
 * A label outside of [0, classes) has no probability: its loss, and so the mean, is NaN, unless it is `ignoreIndex`. Without a reduction
 * the result has the shape of the batch. With `weight` and `ignoreIndex` the mean is PyTorch's: Σ losses divided by the sum of the
 * weights of the labels that take part; of probabilities it is that of the batch.
 *
 * @param logits - float[...batch, classes]
 * @param labels - integers[...batch]; or probabilities of the shape of `logits`, for which it is −Σ label·log p
 * @returns float[], or float[...batch] without a reduction, of the dtype of the logits
 * @throws ShapeError if the labels have neither shape, or the weights not that of the classes
 * @throws DTypeError for an `ignoreIndex` beside probabilities, or a `labelSmoothing` that is no share
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const logits = np.array([[0, 0], [0, Math.log(3)]]);
 * const labels = np.array([0, 1], { dtype: 'int32' });
 * console.log(nn.crossEntropy(logits, labels).item()); // => 0.49041…
 * console.log(nn.crossEntropy(logits, np.array([[1, 0], [0, 1]])).item()); // => 0.49041…
 * console.log(nn.crossEntropy(logits, labels, { ignoreIndex: 1 }).item()); // => 0.69314…
 * console.log(nn.crossEntropy(logits, labels, { labelSmoothing: 0.5 }).item()); // => 0.62774…
 * ```
 */
export function crossEntropy<A extends ArrayLike>(
  logits: A,
  labels: ArrayLike,
  options: CrossEntropyOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.crossEntropy';
  const scores = toFloat(op, logits);
  const wanted = toValue(op, labels);
  const classified = isInteger(wanted.dtype) && sameShape(wanted.shape, scores.shape.slice(0, -1));
  if (scores.ndim === 0 || !(classified || sameShape(wanted.shape, scores.shape))) {
    const remedy = 'give integer labels of the shape of the batch, or probabilities of the shape of the logits';
    throw misfit(op, scores, wanted, 'logits', remedy);
  }
  expectOption(op, 'labelSmoothing', options.labelSmoothing ?? 0, 'share from 0 to 1');
  if (!classified && options.ignoreIndex !== undefined) {
    const problem = `ignoreIndex is for integer labels, got ${showAval(wanted.aval)}`;
    throw new DTypeError({ op, problem, remedy: 'give what is to be left out the probability 0 of every class' });
  }
  const logs = logSoftmaxOf(op, scores, -1);
  const { losses, weights } = classified
    ? ofLabels(op, logs, wanted, options)
    : { losses: ofProbabilities(op, logs, convertElementType(wanted, logs.dtype), options), weights: undefined };
  return weighted(op, losses, weights, options, 'ignoreIndex', 'weight', 'labelSmoothing');
}

/** The scores beside integer labels of their batch. */
function labelled(op: string, scores: Value, labels: ArrayLike, what: string): Value {
  const wanted = toValue(op, labels);
  if (scores.ndim > 0 && sameShape(wanted.shape, scores.shape.slice(0, -1))) return wanted;
  throw misfit(op, scores, wanted, what, 'give integer labels of the shape of the batch');
}

/**
 * −log p(label) from log-probabilities: {@link crossEntropy} after {@link logSoftmax}.
 *
 * @param logProbabilities - float[...batch, classes]
 * @param labels - integers[...batch]
 * @throws as {@link crossEntropy}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const logs = np.log(np.array([[0.5, 0.5], [0.25, 0.75]]));
 * console.log(nn.nll(logs, np.array([0, 1], { dtype: 'int32' }), { weight: np.array([1, 3]) }).item()); // => 0.389…
 * ```
 */
export function nll<A extends ArrayLike>(
  logProbabilities: A,
  labels: ArrayLike,
  options: NllOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.nll';
  const logs = toFloat(op, logProbabilities);
  const { losses, weights } = ofLabels(op, logs, labelled(op, logs, labels, 'log-probabilities'), options);
  return weighted(op, losses, weights, options, 'ignoreIndex', 'weight');
}

/** Options of {@link softmaxFocal}. */
export interface SoftmaxFocalOptions extends LossOptions {
  /** The power of 1 − p; 0 is {@link crossEntropy}. Default 2. */
  readonly gamma?: number;
  /** A weight for each class (the α of the paper), float[classes]; the mean is that of the batch all the same. */
  readonly weight?: ArrayLike;
}

/** baseᵖ of a share, and 0 at 0, where its derivative is 0 as well: what focal losses multiply by. */
export const focus = (base: Value, gamma: number): Value => {
  const some = np.greater(base, 0);
  return np.where(some, np.power(np.where(some, base, 1), gamma), gamma === 0 ? 1 : 0);
};

/**
 * −(1 − p)^gamma·log p, with p the softmax at the label: a {@link crossEntropy} in which what is known already counts less.
 *
 * T.-Y. Lin et al., "Focal loss for dense object detection" (2017), for more than two classes.
 *
 * @param logits - float[...batch, classes]
 * @param labels - integers[...batch]
 * @throws as {@link crossEntropy}; DTypeError for a negative `gamma`
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const logits = np.array([[0, Math.log(3)]]);
 * console.log(nn.softmaxFocal(logits, np.array([1], { dtype: 'int32' })).item()); // => 0.01798…
 * ```
 */
export function softmaxFocal<A extends ArrayLike>(
  logits: A,
  labels: ArrayLike,
  options: SoftmaxFocalOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.softmaxFocal';
  const { gamma = 2, weight } = options;
  expectOption(op, 'gamma', gamma, 'number of at least 0');
  const scores = toFloat(op, logits);
  const wanted = labelled(op, scores, labels, 'logits');
  const logs = logSoftmaxOf(op, scores, -1);
  const { losses } = ofLabels(op, logs, wanted, {});
  const focused = mul(focus(neg(expm1(neg(losses))), gamma), losses);
  if (weight === undefined) return reduced(op, focused, options, 'gamma', 'weight');
  const rows = classWeights(op, weight, logs);
  const own = reduceSum(select(classMask(op, wanted, logs.shape.at(-1)!), rows, zeros(rows.aval)), [logs.ndim - 1]);
  return reduced(op, mul(focused, own), options, 'gamma', 'weight');
}
