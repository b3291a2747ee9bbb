/** `sort`: rows in order of a key, along one axis, and any number of other tensors in the order of that key. */

import * as t from 'io-ts';
import { showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { int } from '../core/params.ts';
import type { Primitive } from '../core/primitive.ts';
import { sameShape } from '../core/shape.ts';
import { bind } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { alignBatch } from './define.ts';
import { gatherAlong } from './gather.ts';
import { expectAxis } from './reduce.ts';
import { iota } from './structural.ts';

const sortParams = t.readonly(t.strict({ dimension: int }));

/**
 * All operands, of any dtypes, permuted along `dimension` so that the first one, the key, increases. Stable: what has equal
 * keys keeps its order. As JAX has it, −0 equals 0, and NaN comes last, all NaN being equal. Differentiable where keys differ.
 */
export const sortP: Primitive<'sort', t.TypeOf<typeof sortParams>> = {
  name: 'sort',
  params: sortParams,
  abstractEval(ins, { dimension }) {
    const key = ins[0];
    if (!key || ins.some((aval) => !sameShape(aval.shape, key.shape))) {
      throw new ShapeError({
        op: 'sort',
        problem: `needs a key and operands of its shape, got ${ins.map(showAval).join(', ') || 'nothing'}`,
        remedy: 'broadcast the operands to one shape',
      });
    }
    expectAxis('sort', key, dimension);
    return ins;
  },
  jvp(primals, tangents, { dimension }) {
    const outs = sort([...primals, iota(primals[0]!.shape, dimension, 'int32')], dimension);
    const order = outs.at(-1)!;
    return {
      outs: outs.slice(0, -1),
      tangents: tangents.map((tangent) => tangent && gatherAlong(tangent, order, dimension)),
    };
  },
  transpose: 'nonlinear',
  vmap(size, operands, dims, { dimension }) {
    const [aligned, dim] = alignBatch(size, operands, dims);
    const outs = sort(aligned, dimension >= dim ? dimension + 1 : dimension);
    return { outs, dims: outs.map(() => dim) };
  },
};

/** The operands in the order of the first along `dimension`. */
export const sort = (operands: readonly Value[], dimension: number): readonly Value[] =>
  bind(sortP, operands, { dimension });
