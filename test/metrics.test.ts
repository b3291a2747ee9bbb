/** `nn.metrics` against loops over plain numbers, and what they refuse. */

import { concatAll } from 'fp-ts/lib/Monoid.js';
import { jit, nn, np, random } from 'pullback';
import { describe, expect, test } from 'vitest';

const int = (x: number[]) => np.array(x, { dtype: 'int32' });
const { metrics } = nn;

describe('against loops', () => {
  const scores = random.normal(random.key(1), [40, 5]);
  const labels = random.randint(random.key(2), [40], -1, 5);
  const rows = scores.toArray() as number[][];
  const wanted = labels.toArray() as number[];
  const halves = [0, 25, 40].slice(0, 2).map((start, i) => [start, [25, 40][i]!] as const);
  const parts = halves.map((range) => [np.index(scores, range), np.index(labels, range)] as const);

  test.each([1, 2, 4])('the label is among the %i greatest', (k) => {
    const metric = metrics.topK(k, { ignoreIndex: -1 });
    const seen = concatAll(metric)(parts.map(([x, y]) => metric.of(x, y)));
    const kept = wanted.map((label, i) => [label, rows[i]!] as const).filter(([label]) => label !== -1);
    const right = kept.filter(([label, row]) => row.filter((x) => x > row[label]!).length < k).length;
    expect([seen.correct.item(), seen.count.item()]).toEqual([right, kept.length]);
    expect(metric.value(seen).item()).toBeCloseTo(right / kept.length, 12);
    if (k !== 1) return;
    const accuracy = metrics.accuracy({ ignoreIndex: -1 });
    expect(accuracy.value(accuracy.of(scores, labels)).item()).toBeCloseTo(right / kept.length, 12);
  });

  test('perplexity', () => {
    const metric = metrics.perplexity({ ignoreIndex: -1 });
    const seen = concatAll(metric)(parts.map(([x, y]) => jit(metric.of)(x, y)));
    const logs = wanted.flatMap((label, i) =>
      label === -1 ? [] : [rows[i]![label]! - Math.log(rows[i]!.reduce((sum, x) => sum + Math.exp(x), 0))],
    );
    const mean = logs.reduce((a, b) => a + b) / logs.length;
    expect(metric.value(seen).item()).toBeCloseTo(Math.exp(-mean), 5);
  });

  test('the confusion matrix and what is read from it', () => {
    const metric = metrics.confusionMatrix(5);
    const predicted = np.argmax(scores, -1);
    const found = metric.value(
      concatAll(metric)(halves.map((r) => metric.of(np.index(predicted, r), np.index(labels, r)))),
    );
    const matrix = Array.from({ length: 5 }, () => [0, 0, 0, 0, 0]);
    (predicted.toArray() as number[]).forEach((column, i) => {
      if (wanted[i] !== -1) matrix[wanted[i]!]![column]!++;
    });
    expect(found.toArray()).toEqual(matrix);
    const of = (k: number) => ({
      right: matrix[k]![k]!,
      predicted: matrix.reduce((sum, row) => sum + row[k]!, 0),
      labelled: matrix[k]!.reduce((a, b) => a + b),
    });
    const classes = [0, 1, 2, 3, 4].map(of);
    const all = classes.reduce((sum, c) => sum + c.labelled, 0);
    const formulas = {
      precision: classes.map((c) => c.right / c.predicted),
      recall: classes.map((c) => c.right / c.labelled),
      f1: classes.map((c) => {
        const [p, r] = [c.right / c.predicted, c.right / c.labelled];
        return p + r === 0 ? 0 : (2 * p * r) / (p + r);
      }),
    };
    for (const [name, each] of Object.entries(formulas)) {
      const read = metrics[name as 'f1'];
      const close = (x: ArrayLike<number>, y: readonly number[]) =>
        y.forEach((v, i) => {
          expect(x[i], `${name}[${i}]`).toBeCloseTo(v, 12);
        });
      close(read(found).dataSync(), each);
      close(read(found, { average: 'macro' }).dataSync(), [each.reduce((a, b) => a + b) / 5]);
      close(read(found, { average: 'weighted' }).dataSync(), [
        each.reduce((sum, x, k) => sum + x * classes[k]!.labelled, 0) / all,
      ]);
      close(read(found, { average: 'micro' }).dataSync(), [classes.reduce((sum, c) => sum + c.right, 0) / all]);
    }
  });

  test('means, with weights and of many small numbers', () => {
    const mean = metrics.mean();
    expect(mean.value(mean.of(np.array([1, 2, 6]), np.array([1, 0, 3]))).item()).toBe(19 / 4);
    expect(mean.value(mean.empty).item()).toBeNaN();
    // In float32, 2²⁴ would not become greater by adding 1.
    const seen = [np.array([2 ** 24]), np.array([1]), np.array([1])].map((x) => mean.of(x));
    expect(concatAll(mean)(seen).total.item()).toBe(2 ** 24 + 2);
  });
});

describe('edges', () => {
  const right = (metric: ReturnType<typeof metrics.topK>, scores: number[][], labels: number[]): number =>
    metric.of(np.array(scores), int(labels)).correct.item();

  test('ties, NaN and labels that are no class', () => {
    expect(right(metrics.accuracy(), [[1, 1, 0]], [0])).toBe(1);
    expect(right(metrics.accuracy(), [[1, 1, 0]], [1])).toBe(0);
    expect(right(metrics.topK(2), [[1, 1, 1]], [2])).toBe(0);
    expect(right(metrics.accuracy(), [[Number.NaN, 1]], [0])).toBe(0);
    expect(right(metrics.accuracy(), [[Number.NaN, 1]], [1])).toBe(0);
    expect(right(metrics.topK(5), [[0, 1]], [7])).toBe(0);
    const binary = metrics.binaryAccuracy(0.5);
    expect(binary.of(np.array([0.5, 0.6, Number.NaN, Number.NaN]), int([0, 1, 0, 1])).correct.item()).toBe(2);
  });

  test('a class that never is has the precision 0, as in scikit-learn', () => {
    const matrix = np.reshape(int([2, 0, 1, 0]), [2, 2]);
    expect(metrics.precision(matrix).toArray()).toEqual([2 / 3, 0]);
    expect(metrics.recall(matrix).toArray()).toEqual([1, 0]);
    expect(metrics.f1(matrix).toArray()).toEqual([0.8, 0]);
    const none = metrics.confusionMatrix(2).of(int([2, -1]), int([0, 1]));
    expect(none.toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(metrics.f1(none, { average: 'micro' }).item()).toBe(0);
  });

  test.each([
    [() => metrics.accuracy().of(np.ones([2, 3]), np.ones([2])), 'labels float32[2] do not fit scores float32[2,3]'],
    [() => metrics.topK(0), 'k is 0, not a positive number'],
    [() => metrics.accuracy({ ignoreIndex: 0.5 }), 'ignoreIndex is 0.5, not a whole number'],
    [() => metrics.perplexity({ ignore: 1 } as object), "there is no option 'ignore'"],
    [
      () => metrics.confusionMatrix(2).of(np.ones([2]), int([1, 1])),
      'predictions float32[2] do not fit labels int32[2]',
    ],
    [() => metrics.f1(np.ones([2])), 'float32[2] is no confusion matrix'],
    [() => metrics.recall(np.ones([2, 2]), { average: 'mean' as 'macro' }), 'there is no average "mean"'],
    [() => metrics.mean().of(np.ones([2]), np.ones([3])), 'weights float64[3] do not fit values float64[2]'],
    [() => metrics.binaryAccuracy().of(np.ones([2]), np.ones([3])), 'labels float32[3] do not fit scores float32[2]'],
  ])('refusals %#', (f, problem) => {
    expect(f).toThrow(problem);
  });
});
