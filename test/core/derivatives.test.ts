/** Derivatives of the elementary functions: closed forms, and the points at which rules tend to be wrong. */

import { grad, jacfwd, jacrev, jit, jvp, lax, np, type Tensor, vmap } from 'pullback';
import { describe, expect, it } from 'vitest';

type Wide = Tensor<'float64'>;
const wide = (xs: readonly number[]): Wide => np.array(xs as number[], { dtype: 'float64' });
const list = (x: Tensor<'float32' | 'float64'>): number[] => Array.from(x.dataSync());

/** f′ at each of `xs`, in float64. */
const slopes = (f: (x: Wide) => Wide, xs: readonly number[]): number[] =>
  list(grad((x: Wide) => np.sum(f(x)))(wide(xs)));

const near = [-2.5, -0.7, -1e-3, 0.2, 0.9, 3];
const inside = [-0.99, -0.5, -1e-3, 0.2, 0.9, 0.9999];
const above = [1e-3, 0.2, 0.9, 3, 200];
const gaussian = (x: number): number => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x);

const closedForms: Readonly<Record<string, readonly [(x: Wide) => Wide, (x: number) => number, readonly number[]]>> = {
  exp2: [lax.exp2, (x) => Math.LN2 * 2 ** x, near],
  expm1: [lax.expm1, Math.exp, [...near, -30]],
  log2: [lax.log2, (x) => 1 / (x * Math.LN2), above],
  log10: [np.log10, (x) => 1 / (x * Math.LN10), above],
  log1p: [lax.log1p, (x) => 1 / (1 + x), [-0.9, ...above]],
  tan: [lax.tan, (x) => 1 / Math.cos(x) ** 2, near],
  asin: [lax.asin, (x) => 1 / Math.sqrt((1 - x) * (1 + x)), inside],
  acos: [lax.acos, (x) => -1 / Math.sqrt((1 - x) * (1 + x)), inside],
  atan: [lax.atan, (x) => 1 / (1 + x * x), [...near, 1e200]],
  sinh: [lax.sinh, Math.cosh, near],
  cosh: [lax.cosh, Math.sinh, near],
  asinh: [lax.asinh, (x) => 1 / Math.hypot(1, x), near],
  acosh: [lax.acosh, (x) => 1 / Math.sqrt((x - 1) * (x + 1)), [1.001, 2, 50]],
  atanh: [lax.atanh, (x) => 1 / ((1 - x) * (1 + x)), inside],
  sqrt: [lax.sqrt, (x) => 0.5 / Math.sqrt(x), above],
  rsqrt: [lax.rsqrt, (x) => -0.5 * x ** -1.5, above],
  cbrt: [lax.cbrt, (x) => 1 / (3 * Math.cbrt(x) ** 2), near],
  erf: [lax.erf, gaussian, near],
  erfc: [lax.erfc, (x) => -gaussian(x), [...near, 12]],
  abs: [np.abs, Math.sign, near],
  sign: [np.sign, () => 0, near],
  floor: [np.floor, () => 0, near],
  ceil: [np.ceil, () => 0, near],
  round: [np.round, () => 0, near],
  'power 2.5': [(x) => np.power(x, 2.5) as Wide, (x) => 2.5 * x ** 1.5, above],
  '2.5 to the power': [(x) => np.power(2.5, x) as Wide, (x) => Math.log(2.5) * 2.5 ** x, near],
  'mod 0.75': [(x) => np.mod(x, 0.75) as Wide, () => 1, near],
  '7.3 mod': [(x) => np.mod(7.3, x) as Wide, (x) => -Math.floor(7.3 / x), [-2.5, -0.7, 0.2, 3]],
  '7.3 fmod': [(x) => np.fmod(7.3, x) as Wide, (x) => -Math.trunc(7.3 / x), [-2.5, -0.7, 0.2, 3]],
  'arctan2 of y': [(y) => np.arctan2(y, 0.3) as Wide, (y) => 0.3 / (0.09 + y * y), near],
  'arctan2 of x': [(x) => np.arctan2(0.3, x) as Wide, (x) => -0.3 / (0.09 + x * x), near],
};

describe('closed forms', () => {
  it.each(Object.entries(closedForms))('%s', (_, [f, derivative, xs]) => {
    slopes(f, xs).forEach((slope, i) => {
      const expected = derivative(xs[i]!);
      expect(Math.abs(slope - expected), `at ${xs[i]}`).toBeLessThanOrEqual(1e-13 * Math.abs(expected));
    });
  });

  it('second derivatives, through the rules of the rules', () => {
    const second = (f: (x: Wide) => Wide, x: number): number =>
      list(grad((v: Wide) => np.sum(grad((u: Wide) => np.sum(f(u)))(v)))(wide([x])))[0]!;
    const expectClose = (f: (x: Wide) => Wide, x: number, y: number): void =>
      expect(Math.abs(second(f, x) / y - 1)).toBeLessThan(1e-13);
    expectClose(lax.erf, 0.7, -2 * 0.7 * gaussian(0.7));
    expectClose(lax.atan, 0.7, -1.4 / 1.49 ** 2);
    expectClose(lax.rsqrt, 4, 0.75 * 4 ** -2.5);
    expectClose((x) => np.power(x, wide([3.5])) as Wide, 2, 3.5 * 2.5 * 2 ** 1.5);
    // θ″ of atan2(y, x) by y, through the scaled rule: −2xy/r⁴.
    expectClose((y) => np.arctan2(y, 3) as Wide, 0.5, (-2 * 3 * 0.5) / 9.25 ** 2);
  });
});

describe('powers', () => {
  const byBase = (x: number, y: number): number => jvp((b: Tensor) => np.power(b, np.array(y)), [x], [1])[1].item();
  const byExponent = (x: number, y: number): number => jvp((e: Tensor) => np.power(np.array(x), e), [y], [1])[1].item();

  it('x² at 0 and of negative x, as a number and as a tensor', () => {
    expect(slopes((x) => np.power(x, 2) as Wide, [0, -3])).toEqual([0, -6]);
    expect(slopes((x) => np.square(x) as Wide, [0, -3])).toEqual([0, -6]);
    expect([byBase(0, 2), byBase(-3, 2), byBase(-3, 3)]).toEqual([0, -6, 27]);
    const second = grad((v: Tensor) => grad((u: Tensor) => np.power(u, 2))(v));
    expect([second(0).item(), second(-1).item()]).toEqual([2, 2]);
    const curvature = grad((v: Tensor) => grad((u: Tensor) => np.power(u, np.array(2)))(v));
    expect([curvature(0).item(), curvature(-1).item()]).toEqual([2, 2]);
  });

  it('at 0: of 0 by every exponent, and x⁰ by x', () => {
    expect([byBase(0, 1), byBase(0, 3), byBase(0, 0.5), byBase(0, 0), byBase(5, 0), byBase(-2, 0)]).toEqual([
      1,
      0,
      Number.POSITIVE_INFINITY,
      0,
      0,
      0,
    ]);
    expect([byExponent(0, 2), byExponent(0, 0), byExponent(1, 5)]).toEqual([0, 0, 0]);
    expect(byExponent(2, 3)).toBe(Math.fround(8 * Math.fround(Math.LN2)));
    expect(byExponent(-2, 2)).toBeNaN();
  });

  it('a negative base under a constant exponent has no derivative by the exponent to spoil it', () => {
    const both = grad((x: Tensor) => np.sum(np.power(x, np.array([2, 3]))));
    expect(list(both(np.array([-2, -2])))).toEqual([-4, 12]);
  });
});

describe('kinks and poles', () => {
  it('|x| at 0 has the derivative 0, between −1 and 1; sqrt and cbrt an infinite one', () => {
    expect(slopes(np.abs, [0, -0])).toEqual([0, -0]);
    expect(slopes(np.sqrt, [0])).toEqual([Number.POSITIVE_INFINITY]);
    expect(slopes(np.cbrt, [0])).toEqual([Number.POSITIVE_INFINITY]);
    expect(slopes(np.abs, [Number.NaN])).toEqual([Number.NaN]);
  });

  it('max and min share at ties, as do reductions and clip', () => {
    expect(slopes((x) => np.maximum(x, 1) as Wide, [0, 1, 2])).toEqual([0, 0.5, 1]);
    expect(slopes((x) => np.minimum(x, 1) as Wide, [0, 1, 2])).toEqual([1, 0.5, 0]);
    expect(slopes((x) => np.max(x), [1, 3, 3])).toEqual([0, 0.5, 0.5]);
    expect(slopes((x) => np.min(x), [1, 1, 3])).toEqual([0.5, 0.5, 0]);
    expect(slopes((x) => np.clip(x, -1, 1) as Wide, [-2, -1, 0, 1, 2])).toEqual([0, 0.5, 1, 0.5, 0]);
  });

  it('beside a NaN max and min have the derivative NaN in both modes; over an empty axis 0', () => {
    const nan = Number.NaN;
    const x = np.array([
      [nan, 1],
      [2, 3],
    ]);
    for (const [f, row] of [
      [np.max, [0, 1]],
      [np.min, [1, 0]],
    ] as const) {
      const rows = (v: Tensor): Tensor => f(v, 1);
      expect(grad((v: Tensor) => np.sum(rows(v)))(x).toArray()).toEqual([[nan, nan], row]);
      expect(jvp(rows, [x], [np.ones([2, 2])])[1].toArray()).toEqual([nan, 1]);
      const beside = np.array([nan, 1]);
      for (const jacobian of [jacfwd, jacrev]) expect(list(jacobian(f)(beside) as Tensor)).toEqual([nan, nan]);
      // What is beaten does not count, however it moves.
      const beaten = row.map((share) => (share === 0 ? Number.POSITIVE_INFINITY : 5));
      expect(jvp(f, [np.array([2, 3])], [np.array(beaten)])[1].item()).toBe(5);
      expect(slopes((v) => f(v), [-Infinity, -Infinity])).toEqual([0.5, 0.5]);
    }
    for (const reduce of [lax.reduceMax, lax.reduceMin]) {
      const rows = (v: Tensor): Tensor => reduce(v, [1]);
      expect(jvp(rows, [np.zeros([2, 0])], [np.zeros([2, 0])])[1].toArray()).toEqual([0, 0]);
      expect(grad((v: Tensor) => np.sum(rows(v)))(np.zeros([2, 0])).shape).toEqual([2, 0]);
    }
  });

  it('clamp gives the derivative to the bound that is attained, also where the bounds cross', () => {
    const [low, x, high] = [wide([0, 0, 0, 2, 2]), wide([-1, 0.5, 3, 0, 3]), wide([1, 1, 1, 1, 1])];
    const by = (i: 0 | 1 | 2): number[] =>
      list(grad((...v: [Wide, Wide, Wide]) => np.sum(lax.clamp(...v)), { argnums: i })(low, x, high) as Wide);
    expect(list(lax.clamp(low, x, high))).toEqual([0, 0.5, 1, 1, 1]);
    expect([by(0), by(1), by(2)]).toEqual([
      [1, 0, 0, 0, 0],
      [0, 1, 0, 0, 0],
      [0, 0, 1, 1, 1],
    ]);
  });

  it('rem counts the multiples exactly where the rounded quotient has one more', () => {
    const [x, y] = [7.3, 0.001];
    // Both are multiples of 2^-62, so that their quotient is one of integers.
    const count = (BigInt(x * 2 ** 50) << 12n) / BigInt(y * 2 ** 62);
    expect([x / y, count]).toEqual([7300, 7299n]);
    expect(slopes((v) => np.fmod(x, v) as Wide, [y])).toEqual([-7299]);
  });

  it('atan2 has its derivative wherever r is a float, though r² is none', () => {
    const slope = grad((y: Tensor, x: Tensor) => np.arctan2(y, x), { argnums: [0, 1] });
    for (const r of [1e-30, 1e30]) {
      const [byY, byX] = slope(np.array(3 * r), np.array(4 * r)) as [Tensor, Tensor];
      expect(byY.item() * r).toBeCloseTo(4 / 25, 6);
      expect(byX.item() * r).toBeCloseTo(-3 / 25, 6);
    }
  });
});

describe('products', () => {
  const others = (xs: readonly number[]): number[] =>
    xs.map((_, i) => xs.reduce((product, x, k) => (k === i ? product : product * x), 1));

  it.each([[[2, 3, 5, 7, 11]], [[2, 0, 5, 7]], [[0, 3, 0]], [[0]], [[-1.5, 2]], [[1e100, 1e-200, 3, 1e150]]])(
    'the derivative of prod %j is the product of the others',
    (xs) => {
      slopes((x) => np.prod(x), xs).forEach((slope, i) => {
        expect(Math.abs(slope - others(xs)[i]!)).toBeLessThanOrEqual(1e-14 * Math.abs(others(xs)[i]!));
      });
    },
  );

  it('of one zero, second derivatives; along axes; under jit and vmap; of nothing', () => {
    const hessian = jacfwd(grad((x: Tensor) => np.prod(x)))(np.array([0, 3, 5]));
    expect(hessian.toArray()).toEqual([
      [0, 5, 3],
      [5, 0, 0],
      [3, 0, 0],
    ]);
    const x = np.array([
      [1, 0, 3],
      [2, 4, 0],
    ]);
    const byRow = (v: Tensor): Tensor => grad((u: Tensor) => np.prod(u))(v);
    const expected = [
      [0, 3, 0],
      [0, 0, 8],
    ];
    expect(vmap(byRow)(x).toArray()).toEqual(expected);
    expect(jit(grad((v: Tensor) => np.sum(np.prod(v, 1))))(x).toArray()).toEqual(expected);
    expect(grad((v: Tensor) => np.sum(np.prod(v, 0)))(x).toArray()).toEqual([
      [2, 4, 0],
      [1, 0, 3],
    ]);
    expect(grad((v: Tensor) => np.sum(np.prod(v, 0)))(np.zeros([0, 2])).shape).toEqual([0, 2]);
    expect(slopes((v) => np.sum(np.prod(v, [])) as Wide, [2, 3])).toEqual([1, 1]);
  });
});

it('far out in float32 derivatives are finite and right', () => {
  const at = (f: (x: Tensor) => Tensor, xs: readonly number[]): number[] =>
    list(grad((x: Tensor) => np.sum(f(x)))(np.array(xs as number[])));
  expect(at(lax.logistic, [-1000, 1000])).toEqual([0, 0]);
  expect(at(lax.tanh, [-1000, 1000])).toEqual([0, 0]);
  expect(at(lax.erf, [-1000, 1000])).toEqual([0, 0]);
  expect(at(lax.expm1, [-1000])).toEqual([0]);
  expect(at(lax.expm1, [-20])[0]! / Math.exp(-20)).toBeCloseTo(1, 6);
  expect(at(lax.erfc, [5])[0]! / -gaussian(5)).toBeCloseTo(1, 5);
  expect(at(lax.atan, [1e30])).toEqual([0]);
  for (const x of [3e19, -3e19, 2e38]) expect(at(lax.asinh, [x])[0]! * Math.abs(x)).toBeCloseTo(1, 6);
  for (const x of [3e19, 2e38]) expect(at(lax.acosh, [x])[0]! * x).toBeCloseTo(1, 6);
  expect(at(lax.asinh, [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0])).toEqual([0, 0, 1]);
  expect(at(lax.acosh, [Number.POSITIVE_INFINITY, 1])).toEqual([0, Number.POSITIVE_INFINITY]);
  for (const f of [lax.asinh, lax.acosh]) expect(slopes(f, [1e300])[0]! * 1e300).toBeCloseTo(1, 12);
});
