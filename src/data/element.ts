/**
 * What a set of data is made of: trees with arrays at their leaves, side by side as tensors in a batch.
 *
 * An element is read, drawn or decoded on the host, one by one, and most of them never reach a device by themselves. So its
 * leaves are host arrays, plain data that also passes to workers, and become tensors when a batch of them is stacked.
 */

import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { allocate, type DType, type StorageOf, type TypedArray } from '../core/dtype.ts';
import { DTypeError, ShapeError, TreeError } from '../core/errors.ts';
import { type Shape, sizeOf } from '../core/shape.ts';
import { Tensor, tensorFrom, Value } from '../core/value.ts';
import { shapeOf } from '../ops/axes.ts';
import { stack as stackTensors } from '../ops/join.ts';
import type { ShapeLike } from '../ops/types.ts';
import { describe, dtypeIn } from '../ops/untyped.ts';
import { join } from '../tree/def.ts';

/** Elements on the host, with their shape and dtype: plain data, which workers can send. */
export interface HostArray<D extends DType = DType> {
  readonly _tag: 'HostArray';
  readonly dtype: D;
  readonly shape: Shape;
  /** Row-major. */
  readonly data: StorageOf[D];
}

/** Arrays of numbers that have no dtype here; they are converted. */
type ForeignArray = Uint8Array | Uint8ClampedArray | Int8Array | Int16Array | Uint16Array;

const ownDType = (data: unknown): DType | null => {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Uint32Array) return 'uint32';
  return data instanceof Float64Array ? 'float64' : null;
};

/**
 * A host array of this shape. It keeps the dtype of `data` and, unless it must be converted, `data` itself: do not write to it
 * afterwards.
 *
 * @param shape - default: one axis
 * @throws ShapeError if the shape has another number of elements
 * @throws DTypeError for bytes and 16-bit integers without the dtype that they are to be converted to
 *
 * @example
 * ```ts
 * import { hostArray } from 'pullback/data';
 * const pixels = hostArray(Uint8Array.of(0, 255, 128, 0), [2, 2], { dtype: 'float32' });
 * console.log(pixels.data); // => Float32Array(4) [0, 255, 128, 0]
 * ```
 */
export function hostArray<D extends DType>(
  data: TypedArray | ForeignArray,
  shape: ShapeLike | undefined,
  options: { readonly dtype: D },
): HostArray<D>;
export function hostArray(data: Float32Array, shape?: ShapeLike): HostArray<'float32'>;
export function hostArray(data: Float64Array, shape?: ShapeLike): HostArray<'float64'>;
export function hostArray(data: Int32Array, shape?: ShapeLike): HostArray<'int32'>;
export function hostArray(data: Uint32Array, shape?: ShapeLike): HostArray<'uint32'>;
export function hostArray(
  data: TypedArray | ForeignArray,
  shape?: ShapeLike,
  options: { readonly dtype?: DType } = {},
): HostArray {
  const op = 'data.hostArray';
  const own = ownDType(data);
  const dtype = dtypeIn(op, options) ?? own;
  if (dtype === null) {
    throw new DTypeError({
      op,
      problem: `${describe(data)} has no dtype of its own here`,
      remedy: "say which dtype to convert to: hostArray(data, shape, { dtype: 'float32' })",
    });
  }
  const lengths = shape === undefined ? [data.length] : shapeOf(op, shape);
  if (sizeOf(lengths) !== data.length) {
    throw new ShapeError({
      op,
      problem: `${dtype}[${lengths.join(',')}] has ${sizeOf(lengths)} elements, the data are ${data.length}`,
      remedy: 'give the shape of the data',
    });
  }
  if (dtype === own) return madeOf(dtype, lengths, data as TypedArray);
  const converted = allocate(dtype, data.length);
  if (dtype === 'bool') for (let i = 0; i < data.length; i++) converted[i] = data[i] === 0 ? 0 : 1;
  else converted.set(data);
  return madeOf(dtype, lengths, converted);
}

/** {@link hostArray} of what is known to fit. */
export const madeOf = <D extends DType>(dtype: D, shape: Shape, data: TypedArray): HostArray<D> => ({
  _tag: 'HostArray',
  dtype,
  shape,
  data: data as StorageOf[D],
});

/** An integer as a scalar: a class, an index. A plain number would become `float32` in a batch. */
export const integer = (value: number): HostArray<'int32'> => madeOf('int32', [], Int32Array.of(value));

/** Is this a host array? */
export const isHostArray = (x: unknown): x is HostArray =>
  typeof x === 'object' && x !== null && (x as { readonly _tag?: unknown })._tag === 'HostArray';

/** The tensor of a host array; its elements are copied. */
export const toTensor = <D extends DType>(x: HostArray<D>): Value<D> =>
  tensorFrom(makeAval(x.shape, x.dtype), (x.data as TypedArray).slice());

/** What a batch of `A` is: the same tree, with tensors at the leaves. */
export type Batch<A> =
  A extends HostArray<infer D>
    ? Value<D>
    : A extends Value
      ? A
      : A extends Float32Array
        ? Value<'float32'>
        : A extends Float64Array
          ? Value<'float64'>
          : A extends Int32Array
            ? Value<'int32'>
            : A extends Uint32Array
              ? Value<'uint32'>
              : A extends number
                ? Value<'float32'>
                : A extends boolean
                  ? Value<'bool'>
                  : A extends object
                    ? { readonly [K in keyof A]: Batch<A[K]> }
                    : never;

/** A leaf of an element as a host array; `null` for what is none. */
function hostOf(x: unknown): HostArray | null {
  if (isHostArray(x)) return x;
  if (typeof x === 'number') return madeOf('float32', [], Float32Array.of(x));
  if (typeof x === 'boolean') return madeOf('bool', [], Uint8Array.of(Number(x)));
  const own = ownDType(x);
  return own === null ? null : madeOf(own, [(x as TypedArray).length], x as TypedArray);
}

type Path = () => string;

const named = (path: Path): string => path() || 'the element';

/**
 * Elements of one structure side by side: the same tree, each leaf with a new first axis.
 *
 * Leaves are host arrays, typed arrays (one axis, their own dtype), tensors, numbers (`float32`; {@link integer} makes
 * `int32`) and booleans; nodes are plain objects and arrays. Law: row i of the result is element i.
 *
 * @throws ShapeError or DTypeError naming the leaf whose shape or dtype is not the same in all elements
 * @throws TreeError for elements of different structure, and for leaves that no tensor can hold, such as text
 */
export function stack<A>(elements: readonly A[], op = 'data.stack'): Batch<A> {
  if (elements.length === 0) {
    throw new ShapeError({ op, problem: 'there are no elements to stack', remedy: 'stack at least one' });
  }
  return stackAt(op, elements, () => '') as Batch<A>;
}

function stackAt(op: string, xs: readonly unknown[], path: Path): unknown {
  const first = xs[0];
  if (xs.some((x) => x instanceof Value)) return stackValues(op, xs, path);
  if (hostOf(first) !== null) return stackHosts(op, xs, path);
  if (Array.isArray(first)) {
    for (const [i, x] of xs.entries()) {
      if (Array.isArray(x) && x.length === first.length) continue;
      const got = Array.isArray(x) ? `has length ${x.length}` : `is ${describe(x)}`;
      throw new TreeError({
        op,
        problem: `${named(path)} ${got} in element ${i} and length ${first.length} in element 0`,
        remedy: 'give sequences as typed arrays, padded to one length; an array is a tuple of leaves',
      });
    }
    const column = (i: number): readonly unknown[] => xs.map((x) => (x as readonly unknown[])[i]);
    return first.map((_, i) => stackAt(op, column(i), () => `${path()}[${i}]`));
  }
  if (isPlain(first)) {
    const keys = Object.keys(first).sort();
    for (const [i, x] of xs.entries()) {
      if (isPlain(x) && Object.keys(x).sort().join('\0') === keys.join('\0')) continue;
      throw new TreeError({
        op,
        problem: `${named(path)} is ${describe(x)} in element ${i} and ${describe(first)} in element 0`,
        remedy: 'give all elements the same keys',
      });
    }
    const column = (key: string): readonly unknown[] => xs.map((x) => (x as Readonly<Record<string, unknown>>)[key]);
    return Object.fromEntries(keys.map((key) => [key, stackAt(op, column(key), () => join(path(), key))]));
  }
  throw new TreeError({
    op,
    problem: `${named(path)} is ${describe(first)}, which no tensor can hold`,
    remedy: 'leave it out, or turn it into numbers, before elements are stacked: dataset.map',
  });
}

const isPlain = (x: unknown): x is object => {
  if (typeof x !== 'object' || x === null) return false;
  const prototype: unknown = Object.getPrototypeOf(x);
  return prototype === Object.prototype || prototype === null;
};

/** @throws ShapeError or DTypeError unless all avals are the first */
function expectAlike(op: string, avals: readonly Aval[], path: Path): void {
  const first = avals[0]!;
  avals.forEach((aval, i) => {
    const shapes = aval.shape.length !== first.shape.length || aval.shape.some((n, axis) => n !== first.shape[axis]);
    if (!shapes && aval.dtype === first.dtype) return;
    throw new (shapes ? ShapeError : DTypeError)({
      op,
      problem: `${named(path)} is ${showAval(aval)} in element ${i} and ${showAval(first)} in element 0`,
      remedy: shapes ? 'pad, crop or resize elements to one shape before they are stacked' : 'give it one dtype',
    });
  });
}

function stackHosts(op: string, xs: readonly unknown[], path: Path): Value {
  const hosts = xs.map((x, i) => {
    const host = hostOf(x);
    if (host !== null) return host;
    throw new TreeError({
      op,
      problem: `${named(path)} is ${describe(x)} in element ${i} and an array or a number in element 0`,
      remedy: 'give all elements one structure',
    });
  });
  const { shape, dtype } = hosts[0]!;
  expectAlike(
    op,
    hosts.map((host) => makeAval(host.shape, host.dtype)),
    path,
  );
  const size = sizeOf(shape);
  const data = allocate(dtype, size * hosts.length);
  for (const [i, host] of hosts.entries()) data.set(host.data, i * size);
  return tensorFrom(makeAval([hosts.length, ...shape], dtype), data);
}

function stackValues(op: string, xs: readonly unknown[], path: Path): Value {
  const values = xs.map((x, i) => {
    if (x instanceof Value) return x;
    const host = hostOf(x);
    if (host !== null) return toTensor(host);
    throw new TreeError({
      op,
      problem: `${named(path)} is ${describe(x)} in element ${i} and a tensor in another`,
      remedy: 'give all elements one structure',
    });
  });
  expectAlike(
    op,
    values.map(({ aval }) => aval),
    path,
  );
  return stackTensors(values) as Value;
}

/** What rows of a batch are: the same tree, with host arrays at the leaves. */
export type Row<A> =
  A extends HostArray<infer D>
    ? HostArray<D>
    : A extends Value<infer D>
      ? HostArray<D>
      : A extends object
        ? { readonly [K in keyof A]: Row<A[K]> }
        : A;

/** Rows of a tree of tensors: their number, and each as a tree of host arrays. */
export interface Rows<A> {
  readonly length: number;
  readonly at: (index: number) => Row<A>;
}

/**
 * A tree of tensors (or host arrays) by rows of the first axis. Tensors are read once, here.
 *
 * @throws ShapeError if a leaf is a scalar, or has another number of rows than the first
 * @throws TreeError for a tree without leaves, or with leaves of another kind
 */
export function rowsOf<A>(tree: A, op: string): Rows<A> {
  let length: number | null = null;
  let firstPath = '';
  const visit = (x: unknown, path: Path): ((index: number) => unknown) => {
    const host = x instanceof Tensor ? madeOf(x.dtype, x.shape, x.dataSync() as TypedArray) : isHostArray(x) ? x : null;
    if (host !== null) {
      const [rows, ...shape] = host.shape;
      const told = `${named(path)} is ${showAval(makeAval(host.shape, host.dtype))}`;
      if (rows === undefined) {
        throw new ShapeError({ op, problem: `${told}: it has no rows`, remedy: 'give every leaf a first axis' });
      }
      if (length !== null && rows !== length) {
        throw new ShapeError({
          op,
          problem: `${told}, while ${firstPath} has ${length} rows`,
          remedy: 'give all leaves as many rows',
        });
      }
      if (length === null) [length, firstPath] = [rows, named(path)];
      const size = sizeOf(shape);
      const data = host.data as TypedArray;
      return (i) => madeOf(host.dtype, shape, data.slice(i * size, (i + 1) * size));
    }
    if (Array.isArray(x)) {
      const children = x.map((child, i) => visit(child, () => `${path()}[${i}]`));
      return (i) => children.map((child) => child(i));
    }
    if (isPlain(x)) {
      const children = Object.entries(x).map(([key, child]) => [key, visit(child, () => join(path(), key))] as const);
      return (i) => Object.fromEntries(children.map(([key, child]) => [key, child(i)]));
    }
    throw new TreeError({
      op,
      problem: `${named(path)} is ${describe(x)}, which has no rows`,
      remedy: 'give a tree of tensors or host arrays',
    });
  };
  const at = visit(tree, () => '') as (index: number) => Row<A>;
  if (length === null) {
    throw new TreeError({ op, problem: 'the tree has no tensors', remedy: 'give a tree with at least one' });
  }
  return { length, at };
}
