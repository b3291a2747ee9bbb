import type { Storage } from '../../src/core/backend.ts';
import { evalJaxpr, inAvals, type Jaxpr, constsAsInputs } from '../../src/core/jaxpr.ts';
import { stage } from '../../src/core/stage.ts';
import type { Tensor } from '../../src/core/value.ts';
import { decomposing, type DecomposedName } from '../loop/decompose/index.ts';
export function decompose(jaxpr: Jaxpr, names: readonly string[]): { jaxpr: Jaxpr; consts: readonly Storage[] } {
  if (!jaxpr.eqns.some((e) => names.includes(e.primitive.name))) return { jaxpr, consts: [] };
  const staged = stage("decompose", (...args) => decomposing(names as DecomposedName[], () => evalJaxpr(jaxpr, [], args)), inAvals(jaxpr));
  return { jaxpr: constsAsInputs(staged.jaxpr), consts: staged.consts.map((x) => (x as Tensor).storage) };
}
