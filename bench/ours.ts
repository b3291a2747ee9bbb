/** The program of this library: every workload on its device. */

import { readFileSync } from 'node:fs';
import { grad, jit, lax, nn, np, type Tensor } from 'pullback';
import { gpuOf } from '../backends/webgpu/machine.ts';
import * as data from './data.ts';
import { chosenDevice } from './device.ts';
import * as gpt from './models/gpt.ts';
import { layers } from './models/layers.ts';
import * as lenet from './models/lenet.ts';
import * as lstm from './models/lstm.ts';
import * as mlp from './models/mlp.ts';
import * as starts from './models/starts.ts';
import { type About, quiet, relaxedSimd, serve, type Task, type Tasks } from './program.ts';
import { tensor, training } from './training.ts';
import type { Gemm } from './workloads.ts';

const device = chosenDevice();

/** A function of tensors that stay as they are. */
const applying = <A extends readonly Tensor[]>(f: (...args: A) => Tensor, ...args: A): Task => ({
  call: () => {
    const y = f(...args);
    // A GPU is not ready when the call is.
    return device.name === 'webgpu' ? gpuOf(device).queue.done() : y;
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
  mlp: () => training(mlp, ...starts.mlp()),
  lenet: () => training(lenet, ...starts.lenet()),
  lstm: () => training(lstm, ...starts.lstm()),
  gpt: () => training(gpt, ...starts.gpt()),
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
const about: About = {
  version,
  device: device.name,
  // A device that computes on several threads says on how many.
  threads: 'threads' in device && typeof device.threads === 'number' ? device.threads : 1,
  relaxed: relaxedSimd(),
};
await serve(tasks, about, 'there is no such workload');
