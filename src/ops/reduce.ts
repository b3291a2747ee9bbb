/** Reductions: over one axis, several, or all. */

import { showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { convertElementType, div, mul, sub } from '../prim/arithmetic.ts';
import { fullLike } from '../prim/compose.ts';
import { sqrt } from '../prim/math.ts';
import {
  argmax as argmaxOf,
  argmin as argminOf,
  reduceAnd,
  reduceMax,
  reduceMin,
  reduceOr,
  reduceProd,
  reduceSum,
  unreduce,
} from '../prim/reduce.ts';
import { reshape } from '../prim/structural.ts';
import { axesOf, axisOf } from './axes.ts';
import { truth } from './compare.ts';
import { aligned, toFloat, toValue } from './convert.ts';
import type { ArrayLike, Axis, DTypeOf, Floated, ReduceOptions, Summed, Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

/** Whether to keep the reduced axes; options left out are the common case. @throws as {@link expectOptions} */
function keepsDims(op: string, options: ReduceOptions | undefined): boolean {
  if (options === undefined) return false;
  expectOptions(op, options, 'keepdims');
  return options.keepdims ?? false;
}

/** Reduce `x` over `axes`, keeping them with length 1 if asked to. Over no axes there is nothing to do. */
function reduce<D extends DType>(
  x: Value,
  axes: readonly number[],
  apply: (x: Value, axes: readonly number[]) => Value,
  keepdims: boolean,
): Tensor<D> {
  const reduced = axes.length === 0 ? x : apply(x, axes);
  return (
    keepdims
      ? reshape(
          reduced,
          x.shape.map((n, i) => (axes.includes(i) ? 1 : n)),
        )
      : reduced
  ) as Tensor<D>;
}

/**
 * The sum over `axis`; of `bool` the count, in `int32`. An empty sum is 0.
 *
 * @param axis - one axis, several, or all if left out; negative ones count from the end
 * @throws ShapeError for an axis that is out of range or named twice
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([[1, 2], [3, 4]]);
 * console.log([np.sum(x).item(), np.sum(x, 0).toArray()]); // => [ 10, [ 4, 6 ] ]
 * console.log(np.sum(x, -1, { keepdims: true }).shape); // => [ 2, 1 ]
 * np.sum(x, 2); // throws ShapeError: np.sum: axis 2 is out of range for float32[2,2], which has 2 axes…
 * ```
 */
export function sum<A extends ArrayLike>(x: A, axis?: Axis, options?: ReduceOptions): Tensor<Summed<DTypeOf<A>>> {
  const value = toValue('np.sum', x);
  const counted = value.dtype === 'bool' ? convertElementType(value, 'int32') : value;
  return reduce(counted, axesOf('np.sum', axis, value.aval), reduceSum, keepsDims('np.sum', options));
}

/**
 * The mean over `axis`; integers and `bool` become `float32` first. An empty mean is NaN.
 *
 * @param axis - as for {@link sum}
 * @throws as {@link sum}
 */
export function mean<A extends ArrayLike>(x: A, axis?: Axis, options?: ReduceOptions): Tensor<Floated<DTypeOf<A>>> {
  const value = toFloat('np.mean', x);
  const axes = axesOf('np.mean', axis, value.aval);
  const count = sizeOf(axes.map((a) => value.shape[a]!));
  const total = reduce<Floated<DTypeOf<A>>>(value, axes, reduceSum, keepsDims('np.mean', options));
  if (axes.length === 0) return total;
  const [dividend, divisor] = aligned('np.mean', [total, count]);
  return div(dividend!, divisor!) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * The product over `axis`; of `bool` that of the counts, in `int32`. An empty product is 1.
 *
 * The derivative is right at zeros: it does not divide by the elements.
 *
 * @param axis - as for {@link sum}
 * @throws as {@link sum}
 *
 * @example
 * ```ts
 * import { grad, np, type Tensor } from 'pullback';
 * console.log(np.prod(np.array([2, 3, 4])).item()); // => 24
 * console.log(grad((x: Tensor) => np.prod(x))(np.array([2, 0, 4])).toArray()); // => [ 0, 8, 0 ]
 * ```
 */
export function prod<A extends ArrayLike>(x: A, axis?: Axis, options?: ReduceOptions): Tensor<Summed<DTypeOf<A>>> {
  const value = toValue('np.prod', x);
  const counted = value.dtype === 'bool' ? convertElementType(value, 'int32') : value;
  return reduce(counted, axesOf('np.prod', axis, value.aval), reduceProd, keepsDims('np.prod', options));
}

/**
 * Are all elements over `axis` true, that is, not 0? Of none: yes.
 *
 * @param axis - as for {@link sum}
 * @throws as {@link sum}
 */
export function all(x: ArrayLike, axis?: Axis, options?: ReduceOptions): Tensor<'bool'> {
  const value = truth('np.all', x);
  return reduce(value, axesOf('np.all', axis, value.aval), reduceAnd, keepsDims('np.all', options));
}

/**
 * Is any element over `axis` true, that is, not 0? Of none: no.
 *
 * @param axis - as for {@link sum}
 * @throws as {@link sum}
 */
export function any(x: ArrayLike, axis?: Axis, options?: ReduceOptions): Tensor<'bool'> {
  const value = truth('np.any', x);
  return reduce(value, axesOf('np.any', axis, value.aval), reduceOr, keepsDims('np.any', options));
}

/** Options of {@link var_} and {@link std}. */
export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the number of elements that the squares are divided by: 1 for an unbiased estimate; default 0. */
  readonly ddof?: number;
}

/**
 * The variance over `axis`: the mean of the squared distances from the mean. Integers and `bool` become `float32` first.
 *
 * Exported as `np.var`.
 *
 * @param axis - as for {@link sum}
 * @throws as {@link sum}
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.var(np.array([1, 2, 3, 4])).item(), np.var(np.array([1, 2, 3, 4]), 0, { ddof: 1 }).item()); // => 1.25 1.666666…
 * ```
 */
export function var_<A extends ArrayLike>(x: A, axis?: Axis, options?: VarianceOptions): Tensor<Floated<DTypeOf<A>>> {
  return variance('np.var', x, axis, options) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * The standard deviation over `axis`: the square root of {@link var_}. Its derivative does not exist where that is 0 (NaN, as in
 * JAX).
 *
 * @param axis - as for {@link sum}
 * @throws as {@link sum}
 */
export function std<A extends ArrayLike>(x: A, axis?: Axis, options?: VarianceOptions): Tensor<Floated<DTypeOf<A>>> {
  return sqrt(variance('np.std', x, axis, options)) as Tensor<Floated<DTypeOf<A>>>;
}

function variance(op: string, x: ArrayLike, axis: Axis, options: VarianceOptions = {}): Value {
  expectOptions(op, options, 'ddof', 'keepdims');
  const { ddof = 0, keepdims = false } = options;
  const value = toFloat(op, x);
  const axes = axesOf(op, axis, value.aval);
  const count = sizeOf(axes.map((a) => value.shape[a]!));
  const total = unreduce(reduceSum(value, axes), value.shape, axes);
  const centered = sub(value, div(total, fullLike(total, count)));
  const squares: Value = reduce(mul(centered, centered), axes, reduceSum, keepdims);
  return div(squares, fullLike(squares, count - ddof));
}

/** @throws ShapeError if there is nothing to take the extremum of */
function expectElements(op: string, x: Value, axes: readonly number[]): void {
  const empty = axes.find((axis) => x.shape[axis] === 0);
  if (empty === undefined) return;
  throw new ShapeError({
    op,
    problem: `axis ${empty} of ${showAval(x.aval)} is empty, and nothing has no ${op.slice('np.'.length)}`,
    remedy: 'reduce over axes with elements',
  });
}

function extremum<D extends DType>(
  op: string,
  x: ArrayLike,
  axis: Axis,
  apply: (x: Value, axes: readonly number[]) => Value,
  options: ReduceOptions | undefined,
): Tensor<D> {
  const value = toValue(op, x);
  const axes = axesOf(op, axis, value.aval);
  expectElements(op, value, axes);
  return reduce(value, axes, apply, keepsDims(op, options));
}

/**
 * The largest element over `axis`; NaN if any is. Ties share the derivative.
 *
 * @param axis - as for {@link sum}
 * @throws as {@link sum}, and ShapeError over an empty axis
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.max(np.array([[1, 5], [7, 3]]), 1).toArray()); // => [ 5, 7 ]
 * ```
 */
export function max<A extends ArrayLike>(x: A, axis?: Axis, options?: ReduceOptions): Tensor<DTypeOf<A>> {
  return extremum('np.max', x, axis, reduceMax, options);
}

/** The smallest element over `axis`; NaN if any is. Ties share the derivative. @throws as {@link max} */
export function min<A extends ArrayLike>(x: A, axis?: Axis, options?: ReduceOptions): Tensor<DTypeOf<A>> {
  return extremum('np.min', x, axis, reduceMin, options);
}

function search(
  op: string,
  x: ArrayLike,
  axis: number | null | undefined,
  apply: (x: Value, axis: number) => Value,
  options: ReduceOptions | undefined,
): Tensor<'int32'> {
  const value = toValue(op, x);
  const all = axis === undefined || axis === null;
  const line = all ? reshape(value, [value.size]) : value;
  const at = all ? 0 : axisOf(op, axis, value.aval);
  expectElements(op, line, [at]);
  const index = apply(line, at);
  const kept = value.shape.map((n, i) => (all || i === at ? 1 : n));
  return (keepsDims(op, options) ? reshape(index, kept) : index) as Tensor<'int32'>;
}

/**
 * The index (`int32`) of the first largest element along `axis`, or among all elements in row-major order; the first NaN is
 * larger than everything.
 *
 * @throws ShapeError for an axis that is out of range or empty
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.argmax(np.array([[1, 5], [7, 3]]), 1).toArray()); // => [ 1, 0 ]
 * ```
 */
export function argmax(x: ArrayLike, axis?: number | null, options?: ReduceOptions): Tensor<'int32'> {
  return search('np.argmax', x, axis, argmaxOf, options);
}

/**
 * The index (`int32`) of the first smallest element along `axis`, or among all elements in row-major order; the first NaN is
 * smaller than everything.
 *
 * @throws as {@link argmax}
 */
export function argmin(x: ArrayLike, axis?: number | null, options?: ReduceOptions): Tensor<'int32'> {
  return search('np.argmin', x, axis, argminOf, options);
}
