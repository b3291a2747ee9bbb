/**
 * The linear part of a call with a reverse-mode rule: the map whose transpose is the user's `bwd`.
 *
 * Reverse mode transposes it, which calls `bwd` and asks nothing more of it. To compute it forwards `bwd` is transposed in its
 * cotangents, so there it must be linear.
 */

import * as t from 'io-ts';
import { type Aval, compatible, showAval } from '../src/core/aval.ts';
import { annotate, CheckError, NotDifferentiableError } from '../src/core/errors.ts';
import { inAvals, type Jaxpr, outAvals } from '../src/core/jaxpr.ts';
import { int } from '../src/core/params.ts';
import { isHole, type Primitive, type Tangent } from '../src/core/primitive.ts';
import { range } from '../src/core/shape.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { zeros } from '../src/prim/compose.ts';
import { batchAt, instantiate } from '../src/prim/define.ts';
import { dependences } from './affine.ts';
import {
  call,
  callDerived,
  derive,
  jaxprCodec,
  jitP,
  remember,
  spread,
  transposeOf,
  vmapAtFront,
  withAval,
} from './call.ts';
import { inlineJit } from './passes/inline.ts';

const params = t.readonly(
  t.strict({
    name: t.string,
    /** From the residuals and cotangents of the results to cotangents of the other operands. */
    jaxpr: jaxprCodec,
    /** How many operands are residuals. */
    residuals: int,
  }),
);

/** The parameters of `custom_lin`. */
export type CustomLinParams = t.TypeOf<typeof params>;

/**
 * The map itself, as a program of the residuals and the tangents.
 *
 * @throws NotDifferentiableError naming the equation that is not linear in the cotangents
 */
export function forwardOf({ name, jaxpr, residuals }: CustomLinParams): Jaxpr {
  return remember(jaxpr, `forward ${residuals}`, () => {
    const [known, cotangents] = [inAvals(jaxpr).slice(0, residuals), inAvals(jaxpr).slice(residuals)];
    const isLinear = jaxpr.ins.map((_, i) => i >= residuals);
    const context = (): string =>
      `in forward mode of customVjp(${name}), which transposes its bwd: let bwd be linear in the cotangent, use customJvp, or reverse mode`;
    const { program, nonzero } = annotate(context, () => {
      // What calls compute from residuals alone is told from what is linear only when they are inlined.
      const transposed = transposeOf(
        inlineJit(jaxpr),
        isLinear,
        jaxpr.outs.map(() => true),
      );
      if (!dependences(jaxpr, isLinear).includes('known')) return transposed;
      throw new NotDifferentiableError({
        op: `customVjp(${name})`,
        problem: 'its bwd returns a cotangent that does not depend on the one that it gets, and so is not linear in it',
        remedy: 'multiply by the cotangent of the output; a cotangent that is zero is null',
      });
    });
    const { jaxpr: forward } = derive(
      (...args) => {
        const results = spread(nonzero, callDerived(name, program, args)).slice(residuals);
        return results.map((x, i) => withAval(x ?? zeros(cotangents[i]!), cotangents[i]!));
      },
      [...known, ...outAvals(jaxpr)],
    );
    return forward;
  });
}

export const customLinP: Primitive<'custom_lin', CustomLinParams> = {
  name: 'custom_lin',
  params,
  abstractEval(ins, { name, jaxpr, residuals }) {
    const wanted = [...inAvals(jaxpr).slice(0, residuals), ...outAvals(jaxpr)];
    if (ins.length === wanted.length && ins.every((aval, i) => compatible(aval, wanted[i]!))) {
      return inAvals(jaxpr).slice(residuals);
    }
    const list = (avals: readonly Aval[]): string => avals.map(showAval).join(', ');
    throw new CheckError({ op: 'custom_lin', problem: `${name} takes ${list(wanted)}, called with ${list(ins)}` });
  },
  jvp: (primals, tangents, called) => jitP.jvp(primals, tangents, { name: called.name, jaxpr: forwardOf(called) }),
  transpose(cotangents, operands, { name, jaxpr, residuals }) {
    const known = operands.slice(0, residuals) as readonly Value[];
    const cts = inAvals(jaxpr)
      .slice(residuals)
      .map((aval, i) => instantiate(cotangents[i]!, { aval }));
    const results = call(name, jaxpr, [...known, ...cts]);
    return operands.map((x, i): Tangent => (isHole(x) ? results[i - residuals]! : null));
  },
  vmap(size, operands, dims, { name, jaxpr, residuals }) {
    const inDims = range(jaxpr.ins.length).map((i) => (i < residuals ? dims[i]! : 0));
    const { jaxpr: batched, consts } = vmapAtFront(jaxpr, size, inDims);
    // A tangent that all lanes share is made one of each: transposed, that sums the cotangents of the lanes.
    const lanes = operands.map((x, i) => (i < residuals ? x : batchAt(size, x, dims[i]!, 0)));
    const outs = bind(customLinP, [...consts, ...lanes], {
      name,
      jaxpr: batched,
      residuals: residuals + consts.length,
    });
    return { outs, dims: outs.map(() => 0) };
  },
  higherOrder: {
    jaxprs: ({ jaxpr }) => [jaxpr],
    body: forwardOf,
    linearize: (primals, active, called) =>
      jitP.higherOrder!.linearize(primals, active, { name: called.name, jaxpr: forwardOf(called) }),
  },
};
