/** Sorting by several keys, and the largest elements, against the stable sort of JavaScript. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lowerings } from '../../backends/reference/lowering.ts';
import { dtypes } from '../../src/core/dtype.ts';
import { at, counting, expectElements, host, run, tensor } from './oracle.ts';

/** Ascending, NaN behind everything, zeros equal. */
const compare = (a: number, b: number): number =>
  Number.isNaN(a) || Number.isNaN(b) ? Number(Number.isNaN(a)) - Number(Number.isNaN(b)) : a < b ? -1 : a > b ? 1 : 0;

/** Few values, so that keys tie. */
const key = (length: number) =>
  fc
    .tuple(
      fc.constantFrom('int32', 'float32', 'float64', 'uint32', 'bool'),
      fc.array(fc.constantFrom(0, 1, 2, -0, NaN, 1), { minLength: length, maxLength: length }),
    )
    .map(([dtype, values]) =>
      host(
        dtype as 'int32',
        [length],
        dtype.startsWith('float') ? values : values.map((x) => (dtype === 'bool' ? Number(x > 0) : x || 0)),
      ),
    );

describe('sort', () => {
  it('compares the second key where the first is equal, and so on', () => {
    const cases = fc
      .nat({ max: 60 })
      .chain((n) => fc.tuple(fc.array(key(n), { minLength: 1, maxLength: 4 }), fc.nat({ max: 3 })));
    fc.assert(
      fc.property(cases, ([keys, count]) => {
        const numKeys = 1 + (count % keys.length);
        const length = keys[0]!.shape[0]!;
        const used = keys.slice(0, numKeys);
        const order = Array.from({ length }, (_, i) => i).sort(
          (i, j) => used.map(({ data }) => compare(data[i]!, data[j]!)).find((c) => c !== 0) ?? i - j,
        );
        const ins = [...keys, counting('int32', [length])];
        run(lowerings.sort, ins, ins, { dimension: 0, numKeys }).forEach((out, k) => {
          expectElements(out, [length], ([i]) => ins[k]!.data[order[i!]!]!);
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('top_k', () => {
  it('takes the largest, the first of equal ones in front, NaN before all', () => {
    const cases = fc
      .tuple(
        fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 3 }),
        fc.nat({ max: 6 }),
        fc.constantFrom(...dtypes),
      )
      .chain(([shape, k, dtype]) => fc.tuple(fc.constant(k % (shape.at(-1)! + 1)), tensor(dtype, shape)));
    fc.assert(
      fc.property(cases, ([k, x]) => {
        const shape = [...x.shape.slice(0, -1), k];
        const [values, indices] = run(
          lowerings.top_k,
          [x],
          [
            { shape, dtype: x.dtype },
            { shape, dtype: 'int32' },
          ],
          { k },
        );
        const order = (outer: readonly number[]): number[] => {
          const row = Array.from({ length: x.shape.at(-1)! }, (_, i) => i);
          return row.sort((i, j) => compare(at(x, [...outer, j]), at(x, [...outer, i])) || i - j);
        };
        expectElements(indices!, shape, (index) => order(index.slice(0, -1))[index.at(-1)!]!);
        expectElements(values!, shape, (index) =>
          at(x, [...index.slice(0, -1), order(index.slice(0, -1))[index.at(-1)!]!]),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('of a long row', () => {
    const data = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 331);
    const [values, indices] = run(
      lowerings.top_k,
      [host('float32', [1000], data)],
      [
        { shape: [5], dtype: 'float32' },
        { shape: [5], dtype: 'int32' },
      ],
      { k: 5 },
    );
    expect([...values!]).toEqual([330, 330, 330, 329, 329]);
    expect([...indices!].map((i) => data[i])).toEqual([...values!]);
    expect(indices![0]!).toBe(data.indexOf(330));
  });
});
