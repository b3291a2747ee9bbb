/** Sorting on the device against the stable sort of JavaScript: lines that are merged and lines that are counted, along any axis. */

import { type DType, jit, lax, np, type Tensor, withDefaultDevice } from 'pullback';
import { describe, expect, it } from 'vitest';
import { wasmDevice } from '../../backends/wasm/device.ts';
import { loopMachine } from '../loop/machine.ts';

const devices = { wasm: wasmDevice(), 'the interpreter of the Loop IR': loopMachine() };
const specials = [Number.NaN, -0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, -1, 2, 1e-40, -1e-40];
const dtypes = ['float32', 'float64', 'int32', 'uint32', 'bool'] as const;

/** Numbers of a dtype, every third of floats special; `few`: with many ties. */
function numbers(dtype: DType, length: number, few: boolean, seed: number): number[] {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Array.from({ length }, () => {
    const x = next();
    if (dtype === 'bool') return x < 0.5 ? 1 : 0;
    if (dtype === 'int32') return Math.floor(few ? x * 7 - 3 : x * 2 ** 32 - 2 ** 31);
    if (dtype === 'uint32') return Math.floor(few ? x * 7 : x * 2 ** 32);
    if (x < 0.3) return Math.fround(specials[Math.floor(next() * specials.length)]!);
    return Math.fround(few ? Math.floor(x * 5) - 2 : (x - 0.5) * 1000);
  });
}

const tensor = (x: readonly number[], dtype: DType, shape: readonly number[]): Tensor =>
  np.reshape(dtype === 'bool' ? np.array(x.map((y) => y === 1)) : np.array(x, { dtype }), shape) as unknown as Tensor;

/** Ascending, −0 as 0, NaN behind. */
const byValue = (x: number, y: number): number =>
  Number.isNaN(x) || Number.isNaN(y) ? Number(Number.isNaN(x)) - Number(Number.isNaN(y)) : x < y ? -1 : x > y ? 1 : 0;

/** The numbers of the elements of each line along an axis, in order. */
function orders(
  keys: readonly (readonly number[])[],
  shape: readonly number[],
  axis: number,
  sign: 1 | -1,
): number[][] {
  const step = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const length = shape[axis]!;
  const starts = keys[0]!.map((_, i) => i).filter((i) => Math.floor(i / step) % length === 0);
  return starts.map((start) =>
    Array.from({ length }, (_, i) => start + i * step).sort((i, j) => {
      for (const key of keys) {
        const order = sign * byValue(key[i]!, key[j]!);
        if (order !== 0) return order;
      }
      return i - j;
    }),
  );
}

/** The places of lines, in memory order of their elements. */
function laid(lines: readonly (readonly number[])[], shape: readonly number[], axis: number): number[] {
  const step = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const out: number[] = [];
  lines.forEach((line, l) => {
    const start = Math.floor(l / step) * step * shape[axis]! + (l % step);
    line.forEach((from, i) => {
      out[start + i * step] = from;
    });
  });
  return out;
}

const words = (x: Iterable<number>): string[] => Array.from(x, (y) => (Object.is(y, -0) ? '-0' : String(y)));
const same = (found: Tensor, wanted: readonly number[]): void =>
  expect(words(found.dataSync() as Iterable<number>)).toEqual(words(wanted));

const shapes = [[1], [2], [31], [32], [33], [200], [3, 50], [50, 3], [2, 40, 2]];

describe.each(Object.entries(devices))('%s', (name, device) => {
  const sizes = name === 'wasm' ? shapes : shapes.filter((shape) => shape.reduce((a, b) => a * b, 1) < 100);
  it.each(dtypes)('sorts %s', (dtype) => {
    withDefaultDevice(device, () => {
      for (const shape of sizes) {
        const size = shape.reduce((a, b) => a * b, 1);
        const [few, many] = [numbers(dtype, size, true, 1), numbers(dtype, size, false, 2)];
        const [a, b] = [tensor(few, dtype, shape), tensor(many, dtype, shape)];
        const number = tensor(
          few.map((_, i) => i),
          'int32',
          shape,
        );
        for (let dimension = 0; dimension < shape.length; dimension++) {
          const once = laid(orders([many], shape, dimension, 1), shape, dimension);
          same(
            np.sort(b, dimension),
            once.map((i) => many[i]!),
          );
          const twice = laid(orders([few, many], shape, dimension, 1), shape, dimension);
          const two = (x: Tensor, y: Tensor) => lax.sort([x, y, number] as const, { dimension, numKeys: 2 });
          for (const [x, y, order] of [two(a, b), jit(two)(a, b)]) {
            same(order as Tensor, twice);
            same(
              x as Tensor,
              twice.map((i) => few[i]!),
            );
            same(
              y as Tensor,
              twice.map((i) => many[i]!),
            );
          }
        }
      }
    });
  });

  it.each(dtypes)('takes the largest %s', (dtype) => {
    withDefaultDevice(device, () => {
      for (const shape of sizes) {
        const axis = shape.length - 1;
        const length = shape[axis]!;
        const size = shape.reduce((a, b) => a * b, 1);
        const x = numbers(dtype, size, true, 3);
        const wanted = orders([x], shape, axis, -1);
        for (const k of new Set([0, 1, Math.min(3, length), length])) {
          const [values, indices] = lax.topK(tensor(x, dtype, shape), k);
          const taken = wanted.map((line) => line.slice(0, k));
          same(
            values as Tensor,
            taken.flat().map((i) => x[i]!),
          );
          same(
            indices as unknown as Tensor,
            taken.flat().map((i) => i % length),
          );
        }
      }
    });
  });
});

it('sorts thirty thousand numbers', () => {
  withDefaultDevice(devices.wasm, () => {
    for (const dtype of ['float32', 'float64', 'int32'] as const) {
      const x = numbers(dtype, 30_000, false, 5);
      const sorted = Array.from(np.sort(tensor(x, dtype, [x.length])).dataSync() as Iterable<number>);
      const order = laid(orders([x], [x.length], 0, 1), [x.length], 0);
      expect(words(sorted)).toEqual(words(order.map((i) => x[i]!)));
    }
  });
});
