/** Operations that return their operands: `stop_gradient`, and the barrier that no pass may cross. */

import { type None, none } from '../core/params.ts';
import { isHole, noParams, type Primitive, type Tangent } from '../core/primitive.ts';
import { bind, bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { expectCount, noDerivative, vmapElementwise } from './define.ts';

/** The identity, with a zero derivative. */
export const stopGradientP: Primitive<'stop_gradient', None> = {
  name: 'stop_gradient',
  params: none,
  abstractEval(ins) {
    expectCount('stop_gradient', 1, ins);
    return [ins[0]!];
  },
  jvp: noDerivative(([x]) => [stopGradientOf(x!)]),
  transpose: 'nonlinear',
  vmap: vmapElementwise(([x]) => [stopGradientOf(x!)]),
};

/** Apply the barrier to those that are there. */
function barrierTangents(tangents: readonly Tangent[]): readonly Tangent[] {
  const present = tangents.filter((t) => t !== null);
  if (present.length === 0) return tangents;
  const outs = optimizationBarrier(present);
  let next = 0;
  return tangents.map((t) => (t ? outs[next++]! : null));
}

/** The identity on any number of operands; CSE, inlining and folding do not cross it. */
export const optimizationBarrierP: Primitive<'optimization_barrier', None> = {
  name: 'optimization_barrier',
  params: none,
  abstractEval: (ins) => ins,
  jvp: (primals, tangents) => ({ outs: optimizationBarrier(primals), tangents: barrierTangents(tangents) }),
  transpose: (cotangents, operands) => barrierTangents(cotangents.map((ct, i) => (isHole(operands[i]!) ? ct : null))),
  vmap: (_size, operands, dims) => ({ outs: optimizationBarrier(operands), dims }),
};

/** `x`, as a constant to every derivative. */
export const stopGradientOf = (x: Value): Value => bind1(stopGradientP, [x], noParams);
/** The operands, tied together: all are computed before any result is used. */
export const optimizationBarrier = (operands: readonly Value[]): readonly Value[] =>
  bind(optimizationBarrierP, operands, noParams);
