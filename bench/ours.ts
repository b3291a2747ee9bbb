/** The program of this library: every workload on its device. */

import { readFileSync } from 'node:fs';
import { grad, jit, lax, nn, np, type Tensor } from 'pullback';
import * as data from './data.ts';
import { chosenDevice } from './device.ts';
import * as gpt from './models/gpt.ts';
import { layers } from './models/layers.ts';
import * as lenet from './models/lenet.ts';
import * as lstm from './models/lstm.ts';
import * as mlp from './models/mlp.ts';
import { type About, quiet, relaxedSimd, serve, type Task, type Tasks } from './program.ts';
import { integers, tensor, training } from './training.ts';
import type { Gemm } from './workloads.ts';

/** A function of tensors that stay as they are. */
const applying = <A extends readonly Tensor[]>(f: (...args: A) => Tensor, ...args: A): Task => ({
  call: () => {
    f(...args);
  },
  check: () => data.probes(np.ravel(f(...args)).dataSync()),
});

const product = (gemm: Gemm): Task => {
  const { a, b } = data.operands(gemm);
  const { transposed } = gemm;
  const f = (x: Tensor, y: Tensor): Tensor =>
    np.matmul(transposed === 'a' ? np.transpose(x) : x, transposed === 'b' ? np.transpose(y) : y);
  return applying(jit(f), tensor(a), tensor(b));
};

const chain = (x: Tensor, w: Tensor, b: Tensor): Tensor => np.mul(np.tanh(np.add(np.mul(x, w), b)), nn.sigmoid(x));
const summed = (x: Tensor, w: Tensor, b: Tensor): Tensor => np.sum(chain(x, w, b));

const elementwise = (f: (x: Tensor, w: Tensor, b: Tensor) => Tensor) => (): Task => {
  const { x, w, b } = data.elementwise();
  return applying(jit(f), tensor(x), tensor(w), tensor(b));
};

const eights = (f: (a: Tensor, b: Tensor) => Tensor) => (): Task => {
  const { a, b } = data.eights();
  return applying(f, tensor(a), tensor(b));
};

const tasks: Tasks = {
  mlp: () => {
    const { params: p, x, labels } = data.mlp();
    const params = {
      first: { w: tensor(p.w1), b: tensor(p.b1) },
      second: { w: tensor(p.w2), b: tensor(p.b2) },
      out: { w: tensor(p.w3), b: tensor(p.b3) },
    };
    return training(mlp, params, tensor(x), integers(labels, [labels.length]));
  },
  lenet: () => {
    const { params: p, x, labels } = data.lenet();
    const params = {
      conv1: { w: tensor(p.cw1), b: tensor(p.cb1) },
      conv2: { w: tensor(p.cw2), b: tensor(p.cb2) },
      dense1: { w: tensor(p.w1), b: tensor(p.b1) },
      dense2: { w: tensor(p.w2), b: tensor(p.b2) },
      out: { w: tensor(p.w3), b: tensor(p.b3) },
    };
    return training(lenet, params, tensor(x), integers(labels, [labels.length]));
  },
  lstm: () => {
    const { params: p, x, labels } = data.lstm();
    const params = {
      wx: tensor(p.wx),
      wh: tensor(p.wh),
      b: tensor(p.b),
      out: { w: tensor(p.wo), b: tensor(p.bo) },
    };
    return training(lstm, params, tensor(x), integers(labels, [labels.length]));
  },
  gpt: () => {
    const { params: p, blocks, ids, labels } = data.gpt();
    const { batch, length } = data.gptSizes;
    const params = {
      symbols: tensor(p.wte),
      positions: tensor(p.wpe),
      blocks: blocks.map((q) => ({
        norm1: { scale: tensor(q.ln1g), bias: tensor(q.ln1b) },
        qkv: { w: tensor(q.qkvw), b: tensor(q.qkvb) },
        projection: { w: tensor(q.projw), b: tensor(q.projb) },
        norm2: { scale: tensor(q.ln2g), bias: tensor(q.ln2b) },
        expand: { w: tensor(q.fcw), b: tensor(q.fcb) },
        contract: { w: tensor(q.fc2w), b: tensor(q.fc2b) },
      })),
      norm: { scale: tensor(p.lnfg), bias: tensor(p.lnfb) },
      head: tensor(p.head),
    };
    return training(gpt, params, integers(ids, [batch, length]), integers(labels, [batch, length]));
  },
  ...layers,
  ...data.eachGemm((gemm) => () => product(gemm)),
  ...data.eachConv((conv) => () => {
    const { x, w } = data.images(conv);
    const f = jit((image: Tensor, taps: Tensor) => lax.conv(image, taps, [1, 1], 'SAME'));
    return applying(f, tensor(x), tensor(w));
  }),
  ew_chain: elementwise(chain),
  ew_sum: elementwise(summed),
  ew_grad: elementwise((x, w, b) => grad(summed)(x, w, b)),
  softmax: elementwise((x) => nn.softmax(x)),
  layernorm: elementwise((x, scale, bias) => nn.functional.layerNorm(x, { scale, bias })),
  eager_add8: eights((a, b) => np.add(a, b)),
  jit_tiny: eights(jit((a: Tensor, b: Tensor) => np.add(np.mul(a, 2), b))),
};

quiet();
const { version } = JSON.parse(readFileSync(new URL(process.env['PACKAGE_JSON']!), 'utf8')) as { version: string };
const device = chosenDevice();
const about: About = {
  version,
  device: device.name,
  // A device that computes on several threads says on how many.
  threads: 'threads' in device && typeof device.threads === 'number' ? device.threads : 1,
  relaxed: relaxedSimd(),
};
await serve(tasks, about, 'there is no such workload');
