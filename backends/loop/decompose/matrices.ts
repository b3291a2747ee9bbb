/** What decompositions of linear algebra share: loops over rows, and elements at a place that the loop counts. */

import { range, type Shape, without } from '../../../src/core/shape.ts';
import type { Value } from '../../../src/core/value.ts';
import { abs, div } from '../../../src/prim/arithmetic.ts';
import { eq, lt, select } from '../../../src/prim/compare.ts';
import { fullLike, scalar, zeros } from '../../../src/prim/compose.ts';
import { reduceMax, reduceSum, unreduce } from '../../../src/prim/reduce.ts';
import { broadcastInDim, iota, moveAxis } from '../../../src/prim/structural.ts';

/** 0, 1, …, as what a scan runs over. */
export const counting = (n: number): Value => iota([n], 0, 'int32');

/** A scalar in this shape. */
export const everywhere = (x: Value, shape: Shape): Value => broadcastInDim(x, shape, []);

/** The index along `axis`. */
export const index = (shape: Shape, axis: number): Value => iota(shape, axis < 0 ? axis + shape.length : axis, 'int32');

/** True where the index along `axis` is the scalar `i`. */
export const isAt = (shape: Shape, axis: number, i: Value): Value => eq(index(shape, axis), everywhere(i, shape));

/** True where the index along `axis` is beyond the scalar `i`. */
export const isBeyond = (shape: Shape, axis: number, i: Value): Value => lt(everywhere(i, shape), index(shape, axis));

/** `x` where `mask`, else zeros. */
export const where = (mask: Value, x: Value): Value => select(mask, x, zeros(x.aval));

/** The elements at the scalar `i` of `axis`, which is gone. */
export const takeAt = (x: Value, axis: number, i: Value): Value => {
  const at = axis < 0 ? axis + x.ndim : axis;
  return reduceSum(where(isAt(x.shape, at, i), x), [at]);
};

/** `x` without its last axis stretched along a new axis at `axis` of `shape`. */
export const along = (x: Value, shape: Shape, axis: number): Value =>
  unreduce(x, shape, [axis < 0 ? axis + shape.length : axis]);

/** The products of the elements of two vectors: column times row. */
export const outer = (column: Value, row: Value, shape: Shape, times: (x: Value, y: Value) => Value): Value =>
  times(along(column, shape, -1), along(row, shape, -2));

/** The rows as what a scan runs over. */
export const rowsOf = (x: Value): Value => moveAxis(x, x.ndim - 2, 0);

/** What a scan has stacked, as rows. */
export const asRows = (x: Value): Value => moveAxis(x, 0, x.ndim - 2);

/** What a scan has stacked, as the last axis. */
export const asLast = (x: Value): Value => moveAxis(x, 0, x.ndim - 1);

/** The largest magnitude of each matrix, 1 of one that is zero, in its shape; and the matrix divided by it. */
export function normalized(x: Value): readonly [Value, Value] {
  const axes = [x.ndim - 2, x.ndim - 1];
  const batch = without(x.shape, axes);
  if (x.shape.at(-1) === 0 || x.shape.at(-2) === 0) return [x, broadcastInDim(one(x), batch, [])];
  const size = reduceMax(abs(x), axes);
  const scale = select(eq(size, zeros(size.aval)), fullLike(size, 1), size);
  return [div(x, broadcastInDim(scale, x.shape, range(x.ndim - 2))), scale];
}

const one = (x: Value): Value => scalar(1, x.dtype, x.aval.weak);
