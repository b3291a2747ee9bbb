/** L-BFGS: Newton's steps with a Hessian that is known by the last few changes of the gradient. */

import { scan } from '../../transforms/index.ts';
import { makeAval } from '../core/aval.ts';
import { DTypeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { describe } from '../ops/untyped.ts';
import { convertElementType, convertLike } from '../prim/arithmetic.ts';
import { filled, zeros } from '../prim/compose.ts';
import { concatenate, reshape, sliceAxis } from '../prim/structural.ts';
import { flatten, map, unflatten } from '../tree/tree.ts';
import { expectHyperparameters } from './hyperparameters.ts';
import { scaleByZoomLinesearch } from './linesearch.ts';
import { filledLike } from './moments.ts';
import { countOf, dtypeFor, mapPairs, partsOf, wrongState } from './state.ts';
import {
  chainOf,
  expectTransformation,
  type GradientTransformation,
  identity,
  noSteps,
  type OptState,
  oneMore,
  type Schedule,
  scaleByLearningRate,
} from './transformation.ts';

/** Options of {@link scaleByLbfgs}. */
export interface ScaleByLbfgsOptions {
  /** How many steps are remembered; default 10. */
  readonly memorySize?: number;
  /** Begin with the scale of the last step for the Hessian (default), or with 1. */
  readonly scaleInitPrecond?: boolean;
}

type Leaves = readonly Value[];

/** ⟨x, y⟩ of all leaves, in this dtype. */
const inner = (xs: Leaves, ys: Leaves, like: Value): Value =>
  xs.reduce<Value>(
    (sum, x, i) => np.add(sum, convertElementType(np.sum(np.mul(x, ys[i]!)), like.dtype)),
    zeros(makeAval([], like.dtype)),
  );

/** x + factor·y, leaf by leaf, in the dtypes of x. */
const along = (xs: Leaves, factor: Value, ys: Leaves): Leaves =>
  xs.map((x, i) => convertLike(np.add(x, np.mul(ys[i]!, convertElementType(factor, ys[i]!.dtype))), x.aval));

/** A row of memory: the oldest goes, `x` comes in behind. */
const remembered = (memory: Value, x: Value): Value =>
  concatenate([sliceAxis(memory, 0, 1, memory.shape[0]!), reshape(x, [1, ...x.shape])], 0);

/**
 * H·g with the inverse Hessian H that the last `memorySize` steps s and changes of the gradient y say, by the two loops of Nocedal.
 *
 * Steps along which the slope did not grow (⟨s, y⟩ ≤ 0, which a line search rules out) say nothing. The Hessian begins with ⟨s, y⟩/⟨y, y⟩ of
 * the last step, the first direction is at most 1 long. The loops are `scan`s over the memory, so that programs do not grow with it.
 *
 * The state is `{ count, params, updates, steps, changes, weights }`. J. Nocedal, S. Wright, "Numerical optimization" (2006), algorithm 7.4.
 *
 * @throws DTypeError for a memory of no step
 */
export const scaleByLbfgs = (options: ScaleByLbfgsOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByLbfgs';
  expectHyperparameters(op, options, ['memorySize'], ['scaleInitPrecond']);
  const { memorySize = 10, scaleInitPrecond = true } = options;
  if (!Number.isInteger(memorySize) || memorySize < 1) {
    const problem = `memorySize is ${describe(memorySize)}, not a number of steps`;
    throw new DTypeError({ op, problem, remedy: 'remember 1, 2, … steps' });
  }
  const empty = <P>(params: P): OptState =>
    map((p: Value) => zeros(makeAval([memorySize, ...p.shape], p.dtype)), params) as OptState;
  return {
    init: (params) => ({
      count: noSteps(),
      params: filledLike(params, 0) as OptState,
      updates: filledLike(params, 0) as OptState,
      steps: empty(params),
      changes: empty(params),
      weights: filled([memorySize], 0, dtypeFor(params)),
    }),
    update: <P>(updates: P, state: OptState, params: P) => {
      const before = partsOf(op, state, 'count', 'params', 'updates', 'steps', 'changes', 'weights');
      const count = countOf(op, before.count);
      const known = np.greater(count, 0);
      const since = (now: Value, then: Value): Value => np.where(known, np.sub(now, then), 0);
      const step = flatten(mapPairs(op, ['params', 'state.params'], since, params, before.params)).leaves;
      const { leaves: change, def } = flatten(
        mapPairs(op, ['updates', 'state.updates'], since, updates, before.updates),
      );
      const memories = (['steps', 'changes'] as const).map((name) => {
        const { leaves, def: found } = flatten(before[name]);
        if (found.key === def.key) return leaves;
        throw wrongState(op, `updates and state.${name} differ in their structure`);
      });
      if (!(before.weights instanceof Value)) throw wrongState(op, 'state.weights is not a tensor');
      const { weights } = before as { readonly weights: Value };
      const slope = inner(step, change, weights);
      const grows = np.greater(slope, 0);
      const steps = memories[0]!.map((memory, i) => remembered(memory, step[i]!));
      const changes = memories[1]!.map((memory, i) => remembered(memory, change[i]!));
      const weight = np.where(grows, np.div(1, np.where(grows, slope, 1)), 0);
      const nextWeights = remembered(weights, weight);

      const gradient = flatten(updates).leaves;
      const [reduced, shares] = scan(
        (q: Leaves, [s, y, w]: readonly [Leaves, Leaves, Value]) => {
          const share = np.mul(w, inner(s, q, w));
          return [along(q, np.neg(share), y), share] as const;
        },
        gradient,
        [steps, changes, nextWeights] as const,
        { reverse: true },
      );
      const norm = np.sqrt(inner(gradient, gradient, weights));
      const first = np.where(np.greater(norm, 1), np.div(1, np.where(np.greater(norm, 1), norm, 1)), 1);
      const stretch = np.where(grows, np.div(slope, np.where(grows, inner(change, change, weights), 1)), 1);
      const factor = scaleInitPrecond ? np.where(known, stretch, first) : np.onesLike(stretch);
      const scaled = (reduced as Leaves).map((q) => np.mul(q, convertElementType(factor, q.dtype)));
      const [direction] = scan(
        (r: Leaves, [s, y, w, share]: readonly [Leaves, Leaves, Value, Value]) =>
          [along(r, np.sub(share, np.mul(w, inner(y, r, w))), s), null] as const,
        scaled,
        [steps, changes, nextWeights, shares] as const,
      );
      return [
        unflatten<P>(def, direction as Leaves),
        {
          count: oneMore(count),
          params: params as OptState,
          updates: updates as OptState,
          steps: unflatten<OptState>(def, steps),
          changes: unflatten<OptState>(def, changes),
          weights: nextWeights,
        },
      ];
    },
  };
};

/** Options of {@link lbfgs}. */
export interface LbfgsOptions extends ScaleByLbfgsOptions {
  /** How far to go along the direction; {@link scaleByZoomLinesearch} by default, null: all the way. */
  readonly linesearch?: GradientTransformation | null;
}

/**
 * L-BFGS: {@link scaleByLbfgs}, then the rate, then a line search, for which each update is given the loss as a function:
 * `update(gradient, state, params, { value, grad, valueFn })`. For smooth losses without noise, of all data at once.
 *
 * @param rate - what the direction is multiplied by before the line search, or a schedule of it; default 1
 *
 * @example
 * ```ts
 * import { jit, np, optim, type Tensor, valueAndGrad } from 'pullback';
 * const rosenbrock = (x: Tensor<'float64'>) => {
 *   const [a, b] = [np.index(x, 0), np.index(x, 1)];
 *   return np.add(np.square(np.sub(1, a)), np.mul(100, np.square(np.sub(b, np.square(a)))));
 * };
 * const optimizer = optim.lbfgs();
 * const step = jit((x: Tensor<'float64'>, state: optim.OptState) => {
 *   const [value, grad] = valueAndGrad(rosenbrock)(x);
 *   const [updates, next] = optimizer.update(grad, state, x, { value, grad, valueFn: rosenbrock });
 *   return [optim.applyUpdates(x, updates), next] as const;
 * });
 * let x = np.array([-1.2, 1], { dtype: 'float64' });
 * let state = optimizer.init(x);
 * for (let i = 0; i < 40; i++) [x, state] = step(x, state);
 * console.log(rosenbrock(x).item() < 1e-12); // => true
 * ```
 */
export const lbfgs = (rate: number | Schedule = 1, options: LbfgsOptions = {}): GradientTransformation => {
  const op = 'optim.lbfgs';
  expectHyperparameters(op, options, ['memorySize'], ['scaleInitPrecond'], ['linesearch']);
  const { linesearch = scaleByZoomLinesearch(), ...own } = options;
  if (linesearch !== null) expectTransformation(op, 'linesearch', linesearch);
  return chainOf(op, [scaleByLbfgs(own), scaleByLearningRate(rate), linesearch ?? identity()]);
};
