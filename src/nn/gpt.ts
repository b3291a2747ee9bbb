/**
 * GPT: a transformer that sees what is before, for the next symbol. Its parameters are a tree, its sizes a plain object, and what it
 * generates is one loop over a cache.
 */

import { scan } from '../../transforms/loops.ts';
import { showAval } from '../core/aval.ts';
import { type FloatDType, isInteger } from '../core/dtype.ts';
import { DTypeError, ShapeError, TreeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { foldIn, type Key, split } from '../random/key.ts';
import { normal } from '../random/samplers.ts';
import { dropped } from './dropout.ts';
import { embedding } from './functional/attention.ts';
import { lecunNormal } from './initializers.ts';
import type { Layer } from './layer.ts';
import { expectSizes } from './params.ts';
import { learnedPositions, type PositionParams, sinusoidalPositions } from './positions.ts';
import { expectSampling, type SampleOptions, sampleOptions, sampleSymbols } from './sampling.ts';
import {
  type EncoderLayerParams,
  expectLayerOptions,
  type TransformerActivation,
  type TransformerCall,
} from './transformer-layer.ts';
import {
  type Caches,
  emptyCaches,
  expectStack,
  lastNorm,
  type TransformerStackParams,
  through,
  transformerEncoder,
} from './transformer-stack.ts';

/** Parameters of {@link gpt}. */
export interface GptParams<D extends FloatDType = 'float32'> {
  /** float[vocabulary, size]: a row for each symbol. */
  readonly symbols: Value<D>;
  /** A row for each position, if they are learned. */
  readonly positions?: PositionParams<D>;
  /** Layers and a last norm. */
  readonly blocks: TransformerStackParams<EncoderLayerParams<D>, D>;
  /** float[size, vocabulary]; without one the rows of symbols are used (tied embeddings). */
  readonly head?: Value<D>;
}

/** What a GPT is besides its sizes. */
export interface GptOptions {
  /** A learned row for each position (default), sines added to √size·rows of symbols, or rotations of queries and keys. */
  readonly positions?: 'learned' | 'sinusoidal' | 'rotary';
  /** Norms before what residual connections bridge (default, with a last norm), or behind. */
  readonly norm?: 'pre' | 'post';
  /** Of the perceptrons; default `geluTanh`. */
  readonly activation?: TransformerActivation;
  /** The probability of what is dropped, with a key; default 0. */
  readonly dropout?: number;
  /** Added to the variances of the norms; default 1e-5. */
  readonly epsilon?: number;
  /** Compute layers again in reverse mode instead of keeping what they computed; default false. */
  readonly checkpoint?: boolean;
}

/** A GPT by its sizes. */
export interface GptConfig extends GptOptions {
  /** How many symbols there are. */
  readonly vocabulary: number;
  /** The most positions, if they are learned; else it may be left out. */
  readonly length?: number;
  /** Features of a position. */
  readonly size: number;
  /** Heads of attention, which divide the size. */
  readonly heads: number;
  /** How many layers. */
  readonly layers: number;
  /** Heads of keys and values; default `heads`. */
  readonly keyHeads?: number;
  /** Features between the two maps of a perceptron; default 4·size. */
  readonly feedForwardSize?: number;
  /** Score symbols by their own rows (default), or by a head of its own. */
  readonly tied?: boolean;
  /** One loop over stacked layers; default false. */
  readonly stacked?: boolean;
}

/** What `gpt.generate` takes beside the prompt. */
export interface GenerateOptions extends SampleOptions {
  /** How many symbols to generate. */
  readonly steps: number;
  /** The key by which they are drawn; needed unless the temperature is 0. */
  readonly key?: Key;
  /** The symbol behind which there are only more of it. */
  readonly stop?: number;
}

const name = 'nn.gpt';
const optionNames = ['positions', 'norm', 'activation', 'dropout', 'epsilon', 'checkpoint'] as const;
const sizeNames = [
  'vocabulary',
  'length',
  'size',
  'heads',
  'layers',
  'keyHeads',
  'feedForwardSize',
  'tied',
  'stacked',
] as const;

/** The options with what they are by default. @throws DTypeError for some that there are not */
function completed(op: string, options: Partial<GptConfig>) {
  expectOptions(op, options, ...sizeNames, ...optionNames);
  const { positions = 'learned', norm = 'pre', activation = 'geluTanh' } = options;
  const { dropout = 0, epsilon = 1e-5, checkpoint = false } = options;
  if (!['learned', 'sinusoidal', 'rotary'].includes(positions)) {
    throw new DTypeError({
      op,
      problem: `there are no positions ${describe(positions)}`,
      remedy: "use 'learned', 'sinusoidal' or 'rotary'",
    });
  }
  const how = { norm, activation, dropout, epsilon, checkpoint, isCausal: true, rotary: positions === 'rotary' };
  expectLayerOptions(op, how);
  return { positions, dropout, epsilon, how } as const;
}

/** @throws TreeError unless there are the parameters that the options need */
function expectParams(op: string, params: GptParams<FloatDType>, positions: GptOptions['positions']) {
  const wrong = (problem: string): TreeError =>
    new TreeError({ op, problem, remedy: `make parameters with ${name}.init(key, config), with the same config` });
  const symbols: unknown = params?.symbols;
  if (!(symbols instanceof Value) || symbols.ndim !== 2) throw wrong(`params.symbols is ${describe(symbols)}`);
  if ((positions === 'learned') !== (params.positions !== undefined)) {
    throw wrong(`positions are ${positions}, params.positions is ${describe(params.positions)}`);
  }
  return expectStack(op, params.blocks as never, false);
}

/** @throws DTypeError or ShapeError unless these are symbols [batch, time] */
export function expectSymbols(op: string, ids: unknown): asserts ids is Value<'int32'> {
  if (!(ids instanceof Value) || !isInteger(ids.dtype)) {
    throw new DTypeError({ op, problem: `symbols are ${describe(ids)}`, remedy: 'give integers [batch, time]' });
  }
  if (ids.ndim === 2) return;
  const remedy = 'give [batch, time]; np.expandDims(ids, 0) is a batch of one';
  throw new ShapeError({ op, problem: `symbols are ${showAval(ids.aval)}`, remedy });
}

/** Rows of symbols, with positions from `offset` on. */
function embedded(
  params: GptParams<FloatDType>,
  positions: GptOptions['positions'],
  ids: Value,
  offset: Value<'int32'> | 0,
): Value {
  const x = embedding(ids as Value<'int32'>, params.symbols);
  if (positions === 'learned') return learnedPositions(params.positions!)(x, { offset });
  if (positions === 'rotary') return x;
  const [length, size] = [ids.shape[1]!, params.symbols.shape[1]!];
  const table = sinusoidalPositions(length, size, { offset, dtype: params.symbols.dtype });
  return np.add(np.mul(x, Math.sqrt(size)), table) as Value;
}

/** x·head, or the products with the rows of symbols. */
const scored = (x: Value, { head, symbols }: GptParams<FloatDType>): Value =>
  np.matmul(x, head ?? np.transpose(symbols)) as Value;

const apply = <D extends FloatDType>(params: GptParams<D>, options: Partial<GptConfig> = {}) => {
  const { positions, dropout, epsilon, how } = completed(name, options);
  const p = params as unknown as GptParams<FloatDType>;
  const layers = expectParams(name, p, positions);
  return (ids: Tensor<'int32'>, call: TransformerCall = {}): Value<D> => {
    expectOptions(name, call, 'mask', 'key');
    expectSymbols(name, ids);
    const [forInput, forLayers] = call.key === undefined ? [] : split(call.key);
    let x = embedded(p, positions, ids, 0);
    if (forInput !== undefined) x = dropped(name, forInput, dropout, x);
    const { key: _, ...rest } = call;
    const [y] = through(name, layers, x, how, forLayers === undefined ? rest : { ...rest, key: forLayers });
    return scored(lastNorm(y, p.blocks.norm, epsilon), p) as Value<D>;
  };
};

/** What is remembered of a sequence that is read in pieces. */
export interface GptCache {
  /** Keys and values of each layer. */
  readonly layers: Caches;
  /** How many positions were seen: int32[]. */
  readonly index: Value<'int32'>;
}

const decode = <D extends FloatDType>(params: GptParams<D>, options: Partial<GptConfig> = {}) => {
  const op = `${name}.decode`;
  const { positions, epsilon, how } = completed(op, options);
  const p = params as unknown as GptParams<FloatDType>;
  const layers = expectParams(op, p, positions);
  return (ids: Tensor<'int32'>, cache: GptCache): readonly [Value<D>, GptCache] => {
    expectSymbols(op, ids);
    const x = embedded(p, positions, ids, cache.index);
    const [y, caches] = through(op, layers, x, { ...how, checkpoint: false }, { caches: cache.layers });
    const logits = scored(lastNorm(y, p.blocks.norm, epsilon), p) as Value<D>;
    return [logits, { layers: caches!, index: np.add(cache.index, ids.shape[1]!) as Value<'int32'> }];
  };
};

/** A cache for `batch` sequences of up to `length` positions. */
const emptyCache = (params: GptParams<FloatDType>, batch: number, length: number): GptCache => ({
  layers: emptyCaches(expectStack(`${name}.cache`, params.blocks as never, false), batch, length),
  index: np.zeros([], { dtype: 'int32' }),
});

const generate = <D extends FloatDType>(params: GptParams<D>, options: Partial<GptConfig> = {}) => {
  const op = `${name}.generate`;
  const read = decode(params, options);
  return (prompt: Tensor<'int32'>, how: GenerateOptions): Tensor<'int32'> => {
    expectOptions(op, how, 'steps', 'key', 'stop', ...sampleOptions);
    expectSymbols(op, prompt);
    const { steps, key, stop, ...sampling } = how;
    const [batch, time] = prompt.shape as unknown as [number, number];
    if (!Number.isSafeInteger(steps) || steps < 0) {
      throw new ShapeError({ op, problem: `steps is ${describe(steps)}`, remedy: 'give a non-negative integer' });
    }
    expectSampling(op, key, sampling);
    if (time === 0) {
      throw new ShapeError({ op, problem: 'the prompt is empty', remedy: 'begin with a symbol for the beginning' });
    }
    const room = params.positions?.table.shape[0];
    // The last symbol is never read.
    if (room !== undefined && time + steps - 1 > room) {
      throw new ShapeError({
        op,
        problem: `${time} symbols and ${steps} more need ${time + steps - 1} positions, there are ${room}`,
        remedy: 'generate fewer, or shorten the prompt',
      });
    }
    if (steps === 0) return prompt;
    // One key for each step, made where it is used: the program does not grow with the steps.
    const draw = (logits: Value, step: Value | number, done: Value | null): Value<'int32'> => {
      const last = np.index(logits, [], -1) as Value<'float32'>;
      const symbols = sampleSymbols(key === undefined ? undefined : foldIn(key, step), last, sampling);
      return (done === null ? symbols : np.where(done, stop!, symbols)) as Value<'int32'>;
    };
    const isStop = (symbols: Value): Value | null => (stop === undefined ? null : (np.equal(symbols, stop) as Value));
    const [logits, cache] = read(prompt, emptyCache(params as never, batch, time + steps - 1));
    const first = draw(logits, 0, null);
    type Carry = readonly [Value<'int32'>, Value | null, GptCache];
    const step = ([symbols, done, before]: Carry, i: Value): readonly [Carry, Value] => {
      const [scores, after] = read(np.expandDims(symbols, 1) as Value<'int32'>, before);
      const next = draw(scores, i, done);
      return [[next, done && (np.logicalOr(done, isStop(next)!) as Value), after], next];
    };
    const start: Carry = [first, isStop(first), cache];
    const [, others] = scan<never, Value, Value>(step as never, start as never, np.arange(1, steps)) as unknown as [
      Carry,
      Value,
    ];
    const generated = np.concatenate([np.expandDims(first, 1), np.transpose(others) as Value<'int32'>], 1);
    return np.concatenate([prompt, generated], 1) as Tensor<'int32'>;
  };
};

const init = (key: Key, config: GptConfig): GptParams => {
  const op = `${name}.init`;
  const { positions, how } = completed(op, config);
  const { vocabulary, length, size, heads, layers, tied = true, stacked = false } = config;
  const { keyHeads = heads, feedForwardSize = 4 * size } = config;
  const needed = positions === 'learned' ? { vocabulary, size, length } : { vocabulary, size };
  expectSizes(op, needed);
  const [forSymbols, forPositions, forBlocks, forHead] = split(key, 4);
  const sizes = { size, heads, layers, keyHeads, feedForwardSize, stacked, norm: how.norm === 'pre' };
  return {
    symbols: np.mul(normal(forSymbols, [vocabulary, size]), 0.02),
    ...(positions === 'learned' ? { positions: learnedPositions.init(forPositions, length!, size) } : {}),
    blocks: transformerEncoder.init(forBlocks, sizes),
    ...(tied ? {} : { head: lecunNormal(forHead, [size, vocabulary]) }),
  };
};

/**
 * GPT: scores of the next symbol at each position, from it and those before. int32[batch, time] → float[batch, time, vocabulary].
 *
 * By default as GPT-2: learned positions, norms before, tanh-gelu, the rows of symbols as the head. The config is one plain object for
 * parameters and model. A symbol outside of the vocabulary makes its row, and what sees it, NaN.
 *
 * - `gpt.init(key, config)`.
 * - `gpt.generate(params, config)(prompt, { steps, key, temperature, topK, topP, stop })`: int32[batch, time + steps], the prompt and
 *   what follows, as one loop over a cache.
 * - `gpt.cache(params, batch, length)` and `gpt.decode(params, config)(ids, cache) → [logits, cache]`: a sequence read in pieces. Law:
 *   the pieces have the logits of the whole.
 *
 * A. Radford et al., "Language models are unsupervised multitask learners" (2019).
 *
 * @throws ShapeError or DTypeError for sizes and symbols that do not fit, TreeError for parameters of another config
 *
 * @example
 * ```ts
 * import { jit, nn, np, random, type Tensor } from 'pullback';
 * const config = { vocabulary: 11, length: 16, size: 8, heads: 2, layers: 2 } as const;
 * const params = nn.gpt.init(random.key(0), config);
 * const ids = np.array([[1, 2, 3]], { dtype: 'int32' });
 * console.log(nn.gpt(params, config)(ids).shape); // => [ 1, 3, 11 ]
 *
 * const loss = (p: typeof params) => nn.crossEntropy(nn.gpt(p, config)(ids), np.roll(ids, -1, 1));
 * console.log(Math.abs(loss(params).item() - Math.log(11)) < 0.1); // => true
 *
 * const write = jit((p: typeof params, prompt: Tensor<'int32'>, key: random.Key) =>
 *   nn.gpt.generate(p, config)(prompt, { steps: 5, key, topK: 3 }),
 * );
 * console.log(write(params, ids, random.key(1)).shape); // => [ 1, 8 ]
 * ```
 */
export const gpt = Object.assign(apply, {
  init,
  /** A configured layer: `{ init(key), apply(params) }`. */
  layer: (config: GptConfig): Layer<GptParams, Tensor<'int32'>, Tensor> => ({
    name: 'gpt',
    init: (key: Key): GptParams => init(key, config),
    apply: (params: GptParams) => apply(params, config),
  }),
  decode,
  generate,
  cache: <D extends FloatDType>(params: GptParams<D>, batch: number, length: number): GptCache =>
    emptyCache(params as unknown as GptParams<FloatDType>, batch, length),
});
