/**
 * The clean-up passes, from jaxpr to jaxpr, that every device runs before it compiles.
 *
 * Every pass changes how a program computes and not one bit of what: values, NaN, ±Inf, −0 and the wrapping of integers are
 * those of the program as traced. What reassociates floats has no place here.
 */

import { checkJaxpr } from '../../src/core/check.ts';
import { CheckError } from '../../src/core/errors.ts';
import { innerJaxprs, isJaxpr, type Jaxpr, outAvals, sameAvals } from '../../src/core/jaxpr.ts';
import { cse } from './cse.ts';
import { dce } from './dce.ts';
import { folding } from './fold.ts';
import { inline } from './inline.ts';
import { type Rewrite, rewrite } from './rewrite.ts';
import { simplifications } from './simplify.ts';

export { cse } from './cse.ts';
export { dce } from './dce.ts';
export { fold, foldedNames, folding } from './fold.ts';
export { inline } from './inline.ts';
export { type Application, type Definitions, type Replacement, type Rewrite, rewrite } from './rewrite.ts';
export { simplifications, simplify } from './simplify.ts';

const local: readonly Rewrite[] = [...simplifications, folding];

/** Merging makes operands equal, which lets rewrites apply, which lets more merge; programs take two rounds. */
const rounds = 8;

const optimized = new WeakMap<Jaxpr, Jaxpr>();

/**
 * The same program, bodies of loops and branches included, with less to do: calls inlined, simplified, constants folded, equal equations merged, dead ones left out.
 *
 * Inputs, constants and the avals of the outputs are those of `jaxpr`, and so is every bit of its results (law: "optimize
 * preserves values"). Remembered on the jaxpr; each pass is checked; linear in the number of equations.
 *
 * @throws CheckError if a pass builds an ill-typed program, which is a bug
 */
export function optimize(jaxpr: Jaxpr): Jaxpr {
  const known = optimized.get(jaxpr);
  if (known) return known;
  let current = checked('bodies', bodies, checked('inline', inline, jaxpr));
  for (let round = 0; round < rounds; round++) {
    const simple = checked('simplify', (before) => rewrite(before, local), current);
    // Merging again what was merged finds nothing.
    if (round > 0 && simple === current) break;
    const merged = checked('cse', cse, simple);
    current = checked('bodies', bodies, checked('dce', dce, merged));
    if (merged === simple) break;
  }
  optimized.set(jaxpr, current);
  optimized.set(current, current);
  return current;
}

/** The program with the bodies of its loops and branches optimized. */
function bodies(jaxpr: Jaxpr): Jaxpr {
  let changed = false;
  const eqns = jaxpr.eqns.map((eqn) => {
    if (innerJaxprs(eqn).every((body) => optimize(body) === body)) return eqn;
    changed = true;
    return { ...eqn, params: withBodies(eqn.params) };
  });
  return changed ? { ...jaxpr, eqns } : jaxpr;
}

/** Parameters with each program in them optimized, which keeps the avals of what it takes and returns. */
function withBodies(params: unknown): unknown {
  const improved = (x: unknown): unknown => (isJaxpr(x) ? optimize(x) : x);
  const entries = Object.entries(params as object).map(([key, x]) => [
    key,
    Array.isArray(x) ? x.map(improved) : improved(x),
  ]);
  return Object.fromEntries(entries);
}

/** What `pass` makes of `before`, if it is well typed and has the same outputs. */
function checked(name: string, pass: (jaxpr: Jaxpr) => Jaxpr, before: Jaxpr): Jaxpr {
  const after = pass(before);
  if (after === before) return before;
  checkJaxpr(after);
  if (!sameAvals(outAvals(before), outAvals(after))) {
    throw new CheckError({
      op: name,
      problem: 'a pass has changed the avals of the outputs',
      remedy: 'this is a bug in the pass; please report it',
    });
  }
  return after;
}
