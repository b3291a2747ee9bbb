/** The confusion matrix, and what is read from it. */

import { showAval } from '../../core/aval.ts';
import { isInteger } from '../../core/dtype.ts';
import { DTypeError, ShapeError } from '../../core/errors.ts';
import { sameShape } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { toValue } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { ArrayLike } from '../../ops/types.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { convertElementType } from '../../prim/arithmetic.ts';
import { filled } from '../../prim/compose.ts';
import { expectOption } from '../losses/reduction.ts';
import { additive, counted, expectLabelOptions, type LabelOptions, type Metric } from './metric.ts';

/**
 * How often each label (a row) is predicted as each class (a column): int32[classes, classes]. What is no class is not counted.
 *
 * {@link precision}, {@link recall} and {@link f1} are read from it.
 *
 * @throws DTypeError for a number of classes that is not positive
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const { of, value } = nn.metrics.confusionMatrix(2);
 * const [predicted, labels] = [[0, 1, 1, 1], [0, 0, 1, 1]].map((x) => np.array(x, { dtype: 'int32' }));
 * const matrix = value(of(predicted!, labels!));
 * console.log(matrix.toArray()); // => [ [ 1, 1 ], [ 0, 2 ] ]
 * console.log(nn.metrics.recall(matrix).toArray()); // => [ 0.5, 1 ]
 * ```
 */
export const confusionMatrix = (
  classes: number,
  options: LabelOptions = {},
): Metric<[predictions: ArrayLike, labels: ArrayLike], Value<'int32'>, Value<'int32'>> => {
  const op = 'nn.metrics.confusionMatrix';
  expectOption(op, 'classes', classes, 'positive number');
  expectLabelOptions(op, options);
  return additive<[predictions: ArrayLike, labels: ArrayLike], Value<'int32'>, Value<'int32'>>(
    () => filled([classes, classes], 0, 'int32') as Value<'int32'>,
    (predictions, labels) => {
      const [found, wanted] = [toValue(op, predictions), toValue(op, labels)];
      if (!isInteger(found.dtype) || !isInteger(wanted.dtype) || !sameShape(found.shape, wanted.shape)) {
        throw new ShapeError({
          op,
          problem: `predictions ${showAval(found.aval)} do not fit labels ${showAval(wanted.aval)}`,
          remedy: 'give integers of one shape; the classes of scores are np.argmax(scores, -1)',
        });
      }
      const [column, row] = [convertElementType(found, 'int32'), convertElementType(wanted, 'int32')];
      const isClass = (x: Value): Value => np.logicalAnd(np.greaterEqual(x, 0), np.less(x, classes));
      const kept = np.logicalAnd(np.logicalAnd(isClass(column), isClass(row)), counted(row, options));
      const place = np.where(kept, np.add(np.mul(row, classes), column), -1) as Value<'int32'>;
      const counts = np.bincount(np.ravel(place), { length: classes * classes });
      return np.reshape(counts, [classes, classes]) as Value<'int32'>;
    },
    (seen) => seen,
  );
};

/** Options of what is read from a confusion matrix. */
export interface AverageOptions {
  /**
   * One number for each class (`'none'`, the default); their mean (`'macro'`), or the mean weighted by how often each class is a label
   * (`'weighted'`); or of all classes together (`'micro'`).
   */
  readonly average?: 'none' | 'macro' | 'weighted' | 'micro';
}

const averages: readonly unknown[] = ['none', 'macro', 'weighted', 'micro'];

/** num/den, and 0 where there is nothing to divide, as scikit-learn has it. */
const ratio = (num: Value, den: Value): Value =>
  np.where(np.equal(den, 0), 0, np.div(num, np.where(np.equal(den, 0), 1, den)));

/** A ratio of each class from what is right, what is predicted and what is labelled so. */
const measure =
  (op: string, parts: (right: Value, predicted: Value, labelled: Value) => readonly [Value, Value]) =>
  (matrix: Value, options: AverageOptions = {}): Value => {
    expectOptions(op, options, 'average');
    const { average = 'none' } = options;
    if (!averages.includes(average)) {
      const remedy = `use ${averages.map((name) => `'${name}'`).join(', ')}`;
      throw new DTypeError({ op, problem: `there is no average ${describe(average)}`, remedy });
    }
    if (matrix.ndim !== 2 || matrix.shape[0] !== matrix.shape[1]) {
      const problem = `${showAval(matrix.aval)} is no confusion matrix`;
      throw new ShapeError({ op, problem, remedy: 'give what nn.metrics.confusionMatrix(classes) has measured' });
    }
    const counts = convertElementType(matrix, 'float64');
    const [right, predicted, labelled] = [np.diagonal(counts), np.sum(counts, 0), np.sum(counts, 1)];
    if (average === 'micro') return ratio(...parts(np.sum(right), np.sum(predicted), np.sum(labelled)));
    const each = ratio(...parts(right, predicted, labelled));
    if (average === 'none') return each;
    return average === 'macro' ? np.mean(each) : ratio(np.sum(np.mul(each, labelled)), np.sum(labelled));
  };

/**
 * The share of the predictions of a class that are right, float64[classes] or an average; 0 of a class that is not predicted.
 *
 * @throws ShapeError for what is no confusion matrix, DTypeError for an average that there is not
 */
export const precision = measure('nn.metrics.precision', (right, predicted) => [right, predicted]);

/** The share of the labels of a class that are found, float64[classes] or an average; 0 of a class that is no label. @throws as {@link precision} */
export const recall = measure('nn.metrics.recall', (right, _predicted, labelled) => [right, labelled]);

/**
 * The harmonic mean of {@link precision} and {@link recall}, float64[classes] or an average.
 *
 * @throws as {@link precision}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const matrix = np.array([[1, 1], [0, 2]], { dtype: 'int32' });
 * console.log(nn.metrics.f1(matrix).toArray(), nn.metrics.f1(matrix, { average: 'macro' }).item()); // => [ 0.666…, 0.8 ] 0.733…
 * ```
 */
export const f1 = measure('nn.metrics.f1', (right, predicted, labelled) => [
  np.mul(right, 2),
  np.add(predicted, labelled),
]);
