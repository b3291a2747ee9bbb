/**
 * The scatters that combine, without atomic operations: updates are sorted by the element that they go to, those of one element
 * are combined in log n steps, and the last of each run, which then stands for all of them, is put in its place.
 */

import type { Value } from '../../../src/core/value.ts';
import { add, max, min, mul, sub } from '../../../src/prim/arithmetic.ts';
import { and, not } from '../../../src/prim/bits.ts';
import { eq, ne, select } from '../../../src/prim/compare.ts';
import { filled, fullLike } from '../../../src/prim/compose.ts';
import { gatherAlong } from '../../../src/prim/gather.ts';
import { gatherBack, type ScatterAddParams, scatter } from '../../../src/prim/scatter.ts';
import { sort } from '../../../src/prim/sort.ts';
import { concatenate, iota, reshape, sliceAxis } from '../../../src/prim/structural.ts';

type Combine = (a: Value, b: Value) => Value;

/** A row moved on by `by` places; what comes in is the beginning again, where keys never match. */
const delayed = (row: Value, by: number, incoming: Value): Value =>
  concatenate([incoming, sliceAxis(row, 0, 0, row.shape[0]! - by)], 0);

/** Each element combined with all before it that have its key, which stand together. */
function combinedRuns(values: Value, keys: Value, combine: Combine): Value {
  const length = keys.shape[0]!;
  let found = values;
  for (let by = 1; by < length; by *= 2) {
    const before = delayed(found, by, sliceAxis(found, 0, 0, by));
    const together = eq(delayed(keys, by, filled([by], -1, 'int32')), keys);
    found = select(together, combine(before, found), found);
  }
  return found;
}

const combining =
  (combine: Combine) =>
  ([x, indices, updates]: readonly Value[], { mode, ...rest }: ScatterAddParams): readonly Value[] => {
    const n = updates!.size;
    if (n === 0) return [x!];
    // Elements are numbered from 1, and 0 is nowhere. What a promise says not to exist is dropped.
    const own = add(iota([x!.size], 0, 'int32'), filled([x!.size], 1, 'int32'));
    const params: ScatterAddParams = { ...rest, mode: mode === 'clip' ? 'clip' : 'fill' };
    const numbers = gatherBack(reshape(own, x!.shape), indices!, updates!.aval, params);
    const [keys, values] = sort([reshape(numbers, [n]), reshape(updates!, [n])], 0) as readonly [Value, Value];
    const totals = combinedRuns(values, keys, combine);
    const next = concatenate([sliceAxis(keys, 0, 1, n), filled([1], -1, 'int32')], 0);
    const isLast = and(ne(keys, next), not(eq(keys, fullLike(keys, 0))));
    const place = select(isLast, sub(keys, fullLike(keys, 1)), fullLike(keys, 0));
    const row = reshape(x!, [x!.size]);
    const met = combine(gatherAlong(row, place, 0), totals);
    const written = scatter(row, reshape(select(isLast, place, fullLike(keys, x!.size)), [n, 1]), met, {
      updateWindowDims: [],
      insertedWindowDims: [0],
      scatterDimsToOperandDims: [0],
      operandBatchingDims: [],
      scatterIndicesBatchingDims: [],
      mode: 'fill',
      uniqueIndices: true,
    });
    return [reshape(written, x!.shape)];
  };

/** The operand, multiplied by every update. Products of floats are rounded in another order than on the reference device. */
export const scatterMul = combining(mul);
/** The operand, and the smaller of it and every update. */
export const scatterMin = combining(min);
/** The operand, and the larger of it and every update. */
export const scatterMax = combining(max);
