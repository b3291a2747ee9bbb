/** Factorizations: values that are known, what is not read, corners; and that their judges notice what is wrong. */
import { grad, jvp, lax, NotDifferentiableError, np, ShapeError, type Tensor, vmap } from 'pullback';
import { checkGrads, hostTensor, toHost } from 'pullback/laws';
import { describe, expect, it } from 'vitest';
import { type FactoredName, factorJudges, type JudgeFactors } from '../../laws/factors.ts';
import type { HostTensor } from '../../laws/host.ts';
import type { Primitive } from '../../src/core/primitive.ts';
import { bind } from '../../src/core/trace.ts';
import { firstOrder } from '../../src/prim/registry.ts';

const { linalg } = lax;
const NAN = Number.NaN;

/** A well-conditioned matrix without any symmetry. */
const general = (m: number, n: number): Tensor =>
  np.array(
    Array.from({ length: m }, (_, i) => Array.from({ length: n }, (_, j) => Math.sin(3 * i + 5 * j + i * j + 1))),
  );

/** A positive definite matrix. */
const definite = (n: number): Tensor => {
  const a = general(n, n);
  return np.add(np.matmul(a, np.transpose(a)), np.eye(n));
};

/** A combination of all elements that no symmetry makes trivial. */
const mix = (x: Tensor): Tensor =>
  np.sum(np.mul(x, np.reshape(np.cos(np.astype(np.arange(x.size), 'float32')), x.shape)));

describe('triangular_solve', () => {
  it('solves from either side with either triangle, which alone is read', () => {
    const lower = np.array([
      [2, NAN],
      [1, 4],
    ]);
    const upper = np.transpose(lower);
    const b = np.array([
      [2, 4],
      [9, 10],
    ]);
    const x = [
      [1, 2],
      [2, 2],
    ];
    expect(linalg.triangularSolve(lower, b, { leftSide: true, lower: true }).toArray()).toEqual(x);
    expect(linalg.triangularSolve(upper, b, { leftSide: true, transposeA: true }).toArray()).toEqual(x);
    expect(np.transpose(linalg.triangularSolve(upper, np.transpose(b))).toArray()).toEqual(x);
    const right = linalg.triangularSolve(lower, np.transpose(b), { lower: true, transposeA: true });
    expect(np.transpose(right).toArray()).toEqual(x);
    const unit = np.array([
      [NAN, NAN],
      [3, NAN],
    ]);
    expect(linalg.triangularSolve(unit, b, { leftSide: true, lower: true, unitDiagonal: true }).toArray()).toEqual([
      [2, 4],
      [3, -2],
    ]);
  });

  it('what is not read has no derivative, and NaN there reaches none', () => {
    const a = np.array([
      [2, NAN],
      [1, 4],
    ]);
    const f = (m: Tensor): Tensor =>
      np.sum(linalg.triangularSolve(m, np.ones([2, 1]), { leftSide: true, lower: true }));
    // x = (1/2, 1/8): ∂Σx/∂a₀₀ = −x₀(1 − 1/4)/2, ∂/∂a₁₀ = −x₀/4, ∂/∂a₁₁ = −x₁/4.
    expect(grad(f)(a).toArray()).toEqual([
      [-0.1875, 0],
      [-0.125, -0.03125],
    ]);
  });

  it('one matrix for many right-hand sides stays one under vmap', () => {
    const a = np.tril(definite(3));
    const bs = np.reshape(general(4, 6), [4, 3, 2]);
    const solve = (b: Tensor): Tensor => linalg.triangularSolve(a, b, { leftSide: true, lower: true });
    const all = vmap(solve)(bs);
    for (let i = 0; i < 4; i++) expect(np.index(all, i).toArray()).toEqual(solve(np.index(bs, i)).toArray());
  });

  it('a zero on the diagonal gives infinities', () => {
    expect(linalg.triangularSolve(np.zeros([1, 1]), np.ones([1, 1])).toArray()).toEqual([[Infinity]]);
  });
});

describe('cholesky', () => {
  it('is known', () => {
    const a = np.array([
      [4, 12, -16],
      [12, 37, -43],
      [-16, -43, 98],
    ]);
    const l = [
      [2, 0, 0],
      [6, 1, 0],
      [-8, 5, 3],
    ];
    expect(linalg.cholesky(a).toArray()).toEqual(l);
    expect(linalg.cholesky(np.tril(a), { symmetrizeInput: false }).toArray()).toEqual(l);
    expect(linalg.cholesky(np.zeros([0, 0])).shape).toEqual([0, 0]);
    expect(linalg.cholesky(np.array([[9]])).toArray()).toEqual([[3]]);
  });

  it.each([
    [
      'indefinite',
      [
        [1, 2],
        [2, 1],
      ],
    ],
    [
      'zero',
      [
        [0, 0],
        [0, 0],
      ],
    ],
    [
      'NaN',
      [
        [1, NAN],
        [NAN, 1],
      ],
    ],
    [
      'infinite',
      [
        [Infinity, 0],
        [0, 1],
      ],
    ],
  ])('of %s matrices is NaN in the triangle', (name, rows) => {
    const found = linalg.cholesky(np.array(rows)).toArray();
    if (name === 'infinite')
      expect(found).toEqual([
        [Infinity, 0],
        [0, 1],
      ]);
    else
      expect(found).toEqual([
        [NAN, 0],
        [NAN, NAN],
      ]);
  });

  it('one indefinite matrix of a batch does not spoil the others', () => {
    const stack = np.stack([np.neg(np.eye(2)), np.eye(2)]);
    expect(np.index(linalg.cholesky(stack), 1).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });
});

describe('qr', () => {
  it('has the signs of reflections', () => {
    const [q, r] = linalg.qr(
      np.array([
        [3, 5],
        [4, 5],
      ]),
    );
    expect(r.dataSync()[0]).toBe(-5);
    expect(r.dataSync()[1]).toBeCloseTo(-7);
    expect(q.dataSync()[0]).toBeCloseTo(-0.6);
  });

  it('keeps what needs no reflection', () => {
    const upper = np.array([
      [2, 1],
      [0, -3],
    ]);
    const [q, r] = linalg.qr(upper);
    expect(q.toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(r.toArray()).toEqual(upper.toArray());
  });

  it('has no derivative for columns that the matrix does not determine', () => {
    const full = (a: Tensor): Tensor => np.sum(linalg.qr(a)[0]);
    expect(() => grad(full)(general(3, 2))).toThrow(NotDifferentiableError);
    expect(() => grad(full)(general(3, 2))).toThrow(
      'the 3 × 2 matrices do not determine the columns that fullMatrices adds',
    );
    expect(grad(full)(general(2, 2)).shape).toEqual([2, 2]);
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
    ['qr, wide', (a) => np.add(...(linalg.qr(a!).map(mix) as [Tensor, Tensor])), [general(2, 4)]],
  ];
  it.each(cases)('of %s', (_, f, args) => {
    checkGrads(f as (...args: readonly unknown[]) => Tensor, args as never, { order: 2, directions: 2, rtol: 1e-4 });
  });
});

it('matrices are refused by what is wrong with them', () => {
  expect(() => linalg.cholesky(np.zeros([2, 3]))).toThrow(
    'lax.linalg.cholesky: needs square matrices, got float32[2,3]: 2 rows and 3 columns',
  );
  expect(() => linalg.qr(np.zeros([3]))).toThrow('qr: float32[3] is no matrix: it has 1 axis');
  expect(() => linalg.qr(np.zeros([2, 2], { dtype: 'int32' }) as unknown as Tensor)).toThrow(
    'qr: needs a floating-point dtype, got int32[2,2]',
  );
  expect(() => linalg.triangularSolve(np.eye(2), np.zeros([3, 3]))).toThrow(
    'triangular_solve: float32[2,2] does not fit the columns of float32[3,3]',
  );
  expect(() => linalg.triangularSolve(np.zeros([4, 2, 2]), np.zeros([2, 2]))).toThrow(
    'triangular_solve: operands must have equal batch axes, got float32[4,2,2] and float32[2,2]',
  );
  expect(() => linalg.triangularSolve(np.eye(2), np.zeros([2]))).toThrow(ShapeError);
});

describe('the judges of factors notice', () => {
  const operands: { readonly [Name in FactoredName]: readonly [readonly Tensor[], unknown] } = {
    triangular_solve: [
      [definite(3), general(3, 2)],
      { leftSide: true, lower: true, transposeA: false, unitDiagonal: false },
    ],
    cholesky: [[definite(3)], {}],
    qr: [[general(3, 2)], { fullMatrices: true }],
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

it('derivatives of a batch are those of its matrices', () => {
  const stack = np.stack([definite(3), np.mul(definite(3), 2)]);
  const [, moved] = jvp(linalg.cholesky, [stack], [np.ones([2, 3, 3])]);
  const [, one] = jvp(linalg.cholesky, [definite(3)], [np.ones([3, 3])]);
  expect(np.allclose(np.index(moved as Tensor, 0), one as Tensor).item()).toBe(true);
});
