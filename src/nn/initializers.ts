/**
 * Initializers: how the parameters of a layer are drawn, `(key, shape) => tensor`. Kernels are [...window, in, out], as everywhere here.
 *
 * Most draw numbers of mean 0 whose variance is a factor over the fan: how many numbers an output sums (fan-in), or an input is part
 * of (fan-out).
 */

import type { FloatDType } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { type Shape, sizeOf } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { qr } from '../ops/lax-linalg.ts';
import { located } from '../ops/located.ts';
import * as np from '../ops/np.ts';
import { describe, dtypeIn, expectOptions } from '../ops/untyped.ts';
import { max, min, mul } from '../prim/arithmetic.ts';
import { fullLike } from '../prim/compose.ts';
import { erfInv } from '../prim/math.ts';
import { truncatedNormal as truncated } from '../random/inverse.ts';
import type { Key } from '../random/key.ts';
import { normalOf, uniformOf } from '../random/samplers.ts';

/** How a parameter is drawn. */
export type Initializer = (key: Key, shape: Shape) => Value<'float32'>;

/** erf(2/√2): what a standard normal number has of its probability within ±2. */
const withinTwo = 0.9544997361036416;

/** The standard deviation of a standard normal number that was cut at ±2. */
const deviationWithinTwo = 0.87962566103423978;

/** The number below 2. */
const belowTwo = { float32: 2 - 2 ** -23, float64: 2 - 2 ** -52 } as const;

/** Which fan a variance is divided by: in, out, or their mean. */
export type Fan = 'fanIn' | 'fanOut' | 'fanAvg';

/** Options of initializers that scale by a fan. */
export interface FanOptions<D extends FloatDType = 'float32'> {
  /** Multiplies the numbers: {@link gain} of the activation that follows. */
  readonly gain?: number;
  /** Default that of the paper. */
  readonly mode?: Fan;
  /** Default `float32`. */
  readonly dtype?: D;
}

/** Options of {@link varianceScaling}. */
export interface VarianceScalingOptions<D extends FloatDType = 'float32'> {
  /** The variance times the fan; default 1. */
  readonly scale?: number;
  /** Default `fanIn`. */
  readonly mode?: Fan;
  /** Default `truncatedNormal`, cut at two deviations and widened so that the variance is as said. */
  readonly distribution?: 'truncatedNormal' | 'normal' | 'uniform';
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * How many numbers an output of a kernel [...window, in, out] sums, and of how many an input is part (strides aside). A vector has
 * fan-in 1.
 *
 * @throws ShapeError for a shape without axes
 *
 * @example
 * ```ts
 * import { nn } from 'pullback';
 * console.log(nn.initializers.fans([5, 5, 6, 16])); // => { fanIn: 150, fanOut: 400 }
 * ```
 */
export function fans(shape: Shape): { readonly fanIn: number; readonly fanOut: number } {
  if (shape.length === 0) {
    throw new ShapeError({
      op: 'nn.initializers.fans',
      problem: 'a scalar has no fan',
      remedy: 'give [in, out] or [...window, in, out]',
    });
  }
  const window = sizeOf(shape.slice(0, -2));
  return { fanIn: window * (shape.at(-2) ?? 1), fanOut: window * shape.at(-1)! };
}

function scaled(op: string, key: Key, shape: Shape, options: VarianceScalingOptions<FloatDType>): Value {
  const { scale = 1, mode = 'fanIn', distribution = 'truncatedNormal', dtype = 'float32' } = options;
  if (!(typeof scale === 'number' && scale >= 0 && scale < Number.POSITIVE_INFINITY)) {
    throw new DTypeError({ op, problem: `the scale is ${describe(scale)}`, remedy: 'give a non-negative number' });
  }
  const { fanIn, fanOut } = fans(shape);
  const fan = { fanIn, fanOut, fanAvg: (fanIn + fanOut) / 2 }[mode];
  if (fan === undefined) {
    throw new DTypeError({
      op,
      problem: `there is no mode ${describe(mode)}`,
      remedy: "use 'fanIn', 'fanOut' or 'fanAvg'",
    });
  }
  const deviation = Math.sqrt(scale / Math.max(fan, 1));
  if (distribution === 'uniform') {
    const bound = Math.sqrt(3) * deviation;
    return uniformOf(op, key, shape, -bound, bound, dtype);
  }
  if (distribution === 'normal') {
    const z = normalOf(op, key, shape, dtype);
    return mul(z, fullLike(z, deviation));
  }
  if (distribution !== 'truncatedNormal') {
    throw new DTypeError({
      op,
      problem: `there is no distribution ${describe(distribution)}`,
      remedy: "use 'truncatedNormal', 'normal' or 'uniform'",
    });
  }
  const u = uniformOf(op, key, shape, -withinTwo, withinTwo, dtype);
  const normal = mul(fullLike(u, Math.SQRT2), erfInv(u));
  const cut = max(min(normal, fullLike(u, belowTwo[dtype])), fullLike(u, -belowTwo[dtype]));
  return mul(cut, fullLike(u, deviation / deviationWithinTwo));
}

/**
 * Numbers of mean 0 and variance scale/fan, as `jax.nn.initializers.variance_scaling`: the others are cases of it.
 *
 * @throws DTypeError for a scale, mode or distribution that is none
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const w = nn.initializers.varianceScaling(random.key(0), [100, 100], { scale: 3, distribution: 'uniform' });
 * console.log(np.max(np.abs(w)).item() < Math.sqrt(9 / 100)); // => true
 * ```
 */
export function varianceScaling<D extends FloatDType = 'float32'>(
  key: Key,
  shape: Shape,
  options: VarianceScalingOptions<D> = {},
): Value<D> {
  const op = 'nn.initializers.varianceScaling';
  dtypeIn(op, options, 'scale', 'mode', 'distribution');
  return located(() => scaled(op, key, shape, options)) as Value<D>;
}

const byFan =
  (name: string, variance: number, fan: Fan, distribution: 'truncatedNormal' | 'uniform') =>
  <D extends FloatDType = 'float32'>(key: Key, shape: Shape, options: FanOptions<D> = {}): Value<D> => {
    const op = `nn.${name}`;
    const dtype = dtypeIn(op, options, 'gain', 'mode') ?? ('float32' as D);
    const { gain: factor, mode = fan } = options;
    const how = { scale: factor === undefined ? variance : factor * factor, mode, distribution, dtype };
    return located(() => scaled(op, key, shape, how)) as Value<D>;
  };

/**
 * Normal numbers of mean 0 and variance 1/fan-in, none further out than 2/0.8796… deviations: outputs of a linear layer then
 * have the variance of its inputs.
 *
 * JAX's default for dense layers and convolutions (`jax.nn.initializers.lecun_normal`); Y. LeCun, L. Bottou, G. Orr,
 * K.-R. Müller, "Efficient BackProp" (1998), section 4.6.
 *
 * @example
 * ```ts
 * import { nn, random } from 'pullback';
 * console.log(nn.lecunNormal(random.key(0), [784, 256]).shape); // => [ 784, 256 ]
 * ```
 */
export const lecunNormal = byFan('lecunNormal', 1, 'fanIn', 'truncatedNormal');

/** {@link lecunNormal}, uniform within ±√(3/fan-in). */
export const lecunUniform = byFan('initializers.lecunUniform', 1, 'fanIn', 'uniform');

/**
 * Normal numbers of variance 2/(fan-in + fan-out), cut at two deviations as in JAX (not in PyTorch): activations and gradients keep
 * their size. X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
 */
export const glorotNormal = byFan('initializers.glorotNormal', 1, 'fanAvg', 'truncatedNormal');

/** {@link glorotNormal}, uniform within ±√(6/(fan-in + fan-out)). */
export const glorotUniform = byFan('initializers.glorotUniform', 1, 'fanAvg', 'uniform');

/** {@link glorotNormal}, by its author's first name. */
export const xavierNormal = glorotNormal;
/** {@link glorotUniform}, by its author's first name. */
export const xavierUniform = glorotUniform;

/**
 * Normal numbers of variance 2/fan-in, cut at two deviations as in JAX (not in PyTorch): what relu halves is doubled before.
 * K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers" (2015).
 */
export const heNormal = byFan('initializers.heNormal', 2, 'fanIn', 'truncatedNormal');

/** {@link heNormal}, uniform within ±√(6/fan-in). */
export const heUniform = byFan('initializers.heUniform', 2, 'fanIn', 'uniform');

/** {@link heNormal}, by its author's first name. */
export const kaimingNormal = heNormal;
/** {@link heUniform}, by its author's first name. */
export const kaimingUniform = heUniform;

const gains = { linear: 1, sigmoid: 1, tanh: 5 / 3, relu: Math.SQRT2, selu: 3 / 4 } as const;

/**
 * By what weights before an activation are multiplied, so that what behind it has the same size: PyTorch's `calculate_gain`.
 *
 * @param negativeSlope - of `leakyRelu`; default 0.01
 *
 * @example
 * ```ts
 * import { nn, random } from 'pullback';
 * const gain = nn.initializers.gain('tanh');
 * console.log(gain, nn.initializers.xavierUniform(random.key(0), [4, 3], { gain }).shape); // => 1.66666… [ 4, 3 ]
 * ```
 */
export const gain = (activation: keyof typeof gains | 'leakyRelu', negativeSlope = 0.01): number =>
  activation === 'leakyRelu' ? Math.sqrt(2 / (1 + negativeSlope * negativeSlope)) : gains[activation];

/** Options of {@link orthogonal}. */
export interface OrthogonalInitOptions<D extends FloatDType = 'float32'> {
  /** Multiplies the matrix; default 1. */
  readonly gain?: number;
  /** Default `float32`. */
  readonly dtype?: D;
}

/**
 * Kernels that are orthogonal as matrices of [...window·in, out]: their columns are orthonormal, or their rows where there are fewer.
 * Uniform over such (Q of a normal matrix, with signs for which the diagonal of R is positive), times `gain`.
 *
 * A. Saxe, J. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks" (2014).
 *
 * @throws ShapeError for a shape with fewer than two axes
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const w = nn.initializers.orthogonal(random.key(0), [5, 3]);
 * console.log(np.allclose(np.matmul(np.transpose(w), w), np.eye(3), { atol: 1e-5 }).item()); // => true
 * ```
 */
export function orthogonal<D extends FloatDType = 'float32'>(
  key: Key,
  shape: Shape,
  options: OrthogonalInitOptions<D> = {},
): Value<D> {
  const op = 'nn.initializers.orthogonal';
  const dtype = dtypeIn(op, options, 'gain') ?? 'float32';
  if (shape.length < 2) {
    throw new ShapeError({
      op,
      problem: `[${shape.join(',')}] is not the shape of a matrix`,
      remedy: 'give [in, out] or [...window, in, out]',
    });
  }
  const [rows, columns] = [sizeOf(shape.slice(0, -1)), shape.at(-1)!];
  const wide = rows < columns;
  return located(() => {
    const normal = normalOf(op, key, wide ? [columns, rows] : [rows, columns], dtype) as Value<'float32'>;
    const [q, r] = qr(normal, { fullMatrices: false });
    const signed = np.mul(q, np.where(np.less(np.diagonal(r), 0), -1, 1));
    return np.mul(np.reshape(wide ? np.transpose(signed) : signed, [...shape]), options.gain ?? 1);
  }) as Value as Value<D>;
}

/** Options of {@link truncatedNormal}. */
export interface TruncatedNormalInitOptions<D extends FloatDType = 'float32'> {
  /** Of the normal numbers before they are cut; default 1. */
  readonly deviation?: number;
  /** Where they are cut, in deviations; default [−2, 2]. */
  readonly bounds?: readonly [number, number];
  /** Default `float32`. */
  readonly dtype?: D;
}

/** Normal numbers of mean 0 that are cut at bounds, as `jax.nn.initializers.truncated_normal`: their deviation is less than said. */
export function truncatedNormal<D extends FloatDType = 'float32'>(
  key: Key,
  shape: Shape,
  options: TruncatedNormalInitOptions<D> = {},
): Value<D> {
  const op = 'nn.initializers.truncatedNormal';
  const dtype = dtypeIn(op, options, 'deviation', 'bounds') ?? ('float32' as D);
  const { deviation = 1, bounds = [-2, 2] } = options;
  return np.mul(truncated(key, bounds[0], bounds[1], shape, { dtype }), deviation) as Value<D>;
}

/** Normal numbers of mean 0; `deviation` is 1 by default. */
export function normal(key: Key, shape: Shape, options: { readonly deviation?: number } = {}): Value<'float32'> {
  expectOptions('nn.initializers.normal', options, 'deviation');
  return np.mul(normalOf('nn.initializers.normal', key, shape, 'float32'), options.deviation ?? 1) as Value<'float32'>;
}

/** An initializer that draws nothing: all parameters are `value`. */
export const constant =
  (value: number): Initializer =>
  (_key, shape) =>
    np.full([...shape], value, { dtype: 'float32' }) as Value<'float32'>;

/** All parameters are 0. */
export const zeros = constant(0);
/** All parameters are 1. */
export const ones = constant(1);
