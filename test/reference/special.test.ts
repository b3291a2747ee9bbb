/** The gamma function's family, Bessel functions and neighbours of floats: values of mpmath, exact cases, corners. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Lower, lowerings } from '../../backends/reference/lowering.ts';
import { range } from '../../src/core/shape.ts';
import family from '../fixtures/gamma-family.json' with { type: 'json' };
import { apply, host, run1 } from './oracle.ts';

const rowsOf = (name: keyof typeof family): readonly (readonly number[])[] => family[name];

/** Elements of a primitive of doubles at rows of operands. */
const at = (lower: Lower<unknown>, rows: readonly (readonly number[])[]) => [...apply(lower, 'float64', rows).out];

describe('values of mpmath', () => {
  /** The largest term of the sum that a value is: of reflection, below 0; of the asymptotic series. */
  const largest = {
    lgamma: ([x]: readonly number[]) => (x! < 0 ? Math.abs(x!) * Math.log(2 + Math.abs(x!)) : 0),
    digamma: ([x]: readonly number[]) => Math.log(2 + Math.abs(x!)),
    // Of even n, halfway between two poles: n!·2ⁿ⁺¹ from either.
    polygamma: ([n, x]: readonly number[]) =>
      x! < 0 ? 2 * range(n!).reduce((product, k) => 2 * product * (k + 1), 1) : 0,
    bessel_i0e: () => 0,
    bessel_i1e: () => 0,
  };
  const tolerance = { lgamma: 1e-15, digamma: 1e-15, polygamma: 4e-15, bessel_i0e: 2e-15, bessel_i1e: 2e-15 };
  for (const name of Object.keys(tolerance) as (keyof typeof tolerance)[]) {
    it(name, () => {
      const rows = rowsOf(name);
      const out = at(
        lowerings[name],
        rows.map((row) => row.slice(0, -1)),
      );
      rows.forEach((row, i) => {
        const y = row.at(-1)!;
        const scale = Math.max(Math.abs(y), largest[name](row));
        // A power of n beyond 170 is made of logarithms of some hundreds.
        const factor = name === 'polygamma' && row[0]! > 170 ? 1000 : 1;
        const error = Math.abs(out[i]! - y);
        expect(error, `${name}(${row.slice(0, -1)}) = ${y}, not ${out[i]}`).toBeLessThanOrEqual(
          tolerance[name] * factor * scale,
        );
      });
    });
  }
});

describe('values of mpmath of the incomplete gamma and beta functions', () => {
  const grad =
    (lower: Lower<{ readonly orders: readonly number[] }>, ...orders: number[]): Lower<unknown> =>
    (ins, outs) =>
      lower(ins, outs, { orders });
  // Exponents of up to 700 lose three digits; derivatives in a parameter that hardly matters are small differences.
  const cases: readonly (readonly [keyof typeof family, Lower<unknown>, number, number])[] = [
    ['igamma', lowerings.igamma, 1e-13, 0],
    ['igammac', lowerings.igammac, 1e-13, 0],
    ['igamma_grad', grad(lowerings.igamma_grad, 1, 0), 2e-13, 0],
    ['random_gamma_grad', lowerings.random_gamma_grad, 2e-13, 0],
    ['betainc', lowerings.regularized_incomplete_beta, 4e-13, 0],
    ['betainc_grad_a', grad(lowerings.regularized_incomplete_beta_grad, 1, 0, 0), 4e-13, 4e-15],
    ['betainc_grad_b', grad(lowerings.regularized_incomplete_beta_grad, 0, 1, 0), 4e-13, 4e-15],
  ];
  it.each(cases)('%s', (name, lower, relative, absolute) => {
    const rows = rowsOf(name);
    const out = at(
      lower,
      rows.map((row) => row.slice(0, -1)),
    );
    rows.forEach((row, i) => {
      const y = row.at(-1)!;
      const bound = relative * Math.abs(y) + absolute;
      expect(Math.abs(out[i]! - y), `${name}(${row.slice(0, -1)}) = ${y}, not ${out[i]}`).toBeLessThanOrEqual(bound);
    });
  });

  it('derivatives in x are densities, in both once more a score', () => {
    const value = (orders: number[], ...row: number[]) => at(grad(lowerings.igamma_grad, ...orders), [row])[0]!;
    // e⁻ˣ, of shape 1; x·e⁻ˣ of shape 2; ψ(1) = −γ.
    expect(value([0, 1], 1, 0.75)).toBeCloseTo(Math.exp(-0.75), 15);
    expect(value([0, 2], 1, 0.75)).toBeCloseTo(-Math.exp(-0.75), 15);
    expect(value([0, 3], 2, 0.75)).toBeCloseTo((0.75 - 2) * Math.exp(-0.75), 14);
    expect(value([1, 1], 1, 0.75)).toBeCloseTo((Math.log(0.75) + 0.5772156649015329) * Math.exp(-0.75), 14);
    expect(value([0, 1], 1e10, 1e10)).toBeCloseTo(1 / Math.sqrt(2 * Math.PI * 1e10), 15);
    const beta = (orders: number[], ...row: number[]) =>
      at(grad(lowerings.regularized_incomplete_beta_grad, ...orders), [row])[0]!;
    // 12·x²(1 − x) of 3 and 2.
    expect(beta([0, 0, 1], 3, 2, 0.25)).toBeCloseTo(12 * 0.0625 * 0.75, 14);
    expect(beta([0, 0, 2], 3, 2, 0.25)).toBeCloseTo(12 * (2 * 0.25 - 3 * 0.0625), 14);
    expect(beta([0, 0, 3], 3, 2, 0.25)).toBeCloseTo(12 * (2 - 6 * 0.25), 13);
    // Iₓ(a, 1) = xᵃ.
    expect(beta([2, 0, 0], 3, 1, 0.25)).toBeCloseTo(0.25 ** 3 * Math.log(0.25) ** 2, 14);
  });

  it('corners are limits', () => {
    const gamma = [
      [1, 0, 0],
      [0, 1, 1],
      [0, 0, NaN],
      [1, Infinity, 1],
      [Infinity, 1, 0],
      [Infinity, Infinity, NaN],
      [-1, 1, NaN],
      [1, -1, NaN],
      [NaN, 1, NaN],
      [1, NaN, NaN],
      [1e10, 1, 0],
      [1, 1e10, 1],
    ];
    const rows = gamma.map((row) => row.slice(0, 2));
    expect(at(lowerings.igamma, rows)).toEqual(gamma.map(([, , y]) => y));
    expect(at(lowerings.igammac, rows)).toEqual(gamma.map(([, , y]) => 1 - y!));
    const beta = [
      [2, 3, 0, 0],
      [2, 3, 1, 1],
      [0, 3, 0.5, 1],
      [3, 0, 0.5, 0],
      [0, 0, 0.5, NaN],
      [Infinity, 1, 0.5, 0],
      [1, Infinity, 0.5, 1],
      [1, 1, -0.5, NaN],
      [1, 1, 1.5, NaN],
      [-1, 1, 0.5, NaN],
      [1e-310, 3e-310, 0.5, 0.75],
      [1e10, 1e10, 0.25, 0],
    ];
    const found = at(
      lowerings.regularized_incomplete_beta,
      beta.map((row) => row.slice(0, 3)),
    );
    expect(found).toEqual(beta.map(([, , , y]) => y));
  });
});

describe('corners', () => {
  const values = (lower: Lower<unknown>, ...xs: number[]) =>
    at(
      lower,
      xs.map((x) => [x]),
    );

  it('lgamma is infinite at poles and ends, exactly 0 at 1 and 2, and that of factorials', () => {
    expect(values(lowerings.lgamma, 0, -0, -1, -2, -1e300, Infinity, -Infinity, NaN)).toEqual([
      ...Array.from({ length: 7 }, () => Infinity),
      NaN,
    ]);
    expect(values(lowerings.lgamma, 1, 2)).toEqual([0, 0]);
    expect(values(lowerings.lgamma, 2.6e305, 1e308)).toEqual([Infinity, Infinity]);
    for (let [n, product] = [2, 1]; n < 150; product *= n, n++) {
      const [found] = values(lowerings.lgamma, n);
      expect(Math.abs(found! - Math.log(product))).toBeLessThanOrEqual(4e-16 * Math.log(product));
    }
  });

  it('digamma and polygamma at poles and ends', () => {
    expect(values(lowerings.digamma, 0, -0, -1, -17, Infinity, -Infinity, NaN)).toEqual([
      -Infinity,
      Infinity,
      NaN,
      NaN,
      Infinity,
      NaN,
      NaN,
    ]);
    const rows = [
      [1, 0, Infinity],
      [1, -3, Infinity],
      [2, 0, -Infinity],
      [2, -0, Infinity],
      [2, -3, NaN],
      [1, Infinity, 0],
      [2, Infinity, -0],
      [1, -Infinity, NaN],
      [1, NaN, NaN],
      [NaN, 1, NaN],
      [0.5, 1, NaN],
      [-1, 1, NaN],
      [Infinity, 1, NaN],
      [3, 1e-300, Infinity],
      [2000, 1e10, -0],
    ] as const;
    const found = at(
      lowerings.polygamma,
      rows.map(([n, x]) => [n, x]),
    );
    expect(found).toEqual(rows.map(([, , y]) => y));
    expect(at(lowerings.polygamma, [[0, 2.5]])).toEqual(values(lowerings.digamma, 2.5));
  });

  it('bessel_i0e is even and bessel_i1e odd', () => {
    expect(values(lowerings.bessel_i0e, 0, -0, Infinity, -Infinity, NaN)).toEqual([1, 1, 0, 0, NaN]);
    expect(values(lowerings.bessel_i1e, 0, -0, Infinity, -Infinity, NaN)).toEqual([0, -0, 0, -0, NaN]);
  });

  it.each(['lgamma', 'digamma', 'bessel_i0e', 'bessel_i1e'] as const)(
    '%s of float32 is its double, rounded once',
    (name) => {
      fc.assert(
        fc.property(fc.array(fc.float(), { minLength: 1 }), (xs) => {
          const rows = xs.map((x) => [x]);
          const [narrow, wide] = (['float32', 'float64'] as const).map(
            (dtype) => apply(lowerings[name], dtype, rows).out,
          );
          expect([...narrow!]).toEqual(Array.from(wide!, Math.fround));
        }),
      );
    },
  );
});

describe('nextafter', () => {
  const next = (dtype: 'float32' | 'float64', x: number, y: number) =>
    apply(lowerings.nextafter, dtype, [[x, y]]).out[0]!;
  const ulp = { float32: 2 ** -23, float64: 2 ** -52 };
  const least = { float32: 2 ** -149, float64: 2 ** -1074 };
  const greatest = { float32: 3.4028234663852886e38, float64: Number.MAX_VALUE };

  it.each(['float32', 'float64'] as const)('%s at its corners', (dtype) => {
    const u = ulp[dtype];
    expect(next(dtype, 1, 2)).toBe(1 + u);
    expect(next(dtype, 1, -Infinity)).toBe(1 - u / 2);
    expect(next(dtype, -1, -2)).toBe(-1 - u);
    expect(next(dtype, -1, 0)).toBe(-1 + u / 2);
    expect(next(dtype, 0, 1)).toBe(least[dtype]);
    expect(next(dtype, -0, 1)).toBe(least[dtype]);
    expect(next(dtype, 0, -1)).toBe(-least[dtype]);
    expect(next(dtype, least[dtype], 0)).toBe(0);
    expect(next(dtype, -least[dtype], 1)).toBe(-0);
    expect(next(dtype, greatest[dtype], Infinity)).toBe(Infinity);
    expect(next(dtype, Infinity, 0)).toBe(greatest[dtype]);
    expect(next(dtype, -Infinity, 0)).toBe(-greatest[dtype]);
    expect(next(dtype, Infinity, Infinity)).toBe(Infinity);
    expect(next(dtype, 0, -0)).toBe(-0);
    expect(next(dtype, NaN, 1)).toBeNaN();
    expect(next(dtype, 1, NaN)).toBeNaN();
  });

  it('nothing lies between, and back is where it came from', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const arbitrary = dtype === 'float32' ? fc.float({ noNaN: true }) : fc.double({ noNaN: true });
      fc.assert(
        fc.property(arbitrary, arbitrary, (x, y) => {
          const z = next(dtype, x, y);
          fc.pre(z !== x);
          expect(y > x ? z > x && z <= y : z < x && z >= y).toBe(true);
          expect(next(dtype, z, x)).toBe(x === 0 ? (z > 0 ? 0 : -0) : x);
          const middle = x / 2 + z / 2;
          const rounded = dtype === 'float32' ? Math.fround(middle) : middle;
          if (Number.isFinite(middle) && Math.abs(x) > 1e-30) expect([x, z]).toContain(rounded);
        }),
      );
    }
  });

  it('steps by the ulps of float32 where those are kept as doubles', () => {
    const operands = [host('float32', [1], [1 + 2 ** -40], 'float64'), host('float32', [1], [2], 'float64')];
    expect(run1(lowerings.nextafter, operands, [1], 'float32', {}, 'float64')[0]).toBe(1 + 2 ** -23);
  });
});

it('betainc where x has not all its digits: mpmath, 40 digits', () => {
  const wanted = [
    [0.0012463948683920497, 0.01953125, 5e-324, 0.3716923679236861],
    [0.001, 0.02, 1e-320, 0.45585294883852584],
    [0.02, 0.001, 3e-310, 3.071405819378177e-8],
    [0.001, 0.001, 1e-308, 0.24602017193682546],
  ] as const;
  for (const [a, b, x, value] of wanted) {
    const operands = [a, b, x].map((v) => host('float64', [1], [v]));
    const found = run1(lowerings.regularized_incomplete_beta, operands, [1], 'float64', {})[0]!;
    expect(Math.abs(found / value - 1)).toBeLessThan(1e-13);
  }
});
