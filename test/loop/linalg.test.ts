/** Decompositions of linear algebra: programs whose size does not depend on that of the matrices, and hard matrices. */

import { type ClosedJaxpr, countEqns, makeJaxpr, np, random, type Tensor } from 'pullback';
import { toHost } from 'pullback/laws';
import { describe, expect, it } from 'vitest';
import { type Decompose, decompositions } from '../../backends/loop/decompose/index.ts';
import { type FactoredName, factorJudges, type JudgeFactors } from '../../laws/factors.ts';
import type { Value } from '../../src/core/value.ts';

const params: Readonly<Record<FactoredName, unknown>> = {
  triangular_solve: { leftSide: true, lower: true, transposeA: false, unitDiagonal: false },
  cholesky: {},
  qr: { fullMatrices: true },
  lu: {},
  eigh: { lower: true },
  svd: { fullMatrices: false, computeUv: true },
  tridiagonal_solve: {},
};

const decomposed =
  (name: FactoredName) =>
  (...xs: readonly Value[]): readonly Value[] =>
    (decompositions[name] as Decompose<unknown>)(xs, params[name]);

const general = (m: number, n: number): Tensor<'float64'> =>
  random.normal(random.key(m * 100 + n), [m, n], { dtype: 'float64' });
const definite = (n: number): Tensor<'float64'> =>
  np.add(np.matmul(general(n, n), np.transpose(general(n, n))), np.eye(n));

/** Operands of size n. */
const operands = (name: FactoredName, n: number): readonly Value[] => {
  if (name === 'triangular_solve') return [definite(n), general(n, 2)];
  if (name === 'cholesky') return [definite(n)];
  const bands = [0, 1, 2].map((i) => np.index(general(3, n), i));
  return name === 'tridiagonal_solve' ? [...bands, general(n, 2)] : [general(n, n)];
};

const names = Object.keys(params) as FactoredName[];

describe('programs', () => {
  it.each(names)('of %s are loops: as long for large matrices as for small ones', (name) => {
    const size = (n: number): number =>
      countEqns((makeJaxpr(decomposed(name))(...operands(name, n)) as ClosedJaxpr).jaxpr);
    expect(size(24)).toBe(size(6));
    expect(size(24)).toBeLessThan(200);
  });
});

describe('matrices that are larger, or hard', () => {
  const judged = (name: FactoredName, xs: readonly Value[]): unknown =>
    (factorJudges[name] as JudgeFactors<unknown>)(decomposed(name)(...xs).map(toHost), xs.map(toHost), params[name]);

  it.each(names)('%s of 13 rows', (name) => {
    expect(judged(name, operands(name, 13))).toEqual({ _tag: 'Holds' });
    expect(
      judged(
        name,
        operands(name, 12).map((x) => np.astype(x as Tensor, 'float32')),
      ),
    ).toEqual({ _tag: 'Holds' });
  });

  const n = 8;
  const wide = { dtype: 'float64' } as const;
  const hard: Readonly<Record<string, Tensor<'float64'>>> = {
    zero: np.zeros([n, n], wide),
    'the identity': np.eye(n, n, wide),
    'all ones': np.ones([n, n], wide),
    'of rank two': np.matmul(general(n, 2), general(2, n)),
    tiny: np.mul(general(n, n), 1e-300),
    huge: np.mul(general(n, n), 1e300),
  };
  const cases = Object.keys(hard).flatMap((kind) =>
    (['qr', 'lu', 'eigh', 'svd'] as const).map((name) => [kind, name] as const),
  );
  it.each(cases)('%s: %s', (kind, name) => {
    expect(judged(name, [hard[kind]!])).toEqual({ _tag: 'Holds' });
  });

  it('cholesky of what is not positive definite is NaN in the triangle', () => {
    const stack = np.stack([
      np.array([
        [1, 2],
        [2, 1],
      ]),
      np.array([
        [4, 0],
        [0, 9],
      ]),
    ]);
    expect(decomposed('cholesky')(stack)[0]!.toArray()).toEqual([
      [
        [NaN, 0],
        [NaN, NaN],
      ],
      [
        [2, 0],
        [0, 3],
      ],
    ]);
  });
});
