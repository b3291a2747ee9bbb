/** The gamma distribution and its relatives: the algorithm in plain float64 at the same bits, statistics, derivatives. */
import { grad, jit, jvp, np, random, type Tensor, vmap } from 'pullback';
import { describe, expect, expectTypeOf, test } from 'vitest';

const { key } = random;
const double = { dtype: 'float64' } as const;
const numbers = (x: { readonly dataSync: () => ArrayLike<number> }): number[] => Array.from(x.dataSync());

/** Marsaglia's and Tsang's algorithm as JAX splits the keys, with JavaScript's own loops. */
function marsagliaTsang(seed: random.Key, a: number): number {
  const d = (a >= 1 ? a : a + 1) - 1 / 3;
  const c = 1 / 3 / Math.sqrt(d);
  let [loop, forBoost] = random.split(seed);
  let [square, cube, u] = [0, 1, 2];
  while (u >= 1 - 0.0331 * square * square && Math.log(u) >= square / 2 + d * (1 - cube + Math.log(cube))) {
    const [next, forX, forU] = random.split(loop, 3);
    let [walk, x, v] = [forX, 0, -1];
    while (v <= 0) {
      const [following, own] = random.split(walk);
      walk = following;
      x = random.normal(own, [], double).item();
      v = 1 + x * c;
    }
    [loop, square, cube, u] = [next, x * x, v * v * v, random.uniform(forU, [], double).item()];
  }
  const boost = a >= 1 ? 1 : (1 - random.uniform(forBoost, [], double).item()) ** (1 / a);
  return d * cube * boost;
}

/** Kolmogorov's and Smirnov's distance, times √n: beyond 2.2 with probability 10⁻⁴. */
function distance(xs: readonly number[], cdf: (x: number) => number): number {
  const n = xs.length;
  const sorted = [...xs].sort((p, q) => p - q);
  return Math.sqrt(n) * Math.max(...sorted.map((x, i) => Math.max(cdf(x) - i / n, (i + 1) / n - cdf(x))));
}

/** Simpson's rule. */
function integral(f: (x: number) => number, to: number, steps = 4000): number {
  const h = to / steps;
  let sum = f(0) + f(to);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * f(i * h);
  return (sum * h) / 3;
}

describe('the algorithm, at the same bits', () => {
  test.each([0.05, 0.5, 1, 2.5, 40])('gamma and loggamma of %d', (a) => {
    const drawn = numbers(random.gamma(key(3), a, [25], double));
    const logarithms = numbers(random.loggamma(key(3), a, [25], double));
    for (const [i, k] of random.split(key(3), 25).entries()) {
      const expected = marsagliaTsang(k, a);
      expect(Math.abs(drawn[i]! / expected - 1)).toBeLessThan(1e-12);
      expect(Math.abs(logarithms[i]! - Math.log(expected))).toBeLessThan(1e-10);
    }
  });

  test('beta, dirichlet and t are made of them', () => {
    const [one, other] = random.split(key(4));
    const gammas = (k: random.Key, a: number, n: number): number[] =>
      random.split(k, n).map((each) => marsagliaTsang(each, a));
    const [g, h] = [gammas(one, 0.7, 9), gammas(other, 3, 9)];
    for (const [i, x] of numbers(random.beta(key(4), 0.7, 3, [9], double)).entries()) {
      expect(x).toBeCloseTo(g[i]! / (g[i]! + h[i]!), 12);
    }
    const alpha = [0.4, 1.5, 2];
    const parts = random.split(key(4), 6).map((k, i) => marsagliaTsang(k, alpha[i % 3]!));
    const sums = [0, 3].map((i) => parts[i]! + parts[i + 1]! + parts[i + 2]!);
    const p = random.dirichlet(key(4), np.array(alpha, double), [2], double);
    for (const [i, x] of numbers(p).entries()) expect(x).toBeCloseTo(parts[i]! / sums[Math.floor(i / 3)]!, 12);
    const z = numbers(random.normal(one, [9], double));
    const half = gammas(other, 2, 9);
    for (const [i, x] of numbers(random.t(key(4), 4, [9], double)).entries()) {
      expect(x).toBeCloseTo(z[i]! * Math.sqrt(2 / half[i]!), 11);
    }
  });
});

describe('statistics', () => {
  const n = 3000;
  const rows = random.dirichlet(key(10), np.array([1, 2, 1]), [n]).toArray() as number[][];
  const first = rows.map((row) => row[0]!);
  test.each([
    ['gamma of 1', numbers(random.gamma(key(5), 1, [n])), (x: number) => -Math.expm1(-x)],
    ['gamma of 3', numbers(random.gamma(key(6), 3, [n])), (x: number) => 1 - Math.exp(-x) * (1 + x + (x * x) / 2)],
    [
      'loggamma of 1/10',
      numbers(random.loggamma(key(7), 0.1, [n])),
      // γ(a, x) x^(−a) by its series.
      (y: number) => {
        let [term, sum] = [1, 10];
        for (let k = 1; k < 60; k++) {
          term *= -Math.exp(y) / k;
          sum += term / (0.1 + k);
        }
        return (Math.exp(0.1 * y) * sum) / 9.513507698668732;
      },
    ],
    ['beta of 1 and 3', numbers(random.beta(key(8), 1, 3, [n])), (x: number) => 1 - (1 - x) ** 3],
    ['t of 2', numbers(random.t(key(9), 2, [n])), (x: number) => 0.5 + x / (2 * Math.sqrt(2 + x * x))],
    ['dirichlet of 1, 2, 1, the first', first, (x: number) => 1 - (1 - x) ** 3],
  ])('%s: the distribution of Kolmogorov and Smirnov', (_, xs, cdf) => {
    expect(distance(xs, cdf)).toBeLessThan(2.2);
    expect(
      distance(
        xs.map((x) => x * 1.25 + 0.05),
        cdf,
      ),
    ).toBeGreaterThan(2.2);
  });
});

describe('derivatives and transforms', () => {
  test('in the parameter: what keeps P(a, x) as it is', () => {
    const a = 2.5;
    const xs = numbers(random.gamma(key(11), a, [5], double));
    const draw = (b: Tensor<'float64'>) => random.gamma(key(11), b, [5], double);
    const { 1: slopes } = jvp(draw, [np.array(a, double)], [np.array(1, double)]) as unknown as [unknown, Tensor];
    const density = (b: number) => (x: number) => x ** (b - 1) * Math.exp(-x);
    const share = (b: number, x: number): number => integral(density(b), x) / integral(density(b), 60, 40000);
    const h = 1e-3;
    for (const [i, x] of xs.entries()) {
      const change = (share(a + h, x) - share(a - h, x)) / (2 * h);
      expect(numbers(slopes)[i]).toBeCloseTo((-change * integral(density(a), 60, 40000)) / density(a)(x), 4);
    }
    // That of the logarithm is the number's, divided by it.
    const sum = (b: Tensor<'float64'>) => np.sum(random.loggamma(key(11), b, [5], double));
    const expected = xs.reduce((total, x, i) => total + numbers(slopes)[i]! / x, 0);
    expect(grad(sum)(np.array(a, double)).item()).toBeCloseTo(expected, 10);
  });

  test.each<[string, (k: random.Key) => Tensor]>([
    ['gamma', (k) => random.gamma(k, np.array([0.5, 2]), [3, 2])],
    ['beta', (k) => random.beta(k, 0.5, 2, [3])],
    ['dirichlet', (k) => random.dirichlet(k, np.array([0.5, 2]))],
    ['t', (k) => random.t(k, 3, [2])],
  ])('%s: the same eagerly, under jit, and under vmap over keys', (_, draw) => {
    const keys = random.split(key(12), 4);
    const each = keys.map((k) => draw(k).toArray());
    expect(vmap(draw)(np.stack([...keys]) as random.Key).toArray()).toEqual(each);
    expect(jit(draw)(keys[2]).toArray()).toEqual(each[2]);
  });
});

describe('parameters', () => {
  const k = key(0);
  test('shapes, sizes 0 and what has no numbers', () => {
    expect(random.gamma(k, np.ones([3, 1]), [2, 3, 4]).shape).toEqual([2, 3, 4]);
    expect(random.gamma(k, 1, [2, 0]).shape).toEqual([2, 0]);
    expect(random.beta(k, np.ones([2, 1]), np.ones([3])).shape).toEqual([2, 3]);
    expect(random.dirichlet(k, np.ones([4, 3])).shape).toEqual([4, 3]);
    expect(random.dirichlet(k, np.ones([0]), [2]).shape).toEqual([2, 0]);
    expect(random.t(k, np.ones([3])).shape).toEqual([3]);
    expect(numbers(random.gamma(k, np.array([-0.5, -2, Number.NaN, 0]))).slice(0, 3)).toEqual([NaN, NaN, NaN]);
    expect(random.gamma(k, 0).item()).toBe(0);
  });

  test('refusals and types', () => {
    expect(() => random.gamma(k, np.array([1], { dtype: 'int32' }))).toThrow(
      'random.gamma: the parameters must be floating-point numbers, got int32[1]',
    );
    expect(() => random.beta(k, np.ones([2]), 1, [3])).toThrow('random.beta: float32[2] does not broadcast to [3]');
    expect(() => random.dirichlet(k, np.array(1))).toThrow(
      'random.dirichlet: the parameters are a vector, got float32[]',
    );
    expect(() => random.t(k, 1, [2], { dtype: 'int32' as 'float32' })).toThrow(
      'makes floating-point numbers, not int32',
    );
    expect(() => random.loggamma(np.zeros([2]) as never, 1)).toThrow('random.loggamma: a key is uint32[2]');
    expectTypeOf(random.gamma(k, 1)).toEqualTypeOf<Tensor>();
    expectTypeOf(random.beta(k, 1, 1, [], double)).toEqualTypeOf<Tensor<'float64'>>();
  });
});
