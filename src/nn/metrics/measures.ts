/** Means, shares of what is right, and perplexity. */

import { showAval } from '../../core/aval.ts';
import { ShapeError } from '../../core/errors.ts';
import { sameShape } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { toFloat, toValue } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { ArrayLike } from '../../ops/types.ts';
import { convertElementType } from '../../prim/arithmetic.ts';
import { filled } from '../../prim/compose.ts';
import { nll } from '../losses/classes.ts';
import { expectOption } from '../losses/reduction.ts';
import { logSoftmaxOf } from '../softmax.ts';
import { additive, counted, countTrue, expectLabelOptions, type LabelOptions, type Metric, scored } from './metric.ts';

/** A sum and what it is divided by, both float64. */
export interface Weighted {
  readonly total: Value<'float64'>;
  readonly weight: Value<'float64'>;
}

/** How many of how many, both int32. */
export interface Share {
  readonly correct: Value<'int32'>;
  readonly count: Value<'int32'>;
}

const none64 = (): Value<'float64'> => filled([], 0, 'float64') as Value<'float64'>;
const none32 = (): Value<'int32'> => filled([], 0, 'int32') as Value<'int32'>;
const sum64 = (x: Value): Value<'float64'> => np.sum(convertElementType(x, 'float64')) as Value<'float64'>;

/**
 * The mean of numbers, of losses say; with weights, Σ wx/Σ w. NaN of nothing.
 *
 * @throws ShapeError for weights of another shape
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const { of, concat, value } = nn.metrics.mean();
 * console.log(value(concat(of(np.array([1, 2])), of(np.array([6])))).item()); // => 3
 * ```
 */
export const mean = (): Metric<[x: ArrayLike, weights?: ArrayLike], Weighted> => {
  const op = 'nn.metrics.mean';
  return additive<[x: ArrayLike, weights?: ArrayLike], Weighted, Value>(
    () => ({ total: none64(), weight: none64() }),
    (x, weights) => {
      const values = convertElementType(toFloat(op, x), 'float64');
      if (weights === undefined) {
        return { total: sum64(values), weight: filled([], values.size, 'float64') as Value<'float64'> };
      }
      const w = convertElementType(toFloat(op, weights), 'float64');
      if (!sameShape(w.shape, values.shape)) {
        const problem = `weights ${showAval(w.aval)} do not fit values ${showAval(values.aval)}`;
        throw new ShapeError({ op, problem, remedy: 'give a weight for each value' });
      }
      return { total: sum64(np.mul(values, w)), weight: sum64(w) };
    },
    ({ total, weight }) => np.div(total, weight),
  );
};

const shareOf = ({ correct, count }: Share): Value =>
  np.div(convertElementType(correct, 'float64'), convertElementType(count, 'float64'));

/**
 * The share of labels that are among the `k` greatest scores; of equal scores the first ones count as greater, as in `lax.topK`. A label
 * that is no class, or has the score NaN, is not among them.
 *
 * @throws DTypeError for a `k` that is not positive
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const { of, value } = nn.metrics.topK(2);
 * const scores = np.array([[1, 3, 2], [1, 3, 2]]);
 * console.log(value(of(scores, np.array([2, 0], { dtype: 'int32' }))).item()); // => 0.5
 * ```
 */
export const topK = (k: number, options: LabelOptions = {}): Metric<[scores: ArrayLike, labels: ArrayLike], Share> =>
  among('nn.metrics.topK', k, options);

/**
 * The share of labels that have the greatest score: {@link topK} of 1.
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const { of, value } = nn.metrics.accuracy({ ignoreIndex: -1 });
 * const scores = np.array([[1, 3], [1, 3], [3, 1]]);
 * console.log(value(of(scores, np.array([1, -1, 1], { dtype: 'int32' }))).item()); // => 0.5
 * ```
 */
export const accuracy = (options: LabelOptions = {}): Metric<[scores: ArrayLike, labels: ArrayLike], Share> =>
  among('nn.metrics.accuracy', 1, options);

function among(op: string, k: number, options: LabelOptions): Metric<[scores: ArrayLike, labels: ArrayLike], Share> {
  expectOption(op, 'k', k, 'positive number');
  expectLabelOptions(op, options);
  return additive<[scores: ArrayLike, labels: ArrayLike], Share, Value>(
    () => ({ correct: none32(), count: none32() }),
    (scores, labels) => {
      const [x, wanted] = scored(op, scores, labels);
      const classes = np.arange(x.shape.at(-1)!);
      const label = np.expandDims(wanted, -1);
      const isLabel = np.equal(label, classes);
      const own = np.sum(np.where(isLabel, x, 0), -1, { keepdims: true });
      // Written so that a score of NaN is ahead of every label, and every score ahead of a label of NaN.
      const ahead = np.logicalOr(
        np.logicalNot(np.lessEqual(x, own)),
        np.logicalAnd(np.equal(x, own), np.less(classes, label)),
      );
      const right = np.logicalAnd(np.any(isLabel, -1), np.less(np.sum(np.astype(ahead, 'int32'), -1), k));
      const kept = counted(wanted, options);
      return { correct: countTrue(np.logicalAnd(right, kept)), count: countTrue(kept) };
    },
    shareOf,
  );
}

/**
 * The share of yes/no questions that are answered rightly, by scores above `threshold`.
 *
 * @param threshold - 0 (the default) for logits, ½ for probabilities
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const { of, value } = nn.metrics.binaryAccuracy();
 * console.log(value(of(np.array([-1, 2, 3, 4]), np.array([0, 1, 1, 0]))).item()); // => 0.75
 * ```
 */
export const binaryAccuracy = (threshold = 0): Metric<[scores: ArrayLike, labels: ArrayLike], Share> => {
  const op = 'nn.metrics.binaryAccuracy';
  expectOption(op, 'threshold', threshold, 'number');
  return additive<[scores: ArrayLike, labels: ArrayLike], Share, Value>(
    () => ({ correct: none32(), count: none32() }),
    (scores, labels) => {
      const [x, wanted] = [toFloat(op, scores), toValue(op, labels)];
      if (!sameShape(x.shape, wanted.shape)) {
        const problem = `labels ${showAval(wanted.aval)} do not fit scores ${showAval(x.aval)}`;
        throw new ShapeError({ op, problem, remedy: 'give a label, 0 or 1, for each score' });
      }
      // A score of NaN answers nothing.
      const [isYes, isNo] = [np.greater(x, threshold), np.lessEqual(x, threshold)];
      const right = np.where(np.notEqual(wanted, 0), isYes, isNo);
      return { correct: countTrue(right), count: filled([], x.size, 'int32') as Value<'int32'> };
    },
    shareOf,
  );
};

/**
 * exp of the mean of −log p(label), with p the softmax of the logits: among how many classes the choice seems to be.
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const { of, value } = nn.metrics.perplexity();
 * console.log(value(of(np.zeros([2, 5]), np.array([3, 1], { dtype: 'int32' }))).item()); // => 5.000…
 * ```
 */
export const perplexity = (options: LabelOptions = {}): Metric<[logits: ArrayLike, labels: ArrayLike], Weighted> => {
  const op = 'nn.metrics.perplexity';
  expectLabelOptions(op, options);
  return additive<[logits: ArrayLike, labels: ArrayLike], Weighted, Value>(
    () => ({ total: none64(), weight: none64() }),
    (logits, labels) => {
      const [x, wanted] = scored(op, logits, labels);
      const losses = nll(logSoftmaxOf(op, x, -1), wanted, { ...options, reduction: 'none' });
      return { total: sum64(losses), weight: sum64(counted(wanted, options)) };
    },
    ({ total, weight }) => np.exp(np.div(total, weight)),
  );
};
