/**
 * The scatters that combine, without atomic operations: updates are sorted by the element that they go to, those of one element
 * are combined in log n steps, and the last of each run, which then stands for all of them, is put in its place.
 */

import { type DType, integerRange, isFloat } from '../../../src/core/dtype.ts';
import type { Value } from '../../../src/core/value.ts';
import { add, max, min, mul, sub } from '../../../src/prim/arithmetic.ts';
import { and, not } from '../../../src/prim/bits.ts';
import { eq, ne, select } from '../../../src/prim/compare.ts';
import { filled, fullLike } from '../../../src/prim/compose.ts';
import { gatherAlong } from '../../../src/prim/gather.ts';
import { combinedRuns, type Monoid } from '../../../src/prim/runs.ts';
import { gatherBack, type ScatterAddParams, scatter } from '../../../src/prim/scatter.ts';
import { sort } from '../../../src/prim/sort.ts';
import { concatenate, iota, reshape, sliceAxis } from '../../../src/prim/structural.ts';

/** The end of a dtype that every number of it is below, or above. */
function extreme(dtype: DType, above: boolean): number {
  if (dtype === 'bool') return above ? 1 : 0;
  if (isFloat(dtype)) return above ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  return integerRange(dtype)[above ? 1 : 0];
}

const combining =
  (combine: Monoid['combine'], neutral: (dtype: DType) => number) =>
  ([x, indices, updates]: readonly Value[], { mode, ...rest }: ScatterAddParams): readonly Value[] => {
    const n = updates!.size;
    if (n === 0) return [x!];
    // Elements are numbered from 1, and 0 is nowhere. What a promise says not to exist is dropped.
    const own = add(iota([x!.size], 0, 'int32'), filled([x!.size], 1, 'int32'));
    const params: ScatterAddParams = { ...rest, mode: mode === 'clip' ? 'clip' : 'fill' };
    const numbers = gatherBack(reshape(own, x!.shape), indices!, updates!.aval, params);
    const [keys, values] = sort([reshape(numbers, [n]), reshape(updates!, [n])], 0) as readonly [Value, Value];
    const totals = combinedRuns(values, keys, { combine, neutral: neutral(values.dtype) });
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
export const scatterMul = combining(mul, () => 1);
/** The operand, and the smaller of it and every update. */
export const scatterMin = combining(min, (dtype) => extreme(dtype, true));
/** The operand, and the larger of it and every update. */
export const scatterMax = combining(max, (dtype) => extreme(dtype, false));
