/**
 * Is a user's rule linear in its tangents? A program cannot be asked in general; but its derivative can be looked at, which in a
 * linear one depends on no tangent, and so can the transpose, which fails at the equation that is not linear.
 */

import { unobserved } from '../src/core/eager.ts';
import { annotate, NotDifferentiableError } from '../src/core/errors.ts';
import { type Atom, inAvals, innerJaxprs, type Jaxpr } from '../src/core/jaxpr.ts';
import { dependences } from './affine.ts';
import { asFunction, derive, transposeOf } from './call.ts';
import { linearizeFlat } from './linearize.ts';
import { dce } from './passes/dce.ts';
import { inline, inlineJit } from './passes/inline.ts';

/** The inputs that outputs are computed from, whoever watches on the way. */
function readBy(jaxpr: Jaxpr): readonly boolean[] {
  const { eqns, outs } = dce(inline(unobserved(jaxpr)));
  const read = new Set<Atom>([...outs, ...eqns.flatMap((eqn) => eqn.ins)]);
  return jaxpr.ins.map((v) => read.has(v));
}

/** Is there an equation that runs again, with tangents, where it is linearized: a loop of unknown length? */
const runsAgain = ({ eqns }: Jaxpr): boolean =>
  eqns.some((eqn) => eqn.primitive.irreversible !== undefined || innerJaxprs(eqn).some(runsAgain));

/**
 * @param rule - from primals and tangents to tangents, the last `count` of its inputs being tangents
 * @throws NotDifferentiableError naming the equation that is not linear in the tangents, or if a result depends on primals alone
 */
export function expectLinear(op: string, rule: Jaxpr, count: number): void {
  const primals = rule.ins.length - count;
  const moving = rule.ins.map((_, i) => i >= primals);
  const context = (): string =>
    `while linearizing ${op}, whose rule must be linear in the tangents: compute nothing but sums of them, and products with primals`;
  const found = annotate(context, () => dependences(rule, moving));
  if (found.includes('known')) {
    throw new NotDifferentiableError({
      op,
      problem: 'its rule returns a tangent that depends on the primals alone, and so is not linear in the tangents',
      remedy: 'multiply by the tangent of the argument; a tangent that is zero is null',
    });
  }
  if (runsAgain(rule)) return;
  const { jaxpr: coefficients, consts } = derive(
    (...args) => linearizeFlat(asFunction(rule), args, moving).linear.consts,
    inAvals(rule),
  );
  if (
    !readBy(coefficients)
      .slice(consts.length)
      .some((flag, i) => flag && moving[i])
  )
    return;
  // What calls compute from primals alone is told from what is linear only when they are inlined.
  annotate(context, () =>
    transposeOf(
      inlineJit(rule),
      moving,
      rule.outs.map(() => true),
    ),
  );
}
