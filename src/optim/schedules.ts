/**
 * Schedules: learning rates as functions of the number of steps done.
 *
 * They compute in `float32` with operations of `np`, so that a schedule is part of a compiled step and never retraces it.
 * Names and arguments are optax's.
 */

import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import type { Schedule } from './transformation.ts';

/** Always `value`. */
export const constantSchedule =
  (value: number): Schedule =>
  () =>
    value;

/** The share of `steps` that is done after `step`, from 0 to 1. */
const progress = (step: Value, begin: number, steps: number): Value =>
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
): Schedule =>
  transitionSteps > 0
    ? (step) => between(initValue, endValue, progress(step, transitionBegin, transitionSteps))
    : constantSchedule(initValue);

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
 */
export function exponentialDecay(
  initValue: number,
  transitionSteps: number,
  decayRate: number,
  { transitionBegin = 0, staircase = false, endValue }: ExponentialDecayOptions = {},
): Schedule {
  if (transitionSteps <= 0) return constantSchedule(initValue);
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
 */
export const cosineDecaySchedule =
  (initValue: number, decaySteps: number, { alpha = 0, exponent = 1 }: CosineDecayOptions = {}): Schedule =>
  (step) => {
    const wave = np.mul(np.add(np.cos(np.mul(progress(step, 0, decaySteps), Math.PI)), 1), 0.5);
    return np.mul(between(alpha, 1, exponent === 1 ? wave : np.power(wave, exponent)), initValue);
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
export const piecewiseConstantSchedule =
  (initValue: number, boundariesAndScales: Readonly<Record<number, number>> = {}): Schedule =>
  (step) =>
    Object.entries(boundariesAndScales).reduce<Value | number>(
      (value, [boundary, scale]) => np.mul(value, np.where(np.greaterEqual(step, Number(boundary)), scale, 1)),
      initValue,
    );

/**
 * One schedule after the other: the second from the first boundary on, and so on; each counts its own steps from 0.
 *
 * @param boundaries - the steps at which the next schedule takes over, one less than there are schedules
 */
export const joinSchedules =
  (schedules: readonly Schedule[], boundaries: readonly number[]): Schedule =>
  (step) =>
    boundaries.reduce<Value | number>((value, boundary, i) => {
      const next = schedules[i + 1]!(np.sub(step, boundary) as Value<'int32'>);
      return np.where(np.less(step, boundary), value, next);
    }, schedules[0]!(step));

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
 */
export const warmupCosineDecaySchedule = (
  initValue: number,
  peakValue: number,
  warmupSteps: number,
  decaySteps: number,
  { endValue = 0, exponent = 1 }: WarmupCosineDecayOptions = {},
): Schedule =>
  joinSchedules(
    [
      linearSchedule(initValue, peakValue, warmupSteps),
      cosineDecaySchedule(peakValue, decaySteps - warmupSteps, {
        alpha: peakValue === 0 ? 0 : endValue / peakValue,
        exponent,
      }),
    ],
    [warmupSteps],
  );
