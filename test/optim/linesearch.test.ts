/** Line searches: distances as Python finds them (fixtures/numpy-linesearch.py), Wolfe's and Armijo's conditions, and minima. */

import { readFileSync } from 'node:fs';
import { grad, jit, np, optim, type Tensor, valueAndGrad } from 'pullback';
import { describe, expect, test } from 'vitest';

type Vector = Tensor<'float64'>;

const cases = JSON.parse(
  readFileSync(new URL('../fixtures/numpy-linesearch.json', import.meta.url), 'utf8'),
) as readonly { readonly x: number[]; readonly d: number[]; readonly a: number; readonly wolfe: boolean }[];

const wide = (x: number[]): Vector => np.array(x, { dtype: 'float64' });
const rosenbrock = (x: Vector): Vector => {
  const [a, b] = [np.index(x, 0), np.index(x, 1)];
  return np.add(np.square(np.sub(1, a)), np.mul(100, np.square(np.sub(b, np.square(a)))));
};
const valueAt = ([a, b]: readonly number[]): number => (1 - a!) ** 2 + 100 * (b! - a! ** 2) ** 2;
const slopeAt = ([a, b]: readonly number[], d: readonly number[]): number =>
  (-2 * (1 - a!) - 400 * a! * (b! - a! ** 2)) * d[0]! + 200 * (b! - a! ** 2) * d[1]!;
const moved = (x: readonly number[], a: number, d: readonly number[]): number[] => x.map((v, i) => v + a * d[i]!);

describe('the zoom line search', () => {
  const search = optim.scaleByZoomLinesearch();
  const full = jit((d: Vector, x: Vector) => {
    const [value, slope] = valueAndGrad(rosenbrock)(x);
    return search.update(d, search.init(x), x, { value, grad: slope, valueFn: rosenbrock });
  });
  const alone = jit((d: Vector, x: Vector) => search.update(d, search.init(x), x, { valueFn: rosenbrock }));

  test.each(cases)('from $x along $d goes as far as $a', ({ x, d, a, wolfe }) => {
    const [updates, state] = full(wide(d), wide(x));
    const { learningRate, value } = state as unknown as { readonly learningRate: Vector; readonly value: Vector };
    const found = learningRate.item();
    expect(Math.abs(found / a - 1), `${found}, Python has ${a}`).toBeLessThan(1e-7);
    expect(updates.dataSync()[0]).toBeCloseTo(found * d[0]!, 10);
    expect(value.item()).toBeCloseTo(valueAt(moved(x, found, d)), 10);
    expect(valueAt(moved(x, found, d))).toBeLessThanOrEqual(valueAt(x) + 1e-4 * found * slopeAt(x, d) + 1e-12);
    if (wolfe) expect(Math.abs(slopeAt(moved(x, found, d), d))).toBeLessThanOrEqual(-0.9 * slopeAt(x, d) + 1e-12);
    const [, again] = alone(wide(d), wide(x));
    expect((again as unknown as { learningRate: Vector }).learningRate.item()).toBeCloseTo(found, 9);
  });

  test('a bound, an ascent, and values that are not finite', () => {
    const run = (t: optim.GradientTransformation, d: number, valueFn: (x: Tensor) => Tensor): number => {
      const x = np.array(1);
      return t.update(np.array(d), t.init(x), x, { valueFn })[0].item();
    };
    const parabola = (x: Tensor) => np.square(x);
    expect(run(optim.scaleByZoomLinesearch({ maxLearningRate: 0.25 }), -1, parabola)).toBe(-0.25);
    expect(run(search, 1, parabola)).toBe(0);
    // log x − … is NaN from 0 on: the first distance is one of them.
    const wall = (x: Tensor) => np.sub(np.mul(x, 2), np.log(x));
    expect(run(search, -2, wall)).toBeCloseTo(-0.5, 1);
    const line = (x: Tensor) => x;
    // Nothing ends the search along a line: it doubles as often as it may.
    expect(run(optim.scaleByZoomLinesearch({ maxLinesearchSteps: 4 }), -1, line)).toBe(-8);
  });

  test('without the loss it says what to pass', () => {
    expect(() => search.update(np.array(1), search.init(np.array(1)), np.array(1))).toThrow(
      'optim.scaleByZoomLinesearch: there is no loss to search along\n' +
        '  remedy: pass it: update(gradients, state, params, { value, grad, valueFn })',
    );
  });
});

test('backtracking: the first of a·0.8ᵏ with a sufficient decrease, from 1.5 times the last', () => {
  const t = optim.chain(optim.sgd(1), optim.scaleByBacktrackingLinesearch({ maxLearningRate: 0.5, slopeRtol: 0.1 }));
  const step = jit((x: Vector, state: optim.OptState) => {
    const [updates, next] = t.update(grad(rosenbrock)(x), state, x, { valueFn: rosenbrock });
    return [optim.applyUpdates(x, updates), next] as const;
  });
  let [x, state] = [wide([-1.2, 1]), t.init(wide([-1.2, 1]))];
  let [point, last] = [[-1.2, 1], 1];
  for (let i = 0; i < 20; i++) {
    const g = [slopeAt(point, [1, 0]), slopeAt(point, [0, 1])];
    const d = g.map((v) => -v);
    last = Math.min(1.5 * last, 0.5);
    for (let k = 1; k < 30; k++) {
      if (valueAt(moved(point, last, d)) <= valueAt(point) + 0.1 * last * slopeAt(point, d)) break;
      last *= 0.8;
    }
    point = moved(point, last, d);
    [x, state] = step(x, state);
    for (const j of [0, 1]) expect(x.dataSync()[j], `step ${i}`).toBeCloseTo(point[j]!, 9);
  }
  expect(valueAt(point)).toBeLessThan(valueAt([-1.2, 1]) / 5);
});

describe('lbfgs finds minima', () => {
  const minimize = (
    t: optim.GradientTransformation,
    f: (x: Vector) => Vector,
    start: number[],
    steps: number,
  ): Vector => {
    const step = jit((x: Vector, state: optim.OptState) => {
      const [value, slope] = valueAndGrad(f)(x);
      const [updates, next] = t.update(slope, state, x, { value, grad: slope, valueFn: f });
      return [optim.applyUpdates(x, updates), next] as const;
    });
    let [x, state] = [wide(start), t.init(wide(start))];
    for (let i = 0; i < steps; i++) [x, state] = step(x, state);
    expect(step.traces).toBe(1);
    return x;
  };

  test('of Rosenbrock, with either search', () => {
    for (const linesearch of [optim.scaleByZoomLinesearch(), optim.scaleByBacktrackingLinesearch()]) {
      const x = minimize(optim.lbfgs(1, { linesearch }), rosenbrock, [-1.2, 1], 45);
      for (const i of [0, 1]) expect(x.dataSync()[i]).toBeCloseTo(1, 7);
    }
  });

  test('of a quadratic whose axes differ by a thousand', () => {
    const scales = wide([1, 10, 100, 1000]);
    const bowl = (x: Vector) => np.mul(np.sum(np.mul(scales, np.square(np.sub(x, 1)))), 0.5) as Vector;
    const x = minimize(optim.lbfgs(), bowl, [3, -2, 5, 0], 40);
    for (const v of x.dataSync()) expect(v).toBeCloseTo(1, 7);
  });
});

test('what lbfgs and line searches refuse', () => {
  const js = optim as unknown as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;
  for (const [name, args, problem] of [
    ['scaleByLbfgs', [{ memorySize: 0 }], 'memorySize is 0, not a number of steps'],
    ['lbfgs', [1, { linesearch: 'zoom' }], 'linesearch is "zoom", not a gradient transformation'],
    ['lbfgs', [1, { memory: 3 }], "there is no option 'memory'"],
    ['scaleByZoomLinesearch', [{ c1: 0.1 }], "there is no option 'c1'"],
    ['scaleByZoomLinesearch', [{ maxLinesearchSteps: 0 }], 'maxLinesearchSteps must be positive, got 0'],
    ['scaleByBacktrackingLinesearch', [{ slopeRtol: -1 }], 'slopeRtol is -1, which is negative'],
  ] as const) {
    expect(() => js[name]!(...args)).toThrow(`optim.${name}: ${problem}`);
  }
});
