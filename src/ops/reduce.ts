/**
 * Reductions: over one axis, several, or all.
 *
 * There is no primitive for minima: the minimum is the maximum in the opposite order, which negation gives for floats and
 * "not" for integers (where −x would leave the smallest integer where it is).
 */

import { showAval } from '../core/aval.ts';
import { type DType, isFloat } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { convertElementType, div, neg } from '../prim/arithmetic.ts';
import { not } from '../prim/bits.ts';
import { argmax as argmaxOf, reduceMax, reduceSum } from '../prim/reduce.ts';
import { reshape } from '../prim/structural.ts';
import { axesOf, axisOf } from './axes.ts';
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

function reduceMin(x: Value, axes: readonly number[]): Value {
  const reverse = isFloat(x.dtype) ? neg : not;
  return reverse(reduceMax(reverse(x), axes));
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
  const value = toValue('np.argmax', x);
  const all = axis === undefined || axis === null;
  const line = all ? reshape(value, [value.size]) : value;
  const at = all ? 0 : axisOf('np.argmax', axis, value.aval);
  expectElements('np.argmax', line, [at]);
  const index = argmaxOf(line, at);
  const kept = value.shape.map((n, i) => (all || i === at ? 1 : n));
  return (keepsDims('np.argmax', options) ? reshape(index, kept) : index) as Tensor<'int32'>;
}
