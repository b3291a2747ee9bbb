/** Parts and products of matrices: diagonals, traces, products of vectors. */

import { showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import { range } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { convertElementType, mul, sub } from '../prim/arithmetic.ts';
import { diagonal as mainDiagonal, matrixTranspose as transposed } from '../prim/matrices.ts';
import { reduceSum } from '../prim/reduce.ts';
import { concatenate, sliceAxis, transpose } from '../prim/structural.ts';
import { axisOf } from './axes.ts';
import { aligned, expectTensor } from './convert.ts';
import { located } from './located.ts';
import type { Promoted, Summed, Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

/** @throws ShapeError for fewer than two axes */
function expectMatrix(op: string, x: Value): Value {
  if (expectTensor(op, x).ndim >= 2) return x;
  throw new ShapeError({
    op,
    problem: `${showAval(x.aval)} is no matrix: it has ${x.ndim === 1 ? '1 axis' : 'no axes'}`,
    remedy: 'matrices lie on two axes',
  });
}

/**
 * The matrices on the last two axes, transposed.
 *
 * @throws ShapeError for fewer than two axes
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.matrixTranspose(np.zeros([4, 2, 3])).shape); // => [ 4, 3, 2 ]
 * ```
 */
export function matrixTranspose<D extends DType>(x: Tensor<D>): Tensor<D> {
  return transposed(expectMatrix('np.matrixTranspose', x)) as Tensor<D>;
}

/** Options of {@link diagonal} and {@link trace}. */
export interface DiagonalOptions {
  /** Which diagonal: 0 the main one, above it positive, below it negative. */
  readonly offset?: number;
  /** The axis of the rows; default 0. */
  readonly axis1?: number;
  /** The axis of the columns; default 1. */
  readonly axis2?: number;
}

/** The diagonal of the matrices on two axes, as the last axis. */
export function diagonalOf(op: string, x: Value, { offset = 0, axis1 = 0, axis2 = 1 }: DiagonalOptions): Value {
  expectMatrix(op, x);
  const [row, column] = [axisOf(op, axis1, x.aval), axisOf(op, axis2, x.aval)];
  if (row === column || !Number.isInteger(offset)) {
    throw new ShapeError({
      op,
      problem: `offset ${String(offset)} of the axes ${axis1} and ${axis2} of ${showAval(x.aval)} is no diagonal`,
      remedy: 'offset is an integer, and the axes differ',
    });
  }
  const rest = range(x.ndim).filter((axis) => axis !== row && axis !== column);
  const m = transpose(x, [...rest, row, column]);
  const [rows, columns] = m.shape.slice(-2) as [number, number];
  const below = Math.min(Math.max(-offset, 0), rows);
  const right = Math.min(Math.max(offset, 0), columns);
  return mainDiagonal(sliceAxis(sliceAxis(m, m.ndim - 2, below, rows), m.ndim - 1, right, columns));
}

/**
 * A diagonal of the matrices on two axes, which becomes the last axis.
 *
 * @throws ShapeError for axes that are not two of the tensor's
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([[1, 2, 3], [4, 5, 6]]);
 * console.log(np.diagonal(x).toArray(), np.diagonal(x, { offset: 1 }).toArray()); // => [ 1, 5 ] [ 2, 6 ]
 * ```
 */
export function diagonal<D extends DType>(x: Tensor<D>, options: DiagonalOptions = {}): Tensor<D> {
  expectOptions('np.diagonal', options, 'offset', 'axis1', 'axis2');
  return located(() => diagonalOf('np.diagonal', x, options)) as Tensor<D>;
}

/** The sum over a diagonal; of `bool` the count, in `int32`. */
export function traceOf(op: string, x: Value, options: DiagonalOptions): Value {
  const elements = diagonalOf(op, x, options);
  const counted = elements.dtype === 'bool' ? convertElementType(elements, 'int32') : elements;
  return reduceSum(counted, [counted.ndim - 1]);
}

/**
 * The sum of a diagonal of the matrices on two axes.
 *
 * @throws as {@link diagonal}
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.trace(np.array([[1, 2], [3, 4]])).item()); // => 5
 * ```
 */
export function trace<D extends DType>(x: Tensor<D>, options: DiagonalOptions = {}): Tensor<Summed<D>> {
  expectOptions('np.trace', options, 'offset', 'axis1', 'axis2');
  return located(() => traceOf('np.trace', x, options)) as Tensor<Summed<D>>;
}

/** Options of products along one axis. */
export interface AlongOptions {
  /** The axis of the vectors; default the last one. */
  readonly axis?: number;
}

/** Two operands of one dtype and shape, and an axis of them. */
function vectors(op: string, a: Value, b: Value, options: AlongOptions): readonly [Value, Value, number] {
  expectOptions(op, options, 'axis');
  const [x, y] = aligned(op, [expectTensor(op, a), expectTensor(op, b)]) as readonly [Value, Value];
  return [x, y, axisOf(op, options.axis ?? -1, x.aval)];
}

/**
 * The inner products of the vectors along one axis; the other axes broadcast.
 *
 * @throws ShapeError if the shapes do not broadcast
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.vecdot(np.array([[1, 2], [3, 4]]), np.array([10, 1])).toArray()); // => [ 12, 34 ]
 * ```
 */
export function vecdot<A extends Value, B extends Value>(
  a: A,
  b: B,
  options: AlongOptions = {},
): Tensor<Promoted<A, B>> {
  const [x, y, axis] = vectors('np.vecdot', a, b, options);
  return located(() => reduceSum(mul(x, y), [axis])) as Tensor<Promoted<A, B>>;
}

/**
 * The cross products of the vectors of three elements along one axis; the other axes broadcast.
 *
 * @throws ShapeError unless that axis has length 3
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.cross(np.array([1, 0, 0]), np.array([0, 1, 0])).toArray()); // => [ 0, 0, 1 ]
 * ```
 */
export function cross<A extends Value, B extends Value>(
  a: A,
  b: B,
  options: AlongOptions = {},
): Tensor<Promoted<A, B>> {
  const [x, y, axis] = vectors('np.cross', a, b, options);
  if (x.shape[axis] !== 3) {
    throw new ShapeError({
      op: 'np.cross',
      problem: `axis ${axis} of ${showAval(x.aval)} has length ${x.shape[axis]}: there are no cross products`,
      remedy: 'use vectors of three elements',
    });
  }
  return located(() => {
    const turned = (v: Value, by: number): Value =>
      concatenate([sliceAxis(v, axis, by, 3), sliceAxis(v, axis, 0, by)], axis);
    return sub(mul(turned(x, 1), turned(y, 2)), mul(turned(x, 2), turned(y, 1)));
  }) as Tensor<Promoted<A, B>>;
}
