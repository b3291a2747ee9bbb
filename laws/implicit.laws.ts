/**
 * Laws of implicit differentiation: the derivative of a solution is that of the algorithm that finds it, written out, once that has
 * converged. Systems and maps are drawn, and contract.
 */

import * as fc from 'fast-check';
import { withDefaultDevice } from '../src/core/backend.ts';
import * as linalg from '../src/ops/linalg.ts';
import * as np from '../src/ops/np.ts';
import type { Tensor } from '../src/ops/types.ts';
import { grad, jvp } from '../transforms/autodiff.ts';
import { hessian, jacfwd, jacrev } from '../transforms/derived.ts';
import { jit } from '../transforms/jit.ts';
import { customLinearSolve } from '../transforms/linear-solve.ts';
import { foriLoop } from '../transforms/loops.ts';
import { customRoot } from '../transforms/root.ts';
import { vmap } from '../transforms/vmap.ts';
import { whileLoop } from '../transforms/while.ts';
import { exact } from './fd.ts';
import { closeValues, hostTensor, toTensor } from './host.ts';
import { type Law, law, type Suite, type Verdict } from './law.ts';

/** A solution, of a matrix and a vector. */
type Solution = (w: Tensor, c: Tensor) => Tensor;

const side = 2;
const steps = 45;

const eighths = (length: number): fc.Arbitrary<readonly number[]> =>
  fc.array(
    fc.integer({ min: -8, max: 8 }).map((k) => k / 8),
    { minLength: length, maxLength: length },
  );

const tensor = (shape: readonly number[], data: readonly number[]): Tensor =>
  toTensor(hostTensor(shape, 'float32', data)) as Tensor;

/** A matrix of norm below ½, and a vector. */
const operands = fc.tuple(eighths(side * side), eighths(side));

const unrounded =
  <A extends readonly unknown[]>(property: (...args: A) => Verdict) =>
  (...args: A): Verdict =>
    withDefaultDevice(exact, () => property(...args));

const product = (w: Tensor, x: Tensor): Tensor => np.matmul(np.mul(w, 0.2), x);

/** The iteration x ← g(x), by a loop that no derivative could pass backwards. */
const converged = (g: (x: Tensor) => Tensor, x0: Tensor): Tensor =>
  whileLoop<readonly [Tensor, Tensor]>(
    ([i]) => np.less(i, steps),
    ([i, x]) => [np.add(i, 1), g(x)],
    [np.zeros([]), x0],
  )[1];

/** Fixed points of x ↦ c + cos(w x), and solutions of x = c + w x: implicitly, and by as many steps as it takes, written out. */
const solutions: Readonly<Record<string, readonly [implicit: Solution, unrolled: Solution]>> = {
  'a root of a map': [
    (w, c) =>
      customRoot(
        (x: Tensor) => np.sub(np.add(c, np.cos(product(w, x))), x),
        np.zeros([side]),
        (f, x0) => converged((x) => np.add(f(x), x), x0),
        (g, y) => linalg.solve(jacfwd(g)(y) as Tensor, y),
      ),
    (w, c) => foriLoop(0, steps, (_, x) => np.add(c, np.cos(product(w, x))) as Tensor, np.zeros([side])),
  ],
  'a system, by iteration': [
    (w, c) =>
      customLinearSolve(
        (x: Tensor) => np.sub(x, product(w, x)),
        c,
        (matvec, b) => converged((x) => np.sub(np.add(x, b), matvec(x)), b),
        { transposeSolve: (vecmat, b) => converged((x) => np.sub(np.add(x, b), vecmat(x)), b) },
      ),
    (w, c) => foriLoop(0, steps, (_, x) => np.add(c, product(w, x)) as Tensor, c),
  ],
  'a system, by its factors': [
    (w, c) => linalg.solve(np.sub(np.eye(side), np.mul(w, 0.2)), c),
    (w, c) => foriLoop(0, steps, (_, x) => np.add(c, product(w, x)) as Tensor, c),
  ],
};

const weighted =
  (f: Solution): Solution =>
  (w, c) =>
    np.sum(np.mul(np.square(f(w, c)), np.add(np.arange(side), 1)));

/** What is compared: from a solution to numbers. */
const views: Readonly<Record<string, (f: Solution, w: Tensor, c: Tensor) => readonly Tensor[]>> = {
  value: (f, w, c) => [f(w, c)],
  jvp: (f, w, c) => jvp(f, [w, c], [np.sin(w), np.cos(c)]),
  grad: (f, w, c) => grad(weighted(f), { argnums: [0, 1] })(w, c),
  'jit ∘ jacrev': (f, w, c) => [jit(jacrev(f))(w, c)],
  'second order': (f, w, c) => [
    hessian(weighted(f), { argnums: 1 })(w, c),
    jacrev(grad(weighted(f)), { argnums: 1 })(w, c),
  ],
  'vmap ∘ grad': (f, w, c) => {
    const each = vmap(grad(weighted(f), { argnums: [0, 1] }), [null, 0]);
    return each(w, np.stack([c, np.mul(c, 2)]) as Tensor);
  },
  'grad ∘ vmap': (f, w, c) => {
    const sum = (ws: Tensor): Tensor => np.sum(vmap(weighted(f), [0, null])(ws, c));
    return [grad(sum)(np.stack([w, np.mul(w, -1)]) as Tensor)];
  },
};

const implicit: readonly Law[] = Object.entries(solutions).map(([name, [solved, unrolled]]) =>
  law(
    `the implicit derivative of ${name} = that of its steps`,
    [operands, fc.constantFrom(...Object.keys(views))],
    unrounded(([matrix, vector], what) => {
      const [w, c] = [tensor([side, side], matrix), tensor([side], vector)];
      const view = views[what]!;
      return closeValues(`${what} of ${name}`, view(solved, w, c), view(unrolled, w, c), 1e-9);
    }),
  ),
);

/** The laws of implicit differentiation. */
export const implicitLaws: Suite = { name: 'implicit', laws: implicit };
