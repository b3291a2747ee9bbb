/** Branches as users write them: functions on trees, of which one is taken as the program runs. */

import { type Aval, makeAval, sameAval, showAval } from '../src/core/aval.ts';
import { isFloat, isInteger, promote } from '../src/core/dtype.ts';
import { DTypeError, ShapeError, TreeError } from '../src/core/errors.ts';
import { evalJaxpr, outAvals } from '../src/core/jaxpr.ts';
import { sameShape } from '../src/core/shape.ts';
import { describe } from '../src/core/untyped.ts';
import { Value } from '../src/core/value.ts';
import { clamp, convertElementType } from '../src/prim/arithmetic.ts';
import { full, scalar } from '../src/prim/compose.ts';
import { difference, leafPaths } from '../src/tree/def.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';
import { expectLive } from './args.ts';
import { type FlatScalars, flattenScalars, type Lifted } from './bodies.ts';
import { type Branches, choose, stageBranches } from './cond.ts';
import { expectPredicate } from './while.ts';

/** What a branch returns, with tensors in place of JS numbers. */
type Result<R> = Lifted<R>;

/**
 * `pred ? onTrue(...operands) : onFalse(...operands)` as one equation: only the branch that is taken runs.
 *
 * Both are traced, so both must return the same structure, shapes and dtypes; JS numbers take the dtype of the other branch. Under
 * `vmap` with a predicate for each lane, each branch that some lane takes runs on all lanes, the others with the operands of a
 * lane that does: unlike `np.where`, nothing of the branch not taken reaches a value or a derivative, not even as 0·∞.
 *
 * @param pred - a scalar of dtype bool
 * @param operands - trees of tensors; what else a branch uses it may capture
 * @throws DTypeError if `pred` is not a scalar of dtype bool
 * @throws TreeError, ShapeError or DTypeError where the branches disagree, naming the leaf
 *
 * @example
 * ```ts
 * import { cond, grad, np, type Tensor, vmap } from 'pullback';
 * const root = (x: Tensor) =>
 *   cond(
 *     np.greater(x, 0),
 *     (v: Tensor) => np.sqrt(v),
 *     () => 0,
 *     x,
 *   );
 * console.log(vmap(grad(root))(np.array([4, 0])).toArray()); // => [ 0.25, 0 ]
 * ```
 */
export function cond<A extends readonly unknown[], R>(
  pred: Value<'bool'> | boolean,
  onTrue: (...operands: A) => R,
  onFalse: (...operands: A) => Result<R> | R | NoInfer<Weak<R>>,
  ...operands: A
): Result<R> {
  const predicate = typeof pred === 'boolean' ? scalar(Number(pred), 'bool', true) : pred;
  if (!(predicate instanceof Value)) {
    throw new DTypeError({
      op: 'cond',
      problem: `the predicate must be a scalar of dtype bool, got ${typeof pred}`,
      remedy: 'compare first: np.greater(x, 0), np.notEqual(x, 0)',
    });
  }
  expectPredicate('cond', [predicate]);
  const index = convertElementType(predicate, 'int32');
  return branching('cond', ['onFalse', 'onTrue'], index, [onFalse, onTrue], operands);
}

/**
 * The branch of this index, applied to `operands`: `branches[index](...operands)` as one equation, in which only that branch runs.
 * An index below 0 takes the first branch, one beyond the end the last.
 *
 * @param index - a scalar of an integer dtype, or a JS number
 * @throws DTypeError if `index` is not such a scalar
 * @throws TreeError, ShapeError or DTypeError where the branches disagree, naming the leaf
 *
 * @example
 * ```ts
 * import { np, switch_, type Tensor } from 'pullback';
 * const branches = [(x: Tensor) => np.sin(x), (x: Tensor) => np.mul(x, x), (x: Tensor) => np.neg(x)];
 * console.log(switch_(np.array(1, { dtype: 'int32' }), branches, np.array(3)).item()); // => 9
 * ```
 */
export function switch_<A extends readonly unknown[], R>(
  index: Value<'int32' | 'uint32'> | number,
  branches: readonly ((...operands: A) => R)[],
  ...operands: A
): Result<R> {
  const at = typeof index === 'number' && Number.isSafeInteger(index) ? scalar(index, 'int32') : index;
  if (!(at instanceof Value) || !isInteger(at.dtype) || at.ndim > 0) {
    throw new DTypeError({
      op: 'switch_',
      problem: `the index must be an integer scalar, got ${at instanceof Value ? showAval(at.aval) : String(index)}`,
      remedy: "cast it: np.astype(index, 'int32')",
    });
  }
  if (branches.length === 0) {
    throw new ShapeError({ op: 'switch_', problem: 'there is no branch', remedy: 'pass at least one function' });
  }
  // Clamped in its own dtype: a large uint32 would be negative as int32.
  const valid = clamp(full(at.aval, 0), at, full(at.aval, branches.length - 1));
  const names = branches.map((_, i) => `branch ${i}`);
  return branching('switch_', names, convertElementType(valid, 'int32'), branches, operands);
}

function branching<R>(
  op: string,
  names: readonly string[],
  index: Value,
  fs: readonly ((...operands: never) => unknown)[],
  operands: readonly unknown[],
): R {
  fs.forEach((f, j) => {
    if (typeof f === 'function') return;
    throw new TreeError({
      op,
      problem: `${names[j]} must be a function of the operands, got ${describe(f)}`,
      remedy: 'pass a function, () => x; for a choice between tensors that are there use np.where',
    });
  });
  const { leaves, def } = flatten(operands, op, 'operands');
  const results: FlatScalars[] = [];
  const staged = stageBranches(
    op,
    fs.map((f, j) => (...args) => {
      const out = flattenScalars(
        (f as (...xs: readonly unknown[]) => unknown)(...unflatten<unknown[]>(def, args)),
        op,
        'output',
      );
      expectLive(op, out.leaves);
      results[j] = out;
      return out.leaves;
    }),
    leaves.map((x) => x.aval),
  );
  const agreed = agreement(op, names, results, staged);
  return unflatten<R>(results[0]!.def, choose(index, agreed, leaves));
}

/** The branches with results of the same types. @throws TreeError, ShapeError or DTypeError where they disagree */
function agreement(
  op: string,
  names: readonly string[],
  results: readonly FlatScalars[],
  { branches, consts }: Branches,
): Branches {
  const first = results[0]!.def;
  results.forEach(({ def }, j) => {
    const found = difference(first, def, 'output');
    if (found === null) return;
    throw new TreeError({
      op,
      problem: `${names[0]} and ${names[j]} return different structures: ${found}`,
      remedy: 'return the same keys, lengths and static values from every branch',
    });
  });
  const avals = branches.map(outAvals);
  const paths = leafPaths(first, 'output');
  const met = avals[0]!.map((_, i) => {
    const types = avals.map((list) => list[i]!);
    const numbers = results.map((result) => result.numbers[i]!);
    const type = types.reduce<Aval | null>(
      (a, b, j) => a && meeting(a, b, numbers[0] !== null, numbers[j] !== null),
      types[0]!,
    );
    const fits = type !== null && numbers.every((x) => x === null || isFloat(type.dtype) || Number.isInteger(x));
    if (fits) return type;
    throw disagree(op, names, paths[i]!, types);
  });
  if (avals.every((list) => list.every((aval, i) => sameAval(aval, met[i]!) || aval.dtype === met[i]!.dtype))) {
    return { branches, consts };
  }
  const inputs = branches[0]!.ins.map((v) => v.aval);
  const converted = branches.map(
    (branch) =>
      (...args: readonly Value[]) =>
        evalJaxpr(branch, [], args).map((x, i) =>
          x.dtype === met[i]!.dtype ? x : convertElementType(x, met[i]!.dtype, met[i]!.weak),
        ),
  );
  const again = stageBranches(op, converted, inputs);
  return { branches: again.branches, consts: [...again.consts, ...consts] };
}

/** The type in which two results meet; a weak one gives way. */
function meeting(a: Aval, b: Aval, aIsNumber: boolean, bIsNumber: boolean): Aval | null {
  if (!sameShape(a.shape, b.shape)) return null;
  if (a.dtype === b.dtype) return makeAval(a.shape, a.dtype, a.weak && b.weak);
  if (a.weak && aIsNumber && b.dtype !== 'bool') return b;
  if (b.weak && bIsNumber && a.dtype !== 'bool') return a;
  if (!a.weak && !b.weak) return null;
  const { dtype, weak } = promote(a, b);
  const strong = a.weak ? b : a;
  return (a.weak && b.weak) || dtype === strong.dtype ? makeAval(a.shape, dtype, weak) : null;
}

function disagree(op: string, names: readonly string[], path: string, types: readonly Aval[]): Error {
  const shapes = types.some((aval) => !sameShape(aval.shape, types[0]!.shape));
  const parts = {
    op,
    problem: `the branches disagree: ${path} is ${types.map((aval, j) => `${showAval(aval)} in ${names[j]}`).join(', ')}`,
    remedy: shapes ? 'return the same shapes from every branch' : 'cast with np.astype so that the dtypes are the same',
  };
  return shapes ? new ShapeError(parts) : new DTypeError(parts);
}

/** A tree in which JS numbers may stand for the tensors of `R`. */
type Weak<R> = R extends Value<infer D> ? R | (D extends 'bool' ? boolean : number) : R;
