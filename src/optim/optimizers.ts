/** Optimizers: momentum, Adam, and the chains that have their names. */

import { isFloat } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { add, convertElementType, div, mul, neg, sub } from '../prim/arithmetic.ts';
import { fullLike, zeros } from '../prim/compose.ts';
import { tanh } from '../prim/math.ts';
import { map } from '../tree/tree.ts';
import { countOf, mapPairs, partsOf } from './state.ts';
import {
  chainOf,
  type GradientTransformation,
  identity,
  noSteps,
  type OptState,
  oneMore,
  type Schedule,
  scaleByLearningRate,
} from './transformation.ts';

const zerosLike = <P>(params: P): P => map((p: Value) => zeros(p.aval), params);

/** Options of {@link trace}. */
export interface TraceOptions {
  /** How much of the trace is kept at each step, in [0, 1). */
  readonly decay: number;
  /** Look one step ahead (Nesterov 1983, as Sutskever et al. 2013 write it); default false. */
  readonly nesterov?: boolean;
}

/**
 * Momentum: the updates become their trace m ← g + decay·m; with `nesterov`, g + decay·m of the new m.
 *
 * The state is `{ trace }`, of the structure of the parameters.
 */
export const trace = ({ decay, nesterov = false }: TraceOptions): GradientTransformation => ({
  init: (params) => ({ trace: zerosLike(params) as OptState }),
  update: <P>(updates: P, state: OptState) => {
    const accumulate = (trace: unknown): P =>
      mapPairs('optim.trace', ['updates', 'state.trace'], (g, m) => np.add(g, np.mul(m, decay)), updates, trace);
    const next = accumulate(partsOf('optim.trace', state, 'trace').trace);
    return [nesterov ? accumulate(next) : next, { trace: next as OptState }];
  },
});

/** Options of {@link adam} and {@link scaleByAdam}. */
export interface AdamOptions {
  /** Decay of the mean of gradients; default 0.9. */
  readonly b1?: number;
  /** Decay of the mean of their squares; default 0.999. */
  readonly b2?: number;
  /** Added to the root; default 1e-8. */
  readonly eps?: number;
  /** Added under the root, which keeps it differentiable at 0; default 0. */
  readonly epsRoot?: number;
}

/**
 * Adam's direction m̂/(√(v̂ + epsRoot) + eps), with m ← b1·m + (1 − b1)·g, v ← b2·v + (1 − b2)·g² and their means without the
 * bias of the start, m̂ = m/(1 − b1ᵗ), v̂ = v/(1 − b2ᵗ).
 *
 * The state is `{ count, mu, nu }`. D. Kingma, J. Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1.
 */
export const scaleByAdam = ({
  b1 = 0.9,
  b2 = 0.999,
  eps = 1e-8,
  epsRoot = 0,
}: AdamOptions = {}): GradientTransformation => ({
  init: (params) => ({ count: noSteps(), mu: zerosLike(params) as OptState, nu: zerosLike(params) as OptState }),
  update: <P>(updates: P, state: OptState) => {
    const op = 'optim.scaleByAdam';
    const before = partsOf(op, state, 'count', 'mu', 'nu');
    const count = oneMore(countOf(op, before.count));
    const mix = (decay: number) => (mean: Value, x: Value) => np.add(np.mul(mean, decay), np.mul(x, 1 - decay));
    const mu = mapPairs(op, ['updates', 'state.mu'], (g, mean) => mix(b1)(mean, g), updates, before.mu);
    const nu = mapPairs(op, ['updates', 'state.nu'], (g, mean) => mix(b2)(mean, mul(g, g)), updates, before.nu);
    const direction = (m: Value, v: Value): Value => {
      const unbiased = np.div(m, oneMinusPower(b1, count, m));
      const square = np.div(v, oneMinusPower(b2, count, v));
      return np.div(unbiased, np.add(np.sqrt(np.add(square, epsRoot)), eps));
    };
    return [
      mapPairs(op, ['state.mu', 'state.nu'], direction, mu, nu),
      { count, mu: mu as OptState, nu: nu as OptState },
    ];
  },
});

/**
 * 1 − bᵗ as a scalar of the dtype of `like`, for t ≥ 1.
 *
 * It is −expm1(t·log b), and expm1(2a) = 2·tanh(a)/(1 − tanh(a)): with b near 1 the difference itself would lose most of its
 * digits in float32.
 */
function oneMinusPower(b: number, count: Value<'int32'>, like: Value): Value {
  const t = convertElementType(count, isFloat(like.dtype) ? like.dtype : 'float32');
  const half = tanh(mul(t, fullLike(t, Math.log(b) / 2)));
  return neg(div(add(half, half), sub(fullLike(t, 1), half)));
}

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** Decay of the momentum; none by default. */
  readonly momentum?: number;
  /** Nesterov's momentum; default false. */
  readonly nesterov?: boolean;
}

/**
 * Gradient descent: −rate·g, or of the trace of g with momentum.
 *
 * @param rate - the learning rate, or a schedule of it
 *
 * @example
 * ```ts
 * import { grad, np, optim, type Tensor } from 'pullback';
 * const optimizer = optim.sgd(0.25);
 * const parabola = (x: Tensor) => np.sum(np.mul(x, x));
 * const [step] = optimizer.update(grad(parabola)(np.array([4])), optimizer.init(np.array([4])), np.array([4]));
 * console.log(optim.applyUpdates(np.array([4]), step).toArray()); // => [ 2 ]
 * ```
 */
export const sgd = (rate: number | Schedule, { momentum, nesterov = false }: SgdOptions = {}): GradientTransformation =>
  chainOf('optim.sgd', [
    momentum === undefined ? identity() : trace({ decay: momentum, nesterov }),
    scaleByLearningRate(rate),
  ]);

/**
 * Adam: {@link scaleByAdam}, then {@link scaleByLearningRate}.
 *
 * @param rate - the learning rate, or a schedule of it
 *
 * @example
 * ```ts
 * import { grad, jit, np, optim, type Tensor } from 'pullback';
 * const optimizer = optim.adam(0.1);
 * const step = jit((x: Tensor, state: optim.OptState) => {
 *   const [updates, next] = optimizer.update(grad((x: Tensor) => np.sum(np.square(x)))(x), state, x);
 *   return [optim.applyUpdates(x, updates), next] as const;
 * });
 * let x = np.array([1, -2]);
 * let state = optimizer.init(x);
 * for (let i = 0; i < 200; i++) [x, state] = step(x, state);
 * console.log(np.max(np.square(x)).item() < 1e-4); // => true
 * ```
 */
export const adam = (rate: number | Schedule, options: AdamOptions = {}): GradientTransformation =>
  chainOf('optim.adam', [scaleByAdam(options), scaleByLearningRate(rate)]);
