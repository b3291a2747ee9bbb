/**
 * Products of vectors and matrices, as contractions.
 *
 * `matmul` never stretches a batch axis: an axis that only one operand has (or that has length 1 in the other) is a free axis
 * of that operand in `dot_general`, moved to its place afterwards.
 */

import { showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { range } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { mul } from '../prim/arithmetic.ts';
import { and } from '../prim/bits.ts';
import { expectKind } from '../prim/define.ts';
import { type DotDimensions, dotGeneral } from '../prim/dot.ts';
import { inverse, reshape, transpose } from '../prim/structural.ts';
import { broadcast, promoted } from './convert.ts';
import type { ArrayLike, Promoted, Tensor } from './types.ts';

const operands = (op: string, x: ArrayLike, y: ArrayLike): readonly [Value, Value] => {
  const [a, b] = promoted(op, [x, y]);
  expectKind(op, 'number', a!.aval);
  return [a!, b!];
};

const mismatch = (op: string, a: Value, b: Value, problem: string): ShapeError =>
  new ShapeError({
    op,
    problem: `${showAval(a.aval)} and ${showAval(b.aval)} do not multiply: ${problem}`,
    remedy: 'transpose or reshape one of them',
  });

/** Elementwise, of operands of one dtype. */
function product(op: string, x: Value, y: Value): Value {
  const [a, b] = broadcast(op, [x, y]);
  return (x.dtype === 'bool' ? and : mul)(a!, b!);
}

/** Contract axis `i` of `a` with axis `j` of `b`. @throws ShapeError if their lengths differ */
function contract(op: string, a: Value, b: Value, i: number, j: number, batch?: Partial<DotDimensions>): Value {
  if (a.shape[i] !== b.shape[j]) {
    throw mismatch(op, a, b, `axis ${i} of the first has length ${a.shape[i]}, axis ${j} of the second ${b.shape[j]}`);
  }
  return dotGeneral(a, b, { lhsContracting: [i], rhsContracting: [j], lhsBatch: [], rhsBatch: [], ...batch });
}

/**
 * The matrix product, as in NumPy: of the last two axes, all axes before them broadcast. A vector on the left is a row, on
 * the right a column, and the axis it lacks is absent from the result.
 *
 * @throws ShapeError if the inner lengths differ, the batch axes do not broadcast, or an operand is a scalar
 * @throws DTypeError for `bool`
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const a = np.array([[1, 2], [3, 4]]);
 * console.log(np.matmul(a, np.array([1, 1])).toArray()); // => [ 3, 7 ]
 * console.log(np.matmul(np.zeros([2, 1, 2, 3]), np.zeros([3, 3, 2])).shape); // => [ 2, 3, 2, 2 ]
 * np.matmul(a, np.zeros([3, 2]));
 * // throws ShapeError: np.matmul: float32[2,2] and float32[3,2] do not multiply: axis 1 of the first has length 2, axis 0 of the second 3…
 * ```
 */
export function matmul<A extends Value, B extends Value>(a: A, b: B): Tensor<Promoted<A, B>> {
  const [x, y] = operands('np.matmul', a, b);
  if (x.ndim === 0 || y.ndim === 0) throw mismatch('np.matmul', x, y, 'a scalar is no matrix; use np.mul');
  const inner = Math.max(y.ndim - 2, 0);
  if (x.ndim <= 2 && y.ndim <= 2) return contract('np.matmul', x, y, x.ndim - 1, inner) as Tensor<Promoted<A, B>>;
  if (x.shape.at(-1) !== y.shape[inner]) contract('np.matmul', x, y, x.ndim - 1, inner);
  return batched(x, y) as Tensor<Promoted<A, B>>;
}

/** What becomes of one batch axis: shared by both operands, or free in one of them. */
type BatchKind = 'shared' | 'left' | 'right' | 'neither';

/** The product of stacks of matrices (or vectors) whose inner lengths are known to fit. */
function batched(x: Value, y: Value): Value {
  const xBatch = x.shape.slice(0, -2);
  const yBatch = y.shape.slice(0, -2);
  const ndim = Math.max(xBatch.length, yBatch.length);
  const kinds = range(ndim).map((i): BatchKind => {
    const m = xBatch[i - ndim + xBatch.length] ?? 1;
    const n = yBatch[i - ndim + yBatch.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw mismatch('np.matmul', x, y, `batch axis ${i - ndim} has length ${m} beside ${n}`);
    }
    return m === n ? (m === 1 ? 'neither' : 'shared') : n === 1 ? 'left' : 'right';
  });
  const axesOf = (kind: BatchKind): readonly number[] => range(ndim).filter((i) => kinds[i] === kind);
  const [shared, left, right] = [axesOf('shared'), axesOf('left'), axesOf('right')];
  // Each operand keeps the batch axes in which it has a length of its own: [shared and own, in order, …matrix].
  const squeezed = (v: Value, batch: readonly number[], own: BatchKind): readonly [Value, readonly number[]] => {
    const kept = range(ndim).filter((i) => kinds[i] === 'shared' || kinds[i] === own);
    const lengths = kept.map((i) => batch[i - ndim + batch.length]!);
    return [reshape(v, [...lengths, ...v.shape.slice(-2)]), kept];
  };
  const [p, pAxes] = squeezed(x, xBatch, 'left');
  const [q, qAxes] = squeezed(y, yBatch, 'right');
  const out = dotGeneral(p, q, {
    lhsContracting: [p.ndim - 1],
    rhsContracting: [q.ndim - Math.min(y.ndim, 2)],
    lhsBatch: shared.map((i) => pAxes.indexOf(i)),
    rhsBatch: shared.map((i) => qAxes.indexOf(i)),
  });
  // The axes of `out` by the place they belong to: batch axes by number, then the row and the column.
  const row = x.ndim > 1 ? [ndim] : [];
  const column = y.ndim > 1 ? [ndim + 1] : [];
  const places = [...shared, ...left, ...row, ...right, ...column];
  const sorted = [...places].sort((a, b) => a - b);
  const ordered = transpose(out, inverse(places.map((place) => sorted.indexOf(place))));
  const lengths = [...ordered.shape];
  const shape = [...kinds.map((kind) => (kind === 'neither' ? 1 : lengths.shift()!)), ...lengths.splice(0)];
  return reshape(ordered, shape);
}

/**
 * NumPy's `dot`: the sum over the last axis of `a` and the second-to-last (or only) axis of `b`, all other axes free. For
 * vectors the inner product, for matrices {@link matmul}, with a scalar the product of each element.
 *
 * @throws ShapeError if those two lengths differ
 */
export function dot<A extends ArrayLike, B extends ArrayLike>(a: A, b: B): Tensor<Promoted<A, B>> {
  const [x, y] = operands('np.dot', a, b);
  if (x.ndim === 0 || y.ndim === 0) return product('np.dot', x, y) as Tensor<Promoted<A, B>>;
  return contract('np.dot', x, y, x.ndim - 1, Math.max(y.ndim - 2, 0)) as Tensor<Promoted<A, B>>;
}

/**
 * The sum of products over the last axes of both, all other axes free.
 *
 * @throws ShapeError if the last lengths differ
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.inner(np.array([1, 2]), np.array([3, 4])).item()); // => 11
 * ```
 */
export function inner<A extends ArrayLike, B extends ArrayLike>(a: A, b: B): Tensor<Promoted<A, B>> {
  const [x, y] = operands('np.inner', a, b);
  if (x.ndim === 0 || y.ndim === 0) return product('np.inner', x, y) as Tensor<Promoted<A, B>>;
  return contract('np.inner', x, y, x.ndim - 1, y.ndim - 1) as Tensor<Promoted<A, B>>;
}

/**
 * All products of an element of `a` with one of `b`, as a matrix; both are read as vectors.
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.outer(np.array([1, 2]), np.array([3, 4])).toArray()); // => [ [ 3, 4 ], [ 6, 8 ] ]
 * ```
 */
export function outer<A extends ArrayLike, B extends ArrayLike>(a: A, b: B): Tensor<Promoted<A, B>> {
  const [x, y] = promoted('np.outer', [a, b]).map((v) => reshape(v, [v.size]));
  return product('np.outer', reshape(x!, [x!.size, 1]), y!) as Tensor<Promoted<A, B>>;
}
