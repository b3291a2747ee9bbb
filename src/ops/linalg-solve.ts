/** The part of `np.linalg` that solves systems: inverses, determinants, powers. */

import { showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { range, sizeOf } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { identityLike, matmul } from '../prim/matrices.ts';
import { reshape, transpose } from '../prim/structural.ts';
import { axesOf } from './axes.ts';
import { batched, floats, matrices, squares } from './linalg-operands.ts';
import { solveSystem } from './linalg-system.ts';
import { located } from './located.ts';
import type { DTypeOf, Floated, Promoted, Tensor } from './types.ts';

/** The dtype of a result: that in which operands meet, as a float. */
type Solution<A extends Value, B extends Value> = Tensor<Floated<Promoted<A, B>>>;

/**
 * The solution x of a x = b. A `b` of one axis is a vector; else it holds matrices, as in NumPy 2. Batch axes broadcast.
 *
 * By elimination with partial pivoting; a singular `a` gives ±Inf or NaN. Derivatives are those of the equation, as
 * `customLinearSolve` has them: dx = a⁻¹ (db − da x), by the factors that are there already, in every order and mode.
 *
 * @param a - `float[..., n, n]`
 * @param b - `float[n]` or `float[..., n, k]`
 * @throws ShapeError unless `a` is square and fits `b`
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const a = np.array([[2, 1], [1, 3]]);
 * console.log(np.linalg.solve(a, np.array([5, 10])).toArray()); // => [ 1, 3 ]
 * ```
 */
export function solve<A extends Value, B extends Value>(a: A, b: B): Solution<A, B> {
  const op = 'np.linalg.solve';
  const [x, y] = floats(op, [a, b]);
  const system = squares(op, x!);
  const isVector = y!.ndim === 1;
  const n = system.shape.at(-1)!;
  const sides = isVector ? reshape(y!, [y!.size, 1]) : matrices(op, y!);
  if (sides.shape.at(-2) !== n) {
    throw new ShapeError({
      op,
      problem: `${showAval(system.aval)} does not fit ${showAval(y!.aval)}, which has ${sides.shape.at(-2)} rows`,
      remedy: 'a x = b needs as many rows in b as in a; stacked vectors need an axis more: np.expandDims(b, -1)',
    });
  }
  return located(() => {
    const solution = solveSystem(...batched(op, system, sides));
    return isVector ? reshape(solution, solution.shape.slice(0, -1)) : solution;
  }) as Solution<A, B>;
}

/** The inverse matrices; ±Inf or NaN for singular ones. */
const inverseOf = (a: Value): Value => solveSystem(a, identityLike(a));

/**
 * The inverse matrices, differentiated as {@link solve} is. A singular matrix gives ±Inf or NaN.
 *
 * @param a - `float[..., n, n]`
 * @throws ShapeError unless the matrices are square
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.linalg.inv(np.array([[2, 0], [0, 4]])).toArray()); // => [ [ 0.5, 0 ], [ 0, 0.25 ] ]
 * ```
 */
export function inv<A extends Value>(a: A): Tensor<Floated<DTypeOf<A>>> {
  const value = squares('np.linalg.inv', a);
  return located(() => inverseOf(value)) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * The n-th power of square matrices; of negative n that of the inverse.
 *
 * @throws ShapeError unless n is an integer and the matrices are square
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.linalg.matrixPower(np.array([[1, 1], [1, 0]]), 10).toArray()); // => [ [ 89, 55 ], [ 55, 34 ] ]
 * ```
 */
export function matrixPower<A extends Value>(a: A, n: number): Tensor<Floated<DTypeOf<A>>> {
  const op = 'np.linalg.matrixPower';
  if (!Number.isSafeInteger(n)) {
    throw new ShapeError({ op, problem: `the exponent ${String(n)} is not an integer`, remedy: 'use an integer' });
  }
  const value = squares(op, a);
  return located(() => {
    let base = n < 0 ? inverseOf(value) : value;
    let power: Value | null = null;
    for (let bits = Math.abs(n); bits > 0; bits = Math.floor(bits / 2)) {
      if (bits % 2 === 1) power = power ? matmul(power, base) : base;
      if (bits > 1) base = matmul(base, base);
    }
    return power ?? identityLike(value);
  }) as Tensor<Floated<DTypeOf<A>>>;
}

/** The lengths of the operands of a chain: matrix i is `lengths[i]` × `lengths[i + 1]`. */
type Lengths = readonly number[];

/** Where to split each part of a chain so that it costs the fewest multiplications (Cormen et al., §15.2). */
function splits(lengths: Lengths): readonly (readonly number[])[] {
  const n = lengths.length - 1;
  const cost = range(n).map(() => new Array<number>(n).fill(0));
  const split = range(n).map(() => new Array<number>(n).fill(0));
  for (let span = 1; span < n; span++) {
    for (let i = 0; i + span < n; i++) {
      const j = i + span;
      cost[i]![j] = Number.POSITIVE_INFINITY;
      for (let k = i; k < j; k++) {
        const total = cost[i]![k]! + cost[k + 1]![j]! + lengths[i]! * lengths[k + 1]! * lengths[j + 1]!;
        if (total < cost[i]![j]!) {
          cost[i]![j] = total;
          split[i]![j] = k;
        }
      }
    }
  }
  return split;
}

/**
 * The product of two or more matrices, in the order that costs the fewest multiplications. The first and the last may be vectors: a
 * row, a column.
 *
 * @throws ShapeError if neighbours do not fit, or there are fewer than two
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const [a, b, c] = [np.ones([10, 2]), np.ones([2, 10]), np.ones([10])];
 * console.log(np.linalg.multiDot([a, b, c]).shape, np.linalg.multiDot([a, b, c]).dataSync()[0]); // => [ 10 ] 20
 * ```
 */
export function multiDot<A extends Value>(arrays: readonly A[]): Tensor<Floated<DTypeOf<A>>> {
  const op = 'np.linalg.multiDot';
  const given = floats(op, arrays);
  const last = given.length - 1;
  const isVector = (i: number): boolean => (i === 0 || i === last) && given[i]!.ndim === 1;
  const shown = given.map((x) => showAval(x.aval)).join(', ');
  const refuse = (problem: string): ShapeError =>
    new ShapeError({ op, problem, remedy: 'matrices in a row, each with as many rows as the one before has columns' });
  if (given.length < 2) throw refuse(`needs two or more operands, got ${shown || 'none'}`);
  if (given.some((x, i) => x.ndim !== 2 && !isVector(i)))
    throw refuse(`${shown} are not matrices, vectors at the ends`);
  const chain = given.map((x, i) => (isVector(i) ? reshape(x, i === 0 ? [1, x.size] : [x.size, 1]) : x));
  if (chain.some((x, i) => i > 0 && x.shape[0] !== chain[i - 1]!.shape[1])) throw refuse(`${shown} do not fit`);
  const split = splits([chain[0]!.shape[0]!, ...chain.map((x) => x.shape[1]!)]);
  const part = (i: number, j: number): Value =>
    i === j ? chain[i]! : matmul(part(i, split[i]![j]!), part(split[i]![j]! + 1, j));
  return located(() => {
    const product = part(0, last);
    return reshape(product, [
      ...(isVector(0) ? [] : [product.shape[0]!]),
      ...(isVector(last) ? [] : [product.shape[1]!]),
    ]);
  }) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * The inverse of `a` as a linear map: of the axes from `ind` on to the axes before. `tensordot(tensorinv(a), b, ind)` solves
 * `tensordot(a, x) = b`.
 *
 * @throws ShapeError unless both groups of axes have as many elements
 */
export function tensorinv<A extends Value>(a: A, ind = 2): Tensor<Floated<DTypeOf<A>>> {
  const op = 'np.linalg.tensorinv';
  const [value] = floats(op, [a]);
  const { shape } = value!;
  const [rows, columns] = [shape.slice(0, ind), shape.slice(ind)];
  if (!Number.isInteger(ind) || ind < 1 || sizeOf(rows) !== sizeOf(columns)) {
    throw new ShapeError({
      op,
      problem: `the axes of ${showAval(value!.aval)} before and from ${String(ind)} on have ${sizeOf(rows)} and ${sizeOf(columns)} elements`,
      remedy: 'both groups of axes must have the same number of elements; ind is at least 1',
    });
  }
  return located(() =>
    reshape(inverseOf(reshape(value!, [sizeOf(rows), sizeOf(columns)])), [...columns, ...rows]),
  ) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * The x with `tensordot(a, x, x.ndim) = b`: the first axes of `a` are those of `b`, the others those of x.
 *
 * @param axes - axes of `a` to move to its end first
 * @throws ShapeError unless the axes of `a` before and behind have as many elements
 */
export function tensorsolve<A extends Value, B extends Value>(
  a: A,
  b: B,
  axes: readonly number[] | null = null,
): Solution<A, B> {
  const op = 'np.linalg.tensorsolve';
  const [x, y] = floats(op, [a, b]);
  const moved = axes === null ? [] : axesOf(op, axes, x!.aval);
  const order = [...range(x!.ndim).filter((axis) => !moved.includes(axis)), ...moved];
  const lengths = order.map((axis) => x!.shape[axis]!);
  const rest = lengths.slice(y!.ndim);
  if (y!.size !== sizeOf(rest) || y!.size ** 2 !== x!.size) {
    throw new ShapeError({
      op,
      problem: `${showAval(x!.aval)} is no map onto ${showAval(y!.aval)}`,
      remedy: 'the axes of a are those of b, then those of x, with as many elements',
    });
  }
  return located(() => {
    const system = reshape(transpose(x!, order), [y!.size, y!.size]);
    return reshape(solveSystem(system, reshape(y!, [y!.size, 1])), rest);
  }) as Solution<A, B>;
}
