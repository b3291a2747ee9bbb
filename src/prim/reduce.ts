/** Reductions over axes. Sums are linear; maxima share the derivative equally among ties, as JAX does. */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval, withShape } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { int, ints } from '../core/params.ts';
import type { Hole, Primitive, VmapRule } from '../core/primitive.ts';
import { range, type Shape, without } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { div } from './arithmetic.ts';
import { eq, select } from './compare.ts';
import { ones, zeros } from './compose.ts';
import { expectCount, expectKind, type Kind, linearJvp, noDerivative } from './define.ts';
import { broadcastInDim } from './structural.ts';

const reduceParams = t.readonly(t.strict({ axes: ints }));
type ReduceParams = t.TypeOf<typeof reduceParams>;

function reducedAval(op: string, kind: Kind, ins: readonly Aval[], axes: readonly number[]): Aval {
  expectCount(op, 1, ins);
  const aval = ins[0]!;
  expectKind(op, kind, aval);
  for (const axis of axes) expectAxis(op, aval, axis);
  if (new Set(axes).size !== axes.length) {
    throw new ShapeError({
      op,
      problem: `axes (${axes.join()}) of ${showAval(aval)} repeat`,
      remedy: 'name each axis once',
    });
  }
  return withShape(aval, without(aval.shape, axes));
}

/** @throws ShapeError unless 0 ≤ axis < ndim */
export function expectAxis(op: string, aval: Aval, axis: number): void {
  if (Number.isInteger(axis) && axis >= 0 && axis < aval.shape.length) return;
  throw new ShapeError({
    op,
    problem: `axis ${axis} is out of range for ${showAval(aval)}, which has ${aval.shape.length} axes`,
    remedy: `use an axis from 0 to ${aval.shape.length - 1}`,
  });
}

/** Axes behind the batch axis move up by one; the batch axis of the result moves down by those removed before it. */
const vmapReduce =
  (apply: (x: Value, axes: readonly number[]) => Value): VmapRule<ReduceParams> =>
  (_size, [x], [dim], { axes }) => {
    const shifted = axes.map((axis) => (axis >= dim! ? axis + 1 : axis));
    return { outs: [apply(x!, shifted)], dims: [dim! - shifted.filter((axis) => axis < dim!).length] };
  };

/** Stretch what was reduced over `axes` back to `shape`. */
export const unreduce = (x: Value, shape: Shape, axes: readonly number[]): Value =>
  broadcastInDim(
    x,
    shape,
    range(shape.length).filter((axis) => !axes.includes(axis)),
  );

export const reduceSumP: Primitive<'reduce_sum', ReduceParams> = {
  name: 'reduce_sum',
  params: reduceParams,
  abstractEval: (ins, { axes }) => [reducedAval('reduce_sum', 'number', ins, axes)],
  jvp: linearJvp((x, { axes }) => reduceSum(x, axes)),
  transpose: ([ct], [x], { axes }) => [unreduce(ct!, (x as Hole).aval.shape, axes)],
  vmap: vmapReduce((x, axes) => reduceSum(x, axes)),
};

/** NaN if any element is; −Inf (the smallest integer, false) over an empty axis. */
export const reduceMaxP: Primitive<'reduce_max', ReduceParams> = {
  name: 'reduce_max',
  params: reduceParams,
  abstractEval: (ins, { axes }) => [reducedAval('reduce_max', 'any', ins, axes)],
  jvp([x], [dx], { axes }) {
    const y = reduceMax(x!, axes);
    const attained = eq(x!, unreduce(y, x!.shape, axes));
    const zero = zeros(x!.aval);
    const ties = reduceSum(select(attained, ones(x!.aval), zero), axes);
    return { outs: [y], tangents: [div(reduceSum(select(attained, dx!, zero), axes), ties)] };
  },
  transpose: 'nonlinear',
  vmap: vmapReduce((x, axes) => reduceMax(x, axes)),
};

const argmaxParams = t.readonly(t.strict({ axis: int }));

/** The index (int32) of the first maximum; of the first NaN if there is one. */
export const argmaxP: Primitive<'argmax', t.TypeOf<typeof argmaxParams>> = {
  name: 'argmax',
  params: argmaxParams,
  abstractEval(ins, { axis }) {
    const aval = ins[0]!;
    const { shape } = reducedAval('argmax', 'any', ins, [axis]);
    if (aval.shape[axis] === 0) {
      throw new ShapeError({
        op: 'argmax',
        problem: `axis ${axis} of ${showAval(aval)} is empty: there is no maximum`,
        remedy: 'reduce over an axis with elements',
      });
    }
    return [makeAval(shape, 'int32')];
  },
  jvp: noDerivative(([x], { axis }) => [argmax(x!, axis)]),
  transpose: 'nonlinear',
  vmap: (_size, [x], [dim], { axis }) => ({
    outs: [argmax(x!, axis >= dim! ? axis + 1 : axis)],
    dims: [axis < dim! ? dim! - 1 : dim!],
  }),
};

/** The sum over `axes`. */
export const reduceSum = (x: Value, axes: readonly number[]): Value => bind1(reduceSumP, [x], { axes });
/** The maximum over `axes`. */
export const reduceMax = (x: Value, axes: readonly number[]): Value => bind1(reduceMaxP, [x], { axes });
/** The index of the maximum along `axis`. */
export const argmax = (x: Value, axis: number): Value => bind1(argmaxP, [x], { axis });
