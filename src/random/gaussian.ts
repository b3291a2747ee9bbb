/** What is made of normal numbers by linear algebra, as in JAX: normal vectors with a covariance, and rotations. */

import { makeAval, showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { shapeOf } from '../ops/axes.ts';
import { einsum } from '../ops/einsum.ts';
import { cholesky, eigh, svd } from '../ops/lax-linalg.ts';
import { floats } from '../ops/linalg-operands.ts';
import { located } from '../ops/located.ts';
import { stretchTo } from '../ops/shape.ts';
import type { Floated, Promoted, ShapeLike, Tensor } from '../ops/types.ts';
import { describe, dtypeIn } from '../ops/untyped.ts';
import { add, convertElementType, mul } from '../prim/arithmetic.ts';
import { lt, select } from '../prim/compare.ts';
import { fullLike } from '../prim/compose.ts';
import { sqrt } from '../prim/math.ts';
import { alongColumns, batchOf, diagonal } from '../prim/matrices.ts';
import { qr } from '../prim/orthogonal.ts';
import type { Key } from './key.ts';
import { drawnShape, floatIn } from './parameters.ts';
import { expectFloat, normalOf } from './samplers.ts';

/** How {@link multivariateNormal} takes the root of the covariance. */
export type CovarianceMethod = 'cholesky' | 'eigh' | 'svd';

const methods: readonly unknown[] = ['cholesky', 'eigh', 'svd'] satisfies readonly CovarianceMethod[];

/** Options of {@link multivariateNormal}. */
export interface MultivariateNormalOptions<D extends FloatDType> {
  /** Default that in which mean and covariance meet. */
  readonly dtype?: D;
  /** Default `cholesky`; the others take a singular covariance, too. */
  readonly method?: CovarianceMethod;
}

/** A with A Aᵀ = cov. */
function rootOf(cov: Tensor<FloatDType>, method: CovarianceMethod): Value {
  if (method === 'cholesky') return cholesky(cov);
  if (method === 'eigh') {
    const [vectors, values] = eigh(cov);
    return mul(vectors, alongColumns(sqrt(values), cov.shape.at(-1)!));
  }
  const [left, values] = svd(cov);
  return mul(left, alongColumns(sqrt(values), cov.shape.at(-1)!));
}

/** @throws ShapeError unless `cov` is matrices that fit the vectors `mean` */
function expectMoments(op: string, mean: Value, cov: Value): void {
  const n = mean.shape.at(-1);
  if (n !== undefined && cov.ndim >= 2 && cov.shape.at(-1) === n && cov.shape.at(-2) === n) return;
  throw new ShapeError({
    op,
    problem: `a mean [..., n] has a covariance [..., n, n], got ${showAval(mean.aval)} and ${showAval(cov.aval)}`,
    remedy: 'variances of independent numbers are a diagonal matrix',
  });
}

/**
 * Normal vectors with mean `mean` and covariance `cov`: mean + A z for standard normal z, where A Aᵀ = cov.
 *
 * NaN where A has no real elements: with `cholesky` unless `cov` is positive definite, with `eigh` if an eigenvalue is
 * negative. `cov` is taken to be symmetric.
 *
 * @param mean - `[..., n]`
 * @param cov - `[..., n, n]`; batch axes broadcast with those of the mean
 * @param shape - of the batch: the result has axes `[...shape, n]`; by default that in which the batch axes meet
 * @throws ShapeError if mean, covariance and shape do not fit; DTypeError for a method that is not there
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * const cov = np.array([[4, 2], [2, 2]]);
 * console.log(random.multivariateNormal(random.key(0), np.array([1, -1]), cov, [100]).shape); // => [ 100, 2 ]
 * ```
 */
export function multivariateNormal<M extends Value, C extends Value, D extends FloatDType = Floated<Promoted<M, C>>>(
  key: Key,
  mean: M,
  cov: C,
  shape?: ShapeLike,
  options: MultivariateNormalOptions<D> = {},
): Value<D> {
  const op = 'random.multivariateNormal';
  const asked = dtypeIn(op, options, 'method');
  const { method = 'cholesky' } = options;
  if (!methods.includes(method)) {
    throw new DTypeError({
      op,
      problem: `there is no method ${describe(method)}`,
      remedy: "use 'cholesky', 'eigh' or 'svd'",
    });
  }
  return located(() => {
    const met = floats(op, [mean, cov]);
    const dtype = asked ?? (met[0]!.dtype as FloatDType);
    expectFloat(op, dtype);
    const [m, c] = met.map((x) => convertElementType(x, dtype)) as [Value, Value];
    expectMoments(op, m, c);
    const batches = [m.shape.slice(0, -1), batchOf(c.shape)].map((s) => makeAval(s, dtype));
    const whole = [...drawnShape(op, shape, batches), m.shape.at(-1)!];
    const z = normalOf(op, key, whole, dtype);
    const spread = einsum('...ij,...j->...i', rootOf(c as Tensor<FloatDType>, method), z);
    return add(stretchTo(op, m, whole), spread);
  }) as Value<D>;
}

/** Options of {@link orthogonal}. */
export interface OrthogonalOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Orthogonal n × n matrices, uniform (by Haar's measure) over rotations and reflections: Q of the factorization Q R of a matrix
 * of normal numbers, with the signs for which the diagonal of R is positive.
 *
 * @param n - how many rows and columns
 * @param shape - of the batch: the result has axes `[...shape, n, n]`; one matrix by default
 * @throws ShapeError unless `n` is a non-negative integer
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * const q = random.orthogonal(random.key(0), 3);
 * console.log(np.allclose(np.matmul(q, np.matrixTranspose(q)), np.eye(3), { atol: 1e-5 }).item()); // => true
 * ```
 */
export function orthogonal<D extends FloatDType = 'float32'>(
  key: Key,
  n: number,
  shape: ShapeLike = [],
  options: OrthogonalOptions<D> = {},
): Value<NoInfer<D>> {
  const op = 'random.orthogonal';
  const float = floatIn(op, options);
  const whole = shapeOf(op, [...shapeOf(op, shape), n, n]);
  return located(() => {
    const [q, r] = qr(normalOf(op, key, whole, float), { fullMatrices: false });
    const d = diagonal(r);
    const signs = select(lt(d, fullLike(d, 0)), fullLike(d, -1), fullLike(d, 1));
    return mul(q, alongColumns(signs, n));
  }) as Value<D>;
}
