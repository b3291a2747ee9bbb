/** A program in which what has no loops is replaced by programs of what has. */

import type { Storage } from '../../src/core/backend.ts';
import { constsAsInputs, evalJaxpr, inAvals, type Jaxpr } from '../../src/core/jaxpr.ts';
import { stage } from '../../src/core/stage.ts';
import type { Tensor } from '../../src/core/value.ts';
import { type DecomposedName, decomposing } from '../loop/decompose/index.ts';

/** The program, and the constants that are its first inputs. */
export function decompose(
  jaxpr: Jaxpr,
  names: readonly string[],
): { readonly jaxpr: Jaxpr; readonly consts: readonly Storage[] } {
  if (!jaxpr.eqns.some((eqn) => names.includes(eqn.primitive.name))) return { jaxpr, consts: [] };
  const { jaxpr: staged, consts } = stage(
    'decompose',
    (...args) => decomposing(names as DecomposedName[], () => evalJaxpr(jaxpr, [], args)),
    inAvals(jaxpr),
  );
  return { jaxpr: constsAsInputs(staged), consts: consts.map((x) => (x as Tensor).storage) };
}
