/**
 * Metrics as monoids: what a batch says is a small tree of tensors, two of those are one, and a value is read at the end.
 *
 * So a metric of a data set is that of its batches, in whatever sizes and order they come; and a batch can be measured inside of a
 * compiled step. Counts are added in `int32`, exactly; sums in `float64`, which adds no error to that of what is summed.
 */

import type * as M from 'fp-ts/lib/Monoid.js';
import { showAval } from '../../core/aval.ts';
import { isInteger } from '../../core/dtype.ts';
import { DTypeError, ShapeError } from '../../core/errors.ts';
import { sameShape } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { toFloat, toValue } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { ArrayLike } from '../../ops/types.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { map2 } from '../../tree/tree.ts';

/**
 * A measure of batches of type `A`.
 *
 * Laws: `concat` is associative with the neutral element `empty`, and `of` two batches at once is `concat` of both.
 */
export interface Metric<A extends readonly unknown[], S, V = Value> extends M.Monoid<S> {
  /** What a batch says. */
  readonly of: (...batch: A) => S;
  /** What has been measured. */
  readonly value: (seen: S) => V;
}

/** The metric whose parts are added; `empty` is made when it is asked for, on the default device of then. */
export const additive = <A extends readonly unknown[], S, V>(
  empty: () => S,
  of: (...batch: A) => S,
  value: (seen: S) => V,
): Metric<A, S, V> => ({
  get empty() {
    return empty();
  },
  concat: (a, b) => map2((x: Value, y: Value) => np.add(x, y), a, b),
  of,
  value,
});

/** What every metric is. */
interface Measuring {
  readonly empty: unknown;
  readonly concat: (a: never, b: never) => unknown;
  readonly of: (...batch: never[]) => unknown;
  readonly value: (seen: never) => unknown;
}

/** The batch of several metrics, what they have seen and their values, by their names. */
type BatchOf<T extends { readonly [name: string]: Measuring }> = Parameters<T[keyof T]['of']>;
type Seen<T> = { readonly [K in keyof T]: T[K] extends { readonly of: (...batch: never[]) => infer S } ? S : never };
type Values<T> = { readonly [K in keyof T]: T[K] extends { readonly value: (seen: never) => infer V } ? V : never };

/**
 * Several metrics of the same batches as one: what they have seen and their values are records.
 *
 * @example
 * ```ts
 * import { concatAll } from 'fp-ts/lib/Monoid.js';
 * import { nn, np } from 'pullback';
 * const quality = nn.metrics.struct({ top1: nn.metrics.accuracy(), top2: nn.metrics.topK(2) });
 * const batches = [[[3, 2, 1], [1, 2, 3]], [[1, 3, 2]]].map((x) => np.array(x));
 * const labels = [[0, 1], [0]].map((y) => np.array(y, { dtype: 'int32' }));
 * const seen = concatAll(quality)(batches.map((x, i) => quality.of(x, labels[i]!)));
 * const { top1, top2 } = quality.value(seen);
 * console.log([top1.item(), top2.item()]); // => [ 0.333…, 0.666… ]
 * ```
 */
export function struct<T extends { readonly [name: string]: Measuring }>(
  metrics: T,
): Metric<BatchOf<T>, Seen<T>, Values<T>> {
  type A = BatchOf<T>;
  const parts = Object.entries(metrics) as unknown as readonly (readonly [string, Metric<A, unknown, unknown>])[];
  const each = (f: (metric: Metric<A, unknown, unknown>, name: string) => unknown): unknown =>
    Object.fromEntries(parts.map(([name, metric]) => [name, f(metric, name)]));
  const part = (seen: unknown, name: string): unknown => (seen as { readonly [name: string]: unknown })[name];
  return {
    get empty() {
      return each((metric) => metric.empty) as Seen<T>;
    },
    concat: (a, b) => each((metric, name) => metric.concat(part(a, name), part(b, name))) as Seen<T>,
    of: (...batch) => each((metric) => metric.of(...batch)) as Seen<T>,
    value: (seen) => each((metric, name) => metric.value(part(seen, name))) as Values<T>,
  };
}

/** Options of metrics of labels. */
export interface LabelOptions {
  /** Labels of this value take no part. None by default. */
  readonly ignoreIndex?: number;
}

/** @throws DTypeError for other options, or an `ignoreIndex` that is not a whole number */
export function expectLabelOptions(op: string, options: LabelOptions): void {
  expectOptions(op, options, 'ignoreIndex');
  const { ignoreIndex } = options;
  if (ignoreIndex === undefined || Number.isInteger(ignoreIndex)) return;
  const problem = `ignoreIndex is ${describe(ignoreIndex)}, not a whole number`;
  throw new DTypeError({ op, problem, remedy: 'give the label of what is to be left out, such as -1' });
}

/** Which labels take part. */
export const counted = (labels: Value, { ignoreIndex }: LabelOptions): Value =>
  ignoreIndex === undefined ? np.onesLike(np.equal(labels, labels)) : np.notEqual(labels, ignoreIndex);

/** How many are true, in `int32`. */
export const countTrue = (mask: Value): Value<'int32'> => np.sum(np.astype(mask, 'int32')) as Value<'int32'>;

/** Scores beside integer labels of their batch. @throws ShapeError or DTypeError unless they fit */
export function scored(op: string, scores: ArrayLike, labels: ArrayLike): readonly [Value, Value] {
  const [x, wanted] = [toFloat(op, scores), toValue(op, labels)];
  if (x.ndim > 0 && isInteger(wanted.dtype) && sameShape(wanted.shape, x.shape.slice(0, -1))) return [x, wanted];
  throw new ShapeError({
    op,
    problem: `labels ${showAval(wanted.aval)} do not fit scores ${showAval(x.aval)}`,
    remedy: 'give scores float[...batch, classes] and integer labels of the shape of the batch',
  });
}
