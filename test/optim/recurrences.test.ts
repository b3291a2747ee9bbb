/** Every optimizer on its path of 20 steps in float64, against recurrences that NumPy has computed (fixtures/numpy-optim.py). */

import { readFileSync } from 'node:fs';
import { jit, np, optim, type Tensor, tree } from 'pullback';
import { describe, expect, test } from 'vitest';

interface Params<T> {
  readonly w: T;
  readonly b: T;
}

const fixture = JSON.parse(readFileSync(new URL('../fixtures/numpy-optim.json', import.meta.url), 'utf8')) as {
  readonly start: Params<number[]>;
  readonly gradients: Params<number[]>;
  readonly steps: readonly number[];
  readonly paths: Readonly<Record<string, readonly Params<number[]>[]>>;
};

const wide = (x: number[]): Tensor<'float64'> => np.array(x, { dtype: 'float64' });
const start: Params<Tensor<'float64'>> = { w: wide(fixture.start.w), b: wide(fixture.start.b) };
const [gw, gb] = [wide(fixture.gradients.w), wide(fixture.gradients.b)];

/** The gradient at step t = 0, 1, …, p/2 + G[t]. */
const gradientAt = (p: typeof start, t: number): typeof start => ({
  w: np.add(np.mul(p.w, 0.5), np.index(gw, t)),
  b: np.add(np.mul(p.b, 0.5), np.index(gb, t)),
});

const halving: optim.Schedule = (step) =>
  np.mul(np.power(0.5, np.floor(np.div(np.astype(step, 'float64'), 5))), np.full([], 0.1, { dtype: 'float64' }));

const optimizers: Readonly<Record<string, optim.GradientTransformation>> = {
  momentum: optim.sgd(0.05, { momentum: 0.9 }),
  nesterov: optim.sgd(0.05, { momentum: 0.9, nesterov: true }),
  rateInMomentum: optim.chain(optim.scaleByLearningRate(halving), optim.trace({ decay: 0.9 })),
  adam: optim.adam(0.1),
  adamEpsRoot: optim.adam(0.1, { b1: 0.5, b2: 0.9, eps: 1e-3, epsRoot: 1e-2 }),
  nadam: optim.nadam(0.1),
  adamw: optim.adamw(0.1, { weightDecay: 0.3 }),
  adamwMasked: optim.adamw(0.1, { weightDecay: 0.3, mask: (_path, leaf) => leaf.ndim > 1 }),
  amsgradBefore: optim.amsgrad(0.1, { b2: 0.9 }),
  amsgradAfter: optim.amsgrad(0.1, { b2: 0.9, biasCorrection: 'after' }),
  amsgradNone: optim.amsgrad(0.1, { b2: 0.9, biasCorrection: 'none' }),
  adagradInside: optim.adagrad(0.3, { eps: 1e-2 }),
  adagradOutside: optim.adagrad(0.3, { eps: 1e-2, epsInSqrt: false, initialAccumulatorValue: 0 }),
  rmspropInside: optim.rmsprop(0.1, { eps: 1e-2 }),
  rmspropOutside: optim.rmsprop(0.1, { eps: 1e-2, epsInSqrt: false }),
  rmspropCentered: optim.rmsprop(0.05, { eps: 1e-2, epsInSqrt: false, centered: true }),
  adadelta: optim.adadelta(),
  adadeltaDecay: optim.adadelta(0.5, { rho: 0.8, eps: 1e-2, weightDecay: 0.1 }),
  adamax: optim.adamax(0.1),
  lion: optim.lion(0.05, { weightDecay: 0.1 }),
  lamb: optim.lamb(0.1, { weightDecay: 0.2 }),
  lars: optim.lars(0.5, { weightDecay: 0.1, trustCoefficient: 0.1 }),
  adafactor: optim.adafactor(0.1, { minDimSizeToFactor: 2 }),
  adafactorPlain: optim.adafactor(0.1),
  adafactorAll: optim.adafactor(0.2, {
    minDimSizeToFactor: 2,
    momentum: 0.9,
    weightDecayRate: 0.01,
    clippingThreshold: 0.5,
  }),
  agc: optim.chain(optim.adaptiveGradClip(0.1), optim.sgd(0.5)),
  lbfgs: optim.lbfgs(0.1, { memorySize: 3, linesearch: null }),
  lbfgsUnscaled: optim.lbfgs(0.1, { memorySize: 2, scaleInitPrecond: false, linesearch: null }),
  lookahead: optim.lookahead(optim.adam(0.1), 3, 0.5),
  multiSteps: optim.multiSteps(optim.adam(0.1), 3),
  multiTransform: optim.multiTransform(
    { matrix: optim.adam(0.1), vector: optim.sgd(0.05, { momentum: 0.5 }) },
    {
      w: 'matrix',
      b: 'vector',
    },
  ),
};

/** The parameters after the steps that the fixture keeps. */
function pathOf(optimizer: optim.GradientTransformation): Params<number[]>[] {
  const step = jit((p: typeof start, state: optim.OptState, g: typeof start) => {
    const [updates, next] = optimizer.update(g, state, p);
    return [optim.applyUpdates(p, updates), next] as const;
  });
  let [params, state] = [start, optimizer.init(start)];
  const kept: Params<number[]>[] = [];
  for (let t = 0; t < 20; t++) {
    [params, state] = step(params, state, gradientAt(params, t));
    if (fixture.steps.includes(t + 1)) kept.push({ w: [...params.w.dataSync()], b: [...params.b.dataSync()] });
    if (t !== 9) continue;
    // A state is a tree of tensors: what a file holds of it is enough to go on from.
    const { leaves, def } = tree.flatten(state);
    state = tree.unflatten(
      def,
      leaves.map((x) => np.reshape(np.array([...x.dataSync()] as number[], { dtype: x.dtype }), x.shape)),
    );
  }
  expect(step.traces).toBe(1);
  return kept;
}

describe('the path of 20 steps is that of NumPy', () => {
  test('every path of the fixture is taken', () => {
    expect(Object.keys(optimizers)).toEqual(Object.keys(fixture.paths));
  });

  test.each(Object.entries(optimizers))('%s', (name, optimizer) => {
    const found = pathOf(optimizer);
    for (const [i, wanted] of fixture.paths[name]!.entries()) {
      for (const part of ['w', 'b'] as const) {
        for (const [k, x] of wanted[part].flat().entries()) {
          expect(found[i]![part][k], `step ${fixture.steps[i]}, ${part}[${k}]`).toBeCloseTo(x, 11);
        }
      }
    }
  });
});
