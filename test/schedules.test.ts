/** Schedules: each against its formula in plain float64, step by step, eager and compiled. */

import { DTypeError, jit, np, optim, ShapeError, type Tensor } from 'pullback';
import { describe, expect, test } from 'vitest';

describe('schedules', () => {
  const cosine = (share: number): number => 0.5 * (1 + Math.cos(Math.PI * Math.min(share, 1)));
  const line = (from: number, to: number, share: number): number =>
    from + (to - from) * Math.min(Math.max(share, 0), 1);
  const rows: readonly (readonly [string, optim.Schedule, (step: number) => number])[] = [
    ['constant', optim.constantSchedule(0.3), () => 0.3],
    ['linear', optim.linearSchedule(0.5, 0.1, 10), (s) => line(0.5, 0.1, s / 10)],
    ['linear, later', optim.linearSchedule(0.1, 0.5, 10, 5), (s) => line(0.1, 0.5, (s - 5) / 10)],
    ['linear in no steps', optim.linearSchedule(0.1, 0.5, 0), () => 0.1],
    ['exponential', optim.exponentialDecay(0.5, 4, 0.3), (s) => 0.5 * 0.3 ** (s / 4)],
    [
      'exponential in stairs, from step 3 on, down to 0.01',
      optim.exponentialDecay(0.5, 4, 0.3, { staircase: true, transitionBegin: 3, endValue: 0.01 }),
      (s) => Math.max(0.5 * 0.3 ** Math.floor(Math.max(s - 3, 0) / 4), 0.01),
    ],
    ['exponential at rate 0, as in optax', optim.exponentialDecay(0.5, 4, 0), () => 0.5],
    [
      'exponential growth, up to 3',
      optim.exponentialDecay(0.5, 4, 2, { endValue: 3 }),
      (s) => Math.min(0.5 * 2 ** (s / 4), 3),
    ],
    ['cosine', optim.cosineDecaySchedule(0.5, 20), (s) => 0.5 * cosine(s / 20)],
    [
      'cosine to a tenth, squared',
      optim.cosineDecaySchedule(0.5, 20, { alpha: 0.1, exponent: 2 }),
      (s) => 0.5 * (0.9 * cosine(s / 20) ** 2 + 0.1),
    ],
    [
      'piecewise',
      optim.piecewiseConstantSchedule(0.5, { 20: 0.5, 7: 0.1 }),
      (s) => (s < 7 ? 0.5 : s < 20 ? 0.05 : 0.025),
    ],
    ['no pieces', optim.piecewiseConstantSchedule(0.5), () => 0.5],
    ['warm-up', optim.warmupConstantSchedule(0.1, 0.7, 8), (s) => line(0.1, 0.7, s / 8)],
    [
      'warm-up and cosine',
      optim.warmupCosineDecaySchedule(0.1, 0.7, 8, 28, { endValue: 0.07 }),
      (s) => (s < 8 ? line(0.1, 0.7, s / 8) : 0.63 * cosine((s - 8) / 20) + 0.07),
    ],
    [
      'joined',
      optim.joinSchedules(
        [optim.constantSchedule(1), optim.linearSchedule(2, 3, 10), optim.constantSchedule(9)],
        [5, 12],
      ),
      (s) => (s < 5 ? 1 : s < 12 ? line(2, 3, (s - 5) / 10) : 9),
    ],
  ];

  test.each(rows)('%s', (_, schedule, expected) => {
    const compiled = jit((step: Tensor<'int32'>) => np.add(schedule(step), 0));
    for (let step = 0; step < 40; step++) {
      const count = np.array(step, { dtype: 'int32' });
      const want = expected(step);
      expect(Math.abs(Number(schedule(count)) - want), `at step ${step}`).toBeLessThanOrEqual(2e-7 + 1e-6 * want);
      expect(compiled(count).item()).toBe(np.add(schedule(count), 0).item());
    }
    expect(compiled.traces).toBe(1);
  });
});

describe('schedules that make no sense are refused where they are built', () => {
  const js = optim as unknown as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;
  const one = optim.constantSchedule(1);

  test.each([
    ['cosineDecaySchedule', [0.1, 0], 'decaySteps must be positive, got 0'],
    ['cosineDecaySchedule', [0.1, -5], 'decaySteps must be positive, got -5'],
    ['warmupCosineDecaySchedule', [0, 0.1, 10, 10], 'decaySteps - warmupSteps must be positive, got 0'],
    ['warmupCosineDecaySchedule', [0, 0.1, 10, 4], 'decaySteps - warmupSteps must be positive, got -6'],
    ['joinSchedules', [[one, one], []], '2 schedules do not meet at 0 boundaries'],
    [
      'joinSchedules',
      [
        [one, one, one],
        [5, 5],
      ],
      'boundaries [5, 5] do not increase',
    ],
    [
      'joinSchedules',
      [
        [one, one, one],
        [5, 2],
      ],
      'boundaries [5, 2] do not increase',
    ],
    ['joinSchedules', [[one], [5]], '1 schedules do not meet at 1 boundaries'],
    ['joinSchedules', [[], []], '0 schedules do not meet at 0 boundaries'],
  ])('%s(%j): numbers of steps', (name, args, problem) => {
    expect(() => js[name]!(...args)).toThrow(ShapeError);
    expect(() => js[name]!(...args)).toThrow(`optim.${name}: ${problem}`);
  });

  test.each([
    ['constantSchedule', ['0.1'], 'the value is "0.1", not a JS number'],
    ['linearSchedule', [1, undefined, 10], 'endValue is undefined, not a JS number'],
    ['linearSchedule', [1, 0, Number.NaN], 'transitionSteps is NaN'],
    ['exponentialDecay', [1, 4, '0.5'], 'decayRate is "0.5", not a JS number'],
    ['exponentialDecay', [1, 4, 0.5, { stairs: true }], "there is no option 'stairs'"],
    ['exponentialDecay', [1, 4, 0.5, { staircase: 1 }], 'staircase is 1, not a boolean'],
    ['cosineDecaySchedule', [1, Number.NaN], 'decaySteps is NaN'],
    ['cosineDecaySchedule', [1, 10, { aplha: 0.1 }], "there is no option 'aplha'"],
    ['warmupCosineDecaySchedule', [0, 1, 5, 10, { alpha: 0.1 }], "there is no option 'alpha'"],
    ['piecewiseConstantSchedule', [1, { ten: 0.5 }], "the boundary 'ten' is NaN"],
    ['piecewiseConstantSchedule', [1, { 10: '0.5' }], 'the scale at 10 is "0.5", not a JS number'],
    ['joinSchedules', [one, [5]], 'expected two arrays, got the function'],
    ['joinSchedules', [[one, 2], [5]], 'schedules[1] is 2, not a schedule'],
    ['joinSchedules', [[one, one], ['5']], 'boundaries[0] is "5", not a JS number'],
  ])('%s(%j): types', (name, args, problem) => {
    expect(() => js[name]!(...args)).toThrow(DTypeError);
    expect(() => js[name]!(...args)).toThrow(`optim.${name}: ${problem}`);
  });
});
