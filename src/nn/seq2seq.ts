/**
 * Encoder and decoder of recurrent cells: one reads a sequence, the other writes one, from the last state alone or looking back at
 * all of them.
 *
 * With s the state of the decoder, y its symbols and h the outputs of the encoder (course notes §6.1): s₀ = tanh of a dense layer
 * of the last h; sₜ = cell(sₜ₋₁, [yₜ₋₁, cₜ]); the context cₜ is the last h, or Σᵢ aₜᵢ·hᵢ with weights of an additive attention
 * from sₜ₋₁; the logits are a dense layer of sₜ.
 */

import { scan } from '../../transforms/loops.ts';
import type { FloatDType } from '../core/dtype.ts';
import { DTypeError, TreeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { tanh } from '../prim/math.ts';
import { type Key, split } from '../random/key.ts';
import { normal } from '../random/samplers.ts';
import { type AdditiveParams, additiveAttention, additiveWeights, expectAdditive, projectedKeys } from './additive.ts';
import { paddingMask } from './attention.ts';
import { type AnyParams, type CellKind, gruCell, gruKind, lstmCell, lstmKind, rnnCell, rnnKind } from './cells.ts';
import { type DenseParams, dense } from './dense.ts';
import { embedding } from './functional/attention.ts';
import { expectSymbols } from './gpt.ts';
import { gru, lstm, rnn } from './recurrent.ts';
import type { Directions } from './sequence-layer.ts';
import { expectSteps, type GreedyOptions, writeGreedily } from './transformer.ts';

/** Parameters of {@link seq2seq}; those of the cells are as its option `cell` says. */
export interface Seq2SeqParams<D extends FloatDType = 'float32'> {
  /** float[sourceVocabulary, embeddingSize]. */
  readonly source: Value<D>;
  /** float[targetVocabulary, embeddingSize]. */
  readonly target: Value<D>;
  /** Layers, as `nn.gru` has them. */
  readonly encoder: readonly Directions<CellParams<D>>[];
  /** From the last output of the encoder to the first state of the decoder. */
  readonly bridge: DenseParams<D>;
  /** A cell, as `nn.gruCell` has it, of a symbol beside a context. */
  readonly decoder: CellParams<D>;
  /** From the state of the decoder to logits. */
  readonly out: DenseParams<D>;
  /** From the state of the decoder to outputs of the encoder; without it the context is the last of these. */
  readonly attention?: AdditiveParams<D>;
}

/** Parameters of a cell of any kind. */
export interface CellParams<D extends FloatDType = 'float32'> {
  readonly wx: Value<D>;
  readonly wh: Value<D>;
  readonly b: Value<D>;
  /** A GRU has this bias too. */
  readonly bn?: Value<D>;
}

/** Options of {@link seq2seq}. */
export interface Seq2SeqOptions {
  /** Of encoder and decoder; default `gru`. */
  readonly cell?: 'gru' | 'lstm' | 'rnn';
}

/** Sizes of {@link seq2seq}. */
export interface Seq2SeqConfig extends Seq2SeqOptions {
  readonly sourceVocabulary: number;
  readonly targetVocabulary: number;
  /** Features of a symbol. */
  readonly embeddingSize: number;
  /** Of the states of encoder and decoder. */
  readonly hiddenSize: number;
  /** Whether the decoder looks back at all outputs of the encoder; default true. */
  readonly attention?: boolean;
  /** Features in which states and outputs are compared; default `hiddenSize`. */
  readonly attentionSize?: number;
  /** Layers of the encoder; default 1. */
  readonly layers?: number;
  /** The encoder reads in both directions; default false. */
  readonly bidirectional?: boolean;
}

/** What {@link seq2seq} reads. */
export interface Seq2SeqBatch {
  /** int32[batch, time]. */
  readonly source: Tensor<'int32'>;
  /** What the decoder has written so far, behind a symbol for the beginning: int32[batch, targetTime]. */
  readonly target: Tensor<'int32'>;
  /** How many symbols each source has: int32[batch]; all by default. */
  readonly lengths?: Tensor<'int32'>;
}

/** A kind of cell as encoder and decoder need it; what it carries is known to it alone. */
interface Kind {
  readonly layers: (params: never) => (x: never, call: object) => readonly [readonly Directions<unknown>[], Value];
  readonly cell: (params: never) => (carry: never, x: never) => readonly [unknown, Value];
  readonly kind: CellKind<AnyParams, unknown, object>;
  readonly init: (key: Key, inSize: number, hidden: number) => CellParams;
  readonly initLayers: (key: Key, inSize: number, hidden: number, options: object) => readonly Directions<CellParams>[];
}

const kinds = {
  gru: { layers: gru, cell: gruCell, kind: gruKind, init: gruCell.init, initLayers: gru.init },
  lstm: { layers: lstm, cell: lstmCell, kind: lstmKind, init: lstmCell.init, initLayers: lstm.init },
  rnn: { layers: rnn, cell: rnnCell, kind: rnnKind, init: rnnCell.init, initLayers: rnn.init },
} as const;

const name = 'nn.seq2seq';

/** @throws DTypeError for a cell that there is not */
function kindOf(op: string, cell: unknown = 'gru'): Kind {
  if (typeof cell === 'string' && Object.hasOwn(kinds, cell)) return kinds[cell as 'gru'] as unknown as Kind;
  throw new DTypeError({ op, problem: `there is no cell ${describe(cell)}`, remedy: "use 'gru', 'lstm' or 'rnn'" });
}

/** What the decoder knows of a source. */
interface Memory {
  /** The first state of the decoder. */
  readonly state: unknown;
  /** The context, from the hidden state before, and the weights with which it looked. */
  readonly context: (h: Value) => readonly [context: Value, weights: Value | null];
}

/** Reading and writing with these parameters. */
function parts(op: string, params: Seq2SeqParams<FloatDType>, { cell }: Seq2SeqOptions) {
  const kind = kindOf(op, cell);
  const p = params as Seq2SeqParams<FloatDType> | undefined;
  if (p?.encoder === undefined || p.decoder === undefined || p.bridge === undefined || p.out === undefined) {
    throw new TreeError({
      op,
      problem: `params are ${describe(params)}`,
      remedy: `make parameters with ${name}.init(key, config)`,
    });
  }
  if (p.attention !== undefined) expectAdditive(p.attention);
  const encode = kind.layers(p.encoder as never);
  const cellStep = kind.cell(p.decoder as never);

  const read = (source: Value<'int32'>, lengths: Tensor<'int32'> | undefined): Memory => {
    expectSymbols(op, source);
    const [carries, ys] = encode(embedding(source, p.source) as never, lengths === undefined ? {} : { lengths });
    const { forward, backward } = carries.at(-1)!;
    const ends = [forward, ...(backward === undefined ? [] : [backward])].map((carry) => kind.kind.output(carry));
    const last = np.concatenate(ends, -1) as Value;
    const state = kind.kind.carry(tanh(dense(p.bridge)(last as Value<FloatDType>)));
    if (p.attention === undefined) return { state, context: () => [last, null] };
    const attention = p.attention;
    const keys = projectedKeys(attention, ys);
    const mask = lengths && np.squeeze(paddingMask(lengths, source.shape[1]!), 1);
    return {
      state,
      context(h) {
        const weights = additiveWeights(attention, np.expandDims(h, 1), keys, mask);
        return [np.squeeze(np.matmul(weights, ys), 1) as Value, np.squeeze(weights, 1) as Value];
      },
    };
  };

  /** One step of the decoder, from the features of the last symbol. */
  const write = (memory: Memory, state: unknown, symbol: Value): readonly [unknown, Value, Value | null] => {
    const [context, weights] = memory.context(kind.kind.output(state));
    const [next, s] = cellStep(state as never, np.concatenate([symbol, context], -1) as never);
    return [next, s, weights];
  };
  const logits = (s: Value): Value => dense(p.out)(s as Value<FloatDType>);
  return { p, read, write, logits };
}

/** The states of the decoder after each symbol of `target`, and its weights: time first. */
function taught(
  { p, read, write }: ReturnType<typeof parts>,
  op: string,
  batch: Seq2SeqBatch,
): readonly [Value, Value | null] {
  expectOptions(op, batch, 'source', 'target', 'lengths');
  expectSymbols(op, batch.target);
  const memory = read(batch.source, batch.lengths);
  const step = (state: unknown, symbol: Value): readonly [unknown, readonly [Value, Value | null]] => {
    const [next, s, weights] = write(memory, state, symbol);
    return [next, [s, weights]];
  };
  const symbols = np.swapaxes(embedding(batch.target, p.target), 0, 1);
  const [, ys] = scan<never, Value, readonly [Value, Value | null]>(
    step as never,
    memory.state as never,
    symbols,
  ) as unknown as [unknown, readonly [Value, Value | null]];
  return ys;
}

const apply = <D extends FloatDType>(params: Seq2SeqParams<D>, options: Partial<Seq2SeqConfig> = {}) => {
  expectOptions(name, options, ...names);
  const model = parts(name, params as never, options);
  return (batch: Seq2SeqBatch): Value<D> => {
    const [states] = taught(model, name, batch);
    return np.swapaxes(model.logits(states), 0, 1) as Value<D>;
  };
};

const names = [
  'cell',
  'sourceVocabulary',
  'targetVocabulary',
  'embeddingSize',
  'hiddenSize',
  'attention',
  'attentionSize',
  'layers',
  'bidirectional',
] as const;

/** @throws TreeError unless the decoder looks back */
function expectAttention(op: string, params: Seq2SeqParams<FloatDType>): void {
  if (params.attention !== undefined) return;
  throw new TreeError({
    op,
    problem: 'params.attention is undefined: the decoder does not look back',
    remedy: `make parameters with ${name}.init(key, { attention: true, … })`,
  });
}

/**
 * A sequence from a sequence, by recurrent cells: logits of the next target symbol at each position. `{ source: int32[batch, time],
 * target: int32[batch, targetTime], lengths? }` → float[batch, targetTime, targetVocabulary].
 *
 * The encoder's last output, through a dense layer and tanh, is the first state of the decoder, which gets at each step the last symbol
 * beside a context: with attention Σᵢ aᵢ·hᵢ over all outputs of the encoder ({@link additiveAttention}, from the state before), else
 * the last output. In training `target` is the known sequence behind the symbol for the beginning (teacher forcing).
 *
 * - `seq2seq.init(key, config)`.
 * - `seq2seq.greedy(params, options)(source, { start, steps, stop, lengths })`: the likeliest symbols one by one, int32[batch, steps].
 * - `seq2seq.weights(params, options)(batch)`: what each step looked at, float[batch, targetTime, time].
 *
 * I. Sutskever, O. Vinyals, Q. Le, "Sequence to sequence learning with neural networks" (2014); D. Bahdanau, K. Cho, Y. Bengio (2015)
 * with attention.
 *
 * @throws ShapeError or DTypeError for symbols that do not fit, TreeError for parameters of something else
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const config = { sourceVocabulary: 11, targetVocabulary: 13, embeddingSize: 4, hiddenSize: 8 };
 * const params = nn.seq2seq.init(random.key(0), config);
 * const source = np.array([[1, 2, 3, 4]], { dtype: 'int32' });
 * const target = np.array([[0, 5, 6]], { dtype: 'int32' });
 * console.log(nn.seq2seq(params)({ source, target }).shape); // => [ 1, 3, 13 ]
 * console.log(nn.seq2seq.weights(params)({ source, target }).shape); // => [ 1, 3, 4 ]
 * console.log(nn.seq2seq.greedy(params)(source, { start: 0, steps: 5 }).shape); // => [ 1, 5 ]
 * ```
 */
export const seq2seq = Object.assign(apply, {
  init: (key: Key, config: Seq2SeqConfig): Seq2SeqParams => {
    const op = `${name}.init`;
    expectOptions(op, config, ...names);
    const { sourceVocabulary, targetVocabulary, embeddingSize, hiddenSize, attention = true } = config;
    const { attentionSize = hiddenSize, layers = 1, bidirectional = false } = config;
    const { init, initLayers } = kindOf(op, config.cell);
    const [forSource, forTarget, forEncoder, forBridge, forDecoder, forOut, forAttention] = split(key, 7);
    const outSize = bidirectional ? 2 * hiddenSize : hiddenSize;
    return {
      source: normal(forSource, [sourceVocabulary, embeddingSize]),
      target: normal(forTarget, [targetVocabulary, embeddingSize]),
      encoder: initLayers(forEncoder, embeddingSize, hiddenSize, { layers, bidirectional }),
      bridge: dense.init(forBridge, outSize, hiddenSize),
      decoder: init(forDecoder, embeddingSize + outSize, hiddenSize),
      out: dense.init(forOut, hiddenSize, targetVocabulary),
      ...(attention ? { attention: additiveAttention.init(forAttention, hiddenSize, outSize, attentionSize) } : {}),
    };
  },
  weights: <D extends FloatDType>(params: Seq2SeqParams<D>, options: Partial<Seq2SeqConfig> = {}) => {
    const op = `${name}.weights`;
    expectOptions(op, options, ...names);
    const model = parts(op, params as never, options);
    expectAttention(op, params as never);
    return (batch: Seq2SeqBatch): Value<D> => np.swapaxes(taught(model, op, batch)[1]!, 0, 1) as Value<D>;
  },
  greedy: <D extends FloatDType>(params: Seq2SeqParams<D>, options: Partial<Seq2SeqConfig> = {}) => {
    const op = `${name}.greedy`;
    expectOptions(op, options, ...names);
    const { p, read, write, logits } = parts(op, params as never, options);
    return (source: Tensor<'int32'>, writing: GreedyOptions): Tensor<'int32'> => {
      expectOptions(op, writing, 'start', 'steps', 'stop', 'lengths');
      expectSteps(op, writing.steps);
      const memory = read(source, writing.lengths);
      const score = (state: unknown, symbols: Value<'int32'>): readonly [unknown, Value, null] => {
        const [next, s] = write(memory, state, embedding(symbols, p.target));
        return [next, logits(s), null];
      };
      return writeGreedily(score, memory.state, source.shape[0]!, writing)[0];
    };
  },
});
