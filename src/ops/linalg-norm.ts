/**
 * The part of `np.linalg` that measures: norms of vectors and matrices.
 *
 * A norm has no derivative at 0; the gradient there is 0, the smallest of its subgradients, where the formula √Σx² would give NaN (as it
 * does in JAX). The same holds where an element is 0 that has a corner there. The gradient of the sum of the singular values is u vᵀ
 * of all their vectors, also of those of a singular value 0, which the matrix does not determine: one of the subgradients.
 */

import { makeAval, showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { range, sizeOf, without } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { abs, convertElementType, div, mul } from '../prim/arithmetic.ts';
import { eq, ne, select } from '../prim/compare.ts';
import { fullLike, zeros } from '../prim/compose.ts';
import { pow, sqrt } from '../prim/math.ts';
import { identityLike } from '../prim/matrices.ts';
import { svd } from '../prim/orthogonal.ts';
import { reduceMax, reduceMin, reduceSum } from '../prim/reduce.ts';
import { reshape, transpose } from '../prim/structural.ts';
import { axesOf } from './axes.ts';
import { expectTensor, toFloat } from './convert.ts';
import { matrices, squares } from './linalg-operands.ts';
import { solveSystem } from './linalg-system.ts';
import { located } from './located.ts';
import type { Axis, DTypeOf, Floated, ReduceOptions, Tensor } from './types.ts';
import { describe, expectOptions } from './untyped.ts';

/** Norms of matrices: Frobenius', the sum of the singular values, the largest sum of a row or column, the extreme singular values. */
export type MatrixOrd = 'fro' | 'nuc' | 1 | -1 | 2 | -2 | typeof Infinity | null;

/** `f` of what is not zero, else 0, without a derivative. */
function unlessZero(x: Value, f: (x: Value) => Value): Value {
  const none = eq(x, zeros(x.aval));
  return select(none, zeros(x.aval), f(select(none, fullLike(x, 1), x)));
}

const root = (squares: Value): Value => unlessZero(squares, sqrt);

/** An extreme over axes of which one may be empty: the norm of nothing is 0. */
function extreme(x: Value, axes: readonly number[], apply: (x: Value, axes: readonly number[]) => Value): Value {
  if (axes.some((axis) => x.shape[axis] === 0)) return zeros(makeAval(without(x.shape, axes), x.dtype, x.aval.weak));
  return apply(x, axes);
}

/** The norm of order `ord` of vectors along `axes`, all of them together. */
function vectorNormOf(x: Value, ord: number, axes: readonly number[]): Value {
  if (ord === 2) return root(reduceSum(mul(x, x), axes));
  if (ord === Number.POSITIVE_INFINITY) return extreme(abs(x), axes, reduceMax);
  if (ord === Number.NEGATIVE_INFINITY) return extreme(abs(x), axes, reduceMin);
  if (ord === 0) return reduceSum(convertElementType(ne(x, zeros(x.aval)), x.dtype, x.aval.weak), axes);
  if (ord === 1) return reduceSum(abs(x), axes);
  const power = (y: Value, exponent: number): Value => pow(y, fullLike(y, exponent));
  const size = abs(x);
  if (ord < 0) return power(reduceSum(power(size, ord), axes), 1 / ord);
  const sum = reduceSum(
    unlessZero(size, (y) => power(y, ord)),
    axes,
  );
  return unlessZero(sum, (y) => power(y, 1 / ord));
}

/** The singular values of the matrices on two axes. */
function singularValues(x: Value, [row, column]: readonly [number, number]): Value {
  const batch = range(x.ndim).filter((axis) => axis !== row && axis !== column);
  return svd(transpose(x, [...batch, row, column]), { fullMatrices: false, computeUv: false })[0]!;
}

function matrixNormOf(op: string, x: Value, ord: MatrixOrd | number, axes: readonly [number, number]): Value {
  const [row, column] = axes;
  const sums = (over: number, then: number, apply: (x: Value, axes: readonly number[]) => Value): Value =>
    extreme(reduceSum(abs(x), [over]), [then > over ? then - 1 : then], apply);
  const overValues = (apply: (x: Value, axes: readonly number[]) => Value): Value => {
    const s = singularValues(x, axes);
    return extreme(s, [s.ndim - 1], apply);
  };
  if (ord === 'fro' || ord === null) return root(reduceSum(mul(x, x), axes));
  if (ord === 'nuc') return overValues(reduceSum);
  if (ord === 1) return sums(row, column, reduceMax);
  if (ord === -1) return sums(row, column, reduceMin);
  if (ord === Number.POSITIVE_INFINITY) return sums(column, row, reduceMax);
  if (ord === Number.NEGATIVE_INFINITY) return sums(column, row, reduceMin);
  if (ord === 2) return overValues(reduceMax);
  if (ord === -2) return overValues(reduceMin);
  throw new ShapeError({
    op,
    problem: `${describe(ord)} is not the order of a norm of matrices`,
    remedy: "use 'fro', 'nuc', 1, −1, 2, −2, Infinity or −Infinity",
  });
}

/** The result with the reduced axes kept as length 1, if asked to. */
function kept(norm: Value, x: Value, axes: readonly number[], options: ReduceOptions): Value {
  if (!options.keepdims) return norm;
  return reshape(
    norm,
    x.shape.map((n, i) => (axes.includes(i) ? 1 : n)),
  );
}

const expectNumber = (op: string, ord: unknown): number => {
  if (typeof ord === 'number' && !Number.isNaN(ord)) return ord;
  throw new ShapeError({
    op,
    problem: `${describe(ord)} is not the order of a norm of vectors`,
    remedy: 'use a number, ±Infinity among them',
  });
};

/**
 * The norm of vectors or matrices.
 *
 * Along one axis (or of a tensor of one axis) that of vectors: (Σ|x|ᵖ)^(1/p) for `ord` p, 2 by default; the largest and smallest
 * magnitude for ±Infinity, the number of elements that are not 0 for 0. Over two axes that of matrices, see {@link matrixNorm}.
 * Without `ord` and `axis` the root of the sum of all squares.
 *
 * The gradient at 0 is 0.
 *
 * @param axis - one axis, or two; by default all
 * @throws ShapeError for an `ord` that there is not, or that needs an axis
 *
 * @example
 * ```ts
 * import { grad, np, type Tensor } from 'pullback';
 * const x = np.array([3, -4]);
 * console.log([2, 1, Infinity].map((ord) => np.linalg.norm(x, ord).item())); // => [ 5, 7, 4 ]
 * console.log(np.linalg.norm(np.array([[1, 2], [3, 4]]), 1).item()); // => 6
 * console.log(grad((v: Tensor) => np.linalg.norm(v))(np.zeros([2])).toArray()); // => [ 0, 0 ]
 * ```
 */
export function norm<A extends Value>(
  x: A,
  ord: number | MatrixOrd = null,
  axis: Axis = null,
  options: ReduceOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'np.linalg.norm';
  expectOptions(op, options, 'keepdims');
  const value = toFloat(op, expectTensor(op, x));
  const axes = axesOf(op, axis, value.aval);
  const all = axis === null || axis === undefined;
  if (!(all && ord === null) && axes.length !== 1 && axes.length !== 2) {
    throw new ShapeError({
      op,
      problem: `a norm of ${showAval(value.aval)} over ${axes.length} axes is neither that of vectors nor of matrices`,
      remedy: 'name one axis, or two',
    });
  }
  return located(() => {
    const asVector = (all && ord === null) || axes.length === 1;
    const result = asVector
      ? vectorNormOf(value, ord === null ? 2 : expectNumber(op, ord), axes)
      : matrixNormOf(op, value, ord, axes as readonly [number, number]);
    return kept(result, value, axes, options);
  }) as Tensor<Floated<DTypeOf<A>>>;
}

/** Options of {@link vectorNorm}. */
export interface VectorNormOptions extends ReduceOptions {
  /** Along which axes, all together; by default all. */
  readonly axis?: Axis;
  /** The order; default 2. */
  readonly ord?: number;
}

/**
 * The norm of `x` as vectors along `axis`, or as one. @throws as {@link norm}
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.linalg.vectorNorm(np.ones([2, 2])).item()); // => 2
 * ```
 */
export function vectorNorm<A extends Value>(x: A, options: VectorNormOptions = {}): Tensor<Floated<DTypeOf<A>>> {
  const op = 'np.linalg.vectorNorm';
  expectOptions(op, options, 'axis', 'ord', 'keepdims');
  const value = toFloat(op, expectTensor(op, x));
  const axes = axesOf(op, options.axis, value.aval);
  const ord = expectNumber(op, options.ord ?? 2);
  return located(() => kept(vectorNormOf(value, ord, axes), value, axes, options)) as Tensor<Floated<DTypeOf<A>>>;
}

/** Options of {@link matrixNorm}. */
export interface MatrixNormOptions extends ReduceOptions {
  /** The order; default `'fro'`. */
  readonly ord?: MatrixOrd;
}

/**
 * The norm of matrices: `'fro'` the root of the sum of squares, `'nuc'` the sum of the singular values, 2 and −2 the largest and
 * smallest singular value, 1 and −1 the largest and smallest sum of a column's magnitudes, ±Infinity of a row's.
 *
 * @throws as {@link norm}
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.linalg.matrixNorm(np.array([[3, 0], [0, 4]]), { ord: 2 }).item()); // => 4
 * ```
 */
export function matrixNorm<A extends Value>(x: A, options: MatrixNormOptions = {}): Tensor<Floated<DTypeOf<A>>> {
  const op = 'np.linalg.matrixNorm';
  expectOptions(op, options, 'ord', 'keepdims');
  const value = matrices(op, x);
  const axes = [value.ndim - 2, value.ndim - 1] as const;
  return located(() => kept(matrixNormOf(op, value, options.ord ?? 'fro', axes), value, axes, options)) as Tensor<
    Floated<DTypeOf<A>>
  >;
}

/**
 * The condition number of matrices: the ratio of the largest and the smallest singular value (by default and for 2; the other way
 * round for −2), or the product of the norms of order `p` of a matrix and its inverse.
 *
 * @throws ShapeError for another `p` unless the matrices are square
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.linalg.cond(np.array([[1, 0], [0, 4]])).item()); // => 4
 * ```
 */
export function cond<A extends Value>(x: A, p: MatrixOrd = null): Tensor<Floated<DTypeOf<A>>> {
  const op = 'np.linalg.cond';
  const spectral = p === null || p === 2 || p === -2;
  const value = spectral ? matrices(op, x) : squares(op, x);
  const axes = [value.ndim - 2, value.ndim - 1] as const;
  if (sizeOf(value.shape.slice(-2)) === 0) {
    throw new ShapeError({ op, problem: `${showAval(value.aval)} is empty`, remedy: 'use matrices with elements' });
  }
  return located(() => {
    if (!spectral) {
      const inverse = solveSystem(value, identityLike(value));
      return mul(matrixNormOf(op, value, p, axes), matrixNormOf(op, inverse, p, axes));
    }
    const s = singularValues(value, axes);
    const [most, least] = [reduceMax(s, [s.ndim - 1]), reduceMin(s, [s.ndim - 1])];
    return p === -2 ? div(least, most) : div(most, least);
  }) as Tensor<Floated<DTypeOf<A>>>;
}
