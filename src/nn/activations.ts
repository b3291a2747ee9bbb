/**
 * Activations: functions of each element. Integers and `bool` become `float32` first.
 *
 * Each is written so that its derivative, which the rules of its parts make up, is right far from 0 as well: where two formulas
 * meet, `select` takes one, and the argument of the other is kept where it stays finite.
 */

import { showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { axisOf } from '../ops/axes.ts';
import { toFloat } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import type { ArrayLike, DTypeOf, Floated, Tensor } from '../ops/types.ts';
import { expectOptions } from '../ops/untyped.ts';
import { add, div, mul, neg } from '../prim/arithmetic.ts';
import { ge, gt, le, lt, select } from '../prim/compare.ts';
import { fullLike, zeros } from '../prim/compose.ts';
import * as math from '../prim/math.ts';
import { sliceAxis } from '../prim/structural.ts';

const activation =
  (op: string, apply: (x: Value) => Value) =>
  <A extends ArrayLike>(x: A): Tensor<Floated<DTypeOf<A>>> =>
    apply(toFloat(op, x)) as Tensor<Floated<DTypeOf<A>>>;

/**
 * max(x, 0), elementwise. Its derivative at 0 is 0; NaN stays NaN.
 *
 * @example
 * ```ts
 * import { grad, nn, np, type Tensor } from 'pullback';
 * console.log(nn.relu(np.array([-2, 0, 3])).toArray()); // => [ 0, 0, 3 ]
 * console.log(grad((x: Tensor) => np.sum(nn.relu(x)))(np.array([-2, 0, 3])).toArray()); // => [ 0, 0, 1 ]
 * ```
 */
export const relu = activation('nn.relu', (x) => {
  const zero = zeros(x.aval);
  return select(le(x, zero), zero, x);
});

/** min(max(x, 0), 6), elementwise. Its derivative at 0 and at 6 is 0. */
export const relu6 = activation('nn.relu6', (x) => {
  const six = fullLike(x, 6);
  return select(ge(x, six), six, relu(x));
});

/** x where it is at least 0, else `negativeSlope`·x, elementwise. Its derivative at 0 is 1. */
export function leakyRelu<A extends ArrayLike>(x: A, negativeSlope = 0.01): Tensor<Floated<DTypeOf<A>>> {
  const value = toFloat('nn.leakyRelu', x);
  return select(ge(value, zeros(value.aval)), value, mul(value, fullLike(value, negativeSlope))) as Tensor<
    Floated<DTypeOf<A>>
  >;
}

/** x above 0, else factor·(exp(x/scale) − 1): what elu and its relatives have in common. */
function exponentialBelow(x: Value, factor: number, scale: number): Value {
  const zero = zeros(x.aval);
  const positive = gt(x, zero);
  const below = math.expm1(div(select(positive, zero, x), fullLike(x, scale)));
  return select(positive, x, mul(below, fullLike(x, factor)));
}

/**
 * x above 0, else alpha·(eˣ − 1), elementwise; the exponential linear unit. Its derivative at 0 is alpha.
 *
 * D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning by exponential linear units" (2016).
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.elu(np.array([-1000, -1, 2])).toArray()); // => [ -1, -0.632120…, 2 ]
 * ```
 */
export function elu<A extends ArrayLike>(x: A, alpha = 1): Tensor<Floated<DTypeOf<A>>> {
  const value = toFloat('nn.elu', x);
  return exponentialBelow(value, alpha, 1) as Tensor<Floated<DTypeOf<A>>>;
}

/** x above 0, else alpha·(exp(x/alpha) − 1), elementwise: {@link elu} with a continuous derivative for every alpha. */
export function celu<A extends ArrayLike>(x: A, alpha = 1): Tensor<Floated<DTypeOf<A>>> {
  const value = toFloat('nn.celu', x);
  return exponentialBelow(value, alpha, alpha) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * λ·elu(x, α), elementwise, with the λ and α for which activations keep mean 0 and variance 1.
 *
 * G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, "Self-normalizing neural networks" (2017).
 */
export const selu = activation('nn.selu', (x) => {
  const alpha = 1.6732632423543772;
  const lambda = 1.0507009873554805;
  return mul(exponentialBelow(x, alpha, 1), fullLike(x, lambda));
});

/** The logistic function 1/(1 + e⁻ˣ), elementwise, in (0, 1). */
export const sigmoid = activation('nn.sigmoid', math.logistic);

/** The hyperbolic tangent, elementwise, in (−1, 1). */
export const tanh = activation('nn.tanh', math.tanh);

/**
 * log(1 + eˣ), elementwise: a smooth {@link relu}. Large x do not overflow, and small values keep their digits.
 *
 * It is x + log(1 + e⁻ˣ) above 0; both forms are the function itself, so that every derivative is right, at 0 too.
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.softplus(np.array([-1000, 0, 1000])).toArray()); // => [ 0, 0.693147…, 1000 ]
 * ```
 */
export const softplus = activation('nn.softplus', (x) => {
  const zero = zeros(x.aval);
  const positive = gt(x, zero);
  const beyond = math.log1p(math.exp(select(positive, neg(x), x)));
  return add(select(positive, x, zero), beyond);
});

/**
 * (x + √(x² + b))/2, elementwise: a {@link relu} that is smooth without exponentials, nearer to it the smaller `b` is.
 *
 * Below 0 it is computed as ½b/(√(x² + b) − x), where nothing cancels; with b = 0, whose root has no derivative at 0, it is relu
 * itself. J. T. Barron, "Squareplus: a softplus-like algebraic
 * rectifier" (2021).
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.squareplus(np.array([-1000, 0, 1000])).toArray()); // => [ 0.00099999…, 1, 1000.00097… ]
 * ```
 */
export function squareplus<A extends ArrayLike>(x: A, b = 4): Tensor<Floated<DTypeOf<A>>> {
  const value = toFloat('nn.squareplus', x);
  if (b === 0) return relu(value) as Tensor<Floated<DTypeOf<A>>>;
  const positive = ge(value, zeros(value.aval));
  const sum = add(select(positive, value, neg(value)), math.sqrt(add(mul(value, value), fullLike(value, b))));
  const [above, below] = [div(sum, fullLike(value, 2)), div(fullLike(value, b / 2), sum)];
  return select(positive, above, below) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * 0 up to −1, x from 1 on, (x + 1)²/4 between, elementwise: {@link softplus} with exact ends. Its derivative is
 * {@link sparseSigmoid}.
 *
 * M. Blondel, A. F. T. Martins, V. Niculae, "Learning with Fenchel–Young losses" (2019).
 */
export const sparsePlus = activation('nn.sparsePlus', (x) => {
  const one = fullLike(x, 1);
  const lifted = add(x, one);
  const between = mul(mul(lifted, lifted), fullLike(x, 0.25));
  return select(le(x, neg(one)), zeros(x.aval), select(ge(x, one), x, between));
});

/** (x + 1)/2 between −1 and 1, 0 below, 1 above, elementwise. */
export const sparseSigmoid = activation('nn.sparseSigmoid', (x) => np.mul(0.5, np.clip(np.add(x, 1), 0, 2)) as Value);

/** x itself, elementwise: for tables of activations. */
export const identity = activation('nn.identity', (x) => x);

/** log σ(x) = −softplus(−x), elementwise. */
export const logSigmoid = activation('nn.logSigmoid', (x) => neg(softplus(neg(x))));

/**
 * x/(1 + |x|), elementwise, in (−1, 1).
 *
 * Above 1 it is computed as 1 − 1/(1 + |x|) with the sign of x, whose derivative is a square instead of a difference.
 */
export const softSign = activation('nn.softSign', (x) => {
  const one = fullLike(x, 1);
  const magnitude = np.abs(x);
  const inverse = div(one, add(magnitude, one));
  const far = mul(np.sign(x), np.sub(one, inverse));
  return select(gt(magnitude, one), far, mul(x, inverse));
});

/**
 * x·σ(x), elementwise; also called swish.
 *
 * S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units for neural network function approximation" (2017).
 */
export const silu = activation('nn.silu', (x) => mul(x, math.logistic(x)));

/** {@link silu}, under its other name. */
export const swish = silu;

/** x·tanh(softplus(x)), elementwise. D. Misra, "Mish: a self regularized non-monotonic activation function" (2019). */
export const mish = activation('nn.mish', (x) => mul(x, math.tanh(softplus(x))));

/** Options of {@link gelu}. */
export interface GeluOptions {
  /** The tanh form, as JAX's default; `false` computes x·Φ(x) itself. */
  readonly approximate?: boolean;
}

/**
 * The Gaussian error linear unit x·Φ(x), elementwise, with Φ the distribution function of the normal distribution.
 *
 * By default in its tanh form ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))), as in JAX; it differs by at most 5·10⁻⁴.
 * D. Hendrycks, K. Gimpel, "Gaussian error linear units" (2016).
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.gelu(np.array(1), { approximate: false }).item()); // => 0.841344…
 * ```
 */
export function gelu<A extends ArrayLike>(x: A, options?: GeluOptions): Tensor<Floated<DTypeOf<A>>> {
  const value = toFloat('nn.gelu', x);
  if (options !== undefined) expectOptions('nn.gelu', options, 'approximate');
  const half = np.mul(value, 0.5);
  if (options?.approximate === false) {
    return np.mul(half, math.erfc(np.mul(value, -Math.SQRT1_2))) as Tensor<Floated<DTypeOf<A>>>;
  }
  // Beyond ±10 the tanh is ±1, in every digit; its derivative must not be 0 times a power that has overflowed.
  const near = np.clip(value, -10, 10);
  const cubic = np.add(near, np.mul(np.mul(near, np.mul(near, near)), 0.044715));
  const smoothed = math.tanh(np.mul(cubic, Math.sqrt(2 / Math.PI)));
  return np.mul(half, np.add(smoothed, 1)) as Tensor<Floated<DTypeOf<A>>>;
}

/** x between −1 and 1, elementwise. Its derivative at ±1 is 1, as in JAX. */
export const hardTanh = activation('nn.hardTanh', (x) => {
  const [low, high] = [fullLike(x, -1), fullLike(x, 1)];
  return select(gt(x, high), high, select(lt(x, low), low, x));
});

/** relu6(x + 3)/6, elementwise: σ in three straight lines. */
export const hardSigmoid = activation('nn.hardSigmoid', (x) => div(relu6(add(x, fullLike(x, 3))), fullLike(x, 6)));

/** x·hardSigmoid(x), elementwise. */
export const hardSilu = activation('nn.hardSilu', (x) => mul(x, hardSigmoid(x)));

/** {@link hardSilu}, under its other name. */
export const hardSwish = hardSilu;

/**
 * The first half of `x` along `axis`, times σ of the second half: a gated linear unit.
 *
 * Y. Dauphin et al., "Language modeling with gated convolutional networks" (2017).
 *
 * @throws ShapeError if the length of the axis is odd, or there is no such axis
 */
export function glu<A extends ArrayLike>(x: A, axis = -1): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.glu';
  const operand = toFloat(op, x);
  const at = axisOf(op, axis, operand.aval);
  const length = operand.shape[at]!;
  if (length % 2 !== 0) {
    throw new ShapeError({
      op,
      problem: `axis ${at} of ${showAval(operand.aval)} does not divide into a half and its gates`,
      remedy: 'use an axis of even length',
    });
  }
  const [value, gate] = [sliceAxis(operand, at, 0, length / 2), sliceAxis(operand, at, length / 2, length)];
  return mul(value, math.logistic(gate)) as Tensor<Floated<DTypeOf<A>>>;
}
