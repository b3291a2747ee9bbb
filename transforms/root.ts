/** `customRoot`: a root of a function, with the derivative that the implicit function theorem gives. */

import { type Aval, compatible, showAval } from '../src/core/aval.ts';
import { TreeError } from '../src/core/errors.ts';
import type { Value } from '../src/core/value.ts';
import { neg } from '../src/prim/arithmetic.ts';
import { difference, leafPaths } from '../src/tree/def.ts';
import { flatten, map } from '../src/tree/tree.ts';
import { jvp } from './autodiff.ts';
import { closureConvert } from './closure.ts';
import { customJvp } from './custom-jvp.ts';
import { evalShape } from './inspect.ts';
import type { LinearMap } from './linear-solve.ts';

/** @throws TreeError unless f(x) has the structure, shapes and dtypes of x */
function expectResidual<X>(residual: (...args: never[]) => unknown, initial: X, captured: readonly Value[]): void {
  const op = 'customRoot';
  const remedy = 'return from f a tree like x: as many equations as there are unknowns';
  const { leaves, def } = flatten(initial, op, 'initial');
  const call = residual as (...args: readonly unknown[]) => unknown;
  const found = flatten<Aval>(
    evalShape((x: unknown) => call(x, ...captured), initial),
    op,
    'the residual',
  );
  const differs = difference(def, found.def, 'x');
  if (differs) throw new TreeError({ op, problem: `f returns another structure than it takes: ${differs}`, remedy });
  leaves.forEach((x, i) => {
    if (compatible(x.aval, found.leaves[i]!)) return;
    const problem = `f takes ${showAval(x.aval)} at ${leafPaths(def, 'x')[i]} and returns ${showAval(found.leaves[i]!)}`;
    throw new TreeError({ op, problem, remedy });
  });
}

/**
 * A root x of `f` by an algorithm of yours, with the derivative of the root: that of the algorithm is never asked for.
 *
 * From f(x, θ) = 0 follows ∂f/∂x dx = −∂f/∂θ dθ, for everything θ that `f` closes over. So `solve` may be anything that converges,
 * also a `whileLoop`; derivatives of all orders and modes cost linear systems with ∂f/∂x at the root. The initial guess has no
 * influence on a root, and no derivative.
 *
 * @param f - from x to a tree of its structure; what it closes over may be differentiated
 * @param initial - where `solve` begins: a tree of float tensors
 * @param solve - from `f` and the initial guess to a root
 * @param tangentSolve - solves g(v) = y, where g is v ↦ ∂f/∂x v: for scalars `(g, y) => np.div(y, g(np.ones([])))`, otherwise by
 *   `np.linalg.solve` or `customLinearSolve`. Reverse mode transposes it, so that its program must be linear in y
 * @throws TreeError if `f` does not return a tree of the structure, shapes and dtypes of `initial`
 * @throws NotDifferentiableError in reverse mode, naming the equation of `tangentSolve` that is not linear
 *
 * @example
 * ```ts
 * import { customRoot, foriLoop, grad, np, type Tensor } from 'pullback';
 * const newton = (f: (x: Tensor) => Tensor, x0: Tensor): Tensor =>
 *   foriLoop(0, 20, (_, x) => np.sub(x, np.div(f(x), grad((y: Tensor) => f(y))(x))), x0);
 * const cubeRoot = (a: Tensor): Tensor =>
 *   customRoot((x: Tensor) => np.sub(np.mul(x, np.mul(x, x)), a), np.array(1), newton, (g, y) => np.div(y, g(np.ones([]))));
 * console.log([cubeRoot(np.array(8)).item(), grad(cubeRoot)(8).item()]); // => [ 2, 0.08333… ]
 * ```
 */
export function customRoot<X>(
  f: (x: NoInfer<X>) => NoInfer<X>,
  initial: X,
  solve: (f: (x: NoInfer<X>) => NoInfer<X>, initial: NoInfer<X>) => NoInfer<X>,
  tangentSolve: (g: LinearMap<NoInfer<X>>, y: NoInfer<X>) => NoInfer<X>,
): X {
  const [residual, captured] = closureConvert(f, initial as never);
  expectResidual(residual, initial, captured);
  type Theta = readonly Value[];
  const at = (x: X, theta: Theta): X => (residual as (...args: readonly unknown[]) => X)(x, ...theta);
  const root: (theta: Theta, x0: X) => X = customJvp(
    function root(theta: Theta, x0: X): X {
      return solve((x) => at(x, theta), x0);
    },
    ([theta, x0], [dtheta]) => {
      const x = root(theta, x0);
      const moved = theta.length === 0 ? null : jvp((...thetas: Theta) => at(x, thetas), theta, dtheta)[1];
      const slope: LinearMap<X> = (v) => jvp((y: X) => at(y, theta), [x] as never, [v] as never)[1];
      const dx = moved === null ? null : map((y: Value) => neg(y), tangentSolve(slope, moved));
      return [x, dx as never];
    },
  ) as never;
  return root(captured, initial);
}
