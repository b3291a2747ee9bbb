/** Equations of more operands than a kernel may have parameters: only a concatenation has as many as the user likes. */

import { makeAval } from '../../../src/core/aval.ts';
import { type Atom, type Eqn, type Jaxpr, makeVar, type Var } from '../../../src/core/jaxpr.ts';
import type { FirstOrderParams } from '../../../src/prim/registry.ts';

/** So many parts are one kernel, if it may bind as many buffers; each element is chosen among them. */
const usual = 32;

/** The program with concatenations of at most 32 parts, and no more than kernels bind: of longer ones the parts are concatenated in groups first. */
export function narrowed(jaxpr: Jaxpr, buffers: number): Jaxpr {
  const most = Math.min(usual, buffers - 1);
  const isWide = ({ primitive, ins }: Eqn): boolean => primitive.name === 'concatenate' && ins.length > most;
  if (!jaxpr.eqns.some(isWide)) return jaxpr;
  return { ...jaxpr, eqns: jaxpr.eqns.flatMap((eqn) => (isWide(eqn) ? inGroups(eqn, most) : [eqn])) };
}

function inGroups(eqn: Eqn, most: number): readonly Eqn[] {
  const { ins, params } = eqn;
  if (ins.length <= most) return [eqn];
  const { dimension } = params as FirstOrderParams<'concatenate'>;
  const groups = Array.from({ length: Math.ceil(ins.length / most) }, (_, i) => ins.slice(i * most, (i + 1) * most));
  const parts = groups.map((group): Eqn => ({ ...eqn, ins: group, outs: [joined(eqn, group, dimension)] }));
  return [...parts, ...inGroups({ ...eqn, ins: parts.flatMap(({ outs }) => outs) }, most)];
}

/** The result of a group: that of the whole, but for its length. */
function joined({ outs }: Eqn, group: readonly Atom[], dimension: number): Var {
  const { shape, dtype, weak } = outs[0]!.aval;
  const length = group.reduce((sum, { aval }) => sum + aval.shape[dimension]!, 0);
  return makeVar(makeAval(shape.with(dimension, length), dtype, weak));
}
