/**
 * Schedules: learning rates as functions of the number of steps done.
 *
 * They compute in `float32` with operations of `np`, so that a schedule is part of a compiled step and never retraces it.
 * Names and arguments are optax's.
 */

import { DTypeError, ShapeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { describe } from '../ops/untyped.ts';
import { expectHyperparameters, expectNumber, expectSchedule, expectSteps } from './hyperparameters.ts';
import type { Schedule } from './transformation.ts';

/** @throws DTypeError for the first of `numbers` that is none */
export function expectNumbers(op: string, numbers: { readonly [what: string]: unknown }): void {
  for (const [what, x] of Object.entries(numbers)) expectNumber(op, what, x);
}

/** Always `value`. */
export const constantSchedule = (value: number): Schedule => {
  expectNumber('optim.constantSchedule', 'the value', value);
  return () => value;
};

/** The share of `steps` that is done after `step`, from 0 to 1. */
export const progress = (step: Value, begin: number, steps: number): Value =>
  np.div(np.clip(np.sub(step, begin), 0, steps), steps);

/** A straight line between two values. */
const between = (from: number, to: number, share: Value): Value => np.add(np.mul(share, to - from), from);

/**
 * From `initValue` to `endValue` in `transitionSteps` steps along a straight line, then constant.
 *
 * @param transitionSteps - if it is not positive, the schedule is constant at `initValue`
 * @param transitionBegin - the step at which the line begins
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const rate = optim.linearSchedule(1, 0, 4);
 * console.log([0, 1, 4, 9].map((step) => Number(rate(np.array(step, { dtype: 'int32' }))))); // => [ 1, 0.75, 0, 0 ]
 * ```
 */
export const linearSchedule = (
  initValue: number,
  endValue: number,
  transitionSteps: number,
  transitionBegin = 0,
): Schedule => {
  expectNumbers('optim.linearSchedule', { initValue, endValue, transitionSteps, transitionBegin });
  return transitionSteps > 0
    ? (step) => between(initValue, endValue, progress(step, transitionBegin, transitionSteps))
    : constantSchedule(initValue);
};

/** Options of {@link exponentialDecay}. */
export interface ExponentialDecayOptions {
  /** The step at which the decay begins; default 0. */
  readonly transitionBegin?: number;
  /** Decay at whole multiples of the transition steps only; default false. */
  readonly staircase?: boolean;
  /** Where the decay (or growth) stops; default: nowhere. */
  readonly endValue?: number;
}

/**
 * initValue·decayRate^(step/transitionSteps).
 *
 * @param transitionSteps - the steps in which the value is multiplied by `decayRate`; if it is not positive, the schedule is
 * constant
 * @param decayRate - if it is 0, the schedule is constant, as in optax
 */
export function exponentialDecay(
  initValue: number,
  transitionSteps: number,
  decayRate: number,
  options: ExponentialDecayOptions = {},
): Schedule {
  const op = 'optim.exponentialDecay';
  expectNumbers(op, { initValue, transitionSteps, decayRate });
  expectHyperparameters(op, options, ['transitionBegin', 'endValue'], ['staircase']);
  const { transitionBegin = 0, staircase = false, endValue } = options;
  if (transitionSteps <= 0 || decayRate === 0) return constantSchedule(initValue);
  return (step) => {
    const done = np.div(np.maximum(np.sub(step, transitionBegin), 0), transitionSteps);
    const value = np.mul(np.power(decayRate, staircase ? np.floor(done) : done), initValue);
    if (endValue === undefined) return value;
    return decayRate < 1 ? np.maximum(value, endValue) : np.minimum(value, endValue);
  };
}

/** Options of {@link cosineDecaySchedule}. */
export interface CosineDecayOptions {
  /** The last value, as a share of the first; default 0. */
  readonly alpha?: number;
  /** The power of the cosine; default 1. */
  readonly exponent?: number;
}

/**
 * Half a wave of a cosine from `initValue` to alpha·initValue in `decaySteps` steps, then constant.
 *
 * I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).
 *
 * @throws ShapeError unless `decaySteps` is positive
 */
export const cosineDecaySchedule = (
  initValue: number,
  decaySteps: number,
  options: CosineDecayOptions = {},
): Schedule => {
  const op = 'optim.cosineDecaySchedule';
  expectNumber(op, 'initValue', initValue);
  expectSteps(op, 'decaySteps', decaySteps, 'for a value that stays, use optim.constantSchedule');
  expectHyperparameters(op, options, ['alpha', 'exponent']);
  const { alpha = 0, exponent = 1 } = options;
  return (step) => {
    const wave = np.mul(np.add(np.cos(np.mul(progress(step, 0, decaySteps), Math.PI)), 1), 0.5);
    return np.mul(between(alpha, 1, exponent === 1 ? wave : np.power(wave, exponent)), initValue);
  };
};

/**
 * `initValue`, multiplied by the scale of each boundary from that step on.
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const rate = optim.piecewiseConstantSchedule(8, { 10: 0.5, 20: 0.25 });
 * console.log([9, 10, 20].map((step) => Number(rate(np.array(step, { dtype: 'int32' }))))); // => [ 8, 4, 1 ]
 * ```
 */
export const piecewiseConstantSchedule = (
  initValue: number,
  boundariesAndScales: Readonly<Record<number, number>> = {},
): Schedule => {
  const op = 'optim.piecewiseConstantSchedule';
  expectNumber(op, 'initValue', initValue);
  const pieces = Object.entries(boundariesAndScales).map(([boundary, scale]) => {
    expectNumber(op, `the boundary '${boundary}'`, Number(boundary));
    expectNumber(op, `the scale at ${boundary}`, scale);
    return [Number(boundary), scale] as const;
  });
  return (step) =>
    pieces.reduce<Value | number>(
      (value, [boundary, scale]) => np.mul(value, np.where(np.greaterEqual(step, boundary), scale, 1)),
      initValue,
    );
};

/**
 * One schedule after the other: the second from the first boundary on, and so on; each counts its own steps from 0.
 *
 * @param boundaries - the steps at which the next schedule takes over, one less than there are schedules
 * @throws ShapeError for another number of boundaries or ones that do not increase, DTypeError for what is not a schedule or a boundary
 */
export const joinSchedules = (schedules: readonly Schedule[], boundaries: readonly number[]): Schedule => {
  expectJoint('optim.joinSchedules', schedules, boundaries);
  return (step) =>
    boundaries.reduce<Value | number>((value, boundary, i) => {
      const next = schedules[i + 1]!(np.sub(step, boundary) as Value<'int32'>);
      return np.where(np.less(step, boundary), value, next);
    }, schedules[0]!(step));
};

function expectJoint(op: string, schedules: unknown, boundaries: unknown): void {
  if (!Array.isArray(schedules) || !Array.isArray(boundaries)) {
    const problem = `expected two arrays, got ${describe(schedules)} and ${describe(boundaries)}`;
    throw new DTypeError({ op, problem, remedy: 'write joinSchedules([first, second], [boundary])' });
  }
  if (schedules.length === 0 || boundaries.length !== schedules.length - 1) {
    const problem = `${schedules.length} schedules do not meet at ${boundaries.length} boundaries`;
    throw new ShapeError({ op, problem, remedy: 'give one boundary less than there are schedules' });
  }
  for (const [i, schedule] of schedules.entries()) expectSchedule(op, `schedules[${i}]`, schedule);
  for (const [i, boundary] of boundaries.entries()) {
    expectNumber(op, `boundaries[${i}]`, boundary);
    if (i === 0 || boundary > boundaries[i - 1]) continue;
    const problem = `boundaries [${boundaries.join(', ')}] do not increase`;
    throw new ShapeError({ op, problem, remedy: 'each counts all steps, from the first on: put them in order' });
  }
}

/** From `initValue` to `peakValue` along a straight line in `warmupSteps` steps, then constant. */
export const warmupConstantSchedule = (initValue: number, peakValue: number, warmupSteps: number): Schedule =>
  linearSchedule(initValue, peakValue, warmupSteps);

/** Options of {@link warmupCosineDecaySchedule}. */
export interface WarmupCosineDecayOptions {
  /** The last value; default 0. */
  readonly endValue?: number;
  /** The power of the cosine; default 1. */
  readonly exponent?: number;
}

/**
 * {@link linearSchedule} from `initValue` to `peakValue`, then {@link cosineDecaySchedule} down to `endValue`.
 *
 * @param decaySteps - the number of all steps, those of the warm-up included
 * @throws ShapeError unless there are more of them than of the warm-up
 */
export const warmupCosineDecaySchedule = (
  initValue: number,
  peakValue: number,
  warmupSteps: number,
  decaySteps: number,
  options: WarmupCosineDecayOptions = {},
): Schedule => {
  const op = 'optim.warmupCosineDecaySchedule';
  expectNumbers(op, { initValue, peakValue, warmupSteps, decaySteps });
  expectSteps(
    op,
    'decaySteps - warmupSteps',
    decaySteps - warmupSteps,
    'decaySteps counts the steps of the warm-up too',
  );
  expectHyperparameters(op, options, ['endValue', 'exponent']);
  const { endValue = 0, exponent = 1 } = options;
  return joinSchedules(
    [
      linearSchedule(initValue, peakValue, warmupSteps),
      cosineDecaySchedule(peakValue, decaySteps - warmupSteps, {
        alpha: peakValue === 0 ? 0 : endValue / peakValue,
        exponent,
      }),
    ],
    [warmupSteps],
  );
};
