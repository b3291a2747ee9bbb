/**
 * Windows at places that are data: gather, scatter, and the slices whose starts are scalars.
 *
 * What is known of an equation says how one window moves ({@link stridedMove}) and where the windows stand in the dense array;
 * a run reads from the indices where each begins in the operand, and moves them in row-major order of the index vectors.
 */

import { type DType, isFloat, type TypedArray } from '../../src/core/dtype.ts';
import { range, type Shape, sizeOf, stridesOf, without } from '../../src/core/shape.ts';
import type { GatherParams } from '../../src/prim/gather.ts';
import type { ScatterAddParams } from '../../src/prim/scatter.ts';
import type { Kernel, Lower } from './kernel.ts';
import { type Block, type Mover, mergedAxes, mover, stridedMove } from './strided.ts';

/** Which windows of an operand index vectors address. */
interface Windows {
  readonly operand: Shape;
  readonly indices: Shape;
  /** The axes of the operand that index vectors have an entry for. */
  readonly indexed: readonly number[];
  readonly operandBatching: readonly number[];
  readonly indicesBatching: readonly number[];
  /** The lengths of a window on every axis of the operand. */
  readonly sizes: readonly number[];
  /** Move windows inside, or leave out those that are not. */
  readonly clip: boolean;
}

/** Position in the operand of the first element of each window; −1 for those left out. */
function locator(w: Windows): (indices: TypedArray) => Int32Array {
  const strides = stridesOf(w.operand);
  const entries = w.indexed.length;
  const steps = w.indexed.map((axis) => strides[axis]!);
  const limits = w.indexed.map((axis) => w.operand[axis]! - w.sizes[axis]!);
  const vectors = w.indices.slice(0, -1);
  const count = sizeOf(vectors);
  const turns = stridesOf(vectors);
  const pairs = w.operandBatching.map((axis, i) => {
    const own = w.indicesBatching[i]!;
    return { step: strides[axis]!, turn: turns[own]!, n: vectors[own]! };
  });
  return (indices) => {
    const begins = new Int32Array(count);
    for (let p = 0; p < count; p++) {
      let begin = 0;
      for (let k = 0; k < entries; k++) {
        const start = indices[p * entries + k]!;
        const limit = limits[k]!;
        if (start >= 0 && start <= limit) begin += start * steps[k]!;
        else if (w.clip) begin += start < 0 ? 0 : limit * steps[k]!;
        else {
          begin = -1;
          break;
        }
      }
      if (begin >= 0) for (const { step, turn, n } of pairs) begin += (Math.floor(p / turn) % n) * step;
      begins[p] = begin;
    }
    return begins;
  };
}

/** Position in a dense array of the first element of each window, where `dims` are the axes of windows in it. */
function placer(dense: Shape, dims: readonly number[]): () => Int32Array {
  const others = without(range(dense.length), dims);
  const strides = stridesOf(dense);
  const steps = others.map((axis) => strides[axis]!);
  const lengths = others.map((axis) => dense[axis]!);
  return () => {
    const places = new Int32Array(sizeOf(lengths));
    const digits = lengths.map(() => 0);
    let at = 0;
    for (let p = 0; p < places.length; p++) {
      places[p] = at;
      for (let a = digits.length - 1; a >= 0; a--) {
        at += steps[a]!;
        if (++digits[a]! < lengths[a]!) break;
        at -= steps[a]! * lengths[a]!;
        digits[a] = 0;
      }
    }
    return places;
  };
}

// The same text twice, as in `strided.ts`: what sees all kinds of typed arrays is slow.
const pickFloat = (x: TypedArray, from: Int32Array, out: TypedArray, to: Int32Array): void => {
  for (let p = 0; p < from.length; p++) if (from[p]! >= 0) out[to[p]!] = x[from[p]!]!;
};
const pickWord = (x: TypedArray, from: Int32Array, out: TypedArray, to: Int32Array): void => {
  for (let p = 0; p < from.length; p++) if (from[p]! >= 0) out[to[p]!] = x[from[p]!]!;
};

/** `out[window p] = x[window at index vector p]`. */
export const gather: Lower<GatherParams> = (ins, outs, p) => {
  const [x, indices, out] = [ins[0]!, ins[1]!, outs[0]!];
  const locate = locator({
    operand: x.shape,
    indices: indices.shape,
    indexed: p.startIndexMap,
    operandBatching: p.operandBatchingDims,
    indicesBatching: p.startIndicesBatchingDims,
    sizes: p.sliceSizes,
    clip: p.mode !== 'fill',
  });
  const place = placer(out.shape, p.offsetDims);
  const axes = without(range(x.shape.length), [...p.collapsedSliceDims, ...p.operandBatchingDims]);
  const window = axes.map((axis) => p.sliceSizes[axis]!);
  const [from, to] = [stridesOf(x.shape), stridesOf(out.shape)];
  const move = stridedMove(
    x.dtype,
    window,
    axes.map((axis) => from[axis]!),
    p.offsetDims.map((axis) => to[axis]!),
  );
  const pick = isFloat(x.dtype) ? pickFloat : pickWord;
  const single = sizeOf(window) === 1;
  const fill = Number(p.fillValue);
  return (ins, outs) => {
    if (out.size === 0) return;
    const begins = locate(ins[1]!);
    const places = place();
    if (begins.includes(-1)) outs[0]!.fill(fill);
    if (single) pick(ins[0]!, begins, outs[0]!, places);
    else {
      for (let i = 0; i < begins.length; i++) if (begins[i]! >= 0) move(ins[0]!, begins[i]!, outs[0]!, places[i]!);
    }
  };
};

/** How the windows of an update go to the operand: `put` moves one. */
export function scattering(
  [operand, indices, updates]: readonly [Shape, Shape, Shape],
  p: ScatterAddParams,
  plan: (window: Shape, from: readonly number[], to: readonly number[]) => Mover,
): (indices: TypedArray, updates: TypedArray, out: TypedArray) => void {
  const axes = without(range(operand.length), [...p.insertedWindowDims, ...p.operandBatchingDims]);
  const window = p.updateWindowDims.map((axis) => updates[axis]!);
  const sizes = operand.map(() => 1);
  axes.forEach((axis, i) => {
    sizes[axis] = window[i]!;
  });
  const locate = locator({
    operand,
    indices,
    indexed: p.scatterDimsToOperandDims,
    operandBatching: p.operandBatchingDims,
    indicesBatching: p.scatterIndicesBatchingDims,
    sizes,
    clip: p.mode === 'clip',
  });
  const place = placer(updates, p.updateWindowDims);
  const [from, to] = [stridesOf(updates), stridesOf(operand)];
  const put = plan(
    window,
    p.updateWindowDims.map((axis) => from[axis]!),
    axes.map((axis) => to[axis]!),
  );
  if (sizeOf(updates) === 0) return () => {};
  return (indices, updates, out) => {
    const begins = locate(indices);
    const places = place();
    for (let i = 0; i < begins.length; i++) if (begins[i]! >= 0) put(updates, places[i]!, out, begins[i]!);
  };
}

/** The operand, with `updates[window p]` in place of its window at index vector p; the last one stays. */
export const scatter: Lower<ScatterAddParams> = (ins, _outs, p) => {
  const [x, indices, updates] = [ins[0]!, ins[1]!, ins[2]!];
  const put = scattering([x.shape, indices.shape, updates.shape], p, (window, from, to) =>
    stridedMove(x.dtype, window, from, to),
  );
  return (ins, outs) => {
    outs[0]!.set(ins[0]!);
    put(ins[1]!, ins[2]!, outs[0]!);
  };
};

const addFloat: Block = (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) target[to] = target[to]! + source[from]!;
  }
};
const addWord: Block = (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    let from = s + i * sA;
    let to = t + i * tA;
    for (let j = 0; j < nB; j++, from += sB, to += tB) target[to] = (target[to]! + source[from]!) | 0;
  }
};

/** The operand, with every window of the updates added to it; sums of floats accumulate in double and round once. */
export const scatterAdd: Lower<ScatterAddParams> = (ins, _outs, p) => {
  const [x, indices, updates] = [ins[0]!, ins[1]!, ins[2]!];
  const float = isFloat(x.dtype);
  const put = scattering([x.shape, indices.shape, updates.shape], p, (window, from, to) =>
    mover(float ? addFloat : addWord, mergedAxes(window, { offset: 0, strides: from }, { offset: 0, strides: to })),
  );
  return (ins, outs) => {
    const out = outs[0]!;
    if (!(out instanceof Float32Array)) {
      out.set(ins[0]!);
      put(ins[1]!, ins[2]!, out);
      return;
    }
    const sums = Float64Array.from(ins[0]!);
    put(ins[1]!, ins[2]!, sums);
    out.set(sums);
  };
};

/** Position of a window in a tensor of `shape`, from the scalars that say where it begins. */
function beginning(shape: Shape, window: Shape): (starts: readonly TypedArray[], first: number) => number {
  const strides = stridesOf(shape);
  const limits = shape.map((n, axis) => n - window[axis]!);
  return (starts, first) => {
    let begin = 0;
    for (let axis = 0; axis < limits.length; axis++) {
      const start = starts[first + axis]![0]!;
      begin += Math.min(Math.max(start, 0), limits[axis]!) * strides[axis]!;
    }
    return begin;
  };
}

const moveWindow = (dtype: DType, window: Shape, from: Shape, to: Shape): Mover =>
  stridedMove(dtype, window, stridesOf(from), stridesOf(to));

/** `out[i] = x[start + i]`, the start clamped. */
export const dynamicSlice: Lower<{ readonly sliceSizes: readonly number[] }> = (ins, _outs, { sliceSizes }) => {
  const x = ins[0]!;
  const begin = beginning(x.shape, sliceSizes);
  const move = moveWindow(x.dtype, sliceSizes, x.shape, sliceSizes);
  return (ins, outs) => move(ins[0]!, begin(ins, 1), outs[0]!, 0);
};

/** `out[start + i] = update[i]`, the start clamped; elsewhere the operand. */
export const dynamicUpdateSlice: Lower<unknown> = (ins): Kernel => {
  const [x, update] = [ins[0]!, ins[1]!];
  const begin = beginning(x.shape, update.shape);
  const move = moveWindow(x.dtype, update.shape, update.shape, x.shape);
  return (ins, outs) => {
    outs[0]!.set(ins[0]!);
    move(ins[1]!, 0, outs[0]!, begin(ins, 2));
  };
};
