/** Elementwise functions broadcast as nested loops do, and mean what NumPy means by them. */

import fc from 'fast-check';
import { np, referenceDevice, type Tensor, withDefaultDevice } from 'pullback';
import { describe, expect, it } from 'vitest';
import { arrays, atBroadcast, broadcastableArrays, build, dense, meetShapes, shapes, tensor } from './oracle.ts';

const f32 = Math.fround;

const ints = np.array([7, -7, 0, -2147483648], { dtype: 'int32' });
const words = np.array([7, 4294967295, 0, 2147483648], { dtype: 'uint32' });
const bools = np.array([true, true, false, false]);
const others = np.array([true, false, true, false]);

const binary: Readonly<
  Record<string, readonly [(x: Tensor, y: Tensor) => Tensor<'float32' | 'bool'>, (x: number, y: number) => number]>
> = {
  add: [np.add, (x, y) => x + y],
  sub: [np.sub, (x, y) => x - y],
  mul: [np.mul, (x, y) => x * y],
  div: [np.div, (x, y) => f32(x / y)],
  maximum: [np.maximum, (x, y) => Math.max(x, y)],
  minimum: [np.minimum, (x, y) => Math.min(x, y)],
  equal: [np.equal, (x, y) => Number(x === y)],
  notEqual: [np.notEqual, (x, y) => Number(x !== y)],
  less: [np.less, (x, y) => Number(x < y)],
  lessEqual: [np.lessEqual, (x, y) => Number(x <= y)],
  greater: [np.greater, (x, y) => Number(x > y)],
  greaterEqual: [np.greaterEqual, (x, y) => Number(x >= y)],
  logicalAnd: [np.logicalAnd, (x, y) => Number(x !== 0 && y !== 0)],
  logicalOr: [np.logicalOr, (x, y) => Number(x !== 0 || y !== 0)],
  logicalXor: [np.logicalXor, (x, y) => Number((x !== 0) !== (y !== 0))],
  mod: [(x, y) => np.add(np.mod(x, y), 0), (x, y) => x - y * Math.floor(x / y) + 0],
  remainder: [(x, y) => np.add(np.remainder(x, y), 0), (x, y) => x - y * Math.floor(x / y) + 0],
  fmod: [(x, y) => np.add(np.fmod(x, y), 0), (x, y) => x - y * Math.trunc(x / y) + 0],
  arctan2: [np.arctan2, (y, x) => f32(Math.atan2(y, x))],
  isclose: [np.isclose, (x, y) => Number(Math.abs(x - y) <= 1e-8 + 1e-5 * Math.abs(y))],
};

/** How many units in the last place a device may be off where it is not exact, by the table of DESIGN; the reference device is not. */
const units: Readonly<Record<string, number>> = { arctan2: 4 };

/** `found` as `expected`, where it is within the units of its row. */
const settled = (name: string, found: readonly number[], expected: readonly number[]): readonly number[] =>
  found.map((x, i) => (Math.abs(x - expected[i]!) <= (units[name] ?? 0) * unit(expected[i]!) ? expected[i]! : x));

/** The distance from the float32 `x` to the next one. */
const unit = (x: number): number => 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -126) - 23);

describe('two operands broadcast as nested loops do', () => {
  it.each(Object.entries(binary))('%s', (name, [ours, theirs]) => {
    fc.assert(
      fc.property(broadcastableArrays(2), ([x, y]) => {
        const shape = meetShapes(x!.shape, y!.shape);
        const expected = build(shape, (i) => theirs(atBroadcast(x!, i), atBroadcast(y!, i)));
        const found = dense(ours(tensor(x!), tensor(y!)));
        expect({ ...found, data: settled(name, found.data, expected.data) }).toEqual(expected);
      }),
    );
  });

  it('arctan2 to the last bit on the reference device', () => {
    withDefaultDevice(referenceDevice(), () => {
      const sides = Array.from({ length: 17 }, (_, i) => i - 8);
      const [y, x] = [tensor({ shape: [17, 1], data: sides }), tensor({ shape: [17], data: sides })];
      expect(dense(np.arctan2(y, x)).data).toEqual(sides.flatMap((a) => sides.map((b) => f32(Math.atan2(a, b)))));
    });
  });

  it.each(Object.entries(binary))('%s with a number on either side', (name, [ours, theirs]) => {
    const withNumber = ours as unknown as (x: Tensor | number, y: Tensor | number) => Tensor;
    fc.assert(
      fc.property(arrays(shapes()), fc.integer({ min: -8, max: 8 }), (x, n) => {
        for (const [found, expected] of [
          [withNumber(tensor(x), n), x.data.map((v) => theirs(v, n))],
          [withNumber(n, tensor(x)), x.data.map((v) => theirs(n, v))],
        ] as const)
          expect(settled(name, dense(found).data, expected)).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  it('where takes all three', () => {
    fc.assert(
      fc.property(broadcastableArrays(3), ([c, x, y]) => {
        const shape = meetShapes(c!.shape, x!.shape, y!.shape);
        const expected = build(shape, (i) => (atBroadcast(c!, i) !== 0 ? atBroadcast(x!, i) : atBroadcast(y!, i)));
        expect(dense(np.where(tensor(c!), tensor(x!), tensor(y!)))).toEqual(expected);
        expect(dense(np.where(np.notEqual(tensor(c!), 0), tensor(x!), tensor(y!)))).toEqual(expected);
      }),
    );
  });
});

describe('one operand', () => {
  const unary: Readonly<Record<string, readonly [(x: Tensor) => Tensor<'float32' | 'bool'>, (x: number) => number]>> = {
    neg: [np.neg, (x) => -x],
    square: [np.square, (x) => x * x],
    reciprocal: [np.reciprocal, (x) => f32(1 / x)],
    sqrt: [np.sqrt, (x) => f32(Math.sqrt(x))],
    cbrt: [np.cbrt, (x) => f32(Math.cbrt(x))],
    exp2: [np.exp2, (x) => f32(2 ** x)],
    expm1: [np.expm1, (x) => f32(Math.expm1(x))],
    log2: [np.log2, (x) => f32(Math.log2(x))],
    log10: [np.log10, (x) => f32(f32(Math.log(x)) / f32(Math.LN10))],
    log1p: [np.log1p, (x) => f32(Math.log1p(x))],
    tan: [np.tan, (x) => f32(Math.tan(x))],
    arcsin: [np.arcsin, (x) => f32(Math.asin(x))],
    arccos: [np.arccos, (x) => f32(Math.acos(x))],
    arctan: [np.arctan, (x) => f32(Math.atan(x))],
    sinh: [np.sinh, (x) => f32(Math.sinh(x))],
    cosh: [np.cosh, (x) => f32(Math.cosh(x))],
    arcsinh: [np.arcsinh, (x) => f32(Math.asinh(x))],
    arccosh: [np.arccosh, (x) => f32(Math.acosh(x))],
    arctanh: [np.arctanh, (x) => f32(Math.atanh(x))],
    abs: [np.abs, (x) => (x < 0 ? -x : x)],
    sign: [np.sign, (x) => Number(x > 0) - Number(x < 0)],
    floor: [np.floor, Math.floor],
    ceil: [np.ceil, Math.ceil],
    trunc: [np.trunc, Math.trunc],
    isfinite: [np.isfinite, () => 1],
    isnan: [np.isnan, () => 0],
    isinf: [np.isinf, () => 0],
    exp: [np.exp, (x) => f32(Math.exp(x))],
    log: [np.log, (x) => f32(Math.log(x))],
    tanh: [np.tanh, (x) => f32(Math.tanh(x))],
    sin: [np.sin, (x) => f32(Math.sin(x))],
    cos: [np.cos, (x) => f32(Math.cos(x))],
    logicalNot: [np.logicalNot, (x) => Number(x === 0)],
    'power 3': [(x) => np.power(x, 3), (x) => x ** 3],
    'power 0': [(x) => np.power(x, 0), () => 1],
    'power -2': [(x) => np.power(x, -2), (x) => f32(1 / (x * x))],
  };
  it.each(Object.entries(unary))('%s', (_, [ours, theirs]) => {
    fc.assert(
      fc.property(arrays(shapes()), (x) => {
        const { shape, data } = dense(ours(tensor(x)));
        expect(shape).toEqual(x.shape);
        const wanted = x.data.map(theirs);
        // One ulp of float32 for transcendentals, exact for the others and for specials.
        data.forEach((v, i) => {
          const w = wanted[i]!;
          if (Number.isFinite(w) && w !== 0) expect(Math.abs(v - w)).toBeLessThanOrEqual(Math.abs(w) * 2 ** -23);
          else expect(v === 0 ? 0 : v).toBe(w === 0 ? 0 : w);
        });
      }),
    );
  });
});

describe('integers and bool', () => {
  it('arithmetic of integers wraps, and true division leaves them', () => {
    expect(np.add(words, 1).toArray()).toEqual([8, 0, 1, 2147483649]);
    expect(np.sub(ints, 1).toArray()).toEqual([6, -8, -1, 2147483647]);
    expect(np.mul(ints, np.array(65536, { dtype: 'int32' })).toArray()).toEqual([458752, -458752, 0, 0]);
    expect(np.neg(ints).toArray()).toEqual([-7, 7, 0, -2147483648]);
    expect(np.div(ints, 2).toArray()).toEqual([3.5, -3.5, 0, -1073741824]);
    expect(np.div(ints, 2).dtype).toBe('float32');
    expect(np.power(ints, 2).toArray()).toEqual([49, 49, 0, 0]);
    expect(np.exp(np.zeros([1], { dtype: 'int32' })).toArray()).toEqual([1]);
  });

  it('bool adds as "or" and multiplies as "and"', () => {
    expect(np.add(bools, others).toArray()).toEqual([true, true, true, false]);
    expect(np.mul(bools, others).toArray()).toEqual([true, false, false, false]);
    expect(np.maximum(bools, others).toArray()).toEqual([true, true, true, false]);
    expect(np.minimum(bools, others).toArray()).toEqual([true, false, false, false]);
    expect(np.div(bools, true).toArray()).toEqual([1, 1, 0, 0]);
    expect(np.add(bools, 1).toArray()).toEqual([2, 2, 1, 1]);
    expect(np.power(bools, 2).dtype).toBe('float32');
    expect(() => np.sub(bools, others)).toThrow('np.sub: needs a numeric dtype, got bool[4]');
    expect(() => np.neg(bools)).toThrow('np.neg: needs a numeric dtype, got bool[4]');
    expect(() => np.square(bools)).toThrow('np.square: needs a numeric dtype, got bool[4]');
  });

  it('bit by bit', () => {
    expect(np.bitwiseAnd(ints, 6).toArray()).toEqual([6, 0, 0, 0]);
    expect(np.bitwiseOr(ints, 1).toArray()).toEqual([7, -7, 1, -2147483647]);
    expect(np.bitwiseXor(ints, -1).toArray()).toEqual([-8, 6, -1, 2147483647]);
    expect(np.bitwiseNot(words).toArray()).toEqual([4294967288, 0, 4294967295, 2147483647]);
    expect(np.bitwiseNot(bools).toArray()).toEqual([false, false, true, true]);
    expect(np.bitwiseXor(bools, others).toArray()).toEqual([false, true, true, false]);
    expect(np.leftShift(ints, 31).toArray()).toEqual([-2147483648, -2147483648, 0, 0]);
    expect(np.rightShift(ints, 1).toArray()).toEqual([3, -4, 0, -1073741824]);
    expect(np.rightShift(words, 1).toArray()).toEqual([3, 2147483647, 0, 1073741824]);
    expect(np.leftShift(words, np.array([32, 40, 1, 1], { dtype: 'uint32' })).toArray()).toEqual([0, 0, 0, 0]);
    expect(() => np.bitwiseAnd(1, 2)).toThrow('np.bitwiseAnd: needs bool or an integer dtype, got float32[]');
    expect(() => np.leftShift(bools, others)).toThrow('np.leftShift: needs an integer dtype, got bool[4]');
  });

  it('truth is what differs from 0, NaN included', () => {
    expect(np.logicalNot(np.array([0, -0, Number.NaN, 2])).toArray()).toEqual([true, true, false, false]);
    expect(np.logicalAnd(1, true).item()).toBe(true);
  });
});

describe('special values', () => {
  it('maximum and minimum let NaN through and order -0 below 0', () => {
    const x = np.array([Number.NaN, 1, -0, 0]);
    const y = np.array([1, Number.NaN, 0, -0]);
    expect(np.maximum(x, y).toArray()).toEqual([Number.NaN, Number.NaN, 0, 0]);
    expect(np.minimum(x, y).toArray()).toEqual([Number.NaN, Number.NaN, -0, -0]);
  });

  it('powers: numbers, tensors, bools; of integers only what they can hold', () => {
    expect(np.power(np.array([4, 9]), 0.5).toArray()).toEqual([2, 3]);
    expect(np.power(2, np.array([-1, 10])).toArray()).toEqual([0.5, 1024]);
    expect(np.power(2, 0.5).item()).toBe(f32(Math.SQRT2));
    expect(np.power(np.array([-2, -2, 0]), np.array([3, 2, 0])).toArray()).toEqual([-8, 4, 1]);
    expect(np.power(ints, np.array([2, 3, 0, 1], { dtype: 'int32' })).toArray()).toEqual([49, -343, 1, -2147483648]);
    expect(np.power(np.array([1, -1, 5, 0], { dtype: 'int32' }), np.array(-1, { dtype: 'int32' })).toArray()).toEqual([
      1, -1, 0, -1,
    ]);
    expect(np.power(bools, others).toArray()).toEqual([1, 1, 0, 1]);
    expect(np.power(bools, others).dtype satisfies 'int32').toBe('int32');
    expect(np.power(np.arange(3), np.array([0.5, 1, 2])).dtype).toBe('float32');
    expect(() => np.power(np.arange(3), 0.5)).toThrow(
      'np.power: the number 0.5 is not an integer, but beside int32[3]',
    );
    expect(() => np.power(np.arange(3), -1)).toThrow('np.power: int32 cannot hold the negative power -1');
  });

  it('mod has the sign of the divisor, fmod that of the dividend', () => {
    const x = np.array([7, -7, 7, -7, 5]);
    const y = np.array([3, 3, -3, -3, Number.POSITIVE_INFINITY]);
    expect(np.mod(x, y).toArray()).toEqual([1, 2, -2, -1, 5]);
    expect(np.fmod(x, y).toArray()).toEqual([1, -1, 1, -1, 5]);
    expect(np.mod(-5, Number.POSITIVE_INFINITY).item()).toBe(Number.POSITIVE_INFINITY);
    expect(
      np.mod(np.array([-7, 7, 7], { dtype: 'int32' }), np.array([3, -3, 0], { dtype: 'int32' })).toArray(),
    ).toEqual([2, -2, 7]);
    expect(np.mod(np.array([1]), 0).item()).toBeNaN();
  });

  it('round to decimals, halves to even, whole numbers exactly', () => {
    expect(np.round(np.array([0.5, 1.5, 2.5, -0.5, -1.5])).toArray()).toEqual([0, 2, 2, -0, -2]);
    expect(np.round(np.array([1.25, 1.75, 3e38, Number.NaN, -Infinity]), 1).toArray()).toEqual([
      f32(1.2),
      f32(1.8),
      f32(3e38),
      Number.NaN,
      -Infinity,
    ]);
    expect(np.round(np.array([1250, 1350, -1250]), -2).toArray()).toEqual([1200, 1400, -1200]);
    const whole = fc.integer({ min: -(2 ** 31) + 1000, max: 2 ** 31 - 1001 });
    fc.assert(
      fc.property(whole, fc.constantFrom(1, 2, 3), (n, digits) => {
        const unit = 10 ** digits;
        const quotient = n / unit;
        const [below, above] = [Math.floor(quotient) * unit, Math.ceil(quotient) * unit];
        const even = (below / unit) % 2 === 0 ? below : above;
        const expected = n - below === above - n ? even : n - below < above - n ? below : above;
        expect(np.round(np.array([n], { dtype: 'int32' }), -digits).item() + 0).toBe(expected + 0);
      }),
    );
    expect(np.round(np.array([4294967295], { dtype: 'uint32' }), -11).item()).toBe(0);
    const ends = np.array([2147483647, -2147483648, 2147483644], { dtype: 'int32' });
    expect(np.round(ends, -1).toArray()).toEqual([2147483640, -2147483640, 2147483640]);
    expect(np.round(ends, -9).toArray()).toEqual([2e9, -2e9, 2e9]);
    const last = np.array([4294967295, 4294967294, 5], { dtype: 'uint32' });
    expect(np.round(last, -1).toArray()).toEqual([4294967290, 4294967290, 0]);
    expect(np.round(last, -2).toArray()).toEqual([4294967200, 4294967200, 0]);
    expect(np.round(ints, 3).toArray()).toEqual(ints.toArray());
    expect(np.round(np.array([true])).dtype satisfies 'float32').toBe('float32');
    expect(() => np.round(1, 0.5)).toThrow(
      'np.round: the number of decimals must be an integer from -37 to 37, got 0.5',
    );
  });

  it('integers are whole and finite', () => {
    for (const f of [np.floor, np.ceil, np.trunc]) {
      expect(f(ints).toArray()).toEqual(ints.toArray());
      expect(f(ints).dtype satisfies 'int32').toBe('int32');
      expect(f(bools).dtype satisfies 'float32').toBe('float32');
    }
    expect([np.isfinite(ints), np.isnan(ints), np.isinf(words)].map((x) => np.any(x).item())).toEqual([
      true,
      false,
      false,
    ]);
    const odd = np.array([Number.NaN, Infinity, -Infinity, 1]);
    expect(np.isfinite(odd).toArray()).toEqual([false, false, false, true]);
    expect(np.isnan(odd).toArray()).toEqual([true, false, false, false]);
    expect(np.isinf(odd).toArray()).toEqual([false, true, true, false]);
    expect(np.trunc(np.array([-1.7, -0.5, 1.7])).toArray()).toEqual([-1, -0, 1]);
    expect([np.abs(ints).toArray(), np.sign(words).toArray()]).toEqual([
      [7, 7, 0, -2147483648],
      [1, 1, 0, 1],
    ]);
    expect(() => np.abs(bools)).toThrow('np.abs: needs a numeric dtype, got bool[4]');
  });

  it('clip with one bound, two, crossed, and NaN', () => {
    const x = np.array([-2, 0.5, 3, Number.NaN]);
    expect(np.clip(x, -1, 1).toArray()).toEqual([-1, 0.5, 1, Number.NaN]);
    expect(np.clip(x, null, 1).toArray()).toEqual([-2, 0.5, 1, Number.NaN]);
    expect(np.clip(x, 0).toArray()).toEqual([0, 0.5, 3, Number.NaN]);
    expect(np.clip(np.array([0, 9]), 5, 1).toArray()).toEqual([1, 1]);
    expect(np.clip(ints, -1, 5).toArray()).toEqual([5, -1, 0, -1]);
    expect(np.clip(ints, 0, np.array(2.5)).dtype satisfies 'float32').toBe('float32');
    expect(() => np.clip(ints, 0.5, 1)).toThrow('np.clip: the number 0.5 is not an integer');
  });

  it('isclose and allclose: relative to the second, infinities to themselves, NaN if asked', () => {
    const inf = Number.POSITIVE_INFINITY;
    const x = np.array([1, 1, inf, inf, inf, Number.NaN, 0]);
    const y = np.array([1.000009, 1.1, inf, -inf, 1, Number.NaN, 1e-9]);
    expect(np.isclose(x, y).toArray()).toEqual([true, false, true, false, false, false, true]);
    expect(np.isclose(x, y, { equalNan: true }).toArray()).toEqual([true, false, true, false, false, true, true]);
    expect(np.isclose(np.array([100, 1]), 110, { rtol: 0.1, atol: 0 }).toArray()).toEqual([true, false]);
    expect(np.allclose(x, x).item()).toBe(false);
    expect(np.allclose(x, x, { equalNan: true }).item()).toBe(true);
    expect(np.allclose(np.array([1, 2], { dtype: 'int32' }), np.array([[1], [1]])).item()).toBe(false);
  });
});
