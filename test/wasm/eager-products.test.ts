/** Eager products of matrices, of one module for all shapes, against sums in JavaScript; and code of shapes, of which the last is kept. */

import { np, type Tensor, wasmDevice, withDefaultDevice } from 'pullback';
import { expect, it } from 'vitest';
import { RecentCode } from '../../backends/wasm/eager.ts';

const device = wasmDevice();
const element = (i: number, seed: number): number => (((i * 7919 + seed * 31) % 23) - 11) / 2;

/** C = A·B, A and B with their axes in this order: 'mk' or 'km', 'kn' or 'nk'; C as 'mn' or 'nm'. */
function wrong(
  m: number,
  k: number,
  n: number,
  a: string,
  b: string,
  c: string,
  dtype: 'float32' | 'float64' | 'int32',
) {
  const size: Readonly<Record<string, number>> = { m, k, n };
  const shape = (letters: string) => [...letters].map((x) => size[x]!);
  const values = (letters: string, seed: number) =>
    Array.from({ length: size[letters[0]!]! * size[letters[1]!]! }, (_, i) => element(i, seed) * 2);
  const [left, right] = [values(a, 1), values(b, 2)];
  const at = (letters: string, x: number, y: number, first: string): number =>
    letters[0] === first ? x * size[letters[1]!]! + y : y * size[letters[1]!]! + x;
  const result = withDefaultDevice(device, () =>
    np
      .einsum(
        `${a},${b}->${c}`,
        np.reshape(np.array(left, { dtype }), shape(a)) as unknown as Tensor,
        np.reshape(np.array(right, { dtype }), shape(b)) as unknown as Tensor,
      )
      .dataSync(),
  );
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += left[at(a, i, l, 'm')]! * right[at(b, l, j, 'k')]!;
      if (result[at(c, i, j, 'm')] !== sum) return `${i},${j}: ${result[at(c, i, j, 'm')]} instead of ${sum}`;
    }
  }
  return null;
}

it.each(['float32', 'float64', 'int32'] as const)('of %s: whole numbers come out exactly', (dtype) => {
  for (const [m, k, n] of [
    [9, 10, 11],
    [65, 33, 67],
    [70, 300, 13],
    [5, 520, 530],
    [128, 1, 9],
  ] as const) {
    for (const a of ['mk', 'km']) {
      for (const b of ['kn', 'nk']) {
        for (const c of ['mn', 'nm'])
          expect(wrong(m, k, n, a, b, c, dtype), `${m} ${k} ${n} ${a},${b}->${c}`).toBeNull();
      }
    }
  }
});

it('code of 1,000 shapes: the last 128 are kept, and what is met again is made again', () => {
  const recent = new RecentCode<number>();
  const shapes = Array.from({ length: 1000 }, () => ({}));
  let made = 0;
  const code = (shape: object): number => recent.of(shape, () => made++);
  shapes.forEach(code);
  expect(made).toBe(1000);
  shapes.slice(-128).forEach(code);
  expect(made).toBe(1000);
  expect(code(shapes[0]!)).toBe(1000);
  expect(code(shapes[0]!)).toBe(1000);
});
