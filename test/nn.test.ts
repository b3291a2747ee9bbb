/** Layers and losses: each against its formula in plain float64, its derivative, its edges. */

import { pipe } from 'fp-ts/lib/function.js';
import {
  DTypeError,
  grad,
  jit,
  nn,
  np,
  PullbackError,
  random,
  ShapeError,
  type Tensor,
  valueAndGrad,
  vmap,
} from 'pullback';
import { describe, expect, test } from 'vitest';

const wide = (x: unknown[] | number[]) => np.array(x as number[], { dtype: 'float64' });
const numbers = (x: Tensor<'float32' | 'float64'>): number[] => Array.from(x.dataSync());
const expectClose = (got: readonly number[], want: readonly number[], digits = 12): void => {
  expect(got.length).toBe(want.length);
  for (const [i, w] of want.entries()) expect(got[i], `element ${i}`).toBeCloseTo(w, digits);
};
describe('losses', () => {
  const logits = [
    [0.5, -1, 2],
    [3, 1, 0],
  ];
  const labels = np.array([2, 1], { dtype: 'int32' });
  const expected = (() => {
    const logs = logits.map((row) => row.map((x) => x - Math.log(row.reduce((sum, y) => sum + Math.exp(y), 0))));
    return -(logs[0]![2]! + logs[1]![1]!) / 2;
  })();

  test('oneHot', () => {
    expect(
      nn
        .oneHot(
          np.array(
            [
              [2, 0],
              [1, 5],
            ],
            { dtype: 'int32' },
          ),
          3,
        )
        .toArray(),
    ).toEqual([
      [
        [0, 0, 1],
        [1, 0, 0],
      ],
      [
        [0, 1, 0],
        [0, 0, 0],
      ],
    ]);
    expect(nn.oneHot(labels, 3).dtype).toBe('float32');
    expect(nn.oneHot(np.array(1, { dtype: 'int32' }), 2).toArray()).toEqual([0, 1]);
    expect(() => nn.oneHot(np.array([0.5]), 3)).toThrow(DTypeError);
  });

  test('crossEntropy of labels, of rows and of a smoothed distribution', () => {
    expect(nn.crossEntropy(wide(logits), labels).item()).toBeCloseTo(expected, 12);
    expect(nn.crossEntropy(wide(logits), nn.oneHot(labels, 3)).item()).toBeCloseTo(expected, 12);
    const smooth = np.add(np.mul(nn.oneHot(labels, 3), 0.7), 0.1);
    const logs = numbers(nn.logSoftmax(wide(logits)));
    const weights = numbers(smooth);
    const want = -logs.reduce((sum, l, i) => sum + l * weights[i]!, 0) / 2;
    expect(nn.crossEntropy(wide(logits), smooth).item()).toBeCloseTo(want, 12);
  });

  test('its gradient is (softmax − oneHot)/batch', () => {
    const g = grad((x: Tensor<'float64'>) => nn.crossEntropy(x, labels))(wide(logits));
    const s = numbers(nn.softmax(wide(logits)));
    const hot = numbers(nn.oneHot(labels, 3));
    expectClose(
      numbers(g),
      s.map((si, i) => (si - hot[i]!) / 2),
    );
  });

  test('any batch axes, one row, and under vmap', () => {
    const x = random.normal(random.key(1), [2, 3, 4]);
    const y = np.array(
      [
        [0, 1, 2],
        [3, 2, 1],
      ],
      { dtype: 'int32' },
    );
    const whole = nn.crossEntropy(x, y).item();
    expect(nn.crossEntropy(np.reshape(x, [6, 4]), np.reshape(y, [6])).item()).toBeCloseTo(whole, 6);
    const each = vmap((a: Tensor, b: Tensor<'int32'>) => nn.crossEntropy(a, b))(x, y);
    expect(np.mean(each).item()).toBeCloseTo(whole, 6);
    expect(nn.crossEntropy(wide(logits[0]!), np.array(2, { dtype: 'int32' })).item()).toBeGreaterThan(0);
  });

  test('a masked class takes no part; a label that is no class is not ignored', () => {
    const masked = np.array([[0, Number.NEGATIVE_INFINITY, 0]]);
    const [value, g] = valueAndGrad((x: Tensor) => nn.crossEntropy(x, np.array([0], { dtype: 'int32' })))(masked);
    expect(value.item()).toBeCloseTo(Math.log(2), 6);
    expect(g.toArray()).toEqual([[-0.5, 0, 0.5]]);
    expect(nn.crossEntropy(wide(logits), np.array([0, 3], { dtype: 'int32' })).item()).toBeNaN();
    expect(nn.crossEntropy(wide(logits), np.array([0, -1], { dtype: 'int32' })).item()).toBeNaN();
  });

  test('a reduction is the mean, the sum or none, of every loss', () => {
    const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
    const [p, t] = [
      [0.5, -3, 2, 1.25],
      [0.25, 1, 2, -2],
    ];
    const errors = p.map((x, i) => Math.abs(x - t[i]!));
    const yes = [1, 0, 0.25, 1];
    const q = [0.7, 0.1, 0.2];
    const targets = [
      [0.5, 0.5, 0],
      [0.2, 0.3, 0.5],
    ];
    const ofRows = targets.map((row) =>
      row.reduce((sum, v, i) => sum + (v === 0 ? 0 : v * (Math.log(v) - Math.log(q[i]!))), 0),
    );
    const ofLabels = logits.map((row, i) => {
      const logs = row.map((x) => x - Math.log(row.reduce((sum, y) => sum + Math.exp(y), 0)));
      return -logs[[2, 1][i]!]!;
    });
    const losses: readonly (readonly [(o: nn.LossOptions) => Tensor<'float64'>, readonly number[]])[] = [
      [(o) => nn.mse(wide(p), wide(t), o), errors.map((e) => e * e)],
      [(o) => nn.mae(wide(p), wide(t), o), errors],
      [(o) => nn.huber(wide(p), wide(t), o), errors.map((e) => (e <= 1 ? e * e * 0.5 : e - 0.5))],
      [
        (o) => nn.huber(wide(p), wide(t), { ...o, delta: 3.5 }),
        errors.map((e) => (e <= 3.5 ? e * e * 0.5 : 3.5 * (e - 1.75))),
      ],
      [
        (o) => nn.sigmoidBinaryCrossEntropy(wide(p), wide(yes), o),
        p.map((x, i) => -yes[i]! * Math.log(sigma(x)) - (1 - yes[i]!) * Math.log(1 - sigma(x))),
      ],
      [(o) => nn.klDivergence(np.log(wide([q, q])), wide(targets), o), ofRows],
      [(o) => nn.crossEntropy(wide(logits), labels, o), ofLabels],
    ];
    for (const [loss, each] of losses) {
      const total = each.reduce((a, b) => a + b);
      expectClose(numbers(loss({ reduction: 'none' })), each);
      expectClose(numbers(loss({ reduction: 'sum' })), [total]);
      expectClose(numbers(loss({ reduction: 'mean' })), [total / each.length]);
      expectClose(numbers(loss({})), [total / each.length]);
    }
    expect(
      nn.crossEntropy(np.zeros([2, 3, 4]), np.zeros([2, 3], { dtype: 'int32' }), { reduction: 'none' }).shape,
    ).toEqual([2, 3]);
  });

  test('huber: a delta that is not positive is refused', () => {
    const x = np.ones([3]);
    for (const delta of [0, -1, Number.NaN, '1' as unknown as number]) {
      expect(() => nn.huber(x, x, { delta })).toThrow(/^nn\.huber: delta is .*, not a positive number/);
    }
  });

  test('crossEntropy of probabilities: a masked class that has none does not take part', () => {
    const masked = np.array([[0, Number.NEGATIVE_INFINITY, Math.log(3)]], { dtype: 'float64' });
    const labels = np.array([[1, 0, 0]], { dtype: 'float64' });
    const loss = (x: Tensor<'float64'>, y: Tensor<'float64'>) => nn.crossEntropy(x, y);
    expect(loss(masked, labels).item()).toBeCloseTo(Math.log(4), 12);
    // The softmax is [¼, 0, ¾]: the gradient is what it has more than the labels.
    const [slope] = grad(loss)(masked, labels).toArray() as number[][];
    for (const [i, want] of [-0.75, 0, 0.75].entries()) expect(slope![i]).toBeCloseTo(want, 12);
    const [byLabel] = grad(loss, { argnums: 1 })(masked, labels).toArray() as number[][];
    for (const [i, want] of [Math.log(4), 0, Math.log(4 / 3)].entries()) expect(byLabel![i]).toBeCloseTo(want, 12);
    expect(loss(masked, np.array([[0.5, 0.5, 0]], { dtype: 'float64' })).item()).toBe(Number.POSITIVE_INFINITY);
  });

  test('a reduction or an option that there is not says so', () => {
    const js = nn as unknown as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;
    const x = np.ones([3]);
    expect(() => js['mse']!(x, x, { reduction: 'avg' })).toThrow('nn.mse: there is no reduction "avg"');
    expect(() => js['mae']!(x, x, 'sum')).toThrow('nn.mae: "sum" stands where options are expected');
    expect(() => js['huber']!(x, x, { beta: 1 })).toThrow("nn.huber: there is no option 'beta'");
    expect(() => js['gelu']!(x, { approx: true })).toThrow("nn.gelu: there is no option 'approx'");
    expect(() => js['standardize']!(x, 0, 1e-5)).toThrow('nn.standardize: 0.00001 stands where options are expected');
    expect(nn.mae(np.array([1, 2], { dtype: 'int32' }), np.array([0, 0])).item()).toBe(1.5);
    expect(nn.softplus(0).item()).toBe(Math.fround(Math.LN2));
  });

  test('derivatives of the losses, at ties and far out', () => {
    const slope = (loss: (x: Tensor) => Tensor, xs: readonly number[]): number[] =>
      numbers(grad((x: Tensor) => loss(x))(np.array(xs as number[])));
    const zero = np.zeros([3]);
    const sum = { reduction: 'sum' } as const;
    expect(slope((x) => nn.mae(x, zero, sum), [-2, 0, 5])).toEqual([-1, 0, 1]);
    expect(slope((x) => nn.huber(x, zero, sum), [-2, 0.5, 1])).toEqual([-1, 0.5, 1]);
    expect(slope((x) => nn.sigmoidBinaryCrossEntropy(x, np.array([1, 0, 1]), sum), [1000, 1000, -1000])).toEqual([
      0, 1, -1,
    ]);
    expect(nn.sigmoidBinaryCrossEntropy(np.array([1000, -1000]), np.array([true, false])).item()).toBe(0);
    const onePossible = np.array([[0, Number.NEGATIVE_INFINITY]]);
    expect(nn.klDivergence(onePossible, np.array([[1, 0]])).item()).toBe(0);
    expect(nn.klDivergence(onePossible, np.array([[0.5, 0.5]])).item()).toBe(Number.POSITIVE_INFINITY);
    expect(() => nn.huber(np.ones([3]), np.ones([3, 1]))).toThrow(
      'nn.huber: prediction float32[3] and target float32[3,1]',
    );
  });

  test('mse, and shapes that do not fit', () => {
    expect(nn.mse(np.array([1, 2, 3]), np.array([1, 0, 0])).item()).toBeCloseTo(13 / 3, 6);
    const message = (f: () => unknown): string => {
      try {
        f();
      } catch (error) {
        return error instanceof ShapeError ? error.message.replace(/\n {2}at .*/, '') : String(error);
      }
      return 'nothing was thrown';
    };
    expect(message(() => nn.mse(np.ones([3]), np.ones([3, 1])))).toMatchInlineSnapshot(`
      "nn.mse: prediction float32[3] and target float32[3,1] must have equal shapes
        remedy: reshape or broadcast one of them"
    `);
    expect(message(() => nn.crossEntropy(np.ones([2, 3]), np.zeros([3], { dtype: 'int32' })))).toMatchInlineSnapshot(`
      "nn.crossEntropy: labels int32[3] do not fit logits float32[2,3]
        remedy: give integer labels of the shape of the batch, or probabilities of the shape of the logits"
    `);
    expect(message(() => nn.dense(nn.dense.init(random.key(0), 3, 2))(np.ones([5, 4])))).toMatchInlineSnapshot(`
      "nn.dense: input float32[5,4] does not fit weights float32[3,2]
        remedy: the last axis of the input must have length 3"
    `);
  });
});

describe('dense', () => {
  test('x·w + b, for any batch axes', () => {
    const params = {
      w: np.array([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      b: np.array([10, 20]),
    };
    expect(
      nn
        .dense(params)(np.array([1, 0, -1]))
        .toArray(),
    ).toEqual([6, 16]);
    expect(
      nn
        .dense(params)(
          np.array([
            [1, 0, -1],
            [0, 1, 0],
          ]),
        )
        .toArray(),
    ).toEqual([
      [6, 16],
      [13, 24],
    ]);
    expect(nn.dense(params)(np.ones([2, 4, 3])).shape).toEqual([2, 4, 2]);
  });

  test('init: variance 1/in, none beyond two deviations of the uncut normal, zero bias, a pure function of the key', () => {
    const { w, b } = nn.dense.init(random.key(0), 400, 300);
    expect(w.shape).toEqual([400, 300]);
    expect(numbers(b)).toEqual(new Array(300).fill(0));
    const values = numbers(w);
    const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length;
    expect(Math.abs(variance * 400 - 1)).toBeLessThan(0.02);
    expect(Math.abs(values.reduce((sum, x) => sum + x, 0) / values.length)).toBeLessThan(1e-3);
    const edge = 2 / 0.8796256610342398 / 20;
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(edge * (1 + 1e-6));
    expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(edge * 0.99);
    expect(nn.dense.init(random.key(0), 400, 300).w.toArray()).toEqual(w.toArray());
    expect(jit((k: random.Key) => nn.dense.init(k, 4, 3))(random.key(0)).w.toArray()).toEqual(
      nn.dense.init(random.key(0), 4, 3).w.toArray(),
    );
  });

  test('a model is a pipe; its gradient has the type and structure of the parameters', () => {
    const [first, second] = random.split(random.key(0));
    const params = { hidden: nn.dense.init(first, 3, 8), out: nn.dense.init(second, 8, 2) };
    const loss = (p: typeof params, x: Tensor, y: Tensor<'int32'>) =>
      nn.crossEntropy(pipe(x, nn.dense(p.hidden), nn.relu, nn.dense(p.out)), y);
    const grads: typeof params = grad(loss)(params, np.ones([5, 3]), np.array([0, 1, 0, 1, 1], { dtype: 'int32' }));
    expect(grads.hidden.w.shape).toEqual([3, 8]);
    expect(grads.out.b.shape).toEqual([2]);
    expect(Math.abs(np.sum(grads.out.b).item())).toBeLessThan(1e-6);
  });
});

describe('what is not a tensor of floats', () => {
  const js = nn as unknown as Readonly<Record<string, (...args: readonly unknown[]) => Tensor>>;
  const message = (f: () => unknown): string => {
    try {
      f();
    } catch (error) {
      if (error instanceof PullbackError) return `${error._tag}: ${error.message.replace(/\n {2}at .*/, '')}`;
      throw error;
    }
    throw new Error('nothing was thrown');
  };

  test('numbers and integers become floats', () => {
    expect([nn.relu(-3).item(), nn.relu(3).item(), nn.sigmoid(0).item()]).toEqual([0, 3, 0.5]);
    expect(nn.relu(np.array([-1, 2], { dtype: 'int32' }))).toMatchObject({ dtype: 'float32', shape: [2] });
    expect(nn.softmax(np.arange(1)).toArray()).toEqual([1]);
    expect(nn.mse(np.array(3), 1).item()).toBe(4);
    expect(nn.mse(np.arange(3), np.array([1, 1, 1])).item()).toBeCloseTo(2 / 3, 6);
  });

  test('mse is in the dtype in which the two meet, and so is its type', () => {
    const loss: Tensor<'float64'> = nn.mse(np.array([1, 2]), wide([1, 4]));
    expect([loss.dtype, loss.item()]).toEqual(['float64', 2]);
    const ints: Tensor = nn.mse(np.array([1, 2], { dtype: 'int32' }), np.array([true, true]));
    expect([ints.dtype, ints.item()]).toEqual(['float32', 0.5]);
  });

  test('crossEntropy is in the dtype of the logits', () => {
    const logits = np.array([[0, 0]]);
    const loss: Tensor = nn.crossEntropy(logits, wide([[0.5, 0.5]]));
    expect([loss.dtype, loss.item()]).toEqual(['float32', Math.fround(Math.LN2)]);
  });

  test('a row of −Infinity has no softmax, as in JAX, and the logsumexp −Infinity', () => {
    const rows = np.array([
      [-Infinity, -Infinity],
      [-Infinity, 0],
    ]);
    expect(nn.softmax(rows).toArray()).toEqual([
      [NaN, NaN],
      [0, 1],
    ]);
    expect(nn.logSoftmax(rows).toArray()).toEqual([
      [NaN, NaN],
      [-Infinity, 0],
    ]);
    expect(nn.logsumexp(rows, 1).toArray()).toEqual([-Infinity, 0]);
  });

  test('an empty axis has an empty softmax', () => {
    expect(nn.softmax(np.zeros([2, 0])).shape).toEqual([2, 0]);
  });

  test.each([
    [
      'host data',
      () => js.relu!([1, 2]),
      'DTypeError: nn.relu: an operand is an array, which is not a tensor\n  remedy: wrap it with np.array(…)',
    ],
    ['text', () => js.gelu!('1'), 'DTypeError: nn.gelu: an operand is "1", which is not a tensor'],
    [
      'an axis',
      () => nn.softmax(np.ones([2]), 1),
      'ShapeError: nn.softmax: axis 1 is out of range for float32[2], which has 1 axis',
    ],
    [
      'an axis, logarithmically',
      () => nn.logSoftmax(np.ones([2]), -2),
      'ShapeError: nn.logSoftmax: axis -2 is out of range',
    ],
    [
      'a scalar target',
      () => nn.mse(np.ones([2]), 0),
      'ShapeError: nn.mse: prediction float32[2] and target float32[] must have equal shapes',
    ],
    ['no target', () => js.mse!(np.ones([2])), 'DTypeError: nn.mse: an operand is undefined, which is not a tensor'],
    [
      'host labels',
      () => js.crossEntropy!(np.ones([1, 2]), [0]),
      'DTypeError: nn.crossEntropy: an operand is an array',
    ],
    ['classes', () => nn.oneHot(np.array([0], { dtype: 'int32' }), -1), 'ShapeError: nn.oneHot: [1,-1] is not a shape'],
    [
      'an initializer without a key',
      () => js.lecunNormal!(0, [2, 2]),
      'DTypeError: nn.lecunNormal: a key is uint32[2], got 0',
    ],
    [
      'a scalar input',
      () => nn.dense(nn.dense.init(random.key(0), 3, 2))(np.array(3)),
      'ShapeError: nn.dense: input float32[] does not fit weights float32[3,2]',
    ],
    [
      'a number',
      () => nn.dense(nn.dense.init(random.key(0), 3, 2))(3 as unknown as Tensor),
      'ShapeError: nn.dense: input float32[] does not fit weights float32[3,2]',
    ],
    [
      'no parameters',
      () => js.dense!(undefined),
      'TreeError: nn.dense: params.w is undefined, not a tensor\n  remedy: make parameters with nn.dense.init',
    ],
    [
      'other parameters',
      () => js.dense!({ w: np.ones([2, 2]), bias: np.ones([2]) }),
      'TreeError: nn.dense: params.b is undefined',
    ],
    [
      'host parameters',
      () => js.dense!({ w: [[1]], b: [1] }),
      'TreeError: nn.dense: params.w is an array, not a tensor',
    ],
    [
      'parts that do not fit',
      () => nn.dense({ w: np.ones([2, 3]), b: np.ones([2]) }),
      'ShapeError: nn.dense: weights float32[2,3] and bias float32[2] do not make a layer',
    ],
  ])('%s', (_, f, text) => expect(message(f)).toContain(text));
});
