/** How much memory a program takes: the bytes of the values that are alive at once. */

import type { Aval } from '../../src/core/aval.ts';
import { byteSize } from '../../src/core/dtype.ts';
import { type Atom, innerJaxprs, isLiteral, type Jaxpr } from '../../src/core/jaxpr.ts';

const bytesOf = ({ size, dtype }: Aval): number => size * byteSize(dtype);

const totalOf = (atoms: Iterable<Atom>): number => {
  let sum = 0;
  for (const atom of atoms) sum += bytesOf(atom.aval);
  return sum;
};

/**
 * The most bytes that intermediate values take at one time, if the equations run in order and a value is freed after its last use.
 *
 * Inputs, constants and outputs are not counted: they belong to the caller. No operand is overwritten by a result, and a barrier
 * copies, so a device may do with less. While a loop, a branch or a call runs its own intermediate values are alive as well,
 * and the results of one step.
 *
 * @param jaxpr - as it is run: measure `optimize(jaxpr)`, as devices do
 *
 * @example
 * ```ts
 * import { makeJaxpr, np, optimize, peakLiveBytes, type Tensor } from 'pullback';
 * const { jaxpr } = makeJaxpr((x: Tensor) => np.sum(np.sin(np.exp(x))))(np.zeros([1000]));
 * peakLiveBytes(optimize(jaxpr)); // => 8000
 * ```
 */
export function peakLiveBytes(jaxpr: Jaxpr): number {
  const owned = new Set<Atom>([...jaxpr.consts, ...jaxpr.ins, ...jaxpr.outs]);
  const lastUse = new Map<Atom, number>();
  jaxpr.eqns.forEach((eqn, i) => {
    for (const atom of [...eqn.ins, ...eqn.outs]) if (!isLiteral(atom) && !owned.has(atom)) lastUse.set(atom, i);
  });
  let live = 0;
  let peak = 0;
  jaxpr.eqns.forEach((eqn, i) => {
    const made = eqn.outs.filter((v) => lastUse.has(v));
    live += totalOf(made);
    const inner = innerJaxprs(eqn).map((body) => peakLiveBytes(body) + totalOf(new Set(body.outs)));
    peak = Math.max(peak, live + Math.max(0, ...inner));
    const dead = new Set([...eqn.ins, ...made].filter((atom) => lastUse.get(atom) === i));
    live -= totalOf(dead);
  });
  return peak;
}
