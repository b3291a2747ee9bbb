/** Elementwise functions broadcast as nested loops do, and mean what NumPy means by them. */

import fc from 'fast-check';
import { np, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { arrays, atBroadcast, broadcastableArrays, build, dense, meetShapes, shapes, tensor } from './oracle.ts';

const f32 = Math.fround;

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
};

describe('two operands broadcast as nested loops do', () => {
  it.each(Object.entries(binary))('%s', (_, [ours, theirs]) => {
    fc.assert(
      fc.property(broadcastableArrays(2), ([x, y]) => {
        const shape = meetShapes(x!.shape, y!.shape);
        const expected = build(shape, (i) => theirs(atBroadcast(x!, i), atBroadcast(y!, i)));
        expect(dense(ours(tensor(x!), tensor(y!)))).toEqual(expected);
      }),
    );
  });

  it.each(Object.entries(binary))('%s with a number on either side', (_, [ours, theirs]) => {
    const withNumber = ours as unknown as (x: Tensor | number, y: Tensor | number) => Tensor;
    fc.assert(
      fc.property(arrays(shapes()), fc.integer({ min: -8, max: 8 }), (x, n) => {
        expect(dense(withNumber(tensor(x), n)).data).toEqual(x.data.map((v) => theirs(v, n)));
        expect(dense(withNumber(n, tensor(x))).data).toEqual(x.data.map((v) => theirs(n, v)));
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
  const ints = np.array([7, -7, 0, -2147483648], { dtype: 'int32' });
  const words = np.array([7, 4294967295, 0, 2147483648], { dtype: 'uint32' });
  const bools = np.array([true, true, false, false]);
  const others = np.array([true, false, true, false]);

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

  it('a power must be a JS integer', () => {
    expect(() => np.power(np.ones([2]), 0.5)).toThrow('np.power: the exponent must be a JS integer, got 0.5');
    expect(() => np.power(np.arange(3), -1)).toThrow('np.power: int32 cannot hold the negative power -1');
  });
});
