/** Operations that return their operands: `stop_gradient`, the barrier that no pass may cross, and `tap`, which somebody watches. */

import * as t from 'io-ts';
import { type None, none } from '../core/params.ts';
import { isHole, noParams, type Primitive, type Tangent } from '../core/primitive.ts';
import { bind, bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { expectCount, noDerivative, vmapElementwise } from './define.ts';
import { moveAxis } from './structural.ts';

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

/** What is done with the values that pass a `tap`. */
export type Deliver = (values: readonly Value[], label: string) => void;

const deliverCodec = new t.Type<Deliver>(
  'a function',
  (u): u is Deliver => typeof u === 'function',
  (u, c) => (typeof u === 'function' ? t.success(u as Deliver) : t.failure(u, c)),
  t.identity,
);

const tapParams = t.readonly(t.strict({ label: t.string, deliver: deliverCodec }));

/**
 * The identity on any number of operands, which are shown to somebody when the program has run. Derivatives pass it and are
 * not shown; of a batch all lanes are shown at once, along axis 0.
 */
export const tapP: Primitive<'tap', t.TypeOf<typeof tapParams>> = {
  name: 'tap',
  params: tapParams,
  abstractEval: (ins) => ins,
  jvp: (primals, tangents, params) => ({ outs: bind(tapP, primals, params), tangents }),
  transpose: (cotangents, operands) => cotangents.map((ct, i) => (isHole(operands[i]!) ? ct : null)),
  vmap(_size, operands, dims, params) {
    const first = operands.map((x, i) => (dims[i] === null ? x : moveAxis(x, dims[i]!, 0)));
    return { outs: bind(tapP, first, params), dims: dims.map((dim) => (dim === null ? null : 0)) };
  },
  effect: true,
};

/** The operands, shown to `deliver` when the program has run. */
export const tap = (label: string, deliver: Deliver, operands: readonly Value[]): readonly Value[] =>
  bind(tapP, operands, { label, deliver });
const nameParams = t.readonly(t.strict({ name: t.string }));

/** The identity, which gives a value a name that policies of `checkpoint` know. Tangents are not named. */
export const nameP: Primitive<'name', t.TypeOf<typeof nameParams>> = {
  name: 'name',
  params: nameParams,
  abstractEval(ins) {
    expectCount('name', 1, ins);
    return [ins[0]!];
  },
  jvp: ([x], [dx], params) => ({ outs: [bind1(nameP, [x!], params)], tangents: [dx!] }),
  transpose: ([ct]) => [ct!],
  vmap: vmapElementwise(([x], params) => [bind1(nameP, [x!], params)]),
};

/** `x`, known by `name`. */
export const named = (x: Value, name: string): Value => bind1(nameP, [x], { name });
/** `x`, as a constant to every derivative. */
export const stopGradientOf = (x: Value): Value => bind1(stopGradientP, [x], noParams);
/** The operands, tied together: all are computed before any result is used. */
export const optimizationBarrier = (operands: readonly Value[]): readonly Value[] =>
  bind(optimizationBarrierP, operands, noParams);
