/** The laws of metrics: monoids, and homomorphisms from batches that are put together. */

import * as fc from 'fast-check';
import type { Value } from '../src/core/value.ts';
import * as metrics from '../src/nn/metrics/index.ts';
import * as np from '../src/ops/np.ts';
import { leaves } from '../src/tree/tree.ts';
import { jit } from '../transforms/jit.ts';
import { closeValues, sameValues } from './host.ts';
import { type Law, law, type Suite, type Verdict } from './law.ts';

const classes = 3;

/** A batch of scores and labels, of any length; some scores are equal, and some labels are no class. */
interface Batch {
  readonly scores: readonly (readonly number[])[];
  readonly labels: readonly number[];
}

const batch: fc.Arbitrary<Batch> = fc
  .array(
    fc.tuple(
      fc.array(fc.integer({ min: -4, max: 4 }), { minLength: classes, maxLength: classes }),
      fc.integer({ min: -1, max: classes - 1 }),
    ),
    { maxLength: 5 },
  )
  .map((rows) => ({ scores: rows.map(([scores]) => scores), labels: rows.map(([, label]) => label) }));

const scoresOf = ({ scores }: Batch): Value =>
  np.reshape(np.array(scores.flat() as number[]), [scores.length, classes]);
const labelsOf = ({ labels }: Batch): Value<'int32'> => np.array(labels as number[], { dtype: 'int32' });
const together = (a: Batch, b: Batch): Batch => ({
  scores: [...a.scores, ...b.scores],
  labels: [...a.labels, ...b.labels],
});

type Measured = metrics.Metric<[Batch], unknown, unknown>;

const measured = <A extends readonly [unknown] | readonly unknown[], S, V>(
  metric: metrics.Metric<A, S, V>,
  read: (batch: Batch) => NoInfer<A>,
): Measured =>
  ({
    get empty() {
      return metric.empty;
    },
    concat: metric.concat,
    of: (x: Batch) => metric.of(...read(x)),
    value: metric.value,
  }) as unknown as Measured;

const ignored = { ignoreIndex: -1 };
const pair = (x: Batch): [Value, Value] => [scoresOf(x), labelsOf(x)];

/** Every metric, with what it is given of a batch. */
const all: readonly (readonly [string, () => Measured])[] = [
  ['mean', () => measured(metrics.mean(), (x) => [scoresOf(x)])],
  ['mean with weights', () => measured(metrics.mean(), (x) => [labelsOf(x), np.abs(labelsOf(x))])],
  ['accuracy', () => measured(metrics.accuracy(), pair)],
  ['topK', () => measured(metrics.topK(2, ignored), pair)],
  ['binaryAccuracy', () => measured(metrics.binaryAccuracy(), (x) => [labelsOf(x), np.greater(labelsOf(x), 1)])],
  ['perplexity', () => measured(metrics.perplexity(ignored), pair)],
  [
    'confusionMatrix',
    () => measured(metrics.confusionMatrix(classes), (x) => [np.argmax(scoresOf(x), -1), labelsOf(x)]),
  ],
  ['struct', () => measured(metrics.struct({ a: metrics.accuracy(ignored), b: metrics.perplexity(ignored) }), pair)],
];

const metric = fc.constantFrom(...all);

/** Rows of three batches. */
const rows = 3 * 5;

/**
 * Counts are the same, as whole numbers that differ do so by 1. Sums of float32 in two orders: each is off by less than rows·2⁻²⁴ of
 * the sum of what is not negative, and losses are not.
 */
const tolerance = 2 * rows * 2 ** -24;
const same = (what: string, a: unknown, b: unknown): Verdict => closeValues(what, leaves(a), leaves(b), tolerance);

const laws: readonly Law[] = [
  law('concat is associative', [metric, batch, batch, batch], ([name, make], a, b, c) => {
    const { concat, of } = make();
    const [x, y, z] = [of(a), of(b), of(c)];
    return same(name, concat(concat(x, y), z), concat(x, concat(y, z)));
  }),
  law('empty is neutral, and what no batch says', [metric, batch], ([name, make], a) => {
    const { concat, of, empty } = make();
    const x = of(a);
    const left = sameValues(`${name}: empty, x`, leaves(concat(empty, x)), leaves(x));
    if (left._tag === 'Fails') return left;
    const right = sameValues(`${name}: x, empty`, leaves(concat(x, empty)), leaves(x));
    if (right._tag === 'Fails') return right;
    return sameValues(`${name}: of nothing`, leaves(of({ scores: [], labels: [] })), leaves(empty));
  }),
  law('of two batches at once is concat of both', [metric, batch, batch], ([name, make], a, b) => {
    const { concat, of } = make();
    return same(name, of(together(a, b)), concat(of(a), of(b)));
  }),
  law('jit = eager', [metric, batch], ([name, make], a) => {
    const { of } = make();
    return same(name, jit(() => of(a) as Value)(), of(a));
  }),
];

/** The laws of metrics. */
export const metricsLaws: Suite = { name: 'metrics', laws };
