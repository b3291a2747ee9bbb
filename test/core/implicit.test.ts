/** Implicit differentiation: solutions of equations, whose derivatives do not pass through the algorithm that found them. */

import {
  closureConvert,
  customLinearSolve,
  customRoot,
  foriLoop,
  grad,
  hessian,
  jacfwd,
  jacrev,
  jit,
  jvp,
  np,
  referenceDevice,
  type Tensor,
  vmap,
  whileLoop,
  withDefaultDevice,
} from 'pullback';
import { describe, expect, test } from 'vitest';
import { message } from '../errors/message.ts';

const exact = referenceDevice({ precision: 'float64' });
const precisely = <A>(f: () => A): A => withDefaultDevice(exact, f);
const numbers = (x: unknown): readonly number[] => Array.from((x as Tensor).dataSync() as Float32Array);
const expectClose = (found: unknown, wanted: unknown): void => {
  const [a, b] = [numbers(found), numbers(wanted)];
  expect(a.length).toBe(b.length);
  a.forEach((x, i) => {
    expect(x).toBeCloseTo(b[i]!, 9);
  });
};

/** The solution of m x = b by elimination without pivots, in the open: every derivative passes through it. */
function eliminate(m: Tensor, b: Tensor): Tensor {
  const n = b.shape[0]!;
  const rows = Array.from({ length: n }, (_, i) => np.concatenate([np.index(m, i), np.index(b, [i, i + 1])]));
  for (let k = 0; k < n; k++) {
    rows[k] = np.div(rows[k]!, np.index(rows[k]!, k));
    for (let i = 0; i < n; i++) if (i !== k) rows[i] = np.sub(rows[i]!, np.mul(np.index(rows[i]!, k), rows[k]!));
  }
  return np.stack(rows.map((row) => np.index(row, n)));
}

/** Conjugate gradients, in a loop that no derivative could pass backwards. */
const conjugateGradients = (matvec: (x: Tensor) => Tensor, b: Tensor): Tensor => {
  const dot = (x: Tensor, y: Tensor): Tensor => np.sum(np.mul(x, y));
  const init = { x: np.zeros(b.shape), r: b, p: b, rr: dot(b, b) };
  const step = ({ x, r, p, rr }: typeof init): typeof init => {
    const ap = matvec(p);
    const alpha = np.div(rr, dot(p, ap));
    const next = np.sub(r, np.mul(alpha, ap));
    const nextRr = dot(next, next);
    return {
      x: np.add(x, np.mul(alpha, p)),
      r: next,
      p: np.add(next, np.mul(np.div(nextRr, rr), p)),
      rr: nextRr,
    };
  };
  return whileLoop(({ rr }) => np.greater(rr, 1e-24), step, init).x;
};

describe('customLinearSolve', () => {
  const spd = (a: Tensor): Tensor => np.add(np.matmul(a, np.transpose(a)), np.mul(2, np.eye(3)));
  const a = precisely(() =>
    np.array([
      [1, 0.5, -0.25],
      [0.75, -1, 0.5],
      [0.25, 0.5, 1],
    ]),
  );
  const b = precisely(() => np.array([1, -2, 0.5]));
  const iterative = (m: Tensor, v: Tensor): Tensor =>
    customLinearSolve((x: Tensor) => np.matmul(spd(m), x), v, conjugateGradients, { symmetric: true });
  const direct = (m: Tensor, v: Tensor): Tensor => eliminate(spd(m), v);

  test('conjugate gradients have the derivatives of a direct solution', () => {
    precisely(() => {
      expectClose(iterative(a, b), direct(a, b));
      for (const argnums of [0, 1]) {
        expectClose(jacfwd(iterative, { argnums })(a, b), jacfwd(direct, { argnums })(a, b));
        expectClose(jacrev(iterative, { argnums })(a, b), jacrev(direct, { argnums })(a, b));
      }
      const loss = (solve: typeof direct) => (m: Tensor) => np.sum(np.square(solve(m, b)));
      expectClose(hessian(loss(iterative))(a), hessian(loss(direct))(a));
      expectClose(jit(grad(loss(iterative)))(a), grad(loss(direct))(a));
    });
  });

  test('each lane of a batch has its own system and its own number of steps', () => {
    precisely(() => {
      const ms = np.stack([a, np.mul(3, a), np.eye(3)]) as Tensor;
      const bs = np.stack([b, np.mul(2, b), np.ones([3])]) as Tensor;
      expectClose(vmap(iterative)(ms, bs), vmap(direct)(ms, bs));
      expectClose(vmap(iterative, [null, 0])(a, bs), vmap(direct, [null, 0])(a, bs));
      const loss = (solve: typeof direct) => (m: Tensor, v: Tensor) => np.sum(np.square(solve(m, v)));
      expectClose(vmap(grad(loss(iterative)))(ms, bs), vmap(grad(loss(direct)))(ms, bs));
      expectClose(
        grad((m: Tensor) => np.sum(vmap(loss(iterative), [null, 0])(m, bs)))(a),
        grad((m: Tensor) => np.sum(vmap(loss(direct), [null, 0])(m, bs)))(a),
      );
    });
  });

  test('a system that is not symmetric needs a solver for its transpose, in reverse mode', () => {
    precisely(() => {
      const m = np.add(a, np.mul(3, np.eye(3)));
      const solved = (w: Tensor, both: boolean): Tensor =>
        customLinearSolve(
          (x: Tensor) => np.matmul(w, x),
          b,
          (_, y) => eliminate(w, y),
          both ? { transposeSolve: (_, y) => eliminate(np.transpose(w), y) } : {},
        );
      const wanted = jacfwd((w: Tensor) => eliminate(w, b))(m);
      expectClose(jacfwd((w: Tensor) => solved(w, false))(m), wanted);
      expectClose(jacrev((w: Tensor) => solved(w, true))(m), wanted);
      expect(message(() => grad((w: Tensor) => np.sum(solved(w, false)))(m))).toMatchInlineSnapshot(`
        "
        NotDifferentiableError: customLinearSolve: reverse mode solves the transposed system, and has not been told how
          remedy: give it transposeSolve, or symmetric: true if the system is
          at test/core/implicit.test.ts:LINE
          while transposing custom_linear_solve from test/core/implicit.test.ts:LINE
        "
      `);
    });
  });

  test('vectors are trees', () => {
    const solved = (s: Tensor) =>
      customLinearSolve(
        (x: { readonly u: Tensor; readonly v: Tensor }) => ({ u: np.mul(s, x.u), v: np.add(x.v, np.mul(s, x.u)) }),
        { u: np.array(6), v: np.array(1) },
        (_, y) => ({ u: np.div(y.u, s), v: np.sub(y.v, y.u) }),
      );
    const [x, dx] = jvp(solved, [np.array(2)], [np.array(1)]);
    expect([x.u.item(), x.v.item(), dx.u.item(), dx.v.item()]).toEqual([3, -5, -1.5, 0]);
  });

  test('what returns another structure', () => {
    expect(
      message(() =>
        customLinearSolve(
          (x: Tensor) => np.stack([x, x]),
          b,
          (_, y) => y,
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      TreeError: customLinearSolve: matvec returns float32[2,3] where b is float32[3]
        remedy: let matvec return a vector of the structure of b
        at test/core/implicit.test.ts:LINE
      "
    `);
    expect(
      message(() =>
        customLinearSolve(
          (x: Tensor) => x,
          b,
          (_, y) => ({ y }) as unknown as Tensor,
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      TreeError: customLinearSolve: solve returns another structure than b: b: a tensor beside object {"y":*}
        remedy: let solve return a vector of the structure of b
        at test/core/implicit.test.ts:LINE
      "
    `);
  });
});

describe('customRoot', () => {
  /** The fixed point of cos(θ x): implicitly, and by a loop that is differentiated step by step. */
  const iterate = (g: (x: Tensor) => Tensor, x0: Tensor): Tensor =>
    whileLoop(
      (s: { readonly x: Tensor; readonly before: Tensor }) => np.greater(np.abs(np.sub(s.x, s.before)), 1e-14),
      ({ x }) => ({ x: g(x), before: x }),
      { x: g(x0), before: x0 },
    ).x;
  const implicit = (theta: Tensor): Tensor =>
    customRoot(
      (x: Tensor) => np.sub(np.cos(np.mul(theta, x)), x),
      np.array(1),
      (f, x0) => iterate((x) => np.add(f(x), x), x0),
      (g, y) => np.div(y, g(np.ones([]))),
    );
  const unrolled = (theta: Tensor): Tensor => foriLoop(0, 60, (_, x) => np.cos(np.mul(theta, x)), np.array(1));

  test('the implicit derivative is that of the unrolled loop, at the fixed point', () => {
    precisely(() => {
      const theta = np.array(0.75);
      expectClose(implicit(theta), unrolled(theta));
      for (const derivative of [
        grad,
        jacfwd,
        (f: typeof implicit) => grad(grad(f)),
        (f: typeof implicit) => jit(grad(f)),
      ]) {
        const d = derivative as (f: typeof implicit) => (x: Tensor) => Tensor;
        expectClose(d(implicit)(theta), d(unrolled)(theta));
      }
      const thetas = np.array([0.25, 0.5, 0.75]);
      expectClose(vmap(grad(implicit))(thetas), vmap(grad(unrolled))(thetas));
    });
  });

  test('roots of systems', () => {
    precisely(() => {
      // x² + y² = r², x = a·y
      const f = (r: Tensor, slope: Tensor) => (x: Tensor) => {
        const [u, v] = [np.index(x, 0), np.index(x, 1)];
        return np.stack([np.sub(np.add(np.square(u), np.square(v)), np.square(r)), np.sub(u, np.mul(slope, v))]);
      };
      const newton = (g: (x: Tensor) => Tensor, x0: Tensor): Tensor =>
        foriLoop(0, 12, (_, x) => np.sub(x, eliminate(jacfwd(g)(x) as Tensor, g(x))), x0);
      const root = (r: Tensor, slope: Tensor): Tensor =>
        customRoot(f(r, slope), np.ones([2]), newton, (g, y) => np.linalg.solve(jacfwd(g)(y) as Tensor, y));
      const closed = (r: Tensor, slope: Tensor): Tensor => {
        const v = np.div(r, np.sqrt(np.add(1, np.square(slope))));
        return np.stack([np.mul(slope, v), v]);
      };
      const args = [np.array(2), np.array(0.5)] as const;
      expectClose(root(...args), closed(...args));
      for (const argnums of [0, 1]) {
        expectClose(jacrev(root, { argnums })(...args), jacfwd(closed, { argnums })(...args));
        expectClose(jacfwd(root, { argnums })(...args), jacfwd(closed, { argnums })(...args));
      }
    });
  });

  test('a tangentSolve that closes over a matrix', () =>
    precisely(() => {
      const matrix = np.array([
        [2, 1],
        [1, 3],
      ]);
      const inverse = np.linalg.inv(matrix);
      const root = (b: Tensor): Tensor =>
        customRoot(
          (x: Tensor) => np.sub(np.matmul(matrix, x), b),
          np.zeros([2]),
          (f, x0) => np.sub(x0, np.matmul(inverse, f(x0))),
          (_, y) => np.matmul(inverse, y),
        );
      const b = np.array([1, 2]);
      expectClose(jacrev(root)(b), inverse);
      expectClose(jacfwd(root)(b), inverse);
      expectClose(grad((v: Tensor) => np.sum(jit(root)(v)))(b), np.sum(inverse, 0));
    }));
  test('a tangentSolve that is not linear in y, by its program, is refused', () => {
    const root = (a: Tensor): Tensor =>
      customRoot(
        (x: Tensor) => np.sub(np.square(x), a),
        np.array(1),
        (_f, x0) => np.mul(x0, 2),
        (g, y) => np.minimum(np.div(y, g(np.ones([]))), 1),
      );
    expect(root(np.array(4)).item()).toBe(2);
    expect(() => grad(root)(np.array(4))).toThrow(/^min: is not linear[\s\S]*customJvp\(root\)/);
  });

  test('nothing closed over: a constant', () => {
    const f = (x: Tensor): Tensor =>
      np.mul(
        x,
        customRoot(
          (y: Tensor) => np.sub(y, 2),
          np.array(0),
          (g, y) => np.sub(y, g(y)),
          (_, y) => y,
        ),
      );
    expect(grad(f)(np.array(3)).item()).toBe(2);
  });
});

describe('closureConvert', () => {
  test('captures tracers, not tensors', () => {
    const weights = np.array([1, 2]);
    const f = (scale: Tensor): Tensor => {
      const [converted, captured] = closureConvert(
        (x: Tensor) => np.sum(np.mul(np.mul(x, weights), scale)),
        np.zeros([2]),
      );
      expect(captured.map((x) => x.shape)).toEqual([[]]);
      return converted(np.array([3, 4]), ...captured);
    };
    expect(grad(f)(np.array(2)).item()).toBe(11);
  });
});
