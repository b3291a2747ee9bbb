/** Derivatives of functions with many outputs: Jacobians by one `vmap` over a basis, Hessians by two of them. */

import { type DType, isFloat } from '../src/core/dtype.ts';
import { NotDifferentiableError } from '../src/core/errors.ts';
import { range, type Shape, sizeOf } from '../src/core/shape.ts';
import { expectOptions } from '../src/core/untyped.ts';
import type { Value } from '../src/core/value.ts';
import { convertElementType } from '../src/prim/arithmetic.ts';
import { eq } from '../src/prim/compare.ts';
import { filled } from '../src/prim/compose.ts';
import { broadcastInDim, iota, moveAxis, reshape } from '../src/prim/structural.ts';
import { type Mapped, unflatten } from '../src/tree/tree.ts';
import { type Args, chooseArgs, expectFloats, nameAfter, type Tangents } from './args.ts';
import { type GradOf, grad, jvp } from './autodiff.ts';
import { type AuxOptions, functionWithAux } from './aux.ts';
import { jvpFlat } from './jvp.ts';
import { linearizeFlat } from './linearize.ts';
import { backwardPass, holesOf } from './transpose.ts';
import { vmapFlat } from './vmap.ts';

/** Options of {@link jacfwd}, {@link jacrev} and {@link hessian}. */
export interface JacobianOptions<N extends number | readonly number[] = 0, Aux extends boolean = boolean>
  extends AuxOptions<Aux> {
  /** The argument to differentiate with respect to, or an array of them; default 0. Negative ones count from the end. */
  readonly argnums?: N;
}

/** For each leaf of the output, the derivative with respect to each leaf of the argument, or of an array of arguments. */
export type Jacobian<A extends readonly unknown[], N, R> = Mapped<R, GradOf<A, N>>;

/** The unit vectors of a shape: `[size, ...shape]`, one at (i, element i). */
function basis(shape: Shape, dtype: DType): Value {
  const n = sizeOf(shape);
  const identity = eq(iota([n, n], 0, 'int32'), iota([n, n], 1, 'int32'));
  return reshape(convertElementType(identity, dtype), [n, ...shape]);
}

/** What both Jacobians start from: the function of the chosen arguments' leaves. */
function prepare<A extends readonly unknown[], R>(
  op: string,
  f: (...args: A) => R,
  args: readonly unknown[],
  { argnums = 0, hasAux = false }: JacobianOptions<number | readonly number[]>,
) {
  const { chosen, partial } = chooseArgs(op, f, args, argnums);
  expectFloats(op, chosen);
  /** The derivative with respect to all leaves of the arguments, in their structure. */
  const blockOf = (leaves: readonly Value[]): unknown => {
    const blocks = unflatten<readonly unknown[]>(chosen.def, leaves);
    return typeof argnums === 'number' ? blocks[0] : blocks;
  };
  return { leaves: chosen.leaves, blockOf, ...functionWithAux(op, partial, chosen.def, hasAux) };
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
 *   leaves of shape `[...y.shape, ...x.shape]` (by an array of such trees for several `argnums`); with `hasAux`, `[jacobian, aux]`
 * @throws NotDifferentiableError for an integer or bool leaf of an argument or of the output
 *
 * @example
 * ```ts
 * import { jacfwd, np, type Tensor } from 'pullback';
 * console.log(jacfwd((x: Tensor) => np.mul(x, x))(np.array([1, 2])).toArray()); // => [ [ 2, 0 ], [ 0, 4 ] ]
 * ```
 */
export function jacfwd<A extends readonly unknown[], R, Extra, const N extends number | readonly number[] = 0>(
  f: (...args: A) => readonly [R, Extra],
  options: JacobianOptions<N, true> & { readonly hasAux: true },
): (...args: Args<A>) => [Jacobian<A, N, R>, Extra];
export function jacfwd<A extends readonly unknown[], R, const N extends number | readonly number[] = 0>(
  f: (...args: A) => R,
  options?: JacobianOptions<N, false>,
): (...args: Args<A>) => Jacobian<A, N, R>;
export function jacfwd<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  options: JacobianOptions<number | readonly number[]> = {},
): (...args: Args<A>) => unknown {
  expectOptions('jacfwd', options, 'argnums', 'hasAux');
  return nameAfter('jacfwd', f, (...args: Args<A>) => {
    const { leaves, blockOf, flat, outDef, main, rest } = prepare('jacfwd', f, args, options);
    let all: readonly Value[] = [];
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
        all = result.outs;
        outs = main(all);
        expectFloatOutputs('jacfwd', outs);
        return main(result.tangents).map((t, j) => t ?? zerosOf(outs[j]!));
      };
      const pushed = vmapFlat((d) => push(d!), x.size, [directions], [0]);
      return pushed.outs.map((t, j) => {
        const y = outs[j]!;
        const stacked = pushed.dims[j] === null ? sameInAll(t, x.size) : moveAxis(t, pushed.dims[j]!, t.ndim - 1);
        return reshape(stacked, [...y.shape, ...x.shape]);
      });
    });
    const jacobian = unflatten<unknown>(
      outDef(),
      outs.map((_, j) => blockOf(rows.map((row) => row[j]!))),
    );
    return options.hasAux ? [jacobian, ...rest(all)] : jacobian;
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
export function jacrev<A extends readonly unknown[], R, Extra, const N extends number | readonly number[] = 0>(
  f: (...args: A) => readonly [R, Extra],
  options: JacobianOptions<N, true> & { readonly hasAux: true },
): (...args: Args<A>) => [Jacobian<A, N, R>, Extra];
export function jacrev<A extends readonly unknown[], R, const N extends number | readonly number[] = 0>(
  f: (...args: A) => R,
  options?: JacobianOptions<N, false>,
): (...args: Args<A>) => Jacobian<A, N, R>;
export function jacrev<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  options: JacobianOptions<number | readonly number[]> = {},
): (...args: Args<A>) => unknown {
  expectOptions('jacrev', options, 'argnums', 'hasAux');
  return nameAfter('jacrev', f, (...args: Args<A>) => {
    const { leaves, blockOf, flat, outDef, main, rest } = prepare('jacrev', f, args, options);
    const { outs: all, linear, nonzero } = linearizeFlat(flat, leaves);
    const outs = main(all);
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
    const jacobian = unflatten<unknown>(outDef(), columns.map(blockOf));
    return options.hasAux ? [jacobian, ...rest(all)] : jacobian;
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
export function hessian<A extends readonly unknown[], R, Extra, const N extends number | readonly number[] = 0>(
  f: (...args: A) => readonly [R, Extra],
  options: JacobianOptions<N, true> & { readonly hasAux: true },
): (...args: Args<A>) => [Jacobian<A, N, Jacobian<A, N, R>>, Extra];
export function hessian<A extends readonly unknown[], R, const N extends number | readonly number[] = 0>(
  f: (...args: A) => R,
  options?: JacobianOptions<N, false>,
): (...args: Args<A>) => Jacobian<A, N, Jacobian<A, N, R>>;
export function hessian<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  options: JacobianOptions<number | readonly number[]> = {},
): (...args: Args<A>) => unknown {
  expectOptions('hessian', options, 'argnums', 'hasAux');
  // Both take and pass on the aux, if there is one: to them it is a function of either kind.
  const either = options as JacobianOptions<number | readonly number[], false>;
  return jacfwd(jacrev(f, either) as (...args: A) => R, either);
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
