/** What the training of each model begins with: parameters, a batch and its labels, on the default device. */

import * as data from '../data.ts';
import { integers, tensor } from '../training.ts';

type Host = data.Host;
const layer = (w: Host, b: Host) => ({ w: tensor(w), b: tensor(b) });
const norm = (scale: Host, bias: Host) => ({ scale: tensor(scale), bias: tensor(bias) });

export function mlp() {
  const { params: p, x, labels } = data.mlp();
  const params = { first: layer(p.w1, p.b1), second: layer(p.w2, p.b2), out: layer(p.w3, p.b3) };
  return [params, tensor(x), integers(labels, [labels.length])] as const;
}

export function lenet() {
  const { params: p, x, labels } = data.lenet();
  const params = {
    conv1: layer(p.cw1, p.cb1),
    conv2: layer(p.cw2, p.cb2),
    dense1: layer(p.w1, p.b1),
    dense2: layer(p.w2, p.b2),
    out: layer(p.w3, p.b3),
  };
  return [params, tensor(x), integers(labels, [labels.length])] as const;
}

export function lstm() {
  const { params: p, x, labels } = data.lstm();
  const params = { wx: tensor(p.wx), wh: tensor(p.wh), b: tensor(p.b), out: layer(p.wo, p.bo) };
  return [params, tensor(x), integers(labels, [labels.length])] as const;
}

export function gpt() {
  const { params: p, blocks, ids, labels } = data.gpt();
  const { batch, length } = data.gptSizes;
  const params = {
    symbols: tensor(p.wte),
    positions: tensor(p.wpe),
    blocks: blocks.map((q) => ({
      norm1: norm(q.ln1g, q.ln1b),
      qkv: layer(q.qkvw, q.qkvb),
      projection: layer(q.projw, q.projb),
      norm2: norm(q.ln2g, q.ln2b),
      expand: layer(q.fcw, q.fcb),
      contract: layer(q.fc2w, q.fc2b),
    })),
    norm: norm(p.lnfg, p.lnfb),
    head: tensor(p.head),
  };
  return [params, integers(ids, [batch, length]), integers(labels, [batch, length])] as const;
}
