/** Counts and sizes that callers give, checked before anything is made of them. */

import { DTypeError, ShapeError } from '../core/errors.ts';
import { describe, expectOptions } from '../ops/untyped.ts';

/** @throws ShapeError unless `n` is a non-negative (or positive) integer */
export function expectCount(op: string, what: string, n: number, least = 0): number {
  if (Number.isSafeInteger(n) && n >= least) return n;
  throw new ShapeError({
    op,
    problem: `${what} is ${describe(n)}`,
    remedy: `use a whole number of at least ${least}`,
  });
}

/** Options of `batch`. */
export interface BatchOptions {
  /** Leave the elements out that do not fill a batch; by default the last batch is smaller. */
  readonly dropRemainder?: boolean;
}

/** @throws ShapeError or DTypeError unless these are a size and options of a batch */
export function expectBatch(op: string, size: number, options: BatchOptions): boolean {
  expectCount(op, 'the size of a batch', size, 1);
  expectOptions(op, options, 'dropRemainder');
  const { dropRemainder = false } = options;
  if (typeof dropRemainder === 'boolean') return dropRemainder;
  throw new DTypeError({
    op,
    problem: `dropRemainder is ${describe(dropRemainder)}`,
    remedy: 'use true or false',
  });
}
