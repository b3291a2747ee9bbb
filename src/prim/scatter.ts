/**
 * `scatter` and `scatter_add`: windows put into a tensor, or added to it, at places that are data. The dimension numbers are
 * StableHLO's, and say of the updates what those of `gather` say of its result: gather and scatter_add are adjoint.
 *
 * Where index vectors name one element more than once, `scatter_add` adds all updates. `scatter` keeps one: on the reference
 * device that of the last vector in row-major order, but which one is not specified and no program should rely on it.
 */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { DTypeError, NotDifferentiableError, ShapeError } from '../core/errors.ts';
import { ints } from '../core/params.ts';
import { isHole, type Primitive, type VmapRule } from '../core/primitive.ts';
import { range, sameShape, sizeOf, without } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { areAxes, type IndexMode, misaddressed, modeCodec, windowAxes } from './addressing.ts';
import { add } from './arithmetic.ts';
import { eq, select } from './compare.ts';
import { filled, fullLike, zeros } from './compose.ts';
import { allWeak, batchAt, expectCount, expectKind, instantiate } from './define.ts';
import { gather } from './gather.ts';
import { broadcastInDim, iota, moveAxis, reshape } from './structural.ts';

/** Which axes of operand, indices and updates belong together. */
export interface ScatterDimensions {
  /** The axes of the updates in which the windows lie, increasing. */
  readonly updateWindowDims: readonly number[];
  /** The axes of the operand that windows, one element long there, do not have; increasing. */
  readonly insertedWindowDims: readonly number[];
  /** Entry k of an index vector is where the window begins on axis `scatterDimsToOperandDims[k]` of the operand. */
  readonly scatterDimsToOperandDims: readonly number[];
  /** The axes of the operand that are paired with axes of the indices; increasing. */
  readonly operandBatchingDims: readonly number[];
  /** The axes of the indices that they are paired with, in the same order. */
  readonly scatterIndicesBatchingDims: readonly number[];
}

/** The parameters of `scatter_add`. */
export interface ScatterAddParams extends ScatterDimensions {
  readonly mode: IndexMode;
}

/** The parameters of `scatter`. */
export interface ScatterParams extends ScatterAddParams {
  /** The promise that no element is named twice, which makes the scatter linear in operand and updates. */
  readonly uniqueIndices: boolean;
}

const dimensions = {
  updateWindowDims: ints,
  insertedWindowDims: ints,
  scatterDimsToOperandDims: ints,
  operandBatchingDims: ints,
  scatterIndicesBatchingDims: ints,
  mode: modeCodec,
};

/** The codec of {@link ScatterAddParams}. */
export const scatterAddParams: t.Type<ScatterAddParams, unknown> = t.readonly(t.strict(dimensions));
/** The codec of {@link ScatterParams}. */
export const scatterParams: t.Type<ScatterParams, unknown> = t.readonly(
  t.strict({ ...dimensions, uniqueIndices: t.boolean }),
);

/** The aval of a scatter. @throws ShapeError or DTypeError if operand, indices and updates do not fit */
export function scatterAval(op: string, ins: readonly Aval[], p: ScatterDimensions): Aval {
  expectCount(op, 3, ins);
  const [x, indices, updates] = ins as readonly [Aval, Aval, Aval];
  expectKind(op, 'integer', indices);
  if (x.dtype !== updates.dtype) {
    throw new DTypeError({
      op,
      problem: `operand and updates must have equal dtypes, got ${showAval(x)} and ${showAval(updates)}`,
      remedy: 'cast the updates',
    });
  }
  const refuse = (why: string): ShapeError =>
    new ShapeError({
      op,
      problem: `cannot scatter ${showAval(updates)} into ${showAval(x)} at ${showAval(indices)}: ${why}`,
      remedy: 'see the dimension numbers of StableHLO scatter; np.at chooses them',
    });
  const wrong = misaddressed({
    operand: x.shape,
    indices: indices.shape,
    indexed: p.scatterDimsToOperandDims,
    operandBatching: p.operandBatchingDims,
    indicesBatching: p.scatterIndicesBatchingDims,
    hidden: p.insertedWindowDims,
  });
  if (wrong !== null) throw refuse(wrong);
  const axes = windowAxes(x.shape.length, p.insertedWindowDims, p.operandBatchingDims);
  const { updateWindowDims: window } = p;
  if (axes.length !== window.length || !areAxes(window, updates.shape.length)) {
    throw refuse(`window axes (${window.join()}) must increase, one for each axis of a window`);
  }
  const vectors = indices.shape.slice(0, -1);
  if (!sameShape(without(updates.shape, window), vectors)) {
    throw refuse(`without its windows it must be [${vectors.join(',')}], one window for each index vector`);
  }
  const long = axes.find((axis, i) => updates.shape[window[i]!]! > x.shape[axis]!);
  if (long !== undefined) throw refuse(`windows are longer than axis ${long}`);
  const empty = p.insertedWindowDims.find((axis) => x.shape[axis] === 0);
  if (empty !== undefined) throw refuse(`axis ${empty} is empty`);
  return makeAval(x.shape, x.dtype, allWeak([x, updates]));
}

/** The windows of `x` where a scatter of updates of this aval would put them. */
export function gatherBack(x: Value, indices: Value, updates: Aval, p: ScatterAddParams): Value {
  const sizes = x.shape.map((n) => Math.min(1, n));
  windowAxes(x.ndim, p.insertedWindowDims, p.operandBatchingDims).forEach((axis, i) => {
    sizes[axis] = updates.shape[p.updateWindowDims[i]!]!;
  });
  return gather(x, indices, {
    offsetDims: p.updateWindowDims,
    collapsedSliceDims: p.insertedWindowDims,
    startIndexMap: p.scatterDimsToOperandDims,
    operandBatchingDims: p.operandBatchingDims,
    startIndicesBatchingDims: p.scatterIndicesBatchingDims,
    sliceSizes: sizes,
    mode: p.mode,
    fillValue: 0,
  });
}

const shifted = (axes: readonly number[]): number[] => axes.map((axis) => axis + 1);

/** A batch of updates at shared places is a window axis, a batch of places a batching axis. */
export const vmapScatter =
  <P extends ScatterDimensions>(apply: (operands: readonly Value[], params: P) => Value): VmapRule<P> =>
  (size, [x, indices, updates], [dim, indicesDim, updatesDim], p) => {
    const paired = indicesDim !== null;
    const batch = paired ? [0] : [];
    const vectors = paired ? moveAxis(indices!, indicesDim!, 0) : indices!;
    const out = apply([batchAt(size, x!, dim!, 0), vectors, batchAt(size, updates!, updatesDim!, 0)], {
      ...p,
      updateWindowDims: [...(paired ? [] : [0]), ...shifted(p.updateWindowDims)],
      insertedWindowDims: shifted(p.insertedWindowDims),
      scatterDimsToOperandDims: shifted(p.scatterDimsToOperandDims),
      operandBatchingDims: [...batch, ...shifted(p.operandBatchingDims)],
      scatterIndicesBatchingDims: [
        ...batch,
        ...(paired ? shifted(p.scatterIndicesBatchingDims) : p.scatterIndicesBatchingDims),
      ],
    });
    return { outs: [out], dims: [0] };
  };

/** The operand with the updates added where the index vectors say. Linear in both together. */
export const scatterAddP: Primitive<'scatter_add', ScatterAddParams> = {
  name: 'scatter_add',
  params: scatterAddParams,
  abstractEval(ins, params) {
    expectKind('scatter_add', 'number', ins[0]!);
    return [scatterAval('scatter_add', ins, params)];
  },
  jvp([x, indices, updates], [dx, , du], params) {
    const outs = [scatterAdd(x!, indices!, updates!, params)];
    return { outs, tangents: [du ? scatterAdd(instantiate(dx!, x!), indices!, du, params) : dx!] };
  },
  transpose: ([ct], [x, indices, updates], params) => [
    isHole(x!) ? ct! : null,
    null,
    isHole(updates!) ? gatherBack(ct!, indices as Value, updates.aval, params) : null,
  ],
  vmap: vmapScatter(([x, indices, updates], params) => scatterAdd(x!, indices!, updates!, params)),
};

/**
 * Which update each element of the operand received: 0 for none, else 1 + the number of its index vector; and, for each
 * element of the updates, whether it was received.
 */
function winners(x: Aval, indices: Value, updates: Aval, params: ScatterParams): readonly [Value, Value] {
  const { updateWindowDims } = params;
  const vectors = indices.shape.slice(0, -1);
  const count = iota([sizeOf(vectors)], 0, 'int32');
  const numbers = reshape(add(count, fullLike(count, 1)), vectors);
  const ids = broadcastInDim(numbers, updates.shape, without(range(updates.shape.length), updateWindowDims));
  const received = scatter(filled(x.shape, 0, 'int32'), indices, ids, params);
  return [received, eq(gatherBack(received, indices, updates, params), ids)];
}

/**
 * The operand with windows replaced by the updates where the index vectors say.
 *
 * Its derivative lets the tangents of those updates through that are seen in the result. With `uniqueIndices` that is the
 * same scatter of the tangents; without, it is found by scattering the numbers of the updates.
 */
export const scatterP: Primitive<'scatter', ScatterParams> = {
  name: 'scatter',
  params: scatterParams,
  abstractEval: (ins, params) => [scatterAval('scatter', ins, params)],
  jvp([x, indices, updates], [dx, , du], params) {
    const outs = [scatter(x!, indices!, updates!, params)];
    const [dOperand, dUpdates] = [instantiate(dx!, x!), instantiate(du!, updates!)];
    if (params.uniqueIndices) return { outs, tangents: [scatter(dOperand, indices!, dUpdates, params)] };
    const [received, won] = winners(x!.aval, indices!, updates!.aval, params);
    const kept = select(eq(received, fullLike(received, 0)), dOperand, zeros(dOperand.aval));
    const { uniqueIndices: _, ...rest } = params;
    const tangent = du ? scatterAdd(kept, indices!, select(won, du, zeros(du.aval)), rest) : kept;
    return { outs, tangents: [tangent] };
  },
  transpose([ct], [x, indices, updates], params) {
    if (!params.uniqueIndices) {
      throw new NotDifferentiableError({
        op: 'scatter',
        problem: 'index vectors may name an element twice, and then it is not linear in the updates',
        remedy: 'say uniqueIndices: true if they do not, or use scatterAdd',
      });
    }
    const at = indices as Value;
    return [
      isHole(x!) ? scatter(ct!, at, zeros(updates!.aval), params) : null,
      null,
      isHole(updates!) ? gatherBack(ct!, at, updates.aval, params) : null,
    ];
  },
  vmap: vmapScatter(([x, indices, updates], params) => scatter(x!, indices!, updates!, params)),
};

/** `x` with `updates` added at the places that `indices` holds. */
export const scatterAdd = (x: Value, indices: Value, updates: Value, params: ScatterAddParams): Value =>
  bind1(scatterAddP, [x, indices, updates], params);
/** `x` with `updates` at the places that `indices` holds. */
export const scatter = (x: Value, indices: Value, updates: Value, params: ScatterParams): Value =>
  bind1(scatterP, [x, indices, updates], params);
