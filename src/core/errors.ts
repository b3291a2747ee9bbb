/**
 * What is thrown: a bug in the program, as one closed union told apart by `_tag`.
 *
 * Every message names the operation, the operands, the rule that was violated, the user's line and the remedy. What goes
 * wrong in the world (a missing device, a broken file) is never thrown: it is a value of `src/io` or of a device's
 * acquisition.
 */

import { currentSource, type Source } from './source.ts';

/** The tags of everything that this library throws. */
export type ErrorTag =
  | 'ShapeError'
  | 'DTypeError'
  | 'TreeError'
  | 'EscapedTracerError'
  | 'ConcretizationError'
  | 'AsyncTraceError'
  | 'NotDifferentiableError'
  | 'NotSerializableError'
  | 'NonScalarLossError'
  | 'NonFiniteError'
  | 'CheckError'
  | 'DonatedTensorError'
  | 'CompileError'
  | 'DeviceMemoryError'
  | 'DeviceLostError'
  | 'WorkerError';

/** What an error says besides its tag. */
export interface ErrorParts {
  /** The operation, as the user called it: `np.add`, `grad`, `dot_general`. */
  readonly op: string;
  /** The rule that was violated, with the operands: `shapes float32[3] and float32[4] do not broadcast`. */
  readonly problem: string;
  /** What to do about it. */
  readonly remedy?: string;
  /** Where it was written, if not where it is thrown. */
  readonly source?: Source;
}

/** Errors are rare, and thrown from deeper than operations are staged. */
const errorFrames = 40;

/** Base of all thrown errors. `message` is complete; the parts are there for programs. */
export abstract class PullbackError extends Error {
  abstract readonly _tag: ErrorTag;
  readonly op: string;
  readonly problem: string;
  readonly remedy: string | undefined;
  /** The user's line, `file:line:column`, or `null` where none is known. */
  readonly location: string | null;

  constructor(parts: ErrorParts) {
    const location = (parts.source ?? currentSource(undefined, errorFrames)).location;
    super(compose(parts, location));
    this.op = parts.op;
    this.problem = parts.problem;
    this.remedy = parts.remedy;
    this.location = location;
  }

  override get name(): string {
    return this._tag;
  }
}

const compose = ({ op, problem, remedy }: ErrorParts, location: string | null): string =>
  `${op}: ${problem}${remedy ? `\n  remedy: ${remedy}` : ''}${location ? `\n  at ${location}` : ''}`;

/** Shapes, axes or sizes that do not fit. */
export class ShapeError extends PullbackError {
  readonly _tag = 'ShapeError';
}

/** A dtype that the operation does not take, or a number that a dtype cannot hold. */
export class DTypeError extends PullbackError {
  readonly _tag = 'DTypeError';
}

/** A tree with the wrong structure or with a leaf that is not allowed. */
export class TreeError extends PullbackError {
  readonly _tag = 'TreeError';
}

/** A tracer was used after the transform that made it had ended. */
export class EscapedTracerError extends PullbackError {
  readonly _tag = 'EscapedTracerError';
}

/** The value of a tracer was asked for while it stands for many values, or for none yet. */
export class ConcretizationError extends PullbackError {
  readonly _tag = 'ConcretizationError';
}

/** A traced function returned a promise. */
export class AsyncTraceError extends PullbackError {
  readonly _tag = 'AsyncTraceError';
}

/** A derivative was asked of something that has none. */
export class NotDifferentiableError extends PullbackError {
  readonly _tag = 'NotDifferentiableError';
}

/** A program that holds what cannot be written down. */
export class NotSerializableError extends PullbackError {
  readonly _tag = 'NotSerializableError';
}

/** `grad` of a function whose output is not a scalar. */
export class NonScalarLossError extends PullbackError {
  readonly _tag = 'NonScalarLossError';
}

/** An operation made NaN, and `checkFinite` was watching. */
export class NonFiniteError extends PullbackError {
  readonly _tag = 'NonFiniteError';
}

/** A jaxpr that is not well typed: a bug in a rule or a pass. */
export class CheckError extends PullbackError {
  readonly _tag = 'CheckError';
}

/** A tensor was used after it had been donated to a program. */
export class DonatedTensorError extends PullbackError {
  readonly _tag = 'DonatedTensorError';
}

/** A device has no lowering for what it was given. */
export class CompileError extends PullbackError {
  readonly _tag = 'CompileError';
}

/** What must be in a device's memory at one time does not fit there. */
export class DeviceMemoryError extends PullbackError {
  readonly _tag = 'DeviceMemoryError';
}

/** The device is gone, and with it what was on it only: a driver that failed, a GPU that was unplugged, a page that was put to sleep. */
export class DeviceLostError extends PullbackError {
  readonly _tag = 'DeviceLostError';
}

/** What was to be done in another thread failed there, or could not be done. */
export class WorkerError extends PullbackError {
  readonly _tag = 'WorkerError';
}

/** Run `f`; an error of ours that leaves it is extended by one line of context, and keeps its tag. */
export function annotate<A>(context: () => string, f: () => A): A {
  try {
    return f();
  } catch (error) {
    if (error instanceof PullbackError) error.message += `\n  ${context()}`;
    throw error;
  }
}
