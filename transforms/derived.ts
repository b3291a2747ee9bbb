/** Derivatives of functions with many outputs: Jacobians by one `vmap` over a basis, Hessians by two of them. */

import { type DType, isFloat } from '../src/core/dtype.ts';
import { NotDifferentiableError } from '../src/core/errors.ts';
import { range, type Shape, sizeOf } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { convertElementType } from '../src/prim/arithmetic.ts';
import { eq } from '../src/prim/compare.ts';
import { filled } from '../src/prim/compose.ts';
import { broadcastInDim, iota, moveAxis, reshape } from '../src/prim/structural.ts';
import type { TreeDef } from '../src/tree/def.ts';
import { type Mapped, unflatten } from '../src/tree/tree.ts';
import { type Args, expectFloats, flatFunction, flattenPrimals, nameAfter, positionOf, type Tangents } from './args.ts';
import { grad, jvp } from './autodiff.ts';
import { jvpFlat } from './jvp.ts';
import { linearizeFlat } from './linearize.ts';
import { backwardPass, holesOf } from './transpose.ts';
import { vmapFlat } from './vmap.ts';

/** Options of {@link jacfwd}, {@link jacrev} and {@link hessian}. */
export interface JacobianOptions<N extends number = 0> {
  /** The argument to differentiate with respect to; default 0. Negative ones count from the end. */
  readonly argnums?: N;
}

/** For each leaf of the output, the derivative with respect to each leaf of the argument. */
export type Jacobian<A, R> = Mapped<R, A extends number ? Value : A>;

/** The unit vectors of a shape: `[size, ...shape]`, one at (i, element i). */
function basis(shape: Shape, dtype: DType): Value {
  const n = sizeOf(shape);
  const identity = eq(iota([n, n], 0, 'int32'), iota([n, n], 1, 'int32'));
  return reshape(convertElementType(identity, dtype), [n, ...shape]);
}

/** What both Jacobians start from: the function of the chosen argument's leaves. */
function prepare<A extends readonly unknown[], R>(
  op: string,
  f: (...args: A) => R,
  args: readonly unknown[],
  argnum: number,
) {
  const at = positionOf(op, argnum, args.length);
  const chosen = flattenPrimals(op, [args[at]], 'args', [at]);
  expectFloats(op, chosen);
  const partial = (argument: unknown): R => f(...(args.map((x, i) => (i === at ? argument : x)) as unknown as A));
  return { ...chosen, ...flatFunction(op, partial, chosen.def) };
}

function expectFloatOutputs(op: string, outs: readonly Value[]): void {
  const bad = outs.find((x) => !isFloat(x.dtype));
  if (!bad) return;
  throw new NotDifferentiableError({
    op,
    problem: `an output is ${bad.dtype}[${bad.shape.join(',')}]: only floating-point outputs have derivatives`,
    remedy: 'return floating-point tensors only',
  });
}

/**
 * The Jacobian by forward mode: one pass for each element of the argument, all at once. Cheap for few inputs.
 *
 * @returns a function of the same arguments; each leaf `y` of the output is replaced by a tree of the argument's structure with
 *   leaves of shape `[...y.shape, ...x.shape]`
 *
 * @example
 * ```ts
 * import { jacfwd, np, type Tensor } from 'pullback';
 * console.log(jacfwd((x: Tensor) => np.mul(x, x))(np.array([1, 2])).toArray()); // => [ [ 2, 0 ], [ 0, 4 ] ]
 * ```
 */
export function jacfwd<A extends readonly unknown[], R, const N extends number = 0>(
  f: (...args: A) => R,
  options: JacobianOptions<N> = {},
): (...args: Args<A>) => Jacobian<A[N], R> {
  return nameAfter('jacfwd', f, (...args: Args<A>): Jacobian<A[N], R> => {
    const { leaves, def, flat, outDef } = prepare('jacfwd', f, args, options.argnums ?? 0);
    let outs: readonly Value[] = [];
    // rows[i][j]: the derivative of output j with respect to leaf i
    const rows = leaves.map((x, i) => {
      const directions = basis(x.shape, x.dtype);
      const push = (direction: Value): readonly Value[] => {
        const result = jvpFlat(
          flat,
          leaves,
          leaves.map((_, k) => (k === i ? direction : null)),
        );
        outs = result.outs;
        expectFloatOutputs('jacfwd', outs);
        return result.tangents.map((t, j) => t ?? zerosOf(outs[j]!));
      };
      const pushed = vmapFlat((d) => push(d!), x.size, [directions], [0]);
      return pushed.outs.map((t, j) => {
        const y = outs[j]!;
        const stacked = pushed.dims[j] === null ? sameInAll(t, x.size) : moveAxis(t, pushed.dims[j]!, t.ndim - 1);
        return reshape(stacked, [...y.shape, ...x.shape]);
      });
    });
    return assemble(outDef(), def, outs.length, (j) => rows.map((row) => row[j]!));
  });
}

/**
 * The Jacobian by reverse mode: one pass for each element of the output, all at once. Cheap for few outputs.
 *
 * @returns as {@link jacfwd}
 *
 * @example
 * ```ts
 * import { jacrev, np, type Tensor } from 'pullback';
 * console.log(jacrev((x: Tensor) => np.sum(np.mul(x, x)))(np.array([1, 2])).toArray()); // => [ 2, 4 ]
 * ```
 */
export function jacrev<A extends readonly unknown[], R, const N extends number = 0>(
  f: (...args: A) => R,
  options: JacobianOptions<N> = {},
): (...args: Args<A>) => Jacobian<A[N], R> {
  return nameAfter('jacrev', f, (...args: Args<A>): Jacobian<A[N], R> => {
    const { leaves, def, flat, outDef } = prepare('jacrev', f, args, options.argnums ?? 0);
    const { outs, linear, nonzero } = linearizeFlat(flat, leaves);
    expectFloatOutputs('jacrev', outs);
    const columns = outs.map((y, j) => {
      if (!nonzero[j]) return leaves.map((x) => zerosOf(y, x));
      const at = nonzero.slice(0, j).filter(Boolean).length;
      const pull = (ct: Value): readonly Value[] => {
        const cts = linear.jaxpr.outs.map((_, k) => (k === at ? ct : null));
        const result = backwardPass(linear.jaxpr, linear.consts, holesOf(linear.jaxpr), cts);
        return result.map((x, i) => x ?? zerosOf(leaves[i]!));
      };
      const pulled = vmapFlat((ct) => pull(ct!), y.size, [basis(y.shape, y.dtype)], [0]);
      return pulled.outs.map((ct, i) => {
        const x = leaves[i]!;
        if (pulled.dims[i] === null) return zerosOf(y, x);
        return reshape(moveAxis(ct, pulled.dims[i]!, 0), [...y.shape, ...x.shape]);
      });
    });
    return assemble(outDef(), def, outs.length, (j) => columns[j]!);
  });
}

/**
 * The Hessian of a scalar function: `jacfwd(jacrev(f))`.
 *
 * @returns for an argument `x`, a tensor of shape `[...x.shape, ...x.shape]` (a tree of trees for a tree)
 *
 * @example
 * ```ts
 * import { hessian, np, type Tensor } from 'pullback';
 * console.log(hessian((x: Tensor) => np.sum(np.mul(x, np.mul(x, x))))(np.array([1, 2])).toArray()); // => [ [ 6, 0 ], [ 0, 12 ] ]
 * ```
 */
export function hessian<A extends readonly unknown[], R, const N extends number = 0>(
  f: (...args: A) => R,
  options: JacobianOptions<N> = {},
): (...args: Args<A>) => Jacobian<A[N], Jacobian<A[N], R>> {
  return jacfwd(jacrev(f, options) as (...args: A) => Jacobian<A[N], R>, options);
}

/**
 * The product of the Hessian of a scalar function with a vector, by forward over reverse mode: no Hessian is formed.
 *
 * @param primals - the arguments of `f`
 * @param tangents - the vector, in the structure of `primals`
 * @returns the product with respect to the first argument, in its structure
 *
 * @example
 * ```ts
 * import { hvp, np, type Tensor } from 'pullback';
 * const cubes = (x: Tensor) => np.sum(np.mul(x, np.mul(x, x)));
 * console.log(hvp(cubes, [np.array([1, 2])], [np.array([1, 1])]).toArray()); // => [ 6, 12 ]
 * ```
 */
export function hvp<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  primals: readonly [...Args<A>],
  tangents: readonly [...Tangents<A>],
): A[0] {
  const gradient = grad(f) as unknown as (...args: A) => A[0];
  return jvp(gradient, primals, tangents)[1];
}

/** Zeros of the shapes of `parts`, one after the other, in the dtype of the first. */
const zerosOf = (...parts: readonly Value[]): Value =>
  filled(
    parts.flatMap((x) => x.shape),
    0,
    parts[0]!.dtype,
  );

/** An output's tangent that is the same in every direction (zero), with the axis of directions last. */
const sameInAll = (tangent: Value, directions: number): Value =>
  broadcastInDim(tangent, [...tangent.shape, directions], range(tangent.ndim));

/** A tree of the output's structure, with a tree of the argument's structure at each leaf. */
function assemble<J>(outDef: TreeDef, argsDef: TreeDef, count: number, blocks: (j: number) => readonly Value[]): J {
  const inner = range(count).map((j) => unflatten<readonly unknown[]>(argsDef, blocks(j))[0]);
  return unflatten<J>(outDef, inner);
}
