/**
 * Where something is: the indices of what is not zero, and what is chosen by a condition.
 *
 * How many there are depends on the elements. Outside of `jit` that is no matter; while staging, `size` says how many are returned:
 * what is missing is filled, what is too much is cut off. So it is in jax.numpy.
 */

import { showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { ConcretizationError, ShapeError } from '../core/errors.ts';
import { stridesOf } from '../core/shape.ts';
import { Tensor as Concrete, type Value } from '../core/value.ts';
import { convertElementType, div, rem } from '../prim/arithmetic.ts';
import { not } from '../prim/bits.ts';
import { lt, select } from '../prim/compare.ts';
import { filled, fullLike, scalar } from '../prim/compose.ts';
import { reduceSum, unreduce } from '../prim/reduce.ts';
import { sort } from '../prim/sort.ts';
import { broadcastInDim, concatenate, iota, reshape, sliceAxis } from '../prim/structural.ts';
import { axisOf } from './axes.ts';
import { truth } from './compare.ts';
import { expectHolds, expectTensor } from './convert.ts';
import { take } from './indexing.ts';
import { located } from './located.ts';
import type { ArrayLike, Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

/** How many results there are, where their number depends on elements. */
export interface SizeOptions {
  /** The number of results; needed while staging. Default: as many as there are. */
  readonly size?: number;
  /** What stands where there are fewer. Default 0. */
  readonly fillValue?: number;
}

/** Numbers of the elements of a row that are chosen, in order, and how many of them are: the others are 0. */
export interface Chosen {
  readonly at: Value;
  readonly valid: Value;
}

/** @throws ShapeError unless `size` is the length of an axis */
export function expectSize(op: string, size: number): number {
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new ShapeError({ op, problem: `${size} is not a size`, remedy: 'use a non-negative integer' });
}

/**
 * The size that options ask for, or else the number of true elements.
 *
 * @throws ConcretizationError if that is not known
 */
export function sizeFor(op: string, mask: Value, size: number | undefined): number {
  if (size !== undefined) return expectSize(op, size);
  if (mask instanceof Concrete) return mask.dataSync().reduce((sum: number, bit: number) => sum + bit, 0);
  throw new ConcretizationError({
    op,
    problem: `${showAval(mask.aval)} is traced: how many elements are chosen is not known yet`,
    remedy: `say how many are returned: ${op}(x, { size })`,
  });
}

/** The first `size` true elements of a row of bools: a stable sort brings them to the front. */
export function chosen(mask: Value, size: number): Chosen {
  const n = mask.shape[0]!;
  const [, order] = sort([not(mask), iota([n], 0, 'int32')], 0) as readonly [Value, Value];
  const count = reduceSum(convertElementType(mask, 'int32'), [0]);
  const kept = sliceAxis(order, 0, 0, Math.min(n, size));
  const at = size > n ? concatenate([kept, filled([size - n], 0, 'int32')], 0) : kept;
  const valid = lt(iota([size], 0, 'int32'), unreduce(count, [size], [0]));
  return { at: select(valid, at, fullLike(at, 0)), valid };
}

/** `value` in the shape and dtype of `x`, where something is missing. */
export const filledWhere = (valid: Value, x: Value, value: number): Value => select(valid, x, fullLike(x, value));

/**
 * The indices (`int32`) of the elements that are not 0, in row-major order: a tensor for each axis.
 *
 * @throws ShapeError for a scalar
 * @throws ConcretizationError while staging, without a size
 *
 * @example
 * ```ts
 * import { jit, np, type Tensor } from 'pullback';
 * const x = np.array([[1, 0, 2], [0, 3, 0]]);
 * console.log(np.nonzero(x).map((i) => i.toArray())); // => [ [ 0, 0, 1 ], [ 0, 2, 1 ] ]
 * const four = jit((y: Tensor) => np.nonzero(y, { size: 4, fillValue: -1 }));
 * console.log(four(x).map((i) => i.toArray())); // => [ [ 0, 0, 1, -1 ], [ 0, 2, 1, -1 ] ]
 * ```
 */
export const nonzero = (x: ArrayLike, options: SizeOptions = {}): Tensor<'int32'>[] =>
  located(() => coordinates('np.nonzero', x, options));

function coordinates(op: string, x: ArrayLike, options: SizeOptions): Tensor<'int32'>[] {
  expectOptions(op, options, 'size', 'fillValue');
  const mask = truth(op, x);
  if (mask.ndim === 0) {
    throw new ShapeError({ op, problem: 'a scalar has no axes', remedy: 'give it one with np.reshape(x, [1])' });
  }
  const { fillValue = 0 } = options;
  expectHolds(op, fillValue, 'int32');
  const { at, valid } = chosen(reshape(mask, [mask.size]), sizeFor(op, mask, options.size));
  const strides = stridesOf(mask.shape);
  return mask.shape.map((n, axis) => {
    // An empty axis has no elements to be found, and a division by its length none to spoil.
    const index = rem(div(at, fullLike(at, Math.max(1, strides[axis]!))), fullLike(at, Math.max(1, n)));
    return filledWhere(valid, index, fillValue) as Tensor<'int32'>;
  });
}

/** The indices of the elements that are not 0, among all elements in row-major order. @throws as {@link nonzero} */
export const flatnonzero = (x: ArrayLike, options: SizeOptions = {}): Tensor<'int32'> =>
  located(() => {
    const mask = truth('np.flatnonzero', x);
    return coordinates('np.flatnonzero', reshape(mask, [mask.size]), options)[0]!;
  });

/**
 * The indices of the elements that are not 0, a row for each: `int32[count, ndim]`.
 *
 * @throws as {@link nonzero}
 */
export const argwhere = (x: ArrayLike, options: SizeOptions = {}): Tensor<'int32'> =>
  located(() => {
    const columns = coordinates('np.argwhere', x, options);
    return concatenate(
      columns.map((column) => reshape(column, [column.size, 1])),
      1,
    ) as Tensor<'int32'>;
  });

/**
 * The parts of `x` along `axis` (default: its elements in row-major order) at which `condition`, a row of bools, is true.
 *
 * @throws ShapeError if the condition is not a row, or longer than the axis
 * @throws ConcretizationError while staging, without a size
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([[1, 2], [3, 4], [5, 6]]);
 * console.log(np.compress(np.array([true, false, true]), x, 0).toArray()); // => [ [ 1, 2 ], [ 5, 6 ] ]
 * console.log(np.extract(np.greater(x, 3), x, { size: 5 }).toArray()); // => [ 4, 5, 6, 0, 0 ]
 * ```
 */
export function compress<D extends DType>(
  condition: Value,
  x: Tensor<D>,
  axis?: number | null,
  options: SizeOptions = {},
): Tensor<D> {
  return located(() => compressed('np.compress', condition, x, axis, options));
}

function compressed<D extends DType>(
  op: string,
  condition: Value,
  x: Tensor<D>,
  axis: number | null | undefined,
  options: SizeOptions,
): Tensor<D> {
  expectOptions(op, options, 'size', 'fillValue');
  const value = expectTensor(op, x);
  const all = axis === null || axis === undefined;
  const operand = all ? reshape(value, [value.size]) : value;
  const along = all ? 0 : axisOf(op, axis, operand.aval);
  const mask = truth(op, expectTensor(op, condition));
  if (mask.ndim !== 1 || mask.size > operand.shape[along]!) {
    throw new ShapeError({
      op,
      problem: `the condition ${showAval(mask.aval)} does not fit axis ${along} of ${showAval(operand.aval)}`,
      remedy: 'give a row that is no longer than the axis',
    });
  }
  const { fillValue = 0 } = options;
  expectHolds(op, fillValue, operand.dtype, showAval(operand.aval));
  const { at, valid } = chosen(mask, sizeFor(op, mask, options.size));
  if (mask.size === 0) {
    const shape = operand.shape.with(along, at.size);
    return broadcastInDim(scalar(fillValue, operand.dtype), shape, []) as Tensor<D>;
  }
  const taken = take(operand, at as Tensor<'int32'>, along, { mode: 'clip' });
  return filledWhere(broadcastInDim(valid, taken.shape, [along]), taken, fillValue) as Tensor<D>;
}

/** The elements of `x` at which `condition` is true, both in row-major order. @throws as {@link compress} */
export const extract = <D extends DType>(condition: Value, x: Tensor<D>, options: SizeOptions = {}): Tensor<D> =>
  located(() => {
    const mask = expectTensor('np.extract', condition);
    return compressed('np.extract', reshape(mask, [mask.size]), x, null, options);
  });
