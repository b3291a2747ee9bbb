/** The elementary and special functions of the reference device: values of mpmath, exact cases, corners. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Lower, lowerings } from '../../backends/reference/lowering.ts';
import { erfInverse } from '../../backends/reference/special.ts';
import special from '../fixtures/special-functions.json' with { type: 'json' };
import { apply, element, host, run1 } from './oracle.ts';

describe('special functions', () => {
  // Those of the error function are ours; the rest is the engine's Math, which is faithful to about an ulp.
  const faithful = 5e-16;
  const tolerance = {
    erf_inv: 1e-15,
    erf: 4e-16,
    erfc: 6e-16,
    exp: faithful,
    exp2: faithful,
    expm1: faithful,
    log: faithful,
    log2: faithful,
    log1p: faithful,
    sqrt: 0,
    rsqrt: faithful,
    cbrt: faithful,
    tanh: faithful,
    logistic: faithful,
    sin: faithful,
    cos: faithful,
    tan: faithful,
    asin: faithful,
    acos: faithful,
    atan: faithful,
    atan2: faithful,
    sinh: faithful,
    cosh: faithful,
    asinh: faithful,
    acosh: faithful,
    atanh: faithful,
    pow: 1e-15,
  };
  for (const name of Object.keys(tolerance) as (keyof typeof tolerance)[]) {
    it(`${name} has the values of mpmath`, () => {
      const table: readonly (readonly number[])[] = special[name];
      const { out } = apply(
        lowerings[name],
        'float64',
        table.map((row) => row.slice(0, -1)),
      );
      table.forEach((row, i) => {
        const y = row.at(-1)!;
        // Below the normal range a double says no more than its last place.
        const bound = tolerance[name] * Math.abs(y) + (Math.abs(y) < 2 ** -1022 ? 2 ** -1074 : 0);
        const error = Math.abs(out[i]! - y);
        expect(error, `${name}(${row.slice(0, -1)}) = ${y}, not ${out[i]}`).toBeLessThanOrEqual(bound);
      });
    });
  }

  it.each(Object.keys(tolerance) as (keyof typeof tolerance)[])('%s of float32 is its double, rounded once', (name) => {
    const operands = name === 'pow' || name === 'atan2' ? 2 : 1;
    const rows = fc.array(fc.array(fc.float(), { minLength: operands, maxLength: operands }), { minLength: 1 });
    fc.assert(
      fc.property(rows, (rows) => {
        const [narrow, wide] = (['float32', 'float64'] as const).map(
          (dtype) => apply(lowerings[name], dtype, rows).out,
        );
        expect([...narrow!]).toEqual(Array.from(wide!, Math.fround));
      }),
    );
  });

  it('exp2 and log2 are exact at powers of 2', () => {
    const exponents = Array.from({ length: 2098 }, (_, i) => i - 1074);
    const powers = exponents.map((n) => (n < -1022 ? 2 ** -1022 / 2 ** (-1022 - n) : 2 ** n));
    expect([
      ...apply(
        lowerings.exp2,
        'float64',
        exponents.map((n) => [n]),
      ).out,
    ]).toEqual(powers);
    expect([
      ...apply(
        lowerings.log2,
        'float64',
        powers.map((x) => [x]),
      ).out,
    ]).toEqual(exponents);
    expect([...apply(lowerings.cbrt, 'float32', [[27], [-8], [1e-30]]).out]).toEqual([3, -2, Math.fround(1e-10)]);
  });

  it('erf is odd, erfc its complement: 1 and 0 far out', () => {
    const erf = (x: number) => apply(lowerings.erf, 'float64', [[x]]).out[0]!;
    const erfc = (x: number) => apply(lowerings.erfc, 'float64', [[x]]).out[0]!;
    fc.assert(
      fc.property(fc.double({ min: -30, max: 30, noNaN: true }), (x) => {
        expect(erf(-x)).toBe(-erf(x));
        expect(Math.abs(erf(x) + erfc(x) - 1)).toBeLessThan(5e-16);
        expect(Math.abs(erfc(x) + erfc(-x) - 2)).toBeLessThan(5e-16);
      }),
    );
    expect([-0, Infinity, -Infinity, NaN, 7].map(erf)).toEqual([-0, 1, -1, NaN, 1]);
    expect([-0, Infinity, -Infinity, NaN, 30].map(erfc)).toEqual([1, 0, 2, NaN, 0]);
  });

  it('pow at its corners is that of C', () => {
    const rows = [
      [0, 0, 1],
      [NaN, 0, 1],
      [Infinity, -0, 1],
      [1, NaN, 1],
      [1, Infinity, 1],
      [-1, Infinity, 1],
      [-1, -Infinity, 1],
      [-2, 3, -8],
      [-2, 2, 4],
      [-2, 0.5, NaN],
      [0, -1, Infinity],
      [-0, -1, -Infinity],
      [-0, -2, Infinity],
      [-0, 3, -0],
      [0, 2, 0],
      [-Infinity, 3, -Infinity],
      [-Infinity, -3, -0],
      [0.5, Infinity, 0],
      [2, -Infinity, 0],
      [NaN, 1, NaN],
    ] as const;
    const { out } = apply(
      lowerings.pow,
      'float64',
      rows.map(([x, y]) => [x, y]),
    );
    expect([...out]).toEqual(rows.map(([, , power]) => power));
  });

  it('pow of integers wraps; a negative power is the truncated quotient', () => {
    for (const dtype of ['int32', 'uint32'] as const) {
      const wrap = dtype === 'int32' ? BigInt.asIntN : BigInt.asUintN;
      fc.assert(
        fc.property(element(dtype), fc.nat(40), (x, n) => {
          expect(apply(lowerings.pow, dtype, [[x, n]]).out[0]).toBe(Number(wrap(32, BigInt(x) ** BigInt(n))));
        }),
      );
    }
    expect(apply(lowerings.pow, 'uint32', [[3, 4294967295]]).out[0]).toBe(
      // By Euler's theorem 3^(2^31) = 1 modulo 2^32, so 3^(2^32 - 1) is the inverse of 3.
      2863311531,
    );
    const rows = [
      [1, -3],
      [-1, -3],
      [-1, -4],
      [5, -1],
      [0, -2],
      [-2147483648, -1],
    ];
    expect([...apply(lowerings.pow, 'int32', rows).out]).toEqual([1, -1, 1, 0, -1, 0]);
  });

  it('integer_pow of many factors, and of a power that would overflow on the way', () => {
    const power = (x: number, exponent: number) =>
      run1(lowerings.integer_pow, [host('float64', [], [x])], [], 'float64', { exponent })[0]!;
    // (1 + 2^-20)^1000000 and 1.5^-600, from mpmath.
    expect(Math.abs(power(1 + 2 ** -20, 1_000_000) / 2.595226670281386 - 1)).toBeLessThan(1e-15);
    expect(Math.abs(power(1.5, -600) / 2.214341332527788e-106 - 1)).toBeLessThan(1e-15);
    expect(power(2 ** 530, -2)).toBe(2 ** -1060);
    expect(power(2, -1074)).toBe(2 ** -1074);
    expect(power(-3, 2 ** 40 + 1)).toBe(-Infinity);
  });

  it('erf_inv is odd, infinite at ±1 and NaN beyond', () => {
    fc.assert(
      fc.property(fc.double({ min: -1, max: 1, noNaN: true }), (x) => {
        expect(erfInverse(-x)).toBe(-erfInverse(x));
      }),
    );
    const rows = [1, -1, 1.0000001, -2, Infinity, NaN, -0].map((x) => [x]);
    expect([...apply(lowerings.erf_inv, 'float32', rows).out]).toEqual([Infinity, -Infinity, NaN, NaN, NaN, NaN, -0]);
  });

  it('the rest at the edges of their domains', () => {
    const values = (lower: Lower<unknown>, ...xs: number[]) => [
      ...apply(
        lower,
        'float64',
        xs.map((x) => [x]),
      ).out,
    ];
    expect(values(lowerings.log, 0, -0, -1, Infinity)).toEqual([-Infinity, -Infinity, NaN, Infinity]);
    expect(values(lowerings.exp, -Infinity, Infinity, NaN, -0)).toEqual([0, Infinity, NaN, 1]);
    expect(values(lowerings.logistic, -Infinity, Infinity, NaN, -0, -800, 800)).toEqual([0, 1, NaN, 0.5, 0, 1]);
    expect(values(lowerings.tanh, -Infinity, Infinity, NaN, -0)).toEqual([-1, 1, NaN, -0]);
    expect(values(lowerings.sqrt, -1, -0, Infinity)).toEqual([NaN, -0, Infinity]);
    expect(values(lowerings.sin, Infinity, -0)).toEqual([NaN, -0]);
    expect(values(lowerings.cos, -Infinity, -0)).toEqual([NaN, 1]);
    expect(values(lowerings.tan, -Infinity, -0)).toEqual([NaN, -0]);
    expect(values(lowerings.exp2, -Infinity, Infinity, NaN, -0, 1024, -1075)).toEqual([
      0,
      Infinity,
      NaN,
      1,
      Infinity,
      0,
    ]);
    expect(values(lowerings.expm1, -Infinity, Infinity, NaN, -0)).toEqual([-1, Infinity, NaN, -0]);
    expect(values(lowerings.log1p, -1, -2, Infinity, -0)).toEqual([-Infinity, NaN, Infinity, -0]);
    expect(values(lowerings.log2, 0, -1, Infinity)).toEqual([-Infinity, NaN, Infinity]);
    expect(values(lowerings.asin, -0, 1.1, NaN)).toEqual([-0, NaN, NaN]);
    expect(values(lowerings.acos, 1, -1.1)).toEqual([0, NaN]);
    expect(values(lowerings.atan, Infinity, -Infinity, -0)).toEqual([Math.PI / 2, -Math.PI / 2, -0]);
    expect(values(lowerings.sinh, -Infinity, -0, 1000)).toEqual([-Infinity, -0, Infinity]);
    expect(values(lowerings.cosh, -Infinity, -0, -1000)).toEqual([Infinity, 1, Infinity]);
    expect(values(lowerings.asinh, -Infinity, -0)).toEqual([-Infinity, -0]);
    expect(values(lowerings.acosh, 1, 0.5, Infinity)).toEqual([0, NaN, Infinity]);
    expect(values(lowerings.atanh, 1, -1, -0, 2)).toEqual([Infinity, -Infinity, -0, NaN]);
    expect(values(lowerings.rsqrt, 0, -0, Infinity, -1)).toEqual([Infinity, -Infinity, 0, NaN]);
    expect(values(lowerings.cbrt, -0, -Infinity, NaN)).toEqual([-0, -Infinity, NaN]);
    const quadrants = [
      [0, 1],
      [-0, 1],
      [0, -1],
      [-0, -1],
      [1, 0],
      [-1, -0],
      [0, 0],
      [-0, -0],
      [Infinity, -Infinity],
    ];
    const pi = Math.PI;
    expect([...apply(lowerings.atan2, 'float64', quadrants).out]).toEqual([
      0,
      -0,
      pi,
      -pi,
      pi / 2,
      -pi / 2,
      0,
      -pi,
      (3 * pi) / 4,
    ]);
  });
});
