/** Quantiles beside NaN, linear algebra of symmetric matrices, and `np.at(…).divide` and `power`: NumPy's numbers, and derivatives. */

import { DTypeError, grad, hessian, jacfwd, jacrev, jit, np, random, ShapeError, type Tensor, vmap } from 'pullback';
import { checkGrads } from 'pullback/laws';
import { describe, expect, it } from 'vitest';
import fixtures from '../fixtures/numpy-nan.json' with { type: 'json' };

type T = Tensor<'float64'>;
interface Host {
  readonly shape: readonly number[];
  readonly of: readonly (number | string)[];
}
const tensor = ({ shape, of }: Host): T => np.reshape(np.array(of.map(Number), { dtype: 'float64' }), shape);
/** The same shape and elements, to 11 digits, NaN where NaN is. */
const expectArray = (found: Tensor | T | Tensor<'int32'>, wanted: Host): void => {
  expect(found.shape).toEqual(wanted.shape);
  const data = Array.from(found.dataSync(), Number);
  wanted.of.forEach((x, i) => {
    if (x === 'NaN') expect(data[i]).toBeNaN();
    else expect(data[i]).toBeCloseTo(x as number, 11);
  });
};

describe('nanquantile, nanpercentile, nanmedian', () => {
  it.each(fixtures.quantile)('%#', (c) => {
    const x = tensor(c.x);
    const options = { method: c.method as 'linear', keepdims: c.keepdims };
    const one = (y: T): T => np.nanquantile(y, c.q, c.axis, options);
    for (const y of [one(x), jit(one)(x), np.nanpercentile(x, 100 * c.q, c.axis, options)]) expectArray(y, c.one);
    expectArray(np.nanquantile(x, np.array(c.q), c.axis, options), c.one);
    expectArray(np.nanquantile(x, np.array([0.125, 0.5, 1]), c.axis, options), c.row);
    expectArray(np.nanmedian(x, c.axis, { keepdims: c.keepdims }), c.median);
    const twice = vmap(one)(np.stack([x, x]));
    expectArray(np.index(twice, 1) as T, c.one);
  });

  it('without NaN they are the others, with their derivatives', () => {
    const x = random.normal(random.key(3), [3, 5]);
    const q = np.array([0.1, 0.6]);
    for (const [f, g] of [
      [np.nanquantile, np.quantile],
      [np.nanpercentile, np.percentile],
    ] as const) {
      const found = jacrev((y: Tensor) => f(y, q, 1) as Tensor)(x);
      expect(np.allclose(found, jacrev((y: Tensor) => g(y, q, 1) as Tensor)(x)).item()).toBe(true);
      expect(np.allclose(found, jacfwd((y: Tensor) => f(y, q, 1) as Tensor)(x)).item()).toBe(true);
    }
    const gaps = np.array([4, NaN, 1, NaN, 2]);
    expect(grad((y: Tensor) => np.nanquantile(y, 0.25) as Tensor)(gaps).toArray()).toEqual([0, 0, 0.5, 0, 0.5]);
    expect(grad((y: Tensor) => np.nanmedian(y) as Tensor)(gaps).toArray()).toEqual([0, 0, 0, 0, 1]);
  });

  it('refuses in its own name', () => {
    expect(() => np.nanquantile(np.zeros([2]), 1.5)).toThrow('np.nanquantile: 1.5 is not between 0 and 1');
    expect(() => np.nanmedian(np.zeros([2, 0]), 1)).toThrow('np.nanmedian: there are no elements over axes (1)');
    expect(() => np.nanmedian(np.zeros([2]), 0, { method: 'lower' } as never)).toThrow(DTypeError);
  });
});

describe('hermitian', () => {
  it.each(fixtures.symmetric)('%#', (c) => {
    const a = tensor(c.a);
    const [u, s, vt] = np.linalg.svd(a, { hermitian: true });
    expectArray(s, c.s);
    expectArray(np.linalg.svd(a, { hermitian: true, computeUv: false }), c.s);
    expectArray(np.matmul(np.mul(u, np.expandDims(s, -2)), vt), c.a);
    const unit = np.broadcastTo(np.eye(a.shape.at(-1)!, a.shape.at(-1)!, { dtype: 'float64' }), a.shape);
    for (const q of [u, np.matrixTranspose(vt)]) {
      expect(np.allclose(np.matmul(q, np.matrixTranspose(q)), unit, { atol: 1e-12 }).item()).toBe(true);
    }
    const pinv = np.linalg.pinv(a, { rtol: 1e-12, hermitian: true });
    expect(np.allclose(pinv, tensor(c.pinv), { atol: 1e-10 }).item()).toBe(true);
    expectArray(np.linalg.matrixRank(a, { rtol: 1e-12, hermitian: true }), c.rank);
  });

  it('has the derivatives of the general functions, among symmetric matrices', () => {
    const x = random.normal(random.key(5), [3, 3], { dtype: 'float64' });
    const symmetric = (m: T): T => np.add(m, np.transpose(m));
    const weights = np.reshape(np.cos(np.arange(9)), [3, 3]);
    const total = (m: T): T => np.sum(np.mul(m, np.astype(weights, 'float64'))) as T;
    for (const hermitian of [true, false]) {
      const f = (m: T): T =>
        np.add(
          total(np.linalg.pinv(symmetric(m), { hermitian })),
          np.sum(
            np.mul(
              np.linalg.svd(symmetric(m), { hermitian, computeUv: false }),
              np.array([1, 2, 3], { dtype: 'float64' }),
            ),
          ),
        );
      checkGrads(f, [x], { order: 2, rtol: 1e-4 });
    }
    const direction = grad((m: T) => total(np.linalg.pinv(m, { hermitian: true })))(symmetric(x));
    expect(np.allclose(direction, np.transpose(direction)).item()).toBe(true);
  });

  it('refuses matrices that are not square', () => {
    for (const f of [np.linalg.pinv, np.linalg.matrixRank, np.linalg.svd]) {
      expect(() => f(np.zeros([2, 3]), { hermitian: true } as never)).toThrow(ShapeError);
      expect(() => f(np.zeros([2, 3]), { hermitean: true } as never)).toThrow(DTypeError);
    }
  });
});

describe('np.at(…).divide and power', () => {
  it.each(fixtures.written)('%#', (c) => {
    const x = tensor(c.x);
    const at = np.array(c.at, { dtype: 'int32' });
    const values = tensor(c.values);
    expectArray(np.at(x, at).divide(values), c.divide);
    expectArray(jit((y: T) => np.at(y, at).divide(values))(x), c.divide);
    expectArray(np.at(x, at).power(values), c.power);
    expectArray(np.index(vmap((y: T) => np.at(y, at).power(values))(np.stack([x, x])), 0) as T, c.power);
  });

  it('have derivatives; what is not named keeps its own', () => {
    const at = np.array([0, 2, 0], { dtype: 'int32' });
    const [x, y] = [np.array([2, -3, 1.5], { dtype: 'float64' }), np.array([1.5, 2, 3], { dtype: 'float64' })];
    const mixed = (z: T): T => np.sum(np.mul(z, np.array([1, 2, 3], { dtype: 'float64' }))) as T;
    checkGrads((a: T, b: T) => mixed(np.at(a, at).divide(b)), [x, y], { order: 2 });
    checkGrads((a: T, b: T) => mixed(np.at(a, at).power(b)), [x, y], { order: 2 });
    // −3 and 0 are no bases of real powers, but they are none here.
    const jacobian = jacfwd((b: T) => np.at(np.array([2, -3, 0], { dtype: 'float64' }), 0).power(b))(
      np.array(2, { dtype: 'float64' }),
    );
    expect(jacobian.toArray()).toEqual([4 * Math.log(2), 0, 0]);
    expect(grad((z: Tensor) => np.sum(np.at(z, 0).power(2)))(np.array([3, -3, 0])).toArray()).toEqual([6, 1, 1]);
    expect(hessian((z: Tensor) => np.sum(np.at(z, 0).divide(2)))(np.array([3, 0])).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it('keep dtypes, or refuse', () => {
    const whole = np.array([2, 3], { dtype: 'int32' });
    expect(np.at(whole, 1).power(2).toArray()).toEqual([2, 9]);
    expect(() => np.at(whole, 1).divide(2)).toThrow(/^np\.at\.divide: /);
    expect(() => np.at(np.array([true]), 0).power(2)).toThrow(/^np\.at\.power: /);
    expect(() => np.at(np.ones([2]), 0).power(np.ones([3]))).toThrow(/^np\.at\.power: /);
    expect(
      np
        .at(np.ones([2]), [5, 7])
        .divide(2)
        .toArray(),
    ).toEqual([1, 1]);
  });
});
