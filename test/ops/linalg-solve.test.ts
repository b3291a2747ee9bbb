/** `np.linalg.solve` as an equation: derivatives are further solutions with the same factors, under every transform. */

import {
  type ClosedJaxpr,
  grad,
  hessian,
  type Jaxpr,
  jacfwd,
  jacrev,
  jit,
  jvp,
  makeAval,
  makeJaxpr,
  np,
  random,
  type Tensor,
  vmap,
} from 'pullback';
import { adjointLaw, args, batchingLaw, gradientLaw, jitLaw } from 'pullback/laws';
import { describe, expect, it } from 'vitest';
import { innerJaxprs } from '../../src/core/jaxpr.ts';

type T = Tensor<'float64'>;
const { linalg } = np;
const general = (...shape: number[]): T =>
  random.normal(random.key(shape.reduce((n, x) => 7 * n + x, 1)), shape, { dtype: 'float64' }) as T;
const close = (x: unknown, y: unknown): void => {
  const [a, b] = [x, y].map((z) => z as T);
  expect(a!.shape).toEqual(b!.shape);
  expect(a!.dtype).toBe('float64');
  expect(np.allclose(a!, b!, { rtol: 1e-9, atol: 1e-10 }).item()).toBe(true);
};

/** How often a program, with all the programs in it, computes `name`. */
const count = ({ eqns }: Jaxpr, name: string): number =>
  eqns.reduce(
    (sum, eqn) =>
      sum + Number(eqn.primitive.name === name) + innerJaxprs(eqn).reduce((n, inner) => n + count(inner, name), 0),
    0,
  );
const factorizations = ({ jaxpr }: ClosedJaxpr): number => count(jaxpr, 'lu');

const [a, b] = [general(4, 4), general(4, 3)];
const energy = (m: T): T => np.sum(np.square(linalg.solve(m, b)));

describe('a matrix is factored once', () => {
  it.each([
    ['solve', (m: T) => linalg.solve(m, b)],
    ['grad', grad(energy)],
    [
      'grad in both operands',
      (m: T) => grad((x: T, v: T) => np.sum(np.square(linalg.solve(x, v))), { argnums: [0, 1] })(m, b),
    ],
    ['jvp', (m: T) => jvp(energy, [m], [a])],
    ['jacrev', jacrev((m: T) => linalg.solve(m, b))],
    ['jacfwd', jacfwd((m: T) => linalg.solve(m, b))],
    ['hessian', hessian(energy)],
    ['grad of grad', grad((m: T) => np.sum(np.square(grad(energy)(m))))],
    ['jit of grad', jit(grad(energy))],
    ['grad of jit', grad(jit(energy))],
    [
      'grad of vmap over right-hand sides',
      grad((m: T) => np.sum(vmap((v: T) => np.sum(np.square(linalg.solve(m, v))), 1)(b))),
    ],
    ['grad of inv', grad((m: T) => np.sum(np.square(linalg.inv(m))))],
  ] as readonly (readonly [string, (m: T) => unknown])[])('%s', (_, f) => {
    expect(factorizations(makeJaxpr(f)(a))).toBe(1);
  });

  it('vmap over right-hand sides leaves it one matrix, vmap over matrices makes it one batch', () => {
    const shapes = (f: (m: T, v: T) => unknown, m: T, v: T): readonly (readonly number[])[] =>
      makeJaxpr(f)(m, v)
        .jaxpr.eqns.filter((eqn) => eqn.primitive.name === 'lu')
        .map((eqn) => eqn.outs[0]!.aval.shape);
    expect(
      shapes(
        vmap((m: T, v: T) => linalg.solve(m, v), [null, 1]),
        a,
        b,
      ),
    ).toEqual([[4, 4]]);
    expect(
      shapes(
        vmap((m: T, v: T) => linalg.solve(m, v), [0, null]),
        general(2, 4, 4),
        b,
      ),
    ).toEqual([[2, 4, 4]]);
  });
});

describe('derivatives are those of the inverse', () => {
  // x = a⁻¹ b, written with the inverse by the adjugate, so that each derivative is that of a quotient of polynomials.
  const inverse = (m: T): T => {
    const at = (i: number, j: number): T => np.index(m, i % 3, j % 3) as T;
    const cofactor = (i: number, j: number): T =>
      np.sub(np.mul(at(i + 1, j + 1), at(i + 2, j + 2)), np.mul(at(i + 1, j + 2), at(i + 2, j + 1)));
    const rows = [0, 1, 2].map((i) => np.stack([0, 1, 2].map((j) => cofactor(j, i))));
    const det = [0, 1, 2].map((j) => np.mul(at(0, j), cofactor(0, j))).reduce((x, y) => np.add(x, y));
    return np.div(np.stack(rows), det);
  };
  const [m, v] = [general(3, 3), general(3, 2)];
  const solved = (x: T, y: T): T => linalg.solve(x, y);
  const direct = (x: T, y: T): T => np.matmul(inverse(x), y);

  it('in both modes and operands, to second order', () => {
    close(solved(m, v), direct(m, v));
    for (const argnums of [0, 1]) {
      const wanted = jacfwd(direct, { argnums })(m, v);
      close(jacfwd(solved, { argnums })(m, v), wanted);
      close(jacrev(solved, { argnums })(m, v), wanted);
      close(jit(jacrev(solved, { argnums }))(m, v), wanted);
      const curvature = jacfwd(jacfwd(direct, { argnums: 0 }), { argnums })(m, v);
      close(jacfwd(jacrev(solved, { argnums: 0 }), { argnums })(m, v), curvature);
      close(jacrev(jacrev(solved, { argnums: 0 }), { argnums })(m, v), curvature);
      close(jacrev(jacfwd(solved, { argnums: 0 }), { argnums })(m, v), curvature);
    }
    close(jacrev(linalg.inv as (x: T) => T)(m), jacfwd(inverse)(m));
  });

  it('of batches, broadcast or mapped over either operand', () => {
    const [ms, vs] = [general(2, 3, 3), general(2, 3, 2)];
    const each = (f: typeof solved): T => np.stack([0, 1].map((i) => f(np.index(ms, i) as T, np.index(vs, i) as T)));
    close(linalg.solve(ms, vs), each(direct));
    close(vmap(solved)(ms, vs), each(direct));
    close(vmap(solved, [0, null])(ms, v), linalg.solve(ms, v));
    close(vmap(solved, [null, 0])(m, vs), linalg.solve(m, vs));
    close(vmap(solved, [null, 1], 1)(m, v), direct(m, v));
    const total = (f: typeof solved) => (x: T, y: T) => np.sum(np.square(f(x, y)));
    close(vmap(grad(total(solved)))(ms, vs), each(grad(total(direct))));
    close(
      vmap(grad(total(solved), { argnums: 1 }), [null, 0])(m, vs),
      np.stack([0, 1].map((i) => grad(total(direct), { argnums: 1 })(m, np.index(vs, i) as T))),
    );
    close(
      grad((x: T) => np.sum(vmap(total(solved), [null, 0])(x, vs)))(m),
      grad((x: T) => np.sum(vmap(total(direct), [null, 0])(x, vs)))(m),
    );
    close(
      grad((x: T) => total(solved)(x, vs))(m),
      grad((x: T) => np.sum(np.stack([0, 1].map((i) => total(direct)(x, np.index(vs, i) as T)))))(m),
    );
  });

  it('at a permuted matrix, whose rows must change places', () => {
    const p = np.array(
      [
        [0, 2, 0],
        [0, 0, 4],
        [1, 0, 0],
      ],
      { dtype: 'float64' },
    );
    const ct = grad((y: T) => np.index(linalg.solve(p, y), 0) as T)(np.array([1, 2, 3], { dtype: 'float64' }));
    expect(ct.toArray()).toEqual([0, 0, 1]);
    expect(grad((y: T) => np.index(linalg.solve(p, y), 2) as T)(np.ones([3], { dtype: 'float64' })).toArray()).toEqual([
      0, 0.25, 0,
    ]);
  });

  it('of systems that are empty, or without right-hand sides', () => {
    expect(grad((x: Tensor) => np.sum(linalg.solve(x, np.zeros([0, 2]))))(np.zeros([0, 0])).shape).toEqual([0, 0]);
    expect(grad((x: Tensor) => np.sum(linalg.solve(x, np.zeros([2, 0]))))(np.eye(2)).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});

describe('laws', () => {
  const solution = (m: Tensor, v: Tensor): Tensor =>
    linalg.solve(np.add(np.matmul(m, np.matrixTranspose(m)), np.eye(3)), v);
  const operands = args(makeAval([2, 3, 3], 'float32'), makeAval([3, 2], 'float32'));
  it('gradients to second order, adjoints, batches and programs', () => {
    gradientLaw((m: Tensor, v: Tensor) => np.sum(np.sin(solution(m, v))), operands, { order: 2 }).check({ runs: 15 });
    adjointLaw(solution, operands).check({ runs: 30 });
    batchingLaw(solution, operands).check({ runs: 30 });
    jitLaw(solution, operands, { rtol: 1e-4, atol: 1e-5 }).check({ runs: 30 });
  });
});
