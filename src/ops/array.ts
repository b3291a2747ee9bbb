/**
 * Tensors from host data: nested arrays and typed arrays.
 *
 * Data is copied, so that nothing the caller does to it later is seen.
 */

import { makeAval } from '../core/aval.ts';
import { allocate, type DType, isInteger, type TypedArray } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import { type NestedArray, scalarTensor, tensorFrom, Value } from '../core/value.ts';
import { convertElementType } from '../prim/arithmetic.ts';
import { expectHolds } from './convert.ts';
import type { Tensor } from './types.ts';
import { describe, dtypeIn } from './untyped.ts';

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
  options: { readonly dtype?: DType } = {},
): Value {
  const dtype = dtypeIn('np.array', options);
  if (data instanceof Value) return dtype ? convertElementType(data, dtype) : data;
  if (ArrayBuffer.isView(data)) return fromTyped(data, dtype);
  const shape = nestedShape(data);
  const flat: (number | boolean)[] = [];
  collect(data, shape, [], flat);
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

/** Arrays nested deeper than this are taken for a cycle. */
const maxDepth = 64;

/** The lengths along the first elements. @throws ShapeError for a cycle */
function nestedShape(data: NestedArray): number[] {
  const shape: number[] = [];
  for (let x: NestedArray | undefined = data; Array.isArray(x); x = x[0]) {
    if (shape.length === maxDepth) {
      throw new ShapeError({
        op: 'np.array',
        problem: `the data nest deeper than ${maxDepth} levels: do they contain themselves?`,
        remedy: `give arrays of at most ${maxDepth} axes`,
      });
    }
    shape.push(x.length);
  }
  return shape;
}

/** `[0][2]` for the place (0, 2). */
const showPlace = (place: readonly number[]): string => place.map((i) => `[${i}]`).join('');

/**
 * Append the elements in row-major order, checking that every part has the shape of the first.
 *
 * @param place - the indices of `data`; one array for all, written in turn
 */
function collect(data: NestedArray, shape: Shape, place: number[], into: (number | boolean)[]): void {
  const depth = place.length;
  if (depth === shape.length) {
    if (typeof data === 'number' || typeof data === 'boolean') into.push(data);
    else throw notAnElement(data, showPlace(place), shape);
    return;
  }
  if (!Array.isArray(data) || data.length !== shape[depth]) {
    const first = '[0]'.repeat(depth);
    const found = Array.isArray(data) ? `has length ${data.length}` : `is ${describe(data)}`;
    throw new ShapeError({
      op: 'np.array',
      problem: `ragged: ${showPlace(place)} ${found} where ${first} has length ${shape[depth]}`,
      remedy: 'give all parts the same shape, padding them if need be',
    });
  }
  for (let i = 0; i < data.length; i++) {
    place.push(i);
    collect(data[i]!, shape, place, into);
    place.pop();
  }
}

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
export function fromElements(op: string, elements: ArrayLikeOf<number | boolean>, shape: Shape, dtype: DType): Value {
  const host = allocate(dtype, elements.length);
  for (let i = 0; i < elements.length; i++) {
    const x = elements[i]!;
    if (typeof x === 'number' && isInteger(dtype)) expectHolds(op, x, dtype);
    host[i] = dtype === 'bool' ? Number(typeof x === 'number' ? x !== 0 : x) : Number(x);
  }
  const aval = makeAval(shape, dtype);
  return shape.length === 0 ? scalarTensor(aval, host[0]!) : tensorFrom(aval, host);
}

interface ArrayLikeOf<T> {
  readonly length: number;
  readonly [index: number]: T;
}
