/** Factorizations: values that are known, what is not read, corners. */
import { grad, jvp, lax, NotDifferentiableError, np, ShapeError, type Tensor, vmap } from 'pullback';
import { describe, expect, it } from 'vitest';
import { definite, general, mix, sum2 } from './matrices.ts';

const { linalg } = lax;
const NAN = Number.NaN;

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

describe('lu', () => {
  it('is known, also where it is singular', () => {
    const [packed, pivots, permutation] = linalg.lu(
      np.array([
        [1, 2, 3],
        [2, 4, 6],
        [4, 5, 6],
      ]),
    );
    expect(packed.toArray()).toEqual([
      [4, 5, 6],
      [0.5, 1.5, 3],
      [0.25, 0.5, 0],
    ]);
    expect([pivots.toArray(), permutation.toArray()]).toEqual([
      [2, 1, 2],
      [2, 1, 0],
    ]);
  });

  it('has its derivative where the last pivot is zero', () => {
    const a = np.array([
      [2, 1],
      [4, 2],
    ]);
    // The pivot row is (4, 2): l = 1/2, and u₁₁ = 1 − l·2.
    const corner = (x: Tensor): Tensor => np.index(linalg.lu(x)[0], 1, 1);
    expect(grad(corner)(a).toArray()).toEqual([
      [-0.5, 1],
      [0.25, -0.5],
    ]);
  });
});

describe('eigh', () => {
  it('has settled signs and increasing values', () => {
    const [v, w] = linalg.eigh(
      np.array([
        [0, -3],
        [-3, 0],
      ]),
    );
    expect(w.toArray()).toEqual([-3, 3]);
    expect(v.dataSync()[0]).toBeCloseTo(Math.SQRT1_2);
    expect(v.dataSync()[1]).toBeCloseTo(Math.SQRT1_2);
    expect(v.dataSync()[3]).toBeCloseTo(-Math.SQRT1_2);
  });

  it('reads the triangle that it is told to', () => {
    const a = np.array([
      [1, 7],
      [2, 1],
    ]);
    const values = (lower: boolean) => linalg.eigh(a, { lower, symmetrizeInput: false })[1].toArray();
    expect(values(true)).toEqual([-1, 3]);
    expect(values(false)).toEqual([-6, 8]);
    const upper = (x: Tensor): Tensor => np.sum(np.square(linalg.eigh(x, { lower: false, symmetrizeInput: false })[1]));
    // Σλ² = tr a² of the symmetric matrix: 1 + 1 + 2·7².
    expect(np.round(grad(upper)(a), 4).toArray()).toEqual([
      [2, 28],
      [0, 2],
    ]);
  });

  it('at equal eigenvalues, what treats them alike has its derivatives', () => {
    const eye = np.eye(3);
    const trace3 = (x: Tensor): Tensor => np.sum(np.power(linalg.eigh(x)[1], 3));
    expect(grad(trace3)(eye).toArray()).toEqual([
      [3, 0, 0],
      [0, 3, 0],
      [0, 0, 3],
    ]);
    const [v] = [grad((x: Tensor) => mix(linalg.eigh(x)[0]))(eye)];
    expect(v.toArray()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    // The projection on the plane of a double eigenvalue, off which it is moved.
    const a = np.array([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 3],
    ]);
    const plane = (x: Tensor): Tensor => {
      const basis = np.index(linalg.eigh(x)[0], [], [0, 2]);
      return np.sum(
        np.mul(
          np.matmul(basis, np.transpose(basis)),
          np.array([
            [0, 0, 1],
            [0, 0, 0],
            [0, 0, 0],
          ]),
        ),
      );
    };
    // P₀₂ = −x₀₂/(3 − 1) to first order.
    expect(grad(plane)(a).toArray()).toEqual([
      [0, 0, -0.25],
      [0, 0, 0],
      [-0.25, 0, 0],
    ]);
  });

  it('at equal eigenvalues, which further derivatives are right and which are not', () => {
    const double = { dtype: 'float64' } as const;
    const a = np.array([1, 0, 0, 0, 1, 0, 0, 0, 3], double);
    const d = np.array([0.1, 0.3, 0.7, 0.3, -0.5, 0.2, 0.7, 0.2, 0.6], double);
    const at = (t: Tensor<'float64'>) => np.reshape(np.add(a, np.mul(t, d)), [3, 3]);
    const second = (f: (x: Tensor<'float64'>) => Tensor<'float64'>): number =>
      grad(grad((t: Tensor<'float64'>) => f(at(t))))(np.zeros([], double)).item();
    // λ₁ + λ₂ = 6 − λ₃ + …, and λ₃ = 3 + t d₂₂ + t² (d₀₂² + d₁₂²)/(3 − 1).
    expect(second((x) => np.sum(np.index(linalg.eigh(x)[1], [0, 2])))).toBeCloseTo(-(0.7 ** 2 + 0.2 ** 2), 12);
    // Σλ² = tr x², whose second derivative is 2 tr d²: what d does within the plane of the double eigenvalue is missing.
    const squares = np.sum(np.square(d)).item();
    expect(second((x) => np.sum(np.square(linalg.eigh(x)[1])))).toBeCloseTo(2 * squares - 4 * 0.3 ** 2, 12);
    // v w vᵀ is x, whose sum has a gradient of ones: off the diagonal it is missing.
    const same = (x: Tensor): Tensor => {
      const [v, w] = linalg.eigh(x);
      return np.sum(np.matmul(np.mul(v, w), np.transpose(v)));
    };
    expect(grad(same)(np.eye(2)).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it('eigenvalues that are equal up to roundings are equal', () => {
    // Reflections 1 − 2 n nᵀ with |n| = 1 turn diagonals into full matrices.
    for (const dtype of ['float32', 'float64'] as const) {
      const n = np.array([0.1, 0.5, 0.7, 0.5], { dtype });
      const turn = np.sub(np.eye(4, 4, { dtype }), np.mul(2, np.outer(n, n)));
      const a = np.matmul(np.mul(turn, np.array([1, 1, 2, 3], { dtype })), np.transpose(turn));
      const gradient = grad((x: typeof a) => {
        const plane = np.index(linalg.eigh(x)[0], [], [0, 2]);
        return np.sum(np.square(np.matmul(plane, np.transpose(plane))));
      })(a);
      // The sum of squares of a projection is its rank.
      expect(np.max(np.abs(gradient)).item()).toBeLessThan(dtype === 'float32' ? 1e-5 : 1e-13);
    }
  });
});

describe('svd', () => {
  it('of zeros and of equal singular values has finite derivatives', () => {
    for (const a of [np.zeros([3, 2]), np.eye(2), np.eye(2, 3), np.ones([3, 3])]) {
      const f = (x: Tensor): Tensor => linalg.svd(x, { fullMatrices: false }).map(mix).reduce(sum2);
      expect(np.all(np.isfinite(grad(f)(a))).item()).toBe(true);
    }
    expect(grad((x: Tensor) => np.sum(linalg.svd(x, { computeUv: false })))(np.eye(2)).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it('of nothing is nothing, completed', () => {
    const [u, s, vt] = linalg.svd(np.zeros([2, 0]));
    expect([u.toArray(), s.shape, vt.shape]).toEqual([
      [
        [1, 0],
        [0, 1],
      ],
      [0],
      [0, 0],
    ]);
    expect(linalg.svd(np.zeros([0, 2]))[2].toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });
});

describe('tridiagonal_solve', () => {
  it('exchanges rows where it must, and does not read the corners', () => {
    // [[0, 1], [1, 0]] x = (2, 3)
    const x = linalg.tridiagonalSolve(np.array([NAN, 1]), np.zeros([2]), np.array([1, NAN]), np.array([[2], [3]]));
    expect(x.toArray()).toEqual([[3], [2]]);
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

it('derivatives of a batch are those of its matrices', () => {
  const stack = np.stack([definite(3), np.mul(definite(3), 2)]);
  const [, moved] = jvp(linalg.cholesky, [stack], [np.ones([2, 3, 3])]);
  const [, one] = jvp(linalg.cholesky, [definite(3)], [np.ones([3, 3])]);
  expect(np.allclose(np.index(moved as Tensor, 0), one as Tensor).item()).toBe(true);
});
