/** Factorizations: matrices at which iterations go wrong, second derivatives, and that the judges of factors notice what is wrong. */

import { lax, np, random, type Tensor } from 'pullback';
import { checkGrads, hostTensor, toHost } from 'pullback/laws';
import { describe, expect, it } from 'vitest';
import { type FactoredName, factorJudges, type JudgeFactors } from '../../laws/factors.ts';
import type { HostTensor } from '../../laws/host.ts';
import type { Primitive } from '../../src/core/primitive.ts';
import { bind } from '../../src/core/trace.ts';
import { firstOrder } from '../../src/prim/registry.ts';
import { definite, general, mix, sum2 } from './matrices.ts';

const { linalg } = lax;

/** Matrices at which iterations and roundings go wrong, by name. */
const hard: Readonly<Record<string, (n: number) => Tensor<'float64'>>> = {
  zeros: (n) => np.zeros([n, n], { dtype: 'float64' }),
  identity: (n) => np.eye(n, n, { dtype: 'float64' }),
  'all ones': (n) => np.ones([n, n], { dtype: 'float64' }),
  random: (n) => random.normal(random.key(n), [n, n], { dtype: 'float64' }),
  'rank one': (n) => np.outer(np.linspace(-1, 1, n, { dtype: 'float64' }), np.linspace(1, 2, n, { dtype: 'float64' })),
  graded: (n) =>
    np.mul(
      random.normal(random.key(n), [n, n], { dtype: 'float64' }),
      np.power(10, np.linspace(0, -300, n, { dtype: 'float64' })),
    ),
  subnormal: (n) => np.mul(random.normal(random.key(n), [n, n], { dtype: 'float64' }), 1e-310),
  huge: (n) => np.mul(random.normal(random.key(n), [n, n], { dtype: 'float64' }), 1e300),
  'nearly equal eigenvalues': (n) =>
    np.add(np.eye(n, n, { dtype: 'float64' }), np.mul(np.ones([n, n], { dtype: 'float64' }), 1e-15)),
  bidiagonal: (n) => np.add(np.eye(n, n, { dtype: 'float64' }), np.eye(n, n, { k: 1, dtype: 'float64' })),
};

describe('matrices at which iterations go wrong', () => {
  const params: Readonly<Partial<Record<FactoredName, unknown>>> = {
    qr: { fullMatrices: true },
    lu: {},
    eigh: { lower: true },
    svd: { fullMatrices: true, computeUv: true },
  };
  const cases = Object.keys(hard).flatMap((kind) =>
    (Object.keys(params) as FactoredName[]).map((name) => [kind, name] as const),
  );
  it.each(cases)('%s: %s', (kind, name) => {
    for (const n of [1, 2, 5, 24]) {
      const a = hard[kind]!(n);
      const outs = bind(firstOrder[name] as unknown as Primitive, [a as never], params[name]).map(toHost);
      const verdict = (factorJudges[name] as JudgeFactors<unknown>)(outs, [toHost(a as never)], params[name]);
      expect(verdict, `n = ${n}`).toEqual({ _tag: 'Holds' });
    }
  });
});

describe('second derivatives', () => {
  const cases: readonly (readonly [string, (...args: Tensor[]) => Tensor, readonly Tensor[]])[] = [
    ['triangular_solve', (a, b) => mix(linalg.triangularSolve(a!, b!, { lower: true })), [definite(3), general(2, 3)]],
    ['cholesky', (a) => mix(linalg.cholesky(a!)), [definite(3)]],
    [
      'qr, tall',
      (a) => np.add(...(linalg.qr(a!, { fullMatrices: false }).map(mix) as [Tensor, Tensor])),
      [general(4, 3)],
    ],
    ['lu', (a) => mix(linalg.lu(a!)[0]), [general(3, 3)]],
    ['lu, tall', (a) => mix(linalg.lu(a!)[0]), [general(4, 2)]],
    ['lu, wide', (a) => mix(linalg.lu(a!)[0]), [general(2, 4)]],
    ['eigh', (a) => np.add(...(linalg.eigh(a!).map(mix) as [Tensor, Tensor])), [definite(3)]],
    ['svd, tall', (a) => linalg.svd(a!, { fullMatrices: false }).map(mix).reduce(sum2), [general(4, 2)]],
    ['svd, wide', (a) => linalg.svd(a!, { fullMatrices: false }).map(mix).reduce(sum2), [general(2, 4)]],
    ['svd, values', (a) => mix(linalg.svd(a!, { computeUv: false })), [general(3, 2)]],
    [
      'tridiagonal_solve',
      (dl, d, du, b) => mix(linalg.tridiagonalSolve(dl!, np.add(d!, 4), du!, b!)),
      [...[0, 1, 2].map((i) => np.index(general(3, 4), i)), general(4, 2)],
    ],
    ['qr, wide', (a) => np.add(...(linalg.qr(a!).map(mix) as [Tensor, Tensor])), [general(2, 4)]],
  ];
  it.each(cases)('of %s', (_, f, args) => {
    checkGrads(f as (...args: readonly unknown[]) => Tensor, args as never, { order: 2, directions: 2, rtol: 1e-4 });
  });
});

describe('the judges of factors notice', () => {
  const operands: { readonly [Name in FactoredName]: readonly [readonly Tensor[], unknown] } = {
    triangular_solve: [
      [definite(3), general(3, 2)],
      { leftSide: true, lower: true, transposeA: false, unitDiagonal: false },
    ],
    cholesky: [[definite(3)], {}],
    qr: [[general(3, 2)], { fullMatrices: true }],
    lu: [[general(3, 2)], {}],
    eigh: [[definite(3)], { lower: true }],
    svd: [[general(3, 2)], { fullMatrices: true, computeUv: true }],
    tridiagonal_solve: [[np.ones([3]), np.full([3], 3), np.array([1, 2, 1]), general(3, 2)], {}],
  };
  const changed = (x: HostTensor, at: number): HostTensor =>
    hostTensor(
      x.shape,
      x.dtype,
      Array.from(x.data, (v, i) => (i === at ? v + 0.01 : v)),
    );

  it.each(Object.keys(operands) as FactoredName[])('each wrong element of %s', (name) => {
    const [xs, params] = operands[name];
    const judge = factorJudges[name] as JudgeFactors<unknown>;
    const ins = xs.map(toHost);
    const outs = bind(firstOrder[name] as unknown as Primitive, xs as never, params).map(toHost);
    expect(judge(outs, ins, params)._tag).toBe('Holds');
    outs.forEach((out, i) => {
      for (let at = 0; at < out.data.length; at++) {
        const wrong = outs.map((x, k) => (k === i ? changed(x, at) : x));
        expect(judge(wrong, ins, params)._tag, `result ${i}, element ${at}`).toBe('Fails');
      }
    });
  });
});
