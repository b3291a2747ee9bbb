import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DotParams } from '../../backends/reference/dot.ts';
import { lowerings } from '../../backends/reference/lowering.ts';
import type { DType } from '../../src/core/dtype.ts';
import { range, sizeOf } from '../../src/core/shape.ts';
import { at, expectElements, type Host, host, indices, type Precision, run1 } from './oracle.ts';

/** Which kind of axis, and its length; both operands have the batch and contracting ones, in orders of their own. */
const contraction = fc
  .record({
    batch: fc.array(fc.nat(3), { maxLength: 2 }),
    lhsFree: fc.array(fc.nat(5), { maxLength: 2 }),
    rhsFree: fc.array(fc.nat(5), { maxLength: 2 }),
    contracting: fc.array(fc.nat(4), { maxLength: 2 }),
  })
  .chain((sizes) => {
    const shuffled = (free: readonly number[]) => {
      const rank = sizes.batch.length + free.length + sizes.contracting.length;
      return fc.shuffledSubarray(range(rank), { minLength: rank });
    };
    return fc.record({
      sizes: fc.constant(sizes),
      lhs: shuffled(sizes.lhsFree),
      rhs: shuffled(sizes.rhsFree),
      dtype: fc.constantFrom<DType>('float32', 'float64', 'int32', 'uint32'),
      precision: fc.constantFrom<Precision>('rounded', 'float64'),
    });
  });

/** An operand whose batch, free and contracting axes lie at `places` in that order. */
function operand(groups: readonly (readonly number[])[], places: readonly number[], value: (i: number) => number) {
  const lengths = groups.flat();
  const shape = new Array<number>(lengths.length);
  lengths.forEach((n, i) => {
    shape[places[i]!] = n;
  });
  const [batch, free] = [groups[0]!.length, groups[1]!.length];
  const axes = {
    batch: places.slice(0, batch),
    // The result lists free axes in the operand's order.
    free: places.slice(batch, batch + free).toSorted((a, b) => a - b),
    contracting: places.slice(batch + free),
  };
  return { shape, axes, values: range(sizeOf(shape)).map(value) };
}

const element = (x: Host, places: readonly (readonly [readonly number[], readonly number[]])[]): number => {
  const index = new Array<number>(x.shape.length);
  for (const [axes, values] of places) {
    axes.forEach((axis, i) => {
      index[axis] = values[i]!;
    });
  }
  return at(x, index);
};

describe('dot_general', () => {
  it('is the sum over contracted axes, for any order of axes', () => {
    fc.assert(
      fc.property(contraction, ({ sizes, lhs, rhs, dtype, precision }) => {
        const { batch, lhsFree, rhsFree, contracting } = sizes;
        const big = dtype === 'int32' || dtype === 'uint32' ? 2 ** 20 + 7 : 1;
        const l = operand([batch, lhsFree, contracting], lhs, (i) => (((i * 7) % 11) - 5) * big);
        const r = operand([batch, rhsFree, contracting], rhs, (i) => (((i * 5) % 13) - 6) * big);
        const x = host(dtype, l.shape, l.values, precision);
        const y = host(dtype, r.shape, r.values, precision);
        const params: DotParams = {
          lhsBatch: l.axes.batch,
          lhsContracting: l.axes.contracting,
          rhsBatch: r.axes.batch,
          rhsContracting: r.axes.contracting,
        };
        const shape = [...batch, ...l.axes.free.map((a) => l.shape[a]!), ...r.axes.free.map((a) => r.shape[a]!)];
        const out = run1(lowerings.dot_general, [x, y], shape, dtype, params, precision);
        expectElements(out, shape, (index) => {
          const b = index.slice(0, batch.length);
          const m = index.slice(batch.length, batch.length + lhsFree.length);
          const n = index.slice(batch.length + lhsFree.length);
          let sum = 0n;
          for (const k of indices(contracting)) {
            const left = element(x, [
              [l.axes.batch, b],
              [l.axes.free, m],
              [l.axes.contracting, k],
            ]);
            const right = element(y, [
              [r.axes.batch, b],
              [r.axes.free, n],
              [r.axes.contracting, k],
            ]);
            sum += BigInt(left) * BigInt(right);
          }
          if (dtype === 'int32') return Number(BigInt.asIntN(32, sum));
          return Number(dtype === 'uint32' ? BigInt.asUintN(32, sum) : sum);
        });
      }),
      { numRuns: 400 },
    );
  });

  const matrix = (rows: number, columns: number, transposed: boolean, seed: number): Host => {
    const shape = transposed ? [columns, rows] : [rows, columns];
    return host(
      'float32',
      shape,
      range(rows * columns).map((i) => Math.sin(i * 12.9898 + seed) * 43.7),
    );
  };

  /** Rounded once: the double sum in order of k, then one float32. */
  const product = (m: number, n: number, k: number, left: boolean, right: boolean, precision: Precision) => {
    const round = (x: Host): Host => host('float32', x.shape, x.data, precision);
    const x = round(matrix(m, k, left, 1));
    const y = round(matrix(k, n, right, 2));
    const params = { lhsBatch: [], rhsBatch: [], lhsContracting: [left ? 0 : 1], rhsContracting: [right ? 1 : 0] };
    const out = run1(lowerings.dot_general, [x, y], [m, n], 'float32', params, precision);
    expectElements(out, [m, n], ([i, j]) => {
      let sum = 0;
      for (let s = 0; s < k; s++) {
        sum += x.data[left ? s * m + i! : i! * k + s]! * y.data[right ? j! * k + s : s * n + j!]!;
      }
      return sum;
    });
  };

  it('in packed panels, with every remainder of the tile and every transposition', () => {
    const sides = fc.integer({ min: 1, max: 21 });
    const inner = fc.oneof(fc.nat(9), fc.integer({ min: 10, max: 70 }));
    fc.assert(
      fc.property(sides, sides, inner, fc.boolean(), fc.boolean(), fc.boolean(), (m, n, k, left, right, double) => {
        product(m, n, k, left, right, double ? 'float64' : 'rounded');
      }),
      { numRuns: 300 },
    );
  });

  it('in several blocks of rows and of columns', () => {
    product(70, 9, 1500, false, false, 'rounded');
    product(6, 14, 180000, true, true, 'rounded');
  });

  it('of a vector and a matrix, either way round and either way up', () => {
    for (const transposed of [false, true]) {
      product(1, 50, 40, false, transposed, 'rounded');
      product(50, 1, 40, transposed, false, 'rounded');
      product(3, 50, 40, true, transposed, 'float64');
      product(50, 2, 40, transposed, true, 'rounded');
    }
  });

  it('batched in panels', () => {
    const [b, m, n, k] = [3, 9, 10, 11];
    const x = host(
      'float32',
      [m, b, k],
      range(b * m * k).map((i) => ((i * 31) % 17) - 8),
    );
    const y = host(
      'float32',
      [k, n, b],
      range(b * n * k).map((i) => ((i * 29) % 19) - 9),
    );
    const params = { lhsBatch: [1], rhsBatch: [2], lhsContracting: [2], rhsContracting: [0] };
    const out = run1(lowerings.dot_general, [x, y], [b, m, n], 'float32', params);
    expectElements(out, [b, m, n], ([c, i, j]) =>
      range(k).reduce((sum, s) => sum + at(x, [i!, c!, s]) * at(y, [s, j!, c!]), 0),
    );
  });

  it('keeps infinities and NaN where they belong, also beside the padding of a panel', () => {
    const [m, n, k] = [5, 6, 40];
    const values = new Array<number>(m * k).fill(1);
    values[4 * k] = Infinity;
    const weights = new Array<number>(k * n).fill(1);
    weights[5] = NaN;
    const params = { lhsBatch: [], rhsBatch: [], lhsContracting: [1], rhsContracting: [0] };
    const ins = [host('float32', [m, k], values), host('float32', [k, n], weights)];
    const out = run1(lowerings.dot_general, ins, [m, n], 'float32', params);
    expectElements(out, [m, n], ([i, j]) => (j === 5 ? NaN : i === 4 ? Infinity : k));
  });

  it('over an empty axis is 0', () => {
    const params = { lhsBatch: [], rhsBatch: [], lhsContracting: [1], rhsContracting: [0] };
    const ins = [host('float32', [8, 0], []), host('float32', [0, 9], [])];
    expect([...run1(lowerings.dot_general, ins, [8, 9], 'float32', params)]).toEqual(new Array(72).fill(0));
  });
});
