/**
 * Primitives that only move elements: each is a {@link stridedCopy} whose strides say what it means.
 */

import type { Aval } from '../../src/core/aval.ts';
import { range, type Shape, sizeOf, stridesOf } from '../../src/core/shape.ts';
import type { Kernel, Lower } from './kernel.ts';
import { type Sweep, stridedCopy, type View } from './strided.ts';

const dense = (shape: Shape): View => ({ offset: 0, strides: stridesOf(shape) });

const unary =
  (move: Sweep): Kernel =>
  (ins, outs) =>
    move(ins[0]!, outs[0]!);

/** All elements in their order, whatever the two shapes. */
const identity = ({ dtype, size }: Aval): Sweep => stridedCopy(dtype, [size], dense([size]), dense([size]));

/** `out[i] = x[i at broadcastDimensions]`, an axis of length 1 standing for any length: a stride of 0. */
export const broadcastInDim: Lower<{ readonly broadcastDimensions: readonly number[] }> = (ins, outs, params) => {
  const [x, out] = [ins[0]!, outs[0]!];
  const strides = new Array<number>(out.shape.length).fill(0);
  stridesOf(x.shape).forEach((stride, axis) => {
    if (x.shape[axis] !== 1) strides[params.broadcastDimensions[axis]!] = stride;
  });
  return unary(stridedCopy(x.dtype, out.shape, { offset: 0, strides }, dense(out.shape)));
};

/** Row-major elements are the same under every shape. */
export const reshape: Lower<unknown> = (ins) => unary(identity(ins[0]!));

/** `out[i] = x[i permuted]`: axis `a` of the result is axis `permutation[a]` of the operand. */
export const transpose: Lower<{ readonly permutation: readonly number[] }> = (ins, outs, { permutation }) => {
  const [x, out] = [ins[0]!, outs[0]!];
  const own = stridesOf(x.shape);
  const strides = permutation.map((axis) => own[axis]!);
  return unary(stridedCopy(x.dtype, out.shape, { offset: 0, strides }, dense(out.shape)));
};

/** `out[i] = x[start + i * strides]`. */
export const slice: Lower<{ readonly start: readonly number[]; readonly strides: readonly number[] }> = (
  ins,
  outs,
  params,
) => {
  const [x, out] = [ins[0]!, outs[0]!];
  const own = stridesOf(x.shape);
  const strides = own.map((stride, axis) => stride * params.strides[axis]!);
  const offset = own.reduce((sum, stride, axis) => sum + stride * params.start[axis]!, 0);
  return unary(stridedCopy(x.dtype, out.shape, { offset, strides }, dense(out.shape)));
};

/** `out[i] = x[n - 1 - i]` along each of `dimensions`: read from the end, backwards. */
export const rev: Lower<{ readonly dimensions: readonly number[] }> = (ins, outs, { dimensions }) => {
  const [x, out] = [ins[0]!, outs[0]!];
  const own = stridesOf(x.shape);
  const strides = own.map((stride, axis) => (dimensions.includes(axis) ? -stride : stride));
  const offset = dimensions.reduce((sum, axis) => sum + (x.shape[axis]! - 1) * own[axis]!, 0);
  return unary(stridedCopy(x.dtype, out.shape, { offset, strides }, dense(out.shape)));
};

/** `out[low + i * (interior + 1)] = x[i]` where that is inside the result, and the padding value elsewhere. */
export const pad: Lower<{ readonly low: readonly number[]; readonly interior: readonly number[] }> = (
  ins,
  outs,
  { low, interior },
) => {
  const [x, out] = [ins[0]!, outs[0]!];
  const [from, to] = [stridesOf(x.shape), stridesOf(out.shape)];
  const axes = range(x.shape.length).map((axis) => {
    const step = interior[axis]! + 1;
    // The first and the last element of the operand that a negative `low` or `high` does not cut off.
    const first = Math.max(0, Math.ceil(-low[axis]! / step));
    const last = Math.min(x.shape[axis]! - 1, Math.floor((out.shape[axis]! - 1 - low[axis]!) / step));
    return { step, first, count: Math.max(0, last - first + 1), at: low[axis]! + first * step };
  });
  const kept = axes.map(({ count }) => count);
  const source: View = { offset: axes.reduce((sum, { first }, a) => sum + first * from[a]!, 0), strides: from };
  const target: View = {
    offset: axes.reduce((sum, { at }, a) => sum + at * to[a]!, 0),
    strides: axes.map(({ step }, a) => step * to[a]!),
  };
  const move = stridedCopy(x.dtype, kept, source, target);
  if (sizeOf(kept) === out.size) return unary(move);
  return (ins, outs) => {
    outs[0]!.fill(ins[1]![0]!);
    move(ins[0]!, outs[0]!);
  };
};

/** The operands side by side along `dimension`: each is a copy into its own window of the result. */
export const concatenate: Lower<{ readonly dimension: number }> = (ins, outs, { dimension }) => {
  const out = outs[0]!;
  const strides = stridesOf(out.shape);
  let at = 0;
  const moves = ins.map((x) => {
    const move = stridedCopy(x.dtype, x.shape, dense(x.shape), { offset: at * strides[dimension]!, strides });
    at += x.shape[dimension]!;
    return move;
  });
  return (ins, outs) => {
    for (let i = 0; i < moves.length; i++) moves[i]!(ins[i]!, outs[0]!);
  };
};

/** `out[i] = i[dimension]`. */
export const iota: Lower<{ readonly dimension: number }> = (_ins, outs, { dimension }) => {
  const { shape, size } = outs[0]!;
  const length = shape[dimension]!;
  const run = sizeOf(shape.slice(dimension + 1));
  return (_ins, outs) => {
    const out = outs[0]!;
    if (run === 1) {
      for (let at = 0; at < size; at += length) for (let i = 0; i < length; i++) out[at + i] = i;
    } else {
      for (let at = 0, i = 0; at < size; at += run, i = i + 1 === length ? 0 : i + 1) out.fill(i, at, at + run);
    }
  };
};

/** Each operand unchanged: what `stop_gradient`, `name` and `optimization_barrier` compute. */
export const copyAll: Lower<unknown> = (ins) => {
  const moves = ins.map(identity);
  return (ins, outs) => {
    for (let i = 0; i < moves.length; i++) moves[i]!(ins[i]!, outs[i]!);
  };
};
