import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Lower, lowerings } from '../../backends/reference/lowering.ts';
import type { DType } from '../../src/core/dtype.ts';
import { agrees, anyDType, apply, element, floats, host, integers, rowsOf, run1 } from './oracle.ts';

/** max from its definition: NaN first, then order, then +0 before -0. */
const greater = (x: number, y: number): number => {
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  if (x === y) return Object.is(x, -0) ? y : x;
  return x > y ? x : y;
};
const lesser = (x: number, y: number): number => -greater(-x, -y);
const lesserInteger = (x: bigint, y: bigint): bigint => (x < y ? x : y);

describe('arithmetic', () => {
  it('add, sub, mul, neg round once, or wrap', () => {
    agrees(lowerings.add, 2, [...floats((x, y) => x! + y!), ...integers((x, y) => x! + y!)]);
    agrees(lowerings.sub, 2, [...floats((x, y) => x! - y!), ...integers((x, y) => x! - y!)]);
    agrees(lowerings.mul, 2, [...floats((x, y) => x! * y!), ...integers((x, y) => x! * y!)]);
    agrees(lowerings.neg, 1, [...floats((x) => -x!), ...integers((x) => -x!)]);
  });

  it('div of integers truncates, wraps, and by zero sets all bits', () => {
    agrees(lowerings.div, 2, [...floats((x, y) => x! / y!), ...integers((x, y) => (y === 0n ? -1n : x! / y!))]);
    const rows = [
      [-2147483648, -1],
      [7, 0],
      [-7, 2],
    ];
    expect([...apply(lowerings.div, 'int32', rows).out]).toEqual([-2147483648, -1, -3]);
    expect([...apply(lowerings.div, 'uint32', rows.slice(1, 2)).out]).toEqual([4294967295]);
  });

  it('max and min propagate NaN and order -0 before +0', () => {
    agrees(lowerings.max, 2, [...floats((x, y) => greater(x!, y!)), ['bool', (x, y) => (x! + y! > 0 ? 1 : 0)]]);
    agrees(lowerings.min, 2, [...floats((x, y) => lesser(x!, y!)), ['bool', (x, y) => (x! + y! === 2 ? 1 : 0)]]);
    agrees(lowerings.max, 2, [...integers((x, y) => -lesserInteger(-x!, -y!))]);
    agrees(lowerings.min, 2, [...integers((x, y) => lesserInteger(x!, y!))]);
  });

  it('abs and sign, of both zeros, NaN and the smallest integer', () => {
    const magnitude = (x: number) => (x < 0 || Object.is(x, -0) ? -x : x);
    agrees(lowerings.abs, 1, [...floats((x) => magnitude(x!)), ...integers((x) => (x! < 0n ? -x! : x!))]);
    const direction = (x: number) => (x > 0 ? 1 : x < 0 ? -1 : x);
    agrees(lowerings.sign, 1, [
      ...floats((x) => direction(x!)),
      ...integers((x) => (x! > 0n ? 1n : x! < 0n ? -1n : 0n)),
    ]);
    expect([...apply(lowerings.abs, 'int32', [[-2147483648], [-7]]).out]).toEqual([-2147483648, 7]);
    expect([...apply(lowerings.sign, 'float32', [[-0], [NaN], [-1e-45]]).out]).toEqual([-0, NaN, -1]);
  });

  it('rem has the sign of x; of integers x rem 0 is x', () => {
    agrees(
      lowerings.rem,
      2,
      integers((x, y) => (y === 0n ? x! : x! % y!)),
    );
    // Exact: on integers that doubles hold, what BigInt says.
    const whole = fc.integer({ min: -(2 ** 50), max: 2 ** 50 });
    fc.assert(
      fc.property(whole, whole, (x, y) => {
        const [out] = apply(lowerings.rem, 'float64', [[x / 8, y / 8]]).out;
        if (y === 0) expect(out).toBeNaN();
        else expect(out! + 0).toBe(Number(BigInt(x) % BigInt(y)) / 8 + 0);
        if (y !== 0) expect(Object.is(Math.sign(out!), -0) || out! < 0).toBe(x < 0 || Object.is(x, -0));
      }),
    );
    const rows = [
      [-3.5, 2],
      [3.5, -2],
      [-4, 2],
      [1, Infinity],
      [-1, Infinity],
      [Infinity, 1],
      [1, 0],
      [NaN, 1],
    ];
    expect([...apply(lowerings.rem, 'float32', rows).out]).toEqual([-1.5, 1.5, -0, 1, -1, NaN, NaN, NaN]);
    expect([
      ...apply(lowerings.rem, 'int32', [
        [-2147483648, -1],
        [-7, 2],
      ]).out,
    ]).toEqual([0, -1]);
  });

  it('clamp takes the bounds first and last; the upper wins', () => {
    const between = (low: number, x: number, high: number) => lesser(greater(x, low), high);
    agrees(
      lowerings.clamp,
      3,
      floats((low, x, high) => between(low!, x!, high!)),
    );
    const bounded = (low: bigint, x: bigint, high: bigint) => {
      const raised = x < low ? low : x;
      return raised > high ? high : raised;
    };
    agrees(
      lowerings.clamp,
      3,
      integers((low, x, high) => bounded(low!, x!, high!)),
    );
    expect([
      ...apply(lowerings.clamp, 'float32', [
        [0, -1, 2],
        [0, 3, 2],
        [0, 1, 2],
        [5, 1, 2],
      ]).out,
    ]).toEqual([0, 2, 1, 2]);
  });

  it('floor, ceil and round keep the sign of zero; halves go to the even neighbour', () => {
    const values = (lower: Lower<unknown>, xs: readonly number[]) => [
      ...apply(
        lower,
        'float64',
        xs.map((x) => [x]),
      ).out,
    ];
    const xs = [-2.5, -1.5, -0.5, -0.2, -0, 0, 0.5, 0.7, 1.5, 2.5, 0.49999999999999994, 2 ** 52 + 1, -(2 ** 52) + 0.5];
    expect(values(lowerings.floor, xs)).toEqual([-3, -2, -1, -1, -0, 0, 0, 0, 1, 2, 0, 2 ** 52 + 1, -(2 ** 52)]);
    expect(values(lowerings.ceil, xs)).toEqual([-2, -1, -0, -0, -0, 0, 1, 1, 2, 3, 1, 2 ** 52 + 1, -(2 ** 52) + 1]);
    expect(values(lowerings.round, xs)).toEqual([-2, -2, -0, -0, -0, 0, 0, 1, 2, 2, 0, 2 ** 52 + 1, -(2 ** 52)]);
    for (const lower of [lowerings.floor, lowerings.ceil, lowerings.round]) {
      expect(values(lower, [Infinity, -Infinity, NaN, 1e300])).toEqual([Infinity, -Infinity, NaN, 1e300]);
      fc.assert(
        fc.property(fc.double(), (x) => {
          const [y] = values(lower, [x]);
          if (Number.isFinite(x))
            expect(Number.isInteger(y) && Math.abs(y! - x) <= (lower === lowerings.round ? 0.5 : 1)).toBe(true);
        }),
      );
    }
    expect([...apply(lowerings.is_finite, 'float64', [[1e308], [-0], [NaN], [-Infinity]], 'bool').out]).toEqual([
      1, 1, 0, 0,
    ]);
  });

  it('integer_pow multiplies; x^0 is 1 and integers wrap', () => {
    const rows = fc.tuple(rowsOf('float64', 1), fc.integer({ min: -9, max: 9 }));
    fc.assert(
      fc.property(rows, ([rows, exponent]) => {
        const x = host('float64', [rows.length], rows.flat());
        const out = run1(lowerings.integer_pow, [x], x.shape, 'float64', { exponent });
        x.data.forEach((value, i) => {
          let power = 1;
          for (let n = 0; n < Math.abs(exponent); n++) power *= value;
          const expected = exponent < 0 ? 1 / power : power;
          // Where the product of the factors overflows, its reciprocal is 0, but the power may be a small number.
          const size = Math.abs(expected);
          if (size > 1e-290 && size < 1e290) expect(Math.abs(out[i]! / expected - 1)).toBeLessThan(4e-15);
          else if (size === 0) expect(Math.abs(out[i]!)).toBeLessThan(1e-290);
          else if (!Number.isFinite(expected)) expect(out[i]).toBe(expected);
        });
      }),
    );
    for (const dtype of ['int32', 'uint32'] as const) {
      fc.assert(
        fc.property(element(dtype), fc.nat(40), (value, exponent) => {
          const out = run1(lowerings.integer_pow, [host(dtype, [], [value])], [], dtype, { exponent });
          const wrap = dtype === 'int32' ? BigInt.asIntN : BigInt.asUintN;
          expect(out[0]).toBe(Number(wrap(32, BigInt(value) ** BigInt(exponent))));
        }),
      );
    }
    const zero = host('float32', [3], [0, NaN, Infinity]);
    expect([...run1(lowerings.integer_pow, [zero], [3], 'float32', { exponent: 0 })]).toEqual([1, 1, 1]);
  });

  it('computes scalars and empty tensors', () => {
    expect(run1(lowerings.add, [host('float32', [], [1]), host('float32', [], [2])], [], 'float32', {})[0]).toBe(3);
    const empty = host('float32', [0, 3], []);
    expect(run1(lowerings.add, [empty, empty], [0, 3], 'float32', {})).toHaveLength(0);
  });

  it('keeps float32 unrounded where the storage is double', () => {
    const third = host('float32', [2], [1 / 3, 0.1], 'float64');
    expect([...run1(lowerings.mul, [third, third], [2], 'float32', {}, 'float64')]).toEqual([1 / 3 / 3, 0.1 * 0.1]);
  });
});

describe('comparisons, select and casts', () => {
  const every: DType[] = ['bool', 'int32', 'uint32', 'float32', 'float64'];

  it('compare as numbers: NaN is unequal to all, zeros are equal', () => {
    // From the sign of the difference of the order, decided once, so that no operator of a kernel is its own oracle.
    const order = (x: number, y: number) =>
      Number.isNaN(x) || Number.isNaN(y) ? null : x === y ? 0 : Math.sign(x > y ? 1 : -1);
    const check = (lower: Lower<unknown>, holds: (order: -1 | 0 | 1 | null) => boolean) =>
      agrees(
        lower,
        2,
        every.map((dtype) => [dtype, (x, y) => (holds(order(x!, y!) as -1 | 0 | 1 | null) ? 1 : 0)] as const),
        'bool',
      );
    check(lowerings.eq, (o) => o === 0);
    check(lowerings.ne, (o) => o !== 0);
    check(lowerings.lt, (o) => o === -1);
    check(lowerings.le, (o) => o === -1 || o === 0);
    check(lowerings.gt, (o) => o === 1);
    check(lowerings.ge, (o) => o === 1 || o === 0);
  });

  it('select takes its branch element by element', () => {
    fc.assert(
      fc.property(
        anyDType.chain((dtype) => fc.tuple(fc.constant(dtype), rowsOf(dtype, 2))),
        fc.infiniteStream(fc.boolean()),
        ([dtype, rows], coins) => {
          const flags = rows.map(() => (coins.next().value ? 1 : 0));
          const shape = [rows.length];
          const [onTrue, onFalse] = [0, 1].map((i) =>
            host(
              dtype,
              shape,
              rows.map((row) => row[i]!),
            ),
          ) as [never, never];
          const out = run1(lowerings.select, [host('bool', shape, flags), onTrue, onFalse], shape, dtype, {});
          const pair: readonly [number, number][] = rows as never;
          const stored = host(
            dtype,
            shape,
            pair.map(([yes, no], i) => (flags[i] ? yes : no)),
          );
          expect(out).toStrictEqual(stored.data);
        },
      ),
    );
  });

  /** The cast of one stored element, in exact arithmetic. */
  const cast = (x: number, from: DType, to: DType): number => {
    if (to === 'bool') return Number.isNaN(x) || x < 0 || x > 0 ? 1 : 0;
    if (to === 'float32') return Math.fround(x);
    if (to === 'float64') return x;
    const [low, high] = to === 'int32' ? [-(2n ** 31n), 2n ** 31n - 1n] : [0n, 2n ** 32n - 1n];
    if (from === 'float32' || from === 'float64') {
      if (Number.isNaN(x)) return 0;
      if (!Number.isFinite(x)) return Number(x < 0 ? low : high);
      const whole = BigInt(Math.trunc(x));
      return Number(whole < low ? low : whole > high ? high : whole);
    }
    return Number((to === 'int32' ? BigInt.asIntN : BigInt.asUintN)(32, BigInt(x)));
  };

  it('convert_element_type truncates, saturates, wraps', () => {
    for (const from of every) {
      for (const to of every) agrees(lowerings.convert_element_type, 1, [[from, (x) => cast(x!, from, to)]], to);
    }
    const rows = [[-1.9], [NaN], [3e9], [-3e9], [1e10], [0.5]];
    const to = (dtype: DType) => [...apply(lowerings.convert_element_type, 'float64', rows, dtype).out];
    expect(to('int32')).toEqual([-1, 0, 2147483647, -2147483648, 2147483647, 0]);
    expect(to('uint32')).toEqual([0, 0, 3000000000, 0, 4294967295, 0]);
    expect(to('bool')).toEqual([1, 1, 1, 1, 1, 1]);
  });
});
