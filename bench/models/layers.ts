/** Layers as `nn` has them, each trained by itself on mean squared errors: what a user's step costs. */

import { nn, np, optim, type Tensor } from 'pullback';
import * as data from '../data-layers.ts';
import type { Tasks } from '../program.ts';
import { tensor, training } from '../training.ts';
import { layerSizes } from '../workloads.ts';

const optimizer = optim.adam(1e-3);

/** A layer that is to give a target. */
const fitting = <P>(layer: (params: P) => (x: Tensor) => Tensor) => ({
  loss: (params: P, x: Tensor, target: Tensor) => nn.mse(layer(params)(x), target),
  optimizer,
});

/** Parameters of attention of so many heads, with biases that are 0. */
function attentionParams(p: ReturnType<typeof data.encoder>): nn.MultiHeadParams {
  const { size, heads } = layerSizes.attention;
  const split = [size, heads, size / heads];
  const heading = (w: Parameters<typeof tensor>[0]) => ({
    w: np.reshape(tensor(w), split),
    b: np.zeros([heads, size / heads]),
  });
  return {
    query: heading(p.query),
    key: heading(p.key),
    value: heading(p.value),
    out: { w: np.reshape(tensor(p.out), [heads, size / heads, size]), b: np.zeros([size]) },
  };
}

const norm = (size: number) => ({ scale: np.ones([size]), bias: np.zeros([size]) });

/** The tasks of the layers. */
export const layers = {
  conv_block: () => {
    const { x, target, ...p } = data.convBlock();
    const { output } = layerSizes.conv;
    const params = {
      conv: { w: tensor(p.w), b: tensor(p.b) },
      norm: { scale: tensor(p.scale), bias: tensor(p.bias) },
    };
    const state = nn.batchNorm.state(output);
    const block = (q: typeof params) => (images: Tensor) => {
      const [y] = nn.batchNorm(q.norm, { training: true })(nn.conv(q.conv, { padding: 'SAME' })(images), state);
      return nn.relu(y);
    };
    return training(fitting(block), params, tensor(x), tensor(target));
  },
  encoder_block: () => {
    const { x, target, ...p } = data.encoder();
    const { size, feedForward } = layerSizes.attention;
    const params = {
      attention: attentionParams({ x, target, ...p }),
      attentionNorm: norm(size),
      feedForward: {
        hidden: { w: tensor(p.hidden), b: np.zeros([feedForward]) },
        out: { w: tensor(p.contract), b: np.zeros([size]) },
      },
      feedForwardNorm: norm(size),
    };
    const layer = (q: nn.EncoderLayerParams) => nn.transformerEncoderLayer(q);
    return training(fitting(layer), params, tensor(x), tensor(target));
  },
  attention: () => {
    const p = data.encoder();
    const layer = (q: nn.MultiHeadParams) => nn.multiHeadAttention(q, { isCausal: true });
    return training(fitting(layer), attentionParams(p), tensor(p.x), tensor(p.target));
  },
  gru_layer: () => {
    const { x, target, ...p } = data.recurrent(3);
    const params = [{ forward: { wx: tensor(p.wx), wh: tensor(p.wh), b: tensor(p.b), bn: tensor(p.bn) } }];
    const layer = (q: nn.GruLayers) => (xs: Tensor) => nn.gru(q)(xs)[1];
    return training(fitting(layer), params, tensor(x), tensor(target));
  },
  lstm_layer: () => {
    const { x, target, ...p } = data.recurrent(4);
    const params = [{ forward: { wx: tensor(p.wx), wh: tensor(p.wh), b: tensor(p.b) } }];
    const layer = (q: nn.RecurrentLayers) => (xs: Tensor) => nn.lstm(q)(xs)[1];
    return training(fitting(layer), params, tensor(x), tensor(target));
  },
  adam_1m: () => {
    const loss = (ws: readonly Tensor[]) =>
      np.mul(
        0.5,
        ws.map((w) => np.sum(np.square(w))).reduce((a, b) => np.add(a, b)),
      );
    return training({ loss, optimizer }, data.leaves().map(tensor), null, null);
  },
} satisfies Tasks;
