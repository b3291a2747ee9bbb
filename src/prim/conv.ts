/**
 * `conv_general_dilated`: convolution of any number of spatial axes, with StableHLO's meaning.
 *
 * On each spatial axis there are `lhsDilation` − 1 zeros between elements of `lhs` and zeros before and after them (negative
 * padding cuts, zeros between too); window o meets, at the places o·stride + k·rhsDilation, the taps k of `rhs`, which is
 * not flipped. The zeros are multiplied as elements are: a NaN in `rhs` reaches windows over padding. Feature groups divide the
 * features of `lhs`, batch groups its batch; both divide the output features of `rhs`, and group meets group.
 *
 * The three specs name the axes as JAX's `ConvDimensionNumbers` does: of `lhs` (batch, feature, …spatial), of `rhs` (output
 * feature, input feature, …spatial), of the result (batch, feature, …spatial).
 */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { int, ints } from '../core/params.ts';
import { type BatchDim, type Hole, isHole, type Primitive } from '../core/primitive.ts';
import { inserted, range, type Shape, sameShape, without } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { zeros } from './compose.ts';
import { allWeak, expectCount, expectKind, known, productTangent } from './define.ts';
import { moveAxis, reshape, rev } from './structural.ts';
import { dilated } from './window.ts';

const convParams = t.readonly(
  t.strict({
    windowStrides: ints,
    paddingLow: ints,
    paddingHigh: ints,
    lhsDilation: ints,
    rhsDilation: ints,
    lhsSpec: ints,
    rhsSpec: ints,
    outSpec: ints,
    featureGroupCount: int,
    batchGroupCount: int,
  }),
);

/** How a convolution goes: an entry for each spatial axis, which axis is what, and the groups. */
export type ConvParams = t.TypeOf<typeof convParams>;

/** The lengths of `shape` at the axes of a spec. */
export const pick = (shape: Shape, spec: readonly number[]): number[] => spec.map((axis) => shape[axis]!);

const refused = (lhs: Aval, rhs: Aval, problem: string, remedy: string): ShapeError =>
  new ShapeError({
    op: 'conv_general_dilated',
    problem: `cannot convolve ${showAval(lhs)} with ${showAval(rhs)}: ${problem}`,
    remedy,
  });

/** @throws ShapeError unless specs and lists have an entry for each axis and no length is negative */
function expectGeometry(lhs: Aval, rhs: Aval, p: ConvParams): void {
  const ndim = lhs.shape.length;
  if (ndim < 2 || rhs.shape.length !== ndim) {
    throw refused(lhs, rhs, 'ranks', 'both need two axes (batch and features, features) and equally many spatial ones');
  }
  const specs = [p.lhsSpec, p.rhsSpec, p.outSpec];
  const isSpec = (spec: readonly number[]): boolean =>
    sameShape(
      [...spec].sort((a, b) => a - b),
      range(ndim),
    );
  if (!specs.every(isSpec)) {
    const shown = specs.map((spec) => `(${spec.join()})`).join(', ');
    throw refused(lhs, rhs, `dimension numbers ${shown}`, `each names the axes 0 to ${ndim - 1} once`);
  }
  const positive = [p.windowStrides, p.lhsDilation, p.rhsDilation];
  const complete = [...positive, p.paddingLow, p.paddingHigh].every((list) => list.length === ndim - 2);
  if (!complete || positive.some((list) => list.some((n) => n < 1)) || padded(lhs, p).some((n) => n < 0)) {
    const pairs = p.paddingLow.map((low, i) => `[${low},${p.paddingHigh[i]}]`).join();
    throw refused(
      lhs,
      rhs,
      `strides (${p.windowStrides.join()}), padding (${pairs}), dilations (${p.lhsDilation.join()}) and (${p.rhsDilation.join()})`,
      'give one entry for each spatial axis, all but paddings at least 1, cutting no more than there is',
    );
  }
}

/** @throws ShapeError unless features meet and groups divide what they divide */
function expectGroups(lhs: Aval, rhs: Aval, p: ConvParams): void {
  const { featureGroupCount, batchGroupCount } = p;
  if (featureGroupCount < 1 || batchGroupCount < 1 || (featureGroupCount > 1 && batchGroupCount > 1)) {
    const counts = `${featureGroupCount} feature groups and ${batchGroupCount} batch groups`;
    throw refused(lhs, rhs, counts, 'use at least 1 of each, and more than 1 of one kind only');
  }
  const [batch, features] = pick(lhs.shape, p.lhsSpec) as [number, number];
  const [outputs, inputs] = pick(rhs.shape, p.rhsSpec) as [number, number];
  if (features !== inputs * featureGroupCount) {
    const groups = featureGroupCount > 1 ? ` in each of ${featureGroupCount} groups` : '';
    throw refused(
      lhs,
      rhs,
      `${features} features meet ${inputs}${groups}`,
      'check the dimension numbers and the groups',
    );
  }
  if (batch % batchGroupCount !== 0 || outputs % (featureGroupCount * batchGroupCount) !== 0) {
    const kind = batchGroupCount > 1 ? `${batchGroupCount} batch` : `${featureGroupCount} feature`;
    throw refused(
      lhs,
      rhs,
      `${kind} groups do not divide a batch of ${batch} and ${outputs} output features`,
      'groups divide the output features evenly, batch groups the batch too',
    );
  }
}

/** The lengths of the spatial axes of `lhs` with the zeros between, before and after. */
export const padded = (lhs: { readonly shape: Shape }, p: ConvParams): number[] =>
  pick(lhs.shape, p.lhsSpec.slice(2)).map(
    (n, i) => dilated(n, p.lhsDilation[i]!) + p.paddingLow[i]! + p.paddingHigh[i]!,
  );

function convAval(ins: readonly Aval[], p: ConvParams): Aval {
  expectCount('conv_general_dilated', 2, ins);
  const [lhs, rhs] = ins as readonly [Aval, Aval];
  expectKind('conv_general_dilated', 'number', lhs);
  if (lhs.dtype !== rhs.dtype) {
    throw new DTypeError({
      op: 'conv_general_dilated',
      problem: `operands must have equal dtypes, got ${showAval(lhs)} and ${showAval(rhs)}`,
      remedy: 'cast one of them with np.astype',
    });
  }
  expectGeometry(lhs, rhs, p);
  expectGroups(lhs, rhs, p);
  const taps = pick(rhs.shape, p.rhsSpec.slice(2));
  const windows = padded(lhs, p).map((n, i) => {
    const extent = dilated(taps[i]!, p.rhsDilation[i]!);
    return n === 0 || n < extent ? 0 : Math.floor((n - extent) / p.windowStrides[i]!) + 1;
  });
  const lengths = [lhs.shape[p.lhsSpec[0]!]! / p.batchGroupCount, rhs.shape[p.rhsSpec[0]!]!, ...windows];
  const shape = new Array<number>(lengths.length);
  p.outSpec.forEach((axis, i) => {
    shape[axis] = lengths[i]!;
  });
  return makeAval(shape, lhs.dtype, allWeak(ins));
}

/** Axis `axis` as two, of which the first has length `count`. */
const splitAxis = (x: Value, axis: number, count: number): Value =>
  reshape(x, [...x.shape.slice(0, axis), count, x.shape[axis]! / count, ...x.shape.slice(axis + 1)]);

/** Axes `axis` and `axis + 1` as one. */
const joinAxes = (x: Value, axis: number): Value =>
  reshape(x, [...x.shape.slice(0, axis), x.shape[axis]! * x.shape[axis + 1]!, ...x.shape.slice(axis + 2)]);

/** Axis `dim` becomes part of axis `axis` of the rest, between its `groups` and what is in them. */
function mergeAxis(x: Value, dim: number, axis: number, groups = 1): Value {
  const beside = moveAxis(x, dim, axis);
  if (groups === 1) return joinAxes(beside, axis);
  return joinAxes(joinAxes(moveAxis(splitAxis(beside, axis + 1, groups), axis, axis + 1), axis), axis);
}

/** Undoes {@link mergeAxis}, leaving the batch in front. */
function unmergeAxis(x: Value, axis: number, size: number, groups = 1): Value {
  if (groups === 1) return moveAxis(splitAxis(x, axis, size), axis, 0);
  const parts = splitAxis(splitAxis(x, axis, groups), axis + 1, size);
  return joinAxes(moveAxis(parts, axis + 1, 0), axis + 1);
}

/** The number of groups, of whichever kind. */
const groupsOf = (p: ConvParams): number => p.featureGroupCount * p.batchGroupCount;

/** A spec with its first two axes exchanged: batch and features, output and input features. */
const exchanged = ([a, b, ...spatial]: readonly number[]): number[] => [b!, a!, ...spatial];

/**
 * The cotangent of `lhs`: `ct` convolved with the taps of `rhs` in the opposite order.
 *
 * Element p (dilated) and tap k meet in window o where o·s + k·r = p·d + low. Read from p, with k' = K − 1 − k, that is
 * o·s + (K − 1)·r − low = p·d + k'·r: windows with stride d over a `ct` that is dilated by s and padded by (K − 1)·r − low, and after
 * it by what makes it as long as the windows of all p reach. Input and output features change places within each group; so
 * do, for batch groups, groups of the features and of the batch.
 */
function transposeLhs(ct: Value, lhs: Aval, rhs: Value, p: ConvParams): Value {
  const groups = groupsOf(p);
  const [outputs, inputs] = p.rhsSpec as [number, number];
  const spatial = p.rhsSpec.slice(2);
  const lengths = pick(lhs.shape, p.lhsSpec.slice(2));
  const windows = pick(ct.shape, p.outSpec.slice(2));
  const reach = pick(rhs.shape, spatial).map((n, i) => dilated(n, p.rhsDilation[i]!) - 1);
  const paddingLow = reach.map((n, i) => n - p.paddingLow[i]!);
  const taps = rev(rhs, spatial);
  // [groups·outputs, inputs] → [outputs, groups·inputs]
  const turned = groups === 1 ? taps : mergeAxis(splitAxis(taps, outputs, groups), outputs, inputs);
  const out = convGeneralDilated(ct, turned, {
    windowStrides: p.lhsDilation,
    paddingLow,
    paddingHigh: reach.map(
      (n, i) =>
        dilated(lengths[i]!, p.lhsDilation[i]!) + n - dilated(windows[i]!, p.windowStrides[i]!) - paddingLow[i]!,
    ),
    lhsDilation: p.windowStrides,
    rhsDilation: p.rhsDilation,
    lhsSpec: p.outSpec,
    rhsSpec: exchanged(p.rhsSpec),
    outSpec: p.lhsSpec,
    featureGroupCount: groups,
    batchGroupCount: 1,
  });
  if (p.batchGroupCount === 1) return out;
  const [batch, features] = p.lhsSpec as [number, number];
  // The groups, split off the features, stand at `features`; the batch that they join is counted without them.
  return mergeAxis(splitAxis(out, features, groups), features, batch);
}

/**
 * The cotangent of `rhs`: `lhs` convolved with `ct`, its windows as taps.
 *
 * Tap k collects o·s + k·r = p·d + low: windows with stride r, of taps o that are s apart, over `lhs` as it was dilated and padded. Its
 * end is cut, or padded, so that there are as many windows as taps. Batch and features change places: what was summed over
 * the features of a group is now summed over its batch, and groups of one kind become groups of the other.
 */
function transposeRhs(ct: Value, lhs: Value, rhs: Aval, p: ConvParams): Value {
  const lengths = pick(lhs.shape, p.lhsSpec.slice(2));
  const taps = pick(rhs.shape, p.rhsSpec.slice(2));
  const windows = pick(ct.shape, p.outSpec.slice(2));
  return convGeneralDilated(lhs, ct, {
    windowStrides: p.rhsDilation,
    paddingLow: p.paddingLow,
    paddingHigh: lengths.map((n, i) => {
      const needed = dilated(windows[i]!, p.windowStrides[i]!) + dilated(taps[i]!, p.rhsDilation[i]!) - 1;
      return needed - dilated(n, p.lhsDilation[i]!) - p.paddingLow[i]!;
    }),
    lhsDilation: p.lhsDilation,
    rhsDilation: p.windowStrides,
    lhsSpec: exchanged(p.lhsSpec),
    rhsSpec: exchanged(p.outSpec),
    outSpec: exchanged(p.rhsSpec),
    featureGroupCount: p.batchGroupCount,
    batchGroupCount: p.featureGroupCount,
  });
}

const laneOf = (x: Value, dim: BatchDim): Aval =>
  dim === null ? x.aval : makeAval(without(x.shape, [dim]), x.dtype, x.aval.weak);

export const convGeneralDilatedP: Primitive<'conv_general_dilated', ConvParams> = {
  name: 'conv_general_dilated',
  params: convParams,
  abstractEval: (ins, p) => [convAval(ins, p)],
  jvp: (primals, tangents, p) => ({
    outs: [convGeneralDilated(primals[0]!, primals[1]!, p)],
    tangents: [productTangent((x, y) => convGeneralDilated(x, y, p), primals, tangents)],
  }),
  transpose([ct], [lhs, rhs], p) {
    if (isHole(lhs!)) return [convAdjoint(ct!, lhs.aval, known('conv_general_dilated', rhs!), p), null];
    const { aval } = rhs as Hole;
    // Where anything is empty all sums are, and lengths may be too short for windows.
    const nothing = [ct!.aval, lhs!.aval, aval].some(({ size }) => size === 0);
    return [null, nothing ? zeros(aval) : transposeRhs(ct!, lhs!, aval, p)];
  },
  /*
   * A batch of `lhs` is a larger batch (inside of batch groups), a batch of `rhs` are more output features (inside of groups), and
   * a batch of both is so many times as many groups.
   */
  vmap(size, [lhs, rhs], [lhsDim, rhsDim], p) {
    if (size === 0) {
      const lane = convAval([laneOf(lhs!, lhsDim!), laneOf(rhs!, rhsDim!)], p);
      return { outs: [zeros(makeAval(inserted(lane.shape, 0, 0), lane.dtype, lane.weak))], dims: [0] };
    }
    const [batch, features] = p.lhsSpec as [number, number];
    const [outBatch, outFeatures] = p.outSpec as [number, number];
    const outputs = p.rhsSpec[0]!;
    if (lhsDim !== null && rhsDim !== null) {
      const grouped = p.batchGroupCount > 1;
      const out = convGeneralDilated(
        mergeAxis(lhs!, lhsDim!, grouped ? batch : features),
        mergeAxis(rhs!, rhsDim!, outputs),
        grouped
          ? { ...p, batchGroupCount: size * p.batchGroupCount }
          : { ...p, featureGroupCount: size * p.featureGroupCount },
      );
      return { outs: [unmergeAxis(out, outFeatures, size)], dims: [0] };
    }
    if (lhsDim !== null) {
      const out = convGeneralDilated(mergeAxis(lhs!, lhsDim!, batch, p.batchGroupCount), rhs!, p);
      return { outs: [unmergeAxis(out, outBatch, size)], dims: [0] };
    }
    const groups = groupsOf(p);
    const out = convGeneralDilated(lhs!, mergeAxis(rhs!, rhsDim!, outputs, groups), p);
    return { outs: [unmergeAxis(out, outFeatures, size, groups)], dims: [0] };
  },
};

/** The transpose of the convolution of an operand like `lhs` with `rhs`, applied to `ct`: what a gradient makes of a cotangent. */
export const convAdjoint = (ct: Value, lhs: Aval, rhs: Value, params: ConvParams): Value =>
  [ct.aval, lhs, rhs.aval].some(({ size }) => size === 0) ? zeros(lhs) : transposeLhs(ct, lhs, rhs, params);

/** The convolution of `lhs` with the taps `rhs`. */
export const convGeneralDilated = (lhs: Value, rhs: Value, params: ConvParams): Value =>
  bind1(convGeneralDilatedP, [lhs, rhs], params);
