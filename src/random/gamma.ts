/**
 * The gamma distribution and what is made of it, by JAX's algorithms from the same bits.
 *
 * Marsaglia and Tsang, "A simple method for generating gamma variables" (2000): proposals d(1 + cx)³ from normal numbers x are
 * refused until one is accepted. Every number has a key of its own, so that it does not depend on its neighbours' refusals.
 *
 * Refusals have no derivative. That of a number x in the parameter a is implicit, −∂P(a, x)/∂a divided by the density at x
 * (Figurnov et al., "Implicit reparameterization gradients", 2018).
 */

import { customJvp } from '../../transforms/custom-jvp.ts';
import { vmap } from '../../transforms/vmap.ts';
import { whileLoop } from '../../transforms/while.ts';
import { makeAval, showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import { type Shape, sizeOf } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { located } from '../ops/located.ts';
import { stretchTo } from '../ops/shape.ts';
import type { ShapeLike } from '../ops/types.ts';
import { add, div, max, mul, neg, sub } from '../prim/arithmetic.ts';
import { and } from '../prim/bits.ts';
import { ge, le, lt, select } from '../prim/compare.ts';
import { fullLike } from '../prim/compose.ts';
import { randomGammaGrad } from '../prim/incomplete.ts';
import { exp, log, log1p, pow, sqrt } from '../prim/math.ts';
import { times } from '../prim/matrices.ts';
import { reduceMax, reduceSum, unreduce } from '../prim/reduce.ts';
import { concatenate, reshape } from '../prim/structural.ts';
import { hashIndices, type Key, split } from './key.ts';
import { drawnShape, floatIn, parameter } from './parameters.ts';
import { normalOf, uniformOf } from './samplers.ts';

const op = 'random.gamma';

/** Of a proposal: x² of its normal number x, (1 + cx)³, and the uniform number by which it is judged. */
interface Proposal {
  readonly key: Key;
  readonly square: Value;
  readonly cube: Value;
  readonly u: Value;
}

/** v = (1 + cx)³ of the proposal that is accepted, for a parameter d + 1/3 of at least 1. */
function accepted(key: Key, d: Value, dtype: FloatDType): Value {
  const [zero, one] = [fullLike(d, 0), fullLike(d, 1)];
  const c = div(fullLike(d, 1 / 3), sqrt(d));
  const refused = ({ square, cube, u }: Proposal): Value<'bool'> => {
    const bound = add(times(square, 0.5), mul(d, add(sub(one, cube), log(cube))));
    const squeezed = ge(u, sub(one, times(mul(square, square), 0.0331)));
    return and(squeezed, ge(log(u), bound)) as Value<'bool'>;
  };
  const propose = ({ key: rest }: Proposal): Proposal => {
    const [next, forX, forU] = split(rest, 3);
    const { x, v } = whileLoop(
      (carry) => le(carry.v, zero) as Value<'bool'>,
      (carry) => {
        const [following, own] = split(carry.key);
        const drawn = normalOf(op, own, [], dtype);
        return { key: following, x: drawn, v: add(one, mul(drawn, c)) };
      },
      { key: forX, x: zero, v: neg(one) },
    );
    return { key: next, square: mul(x, x), cube: mul(mul(v, v), v), u: uniformOf(op, forU, [], 0, 1, dtype) };
  };
  // The first state is refused.
  return whileLoop(refused, propose, { key, square: zero, cube: one, u: fullLike(d, 2) }).cube;
}

/** One number, or its logarithm. A parameter below 1 is raised by 1, and the number multiplied by (1 − u)^(1/a). */
function drawOne(words: Key, a: Value, inLogarithms: boolean): Value {
  const dtype = a.dtype as FloatDType;
  const one = fullLike(a, 1);
  const large = ge(a, one);
  const d = sub(select(large, a, add(a, one)), fullLike(a, 1 / 3));
  const [key, forBoost] = split(words);
  const v = accepted(key, d, dtype);
  const u = uniformOf(op, forBoost, [], 0, 1, dtype);
  const inverse = div(one, a);
  const raised = inLogarithms
    ? add(add(log(d), log(v)), select(large, fullLike(a, 0), logBoost(u, inverse)))
    : mul(mul(d, v), select(large, one, pow(sub(one, u), inverse)));
  return select(lt(a, fullLike(a, 0)), fullLike(a, Number.NaN), raised);
}

/** ln(1 − u) / a; 0 for u = 0, where a = 0 too. */
function logBoost(u: Value, inverse: Value): Value {
  const zero = fullLike(u, 0);
  return select(le(u, zero), zero, mul(log1p(neg(u)), inverse));
}

const gammaOf: (words: Value, a: Value) => Value = customJvp(
  function gamma(words: Value, a: Value): Value {
    return vmap((k: Key, x: Value) => drawOne(k, x, false))(words as Key, a);
  },
  ([words, a], [, t]) => {
    const x = gammaOf(words, a);
    return [x, mul(t, randomGammaGrad(a, x))] as const;
  },
);

const logGammaOf: (words: Value, a: Value) => Value = customJvp(
  function loggamma(words: Value, a: Value): Value {
    return vmap((k: Key, x: Value) => drawOne(k, x, true))(words as Key, a);
  },
  ([words, a], [, t]) => {
    const y = logGammaOf(words, a);
    // Where the number underflows, the derivative is that at the least number.
    const x = max(exp(y), fullLike(y, y.dtype === 'float32' ? 2 ** -126 : 2 ** -1022));
    return [y, mul(t, div(randomGammaGrad(a, x), x))] as const;
  },
);

/** Numbers, or logarithms, for parameters `a` in the shape of the result. */
function drawn(name: string, key: Key, a: Value, shape: Shape, inLogarithms: boolean): Value {
  const size = sizeOf(shape);
  const whole = stretchTo(name, a, shape);
  const words = hashIndices(name, key, [size]).map((x) => reshape(x, [size, 1]));
  if (size === 0) return whole;
  const flat = (inLogarithms ? logGammaOf : gammaOf)(concatenate(words, 1), reshape(whole, [size]));
  return reshape(flat, shape);
}

/** Options of {@link gamma} and {@link loggamma}. */
export interface GammaOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/** The sampler `random.name` of one parameter. */
const ofOne = (name: string, inLogarithms: boolean) =>
  function sampler<D extends FloatDType = 'float32'>(
    key: Key,
    a: number | Value,
    shape?: ShapeLike,
    options: GammaOptions<D> = {},
  ): Value<D> {
    const float = floatIn(name, options);
    return located(() => {
      const x = parameter(name, 'the parameters', a, float);
      return drawn(name, key, x, drawnShape(name, shape, [x.aval]), inLogarithms);
    }) as Value<D>;
  };

/**
 * Gamma numbers, of density x^(a−1) e^(−x)/Γ(a) for x > 0; NaN for a < 0. Multiply by a scale if it is not 1.
 *
 * For small `a` they underflow to 0: {@link loggamma} does not.
 *
 * @param a - a number, or a float tensor
 * @param shape - of the result; that of `a` by default
 * @throws DTypeError for parameters that are not floats; ShapeError if they do not broadcast to the shape
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * const x = random.gamma(random.key(0), 3, [1000]);
 * console.log(np.mean(x).item().toFixed(1)); // => 3.0
 * ```
 */
export const gamma = ofOne('random.gamma', false);

/**
 * The logarithms of {@link gamma}'s numbers, which are exact where the numbers themselves underflow.
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * const y = random.loggamma(random.key(0), 1e-4, [100]);
 * console.log(np.all(np.isfinite(y)).item(), np.min(np.exp(y)).item()); // => true 0
 * ```
 */
export const loggamma = ofOne('random.loggamma', true);

/** Options of {@link beta}. */
export interface BetaOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Beta numbers, of density proportional to x^(a−1) (1 − x)^(b−1) in [0, 1]: G/(G + H) for gamma numbers G of `a` and H of `b`.
 *
 * @param a - a number, or a float tensor; positive
 * @param b - likewise
 * @param shape - of the result; by default that in which the parameters meet
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * console.log(np.mean(random.beta(random.key(0), 1, 4, [1000])).item().toFixed(1)); // => 0.2
 * ```
 */
export function beta<D extends FloatDType = 'float32'>(
  key: Key,
  a: number | Value,
  b: number | Value,
  shape?: ShapeLike,
  options: BetaOptions<D> = {},
): Value<NoInfer<D>> {
  const name = 'random.beta';
  const float = floatIn(name, options);
  return located(() => {
    const [x, y] = [a, b].map((p) => parameter(name, 'the parameters', p, float)) as [Value, Value];
    const lengths = drawnShape(name, shape, [x.aval, y.aval]);
    const [forA, forB] = split(key);
    const [g, h] = [drawn(name, forA, x, lengths, true), drawn(name, forB, y, lengths, true)];
    const most = max(g, h);
    const [p, q] = [exp(sub(g, most)), exp(sub(h, most))];
    return div(p, add(p, q));
  }) as Value<D>;
}

/** Options of {@link dirichlet}. */
export interface DirichletOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Probabilities of density proportional to ∏ xᵢ^(αᵢ−1): gamma numbers of `alpha`, divided by their sum.
 *
 * @param alpha - float `[..., n]`, positive
 * @param shape - of the batch: the result has axes `[...shape, n]`; by default the shape of `alpha`
 * @throws ShapeError if alpha is a scalar, or its batch axes do not broadcast to the shape
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * const p = random.dirichlet(random.key(0), np.array([1, 2, 3]), [5]);
 * console.log(p.shape, np.allclose(np.sum(p, -1), np.ones([5])).item()); // => [ 5, 3 ] true
 * ```
 */
export function dirichlet<D extends FloatDType = 'float32'>(
  key: Key,
  alpha: Value,
  shape?: ShapeLike,
  options: DirichletOptions<D> = {},
): Value<NoInfer<D>> {
  const name = 'random.dirichlet';
  const float = floatIn(name, options);
  return located(() => {
    const a = parameter(name, 'the parameters', alpha, float);
    const n = a.shape.at(-1);
    if (n === undefined) {
      throw new ShapeError({
        op: name,
        problem: `the parameters are a vector, got ${showAval(a.aval)}`,
        remedy: 'give one for each probability',
      });
    }
    const whole = [...drawnShape(name, shape, [makeAval(a.shape.slice(0, -1), float)]), n];
    const y = drawn(name, key, a, whole, true);
    if (y.size === 0) return y;
    const last = [whole.length - 1];
    const p = exp(sub(y, unreduce(reduceMax(y, last), whole, last)));
    return div(p, unreduce(reduceSum(p, last), whole, last));
  }) as Value<D>;
}

/** Options of {@link t}. */
export interface StudentOptions<D extends FloatDType = 'float32'> {
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Student's t numbers of `df` degrees of freedom: z √(df/2 / G) for normal z and gamma numbers G of df/2.
 *
 * @param df - a number, or a float tensor; positive
 * @param shape - of the result; that of `df` by default
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.t(random.key(0), 5, [2, 3]).shape); // => [ 2, 3 ]
 * ```
 */
export function t<D extends FloatDType = 'float32'>(
  key: Key,
  df: number | Value,
  shape?: ShapeLike,
  options: StudentOptions<D> = {},
): Value<NoInfer<D>> {
  const name = 'random.t';
  const float = floatIn(name, options);
  return located(() => {
    const half = times(parameter(name, 'the degrees of freedom', df, float), 0.5);
    const lengths = drawnShape(name, shape, [half.aval]);
    const [forNormal, forGamma] = split(key);
    const z = normalOf(name, forNormal, lengths, float);
    return mul(z, sqrt(div(stretchTo(name, half, lengths), drawn(name, forGamma, half, lengths, false))));
  }) as Value<D>;
}
