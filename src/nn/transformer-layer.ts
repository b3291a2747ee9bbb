/**
 * The transformer's layer: attention, attention to a memory if there is one, and a perceptron for each position, each with a
 * residual connection and a layer norm, behind it (as published) or before it.
 */

import { showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { DTypeError, ShapeError, TreeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import { expectTensor } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { filled } from '../prim/compose.ts';
import { type Key, split } from '../random/key.ts';
import { gelu, relu, silu } from './activations.ts';
import {
  attend,
  attendCached,
  expectMultiHead,
  type KvCache,
  type Memory,
  type MultiHeadOptions,
  type MultiHeadParams,
  memoryOf,
  multiHeadAttention,
} from './attention.ts';
import { type DenseParams, dense } from './dense.ts';
import { dropped, expectRate } from './dropout.ts';
import type { Layer } from './layer.ts';
import { layerNorm } from './norms.ts';

/** Scale and bias of a layer norm: float[size]. */
export interface TransformerNormParams<D extends FloatDType = 'float32'> {
  readonly scale: Value<D>;
  readonly bias: Value<D>;
}

/** The perceptron of each position. */
export interface FeedForwardParams<D extends FloatDType = 'float32'> {
  /** float[size, hidden]. */
  readonly hidden: DenseParams<D>;
  /** float[hidden, size]. */
  readonly out: DenseParams<D>;
}

/** Parameters of {@link transformerEncoderLayer}. */
export interface EncoderLayerParams<D extends FloatDType = 'float32'> {
  readonly attention: MultiHeadParams<D>;
  readonly attentionNorm: TransformerNormParams<D>;
  readonly feedForward: FeedForwardParams<D>;
  readonly feedForwardNorm: TransformerNormParams<D>;
}

/** Parameters of {@link transformerDecoderLayer}. */
export interface DecoderLayerParams<D extends FloatDType = 'float32'> extends EncoderLayerParams<D> {
  /** Attention to the memory. */
  readonly cross: MultiHeadParams<D>;
  readonly crossNorm: TransformerNormParams<D>;
}

/** Parameters of a layer of either kind. */
export type AnyLayerParams = EncoderLayerParams<FloatDType> & Partial<DecoderLayerParams<FloatDType>>;

const activations = {
  relu: (x: Value): Value => relu(x),
  gelu: (x: Value): Value => gelu(x, { approximate: false }),
  geluTanh: (x: Value): Value => gelu(x),
  silu: (x: Value): Value => silu(x),
} as const;

/** An activation by its name; `gelu` is x·Φ(x) itself, `geluTanh` its tanh form. */
export type TransformerActivation = keyof typeof activations;

/** Options of transformer layers. */
export interface TransformerLayerOptions {
  /** Norms behind the residual connections (`post`, default, as published) or before what they bridge (`pre`). */
  readonly norm?: 'post' | 'pre';
  /** Of the perceptron; default `relu`. */
  readonly activation?: TransformerActivation;
  /** Position t sees 0 to t only. Default false in encoders, true in decoders. */
  readonly isCausal?: boolean;
  /** Positions by rotation of queries and keys, as in {@link multiHeadAttention}; default false. */
  readonly rotary?: MultiHeadOptions['rotary'];
  /** The probability of what is dropped where PyTorch does (weights, both sides of residuals), with a key; default 0. */
  readonly dropout?: number;
  /** Added to the variances of the norms; default 1e-5. */
  readonly epsilon?: number;
}

/** The names of those options. */
export const layerOptions = ['norm', 'activation', 'isCausal', 'rotary', 'dropout', 'epsilon'] as const;

/** What a layer takes beside its input. */
export interface TransformerCall {
  /** Which positions see which: bool, broadcasts to [batch, heads, time, time]; `paddingMask(lengths, time)` for padded sequences. */
  readonly mask?: Tensor<'bool'>;
  /** The key of the dropout; without one nothing is dropped. */
  readonly key?: Key;
}

/** What a decoder layer takes beside its input. */
export interface DecoderCall<D extends FloatDType = 'float32'> extends TransformerCall {
  /** What it attends to: float[batch, keys, size], the output of an encoder. */
  readonly memory: Value<D>;
  /** Which positions of the memory are seen: bool, broadcasts to [batch, heads, time, keys]. */
  readonly memoryMask?: Tensor<'bool'>;
}

/** What is known of one layer in a call; a cache for a sequence that is read in pieces. */
export interface BlockCall {
  readonly mask?: Value<'bool'>;
  readonly memory?: Memory;
  readonly memoryMask?: Value<'bool'>;
  readonly key?: Key;
  readonly cache?: KvCache<FloatDType>;
}

/** @throws DTypeError for options that have no meaning */
export function expectLayerOptions(op: string, options: TransformerLayerOptions): void {
  const { norm = 'post', activation = 'relu', dropout = 0 } = options;
  const choice = (what: string, x: unknown, among: readonly string[]): void => {
    if (among.includes(x as string)) return;
    const remedy = `use ${among.map((name) => `'${name}'`).join(' or ')}`;
    throw new DTypeError({ op, problem: `there is no ${what} ${describe(x)}`, remedy });
  };
  choice('norm', norm, ['post', 'pre']);
  choice('activation', activation, Object.keys(activations));
  expectRate(op, dropout);
}

/** @throws TreeError or ShapeError unless these are parameters of a layer */
export function expectLayer(op: string, params: AnyLayerParams, cross: boolean): void {
  const norms = ['attentionNorm', 'feedForwardNorm', ...(cross ? ['crossNorm'] : [])] as const;
  for (const name of norms) {
    const scale: unknown = (params as unknown as Record<string, TransformerNormParams | undefined> | undefined)?.[name]
      ?.scale;
    if (scale instanceof Value) continue;
    throw new TreeError({
      op,
      problem: `params.${name}.scale is ${describe(scale)}, not a tensor`,
      remedy: `make parameters with ${op}.init`,
    });
  }
  expectMultiHead(op, params.attention);
  if (cross) expectMultiHead(op, params.cross!);
}

/** Layer norm with these parameters. */
export const normed = (x: Value, { scale, bias }: TransformerNormParams<FloatDType>, epsilon: number): Value =>
  layerNorm({ scale, bias }, { epsilon })(x as Value<FloatDType>) as Value;

/** One layer: what it computes, and the cache with the new positions. */
export function block(
  op: string,
  p: AnyLayerParams,
  x: Value,
  options: TransformerLayerOptions,
  call: BlockCall,
): readonly [Value, KvCache<FloatDType> | undefined] {
  const { norm = 'post', activation = 'relu', rotary = false, isCausal = false, dropout = 0, epsilon = 1e-5 } = options;
  const keys = call.key === undefined || dropout === 0 ? null : (split(call.key, 6) as readonly Key[]);
  const drop = (i: number, y: Value): Value => (keys === null ? y : dropped(op, keys[i]!, dropout, y));
  const dropping = (i: number) => (keys === null ? {} : { dropoutKey: keys[i]! });
  const masked = (mask: Value<'bool'> | undefined) => (mask === undefined ? {} : { mask });
  const bridge = (y: Value, part: (z: Value) => Value, scales: TransformerNormParams<FloatDType>): Value =>
    norm === 'pre'
      ? (np.add(y, part(normed(y, scales, epsilon))) as Value)
      : normed(np.add(y, part(y)) as Value, scales, epsilon);

  let next: KvCache<FloatDType> | undefined;
  const self = (y: Value): Value => {
    if (call.cache !== undefined) {
      const [seen, cache] = attendCached(op, p.attention, y, call.cache, { rotary }, call.mask);
      next = cache;
      return seen;
    }
    const memory = memoryOf(op, p.attention, y, y, { rotary });
    const how = { ...masked(call.mask), ...dropping(0) };
    return drop(1, attend(op, p.attention, y, memory, { isCausal, rotary, dropout }, how));
  };
  const cross = (y: Value): Value => {
    const how = { ...masked(call.memoryMask), ...dropping(2) };
    return drop(3, attend(op, p.cross!, y, call.memory!, { dropout }, how));
  };
  const perceptron = (y: Value): Value => {
    const { hidden, out } = p.feedForward;
    const inner = activations[activation](dense(hidden)(y as Value<FloatDType>));
    return drop(5, dense(out)(drop(4, inner) as Value<FloatDType>));
  };

  const first = bridge(x, self, p.attentionNorm);
  const second = call.memory === undefined ? first : bridge(first, cross, p.crossNorm!);
  return [bridge(second, perceptron, p.feedForwardNorm), next];
}

/** @throws ShapeError unless `x` is [batch, time, size] */
export function expectSequence(op: string, x: Value, params: AnyLayerParams): void {
  const size = params.attention.query.w.shape.at(-3);
  if (expectTensor(op, x).ndim === 3 && x.shape[2] === size) return;
  throw new ShapeError({
    op,
    problem: `input ${showAval(x.aval)} is not [batch, time, ${size}]`,
    remedy: 'reshape it',
  });
}

/** Options of the initializers of transformer layers. */
export interface TransformerLayerInitOptions {
  /** Features between the two maps of the perceptron; default 4·size. */
  readonly feedForwardSize?: number;
  /** As in `multiHeadAttention.init`. */
  readonly keyHeads?: number;
  /** Of the memory a decoder attends to; default `size`. */
  readonly memorySize?: number;
}

/** Parameters of a norm that changes nothing. */
export const initNorm = (size: number): TransformerNormParams => ({
  scale: filled([size], 1, 'float32') as Value<'float32'>,
  bias: filled([size], 0, 'float32') as Value<'float32'>,
});

/** Parameters of an encoder layer. */
export function initEncoderLayer(
  key: Key,
  size: number,
  heads: number,
  { feedForwardSize = 4 * size, keyHeads = heads }: TransformerLayerInitOptions = {},
): EncoderLayerParams {
  const [forAttention, forHidden, forOut] = split(key, 3);
  return {
    attention: multiHeadAttention.init(forAttention, size, heads, { keyHeads }),
    attentionNorm: initNorm(size),
    feedForward: {
      hidden: dense.init(forHidden, size, feedForwardSize),
      out: dense.init(forOut, feedForwardSize, size),
    },
    feedForwardNorm: initNorm(size),
  };
}

/** Parameters of a decoder layer. */
export function initDecoderLayer(
  key: Key,
  size: number,
  heads: number,
  options: TransformerLayerInitOptions = {},
): DecoderLayerParams {
  const [forLayer, forCross] = split(key);
  const { memorySize = size, keyHeads = heads } = options;
  return {
    ...initEncoderLayer(forLayer, size, heads, options),
    cross: multiHeadAttention.init(forCross, size, heads, { keySize: memorySize, keyHeads }),
    crossNorm: initNorm(size),
  };
}

const encoderName = 'nn.transformerEncoderLayer';
const decoderName = 'nn.transformerDecoderLayer';

const applyEncoder = <D extends FloatDType>(params: EncoderLayerParams<D>, options: TransformerLayerOptions = {}) => {
  const p = params as unknown as AnyLayerParams;
  expectOptions(encoderName, options, ...layerOptions);
  expectLayerOptions(encoderName, options);
  expectLayer(encoderName, p, false);
  return (x: Value<D>, call: TransformerCall = {}): Value<D> => {
    expectOptions(encoderName, call, 'mask', 'key');
    expectSequence(encoderName, x, p);
    return block(encoderName, p, x, options, call)[0] as Value<D>;
  };
};

const applyDecoder = <D extends FloatDType>(params: DecoderLayerParams<D>, options: TransformerLayerOptions = {}) => {
  const p = params as unknown as AnyLayerParams;
  expectOptions(decoderName, options, ...layerOptions);
  expectLayerOptions(decoderName, options);
  expectLayer(decoderName, p, true);
  const how = { isCausal: true, ...options };
  return (x: Value<D>, { memory, ...call }: DecoderCall<D>): Value<D> => {
    expectOptions(decoderName, call, 'mask', 'memoryMask', 'key');
    expectSequence(decoderName, x, p);
    const heads = memoryOf(decoderName, p.cross!, expectTensor(decoderName, memory), memory, {});
    return block(decoderName, p, x, how, { ...call, memory: heads })[0] as Value<D>;
  };
};

/**
 * The encoder layer of the transformer: self-attention, then a perceptron for each position, each with a residual connection and a
 * layer norm. float[batch, time, size] → the same.
 *
 * PyTorch's `nn.TransformerEncoderLayer`: `norm: 'pre'` is its `norm_first`. Its parameters are ours, with the names
 * self_attn → attention, linear1 → feedForward.hidden, linear2 → feedForward.out, norm1 → attentionNorm, norm2 → feedForwardNorm,
 * weights transposed ({@link multiHeadAttention} says how). `transformerEncoderLayer.init(key, size, heads, { feedForwardSize })`;
 * `transformerEncoderLayer.layer(size, heads, options)` is the configured layer, for composition.
 *
 * A. Vaswani et al., "Attention is all you need" (2017); R. Xiong et al., "On layer normalization in the transformer
 * architecture" (2020) for norms before.
 *
 * @throws ShapeError for operands that do not fit, TreeError for parameters of something else
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.transformerEncoderLayer.init(random.key(0), 8, 2, { feedForwardSize: 16 });
 * const layer = nn.transformerEncoderLayer(params, { norm: 'pre', activation: 'gelu' });
 * const lengths = np.array([5, 3], { dtype: 'int32' });
 * console.log(layer(np.ones([2, 5, 8]), { mask: nn.paddingMask(lengths, 5) }).shape); // => [ 2, 5, 8 ]
 * ```
 */
export const transformerEncoderLayer = Object.assign(applyEncoder, {
  /** A configured layer: `{ init(key), apply(params) }`. */
  layer: (
    size: number,
    heads: number,
    options: TransformerLayerInitOptions & TransformerLayerOptions = {},
  ): Layer<EncoderLayerParams, Tensor, Tensor> => {
    const { feedForwardSize = 4 * size, keyHeads = heads, memorySize: _, ...how } = options;
    return {
      name: 'transformerEncoderLayer',
      init: (key: Key): EncoderLayerParams => initEncoderLayer(key, size, heads, { feedForwardSize, keyHeads }),
      apply: (params: EncoderLayerParams) => applyEncoder(params, how),
    };
  },
  init: (key: Key, size: number, heads: number, options: TransformerLayerInitOptions = {}): EncoderLayerParams => {
    expectOptions(`${encoderName}.init`, options, 'feedForwardSize', 'keyHeads');
    return initEncoderLayer(key, size, heads, options);
  },
});

/**
 * The decoder layer of the transformer: causal self-attention, attention to a memory, a perceptron, each with a residual connection
 * and a layer norm. float[batch, time, size] → the same.
 *
 * PyTorch's `nn.TransformerDecoderLayer` with a causal `tgt_mask`; its norm2 is `crossNorm`, multihead_attn `cross`.
 *
 * @throws ShapeError for operands that do not fit, TreeError for parameters of something else
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.transformerDecoderLayer.init(random.key(0), 8, 2);
 * const y = nn.transformerDecoderLayer(params)(np.ones([2, 5, 8]), { memory: np.ones([2, 7, 8]) });
 * console.log(y.shape); // => [ 2, 5, 8 ]
 * ```
 */
export const transformerDecoderLayer = Object.assign(applyDecoder, {
  init: (key: Key, size: number, heads: number, options: TransformerLayerInitOptions = {}): DecoderLayerParams => {
    expectOptions(`${decoderName}.init`, options, 'feedForwardSize', 'keyHeads', 'memorySize');
    return initDecoderLayer(key, size, heads, options);
  },
});
