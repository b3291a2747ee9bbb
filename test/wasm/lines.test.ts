/** Where the extremum of a long line is, and running sums of lines side by side: as the reference device says. */

import { type DType, jit, lax, np, setDefaultDevice, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { wasmDevice } from '../../backends/wasm/device.ts';

/** The same function, staged, on the WebAssembly device. */
function onWasm(f: (x: Tensor<DType>) => Tensor<DType>, x: () => Tensor<DType>): readonly unknown[] {
  const before = setDefaultDevice(wasmDevice());
  try {
    return [...jit(f)(x()).dataSync()];
  } finally {
    setDefaultDevice(before);
  }
}

/** A line of this length: multiples of 1/2 with many ties, zeros of both signs, and what `special` puts at some places. */
function line(length: number, seed: number, special: readonly number[]): number[] {
  const values = Array.from({ length }, (_, i) => (((i + seed) * 7919) % 13) / 2 - 3);
  for (let i = 0; i < length; i += 3) if (values[i] === 0) values[i] = -0;
  special.forEach((x, k) => {
    values[(seed * 5 + k * 4) % length] = x;
  });
  return values;
}

const specials = [[], [Number.NaN], [Number.NaN, Number.NaN, 9], [Infinity, Infinity], [-Infinity, -Infinity]];

describe('argmax and argmin along memory', () => {
  for (const dtype of ['float32', 'float64', 'int32', 'uint32', 'bool'] as const) {
    it(`of ${dtype} are the first extremum, and the first NaN before all`, () => {
      for (const length of [1, 15, 16, 17, 35, 64]) {
        for (const special of dtype.startsWith('float') ? specials : [[]]) {
          const rows = [0, 1, 2].map((seed) => line(length, seed, special));
          const of = (x: number): number =>
            dtype.startsWith('float') ? x : dtype === 'bool' ? Number(x > 1) : x * 2 + 6;
          const x = (): Tensor<DType> =>
            np.astype(
              np.array(
                rows.map((row) => row.map(of)),
                { dtype: 'float64' },
              ),
              dtype,
            );
          for (const greater of [true, false]) {
            const expected = rows.map((row) => {
              const values = row.map(of);
              const nan = values.findIndex(Number.isNaN);
              const best = values.reduce((a, b) => (greater ? Math.max(a, b) : Math.min(a, b)));
              return nan >= 0 ? nan : values.indexOf(best);
            });
            expect(onWasm((y) => (greater ? np.argmax(y, 1) : np.argmin(y, 1)), x)).toEqual(expected);
          }
        }
      }
    });
  }

  it('of zeros of both signs, and of nothing but infinities, are the first', () => {
    for (const values of [
      [-0, 0],
      [0, -0],
      [Infinity, Infinity],
      [-Infinity, -Infinity],
    ]) {
      const x = (): Tensor<DType> => np.array([...values, ...new Array<number>(18).fill(values[0]!)]);
      expect(onWasm((y) => np.argmax(y, 0), x)).toEqual([0]);
      expect(onWasm((y) => np.argmin(y, 0), x)).toEqual([0]);
    }
  });
});

describe('running sums and extrema along memory', () => {
  it('are those of each line, however many go side by side', () => {
    for (const rows of [1, 2, 3, 4, 5, 6, 8, 9]) {
      const values = Array.from({ length: rows }, (_, seed) => line(11, seed, []).map((x) => x + 0));
      const x = (): Tensor<DType> => np.array(values.map((row) => [row]));
      const running = (row: readonly number[], f: (a: number, b: number) => number): readonly number[] => {
        let total = row[0]!;
        return row.map((y, i) => (total = i === 0 ? y : f(total, y)));
      };
      const sums = values.flatMap((row) => running(row, (a, b) => a + b));
      const greatest = values.flatMap((row) => running(row, Math.max));
      const fromEnd = values.flatMap((row) => [...running([...row].reverse(), Math.min)].reverse());
      expect(onWasm((y) => lax.cumsum(y, 2), x)).toEqual(sums);
      expect(onWasm((y) => lax.cummax(y, 2), x)).toEqual(greatest);
      expect(onWasm((y) => lax.cummin(y, 2, { reverse: true }), x)).toEqual(fromEnd);
    }
  });
});
