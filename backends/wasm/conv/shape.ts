/**
 * What a convolution is: extents, strides, and for each spatial axis how its windows go. And how one with zeros between the elements of
 * `lhs` is several without: a window meets such a zero or an element according to its place modulo the dilation, so that the windows
 * of each residue are a convolution with some of the taps.
 */

import type { Code } from '../code/instructions.ts';
import type { Element } from '../gemm/arithmetic.ts';
import type { Epilogue } from '../gemm/plan.ts';

/** A spatial axis: window o meets with tap k what lies at the place o·stride + k·rhsDilation − padLow of `lhs` as dilated. */
export interface SpatialAxis {
  readonly in: number;
  readonly out: number;
  readonly window: number;
  readonly stride: number;
  readonly padLow: number;
  readonly lhsDilation: number;
  readonly rhsDilation: number;
}

/** From element to element, of batch (of `rhs`: output feature), feature (of `rhs`: input feature) and each spatial axis. */
export interface ConvStrides {
  readonly batch: number;
  readonly feature: number;
  readonly spatial: readonly number[];
}

export interface ConvShape {
  readonly dtype: Element;
  /** Images in `lhs`; the result has as many, divided by `batchGroups`. */
  readonly batch: number;
  /** All features of `lhs`, all of the result. */
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** `featureGroupCount` and `batchGroupCount`. */
  readonly groups: number;
  readonly batchGroups: number;
  readonly spatial: readonly SpatialAxis[];
  readonly lhs: ConvStrides;
  /** `batch` is the stride of output features, `feature` that of input features. */
  readonly rhs: ConvStrides;
  readonly out: ConvStrides;
  readonly relaxed: boolean;
  /** Code that runs on finished images of the result, from `imageFrom` to `imageTo`, and on the output features from `featureFrom`. */
  readonly epilogue: Epilogue<ConvBlock> | null;
}

export interface ConvBlock {
  readonly imageFrom: Code;
  readonly imageTo: Code;
  readonly featureFrom: Code;
  readonly featureTo: Code;
}

/** A convolution of one group at a time, without zeros between elements; offsets in elements from the beginnings of the operands. */
export interface Plain {
  readonly dtype: Element;
  readonly relaxed: boolean;
  readonly groups: number;
  /** Images, input features and output features of a group. */
  readonly images: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly spatial: readonly Omit<SpatialAxis, 'lhsDilation'>[];
  readonly lhs: ConvStrides & { readonly group: number };
  readonly rhs: ConvStrides & { readonly group: number; readonly first: number };
  readonly out: ConvStrides & { readonly group: number; readonly first: number };
  /** Taps of each axis that these windows meet: from the first on, each so many further. */
  readonly taps: readonly { readonly first: number; readonly step: number }[];
}

const greatest = (a: number, b: number): number => (b === 0 ? a : greatest(b, a % b));
const modulo = (x: number, n: number): number => ((x % n) + n) % n;

/** The windows of an axis with one residue: o = first + q·step, and the taps that meet elements. */
interface Phase {
  readonly axis: Omit<SpatialAxis, 'lhsDilation'>;
  readonly out: { readonly first: number; readonly step: number };
  readonly taps: { readonly first: number; readonly step: number };
}

/**
 * With o = r + q·D and k = κ + t·T the place o·s + k·ρ − low is a multiple of the dilation d, whatever q and t, if D·s and T·ρ are
 * multiples of it and r·s + κ·ρ − low is one.
 */
function phases({ in: length, out, window, stride, padLow, lhsDilation: d, rhsDilation }: SpatialAxis): Phase[] {
  const outStep = d / greatest(stride, d);
  const tapStep = d / greatest(rhsDilation, d);
  return Array.from({ length: Math.min(outStep, out) }, (_, r) => {
    const place = (k: number): number => r * stride + k * rhsDilation - padLow;
    let first = 0;
    while (first < Math.min(tapStep, window) && modulo(place(first), d) !== 0) first += 1;
    const meets = first < Math.min(tapStep, window);
    return {
      axis: {
        in: length,
        out: Math.ceil((out - r) / outStep),
        window: meets ? Math.ceil((window - first) / tapStep) : 0,
        stride: (outStep * stride) / d,
        padLow: meets ? -place(first) / d : 0,
        rhsDilation: (tapStep * rhsDilation) / d,
      },
      out: { first: r, step: outStep },
      taps: { first, step: tapStep },
    };
  });
}

const dot = (xs: readonly number[], ys: readonly number[]): number => xs.reduce((sum, x, i) => sum + x * ys[i]!, 0);

/** The convolutions without zeros between elements that a convolution consists of: one for each residue of its windows. */
export function plainParts(x: ConvShape): Plain[] {
  const all = x.spatial.reduce<Phase[][]>(
    (lists, axis) => lists.flatMap((list) => phases(axis).map((phase) => [...list, phase])),
    [[]],
  );
  const groups = x.groups * x.batchGroups;
  // Where an axis has no elements there are no terms, whatever is around it.
  const inputs = x.spatial.some((axis) => axis.in === 0) ? 0 : x.inFeatures / x.groups;
  const [images, outputs] = [x.batch / x.batchGroups, x.outFeatures / groups];
  return all.map((list) => ({
    dtype: x.dtype,
    relaxed: x.relaxed,
    groups,
    images,
    inputs,
    outputs,
    spatial: list.map(({ axis }) => axis),
    lhs: { ...x.lhs, group: x.batchGroups > 1 ? images * x.lhs.batch : inputs * x.lhs.feature },
    rhs: {
      ...x.rhs,
      spatial: x.rhs.spatial.map((stride, i) => stride * list[i]!.taps.step),
      group: outputs * x.rhs.batch,
      first: dot(
        x.rhs.spatial,
        list.map(({ taps }) => taps.first),
      ),
    },
    out: {
      ...x.out,
      spatial: x.out.spatial.map((stride, i) => stride * list[i]!.out.step),
      group: outputs * x.out.feature,
      first: dot(
        x.out.spatial,
        list.map(({ out }) => out.first),
      ),
    },
    taps: list.map(({ taps }) => taps),
  }));
}

/** The places of an axis from the first tap of the first window to the last of the last, beginning `padLow` before the elements. */
export const extentOf = ({ out, window, stride, rhsDilation }: Plain['spatial'][number]): number =>
  window === 0 ? 0 : (out - 1) * stride + (window - 1) * rhsDilation + 1;

/** Whether all taps of all windows meet elements. */
export const isInside = (p: Plain): boolean =>
  p.spatial.every((axis) => axis.window === 0 || (axis.padLow <= 0 && extentOf(axis) - axis.padLow <= axis.in));
