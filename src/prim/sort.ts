/** `sort`: rows in order of their keys, along one axis, and any number of other tensors in that order; `top_k`: the largest. */

import * as t from 'io-ts';
import { makeAval, showAval, withShape } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { int } from '../core/params.ts';
import type { Primitive } from '../core/primitive.ts';
import { sameShape } from '../core/shape.ts';
import { bind } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { alignBatch, expectCount } from './define.ts';
import { gatherAlong } from './gather.ts';
import { expectAxis } from './reduce.ts';
import { iota, moveAxis } from './structural.ts';

const sortParams = t.readonly(t.strict({ dimension: int, numKeys: int }));

/**
 * All operands, of any dtypes, permuted along `dimension` so that the first one increases, where it is equal the second one, and
 * so on for `numKeys` operands. Stable: what has equal keys keeps its order. As JAX has it, −0 equals 0, and NaN comes last, all
 * NaN being equal. Differentiable where keys differ.
 */
export const sortP: Primitive<'sort', t.TypeOf<typeof sortParams>> = {
  name: 'sort',
  params: sortParams,
  abstractEval(ins, { dimension, numKeys }) {
    const key = ins[0];
    if (!key || ins.some((aval) => !sameShape(aval.shape, key.shape))) {
      throw new ShapeError({
        op: 'sort',
        problem: `needs a key and operands of its shape, got ${ins.map(showAval).join(', ') || 'nothing'}`,
        remedy: 'broadcast the operands to one shape',
      });
    }
    expectAxis('sort', key, dimension);
    if (!(numKeys >= 1 && numKeys <= ins.length)) {
      throw new ShapeError({
        op: 'sort',
        problem: `cannot sort ${ins.length} operands by ${numKeys} keys`,
        remedy: 'the keys are the first operands: at least one, at most all',
      });
    }
    return ins;
  },
  jvp(primals, tangents, { dimension, numKeys }) {
    const outs = sort([...primals, iota(primals[0]!.shape, dimension, 'int32')], dimension, numKeys);
    const order = outs.at(-1)!;
    return {
      outs: outs.slice(0, -1),
      tangents: tangents.map((tangent) => tangent && gatherAlong(tangent, order, dimension)),
    };
  },
  transpose: 'nonlinear',
  vmap(size, operands, dims, { dimension, numKeys }) {
    const [aligned, dim] = alignBatch(size, operands, dims);
    const outs = sort(aligned, dimension >= dim ? dimension + 1 : dimension, numKeys);
    return { outs, dims: outs.map(() => dim) };
  },
};

const topKParams = t.readonly(t.strict({ k: int }));

/**
 * The `k` largest elements along the last axis, in decreasing order, and where they are (int32). Of equal elements those in front
 * come first; −0 equals 0, and NaN is larger than everything: the order of `sort`, turned around. The tangents go with the
 * elements.
 */
export const topKP: Primitive<'top_k', t.TypeOf<typeof topKParams>> = {
  name: 'top_k',
  params: topKParams,
  abstractEval(ins, { k }) {
    expectCount('top_k', 1, ins);
    const x = ins[0]!;
    const length = x.shape.at(-1);
    if (length === undefined || !(k >= 0 && k <= length)) {
      throw new ShapeError({
        op: 'top_k',
        problem: `${showAval(x)} has no ${k} elements along its last axis`,
        remedy: length === undefined ? 'a scalar has no axis' : `choose k from 0 to ${length}`,
      });
    }
    const shape = [...x.shape.slice(0, -1), k];
    return [withShape(x, shape), makeAval(shape, 'int32')];
  },
  jvp([x], [dx], { k }) {
    const [values, indices] = topK(x!, k);
    return { outs: [values, indices], tangents: [gatherAlong(dx!, indices, x!.ndim - 1), null] };
  },
  transpose: 'nonlinear',
  vmap: (_size, [x], [dim], { k }) => ({ outs: topK(moveAxis(x!, dim!, 0), k), dims: [0, 0] }),
};

/** The operands in the order of the first `numKeys` along `dimension`. */
export const sort = (operands: readonly Value[], dimension: number, numKeys = 1): readonly Value[] =>
  bind(sortP, operands, { dimension, numKeys });
/** The `k` largest elements along the last axis, and their indices. */
export const topK = (x: Value, k: number): readonly [Value, Value] =>
  bind(topKP, [x], { k }) as readonly [Value, Value];
