/** The program of onnxruntime-node, which does inference only; `THREADS` says on how many threads. */

import { createRequire } from 'node:module';
import * as data from '../data.ts';
import { quiet, serve, type Task, type Tasks } from '../program.ts';
import { model, node } from './onnx.ts';

quiet();
const require = createRequire(import.meta.url);
const ort = require('onnxruntime-node') as typeof import('onnxruntime-node');
const threads = Number(process.env['THREADS'] ?? 1);

/** A session with its inputs, run for its output `y`. */
async function graph(
  nodes: readonly ReturnType<typeof node>[],
  inputs: Readonly<Record<string, data.Host>>,
  shape: readonly number[],
): Promise<Task> {
  const ports = Object.entries(inputs).map(([name, host]) => ({ name, shape: host.shape }));
  const session = await ort.InferenceSession.create(model(nodes, ports, { name: 'y', shape }), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  });
  const feed = Object.fromEntries(
    Object.entries(inputs).map(([name, host]) => [name, new ort.Tensor('float32', host.data, host.shape)]),
  );
  return {
    call: () => session.run(feed),
    check: async () => data.probes((await session.run(feed))['y']!.data as Float32Array),
  };
}

const chain = (output: string) => [
  node('Mul', ['x', 'w'], 'scaled'),
  node('Add', ['scaled', 'b'], 'shifted'),
  node('Tanh', ['shifted'], 'tanh'),
  node('Sigmoid', ['x'], 'sigmoid'),
  node('Mul', ['tanh', 'sigmoid'], output),
];

const tasks: Tasks = {
  // The right operand is an input, not a constant, so that it is not packed beforehand.
  ...data.eachGemm((gemm) => () => {
    const flags = { transA: Number(gemm.transposed === 'a'), transB: Number(gemm.transposed === 'b') };
    const product = gemm.transposed === 'none' ? node('MatMul', ['a', 'b'], 'y') : node('Gemm', ['a', 'b'], 'y', flags);
    return graph([product], data.operands(gemm), [gemm.m, gemm.n]);
  }),
  ...data.eachConv((conv) => () => {
    const { images, output, size } = conv;
    const same = node('Conv', ['x', 'w'], 'y', { auto_pad: 'SAME_UPPER' });
    return graph([same], data.images(conv), [images, output, size, size]);
  }),
  ew_chain: () => {
    const inputs = data.elementwise();
    return graph(chain('y'), inputs, inputs.x.shape);
  },
  ew_sum: () => graph([...chain('z'), node('ReduceSum', ['z'], 'y', { keepdims: 0 })], data.elementwise(), []),
  softmax: () => {
    const { x } = data.elementwise();
    return graph([node('Softmax', ['x'], 'y', { axis: -1 })], { x }, x.shape);
  },
  layernorm: () => {
    const inputs = data.elementwise();
    return graph([node('LayerNormalization', ['x', 'w', 'b'], 'y', { axis: -1 })], inputs, inputs.x.shape);
  },
  eager_add8: () => graph([node('Add', ['a', 'b'], 'y')], data.eights(), [8]),
  jit_tiny: () => {
    const twice = [node('Add', ['a', 'a'], 'twice'), node('Add', ['twice', 'b'], 'y')];
    return graph(twice, data.eights(), [8]);
  },
};

await serve(tasks, { version: ort.env.versions.node ?? '', threads, relaxed: null }, 'it does inference only');
