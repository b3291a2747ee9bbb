/** What a primitive of one element at a time is: the element at some indices of the result, in terms of elements of the operands. */

import type { Aval } from '../../../src/core/aval.ts';
import type { Expr } from '../ir/expr.ts';

/** The element of an operand at these indices; where the guard is false it is not read. */
export type Reader = (operand: number, at: readonly Expr[], guard?: Expr | null) => Expr;

/** An equation, seen from one element of one of its results. */
export interface Site<P> {
  readonly ins: readonly Aval[];
  readonly out: Aval;
  readonly params: P;
  /** Which result, of a primitive that has several. */
  readonly position: number;
}

/** The element at `at`. */
export type Pointwise<P> = (read: Reader, at: readonly Expr[], site: Site<P>) => Expr;
