/** Hyperparameters: numbers and options that may be read from a configuration, checked where a transformation is built. */

import { DTypeError, ShapeError } from '../core/errors.ts';
import { describe, expectOptions } from '../ops/untyped.ts';

/** @throws DTypeError unless `x` is a number, and not NaN */
export function expectNumber(op: string, what: string, x: unknown): asserts x is number {
  if (typeof x !== 'number') {
    throw new DTypeError({ op, problem: `${what} is ${describe(x)}, not a JS number`, remedy: 'convert it first' });
  }
  if (!Number.isNaN(x)) return;
  throw new DTypeError({ op, problem: `${what} is NaN`, remedy: 'look for the computation that it comes from' });
}

/** @throws DTypeError unless `x` is a number that is at least 0 */
export function expectBound(op: string, what: string, x: unknown): void {
  expectNumber(op, what, x);
  if (x >= 0) return;
  throw new DTypeError({ op, problem: `${what} is ${x}, which is negative`, remedy: 'bound by 0 or more' });
}

/** @throws ShapeError unless `x` is a positive number of steps, DTypeError unless it is a number */
export function expectSteps(op: string, what: string, x: unknown, remedy: string): void {
  expectNumber(op, what, x);
  if (x > 0) return;
  throw new ShapeError({ op, problem: `${what} must be positive, got ${x}`, remedy });
}

/** @throws DTypeError unless `x` is a function of the number of steps done */
export function expectSchedule(op: string, what: string, x: unknown): void {
  if (typeof x === 'function') return;
  throw new DTypeError({
    op,
    problem: `${what} is ${describe(x)}, not a schedule`,
    remedy: 'a schedule is a function of the number of steps done, such as optim.constantSchedule(0.1)',
  });
}

/**
 * @param numbers - the options that are numbers, where they are given
 * @param flags - those that are booleans
 * @param others - those that their user checks
 * @throws DTypeError for one that there is not, or of another type
 */
export function expectHyperparameters(
  op: string,
  options: object,
  numbers: readonly string[],
  flags: readonly string[] = [],
  others: readonly string[] = [],
): void {
  expectOptions(op, options, ...numbers, ...flags, ...others);
  for (const [name, x] of Object.entries(options) as [string, unknown][]) {
    if (x === undefined || others.includes(name)) continue;
    if (numbers.includes(name)) expectNumber(op, name, x);
    else if (typeof x !== 'boolean') {
      throw new DTypeError({ op, problem: `${name} is ${describe(x)}, not a boolean`, remedy: 'use true or false' });
    }
  }
}

/** @throws DTypeError unless `x` is one of `choices` */
export function expectOneOf(op: string, what: string, x: unknown, choices: readonly string[]): void {
  if ((choices as readonly unknown[]).includes(x)) return;
  const remedy = `use ${choices.map((choice) => `'${choice}'`).join(', ')}`;
  throw new DTypeError({ op, problem: `${what} is ${describe(x)}`, remedy });
}
