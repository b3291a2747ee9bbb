/** `special` against values of mpmath, its corners, and its derivatives against differences. */

import { grad, np, special, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import values from '../fixtures/special-namespace.json' with { type: 'json' };

const wide = (xs: readonly number[]): Tensor<'float64'> => np.array([...xs], { dtype: 'float64' });
type Float = Tensor<'float32' | 'float64'>;
const apply = (name: keyof typeof values, ...operands: readonly Float[]): Float =>
  (special[name] as (...xs: readonly Float[]) => Float)(...operands);

describe('values of mpmath', () => {
  it.each(Object.keys(values) as (keyof typeof values)[])('%s', (name) => {
    const rows: readonly (readonly number[])[] = values[name];
    const columns = rows[0]!.map((_, i) => rows.map((row) => row[i]!));
    const wanted = columns.pop()!;
    const [double, single] = [
      apply(name, ...columns.map(wide)).dataSync(),
      apply(name, ...columns.map((xs) => np.array(xs))).dataSync(),
    ];
    wanted.forEach((y, i) => {
      const at = `${name}(${rows[i]!.slice(0, -1)}) = ${y}`;
      expect(Math.abs(double[i]! - y), `${at}, not ${double[i]}`).toBeLessThanOrEqual(
        3e-13 * Math.max(1e-3, Math.abs(y)),
      );
      expect(Math.abs(single[i]! - y), `${at}, not ${single[i]} in float32`).toBeLessThanOrEqual(
        1e-4 * Math.max(1e-3, Math.abs(y)),
      );
    });
  });

  it('small values have all their digits', () => {
    for (const [name, x, y] of [
      ['ndtr', -30, 4.906713927148187e-198],
      ['erfc', 20, 5.395865611607901e-176],
      ['expit', -100, 3.720075976020836e-44],
    ] as const) {
      expect(Math.abs((apply(name, wide([x])).item() as number) / y - 1), name).toBeLessThan(1e-13);
    }
  });
});

describe('corners', () => {
  it('gamma and its sign at poles', () => {
    const x = wide([0, -0, -1, -2, -0.5, -1.5, Infinity]);
    expect([...special.gamma(x).dataSync().slice(0, 4)]).toEqual([Infinity, -Infinity, NaN, NaN]);
    expect(special.gammasgn(x).toArray()).toEqual([1, -1, NaN, NaN, -1, 1, 1]);
  });

  it('what is multiplied by 0 does not matter', () => {
    expect(special.xlogy(wide([0, 0, 0, 1]), wide([0, Infinity, 1, 0])).toArray()).toEqual([0, 0, 0, -Infinity]);
    expect(special.xlog1py(wide([0, 1]), wide([-1, -1])).toArray()).toEqual([0, -Infinity]);
    expect(special.entr(wide([0, -1, 1])).toArray()).toEqual([0, -Infinity, 0]);
    expect(special.relEntr(wide([0, 1, -1]), wide([0, 0, 1])).toArray()).toEqual([0, Infinity, Infinity]);
  });

  it('xlogy has the derivatives of a product at 0', () => {
    const [dx, dy] = [0, 1].map((argnums) => grad((x: number, y: number) => special.xlogy(x, y), { argnums })(0, 2));
    expect((dx as unknown as Tensor).item()).toBeCloseTo(Math.log(2), 6);
    expect((dy as unknown as Tensor).item()).toBe(0);
  });

  it('ndtri and logit at the ends of the unit interval', () => {
    expect(special.ndtri(wide([0, 1, 0.5, -1, 2])).toArray()).toEqual([-Infinity, Infinity, 0, NaN, NaN]);
    expect(special.logit(wide([0, 1, 0.5])).toArray()).toEqual([-Infinity, Infinity, 0]);
    expect(special.ndtri(special.ndtr(-6)).item()).toBeCloseTo(-6, 4);
  });

  it('integers become floats, and operands broadcast', () => {
    expect(special.gammaln(np.array([3], { dtype: 'int32' })).dtype).toBe('float32');
    expect(special.betainc(wide([1, 2]), 1, np.zeros([3, 1])).shape).toEqual([3, 2]);
    expect(() => special.xlogy(np.zeros([2]), np.zeros([3]))).toThrow('special.xlogy');
    expect(special.logsumexp(wide([0, 0])).item()).toBeCloseTo(Math.log(2), 14);
  });
});

describe('derivatives', () => {
  it.each(Object.keys(values) as (keyof typeof values)[])('%s', (name) => {
    const rows: readonly (readonly number[])[] = values[name];
    const row = rows[Math.floor(rows.length / 2)]!.slice(0, -1);
    const operand = name === 'polygamma' ? 1 : 0;
    const f = (x: Float): Float => apply(name, ...row.map((v, i) => (i === operand ? x : wide([v]))));
    const x = row[operand]!;
    const h = 1e-4 * Math.abs(x);
    const value = (at: number): number => f(wide([at])).dataSync()[0]!;
    const difference = (8 * (value(x + h) - value(x - h)) - (value(x + 2 * h) - value(x - 2 * h))) / (12 * h);
    const found = grad((v: Tensor<'float64'>) => np.sum(f(v)))(wide([x])).dataSync()[0]!;
    expect(Math.abs(found - difference)).toBeLessThanOrEqual(1e-7 * Math.max(1e-3, Math.abs(difference)));
  });
});
