/** Windows of tensors as StableHLO's specification says them, index by index: what gathers and scatters are held against. */

import { generators } from 'pullback/laws';
import type { Aval } from '../../src/core/aval.ts';
import type { ScatterAddParams } from '../../src/prim/scatter.ts';
import { at, type Host, host, indices } from './oracle.ts';

/** Indices of a call, as the laws draw them: inside and outside. */
export const indicesOf = <P>(
  call: { readonly ins: readonly Aval[]; readonly params: P },
  name: 'gather' | 'scatter_add',
) => {
  const { dtype, shape, size } = call.ins[1]!;
  const { domain } = generators[name].operands(call as never)[1]!;
  return domain(dtype, size).map((values) => host(dtype, shape, values));
};

/** Where the window of an index vector begins, on each axis of the operand; `null` if it is left out. */
export function windowBegin(
  operand: readonly number[],
  indexHost: Host,
  vector: readonly number[],
  p: {
    readonly indexed: readonly number[];
    readonly batching: readonly number[];
    readonly indicesBatching: readonly number[];
    readonly sizes: readonly number[];
    readonly clips: boolean;
  },
): number[] | null {
  const begin = operand.map(() => 0);
  for (const [k, axis] of p.indexed.entries()) {
    const start = at(indexHost, [...vector, k]);
    const most = operand[axis]! - p.sizes[axis]!;
    if (!p.clips && (start < 0 || start > most)) return null;
    begin[axis] = Math.max(0, Math.min(start, most));
  }
  p.batching.forEach((axis, i) => {
    begin[axis] = vector[p.indicesBatching[i]!]!;
  });
  return begin;
}

/** The places of `index` that are not in `dims`, and those that are. */
export const parted = (index: readonly number[], dims: readonly number[]): readonly [number[], number[]] => [
  index.filter((_, i) => !dims.includes(i)),
  dims.map((d) => index[d]!),
];

/** An index into a window, with a 0 on every axis that it lacks. */
export const spread = (rank: number, missing: readonly number[], inner: readonly number[]): number[] => {
  const rest = [...inner];
  return Array.from({ length: rank }, (_, axis) => (missing.includes(axis) ? 0 : rest.shift()!));
};

/** The elements of a scatter of `updates`, one vector after the other. */
export function scatterOracle(
  x: Host,
  starts: Host,
  updates: Host,
  p: ScatterAddParams,
  combine: (old: number, update: number) => number,
): Map<string, number> {
  const hidden = [...p.insertedWindowDims, ...p.operandBatchingDims];
  const window = p.updateWindowDims.map((d) => updates.shape[d]!);
  const sizes = spread(x.shape.length, hidden, window).map((n, axis) => (hidden.includes(axis) ? 1 : n));
  const result = new Map(indices(x.shape).map((index) => [index.join(), at(x, index)]));
  for (const vector of indices(starts.shape.slice(0, -1))) {
    const begin = windowBegin(x.shape, starts, vector, {
      indexed: p.scatterDimsToOperandDims,
      batching: p.operandBatchingDims,
      indicesBatching: p.scatterIndicesBatchingDims,
      sizes,
      clips: p.mode === 'clip',
    });
    if (!begin) continue;
    for (const inner of indices(window)) {
      const offset = spread(x.shape.length, hidden, inner);
      const target = begin.map((b, axis) => b + offset[axis]!).join();
      const rest = [...vector];
      const source = updates.shape.map((_, i) =>
        p.updateWindowDims.includes(i) ? inner[p.updateWindowDims.indexOf(i)]! : rest.shift()!,
      );
      result.set(target, combine(result.get(target)!, at(updates, source)));
    }
  }
  return result;
}
