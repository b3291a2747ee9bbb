/** Layers that normalize: the functions of `nn.functional` with their parameters, and batch norm folded away. */

import { showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { ShapeError, TreeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import * as functional from './functional/norm.ts';
import * as within from './functional/norm-groups.ts';
import { ones, zeros } from './initializers.ts';
import type { Layer } from './layer.ts';
import { expectEpsilon, expectFlag, expectList, expectParams, expectSizes } from './params.ts';

/** Scale and bias behind a normalization, each of the features; what is left out is 1, and 0. */
export interface ScaleParams<D extends FloatDType = 'float32'> {
  readonly scale?: Value<D>;
  readonly bias?: Value<D>;
}

/** Which parameters there are. */
export interface ScaleInitOptions {
  /** Default true. */
  readonly scale?: boolean;
  /** Default true. */
  readonly bias?: boolean;
}

/** Running statistics of {@link batchNorm}: each float[channels]. */
export interface BatchNormState<D extends FloatDType = 'float32'> {
  readonly mean: Value<D>;
  readonly variance: Value<D>;
}

type Both<D extends FloatDType = 'float32'> = Required<ScaleParams<D>>;

const parts = { scale: ['scale', null, 'optional'], bias: ['bias', null, 'optional'] } as const;

/** @throws TreeError or ShapeError: as all parts may be left out, one of another name would be so in silence */
function expectScales(op: string, params: unknown): void {
  const remedy = `make parameters with ${op}.init(features): { scale?, bias? }`;
  const there = typeof params === 'object' && params !== null && !(params instanceof Value);
  const other = there ? Object.keys(params).find((name) => !(name in parts)) : undefined;
  if (!there) throw new TreeError({ op, problem: `params are ${describe(params)}, not { scale?, bias? }`, remedy });
  if (other !== undefined) throw new TreeError({ op, problem: `there is no parameter '${other}'`, remedy });
  expectParams(op, params, parts, remedy);
}

/** Initializers of a scale of 1 and a bias of 0. */
function initOf(name: string) {
  function init(features: number | readonly number[]): Both;
  function init(features: number | readonly number[], options?: ScaleInitOptions): ScaleParams;
  function init(features: number | readonly number[], options: ScaleInitOptions = {}): ScaleParams {
    const op = `${name}.init`;
    expectOptions(op, options, 'scale', 'bias');
    const shape = typeof features === 'number' ? [features] : features;
    expectList(op, 'the shape of features', shape, '[28, 28]');
    expectSizes(op, Object.fromEntries(shape.map((n, i) => [`features[${i}]`, n])));
    const { scale = true, bias = true } = options;
    expectFlag(op, 'scale', scale);
    expectFlag(op, 'bias', bias);
    const none = undefined as never;
    return { ...(scale ? { scale: ones(none, shape) } : {}), ...(bias ? { bias: zeros(none, shape) } : {}) };
  }
  return init;
}

/** Options of {@link layerNorm} and {@link rmsNorm}. */
export interface NormOptions {
  /** Added to the variance or the mean square; default 1e-5, of rmsNorm 1e-6. */
  readonly epsilon?: number;
  /** The axes of the features; the last by default. */
  readonly axis?: number | readonly number[];
}

/** A layer `params => x => y` with its initializer and itself without parameters. */
function normLayer<O extends object>(
  name: string,
  names: readonly string[],
  compute: (x: Value, options: O & ScaleParams<FloatDType>) => Value,
) {
  const apply = <D extends FloatDType>(params: ScaleParams<D>, options: O = {} as O) => {
    expectOptions(name, options, ...names);
    expectScales(name, params);
    const { scale, bias } = params;
    const parts = { ...(scale === undefined ? {} : { scale }), ...(bias === undefined ? {} : { bias }) };
    return (x: Value<D>): Value<D> => compute(x, { ...options, ...parts }) as Value<D>;
  };
  const init = initOf(name);
  const layer = (
    features: number | readonly number[],
    options: O = {} as O,
  ): Layer<Both, Value<'float32'>, Value<'float32'>> => ({
    init: () => init(features),
    apply: (params) => apply(params, options),
    name: `${name.slice('nn.'.length)} ${features}`,
  });
  return Object.assign(apply, { init, layer });
}

/**
 * Layer norm: (x − mean)/√(variance + epsilon) over the features of each row, then scale and bias. Shapes stay.
 *
 * `layerNorm.init(features, { scale, bias })` makes a scale of 1 and a bias of 0, or only one of them. See
 * {@link functional.layerNorm}.
 *
 * @throws ShapeError for parameters that do not fit, TreeError for such as are no tensors
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.layerNorm(nn.layerNorm.init(2))(np.array([[1, 3]])).toArray()); // => [ [ -0.99999…, 0.99999… ] ]
 * ```
 */
export const layerNorm = normLayer<NormOptions>('nn.layerNorm', ['epsilon', 'axis'], (x, how) =>
  functional.layerNorm(x, how),
);

/**
 * x/√(mean of x² + epsilon) over the features of each row, then scale and bias. See {@link functional.rmsNorm}; `rmsNorm.init(size, {
 * bias: false })` has a scale only, as is usual.
 *
 * @throws as {@link layerNorm}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const params = nn.rmsNorm.init(2, { bias: false });
 * console.log(nn.rmsNorm(params)(np.array([3, 4])).toArray()); // => [ 0.84852…, 1.13137… ]
 * ```
 */
export const rmsNorm = normLayer<NormOptions>('nn.rmsNorm', ['epsilon', 'axis'], (x, how) => within.rmsNorm(x, how));

/**
 * Normalization over the spatial axes and the channels of each of `groups` groups: float[batch, ...spatial, channels] → the same. See
 * {@link functional.groupNorm}.
 *
 * @throws as {@link layerNorm}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.groupNorm(nn.groupNorm.init(6), { groups: 3 })(np.ones([2, 4, 4, 6])).shape); // => [ 2, 4, 4, 6 ]
 * ```
 */
export const groupNorm = normLayer<{ readonly groups: number; readonly epsilon?: number }>(
  'nn.groupNorm',
  ['groups', 'epsilon'],
  (x, { groups, ...how }) => within.groupNorm(x, groups, how),
);

/**
 * Normalization over the spatial axes, each channel by itself: float[batch, ...spatial, channels] → the same. See
 * {@link functional.instanceNorm}. PyTorch's has no scale and bias by default: give `{}` as parameters.
 *
 * @throws as {@link layerNorm}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.instanceNorm({})(np.array([[[1], [3]]])).toArray()); // => [ [ [ -0.99999… ], [ 0.99999… ] ] ]
 * ```
 */
export const instanceNorm = normLayer<{ readonly epsilon?: number }>('nn.instanceNorm', ['epsilon'], (x, how) =>
  within.instanceNorm(x, how),
);

/** Options of {@link batchNorm}. */
export interface BatchNormLayerOptions {
  /** Normalize by the batch itself, and let the statistics follow it; default false. */
  readonly training?: boolean;
  /** How much of the statistics comes from this batch; default 0.1, as in PyTorch. */
  readonly momentum?: number;
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
  /** The axis of the channels; the last by default. */
  readonly axis?: number;
}

const applyBatchNorm = <D extends FloatDType>(params: ScaleParams<D>, options: BatchNormLayerOptions = {}) => {
  const op = 'nn.batchNorm';
  expectOptions(op, options, 'training', 'momentum', 'epsilon', 'axis');
  expectScales(op, params);
  const { scale, bias } = params;
  const how = { ...options, ...(scale === undefined ? {} : { scale }), ...(bias === undefined ? {} : { bias }) };
  return (x: Value<D>, state: BatchNormState<D>): readonly [Value<D>, BatchNormState<D>] =>
    functional.batchNorm(x, state, how) as unknown as readonly [Value<D>, BatchNormState<D>];
};

/**
 * Batch norm: `(x, state) => [y, next]`; the running statistics go in and come out, nothing is changed in place.
 *
 * With `{ training: true }` x is normalized by mean and variance of the batch, and the statistics follow them (the variance unbiased, as
 * PyTorch has it); otherwise by the statistics, which are returned as they are. `batchNorm.init(channels)` makes scale and bias,
 * `batchNorm.state(channels)` the statistics at the beginning. See {@link functional.batchNorm}; {@link foldBatchNorm} for inference.
 *
 * @throws ShapeError for parameters and statistics that are not [channels], and in training for a batch of one value a channel
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const [params, start] = [nn.batchNorm.init(1), nn.batchNorm.state(1)];
 * const [y, state] = nn.batchNorm(params, { training: true })(np.array([[1], [3]]), start);
 * console.log(y.toArray(), state.mean.toArray()); // => [ [ -0.99999… ], [ 0.99999… ] ] [ 0.20000… ]
 * console.log(nn.batchNorm(params)(np.array([[0.2]]), state)[0].toArray()); // => [ [ 0 ] ]
 * ```
 */
export const batchNorm = Object.assign(applyBatchNorm, {
  init: initOf('nn.batchNorm'),
  state: (channels: number): BatchNormState => {
    expectSizes('nn.batchNorm.state', { channels });
    return { mean: zeros(undefined as never, [channels]), variance: ones(undefined as never, [channels]) };
  },
});

/**
 * The dense or convolutional layer that is `layer` followed by batch norm with these statistics, which is affine: in inference it costs
 * nothing (course notes, §3 on batch normalization). `{ w: float[..., out], b?: float[out] }` → `{ w, b }` of the same shapes:
 * w·s and (b − mean)·s + bias, with s = scale/√(variance + epsilon).
 *
 * Taps of {@link convTranspose}, whose channels lie otherwise, are not meant.
 *
 * @throws ShapeError unless scale, bias and statistics are float[out]
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const [layer, norm] = [nn.dense.init(random.key(0), 3, 4), nn.batchNorm.init(4)];
 * const state = { mean: np.ones([4]), variance: np.full([4], 4) };
 * const x = np.ones([2, 3]);
 * const [y] = nn.batchNorm(norm)(nn.dense(layer)(x), state);
 * console.log(np.allclose(nn.dense(nn.foldBatchNorm(layer, norm, state))(x), y, { atol: 1e-6 }).item()); // => true
 * ```
 */
export function foldBatchNorm<D extends FloatDType>(
  layer: { readonly w: Value<D>; readonly b?: Value<D> },
  params: ScaleParams<D>,
  state: BatchNormState<D>,
  options: { readonly epsilon?: number } = {},
): { readonly w: Value<D>; readonly b: Value<D> } {
  const op = 'nn.foldBatchNorm';
  expectOptions(op, options, 'epsilon');
  expectParams(op, layer, { w: ['weights', null], b: ['bias', 1, 'optional'] }, 'give { w, b? } of a layer');
  const { epsilon = 1e-5 } = options;
  expectEpsilon(op, epsilon);
  expectScales(op, params);
  expectParams(
    op,
    state,
    { mean: ['mean', null], variance: ['variance', null] },
    'give the statistics that batchNorm has returned: { mean, variance }',
  );
  const { mean, variance } = state;
  const { scale = np.onesLike(mean) as Value<D>, bias = np.zerosLike(mean) as Value<D> } = params;
  const out = layer.w.shape.at(-1);
  for (const [what, x] of Object.entries({ mean, variance, scale, bias, b: layer.b ?? mean })) {
    if (x.ndim === 1 && x.shape[0] === out) continue;
    throw new ShapeError({
      op,
      problem: `${what} ${showAval(x.aval)} does not fit weights ${showAval(layer.w.aval)}`,
      remedy: `give one number for each of ${out} outputs`,
    });
  }
  const factor = np.div(scale, np.sqrt(np.add(variance, epsilon)));
  const centered = layer.b === undefined ? np.negative(mean) : np.sub(layer.b, mean);
  return {
    w: np.mul(layer.w, factor) as Value<D>,
    b: np.add(np.mul(centered, factor), bias) as Value<D>,
  };
}
