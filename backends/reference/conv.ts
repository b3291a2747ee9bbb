/**
 * `conv_general_dilated`: for each group a matrix product of windows and taps, `out[window, o] = Σₖ lhs[window + k] · rhs[o, k]`,
 * in which the windows are never written down.
 *
 * A few images at a time are copied to memory with all zeros in place, between elements and around them, so that every place
 * exists and lies at an offset of the window plus an offset of the tap, both from tables. Of an operand with holes every window meets
 * elements with some of the taps only; windows that meet them with the same ones are a phase, and multiply no hole. Taps are packed in panels of four outputs,
 * and a tile of 4 × 4 accumulators reads the windows through the tables. It runs over blocks of taps, that stay in the cache, and
 * accumulates in double all the way: a result is rounded once.
 */

import type { Aval } from '../../src/core/aval.ts';
import { isFloat, type TypedArray } from '../../src/core/dtype.ts';
import { range, sizeOf, stridesOf } from '../../src/core/shape.ts';
import type { Kernel, Lower } from './kernel.ts';
import { scratch } from './scratch.ts';
import { type Mover, stridedMove } from './strided.ts';

/** Params of `conv_general_dilated`; specs are (batch, feature, …spatial), of `rhs` (output, input, …spatial). */
export interface ConvParams {
  readonly windowStrides: readonly number[];
  readonly paddingLow: readonly number[];
  readonly paddingHigh: readonly number[];
  readonly lhsDilation: readonly number[];
  readonly rhsDilation: readonly number[];
  readonly lhsSpec: readonly number[];
  readonly rhsSpec: readonly number[];
  readonly outSpec: readonly number[];
  readonly featureGroupCount: number;
  readonly batchGroupCount: number;
}

/** The sums of one entry of each list, in row-major order. */
const offsets = (lists: readonly (readonly number[])[]): Int32Array =>
  lists.reduce((all, list) => {
    const next = new Int32Array(all.length * list.length);
    all.forEach((offset, i) => {
      for (let j = 0; j < list.length; j++) next[i * list.length + j] = offset + list[j]!;
    });
    return next;
  }, new Int32Array(1));

/** Windows that meet the elements between the holes of a dilated operand with the same taps; without dilation all of them. */
interface Phase {
  /** Of the windows of the images that are worked on together: where they begin, and where their results are. */
  readonly windows: Int32Array;
  readonly results: Int32Array;
  /** Of the taps that meet elements: how far from the beginning of a window, and where in `rhs`. */
  readonly taps: Int32Array;
  readonly weights: Int32Array;
}

/** The windows and taps of one axis whose places differ by whole steps from element to element of the operand. */
function phasesOf(windows: number, taps: number, stride: number, dilation: number, low: number, step: number) {
  const rest = (x: number): number => ((x % step) + step) % step;
  return Array.from({ length: step }, (_, phase) => ({
    windows: range(windows).filter((w) => rest(w * stride) === phase),
    taps: range(taps).filter((k) => rest(phase + k * dilation - low) === 0),
  })).filter((phase) => phase.windows.length > 0);
}

/** A convolution as its kernel runs it. */
interface Plan {
  readonly groups: number;
  readonly images: number;
  readonly outputs: number;
  /** From group to group: in `lhs`, in `rhs` and in the result. */
  readonly lhsGroup: number;
  readonly rhsGroup: number;
  readonly outGroup: number;
  /** From image to image, in `lhs` and in the result; from output to output, in `rhs` and in the result. */
  readonly lhsImage: number;
  readonly outImage: number;
  readonly rhsOutput: number;
  readonly outOutput: number;
  /** Copies one image of one group to where its first place is. */
  readonly copy: Mover;
  readonly first: number;
  readonly lhsFirst: number;
  readonly holes: boolean;
  /** The size of an image with its zeros, and how many are worked on together. */
  readonly imageSize: number;
  readonly together: number;
  readonly phases: readonly Phase[];
}

/** Elements of the images that are worked on together. */
const imageBlock = 1 << 15;

/** @param skip - whether zeros between elements are not multiplied */
function plan(lhs: Aval, rhs: Aval, out: Aval, p: ConvParams, skip: boolean): Plan {
  const ordered = (x: Aval, spec: readonly number[]) => {
    const strides = stridesOf(x.shape);
    return [spec.map((axis) => x.shape[axis]!), spec.map((axis) => strides[axis]!)] as const;
  };
  const [[batch, , ...lengths], [lhsBatch, lhsFeature, ...lhsStrides]] = ordered(lhs, p.lhsSpec) as [
    number[],
    number[],
  ];
  const [[allOutputs, features, ...kernel], [rhsOutput, rhsFeature, ...rhsStrides]] = ordered(rhs, p.rhsSpec) as [
    number[],
    number[],
  ];
  const [[images, , ...counts], [outBatch, outFeature, ...outStrides]] = ordered(out, p.outSpec) as [
    number[],
    number[],
  ];
  const groups = p.featureGroupCount * p.batchGroupCount;
  const outputs = allOutputs! / groups;

  const whole = lengths.map(
    (n, i) => (n === 0 ? 0 : (n - 1) * p.lhsDilation[i]! + 1) + p.paddingLow[i]! + p.paddingHigh[i]!,
  );
  const places = stridesOf([features!, ...whole]);
  const [feature, ...steps] = places as [number, ...number[]];
  // Elements from `from` on, `kept` of them, are inside; what negative padding cuts is not.
  const from = lengths.map((_, i) => Math.max(0, Math.ceil(-p.paddingLow[i]! / p.lhsDilation[i]!)));
  const kept = lengths.map((n, i) => {
    const last = Math.floor((whole[i]! - 1 - p.paddingLow[i]!) / p.lhsDilation[i]!);
    return Math.max(0, Math.min(n - 1, last) - from[i]! + 1);
  });
  const dot = (xs: readonly number[], ys: readonly number[]): number => xs.reduce((sum, x, i) => sum + x * ys[i]!, 0);
  const imageSize = features! * sizeOf(whole);
  const together = Math.max(1, Math.min(images!, Math.floor(imageBlock / Math.max(imageSize, sizeOf(counts), 1))));
  const windowSteps = steps.map((step, i) => step * p.windowStrides[i]!);
  const tapSteps = steps.map((step, i) => step * p.rhsDilation[i]!);
  const multiples = (indices: readonly number[], step: number): readonly number[] => indices.map((i) => i * step);
  const axes = lengths.map((_, i) =>
    phasesOf(
      counts[i]!,
      kernel[i]!,
      p.windowStrides[i]!,
      p.rhsDilation[i]!,
      p.paddingLow[i]!,
      skip ? p.lhsDilation[i]! : 1,
    ),
  );
  const phases = axes
    .reduce<readonly (typeof axes)[number][]>(
      (all, axis) => all.flatMap((picked) => axis.map((one) => [...picked, one])),
      [[]],
    )
    .map((picked): Phase => {
      const windowsAlong = (first: number, steps: readonly number[]) =>
        offsets([multiples(range(together), first), ...picked.map((one, i) => multiples(one.windows, steps[i]!))]);
      const tapsAlong = (first: number, steps: readonly number[]) =>
        offsets([multiples(range(features!), first), ...picked.map((one, i) => multiples(one.taps, steps[i]!))]);
      return {
        windows: windowsAlong(imageSize, windowSteps),
        results: windowsAlong(outBatch!, outStrides),
        taps: tapsAlong(feature, tapSteps),
        weights: tapsAlong(rhsFeature!, rhsStrides),
      };
    });
  return {
    groups,
    images: images!,
    outputs,
    lhsGroup: p.featureGroupCount > 1 ? features! * lhsFeature! : (batch! / groups) * lhsBatch!,
    rhsGroup: outputs * rhsOutput!,
    outGroup: outputs * outFeature!,
    lhsImage: lhsBatch!,
    outImage: outBatch!,
    rhsOutput: rhsOutput!,
    outOutput: outFeature!,
    copy: stridedMove(
      lhs.dtype,
      [features!, ...kept],
      [lhsFeature!, ...lhsStrides],
      [feature, ...steps.map((step, i) => step * p.lhsDilation[i]!)],
    ),
    first: dot(
      steps,
      from.map((f, i) => f * p.lhsDilation[i]! + p.paddingLow[i]!),
    ),
    lhsFirst: dot(lhsStrides, from),
    holes: sizeOf(kept) < sizeOf(whole),
    imageSize,
    together,
    phases,
  };
}

/** The sum of products of each window with the taps; of nothing 0. Floats accumulate in double, integers wrap. */
export const convGeneralDilated: Lower<ConvParams> = (ins, outs, params) => {
  if (outs[0]!.size === 0) return () => {};
  if (ins[0]!.size === 0 || ins[1]!.size === 0) return (_ins, [out]) => void out!.fill(0);
  const planned = (skip: boolean): Plan => plan(ins[0]!, ins[1]!, outs[0]!, params, skip);
  if (!isFloat(ins[0]!.dtype)) return wordKernel(planned(true));
  const quick = floatKernel(planned(true));
  if (params.lhsDilation.every((dilation) => dilation === 1)) return quick;
  // Zero times a tap that is infinite or NaN is NaN, and must not be skipped.
  let whole: Kernel | null = null;
  return (operands, results) => {
    if (operands[1]!.every(Number.isFinite)) return quick(operands, results);
    whole ??= floatKernel(planned(false));
    whole(operands, results);
  };
};

/** Images of one group, from `image` on, with their zeros, at `at` of `to`, which holds zeros. */
function load(c: Plan, lhs: TypedArray, group: number, image: number, count: number, to: TypedArray, at: number): void {
  for (let i = 0; i < count; i++) {
    const source = group * c.lhsGroup + (image + i) * c.lhsImage + c.lhsFirst;
    c.copy(lhs, source, to, at + i * c.imageSize + c.first);
  }
}

const wordKernel =
  (c: Plan): Kernel =>
  ([lhs, rhs], [out]) => {
    const places = new Int32Array(c.together * c.imageSize);
    for (let group = 0; group < c.groups; group++) {
      for (let image = 0; image < c.images; image += c.together) {
        const count = Math.min(c.together, c.images - image);
        load(c, lhs!, group, image, count, places, 0);
        for (let output = 0; output < c.outputs; output++) {
          const w = group * c.rhsGroup + output * c.rhsOutput;
          const at = group * c.outGroup + image * c.outImage + output * c.outOutput;
          for (const { windows, results, taps, weights } of c.phases) {
            const present = (count * windows.length) / c.together;
            for (let m = 0; m < present; m++) {
              let sum = 0;
              for (let k = 0; k < taps.length; k++) {
                sum = (sum + Math.imul(places[windows[m]! + taps[k]!]!, rhs![w + weights[k]!]!)) | 0;
              }
              out![at + results[m]!] = sum;
            }
          }
        }
      }
    }
  };

/** Windows and outputs of a register tile. */
const side = 4;
/** Taps and windows that are worked on together. */
const tapBlock = 512;
const windowBlock = 256;

/**
 * Memory: the panels of taps, `panel[k * 4 + output % 4]`; the images; and 4 × 4 accumulators for each tile of a block of windows.
 */
function floatKernel(c: Plan): Kernel {
  const { phases, outputs } = c;
  const panels = Math.ceil(outputs / side);
  const imagesAt = phases.reduce((sum, { taps }) => sum + taps.length, 0) * panels * side;
  const sumsAt = imagesAt + c.together * c.imageSize;
  const tiles = Math.ceil(Math.min(windowBlock, Math.max(...phases.map(({ windows }) => windows.length))) / side);
  const size = sumsAt + panels * tiles * side * side;
  return ([lhs, rhs], [out]) => {
    const memory = scratch(size);
    if (c.holes) memory.fill(0, imagesAt, sumsAt);
    for (let group = 0; group < c.groups; group++) {
      let packed = 0;
      for (const { weights } of phases) {
        packTaps(memory, packed, rhs!, group * c.rhsGroup, c.rhsOutput, weights, outputs);
        packed += weights.length * panels * side;
      }
      for (let image = 0; image < c.images; image += c.together) {
        const count = Math.min(c.together, c.images - image);
        load(c, lhs!, group, image, count, memory, imagesAt);
        const at = group * c.outGroup + image * c.outImage;
        let panelsAt = 0;
        for (const phase of phases) {
          multiply(c, phase, memory, { count, panelsAt, imagesAt, sumsAt, size, tiles }, out!, at);
          panelsAt += phase.taps.length * panels * side;
        }
      }
    }
  };
}

/** Where things are in the memory, and how many images there are. */
interface Places {
  readonly count: number;
  readonly panelsAt: number;
  readonly imagesAt: number;
  readonly sumsAt: number;
  readonly size: number;
  readonly tiles: number;
}

/** The windows of one phase with its taps. */
function multiply(c: Plan, phase: Phase, memory: Float64Array, places: Places, out: TypedArray, at: number): void {
  const { outputs } = c;
  const { windows, results, taps } = phase;
  const { count, panelsAt, imagesAt, sumsAt, size, tiles } = places;
  const terms = taps.length;
  const panels = Math.ceil(outputs / side);
  const present = (count * windows.length) / c.together;
  for (let m0 = 0; m0 < present; m0 += windowBlock) {
    const m1 = Math.min(m0 + windowBlock, present);
    memory.fill(0, sumsAt, size);
    for (let k = 0; k < terms; k += tapBlock) {
      const k1 = Math.min(k + tapBlock, terms);
      for (let j = 0; j < panels; j++) {
        const single = outputs - j * side === 1;
        const panel = panelsAt + j * terms * side;
        for (let m = m0, sums = sumsAt + j * tiles * side * side; m < m1; m += side, sums += side * side) {
          const last = m1 - 1;
          const p0 = imagesAt + windows[m]!;
          const p1 = imagesAt + windows[Math.min(m + 1, last)]!;
          const p2 = imagesAt + windows[Math.min(m + 2, last)]!;
          const p3 = imagesAt + windows[Math.min(m + 3, last)]!;
          (single ? column : tile)(memory, p0, p1, p2, p3, taps, k, k1, panel, sums);
        }
      }
    }
    for (let o = 0; o < outputs; o++) {
      const sums = sumsAt + (o >> 2) * tiles * side * side + (o & 3);
      const to = at + o * c.outOutput;
      for (let m = m0, s = sums; m < m1; m++, s += side) out[to + results[m]!] = memory[s]!;
    }
  }
}

function packTaps(
  to: Float64Array,
  at: number,
  from: TypedArray,
  offset: number,
  step: number,
  weights: Int32Array,
  outputs: number,
): void {
  const terms = weights.length;
  for (let output = 0; output < Math.ceil(outputs / side) * side; output++) {
    let q = at + (output - (output % side)) * terms + (output % side);
    const p = offset + output * step;
    const present = output < outputs;
    for (let k = 0; k < terms; k++, q += side) to[q] = present ? from[p + weights[k]!]! : 0;
  }
}

/** Adds to the 4 × 4 sums at `at` the products of four windows with the taps `k` to `end` of a panel. */
function tile(
  memory: Float64Array,
  p0: number,
  p1: number,
  p2: number,
  p3: number,
  taps: Int32Array,
  begin: number,
  end: number,
  panel: number,
  at: number,
): void {
  let [c00, c01, c02, c03] = [memory[at]!, memory[at + 1]!, memory[at + 2]!, memory[at + 3]!];
  let [c10, c11, c12, c13] = [memory[at + 4]!, memory[at + 5]!, memory[at + 6]!, memory[at + 7]!];
  let [c20, c21, c22, c23] = [memory[at + 8]!, memory[at + 9]!, memory[at + 10]!, memory[at + 11]!];
  let [c30, c31, c32, c33] = [memory[at + 12]!, memory[at + 13]!, memory[at + 14]!, memory[at + 15]!];
  let q = panel + begin * side;
  for (let k = begin; k < end; k++) {
    const tap = taps[k]!;
    const b0 = memory[q]!;
    const b1 = memory[q + 1]!;
    const b2 = memory[q + 2]!;
    const b3 = memory[q + 3]!;
    const a0 = memory[p0 + tap]!;
    c00 += a0 * b0;
    c01 += a0 * b1;
    c02 += a0 * b2;
    c03 += a0 * b3;
    const a1 = memory[p1 + tap]!;
    c10 += a1 * b0;
    c11 += a1 * b1;
    c12 += a1 * b2;
    c13 += a1 * b3;
    const a2 = memory[p2 + tap]!;
    c20 += a2 * b0;
    c21 += a2 * b1;
    c22 += a2 * b2;
    c23 += a2 * b3;
    const a3 = memory[p3 + tap]!;
    c30 += a3 * b0;
    c31 += a3 * b1;
    c32 += a3 * b2;
    c33 += a3 * b3;
    q += side;
  }
  memory[at] = c00;
  memory[at + 1] = c01;
  memory[at + 2] = c02;
  memory[at + 3] = c03;
  memory[at + 4] = c10;
  memory[at + 5] = c11;
  memory[at + 6] = c12;
  memory[at + 7] = c13;
  memory[at + 8] = c20;
  memory[at + 9] = c21;
  memory[at + 10] = c22;
  memory[at + 11] = c23;
  memory[at + 12] = c30;
  memory[at + 13] = c31;
  memory[at + 14] = c32;
  memory[at + 15] = c33;
}

/** {@link tile} for a panel that has one output only. */
function column(
  memory: Float64Array,
  p0: number,
  p1: number,
  p2: number,
  p3: number,
  taps: Int32Array,
  begin: number,
  end: number,
  panel: number,
  at: number,
): void {
  let [c0, c1, c2, c3] = [memory[at]!, memory[at + 4]!, memory[at + 8]!, memory[at + 12]!];
  for (let k = begin; k < end; k++) {
    const tap = taps[k]!;
    const b = memory[panel + k * side]!;
    c0 += memory[p0 + tap]! * b;
    c1 += memory[p1 + tap]! * b;
    c2 += memory[p2 + tap]! * b;
    c3 += memory[p3 + tap]! * b;
  }
  memory[at] = c0;
  memory[at + 4] = c1;
  memory[at + 8] = c2;
  memory[at + 12] = c3;
}
