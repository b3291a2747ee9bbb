/**
 * All prefixes of a sequence under an associative operation, in a depth that is logarithmic in its length, of trees and of functions
 * of the user's. How they are found is `src/prim/associative.ts`.
 */

import { compatible, showAval } from '../src/core/aval.ts';
import { ShapeError, TreeError } from '../src/core/errors.ts';
import { expectOptions } from '../src/core/untyped.ts';
import type { Value } from '../src/core/value.ts';
import { associativeScan as prefixes } from '../src/prim/associative.ts';
import { difference, leafPaths } from '../src/tree/def.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';

/** Options of {@link associativeScan}. */
export interface AssociativeScanOptions {
  /** Combine from the end: element i of the result is `fn(xs[n-1], …, xs[i])`, in that order. Default false. */
  readonly reverse?: boolean;
  /** The axis of the sequence, the same for all leaves; negative ones count from the end. Default 0. */
  readonly axis?: number;
}

/**
 * The results of combining the first 1, 2, …, n elements of a sequence with an associative function: `[x₀, fn(x₀, x₁),
 * fn(fn(x₀, x₁), x₂), …]`, in ⌈log₂ n⌉ levels instead of n steps.
 *
 * Law: for an associative `fn` it is `scan` (up to the rounding of floats, which are combined in another order).
 *
 * @param fn - combines two trees like `elems`, whose axis holds some of the sequence's elements: position by position along it
 * @param elems - a tree of tensors with the sequence along `axis`
 * @throws TreeError or ShapeError if lengths differ, or `fn` does not return what it takes
 *
 * @example
 * ```ts
 * import { associativeScan, np } from 'pullback';
 * console.log(associativeScan(np.maximum, np.array([1, 3, 2, 5])).toArray()); // => [ 1, 3, 3, 5 ]
 * ```
 */
export function associativeScan<T>(fn: (a: T, b: T) => NoInfer<T>, elems: T, options: AssociativeScanOptions = {}): T {
  const op = 'associativeScan';
  expectOptions(op, options, 'reverse', 'axis');
  const { reverse = false, axis = 0 } = options;
  const { leaves, def } = flatten(elems, op, 'elems');
  const paths = leafPaths(def, 'elems');
  const axes = leaves.map((x, i) => {
    const at = axis < 0 ? axis + x.ndim : axis;
    if (Number.isInteger(at) && at >= 0 && at < x.ndim) return at;
    throw new ShapeError({
      op,
      problem: `axis ${axis} is out of range for ${paths[i]}, which is ${showAval(x.aval)}`,
      remedy: 'choose an axis that all elems have',
    });
  });
  const length = leaves[0]?.shape[axes[0]!] ?? 0;
  if (leaves.some((x, i) => x.shape[axes[i]!] !== length)) {
    throw new ShapeError({
      op,
      problem: `lengths differ: ${leaves.map((x, i) => `${paths[i]} ${showAval(x.aval)} has ${x.shape[axes[i]!]}`).join(', ')}`,
      remedy: 'give all elems the same length along the axis',
    });
  }
  const combine = (a: readonly Value[], b: readonly Value[]): readonly Value[] => {
    const out = flatten(fn(unflatten<T>(def, a), unflatten<T>(def, b)), op, 'output');
    const found = difference(def, out.def, 'output');
    if (found !== null) {
      throw new TreeError({
        op,
        problem: `the function returns another structure than it takes: ${found}`,
        remedy: 'return a tree like its arguments',
      });
    }
    const wrong = out.leaves.findIndex((x, i) => !compatible(x.aval, a[i]!.aval));
    if (wrong < 0) return out.leaves;
    throw new ShapeError({
      op,
      problem: `the function takes ${showAval(a[wrong]!.aval)} at ${paths[wrong]}, and returns ${showAval(out.leaves[wrong]!.aval)}`,
      remedy: 'keep shapes and dtypes; the function is applied to several elements at once, along the axis',
    });
  };
  return unflatten<T>(def, prefixes(combine, leaves, axes, reverse));
}
