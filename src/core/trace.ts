/**
 * Who interprets an operation: the current trace.
 *
 * There is no stack of levels. A transform runs the user's function with its own trace as the current one; the trace
 * handles the operations that touch its tracers and passes the others to its parent, with the parent as current. `bind`
 * hands an operation to the current trace; that is the only dispatch.
 */

import { AsyncTraceError, CheckError } from './errors.ts';
import type { Primitive } from './primitive.ts';
import type { Value } from './value.ts';

/** An interpreter of operations. */
export interface Trace {
  /** False once the transform that made the trace has ended: its tracers are dead. */
  readonly live: boolean;
  process(primitive: Primitive, operands: readonly Value[], params: unknown): readonly Value[];
}

const instance = Symbol.for('pullback.instance');
const registry = globalThis as { [instance]?: true };
if (registry[instance]) {
  throw new CheckError({
    op: 'pullback',
    problem: 'two copies of the library are loaded, and each would trace without the other',
    remedy: 'deduplicate it (npm dedupe; in a bundler, resolve.dedupe)',
  });
}
registry[instance] = true;

let current: Trace | null = null;

/** The trace that operations go to now. */
export function currentTrace(): Trace {
  if (!current) throw new CheckError({ op: 'currentTrace', problem: 'the eager trace is not installed' });
  return current;
}

/** Install the trace at the bottom, which computes. Called once, by `eager.ts`. */
export function installBase(trace: Trace): void {
  current = trace;
}

/** Run `f` with `trace` as the current one. @throws AsyncTraceError if `f` returns a promise */
export function withTrace<A>(trace: Trace, f: () => A): A {
  const previous = current;
  current = trace;
  try {
    const result = f();
    if (result instanceof Promise) throw asyncTrace('trace', 'output', result);
    return result;
  } finally {
    current = previous;
  }
}

/** The error for a promise at `path` among what a transform takes or returns; it is left to settle unobserved. */
export function asyncTrace(op: string, path: string, promise: Promise<unknown>): AsyncTraceError {
  promise.catch(() => undefined);
  return new AsyncTraceError({
    op,
    problem: `${path} is a Promise: what is computed after an await would escape the trace`,
    remedy: 'make the function synchronous; await data before calling it and pass it as an argument',
  });
}

/** Apply a primitive: the current trace decides what that means. */
export function bind<P>(primitive: Primitive<string, P>, operands: readonly Value[], params: P): readonly Value[] {
  return current!.process(primitive as Primitive, operands, params);
}

/** {@link bind} of a primitive with one output. */
export function bind1<P>(primitive: Primitive<string, P>, operands: readonly Value[], params: P): Value {
  return bind(primitive, operands, params)[0]!;
}
