/**
 * Recurrent layers over [batch, time, features]: a cell along the time axis by `scan`, in one direction or both, in one layer or
 * several.
 *
 * Carries go in and come out, so that a sequence may be read in pieces. What is behind the end of a shorter sequence changes
 * nothing: the carry stays as it is there, and the output is 0.
 */

import { scan } from '../../transforms/loops.ts';
import { showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { ShapeError, TreeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import { expectTensor } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { type Key, split } from '../random/key.ts';
import { leaves, map, map2 } from '../tree/tree.ts';
import {
  type AnyParams,
  type CellKind,
  expectCell,
  expectHidden,
  type GruOptions,
  type GruParams,
  gruKind,
  initGru,
  initLstm,
  initRnn,
  inputsOf,
  type LstmCarry,
  type LstmInitOptions,
  lstmKind,
  noHidden,
  type RecurrentParams,
  type RnnOptions,
  rnnKind,
} from './cells.ts';
import { dropped, expectRate } from './dropout.ts';
import { expectFlag } from './params.ts';
import { type Directions, initLayers, type RecurrentInitOptions, sequenceLayer } from './sequence-layer.ts';

/** Options of {@link recurrence}. */
export interface RecurrenceOptions {
  /** From the last step to the first; default false. Output t still belongs to input t. */
  readonly reverse?: boolean;
  /** How many steps each sequence has: int32[batch]; what lies behind is not read. */
  readonly lengths?: Tensor<'int32'>;
  /** Which steps there are: bool[batch, time], beside or instead of lengths. */
  readonly mask?: Tensor<'bool'>;
  /** Steps written out in the body of the loop; default 1, `true` for all. */
  readonly unroll?: number | boolean;
}

/** The steps that there are, bool[batch, time], or `null` if all are. */
function present(op: string, batch: number, time: number, { lengths, mask }: RecurrenceOptions): Value | null {
  const wrong = (what: string, x: unknown, wanted: string): ShapeError =>
    new ShapeError({ op, problem: `${what} is ${describe(x)}`, remedy: `give ${wanted}` });
  if (lengths !== undefined) {
    const fits = lengths instanceof Value && lengths.ndim === 1 && lengths.shape[0] === batch;
    if (!fits || (lengths as Value).dtype !== 'int32') throw wrong('lengths', lengths, `int32[${batch}]`);
  }
  if (mask !== undefined) {
    const fits = mask instanceof Value && mask.ndim === 2 && mask.shape[0] === batch && mask.shape[1] === time;
    if (!fits || (mask as Value).dtype !== 'bool') throw wrong('mask', mask, `bool[${batch},${time}]`);
  }
  if (lengths === undefined) return mask ?? null;
  const within = np.less(np.arange(time), np.expandDims(lengths, 1));
  return mask === undefined ? within : np.logicalAnd(within, mask);
}

/** `x` where the step is there, else `y`: `there` has the first axes of the others. */
const choose = (there: Value, x: Value, y: Value): Value =>
  np.where(np.reshape(there, [...there.shape, ...new Array<number>(x.ndim - there.ndim).fill(1)]), x, y) as Value;

/** 0 where nothing is there: what stands in its place, NaN say, reaches no derivative either. */
const padded = (there: Value, x: Value): Value => choose(there, x, np.zerosLike(x));

/** Time first. */
const swapped = (x: Value): Value => np.swapaxes(x, 0, 1);

/** A scan over steps that have time first already. */
function along<C, X, Y>(
  step: (carry: C, x: X) => readonly [C, Y],
  initial: C,
  xs: X,
  there: Value | null,
  { reverse = false, unroll = 1 }: RecurrenceOptions,
): [C, Y] {
  const options = { reverse, unroll };
  if (there === null) return scan<never, X, Y>(step as never, initial as never, xs, options) as unknown as [C, Y];
  const masked = (carry: C, { x, now }: { readonly x: X; readonly now: Value }): readonly [C, Y] => {
    const [next, y] = step(
      carry,
      map((a: Value) => padded(now, a), x),
    );
    return [map2((a: Value, b: Value) => choose(now, a, b), next, carry), map((a: Value) => padded(now, a), y)];
  };
  return scan<never, unknown, Y>(
    masked as never,
    initial as never,
    { x: xs, now: swapped(there) },
    options,
  ) as unknown as [C, Y];
}

/**
 * A cell along the second axis of `xs`: `[carry, ys]`, as `scan` along the first.
 *
 * `cell` is any function from the carry and the inputs of a step, [batch, …] each, to `[carry, y]`, such as
 * {@link lstmCell}`(params)`; carry, inputs and outputs are trees. Steps that are not there (`lengths`, `mask`) leave the carry as
 * it is and have outputs of 0, in both directions: what PyTorch's packed sequences do.
 *
 * Many to one is the carry alone, many to many the outputs; one to many is a `scan` whose carry holds the last output.
 *
 * @param initial - the carry before the first step, `cell.carry(params, [batch])` say
 * @throws ShapeError if lengths or mask do not fit, TreeError, ShapeError or DTypeError if the carry changes its type
 *
 * @example
 * ```ts
 * import { nn, np, random, scan, type Tensor } from 'pullback';
 * const p = { cell: nn.gruCell.init(random.key(0), 3, 8), out: nn.dense.init(random.key(1), 8, 3) };
 * const cell = nn.gruCell(p.cell);
 * const xs = np.ones([2, 5, 3]);
 * const lengths = np.array([5, 2], { dtype: 'int32' });
 * const [last, ys] = nn.recurrence(cell, nn.gruCell.carry(p.cell, [2]), xs, { lengths });
 * console.log(nn.dense(p.out)(last).shape, nn.dense(p.out)(ys).shape); // => [ 2, 3 ] [ 2, 5, 3 ]
 *
 * // One to many: each output is the next input.
 * const next = ([h, x]: readonly [Tensor, Tensor]) => {
 *   const [state, y] = cell(h, x);
 *   const out = nn.dense(p.out)(y);
 *   return [[state, out], out] as const;
 * };
 * const [, generated] = scan((carry: readonly [Tensor, Tensor]) => next(carry), [last, np.zeros([2, 3])], null, { length: 4 });
 * console.log(generated.shape); // => [ 4, 2, 3 ]
 * ```
 */
export function recurrence<C, X, Y>(
  cell: (carry: C, x: X) => readonly [C, Y],
  initial: NoInfer<C>,
  xs: X,
  options: RecurrenceOptions = {},
): [C, Y] {
  const op = 'nn.recurrence';
  expectOptions(op, options, 'reverse', 'lengths', 'mask', 'unroll');
  const [first, ...rest] = leaves(xs);
  if (
    !first ||
    [first, ...rest].some((x) => x.ndim < 2 || x.shape[0] !== first.shape[0] || x.shape[1] !== first.shape[1])
  ) {
    throw new ShapeError({
      op,
      problem: `xs are ${first ? [first, ...rest].map((x) => showAval(x.aval)).join(', ') : 'no tensors'}`,
      remedy: 'give tensors [batch, time, …] of equal batch and time',
    });
  }
  const there = present(op, first.shape[0]!, first.shape[1]!, options);
  const [carry, ys] = along(cell, initial, map(swapped, xs), there, options);
  return [carry, map(swapped, ys)];
}

/** Options of {@link rnn}, {@link lstm} and {@link gru}. */
export interface RecurrentOptions {
  /** The forward direction begins at the last step; default false. */
  readonly reverse?: boolean;
  /** The probability with which outputs between two layers are 0 (the others are scaled up), where a key is given; default 0. */
  readonly dropout?: number;
  /** As in {@link recurrence}. */
  readonly unroll?: number | boolean;
}

/** What a recurrent layer takes beside its input. */
export interface SequenceOptions<C> extends Pick<RecurrenceOptions, 'lengths' | 'mask'> {
  /** The carries to begin with, one tree for each layer; zeros by default. */
  readonly carry?: readonly Directions<C>[];
  /** The key of the dropout; without one nothing is dropped. */
  readonly key?: Key;
}

/** What a recurrent layer returns: `[carry, ys]`, as `scan`. */
export type Sequenced<C, D extends FloatDType> = readonly [carry: readonly Directions<C>[], ys: Value<D>];

/** @throws TreeError unless the parameters are those of layers, one at least */
function expectLayers<P extends AnyParams, C, O>(
  op: string,
  kind: CellKind<P, C, O>,
  params: readonly Directions<P>[],
) {
  if (Array.isArray(params) && params.length > 0 && params.every((layer) => layer && 'forward' in layer)) {
    for (const { forward, backward } of params) {
      expectCell(op, kind, forward);
      if (backward !== undefined) expectCell(op, kind, backward);
    }
    return;
  }
  throw new TreeError({
    op,
    problem: `params are ${describe(params)}, not an array of { forward, backward? }`,
    remedy: `make parameters with ${op}.init(key, inSize, hiddenSize, { layers, bidirectional }); use nn.recurrence for one cell`,
  });
}

function layersOf<P extends AnyParams, C, O extends object>(op: string, kind: CellKind<P, C, O>) {
  return (params: readonly Directions<P>[], options: RecurrentOptions & O) => {
    expectOptions(op, options, 'reverse', 'dropout', 'unroll', ...kind.options);
    expectLayers(op, kind, params);
    const { reverse = false, dropout = 0, unroll = 1 } = options;
    expectRate(op, dropout);
    expectFlag(op, 'reverse', reverse);
    /** One direction of one layer, time first. */
    const run = (p: P, x: Value, initial: C | undefined, there: Value | null, backwards: boolean): [C, Value] => {
      const batch = x.shape[1]!;
      const carry = initial ?? kind.carry(noHidden(p, [batch]));
      expectHidden(op, kind.output(carry), [batch], p);
      const step = (before: C, inputs: Value): readonly [C, Value] => {
        const next = kind.step(p, before, inputs, options);
        return [next, kind.output(next)];
      };
      return along(step, carry, inputsOf(op, p, x), there, { reverse: backwards, unroll });
    };
    return (x: Value, given: SequenceOptions<C> = {}): readonly [readonly Directions<C>[], Value] => {
      expectOptions(op, given, 'carry', 'lengths', 'mask', 'key');
      const input = expectTensor(op, x);
      if (input.ndim !== 3) {
        throw new ShapeError({
          op,
          problem: `input ${showAval(input.aval)} is not [batch, time, features]`,
          remedy: 'give one sequence as a batch of one: np.expandDims(x, 0)',
        });
      }
      if (given.carry !== undefined && given.carry.length !== params.length) {
        throw new TreeError({
          op,
          problem: `${given.carry.length} carries for ${params.length} layers`,
          remedy: 'give the carries that a call returned, or none',
        });
      }
      const there = present(op, input.shape[0]!, input.shape[1]!, given);
      const keys = given.key !== undefined && dropout > 0 ? split(given.key, params.length as number) : null;
      const carries: Directions<C>[] = [];
      let y = swapped(there === null ? input : padded(there, input));
      for (const [i, { forward, backward }] of params.entries()) {
        const initial = given.carry?.[i];
        if (i > 0 && keys !== null) y = dropped(op, keys[i]!, dropout, y);
        const [last, ys] = run(forward, y, initial?.forward, there, reverse);
        if (backward === undefined) {
          carries.push({ forward: last });
          y = ys;
          continue;
        }
        const [first, others] = run(backward, y, initial?.backward, there, !reverse);
        carries.push({ forward: last, backward: first });
        y = np.concatenate([ys, others], -1);
      }
      return [carries, swapped(y)];
    };
  };
}

type Apply<C, D extends FloatDType> = (x: Value<D>, options?: SequenceOptions<C>) => Sequenced<C, D>;

/** Parameters of {@link rnn} and {@link lstm}: a cell for each layer and direction. */
export type RecurrentLayers<D extends FloatDType = 'float32'> = readonly Directions<RecurrentParams<D>>[];

/** Parameters of {@link gru}: a cell for each layer and direction. */
export type GruLayers<D extends FloatDType = 'float32'> = readonly Directions<GruParams<D>>[];

const applyRnn = <D extends FloatDType>(params: RecurrentLayers<D>, options: RecurrentOptions & RnnOptions = {}) =>
  layersOf('nn.rnn', rnnKind)(params, options) as unknown as Apply<Value<D>, D>;

const applyLstm = <D extends FloatDType>(params: RecurrentLayers<D>, options: RecurrentOptions = {}) =>
  layersOf('nn.lstm', lstmKind)(params, options) as unknown as Apply<LstmCarry<D>, D>;

const applyGru = <D extends FloatDType>(params: GruLayers<D>, options: RecurrentOptions & GruOptions = {}) =>
  layersOf('nn.gru', gruKind)(params, options) as unknown as Apply<Value<D>, D>;

const initRnnLayers = (
  key: Key,
  inSize: number,
  hidden: number,
  options: RecurrentInitOptions = {},
): RecurrentLayers => {
  expectOptions('nn.rnn.init', options, 'layers', 'bidirectional');
  return initLayers('nn.rnn.init', key, inSize, hidden, options, initRnn);
};

/**
 * A vanilla RNN over float[batch, time, in]: `[carry, ys]`, the last carry of each layer and the outputs of the last layer,
 * float[batch, time, hidden] (twice hidden if it reads in both directions).
 *
 * Its cell, and what is PyTorch's, is {@link rnnCell}; several layers are each on the outputs of the one before (course notes §5.5).
 * `rnn.init(key, inSize, hiddenSize, { layers, bidirectional })`; `rnn.layer(inSize, hiddenSize, options)` gives ys alone, in {@link serial}.
 *
 * @throws ShapeError for operands that do not fit, TreeError for parameters that are not those of layers
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.rnn.init(random.key(0), 3, 8, { layers: 2 });
 * const [carry, ys] = nn.rnn(params)(np.ones([2, 5, 3]));
 * console.log(carry.map(({ forward }) => forward.shape), ys.shape); // => [ [ 2, 8 ], [ 2, 8 ] ] [ 2, 5, 8 ]
 * ```
 */
export const rnn = Object.assign(applyRnn, {
  init: initRnnLayers,
  layer: sequenceLayer('rnn', applyRnn<'float32'>, initRnnLayers, ['layers', 'bidirectional']),
});

const initLstmLayers = (
  key: Key,
  inSize: number,
  hidden: number,
  options: RecurrentInitOptions & LstmInitOptions = {},
): RecurrentLayers => {
  expectOptions('nn.lstm.init', options, 'layers', 'bidirectional', 'forgetBias');
  const { forgetBias = 1 } = options;
  return initLayers('nn.lstm.init', key, inSize, hidden, options, (k, n, m) => initLstm(k, n, m, { forgetBias }));
};

/**
 * An LSTM over float[batch, time, in]: `[carry, ys]`, the last `{ c, h }` of each layer and the outputs of the last layer.
 *
 * As {@link rnn}, with the cell {@link lstmCell}. Sequences that are shorter than others are read to their `lengths`; those of
 * PyTorch's `pack_padded_sequence`.
 *
 * @throws ShapeError for operands that do not fit, TreeError for parameters that are not those of layers
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.lstm.init(random.key(0), 3, 8, { bidirectional: true });
 * const lengths = np.array([5, 2], { dtype: 'int32' });
 * const [carry, ys] = nn.lstm(params)(np.ones([2, 5, 3]), { lengths });
 * console.log(carry[0]?.backward?.h.shape, ys.shape); // => [ 2, 8 ] [ 2, 5, 16 ]
 * // Many to one: the last hidden states of both directions.
 * const summary = np.concatenate([carry[0]!.forward.h, carry[0]!.backward!.h], -1);
 * console.log(summary.shape); // => [ 2, 16 ]
 * ```
 */
export const lstm = Object.assign(applyLstm, {
  init: initLstmLayers,
  layer: sequenceLayer('lstm', applyLstm<'float32'>, initLstmLayers, ['layers', 'bidirectional', 'forgetBias']),
});

const initGruLayers = (key: Key, inSize: number, hidden: number, options: RecurrentInitOptions = {}): GruLayers => {
  expectOptions('nn.gru.init', options, 'layers', 'bidirectional');
  return initLayers('nn.gru.init', key, inSize, hidden, options, initGru);
};

/**
 * A GRU over float[batch, time, in]: `[carry, ys]`, the last state of each layer and the outputs of the last layer.
 *
 * As {@link rnn}, with the cell {@link gruCell}. The carries go in again where a sequence goes on.
 *
 * @throws ShapeError for operands that do not fit, TreeError for parameters that are not those of layers
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const gru = nn.gru(nn.gru.init(random.key(0), 3, 8));
 * const x = random.normal(random.key(1), [1, 6, 3]);
 * const [, whole] = gru(x);
 * const [carry, head] = gru(np.index(x, [], [0, 4]));
 * const [, tail] = gru(np.index(x, [], [4, 6]), { carry });
 * console.log(np.allclose(np.concatenate([head, tail], 1), whole).item()); // => true
 * ```
 */
export const gru = Object.assign(applyGru, {
  init: initGruLayers,
  layer: sequenceLayer('gru', applyGru<'float32'>, initGruLayers, ['layers', 'bidirectional']),
});
