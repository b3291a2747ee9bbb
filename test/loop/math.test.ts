/** Elementary functions of compiled programs: every exponent, the edges, and close looks, with `madd` rounded once and twice. */

import { describe, expect, test } from 'vitest';

import { edges, names, type Row, rows, sample, worst } from './accuracy.ts';

const roundings = ['twice', 'once'] as const;

describe('float32, within the units in the last place of the table', () => {
  test.each(names)('%s', (name) => {
    const { bound, truth, near }: Row = rows[name];
    const xs = sample(1, 200, near, Math.floor(100_000 / Math.max(near.length, 1)));
    const truths = Float64Array.from(xs, truth);
    for (const rounding of roundings) {
      const { error, at, got } = worst(name, [xs], truths, rounding);
      expect(error, `${name}(${at}) gave ${got}, madd rounded ${rounding}`).toBeLessThanOrEqual(bound);
    }
  });

  const pairs = (seed: number): readonly [Float32Array, Float32Array] => {
    const [a, b] = [sample(seed, 100), sample(seed + 1, 100)];
    const order = sample(seed + 2, 100);
    const shuffled = Array.from(b.keys()).sort((i, j) => order[i]! - order[j]!);
    const crossed = edges.flatMap((x) => edges.map((y) => [x, y] as const));
    // Powers of moderate size, where most pairs of random exponents overflow.
    const [base, exponent] = [sample(seed + 3, 0, [[0.5, 2]], 50_000), sample(seed + 4, 0, [[-130, 130]], 50_000)];
    const xs = [...a, ...crossed.map(([x]) => x), ...base];
    const ys = [...shuffled.map((i) => b[i]!), ...crossed.map(([, y]) => y), ...exponent];
    return [Float32Array.from(xs), Float32Array.from(ys)];
  };
  const power = (x: number, y: number): number => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y);
  test.each([
    ['pow', 4, power],
    ['rem', 0, (x: number, y: number) => x % y],
  ] as const)('%s', (name, bound, truth) => {
    const [xs, ys] = pairs(7);
    const truths = Float64Array.from(xs, (x, i) => truth(x, ys[i]!));
    for (const rounding of roundings) {
      const { error, at, got } = worst(name, [xs, ys], truths, rounding);
      expect(error, `${name}(${at}) gave ${got}, madd rounded ${rounding}`).toBeLessThanOrEqual(bound);
    }
  });
});
