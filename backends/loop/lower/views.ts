/** Primitives that move elements, as functions of indices: a view costs what its address costs, and most of it folds away. */

import type { DType } from '../../../src/core/dtype.ts';
import { range, type Shape, sizeOf } from '../../../src/core/shape.ts';
import type { GatherParams } from '../../../src/prim/gather.ts';
import type { FirstOrderParams } from '../../../src/prim/registry.ts';
import { compare, constant, convert, type Expr, int, op, select } from '../ir/expr.ts';
import { both, flat, minus, plus, quotient, remainder, times, unflat, within } from '../ir/integer.ts';
import type { Pointwise } from './rule.ts';

export const broadcastInDim: Pointwise<FirstOrderParams<'broadcast_in_dim'>> = (read, at, { ins, params }) =>
  read(
    0,
    ins[0]!.shape.map((length, axis) => (length === 1 ? int(0) : at[params.broadcastDimensions[axis]!]!)),
  );

export const reshape: Pointwise<FirstOrderParams<'reshape'>> = (read, at, { ins, out }) =>
  read(0, reshaped(at, out.shape, ins[0]!.shape));

/** The indices in an array of shape `to` of what is at `at` in one of shape `from`: runs of axes that hold the same elements go by themselves. */
export function reshaped(at: readonly Expr[], from: Shape, to: Shape): readonly Expr[] {
  if (sizeOf(to) === 0) return to.map(() => int(0));
  const found: Expr[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const [i0, j0] = [i, j];
    let [m, n] = [1, 1];
    if (i < from.length) m = from[i++]!;
    if (j < to.length) n = to[j++]!;
    while (m !== n) {
      if (m < n && i < from.length) m *= from[i++]!;
      else if (n < m && j < to.length) n *= to[j++]!;
      else break;
    }
    found.push(...unflat(flat(at.slice(i0, i), from.slice(i0, i)), to.slice(j0, j)));
  }
  return found;
}

export const transpose: Pointwise<FirstOrderParams<'transpose'>> = (read, at, { params: { permutation } }) => {
  const own: Expr[] = [];
  permutation.forEach((axis, i) => {
    own[axis] = at[i]!;
  });
  return read(0, own);
};

export const slice: Pointwise<FirstOrderParams<'slice'>> = (read, at, { params: { start, strides } }) =>
  read(
    0,
    at.map((x, axis) => plus(times(x, int(strides[axis]!)), int(start[axis]!))),
  );

export const rev: Pointwise<FirstOrderParams<'rev'>> = (read, at, { ins, params: { dimensions } }) =>
  read(
    0,
    at.map((x, axis) => (dimensions.includes(axis) ? minus(int(ins[0]!.shape[axis]! - 1), x) : x)),
  );

/** The padding value outside, and between neighbours where there is interior padding. */
export const pad: Pointwise<FirstOrderParams<'pad'>> = (read, at, { ins, params: { low, interior } }) => {
  let inside: Expr | null = null;
  const own = at.map((x, axis) => {
    const length = ins[0]!.shape[axis]!;
    const step = interior[axis]! + 1;
    const place = minus(x, int(low[axis]!));
    inside = both(inside, within(place, 0, length === 0 ? 0 : (length - 1) * step + 1));
    if (step === 1) return place;
    inside = both(inside, compare('eq', remainder(place, int(step)), int(0)));
    return quotient(place, int(step));
  });
  if (ins[0]!.size === 0) return read(1, []);
  return inside ? select(inside, read(0, own, inside), read(1, [])) : read(0, own);
};

export const concatenate: Pointwise<FirstOrderParams<'concatenate'>> = (read, at, { ins, params: { dimension } }) => {
  const x = at[dimension]!;
  const ends: number[] = [];
  let total = 0;
  for (const { shape } of ins) {
    total += shape[dimension]!;
    ends.push(total);
  }
  const from = (i: number): Expr => {
    const begin = i === 0 ? 0 : ends[i - 1]!;
    const own = at.map((y, axis) => (axis === dimension ? minus(y, int(begin)) : y));
    const later = range(ins.length).find((k) => k > i && ends[k]! > ends[i]!);
    if (later === undefined) return read(i, own, within(x, begin, total));
    return select(compare('lt', x, int(ends[i]!)), read(i, own, within(x, begin, ends[i]!)), from(later));
  };
  return from(
    Math.max(
      0,
      ends.findIndex((end) => end > 0),
    ),
  );
};

export const iota: Pointwise<FirstOrderParams<'iota'>> = (_read, at, { out, params: { dimension } }) =>
  convert(at[dimension]!, out.dtype);

/** A size beside what is no index: written as a conversion, by which `generalize.ts` knows it. */
const unsigned = (limit: number): Expr => convert(int(limit), 'uint32');

/** A start where a window of this length lies inside: what is less than 0 is 0, what is too large the last such place. */
export function clamped(start: Expr, limit: number): Expr {
  if (start.dtype === 'uint32') return convert(op('min', start, unsigned(limit)), 'int32');
  return op('max', op('min', convert(start, 'int32'), int(limit)), int(0));
}

/** Whether a start is in 0 … limit. */
export const inBounds = (start: Expr, limit: number): Expr => compare('le', convert(start, 'uint32'), unsigned(limit));

export const dynamicSlice: Pointwise<FirstOrderParams<'dynamic_slice'>> = (read, at, { ins, params: { sliceSizes } }) =>
  read(
    0,
    at.map((x, axis) => plus(x, clamped(read(axis + 1, []), ins[0]!.shape[axis]! - sliceSizes[axis]!))),
  );

export const gather: Pointwise<GatherParams> = (read, at, { ins, out, params: p }) => {
  const [operand, indices] = [ins[0]!.shape, ins[1]!.shape];
  const vector = at.filter((_, axis) => !p.offsetDims.includes(axis));
  const seen = range(operand.length).filter(
    (axis) => !p.collapsedSliceDims.includes(axis) && !p.operandBatchingDims.includes(axis),
  );
  const own: Expr[] = operand.map(() => int(0));
  seen.forEach((axis, i) => {
    own[axis] = at[p.offsetDims[i]!]!;
  });
  p.operandBatchingDims.forEach((axis, i) => {
    own[axis] = vector[p.startIndicesBatchingDims[i]!]!;
  });
  if (indices.length === 0 || out.size === 0) return constant(0, out.dtype);
  let inside: Expr | null = null;
  p.startIndexMap.forEach((axis, k) => {
    const start = read(1, [...vector, int(k)]);
    const limit = operand[axis]! - p.sliceSizes[axis]!;
    if (p.mode === 'fill') {
      inside = both(inside, inBounds(start, limit));
      own[axis] = plus(convert(start, 'int32'), own[axis]!);
    } else own[axis] = plus(clamped(start, limit), own[axis]!);
  });
  if (!inside) return read(0, own);
  return select(inside, read(0, own, inside), filled(Number(p.fillValue), out.dtype));
};

/** A fill value as the dtype holds it. */
const filled = (value: number, dtype: DType): Expr =>
  constant(dtype === 'bool' ? Number(value !== 0) : dtype === 'float32' ? Math.fround(value) : value, dtype);
