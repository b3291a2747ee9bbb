/** Attention and embedding: rows of tables that are chosen, softly and exactly. */

import { makeAval, showAval } from '../../core/aval.ts';
import { type DType, isInteger } from '../../core/dtype.ts';
import { DTypeError, ShapeError } from '../../core/errors.ts';
import { type Shape, sameShape } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { broadcastShapes, expectTensor, promoted, toFloat } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { DTypeOf, Floated, Tensor } from '../../ops/types.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { stopGradientOf } from '../../prim/identity.ts';
import type { Key } from '../../random/key.ts';
import { dropped } from '../dropout.ts';
import { softmax } from '../softmax.ts';

/** Options of {@link attentionWeights}. */
export interface AttentionWeightsOptions {
  /** Added to the scaled products: broadcasts to [batch, heads, queries, keys]. */
  readonly bias?: Tensor<DType>;
  /** Which keys a query sees: bool, broadcasts to [batch, heads, queries, keys]. */
  readonly mask?: Tensor<'bool'>;
  /** Query t sees the keys 0 to t only; default false. */
  readonly isCausal?: boolean;
  /** Multiplies the products; default 1/√dim. */
  readonly scale?: number;
}

/** Options of {@link dotProductAttention}. */
export interface AttentionOptions extends AttentionWeightsOptions {
  /** The probability with which a weight is 0, the others scaled up, where there is a key; default 0. */
  readonly dropout?: number;
  /** The key of the dropout; without one nothing is dropped. */
  readonly dropoutKey?: Key;
}

/** Large enough that its exponential is 0 beside any other, finite so that differences are no NaN (JAX: −0.7·max). */
const masked = { float32: -0.7 * 3.4028234663852886e38, float64: -0.7 * Number.MAX_VALUE } as const;

/** `x`, which must broadcast to `shape`. @throws ShapeError if it does not */
function fitting(op: string, what: string, x: Value, shape: Shape, lengths: string): Value {
  const met = broadcastShapes(op, [makeAval(shape, x.dtype), x.aval]);
  if (sameShape(met, shape)) return x;
  throw new ShapeError({
    op,
    problem: `the ${what} ${showAval(x.aval)} does not broadcast to [${shape.join(',')}]`,
    remedy: `give lengths of ${lengths}, or 1`,
  });
}

/**
 * The logits where the mask is true, elsewhere numbers whose softmax is 0; where it is true nowhere they are all alike.
 *
 * @throws DTypeError for a mask that is not bool, ShapeError for one that does not broadcast to the logits
 */
export function hidden(op: string, logits: Value, mask: Value | undefined, lengths: string): Value {
  if (mask === undefined) return logits;
  if (mask.dtype !== 'bool') {
    throw new DTypeError({
      op,
      problem: `the mask ${showAval(mask.aval)} is not bool`,
      remedy: 'compare first, or give what is added as bias',
    });
  }
  const seen = fitting(op, 'mask', mask, logits.shape, lengths);
  return np.where(seen, logits, masked[logits.dtype as keyof typeof masked]) as Value;
}

/** Sizes of an attention, and query and key with an axis of batches. */
interface Sizes {
  readonly batch: number;
  readonly queries: number;
  readonly heads: number;
  readonly keys: number;
  readonly keyHeads: number;
}

const sizesOf = (q: Value, k: Value): Sizes => {
  const [queries, heads] = q.shape.slice(-3) as [number, number];
  const [keys, keyHeads] = k.shape.slice(-3) as [number, number];
  return { batch: q.ndim === 3 ? 1 : q.shape[0]!, queries, heads, keys, keyHeads };
};

/** @throws ShapeError unless queries, keys and, where there are, values fit */
function expectFit(op: string, q: Value, k: Value, v?: Value): void {
  const fits =
    (q.ndim === 3 || q.ndim === 4) &&
    k.ndim === q.ndim &&
    k.shape.at(-1) === q.shape.at(-1) &&
    k.shape.at(-2)! > 0 &&
    q.shape.at(-2)! % k.shape.at(-2)! === 0 &&
    (q.ndim === 3 || q.shape[0] === k.shape[0]) &&
    (v === undefined || (v.ndim === q.ndim && k.shape.slice(0, -1).every((n, i) => n === v.shape[i])));
  if (fits) return;
  const [shown, remedy] = v
    ? [
        `query ${showAval(q.aval)}, key ${showAval(k.aval)} and value ${showAval(v.aval)}`,
        'give [batch, queries, heads, dim] and twice [batch, keys, keyHeads, dim], all with or all without batch',
      ]
    : [
        `query ${showAval(q.aval)} and key ${showAval(k.aval)}`,
        'give [batch, queries, heads, dim] and [batch, keys, keyHeads, dim], both with or both without batch',
      ];
  throw new ShapeError({ op, problem: `${shown} do not fit`, remedy });
}

/** The weights, [batch, heads, queries, keys]; that axis of batches is there even if the operands have none. */
function weightsOf(op: string, q: Value, k: Value, options: AttentionWeightsOptions): Value {
  const { batch, queries, heads, keys, keyHeads } = sizesOf(q, k);
  const dim = q.shape.at(-1)!;
  const grouped = np.reshape(q, [batch, queries, keyHeads, heads / keyHeads, dim]);
  const scores = np.einsum('btkgd,bskd->bkgts', grouped, np.reshape(k, [batch, keys, keyHeads, dim])) as Value;
  const full = [batch, heads, queries, keys];
  const lengths = 'batch, heads, queries and keys';
  let logits: Value = np.mul(np.reshape(scores, full), options.scale ?? 1 / Math.sqrt(dim));
  if (options.bias !== undefined) {
    const bias = fitting(op, 'bias', options.bias, full, lengths);
    logits = np.add(logits, np.astype(bias, logits.dtype as 'float32'));
  }
  logits = hidden(op, logits, options.mask, lengths);
  if (options.isCausal ?? false) logits = hidden(op, logits, np.greater(np.tri(queries, keys), 0), lengths);
  return softmax(logits, -1) as Value;
}

/**
 * The weights with which {@link dotProductAttention} sums values, to look at: softmax(scale·query·keyᵀ + bias) along the keys.
 *
 * Query [batch, queries, heads, dim], key [batch, keys, keyHeads, dim], both without `batch` or both with it; the result is
 * [batch, heads, queries, keys], or without `batch`.
 *
 * @throws ShapeError for operands that do not fit
 * @throws DTypeError for a mask that is not bool
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const q = np.zeros([2, 1, 4]);
 * console.log(nn.functional.attentionWeights(q, q, { isCausal: true }).toArray()); // => [ [ [ 1, 0 ], [ 0.5, 0.5 ] ] ]
 * ```
 */
export function attentionWeights<A extends Tensor<DType>>(
  query: A,
  key: Tensor<DType>,
  options: AttentionWeightsOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.functional.attentionWeights';
  expectOptions(op, options, 'bias', 'mask', 'isCausal', 'scale');
  const [q, k] = promoted(op, [toFloat(op, query), toFloat(op, key)]) as [Value, Value];
  expectFit(op, q, k);
  const weights = weightsOf(op, q, k, options);
  return np.reshape(weights, weights.shape.slice(4 - q.ndim)) as Tensor<Floated<DTypeOf<A>>>;
}

/**
 * softmax(scale·query·keyᵀ + bias)·value for each head: what `jax.nn.dot_product_attention` computes.
 *
 * Query [batch, queries, heads, dim], key and value [batch, keys, keyHeads, dim], all without `batch` or all with it; the result
 * has the shape of the query (its last length is that of `value`). If there are fewer key heads than heads (grouped queries),
 * query head h uses key head ⌊h·keyHeads/heads⌋. A query that sees no key has the mean of all values, as in JAX (in PyTorch it
 * has NaN). The plain dot product (course notes §6.4.2) is `{ scale: 1 }`; their attention layer (§6.4.4) has key = x·W_K and
 * value = x·W_V of one head.
 *
 * A. Vaswani et al., "Attention is all you need" (2017).
 *
 * @throws ShapeError for operands that do not fit
 * @throws DTypeError for a mask that is not bool
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const q = np.zeros([2, 1, 4]);
 * const values = np.reshape(np.array([1, 3]), [2, 1, 1]);
 * const seen = nn.functional.dotProductAttention(q, q, values, { isCausal: true });
 * console.log(np.ravel(seen).toArray()); // => [ 1, 2 ]
 * ```
 */
export function dotProductAttention<A extends Tensor<DType>>(
  query: A,
  key: Tensor<DType>,
  value: Tensor<DType>,
  options: AttentionOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.functional.dotProductAttention';
  expectOptions(op, options, 'bias', 'mask', 'isCausal', 'scale', 'dropout', 'dropoutKey');
  const [q, k, v] = promoted(op, [toFloat(op, query), toFloat(op, key), toFloat(op, value)]) as [Value, Value, Value];
  expectFit(op, q, k, v);
  const { batch, queries, heads, keys, keyHeads } = sizesOf(q, k);
  const { dropout = 0, dropoutKey } = options;
  let all = weightsOf(op, q, k, options);
  if (dropoutKey !== undefined) all = dropped(op, dropoutKey, dropout, all);
  const weights = np.reshape(all, [batch, keyHeads, heads / keyHeads, queries, keys]);
  const values = np.reshape(v, [batch, keys, keyHeads, v.shape.at(-1)!]);
  const out = np.einsum('bkgts,bskd->btkgd', weights, values) as Value;
  return np.reshape(out, [...q.shape.slice(0, -1), v.shape.at(-1)!]) as Tensor<Floated<DTypeOf<A>>>;
}

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** The row that stands for no word: it is read like others, and no derivative reaches it. */
  readonly paddingIndex?: number;
}

/**
 * Rows of a table: integers[...] and [rows, dim] → [..., dim]. Negative indices count from the end; where there is no such row
 * the result is NaN, as in JAX.
 *
 * @throws ShapeError unless the table has two axes, and the row `paddingIndex`
 * @throws DTypeError unless the indices are integers
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const table = np.array([[1, 2], [3, 4], [5, 6]]);
 * console.log(nn.functional.embedding(np.array([2, 0], { dtype: 'int32' }), table).toArray()); // => [ [ 5, 6 ], [ 1, 2 ] ]
 * ```
 */
export function embedding<D extends DType>(
  indices: Tensor<'int32'> | Tensor<'uint32'>,
  table: Tensor<D>,
  options: EmbeddingOptions = {},
): Tensor<D> {
  const op = 'nn.functional.embedding';
  expectOptions(op, options, 'paddingIndex');
  if (table.ndim !== 2) {
    throw new ShapeError({
      op,
      problem: `the table ${showAval(table.aval)} is not [rows, dim]`,
      remedy: 'give it two axes',
    });
  }
  const at = expectTensor(op, indices);
  if (!isInteger(at.dtype)) {
    throw new DTypeError({
      op,
      problem: `the indices are ${showAval(at.aval)}, not integers`,
      remedy: "make them with { dtype: 'int32' }, or cast: np.astype(x, 'int32')",
    });
  }
  const { paddingIndex } = options;
  if (paddingIndex !== undefined && !(Number.isSafeInteger(paddingIndex) && Math.abs(paddingIndex) < 2 ** 31)) {
    throw new DTypeError({ op, problem: `paddingIndex is ${describe(paddingIndex)}`, remedy: 'give an integer' });
  }
  const rows = np.take(table, indices, 0);
  if (paddingIndex === undefined) return rows;
  const count = table.shape[0]!;
  if (paddingIndex < -count || paddingIndex >= count) {
    throw new ShapeError({
      op,
      problem: `the table ${showAval(table.aval)} has no row ${paddingIndex}`,
      remedy: `give paddingIndex from ${-count} to ${count - 1}`,
    });
  }
  // Both names of the row; unsigned indices have one.
  const row = paddingIndex < 0 ? paddingIndex + count : paddingIndex;
  const named = np.equal(indices, row);
  const isPadding = indices.dtype === 'int32' ? np.logicalOr(named, np.equal(indices, row - count)) : named;
  const none = np.expandDims(isPadding, -1);
  return np.where(none, stopGradientOf(rows), rows) as Tensor<D>;
}
