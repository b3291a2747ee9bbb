/** The transformer as published: an encoder reads a sequence, a decoder that attends to it writes another. */

import { scan } from '../../transforms/loops.ts';
import type { FloatDType } from '../core/dtype.ts';
import { ShapeError, TreeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { type Key, split } from '../random/key.ts';
import { normal } from '../random/samplers.ts';
import { paddingMask } from './attention.ts';
import { dropped } from './dropout.ts';
import { embedding } from './functional/attention.ts';
import { expectSymbols } from './gpt.ts';
import { lecunNormal } from './initializers.ts';
import { expectSizes } from './params.ts';
import { sinusoidalPositions } from './positions.ts';
import {
  type DecoderLayerParams,
  type EncoderLayerParams,
  expectLayerOptions,
  type TransformerActivation,
} from './transformer-layer.ts';
import {
  type Caches,
  emptyCaches,
  expectStack,
  lastNorm,
  memoriesOf,
  type TransformerStackParams,
  through,
  transformerDecoder,
  transformerEncoder,
} from './transformer-stack.ts';

/** Parameters of {@link transformer}. */
export interface TransformerParams<D extends FloatDType = 'float32'> {
  /** float[sourceVocabulary, size]. */
  readonly source: Value<D>;
  /** float[targetVocabulary, size]. */
  readonly target: Value<D>;
  readonly encoder: TransformerStackParams<EncoderLayerParams<D>, D>;
  readonly decoder: TransformerStackParams<DecoderLayerParams<D>, D>;
  /** float[size, targetVocabulary]; without one the rows of target symbols are used, as published. */
  readonly head?: Value<D>;
}

/** What a transformer is besides its sizes. */
export interface TransformerOptions {
  /** Norms behind the residual connections (default, as published), or before what they bridge, with a last norm. */
  readonly norm?: 'post' | 'pre';
  /** Of the perceptrons; default `relu`. */
  readonly activation?: TransformerActivation;
  /** The probability of what is dropped, with a key; default 0. */
  readonly dropout?: number;
  /** Added to the variances of the norms; default 1e-5. */
  readonly epsilon?: number;
  /** Compute layers again in reverse mode instead of keeping what they computed; default false. */
  readonly checkpoint?: boolean;
}

/** A transformer by its sizes. */
export interface TransformerConfig extends TransformerOptions {
  readonly sourceVocabulary: number;
  readonly targetVocabulary: number;
  /** Features of a position. */
  readonly size: number;
  /** Heads of attention, which divide the size. */
  readonly heads: number;
  /** How many layers the encoder has, and the decoder. */
  readonly layers: number;
  /** Of the decoder, if it has other than the encoder. */
  readonly decoderLayers?: number;
  /** Heads of keys and values; default `heads`. */
  readonly keyHeads?: number;
  /** Features between the two maps of a perceptron; default 4·size. */
  readonly feedForwardSize?: number;
  /** Score symbols by their own rows (default), or by a head of its own. */
  readonly tied?: boolean;
  /** One loop over stacked layers; default false. */
  readonly stacked?: boolean;
}

/** What {@link transformer} reads. */
export interface TranslationBatch {
  /** int32[batch, sourceTime]. */
  readonly source: Tensor<'int32'>;
  /** What the decoder has written so far, behind a symbol for the beginning: int32[batch, targetTime]. */
  readonly target: Tensor<'int32'>;
  /** How many symbols each source has: int32[batch]; all by default. */
  readonly lengths?: Tensor<'int32'>;
  /** The key of the dropout; without one nothing is dropped. */
  readonly key?: Key;
}

/** How a decoder writes: what it begins with, and how far. */
export interface GreedyOptions {
  /** The symbol for the beginning. */
  readonly start: number;
  /** How many symbols to write. */
  readonly steps: number;
  /** The symbol behind which there are only more of it. */
  readonly stop?: number;
  /** How many symbols each source has: int32[batch]; all by default. */
  readonly lengths?: Tensor<'int32'>;
}

/** @throws ShapeError unless there is a number of steps */
export function expectSteps(op: string, steps: unknown): asserts steps is number {
  if (typeof steps === 'number' && Number.isSafeInteger(steps) && steps >= 0) return;
  throw new ShapeError({ op, problem: `steps is ${describe(steps)}`, remedy: 'give a non-negative integer' });
}

/**
 * Symbols written one after the other, each the likeliest by `score`: int32[batch, steps], and what else each step says.
 *
 * @param score - from the state and the last symbols, int32[batch], to the next state, logits and the rest
 */
export function writeGreedily<S, R>(
  score: (state: S, symbols: Value<'int32'>) => readonly [S, Value, R],
  state: S,
  batch: number,
  { start, steps, stop }: GreedyOptions,
): readonly [Tensor<'int32'>, R] {
  const first = np.full([batch], start, { dtype: 'int32' }) as Value<'int32'>;
  const begun = stop === undefined ? null : (np.zeros([batch], { dtype: 'bool' }) as Value);
  type Carry = readonly [S, Value<'int32'>, Value | null];
  const step = ([before, symbols, done]: Carry): readonly [Carry, readonly [Value, R]] => {
    const [after, logits, rest] = score(before, symbols);
    const likeliest = np.argmax(logits, -1) as Value<'int32'>;
    const next = (done === null ? likeliest : np.where(done, stop!, likeliest)) as Value<'int32'>;
    const ended = done === null ? null : (np.logicalOr(done, np.equal(next, stop!)) as Value);
    return [
      [after, next, ended],
      [next, rest],
    ];
  };
  const [, [written, rest]] = scan<never, null, readonly [Value, R]>(
    step as never,
    [state, first, begun] as never,
    null,
    {
      length: steps,
    },
  ) as unknown as [Carry, readonly [Value, R]];
  return [np.transpose(written) as Tensor<'int32'>, rest];
}

const name = 'nn.transformer';
const names = [
  'sourceVocabulary',
  'targetVocabulary',
  'size',
  'heads',
  'layers',
  'decoderLayers',
  'keyHeads',
  'feedForwardSize',
  'tied',
  'stacked',
  'norm',
  'activation',
  'dropout',
  'epsilon',
  'checkpoint',
] as const;

/** A transformer whose parameters and options were checked. */
interface Checked {
  readonly p: TransformerParams<FloatDType>;
  readonly encoder: ReturnType<typeof expectStack>;
  readonly decoder: ReturnType<typeof expectStack>;
  readonly how: Required<TransformerOptions>;
}

function checked(op: string, params: TransformerParams<FloatDType>, options: Partial<TransformerConfig>): Checked {
  expectOptions(op, options, ...names);
  const { norm = 'post', activation = 'relu', dropout = 0, epsilon = 1e-5, checkpoint = false } = options;
  const how = { norm, activation, dropout, epsilon, checkpoint };
  expectLayerOptions(op, how);
  for (const part of ['source', 'target'] as const) {
    const table: unknown = params?.[part];
    if (table instanceof Value && table.ndim === 2) continue;
    throw new TreeError({
      op,
      problem: `params.${part} is ${describe(table)}`,
      remedy: `make parameters with ${name}.init(key, config)`,
    });
  }
  const [encoder, decoder] = [
    expectStack(op, params.encoder as never, false),
    expectStack(op, params.decoder as never, true),
  ];
  return { p: params, encoder, decoder, how };
}

/** √size·rows of symbols, plus positions from `offset` on. */
function embedded(
  table: Value<FloatDType>,
  ids: Value<'int32'>,
  offset: Value<'int32'> | 0,
  drop: (x: Value) => Value,
): Value {
  const size = table.shape[1]!;
  const positions = sinusoidalPositions(ids.shape[1]!, size, { offset, dtype: table.dtype });
  return drop(np.add(np.mul(embedding(ids, table), Math.sqrt(size)), positions) as Value);
}

const masked = (lengths: Tensor<'int32'> | undefined, time: number) =>
  lengths === undefined ? undefined : paddingMask(lengths, time);

const scored = (x: Value, { head, target }: TransformerParams<FloatDType>): Value =>
  np.matmul(x, head ?? np.transpose(target)) as Value;

/** What the encoder says of sources. */
function encoded(
  { p, encoder, how }: Checked,
  source: Value<'int32'>,
  mask: Value<'bool'> | undefined,
  keys: readonly Key[],
): Value {
  const drop = (x: Value): Value => (keys[0] ? dropped(name, keys[0], how.dropout, x) : x);
  const call = { ...(mask ? { mask } : {}), ...(keys[1] ? { key: keys[1] } : {}) };
  const [y] = through(name, encoder, embedded(p.source, source, 0, drop), how, call);
  return lastNorm(y, p.encoder.norm, how.epsilon);
}

const apply = <D extends FloatDType>(params: TransformerParams<D>, options: Partial<TransformerConfig> = {}) => {
  const model = checked(name, params as never, options);
  const { p, decoder, how } = model;
  return (batch: TranslationBatch): Value<D> => {
    expectOptions(name, batch, 'source', 'target', 'lengths', 'key');
    const { source, target, lengths, key } = batch;
    expectSymbols(name, source);
    expectSymbols(name, target);
    const keys: readonly Key[] = key === undefined ? [] : split(key, 4);
    const mask = masked(lengths, source.shape[1]!);
    const memories = memoriesOf(name, decoder, encoded(model, source, mask, keys));
    const drop = (x: Value): Value => (keys[2] ? dropped(name, keys[2], how.dropout, x) : x);
    const call = { memories, ...(mask ? { memoryMask: mask } : {}), ...(keys[3] ? { key: keys[3] } : {}) };
    const [y] = through(name, decoder, embedded(p.target, target, 0, drop), { ...how, isCausal: true }, call);
    return scored(lastNorm(y, p.decoder.norm, how.epsilon), p) as Value<D>;
  };
};

const greedy = <D extends FloatDType>(params: TransformerParams<D>, options: Partial<TransformerConfig> = {}) => {
  const op = `${name}.greedy`;
  const model = checked(op, params as never, options);
  const { p, decoder } = model;
  const how = { ...model.how, checkpoint: false };
  return (source: Tensor<'int32'>, writing: GreedyOptions): Tensor<'int32'> => {
    expectOptions(op, writing, 'start', 'steps', 'stop', 'lengths');
    expectSymbols(op, source);
    expectSteps(op, writing.steps);
    const [batch, time] = source.shape as unknown as [number, number];
    const mask = masked(writing.lengths, time);
    const memories = memoriesOf(op, decoder, encoded(model, source, mask, []));
    type State = readonly [Caches, Value<'int32'>];
    const score = ([caches, index]: State, symbols: Value<'int32'>): readonly [State, Value, null] => {
      const x = embedded(p.target, np.expandDims(symbols, 1) as Value<'int32'>, index, (y) => y);
      const call = { memories, caches, ...(mask ? { memoryMask: mask } : {}) };
      const [y, after] = through(op, decoder, x, how, call);
      const logits = scored(lastNorm(np.index(y, [], 0) as Value, p.decoder.norm, how.epsilon), p);
      return [[after!, np.add(index, 1) as Value<'int32'>], logits, null];
    };
    const start: State = [emptyCaches(decoder, batch, Math.max(writing.steps, 1)), np.zeros([], { dtype: 'int32' })];
    return writeGreedily(score, start, batch, writing)[0];
  };
};

/**
 * The transformer from sequence to sequence: scores of the next target symbol at each position. `{ source: int32[batch, time], target:
 * int32[batch, targetTime], lengths? }` → float[batch, targetTime, targetVocabulary].
 *
 * As published: sinusoidal positions on √size·rows of symbols, norms behind (`norm: 'pre'` adds a last norm to both stacks; PyTorch's
 * nn.Transformer has one in any case), rows of target symbols as the head. In training `target` is the known sequence behind the
 * symbol for the beginning (teacher forcing), and the scores at t are those of its symbol t.
 *
 * `transformer.init(key, config)`; `transformer.greedy(params, config)(source, { start, steps, stop, lengths })` writes the likeliest
 * symbols one by one, int32[batch, steps], as one loop over a cache.
 *
 * A. Vaswani et al., "Attention is all you need" (2017).
 *
 * @throws ShapeError or DTypeError for sizes and symbols that do not fit, TreeError for parameters of something else
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const config = { sourceVocabulary: 11, targetVocabulary: 13, size: 8, heads: 2, layers: 2 } as const;
 * const params = nn.transformer.init(random.key(0), config);
 * const source = np.array([[1, 2, 3, 4]], { dtype: 'int32' });
 * const target = np.array([[0, 5, 6]], { dtype: 'int32' });
 * console.log(nn.transformer(params, config)({ source, target }).shape); // => [ 1, 3, 13 ]
 * console.log(nn.transformer.greedy(params, config)(source, { start: 0, steps: 5 }).shape); // => [ 1, 5 ]
 * ```
 */
export const transformer = Object.assign(apply, {
  init: (key: Key, config: TransformerConfig): TransformerParams => {
    const op = `${name}.init`;
    expectOptions(op, config, ...names);
    const { sourceVocabulary, targetVocabulary, size, heads, layers, decoderLayers = layers } = config;
    expectSizes(op, { sourceVocabulary, targetVocabulary, size });
    const { keyHeads = heads, feedForwardSize = 4 * size, tied = true, stacked = false, norm = 'post' } = config;
    const [forSource, forTarget, forEncoder, forDecoder, forHead] = split(key, 5);
    // Rows of deviation 1/√size, which the layer multiplies by √size.
    const rows = (k: Key, count: number): Value<'float32'> => np.div(normal(k, [count, size]), Math.sqrt(size));
    const sizes = { size, heads, keyHeads, feedForwardSize, stacked, norm: norm === 'pre' };
    return {
      source: rows(forSource, sourceVocabulary),
      target: rows(forTarget, targetVocabulary),
      encoder: transformerEncoder.init(forEncoder, { ...sizes, layers }),
      decoder: transformerDecoder.init(forDecoder, { ...sizes, layers: decoderLayers }),
      ...(tied ? {} : { head: lecunNormal(forHead, [size, targetVocabulary]) }),
    };
  },
  greedy,
});
