/** The same elements in another arrangement: reshaping, permuting and stretching axes, and checking them. */

import { showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import { range, type Shape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import * as prim from '../prim/structural.ts';
import { axesOf, axisAmong, axisOf, countAxes, expectDistinct, reshapeTarget, shapeOf } from './axes.ts';
import { expectTensor, lastAxes, toValue } from './convert.ts';
import type { ArrayLike, Axis, DTypeOf, ShapeLike, Tensor } from './types.ts';

/**
 * The elements of `x` in row-major order under another shape, where one length may be −1: what remains.
 *
 * @throws ShapeError if the number of elements differs
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.reshape(np.arange(6), [2, -1]).toArray()); // => [ [ 0, 1, 2 ], [ 3, 4, 5 ] ]
 * np.reshape(np.zeros([5]), [2, -1]); // throws ShapeError: np.reshape: float32[5] has 5 elements, which do not fill [2,-1]…
 * ```
 */
export function reshape<A extends ArrayLike>(x: A, shape: ShapeLike): Tensor<DTypeOf<A>> {
  const value = toValue('np.reshape', x);
  return prim.reshape(value, reshapeTarget('np.reshape', shape, value.aval)) as Tensor<DTypeOf<A>>;
}

/** The elements of `x` in one row. */
export function ravel<A extends ArrayLike>(x: A): Tensor<DTypeOf<A>> {
  const value = toValue('np.ravel', x);
  return prim.reshape(value, [value.size]) as Tensor<DTypeOf<A>>;
}

/**
 * `x` with its axes permuted: axis i of the result is axis `axes[i]` of `x`. Without `axes` their order is reversed.
 *
 * @throws ShapeError unless `axes` names each axis once
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.transpose(np.array([[1, 2], [3, 4]])).toArray()); // => [ [ 1, 3 ], [ 2, 4 ] ]
 * console.log(np.transpose(np.zeros([2, 3, 4]), [1, 2, 0]).shape); // => [ 3, 4, 2 ]
 * ```
 */
export function transpose<D extends DType>(x: Tensor<D>, axes?: readonly number[] | null): Tensor<D> {
  const { aval } = expectTensor('np.transpose', x);
  const permutation = axes ? axesOf('np.transpose', axes, aval) : range(x.ndim).reverse();
  if (permutation.length !== x.ndim) {
    throw new ShapeError({
      op: 'np.transpose',
      problem: `axes (${permutation.join(', ')}) do not name ${x.ndim === 1 ? 'the axis' : `all ${x.ndim} axes`} of ${showAval(aval)}`,
      remedy: 'name each axis once, or leave the axes out to reverse them',
    });
  }
  return prim.transpose(x, permutation) as Tensor<D>;
}

/** `x` with two axes exchanged. @throws ShapeError for an axis out of range */
export function swapaxes<D extends DType>(x: Tensor<D>, a: number, b: number): Tensor<D> {
  const { aval } = expectTensor('np.swapaxes', x);
  const [i, j] = [axisOf('np.swapaxes', a, aval), axisOf('np.swapaxes', b, aval)];
  const permutation = range(x.ndim).map((axis) => (axis === i ? j : axis === j ? i : axis));
  return prim.transpose(x, permutation) as Tensor<D>;
}

const asList = (axes: number | readonly number[]): readonly number[] => (typeof axes === 'number' ? [axes] : axes);

/**
 * `x` with the axes `source` moved to the positions `destination`; the others keep their order.
 *
 * @throws ShapeError for an axis out of range or named twice, or if the two differ in number
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.moveaxis(np.zeros([2, 3, 4]), 0, -1).shape); // => [ 3, 4, 2 ]
 * ```
 */
export function moveaxis<D extends DType>(
  x: Tensor<D>,
  source: number | readonly number[],
  destination: number | readonly number[],
): Tensor<D> {
  const { aval } = expectTensor('np.moveaxis', x);
  const from = axesOf('np.moveaxis', asList(source), aval);
  const to = axesOf('np.moveaxis', asList(destination), aval);
  if (from.length !== to.length) {
    throw new ShapeError({
      op: 'np.moveaxis',
      problem: `${countAxes(from.length)} cannot move to ${to.length} places of ${showAval(aval)}`,
      remedy: 'name one destination for each source',
    });
  }
  const others = range(x.ndim).filter((axis) => !from.includes(axis));
  const permutation = range(x.ndim).map((place) => {
    const moved = to.indexOf(place);
    return moved >= 0 ? from[moved]! : others.shift()!;
  });
  return prim.transpose(x, permutation) as Tensor<D>;
}

/**
 * `x` with new axes of length 1 at these positions of the result.
 *
 * @throws ShapeError for a position out of range or named twice
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.expandDims(np.zeros([3]), [0, -1]).shape); // => [ 1, 3, 1 ]
 * ```
 */
export function expandDims<A extends ArrayLike>(x: A, axis: number | readonly number[]): Tensor<DTypeOf<A>> {
  const value = toValue('np.expandDims', x);
  const written = asList(axis);
  const ndim = value.ndim + written.length;
  const result = (): string => `the result of expanding ${showAval(value.aval)}`;
  const places = written.map((a) => axisAmong('np.expandDims', a, ndim, result));
  expectDistinct('np.expandDims', places, written, result);
  const lengths = [...value.shape];
  const shape = range(ndim).map((place) => (places.includes(place) ? 1 : lengths.shift()!));
  return prim.reshape(value, shape) as Tensor<DTypeOf<A>>;
}

/**
 * `x` without the axes named, or without all axes of length 1.
 *
 * @throws ShapeError if an axis named has another length
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.squeeze(np.zeros([1, 3, 1]), 0).shape); // => [ 3, 1 ]
 * ```
 */
export function squeeze<A extends ArrayLike>(x: A, axis?: number | readonly number[] | null): Tensor<DTypeOf<A>> {
  const value = toValue('np.squeeze', x);
  const all = axis === undefined || axis === null;
  const axes = all ? range(value.ndim).filter((a) => value.shape[a] === 1) : axesOf('np.squeeze', axis, value.aval);
  const wide = axes.find((a) => value.shape[a] !== 1);
  if (wide !== undefined) {
    throw new ShapeError({
      op: 'np.squeeze',
      problem: `axis ${wide} of ${showAval(value.aval)} has length ${value.shape[wide]}, not 1`,
      remedy: 'name only axes of length 1, or choose an element of the axis',
    });
  }
  const shape = value.shape.filter((_, a) => !axes.includes(a));
  return prim.reshape(value, shape) as Tensor<DTypeOf<A>>;
}

/**
 * `x` with its elements in the opposite order along one axis, several, or all.
 *
 * @throws ShapeError for an axis out of range or named twice
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.flip(np.array([[1, 2], [3, 4]]), 0).toArray()); // => [ [ 3, 4 ], [ 1, 2 ] ]
 * ```
 */
export function flip<D extends DType>(x: Tensor<D>, axis?: Axis): Tensor<D> {
  const { aval } = expectTensor('np.flip', x);
  return prim.rev(x, axesOf('np.flip', axis, aval)) as Tensor<D>;
}

/**
 * `x` with its elements moved on by `shift` places along `axis`; what passes the end comes in at the start. Without an axis all
 * elements move in row-major order. Several axes have one shift for all, or one each.
 *
 * @throws ShapeError for an axis out of range or named twice, or shifts that are not integers or do not fit the axes
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.roll(np.arange(5), 2).toArray()); // => [ 3, 4, 0, 1, 2 ]
 * ```
 */
export function roll<D extends DType>(x: Tensor<D>, shift: number | readonly number[], axis?: Axis): Tensor<D> {
  const { aval } = expectTensor('np.roll', x);
  const all = axis === null || axis === undefined;
  const axes = all ? [0] : axesOf('np.roll', axis, aval);
  const shifts = typeof shift === 'number' ? axes.map(() => shift) : shift;
  if (shifts.length !== axes.length || !shifts.every(Number.isSafeInteger)) {
    throw new ShapeError({
      op: 'np.roll',
      problem: `(${shifts.join(', ')}) are not the shifts of ${axes.length} axes of ${showAval(aval)}`,
      remedy: 'give one integer for all axes, or one for each',
    });
  }
  let rolled: Value = all ? prim.reshape(x, [x.size]) : x;
  for (const [i, at] of axes.entries()) {
    const length = rolled.shape[at]!;
    const cut = length === 0 ? 0 : ((-shifts[i]! % length) + length) % length;
    if (cut === 0) continue;
    rolled = prim.concatenate([prim.sliceAxis(rolled, at, cut, length), prim.sliceAxis(rolled, at, 0, cut)], at);
  }
  return prim.reshape(rolled, x.shape) as Tensor<D>;
}

/**
 * `x` stretched to `shape`: axes of length 1 repeat, new axes come in front.
 *
 * @throws ShapeError if it does not broadcast to that shape
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.broadcastTo(np.array([1, 2]), [2, 2]).toArray()); // => [ [ 1, 2 ], [ 1, 2 ] ]
 * ```
 */
export function broadcastTo<A extends ArrayLike>(x: A, shape: ShapeLike): Tensor<DTypeOf<A>> {
  const value = toValue('np.broadcastTo', x);
  return stretchTo('np.broadcastTo', value, shapeOf('np.broadcastTo', shape)) as Tensor<DTypeOf<A>>;
}

/** `x` stretched to a shape. @throws ShapeError if it does not broadcast to it */
export function stretchTo(op: string, x: Value, shape: Shape): Value {
  const axes = lastAxes(x.ndim, shape.length);
  if (x.ndim <= shape.length && x.shape.every((n, i) => n === 1 || n === shape[axes[i]!])) {
    return prim.broadcastInDim(x, shape, axes);
  }
  throw new ShapeError({
    op,
    problem: `${showAval(x.aval)} does not broadcast to [${shape.join(',')}]`,
    remedy: 'lengths, aligned at the last axis, must be 1 or those of the shape',
  });
}

/**
 * `x` itself, after a check of its shape: a number is that length, a name any length, but the same wherever it comes again.
 *
 * @throws ShapeError naming the axis that differs
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const images = np.expectShape(np.zeros([32, 784]), ['batch', 784]);
 * np.expectShape(images, ['n', 'n']); // throws ShapeError: np.expectShape: float32[32,784] is not [n, n]: axis 1 has length 784, n is 32…
 * ```
 */
export function expectShape<T extends Value>(x: T, expected: readonly (number | string)[]): T {
  const { shape } = expectTensor('np.expectShape', x);
  const refuse = (why: string): ShapeError =>
    new ShapeError({
      op: 'np.expectShape',
      problem: `${showAval(x.aval)} is not [${expected.join(', ')}]: ${why}`,
      remedy: 'reshape or transpose the tensor before it comes here, or correct the expectation',
    });
  if (shape.length !== expected.length) throw refuse(`it has ${countAxes(shape.length)}, not ${expected.length}`);
  const named = new Map<string, number>();
  expected.forEach((want, axis) => {
    const length = shape[axis]!;
    if (typeof want === 'number') {
      if (length !== want) throw refuse(`axis ${axis} has length ${length}, not ${want}`);
    } else if ((named.get(want) ?? length) !== length) {
      throw refuse(`axis ${axis} has length ${length}, ${want} is ${named.get(want)}`);
    } else named.set(want, length);
  });
  return x;
}
