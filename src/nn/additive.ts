/** Attention by a small perceptron: the similarity with which attention began. */

import { showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { ShapeError, TreeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import { expectTensor } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { tanh } from '../prim/math.ts';
import { type Key, split } from '../random/key.ts';
import { hidden } from './functional/attention.ts';
import { lecunNormal } from './initializers.ts';
import { softmax } from './softmax.ts';

/** Parameters of {@link additiveAttention}. */
export interface AdditiveParams<D extends FloatDType = 'float32'> {
  /** float[querySize, size]. */
  readonly wq: Value<D>;
  /** float[keySize, size]. */
  readonly wk: Value<D>;
  /** float[size]. */
  readonly v: Value<D>;
}

/** What {@link additiveAttention} takes beside queries and keys. */
export interface AdditiveOptions<D extends FloatDType = 'float32'> {
  /** What is summed, float[..., keys, valueSize]; the keys themselves by default. */
  readonly values?: Value<D>;
  /** Which keys a query sees: bool, broadcasts to [..., queries, keys]. */
  readonly mask?: Tensor<'bool'>;
}

const op = 'nn.additiveAttention';

/** @throws TreeError or ShapeError unless these are parameters of additive attention */
export function expectAdditive(params: AdditiveParams<FloatDType>): void {
  const remedy = `make parameters with ${op}.init(key, querySize, keySize, size): { wq, wk, v }`;
  for (const name of ['wq', 'wk', 'v'] as const) {
    const part: unknown = params?.[name];
    if (part instanceof Value) continue;
    throw new TreeError({ op, problem: `params.${name} is ${describe(part)}, not a tensor`, remedy });
  }
  const { wq, wk, v } = params;
  if (wq.ndim === 2 && wk.ndim === 2 && v.ndim === 1 && wq.shape[1] === v.shape[0] && wk.shape[1] === v.shape[0])
    return;
  const shown = [wq, wk, v].map((x) => showAval(x.aval)).join(', ');
  throw new ShapeError({ op, problem: `${shown} do not make an attention`, remedy });
}

/** Keys as the queries meet them, key·wk: computed once for all steps of a decoder. */
export function projectedKeys({ wk }: AdditiveParams<FloatDType>, keys: Value): Value {
  if (expectTensor(op, keys).ndim >= 2 && keys.shape.at(-1) === wk.shape[0]) return np.matmul(keys, wk) as Value;
  throw new ShapeError({
    op,
    problem: `keys ${showAval(keys.aval)} do not fit wk ${showAval(wk.aval)}`,
    remedy: `give [..., keys, ${wk.shape[0]}]`,
  });
}

/** softmax over the keys of v·tanh(query·wq + key·wk), of keys that were projected: [..., queries, keys]. */
export function additiveWeights(
  { wq, v }: AdditiveParams<FloatDType>,
  query: Value,
  projected: Value,
  mask: Value | undefined,
): Value {
  if (expectTensor(op, query).ndim !== projected.ndim || query.shape.at(-1) !== wq.shape[0]) {
    throw new ShapeError({
      op,
      problem: `queries ${showAval(query.aval)} do not fit wq ${showAval(wq.aval)} and as many axes as keys have`,
      remedy: `give [..., queries, ${wq.shape[0]}]`,
    });
  }
  const [q, k] = [np.expandDims(np.matmul(query, wq), -2), np.expandDims(projected, -3)];
  const logits = np.matmul(tanh(np.add(q, k) as Value), v) as Value;
  return softmax(hidden(op, logits, mask, 'batch, queries and keys'), -1) as Value;
}

const apply = <D extends FloatDType>(params: AdditiveParams<D>) => {
  expectAdditive(params);
  return (query: Value<D>, keys: Value<D>, options: AdditiveOptions<D> = {}): Value<D> => {
    expectOptions(op, options, 'values', 'mask');
    const { values = keys, mask } = options;
    const weights = additiveWeights(params, query, projectedKeys(params, keys), mask);
    if (expectTensor(op, values).ndim !== keys.ndim || values.shape.at(-2) !== keys.shape.at(-2)) {
      throw new ShapeError({
        op,
        problem: `values ${showAval(values.aval)} do not fit keys ${showAval(keys.aval)}`,
        remedy: 'give a value for each key: [..., keys, valueSize]',
      });
    }
    return np.matmul(weights, values) as Value<D>;
  };
};

/**
 * Σᵢ aᵢ·valueᵢ with a = softmax over the keys of v·tanh(query·wq + keyᵢ·wk): attention of an RNN (course notes §6.1.2).
 *
 * Queries float[..., queries, querySize], keys float[..., keys, keySize], the result is float[..., queries, valueSize]; the values are
 * the keys unless `{ values }` are given. A query that sees no key (`mask`) has the mean of all values. A grid of features, as of an
 * image (§6.3), is a sequence of them: reshape its height and width to one axis.
 * `additiveAttention.init(key, querySize, keySize, size)`; `additiveAttention.weights(params)(query, keys, { mask })` are the weights
 * a, float[..., queries, keys].
 *
 * D. Bahdanau, K. Cho, Y. Bengio, "Neural machine translation by jointly learning to align and translate" (2015).
 *
 * @throws ShapeError for operands that do not fit, TreeError for parameters that are not `{ wq, wk, v }`
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.additiveAttention.init(random.key(0), 4, 6, 8);
 * const [states, words] = [np.ones([2, 1, 4]), np.ones([2, 5, 6])];
 * console.log(nn.additiveAttention(params)(states, words).shape); // => [ 2, 1, 6 ]
 * console.log(nn.additiveAttention.weights(params)(states, words).shape); // => [ 2, 1, 5 ]
 * ```
 */
export const additiveAttention = Object.assign(apply, {
  init: (key: Key, querySize: number, keySize: number, size: number): AdditiveParams => {
    const [forQuery, forKey, forV] = split(key, 3);
    return {
      wq: lecunNormal(forQuery, [querySize, size]),
      wk: lecunNormal(forKey, [keySize, size]),
      v: np.reshape(lecunNormal(forV, [size, 1]), [size]) as Value<'float32'>,
    };
  },
  weights: <D extends FloatDType>(params: AdditiveParams<D>) => {
    expectAdditive(params);
    return (query: Value<D>, keys: Value<D>, options: Pick<AdditiveOptions<D>, 'mask'> = {}): Value<D> => {
      expectOptions(`${op}.weights`, options, 'mask');
      return additiveWeights(params, query, projectedKeys(params, keys), options.mask) as Value<D>;
    };
  },
});
