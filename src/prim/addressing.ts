/**
 * Addressing: how index vectors name windows of an operand, which `gather` and `scatter` have in common, and what becomes of
 * windows that are not inside. It stands outside of the cycle of families, so that it is there when they load.
 */

import * as t from 'io-ts';
import { type DType, integerRange, isFloat } from '../core/dtype.ts';
import { range, type Shape, without } from '../core/shape.ts';

/** The codec of {@link IndexMode}. */
export const modeCodec = t.keyof({ clip: null, fill: null, promise_in_bounds: null }, 'IndexMode');

/**
 * What becomes of a window that is not inside the operand.
 *
 * `clip`: it moves inside. `fill`: a gather returns the fill value for all of it, a scatter drops all of it.
 * `promise_in_bounds`: there is none; where there is, values are those of `clip` for a gather and of `fill` for a scatter,
 * and derivatives are not defined.
 */
export type IndexMode = t.TypeOf<typeof modeCodec>;

/** What a gather in mode `fill` returns from outside. JSON has no words for the numbers that are strings here. */
export const fillCodec = t.union([t.number, t.keyof({ NaN: null, Infinity: null, '-Infinity': null })], 'FillValue');
/** A number, written so that its text tells it from all others. */
export type FillValue = t.TypeOf<typeof fillCodec>;

/** A number as a {@link FillValue}. */
export const fillValueOf = (x: number): FillValue =>
  Number.isFinite(x) ? x + 0 : Number.isNaN(x) ? 'NaN' : x > 0 ? 'Infinity' : '-Infinity';

/** What JAX fills with: NaN, the least int32, the greatest uint32, true. */
export const defaultFill = (dtype: DType): FillValue =>
  isFloat(dtype) ? 'NaN' : dtype === 'bool' ? 1 : integerRange(dtype)[dtype === 'int32' ? 0 : 1];

/** Distinct axes of a rank, in increasing order. */
export const areAxes = (axes: readonly number[], rank: number): boolean =>
  axes.every((axis, i) => axis >= 0 && axis < rank && (i === 0 || axis > axes[i - 1]!));

/** Distinct axes of a rank, in any order. */
const areDistinct = (axes: readonly number[], rank: number): boolean =>
  areAxes(
    [...axes].sort((a, b) => a - b),
    rank,
  );

/** How windows of an operand are addressed: what `gather` and `scatter` have in common. */
export interface Addressing {
  readonly operand: Shape;
  readonly indices: Shape;
  /** The axes of the operand that index vectors have an entry for. */
  readonly indexed: readonly number[];
  readonly operandBatching: readonly number[];
  readonly indicesBatching: readonly number[];
  /** The axes of the operand that windows do not show. */
  readonly hidden: readonly number[];
}

/** Why index vectors and batching dimensions do not fit; `null` if they do. */
export function misaddressed(a: Addressing): string | null {
  const rank = a.operand.length;
  const vectors = a.indices.length - 1;
  if (vectors < 0) return 'the indices need an axis for the index vectors, the last one';
  if (a.indices[vectors] !== a.indexed.length) {
    return `index vectors have ${a.indices[vectors]} entries for ${a.indexed.length} axes`;
  }
  if (!areDistinct(a.indexed, rank)) return `(${a.indexed.join()}) are not distinct axes of the operand`;
  if (!areAxes(a.operandBatching, rank)) return `batching axes (${a.operandBatching.join()}) must increase`;
  if (!areDistinct(a.indicesBatching, vectors) || a.indicesBatching.length !== a.operandBatching.length) {
    return `batching axes (${a.indicesBatching.join()}) of the indices must be distinct, one for each of the operand`;
  }
  const unequal = a.operandBatching.find((axis, i) => a.operand[axis] !== a.indices[a.indicesBatching[i]!]);
  if (unequal !== undefined)
    return `batching axis ${unequal} of the operand has another length than that of the indices`;
  if (!areAxes(a.hidden, rank)) return `window axes (${a.hidden.join()}) that are left out must increase`;
  const twice = a.operandBatching.find((axis) => a.indexed.includes(axis) || a.hidden.includes(axis));
  return twice === undefined ? null : `axis ${twice} is a batching axis and cannot be another as well`;
}

/** The axes of a window that are seen: neither hidden nor batching. */
export const windowAxes = (rank: number, hidden: readonly number[], batching: readonly number[]): number[] =>
  without(range(rank), [...hidden, ...batching]);
