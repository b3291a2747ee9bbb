/** Poisson counts: the algorithms in plain float64 at the same bits, statistics, the same numbers under transforms. */
import { jit, np, random, vmap } from 'pullback';
import { describe, expect, test } from 'vitest';

const { key } = random;
const numbers = (x: { readonly dataSync: () => ArrayLike<number> }): number[] => Array.from(x.dataSync());
const logFactorial = (k: number): number => (k < 2 ? 0 : Math.log(k) + logFactorial(k - 1));

/** Uniform number `at` of `n` under a key. */
const unit = (k: random.Key, n: number, at: number): number => numbers(random.uniform(k, [n]))[at]!;

function knuth(k: random.Key, rate: number, n: number, at: number): number {
  let [rest, product, count] = [k, 0, 0];
  while (product > -rate) {
    const [next, own] = random.split(rest);
    [rest, product, count] = [next, product + Math.log(unit(own, n, at)), count + 1];
  }
  return count - 1;
}

/** The last that is accepted before all are, as in JAX: `rounds` of them. */
function ptrs(k: random.Key, rate: number, n: number): number[] {
  const b = 0.931 + 2.53 * Math.sqrt(rate);
  const a = -0.059 + 0.02483 * b;
  const drawn = new Array<number>(n).fill(-1);
  let rest = k;
  while (drawn.some((x) => x < 0)) {
    const [next, forU, forV] = random.split(rest, 3);
    rest = next;
    for (let i = 0; i < n; i++) {
      const [u, v] = [unit(forU, n, i) - 0.5, unit(forV, n, i)];
      const us = 0.5 - Math.abs(u);
      const count = Math.floor(((2 * a) / us + b) * u + rate + 0.43);
      const sure = us >= 0.07 && v <= 0.9277 - 3.6224 / (b - 2);
      const bad = count < 0 || (us < 0.013 && v > us);
      const s = Math.log((v * (1.1239 + 1.1328 / (b - 3.4))) / (a / (us * us) + b));
      if (sure || (!bad && s <= -rate + count * Math.log(rate) - logFactorial(count))) drawn[i] = count;
    }
  }
  return drawn;
}

describe('poisson', () => {
  test('the algorithms, at the same bits', () => {
    for (const rate of [0.3, 4, 9.5]) {
      const expected = Array.from({ length: 12 }, (_, i) => knuth(key(1), rate, 12, i));
      expect(numbers(random.poisson(key(1), rate, [12]))).toEqual(expected);
    }
    for (const rate of [10, 77.5]) {
      expect(numbers(random.poisson(key(2), rate, [12]))).toEqual(ptrs(key(2), rate, 12));
    }
  });

  test.each([0.5, 6, 30, 1000])('of rate %d: its mean and variance', (rate) => {
    const n = 4000;
    const xs = numbers(random.poisson(key(3), rate, [n]));
    const mean = xs.reduce((sum, x) => sum + x, 0) / n;
    const variance = xs.reduce((sum, x) => sum + (x - rate) ** 2, 0) / n;
    expect(Math.abs(mean - rate)).toBeLessThan(5 * Math.sqrt(rate / n));
    expect(Math.abs(variance - rate)).toBeLessThan(5 * Math.sqrt((rate + 2 * rate * rate) / n));
  });

  test('rates broadcast; what is no rate; sizes 0', () => {
    const drawn = random.poisson(key(4), np.array([0, -1, Number.NaN, Infinity, 3]));
    expect(drawn.dtype).toBe('int32');
    expect(numbers(drawn).slice(0, 4)).toEqual([0, -1, -1, -1]);
    expect(random.poisson(key(4), np.ones([3]), [2, 3]).shape).toEqual([2, 3]);
    expect(random.poisson(key(4), 3, [0]).shape).toEqual([0]);
    expect(() => random.poisson(key(4), np.array([1], { dtype: 'int32' }))).toThrow('rates must be floating-point');
    expect(() => random.poisson(key(4), 1, [1], { dtype: 'float32' as 'int32' })).toThrow('counts in int32');
  });

  test('the same eagerly, under jit, and under vmap over keys', () => {
    const draw = (k: random.Key) => random.poisson(k, np.array([2, 20]), [3, 2]);
    const keys = random.split(key(5), 3);
    const each = keys.map((k) => draw(k).toArray());
    expect(vmap(draw)(np.stack([...keys]) as random.Key).toArray()).toEqual(each);
    expect(jit(draw)(keys[1]).toArray()).toEqual(each[1]);
  });
});
