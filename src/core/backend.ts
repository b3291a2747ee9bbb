/**
 * What the core asks of a device: put host data, run a program, read the result.
 *
 * There is one path to a machine: a jaxpr is compiled to an {@link Executable}, and an eager operation is a jaxpr of one
 * equation. The core never looks into a {@link Storage}.
 */

import type { Aval } from './aval.ts';
import type { DType, TypedArray } from './dtype.ts';
import { AsyncTraceError, CompileError } from './errors.ts';
import type { Inspection } from './inspection.ts';
import type { Jaxpr } from './jaxpr.ts';

/** A device's representation of the elements of one tensor. Immutable once it belongs to a tensor. */
export interface Storage {
  /** Bytes held, for accounting. */
  readonly byteLength: number;
}

/** A compiled jaxpr without constants. */
export interface Executable {
  /**
   * One storage for each input of the jaxpr, in order; returns one for each output.
   *
   * @param donated - the inputs that nobody will use again: their memory may become that of outputs. If the run fails once it has begun
   *   to compute, they are gone too
   */
  run(ins: readonly Storage[], donated?: readonly boolean[]): readonly Storage[];
}

/** A machine that runs jaxprs. */
export interface Device {
  /** What the user calls it, and what distinguishes its programs in caches: `reference`, `reference:float64`. */
  readonly name: string;
  /** The dtypes that it has, if not all. */
  readonly dtypes?: readonly DType[];
  /** Whether float32 numbers below 2⁻¹²⁶ may count as 0, as GPUs have it. */
  readonly flushesSubnormals?: boolean;
  /** Takes ownership of `host`, which has `aval.size` elements of the storage type of `aval.dtype`. */
  put(aval: Aval, host: TypedArray): Storage;
  /** A fresh host copy. */
  read(aval: Aval, storage: Storage): Promise<TypedArray>;
  /** A fresh host copy, now; a device that cannot says so in its error. */
  readSync(aval: Aval, storage: Storage): TypedArray;
  /** Nobody will use the storage again: its tensor was donated. Its memory may be given to others at once. */
  free?(storage: Storage): void;
  /** Compile a jaxpr whose constants were made inputs. */
  compile(jaxpr: Jaxpr): Executable;
  /** What {@link compile} makes of a jaxpr, for people and tools; without it there is only the jaxpr to show. */
  inspect?(jaxpr: Jaxpr): Inspection;
}

/** What a program has chosen; `null` stands for the registered device. */
let chosen: Device | null = null;
let make: (() => Device) | null = null;
let registered: Device | null = null;

/** The device that new tensors are put on. @throws CompileError when no entry point has registered one */
export function defaultDevice(): Device {
  const found = chosen ?? registered;
  if (found) return found;
  if (!make) {
    throw new CompileError({
      op: 'defaultDevice',
      problem: 'no device is registered',
      remedy: "import from 'pullback' or one of its entry points, which register one, or call setDefaultDevice",
    });
  }
  registered = make();
  return registered;
}

/**
 * Register the default device for programs that choose none: what entry points do when they are loaded. It is made when it is first asked
 * for, and of several registrations the first one counts.
 */
export function registerDefaultDevice(device: () => Device): void {
  make ??= device;
}

/**
 * Make `device` the one that new tensors are put on; returns what was chosen before. `null` stands for the device that the entry point
 * registers.
 */
export function setDefaultDevice(device: Device | null): Device | null {
  const before = chosen;
  chosen = device;
  return before;
}

/**
 * Run `f` with another default device.
 *
 * @throws AsyncTraceError if `f` returns a promise: after an await the device would be another one
 */
export function withDefaultDevice<A>(device: Device, f: () => A): A {
  const before = chosen;
  chosen = device;
  try {
    const result = f();
    if (!(result instanceof Promise)) return result;
    result.catch(() => undefined);
    throw new AsyncTraceError({
      op: 'withDefaultDevice',
      problem: 'f returned a Promise: what is computed after an await would be on another device',
      remedy: 'await first and compute in a synchronous f, or call setDefaultDevice before and after',
    });
  } finally {
    chosen = before;
  }
}
