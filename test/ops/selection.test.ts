/** What selects, counts and ranks, against NumPy's answers; and with a size under `jit`, as jax.numpy has it. */
import { readFileSync } from 'node:fs';
import * as t from 'io-ts';
import { grad, jit, np, type Tensor, vjp, vmap } from 'pullback';
import { describe, expect, it } from 'vitest';

const element = t.union([t.number, t.keyof({ NaN: null, Infinity: null, '-Infinity': null })]);
const HostArray = t.type({ shape: t.array(t.number), of: t.array(element) });
type HostArray = t.TypeOf<typeof HostArray>;
const axis = t.union([t.number, t.null, t.array(t.number)]);
const Cases = t.type({
  along: t.array(
    t.intersection([
      t.type({ x: HostArray, indices: HostArray, axis: t.number, take: HostArray }),
      t.partial({ values: HostArray, put: HostArray }),
    ]),
  ),
  nonzero: t.array(
    t.type({
      x: HostArray,
      nonzero: t.array(HostArray),
      argwhere: HostArray,
      condition: HostArray,
      axis: t.number,
      compress: HostArray,
    }),
  ),
  unique: t.array(
    t.type({ x: HostArray, values: HostArray, indices: HostArray, inverse: HostArray, counts: HostArray }),
  ),
  search: t.array(
    t.type({
      a: HostArray,
      v: HostArray,
      left: HostArray,
      right: HostArray,
      bins: HostArray,
      x: HostArray,
      digitize: HostArray,
      digitizeRight: HostArray,
    }),
  ),
  bincount: t.array(
    t.type({ x: HostArray, weights: HostArray, minlength: t.number, counts: HostArray, weighted: HostArray }),
  ),
  quantile: t.array(
    t.type({
      x: HostArray,
      q: t.number,
      axis,
      method: t.keyof({ linear: null, lower: null, higher: null, midpoint: null, nearest: null }),
      keepdims: t.boolean,
      quantile: HostArray,
      row: HostArray,
      median: HostArray,
    }),
  ),
});
const decoded = Cases.decode(
  JSON.parse(readFileSync(new URL('../fixtures/numpy-selection.json', import.meta.url), 'utf8')),
);
if (decoded._tag === 'Left') throw new Error('test/fixtures/numpy-selection.json has another form');
const cases = decoded.right;

const floats = ({ shape, of }: HostArray): Tensor => np.reshape(np.array(Float32Array.from(of, Number)), shape);
const integers = ({ shape, of }: HostArray): Tensor<'int32'> =>
  np.reshape(np.array(Int32Array.from(of, Number)), shape);
const bools = ({ shape, of }: HostArray): Tensor<'bool'> =>
  np.reshape(np.array(of.map(Boolean), { dtype: 'bool' }), shape);

/** Equal shape and elements; −0 is 0 here, as NumPy does not say which of the two it keeps. */
const expectArray = (
  found: { readonly shape: readonly number[]; dataSync(): ArrayLike<number> },
  { shape, of }: HostArray,
): void => {
  expect(found.shape).toEqual(shape);
  expect(Array.from(found.dataSync(), (x) => Math.fround(x) + 0)).toEqual(of.map((x) => Math.fround(Number(x)) + 0));
};

const row = (...values: number[]): Tensor<'int32'> => np.array(Int32Array.from(values));

describe("NumPy's answers", () => {
  it.each(cases.along)('takeAlongAxis, putAlongAxis %#', (c) => {
    const [x, indices] = [floats(c.x), integers(c.indices)];
    expectArray(np.takeAlongAxis(x, indices, c.axis), c.take);
    if (c.values && c.put) expectArray(np.putAlongAxis(x, indices, floats(c.values), c.axis), c.put);
    // What is read with weights puts the weights back where it came from.
    const [out, pull] = vjp((y: Tensor) => np.takeAlongAxis(y, indices, c.axis), [x]);
    const wanted = new Array(x.size).fill(0);
    c.take.of.forEach((e) => {
      wanted[Number(e)] += 1;
    });
    expect([...pull(np.ones(out.shape))[0].dataSync()]).toEqual(wanted);
  });

  it.each(cases.nonzero)('nonzero, argwhere, compress %#', (c) => {
    const x = floats(c.x);
    np.nonzero(x).forEach((found, i) => expectArray(found, c.nonzero[i]!));
    expectArray(np.argwhere(x), c.argwhere);
    expectArray(np.compress(bools(c.condition), x, c.axis), c.compress);
    const count = c.argwhere.shape[0]!;
    for (const size of [0, count, count + 2, Math.max(0, count - 1)]) {
      const found = jit((y: Tensor) => np.nonzero(y, { size, fillValue: -1 }))(x);
      found.forEach((tensor, i) => {
        const wanted = Array.from({ length: size }, (_, k) => (c.nonzero[i]!.of[k] ?? -1) as number);
        expectArray(tensor, { shape: [size], of: wanted });
      });
    }
  });

  it.each(cases.unique)('unique %#', (c) => {
    const x = floats(c.x);
    const { values, indices, inverseIndices, counts } = np.uniqueAll(x);
    expectArray(values, c.values);
    expectArray(indices, c.indices);
    expectArray(inverseIndices, c.inverse);
    expectArray(counts, c.counts);
    expectArray(np.unique(x), c.values);
    const n = c.values.of.length;
    for (const size of [n + 2, Math.max(0, n - 1), n]) {
      const some = jit((y: Tensor) => np.uniqueAll(y, { size, fillValue: 9 }))(x);
      expectArray(some.values, { shape: [size], of: Array.from({ length: size }, (_, i) => c.values.of[i] ?? 9) });
      expectArray(some.counts, { shape: [size], of: Array.from({ length: size }, (_, i) => c.counts.of[i] ?? 0) });
      expectArray(some.inverseIndices, c.inverse);
    }
  });

  it.each(cases.search)('searchsorted, digitize %#', (c) => {
    const [a, v] = [floats(c.a), floats(c.v)];
    expectArray(np.searchsorted(a, v), c.left);
    expectArray(np.searchsorted(a, v, { side: 'right' }), c.right);
    if (c.bins.of.length > 0) {
      expectArray(np.digitize(floats(c.x), floats(c.bins)), c.digitize);
      expectArray(np.digitize(floats(c.x), floats(c.bins), { right: true }), c.digitizeRight);
    }
  });

  it.each(cases.bincount)('bincount %#', (c) => {
    expectArray(np.bincount(integers(c.x), { minlength: c.minlength }), c.counts);
    expectArray(np.bincount(integers(c.x), { minlength: c.minlength, weights: integers(c.weights) }), c.weighted);
    expectArray(jit((y: Tensor<'int32'>) => np.bincount(y, { length: c.counts.of.length }))(integers(c.x)), c.counts);
  });

  it.each(cases.quantile)('quantile, median %#', (c) => {
    const x = floats(c.x);
    const options = { method: c.method, keepdims: c.keepdims };
    expectArray(np.quantile(x, c.q, c.axis, options), c.quantile);
    expectArray(np.percentile(x, 100 * c.q, c.axis, options), c.quantile);
    expectArray(np.quantile(x, np.array(c.q), c.axis, options), c.quantile);
    expectArray(np.quantile(x, np.array([0.125, 0.5, 1]), c.axis, options), c.row);
    expectArray(np.median(x, c.axis, { keepdims: c.keepdims }), c.median);
  });
});

describe('along an axis', () => {
  const x = np.array([
    [3, 1, 2],
    [6, 5, 4],
  ]);
  it('of all elements, outside, of nothing', () => {
    expect(np.takeAlongAxis(x, row(5, -6, 6), null).toArray()).toEqual([4, 3, NaN]);
    expect(np.takeAlongAxis(x, np.reshape(row(-9, 9), [1, 2]), 1, { mode: 'clip' }).toArray()).toEqual([
      [3, 2],
      [6, 4],
    ]);
    expect(np.takeAlongAxis(x, np.reshape(row(7), [1, 1]), 1, { fillValue: 0 }).toArray()).toEqual([[0], [0]]);
    expect(np.takeAlongAxis(np.zeros([0, 2]), np.zeros([0, 2], { dtype: 'int32' }), 0).shape).toEqual([0, 2]);
    expect(np.putAlongAxis(x, row(0, 5, 6, -2), row(9, 8, 7, 0), null).toArray()).toEqual([
      [9, 1, 2],
      [6, 0, 8],
    ]);
    expect(np.putAlongAxis(x, np.zeros([2, 0], { dtype: 'int32' }), 1).toArray()).toEqual(x.toArray());
  });

  it('refuses what does not fit', () => {
    expect(() => np.takeAlongAxis(x, row(0), 1)).toThrow(
      'np.takeAlongAxis: float32[2,3] and indices int32[1] have different numbers of axes',
    );
    expect(() => np.takeAlongAxis(x, np.zeros([2, 1]) as never, 1)).toThrow('indices are integers, not float32[2,1]');
    expect(() => np.takeAlongAxis(np.zeros([0]), row(0))).toThrow('axis 0 of float32[0] is empty');
    expect(() => np.putAlongAxis(np.arange(2), row(0), 0.5)).toThrow('not an integer');
    expect(() => np.putAlongAxis(np.arange(2), row(0), np.array([1]))).toThrow(
      'np.putAlongAxis: int32[2] does not hold float32',
    );
  });
});

describe('sizes that depend on elements', () => {
  const x = np.array([0, 2, 0, 3]);
  it('are known outside of jit, under grad, and not while staging', () => {
    expect(np.flatnonzero(x).toArray()).toEqual([1, 3]);
    expect(np.extract(np.greater(x, 0), x).toArray()).toEqual([2, 3]);
    expect(grad((y: Tensor) => np.sum(np.unique(np.mul(y, y))))(np.array([2, 0.5, 3])).toArray()).toEqual([4, 1, 6]);
    expect(() => jit((y: Tensor) => np.nonzero(y))(x)).toThrow(
      'np.nonzero: bool[4] is traced: how many elements are chosen is not known yet\n' +
        '  remedy: say how many are returned: np.nonzero(x, { size })',
    );
    expect(() => jit((y: Tensor) => np.unique(y))(x)).toThrow('np.unique: bool[4] is traced');
    expect(() => jit((y: Tensor<'int32'>) => np.bincount(y))(row(1))).toThrow('np.bincount: int32[1] is traced');
    expect(() => np.nonzero(x, { size: -1 })).toThrow('np.nonzero: -1 is not a size');
    expect(() => np.nonzero(np.array(1))).toThrow('np.nonzero: a scalar has no axes');
    const lanes = vmap((y: Tensor) => np.flatnonzero(y, { size: 2 }));
    expect(
      lanes(
        np.array([
          [0, 1, 1],
          [1, 0, 0],
        ]),
      ).toArray(),
    ).toEqual([
      [1, 2],
      [0, 0],
    ]);
  });

  it('count what is in range', () => {
    expect(np.bincount(row(-1, 2, 7, 2), { length: 3 }).toArray()).toEqual([0, 0, 2]);
    expect(np.bincount(row(1), { length: 0 }).shape).toEqual([0]);
    expect(np.bincount(row(0, 1, 1), { weights: np.array([true, true, true]) }).toArray()).toEqual([1, 2]);
    expect(() => np.bincount(np.array([1]) as never)).toThrow('np.bincount: counts integers, not float32[1]');
    expect(() => np.compress(np.ones([9]), x)).toThrow('the condition bool[9] does not fit axis 0 of float32[4]');
  });
});

describe('quantiles', () => {
  it('have the derivative of what they select and mix', () => {
    const x = np.array([4, 1, 3, 2]);
    expect(grad((y: Tensor) => np.quantile(y, 0.25))(x).toArray()).toEqual([0, 0.25, 0, 0.75]);
    expect(grad((y: Tensor) => np.median(y))(x).toArray()).toEqual([0, 0, 0.5, 0.5]);
    expect(grad((q: Tensor) => np.quantile(x, q))(np.array(0.3)).item()).toBe(3);
  });

  it('are not spoilt by an infinity that has no part in them', () => {
    const x = np.array([1, 2, Infinity]);
    expect(np.quantile(x, 0.5).item()).toBe(2);
    expect(np.quantile(x, np.array([0, 0.5, 1])).toArray()).toEqual([1, 2, Infinity]);
    expect(grad((y: Tensor) => np.quantile(y, np.array(0.5)))(x).toArray()).toEqual([0, 1, 0]);
  });

  it('refuse what cannot be meant', () => {
    expect(() => np.quantile(np.zeros([2]), 1.5)).toThrow('np.quantile: 1.5 is not between 0 and 1');
    expect(() => np.percentile(np.zeros([2]), NaN)).toThrow('np.percentile: NaN is not between 0 and 100');
    expect(() => np.median(np.zeros([0, 2]), 0)).toThrow('np.median: there are no elements over axes (0)');
    expect(() => np.quantile(np.zeros([2]), 0.5, 0, { method: 'cubic' as 'linear' })).toThrow(
      'there is no method "cubic"',
    );
    expect(() => np.quantile(np.zeros([2]), np.zeros([1, 1]))).toThrow('float32[1,1] has more than one axis');
  });
});
