/** Activations and functions along an axis: each against its formula in plain float64, its derivative, its edges. */

import { grad, nn, np, random, ShapeError, type Tensor } from 'pullback';
import { describe, expect, test } from 'vitest';
import special from './fixtures/special-functions.json' with { type: 'json' };

const xs = [-30, -5, -1.5, -0.5, -1e-3, 0, 1e-3, 0.5, 1.5, 5, 30];
const wide = (x: unknown[] | number[]) => np.array(x as number[], { dtype: 'float64' });
const numbers = (x: Tensor<'float32' | 'float64'>): number[] => Array.from(x.dataSync());
const expectClose = (got: readonly number[], want: readonly number[], digits = 12): void => {
  expect(got.length).toBe(want.length);
  for (const [i, w] of want.entries()) expect(got[i], `element ${i}`).toBeCloseTo(w, digits);
};
const table = (name: 'erfc', x: number): number => {
  const row = special[name].find(([at]) => at === x);
  if (!row) throw new Error(`${name}(${x}) is not in the fixture`);
  return row[1]!;
};

describe('elementwise', () => {
  const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
  const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  const softplus = (x: number): number => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)));
  const sech = (x: number): number => 1 / Math.cosh(x);
  const step = (x: number): number => (x > 0 ? 1 : 0);
  const [alpha, lambda] = [1.6732632423543772, 1.0507009873554805];
  const hard = (x: number): number => Math.min(Math.max(x + 3, 0), 6) / 6;
  const hardSlope = (x: number): number => (Math.abs(x) < 3 ? 1 / 6 : 0);
  const mishSlope = (x: number): number => Math.tanh(softplus(x)) + x * sech(softplus(x)) ** 2 * sigma(x);
  const sparse = (x: number): number => Math.min(Math.max((x + 1) / 2, 0), 1);
  const squareplus = (b: number) => (x: number) =>
    x > 0 ? (x + Math.hypot(x, b ** 0.5)) / 2 : b / 2 / (Math.hypot(x, b ** 0.5) - x);
  const squareplusSlope = (b: number) => (x: number) => (1 + x / Math.hypot(x, b ** 0.5)) / 2;
  const rows = [
    ['relu', nn.relu, (x: number) => Math.max(x, 0), step],
    ['relu6', nn.relu6, (x: number) => Math.min(Math.max(x, 0), 6), (x: number) => (x > 0 && x < 6 ? 1 : 0)],
    ['leakyRelu', nn.leakyRelu, (x: number) => (x < 0 ? 0.01 * x : x), (x: number) => (x < 0 ? 0.01 : 1)],
    ['elu', nn.elu, (x: number) => (x > 0 ? x : Math.expm1(x)), (x: number) => (x > 0 ? 1 : Math.exp(x))],
    [
      'elu of 2',
      (x: Tensor<'float64'>) => nn.elu(x, 2),
      (x: number) => (x > 0 ? x : 2 * Math.expm1(x)),
      (x: number) => (x > 0 ? 1 : 2 * Math.exp(x)),
    ],
    [
      'celu of 2',
      (x: Tensor<'float64'>) => nn.celu(x, 2),
      (x: number) => (x > 0 ? x : 2 * Math.expm1(x / 2)),
      (x: number) => (x > 0 ? 1 : Math.exp(x / 2)),
    ],
    [
      'selu',
      nn.selu,
      (x: number) => lambda * (x > 0 ? x : alpha * Math.expm1(x)),
      (x: number) => lambda * (x > 0 ? 1 : alpha * Math.exp(x)),
    ],
    ['sigmoid', nn.sigmoid, sigma, (x: number) => sigma(x) * sigma(-x)],
    ['logSigmoid', nn.logSigmoid, (x: number) => -softplus(-x), (x: number) => sigma(-x)],
    ['softplus', nn.softplus, softplus, sigma],
    ['softSign', nn.softSign, (x: number) => x / (1 + Math.abs(x)), (x: number) => 1 / (1 + Math.abs(x)) ** 2],
    ['squareplus', nn.squareplus, squareplus(4), squareplusSlope(4)],
    ['squareplus of ½', (x: Tensor<'float64'>) => nn.squareplus(x, 0.5), squareplus(0.5), squareplusSlope(0.5)],
    ['sparsePlus', nn.sparsePlus, (x: number) => (x <= -1 ? 0 : x >= 1 ? x : (x + 1) ** 2 / 4), sparse],
    ['sparseSigmoid', nn.sparseSigmoid, sparse, (x: number) => (Math.abs(x) < 1 ? 0.5 : 0)],
    ['identity', nn.identity, (x: number) => x, () => 1],
    ['tanh', nn.tanh, Math.tanh, (x: number) => sech(x) ** 2],
    ['silu', nn.silu, (x: number) => x * sigma(x), (x: number) => sigma(x) * (1 + x * sigma(-x))],
    ['mish', nn.mish, (x: number) => x * Math.tanh(softplus(x)), mishSlope],
    ['hardTanh', nn.hardTanh, (x: number) => Math.min(Math.max(x, -1), 1), (x: number) => (Math.abs(x) <= 1 ? 1 : 0)],
    ['hardSigmoid', nn.hardSigmoid, hard, hardSlope],
    ['hardSilu', nn.hardSilu, (x: number) => x * hard(x), (x: number) => hard(x) + x * hardSlope(x)],
    ['gelu', nn.gelu, gelu, (x: number) => (gelu(x + 1e-6) - gelu(x - 1e-6)) / 2e-6],
  ] as const;

  test.each(rows)('%s and its derivative', (name, f, value, slope) => {
    const x = wide(xs);
    expectClose(numbers(f(x)), xs.map(value));
    const total = (x: Tensor<'float64'>) => np.sum(f(x));
    expectClose(numbers(grad(total)(x)), xs.map(slope), name === 'gelu' ? 8 : 12);
  });

  /** Value and slope in the limit x → −∞ and at x = 1000, to be met in float32. */
  const far: Readonly<Record<string, readonly [left: number, leftSlope: number, right: number, rightSlope: number]>> = {
    relu: [0, 0, 1000, 1],
    relu6: [0, 0, 6, 0],
    leakyRelu: [-10, 0.01, 1000, 1],
    elu: [-1, 0, 1000, 1],
    'elu of 2': [-2, 0, 1000, 1],
    'celu of 2': [-2, 0, 1000, 1],
    selu: [-lambda * alpha, 0, lambda * 1000, lambda],
    sigmoid: [0, 0, 1, 0],
    logSigmoid: [-1000, 1, 0, 0],
    softplus: [0, 0, 1000, 1],
    softSign: [-1000 / 1001, 1 / 1001 ** 2, 1000 / 1001, 1 / 1001 ** 2],
    squareplus: [0.000999999000002, 9.9999700001e-7, 1000.000999999, 0.999999000003],
    'squareplus of ½': [0.00012499998437500391, 1.2499995312501953e-7, 1000.0001249999843, 0.9999998750000468],
    sparsePlus: [0, 0, 1000, 1],
    sparseSigmoid: [0, 0, 1, 0],
    identity: [-1000, 1, 1000, 1],
    tanh: [-1, 0, 1, 0],
    silu: [0, 0, 1000, 1],
    mish: [0, 0, 1000, 1],
    hardTanh: [-1, 0, 1, 0],
    hardSigmoid: [0, 0, 1, 0],
    hardSilu: [0, 0, 1000, 1],
    gelu: [0, 0, 1000, 1],
  };
  test.each(rows)('%s at ±1000, in float32', (name, f) => {
    const narrow = f as unknown as (x: Tensor) => Tensor;
    const x = np.array([-1000, 1000]);
    const got = [numbers(narrow(x)), numbers(grad((v: Tensor) => np.sum(narrow(v)))(x))];
    const [left, leftSlope, right, rightSlope] = far[name]!;
    for (const [found, wanted] of [
      [got[0]![0]!, left],
      [got[1]![0]!, leftSlope],
      [got[0]![1]!, right],
      [got[1]![1]!, rightSlope],
    ] as const) {
      expect(Math.abs(found - wanted), `${found}, expected ${wanted}`).toBeLessThanOrEqual(3e-7 * Math.abs(wanted));
    }
  });

  test('gelu by its definition, x·Φ(x) = ½x·erfc(−x/√2), and its derivative', () => {
    const exact = (x: Tensor<'float64'>) => nn.gelu(x, { approximate: false });
    const points = [-5, -2, -0.5, 0.5, 1.5, 4];
    // erfc from the fixture, at the points themselves.
    const at = points.map((z) => z * -Math.SQRT2);
    expectClose(
      numbers(exact(wide(at))),
      points.map((z, i) => 0.5 * at[i]! * table('erfc', z)),
    );
    const slope = (x: number, z: number): number =>
      0.5 * table('erfc', z) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
    expectClose(
      numbers(grad((x: Tensor<'float64'>) => np.sum(exact(x)))(wide(at))),
      points.map((z, i) => slope(at[i]!, z)),
    );
    const ends = grad((x: Tensor) => np.sum(nn.gelu(x, { approximate: false })))(np.array([-1000, 1000]));
    expect(numbers(ends)).toEqual([0, 1]);
    for (const z of [0.5, 1, 2]) {
      const x = -z * Math.SQRT2;
      expect(Math.abs(nn.gelu(np.array(x)).item() - 0.5 * x * table('erfc', z))).toBeLessThan(5e-4);
    }
  });

  test('softplus has all derivatives at 0: ½, ¼, 0', () => {
    const first = grad((x: Tensor<'float64'>) => nn.softplus(x));
    const second = grad((x: Tensor<'float64'>) => first(x));
    const third = grad((x: Tensor<'float64'>) => second(x));
    expect([first, second, third].map((d) => d(np.array(0, { dtype: 'float64' })).item() + 0)).toEqual([0.5, 0.25, 0]);
    expect(numbers(nn.softplus(np.array([Infinity, -Infinity])))).toEqual([Infinity, 0]);
    // exp(−30) survives where log(1 + exp(−30)) would be 0 in float32.
    expect(nn.softplus(np.array(-30)).item() / Math.exp(-30)).toBeCloseTo(1, 6);
  });

  test('glu gates the first half by the second', () => {
    const x = wide([
      [1, -2, 0, 3],
      [4, 5, -1, 0],
    ]);
    expectClose(numbers(nn.glu(x)), [sigma(0), -2 * sigma(3), 4 * sigma(-1), 5 * sigma(0)]);
    expectClose(numbers(nn.glu(x, 0)), [sigma(4), -2 * sigma(5), 0, 3 * sigma(0)]);
    expect(() => nn.glu(np.ones([3]))).toThrow(ShapeError);
    expect(() => nn.glu(np.ones([3]))).toThrow(
      'nn.glu: axis 0 of float32[3] does not divide into a half and its gates',
    );
    expect(() => nn.glu(np.ones([4]), 2)).toThrow('nn.glu: axis 2 is out of range for float32[4]');
  });

  test('swish and hardSwish are names', () => {
    expect([nn.swish, nn.hardSwish]).toEqual([nn.silu, nn.hardSilu]);
  });

  test('NaN stays NaN, and relu of −0 is 0', () => {
    for (const [, f] of rows) expect((f as unknown as (x: Tensor) => Tensor)(np.array(Number.NaN)).item()).toBeNaN();
    expect(Object.is(nn.relu(np.array(-0)).item(), 0)).toBe(true);
  });
});

test('squareplus with b = 0 is relu, with finite derivatives', () => {
  const x = np.array([-2, 0, 3, 1e-30]);
  expect(nn.squareplus(x, 0).toArray()).toEqual(nn.relu(x).toArray());
  const slopes = grad((x: Tensor) => np.sum(nn.squareplus(x, 0)))(x).toArray();
  expect(slopes).toEqual([0, 0, 1, 1]);
  expect(grad((x: Tensor) => nn.squareplus(x))(np.array(0)).item()).toBe(0.5);
  // A b that float32 rounds to 0 keeps the value.
  expect(nn.squareplus(np.array(0), 1e-60).item()).toBe(0);
});

describe('logsumexp and standardize', () => {
  const rows = [
    [0.5, -1, 2],
    [700, 710, -3],
  ];
  const logsumexp = (row: readonly number[]): number => {
    const top = Math.max(...row);
    return top + Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0));
  };

  test('logsumexp over an axis, kept or not, and its derivative, the softmax', () => {
    expectClose(numbers(nn.logsumexp(wide(rows), 1)), rows.map(logsumexp), 11);
    expect(nn.logsumexp(wide(rows), 1, { keepdims: true }).shape).toEqual([2, 1]);
    expectClose(numbers(nn.logsumexp(wide(rows))), [logsumexp(rows.flat())], 11);
    const slope = grad((x: Tensor<'float64'>) => np.sum(nn.logsumexp(x, 1)))(wide(rows));
    expectClose(numbers(slope), numbers(nn.softmax(wide(rows))));
    const inf = Number.POSITIVE_INFINITY;
    const ends = [
      [-inf, -inf],
      [inf, 0],
      [1000, 1000],
      [Number.NaN, 0],
    ];
    expect(numbers(nn.logsumexp(np.array(ends), 1))).toEqual([-inf, inf, Math.fround(1000 + Math.LN2), Number.NaN]);
  });

  test('standardize has mean 0 and variance n/(n + ε)', () => {
    const x = wide(rows);
    const z = nn.standardize(x);
    expectClose(numbers(np.mean(z, 1)), [0, 0]);
    const variance = rows.map((row) => {
      const mean = row.reduce((a, b) => a + b) / 3;
      return row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 3;
    });
    expectClose(
      numbers(np.var(z, 1)),
      variance.map((v) => v / (v + 1e-5)),
    );
    expectClose(numbers(nn.standardize(wide([1, 3]), 0, { epsilon: 3 })), [-0.5, 0.5]);
    expect(numbers(nn.standardize(np.array([1, 1, 1, 1])))).toEqual([0, 0, 0, 0]);
  });
});

describe('softmax', () => {
  const logits = [
    [0.5, -1, 2, 0],
    [-3, 100, 99, 0],
  ];
  const softmax = (row: readonly number[]): number[] => {
    const top = Math.max(...row);
    const powers = row.map((x) => Math.exp(x - top));
    return powers.map((p) => p / powers.reduce((a, b) => a + b));
  };

  test('along the last axis, the first, and logarithmically', () => {
    const x = wide(logits);
    expectClose(numbers(nn.softmax(x)), logits.flatMap(softmax));
    expectClose(numbers(np.transpose(nn.softmax(np.transpose(x), 0))), logits.flatMap(softmax));
    expectClose(numbers(nn.logSoftmax(x)), logits.flatMap(softmax).map(Math.log), 10);
    expectClose(numbers(nn.logSoftmax(x, 1)), numbers(nn.logSoftmax(x)));
  });

  test('finite for huge logits in float32; the sum is 1', () => {
    const x = np.array([1e30, -1e30, 88, 1e30]);
    expect(nn.softmax(x).toArray()).toEqual([0.5, 0, 0, 0.5]);
    expect(numbers(nn.logSoftmax(np.array([0, 200, -200])))).toEqual([-200, 0, -400]);
    expect(np.sum(nn.softmax(random.normal(random.key(0), [1000]))).item()).toBeCloseTo(1, 6);
  });

  test('∂softmaxᵢ/∂xⱼ = sᵢ(δᵢⱼ − sⱼ), though the maximum is a constant to it', () => {
    const row = logits[0]!;
    const s = softmax(row);
    for (const i of [0, 1, 2, 3]) {
      const pick = wide([0, 1, 2, 3].map((k) => (k === i ? 1 : 0)));
      const g = grad((x: Tensor<'float64'>) => np.sum(np.mul(nn.softmax(x), pick)))(wide(row));
      expectClose(
        numbers(g),
        s.map((sj, j) => s[i]! * ((i === j ? 1 : 0) - sj)),
      );
    }
  });

  test('an axis out of range says so', () => {
    expect(() => nn.softmax(np.ones([2, 3]), 2)).toThrow(ShapeError);
  });
});
