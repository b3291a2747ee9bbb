/**
 * Values: what flows through a user's function.
 *
 * A `Value` is a {@link Tensor}, which has elements, or a {@link Tracer}, which stands for one while a transform looks at the
 * function. Both have an aval; only a tensor can be read. Coercion to a JS number is refused by every tracer, so that
 * `x + 1` and `x > 0` are errors with the user's line and never silent garbage.
 */

import { type Aval, showAval } from './aval.ts';
import { type Device, defaultDevice, type Storage } from './backend.ts';
import { allocate, type DType, type StorageOf, type TypedArray } from './dtype.ts';
import { ConcretizationError, DonatedTensorError, EscapedTracerError, ShapeError } from './errors.ts';
import { formatElements, rowsOf } from './format.ts';
import { type Shape, sizeOf } from './shape.ts';
import type { Trace } from './trace.ts';

/** Nested arrays of elements, as `x.toArray()` returns and `np.array` takes. */
export type NestedArray = number | boolean | readonly NestedArray[];

/** A tensor, or a tracer that stands for one. */
export abstract class Value<D extends DType = DType> {
  /** Shape, dtype and weakness: all that is known without the elements. */
  abstract readonly aval: Aval<D>;

  /** The lengths of the axes. */
  get shape(): Shape {
    return this.aval.shape;
  }

  /** The element type. */
  get dtype(): D {
    return this.aval.dtype;
  }

  /** The number of axes. */
  get ndim(): number {
    return this.aval.shape.length;
  }

  /** The number of elements. */
  get size(): number {
    return this.aval.size;
  }

  /**
   * The only element of a one-element tensor, as a JS number or boolean.
   *
   * Works on concrete tensors and, with the meaning of `stopGradient`, on tracers of `jvp`/`grad` whose primal is concrete.
   * @throws ConcretizationError while staging (`jit`, `makeJaxpr`) and under `vmap`
   */
  abstract item(): D extends 'bool' ? boolean : number;

  /** A fresh copy of the elements, row-major. @throws ConcretizationError on a tracer */
  abstract data(): Promise<StorageOf[D]>;

  /** As {@link data}, now, where the device can read synchronously. @throws ConcretizationError on a tracer */
  abstract dataSync(): StorageOf[D];

  /** The elements as nested arrays. @throws ConcretizationError on a tracer, ShapeError for more empty rows than memory holds */
  abstract toArray(): NestedArray;

  /** A concrete scalar coerces to its number; everything else throws. */
  abstract [Symbol.toPrimitive](hint: string): number | boolean | string;

  /** What `JSON.stringify` sees: nested arrays. @throws ConcretizationError on a tracer */
  abstract toJSON(): NestedArray;

  /** As {@link Symbol.toPrimitive}. */
  valueOf(): number | boolean | string {
    return this[Symbol.toPrimitive]('default');
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/**
 * A concrete, immutable tensor: an aval, a device and the device's storage of the elements.
 *
 * What a program makes of nothing but numbers (a constant in a rule, `np.zeros`) is not *committed* to its device: beside a
 * committed tensor it moves to that one's. A scalar made of a JS number has the number as its `literal`, and reaches a device
 * only when it is used there.
 */
export class Tensor<D extends DType = DType> extends Value<D> {
  readonly aval: Aval<D>;
  readonly device: Device;
  /** False for what may be moved to the device of the operands beside it. */
  readonly committed: boolean;
  /** The element, as the dtype holds it, if this is a scalar made of a JS number; else `null`. */
  readonly literal: number | null;
  #storage: Storage | null;

  constructor(aval: Aval<D>, storage: Storage | null, device: Device, committed = true, literal: number | null = null) {
    super();
    this.aval = aval;
    this.#storage = storage;
    this.device = device;
    this.committed = committed;
    this.literal = literal;
  }

  /** The device's storage. @throws DonatedTensorError after {@link donate} */
  get storage(): Storage {
    if (this.#storage) return this.#storage;
    if (this.literal !== null) {
      this.#storage = this.storageOn(this.device);
      return this.#storage;
    }
    throw new DonatedTensorError({
      op: 'Tensor',
      problem: `${showAval(this.aval)} was donated to a program, which may have overwritten it`,
      remedy: 'use the result of that program instead, or do not list the argument in donateArgnums',
    });
  }

  /** The elements in a storage of `device`: this tensor's own, or a copy. */
  storageOn(device: Device): Storage {
    if (this.literal !== null && (device !== this.device || !this.#storage)) {
      return device.put(this.aval, allocate(this.dtype, 1).fill(this.literal));
    }
    return device === this.device ? this.storage : device.put(this.aval, this.device.readSync(this.aval, this.storage));
  }

  /** Whether `storage` is this tensor's, and goes with {@link donate}. */
  owns(storage: Storage): boolean {
    return this.literal === null && storage === this.#storage;
  }

  /** Give the storage up to a program; the tensor cannot be used afterwards. */
  donate(): void {
    if (this.literal !== null || !this.#storage) return;
    this.device.free?.(this.#storage);
    this.#storage = null;
  }

  override item(): D extends 'bool' ? boolean : number {
    if (this.size !== 1) {
      throw new ShapeError({
        op: 'item',
        problem: `${showAval(this.aval)} has ${this.size} elements, not one`,
        remedy: 'use toArray() or dataSync(), or reduce first',
      });
    }
    const element = this.literal ?? this.device.readSync(this.aval, this.storage)[0]!;
    return (this.dtype === 'bool' ? element !== 0 : element) as D extends 'bool' ? boolean : number;
  }

  override data(): Promise<StorageOf[D]> {
    return this.device.read(this.aval, this.storage) as Promise<StorageOf[D]>;
  }

  override dataSync(): StorageOf[D] {
    return this.device.readSync(this.aval, this.storage) as StorageOf[D];
  }

  override toArray(): NestedArray {
    const rows = rowsOf(this.shape);
    if (this.size === 0 && rows > maxEmptyRows) {
      throw new ShapeError({
        op: 'toArray',
        problem: `${showAval(this.aval)} has no elements, but ${rows} rows, more than ${maxEmptyRows}`,
        remedy: 'use x.shape and dataSync()',
      });
    }
    return nest(this.dataSync(), this.shape, this.dtype === 'bool');
  }

  override toJSON(): NestedArray {
    return this.toArray();
  }

  override [Symbol.toPrimitive](hint: string): number | boolean | string {
    if (hint === 'string') return this.toString();
    if (this.ndim === 0) return this.item();
    throw new ShapeError({
      op: 'Tensor',
      problem: `${showAval(this.aval)} cannot be used as a number: only a scalar can`,
      remedy: 'use np.add, np.greater, … for elementwise arithmetic and comparisons',
    });
  }

  override toString(): string {
    return `${showAval(this.aval)} ${formatElements(this.dataSync(), this.shape, this.dtype)}`;
  }
}

/** Elements take memory on the device long before as many arrays do; empty rows take none there. */
const maxEmptyRows = 2 ** 26;

function nest(data: TypedArray, shape: Shape, bool: boolean): NestedArray {
  const build = (axis: number, offset: number): NestedArray => {
    if (axis === shape.length) return bool ? data[offset] !== 0 : data[offset]!;
    const step = sizeOf(shape.slice(axis + 1));
    return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, offset + i * step));
  };
  return build(0, 0);
}

/** What a transform passes through the user's function in place of a tensor. */
export abstract class Tracer<D extends DType = DType> extends Value<D> {
  abstract readonly trace: Trace;

  /** What the tracer stands for, in the words of an error: `a value that jit is staging`. */
  abstract describe(): string;

  override item(): D extends 'bool' ? boolean : number {
    throw this.refusal('item()');
  }

  override data(): Promise<StorageOf[D]> {
    throw this.refusal('data()');
  }

  override dataSync(): StorageOf[D] {
    throw this.refusal('dataSync()');
  }

  override toArray(): NestedArray {
    throw this.refusal('toArray()');
  }

  override toJSON(): NestedArray {
    throw this.refusal('toJSON()');
  }

  override [Symbol.toPrimitive](_hint: string): number | boolean | string {
    throw this.refusal('a JS operator, comparison or template');
  }

  override toString(): string {
    return `Tracer<${showAval(this.aval)}>`;
  }

  /** The error for reading this tracer by `how`. */
  protected refusal(how: string): ConcretizationError | EscapedTracerError {
    if (!this.trace.live) return escaped(how, this);
    return new ConcretizationError({
      op: how,
      problem: `the value of a tracer was asked for: ${showAval(this.aval)} is ${this.describe()}`,
      remedy:
        'use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, ' +
        'or pass what decides the program as a static (non-tensor) argument',
    });
  }
}

/** The error for a tracer that outlived its transform. */
export const escaped = (op: string, tracer: Tracer): EscapedTracerError =>
  new EscapedTracerError({
    op,
    problem: `a tracer of ${showAval(tracer.aval)} was used after the transform that made it had ended`,
    remedy: 'return the value from the transformed function instead of storing it in a variable outside',
  });

/** The scalar `value` as `aval` holds it, which is at home on every device. */
export function scalarTensor<D extends DType>(aval: Aval<D>, value: number): Tensor<D> {
  const host = allocate(aval.dtype, 1);
  host[0] = value;
  return new Tensor(aval, null, defaultDevice(), false, host[0]!);
}

/** A tensor on `device` that owns `host`: the caller must not touch the array afterwards. */
export const tensorFrom = <D extends DType>(
  aval: Aval<D>,
  host: TypedArray,
  device: Device = defaultDevice(),
): Tensor<D> => new Tensor(aval, device.put(aval, host), device);
