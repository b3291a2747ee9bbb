/** Schedules in phases: polynomials, one cycle up and down, and warm restarts. Names and arguments are optax's. */

import { DTypeError, ShapeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { expectHyperparameters, expectNumber, expectOneOf, expectSteps } from './hyperparameters.ts';
import {
  constantSchedule,
  expectNumbers,
  joinSchedules,
  progress,
  type WarmupCosineDecayOptions,
  warmupCosineDecaySchedule,
} from './schedules.ts';
import type { Schedule } from './transformation.ts';

/**
 * (initValue − endValue)·(1 − share)^power + endValue, for the share of the steps that is done; then constant.
 *
 * @param transitionSteps - if it is not positive, the schedule is constant at `initValue`
 * @param transitionBegin - the step at which it begins
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const rate = optim.polynomialSchedule(9, 1, 2, 4);
 * console.log([0, 2, 4, 9].map((step) => Number(rate(np.array(step, { dtype: 'int32' }))))); // => [ 9, 3, 1, 1 ]
 * ```
 */
export const polynomialSchedule = (
  initValue: number,
  endValue: number,
  power: number,
  transitionSteps: number,
  transitionBegin = 0,
): Schedule => {
  expectNumbers('optim.polynomialSchedule', { initValue, endValue, power, transitionSteps, transitionBegin });
  if (transitionSteps <= 0) return constantSchedule(initValue);
  return (step) => {
    const left = np.sub(1, progress(step, transitionBegin, transitionSteps));
    return np.add(np.mul(np.power(left, power), initValue - endValue), endValue);
  };
};

const curves = {
  linear: (from: number, to: number, share: Value): Value => np.add(np.mul(share, to - from), from),
  cosine: (from: number, to: number, share: Value): Value =>
    np.add(np.mul(np.add(np.cos(np.mul(share, Math.PI)), 1), (from - to) / 2), to),
} as const;

/**
 * From `initValue` to its multiple by the scale of each boundary in turn, along lines or half waves of a cosine between; then constant.
 *
 * @param boundariesAndScales - at each step, by what the value there is the value before multiplied
 * @throws DTypeError for another kind of curve; ShapeError for a boundary that is not positive
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const rate = optim.piecewiseInterpolateSchedule('linear', 1, { 2: 5, 6: 0.2 });
 * console.log([0, 1, 2, 4, 6, 7].map((step) => Number(rate(np.array(step, { dtype: 'int32' }))))); // => [ 1, 3, 5, 3, 1, 1 ]
 * ```
 */
export const piecewiseInterpolateSchedule = (
  interpolateType: 'linear' | 'cosine',
  initValue: number,
  boundariesAndScales: Readonly<Record<number, number>> = {},
): Schedule => {
  const op = 'optim.piecewiseInterpolateSchedule';
  expectOneOf(op, 'the type', interpolateType, Object.keys(curves));
  expectNumber(op, 'initValue', initValue);
  let [begin, from] = [0, initValue];
  const pieces = Object.entries(boundariesAndScales)
    .map(([boundary, scale]) => [Number(boundary), scale] as const)
    .sort(([a], [b]) => a - b)
    .map(([end, scale]) => {
      expectSteps(op, 'a boundary', end, 'boundaries are numbers of steps after which the value is reached');
      expectNumber(op, `the scale at ${end}`, scale);
      const piece = { begin, end, from, to: from * scale };
      [begin, from] = [end, piece.to];
      return piece;
    });
  const curve = curves[interpolateType];
  return (step) =>
    pieces.reduceRight<Value | number>(
      (later, piece) =>
        np.where(
          np.less(step, piece.end),
          curve(piece.from, piece.to, progress(step, piece.begin, piece.end - piece.begin)),
          later,
        ),
      from,
    );
};

/** Options of {@link cosineOnecycleSchedule}. */
export interface CosineOnecycleOptions {
  /** The share of the steps on the way up; default 0.3. */
  readonly pctStart?: number;
  /** The first value is the peak divided by this; default 25. */
  readonly divFactor?: number;
  /** The last value is the first divided by this; default 1e4. */
  readonly finalDivFactor?: number;
}

/**
 * One cycle: half waves of a cosine from peakValue/divFactor up to `peakValue`, and down to peakValue/(divFactor·finalDivFactor).
 *
 * PyTorch's `OneCycleLR` reaches its values one step earlier. L. Smith, N. Topin, "Super-convergence" (2018).
 *
 * @throws ShapeError unless `transitionSteps` is positive
 */
export const cosineOnecycleSchedule = (
  transitionSteps: number,
  peakValue: number,
  options: CosineOnecycleOptions = {},
): Schedule => {
  const op = 'optim.cosineOnecycleSchedule';
  expectHyperparameters(op, options, ['pctStart', 'divFactor', 'finalDivFactor']);
  const { pctStart = 0.3, divFactor = 25, finalDivFactor = 1e4 } = options;
  expectCycle(op, transitionSteps, peakValue);
  return piecewiseInterpolateSchedule('cosine', peakValue / divFactor, {
    [Math.floor(pctStart * transitionSteps)]: divFactor,
    [Math.floor(transitionSteps)]: 1 / (divFactor * finalDivFactor),
  });
};

function expectCycle(op: string, transitionSteps: number, peakValue: number): void {
  expectSteps(op, 'transitionSteps', transitionSteps, 'give the number of steps of the whole cycle');
  expectNumber(op, 'peakValue', peakValue);
}

/** Options of {@link linearOnecycleSchedule}. */
export interface LinearOnecycleOptions extends CosineOnecycleOptions {
  /** The share of the steps after which the first value is reached again; default 0.85. */
  readonly pctFinal?: number;
}

/**
 * One cycle along lines: up to `peakValue`, down to the first value peakValue/divFactor, and then to peakValue/finalDivFactor of that.
 *
 * L. Smith, N. Topin, "Super-convergence" (2018).
 *
 * @throws ShapeError unless `transitionSteps` is positive
 */
export const linearOnecycleSchedule = (
  transitionSteps: number,
  peakValue: number,
  options: LinearOnecycleOptions = {},
): Schedule => {
  const op = 'optim.linearOnecycleSchedule';
  expectHyperparameters(op, options, ['pctStart', 'pctFinal', 'divFactor', 'finalDivFactor']);
  const { pctStart = 0.3, pctFinal = 0.85, divFactor = 25, finalDivFactor = 1e4 } = options;
  expectCycle(op, transitionSteps, peakValue);
  return piecewiseInterpolateSchedule('linear', peakValue / divFactor, {
    [Math.floor(pctStart * transitionSteps)]: divFactor,
    [Math.floor(pctFinal * transitionSteps)]: 1 / divFactor,
    [transitionSteps]: 1 / finalDivFactor,
  });
};

/** One period of {@link sgdrSchedule}: the arguments of {@link warmupCosineDecaySchedule}. */
export interface WarmRestart extends WarmupCosineDecayOptions {
  readonly initValue: number;
  readonly peakValue: number;
  readonly warmupSteps: number;
  /** All steps of the period. */
  readonly decaySteps: number;
}

/**
 * Warm restarts: {@link warmupCosineDecaySchedule} of each period in turn.
 *
 * I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).
 *
 * @throws ShapeError for no period
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const period = { initValue: 0, peakValue: 1, warmupSteps: 1, decaySteps: 3 };
 * const rate = optim.sgdrSchedule([period, { ...period, peakValue: 0.5 }]);
 * const rates = [0, 1, 2, 3, 4, 5, 6].map((step) => Number(rate(np.array(step, { dtype: 'int32' }))).toFixed(2));
 * console.log(rates.join(' ')); // => 0.00 1.00 0.50 0.00 0.50 0.25 0.00
 * ```
 */
export const sgdrSchedule = (periods: readonly WarmRestart[]): Schedule => {
  const op = 'optim.sgdrSchedule';
  if (!Array.isArray(periods)) {
    const remedy = 'give an array of { initValue, peakValue, warmupSteps, decaySteps, endValue, exponent }';
    throw new DTypeError({ op, problem: `${describe(periods)} stands where periods are expected`, remedy });
  }
  if (periods.length === 0) {
    throw new ShapeError({
      op,
      problem: 'there is no period',
      remedy: 'for a value that stays, use optim.constantSchedule',
    });
  }
  let steps = 0;
  const ends: number[] = [];
  const schedules = (periods as readonly WarmRestart[]).map((period) => {
    expectOptions(op, period, 'initValue', 'peakValue', 'warmupSteps', 'decaySteps', 'endValue', 'exponent');
    const { initValue, peakValue, warmupSteps, decaySteps, ...rest } = period;
    const schedule = warmupCosineDecaySchedule(initValue, peakValue, warmupSteps, decaySteps, rest);
    steps += decaySteps;
    ends.push(steps);
    return schedule;
  });
  return joinSchedules(schedules, ends.slice(0, -1));
};
