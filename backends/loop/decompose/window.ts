/**
 * Selection in windows without scattering: one place of the windows after the other is compared with the best so far, all windows
 * at once. What place k of the windows holds is a strided slice of the padded operand, so that a source goes back by the
 * transpose of that slice, and elements add up what comes from each place. Of large windows a loop passes the places, and sources
 * are scattered to the place that was found.
 */

import { makeAval } from '../../../src/core/aval.ts';
import { isFloat } from '../../../src/core/dtype.ts';
import { range, sizeOf } from '../../../src/core/shape.ts';
import type { Value } from '../../../src/core/value.ts';
import { add, div, mul, rem, sub } from '../../../src/prim/arithmetic.ts';
import { and, not, or } from '../../../src/prim/bits.ts';
import { eq, ge, le, lt, select } from '../../../src/prim/compare.ts';
import { filled, fullLike, scalar, zeros } from '../../../src/prim/compose.ts';
import { dynamicSlice } from '../../../src/prim/dynamic.ts';
import { scatterAdd } from '../../../src/prim/scatter.ts';
import { pad, reshape, slice } from '../../../src/prim/structural.ts';
import { type SelectParams, type Windows, windowCounts } from '../../../src/prim/window.ts';
import { scan } from '../../../transforms/loops.ts';
import { counting, everywhere, index } from './matrices.ts';

/** Up to how many places each is compared by equations of its own; beyond, by a loop, as the program would grow with the window. */
const unrolled = 64;

/** The extreme element so far of each window, and the number of its place, −1 if there was none. */
type Best = readonly [best: Value, chosen: Value];

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
  const [keys, present] = [padded(x!, 0, params), padded(filled(x!.shape, 1, 'bool'), 0, params)];
  const count = sizeOf(params.windowDimensions);
  if (count > unrolled) return [addedAt(source!, x!, chosenByLoop(keys, present, counts, params), params, zero)];
  const places = range(count).map((k) => placeOf(params, counts, k));
  const at = (y: Value, k: number): Value => slice(y, places[k]!.start, places[k]!.limit, params.windowStrides);
  const number = (k: number): Value => filled(counts, k, 'int32');
  let best: Best = [at(keys, 0), select(at(present, 0), number(0), number(-1))];
  for (let k = 1; k < count; k++) best = better(best, at(keys, k), at(present, k), number(k), params);
  const chosen = best[1];
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

/** What stands at place `k`, if it is better than the best of the places before; a NaN is better than all numbers, and is kept. */
function better([best, chosen]: Best, candidate: Value, present: Value, k: Value, params: SelectParams): Best {
  const isFirst = eq(chosen, fullLike(chosen, -1));
  const keeps = params.select === 'ge' ? le(candidate, best) : ge(candidate, best);
  const wins = isFloat(best.dtype) ? and(not(keeps), eq(best, best)) : not(keeps);
  const takes = and(present, or(isFirst, wins));
  return [select(takes, candidate, best), select(takes, k, chosen)];
}

/** How far into its window place `k`, a number or many, is on each axis. */
function offsets(k: Value, { windowDimensions, windowDilation }: Windows): readonly Value[] {
  return windowDimensions.map((n, axis) => {
    const behind = sizeOf(windowDimensions.slice(axis + 1));
    const along = rem(div(k, fullLike(k, behind)), fullLike(k, n));
    return mul(along, fullLike(k, windowDilation[axis]!));
  });
}

/** The number of the chosen place of each window, −1 if it has none: a loop over the places. */
function chosenByLoop(keys: Value, present: Value, counts: readonly number[], params: SelectParams): Value {
  const reach = counts.map((n, axis) => (n - 1) * params.windowStrides[axis]! + 1);
  const origin = counts.map(() => 0);
  const start: Best = [zeros(makeAval(counts, keys.dtype, keys.aval.weak)), filled(counts, -1, 'int32')];
  const [best] = scan(
    (carry: Best, k: Value): readonly [Best, null] => {
      const at = (y: Value): Value =>
        slice(dynamicSlice(y, offsets(k, params), reach), origin, reach, params.windowStrides);
      return [better(carry, at(keys), at(present), everywhere(k, counts), params), null];
    },
    start,
    counting(sizeOf(params.windowDimensions)),
  );
  return best[1];
}

/** The elements of `source` added to zeros, each where its window's chosen place lies in the operand `x`. */
function addedAt(source: Value, x: Value, chosen: Value, params: SelectParams, zero: Value): Value {
  const isNone = lt(chosen, fullLike(chosen, 0));
  const into = offsets(select(isNone, fullLike(chosen, 0), chosen), params);
  const { windowStrides, paddingLow, baseDilation } = params;
  let element = fullLike(chosen, 0);
  into.forEach((offset, axis) => {
    const first = mul(index(chosen.shape, axis), fullLike(chosen, windowStrides[axis]!));
    const within = sub(add(first, offset), fullLike(chosen, paddingLow[axis]!));
    const along = div(within, fullLike(chosen, baseDilation[axis]!));
    element = add(mul(element, fullLike(chosen, x.shape[axis]!)), along);
  });
  // Beyond the end, where it is dropped.
  const target = select(isNone, fullLike(chosen, x.size), element);
  const row = scatterAdd(reshape(zero, [x.size]), reshape(target, [source.size, 1]), reshape(source, [source.size]), {
    updateWindowDims: [],
    insertedWindowDims: [0],
    scatterDimsToOperandDims: [0],
    operandBatchingDims: [],
    scatterIndicesBatchingDims: [],
    mode: 'fill',
  });
  return reshape(row, x.shape);
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
