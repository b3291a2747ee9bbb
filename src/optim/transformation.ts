/**
 * Gradient transformations: the one noun of this library of optimizers, closed under one operation.
 *
 * A transformation maps a tree of updates (at first the gradients) to another of the same structure, and threads a state. An
 * optimizer is a chain of them that ends with the step to add to the parameters. Everything is pure: `init` and `update`
 * leave their arguments as they are, and the state is a tree, so that a step can be compiled, batched and differentiated.
 * Names and shape are optax's.
 */

import type * as M from 'fp-ts/lib/Monoid.js';
import { makeAval } from '../core/aval.ts';
import { annotate, DTypeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { describe } from '../ops/untyped.ts';
import { convertElementType, convertLike } from '../prim/arithmetic.ts';
import { full } from '../prim/compose.ts';
import { map } from '../tree/tree.ts';
import { expectNumber, expectSchedule } from './hyperparameters.ts';
import { countOf, mapPairs, type OptState, partsOf, wrongState } from './state.ts';

export type { OptState } from './state.ts';

/** What some transformations look at besides gradients; a chain hands it on to all of its parts. */
export interface Extra<P> {
  /** The loss at `params`, for {@link reduceOnPlateau} and line searches. */
  readonly value?: Value;
  /** Its gradient there, for line searches: `updates` is the direction by then. */
  readonly grad?: P;
  /** The loss as a function of the parameters, for line searches. */
  readonly valueFn?: (params: P) => Value;
}

/** A function of updates with memory. */
export interface GradientTransformation {
  /** The state before the first step. */
  readonly init: <P>(params: P) => OptState;
  /**
   * @param updates - gradients, or what the transformation before this one returned; of the structure of `params`
   * @param extra - what some transformations need besides; their docstrings say so
   * @returns the new updates and the state for the next step
   * @throws TreeError or ShapeError for a state of another optimizer, or of parameters of another structure
   */
  readonly update: <P>(updates: P, state: OptState, params: P, extra?: Extra<P>) => readonly [P, OptState];
}

/** The state of what remembers nothing: a tree without leaves. */
const nothing: OptState = {};

/** A transformation without memory: `f` of every leaf. */
export const stateless = (op: string, f: (update: Value) => Value): GradientTransformation => ({
  init: () => nothing,
  update: (updates, state) => {
    partsOf(op, state);
    return [map((update: Value) => f(update), updates), state];
  },
});

/** The transformation that changes nothing. */
export const identity = (): GradientTransformation => stateless('optim.identity', (update) => update);

/** Updates of 0: for parameters that stay as they are. */
export const setToZero = (): GradientTransformation => stateless('optim.setToZero', (update) => np.zerosLike(update));

/** Multiply all updates by a number. */
export const scale = (factor: number): GradientTransformation => {
  expectNumber('optim.scale', 'the factor', factor);
  return stateless('optim.scale', (update) => np.mul(update, factor));
};

/**
 * Apply transformations one after the other, from left to right. The state is the array of their states.
 *
 * @throws DTypeError for an argument that is not a transformation
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const halveThenNegate = optim.chain(optim.scale(0.5), optim.scale(-1));
 * const params = { w: np.array([1, 2]) };
 * const [updates] = halveThenNegate.update({ w: np.array([4, 6]) }, halveThenNegate.init(params), params);
 * console.log(updates.w.toArray()); // => [ -2, -3 ]
 * ```
 */
export const chain = (...transformations: readonly GradientTransformation[]): GradientTransformation => {
  for (const [i, t] of transformations.entries()) expectTransformation('optim.chain', `argument ${i}`, t);
  return chainOf('optim.chain', transformations);
};

/** @throws DTypeError unless `t` is a gradient transformation */
export function expectTransformation(op: string, what: string, t: unknown): void {
  const found = typeof t === 'object' && t !== null ? (t as Partial<GradientTransformation>) : {};
  if (typeof found.init === 'function' && typeof found.update === 'function') return;
  throw new DTypeError({
    op,
    problem: `${what} is ${describe(t)}, not a gradient transformation`,
    remedy: 'pass transformations one by one, such as optim.clip(1), optim.sgd(0.1)',
  });
}

/** {@link chain} under the name of an optimizer, for errors. */
export const chainOf = (op: string, transformations: readonly GradientTransformation[]): GradientTransformation => ({
  init: (params) => transformations.map((t) => t.init(params)),
  update: <P>(updates: P, state: OptState, params: P, extra?: Extra<P>) => {
    if (!Array.isArray(state) || state.length !== transformations.length) {
      const found = Array.isArray(state) ? `an array of ${state.length}` : describe(state);
      throw wrongState(op, `the state is ${found}, not an array of ${transformations.length}`);
    }
    const states: OptState[] = [];
    let current = updates;
    for (const [i, t] of transformations.entries()) {
      const [next, own] = annotate(
        () => `while updating by ${op} with state[${i}]`,
        () => t.update(current, state[i] as OptState, params, extra),
      );
      current = next;
      states.push(own);
    }
    return [current, states];
  },
});

/**
 * Transformations form a monoid: `chain` of two, with {@link identity}.
 *
 * Laws: associativity and identity hold for the updates, exactly; the states differ in their nesting only.
 */
export const monoid: M.Monoid<GradientTransformation> = {
  concat: (first, second) => chain(first, second),
  empty: identity(),
};

/** A learning rate that changes: a function of the number of steps done, an int32 scalar. */
export type Schedule = (step: Value<'int32'>) => Value | number;

/** A step counter, at 0. */
export const noSteps = (): Value<'int32'> => full(makeAval([], 'int32'), 0) as Value<'int32'>;

/** The greatest int32. */
const mostSteps = 2 ** 31 - 1;

/** The counter after one more step. It stays at the greatest int32, as optax's: a run does not begin anew at −2³¹. */
export const oneMore = (count: Value<'int32'>): Value<'int32'> =>
  np.add(np.minimum(count, mostSteps - 1), 1) as Value<'int32'>;

/**
 * Multiply all updates by a factor that depends on the number of steps done.
 *
 * The state is `{ count }`, an int32 scalar.
 */
export const scaleBySchedule = (schedule: Schedule): GradientTransformation => {
  const op = 'optim.scaleBySchedule';
  expectSchedule(op, 'the factor', schedule);
  return {
    init: () => ({ count: noSteps() }),
    update: (updates, state) => {
      const count = countOf(op, partsOf(op, state, 'count').count);
      const factor = schedule(count);
      const scaled = (update: Value): Value =>
        np.mul(update, factor instanceof Value ? convertElementType(factor, update.dtype) : factor);
      return [map(scaled, updates), { count: oneMore(count) }];
    },
  };
};

/** Multiply all updates by −`rate`: what turns an ascent direction into a step downhill. */
export const scaleByLearningRate = (rate: number | Schedule): GradientTransformation => {
  if (typeof rate === 'function') return scaleBySchedule((step) => np.neg(rate(step)));
  expectNumber('optim.scaleByLearningRate', 'the learning rate', rate);
  return scale(-rate);
};

/**
 * `params + updates`, leaf by leaf, in the dtypes of `params`.
 *
 * @throws TreeError if the structures differ, ShapeError if the shapes do
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * console.log(optim.applyUpdates({ w: np.array([1, 2]) }, { w: np.array([0.5, -1]) }).w.toArray()); // => [ 1.5, 1 ]
 * ```
 */
export const applyUpdates = <P>(params: P, updates: P): P =>
  mapPairs('optim.applyUpdates', ['params', 'updates'], (p, u) => convertLike(np.add(p, u), p.aval), params, updates);
