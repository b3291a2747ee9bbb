/**
 * Tensors from nothing and from host data.
 *
 * Constants are made by primitives (a scalar and a broadcast, `iota`), so that a traced program holds no big constants;
 * host data is copied, so that nothing the caller does to it later is seen.
 */

import { makeAval, showAval } from '../core/aval.ts';
import { allocate, type DType, isInteger, type TypedArray } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import { type NestedArray, tensorFrom, Value } from '../core/value.ts';
import { add, convertElementType, mul } from '../prim/arithmetic.ts';
import { eq } from '../prim/compare.ts';
import { full as fullOf } from '../prim/compose.ts';
import { iota } from '../prim/structural.ts';
import { shapeOf } from './axes.ts';
import { constant, expectHolds, toValue } from './convert.ts';
import { stretchTo } from './shape.ts';
import type { ArrayLike, DTypeOf, DTypeOptions, ShapeLike, Tensor } from './types.ts';

/** Nested arrays of one kind of element. */
export type Nested<T> = T | readonly Nested<T>[];

/** Host arrays of numbers without a dtype of ours: `np.array` takes them together with the dtype to convert to. */
type ForeignArray = Uint8Array | Uint8ClampedArray | Int8Array | Int16Array | Uint16Array;

/** The dtype that each host array keeps. Bytes are not among them: they might be numbers or `bool`. */
function ownDType(host: ArrayBufferView): DType | null {
  if (host instanceof Float32Array) return 'float32';
  if (host instanceof Int32Array) return 'int32';
  if (host instanceof Uint32Array) return 'uint32';
  return host instanceof Float64Array ? 'float64' : null;
}

/**
 * A tensor of host data: nested arrays of numbers (`float32`) or booleans (`bool`), or a typed array, which keeps its dtype.
 * The data is copied. A tensor is returned as it is, or cast.
 *
 * @throws ShapeError for ragged nested arrays, naming the place
 * @throws DTypeError for what is not a number or boolean, for a number that the integer dtype asked for cannot hold, and for
 *   a typed array whose dtype is not one of ours, if none is asked for
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.array([[1, 2], [3, 4]])); // => float32[2,2] [[1, 2], [3, 4]]
 * console.log(np.array(Int32Array.of(1, 2)).dtype); // => int32
 * console.log(np.array([1, 2], { dtype: 'float64' }).dtype); // => float64
 * np.array([[1, 2], [3]]); // throws ShapeError: np.array: ragged: [1] has length 1 where [0] has length 2…
 * ```
 */
export function array<D extends DType>(
  data: Value | NestedArray | TypedArray | ForeignArray,
  options: { readonly dtype: D },
): Tensor<D>;
export function array<D extends DType>(data: Value<D>): Tensor<D>;
export function array(data: Float32Array | Nested<number>): Tensor<'float32'>;
export function array(data: Float64Array): Tensor<'float64'>;
export function array(data: Int32Array): Tensor<'int32'>;
export function array(data: Uint32Array): Tensor<'uint32'>;
export function array(data: Nested<boolean>): Tensor<'bool'>;
export function array(data: NestedArray): Tensor<'float32' | 'bool'>;
export function array(
  data: Value | NestedArray | TypedArray | ForeignArray,
  { dtype }: { readonly dtype?: DType } = {},
): Value {
  if (data instanceof Value) return dtype ? convertElementType(data, dtype) : data;
  if (ArrayBuffer.isView(data)) return fromTyped(data, dtype);
  const shape = nestedShape(data);
  const flat: (number | boolean)[] = [];
  collect(data, shape, 0, '', flat);
  const numbers = flat.length === 0 || flat.some((x) => typeof x === 'number');
  return fromElements('np.array', flat, shape, dtype ?? (numbers ? 'float32' : 'bool'));
}

function fromTyped(data: TypedArray | ForeignArray, dtype: DType | undefined): Value {
  const own = ownDType(data);
  if (own && (dtype ?? own) === own) return tensorFrom(makeAval([data.length], own), data.slice() as TypedArray);
  if (own) return convertElementType(tensorFrom(makeAval([data.length], own), data.slice() as TypedArray), dtype!);
  if (dtype && typeof (data as { readonly [i: number]: unknown })[0] !== 'bigint' && 'length' in data) {
    return fromElements('np.array', data, [data.length], dtype);
  }
  const kind = (data as object).constructor.name;
  throw new DTypeError({
    op: 'np.array',
    problem: `a ${kind} has no dtype of its own here`,
    remedy: kind.startsWith('Big')
      ? 'convert it to an Int32Array or a Float64Array'
      : `say which dtype to convert to: np.array(data, { dtype: 'float32' })`,
  });
}

/** The lengths along the first elements. */
function nestedShape(data: NestedArray): number[] {
  const shape: number[] = [];
  for (let x: NestedArray | undefined = data; Array.isArray(x); x = x[0]) shape.push(x.length);
  return shape;
}

/** Append the elements in row-major order, checking that every part has the shape of the first. */
function collect(data: NestedArray, shape: Shape, depth: number, path: string, into: (number | boolean)[]): void {
  if (depth === shape.length) {
    if (typeof data === 'number' || typeof data === 'boolean') into.push(data);
    else throw notAnElement(data, path, shape);
    return;
  }
  if (!Array.isArray(data) || data.length !== shape[depth]) {
    const first = '[0]'.repeat(depth);
    const found = Array.isArray(data) ? `has length ${data.length}` : `is ${describe(data)}`;
    throw new ShapeError({
      op: 'np.array',
      problem: `ragged: ${path} ${found} where ${first} has length ${shape[depth]}`,
      remedy: 'give all parts the same shape, padding them if need be',
    });
  }
  for (let i = 0; i < data.length; i++) collect(data[i]!, shape, depth + 1, `${path}[${i}]`, into);
}

const describe = (x: unknown): string =>
  x instanceof Value
    ? `the tensor ${showAval(x.aval)}`
    : typeof x === 'object' && x !== null
      ? `an instance of ${x.constructor?.name ?? 'Object'}`
      : typeof x === 'string'
        ? JSON.stringify(x)
        : String(x);

function notAnElement(x: unknown, path: string, shape: Shape): ShapeError | DTypeError {
  const place = path || 'the data';
  if (Array.isArray(x)) {
    return new ShapeError({
      op: 'np.array',
      problem: `ragged: ${place} is an array where ${'[0]'.repeat(shape.length)} is an element`,
      remedy: 'give all parts the same shape, padding them if need be',
    });
  }
  return new DTypeError({
    op: 'np.array',
    problem: `${place} is ${describe(x)}, neither a number nor a boolean`,
    remedy:
      x instanceof Value
        ? 'put tensors together with np.stack or np.concatenate'
        : 'pass numbers, booleans, nested arrays of them, or a typed array',
  });
}

/** A tensor that owns a fresh copy of these elements. */
function fromElements(op: string, elements: ArrayLikeOf<number | boolean>, shape: Shape, dtype: DType): Value {
  const host = allocate(dtype, elements.length);
  for (let i = 0; i < elements.length; i++) {
    const x = elements[i]!;
    if (typeof x === 'number' && isInteger(dtype)) expectHolds(op, x, dtype, dtype);
    host[i] = dtype === 'bool' ? Number(typeof x === 'number' ? x !== 0 : x) : Number(x);
  }
  return tensorFrom(makeAval(shape, dtype), host);
}

interface ArrayLikeOf<T> {
  readonly length: number;
  readonly [index: number]: T;
}

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
export function zeros<D extends DType = 'float32'>(shape: ShapeLike, options: DTypeOptions<D> = {}): Tensor<D> {
  return filled('np.zeros', shape, 0, options);
}

/** Ones of this shape; `float32` if no dtype is given. @throws as {@link zeros} */
export function ones<D extends DType = 'float32'>(shape: ShapeLike, options: DTypeOptions<D> = {}): Tensor<D> {
  return filled('np.ones', shape, 1, options);
}

const filled = <D extends DType>(op: string, shape: ShapeLike, value: number, { dtype }: DTypeOptions<D>): Tensor<D> =>
  fullOf(makeAval(shapeOf(op, shape), dtype ?? 'float32'), value) as Tensor<D>;

/**
 * `value` in every place of this shape: a number (`float32`), a boolean (`bool`) or a tensor that broadcasts to it.
 *
 * @throws ShapeError if a tensor does not broadcast to the shape
 * @throws DTypeError for a number that the integer dtype asked for cannot hold
 */
export function full<A extends ArrayLike, D extends DType = DTypeOf<A>>(
  shape: ShapeLike,
  value: A,
  { dtype }: DTypeOptions<D> = {},
): Tensor<D> {
  return stretched('np.full', shapeOf('np.full', shape), value, dtype) as Tensor<D>;
}

function stretched(op: string, shape: Shape, value: ArrayLike, dtype: DType | undefined): Value {
  if (typeof value === 'number' && dtype) expectHolds(op, value, dtype, dtype);
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
): Tensor<D> {
  return filledLike('np.zerosLike', x, 0, options);
}

/** Ones in the shape and dtype of `x`, or in another dtype. */
export function onesLike<A extends ArrayLike, D extends DType = DTypeOf<A>>(
  x: A,
  options: DTypeOptions<D> = {},
): Tensor<D> {
  return filledLike('np.onesLike', x, 1, options);
}

function filledLike<D extends DType>(op: string, x: ArrayLike, value: number, { dtype }: DTypeOptions<D>): Tensor<D> {
  const { aval } = toValue(op, x);
  return fullOf(dtype ? makeAval(aval.shape, dtype) : aval, value) as Tensor<D>;
}

/** `value` everywhere in the shape of `x`, in the dtype of `x` or another. @throws as {@link full} */
export function fullLike<A extends ArrayLike, D extends DType = DTypeOf<A>>(
  x: A,
  value: ArrayLike,
  { dtype }: DTypeOptions<D> = {},
): Tensor<D> {
  const { aval } = toValue('np.fullLike', x);
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
 * @throws ShapeError for a step of 0 or an infinite range
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
): Tensor<D>;
export function arange<N extends number, D extends DType = RangeDType<N>>(
  start: N,
  stop: N,
  options?: DTypeOptions<D>,
): Tensor<D>;
export function arange<N extends number, D extends DType = RangeDType<N>>(
  start: N,
  stop: N,
  step: N,
  options?: DTypeOptions<D>,
): Tensor<D>;
export function arange(first: number, ...rest: readonly (number | DTypeOptions<DType> | undefined)[]): Value {
  const bounds = [first, ...rest.filter((x) => typeof x === 'number')];
  const { dtype } = rest.find((x) => typeof x === 'object') ?? {};
  const [start, stop, step] = bounds.length === 1 ? [0, first, 1] : [bounds[0]!, bounds[1]!, bounds[2] ?? 1];
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (!Number.isSafeInteger(count) || step === 0) {
    throw new ShapeError({
      op: 'np.arange',
      problem: `there is no range from ${start} to ${stop} by ${step}`,
      remedy: 'use finite numbers and a step other than 0',
    });
  }
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
  for (const x of [start, start + Math.max(count - 1, 0) * step]) expectHolds('np.arange', x, dtype, dtype);
  if (!Number.isInteger(step)) expectHolds('np.arange', step, dtype, dtype);
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
  { endpoint = true, dtype }: LinspaceOptions<D> = {},
): Tensor<D> {
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
  { k = 0, dtype }: EyeOptions<D> = {},
): Tensor<D> {
  const shape = shapeOf('np.eye', [rows, columns]);
  expectHolds('np.eye', k, 'int32', 'the indices of the rows');
  const row = iota(shape, 0, 'int32');
  const onDiagonal = eq(k === 0 ? row : add(row, fullOf(row.aval, k)), iota(shape, 1, 'int32'));
  return convertElementType(onDiagonal, dtype ?? 'float32') as Tensor<D>;
}

/**
 * `x` as another dtype: floats truncate toward zero and saturate as integers (NaN is 0); `bool` is x ≠ 0.
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.astype(np.array([-1.5, 0, 3e9]), 'int32').toArray()); // => [ -1, 0, 2147483647 ]
 * ```
 */
export function astype<D extends DType>(x: ArrayLike, dtype: D): Tensor<D> {
  return convertElementType(toValue('np.astype', x), dtype) as Tensor<D>;
}
