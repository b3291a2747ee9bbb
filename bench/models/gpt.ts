/** A decoder-only transformer with layer norms before its parts (GPT-2), tanh-GELU, and a head of its own. */

import { pipe } from 'fp-ts/lib/function.js';
import { nn, np, optim, type Tensor } from 'pullback';
import type { Dense, Norm } from './parts.ts';

const { dense, gelu } = nn;
const heads = 4;

/** The parameters of a block: attention and a perceptron, each behind a norm. */
export interface Block {
  readonly norm1: Norm;
  /** Queries, keys and values at once: [dim, 3·dim]. */
  readonly qkv: Dense;
  readonly projection: Dense;
  readonly norm2: Norm;
  readonly expand: Dense;
  readonly contract: Dense;
}

/** The parameters of all blocks, the tables of symbols and positions, the last norm and the head. */
export interface Params {
  readonly symbols: Tensor;
  readonly positions: Tensor;
  readonly blocks: readonly Block[];
  readonly norm: Norm;
  /** float32[dim, symbols] */
  readonly head: Tensor;
}

const layerNorm = (p: Norm) => (x: Tensor) => nn.functional.layerNorm(x, p);

/** float32[batch, length, dim] → the same: each position sees itself and what is before it. */
const attention = (p: Block) => (x: Tensor) => {
  const [batch, length, dim] = x.shape as [number, number, number];
  const split = np.split(dense(p.qkv)(x), 3, -1).map((part) => np.reshape(part, [batch, length, heads, dim / heads]));
  const [q, k, v] = split as [Tensor, Tensor, Tensor];
  const seen = nn.functional.dotProductAttention(q, k, v, { isCausal: true });
  return pipe(np.reshape(seen, [batch, length, dim]), dense(p.projection));
};

const perceptron = (p: Block) => (x: Tensor) => pipe(x, dense(p.expand), (y) => gelu(y), dense(p.contract));

const block = (x: Tensor, p: Block): Tensor => {
  const y = np.add(x, pipe(x, layerNorm(p.norm1), attention(p)));
  return np.add(y, pipe(y, layerNorm(p.norm2), perceptron(p)));
};

/** Scores of the next symbol: int32[batch, length] → float32[batch, length, symbols]. */
export const model = (p: Params) => (ids: Tensor<'int32'>) =>
  pipe(
    np.add(nn.functional.embedding(ids, p.symbols), p.positions),
    (x) => p.blocks.reduce(block, x),
    layerNorm(p.norm),
    (x) => np.matmul(x, p.head),
  );

/** Mean cross entropy over all positions. */
export const loss = (p: Params, ids: Tensor<'int32'>, next: Tensor<'int32'>) => nn.crossEntropy(model(p)(ids), next);

/** How it learns. */
export const optimizer = optim.adam(1e-3);
