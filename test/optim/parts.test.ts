/** What optimizers are made of beside recurrences: schedules in phases, plateaus, groups, noise, sharpness, and what they refuse. */

import { grad, jit, np, optim, PullbackError, random, type Tensor, TreeError, train } from 'pullback';
import { describe, expect, test } from 'vitest';

const message = (f: () => unknown): string => {
  try {
    f();
  } catch (error) {
    if (error instanceof PullbackError) return `${error._tag}: ${error.message.replace(/\n {2}at .*/, '')}`;
    throw error;
  }
  throw new Error('nothing was thrown');
};

const steps = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const valuesOf = (schedule: optim.Schedule, count: number): number[] =>
  steps(count).map((step) => Number(schedule(np.array(step, { dtype: 'int32' }))));

function expectValues(schedule: optim.Schedule, wanted: (step: number) => number, count = 25): void {
  for (const [step, value] of valuesOf(schedule, count).entries()) {
    const want = wanted(step);
    expect(Math.abs(value - want), `step ${step}: ${value}, ${want}`).toBeLessThanOrEqual(
      2e-6 * Math.max(1, Math.abs(want)),
    );
  }
  // A schedule is part of a compiled step.
  const compiled = jit((step: Tensor<'int32'>) => np.add(np.zeros([]), schedule(step)));
  expect(compiled(np.array(7, { dtype: 'int32' })).item()).toBeCloseTo(wanted(7), 5);
}

const wave = (from: number, to: number, share: number): number =>
  to + ((from - to) / 2) * (Math.cos(Math.PI * share) + 1);
const line = (from: number, to: number, share: number): number => from + (to - from) * share;

describe('schedules', () => {
  test('polynomial', () => {
    expectValues(optim.polynomialSchedule(0.5, 0.1, 3, 10, 4), (step) => {
      const share = Math.min(Math.max(step - 4, 0), 10) / 10;
      return 0.4 * (1 - share) ** 3 + 0.1;
    });
    expectValues(optim.polynomialSchedule(0.5, 0.1, 3, 0), () => 0.5);
  });

  test('pieces between boundaries, in any order of keys', () => {
    const pieces = { 20: 0.1, 5: 8 };
    const at = (curve: typeof wave) => (step: number) =>
      step < 5 ? curve(0.25, 2, step / 5) : step < 20 ? curve(2, 0.2, (step - 5) / 15) : 0.2;
    expectValues(optim.piecewiseInterpolateSchedule('linear', 0.25, pieces), at(line));
    expectValues(optim.piecewiseInterpolateSchedule('cosine', 0.25, pieces), at(wave));
    expectValues(optim.piecewiseInterpolateSchedule('cosine', 0.25), () => 0.25);
  });

  test('one cycle', () => {
    expectValues(optim.cosineOnecycleSchedule(20, 1), (step) =>
      step < 6 ? wave(0.04, 1, step / 6) : step < 20 ? wave(1, 0.04 / 1e4, (step - 6) / 14) : 0.04 / 1e4,
    );
    const linear = optim.linearOnecycleSchedule(20, 2, {
      pctStart: 0.25,
      pctFinal: 0.5,
      divFactor: 4,
      finalDivFactor: 10,
    });
    expectValues(linear, (step) =>
      step < 5
        ? line(0.5, 2, step / 5)
        : step < 10
          ? line(2, 0.5, (step - 5) / 5)
          : line(0.5, 0.05, Math.min(1, (step - 10) / 10)),
    );
  });

  test('warm restarts', () => {
    const first = { initValue: 0.1, peakValue: 1, warmupSteps: 2, decaySteps: 8 };
    const second = { initValue: 0, peakValue: 0.5, warmupSteps: 0, decaySteps: 10, endValue: 0.1 };
    expectValues(optim.sgdrSchedule([first, second]), (step) => {
      if (step < 2) return line(0.1, 1, step / 2);
      if (step < 8) return wave(1, 0, (step - 2) / 6);
      return wave(0.5, 0.1, Math.min(1, (step - 8) / 10));
    });
  });

  test('what they refuse', () => {
    expect(() => optim.sgdrSchedule([])).toThrow('optim.sgdrSchedule: there is no period');
    expect(() => optim.cosineOnecycleSchedule(0, 1)).toThrow('transitionSteps must be positive, got 0');
    expect(() => optim.polynomialSchedule(1, 0, '2' as unknown as number, 4)).toThrow('power is "2", not a JS number');
    expect(() => optim.piecewiseInterpolateSchedule('cubic' as 'cosine', 1)).toThrow('the type is "cubic"');
    expect(() => optim.piecewiseInterpolateSchedule('linear', 1, { 0: 2 })).toThrow(
      'a boundary must be positive, got 0',
    );
  });
});

describe('counters', () => {
  test('stay at the greatest int32 instead of beginning anew below 0', () => {
    const adam = optim.scaleByAdam();
    const x = np.array([1, -2]);
    const most = 2 ** 31 - 1;
    let state = { ...(adam.init(x) as { count: Tensor }), count: np.array(most - 1, { dtype: 'int32' }) } as never;
    for (let i = 0; i < 3; i++) {
      const [step, next] = adam.update(x, state, x);
      // Without a bias to correct it is m/√v, (1 − 0.9ⁱ)/√(1 − 0.999ⁱ).
      const wanted = (1 - 0.9 ** (i + 1)) / Math.sqrt(1 - 0.999 ** (i + 1));
      for (const [k, found] of (step.toArray() as number[]).entries()) {
        expect(Math.abs(found)).toBeCloseTo(wanted, 4);
        expect(Math.sign(found)).toBe([1, -1][k]);
      }
      expect((next as unknown as { count: Tensor }).count.item()).toBe(most);
      state = next as never;
    }
  });
});

describe('plateaus and rates in the state', () => {
  /** ReduceLROnPlateau as optax has it, in numbers. */
  function* plateau(options: Required<optim.ReduceOnPlateauOptions>, values: readonly number[]): Generator<number> {
    const { factor, patience, rtol, atol, cooldown, accumulationSize, minScale } = options;
    let [scale, best, waited, cooling] = [1, Number.POSITIVE_INFINITY, 0, 0];
    let seen: number[] = [];
    for (const value of values) {
      seen.push(value);
      if (seen.length === accumulationSize) {
        const mean = seen.reduce((a, b) => a + b) / accumulationSize;
        seen = [];
        waited = mean < (1 - rtol) * best - atol ? 0 : waited + 1;
        if (waited === 0) best = mean;
        if (cooling > 0) [cooling, waited] = [cooling - 1, 0];
        else if (waited === patience) [scale, cooling, waited] = [Math.max(scale * factor, minScale), cooldown, 0];
      }
      yield scale;
    }
  }

  test.each([
    { factor: 0.5, patience: 2, rtol: 0, atol: 0, cooldown: 0, accumulationSize: 1, minScale: 0 },
    { factor: 0.5, patience: 1, rtol: 0.25, atol: 0, cooldown: 2, accumulationSize: 1, minScale: 0.25 },
    { factor: 0.25, patience: 2, rtol: 0, atol: 0.5, cooldown: 1, accumulationSize: 2, minScale: 0 },
  ])('reduceOnPlateau(%o)', (options) => {
    const values = [8, 6, 6, 7, 5, 5, 4.9, 4.75, 5, 4, 4, 4, 4, 3.9, 6, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2];
    const optimizer = optim.reduceOnPlateau(options);
    const update = jit((state: optim.OptState, value: Tensor) =>
      optimizer.update(np.array(1), state, np.array(0), { value }),
    );
    let state = optimizer.init(np.array(0));
    const scales = values.map((value) => {
      const [step, next] = update(state, np.array(value));
      state = next;
      return step.item();
    });
    const wanted = [...plateau(options, values)];
    expect(scales).toEqual(wanted);
    expect(new Set(wanted).size).toBeGreaterThan(2);
  });

  test('a chain hands the value on; without one the update says what to pass', () => {
    const optimizer = optim.chain(optim.sgd(1), optim.masked(optim.reduceOnPlateau({ patience: 1 }), true));
    const x = np.array(0);
    const first = optimizer.update(np.array(1), optimizer.init(x), x, { value: np.array(1) });
    const [step] = optimizer.update(np.array(1), first[1], x, { value: np.array(1) });
    expect(step.item()).toBeCloseTo(-0.1, 7);
    expect(message(() => optimizer.update(np.array(1), optimizer.init(x), x))).toBe(
      'TreeError: optim.reduceOnPlateau: there is no value of the loss to look at\n' +
        '  remedy: pass it: update(gradients, state, params, { value })\n' +
        '  while updating by optim.chain with state[1]',
    );
  });

  test('a rate in the state is in the dtype of the parameters, and obeyed', () => {
    const optimizer = optim.injectHyperparams(({ rate }) => optim.adam(rate), { rate: 0.1 });
    const x = np.array([1, -2], { dtype: 'float64' });
    const state = optimizer.init(x) as unknown as { hyperparams: { rate: Tensor<'float64'> }; inner: optim.OptState };
    expect(state.hyperparams.rate.item()).toBe(0.1);
    const [step] = optimizer.update(x, state, x);
    expect(step.toArray()).toEqual(optim.adam(0.1).update(x, optim.adam(0.1).init(x), x)[0].toArray());
    const halved = { ...state, hyperparams: { rate: np.mul(state.hyperparams.rate, 0.5) } };
    expect(optimizer.update(x, halved, x)[0].toArray()).toEqual(np.mul(step, 0.5).toArray());
    expect(() => optimizer.update(x, { ...state, hyperparams: {} }, x)).toThrow('it has no rate');
    expect(() => optimizer.update(x, { ...state, hyperparams: { rate: x } }, x)).toThrow(
      'state.hyperparams.rate is the tensor float64[2], not a scalar',
    );
  });
});

describe('parts of the parameters', () => {
  const params = { body: [{ w: np.array([4, 8]) }, { w: np.array([2]) }], head: np.array(1), name: 'net', depth: 2 };

  test('groups by paths and by trees; statics stay', () => {
    const groups = { a: optim.scale(2), b: optim.setToZero(), c: optim.identity() };
    const byPath = optim.multiTransform(groups, (path) => (path === 'head' ? 'c' : path === 'body[1].w' ? 'b' : 'a'));
    const byTree = optim.multiTransform(groups, { body: ['a', { w: 'b' }], head: 'c' });
    for (const t of [byPath, byTree]) {
      const [updates] = t.update(params, t.init(params), params);
      expect(JSON.parse(JSON.stringify(updates))).toEqual({
        body: [{ w: [8, 16] }, { w: [0] }],
        head: 1,
        name: 'net',
        depth: 2,
      });
    }
  });

  test('a group sees its own leaves alone', () => {
    const clipped = optim.multiTransform(
      { a: optim.clipByGlobalNorm(1), b: optim.identity() },
      { body: 'b', head: 'a' },
    );
    const [updates] = clipped.update(params, clipped.init(params), params);
    expect(updates.head.item()).toBe(1);
    const state = optim.masked(optim.trace({ decay: 0.5 }), { body: true, head: false }).init(params);
    expect(state).toMatchObject({ trace: { head: null } });
  });

  test('gradient accumulation and lookahead keep statics', () => {
    for (const t of [optim.multiSteps(optim.adam(0.1), 2), optim.lookahead(optim.adam(0.1), 2, 0.5)]) {
      const [updates, next] = t.update(params, t.init(params), params);
      expect([updates.name, updates.depth]).toEqual(['net', 2]);
      expect(t.update(params, next, params)[0].depth).toBe(2);
    }
  });

  test('labels that are none', () => {
    const t = optim.multiTransform({ a: optim.identity() }, (path) => (path === 'head' ? 'z' : 'a'));
    expect(() => t.init(params)).toThrow(
      "optim.multiTransform: the label of head is 'z', of which there is no transformation\n  remedy: label with 'a'",
    );
    expect(() => t.init(params)).toThrow(TreeError);
    const partial = optim.masked(optim.identity(), { body: true });
    expect(() => partial.init(params)).toThrow('optim.masked: the label of head is undefined, not a boolean');
    const inner = optim.multiTransform({ a: optim.adam(0.1) }, () => 'a');
    expect(() => inner.update(params, { a: [] }, params)).toThrow(
      'while updating by optim.multiTransform with state.a',
    );
  });
});

test("Nesterov's own form, with the gradient taken ahead, has the same points ahead", () => {
  const slope = (x: number): number => 3 * x + 0.5 * x ** 3;
  const [rate, decay] = [0.05, 0.9];
  const optimizer = optim.sgd(rate, { momentum: decay, nesterov: true });
  let x = np.array(1.5, { dtype: 'float64' });
  let state = optimizer.init(x);
  let [theta, v] = [1.5, 0];
  for (let t = 0; t < 20; t++) {
    v = decay * v + rate * slope(theta - decay * v);
    theta -= v;
    const g = np.add(np.mul(x, 3), np.mul(np.power(x, 3), 0.5));
    const [updates, next] = optimizer.update(g, state, x);
    [x, state] = [optim.applyUpdates(x, updates), next];
    expect(x.item(), `step ${t}`).toBeCloseTo(theta - decay * v, 12);
  }
});

describe('noise and sharpness', () => {
  test('noise has the variance eta/t^gamma, is new at each step, and the same for the same key', () => {
    const t = optim.addNoise(0.25, 1, random.key(7));
    const g = { a: np.zeros([4000]), b: np.zeros([4000]) };
    const [first, state] = t.update(g, t.init(g), g);
    const [second] = t.update(g, state, g);
    expect(np.std(first.a).item()).toBeCloseTo(0.5, 1);
    expect(np.var(second.b).item()).toBeCloseTo(0.125, 1);
    const correlation = (x: Tensor, y: Tensor): number =>
      np.mean(np.mul(x, y)).item() / (np.std(x).item() * np.std(y).item());
    expect(Math.abs(correlation(first.a, first.b))).toBeLessThan(0.06);
    expect(Math.abs(correlation(first.a, second.a))).toBeLessThan(0.06);
    expect(t.update(g, t.init(g), g)[0].a.toArray()).toEqual(first.a.toArray());
  });

  test('sam and asam: the gradient at the point that they name', () => {
    const curve = np.array([1, 3], { dtype: 'float64' });
    const loss = (x: Tensor<'float64'>, scale: Tensor<'float64'>) =>
      np.mul(np.sum(np.mul(curve, np.power(x, 4))), scale);
    const x = [0.5, -1.25];
    const slope = (at: readonly number[]): number[] => [1, 3].map((c, i) => 2 * 4 * c * at[i]! ** 3);
    const two = np.array(2, { dtype: 'float64' });
    const [value, found] = optim.sam(loss, { rho: 0.1 })(np.array(x, { dtype: 'float64' }), two);
    const g = slope(x);
    const length = Math.hypot(...g);
    expect(value.item()).toBeCloseTo(2 * (0.5 ** 4 + 3 * 1.25 ** 4), 12);
    const wanted = slope(x.map((v, i) => v + (0.1 * g[i]!) / length));
    for (const i of [0, 1]) expect(found.dataSync()[i]).toBeCloseTo(wanted[i]!, 12);
    const [, adapted] = optim.sam(loss, { rho: 0.1, adaptive: true })(np.array(x, { dtype: 'float64' }), two);
    const scaled = Math.hypot(...g.map((v, i) => v * x[i]!));
    const asam = slope(x.map((v, i) => v + (0.1 * v * v * g[i]!) / scaled));
    for (const i of [0, 1]) expect(adapted.dataSync()[i]).toBeCloseTo(asam[i]!, 12);
    // At a minimum there is nowhere to go.
    const [, still] = optim.sam((y: Tensor) => np.sum(np.square(y)))(np.zeros([2]));
    expect(still.toArray()).toEqual([0, 0]);
  });
});

test('lookahead in a loop that owns what it carries', () => {
  const optimizer = optim.lookahead(optim.sgd(0.25), 2, 0.5);
  const init = { x: np.array([8]), state: optimizer.init(np.array([8])) };
  const step = ({ x, state }: typeof init) => {
    const [updates, next] = optimizer.update(grad((p: Tensor) => np.sum(np.square(p)))(x), state, x);
    return { x: optim.applyUpdates(x, updates), state: next };
  };
  // Each step halves x; two of them and half the way: 8 → 5 → 3.125.
  expect(train.iterate(step, init, 4).x.toArray()).toEqual([3.125]);
});

describe('hyperparameters are checked where a transformation is built', () => {
  const js = optim as unknown as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

  test.each([
    ['adadelta', [1, { decay: 0.9 }], "there is no option 'decay'"],
    ['adamax', [0.1, { epsRoot: 0 }], "there is no option 'epsRoot'"],
    ['nadam', [0.1, { nesterov: true }], "there is no option 'nesterov'"],
    ['scaleByAmsgrad', [{ biasCorrection: 'no' }], 'biasCorrection is "no"'],
    ['lion', [0.1, { b3: 0.1 }], "there is no option 'b3'"],
    ['lamb', [0.1, { weightDecay: '0.1' }], 'weightDecay is "0.1", not a JS number'],
    ['lars', [0.1, { nesterov: 1 }], 'nesterov is 1, not a boolean'],
    ['adafactor', [null, { minDim: 2 }], "there is no option 'minDim'"],
    ['clipByNorm', [-1], 'the greatest norm is -1, which is negative'],
    ['clipByBlockRms', [Number.NaN], 'the threshold is NaN'],
    ['adaptiveGradClip', ['1'], 'the clipping is "1", not a JS number'],
    ['addNoise', [0.1, 0.55, 3], 'a key is uint32[2], got 3'],
    ['ema', [0.9, { bias: false }], "there is no option 'bias'"],
    ['multiSteps', [optim.sgd(1), 0], 'everyK must be positive, got 0'],
    ['multiSteps', [optim.sgd, 2], 'the first argument is the function sgd, not a gradient transformation'],
    ['lookahead', [optim.sgd(1), -1, 0.5], 'syncPeriod must be positive, got -1'],
    ['masked', [{}, true], 'the first argument is {}, not a gradient transformation'],
    ['multiTransform', [{ a: null }, 'a'], 'transformations.a is null, not a gradient transformation'],
    ['injectHyperparams', [() => optim.sgd(1), { rate: '1' }], 'rate is "1", not a JS number'],
    ['reduceOnPlateau', [{ patience: 0 }], 'patience must be positive, got 0'],
    ['sam', [() => 0, { rho: -1 }], 'rho is -1, which is negative'],
    ['scaleByFactoredRms', [{ factored: 1 }], 'factored is 1, not a boolean'],
  ])('%s(%j)', (name, args, problem) => {
    expect(() => js[name]!(...args)).toThrow(`optim.${name}: ${problem}`);
  });

  test('a state of another optimizer or model', () => {
    const x = np.array([1, 2]);
    expect(() => optim.lion(0.1).update(x, optim.adamax(0.1).init(x), x)).toThrow('not an array of 3');
    expect(() => optim.scaleByFactoredRms().update(x, optim.scaleByFactoredRms().init(np.zeros([3])), x)).toThrow(
      'optim.scaleByFactoredRms: a leaf of state.v is float32[3], not of shape [2]',
    );
    expect(() => optim.multiSteps(optim.sgd(1), 2).update(x, {}, x)).toThrow('it has no miniStep');
    expect(() => optim.lookahead(optim.sgd(1), 2, 1).update(x, {}, x)).toThrow('it has no count');
  });
});
