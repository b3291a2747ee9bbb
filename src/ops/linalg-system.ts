/**
 * Systems of linear equations, differentiated as equations and not as eliminations: the matrices are factored once, and every
 * derivative, of any order and mode, is a solution with the same factors.
 */

import { derive, withAval } from '../../transforms/call.ts';
import { customLinearSolveP, type LinearSolveParams } from '../../transforms/linear-solve.ts';
import { type Aval, makeAval } from '../core/aval.ts';
import { range } from '../core/shape.ts';
import { unknownSource, withSource } from '../core/source.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { gatherAlong } from '../prim/gather.ts';
import { stopGradientOf } from '../prim/identity.ts';
import { lu } from '../prim/lu.ts';
import { matmul } from '../prim/matrices.ts';
import { sort } from '../prim/sort.ts';
import { broadcastInDim, iota } from '../prim/structural.ts';
import { solving, triangularSolve } from '../prim/triangular.ts';

/** The rows of `b` in the order of a permutation. */
const rowsInOrder = (b: Value, order: Value): Value =>
  gatherAlong(b, broadcastInDim(order, b.shape, range(b.ndim - 1)), b.ndim - 2);

/** The permutation that undoes another one. */
const inverted = (order: Value): Value => {
  const last = order.ndim - 1;
  return sort([order, iota(order.shape, last, 'int32')], last)[1]!;
};

/** The solution of a x = b, where `factors` are those of the rows of `a` in the order `permutation`. */
function forwards(factors: Value, permutation: Value, b: Value): Value {
  const lower = solving({ leftSide: true, lower: true, unitDiagonal: true });
  const half = triangularSolve(factors, rowsInOrder(b, permutation), lower);
  return triangularSolve(factors, half, solving({ leftSide: true }));
}

/** The solution of aᵀ x = b with the same factors. */
function backwards(factors: Value, permutation: Value, b: Value): Value {
  const half = triangularSolve(factors, b, solving({ leftSide: true, transposeA: true }));
  const lower = solving({ leftSide: true, lower: true, unitDiagonal: true, transposeA: true });
  return rowsInOrder(triangularSolve(factors, half, lower), inverted(permutation));
}

/** Programs by avals, which no user has written: what is derived from them is made once, not at each call. */
const known = new Map<string, LinearSolveParams>();

/** Kinds of operands that are kept. */
const capacity = 128;

/** The programs for operands of these avals: the matrices, their factors, the permutation of rows, the right-hand sides. */
export function systemOf(avals: readonly Aval[]): LinearSolveParams {
  const key = avals.map(({ id }) => id).join();
  const found = known.get(key);
  if (found) return found;
  const vector = avals.at(-1)!;
  const program = (f: (a: Value, factors: Value, permutation: Value, x: Value) => Value) =>
    withSource(unknownSource, () =>
      derive((a, factors, permutation, x) => [withAval(f(a!, factors!, permutation!, x!), vector)], avals),
    ).jaxpr;
  const params: LinearSolveParams = {
    consts: 3,
    matvec: program((a, _factors, _permutation, x) => matmul(a, x)),
    solve: program((_a, factors, permutation, x) => forwards(factors, permutation, x)),
    transposeSolve: [program((_a, factors, permutation, x) => backwards(factors, permutation, x))],
  };
  if (known.size >= capacity) known.delete(known.keys().next().value!);
  known.set(key, params);
  return params;
}

/** The solution of a x = b, of matrices with equal batch axes; law: its derivative is dx = a⁻¹ (db − da x). */
export function solveSystem(a: Value, b: Value): Value {
  const [factors, , permutation] = lu(stopGradientOf(a));
  const vector = makeAval(b.shape, b.dtype, a.aval.weak && b.aval.weak);
  const operands = [a, factors, permutation, withAval(b, vector)];
  const called = systemOf(operands.map((x) => x.aval));
  return bind1(customLinearSolveP, operands, called);
}
