/**
 * Attention with several heads: projections to queries, keys and values, attention of each head, and a projection back.
 *
 * The heads are axes of the weights, [in, heads, dim], so that the parameters say by themselves how many there are: fewer of keys
 * and values than of queries is grouped-query attention. A cache of keys and values is a value of a size that does not change.
 */

import { makeAval, showAval } from '../core/aval.ts';
import type { DType, FloatDType } from '../core/dtype.ts';
import { ShapeError, TreeError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { Value } from '../core/value.ts';
import { expectTensor } from '../ops/convert.ts';
import { dynamicUpdateSlice } from '../ops/lax-indexing.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { zeros } from '../prim/compose.ts';
import { type Key, split } from '../random/key.ts';
import { expectRate } from './dropout.ts';
import { attentionWeights, dotProductAttention } from './functional/attention.ts';
import { lecunNormal } from './initializers.ts';
import type { Layer } from './layer.ts';
import { type RotaryOptions, rotary } from './positions.ts';

/** A projection to heads. */
export interface HeadsParams<D extends FloatDType = 'float32'> {
  /** float[in, heads, dim]. */
  readonly w: Value<D>;
  /** float[heads, dim]; there may be none. */
  readonly b?: Value<D>;
}

/** Parameters of {@link multiHeadAttention}. */
export interface MultiHeadParams<D extends FloatDType = 'float32'> {
  /** float[size, heads, dim]. */
  readonly query: HeadsParams<D>;
  /** float[keySize, keyHeads, dim]. */
  readonly key: HeadsParams<D>;
  /** float[valueSize, keyHeads, valueDim]. */
  readonly value: HeadsParams<D>;
  /** From heads: w float[heads, valueDim, out], b float[out]. */
  readonly out: HeadsParams<D>;
}

/** Options of `multiHeadAttention.init`. */
export interface MultiHeadInitOptions {
  /** Of keys and values; fewer than heads is grouped-query attention, 1 multi-query. Default as many as heads. */
  readonly keyHeads?: number;
  /** Features of a query or key of one head; default size/heads. */
  readonly headSize?: number;
  /** Features of a value of one head; default `headSize`. */
  readonly valueHeadSize?: number;
  /** Features of what keys are computed of; default `size`. */
  readonly keySize?: number;
  /** Features of what values are computed of; default `keySize`. */
  readonly valueSize?: number;
  /** Features of the result; default `size`. */
  readonly outSize?: number;
  /** Whether the projections have biases; default true. */
  readonly bias?: boolean;
}

/** Options of {@link multiHeadAttention}. */
export interface MultiHeadOptions {
  /** Query t sees the keys 0 to t only; default false. */
  readonly isCausal?: boolean;
  /** Turn queries and keys by their positions ({@link rotary}): `true`, or how. Default false. */
  readonly rotary?: boolean | Omit<RotaryOptions, 'positions'>;
  /** Multiplies the products; default 1/√dim. */
  readonly scale?: number;
  /** The probability with which a weight is 0, where a key is given; default 0. */
  readonly dropout?: number;
}

/** What {@link multiHeadAttention} takes beside its queries. */
export interface AttendOptions<D extends FloatDType = 'float32'> {
  /** What keys are computed of: float[..., keys, keySize]; the queries' input by default (self-attention). */
  readonly keys?: Value<D>;
  /** What values are computed of: float[..., keys, valueSize]; what the keys are computed of by default. */
  readonly values?: Value<D>;
  /** Which keys a query sees: bool, broadcasts to [batch, heads, queries, keys]. */
  readonly mask?: Tensor<'bool'>;
  /** Added to the scaled products: broadcasts to [batch, heads, queries, keys]. */
  readonly bias?: Tensor<DType>;
  /** The key of the dropout; without one nothing is dropped. */
  readonly dropoutKey?: Key;
}

/** Keys and values of the positions that were seen, in memory for `length` of them. */
export interface KvCache<D extends FloatDType = 'float32'> {
  /** float[batch, length, keyHeads, dim]. */
  readonly keys: Value<D>;
  /** float[batch, length, keyHeads, valueDim]. */
  readonly values: Value<D>;
  /** How many positions were seen: int32[]. */
  readonly index: Value<'int32'>;
}

const name = 'nn.multiHeadAttention';
const makeThem = `make parameters with ${name}.init(key, size, heads): { query, key, value, out }`;

/** @throws TreeError or ShapeError unless these are parameters of an attention */
export function expectMultiHead(op: string, params: MultiHeadParams<FloatDType>): void {
  for (const part of ['query', 'key', 'value', 'out'] as const) {
    const w: unknown = params?.[part]?.w;
    if (w instanceof Value && w.ndim === 3) continue;
    const problem = `params.${part}.w is ${describe(w)}, not a tensor of three axes`;
    throw new TreeError({ op, problem, remedy: makeThem });
  }
  const { query, key, value, out } = params;
  const [[, heads, dim], [, keyHeads, keyDim], [, valueHeads, valueDim]] = [query, key, value].map(
    (p) => p.w.shape,
  ) as [number[], number[], number[]];
  const fits =
    dim === keyDim &&
    keyHeads === valueHeads &&
    keyHeads! > 0 &&
    heads! % keyHeads! === 0 &&
    out.w.shape[0] === heads &&
    out.w.shape[1] === valueDim &&
    [query, key, value].every(({ w, b }) => b === undefined || (b.ndim === 2 && b.size === sizeOf(w.shape.slice(1)))) &&
    (out.b === undefined || (out.b.ndim === 1 && out.b.shape[0] === out.w.shape[2]));
  if (fits) return;
  const shown = Object.entries({ query, key, value, out }).map(([part, { w }]) => `${part} ${showAval(w.aval)}`);
  throw new ShapeError({ op, problem: `${shown.join(', ')} do not make an attention`, remedy: makeThem });
}

/** @throws ShapeError unless `x` is [..., length, in] for weights [in, heads, dim] */
function expectInput(op: string, what: string, { w }: HeadsParams<FloatDType>, x: Value): void {
  const size = w.shape[0]!;
  if (expectTensor(op, x).ndim >= 2 && x.shape.at(-1) === size) return;
  throw new ShapeError({
    op,
    problem: `${what} ${showAval(x.aval)} do not fit weights ${showAval(w.aval)}`,
    remedy: `give [..., length, ${size}]`,
  });
}

/** x·w + b by heads: [..., in] → [..., heads, dim], as one product of matrices. */
function toHeads(op: string, what: string, heading: HeadsParams<FloatDType>, x: Value): Value {
  expectInput(op, what, heading, x);
  const { w, b } = heading;
  const [size, heads, dim] = w.shape as unknown as [number, number, number];
  const y = np.matmul(x, np.reshape(w, [size, heads * dim])) as Value;
  const sum = b === undefined ? y : np.add(y, np.reshape(b, [heads * dim]));
  return np.reshape(sum, [...x.shape.slice(0, -1), heads, dim]) as Value;
}

/** [..., heads, dim] → [..., out]. */
function fromHeads({ w, b }: HeadsParams<FloatDType>, x: Value): Value {
  const [heads, dim, size] = w.shape as unknown as [number, number, number];
  const whole = np.reshape(x, [...x.shape.slice(0, -2), heads * dim]);
  const y = np.matmul(whole, np.reshape(w, [heads * dim, size])) as Value;
  return b === undefined ? y : (np.add(y, b) as Value);
}

/** Queries or keys turned, if they are to be, at positions from `offset` on. */
function turned(x: Value, { rotary: how = false }: MultiHeadOptions, offset: Value | number): Value {
  if (how === false) return x;
  const positions = np.add(np.arange(x.shape.at(-3)!), offset) as Value<'int32'>;
  return rotary(x as Value<FloatDType>, { ...(how === true ? {} : how), positions });
}

/** Keys and values by heads. */
export interface Memory {
  readonly keys: Value;
  readonly values: Value;
}

/** Keys and values of what is attended to. */
export function memoryOf(
  op: string,
  params: MultiHeadParams<FloatDType>,
  keys: Value,
  values: Value,
  options: MultiHeadOptions,
  offset: Value | number = 0,
): Memory {
  return {
    keys: turned(toHeads(op, 'keys', params.key, keys), options, offset),
    values: toHeads(op, 'values', params.value, values),
  };
}

/** Options without those that are undefined. */
const given = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, x]) => x !== undefined)) as T;

/** The result for queries of `x` that attend to a memory. */
export function attend(
  op: string,
  params: MultiHeadParams<FloatDType>,
  x: Value,
  { keys, values }: Memory,
  options: MultiHeadOptions,
  call: Pick<AttendOptions, 'mask' | 'bias' | 'dropoutKey'>,
  offset: Value | number = 0,
): Value {
  const queries = turned(toHeads(op, 'queries', params.query, x), options, offset);
  const { isCausal, scale, dropout } = options;
  const { mask, bias, dropoutKey } = call;
  const how = given({ isCausal, scale, dropout, mask, bias, dropoutKey }) as object;
  return fromHeads(params.out, dotProductAttention(queries, keys, values, how) as Value);
}

/** @throws DTypeError for options that there are not */
function expectHow(op: string, options: MultiHeadOptions): void {
  expectOptions(op, options, 'isCausal', 'rotary', 'scale', 'dropout');
  expectRate(op, options.dropout ?? 0);
}

const apply = <D extends FloatDType>(params: MultiHeadParams<D>, options: MultiHeadOptions = {}) => {
  expectHow(name, options);
  expectMultiHead(name, params);
  return (x: Value<D>, call: AttendOptions<D> = {}): Value<D> => {
    expectOptions(name, call, 'keys', 'values', 'mask', 'bias', 'dropoutKey');
    const { keys = x, values = keys } = call;
    expectInput(name, 'queries', params.query, x);
    return attend(name, params, x, memoryOf(name, params, keys, values, options), options, call) as Value<D>;
  };
};

/** An empty cache for `batch` sequences of up to `length` positions. */
export function emptyCache(params: MultiHeadParams<FloatDType>, batch: number, length: number): KvCache<FloatDType> {
  const room = ({ w }: HeadsParams<FloatDType>): Value<FloatDType> =>
    zeros(makeAval([batch, length, w.shape[1]!, w.shape[2]!], w.dtype)) as Value<FloatDType>;
  const index = zeros(makeAval([], 'int32')) as Value<'int32'>;
  return { keys: room(params.key), values: room(params.value), index };
}

/** Queries of positions behind those of a cache, and the cache with their keys and values. */
export function attendCached(
  op: string,
  params: MultiHeadParams<FloatDType>,
  x: Value,
  cache: KvCache<FloatDType>,
  options: MultiHeadOptions,
  mask: Value | undefined,
): readonly [Value, KvCache<FloatDType>] {
  if (expectTensor(op, x).ndim !== 3 || x.shape[0] !== cache.keys.shape[0] || x.shape[1]! > cache.keys.shape[1]!) {
    throw new ShapeError({
      op,
      problem: `${showAval(x.aval)} does not fit the cache ${showAval(cache.keys.aval)}`,
      remedy: 'give [batch, time, size] with the batch of the cache and no more steps than it has room for',
    });
  }
  const { index } = cache;
  const [time, length] = [x.shape[1]!, cache.keys.shape[1]!];
  const fresh = memoryOf(op, params, x, x, options, index);
  const write = (room: Value, part: Value): Value => dynamicUpdateSlice(room, part, [0, index, 0, 0]) as Value;
  const memory = { keys: write(cache.keys, fresh.keys), values: write(cache.values, fresh.values) };
  const positions = np.expandDims(np.add(np.arange(time), index), -1);
  const seen = np.lessEqual(np.arange(length), positions) as Value<'bool'>;
  const visible = mask === undefined ? seen : (np.logicalAnd(seen, mask) as Value<'bool'>);
  const y = attend(op, params, x, memory, { ...options, isCausal: false }, { mask: visible }, index);
  const next = np.add(index, time) as Value<'int32'>;
  // Where there is no room, positions would be written over others.
  const sound = np.where(np.lessEqual(next, length), y, Number.NaN) as Value;
  const written = memory as { readonly keys: Value<FloatDType>; readonly values: Value<FloatDType> };
  return [sound, { ...written, index: next }];
}

const init = (key: Key, size: number, heads: number, options: MultiHeadInitOptions = {}): MultiHeadParams => {
  const op = `${name}.init`;
  expectOptions(op, options, 'keyHeads', 'headSize', 'valueHeadSize', 'keySize', 'valueSize', 'outSize', 'bias');
  const wrong = (problem: string, remedy: string): ShapeError => new ShapeError({ op, problem, remedy });
  const { keyHeads = heads, headSize = size / heads, keySize = size, outSize = size, bias = true } = options;
  if (!Number.isSafeInteger(heads) || heads < 1) throw wrong(`heads is ${describe(heads)}`, 'give a positive integer');
  if (!Number.isSafeInteger(headSize) || headSize < 1) {
    throw wrong(`${size} features do not divide into ${heads} heads`, 'use a multiple, or give { headSize }');
  }
  if (!Number.isSafeInteger(keyHeads) || keyHeads < 1 || heads % keyHeads !== 0) {
    throw wrong(`${heads} heads do not divide into ${describe(keyHeads)} groups`, 'let keyHeads divide heads');
  }
  const { valueHeadSize = headSize, valueSize = keySize } = options;
  const [forQuery, forKey, forValue, forOut] = split(key, 4);
  const heading = (k: Key, from: number, n: number, dim: number): HeadsParams => ({
    w: np.reshape(lecunNormal(k, [from, n * dim]), [from, n, dim]) as Value<'float32'>,
    ...(bias ? { b: np.zeros([n, dim]) } : {}),
  });
  return {
    query: heading(forQuery, size, heads, headSize),
    key: heading(forKey, keySize, keyHeads, headSize),
    value: heading(forValue, valueSize, keyHeads, valueHeadSize),
    out: {
      w: np.reshape(lecunNormal(forOut, [heads * valueHeadSize, outSize]), [
        heads,
        valueHeadSize,
        outSize,
      ]) as Value<'float32'>,
      ...(bias ? { b: np.zeros([outSize]) } : {}),
    },
  };
};

/**
 * Multi-head attention: queries, keys and values are projected to heads, each head attends by itself
 * ({@link functional.dotProductAttention}), and what the heads have seen is projected back. float[..., length, size] → the same.
 *
 * Alone it is self-attention; `{ keys }` are what a cross-attention sees, `{ values }` what is summed in their stead.
 * `multiHeadAttention.init(key, size, heads, { keyHeads, headSize, … })` draws by {@link lecunNormal}, biases are 0.
 * PyTorch's `in_proj_weight` are the three w, transposed, one below the other, with the heads in the columns: the first w is
 * `reshape(in_proj_weight[:size]ᵀ, [size, heads, dim])`; `out_proj.weight` is `reshape(out.w, [size, out])ᵀ`.
 *
 * The projection comes before the splitting into heads, so that each head sees all features. In the course notes (§6.5.4) each
 * head gets a chunk of the input: that is this with weights of 0 between the features of one chunk and the heads of others.
 *
 * - `multiHeadAttention.layer(size, heads, options)`: self-attention as a configured layer, for composition.
 * - `multiHeadAttention.weights(params, options)(x, { keys, mask })`: what the heads look at, [batch, heads, queries, keys].
 * - `multiHeadAttention.cache(params, batch, length)` and `multiHeadAttention.decode(params, options)(x, cache) → [y, cache]`: a
 *   sequence read in pieces of any length. Law: the pieces together are the causal attention of the whole. Where more than `length`
 *   positions come the result is NaN.
 *
 * A. Vaswani et al., "Attention is all you need" (2017); J. Ainslie et al., "GQA" (2023) for fewer heads of keys.
 *
 * @throws ShapeError for operands that do not fit, TreeError for parameters that are not `{ query, key, value, out }`
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.multiHeadAttention.init(random.key(0), 8, 4, { keyHeads: 2 });
 * const x = random.normal(random.key(1), [2, 5, 8]);
 * const whole = nn.multiHeadAttention(params, { isCausal: true })(x);
 *
 * const decode = nn.multiHeadAttention.decode(params);
 * const [head, cache] = decode(np.index(x, [], [0, 3]), nn.multiHeadAttention.cache(params, 2, 16));
 * const [tail] = decode(np.index(x, [], [3, 5]), cache);
 * console.log(np.allclose(np.concatenate([head, tail], 1), whole, { atol: 1e-5 }).item()); // => true
 * ```
 */
export const multiHeadAttention = Object.assign(apply, {
  init,
  /** Self-attention as a configured layer: `{ init(key), apply(params) }`. */
  layer: (
    size: number,
    heads: number,
    options: MultiHeadInitOptions & MultiHeadOptions = {},
  ): Layer<MultiHeadParams, Tensor, Tensor> => {
    const { isCausal, rotary: turns, scale, dropout, ...sizes } = options;
    const how = given({ isCausal, rotary: turns, scale, dropout }) as MultiHeadOptions;
    return {
      name: 'multiHeadAttention',
      init: (key: Key): MultiHeadParams => init(key, size, heads, sizes),
      apply: (params: MultiHeadParams) => apply(params, how),
    };
  },
  weights: <D extends FloatDType>(params: MultiHeadParams<D>, options: MultiHeadOptions = {}) => {
    const op = `${name}.weights`;
    expectHow(op, options);
    expectMultiHead(op, params);
    return (x: Value<D>, call: Pick<AttendOptions<D>, 'keys' | 'mask' | 'bias'> = {}): Value<D> => {
      expectOptions(op, call, 'keys', 'mask', 'bias');
      const { keys = x, mask, bias } = call;
      const queries = turned(toHeads(op, 'queries', params.query, x), options, 0);
      const { isCausal, scale } = options;
      const seen = turned(toHeads(op, 'keys', params.key, keys), options, 0);
      return attentionWeights(queries, seen, given({ isCausal, scale, mask, bias }) as object) as Value<D>;
    };
  },
  cache: <D extends FloatDType>(params: MultiHeadParams<D>, batch: number, length: number): KvCache<D> => {
    expectMultiHead(`${name}.cache`, params);
    return emptyCache(params, batch, length) as unknown as KvCache<D>;
  },
  decode: <D extends FloatDType>(
    params: MultiHeadParams<D>,
    options: Omit<MultiHeadOptions, 'isCausal' | 'dropout'> = {},
  ) => {
    const op = `${name}.decode`;
    expectOptions(op, options, 'rotary', 'scale');
    expectMultiHead(op, params);
    return (
      x: Value<D>,
      cache: KvCache<D>,
      call: { readonly mask?: Tensor<'bool'> } = {},
    ): readonly [Value<D>, KvCache<D>] => {
      expectOptions(op, call, 'mask');
      const before = cache as unknown as KvCache<FloatDType>;
      return attendCached(op, params, x, before, options, call.mask) as unknown as readonly [Value<D>, KvCache<D>];
    };
  },
});

/**
 * The mask of padded sequences, bool[batch, 1, 1, keys]: true at the first `lengths[b]` keys, for `{ mask }` of an attention.
 *
 * @param lengths - int32[batch]
 * @throws ShapeError unless the lengths have one axis
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const mask = nn.paddingMask(np.array([1, 3], { dtype: 'int32' }), 3);
 * console.log(np.reshape(mask, [2, 3]).toArray()); // => [ [ true, false, false ], [ true, true, true ] ]
 * ```
 */
export function paddingMask(lengths: Tensor<'int32'>, keys: number): Tensor<'bool'> {
  const op = 'nn.paddingMask';
  if (expectTensor(op, lengths).ndim !== 1) {
    throw new ShapeError({ op, problem: `lengths are ${showAval(lengths.aval)}`, remedy: 'give int32[batch]' });
  }
  return np.less(np.arange(keys), np.reshape(lengths, [lengths.shape[0]!, 1, 1, 1])) as Tensor<'bool'>;
}
