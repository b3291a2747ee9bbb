/** Losses and their gradients against PyTorch's in float64 (fixtures/torch-losses.py), at extremes, batched and compiled. */

import { readFileSync } from 'node:fs';
import {
  type Device,
  grad,
  jit,
  nn,
  np,
  PullbackError,
  referenceDevice,
  setDefaultDevice,
  type Tensor,
  valueAndGrad,
  vmap,
  wasmDevice,
} from 'pullback';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

interface Case {
  readonly loss: string;
  readonly args: readonly { readonly dtype: 'int32' | 'float64'; readonly data: number[] }[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly wrt: readonly number[];
  readonly none: number | readonly unknown[];
  readonly sum: number;
  readonly mean: number;
  readonly grads: readonly (readonly unknown[])[];
}

const cases = JSON.parse(
  readFileSync(new URL('./fixtures/torch-losses.json', import.meta.url), 'utf8'),
) as readonly Case[];

type Loss = (...args: readonly unknown[]) => Tensor<'float64'>;
const losses = nn as unknown as Readonly<Record<string, Loss>>;
const flat = (x: unknown): number[] => [x].flat(Number.POSITIVE_INFINITY) as number[];
const wide = (x: number[] | number[][]): Tensor<'float64'> => np.array(x, { dtype: 'float64' });

/** Options in which arrays are tensors. */
const optionsOf = ({ options }: Case): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(options).map(([name, x]) => [
      name,
      Array.isArray(x) ? np.array(x as number[], { dtype: name.endsWith('Lengths') ? 'int32' : 'float64' }) : x,
    ]),
  );

function expectClose(what: string, found: ArrayLike<number>, wanted: readonly number[]): void {
  expect(found.length, what).toBe(wanted.length);
  for (const [i, w] of wanted.entries()) {
    expect(Math.abs(found[i]! - w), `${what}[${i}]: ${found[i]}, PyTorch has ${w}`).toBeLessThan(
      1e-8 * Math.max(1, Math.abs(w)),
    );
  }
}

describe.each([
  ['reference', referenceDevice()],
  ['wasm', wasmDevice()],
])('as PyTorch has it, on %s', (_device, device) => {
  let before: Device | null = null;
  beforeAll(() => {
    before = setDefaultDevice(device);
  });
  afterAll(() => {
    if (before) setDefaultDevice(before);
  });

  test.each(cases.map((c) => [c.loss, c.options, c] as const))('%s %j', (name, _options, c) => {
    const loss = losses[name]!;
    const args = c.args.map(({ dtype, data }) => np.array(data, { dtype }));
    const options = optionsOf(c);
    const of = (...xs: readonly Tensor<'float64'>[]) =>
      loss(...args.map((arg, i) => (c.wrt.includes(i) ? xs[c.wrt.indexOf(i)]! : arg)), options);
    const at = c.wrt.map((i) => args[i] as Tensor<'float64'>);
    const argnums = c.wrt.map((_, i) => i);
    const all = (...xs: readonly Tensor<'float64'>[]) => ({
      none: loss(...args, { ...options, reduction: 'none' }),
      sum: loss(...args, { ...options, reduction: 'sum' }),
      slope: valueAndGrad(of, { argnums })(...xs),
    });
    // Eager, each operation is a program of its own: on the device that interprets it is cheap to see.
    for (const f of device.name === 'reference' ? [all, jit(all)] : [jit(all)]) {
      const { none, sum, slope } = f(...at);
      expectClose('none', none.dataSync(), flat(c.none));
      expectClose('sum', sum.dataSync(), [c.sum]);
      expectClose('mean', slope[0].dataSync(), [c.mean]);
      for (const [i, g] of (slope[1] as readonly Tensor<'float64'>[]).entries()) {
        expectClose(`gradient ${c.wrt[i]}`, g.dataSync(), flat(c.grads[i]));
      }
    }
  });
});

test('every loss has a case', () => {
  const known = new Set(cases.map(({ loss }) => loss));
  expect([...known].sort()).toEqual(
    [
      'mse mae huber smoothL1 logCosh poissonNll gaussianNll crossEntropy nll softmaxFocal binaryCrossEntropy',
      'sigmoidBinaryCrossEntropy sigmoidFocal hinge multiClassHinge cosineEmbedding triplet klDivergence ctc',
    ]
      .join(' ')
      .split(' ')
      .sort(),
  );
});

describe('far out', () => {
  const slope = (f: (x: Tensor) => Tensor, xs: number[] | number[][]): number[] => [
    ...grad((x: Tensor) => np.sum(f(x)))(np.array(xs)).dataSync(),
  ];
  const none = { reduction: 'none' } as const;

  test('logits of a thousand', () => {
    const one = np.array([1, 0], { dtype: 'int32' });
    const logits = [
      [1000, -1000],
      [1000, -1000],
    ];
    for (const options of [{}, { labelSmoothing: 0.5 }, { weight: np.array([1, 2]) }]) {
      const found = nn.crossEntropy(np.array(logits), one, { ...options, ...none }).dataSync();
      expect([...found].every(Number.isFinite)).toBe(true);
      expect(slope((x) => nn.crossEntropy(x, one, { ...options, ...none }), logits).every(Number.isFinite)).toBe(true);
    }
    expect([...nn.softmaxFocal(np.array(logits), one, none).dataSync()].map(Math.abs)).toEqual([2000, 0]);
    expect(slope((x) => nn.softmaxFocal(x, one, { ...none, gamma: 0.5 }), logits)).toEqual([1, -1, 0, 0]);
    const yes = np.array([0, 1]);
    expect(nn.sigmoidFocal(np.array([1000, 1000]), yes, none).toArray()).toEqual([1000, 0]);
    expect(slope((x) => nn.sigmoidFocal(x, yes, { ...none, gamma: 0.5 }), [1000, 1000])).toEqual([1, 0]);
    expect(nn.logCosh(np.array([1000, -1000]), np.zeros([2]), none).dataSync()[1]).toBeCloseTo(1000 - Math.LN2, 3);
    expect(slope((x) => nn.logCosh(x, np.zeros([3]), none), [1000, 0, -1000])).toEqual([1, 0, -1]);
  });

  test('logCosh keeps the digits of small errors', () => {
    const found = nn.logCosh(np.array([1e-5]), np.array([0])).item();
    expect(found / 5e-11).toBeCloseTo(1, 6);
  });

  test('certain probabilities', () => {
    const p = np.array([1, 0, 1, 0]);
    const labels = np.array([1, 0, 0, 1]);
    expect([...nn.binaryCrossEntropy(p, labels, none).dataSync()].map(Math.abs)).toEqual([
      0,
      0,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
    expect(slope((x) => nn.binaryCrossEntropy(x, np.array([1, 0]), none), [1, 0])).toEqual([-1, 1]);
  });

  test('vectors of zeros', () => {
    const [zero, some] = [[[0, 0]], np.array([[1, 2]])];
    expect(nn.cosineSimilarity(np.array(zero), some).toArray()).toEqual([0]);
    expect(slope((x) => nn.cosineEmbedding(x, some, np.array([-1])), zero).every(Number.isFinite)).toBe(true);
    expect(slope((x) => nn.triplet(x, x, x, { eps: 0 }), zero).every(Number.isFinite)).toBe(true);
  });

  test('nothing to take the mean of', () => {
    const ignored = np.array([-1, -1], { dtype: 'int32' });
    const options = { ignoreIndex: -1 };
    expect(nn.crossEntropy(np.zeros([2, 3]), ignored, options).item()).toBeNaN();
    expect(nn.crossEntropy(np.zeros([2, 3]), ignored, { ...options, reduction: 'sum' }).item()).toBe(0);
    const label = np.array([-1, 5], { dtype: 'int32' });
    expect(nn.crossEntropy(np.zeros([2, 3]), label, options).item()).toBeNaN();
    const poisoned = [
      [Number.NaN, 0, 0],
      [0, 0, 0],
    ];
    const kept = np.array([-1, 2], { dtype: 'int32' });
    expect(
      slope((x) => nn.crossEntropy(x, kept, options), poisoned)
        .slice(3)
        .every(Number.isFinite),
    ).toBe(true);
  });
});

describe('ctc', () => {
  /** The probability of `text` by the sum over all sequences of classes that become it. */
  function byEnumeration(probabilities: readonly (readonly number[])[], text: readonly number[], blank = 0): number {
    let total = 0;
    const visit = (t: number, p: number, path: readonly number[]): void => {
      if (t < probabilities.length) {
        probabilities[t]!.forEach((q, k) => visit(t + 1, p * q, [...path, k]));
        return;
      }
      const merged = path.filter((k, i) => k !== path[i - 1]).filter((k) => k !== blank);
      if (merged.join() === text.join()) total += p;
    };
    visit(0, 1, []);
    return total;
  }

  test.each([[[1, 2]], [[1, 1]], [[2]], [[]], [[2, 1, 2]]])('of the text %j is the sum over all sequences', (text) => {
    const logits = [
      [0.5, -1, 2],
      [0, 1, 0.25],
      [-0.5, 0.75, 1],
      [1, 1, -1],
    ];
    const probabilities = logits.map((row) => {
      const sum = row.reduce((s, x) => s + Math.exp(x), 0);
      return row.map((x) => Math.exp(x) / sum);
    });
    const labels = np.reshape(np.array(text as number[], { dtype: 'int32' }), [1, text.length]);
    const found = nn.ctc(np.expandDims(wide(logits), 0), labels, {
      reduction: 'sum',
    });
    expect(found.item()).toBeCloseTo(-Math.log(byEnumeration(probabilities, text)), 12);
  });

  test('labels that are no classes and lengths beyond the arrays are NaN, each in its sequence only', () => {
    const logits = np.zeros([4, 3, 3]);
    const labels = np.array(
      [
        [1, 2],
        [1, 3],
        [1, -1],
        [7, 2],
      ],
      { dtype: 'int32' },
    );
    const per = (options: nn.CtcOptions): unknown =>
      Array.from(
        jit(() => nn.ctc(logits, labels, { ...options, reduction: 'none', zeroInfinity: true }))().dataSync(),
        Number.isNaN,
      );
    const counts = (...lengths: number[]): Tensor<'int32'> => np.array(lengths, { dtype: 'int32' }) as Tensor<'int32'>;
    expect(per({})).toEqual([false, true, true, true]);
    expect(per({ labelLengths: counts(2, 1, 1, 0) })).toEqual([false, false, false, false]);
    expect(per({ labelLengths: counts(3, 1, -1, 0) })).toEqual([true, false, true, false]);
    expect(per({ labelLengths: counts(2, 1, 1, 0), logitLengths: counts(3, 4, -1, 0) })).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  test('a text that does not fit, a class that cannot be, and under vmap', () => {
    const twice = np.array([[1, 1]], { dtype: 'int32' });
    const short = np.zeros([1, 2, 3]);
    expect(nn.ctc(short, twice).item()).toBe(Number.POSITIVE_INFINITY);
    const [value, slope] = valueAndGrad((x: Tensor) => nn.ctc(x, twice, { zeroInfinity: true }))(short);
    expect([value.item(), ...slope.dataSync()]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    const masked = np.array([
      [
        [0, 0, Number.NEGATIVE_INFINITY],
        [0, 0, Number.NEGATIVE_INFINITY],
      ],
    ]);
    const one = np.array([[1]], { dtype: 'int32' });
    const [loss, g] = valueAndGrad((x: Tensor) => nn.ctc(x, one))(masked);
    expect(loss.item()).toBeCloseTo(-Math.log(3 / 4), 6);
    expect([...g.dataSync()].every(Number.isFinite)).toBe(true);
    const lanes = np.stack([short, np.add(short, np.array([0, 1, 2]))]);
    const each = vmap((x: Tensor) => nn.ctc(x, one))(lanes);
    expect(each.toArray()).toEqual([nn.ctc(np.index(lanes, 0), one).item(), nn.ctc(np.index(lanes, 1), one).item()]);
  });
});

describe('what losses refuse', () => {
  const message = (f: () => unknown): string => {
    try {
      f();
    } catch (error) {
      if (error instanceof PullbackError) return `${error._tag}: ${error.message.replace(/\n {2}at .*/, '')}`;
      throw error;
    }
    throw new Error('nothing was thrown');
  };
  const [x, labels] = [np.zeros([2, 3]), np.array([0, 1], { dtype: 'int32' })];
  const js = nn as unknown as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

  test.each([
    ['crossEntropy', [x, labels, { ignoreIndex: 0.5 }], 'DTypeError', 'ignoreIndex is 0.5, not a whole number'],
    ['crossEntropy', [x, labels, { labelSmoothing: 2 }], 'DTypeError', 'labelSmoothing is 2, not a share from 0 to 1'],
    ['crossEntropy', [x, labels, { weights: x }], 'DTypeError', "there is no option 'weights'"],
    ['crossEntropy', [x, x, { ignoreIndex: 0 }], 'DTypeError', 'ignoreIndex is for integer labels, got float32[2,3]'],
    [
      'crossEntropy',
      [x, labels, { weight: np.ones([2]) }],
      'ShapeError',
      'weight float32[2] does not fit classes float32[2,3]\n  remedy: give a vector of 3 weights, one for each class',
    ],
    ['nll', [x, x], 'ShapeError', 'labels float32[2,3] do not fit log-probabilities float32[2,3]'],
    ['nll', [x, np.zeros([2])], 'DTypeError', 'labels must be integers, got float32[2]'],
    ['softmaxFocal', [x, labels, { gamma: -1 }], 'DTypeError', 'gamma is -1, not a number of at least 0'],
    ['sigmoidFocal', [x, x, { alpha: 2 }], 'DTypeError', 'alpha is 2, not a share from 0 to 1'],
    [
      'sigmoidBinaryCrossEntropy',
      [x, x, { posWeight: np.ones([2]) }],
      'ShapeError',
      'posWeight float32[2] does not broadcast to float32[2,3]',
    ],
    ['binaryCrossEntropy', [x, labels], 'ShapeError', 'prediction float32[2,3] and target float32[2] must have equal'],
    ['multiClassHinge', [x, labels, { p: 3 }], 'DTypeError', 'p is 3'],
    ['multiClassHinge', [x, x], 'ShapeError', 'labels float32[2,3] do not fit scores float32[2,3]'],
    ['cosineEmbedding', [x, x, x], 'ShapeError', 'labels float32[2,3] do not fit rows float32[2,3]'],
    ['triplet', [x, x, x, { swap: 1 }], 'DTypeError', 'swap is 1, not a boolean'],
    ['klDivergence', [np.array(0), np.array(1)], 'ShapeError', 'prediction float32[] has no axis of classes'],
    ['poissonNll', [x, x, { logInput: 0 }], 'DTypeError', 'logInput is 0, not a boolean'],
    ['smoothL1', [x, x, { beta: -1 }], 'DTypeError', 'beta is -1, not a number of at least 0'],
    ['ctc', [x, labels], 'ShapeError', 'labels int32[2] do not fit logits float32[2,3]'],
    [
      'ctc',
      [np.zeros([2, 4, 3]), np.zeros([2, 1], { dtype: 'int32' }), { blank: 3 }],
      'DTypeError',
      'blank is 3, not a',
    ],
    [
      'ctc',
      [np.zeros([2, 4, 3]), np.zeros([2, 1], { dtype: 'int32' }), { labelLengths: np.ones([2]) }],
      'ShapeError',
      'labelLengths float32[2] do not fit a batch of 2\n  remedy: give an integer for each sequence, int32[2]',
    ],
  ])('%s %#', (name, args, tag, problem) => {
    expect(message(() => js[name]!(...args))).toContain(`${tag}: nn.${name}: ${problem}`);
  });
});
