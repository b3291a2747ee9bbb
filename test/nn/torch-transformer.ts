/** Parameters of PyTorch's transformer layers as ours, by the conversions that the docstrings tell of. */

import { type nn, np, type Tensor } from 'pullback';
import type { Wide } from './sequence-fixtures.ts';

/** Tensors by PyTorch's names. */
export type Raw = Readonly<Record<string, Wide>>;

const dense = (raw: Raw, name: string) => ({ w: np.transpose(raw[`${name}.weight`]!), b: raw[`${name}.bias`]! });
export const norm = (raw: Raw, name: string) => ({ scale: raw[`${name}.weight`]!, bias: raw[`${name}.bias`]! });

/** nn.MultiheadAttention under `prefix`, with one weight for queries, keys and values. */
export function attention(raw: Raw, prefix: string, heads: number): nn.MultiHeadParams<'float64'> {
  const [whole, bias] = [raw[`${prefix}.in_proj_weight`]!, raw[`${prefix}.in_proj_bias`]!];
  const size = whole.shape[1]!;
  const rows = (x: Wide, k: number): Wide => np.index(x, [k * size, (k + 1) * size]) as Wide;
  const part = (k: number) => ({
    w: np.reshape(np.transpose(rows(whole, k)), [size, heads, size / heads]) as Wide,
    b: np.reshape(rows(bias, k), [heads, size / heads]) as Wide,
  });
  const out = dense(raw, `${prefix}.out_proj`);
  return {
    query: part(0),
    key: part(1),
    value: part(2),
    out: { w: np.reshape(out.w, [heads, size / heads, size]) as Wide, b: out.b },
  };
}

/** nn.TransformerEncoderLayer, or what both kinds have in common. */
export const encoderLayer = (raw: Raw, prefix: string, heads: number, last = 2): nn.EncoderLayerParams<'float64'> => ({
  attention: attention(raw, `${prefix}self_attn`, heads),
  attentionNorm: norm(raw, `${prefix}norm1`),
  feedForward: { hidden: dense(raw, `${prefix}linear1`), out: dense(raw, `${prefix}linear2`) },
  feedForwardNorm: norm(raw, `${prefix}norm${last}`),
});

/** nn.TransformerDecoderLayer. */
export const decoderLayer = (raw: Raw, prefix: string, heads: number): nn.DecoderLayerParams<'float64'> => ({
  ...encoderLayer(raw, prefix, heads, 3),
  cross: attention(raw, `${prefix}multihead_attn`, heads),
  crossNorm: norm(raw, `${prefix}norm2`),
});

/** float32 parameters in double precision. */
export const widened = (x: Tensor): Wide => np.astype(x, 'float64');
