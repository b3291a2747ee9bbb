/**
 * The program of TensorFlow.js on its WebAssembly backend, which has one thread under Node.
 *
 * Its gather has no gradient there, so that the GPT reads its table by a product with one-hot rows.
 */

import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import * as data from '../data.ts';
import { quiet, serve, type Task, type Tasks } from '../program.ts';

quiet();
const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs') as typeof import('@tensorflow/tfjs');
const backend = require('@tensorflow/tfjs-backend-wasm') as typeof import('@tensorflow/tfjs-backend-wasm');
type Leaf = import('@tensorflow/tfjs').Tensor;
type Variables<K extends string> = Record<K, import('@tensorflow/tfjs').Variable>;

backend.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'))}/dist/`);
if (!(await tf.setBackend('wasm'))) throw new Error('the wasm backend does not start');
await tf.ready();

const tensor = ({ data: values, shape }: data.Host): Leaf => tf.tensor(values, [...shape]);
const variables = <K extends string>(hosts: Record<K, data.Host>, prefix = ''): Variables<K> =>
  Object.fromEntries(
    Object.entries<data.Host>(hosts).map(([name, host]) => [name, tf.variable(tensor(host), true, prefix + name)]),
  ) as Variables<K>;

const crossEntropy = (logits: Leaf, truth: Leaf): import('@tensorflow/tfjs').Scalar =>
  tf.logSoftmax(logits).mul(truth).sum(-1).mean<import('@tensorflow/tfjs').Scalar>().neg();
const linear = (x: Leaf, w: Leaf, b: Leaf): Leaf => x.matMul(w).add(b);

function layerNorm(x: Leaf, scale: Leaf, bias: Leaf): Leaf {
  const { mean, variance } = tf.moments(x, -1, true);
  return x.sub(mean).div(variance.add(1e-5).sqrt()).mul(scale).add(bias);
}

type Optimizer = import('@tensorflow/tfjs').Optimizer;

function training(loss: () => import('@tensorflow/tfjs').Scalar, optimizer: Optimizer): Task {
  const losses: number[] = [];
  return {
    call: () => {
      const value = optimizer.minimize(loss, true)!;
      losses.push(value.dataSync()[0]!);
      value.dispose();
    },
    check: () => losses,
  };
}

const applying = (f: () => Leaf): Task => ({
  call: () => {
    f().dispose();
  },
  check: () => data.probes(f().dataSync()),
});

const chain = (x: Leaf, w: Leaf, b: Leaf): Leaf => tf.tidy(() => x.mul(w).add(b).tanh().mul(x.sigmoid()));

const elementwise = (f: (x: Leaf, w: Leaf, b: Leaf) => Leaf) => (): Task => {
  const { x, w, b } = data.elementwise();
  const [tx, tw, tb] = [tensor(x), tensor(w), tensor(b)];
  return applying(() => tf.tidy(() => f(tx, tw, tb)));
};

const tasks: Tasks = {
  mlp: () => {
    const { params, x, labels, classes } = data.mlp();
    const [p, batch, truth] = [variables(params), tensor(x), tensor(data.oneHot(labels, classes))];
    const loss = () => {
      const first = linear(batch, p.w1, p.b1).relu();
      return crossEntropy(linear(linear(first, p.w2, p.b2).relu(), p.w3, p.b3), truth);
    };
    return training(loss, tf.train.adam(1e-3));
  },
  lenet: () => {
    const { params, x, labels, classes } = data.lenet();
    // Images have their channels last here, and taps are [rows, columns, input, output].
    const taps = (host: data.Host) => tf.variable(tf.transpose(tensor(host), [2, 3, 1, 0]));
    const [cw1, cw2, p] = [taps(params.cw1), taps(params.cw2), variables(params)];
    for (const name of ['cw1', 'cw2'] as const) p[name].dispose();
    const batch = tf.transpose(tensor(x), [0, 2, 3, 1]) as import('@tensorflow/tfjs').Tensor4D;
    const truth = tensor(data.oneHot(labels, classes));
    type Images = import('@tensorflow/tfjs').Tensor4D;
    const pool = (images: Leaf) => tf.maxPool(images as Images, 2, 2, 'valid');
    const loss = () => {
      const conv1 = tf.conv2d(batch, cw1 as unknown as Images, 1, 2).add(p.cb1);
      const conv2 = tf.conv2d(pool(conv1.relu()), cw2 as unknown as Images, 1, 'valid').add(p.cb2);
      const features = pool(conv2.relu()).transpose([0, 3, 1, 2]).reshape([labels.length, 400]);
      const first = linear(features, p.w1, p.b1).relu();
      return crossEntropy(linear(linear(first, p.w2, p.b2).relu(), p.w3, p.b3), truth);
    };
    return training(loss, tf.train.momentum(0.01, 0.9));
  },
  lstm: () => {
    const { params, x, labels, classes } = data.lstm();
    const { batch, hidden } = data.lstmSizes;
    const [p, xs, truth] = [variables(params), tf.unstack(tensor(x)), tensor(data.oneHot(labels, classes))];
    const loss = () => {
      let [h, c]: Leaf[] = [tf.zeros([batch, hidden]), tf.zeros([batch, hidden])];
      for (const step of xs) {
        const gates = step.matMul(p.wx).add(h!.matMul(p.wh)).add(p.b);
        const [input, forget, update, output] = tf.split(gates, 4, 1) as [Leaf, Leaf, Leaf, Leaf];
        c = forget.sigmoid().mul(c!).add(input.sigmoid().mul(update.tanh()));
        h = output.sigmoid().mul(c.tanh());
      }
      return crossEntropy(linear(h!, p.wo, p.bo), truth);
    };
    return training(loss, tf.train.sgd(0.1));
  },
  gpt: () => {
    const { params, blocks, ids, labels, classes } = data.gpt();
    const { dim, heads, length, batch } = data.gptSizes;
    const p = variables(params);
    const layers = blocks.map((block, i) => variables(block, `${i}.`));
    const [symbols, truth] = [tensor(data.oneHot(ids, classes)), tensor(data.oneHot(labels, classes))];
    const mask = tf.tidy(() =>
      tf.linalg
        .bandPart(tf.ones([length, length]), -1, 0)
        .sub(1)
        .mul(1e9),
    );
    const gelu = (x: Leaf): Leaf =>
      x.mul(0.5).mul(
        x
          .mul(x.square().mul(0.044715).add(1))
          .mul(Math.sqrt(2 / Math.PI))
          .tanh()
          .add(1),
      );
    // Activations are [batch·length, dim] for dense layers: the gradient of a product does not broadcast weights.
    const flat = (x: Leaf): Leaf => x.reshape([batch * length, -1]);
    const loss = () => {
      let x: Leaf = flat(symbols.matMul(p.wte).reshape([batch, length, dim]).add(p.wpe));
      for (const q of layers) {
        const qkv = linear(layerNorm(x, q.ln1g, q.ln1b), q.qkvw, q.qkvb);
        const split = tf
          .split(qkv, 3, 1)
          .map((part) => part.reshape([batch, length, heads, dim / heads]).transpose([0, 2, 1, 3]));
        const [query, key, value] = split as [Leaf, Leaf, Leaf];
        const scores = tf.matMul(query, key, false, true).mul(1 / Math.sqrt(dim / heads));
        const seen = tf.matMul(scores.add(mask).softmax(), value).transpose([0, 2, 1, 3]);
        x = x.add(linear(flat(seen), q.projw, q.projb));
        const wide = gelu(linear(layerNorm(x, q.ln2g, q.ln2b), q.fcw, q.fcb));
        x = x.add(linear(wide, q.fc2w, q.fc2b));
      }
      return crossEntropy(layerNorm(x, p.lnfg, p.lnfb).matMul(p.head), truth);
    };
    return training(loss, tf.train.adam(1e-3));
  },
  ...data.eachGemm((gemm) => () => {
    const { a, b } = data.operands(gemm);
    const [ta, tb] = [tensor(a), tensor(b)];
    return applying(() => tf.matMul(ta, tb, gemm.transposed === 'a', gemm.transposed === 'b'));
  }),
  ...data.eachConv((conv) => () => {
    const { x, w } = data.images(conv);
    type Images = import('@tensorflow/tfjs').Tensor4D;
    const [images, taps] = [tf.transpose(tensor(x), [0, 2, 3, 1]), tf.transpose(tensor(w), [2, 3, 1, 0])];
    const apply = () => tf.conv2d(images as Images, taps as Images, 1, 'same');
    return {
      call: () => {
        apply().dispose();
      },
      check: () => data.probes(tf.transpose(apply(), [0, 3, 1, 2]).dataSync()),
    };
  }),
  ew_chain: elementwise(chain),
  ew_sum: elementwise((x, w, b) => chain(x, w, b).sum()),
  ew_grad: elementwise((x, w, b) => tf.grad((y) => chain(y, w, b).sum())(x)),
  softmax: elementwise((x) => tf.softmax(x)),
  layernorm: elementwise(layerNorm),
  eager_add8: () => {
    const { a, b } = data.eights();
    const [ta, tb] = [tensor(a), tensor(b)];
    return applying(() => tf.add(ta, tb));
  },
};

const about = { version: tf.version.tfjs, threads: backend.getThreadsCount(), relaxed: null };
await serve(tasks, about, 'it compiles nothing');
