/** `optim`: each optimizer against its formulas in plain float64, and the laws of transformations. */

import { concatAll } from 'fp-ts/lib/Monoid.js';
import { grad, jit, np, optim, type Tensor, TreeError, tree, valueAndGrad } from 'pullback';
import { describe, expect, test } from 'vitest';

/** A narrow valley: its gradient is a formula, so that the loops below need no library. */
const slopes = [1, 10, -3];
const gradientAt = (x: readonly number[]): number[] => x.map((xi, i) => slopes[i]! * xi + 0.1 * xi ** 3);
const valley = (x: Tensor<'float64'>) =>
  np.sum(
    np.add(
      np.mul(
        np.array(
          slopes.map((s) => s / 2),
          { dtype: 'float64' },
        ),
        np.mul(x, x),
      ),
      np.mul(np.mul(np.mul(x, x), np.mul(x, x)), 0.025),
    ),
  );
const start = [1.5, -2, 0.25];

/** The points that an optimizer visits. */
function path(optimizer: optim.GradientTransformation, steps: number): number[][] {
  let x = np.array(start, { dtype: 'float64' });
  let state = optimizer.init(x);
  return Array.from({ length: steps }, () => {
    const [updates, next] = optimizer.update(grad(valley)(x), state, x);
    x = optim.applyUpdates(x, updates);
    state = next;
    return Array.from(x.dataSync());
  });
}

/** The points of a rule that is written in numbers: `rule(g, i, t)` is the step of coordinate i at time t = 1, 2, … */
function reference(rule: (g: number, i: number, t: number) => number, steps: number): number[][] {
  let x = start;
  return Array.from({ length: steps }, (_, k) => {
    const g = gradientAt(x);
    x = x.map((xi, i) => xi + rule(g[i]!, i, k + 1));
    return x;
  });
}

function expectSamePath(got: readonly number[][], want: readonly number[][]): void {
  expect(got.length).toBe(want.length);
  for (const [t, point] of want.entries()) {
    for (const [i, x] of point.entries()) expect(got[t]![i], `step ${t}, coordinate ${i}`).toBeCloseTo(x, 10);
  }
}

describe('against the formulas', () => {
  test('sgd', () => {
    expectSamePath(
      path(optim.sgd(0.05), 50),
      reference((g) => -0.05 * g, 50),
    );
  });

  test('sgd with a schedule of the step', () => {
    const decaying = optim.sgd((step) => np.div(0.1, np.add(np.astype(step, 'float64'), 1)));
    expectSamePath(
      path(decaying, 50),
      reference((g, _i, t) => (-0.1 / t) * g, 50),
    );
  });

  test.each([false, true])('sgd with momentum, nesterov: %s', (nesterov) => {
    const m = [0, 0, 0];
    const rule = (g: number, i: number): number => {
      m[i] = g + 0.9 * m[i]!;
      return -0.01 * (nesterov ? g + 0.9 * m[i]! : m[i]!);
    };
    expectSamePath(path(optim.sgd(0.01, { momentum: 0.9, nesterov }), 60), reference(rule, 60));
  });

  test.each([{}, { b1: 0.5, b2: 0.9, eps: 1e-3 }, { b1: 0, epsRoot: 1e-4 }])('adam with %o', (options) => {
    const { b1 = 0.9, b2 = 0.999, eps = 1e-8, epsRoot = 0 }: optim.AdamOptions = options;
    const m = [0, 0, 0];
    const v = [0, 0, 0];
    const rule = (g: number, i: number, t: number): number => {
      m[i] = b1 * m[i]! + (1 - b1) * g;
      v[i] = b2 * v[i]! + (1 - b2) * g * g;
      return (-0.1 * (m[i]! / (1 - b1 ** t))) / (Math.sqrt(v[i]! / (1 - b2 ** t) + epsRoot) + eps);
    };
    expectSamePath(path(optim.adam(0.1, options), 100), reference(rule, 100));
  });

  test.each([{}, { b1: 0.5, weightDecay: 0.3, eps: 1e-3 }])('adamw with %o', (options) => {
    const { b1 = 0.9, b2 = 0.999, eps = 1e-8, weightDecay = 1e-4 }: optim.AdamwOptions = options;
    const [m, v, x] = [[0, 0, 0], [0, 0, 0], [...start]];
    const rule = (g: number, i: number, t: number): number => {
      m[i] = b1 * m[i]! + (1 - b1) * g;
      v[i] = b2 * v[i]! + (1 - b2) * g * g;
      const adam = m[i]! / (1 - b1 ** t) / (Math.sqrt(v[i]! / (1 - b2 ** t)) + eps);
      const step = -0.1 * (adam + weightDecay * x[i]!);
      x[i]! += step;
      return step;
    };
    expectSamePath(path(optim.adamw(0.1, options), 100), reference(rule, 100));
  });

  test.each([{}, { b1: 0.5, b2: 0.9, epsRoot: 1e-4 }])('amsgrad with %o', (options) => {
    const { b1 = 0.9, b2 = 0.999, eps = 1e-8, epsRoot = 0 }: optim.AdamOptions = options;
    const [m, v, most] = [
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ];
    const rule = (g: number, i: number, t: number): number => {
      m[i] = b1 * m[i]! + (1 - b1) * g;
      v[i] = b2 * v[i]! + (1 - b2) * g * g;
      most[i] = Math.max(most[i]!, v[i]! / (1 - b2 ** t));
      return (-0.1 * (m[i]! / (1 - b1 ** t))) / (Math.sqrt(most[i]! + epsRoot) + eps);
    };
    expectSamePath(path(optim.amsgrad(0.1, options), 100), reference(rule, 100));
    // The maximum matters on this path: adam takes another one.
    expect(path(optim.amsgrad(0.1, options), 100).at(-1)).not.toEqual(path(optim.adam(0.1, options), 100).at(-1));
  });

  test.each<optim.RmspropOptions>([
    {},
    { decay: 0.5, eps: 1e-3, initialScale: 0.25 },
    { centered: true, eps: 1e-2 },
    { momentum: 0.8 },
    { momentum: 0.8, nesterov: true, centered: true, eps: 1e-2 },
  ])('rmsprop with %o', (options) => {
    const { decay = 0.9, eps = 1e-8, initialScale = 0, centered = false, momentum, nesterov } = options;
    const [mean, square, velocity] = [
      [0, 0, 0],
      [initialScale, initialScale, initialScale],
      [0, 0, 0],
    ];
    const rule = (g: number, i: number): number => {
      mean[i] = decay * mean[i]! + (1 - decay) * g;
      square[i] = decay * square[i]! + (1 - decay) * g * g;
      const spread = centered ? square[i]! - mean[i]! ** 2 : square[i]!;
      const step = (-0.01 * g) / Math.sqrt(spread + eps);
      if (momentum === undefined) return step;
      velocity[i] = step + momentum * velocity[i]!;
      return nesterov ? step + momentum * velocity[i]! : velocity[i]!;
    };
    expectSamePath(path(optim.rmsprop(0.01, options), 60), reference(rule, 60));
  });

  test.each<optim.AdagradOptions>([{}, { initialAccumulatorValue: 0, eps: 1e-3 }])('adagrad with %o', (options) => {
    const { initialAccumulatorValue = 0.1, eps = 1e-7 } = options;
    const sums = [initialAccumulatorValue, initialAccumulatorValue, initialAccumulatorValue];
    const rule = (g: number, i: number): number => {
      sums[i]! += g * g;
      return (-0.3 * g) / Math.sqrt(sums[i]! + eps);
    };
    expectSamePath(path(optim.adagrad(0.3, options), 80), reference(rule, 80));
  });

  test('adagrad does not move where no gradient ever was', () => {
    const optimizer = optim.adagrad(1, { initialAccumulatorValue: 0, eps: 0 });
    const x = np.array([1, 2]);
    const [updates] = optimizer.update(np.array([0, 3]), optimizer.init(x), x);
    expect(Array.from(updates.dataSync(), (u) => u + 0)).toEqual([0, -1]);
  });

  test('clip bounds every element, clipByGlobalNorm the length of all together', () => {
    const rule = (g: number): number => -0.05 * Math.min(Math.max(g, -2), 2);
    expectSamePath(path(optim.chain(optim.clip(2), optim.sgd(0.05)), 50), reference(rule, 50));

    let x = start;
    const clipped = Array.from({ length: 50 }, () => {
      const g = gradientAt(x);
      const norm = Math.hypot(...g);
      x = x.map((xi, i) => xi - 0.05 * g[i]! * (norm > 2 ? 2 / norm : 1));
      return x;
    });
    expectSamePath(path(optim.chain(optim.clipByGlobalNorm(2), optim.sgd(0.05)), 50), clipped);

    const updates = { w: np.array([[3, 0]]), b: [np.array(4), np.array([12], { dtype: 'float64' })] };
    expect(optim.globalNorm(updates).item()).toBe(13);
    const [shorter] = optim.clipByGlobalNorm(6.5).update(updates, {}, updates);
    expect(tree.leaves(shorter).map((v) => [v.dtype, ...v.dataSync()])).toEqual([
      ['float32', 2],
      ['float64', 6],
      ['float32', 1.5, 0],
    ]);
    const [same] = optim.clipByGlobalNorm(13).update(updates, {}, updates);
    expect(tree.leaves(same).map((v) => [...v.dataSync()])).toEqual([[4], [12], [3, 0]]);
    const zeros = { w: np.zeros([2]) };
    for (const bound of [0, 1, Infinity]) {
      expect(optim.clipByGlobalNorm(bound).update(zeros, {}, zeros)[0].w.toArray()).toEqual([0, 0]);
    }
    const long = { w: np.array([3, -4]) };
    expect(np.abs(optim.clipByGlobalNorm(0).update(long, {}, long)[0].w).toArray()).toEqual([0, 0]);
    expect(optim.clipByGlobalNorm(Infinity).update(long, {}, long)[0].w.toArray()).toEqual([3, -4]);
    // What is wrong with a gradient stays visible.
    const wrong = { w: np.array([NaN, 1]) };
    expect(optim.clipByGlobalNorm(1).update(wrong, {}, wrong)[0].w.toArray()).toEqual([NaN, NaN]);
  });

  test('a state of another optimizer is refused by name', () => {
    const x = np.array([1]);
    const adam = optim.adam(0.1).init(x);
    expect(() => optim.amsgrad(0.1).update(x, adam, x)).toThrow('optim.scaleByAmsgrad: the state is');
    expect(() => optim.rmsprop(0.1).update(x, adam, x)).toThrow('optim.rmsprop: the state is an array of 2');
    expect(() => optim.clipByGlobalNorm(1).update(x, adam, x)).toThrow('optim.clipByGlobalNorm: the state is');
    expect(() => optim.adamw(0.1).update(np.ones([2]), optim.adamw(0.1).init(x), np.ones([2]))).toThrow(
      'optim.scaleByAdam: updates is float32[2], state.mu is float32[1]',
    );
    expect(() => optim.clip('1' as unknown as number)).toThrow('optim.clip: the bound is "1", not a JS number');
  });

  test('an optimizer counts the steps of its schedule', () => {
    const rate = optim.exponentialDecay(2 ** -4, 4, 0.5, { staircase: true });
    expectSamePath(
      path(optim.sgd(rate), 12),
      reference((g, _i, t) => -(2 ** -4) * 0.5 ** Math.floor((t - 1) / 4) * g, 12),
    );
  });

  test('the first step of adam in float32 is the rate, to 7 digits', () => {
    const optimizer = optim.adam(1e-3);
    const x = np.array([1, 2, 3]);
    const [updates] = optimizer.update(np.array([0.5, -100, 1e-3]), optimizer.init(x), x);
    for (const [i, u] of updates.dataSync().entries()) expect(u / [-1e-3, 1e-3, -1e-3][i]!).toBeCloseTo(1, 4);
    const exact = [0.5, -100, 1e-3].map((g) => (-1e-3 * g) / (Math.abs(g) + 1e-8));
    for (const [i, u] of updates.dataSync().entries()) expect(Math.abs(u / exact[i]! - 1)).toBeLessThan(5e-7);
  });
});

describe('laws', () => {
  const params = {
    layers: [
      {
        w: np.array([
          [1, 2],
          [3, 4],
        ]),
      },
      { w: np.array([[5, 6]]) },
    ],
    b: np.array([0.5]),
    name: 'net',
  };
  const grads = tree.map((x: Tensor) => np.sin(x), params);
  const all: Record<string, optim.GradientTransformation> = {
    identity: optim.identity(),
    scale: optim.scale(3),
    trace: optim.trace({ decay: 0.9 }),
    nesterov: optim.trace({ decay: 0.9, nesterov: true }),
    scaleByAdam: optim.scaleByAdam(),
    scheduled: optim.scaleBySchedule((step) => np.div(1, np.add(step, 1))),
    sgd: optim.sgd(0.1, { momentum: 0.5 }),
    adam: optim.adam(0.1),
    adamw: optim.adamw(optim.warmupCosineDecaySchedule(0, 0.1, 2, 10)),
    amsgrad: optim.amsgrad(0.1),
    rmsprop: optim.rmsprop(0.1, { momentum: 0.5, centered: true }),
    adagrad: optim.adagrad(optim.piecewiseConstantSchedule(0.1, { 1: 0.5 })),
    clip: optim.clip(0.25),
    clipByGlobalNorm: optim.clipByGlobalNorm(0.5),
  };
  const plain = (x: unknown): unknown => JSON.parse(JSON.stringify(x));

  /** The updates of three steps. */
  function updatesOf(t: optim.GradientTransformation): unknown {
    let state = t.init(params);
    return [1, 2, 3].map((step) => {
      const [updates, next] = t.update(
        tree.map((g: Tensor) => np.mul(g, step), grads),
        state,
        params,
      );
      state = next;
      return plain(updates);
    });
  }

  test.each(Object.entries(all))('%s keeps structure, statics, shapes and dtypes, of updates and state', (_name, t) => {
    const state = t.init(params);
    const [updates, next] = t.update(grads, state, params);
    expect(tree.structure(updates).key).toBe(tree.structure(params).key);
    expect(tree.structure(next).key).toBe(tree.structure(state).key);
    expect(tree.leaves(next).map((x) => x.aval.id)).toEqual(tree.leaves(state).map((x) => x.aval.id));
    expect(tree.leaves(updates).map((x) => x.aval.id)).toEqual(tree.leaves(params).map((x) => x.aval.id));
    expect(updates.name).toBe('net');
  });

  test.each(Object.entries(all))('%s leaves its arguments untouched', (_name, t) => {
    const state = t.init(params);
    const before = [plain(params), plain(grads), plain(state)];
    const [, next] = t.update(grads, state, params);
    const between = plain(next);
    t.update(grads, next, params);
    expect([plain(params), plain(grads), plain(state)]).toEqual(before);
    expect(plain(next)).toEqual(between);
  });

  test.each(Object.entries(all))('%s: jit(update) is update, traced once', (_name, t) => {
    const step = jit((g: typeof params, state: optim.OptState, p: typeof params) => t.update(g, state, p));
    let [eager, compiled] = [t.init(params), t.init(params)];
    for (let i = 0; i < 3; i++) {
      const [a, nextA] = t.update(grads, eager, params);
      const [b, nextB] = step(grads, compiled, params);
      expect(plain(b)).toEqual(plain(a));
      expect(plain(nextB)).toEqual(plain(nextA));
      [eager, compiled] = [nextA, nextB];
    }
    expect(step.traces).toBe(1);
  });

  test('chain is a monoid in the updates', () => {
    const { concat, empty } = optim.monoid;
    const [a, b, c] = [all['scaleByAdam']!, all['trace']!, all['scale']!];
    expect(updatesOf(concat(concat(a, b), c))).toEqual(updatesOf(concat(a, concat(b, c))));
    expect(updatesOf(concat(empty, a))).toEqual(updatesOf(a));
    expect(updatesOf(concat(a, empty))).toEqual(updatesOf(a));
    expect(updatesOf(concatAll(optim.monoid)([a, b, c]))).toEqual(updatesOf(optim.chain(a, b, c)));
    expect(updatesOf(optim.chain(a, b))).not.toEqual(updatesOf(optim.chain(b, a)));
  });

  test('adam is scaleByAdam, then scaleByLearningRate', () => {
    expect(updatesOf(optim.adam(0.3))).toEqual(
      updatesOf(optim.chain(optim.scaleByAdam(), optim.scaleByLearningRate(0.3))),
    );
  });

  test('applyUpdates keeps the dtypes of the parameters, and names where structures differ', () => {
    const [half, wide] = [np.array([1], { dtype: 'float32' }), np.array([0.5], { dtype: 'float64' })];
    expect(optim.applyUpdates<Tensor<'float32' | 'float64'>>(half, wide).dtype).toBe('float32');
    expect(() => optim.applyUpdates<object>({ w: half }, { v: half })).toThrow(TreeError);
  });

  test('a step can be differentiated with respect to what it steps from', () => {
    const optimizer = optim.chain(optim.scaleByAdam({ epsRoot: 1e-8 }), optim.scaleByLearningRate(0.1));
    const stepped = (x: Tensor<'float64'>) => {
      const [updates] = optimizer.update(grad(valley)(x), optimizer.init(x), x);
      return valley(optim.applyUpdates(x, updates));
    };
    const x = np.array(start, { dtype: 'float64' });
    const slope = grad(stepped)(x).dataSync();
    const epsilon = 1e-5;
    for (const i of [0, 1, 2]) {
      const at = (h: number) =>
        stepped(
          np.array(
            start.map((s, k) => (k === i ? s + h : s)),
            { dtype: 'float64' },
          ),
        ).item();
      expect(slope[i]).toBeCloseTo((at(epsilon) - at(-epsilon)) / (2 * epsilon), 6);
    }
  });
});

test('a line is fitted', () => {
  const x = np.array([-1, 0, 1, 2]);
  const y = np.array([-3, -1, 1, 3]);
  const loss = (p: { readonly a: Tensor; readonly b: Tensor }) => {
    const error = np.sub(np.add(np.mul(p.a, x), p.b), y);
    return np.mean(np.mul(error, error));
  };
  const optimizer = optim.adam(0.1);
  const step = jit((p: { readonly a: Tensor; readonly b: Tensor }, state: optim.OptState) => {
    const [value, grads] = valueAndGrad(loss)(p);
    const [updates, next] = optimizer.update(grads, state, p);
    return [optim.applyUpdates(p, updates), next, value] as const;
  });
  let params: { readonly a: Tensor; readonly b: Tensor } = { a: np.array(0), b: np.array(0) };
  let state = optimizer.init(params);
  for (let i = 0; i < 300; i++) [params, state] = step(params, state);
  expect(params.a.item()).toBeCloseTo(2, 3);
  expect(params.b.item()).toBeCloseTo(-1, 3);
  expect(step.traces).toBe(1);
});
