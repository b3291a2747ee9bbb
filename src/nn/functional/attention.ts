/** Attention and embedding: rows of tables that are chosen, softly and exactly. */

import { showAval } from '../../core/aval.ts';
import type { DType } from '../../core/dtype.ts';
import { DTypeError, ShapeError } from '../../core/errors.ts';
import type { Value } from '../../core/value.ts';
import { broadcastShapes, promoted, toFloat } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { DTypeOf, Floated, Tensor } from '../../ops/types.ts';
import { expectOptions } from '../../ops/untyped.ts';
import { stopGradientOf } from '../../prim/identity.ts';
import { softmax } from '../softmax.ts';

/** Options of {@link dotProductAttention}. */
export interface AttentionOptions {
  /** Added to the scaled products: broadcasts to [batch, heads, queries, keys]. */
  readonly bias?: Tensor<DType>;
  /** Which keys a query sees: bool, broadcasts to [batch, heads, queries, keys]. */
  readonly mask?: Tensor<'bool'>;
  /** Query t sees the keys 0 to t only; default false. */
  readonly isCausal?: boolean;
  /** Multiplies the products; default 1/√dim. */
  readonly scale?: number;
}

/** Large enough that its exponential is 0 beside any other, finite so that differences are no NaN (JAX: −0.7·max). */
const masked = { float32: -0.7 * 3.4028234663852886e38, float64: -0.7 * Number.MAX_VALUE } as const;

/**
 * softmax(scale·query·keyᵀ + bias)·value for each head: what `jax.nn.dot_product_attention` computes.
 *
 * Query [batch, queries, heads, dim], key and value [batch, keys, keyHeads, dim], all without `batch` or all with it; the result
 * has the shape of the query (its last length is that of `value`). If there are fewer key heads than heads (grouped queries),
 * query head h uses key head ⌊h·keyHeads/heads⌋. A query that sees no key has the mean of all values, as in JAX.
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
  expectOptions(op, options, 'bias', 'mask', 'isCausal', 'scale');
  const [q, k, v] = promoted(op, [toFloat(op, query), toFloat(op, key), toFloat(op, value)]) as [Value, Value, Value];
  const fits =
    (q.ndim === 3 || q.ndim === 4) &&
    k.ndim === q.ndim &&
    v.ndim === q.ndim &&
    k.shape.at(-1) === q.shape.at(-1) &&
    k.shape.at(-2)! > 0 &&
    q.shape.at(-2)! % k.shape.at(-2)! === 0 &&
    k.shape.slice(0, -1).every((n, i) => n === v.shape[i]) &&
    (q.ndim === 3 || q.shape[0] === k.shape[0]);
  if (!fits) {
    throw new ShapeError({
      op,
      problem: `query ${showAval(q.aval)}, key ${showAval(k.aval)} and value ${showAval(v.aval)} do not fit`,
      remedy: 'give [batch, queries, heads, dim] and twice [batch, keys, keyHeads, dim], all with or all without batch',
    });
  }
  const [batch, queries, heads, dim] = [q.ndim === 3 ? 1 : q.shape[0]!, ...q.shape.slice(-3)] as [
    number,
    number,
    number,
    number,
  ];
  const [keys, keyHeads] = k.shape.slice(-3) as [number, number];
  const grouped = np.reshape(q, [batch, queries, keyHeads, heads / keyHeads, dim]);
  const scores = np.einsum('btkgd,bskd->bkgts', grouped, np.reshape(k, [batch, keys, keyHeads, dim])) as Value;
  const full = [batch, heads, queries, keys];
  let logits: Value = np.mul(np.reshape(scores, full), options.scale ?? 1 / Math.sqrt(dim));
  const among = (what: string, x: Value): Value => {
    const met = broadcastShapes(op, [logits.aval, x.aval]);
    if (met.length === 4 && met.every((n, i) => n === full[i])) return x;
    throw new ShapeError({
      op,
      problem: `the ${what} ${showAval(x.aval)} does not broadcast to [${full.join(',')}]`,
      remedy: 'give lengths of batch, heads, queries and keys, or 1',
    });
  };
  if (options.bias !== undefined) {
    logits = np.add(logits, np.astype(among('bias', options.bias), logits.dtype as 'float32'));
  }
  const hide = (mask: Value): Value => np.where(mask, logits, masked[logits.dtype as keyof typeof masked]);
  if (options.mask !== undefined) {
    const { mask } = options;
    if (mask.dtype !== 'bool') {
      throw new DTypeError({
        op,
        problem: `the mask ${showAval((mask as Value).aval)} is not bool`,
        remedy: 'compare first, or give what is added as bias',
      });
    }
    logits = hide(among('mask', mask));
  }
  if (options.isCausal ?? false) logits = hide(np.greater(np.tri(queries, keys), 0));
  const weights = np.reshape(softmax(logits, -1), [batch, keyHeads, heads / keyHeads, queries, keys]);
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
 * @throws ShapeError unless the table has two axes
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
  const rows = np.take(table, indices, 0);
  const { paddingIndex } = options;
  if (paddingIndex === undefined) return rows;
  const none = np.expandDims(np.equal(indices, paddingIndex), -1);
  return np.where(none, stopGradientOf(rows), rows) as Tensor<D>;
}
