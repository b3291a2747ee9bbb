/** Reductions are what nested loops say, over any axes, positive or negative, kept or not. */

import fc from 'fast-check';
import { grad, np, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { arrays, at, build, type Dense, dense, indices, shapes, tensor } from './oracle.ts';

/** The elements that meet in one place of the result, in row-major order; `axes` are plain. */
function reduceBy(x: Dense, axes: readonly number[], keepdims: boolean, f: (xs: readonly number[]) => number): Dense {
  const kept = x.shape.map((n, i) => (axes.includes(i) ? 1 : n));
  const full = build(kept, (place) =>
    f(
      indices(x.shape).flatMap((index) =>
        kept.every((_, i) => axes.includes(i) || index[i] === place[i]) ? [at(x, index)] : [],
      ),
    ),
  );
  return keepdims ? full : { ...full, shape: x.shape.filter((_, i) => !axes.includes(i)) };
}

/** A dense array with some of its axes, as a user may write them. */
const cases = (empty: boolean) =>
  arrays(empty ? shapes() : shapes().map((s) => s.map((n) => Math.max(n, 1)))).chain((x) =>
    fc.tuple(
      fc.constant(x),
      fc.subarray([...x.shape.keys()]),
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      fc.boolean(),
      fc.constantFrom('list', 'single', 'all' as const),
    ),
  );

function written(x: Dense, axes: readonly number[], negative: readonly boolean[], how: string) {
  const list = axes.map((axis, i) => (negative[i] ? axis - x.shape.length : axis));
  if (how === 'all') return { axis: undefined, axes: [...x.shape.keys()] };
  if (how === 'single' && axes.length > 0) return { axis: list[0], axes: [axes[0]!] };
  return { axis: list, axes };
}

const reductions: Readonly<
  Record<
    string,
    readonly [
      (x: Tensor, axis: number[] | number | undefined, o: { keepdims: boolean }) => Tensor,
      (xs: readonly number[]) => number,
      boolean,
    ]
  >
> = {
  sum: [np.sum, (xs) => xs.reduce((a, b) => a + b, 0), true],
  mean: [np.mean, (xs) => Math.fround(xs.reduce((a, b) => a + b, 0) / xs.length), true],
  max: [np.max, (xs) => Math.max(...xs), false],
  min: [np.min, (xs) => Math.min(...xs), false],
  prod: [np.prod, (xs) => Math.fround(xs.reduce((a, b) => a * b, 1)), true],
  all: [np.all as never, (xs) => Number(xs.every((x) => x !== 0)), true],
  any: [np.any as never, (xs) => Number(xs.some((x) => x !== 0)), true],
};

describe('over any axes', () => {
  it.each(Object.entries(reductions))('%s', (_, [ours, theirs, empty]) => {
    fc.assert(
      fc.property(cases(empty), ([x, someAxes, negative, keepdims, how]) => {
        const { axis, axes } = written(x, someAxes, negative, how);
        expect(dense(ours(tensor(x), axis, { keepdims }))).toEqual(reduceBy(x, axes, keepdims, theirs));
      }),
    );
  });

  it.each([
    ['argmax', np.argmax, Math.max],
    ['argmin', np.argmin, Math.min],
  ] as const)('%s', (_, search, extremum) => {
    fc.assert(
      fc.property(cases(false), ([x, someAxes, negative, keepdims]) => {
        const axis = someAxes[0];
        const first = (xs: readonly number[]): number => xs.indexOf(extremum(...xs));
        const all = reduceBy(x, [...x.shape.keys()], keepdims, first);
        expect(dense(search(tensor(x), null, { keepdims }))).toEqual(all);
        if (axis === undefined) return;
        const one = negative[0] ? axis - x.shape.length : axis;
        expect(dense(search(tensor(x), one, { keepdims }))).toEqual(reduceBy(x, [axis], keepdims, first));
      }),
    );
  });
});

describe('var and std', () => {
  const variance = (xs: readonly number[], ddof: number): number => {
    const mean = xs.reduce((a, b) => a + b, 0) / xs.length;
    return xs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (xs.length - ddof);
  };

  it('are the mean square distance from the mean, and its root', () => {
    fc.assert(
      fc.property(cases(false), fc.nat(1), ([x, someAxes, negative, keepdims, how], ddof) => {
        const { axis, axes } = written(x, someAxes, negative, how);
        const count = axes.reduce((n, a) => n * x.shape[a]!, 1);
        if (count <= ddof) return;
        const wide = np.astype(tensor(x), 'float64');
        const ours = dense(np.var(wide, axis, { ddof, keepdims }));
        const theirs = reduceBy(x, axes, keepdims, (xs) => variance(xs, ddof));
        expect(ours.shape).toEqual(theirs.shape);
        ours.data.forEach((v, i) => expect(Math.abs(v - theirs.data[i]!)).toBeLessThan(1e-13));
        expect(dense(np.std(wide, axis, { ddof, keepdims })).data).toEqual(ours.data.map(Math.sqrt));
      }),
    );
  });

  it('do not cancel, and the derivative is 2(x − mean)/n', () => {
    const x = np.array([1e6, 1e6 + 1, 1e6 + 2]);
    expect(np.var(x).item()).toBe(Math.fround(2 / 3));
    expect(np.std(np.arange(4), 0, { ddof: 1 }).item()).toBeCloseTo(Math.sqrt(5 / 3), 6);
    const slope = grad((v: Tensor) => np.var(v))(np.array([1, 2, 6])).toArray() as number[];
    slope.forEach((s, i) => expect(s).toBeCloseTo((2 * ([1, 2, 6][i]! - 3)) / 3, 6));
    expect([np.var(np.array([7])).item(), np.var(np.zeros([0])).item()]).toEqual([0, Number.NaN]);
    expect(np.var(np.array([1]), 0, { ddof: 1 }).item()).toBeNaN();
  });
});

describe('extremes', () => {
  it('of integers reach the ends of the range', () => {
    const ints = np.array([-2147483648, 2147483647, 0], { dtype: 'int32' });
    const words = np.array([4294967295, 1, 0], { dtype: 'uint32' });
    expect([np.max(ints).item(), np.min(ints).item()]).toEqual([2147483647, -2147483648]);
    expect([np.max(words).item(), np.min(words).item()]).toEqual([4294967295, 0]);
  });

  it('of bool are "any" and "all"', () => {
    const x = np.array([
      [true, false],
      [true, true],
    ]);
    expect([np.max(x, 1).toArray(), np.min(x, 1).toArray()]).toEqual([
      [true, true],
      [false, true],
    ]);
  });

  it('NaN reaches the result; -0 is below 0', () => {
    const x = np.array([1, Number.NaN, 3]);
    expect([np.max(x).item(), np.min(x).item(), np.argmax(x).item()]).toEqual([Number.NaN, Number.NaN, 1]);
    expect(Object.is(np.min(np.array([0, -0])).item(), -0)).toBe(true);
    expect(Object.is(np.max(np.array([-0, 0])).item(), 0)).toBe(true);
  });

  it('of nothing is an error, of no elements at all too', () => {
    expect(() => np.max(np.zeros([0]))).toThrow('np.max: axis 0 of float32[0] is empty, and nothing has no max');
    expect(() => np.min(np.zeros([2, 0]), 1)).toThrow('np.min: axis 1 of float32[2,0] is empty');
    expect(() => np.argmax(np.zeros([0, 3]), 0)).toThrow('np.argmax: axis 0 of float32[0,3] is empty');
    expect(np.max(np.zeros([0, 3]), 1).shape).toEqual([0]);
    expect([np.sum(np.zeros([0])).item(), np.mean(np.zeros([0])).item()]).toEqual([0, Number.NaN]);
  });

  it('argmin finds the first NaN, all and any take NaN for true', () => {
    expect(np.argmin(np.array([1, Number.NaN, 0])).item()).toBe(1);
    expect(np.argmin(np.array([3, -0, 0])).item()).toBe(1);
    expect(() => np.argmin(np.zeros([0]))).toThrow(
      'np.argmin: axis 0 of float32[0] is empty, and nothing has no argmin',
    );
    expect([np.all(np.array([Number.NaN])).item(), np.any(np.array([0, -0])).item()]).toEqual([true, false]);
    expect([np.all(np.zeros([0])).item(), np.any(np.zeros([0])).item()]).toEqual([true, false]);
    expect(np.prod(np.array([65536, 65536, 3], { dtype: 'int32' })).item()).toBe(0);
    expect(np.prod(np.array([true, true])).dtype satisfies 'int32').toBe('int32');
  });

  it('ties share the derivative of a minimum', () => {
    expect(grad((x: Tensor) => np.min(x))(np.array([2, 1, 1])).toArray()).toEqual([0, 0.5, 0.5]);
  });
});

it('a mean of float32 does not overflow through its count, and integers are averaged as floats', () => {
  expect(np.mean(np.array([1, 2], { dtype: 'int32' })).item()).toBe(1.5);
  expect(np.mean(np.array([true, false, true, true])).item()).toBe(0.75);
  expect(np.mean(3).item()).toBe(3);
  expect(np.sum(true).item()).toBe(1);
});
