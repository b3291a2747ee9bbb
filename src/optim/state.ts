/**
 * Trees side by side, as optimizers need them: updates, parameters and what a state remembers of them have one structure and
 * the same shapes. A state comes back from the user's loop, or from a file, and may belong to another optimizer or model.
 */

import { showAval } from '../core/aval.ts';
import { type DType, isFloat } from '../core/dtype.ts';
import { ShapeError, TreeError } from '../core/errors.ts';
import { sameShape } from '../core/shape.ts';
import { Value } from '../core/value.ts';
import { describe, showKeys } from '../ops/untyped.ts';
import { difference, leafPaths } from '../tree/def.ts';
import { flatten, unflatten } from '../tree/tree.ts';

/** What a transformation remembers from step to step: a tree of tensors. */
export type OptState = Value | readonly OptState[] | { readonly [name: string]: OptState };

const remedy = 'pass the state that init(params) or the last update returned, for parameters of this structure';

/** @throws TreeError: `state` is not what the transformation `op` remembers */
export const wrongState = (op: string, problem: string): TreeError => new TreeError({ op, problem, remedy });

/** The parts of a state of these names, no more and no less. @throws TreeError naming the one that is missing */
export function partsOf<N extends string>(
  op: string,
  state: OptState,
  ...names: readonly N[]
): { readonly [K in N]: OptState } {
  if (typeof state !== 'object' || state === null || state instanceof Value || Array.isArray(state)) {
    throw wrongState(op, `the state is ${describe(state)}, not ${showKeys(names)}`);
  }
  const missing = names.find((name) => !Object.hasOwn(state, name));
  if (missing !== undefined) throw wrongState(op, `the state is ${describe(state)}: it has no ${missing}`);
  const odd = Object.keys(state).find((name) => !(names as readonly string[]).includes(name));
  if (odd !== undefined) throw wrongState(op, `the state is ${describe(state)}: ${odd} is of another optimizer`);
  return state as { readonly [K in N]: OptState };
}

/** The step counter of a state. @throws TreeError unless it is an integer scalar */
export function countOf(op: string, count: OptState): Value<'int32'> {
  if (count instanceof Value && count.dtype === 'int32' && count.ndim === 0) return count as Value<'int32'>;
  throw wrongState(op, `state.count is ${describe(count)}, not an int32 scalar`);
}

/** The dtype of numbers that belong to these parameters: that of their first leaf, if it is a float. */
export const dtypeFor = (params: unknown): DType => {
  const [first] = flatten(params).leaves;
  return first !== undefined && isFloat(first.dtype) ? first.dtype : 'float32';
};

/** A scalar of a state. @throws TreeError unless it is one */
export function scalarOf(op: string, name: string, x: OptState | undefined): Value {
  if (x instanceof Value && x.ndim === 0) return x;
  throw wrongState(op, `state.${name} is ${describe(x)}, not a scalar`);
}

/**
 * Apply `f` to the leaves of two trees of one structure, pairwise.
 *
 * @param names - what the trees are, for errors
 * @throws TreeError or ShapeError naming the first place where they differ
 */
export function mapPairs<P>(
  op: string,
  [first, second]: readonly [string, string],
  f: (x: Value, y: Value) => Value,
  xs: P,
  ys: unknown,
): P {
  const { leaves, def } = flatten(xs, op, first);
  const other = flatten(ys, op, second);
  const found = difference(def, other.def, '');
  const help = second.startsWith('state') ? remedy : `pass ${first} and ${second} with the same keys and lengths`;
  if (found) throw new TreeError({ op, problem: `${first} and ${second} differ: ${found}`, remedy: help });
  const mapped = leaves.map((x, i) => {
    const y = other.leaves[i]!;
    if (sameShape(x.shape, y.shape)) return f(x, y);
    const at = (root: string): string => leafPaths(def, root)[i]!;
    throw new ShapeError({
      op,
      problem: `${at(first)} is ${showAval(x.aval)}, ${at(second)} is ${showAval(y.aval)}`,
      remedy: second.startsWith('state') ? remedy : 'they must have equal shapes',
    });
  });
  return unflatten<P>(def, mapped);
}
