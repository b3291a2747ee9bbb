/**
 * Tensors from nothing but a shape and a few numbers.
 *
 * They are made by primitives (a scalar and a broadcast, `iota`), so that a traced program holds no big constants.
 */

import { makeAval } from '../core/aval.ts';
import { type DType, isInteger } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import { Value } from '../core/value.ts';
import { add, convertElementType, mul } from '../prim/arithmetic.ts';
import { eq } from '../prim/compare.ts';
import { full as fullOf } from '../prim/compose.ts';
import { iota } from '../prim/structural.ts';
import { fromElements } from './array.ts';
import { shapeOf } from './axes.ts';
import { constant, expectHolds, toValue } from './convert.ts';
import { stretchTo } from './shape.ts';
import type { ArrayLike, DTypeOf, DTypeOptions, ShapeLike, Tensor } from './types.ts';
import { describe, dtypeIn, expectDType } from './untyped.ts';

/**
 * Zeros of this shape; `float32` if no dtype is given.
 *
 * @throws ShapeError unless the shape consists of non-negative integers
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.zeros([2, 3]).toArray()); // => [ [ 0, 0, 0 ], [ 0, 0, 0 ] ]
 * ```
 */
export function zeros<D extends DType = 'float32'>(
  shape: ShapeLike,
  options: DTypeOptions<D> = {},
): Tensor<NoInfer<D>> {
  return filled('np.zeros', shape, 0, options);
}

/** Ones of this shape; `float32` if no dtype is given. @throws as {@link zeros} */
export function ones<D extends DType = 'float32'>(shape: ShapeLike, options: DTypeOptions<D> = {}): Tensor<NoInfer<D>> {
  return filled('np.ones', shape, 1, options);
}

const filled = <D extends DType>(op: string, shape: ShapeLike, value: number, options: DTypeOptions<D>): Tensor<D> =>
  fullOf(makeAval(shapeOf(op, shape), dtypeIn(op, options) ?? 'float32'), value) as Tensor<D>;

/**
 * `value` in every place of this shape: a number (`float32`), a boolean (`bool`) or a tensor that broadcasts to it.
 *
 * @throws ShapeError if a tensor does not broadcast to the shape
 * @throws DTypeError for a number that the integer dtype asked for cannot hold
 */
export function full<A extends ArrayLike, D extends DType = DTypeOf<A>>(
  shape: ShapeLike,
  value: A,
  options: DTypeOptions<D> = {},
): Tensor<NoInfer<D>> {
  return stretched('np.full', shapeOf('np.full', shape), value, dtypeIn('np.full', options)) as Tensor<D>;
}

function stretched(op: string, shape: Shape, value: ArrayLike, dtype: DType | undefined): Value {
  if (typeof value === 'number' && dtype) expectHolds(op, value, dtype);
  const wanted = dtype ?? (typeof value === 'number' ? 'float32' : typeof value === 'boolean' ? 'bool' : undefined);
  const element =
    wanted && !(value instanceof Value)
      ? constant(wanted === 'bool' ? Boolean(value) : value, { dtype: wanted, weak: false })
      : toValue(op, value);
  const typed = wanted ? convertElementType(element, wanted) : element;
  return stretchTo(op, typed, shape);
}

/** Zeros in the shape and dtype of `x`, or in another dtype. */
export function zerosLike<A extends ArrayLike, D extends DType = DTypeOf<A>>(
  x: A,
  options: DTypeOptions<D> = {},
): Tensor<NoInfer<D>> {
  return filledLike('np.zerosLike', x, 0, options);
}

/** Ones in the shape and dtype of `x`, or in another dtype. */
export function onesLike<A extends ArrayLike, D extends DType = DTypeOf<A>>(
  x: A,
  options: DTypeOptions<D> = {},
): Tensor<NoInfer<D>> {
  return filledLike('np.onesLike', x, 1, options);
}

function filledLike<D extends DType>(op: string, x: ArrayLike, value: number, options: DTypeOptions<D>): Tensor<D> {
  const { aval } = toValue(op, x);
  // A number is the index that `tensors.map(np.zerosLike)` and `tree.map(np.zerosLike, params)` pass along.
  const dtype = typeof options === 'number' ? undefined : dtypeIn(op, options);
  return fullOf(dtype ? makeAval(aval.shape, dtype) : aval, value) as Tensor<D>;
}

/** `value` everywhere in the shape of `x`, in the dtype of `x` or another. @throws as {@link full} */
export function fullLike<A extends ArrayLike, D extends DType = DTypeOf<A>>(
  x: A,
  value: ArrayLike,
  options: DTypeOptions<D> = {},
): Tensor<NoInfer<D>> {
  const { aval } = toValue('np.fullLike', x);
  const dtype = dtypeIn('np.fullLike', options);
  return stretched('np.fullLike', aval.shape, value, dtype ?? aval.dtype) as Tensor<D>;
}

/** The dtype of a range: `int32` if all literals are integers; not known before it runs otherwise. */
type RangeDType<N extends number> = number extends N
  ? 'int32' | 'float32'
  : `${N}` extends `${bigint}`
    ? 'int32'
    : 'float32';

/**
 * start, start + step, … below `stop`: `int32` if all three are integers, else `float32`, or the dtype asked for.
 *
 * With one number it counts from 0 to that number. Computed as start + i·step in double precision.
 *
 * Whether a number is an integer is a question of its value: of literals the compiler knows it, of `x.shape[0]` not, and the
 * type is then `Tensor<'int32' | 'float32'>`. Ask for the dtype where it matters: `np.arange(n, { dtype: 'int32' })`.
 *
 * @throws ShapeError for a step of 0, or a range that is infinite or too large
 * @throws DTypeError for a number that the integer dtype cannot hold
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.arange(4)); // => int32[4] [0, 1, 2, 3]
 * console.log(np.arange(1, 0, -0.25)); // => float32[4] [1, 0.75, 0.5, 0.25]
 * ```
 */
export function arange<N extends number, D extends DType = RangeDType<N>>(
  stop: N,
  options?: DTypeOptions<D>,
): Tensor<NoInfer<D>>;
export function arange<N extends number, D extends DType = RangeDType<N>>(
  start: N,
  stop: N,
  options?: DTypeOptions<D>,
): Tensor<NoInfer<D>>;
export function arange<N extends number, D extends DType = RangeDType<N>>(
  start: N,
  stop: N,
  step: N,
  options?: DTypeOptions<D>,
): Tensor<NoInfer<D>>;
export function arange(first: number, ...rest: readonly (number | DTypeOptions<DType> | undefined)[]): Value {
  const bounds = [first, ...rest].filter((x) => x !== undefined);
  const hasOptions = bounds.length > 1 && typeof bounds.at(-1) !== 'number';
  const dtype = dtypeIn('np.arange', hasOptions ? (bounds.pop() as DTypeOptions<DType>) : {});
  if (!bounds.every((x) => typeof x === 'number')) {
    throw new DTypeError({
      op: 'np.arange',
      problem: `${bounds
        .filter((x) => typeof x !== 'number')
        .map(describe)
        .join(' and ')} is not a JS number`,
      remedy: 'read the number of a tensor with item()',
    });
  }
  const [start, stop, step] = bounds.length === 1 ? [0, first, 1] : [bounds[0]!, bounds[1]!, bounds[2] ?? 1];
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (!Number.isSafeInteger(count) || step === 0) {
    throw new ShapeError({
      op: 'np.arange',
      problem: `there is no range from ${start} to ${stop} by ${step}`,
      remedy: 'use finite numbers and a step other than 0',
    });
  }
  shapeOf('np.arange', count);
  const integers = Number.isInteger(start) && Number.isInteger(stop) && Number.isInteger(step);
  const target = dtype ?? (integers ? 'int32' : 'float32');
  if (isInteger(target)) return integersFrom(target, start, step, count);
  return fromElements(
    'np.arange',
    Array.from({ length: count }, (_, i) => start + i * step),
    [count],
    target,
  );
}

/** start + i·step by primitives, modulo 2³²: all elements are in range if the first and the last are. */
function integersFrom(dtype: 'int32' | 'uint32', start: number, step: number, count: number): Value {
  for (const x of [start, start + Math.max(count - 1, 0) * step]) expectHolds('np.arange', x, dtype);
  if (!Number.isInteger(step)) expectHolds('np.arange', step, dtype);
  const counter = iota([count], 0, dtype);
  if (start === 0 && step === 1) return counter;
  const all = (x: number): Value => fullOf(counter.aval, dtype === 'int32' ? x | 0 : x >>> 0);
  return add(mul(counter, all(step)), all(start));
}

/** Options of {@link linspace}. */
export interface LinspaceOptions<D extends DType> extends DTypeOptions<D> {
  /** Whether `stop` is the last element (default), or the first that is left out. */
  readonly endpoint?: boolean;
}

/**
 * `count` evenly spaced numbers from `start` to `stop`, both included; `float32` if no dtype is given.
 *
 * @throws ShapeError unless `count` is a non-negative integer
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.linspace(0, 1, 5).toArray()); // => [ 0, 0.25, 0.5, 0.75, 1 ]
 * ```
 */
export function linspace<D extends DType = 'float32'>(
  start: number,
  stop: number,
  count = 50,
  options: LinspaceOptions<D> = {},
): Tensor<NoInfer<D>> {
  const dtype = dtypeIn('np.linspace', options, 'endpoint');
  const endpoint = options.endpoint ?? true;
  const [length] = shapeOf('np.linspace', count);
  const gaps = endpoint ? Math.max(length! - 1, 1) : length!;
  const at = (i: number): number => (endpoint && i > 0 && i === gaps ? stop : start + (i * (stop - start)) / gaps);
  return fromElements(
    'np.linspace',
    Array.from({ length: length! }, (_, i) => at(i)),
    [length!],
    dtype ?? 'float32',
  ) as Tensor<D>;
}

/** Options of {@link eye}. */
export interface EyeOptions<D extends DType> extends DTypeOptions<D> {
  /** Which diagonal: 0 the main one, above it positive, below it negative. */
  readonly k?: number;
}

/**
 * Ones on a diagonal of an `rows` × `columns` matrix (square if `columns` is left out), zeros elsewhere.
 *
 * @throws ShapeError unless both are non-negative integers
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.eye(2).toArray()); // => [ [ 1, 0 ], [ 0, 1 ] ]
 * ```
 */
export function eye<D extends DType = 'float32'>(
  rows: number,
  columns: number = rows,
  options: EyeOptions<D> = {},
): Tensor<NoInfer<D>> {
  const dtype = dtypeIn('np.eye', options, 'k');
  const k = options.k ?? 0;
  const shape = shapeOf('np.eye', [rows, columns]);
  expectHolds('np.eye', k, 'int32', 'the indices of the rows');
  const row = iota(shape, 0, 'int32');
  const onDiagonal = eq(k === 0 ? row : add(row, fullOf(row.aval, k)), iota(shape, 1, 'int32'));
  return convertElementType(onDiagonal, dtype ?? 'float32') as Tensor<D>;
}

/**
 * `x` as another dtype: floats truncate toward zero and saturate as integers (NaN is 0); `bool` is x ≠ 0.
 *
 * @throws DTypeError for what is not a dtype
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.astype(np.array([-1.5, 0, 3e9]), 'int32').toArray()); // => [ -1, 0, 2147483647 ]
 * ```
 */
export function astype<D extends DType>(x: ArrayLike, dtype: D): Tensor<NoInfer<D>> {
  return convertElementType(toValue('np.astype', x), expectDType('np.astype', dtype)) as Tensor<D>;
}
