/** Places where libraries of this kind are known to be wrong, each against mathematics or a loop. */

import { grad, jacfwd, jacrev, jit, nn, np, random, type Tensor, vmap } from 'pullback';
import { describe, expect, it } from 'vitest';
import { dense } from './ops/oracle.ts';

const f64 = (x: readonly number[]): Tensor<'float64'> => np.array([...x], { dtype: 'float64' });

describe('transforms', () => {
  it('vmap in vmap, of different axes of one operand beside one that is not mapped', () => {
    // out[i][j][k] = w[k] + m[k][j][i], the axes of m being mapped from the back.
    const m = np.reshape(np.arange(24), [2, 3, 4]);
    const w = np.array([100, 200], { dtype: 'int32' });
    const add = (a: Tensor<'int32'>, b: Tensor<'int32'>): Tensor<'int32'> => np.add(a, b);
    const nested = vmap(vmap(add, [null, 1]), [null, 2]);
    const wanted = [0, 1, 2, 3].map((i) => [0, 1, 2].map((j) => [0, 1].map((k) => (k + 1) * 100 + k * 12 + j * 4 + i)));
    expect(nested(w, m).toArray()).toEqual(wanted);
    expect(jit(nested)(w, m).toArray()).toEqual(wanted);
    // The outer map of what the inner one leaves alone.
    const rows = np.array(
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      { dtype: 'int32' },
    );
    const outer = vmap(vmap(add, [null, 1]), [0, null]);
    expect(
      outer(
        rows,
        np.array(
          [
            [10, 20, 30],
            [40, 50, 60],
          ],
          { dtype: 'int32' },
        ),
      ).toArray(),
    ).toEqual(
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ].map(([a, b]) =>
        [
          [10, 40],
          [20, 50],
          [30, 60],
        ].map(([c, d]) => [a! + c!, b! + d!]),
      ),
    );
  });

  it('jacrev of R³ → R⁴ has four rows of three', () => {
    const f = (x: Tensor<'float64'>): Tensor<'float64'> => {
      const [a, b, c] = [0, 1, 2].map((i) => np.index(x, i)) as [
        Tensor<'float64'>,
        Tensor<'float64'>,
        Tensor<'float64'>,
      ];
      return np.stack([np.mul(a, b), np.sin(c), np.mul(np.mul(a, b), c), np.exp(a)]);
    };
    const [a, b, c] = [0.5, -1.5, 2];
    const wanted = [
      [b, a, 0],
      [0, 0, Math.cos(c)],
      [b * c, a * c, a * b],
      [Math.exp(a), 0, 0],
    ];
    for (const jacobian of [jacrev(f)(f64([a, b, c])), jacfwd(f)(f64([a, b, c]))]) {
      expect(jacobian.shape).toEqual([4, 3]);
      wanted.flat().forEach((w, i) => expect(jacobian.dataSync()[i]).toBeCloseTo(w, 14));
    }
    expect(jacrev((x: Tensor) => np.matmul(np.ones([4, 3]), x))(np.zeros([3])).shape).toEqual([4, 3]);
  });
});

it('matmul broadcasts batches: (2,1,2,3) and (3,3,2)', () => {
  const [x, y] = [random.normal(random.key(0), [2, 1, 2, 3]), random.normal(random.key(1), [3, 3, 2])];
  const product = np.matmul(x, y);
  expect(product.shape).toEqual([2, 3, 2, 2]);
  const [a, b, p] = [dense(x).data, dense(y).data, dense(product).data];
  for (let i = 0; i < 2; i++)
    for (let j = 0; j < 3; j++)
      for (let r = 0; r < 2; r++)
        for (let c = 0; c < 2; c++) {
          let sum = 0;
          for (let k = 0; k < 3; k++) sum += a[(i * 2 + r) * 3 + k]! * b[(j * 3 + k) * 2 + c]!;
          expect(p[((i * 3 + j) * 2 + r) * 2 + c]).toBeCloseTo(sum, 6);
        }
  const g = grad((l: Tensor, m: Tensor) => np.sum(np.matmul(l, m)), { argnums: [0, 1] })(x, y);
  expect(g.map((one) => one.shape)).toEqual([
    [2, 1, 2, 3],
    [3, 3, 2],
  ]);
});

describe('infinities', () => {
  const value = (x: readonly number[]): number => nn.logsumexp(np.array([...x])).item();
  const slope = (x: readonly number[]): unknown => grad((v: Tensor) => nn.logsumexp(v))(np.array([...x])).toArray();

  it('logsumexp: of an infinity that, of nothing but −∞ that, each with the derivative of the maximum', () => {
    expect([value([1, Infinity]), value([-Infinity, -Infinity]), value([-Infinity, 3])]).toEqual([
      Infinity,
      -Infinity,
      3,
    ]);
    expect(value([Infinity, -Infinity])).toBe(Infinity);
    expect(value([1, NaN])).toBeNaN();
    expect(slope([1, Infinity])).toEqual([0, 1]);
    expect(slope([-Infinity, -Infinity])).toEqual([0.5, 0.5]);
    expect(slope([-Infinity, 3])).toEqual([0, 1]);
    expect(slope([1000, 1000])).toEqual([0.5, 0.5]);
    const rows = np.array([
      [1, Infinity],
      [0, 0],
    ]);
    expect(grad((v: Tensor) => np.sum(np.mul(nn.logsumexp(v, 1), np.array([0, 1]))))(rows).toArray()).toEqual([
      [0, 0],
      [0.5, 0.5],
    ]);
  });

  it('softplus does not overflow', () => {
    const at = (x: number): readonly number[] => [
      nn.softplus(np.array(x)).item(),
      grad((v: Tensor) => nn.softplus(v))(np.array(x)).item(),
    ];
    expect(at(1000)).toEqual([1000, 1]);
    expect(at(-1000)).toEqual([0, 0]);
    expect(at(Infinity)).toEqual([Infinity, 1]);
    expect(at(-Infinity)).toEqual([0, 0]);
  });
});

it('oneHot of an index that is no class is a row of zeros', () => {
  const labels = np.array([-1, 0, 2, 3], { dtype: 'int32' });
  expect(nn.oneHot(labels, 3).toArray()).toEqual([
    [0, 0, 0],
    [1, 0, 0],
    [0, 0, 1],
    [0, 0, 0],
  ]);
});

it('log1p keeps its digits near 0', () => {
  for (const x of [1e-3, 1e-8, 1e-16, 1e-300, -1e-10]) {
    // log(1 + x) = x − x²/2 + x³/3 − x⁴/4 + …
    const series = x - x ** 2 / 2 + x ** 3 / 3 - x ** 4 / 4 + x ** 5 / 5;
    expect(Math.abs(np.log1p(f64([x])).dataSync()[0]! - series)).toBeLessThanOrEqual(2e-16 * Math.abs(x));
    expect(
      Math.abs(grad((v: Tensor<'float64'>) => np.sum(np.log1p(v)))(f64([x])).dataSync()[0]! - 1 / (1 + x)),
    ).toBeLessThanOrEqual(3e-16);
  }
  expect(np.log1p(np.array(1e-8)).item()).toBe(Math.fround(1e-8));
});

describe('activations far from 0', () => {
  const scale = 1.0507009873554805;
  const functions: readonly (readonly [string, (x: Tensor) => Tensor, far: number])[] = [
    ['silu', nn.silu, 1],
    ['elu', (x) => nn.elu(x), 1],
    ['mish', nn.mish, 1],
    ['selu', nn.selu, scale],
    ['celu', (x) => nn.celu(x), 1],
    ['gelu', (x) => nn.gelu(x), 1],
    ['gelu, exactly', (x) => nn.gelu(x, { approximate: false }), 1],
    ['softplus', nn.softplus, 1],
    ['logSigmoid of −x, negated', (x) => np.negative(nn.logSigmoid(np.negative(x))), 1],
  ];
  it.each(functions)('%s: its derivative is that of its asymptote, and the second one 0', (_name, f, far) => {
    for (const size of [100, 1000, 1e6, 1e30]) {
      const first = (x: Tensor): Tensor => grad((v: Tensor) => np.sum(f(v)))(x);
      const x = np.array([size, -size]);
      // At 100 what is left of e⁻¹⁰⁰ is below 10⁻⁴⁰.
      const [ahead, behind] = first(x).dataSync() as Float32Array;
      expect(ahead).toBe(Math.fround(far));
      expect(Math.abs(behind!)).toBeLessThan(1e-40);
      const second = grad((v: Tensor) => np.sum(first(v)))(x).dataSync() as Float32Array;
      expect([...second].every((v) => Math.abs(v) < 1e-40)).toBe(true);
    }
  });
});
