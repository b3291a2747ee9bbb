/**
 * Recurrent cells: one step of a vanilla RNN, of an LSTM, of a GRU.
 *
 * A cell is `params => (carry, x) => [carry, y]`, as `scan` wants it. What depends on the input alone, x·wx + b, is a function by
 * itself (`inputs`), so that the layers compute it for all steps as one product. The gates lie side by side in the columns of
 * the weights, in the order of PyTorch.
 */

import { makeAval, showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { DTypeError, ShapeError, TreeError } from '../core/errors.ts';
import { range, sameShape } from '../core/shape.ts';
import { Value } from '../core/value.ts';
import { toValue } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { zeros } from '../prim/compose.ts';
import { logistic, tanh } from '../prim/math.ts';
import { sliceAxis } from '../prim/structural.ts';
import { orthogonal } from '../random/gaussian.ts';
import { type Key, split } from '../random/key.ts';
import { relu } from './activations.ts';
import { lecunNormal } from './initializers.ts';

/** Parameters of a vanilla RNN and of an LSTM, whose four gates i, f, g, o lie side by side. */
export interface RecurrentParams<D extends FloatDType = 'float32'> {
  /** float[in, gates·hidden]: multiplies the input. */
  readonly wx: Value<D>;
  /** float[hidden, gates·hidden]: multiplies the hidden state. */
  readonly wh: Value<D>;
  /** float[gates·hidden]: the sum of PyTorch's `bias_ih` and `bias_hh`, which are never told apart. */
  readonly b: Value<D>;
}

/** Parameters of a GRU, whose gates r, z, n lie side by side. */
export interface GruParams<D extends FloatDType = 'float32'> extends RecurrentParams<D> {
  /** float[hidden]: the bias of n beside the hidden state, inside of the reset gate: the last third of PyTorch's `bias_hh`. */
  readonly bn: Value<D>;
}

/** What an LSTM carries from step to step. */
export interface LstmCarry<D extends FloatDType = 'float32'> {
  /** The cell state: float[...batch, hidden]. */
  readonly c: Value<D>;
  /** The hidden state, which is the output: float[...batch, hidden]. */
  readonly h: Value<D>;
}

/** Options of {@link rnnCell}. */
export interface RnnOptions {
  /** Of the hidden state; default `tanh`. */
  readonly activation?: 'tanh' | 'relu';
}

/** Options of {@link gruCell}. */
export interface GruOptions {
  /**
   * Whether the reset gate multiplies h·wh + bn (default, as PyTorch and cuDNN have it) or h itself, before the product (K. Cho et
   * al. 2014).
   */
  readonly resetAfter?: boolean;
}

/** Options of `lstmCell.init`. */
export interface LstmInitOptions {
  /** The bias of the forget gate: 1 (default) lets memory persist at the beginning, as in Keras; in PyTorch it is about 0. */
  readonly forgetBias?: number;
}

/** A kind of cell, as cells and layers are made of it; `op` is the function that errors name. */
export interface CellKind<P, C, O> {
  readonly name: string;
  readonly gates: number;
  /** The names of the parameters, each with its number of axes. */
  readonly parts: Readonly<Record<string, number>>;
  /** The names of the options. */
  readonly options: readonly string[];
  readonly step: (params: P, carry: C, inputs: Value, options: O) => C;
  readonly output: (carry: C) => Value;
  /** The carry whose hidden state is `h`, and all else 0. */
  readonly carry: (h: Value) => C;
}

/** Those parameters that every kind has, of any dtype. */
export type AnyParams = RecurrentParams<FloatDType>;

/** Length of the hidden state. */
export const hiddenSize = ({ wh }: AnyParams): number => wh.shape[0]!;

/** @throws TreeError, ShapeError or DTypeError unless these are parameters of a cell of this kind */
export function expectCell<P extends AnyParams, C, O>(op: string, kind: CellKind<P, C, O>, given: P): void {
  const names = Object.keys(kind.parts);
  const params = (given ?? {}) as unknown as Readonly<Record<string, unknown>>;
  const remedy = `make parameters with nn.${kind.name}.init(key, inSize, hiddenSize): { ${names.join(', ')} }`;
  for (const name of names) {
    const part = params[name];
    if (part instanceof Value) continue;
    throw new TreeError({ op, problem: `params.${name} is ${describe(part)}, not a tensor`, remedy });
  }
  const { wx, wh, b } = given;
  const hidden = wh.ndim === 2 ? wh.shape[0]! : -1;
  const fits =
    names.every((name) => (params[name] as Value).ndim === kind.parts[name]) &&
    [wx.shape[1], wh.shape[1], b.shape[0]].every((n) => n === kind.gates * hidden) &&
    (!('bn' in params) || (params['bn'] as Value).shape[0] === hidden);
  if (fits) return;
  const shown = names.map((name) => `${name} ${showAval((params[name] as Value).aval)}`).join(', ');
  throw new ShapeError({ op, problem: `${shown} do not make a cell`, remedy });
}

/** x·wx + b: what a step needs of its input. @throws ShapeError if the last axis does not fit */
export function inputsOf(op: string, { wx, b }: AnyParams, given: Value): Value {
  const x = toValue(op, given);
  if (x.ndim > 0 && x.shape.at(-1) === wx.shape[0]) return np.add(np.matmul(x, wx), b);
  throw new ShapeError({
    op,
    problem: `input ${showAval(x.aval)} does not fit wx ${showAval(wx.aval)}`,
    remedy: `the last axis of the input must have length ${wx.shape[0]}`,
  });
}

/** @throws ShapeError unless the hidden state of a carry is [...batch, hidden] */
export function expectHidden(op: string, h: unknown, batch: readonly number[], params: AnyParams): void {
  const wanted = [...batch, hiddenSize(params)];
  if (h instanceof Value && sameShape(h.shape, wanted)) return;
  throw new ShapeError({
    op,
    problem: `the carry is ${describe(h)}, expected float[${wanted.join(',')}]`,
    remedy: 'begin with zeros: the cell’s `carry(params, batchShape)`',
  });
}

/** Zeros of the shape [...batch, hidden] in the dtype of the parameters. */
export const noHidden = (params: AnyParams, batch: readonly number[]): Value =>
  zeros(makeAval([...batch, hiddenSize(params)], params.wh.dtype));

/** The cell of a kind. */
export const cellOf =
  <P extends AnyParams, C, O extends object>(kind: CellKind<P, C, O>) =>
  (params: P, options: O): ((carry: C, x: Value) => readonly [C, Value]) => {
    const op = `nn.${kind.name}`;
    expectOptions(op, options, ...kind.options);
    expectCell(op, kind, params);
    return (carry, x) => {
      const inputs = inputsOf(op, params, x);
      expectHidden(op, kind.output(carry), inputs.shape.slice(0, -1), params);
      const next = kind.step(params, carry, inputs, options);
      return [next, kind.output(next)];
    };
  };

/** wx by {@link lecunNormal}, an orthogonal block of wh for each gate, b = 0. */
function initOf(key: Key, inSize: number, hidden: number, gates: number): RecurrentParams {
  const [forInput, forHidden] = split(key);
  const blocks = orthogonal(forHidden, hidden, [gates]);
  return {
    wx: lecunNormal(forInput, [inSize, gates * hidden]),
    wh: np.reshape(np.moveaxis(blocks, 0, 1), [hidden, gates * hidden]) as Value<'float32'>,
    b: zeros(makeAval([gates * hidden], 'float32')) as Value<'float32'>,
  };
}

const common = { wx: 2, wh: 2, b: 1 } as const;

/** The parts of length `hidden` of the last axis, in their order. */
const parts = (x: Value, hidden: number): readonly Value[] =>
  range(x.shape.at(-1)! / hidden).map((k) => sliceAxis(x, x.ndim - 1, k * hidden, (k + 1) * hidden));

export const rnnKind: CellKind<AnyParams, Value, RnnOptions> = {
  name: 'rnnCell',
  gates: 1,
  parts: common,
  options: ['activation'],
  step(params, h, inputs, { activation = 'tanh' }) {
    const sum = np.add(inputs, np.matmul(h, params.wh)) as Value;
    if (activation === 'tanh') return tanh(sum);
    if (activation === 'relu') return relu(sum);
    throw new DTypeError({
      op: 'nn.rnnCell',
      problem: `there is no activation ${describe(activation)}`,
      remedy: "use 'tanh' or 'relu'",
    });
  },
  output: (h) => h,
  carry: (h) => h,
};

export const lstmKind: CellKind<AnyParams, LstmCarry<FloatDType>, object> = {
  name: 'lstmCell',
  gates: 4,
  parts: common,
  options: [],
  step(params, { c, h }, inputs) {
    const gates = np.add(inputs, np.matmul(h, params.wh)) as Value;
    const [i, f, g, o] = parts(gates, hiddenSize(params)) as [Value, Value, Value, Value];
    const next = np.add(np.mul(logistic(f), c), np.mul(logistic(i), tanh(g))) as Value<FloatDType>;
    return { c: next, h: np.mul(logistic(o), tanh(next)) as Value<FloatDType> };
  },
  output: (carry) => carry?.h,
  carry: (h) => ({ c: np.zerosLike(h) as Value<FloatDType>, h: h as Value<FloatDType> }),
};

export const gruKind: CellKind<GruParams<FloatDType>, Value, GruOptions> = {
  name: 'gruCell',
  gates: 3,
  parts: { ...common, bn: 1 },
  options: ['resetAfter'],
  step({ wh, bn }, h, inputs, { resetAfter = true }) {
    const hidden = wh.shape[0]!;
    const ofInput = parts(inputs, hidden);
    const gates = np.matmul(h, resetAfter ? wh : sliceAxis(wh, 1, 0, 2 * hidden)) as Value;
    const ofHidden = parts(gates, hidden);
    const r = logistic(np.add(ofInput[0]!, ofHidden[0]!) as Value);
    const z = logistic(np.add(ofInput[1]!, ofHidden[1]!) as Value);
    const recalled = resetAfter
      ? np.mul(r, np.add(ofHidden[2]!, bn))
      : np.add(np.matmul(np.mul(r, h), sliceAxis(wh, 1, 2 * hidden, 3 * hidden)), bn);
    const n = tanh(np.add(ofInput[2]!, recalled) as Value);
    // (1 − z)·n + z·h
    return np.add(n, np.mul(z, np.sub(h, n))) as Value;
  },
  output: (h) => h,
  carry: (h) => h,
};

/** A carry of zeros in the dtype of the parameters. */
const zeroCarry =
  <P extends AnyParams, C, O>(kind: CellKind<P, C, O>) =>
  (params: P, batchShape: readonly number[] = []): C => {
    expectCell(`nn.${kind.name}`, kind, params);
    return kind.carry(noHidden(params, batchShape));
  };

type Step<C, D extends FloatDType> = (carry: C, x: Value<D>) => readonly [C, Value<D>];

const applyRnn = <D extends FloatDType>(params: RecurrentParams<D>, options: RnnOptions = {}) =>
  cellOf(rnnKind)(params, options) as unknown as Step<Value<D>, D>;

const applyLstm = <D extends FloatDType>(params: RecurrentParams<D>) =>
  cellOf(lstmKind)(params, {}) as unknown as Step<LstmCarry<D>, D>;

const applyGru = <D extends FloatDType>(params: GruParams<D>, options: GruOptions = {}) =>
  cellOf(gruKind)(params, options) as unknown as Step<Value<D>, D>;

/** Parameters of {@link rnnCell}: wx by {@link lecunNormal}, wh orthogonal, b = 0. */
export const initRnn = (key: Key, inSize: number, hidden: number): RecurrentParams => initOf(key, inSize, hidden, 1);

/** Parameters of {@link lstmCell}. */
export function initLstm(key: Key, inSize: number, hidden: number, options: LstmInitOptions = {}): RecurrentParams {
  expectOptions('nn.lstmCell.init', options, 'forgetBias');
  const { forgetBias = 1 } = options;
  const forget = np.astype(np.equal(np.floor(np.div(np.arange(4 * hidden), hidden)), 1), 'float32');
  return { ...initOf(key, inSize, hidden, 4), b: np.mul(forget, forgetBias) };
}

/** Parameters of {@link gruCell}. */
export const initGru = (key: Key, inSize: number, hidden: number): GruParams => ({
  ...initOf(key, inSize, hidden, 3),
  bn: np.zeros([hidden]),
});

/**
 * A step of a vanilla RNN: h′ = tanh(x·wx + h·wh + b), which is carry and output; x float[...batch, in], h float[...batch, hidden].
 *
 * PyTorch's RNNCell has `wx = weight_ihᵀ`, `wh = weight_hhᵀ` and two biases whose sum is b. The output of the course notes (§5.2),
 * y = W_y·h, is a {@link dense} layer after it. `rnnCell.init(key, inSize, hiddenSize)` draws wx by {@link lecunNormal} and an
 * orthogonal wh, b is 0; `rnnCell.carry(params, batchShape)` is a state of zeros.
 *
 * @throws ShapeError for an input or a carry that does not fit, TreeError for parameters that are not `{ wx, wh, b }`
 *
 * @example
 * ```ts
 * import { nn, np, random, scan } from 'pullback';
 * const params = nn.rnnCell.init(random.key(0), 3, 8);
 * const xs = np.ones([5, 3]); // five steps
 * const [last, hs] = scan(nn.rnnCell(params), nn.rnnCell.carry(params), xs);
 * console.log(last.shape, hs.shape); // => [ 8 ] [ 5, 8 ]
 * ```
 */
export const rnnCell = Object.assign(applyRnn, {
  init: initRnn,
  carry: zeroCarry(rnnKind) as <D extends FloatDType>(
    p: RecurrentParams<D>,
    batchShape?: readonly number[],
  ) => Value<D>,
});

/**
 * A step of a long short-term memory: with i, f, o = σ(…) and g = tanh(…), the four parts of x·wx + h·wh + b in the order i, f, g, o,
 * c′ = f·c + i·g and h′ = o·tanh(c′). It carries `{ c, h }`; its output is h′.
 *
 * The order is PyTorch's (`wx = weight_ihᵀ`, `wh = weight_hhᵀ`, b the sum of both biases); the course notes (§5.4.1) have i, f, o, g.
 * `lstmCell.init(key, inSize, hiddenSize, { forgetBias })` is as that of {@link rnnCell}, with a bias of 1 at the forget gate.
 *
 * S. Hochreiter, J. Schmidhuber, "Long short-term memory" (1997); R. Jozefowicz et al., "An empirical exploration of recurrent
 * network architectures" (2015) for the forget bias.
 *
 * @throws ShapeError for an input or a carry that does not fit, TreeError for parameters that are not `{ wx, wh, b }`
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.lstmCell.init(random.key(0), 3, 8);
 * const [{ c, h }, y] = nn.lstmCell(params)(nn.lstmCell.carry(params, [2]), np.ones([2, 3]));
 * console.log(c.shape, h === y); // => [ 2, 8 ] true
 * ```
 */
export const lstmCell = Object.assign(applyLstm, {
  init: initLstm,
  carry: zeroCarry(lstmKind) as <D extends FloatDType>(
    p: RecurrentParams<D>,
    batchShape?: readonly number[],
  ) => LstmCarry<D>,
});

/**
 * A step of a gated recurrent unit: r and z = σ(…), n = tanh(x·wx + b + r·(h·wh + bn)) in their columns, h′ = (1 − z)·n + z·h.
 *
 * The columns lie in the order r, z, n, as PyTorch's, whose `bias_ih + bias_hh` are b for r and z; for n, b is `bias_ih` and bn is
 * `bias_hh`. With `{ resetAfter: false }`, n = tanh(x·wx + b + (r·h)·wh + bn), as first published.
 *
 * K. Cho et al., "Learning phrase representations using RNN encoder–decoder for statistical machine translation" (2014).
 *
 * @throws ShapeError for an input or a carry that does not fit, TreeError for parameters that are not `{ wx, wh, b, bn }`
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.gruCell.init(random.key(0), 3, 8);
 * const [h] = nn.gruCell(params)(nn.gruCell.carry(params), np.ones([3]));
 * console.log(h.shape); // => [ 8 ]
 * ```
 */
export const gruCell = Object.assign(applyGru, {
  init: initGru,
  carry: zeroCarry(gruKind) as <D extends FloatDType>(p: GruParams<D>, batchShape?: readonly number[]) => Value<D>,
});
