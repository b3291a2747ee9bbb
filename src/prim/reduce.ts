/**
 * Reductions over axes. Sums are linear; extrema share the derivative equally among ties, as JAX does; products are differentiated
 * without division.
 */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval, withShape } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { int, ints } from '../core/params.ts';
import type { Hole, Primitive, Tangent, VmapRule } from '../core/primitive.ts';
import { range, type Shape, sizeOf, without } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { add, div, mul } from './arithmetic.ts';
import { eq, gt, lt, select } from './compare.ts';
import { ones, zeros } from './compose.ts';
import { expectCount, expectKind, type Kind, linearJvp, noDerivative } from './define.ts';
import { broadcastInDim, concatenate, reshape, sliceAxis, transpose } from './structural.ts';

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

/**
 * The derivative of an extremum: the mean of those of the elements that attain it. Beside a NaN none is beaten, and the share of
 * each is NaN, forward and in reverse. Over an empty axis the extremum is a constant.
 */
const extremum = <Name extends 'reduce_max' | 'reduce_min'>(
  name: Name,
  apply: (x: Value, axes: readonly number[]) => Value,
  isBeaten: (x: Value, y: Value) => Value,
): Primitive<Name, ReduceParams> => ({
  name,
  params: reduceParams,
  abstractEval: (ins, { axes }) => [reducedAval(name, 'any', ins, axes)],
  jvp([x], [dx], { axes }) {
    const y = apply(x!, axes);
    if (axes.some((axis) => x!.shape[axis] === 0)) return { outs: [y], tangents: [null] };
    const beaten = isBeaten(x!, unreduce(y, x!.shape, axes));
    const zero = zeros(x!.aval);
    const ties = reduceSum(select(beaten, zero, ones(x!.aval)), axes);
    const sharers = select(eq(y, y), ties, y);
    return { outs: [y], tangents: [div(reduceSum(select(beaten, zero, dx!), axes), sharers)] };
  },
  transpose: 'nonlinear',
  vmap: vmapReduce(apply),
});

// Comparisons are looked up when they are called: `compare.ts` may be loading still, in whose cycle of imports this file is.

/** NaN if any element is; −Inf (the smallest integer, false) over an empty axis. */
export const reduceMaxP = extremum(
  'reduce_max',
  (x, axes) => reduceMax(x, axes),
  (a, b) => lt(a, b),
);

/** NaN if any element is; Inf (the largest integer, true) over an empty axis. */
export const reduceMinP = extremum(
  'reduce_min',
  (x, axes) => reduceMin(x, axes),
  (a, b) => gt(a, b),
);

/**
 * The product; 1 over an empty axis, integers wrap.
 *
 * The derivative is the sum, over the elements, of the tangent of one times the product of all others. A division by the element
 * would spoil it at zeros; instead the elements are multiplied in pairs, log₂ n times, each time by the rule of the product.
 */
export const reduceProdP: Primitive<'reduce_prod', ReduceParams> = {
  name: 'reduce_prod',
  params: reduceParams,
  abstractEval: (ins, { axes }) => [reducedAval('reduce_prod', 'number', ins, axes)],
  jvp: ([x], [dx], { axes }) => ({
    outs: [reduceProd(x!, axes)],
    tangents: [productTangent(inFront(x!, axes), inFront(dx!, axes))],
  }),
  transpose: 'nonlinear',
  vmap: vmapReduce((x, axes) => reduceProd(x, axes)),
};

/** `axes` as one axis, in front of the others. */
function inFront(x: Value, axes: readonly number[]): Value {
  const kept = range(x.ndim).filter((axis) => !axes.includes(axis));
  const rows = transpose(x, [...axes, ...kept]);
  return reshape(rows, [sizeOf(axes.map((axis) => x.shape[axis]!)), ...kept.map((axis) => x.shape[axis]!)]);
}

/** The tangent of the product over axis 0. */
function productTangent(x: Value, dx: Value): Tangent {
  let [factors, tangents] = [x, dx];
  while (factors.shape[0]! > 1) {
    const n = factors.shape[0]!;
    const half = Math.floor(n / 2);
    const part = (v: Value, from: number, to: number): Value => sliceAxis(v, 0, from, to);
    const [a, b] = [part(factors, 0, half), part(factors, half, 2 * half)];
    const pairs = add(mul(part(tangents, 0, half), b), mul(a, part(tangents, half, 2 * half)));
    const odd = n > 2 * half;
    factors = odd ? concatenate([mul(a, b), part(factors, n - 1, n)], 0) : mul(a, b);
    tangents = odd ? concatenate([pairs, part(tangents, n - 1, n)], 0) : pairs;
  }
  return factors.shape[0] === 0 ? null : reshape(tangents, tangents.shape.slice(1));
}

const logical = <Name extends 'reduce_and' | 'reduce_or'>(
  name: Name,
  apply: (x: Value, axes: readonly number[]) => Value,
): Primitive<Name, ReduceParams> => ({
  name,
  params: reduceParams,
  abstractEval: (ins, { axes }) => [reducedAval(name, 'logical', ins, axes)],
  jvp: noDerivative(([x], { axes }) => [apply(x!, axes)]),
  transpose: 'nonlinear',
  vmap: vmapReduce(apply),
});

/** The conjunction, bitwise on integers; true (all bits set) over an empty axis. */
export const reduceAndP = logical('reduce_and', (x, axes) => reduceAnd(x, axes));

/** The disjunction, bitwise on integers; false (0) over an empty axis. */
export const reduceOrP = logical('reduce_or', (x, axes) => reduceOr(x, axes));

const argParams = t.readonly(t.strict({ axis: int }));

const argExtremum = <Name extends 'argmax' | 'argmin'>(
  name: Name,
  apply: (x: Value, axis: number) => Value,
): Primitive<Name, t.TypeOf<typeof argParams>> => ({
  name,
  params: argParams,
  abstractEval(ins, { axis }) {
    const aval = ins[0]!;
    const { shape } = reducedAval(name, 'any', ins, [axis]);
    if (aval.shape[axis] === 0) {
      throw new ShapeError({
        op: name,
        problem: `axis ${axis} of ${showAval(aval)} is empty: there is no ${name.slice('arg'.length)}imum`,
        remedy: 'reduce over an axis with elements',
      });
    }
    return [makeAval(shape, 'int32')];
  },
  jvp: noDerivative(([x], { axis }) => [apply(x!, axis)]),
  transpose: 'nonlinear',
  vmap: (_size, [x], [dim], { axis }) => ({
    outs: [apply(x!, axis >= dim! ? axis + 1 : axis)],
    dims: [axis < dim! ? dim! - 1 : dim!],
  }),
});

/** The index (int32) of the first maximum; of the first NaN if there is one. */
export const argmaxP = argExtremum('argmax', (x, axis) => argmax(x, axis));

/** The index (int32) of the first minimum; of the first NaN if there is one. */
export const argminP = argExtremum('argmin', (x, axis) => argmin(x, axis));

/** The sum over `axes`. */
export const reduceSum = (x: Value, axes: readonly number[]): Value => bind1(reduceSumP, [x], { axes });
/** The maximum over `axes`. */
export const reduceMax = (x: Value, axes: readonly number[]): Value => bind1(reduceMaxP, [x], { axes });
/** The minimum over `axes`. */
export const reduceMin = (x: Value, axes: readonly number[]): Value => bind1(reduceMinP, [x], { axes });
/** The product over `axes`. */
export const reduceProd = (x: Value, axes: readonly number[]): Value => bind1(reduceProdP, [x], { axes });
/** The conjunction over `axes`. */
export const reduceAnd = (x: Value, axes: readonly number[]): Value => bind1(reduceAndP, [x], { axes });
/** The disjunction over `axes`. */
export const reduceOr = (x: Value, axes: readonly number[]): Value => bind1(reduceOrP, [x], { axes });
/** The index of the maximum along `axis`. */
export const argmax = (x: Value, axis: number): Value => bind1(argmaxP, [x], { axis });
/** The index of the minimum along `axis`. */
export const argmin = (x: Value, axis: number): Value => bind1(argminP, [x], { axis });
