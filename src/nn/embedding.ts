/** Rows of a learned table, chosen by index. */

import type { FloatDType } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import { expectOptions } from '../ops/untyped.ts';
import type { Key } from '../random/key.ts';
import { type EmbeddingOptions, embedding as rowsOf } from './functional/attention.ts';
import { type Initializer, normal } from './initializers.ts';
import type { Layer } from './layer.ts';
import { expectParams, expectSizes } from './params.ts';

/** Parameters of {@link embedding}. */
export interface EmbeddingParams<D extends FloatDType = 'float32'> {
  /** float[rows, size]. */
  readonly table: Value<D>;
}

const apply = <D extends FloatDType>(params: EmbeddingParams<D>, options: EmbeddingOptions = {}) => {
  const op = 'nn.embedding';
  expectOptions(op, options, 'paddingIndex');
  const remedy = 'make parameters with nn.embedding.init(key, rows, size): { table: float[rows, size] }';
  expectParams(op, params, { table: ['table', 2] }, remedy);
  return (indices: Value<'int32'> | Value<'uint32'>): Value<D> => rowsOf(indices, params.table, options) as Value<D>;
};

const init = (
  key: Key,
  rows: number,
  size: number,
  options: { readonly table?: Initializer } = {},
): EmbeddingParams => {
  expectOptions('nn.embedding.init', options, 'table');
  expectSizes('nn.embedding.init', { rows, size });
  return { table: (options.table ?? normal)(key, [rows, size]) };
};

const layer = (
  rows: number,
  size: number,
  options: EmbeddingOptions = {},
): Layer<EmbeddingParams, Value<'int32'> | Value<'uint32'>, Value<'float32'>> => ({
  init: (key) => init(key, rows, size),
  apply: (params) => apply(params, options),
  name: `embedding ${rows}→${size}`,
});

/**
 * Rows of a table: integers[...] → float[..., size]. `embedding.init(key, rows, size)` draws standard normal rows, as PyTorch;
 * `{ table }` names another initializer.
 *
 * Negative indices count from the end; where there is no such row the result is NaN, as in JAX, so that it is seen (PyTorch throws).
 * The row `paddingIndex` gets no derivative.
 *
 * @throws TreeError or ShapeError for parameters that are not `{ table }`, DTypeError unless the indices are integers
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.embedding.init(random.key(0), 10, 4);
 * console.log(nn.embedding(params)(np.array([[1, 2, 3]], { dtype: 'int32' })).shape); // => [ 1, 3, 4 ]
 * ```
 */
export const embedding = Object.assign(apply, { init, layer });
