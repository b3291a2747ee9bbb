/** Looking at a function without running it: its jaxpr, and the avals of its result. */

import type { Aval } from '../src/core/aval.ts';
import type { ClosedJaxpr } from '../src/core/jaxpr.ts';
import { showJaxpr } from '../src/core/pretty.ts';
import { stage } from '../src/core/stage.ts';
import type { TreeDef } from '../src/tree/def.ts';
import { type AvalsOf, avalOf, flatten, type Leaf, type Mapped, unflatten } from '../src/tree/tree.ts';
import { flatFunction } from './args.ts';

/** A traced program that prints as its jaxpr, with the structure of its inputs and output. */
export interface TracedFunction extends ClosedJaxpr {
  readonly inDef: TreeDef;
  readonly outDef: TreeDef;
  toString(): string;
}

/** Arguments of which only the avals matter: tensors may be given as avals. */
export type Abstract<T> = T | Mapped<T, Aval>;

/**
 * The program that `f` computes for arguments like these: tensors, or avals in their place.
 *
 * @example
 * ```ts
 * import { makeJaxpr, np, type Tensor } from 'pullback';
 * console.log(`${makeJaxpr((x: Tensor) => np.sum(np.mul(x, x)))(np.zeros([3]))}`);
 * // => { lambda ; a:f32[3]. let
 * //      b:f32[3] = mul a a
 * //      c:f32[] = reduce_sum[axes=(0)] b
 * //    in (c,) }
 * ```
 */
export function makeJaxpr<A extends readonly unknown[], R>(
  f: (...args: A) => R,
): (...args: { [K in keyof A]: Abstract<A[K]> }) => TracedFunction {
  return (...args) => {
    const { leaves, def } = flatten<Leaf>(args, 'makeJaxpr', 'args');
    const { flat, outDef } = flatFunction('makeJaxpr', f, def);
    const closed = stage('makeJaxpr', flat, leaves.map(avalOf));
    const text = (): string => showJaxpr(closed.jaxpr);
    return {
      ...closed,
      inDef: def,
      outDef: outDef(),
      toString: text,
      [Symbol.for('nodejs.util.inspect.custom')]: text,
    } as TracedFunction;
  };
}

/**
 * The avals of what `f` would return, in its structure, without computing anything.
 *
 * @param args - tensors, or avals in their place
 *
 * @example
 * ```ts
 * import { evalShape, np, type Tensor } from 'pullback';
 * console.log(evalShape((x: Tensor) => np.matmul(x, x), np.zeros([3, 3])).shape); // => [ 3, 3 ]
 * ```
 */
export function evalShape<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  ...args: { [K in keyof A]: Abstract<A[K]> }
): AvalsOf<R> {
  const traced = makeJaxpr(f)(...args);
  return unflatten(
    traced.outDef,
    traced.jaxpr.outs.map((atom) => atom.aval),
  );
}
