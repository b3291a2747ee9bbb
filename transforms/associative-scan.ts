/**
 * All prefixes of a sequence under an associative operation, in a depth that is logarithmic in its length.
 *
 * Neighbours are combined in pairs, the prefixes of the half as long sequence are found, and the elements between are filled in
 * (Blelloch, "Prefix sums and their applications", 1990): about 2n applications of the operation, in 2 log n of its calls.
 */

import { compatible, showAval } from '../src/core/aval.ts';
import { ShapeError, TreeError } from '../src/core/errors.ts';
import type { Value } from '../src/core/value.ts';
import { concatenate, reshape, rev, slice, sliceAxis } from '../src/prim/structural.ts';
import { difference, leafPaths } from '../src/tree/def.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';

/** Options of {@link associativeScan}. */
export interface AssociativeScanOptions {
  /** Combine from the end: element i of the result is `fn(xs[n-1], …, xs[i])`, in that order. Default false. */
  readonly reverse?: boolean;
  /** The axis of the sequence, the same for all leaves; negative ones count from the end. Default 0. */
  readonly axis?: number;
}

/** Every second slice along `axis`, from `start` to `end`. */
function everySecond(x: Value, axis: number, start: number, end: number): Value {
  return slice(
    x,
    x.shape.map((_, i) => (i === axis ? start : 0)),
    x.shape.map((n, i) => (i === axis ? end : n)),
    x.shape.map((_, i) => (i === axis ? 2 : 1)),
  );
}

/** a₀ b₀ a₁ b₁ …, with one more of `a` at the end if there is one. */
function interleave(a: Value, b: Value, axis: number): Value {
  const pairs = b.shape[axis]!;
  const single = [...b.shape.slice(0, axis + 1), 1, ...b.shape.slice(axis + 1)];
  const both = concatenate([reshape(sliceAxis(a, axis, 0, pairs), single), reshape(b, single)], axis + 1);
  const woven = reshape(
    both,
    b.shape.map((n, i) => (i === axis ? 2 * n : n)),
  );
  return a.shape[axis] === pairs ? woven : concatenate([woven, sliceAxis(a, axis, pairs, pairs + 1)], axis);
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
export function associativeScan<T>(
  fn: (a: T, b: T) => NoInfer<T>,
  elems: T,
  { reverse = false, axis = 0 }: AssociativeScanOptions = {},
): T {
  const op = 'associativeScan';
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
  const all = (f: (x: Value, axis: number) => Value, xs: readonly Value[]): readonly Value[] =>
    xs.map((x, i) => f(x, axes[i]!));
  const prefixes = (xs: readonly Value[], n: number): readonly Value[] => {
    if (n < 2) return xs;
    const half = Math.floor(n / 2);
    const firsts = all((x, at) => everySecond(x, at, 0, n - 1), xs);
    const seconds = all((x, at) => everySecond(x, at, 1, n), xs);
    const odd = prefixes(combine(firsts, seconds), half);
    const first = all((x, at) => sliceAxis(x, at, 0, 1), xs);
    if (n === 2) return first.map((x, i) => interleave(x, odd[i]!, axes[i]!));
    const between = Math.ceil(n / 2) - 1;
    const before = all((x, at) => sliceAxis(x, at, 0, between), odd);
    const rest = combine(
      before,
      all((x, at) => everySecond(x, at, 2, n), xs),
    );
    const even = first.map((x, i) => concatenate([x, rest[i]!], axes[i]!));
    return even.map((x, i) => interleave(x, odd[i]!, axes[i]!));
  };
  const turned = (xs: readonly Value[]): readonly Value[] => (reverse ? all((x, at) => rev(x, [at]), xs) : xs);
  return unflatten<T>(def, turned(prefixes(turned(leaves), length)));
}
