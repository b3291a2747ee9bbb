/** Schedules: each against its formula in plain float64, step by step, eager and compiled. */

import { jit, np, optim, type Tensor } from 'pullback';
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
