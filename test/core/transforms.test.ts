/** Transforms compose: derivatives of every order, through jit and vmap in every order, with closures and JS control flow. */

import { grad, hessian, jacfwd, jacrev, jit, jvp, linearize, np, type Tensor, vmap } from 'pullback';
import { describe, expect, test } from 'vitest';

type Scalar = (x: Tensor) => Tensor;

const f: Scalar = (x) => np.sum(np.mul(np.sin(np.mul(x, x)), x));
const jf: Scalar = jit(f);
const x = np.array([0.3, -1.2, 0.7]);
const rows = np.array([
  [0.3, -1.2, 0.7],
  [1, 2, -0.5],
]);

const exact = (v: number): number => Math.sin(v * v) + 2 * v * v * Math.cos(v * v);
const exactSecond = (v: number): number => 6 * v * Math.cos(v * v) - 4 * v ** 3 * Math.sin(v * v);
const exactThird = (v: number): number =>
  6 * Math.cos(v * v) - 24 * v ** 2 * Math.sin(v * v) - 8 * v ** 4 * Math.cos(v * v);

const list = (t: Tensor): number[] => [...t.dataSync()];
const values = list(x);
const rowValues = list(rows);

function expectClose(actual: Tensor, expected: readonly number[], tolerance = 1e-5): void {
  const got = list(actual);
  expect(got.length).toBe(expected.length);
  got.forEach((v, i) =>
    expect(Math.abs(v - expected[i]!)).toBeLessThanOrEqual(tolerance * (1 + Math.abs(expected[i]!))),
  );
}

const sumOfGrad =
  (g: Scalar): Scalar =>
  (v) =>
    np.sum(grad(g)(v));
const ones = np.ones([3]);

describe('first derivatives', () => {
  test('grad', () => expectClose(grad(f)(x), values.map(exact)));
  test('grad of central differences', () => {
    const step = 1e-3;
    const fd = values.map((_, i) => {
      const at = (e: number): number => f(np.array(values.map((v, k) => (k === i ? v + e : v)))).item();
      return (at(step) - at(-step)) / (2 * step);
    });
    expectClose(grad(f)(x), fd, 1e-3);
  });
  test('grad(jit)', () => expectClose(grad(jf)(x), values.map(exact)));
  test('jit(grad)', () => expectClose(jit(grad(f))(x), values.map(exact)));
  test('jit(grad(jit))', () => expectClose(jit(grad(jf))(x), values.map(exact)));
});

describe('higher derivatives', () => {
  test('jvp(grad)', () => expectClose(jvp(grad(f), [x], [ones])[1], values.map(exactSecond)));
  test('jvp(grad(jit))', () => expectClose(jvp(grad(jf), [x], [ones])[1], values.map(exactSecond)));
  test('grad(sum grad)', () => expectClose(grad(sumOfGrad(f))(x), values.map(exactSecond)));
  test('grad(sum grad(jit))', () => expectClose(grad(sumOfGrad(jf))(x), values.map(exactSecond)));
  test('grad(jit(sum grad(jit)))', () => expectClose(grad(jit(sumOfGrad(jf)))(x), values.map(exactSecond)));
  test('third order', () => expectClose(grad(sumOfGrad(sumOfGrad(f)))(x), values.map(exactThird), 1e-4));
  test('third order through jit', () =>
    expectClose(grad(sumOfGrad(jit(sumOfGrad(jf))))(x), values.map(exactThird), 1e-4));
  test('hessian is diagonal', () => {
    const expected = values.flatMap((v, i) => values.map((_, k) => (i === k ? exactSecond(v) : 0)));
    expectClose(hessian(f)(x), expected);
    expectClose(jit(hessian(jf))(x), expected);
  });
  test('jacfwd = jacrev', () => {
    const g = (v: Tensor): Tensor => np.mul(np.sum(v), np.sin(v));
    expectClose(jacfwd(g)(x), list(jacrev(g)(x)));
    expectClose(jacrev(jit(g))(x), list(jit(jacfwd(g))(x)));
  });
  test('a linearization is applied many times', () => {
    const [out, derivative] = linearize(jf, [x]);
    expectClose(out, list(f(x)));
    for (const scale of [0, 1, -2]) {
      const total = values.map(exact).reduce((a, b) => a + b, 0);
      expectClose(derivative(np.mul(ones, scale)), [scale * total]);
    }
  });
});

describe('vmap', () => {
  const gradients = rowValues.map(exact);
  test('vmap(grad)', () => expectClose(vmap(grad(f))(rows), gradients));
  test('vmap(grad(jit))', () => expectClose(vmap(grad(jf))(rows), gradients));
  test('jit(vmap(grad(jit)))', () => expectClose(jit(vmap(grad(jf)))(rows), gradients));
  test('grad(sum vmap)', () => expectClose(grad((z: Tensor) => np.sum(vmap(f)(z)))(rows), gradients));
  test('grad(sum vmap(jit))', () => expectClose(grad((z: Tensor) => np.sum(vmap(jf)(z)))(rows), gradients));
  const orders: Record<string, (z: Tensor) => Tensor> = {
    'vmap grad jit': (z) => vmap(grad(jit(f)))(z),
    'vmap jit grad': (z) => vmap(jit(grad(f)))(z),
    'grad vmap jit': (z) => grad((q: Tensor) => np.sum(vmap(jit(f))(q)))(z),
    'grad jit vmap': (z) => grad((q: Tensor) => np.sum(jit(vmap(f))(q)))(z),
    'jit grad vmap': (z) => jit(grad((q: Tensor) => np.sum(vmap(f)(q))))(z),
    'jit vmap grad': (z) => jit(vmap(grad(f)))(z),
  };
  for (const [name, order] of Object.entries(orders)) {
    test(`vmap, grad and jit as ${name}`, () => expectClose(order(rows), gradients));
  }
  test('per-lane second derivatives', () => {
    expectClose(vmap((row: Tensor) => jvp(grad(jf), [row], [ones])[1])(rows), rowValues.map(exactSecond));
  });
  test('axes: negative, null, trees, outAxes', () => {
    const scaled = vmap((p: { w: Tensor }, v: Tensor) => np.mul(p.w, v), [{ w: null }, -1], -1);
    const out = scaled({ w: np.array([2, 3]) }, rows);
    expect(out.shape).toEqual([2, 3]);
    expectClose(
      out,
      rowValues.map((v, i) => v * (i < 3 ? 2 : 3)),
    );
  });
  test('nested', () => {
    const products = vmap((a: Tensor) => vmap((b: Tensor) => np.mul(a, b))(np.array([1, 10])))(np.array([2, 3]));
    expect(products.toArray()).toEqual([
      [2, 20],
      [3, 30],
    ]);
  });
});

describe('closures', () => {
  const at = (v: number): Tensor => np.array(v);
  test('no perturbation confusion', () => {
    const outer: Scalar = (v) => np.mul(v, jvp((y: Tensor) => np.add(v, y), [at(1)], [at(1)])[1]);
    expect(jvp(outer, [at(1)], [at(1)])[1].item()).toBe(1);
    expect(grad((v: Tensor) => np.mul(v, grad((y: Tensor) => np.add(v, y))(at(1))))(at(1)).item()).toBe(1);
  });
  test('a gradient inside a gradient', () => {
    const g: Scalar = (v) => np.mul(v, grad((y: Tensor) => np.mul(v, np.mul(y, y)))(v));
    expect(grad(g)(at(2)).item()).toBeCloseTo(24, 4);
  });
  test('jit captures an outer tracer', () => {
    const g: Scalar = (v) => jit((y: Tensor) => np.mul(v, np.sin(y)))(v);
    expect(grad(g)(at(0.5)).item()).toBeCloseTo(Math.sin(0.5) + 0.5 * Math.cos(0.5), 5);
    expect(jvp(g, [at(0.5)], [at(1)])[1].item()).toBeCloseTo(Math.sin(0.5) + 0.5 * Math.cos(0.5), 5);
    expectClose(
      vmap(g)(x),
      values.map((v) => v * Math.sin(v)),
    );
  });
  test('jit captures arrays, and is reused with them', () => {
    const weights = np.array([1, 2, 3]);
    const g = jit((v: Tensor) => np.sum(np.mul(weights, v)));
    expect(g(ones).item()).toBe(6);
    expect(g(ones).item()).toBe(6);
    expect(g.traces).toBe(1);
    expect(list(grad(g)(x))).toEqual([1, 2, 3]);
  });
});

describe('JS control flow', () => {
  const relu2: Scalar = (v) => (np.greater(v, 0).item() ? np.mul(v, v) : np.array(0));
  test('if on item() under eager grad and jvp', () => {
    expect(grad(relu2)(np.array(3)).item()).toBe(6);
    expect(grad(relu2)(np.array(-3)).item()).toBe(0);
    expect(jvp(relu2, [np.array(3)], [np.array(1)])[1].item()).toBe(6);
    expect(grad(grad(relu2))(np.array(3)).item()).toBe(2);
  });
  test('jit inside the branch', () => {
    const g: Scalar = (v) => (np.greater(v, 0).item() ? jit(relu2ByWhere)(v) : v);
    const relu2ByWhere: Scalar = (v) => np.where(np.greater(v, 0), np.mul(v, v), 0);
    expect(grad(g)(np.array(3)).item()).toBe(6);
  });
});
