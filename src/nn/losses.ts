/** Losses: how far predictions are from what was to be predicted, as one number to minimize. */

import { showAval } from '../core/aval.ts';
import { isInteger } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { range, sameShape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { shapeOf } from '../ops/axes.ts';
import { promoted, toFloat, toValue } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import type { ArrayLike, DTypeOf, Floated, Promoted, Tensor } from '../ops/types.ts';
import { convertElementType, neg, sub } from '../prim/arithmetic.ts';
import { eq, select } from '../prim/compare.ts';
import { fullLike, zeros } from '../prim/compose.ts';
import { reduceMax, reduceSum } from '../prim/reduce.ts';
import { broadcastInDim, iota } from '../prim/structural.ts';
import { logSoftmaxOf } from './activations.ts';

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
 * The mean over a batch of −log p(label), with p the softmax of the logits along the last axis.
 *
 * A label outside of [0, classes) has no probability: its loss, and so the mean, is NaN.
 *
 * @param logits - float[...batch, classes]
 * @param labels - integers[...batch]; or probabilities of the shape of `logits`, for which it is −Σ label·log p
 * @returns a scalar of the dtype of the logits
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
export function crossEntropy<A extends ArrayLike>(logits: A, labels: ArrayLike): Tensor<Floated<DTypeOf<A>>> {
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
  const losses = classified
    ? ofLabels(logs, wanted)
    : np.neg(np.sum(np.mul(convertElementType(wanted, logs.dtype), logs), -1));
  return np.mean(losses) as Tensor<Floated<DTypeOf<A>>>;
}

/** −log p at the label of each row. What is not selected, such as −∞ of a masked class, does not take part. */
function ofLabels(logs: Value, labels: Value): Value {
  const last = logs.ndim - 1;
  const mask = classMask('nn.crossEntropy', labels, logs.shape[last]!);
  const picked = neg(reduceSum(select(mask, logs, zeros(logs.aval)), [last]));
  return select(reduceMax(mask, [last]), picked, fullLike(picked, Number.NaN));
}

/**
 * The mean over all elements of (prediction − target)², in the dtype in which the two meet.
 *
 * @throws ShapeError unless the shapes are equal: [n] beside [n, 1] would broadcast to [n, n]
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.mse(np.array([1, 2]), np.array([1, 4])).item()); // => 2
 * ```
 */
export function mse<A extends ArrayLike, B extends ArrayLike>(
  prediction: A,
  target: B,
): Tensor<Floated<Promoted<A, B>>> {
  const [x, y] = promoted('nn.mse', [toFloat('nn.mse', prediction), toFloat('nn.mse', target)]);
  if (!sameShape(x!.shape, y!.shape)) {
    throw new ShapeError({
      op: 'nn.mse',
      problem: `prediction ${showAval(x!.aval)} and target ${showAval(y!.aval)} must have equal shapes`,
      remedy: 'reshape or broadcast one of them',
    });
  }
  const difference = sub(x!, y!);
  return np.mean(np.mul(difference, difference)) as Tensor<Floated<Promoted<A, B>>>;
}
