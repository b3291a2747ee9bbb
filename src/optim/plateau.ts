/** Rates that a loop can see and change: held in the state, or made smaller where the loss does not go down any more. */

import { makeAval } from '../core/aval.ts';
import { TreeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { convertElementType } from '../prim/arithmetic.ts';
import { full } from '../prim/compose.ts';
import { map } from '../tree/tree.ts';
import { expectBound, expectHyperparameters, expectNumber, expectSteps } from './hyperparameters.ts';
import { countOf, dtypeFor, partsOf, scalarOf } from './state.ts';
import {
  type Extra,
  type GradientTransformation,
  noSteps,
  type OptState,
  oneMore,
  type Schedule,
} from './transformation.ts';

/**
 * An optimizer whose hyperparameters are in its state, where a loop reads and changes them: `{ hyperparams, inner }`.
 *
 * `make` gets each as a schedule that returns what the state holds, for wherever a schedule may stand, such as learning rates. It is called
 * at each update: it must make the same optimizer each time.
 *
 * @param make - from schedules to an optimizer
 * @param hyperparams - what they are at first; scalars of the dtype of the parameters
 * @throws DTypeError for one that is not a number
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const optimizer = optim.injectHyperparams(({ rate }) => optim.sgd(rate), { rate: 0.5 });
 * const x = np.array([1]);
 * const state = { ...(optimizer.init(x) as object), hyperparams: { rate: np.array(0.25) } };
 * console.log(optimizer.update(np.array([4]), state as unknown as optim.OptState, x)[0].toArray()); // => [ -1 ]
 * ```
 */
export const injectHyperparams = <N extends string>(
  make: (hyperparams: { readonly [K in N]: Schedule }) => GradientTransformation,
  hyperparams: { readonly [K in N]: number },
): GradientTransformation => {
  const op = 'optim.injectHyperparams';
  const names = Object.keys(hyperparams) as N[];
  for (const name of names) expectNumber(op, name, hyperparams[name]);
  const made = (held: { readonly [name: string]: OptState }): GradientTransformation => {
    const schedules = names.map((name) => [name, () => scalarOf(op, `hyperparams.${name}`, held[name])] as const);
    return make(Object.fromEntries(schedules) as unknown as { readonly [K in N]: Schedule });
  };
  return {
    init: (params) => {
      const aval = makeAval([], dtypeFor(params));
      const held = Object.fromEntries(names.map((name) => [name, full(aval, hyperparams[name])]));
      return { hyperparams: held, inner: made(held).init(params) };
    },
    update: (updates, state, params, extra) => {
      const before = partsOf(op, state, 'hyperparams', 'inner');
      const held = partsOf(op, before.hyperparams, ...names);
      const [next, inner] = made(held).update(updates, before.inner, params, extra);
      return [next, { hyperparams: before.hyperparams, inner }];
    },
  };
};

/** Options of {@link reduceOnPlateau}. */
export interface ReduceOnPlateauOptions {
  /** What the scale is multiplied by at a plateau; default 0.1. */
  readonly factor?: number;
  /** The scale is made smaller after this many values without progress; default 10. */
  readonly patience?: number;
  /** Progress is a value below (1 − rtol)·best − atol; default 1e-4. */
  readonly rtol?: number;
  /** See `rtol`; default 0. */
  readonly atol?: number;
  /** Values after a reduction that are not counted; default 0. */
  readonly cooldown?: number;
  /** Steps whose mean is one value: those of an epoch, say; default 1. */
  readonly accumulationSize?: number;
  /** The scale does not become smaller than this; default 0. */
  readonly minScale?: number;
}

const plateauNumbers = ['factor', 'patience', 'rtol', 'atol', 'cooldown', 'accumulationSize', 'minScale'] as const;

/**
 * Updates times a scale that is made smaller when the loss, `extra.value`, makes no progress any more: the last part of a chain.
 *
 * The state is `{ scale, bestValue, plateauCount, cooldownCount, count, avgValue }`. Where PyTorch's `ReduceLROnPlateau` waits for more than
 * `patience` values, this, as optax, waits for `patience`; and it goes by values of steps, or of means over `accumulationSize` steps.
 *
 * @throws TreeError for an update without `{ value }`
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const optimizer = optim.chain(optim.sgd(1), optim.reduceOnPlateau({ patience: 2, factor: 0.5 }));
 * const x = np.array(0);
 * let state = optimizer.init(x);
 * const steps = [5, 5, 5].map((value) => {
 *   const [step, next] = optimizer.update(np.array(1), state, x, { value: np.array(value) });
 *   state = next;
 *   return step.item();
 * });
 * console.log(steps); // => [ -1, -1, -0.5 ]
 * ```
 */
export const reduceOnPlateau = (options: ReduceOnPlateauOptions = {}): GradientTransformation => {
  const op = 'optim.reduceOnPlateau';
  expectHyperparameters(op, options, plateauNumbers);
  const {
    factor = 0.1,
    patience = 10,
    rtol = 1e-4,
    atol = 0,
    cooldown = 0,
    accumulationSize = 1,
    minScale = 0,
  } = options;
  for (const [name, x] of Object.entries({ factor, rtol, atol, cooldown, minScale })) expectBound(op, name, x);
  expectSteps(op, 'patience', patience, 'wait for 1 value at least');
  expectSteps(op, 'accumulationSize', accumulationSize, 'a value is the mean of 1 step at least');
  const names = ['scale', 'bestValue', 'plateauCount', 'cooldownCount', 'count', 'avgValue'] as const;
  return {
    init: (params) => {
      const aval = makeAval([], dtypeFor(params));
      return {
        scale: full(aval, 1),
        bestValue: full(aval, Number.POSITIVE_INFINITY),
        plateauCount: noSteps(),
        cooldownCount: noSteps(),
        count: noSteps(),
        avgValue: full(aval, 0),
      };
    },
    update: <P>(updates: P, state: OptState, _params: P, extra?: Extra<P>) => {
      const before = partsOf(op, state, ...names);
      if (extra?.value === undefined) {
        const problem = 'there is no value of the loss to look at';
        throw new TreeError({ op, problem, remedy: 'pass it: update(gradients, state, params, { value })' });
      }
      const [scale, best, mean] = (['scale', 'bestValue', 'avgValue'] as const).map((n) => scalarOf(op, n, before[n]));
      const [waited, cooling, count] = (['plateauCount', 'cooldownCount', 'count'] as const).map((n) =>
        countOf(op, before[n]),
      );
      const seen = oneMore(count!);
      const value = convertElementType(scalarOf(op, 'value', extra.value), mean!.dtype);
      const average = np.div(
        np.add(np.mul(mean!, np.astype(count!, mean!.dtype)), value),
        np.astype(seen, mean!.dtype),
      );
      const isWhole = np.equal(seen, accumulationSize);
      const improved = np.less(average, np.sub(np.mul(best!, 1 - rtol), atol));
      const without = np.where(improved, 0, np.add(waited!, 1));
      const isCooling = np.greater(cooling!, 0);
      const isPlateau = np.logicalAnd(np.logicalNot(isCooling), np.equal(without, patience));
      const reduced = np.where(isPlateau, np.maximum(np.mul(scale!, factor), minScale), scale!);
      const nextScale = np.where(isWhole, reduced, scale!);
      const next: Record<(typeof names)[number], Value> = {
        scale: nextScale,
        bestValue: np.where(np.logicalAnd(isWhole, improved), average, best!),
        plateauCount: np.where(isWhole, np.where(np.logicalOr(isCooling, isPlateau), 0, without), waited!),
        cooldownCount: np.where(
          isWhole,
          np.where(isCooling, np.sub(cooling!, 1), np.where(isPlateau, cooldown, cooling!)),
          cooling!,
        ),
        count: np.where(isWhole, 0, seen),
        avgValue: np.where(isWhole, np.zerosLike(average), average),
      };
      const scaled = (update: Value): Value => np.mul(update, convertElementType(nextScale, update.dtype));
      return [map(scaled, updates), next];
    },
  };
};
