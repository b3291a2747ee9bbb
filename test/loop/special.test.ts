/** Decompositions of special functions against mpmath, in float64 and, where the operands are float32s, in float32. */

import { readFileSync } from 'node:fs';
import { lax, np, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { type DecomposedName, decomposing, decompositions } from '../../backends/loop/decompose/index.ts';
import { bind } from '../../src/core/trace.ts';
import { igammaGradP, randomGammaGradP } from '../../src/prim/incomplete.ts';

const read = (name: string): Readonly<Record<string, readonly (readonly number[])[]>> =>
  JSON.parse(readFileSync(new URL(`../fixtures/${name}.json`, import.meta.url), 'utf8'));
const family = read('gamma-family');
const functions = read('special-functions');

const all = Object.keys(decompositions) as readonly DecomposedName[];

type F = (...xs: readonly Tensor[]) => unknown;

/** The largest relative error, in units of 2⁻⁵³ or 2⁻²⁴, of what is not below the range of the dtype. */
function worst(f: F, rows: readonly (readonly number[])[], dtype: 'float32' | 'float64'): number {
  const isSingle = dtype === 'float32';
  const [unit, least, most] = isSingle ? [2 ** -24, 2 ** -126, 3.4e38] : [2 ** -53, 2 ** -1022, Number.MAX_VALUE];
  const points = rows.filter(
    (row) =>
      row.slice(0, -1).every((x) => !isSingle || Math.fround(x) === x) &&
      Math.abs(row.at(-1)!) >= least &&
      Math.abs(row.at(-1)!) <= most,
  );
  expect(points.length).toBeGreaterThan(isSingle ? 8 : 30);
  const operands = points[0]!.slice(0, -1).map((_, k) =>
    np.array(
      points.map((row) => row[k]!),
      { dtype },
    ),
  );
  const found = (decomposing(all, () => f(...(operands as Tensor[]))) as Tensor).toArray() as readonly number[];
  return Math.max(...points.map((row, i) => Math.abs(found[i]! - row.at(-1)!) / (unit * Math.abs(row.at(-1)!))));
}

describe('decompositions of special functions', () => {
  const cases: readonly (readonly [string, F, readonly (readonly number[])[], number, number])[] = [
    ['igamma', (a, x) => lax.igamma(a!, x!), family['igamma']!, 16, 4000],
    ['igammac', (a, x) => lax.igammac(a!, x!), family['igammac']!, 16, 4000],
    ['igamma_grad', (a, x) => bind(igammaGradP, [a!, x!], { orders: [1, 0] })[0], family['igamma_grad']!, 32, 4000],
    ['random_gamma_grad', (a, x) => bind(randomGammaGradP, [a!, x!], {})[0], family['random_gamma_grad']!, 32, 400],
    ['betainc', (a, b, x) => lax.betainc(a!, b!, x!), family['betainc']!, 16, 4000],
    ['erf', (x) => lax.erf(x!), functions['erf']!, 6, 6],
    ['erfc', (x) => lax.erfc(x!), functions['erfc']!, 8, 8],
    ['erf_inv', (x) => lax.erfInv(x!), functions['erf_inv']!, 8, 16],
  ];
  for (const [name, f, rows, single, double] of cases) {
    it(`${name} is what mpmath says, within ${single} units of 2⁻²⁴ and ${double} of 2⁻⁵³`, () => {
      expect(worst(f, rows, 'float64')).toBeLessThan(double);
      expect(worst(f, rows, 'float32')).toBeLessThan(single);
    });
  }

  it('polygamma of even orders is what mpmath says half-way between poles, where the largest terms cancel', () => {
    // mpmath.psi(n, x) at 40 digits; beside them an ulp of x changes more than the value.
    const rows = [
      [20, -1.5, -10709198259.124132],
      [20, -2.5, -9182070.204945628],
      [4, -3.5, -0.022300753478290834],
      [2, -0.5, -0.82879664423432],
    ];
    const column = (k: number) =>
      np.array(
        rows.map((row) => row[k]!),
        { dtype: 'float64' },
      );
    const [n, x] = [column(0), column(1)];
    for (const names of [[], all]) {
      const found = decomposing(names, () => lax.polygamma(n, x)).toArray() as readonly number[];
      rows.forEach(([order, , wanted], i) => {
        expect(Math.abs(found[i]! / wanted! - 1), `order ${order}`).toBeLessThan(4e-14);
      });
    }
  });

  it('polygamma is what mpmath says above 0', () => {
    const rows = family['polygamma']!.filter(([, x]) => x! > 0);
    const f: F = (n, x) => lax.polygamma(n!, x!);
    expect(worst(f, rows, 'float64')).toBeLessThan(4000);
    expect(worst(f, rows, 'float32')).toBeLessThan(16);
  });
});
