import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lowerings } from '../../backends/reference/lowering.ts';
import type { DType } from '../../src/core/dtype.ts';
import { range, type Shape, without } from '../../src/core/shape.ts';
import { anyDType, anyShape, at, expectElements, type Host, host, indices, run1, tensor } from './oracle.ts';

/** The elements of `x` that are reduced into one output index. */
const group = (x: Host, axes: readonly number[], out: readonly number[]): number[] => {
  const kept = range(x.shape.length).filter((axis) => !axes.includes(axis));
  return indices(axes.map((axis) => x.shape[axis]!)).map((reduced) => {
    const index = new Array<number>(x.shape.length);
    kept.forEach((axis, i) => {
      index[axis] = out[i]!;
    });
    axes.forEach((axis, i) => {
      index[axis] = reduced[i]!;
    });
    return at(x, index);
  });
};

const reductions = (dtypes: fc.Arbitrary<DType>) =>
  fc
    .tuple(dtypes, fc.array(fc.nat(4), { maxLength: 5 }))
    .chain(([dtype, shape]) => fc.tuple(tensor(dtype, shape), fc.subarray(range(shape.length))));

describe('reduce_sum', () => {
  it('of integers wraps', () => {
    fc.assert(
      fc.property(reductions(fc.constantFrom('int32', 'uint32')), ([x, axes]) => {
        const wrap = x.dtype === 'int32' ? BigInt.asIntN : BigInt.asUintN;
        const shape = without(x.shape, axes);
        expectElements(run1(lowerings.reduce_sum, [x], shape, x.dtype, { axes }), shape, (index) =>
          Number(
            wrap(
              32,
              group(x, axes, index).reduce((sum, value) => sum + BigInt(value), 0n),
            ),
          ),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('of integers wraps even where the sum is no double', () => {
    const n = 2 ** 22;
    const x = { shape: [n], dtype: 'uint32', data: new Uint32Array(n).fill(4294967295) } as const;
    expect(run1(lowerings.reduce_sum, [x], [], 'uint32', { axes: [0] })[0]).toBe(2 ** 32 - n);
  });

  it('of floats is exact where the sum is a double, and rounded once', () => {
    // Multiples of 2^-20 below 2^20: every partial sum is a double, but not a float32.
    const cases = anyShape.chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.subarray(range(shape.length)),
        fc.infiniteStream(fc.integer({ min: -(2 ** 24) + 1, max: 2 ** 24 - 1 })),
        fc.constantFrom(2 ** -20, 2 ** -4),
      ),
    );
    fc.assert(
      fc.property(cases, ([shape, axes, stream, unit]) => {
        const size = shape.reduce((product, n) => product * n, 1);
        const values = Array.from({ length: size }, (_, i) => stream.next().value * (i % 3 === 0 ? unit : 2 ** -20));
        for (const precision of ['rounded', 'float64'] as const) {
          const x = host('float32', shape, values, precision);
          const kept = without(shape, axes);
          expectElements(run1(lowerings.reduce_sum, [x], kept, 'float32', { axes }, precision), kept, (index) =>
            // Added to +0, as a sum of nothing but -0 is +0.
            group(x, axes, index).reduce((sum, value) => sum + value, 0),
          );
        }
      }),
      { numRuns: 150 },
    );
  });

  it('does not round between runs of one element', () => {
    // Each operand alone is lost beside 2^24 in float32; two thousand of them are not.
    const x = host('float32', [2, 1000, 2, 1], [2 ** 24, ...new Array<number>(3999).fill(0.5)]);
    expect(run1(lowerings.reduce_sum, [x], [], 'float32', { axes: [0, 1, 2, 3] })[0]).toBe(
      Math.fround(2 ** 24 + 1999.5),
    );
    expect(run1(lowerings.reduce_sum, [x], [2, 1], 'float32', { axes: [0, 1] })[0]).toBe(Math.fround(2 ** 24 + 999.5));
  });

  it('of more sums than are kept as scratch', () => {
    const x = host(
      'float32',
      [3, 5000],
      Array.from({ length: 15000 }, (_, i) => i),
    );
    expectElements(run1(lowerings.reduce_sum, [x], [5000], 'float32', { axes: [0] }), [5000], ([i]) => 3 * i! + 15000);
  });

  it('of nothing is 0, and NaN and infinities follow IEEE', () => {
    const empty = host('float32', [0, 3], []);
    expect([...run1(lowerings.reduce_sum, [empty], [3], 'float32', { axes: [0] })]).toEqual([0, 0, 0]);
    const x = host('float64', [3, 2], [Infinity, 1, -Infinity, NaN, Infinity, 1]);
    expect([...run1(lowerings.reduce_sum, [x], [3], 'float64', { axes: [1] })]).toEqual([Infinity, NaN, Infinity]);
    expect([...run1(lowerings.reduce_sum, [x], [2], 'float64', { axes: [0] })]).toEqual([NaN, NaN]);
  });
});

describe('reduce_max', () => {
  const least = { bool: 0, int32: -2147483648, uint32: 0, float32: -Infinity, float64: -Infinity } as const;

  it('is the greatest element, NaN before all, -0 below +0', () => {
    fc.assert(
      fc.property(reductions(anyDType), ([x, axes]) => {
        const shape = without(x.shape, axes);
        expectElements(run1(lowerings.reduce_max, [x], shape, x.dtype, { axes }), shape, (index) => {
          const values = group(x, axes, index);
          if (values.some(Number.isNaN)) return NaN;
          // Sorting with the sign of zero as the second key.
          const sorted = values.toSorted((a, b) => a - b || Number(Object.is(b, -0)) - Number(Object.is(a, -0)));
          return sorted.at(-1) ?? least[x.dtype];
        });
      }),
      { numRuns: 500 },
    );
  });
});

describe('reduce_min', () => {
  const greatest = { bool: 1, int32: 2147483647, uint32: 4294967295, float32: Infinity, float64: Infinity } as const;

  it('is the least element, NaN before all, -0 below +0', () => {
    fc.assert(
      fc.property(reductions(anyDType), ([x, axes]) => {
        const shape = without(x.shape, axes);
        expectElements(run1(lowerings.reduce_min, [x], shape, x.dtype, { axes }), shape, (index) => {
          const values = group(x, axes, index);
          if (values.some(Number.isNaN)) return NaN;
          const sorted = values.toSorted((a, b) => a - b || Number(Object.is(b, -0)) - Number(Object.is(a, -0)));
          return sorted[0] ?? greatest[x.dtype];
        });
      }),
      { numRuns: 500 },
    );
  });
});

describe('reduce_prod', () => {
  it('of integers wraps', () => {
    fc.assert(
      fc.property(reductions(fc.constantFrom('int32', 'uint32')), ([x, axes]) => {
        const wrap = x.dtype === 'int32' ? BigInt.asIntN : BigInt.asUintN;
        const shape = without(x.shape, axes);
        expectElements(run1(lowerings.reduce_prod, [x], shape, x.dtype, { axes }), shape, (index) =>
          Number(
            wrap(
              32,
              group(x, axes, index).reduce((product, value) => product * BigInt(value), 1n),
            ),
          ),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('of floats is exact where the product is a double, and rounded once', () => {
    // Powers of 2 with a few factors of 3: every partial product is a double, but its exponent may be beyond float32.
    const factor = fc.constantFrom(0.5, 2, 2 ** 100, 2 ** -100, 3, -1, 1);
    const cases = fc
      .array(fc.nat(4), { maxLength: 4 })
      .filter((shape) => shape.reduce((a, b) => a * b, 1) <= 30)
      .chain((shape) => fc.tuple(fc.constant(shape), fc.subarray(range(shape.length)), fc.infiniteStream(factor)));
    fc.assert(
      fc.property(cases, ([shape, axes, stream]) => {
        const size = shape.reduce((product, n) => product * n, 1);
        const values = Array.from({ length: size }, (_, i) => (i > 8 ? 1 : stream.next().value));
        for (const precision of ['rounded', 'float64'] as const) {
          const x = host('float32', shape, values, precision);
          const kept = without(shape, axes);
          expectElements(run1(lowerings.reduce_prod, [x], kept, 'float32', { axes }, precision), kept, (index) =>
            group(x, axes, index).reduce((product, value) => product * value, 1),
          );
        }
      }),
      { numRuns: 300 },
    );
    const wide = host('float32', [3], [1e30, 1e30, 1e-30]);
    const [a, b, c] = wide.data;
    expect(run1(lowerings.reduce_prod, [wide], [], 'float32', { axes: [0] })[0]).toBe(Math.fround(a! * b! * c!));
  });
});

describe('reduce_and, reduce_or', () => {
  it('combine bits', () => {
    fc.assert(
      fc.property(reductions(fc.constantFrom('bool', 'int32', 'uint32')), ([x, axes]) => {
        const shape = without(x.shape, axes);
        const all = x.dtype === 'bool' ? 1n : 0xffffffffn;
        const back = (bits: bigint) => Number(x.dtype === 'int32' ? BigInt.asIntN(32, bits) : bits);
        const word = (value: number) => BigInt.asUintN(32, BigInt(value));
        expectElements(run1(lowerings.reduce_and, [x], shape, x.dtype, { axes }), shape, (index) =>
          back(group(x, axes, index).reduce((bits, value) => bits & word(value), all)),
        );
        expectElements(run1(lowerings.reduce_or, [x], shape, x.dtype, { axes }), shape, (index) =>
          back(group(x, axes, index).reduce((bits, value) => bits | word(value), 0n)),
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe.each([
  ['argmax', (other: number, value: number) => other <= value],
  ['argmin', (other: number, value: number) => other >= value],
] as const)('%s', (name, loses) => {
  it('is the first extremum, or the first NaN', () => {
    const cases = fc
      .tuple(
        anyDType,
        fc
          .array(fc.nat(4), { minLength: 1, maxLength: 4 })
          .chain((shape) => fc.tuple(fc.constant<Shape>(shape), fc.nat(shape.length - 1))),
      )
      .filter(([, [shape, axis]]) => shape[axis]! > 0)
      .chain(([dtype, [shape, axis]]) => fc.tuple(tensor(dtype, shape), fc.constant(axis)));
    fc.assert(
      fc.property(cases, ([x, axis]) => {
        const shape = without(x.shape, [axis]);
        expectElements(run1(lowerings[name], [x], shape, 'int32', { axis }), shape, (index) => {
          const values = group(x, [axis], index);
          const nan = values.findIndex(Number.isNaN);
          return nan >= 0 ? nan : values.findIndex((value) => values.every((other) => loses(other, value)));
        });
      }),
      { numRuns: 500 },
    );
  });
});
