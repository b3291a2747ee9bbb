/**
 * `scatter_mul`, `scatter_min` and `scatter_max`: updates that meet what they are put on, and each other where index vectors name
 * an element more than once, by a product or an extremum. The dimension numbers are those of `scatter`.
 */

import type { DType } from '../core/dtype.ts';
import { NotDifferentiableError } from '../core/errors.ts';
import { isHole, type Primitive } from '../core/primitive.ts';
import type { Shape } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { add, convertElementType, div, mul } from './arithmetic.ts';
import { and, or } from './bits.ts';
import { eq, ne, select } from './compare.ts';
import { filled, zeros } from './compose.ts';
import { addTangents, expectKind } from './define.ts';
import { gatherAlong } from './gather.ts';
import { combinedBefore } from './runs.ts';
import {
  gatherBack,
  type ScatterAddParams,
  type ScatterParams,
  scatterAdd,
  scatterAddParams,
  scatterAval,
  scatterParams,
  vmapScatter,
} from './scatter.ts';
import { sort } from './sort.ts';
import { iota, reshape, rev } from './structural.ts';

/** What remains for `scatter_add`, which makes no promise. */
const adding = ({ uniqueIndices: _, ...rest }: ScatterParams): ScatterAddParams => rest;

/** For each factor of a row, the product of those before it in its run. */
const productsBefore = (factors: Value, keys: Value): Value =>
  combinedBefore(factors, keys, { combine: mul, neutral: 1 });

/**
 * For each update, the product of everything else that meets at its element: the operand's element and the other updates.
 *
 * Nothing is divided, so that zeros do no harm, whatever the order of the derivative: the updates are brought into the order
 * of their elements, where those that meet are neighbours, and multiplied from both ends.
 */
function productsOfOthers(x: Value, indices: Value, updates: Value, params: ScatterParams): Value {
  const kept = gatherBack(x, indices, updates.aval, params);
  if (params.uniqueIndices || updates.size <= 1) return kept;
  const row: Shape = [updates.size];
  // Elements are numbered from 1: what is dropped meets nothing but itself, under 0.
  const numbers = reshape(add(iota([x.size], 0, 'int32'), filled([x.size], 1, 'int32')), x.shape);
  const targets = reshape(gatherBack(numbers, indices, updates.aval, params), row);
  const [keys, order] = sort([targets, iota(row, 0, 'int32')], 0) as readonly [Value, Value];
  const factors = gatherAlong(reshape(updates, row), order, 0);
  const behind = rev(productsBefore(rev(factors, [0]), rev(keys, [0])), [0]);
  const others = mul(productsBefore(factors, keys), behind);
  const places = sort([order, iota(row, 0, 'int32')], 0)[1]!;
  return mul(kept, reshape(gatherAlong(others, places, 0), updates.shape));
}

/**
 * The operand with its elements multiplied by the updates, as often as index vectors name them. Linear in the operand.
 *
 * The tangent of an update comes times the product of all that it meets, with `uniqueIndices` the operand's element alone.
 */
export const scatterMulP: Primitive<'scatter_mul', ScatterParams> = {
  name: 'scatter_mul',
  params: scatterParams,
  abstractEval(ins, params) {
    expectKind('scatter_mul', 'number', ins[0]!);
    return [scatterAval('scatter_mul', ins, params)];
  },
  jvp([x, indices, updates], [dx, , du], params) {
    const ofOperand = dx ? scatterMul(dx, indices!, updates!, params) : null;
    const weighted = du ? mul(du, productsOfOthers(x!, indices!, updates!, params)) : null;
    const ofUpdates = weighted && scatterAdd(zeros(x!.aval), indices!, weighted, adding(params));
    return { outs: [scatterMul(x!, indices!, updates!, params)], tangents: [addTangents(ofOperand, ofUpdates)] };
  },
  transpose([ct], [, indices, updates], params) {
    if (isHole(updates!)) {
      throw new NotDifferentiableError({
        op: 'scatter_mul',
        problem: 'is linear in its operand, not in its updates',
        remedy: 'transpose a function that is linear in its argument, as jvp and grad make them',
      });
    }
    return [scatterMul(ct!, indices as Value, updates!, params), null, null];
  },
  vmap: vmapScatter(([x, indices, updates], params) => scatterMul(x!, indices!, updates!, params)),
};

/** `a` is `b`, as numbers, or both are NaN. */
function same(a: Value, b: Value): Value {
  return or(eq(a, b), and(ne(a, a), ne(b, b)));
}

const asNumber = (condition: Value, dtype: DType): Value => convertElementType(condition, dtype);

/**
 * The derivative is the mean of those of everything that attains the extremum: the operand's element, and the updates that meet
 * there. That is JAX's and PyTorch's choice, and that of `reduce_max`. NaN is attained
 * where it is, so that an element that no update names keeps its own tangent, whatever it is.
 */
const extremum = <Name extends 'scatter_min' | 'scatter_max'>(
  name: Name,
  apply: (x: Value, indices: Value, updates: Value, params: ScatterAddParams) => Value,
): Primitive<Name, ScatterAddParams> => ({
  name,
  params: scatterAddParams,
  abstractEval: (ins, params) => [scatterAval(name, ins, params)],
  jvp([x, indices, updates], [dx, , du], params) {
    const y = apply(x!, indices!, updates!, params);
    const stayed = same(x!, y);
    const won = same(updates!, gatherBack(y, indices!, updates!.aval, params));
    const ties = scatterAdd(asNumber(stayed, y.dtype), indices!, asNumber(won, y.dtype), params);
    const kept = dx ? select(stayed, dx, zeros(dx.aval)) : zeros(x!.aval);
    const sum = du ? scatterAdd(kept, indices!, select(won, du, zeros(du.aval)), params) : kept;
    return { outs: [y], tangents: [div(sum, ties)] };
  },
  transpose: 'nonlinear',
  vmap: vmapScatter(([x, indices, updates], params) => apply(x!, indices!, updates!, params)),
});

/** The operand, and where index vectors say the smaller of it and the updates; NaN if any is. */
export const scatterMinP = extremum('scatter_min', (...args) => scatterMin(...args));

/** The operand, and where index vectors say the larger of it and the updates; NaN if any is. */
export const scatterMaxP = extremum('scatter_max', (...args) => scatterMax(...args));

/** `x` multiplied by `updates` at the places that `indices` holds. */
export const scatterMul = (x: Value, indices: Value, updates: Value, params: ScatterParams): Value =>
  bind1(scatterMulP, [x, indices, updates], params);
/** The smaller of `x` and `updates` at the places that `indices` holds. */
export const scatterMin = (x: Value, indices: Value, updates: Value, params: ScatterAddParams): Value =>
  bind1(scatterMinP, [x, indices, updates], params);
/** The larger of `x` and `updates` at the places that `indices` holds. */
export const scatterMax = (x: Value, indices: Value, updates: Value, params: ScatterAddParams): Value =>
  bind1(scatterMaxP, [x, indices, updates], params);
