/**
 * Where the first NaN comes from: a function run one operation at a time, with the results looked at.
 *
 * The trace stands at the bottom, above the one that computes, so it sees what derivatives and batches compute as well; it
 * walks into the bodies of calls. That is slow, and it is meant for the one run in which something is wrong.
 */

import { showAval } from '../src/core/aval.ts';
import { isFloat } from '../src/core/dtype.ts';
import { evalTrace } from '../src/core/eager.ts';
import { ConcretizationError, NonFiniteError } from '../src/core/errors.ts';
import { evalJaxpr } from '../src/core/jaxpr.ts';
import type { Primitive } from '../src/core/primitive.ts';
import { stridesOf } from '../src/core/shape.ts';
import { currentTrace, type Trace, withTrace } from '../src/core/trace.ts';
import { expectOptions } from '../src/core/untyped.ts';
import type { Value } from '../src/core/value.ts';
import { nameAfter } from './args.ts';
import { forwardOf } from './custom-lin.ts';
import { stepByStep } from './loops.ts';
import type { HigherOrderName, PrimitiveParams } from './registry.ts';

/** Options of {@link checkFinite}. */
export interface CheckFiniteOptions {
  /** Report ±Inf as well as NaN; default false: −Inf is an honest logarithm of 0 and a usual mask. */
  readonly infinities?: boolean;
}

/** A higher-order primitive as the primitives of its bodies, one after the other, under the current trace. */
type Steps<P> = (operands: readonly Value[], params: P) => readonly Value[];

/** How each of them is walked into. */
const steps: { readonly [Name in HigherOrderName]: Steps<PrimitiveParams<Name>> } = {
  jit: (operands, { jaxpr }) => evalJaxpr(jaxpr, [], operands),
  scan: stepByStep,
  while(operands, { cond, body, condConsts, bodyConsts }) {
    const at = condConsts + bodyConsts;
    let carry: readonly Value[] = operands.slice(at);
    const holds = (): boolean => evalJaxpr(cond, [], [...operands.slice(0, condConsts), ...carry])[0]!.item() === true;
    while (holds()) carry = evalJaxpr(body, [], [...operands.slice(condConsts, at), ...carry]);
    return carry;
  },
  cond([index, ...operands], { branches }) {
    const at = Math.min(Math.max(Number(index!.item()), 0), branches.length - 1);
    return evalJaxpr(branches[at]!, [], operands);
  },
  checkpoint: (operands, { jaxpr }) => evalJaxpr(jaxpr, [], operands),
  custom_jvp: (operands, { jaxpr }) => evalJaxpr(jaxpr, [], operands),
  custom_vjp: (operands, { jaxpr }) => evalJaxpr(jaxpr, [], operands),
  custom_linear_solve: (operands, { solve }) => evalJaxpr(solve, [], operands),
  custom_vmap: (operands, { jaxpr }) => evalJaxpr(jaxpr, [], operands),
  custom_lin: (operands, params) => evalJaxpr(forwardOf(params), [], operands),
};

class FiniteTrace implements Trace {
  live = true;
  private readonly bad: (x: number) => boolean;

  constructor(infinities: boolean) {
    this.bad = infinities ? (x) => !Number.isFinite(x) : Number.isNaN;
  }

  process(primitive: Primitive, operands: readonly Value[], params: unknown): readonly Value[] {
    if (primitive.higherOrder) {
      const walk = steps[primitive.name as HigherOrderName] as Steps<unknown>;
      return withTrace(this, () => walk(operands, params));
    }
    const outs = withTrace(evalTrace, () => evalTrace.process(primitive, operands, params));
    const found = outs.findIndex((x) => this.firstBad(x) >= 0);
    if (found >= 0 && operands.every((x) => this.firstBad(x) < 0)) throw this.report(primitive, operands, outs[found]!);
    return outs;
  }

  /** The place of the first element that is reported, −1 if there is none. */
  private firstBad(x: Value): number {
    return isFloat(x.dtype) ? Array.from(x.dataSync()).findIndex(this.bad) : -1;
  }

  private report(primitive: Primitive, operands: readonly Value[], result: Value): NonFiniteError {
    const at = this.firstBad(result);
    const place = stridesOf(result.shape).map((stride, axis) => Math.floor(at / stride) % result.shape[axis]!);
    const alike = operands.every((x) => x.size === result.size || x.size === 1);
    const given = operands.map((x) => (alike ? `${x.dataSync()[x.size === 1 ? 0 : at]}` : showAval(x.aval)));
    return new NonFiniteError({
      op: 'checkFinite',
      problem:
        `${primitive.name} is the first to make ${result.dataSync()[at]}: element [${place}] of ${showAval(result.aval)}` +
        `${given.length > 0 ? `, from ${given.join(', ')}` : ''}`,
      remedy:
        'keep its operands inside its domain; where a branch is not taken, choose a safe operand with np.where first',
    });
  }
}

/**
 * `f`, run one operation at a time; the first operation that makes NaN out of operands without one throws.
 *
 * Put it outermost: `checkFinite(jit(grad(f)))` sees what all of these compute.
 *
 * @throws NonFiniteError naming the primitive, the element, what it was computed from, and the user's line
 * @throws ConcretizationError inside another transform, where there are no values
 *
 * @example
 * ```ts
 * import { checkFinite, grad, np, type Tensor } from 'pullback';
 * const f = (x: Tensor) => np.sum(np.sqrt(np.mul(x, x)));
 * try {
 *   checkFinite(grad(f))(np.array([1, 0]));
 * } catch (error) {
 *   console.log((error as Error).message.split('\n')[0]);
 *   // => checkFinite: mul is the first to make NaN: element [1] of float32[2], from 0, Infinity
 * }
 * ```
 */
export function checkFinite<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  options: CheckFiniteOptions = {},
): (...args: A) => R {
  expectOptions('checkFinite', options, 'infinities');
  const { infinities = false } = options;
  return nameAfter('checkFinite', f, (...args: A): R => {
    if (currentTrace() !== evalTrace) {
      throw new ConcretizationError({
        op: 'checkFinite',
        problem: 'is called inside another transform, where there are no values to look at',
        remedy: 'put it outermost: checkFinite(jit(grad(f)))',
      });
    }
    const trace = new FiniteTrace(infinities);
    try {
      return withTrace(trace, () => f(...args));
    } finally {
      trace.live = false;
    }
  });
}
