/** Losses that are satisfied by a margin: hinges, and distances between embeddings. */

import { showAval } from '../../core/aval.ts';
import { isInteger } from '../../core/dtype.ts';
import { DTypeError, ShapeError } from '../../core/errors.ts';
import { sameShape } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { promoted, toFloat, toValue } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { ArrayLike, DTypeOf, Floated, Promoted, Tensor } from '../../ops/types.ts';
import { describe } from '../../ops/untyped.ts';
import { convertElementType, mul, sub } from '../../prim/arithmetic.ts';
import { expectFlag } from '../params.ts';
import { expectOption, type LossOptions, paired, reduced } from './reduction.ts';

const positivePart = (x: Value): Value => np.maximum(x, 0);

/**
 * max(0, 1 − y·x), elementwise: 0 for scores on the right side by 1 at least.
 *
 * @param scores - x
 * @param labels - y, −1 or 1, of the same shape; other dtypes are cast
 * @throws ShapeError unless the shapes are equal
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.hinge(np.array([2, 0.5, 1]), np.array([1, 1, -1]), { reduction: 'none' }).toArray()); // => [ 0, 0.5, 2 ]
 * ```
 */
export function hinge<A extends ArrayLike>(
  scores: A,
  labels: ArrayLike,
  options?: LossOptions,
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.hinge';
  const values = toFloat(op, scores);
  const [x, y] = paired(op, values, convertElementType(toValue(op, labels), values.dtype));
  return reduced(op, positivePart(np.sub(1, mul(x, y))), options);
}

/** Options of {@link multiClassHinge}. */
export interface MultiClassHingeOptions extends LossOptions {
  /** By how much the score of the label is to be above all others; default 1. */
  readonly margin?: number;
  /** 1, or 2 for squares; default 1. */
  readonly p?: 1 | 2;
}

/**
 * Σ max(0, margin − x[label] + x[i])^p / classes over the classes i that are not the label, along the last axis. (PyTorch calls
 * it the multi-margin loss.)
 *
 * @param scores - float[...batch, classes]
 * @param labels - integers[...batch]; one outside of [0, classes) has the loss NaN
 * @throws ShapeError unless the labels have the shape of the batch; DTypeError unless they are integers
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.multiClassHinge(np.array([[1, 0.5, 3, 0]]), np.array([0], { dtype: 'int32' })).item()); // => 0.875
 * ```
 */
export function multiClassHinge<A extends ArrayLike>(
  scores: A,
  labels: ArrayLike,
  options: MultiClassHingeOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.multiClassHinge';
  const { margin = 1, p = 1 } = options;
  expectOption(op, 'margin', margin, 'number');
  if (p !== 1 && p !== 2) {
    throw new DTypeError({ op, problem: `p is ${describe(p)}`, remedy: 'use 1, or 2 for squares' });
  }
  const [x, wanted] = [toFloat(op, scores), toValue(op, labels)];
  if (x.ndim === 0 || !isInteger(wanted.dtype) || !sameShape(wanted.shape, x.shape.slice(0, -1))) {
    throw new ShapeError({
      op,
      problem: `labels ${showAval(wanted.aval)} do not fit scores ${showAval(x.aval)}`,
      remedy: 'give integer labels of the shape of the batch',
    });
  }
  const classes = x.shape.at(-1)!;
  const isLabel = np.equal(np.expandDims(wanted, -1), np.arange(classes));
  const own = np.sum(np.where(isLabel, x, 0), -1, { keepdims: true });
  const above = positivePart(np.add(sub(x, np.broadcastTo(own, x.shape)), margin));
  const terms = np.where(isLabel, 0, p === 1 ? above : mul(above, above));
  const losses = np.where(np.any(isLabel, -1), np.div(np.sum(terms, -1), classes), Number.NaN);
  return reduced(op, losses, options, 'margin', 'p');
}

/** Two vectors in each row, of one dtype. */
const rows = (op: string, x: ArrayLike, y: ArrayLike): readonly [Value, Value] => {
  const [a, b] = paired(op, x, y);
  if (a.ndim > 0) return [a, b];
  throw new ShapeError({ op, problem: `${showAval(a.aval)} is no vector`, remedy: 'give vectors along the last axis' });
};

/** x·y/(max(‖x‖, eps)·max(‖y‖, eps)) along the last axis. */
function cosineOf(x: Value, y: Value, eps: number): Value {
  // The bound is under the root, where it keeps the derivative at 0 finite.
  const length = (v: Value): Value => np.sqrt(np.maximum(np.sum(mul(v, v), -1), eps * eps));
  return np.div(np.sum(mul(x, y), -1), mul(length(x), length(y)));
}

/**
 * The cosine of the angle between vectors, along the last axis; 0 beside a vector of zeros.
 *
 * @param eps - shorter vectors count as this long; default 1e-8
 * @throws ShapeError unless the shapes are equal
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.cosineSimilarity(np.array([[3, 4], [0, 0]]), np.array([[0, 2], [1, 1]])).toArray()); // => [ 0.800…, 0 ]
 * ```
 */
export function cosineSimilarity<A extends ArrayLike, B extends ArrayLike>(
  x: A,
  y: B,
  eps = 1e-8,
): Tensor<Floated<Promoted<A, B>>> {
  const op = 'nn.cosineSimilarity';
  expectOption(op, 'eps', eps, 'positive number');
  const [a, b] = rows(op, x, y);
  return cosineOf(a, b, eps) as Tensor<Floated<Promoted<A, B>>>;
}

/** Options of {@link cosineEmbedding}. */
export interface CosineEmbeddingOptions extends LossOptions {
  /** The cosine up to which vectors that should differ cost nothing, in [−1, 1]; default 0. */
  readonly margin?: number;
}

/**
 * 1 − cos(x, y) for rows that should agree (label 1), max(0, cos(x, y) − margin) for those that should differ (label −1).
 *
 * @param x - float[...batch, features]
 * @param y - of the same shape
 * @param labels - [...batch], 1 or −1; other dtypes are cast
 * @throws ShapeError for shapes that do not fit
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const [x, y] = [np.array([[1, 0], [1, 0]]), np.array([[0, 1], [2, 0]])];
 * console.log(nn.cosineEmbedding(x, y, np.array([1, -1])).item()); // => 1
 * ```
 */
export function cosineEmbedding<A extends ArrayLike, B extends ArrayLike>(
  x: A,
  y: B,
  labels: ArrayLike,
  options: CosineEmbeddingOptions = {},
): Tensor<Floated<Promoted<A, B>>> {
  const op = 'nn.cosineEmbedding';
  const { margin = 0 } = options;
  expectOption(op, 'margin', margin, 'number');
  const [a, b] = rows(op, x, y);
  const cosine = cosineOf(a, b, 1e-8);
  const wanted = toValue(op, labels);
  if (!sameShape(wanted.shape, cosine.shape)) {
    throw new ShapeError({
      op,
      problem: `labels ${showAval(wanted.aval)} do not fit rows ${showAval(a.aval)}`,
      remedy: 'give one label, 1 or -1, for each row',
    });
  }
  const losses = np.where(np.greater(wanted, 0), np.sub(1, cosine), positivePart(np.sub(cosine, margin)));
  return reduced(op, losses, options, 'margin');
}

/** Options of {@link triplet}. */
export interface TripletOptions extends LossOptions {
  /** By how much the negative is to be farther away than the positive; default 1. */
  readonly margin?: number;
  /** The norm of the distances: 1, 2, …, Infinity; default 2. */
  readonly p?: number;
  /** Added to every difference, which keeps derivatives finite; default 1e-6. */
  readonly eps?: number;
  /** Take the distance of the negative from the positive where that is smaller; default false. */
  readonly swap?: boolean;
}

/**
 * max(0, margin + d(anchor, positive) − d(anchor, negative)), with distances d along the last axis.
 *
 * V. Balntas et al., "Learning shallow convolutional feature descriptors with triplet losses" (2016); distances as in PyTorch.
 *
 * @param anchor - float[...batch, features], as the others
 * @throws ShapeError unless the shapes are equal
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const [anchor, same, other] = [np.array([[0, 0]]), np.array([[3, 4]]), np.array([[0, 5.5]])];
 * console.log(nn.triplet(anchor, same, other).item().toFixed(3)); // => 0.500
 * ```
 */
export function triplet<A extends ArrayLike, B extends ArrayLike, C extends ArrayLike>(
  anchor: A,
  positive: B,
  negative: C,
  options: TripletOptions = {},
): Tensor<Floated<Promoted<A, B>>> {
  const op = 'nn.triplet';
  const { margin = 1, p = 2, eps = 1e-6, swap = false } = options;
  expectOption(op, 'margin', margin, 'number of at least 0');
  expectOption(op, 'p', p, 'positive number');
  expectOption(op, 'eps', eps, 'number of at least 0');
  expectFlag(op, 'swap', swap);
  const [a, b, c] = promoted(
    op,
    [anchor, positive, negative].map((x) => toFloat(op, x)),
  ) as [Value, Value, Value];
  rows(op, a, b);
  rows(op, a, c);
  const distance = (x: Value, y: Value): Value => np.linalg.norm(np.add(sub(x, y), eps), p, -1);
  const far = swap ? np.minimum(distance(a, c), distance(b, c)) : distance(a, c);
  return reduced(op, positivePart(np.add(sub(distance(a, b), far), margin)), options, 'margin', 'p', 'eps', 'swap');
}
