/** Which dtype results have: the lattice between tensors, weak JS numbers, and the same at the level of types. */

import { type DType, grad, jit, np, type Tensor } from 'pullback';
import { describe, expect, expectTypeOf, it } from 'vitest';

const all = ['bool', 'uint32', 'int32', 'float32', 'float64'] as const;
const some = (dtype: DType): Tensor<DType> => np.ones([2], { dtype });

/** JAX's table without 64-bit integers, row by row in the order of `all`. */
const table = [
  ['bool', 'uint32', 'int32', 'float32', 'float64'],
  ['uint32', 'uint32', 'int32', 'float32', 'float64'],
  ['int32', 'int32', 'int32', 'float32', 'float64'],
  ['float32', 'float32', 'float32', 'float32', 'float64'],
  ['float64', 'float64', 'float64', 'float64', 'float64'],
];

describe('tensors', () => {
  it.each(all)('%s beside each other dtype', (a) => {
    const row = table[all.indexOf(a)];
    expect(all.map((b) => np.add(some(a), some(b)).dtype)).toEqual(row);
    expect(all.map((b) => np.where(true, some(a), some(b)).dtype)).toEqual(row);
    expect(all.map((b) => np.concatenate([some(a), some(b)]).dtype)).toEqual(row);
    expect(all.map((b) => np.stack([some(a), some(b)]).dtype)).toEqual(row);
    expect(all.map((b) => np.maximum(some(a), some(b)).dtype)).toEqual(row);
  });

  it('values are converted, not reinterpreted', () => {
    expect(np.add(np.array([-1], { dtype: 'int32' }), np.array([4294967295], { dtype: 'uint32' })).toArray()).toEqual([
      -2,
    ]);
    expect(np.add(np.array([true]), np.array([0.5])).toArray()).toEqual([1.5]);
    expect(np.greater(np.array([1], { dtype: 'int32' }), np.array([0.5])).toArray()).toEqual([true]);
    expect(np.matmul(np.ones([1, 2], { dtype: 'int32' }), np.full([2, 1], 0.5)).toArray()).toEqual([[1]]);
  });
});

describe('JS numbers and booleans are weak', () => {
  it('take the dtype of the tensor they meet, on either side', () => {
    const expected = { bool: 'float32', uint32: 'uint32', int32: 'int32', float32: 'float32', float64: 'float64' };
    for (const dtype of all) {
      expect(np.add(some(dtype), 1).dtype).toBe(expected[dtype]);
      expect(np.add(1, some(dtype)).dtype).toBe(expected[dtype]);
      expect(np.where(true, 1, some(dtype)).dtype).toBe(expected[dtype]);
      expect(np.add(some(dtype), true).dtype).toBe(dtype);
    }
    expect([np.add(1, 2).dtype, np.add(1, true).dtype, np.add(true, false).dtype]).toEqual([
      'float32',
      'float32',
      'bool',
    ]);
  });

  it('keep their precision beside float64', () => {
    expect(np.add(np.array([0], { dtype: 'float64' }), 0.1).toArray()).toEqual([0.1]);
  });

  it('the result stays weak only if every operand is', () => {
    expect(np.add(1, 2).aval.weak).toBe(true);
    expect(np.add(np.add(1, 2), np.ones([2])).aval.weak).toBe(false);
    expect(np.add(np.add(1, 2), np.ones([2], { dtype: 'float64' })).dtype).toBe('float64');
    expect(np.add(np.ones([2]), 1).aval.weak).toBe(false);
    const beside = np.mul(np.add(1, 2), np.arange(3));
    expect([beside.dtype, beside.aval.weak]).toEqual(['float32', true]);
    const logical = np.add(np.array([true]), 1);
    expect([logical.dtype, logical.aval.weak]).toEqual(['float32', true]);
  });

  it('a weak tracer promotes as a weak tensor', () => {
    const derivative = grad((x: Tensor) => np.sum(np.mul(x, np.arange(4))))(3);
    expect([derivative.dtype, derivative.item()]).toEqual(['float32', 6]);
    const traced = jit((x: Tensor) => np.mul(x, np.ones([2], { dtype: 'float64' })));
    expect(traced(np.add(1, 2) as Tensor).dtype).toBe('float64');
  });

  it('beside an integer tensor, what it cannot hold is an error, whatever the operation', () => {
    const n = np.arange(3);
    for (const f of [
      () => np.add(n, 0.5),
      () => np.mul(1e10, n),
      () => np.greater(n, Number.NaN),
      () => np.where(true, n, 0.5),
      () => np.add(np.array([1], { dtype: 'uint32' }), -1),
      () => np.stack([np.array(1, { dtype: 'int32' }), Number.POSITIVE_INFINITY]),
      () => np.full([2], 1.5, { dtype: 'int32' }),
      () => np.array([1.5], { dtype: 'int32' }),
    ]) {
      expect(f).toThrow(expect.objectContaining({ _tag: 'DTypeError' }));
    }
    expect(np.add(n, -0).toArray()).toEqual([0, 1, 2]);
  });
});

describe('results of one operand', () => {
  it('functions of floats make float32 of the rest', () => {
    for (const f of [np.exp, np.log, np.tanh, np.sin, np.cos, np.sqrt, np.reciprocal, np.mean]) {
      expect(all.map((d) => f(some(d)).dtype)).toEqual(['float32', 'float32', 'float32', 'float32', 'float64']);
    }
  });

  it('sums count bool in int32, extrema keep the dtype', () => {
    expect(all.map((d) => np.sum(some(d)).dtype)).toEqual(['int32', 'uint32', 'int32', 'float32', 'float64']);
    expect(all.map((d) => np.max(some(d)).dtype)).toEqual(all);
    expect(all.map((d) => np.min(some(d), 0).dtype)).toEqual(all);
    expect(all.map((d) => np.argmax(some(d)).dtype)).toEqual(all.map(() => 'int32'));
  });
});

describe('types say the same', () => {
  const f = np.ones([2]);
  const d = np.ones([2], { dtype: 'float64' });
  const i = np.ones([2], { dtype: 'int32' });
  const u = np.ones([2], { dtype: 'uint32' });
  const b = np.ones([2], { dtype: 'bool' });

  it('binary', () => {
    expectTypeOf(np.add(f, f)).toEqualTypeOf<Tensor>();
    expectTypeOf(np.add(i, f)).toEqualTypeOf<Tensor>();
    expectTypeOf(np.mul(f, d)).toEqualTypeOf<Tensor<'float64'>>();
    expectTypeOf(np.add(i, u)).toEqualTypeOf<Tensor<'int32'>>();
    expectTypeOf(np.add(i, 2)).toEqualTypeOf<Tensor<'int32'>>();
    expectTypeOf(np.add(2, b)).toEqualTypeOf<Tensor>();
    expectTypeOf(np.add(b, true)).toEqualTypeOf<Tensor<'bool'>>();
    expectTypeOf(np.add(1, 2)).toEqualTypeOf<Tensor>();
    expectTypeOf(np.add(true, false)).toEqualTypeOf<Tensor<'bool'>>();
    expectTypeOf(np.div(i, u)).toEqualTypeOf<Tensor>();
    expectTypeOf(np.div(d, i)).toEqualTypeOf<Tensor<'float64'>>();
    expectTypeOf(np.greater(i, 1)).toEqualTypeOf<Tensor<'bool'>>();
    expectTypeOf(np.where(b, i, 0)).toEqualTypeOf<Tensor<'int32'>>();
    expectTypeOf(np.matmul(i, d)).toEqualTypeOf<Tensor<'float64'>>();
  });

  it('others', () => {
    expectTypeOf(np.exp(i)).toEqualTypeOf<Tensor>();
    expectTypeOf(np.exp(d)).toEqualTypeOf<Tensor<'float64'>>();
    expectTypeOf(np.sum(b)).toEqualTypeOf<Tensor<'int32'>>();
    expectTypeOf(np.mean(u)).toEqualTypeOf<Tensor>();
    expectTypeOf(np.max(u)).toEqualTypeOf<Tensor<'uint32'>>();
    expectTypeOf(np.concatenate([i, f])).toEqualTypeOf<Tensor>();
    expectTypeOf(np.stack([i, u, d])).toEqualTypeOf<Tensor<'float64'>>();
    expectTypeOf(np.stack([f, f] as Tensor[])).toEqualTypeOf<Tensor>();
    expectTypeOf(np.split(i, 2)).toEqualTypeOf<Tensor<'int32'>[]>();
    expectTypeOf(np.reshape(b, -1)).toEqualTypeOf<Tensor<'bool'>>();
    expectTypeOf(np.array([1, 2])).toEqualTypeOf<Tensor>();
    expectTypeOf(np.array([[true], [false]])).toEqualTypeOf<Tensor<'bool'>>();
    expectTypeOf(np.array([1, true])).toEqualTypeOf<Tensor<'float32' | 'bool'>>();
    expectTypeOf(np.array(new Float64Array(1))).toEqualTypeOf<Tensor<'float64'>>();
    expectTypeOf(np.array(new Int32Array(1))).toEqualTypeOf<Tensor<'int32'>>();
    expectTypeOf(np.array(new Uint8Array(1), { dtype: 'float32' })).toEqualTypeOf<Tensor>();
    expectTypeOf(np.arange(3)).toEqualTypeOf<Tensor<'int32'>>();
    expectTypeOf(np.arange(0, 1, 0.5)).toEqualTypeOf<Tensor>();
    expectTypeOf(np.arange(0, f.size)).toEqualTypeOf<Tensor<'int32' | 'float32'>>();
    expectTypeOf(np.arange(0.5)).toEqualTypeOf<Tensor>();
    expectTypeOf(np.full([1], 2)).toEqualTypeOf<Tensor>();
    expectTypeOf(np.zerosLike(i)).toEqualTypeOf<Tensor<'int32'>>();
    expectTypeOf(np.astype(f, 'bool')).toEqualTypeOf<Tensor<'bool'>>();
    expectTypeOf(np.zeros([1])).toEqualTypeOf<Tensor>();
    expectTypeOf(np.less(1, 2).item()).toEqualTypeOf<boolean>();
  });

  it('inference goes through transforms', () => {
    const derivative = grad((x: Tensor) => np.sum(np.mul(x, x)));
    expectTypeOf(derivative(f)).toEqualTypeOf<Tensor>();
    const model = grad((p: { readonly w: Tensor; readonly n: number }) => np.mean(np.power(p.w, p.n)));
    expectTypeOf(model({ w: f, n: 2 }).w).toEqualTypeOf<Tensor>();
    expect(model({ w: f, n: 2 }).w.toArray()).toEqual([1, 1]);
    // @ts-expect-error: a string is no operand
    expect(() => np.add(f, 'x')).toThrow('np.add: an operand is "x", which is not a tensor');
  });
});
