/**
 * Losses: how far predictions are from what was to be predicted.
 *
 * The `reduction` says what becomes of the losses of a batch: their mean (one number to minimize), their sum, or themselves.
 */

import { showAval } from '../core/aval.ts';
import { type DType, isInteger } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { range, sameShape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { shapeOf } from '../ops/axes.ts';
import { promoted, toFloat, toValue } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import type { ArrayLike, DTypeOf, Floated, Promoted, Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { abs, convertElementType, mul, neg, sub } from '../prim/arithmetic.ts';
import { eq, select } from '../prim/compare.ts';
import { fullLike, zeros } from '../prim/compose.ts';
import { log } from '../prim/math.ts';
import { reduceMax, reduceSum } from '../prim/reduce.ts';
import { broadcastInDim, iota } from '../prim/structural.ts';
import { softplus } from './activations.ts';
import { logSoftmaxOf } from './softmax.ts';

/** What becomes of the losses of a batch. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of a loss. */
export interface LossOptions {
  /** The mean of all losses (default), their sum, or the losses themselves. */
  readonly reduction?: Reduction;
}

const reductions: { readonly [R in Reduction]: (losses: Value) => Value } = {
  mean: (losses) => np.mean(losses),
  sum: (losses) => np.sum(losses),
  none: (losses) => losses,
};

/** What the options make of the losses. @throws DTypeError for a reduction that there is not, and other options than `others` */
function reduced<D extends DType>(
  op: string,
  losses: Value,
  options: LossOptions = {},
  ...others: string[]
): Tensor<D> {
  expectOptions(op, options, 'reduction', ...others);
  const { reduction = 'mean' } = options;
  if (Object.hasOwn(reductions, reduction)) return reductions[reduction](losses) as Tensor<D>;
  throw new DTypeError({
    op,
    problem: `there is no reduction ${describe(reduction)}`,
    remedy: "use 'mean', 'sum' or 'none'",
  });
}

/**
 * The two as floats of one dtype.
 *
 * @throws ShapeError unless the shapes are equal: [n] beside [n, 1] would broadcast to [n, n]
 */
function paired(op: string, prediction: ArrayLike, target: ArrayLike): readonly [Value, Value] {
  const [x, y] = promoted(op, [toFloat(op, prediction), toFloat(op, target)]);
  if (sameShape(x!.shape, y!.shape)) return [x!, y!];
  throw new ShapeError({
    op,
    problem: `prediction ${showAval(x!.aval)} and target ${showAval(y!.aval)} must have equal shapes`,
    remedy: 'reshape or broadcast one of them',
  });
}

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

/**
 * −log p(label) for each member of a batch, with p the softmax of the logits along the last axis.
 *
 * A label outside of [0, classes) has no probability: its loss, and so the mean, is NaN. Without a reduction the result has the
 * shape of the batch.
 *
 * @param logits - float[...batch, classes]
 * @param labels - integers[...batch]; or probabilities of the shape of `logits`, for which it is −Σ label·log p
 * @returns float[], or float[...batch] without a reduction, of the dtype of the logits
 * @throws ShapeError if the labels have neither shape
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const logits = np.array([[0, 0], [0, Math.log(3)]]);
 * console.log(nn.crossEntropy(logits, np.array([0, 1], { dtype: 'int32' })).item()); // => 0.49041…
 * console.log(nn.crossEntropy(logits, np.array([[1, 0], [0, 1]])).item()); // => 0.49041…
 * ```
 */
export function crossEntropy<A extends ArrayLike>(
  logits: A,
  labels: ArrayLike,
  options?: LossOptions,
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.crossEntropy';
  const scores = toFloat(op, logits);
  const wanted = toValue(op, labels);
  const batch = scores.shape.slice(0, -1);
  const classified = isInteger(wanted.dtype) && sameShape(wanted.shape, batch);
  if (scores.ndim === 0 || !(classified || sameShape(wanted.shape, scores.shape))) {
    throw new ShapeError({
      op,
      problem: `labels ${showAval(wanted.aval)} do not fit logits ${showAval(scores.aval)}`,
      remedy: 'give integer labels of the shape of the batch, or probabilities of the shape of the logits',
    });
  }
  const logs = logSoftmaxOf(op, scores, -1);
  const losses = classified ? ofLabels(logs, wanted) : ofProbabilities(logs, convertElementType(wanted, logs.dtype));
  return reduced(op, losses, options);
}

/** −log p at the label of each row. What is not selected, such as −∞ of a masked class, does not take part. */
function ofLabels(logs: Value, labels: Value): Value {
  const last = logs.ndim - 1;
  const mask = classMask('nn.crossEntropy', labels, logs.shape[last]!);
  const picked = neg(reduceSum(select(mask, logs, zeros(logs.aval)), [last]));
  return select(reduceMax(mask, [last]), picked, fullLike(picked, Number.NaN));
}

/** −Σ label·log p. Where the label is 0 the term is, at log p = −∞ of a masked class too. */
function ofProbabilities(logs: Value, labels: Value): Value {
  const absent = np.logicalAnd(eq(labels, zeros(labels.aval)), eq(logs, fullLike(logs, Number.NEGATIVE_INFINITY)));
  return neg(reduceSum(mul(labels, select(absent, zeros(logs.aval), logs)), [logs.ndim - 1]));
}

/**
 * (prediction − target)², elementwise, in the dtype in which the two meet.
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
  if (typeof delta !== 'number' || !(delta > 0)) {
    throw new DTypeError({
      op: 'nn.huber',
      problem: `delta is ${describe(delta)}, not a positive number`,
      remedy: 'for absolute errors use nn.mae',
    });
  }
  const error = abs(sub(x, y));
  const square: Value = np.minimum(error, delta);
  const losses = np.add(np.mul(np.mul(square, square), 0.5), np.mul(sub(error, square), delta));
  return reduced('nn.huber', losses, options, 'delta');
}

/**
 * −y·log σ(x) − (1 − y)·log(1 − σ(x)), elementwise: the cross entropy of independent yes/no questions.
 *
 * @param logits - x, of which σ(x) is the probability of yes
 * @param labels - y in [0, 1], of the same shape; other dtypes are cast
 * @throws ShapeError unless the shapes are equal
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.sigmoidBinaryCrossEntropy(np.array([0, 1000]), np.array([1, 0])).item()); // => 500.346…
 * ```
 */
export function sigmoidBinaryCrossEntropy<A extends ArrayLike>(
  logits: A,
  labels: ArrayLike,
  options?: LossOptions,
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.sigmoidBinaryCrossEntropy';
  const scores = toFloat(op, logits);
  const [x, yes] = paired(op, scores, convertElementType(toValue(op, labels), scores.dtype));
  const no = sub(fullLike(yes, 1), yes);
  return reduced(op, np.add(mul(yes, softplus(neg(x))), mul(no, softplus(x))), options);
}

/**
 * Σ p·(log p − log q) along the last axis: the divergence of the predicted distribution q from the target p. Where p is 0 so is
 * the term.
 *
 * @param logPrediction - log q, such as {@link logSoftmax} returns
 * @param target - p, of the same shape
 * @throws ShapeError unless the shapes are equal and have an axis
 */
export function klDivergence<A extends ArrayLike, B extends ArrayLike>(
  logPrediction: A,
  target: B,
  options?: LossOptions,
): Tensor<Floated<Promoted<A, B>>> {
  const op = 'nn.klDivergence';
  const [logQ, p] = paired(op, logPrediction, target);
  const zero = zeros(p.aval);
  const absent = eq(p, zero);
  const logP = log(select(absent, fullLike(p, 1), p));
  const terms = select(absent, zero, mul(p, sub(logP, logQ)));
  return reduced(op, np.sum(terms, -1), options);
}
