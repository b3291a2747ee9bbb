/**
 * `gather`: windows of a tensor at places that are data, with StableHLO's dimension numbers, batching dimensions included.
 *
 * The last axis of the indices holds index vectors; the other axes number them. Each vector names where a window of
 * `sliceSizes` begins, and the windows stand in the result at the axes that the vectors leave. Batching dimensions pair an
 * axis of the operand with one of the indices, so that a batch of gathers is a gather again.
 */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { ints } from '../core/params.ts';
import type { Hole, Primitive } from '../core/primitive.ts';
import { range, sizeOf, without } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import {
  areAxes,
  type FillValue,
  fillCodec,
  type IndexMode,
  misaddressed,
  modeCodec,
  windowAxes,
} from './addressing.ts';
import { zeros } from './compose.ts';
import { expectCount, expectKind } from './define.ts';
import { scatterAdd } from './scatter.ts';
import { moveAxis, reshape } from './structural.ts';

/** Which axes of operand, indices and result belong together. */
export interface GatherDimensions {
  /** The axes of the result in which the windows lie, increasing. */
  readonly offsetDims: readonly number[];
  /** The axes of the operand that windows, one element long there, do not have; increasing. */
  readonly collapsedSliceDims: readonly number[];
  /** Entry k of an index vector is where the window begins on axis `startIndexMap[k]` of the operand. */
  readonly startIndexMap: readonly number[];
  /** The axes of the operand that are paired with axes of the indices; increasing. */
  readonly operandBatchingDims: readonly number[];
  /** The axes of the indices that they are paired with, in the same order. */
  readonly startIndicesBatchingDims: readonly number[];
}

/** The parameters of `gather`. */
export interface GatherParams extends GatherDimensions {
  /** The lengths of a window, on every axis of the operand. */
  readonly sliceSizes: readonly number[];
  readonly mode: IndexMode;
  readonly fillValue: FillValue;
}

const gatherParams: t.Type<GatherParams, unknown> = t.readonly(
  t.strict({
    offsetDims: ints,
    collapsedSliceDims: ints,
    startIndexMap: ints,
    operandBatchingDims: ints,
    startIndicesBatchingDims: ints,
    sliceSizes: ints,
    mode: modeCodec,
    fillValue: fillCodec,
  }),
);

function gatherAval(ins: readonly Aval[], p: GatherParams): Aval {
  expectCount('gather', 2, ins);
  const [x, indices] = ins as readonly [Aval, Aval];
  expectKind('gather', 'integer', indices);
  const rank = x.shape.length;
  const refuse = (why: string): ShapeError =>
    new ShapeError({
      op: 'gather',
      problem: `cannot gather windows [${p.sliceSizes.join(',')}] of ${showAval(x)} at ${showAval(indices)}: ${why}`,
      remedy: 'see the dimension numbers of StableHLO gather; np.take and np.index choose them',
    });
  const wrong = misaddressed({
    operand: x.shape,
    indices: indices.shape,
    indexed: p.startIndexMap,
    operandBatching: p.operandBatchingDims,
    indicesBatching: p.startIndicesBatchingDims,
    hidden: p.collapsedSliceDims,
  });
  if (wrong !== null) throw refuse(wrong);
  const { sliceSizes: sizes } = p;
  if (sizes.length !== rank || !sizes.every((n, axis) => n >= 0 && n <= x.shape[axis]!)) {
    throw refuse('a window must have a length for each axis, no longer than it');
  }
  if (p.collapsedSliceDims.some((axis) => sizes[axis] !== 1)) throw refuse('a collapsed axis must have length 1');
  if (p.operandBatchingDims.some((axis) => sizes[axis] !== Math.min(1, x.shape[axis]!))) {
    throw refuse('a batching axis must have length 1');
  }
  const window = windowAxes(rank, p.collapsedSliceDims, p.operandBatchingDims).map((axis) => sizes[axis]!);
  const vectors = indices.shape.slice(0, -1);
  if (window.length !== p.offsetDims.length || !areAxes(p.offsetDims, window.length + vectors.length)) {
    throw refuse(`axes (${p.offsetDims.join()}) must increase, one for each axis of a window`);
  }
  return makeAval(interleave(window, vectors, p.offsetDims), x.dtype, x.weak);
}

/** The entries of `window` at the places `at`, those of `others` at the places left. */
function interleave(window: readonly number[], others: readonly number[], at: readonly number[]): number[] {
  const rest = [...others];
  return range(window.length + others.length).map((place) =>
    at.includes(place) ? window[at.indexOf(place)]! : rest.shift()!,
  );
}

const shifted = (axes: readonly number[]): number[] => axes.map((axis) => axis + 1);

/** Windows of the operand, one for each index vector. Linear in the operand if it fills with 0. */
export const gatherP: Primitive<'gather', GatherParams> = {
  name: 'gather',
  params: gatherParams,
  abstractEval: (ins, params) => [gatherAval(ins, params)],
  jvp: ([x, indices], [dx], params) => ({
    outs: [gather(x!, indices!, params)],
    tangents: [dx ? gather(dx, indices!, { ...params, fillValue: 0 }) : null],
  }),
  transpose([ct], [x, indices], p) {
    const sum = scatterAdd(zeros((x as Hole).aval), indices as Value, ct!, {
      updateWindowDims: p.offsetDims,
      insertedWindowDims: p.collapsedSliceDims,
      scatterDimsToOperandDims: p.startIndexMap,
      operandBatchingDims: p.operandBatchingDims,
      scatterIndicesBatchingDims: p.startIndicesBatchingDims,
      mode: p.mode,
    });
    return [sum, null];
  },
  /** A batch of operands is a window axis, a batch of indices more vectors, a batch of both a batching axis. */
  vmap(size, [x, indices], [dim, indicesDim], p) {
    const paired = dim !== null && indicesDim !== null;
    const inOperand = (axes: readonly number[]): readonly number[] => (dim === null ? axes : shifted(axes));
    const inIndices = (axes: readonly number[]): readonly number[] => (indicesDim === null ? axes : shifted(axes));
    const operand = dim === null ? x! : moveAxis(x!, dim!, 0);
    const vectors = indicesDim === null ? indices! : moveAxis(indices!, indicesDim!, 0);
    const out = gather(operand, vectors, {
      ...p,
      offsetDims: [...(indicesDim === null ? [0] : []), ...shifted(p.offsetDims)],
      collapsedSliceDims: inOperand(p.collapsedSliceDims),
      startIndexMap: inOperand(p.startIndexMap),
      operandBatchingDims: [...(paired ? [0] : []), ...inOperand(p.operandBatchingDims)],
      startIndicesBatchingDims: [...(paired ? [0] : []), ...inIndices(p.startIndicesBatchingDims)],
      sliceSizes: [...(dim === null ? [] : [paired ? Math.min(1, size) : size]), ...p.sliceSizes],
    });
    return { outs: [out], dims: [0] };
  },
};

/** Windows of `x` at the places that `indices` holds. */
export const gather = (x: Value, indices: Value, params: GatherParams): Value => bind1(gatherP, [x, indices], params);

/**
 * The element of `x` at `indices[i]` on `axis` and at i on the others: `indices` has the shape of `x` but for that axis.
 * Indices must be in bounds.
 */
export function gatherAlong(x: Value, indices: Value, axis: number): Value {
  if (sizeOf(indices.shape) === 0) return zeros(makeAval(indices.shape, x.dtype, x.aval.weak));
  const others = without(range(x.ndim), [axis]);
  return gather(x, reshape(indices, [...indices.shape, 1]), {
    offsetDims: [],
    collapsedSliceDims: [axis],
    startIndexMap: [axis],
    operandBatchingDims: others,
    startIndicesBatchingDims: others,
    sliceSizes: x.shape.map(() => 1),
    mode: 'promise_in_bounds',
    fillValue: 0,
  });
}
