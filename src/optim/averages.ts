/** Averages over steps: of updates, of parameters, and of gradients of parts of a batch. */

import { cond } from '../../transforms/index.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { flatten, map, unflatten } from '../tree/tree.ts';
import { expectHyperparameters, expectNumber, expectSteps } from './hyperparameters.ts';
import { filledLike, mixed, unbiased } from './moments.ts';
import { countOf, mapPairs, partsOf } from './state.ts';
import {
  type Extra,
  expectTransformation,
  type GradientTransformation,
  noSteps,
  type OptState,
  oneMore,
} from './transformation.ts';

/** Options of {@link ema}. */
export interface EmaOptions {
  /** Correct the bias of the start, at 0; default true. */
  readonly debias?: boolean;
}

/**
 * The running mean m ← decay·m + (1 − decay)·x of what it is given: of updates in a chain, of parameters beside one.
 *
 * The state is `{ count, ema }`.
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const averaging = optim.ema(0.5);
 * let state = averaging.init(np.array(0));
 * let mean = np.array(0);
 * for (const params of [np.array(3), np.array(6)]) [mean, state] = averaging.update(params, state, params);
 * console.log(mean.item()); // => 5
 * ```
 */
export const ema = (decay: number, options: EmaOptions = {}): GradientTransformation => {
  const op = 'optim.ema';
  expectNumber(op, 'decay', decay);
  expectHyperparameters(op, options, [], ['debias']);
  const { debias = true } = options;
  return {
    init: (params) => ({ count: noSteps(), ema: filledLike(params, 0) as OptState }),
    update: (updates, state) => {
      const before = partsOf(op, state, 'count', 'ema');
      const count = oneMore(countOf(op, before.count));
      const mean = mixed(op, 'ema', decay, updates, before.ema);
      return [debias ? unbiased(decay, count, mean) : mean, { count, ema: mean as OptState }];
    },
  };
};

/**
 * stepSize·news + (1 − stepSize)·olds, leaf by leaf, such as a target network that follows another.
 *
 * @throws TreeError or ShapeError unless the two have one structure
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * console.log(optim.incrementalUpdate({ w: np.array(8) }, { w: np.array(4) }, 0.25).w.item()); // => 5
 * ```
 */
export const incrementalUpdate = <P>(news: P, olds: P, stepSize: number): P => {
  const op = 'optim.incrementalUpdate';
  expectNumber(op, 'stepSize', stepSize);
  const step = (x: Value, y: Value): Value => np.add(np.mul(x, stepSize), np.mul(y, 1 - stepSize));
  return mapPairs(op, ['news', 'olds'], step, news, olds);
};

/** What `onTrue` or `onFalse` returns, two trees of one structure; statics in them stay what they are. */
function either<T>(predicate: Value<'bool'>, onTrue: () => T, onFalse: () => T): T {
  let def: ReturnType<typeof flatten>['def'] | null = null;
  const leavesOf = (f: () => T) => (): Value[] => {
    const flat = flatten(f());
    def = flat.def;
    return [...flat.leaves];
  };
  const leaves = cond(predicate, leavesOf(onTrue), leavesOf(onFalse));
  return unflatten<T>(def!, leaves as readonly Value[]);
}

/**
 * Gradient accumulation: a step of `t` by the mean of every `everyKSchedule` gradients, and updates of 0 between. For batches that do
 * not fit into memory at once.
 *
 * The state is `{ miniStep, gradientStep, inner, acc }`; only the branch that is taken runs.
 *
 * @param everyK - the number of gradients for a step
 * @throws ShapeError unless it is positive
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const optimizer = optim.multiSteps(optim.sgd(1), 2);
 * const x = np.array([0]);
 * const [first, state] = optimizer.update(np.array([1]), optimizer.init(x), x);
 * const [second] = optimizer.update(np.array([3]), state, x);
 * console.log(first.toArray(), second.toArray()); // => [ 0 ] [ -2 ]
 * ```
 */
export const multiSteps = (t: GradientTransformation, everyK: number): GradientTransformation => {
  const op = 'optim.multiSteps';
  expectTransformation(op, 'the first argument', t);
  expectSteps(op, 'everyK', everyK, 'give the number of gradients for a step');
  return {
    init: (params) => ({
      miniStep: noSteps(),
      gradientStep: noSteps(),
      inner: t.init(params),
      acc: filledLike(params, 0) as OptState,
    }),
    update: <P>(updates: P, state: OptState, params: P, extra?: Extra<P>) => {
      const before = partsOf(op, state, 'miniStep', 'gradientStep', 'inner', 'acc');
      const [miniStep, gradientStep] = [countOf(op, before.miniStep), countOf(op, before.gradientStep)];
      const done = oneMore(miniStep);
      const share = (g: Value, mean: Value): Value =>
        np.add(mean, np.div(np.sub(g, mean), np.astype(done, mean.dtype)));
      const acc = mapPairs(op, ['updates', 'state.acc'], share, updates, before.acc);
      const zero = (): P => map((x: Value) => np.zerosLike(x), updates);
      type Outcome = { readonly updates: P; readonly inner: OptState; readonly acc: OptState };
      const step = (): Outcome => {
        const [stepped, inner] = t.update(acc, before.inner, params, extra);
        return { updates: stepped, inner, acc: zero() as OptState };
      };
      const wait = (): Outcome => ({ updates: zero(), inner: before.inner, acc: acc as OptState });
      const isLast = np.greaterEqual(done, everyK);
      const next = either(isLast, step, wait);
      return [
        next.updates,
        {
          miniStep: np.where(isLast, 0, done) as Value<'int32'>,
          gradientStep: np.add(gradientStep, np.astype(isLast, 'int32')) as Value<'int32'>,
          inner: next.inner,
          acc: next.acc,
        },
      ];
    },
  };
};

/**
 * Lookahead: `t` makes steps from parameters that every `syncPeriod` steps are set back to slow ones, after these went a part of the way,
 * slow ← slow + slowStepSize·(fast − slow).
 *
 * The state is `{ count, fast, slow }`: the state of `t`, and the slow parameters, with which to evaluate. (optax has the slow ones in a
 * pair with the fast in the parameters.) M. Zhang, J. Lucas, G. Hinton, J. Ba, "Lookahead optimizer: k steps forward, 1 step back"
 * (2019).
 *
 * @throws ShapeError unless `syncPeriod` is positive
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const optimizer = optim.lookahead(optim.sgd(1), 2, 0.5);
 * let x = np.array([0]);
 * let state = optimizer.init(x);
 * for (let i = 0; i < 2; i++) {
 *   const [updates, next] = optimizer.update(np.array([-4]), state, x);
 *   [x, state] = [optim.applyUpdates(x, updates), next];
 * }
 * console.log(x.toArray()); // => [ 4 ]
 * ```
 */
export const lookahead = (
  t: GradientTransformation,
  syncPeriod: number,
  slowStepSize: number,
): GradientTransformation => {
  const op = 'optim.lookahead';
  expectTransformation(op, 'the first argument', t);
  expectSteps(op, 'syncPeriod', syncPeriod, 'give the number of fast steps for a slow one');
  expectNumber(op, 'slowStepSize', slowStepSize);
  return {
    init: (params) => ({
      count: noSteps(),
      fast: t.init(params),
      slow: map((x: Value) => x, params) as OptState,
    }),
    update: <P>(updates: P, state: OptState, params: P, extra?: Extra<P>) => {
      const before = partsOf(op, state, 'count', 'fast', 'slow');
      const count = oneMore(countOf(op, before.count));
      const [step, fast] = t.update(updates, before.fast, params, extra);
      const isSync = np.equal(np.mod(count, syncPeriod), 0);
      const reached = mapPairs(op, ['params', 'updates'], (p, u) => np.add(p, u), params, step);
      const move = (x: Value, s: Value): Value => np.where(isSync, np.add(s, np.mul(np.sub(x, s), slowStepSize)), s);
      const slow = mapPairs(op, ['updates', 'state.slow'], move, reached, before.slow);
      const back = mapPairs(op, ['slow', 'params'], (s, p) => np.sub(s, p), slow, params);
      const chosen = mapPairs(op, ['updates', 'updates'], (u, b) => np.where(isSync, b, u), step, back);
      return [chosen, { count, fast, slow: slow as OptState }];
    },
  };
};
