/**
 * `sort` as a network of comparators: a fixed sequence of elementwise steps, whatever the data.
 *
 * Batcher's merge exchange (Knuth, The Art of Computer Programming 3, §5.2.2, algorithm M) sorts any length n in about
 * ½ log²n steps, in each of which disjoint pairs of rows are compared and exchanged. The network alone is not stable; with
 * the first position of a row as its last key no two rows are equal, and there is only one order.
 */

import { isFloat } from '../../../src/core/dtype.ts';
import type { ParamsOf } from '../../../src/core/primitive.ts';
import type { Value } from '../../../src/core/value.ts';
import { add, sub } from '../../../src/prim/arithmetic.ts';
import { and, or } from '../../../src/prim/bits.ts';
import { eq, lt, ne, select } from '../../../src/prim/compare.ts';
import { fullLike } from '../../../src/prim/compose.ts';
import { gatherAlong } from '../../../src/prim/gather.ts';
import { sort as sortOf, type sortP, type topKP } from '../../../src/prim/sort.ts';
import { iota, rev, sliceAxis } from '../../../src/prim/structural.ts';

/** Compare the rows i and i + `distance`, for all i with `i & bit = rest`. */
interface Stage {
  readonly bit: number;
  readonly rest: number;
  readonly distance: number;
}

/** Algorithm M's stages for rows of length `n`. */
export function stages(n: number): readonly Stage[] {
  const found: Stage[] = [];
  const half = 2 ** (Math.ceil(Math.log2(n)) - 1);
  for (let bit = half; bit >= 1; bit /= 2) {
    found.push({ bit, rest: 0, distance: bit });
    for (let q = half; q > bit; q /= 2) found.push({ bit, rest: bit, distance: q - bit });
  }
  return found;
}

/** `a` before `b` by value, and NaN after everything. */
function precedes(a: Value, b: Value): Value {
  const less = lt(a, b);
  return isFloat(a.dtype) ? or(less, and(eq(a, a), ne(b, b))) : less;
}

/** Neither precedes the other. */
function ties(a: Value, b: Value): Value {
  const equal = eq(a, b);
  return isFloat(a.dtype) ? or(equal, and(ne(a, a), ne(b, b))) : equal;
}

/** Is the row `a` before the row `b`, by the first key in which they differ? */
const before = (as: readonly Value[], bs: readonly Value[]): Value =>
  as
    .map((a, i) => [a, bs[i]!] as const)
    .reduceRight<Value | null>(
      (rest, [a, b]) => (rest ? or(precedes(a, b), and(ties(a, b), rest)) : precedes(a, b)),
      null,
    )!;

/** The row with which each row is compared: itself, if none. */
function partners(position: Value, length: number, { bit, rest, distance }: Stage): Value {
  const shift = fullLike(position, distance);
  const starts = (i: Value): Value => eq(and(i, fullLike(i, bit)), fullLike(i, rest));
  const [above, below] = [add(position, shift), sub(position, shift)];
  const low = and(starts(position), lt(above, fullLike(above, length)));
  const high = and(starts(below), lt(fullLike(below, -1), below));
  return select(low, above, select(high, below, position));
}

/** The operands in the order of the keys, which is stable. */
export function sort(operands: readonly Value[], { dimension, numKeys }: ParamsOf<typeof sortP>): readonly Value[] {
  const { shape } = operands[0]!;
  const length = shape[dimension]!;
  const position = iota(shape, dimension, 'int32');
  let rows: readonly Value[] = [...operands, position];
  const keysOf = (xs: readonly Value[]): readonly Value[] => [...xs.slice(0, numKeys), xs.at(-1)!];
  for (const stage of length > 1 ? stages(length) : []) {
    const partner = partners(position, length, stage);
    const others = rows.map((x) => gatherAlong(x, partner, dimension));
    // The lower of two rows takes the other if that comes first, the higher if it does not; a row alone takes itself.
    const takes = eq(lt(position, partner), before(keysOf(others), keysOf(rows)));
    rows = rows.map((x, i) => select(takes, others[i]!, x));
  }
  return rows.slice(0, -1);
}

/**
 * The largest elements are the last of the sorted row. It is sorted, and its result read, from behind, so that of equal elements
 * those in front come first.
 */
export function topK([x]: readonly Value[], { k }: ParamsOf<typeof topKP>): readonly Value[] {
  const last = x!.ndim - 1;
  const length = x!.shape[last]!;
  const backwards = [rev(x!, [last]), rev(iota(x!.shape, last, 'int32'), [last])];
  return sortOf(backwards, last).map((row) => rev(sliceAxis(row, last, length - k, length), [last]));
}
