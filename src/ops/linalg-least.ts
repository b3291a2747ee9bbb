/** The part of `np.linalg` for matrices without an inverse: least squares, pseudo-inverses, rank. */

import { customJvp } from '../../transforms/custom-jvp.ts';
import { showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { range } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { add, convertElementType, div, mul, sub } from '../prim/arithmetic.ts';
import { and } from '../prim/bits.ts';
import { ge, gt, select } from '../prim/compare.ts';
import { fullLike, zeros } from '../prim/compose.ts';
import { alongRows, matmul, matrixTranspose, sidesOf, times } from '../prim/matrices.ts';
import { svd } from '../prim/orthogonal.ts';
import { reduceSum } from '../prim/reduce.ts';
import { broadcastInDim, reshape, sliceAxis } from '../prim/structural.ts';
import { symmetrized } from './lax-linalg.ts';
import { type HermitianOptions, symmetricSvd } from './linalg-hermitian.ts';
import { floats, matricesOf } from './linalg-operands.ts';
import { located } from './located.ts';
import type { DTypeOf, Floated, Promoted, Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

/** The distance from 1 to the next float. */
const spacing = { float32: 2 ** -23, float64: 2 ** -52 } as const;

/** The rounding of singular values of matrices of this size, relative to the largest. */
const rounding = (a: Value): number => Math.max(...sidesOf(a.shape)) * spacing[a.dtype as keyof typeof spacing];

/** True for the singular values that count: those above (or from) `rtol` times the largest. */
function counted(s: Value, rtol: number): Value {
  const axis = s.ndim - 1;
  if (s.shape[axis] === 0) return gt(s, s);
  const largest = reshape(sliceAxis(s, axis, 0, 1), s.shape.slice(0, -1));
  const limit = times(broadcastInDim(largest, s.shape, range(axis)), rtol);
  return and(ge(s, limit), gt(s, zeros(s.aval)));
}

/** The pseudo-inverse, by singular values. */
function bySingularValues(a: Value, rtol: number, hermitian: boolean): Value {
  const [s, u, vt] = hermitian
    ? symmetricSvd(a)
    : (svd(a, { fullMatrices: false, computeUv: true }) as [Value, Value, Value]);
  const counts = counted(s, rtol);
  const one = fullLike(s, 1);
  const inverse = select(counts, div(one, select(counts, s, one)), zeros(s.aval));
  return matmul(mul(alongRows(inverse, vt.shape.at(-1)!), vt), u, { x: true, y: true });
}

/** Options of {@link pinv} and {@link matrixRank}. */
export interface RankOptions extends HermitianOptions {
  /** What is too small to count as a singular value, relative to the largest. */
  readonly rtol?: number;
}

const expectRtol = (op: string, options: RankOptions, fallback: number): number => {
  expectOptions(op, options, 'rtol', 'hermitian');
  const { rtol = fallback } = options;
  if (typeof rtol === 'number' && rtol >= 0) return rtol;
  throw new ShapeError({ op, problem: `rtol is ${String(rtol)}`, remedy: 'use a number that is not negative' });
};

/** The pseudo-inverses of matrices of one cutoff. */
type PseudoInverse = (a: Value) => Value;

/**
 * The pseudo-inverse p with its own derivative: −p da p + p pᵀ daᵀ (1 − a p) + (1 − p a) daᵀ pᵀ p, of changes that keep the rank
 * (Golub and Pereyra 1973). It knows nothing of singular vectors, and so holds where singular values are equal.
 */
function pseudoInverse(rtol: number, hermitian: boolean): PseudoInverse {
  const self: PseudoInverse = customJvp(
    (a: Value): Value => bySingularValues(a, rtol, hermitian),
    ([a], [da]) => {
      const p = self(a);
      const dat = matrixTranspose(da);
      const inside = matmul(p, matmul(da, p));
      const left = matmul(p, matmul(p, sub(dat, matmul(matmul(dat, a), p)), { x: true }));
      const right = matmul(matmul(dat, p, { y: true }), p);
      const outside = sub(right, matmul(p, matmul(a, right)));
      return [p, sub(add(left, outside), inside)];
    },
  );
  return self;
}

/** One function for each cutoff and method, so that each is staged once. */
const pseudoInverses = new Map<string, PseudoInverse>();

/** The pseudo-inverse that takes singular values below `rtol` times the largest for 0. */
function pseudoInverseOf(a: Value, rtol: number, hermitian = false): Value {
  const key = `${rtol} ${hermitian}`;
  let inverse = pseudoInverses.get(key);
  if (!inverse) {
    inverse = pseudoInverse(rtol, hermitian);
    if (pseudoInverses.size < 64) pseudoInverses.set(key, inverse);
  }
  return inverse(a);
}

/**
 * The pseudo-inverses (Moore and Penrose) of matrices: p with a p a = a, p a p = p, and symmetric a p and p a.
 *
 * The gradient holds for changes that keep the rank, so for all changes of a matrix of full rank.
 *
 * @param a - `float[..., m, n]`
 * @param options - `rtol` is 10 · max(m, n) · ε by default
 * @throws ShapeError for fewer than two axes, or matrices that are said to be symmetric and are not square
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.linalg.pinv(np.array([[2, 0], [0, 0], [0, 0]])).toArray()); // => [ [ 0.5, 0, 0 ], [ 0, 0, 0 ] ]
 * ```
 */
export function pinv<A extends Value>(a: A, options: RankOptions = {}): Tensor<Floated<DTypeOf<A>>> {
  const op = 'np.linalg.pinv';
  expectOptions(op, options, 'rtol', 'hermitian');
  const value = matricesOf(op, a, options.hermitian);
  const rtol = expectRtol(op, options, 10 * rounding(value));
  return located(() => {
    const operand = options.hermitian ? symmetrized(op, value) : value;
    return pseudoInverseOf(operand, rtol, options.hermitian);
  }) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * The ranks of matrices: how many singular values are above `rtol` times the largest, by default max(m, n) · ε times.
 *
 * @throws ShapeError for fewer than two axes
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.linalg.matrixRank(np.ones([3, 4])).item()); // => 1
 * ```
 */
export function matrixRank(a: Value, options: RankOptions = {}): Tensor<'int32'> {
  const op = 'np.linalg.matrixRank';
  expectOptions(op, options, 'rtol', 'hermitian');
  const value = matricesOf(op, a, options.hermitian);
  const rtol = expectRtol(op, options, rounding(value));
  return located(() => {
    const s = options.hermitian
      ? symmetricSvd(symmetrized(op, value))[0]
      : svd(value, { fullMatrices: false, computeUv: false })[0]!;
    return countOf(s, rtol);
  }) as Tensor<'int32'>;
}

/** How many singular values count. */
const countOf = (s: Value, rtol: number): Value =>
  reduceSum(convertElementType(counted(s, rtol), 'int32'), [s.ndim - 1]);

/** What {@link lstsq} returns: the solution, the squares of the residuals, the rank, and the singular values. */
export type LeastSquares<D extends 'float32' | 'float64'> = readonly [
  x: Tensor<D>,
  residuals: Tensor<D>,
  rank: Tensor<'int32'>,
  s: Tensor<D>,
];

/**
 * The x of smallest length among those that make |b − a x|² least: [x, residuals, rank, s], where the residuals are the sums of
 * squares for each column of `b` (always, as in JAX), and s the singular values of `a`. The derivative of x is that of
 * {@link pinv}, which knows nothing of the decomposition.
 *
 * @param a - `float[m, n]`
 * @param b - `float[m]` or `float[m, k]`
 * @param rcond - what is too small to count as a singular value, relative to the largest; default max(m, n) · ε
 * @throws ShapeError unless they fit
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const a = np.array([[0, 1], [1, 1], [2, 1], [3, 1]]);
 * const [x, residuals, rank] = np.linalg.lstsq(a, np.array([-1, 0.2, 0.9, 2.1]));
 * console.log(np.round(x, 3).toArray(), rank.item()); // => [ 1, -0.949… ] 2
 * ```
 */
export function lstsq<A extends Value, B extends Value>(
  a: A,
  b: B,
  rcond: number | null = null,
): LeastSquares<Floated<Promoted<A, B>>> {
  const op = 'np.linalg.lstsq';
  const [system, given] = floats(op, [a, b]) as [Value, Value];
  const fits = system.ndim === 2 && (given.ndim === 1 || given.ndim === 2) && given.shape[0] === system.shape[0];
  if (!fits) {
    throw new ShapeError({
      op,
      problem: `${showAval(system.aval)} and ${showAval(given.aval)} do not fit`,
      remedy: 'a is one matrix, and b a vector or matrix with as many rows; vmap solves batches',
    });
  }
  const rtol = expectRtol(op, { rtol: rcond ?? rounding(system) }, 0);
  return located(() => {
    const sides = given.ndim === 1 ? reshape(given, [given.size, 1]) : given;
    const x = matmul(pseudoInverseOf(system, rtol), sides);
    const rest = sub(sides, matmul(system, x));
    const s = svd(system, { fullMatrices: false, computeUv: false })[0]!;
    const solution = given.ndim === 1 ? reshape(x, [x.shape[0]!]) : x;
    return [solution, reduceSum(mul(rest, rest), [0]), countOf(s, rtol), s];
  }) as unknown as LeastSquares<Floated<Promoted<A, B>>>;
}
