/**
 * `dynamic_slice` and `dynamic_update_slice`: one window at a place that is data, a scalar for each axis. Starts are clamped so
 * that the window lies inside the operand. The two are adjoint; batches of places are gathers and scatters.
 */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval, withShape } from '../core/aval.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { ints, type None, none } from '../core/params.ts';
import { type BatchDim, type Hole, isHole, noParams, type Primitive } from '../core/primitive.ts';
import { range } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { scalar, zeros } from './compose.ts';
import { allWeak, batchAt, expectKind, instantiate } from './define.ts';
import { gather } from './gather.ts';
import { scatter } from './scatter.ts';
import { concatenate, moveAxis, reshape } from './structural.ts';

/** @throws ShapeError or DTypeError unless there is an integer scalar for each axis of `x`, all of one dtype */
function expectStarts(op: string, x: Aval, starts: readonly Aval[]): void {
  for (const start of starts) expectKind(op, 'integer', start);
  if (starts.some((start) => start.dtype !== starts[0]!.dtype)) {
    throw new DTypeError({
      op,
      problem: `starts must have equal dtypes, got (${starts.map(showAval).join(', ')})`,
      remedy: "cast them: np.astype(start, 'int32')",
    });
  }
  if (starts.length === x.shape.length && starts.every((start) => start.shape.length === 0)) return;
  throw new ShapeError({
    op,
    problem: `needs a scalar start for each axis of ${showAval(x)}, got (${starts.map(showAval).join(', ')})`,
    remedy: 'give one integer scalar for each axis',
  });
}

const sliceParams = t.readonly(t.strict({ sliceSizes: ints }));

/** The starts of all lanes as index vectors: `integer[size, rank]`. */
function startVectors(size: number, starts: readonly Value[], dims: readonly BatchDim[]): Value {
  const columns = starts.map((start, i) => reshape(batchAt(size, start, dims[i]!, 0), [size, 1]));
  return concatenate(columns, 1);
}

/** A start of 0 beside the others. */
const origin = (starts: readonly Value[]): Value => scalar(0, starts[0]?.dtype ?? 'int32');

/** The window of `sliceSizes` of the first operand that begins at the scalars that follow, clamped to lie inside. */
export const dynamicSliceP: Primitive<'dynamic_slice', t.TypeOf<typeof sliceParams>> = {
  name: 'dynamic_slice',
  params: sliceParams,
  abstractEval([x, ...starts], { sliceSizes }) {
    if (!x) throw new ShapeError({ op: 'dynamic_slice', problem: 'takes an operand and its starts, got nothing' });
    expectStarts('dynamic_slice', x, starts);
    const fits = sliceSizes.every((n, axis) => n >= 0 && n <= x.shape[axis]!);
    if (sliceSizes.length !== x.shape.length || !fits) {
      throw new ShapeError({
        op: 'dynamic_slice',
        problem: `a window [${sliceSizes.join(',')}] does not fit ${showAval(x)}`,
        remedy: 'give a length for each axis, no longer than it',
      });
    }
    return [withShape(x, sliceSizes)];
  },
  jvp: ([x, ...starts], [dx], { sliceSizes }) => ({
    outs: [dynamicSlice(x!, starts, sliceSizes)],
    tangents: [dx ? dynamicSlice(dx, starts, sliceSizes) : null],
  }),
  transpose([ct], [x, ...starts]) {
    const padded = dynamicUpdateSlice(zeros((x as Hole).aval), ct!, starts as readonly Value[]);
    return [padded, ...starts.map(() => null)];
  },
  vmap(size, [x, ...starts], [dim, ...startDims], { sliceSizes }) {
    const operand = dim === null ? x! : moveAxis(x!, dim!, 0);
    if (startDims.every((d) => d === null)) {
      const whole = dynamicSlice(operand, [origin(starts), ...starts], [size, ...sliceSizes]);
      return { outs: [whole], dims: [0] };
    }
    const own = range(sliceSizes.length);
    const batch = dim === null ? [] : [0];
    const lanes = gather(operand, startVectors(size, starts, startDims), {
      offsetDims: own.map((axis) => axis + 1),
      collapsedSliceDims: [],
      startIndexMap: own.map((axis) => axis + batch.length),
      operandBatchingDims: batch,
      startIndicesBatchingDims: batch,
      sliceSizes: [...batch.map(() => Math.min(1, size)), ...sliceSizes],
      mode: 'clip',
      fillValue: 0,
    });
    return { outs: [lanes], dims: [0] };
  },
};

/** The first operand with the second in place of the window that begins at the scalars that follow, clamped to lie inside. */
export const dynamicUpdateSliceP: Primitive<'dynamic_update_slice', None> = {
  name: 'dynamic_update_slice',
  params: none,
  abstractEval([x, update, ...starts]) {
    if (!x || !update) {
      throw new ShapeError({ op: 'dynamic_update_slice', problem: 'takes an operand, an update and its starts' });
    }
    expectStarts('dynamic_update_slice', x, starts);
    if (x.dtype !== update.dtype) {
      throw new DTypeError({
        op: 'dynamic_update_slice',
        problem: `operand and update must have equal dtypes, got ${showAval(x)} and ${showAval(update)}`,
        remedy: 'cast the update',
      });
    }
    const { shape } = x;
    if (update.shape.length !== shape.length || update.shape.some((n, axis) => n > shape[axis]!)) {
      throw new ShapeError({
        op: 'dynamic_update_slice',
        problem: `the update ${showAval(update)} does not fit into ${showAval(x)}`,
        remedy: 'give an update with as many axes, none of them longer',
      });
    }
    return [makeAval(shape, x.dtype, allWeak([x, update]))];
  },
  jvp: ([x, update, ...starts], [dx, du]) => ({
    outs: [dynamicUpdateSlice(x!, update!, starts)],
    tangents: [dynamicUpdateSlice(instantiate(dx!, x!), instantiate(du!, update!), starts)],
  }),
  transpose([ct], [x, update, ...starts]) {
    const at = starts as readonly Value[];
    return [
      isHole(x!) ? dynamicUpdateSlice(ct!, zeros(update!.aval), at) : null,
      isHole(update!) ? dynamicSlice(ct!, at, update.aval.shape) : null,
      ...starts.map(() => null),
    ];
  },
  vmap(size, [x, update, ...starts], [dim, updateDim, ...startDims]) {
    const operand = batchAt(size, x!, dim!, 0);
    const updates = batchAt(size, update!, updateDim!, 0);
    if (startDims.every((d) => d === null)) {
      return { outs: [dynamicUpdateSlice(operand, updates, [origin(starts), ...starts])], dims: [0] };
    }
    const own = range(starts.length).map((axis) => axis + 1);
    const lanes = scatter(operand, startVectors(size, starts, startDims), updates, {
      updateWindowDims: own,
      insertedWindowDims: [],
      scatterDimsToOperandDims: own,
      operandBatchingDims: [0],
      scatterIndicesBatchingDims: [0],
      mode: 'clip',
      uniqueIndices: true,
    });
    return { outs: [lanes], dims: [0] };
  },
};

/** The window of `x` of this shape that begins at `starts`. */
export const dynamicSlice = (x: Value, starts: readonly Value[], sliceSizes: readonly number[]): Value =>
  bind1(dynamicSliceP, [x, ...starts], { sliceSizes });
/** `x` with `update` in place of the window that begins at `starts`. */
export const dynamicUpdateSlice = (x: Value, update: Value, starts: readonly Value[]): Value =>
  bind1(dynamicUpdateSliceP, [x, update, ...starts], noParams);
