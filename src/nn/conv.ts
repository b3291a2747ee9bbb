/** Convolutional layers over sequences, images and volumes: `nn.functional.conv` and its transpose, with their parameters. */

import { makeAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { range } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import type { Padding } from '../ops/padding.ts';
import { expectOptions } from '../ops/untyped.ts';
import { zeros } from '../prim/compose.ts';
import { type Key, split } from '../random/key.ts';
import * as functional from './functional/conv.ts';
import { type Initializer, lecunNormal } from './initializers.ts';
import type { Layer } from './layer.ts';
import { expectList, expectParams, expectSizes } from './params.ts';

/** Parameters of a convolution. */
export interface ConvParams<D extends FloatDType = 'float32'> {
  /** Taps, float[...window, in/groups, out]; of a transposed convolution float[...window, out/groups, in]. */
  readonly w: Value<D>;
  /** float[out]: one number a channel; left out, none is added. */
  readonly b?: Value<D>;
}

/** Options of {@link conv}: a number is meant for each spatial axis. */
export interface ConvLayerOptions {
  /** From one window to the next; default 1. */
  readonly strides?: number | readonly number[];
  /** `'VALID'` (default), `'SAME'`, numbers that are put on both sides, or pairs. */
  readonly padding?: Padding | number | readonly number[];
  /** From one tap to the next; default 1. */
  readonly dilation?: number | readonly number[];
  /** In how many groups the features are divided, which do not meet; default 1. */
  readonly groups?: number;
}

/** Options of {@link convTranspose}. */
export interface ConvTransposeLayerOptions extends ConvLayerOptions {
  /** How much longer results are than need be, as in PyTorch; default 0. */
  readonly outputPadding?: number | readonly number[];
}

/** How parameters of convolutions are drawn. */
export interface ConvInitOptions {
  /** Default 1. */
  readonly groups?: number;
  /** Is there a bias? Default true. */
  readonly bias?: boolean;
  /** Of the taps; by default variance 1/fan-in. */
  readonly w?: Initializer;
  /** Of the bias; default 0. */
  readonly b?: Initializer;
}

const names = ['strides', 'padding', 'dilation', 'groups'] as const;
const inits = ['bias', 'w', 'b'] as const;

const each = (spatial: number, n: number | readonly number[]): readonly number[] =>
  typeof n === 'number' ? range(spatial).map(() => n) : n;

/** Options of the function on tensors, with a number for each spatial axis. */
export function spread(
  spatial: number,
  { strides = 1, padding = 'VALID', dilation = 1, groups = 1 }: ConvLayerOptions,
): { strides: readonly number[]; padding: Padding; dilation: readonly number[]; groups: number } {
  const sides = typeof padding === 'number' ? each(spatial, padding) : padding;
  const numbers = typeof sides !== 'string' && sides.every((n) => typeof n === 'number');
  return {
    strides: each(spatial, strides),
    padding: numbers ? (sides as readonly number[]).map((n) => [n, n] as const) : (sides as Padding),
    dilation: each(spatial, dilation),
    groups,
  };
}

const biasOf = <D extends FloatDType>({ b }: ConvParams<D>) => (b === undefined ? {} : { bias: b });

const remedy = (op: string): string =>
  `make parameters with ${op}.init(key, window, inSize, outSize): taps w with a window of one to three axes, and b: float[out]`;

const parts = { w: ['taps', null], b: ['bias', 1, 'optional'] } as const;

const apply = <D extends FloatDType>(params: ConvParams<D>, options: ConvLayerOptions = {}) => {
  const op = 'nn.conv';
  expectOptions(op, options, ...names);
  expectParams(op, params, parts, remedy(op), ({ w, b }) => {
    return w!.ndim >= 3 && (b === undefined || b.shape[0] === w!.shape.at(-1));
  });
  const how = { ...spread(params.w.ndim - 2, options), ...biasOf(params) };
  return (x: Value<D>): Value<D> => functional.conv(x, params.w, how) as Value<D>;
};

/** Taps of this shape, and a bias. */
function drawn(
  key: Key,
  shape: readonly number[],
  outSize: number,
  { bias = true, w = lecunNormal, b }: ConvInitOptions,
): ConvParams {
  const [forTaps, forBias] = b === undefined ? [key, key] : split(key);
  const taps = w(forTaps, shape);
  if (!bias) return { w: taps };
  const none = (): Value<'float32'> => zeros(makeAval([outSize], 'float32')) as Value<'float32'>;
  return { w: taps, b: b === undefined ? none() : b(forBias, [outSize]) };
}

/** @throws ShapeError unless these are sizes, and the groups divide both numbers of channels */
function expectChannels(op: string, window: readonly number[], inSize: number, outSize: number, groups: number): void {
  expectList(op, 'the window', window, '[3, 3]');
  expectSizes(op, { ...Object.fromEntries(window.map((n, i) => [`window[${i}]`, n])), inSize, outSize, groups });
  expectSizes(op, { 'inSize/groups': inSize / groups, 'outSize/groups': outSize / groups });
}

function init(
  key: Key,
  window: readonly number[],
  inSize: number,
  outSize: number,
  options?: ConvInitOptions & { readonly bias?: true },
): Required<ConvParams>;
function init(
  key: Key,
  window: readonly number[],
  inSize: number,
  outSize: number,
  options?: ConvInitOptions,
): ConvParams;
function init(
  key: Key,
  window: readonly number[],
  inSize: number,
  outSize: number,
  options: ConvInitOptions = {},
): ConvParams {
  const op = 'nn.conv.init';
  expectOptions(op, options, 'groups', ...inits);
  const { groups = 1 } = options;
  expectChannels(op, window, inSize, outSize, groups);
  return drawn(key, [...window, inSize / groups, outSize], outSize, options);
}

/** Options of the function and of its parameters, apart. */
function apart<O extends ConvLayerOptions>(options: O & ConvInitOptions): readonly [O, ConvInitOptions] {
  const entries = Object.entries(options);
  const isInit = (name: string): boolean => (inits as readonly string[]).includes(name);
  const own = Object.fromEntries(entries.filter(([name]) => !isInit(name))) as O;
  return [own, Object.fromEntries(entries.filter(([name]) => name === 'groups' || isInit(name))) as ConvInitOptions];
}

const layer = (
  window: readonly number[],
  inSize: number,
  outSize: number,
  options: ConvLayerOptions & ConvInitOptions = {},
): Layer<ConvParams, Value<'float32'>, Value<'float32'>> => {
  const [how, draw] = apart<ConvLayerOptions>(options);
  return {
    init: (key) => init(key, window, inSize, outSize, draw),
    apply: (params) => apply(params, how),
    name: `conv ${String(window).replaceAll(',', '×')} ${inSize}→${outSize}`,
  };
};

/**
 * Convolution with taps that are not flipped: float[..., height, width, in] → float[..., height', width', out], and so for sequences
 * and volumes; the window says how many axes.
 *
 * The bias is one number a channel, as in the field; the course notes have one for each element of the output, for which the layer
 * has none (`{ bias: false }`) and a tensor is added. Channels are last; PyTorch's weight [out, in/groups, rows, columns] is
 * `np.transpose(weight, [2, 3, 1, 0])` here.
 *
 * `conv.init(key, window, inSize, outSize)` draws taps of variance 1/fan-in and a bias of 0; `conv.layer(window, inSize, outSize,
 * options)` is the layer without parameters.
 *
 * @throws ShapeError for inputs, options or parameters that do not fit, TreeError for parameters that are not `{ w, b? }`
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.conv.init(random.key(0), [5, 5], 3, 8);
 * console.log(nn.conv(params, { strides: 2, padding: 'SAME' })(np.ones([4, 28, 28, 3])).shape); // => [ 4, 14, 14, 8 ]
 * const depthwise = nn.conv.layer([3], 6, 6, { groups: 6, padding: 1 });
 * console.log(depthwise.apply(depthwise.init(random.key(0)))(np.ones([2, 10, 6])).shape); // => [ 2, 10, 6 ]
 * ```
 */
export const conv = Object.assign(apply, { init, layer });

const applyTranspose = <D extends FloatDType>(params: ConvParams<D>, options: ConvTransposeLayerOptions = {}) => {
  const op = 'nn.convTranspose';
  expectOptions(op, options, ...names, 'outputPadding');
  const { groups = 1, outputPadding = 0 } = options;
  expectParams(op, params, parts, remedy(op), ({ w, b }) => {
    return w!.ndim >= 3 && (b === undefined || b.shape[0] === w!.shape.at(-2)! * groups);
  });
  const spatial = params.w.ndim - 2;
  const how = { ...spread(spatial, options), outputPadding: each(spatial, outputPadding), ...biasOf(params) };
  return (x: Value<D>): Value<D> => functional.convTranspose(x, params.w, how) as Value<D>;
};

const initTranspose = (
  key: Key,
  window: readonly number[],
  inSize: number,
  outSize: number,
  options: ConvInitOptions = {},
): ConvParams => {
  const op = 'nn.convTranspose.init';
  expectOptions(op, options, 'groups', ...inits);
  const { groups = 1 } = options;
  expectChannels(op, window, inSize, outSize, groups);
  // Initializers see the taps of a convolution, [...window, in/groups, out], so that their fans are right; here the inputs are last.
  const params = drawn(key, [...window, inSize / groups, outSize], outSize, options);
  const axes = window.map((_, i) => i);
  const [spatial, parts] = [window.length, [...window, inSize / groups, groups, outSize / groups]];
  const turned = np.transpose(np.reshape(params.w, parts), [...axes, spatial + 2, spatial + 1, spatial]);
  return { ...params, w: np.reshape(turned, [...window, outSize / groups, inSize]) as Value<'float32'> };
};

const layerTranspose = (
  window: readonly number[],
  inSize: number,
  outSize: number,
  options: ConvTransposeLayerOptions & ConvInitOptions = {},
): Layer<ConvParams, Value<'float32'>, Value<'float32'>> => {
  const [how, draw] = apart<ConvTransposeLayerOptions>(options);
  return {
    init: (key) => initTranspose(key, window, inSize, outSize, draw),
    apply: (params) => applyTranspose(params, how),
    name: `convTranspose ${String(window).replaceAll(',', '×')} ${inSize}→${outSize}`,
  };
};

/**
 * Transposed convolution: float[..., height, width, in] → float[..., height', width', out], where a length n becomes
 * (n − 1)·stride − low − high + extent of the window + outputPadding, as in PyTorch; with padding `'SAME'` n·stride, as in JAX.
 *
 * JAX's `conv_transpose` pads what is spread out by strides, PyTorch (and this) takes padding away from the result: there `'VALID'` and
 * `'SAME'` give the same lengths except for windows smaller than the stride. PyTorch's weight [in, out/groups, rows, columns]
 * is `np.transpose(weight, [2, 3, 1, 0])` here.
 *
 * @throws ShapeError for inputs, options or parameters that do not fit, TreeError for parameters that are not `{ w, b? }`
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.convTranspose.init(random.key(0), [3, 3], 8, 4);
 * const up = nn.convTranspose(params, { strides: 2, padding: 1, outputPadding: 1 });
 * console.log(up(np.ones([2, 7, 7, 8])).shape); // => [ 2, 14, 14, 4 ]
 * ```
 */
export const convTranspose = Object.assign(applyTranspose, { init: initTranspose, layer: layerTranspose });
