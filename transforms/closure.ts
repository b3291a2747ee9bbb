/** What a function closes over, as arguments. */

import { constsAsInputs, evalJaxpr } from '../src/core/jaxpr.ts';
import { stage } from '../src/core/stage.ts';
import { Tracer, type Value } from '../src/core/value.ts';
import { avalOf, flatten, type Leaf, unflatten } from '../src/tree/tree.ts';
import { flatFunction, nameAfter } from './args.ts';
import type { Abstract } from './inspect.ts';
import { withOperands } from './rule.ts';

/**
 * `f` without what it closes over of the transforms around it: that becomes arguments behind its own.
 *
 * For functions that are handed to something with a rule of its own, which may only be differentiated in its arguments. Concrete
 * tensors stay where they are: nothing depends on them.
 *
 * @param examples - the arguments, or avals in their place: their structure, shapes and dtypes matter
 * @returns `[converted, captured]`, with `converted(...args, ...captured)` equal to `f(...args)` for arguments like the examples
 *
 * @example
 * ```ts
 * import { closureConvert, grad, np, type Tensor } from 'pullback';
 * const f = (a: Tensor): Tensor => {
 *   const [times, captured] = closureConvert((x: Tensor) => np.mul(a, x), np.array(1));
 *   return times(np.array(3), ...captured);
 * };
 * grad(f)(2).item(); // => 3
 * ```
 */
export function closureConvert<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  ...examples: { [K in keyof A]: Abstract<A[K]> }
): [converted: (...args: [...A, ...Value[]]) => R, captured: readonly Value[]] {
  const { leaves, def } = flatten<Leaf>(examples, 'closureConvert', 'examples');
  const { flat, outDef } = flatFunction('closureConvert', f, def);
  const closed = stage('closureConvert', flat, leaves.map(avalOf));
  const captured = closed.consts.filter((x) => x instanceof Tracer);
  const { jaxpr, consts } = withOperands(closed, captured);
  const program = constsAsInputs(jaxpr);
  const count = examples.length;
  const converted = (...args: [...A, ...Value[]]): R => {
    const own = flatten(args.slice(0, count), 'closureConvert', 'args').leaves;
    return unflatten<R>(outDef(), evalJaxpr(program, [], [...consts, ...(args.slice(count) as Value[]), ...own]));
  };
  return [nameAfter('closureConvert', f, converted), captured];
}
