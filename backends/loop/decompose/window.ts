/**
 * Selection in windows without scattering: one place of the windows after the other is compared with the best so far, all windows
 * at once. What place k of the windows holds is a strided slice of the padded operand, so that a source goes back by the
 * transpose of that slice, and elements add up what comes from each place.
 */

import { makeAval } from '../../../src/core/aval.ts';
import { isFloat } from '../../../src/core/dtype.ts';
import { range, sizeOf } from '../../../src/core/shape.ts';
import type { Value } from '../../../src/core/value.ts';
import { add } from '../../../src/prim/arithmetic.ts';
import { and, not, or } from '../../../src/prim/bits.ts';
import { eq, ge, le, select } from '../../../src/prim/compare.ts';
import { filled, scalar, zeros } from '../../../src/prim/compose.ts';
import { pad, slice } from '../../../src/prim/structural.ts';
import { type SelectParams, type Windows, windowCounts } from '../../../src/prim/window.ts';

/** Place `k` of all windows over a padded operand: where the slice begins and ends, and its strides. */
function placeOf(windows: Windows, counts: readonly number[], k: number) {
  let rest = k;
  const start = windows.windowDimensions.map(() => 0);
  for (let axis = start.length - 1; axis >= 0; axis--) {
    const n = windows.windowDimensions[axis]!;
    start[axis] = (rest % n) * windows.windowDilation[axis]!;
    rest = Math.floor(rest / n);
  }
  const limit = start.map((begin, axis) => begin + (counts[axis]! - 1) * windows.windowStrides[axis]! + 1);
  return { start, limit };
}

/** `x` with the holes and the padding of the windows, filled with `value`. */
const padded = (x: Value, value: number, { paddingLow, paddingHigh, baseDilation }: Windows): Value =>
  pad(
    x,
    scalar(value, x.dtype, x.aval.weak),
    paddingLow,
    paddingHigh,
    baseDilation.map((b) => b - 1),
  );

/** Each element of the first operand, added to zeros where the extreme element of its window over the second is. */
export function selectAndScatterAdd([source, x]: readonly Value[], params: SelectParams): readonly Value[] {
  const weak = source!.aval.weak && x!.aval.weak;
  const counts = windowCounts('select_and_scatter_add', x!.aval, params);
  const zero = zeros(makeAval(x!.shape, x!.dtype, weak));
  if (sizeOf(counts) === 0 || x!.aval.size === 0) return [zero];
  const places = range(sizeOf(params.windowDimensions)).map((k) => placeOf(params, counts, k));
  const [keys, present] = [padded(x!, 0, params), padded(filled(x!.shape, 1, 'bool'), 0, params)];
  const at = (y: Value, k: number): Value => slice(y, places[k]!.start, places[k]!.limit, params.windowStrides);
  const number = (k: number): Value => filled(counts, k, 'int32');
  let [best, chosen] = [at(keys, 0), select(at(present, 0), number(0), number(-1))];
  for (let k = 1; k < places.length; k++) {
    const candidate = at(keys, k);
    const isFirst = eq(chosen, number(-1));
    const keeps = params.select === 'ge' ? le(candidate, best) : ge(candidate, best);
    // A NaN is better than all numbers, and is kept.
    const better = isFloat(best.dtype) ? and(not(keeps), eq(best, best)) : not(keeps);
    const takes = and(at(present, k), or(isFirst, better));
    best = select(takes, candidate, best);
    chosen = select(takes, number(k), chosen);
  }
  const { shape } = keys;
  const back = places.map(({ start, limit }, k) => {
    const mine = select(eq(chosen, number(k)), source!, zeros(source!.aval));
    const spread = pad(
      mine,
      scalar(0, mine.dtype, weak),
      start,
      shape.map((n, axis) => n - limit[axis]!),
      params.windowStrides.map((s) => s - 1),
    );
    return unpadded(spread, x!, params);
  });
  return [back.reduce(add, zero)];
}

/** The elements of the operand among their padding and holes. */
function unpadded(y: Value, x: Value, { paddingLow, paddingHigh, baseDilation }: Windows): Value {
  const whole = pad(
    y,
    scalar(0, y.dtype, y.aval.weak),
    paddingLow.map((low) => -low || 0),
    paddingHigh.map((high) => -high || 0),
    baseDilation.map(() => 0),
  );
  return slice(
    whole,
    x.shape.map(() => 0),
    whole.shape,
    baseDilation,
  );
}
