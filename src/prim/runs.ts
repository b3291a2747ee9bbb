/** Runs of a row: equal keys (from 0) that stand together, as sorting brings them. */

import type { Value } from '../core/value.ts';
import { eq, select } from './compare.ts';
import { filled, fullLike } from './compose.ts';
import { concatenate, sliceAxis } from './structural.ts';

/** An associative operation, elementwise, and what it leaves as it is. */
export interface Monoid {
  readonly combine: (a: Value, b: Value) => Value;
  readonly neutral: number;
}

/** `row` moved on by `by` places, with `first` coming in. */
const delayed = (row: Value, by: number, first: number): Value =>
  concatenate([filled([by], first, row.dtype), sliceAxis(row, 0, 0, row.shape[0]! - by)], 0);

/** What stands `by` places before each element in its run. Of another run nothing enters, so that no derivative meets it either. */
const before = (values: Value, keys: Value, by: number, { neutral }: Monoid): Value =>
  select(eq(delayed(keys, by, -1), keys), delayed(values, by, neutral), fullLike(values, neutral));

/** Each element of a row combined with all before it in its run, in log n steps. */
export function combinedRuns(values: Value, keys: Value, monoid: Monoid): Value {
  const length = keys.shape[0]!;
  let found = values;
  for (let by = 1; by < length; by *= 2) found = monoid.combine(before(found, keys, by, monoid), found);
  return found;
}

/** For each element of a row, all before it in its run combined. */
export const combinedBefore = (values: Value, keys: Value, monoid: Monoid): Value =>
  before(combinedRuns(values, keys, monoid), keys, 1, monoid);
