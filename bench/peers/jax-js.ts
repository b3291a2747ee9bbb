/**
 * The program of jax-js.
 *
 * `WORKERS=1` gives it web workers. On Node 20 it gets the Iterator methods that its einsum calls, without which attention throws.
 */

import { availableParallelism } from 'node:os';
import * as data from '../data.ts';
import { quiet, relaxedSimd, serve, type Task, type Tasks } from '../program.ts';
import { type Optimizer, optimizers, type Params } from './jax-js-optim.ts';
import { installWebWorker } from './web-worker.ts';

quiet();
const iterators = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
iterators.map ??= function* (this: Iterable<unknown>, f: (x: unknown, i: number) => unknown) {
  let i = 0;
  for (const x of this) yield f(x, i++);
};
iterators.filter ??= function* (this: Iterable<unknown>, f: (x: unknown, i: number) => boolean) {
  let i = 0;
  for (const x of this) if (f(x, i++)) yield x;
};
iterators.toArray ??= function (this: Iterable<unknown>) {
  return [...this];
};
const workers = process.env['WORKERS'] === '1';
if (workers) installWebWorker();

const jax = await import('@jax-js/jax');
const { numpy: np, nn, lax, jit, grad, valueAndGrad, blockUntilReady, tree } = jax;
const { sgd, adam, applyUpdates } = optimizers(jax);
type Leaf = InstanceType<typeof jax.Array>;

const array = async ({ shape, data: values }: data.Host): Promise<Leaf> => {
  const flat = np.array(values as Float32Array<ArrayBuffer>);
  const x = shape.length === 1 ? flat : flat.reshape([...shape]);
  await x.blockUntilReady();
  return x;
};
const arrays = async (hosts: Record<string, data.Host>): Promise<Params> =>
  Object.fromEntries(await Promise.all(Object.entries(hosts).map(async ([name, host]) => [name, await array(host)])));
const integers = async (values: Int32Array, shape: readonly number[]): Promise<Leaf> => {
  const x = np.array(values as Int32Array<ArrayBuffer>, { dtype: np.int32 }).reshape([...shape]);
  await x.blockUntilReady();
  return x;
};

const crossEntropy = (logits: Leaf, truth: Leaf): Leaf => nn.logSoftmax(logits).mul(truth).sum(-1).mean().neg();
const layerNorm = (x: Leaf, scale: Leaf, bias: Leaf): Leaf => nn.standardize(x, -1).mul(scale).add(bias);
const linear = (x: Leaf, w: Leaf, b: Leaf): Leaf => np.matmul(x, w).add(b);

type Loss = (p: Params, x: Leaf, truth: Leaf) => Leaf;

async function training(loss: Loss, optimizer: Optimizer, initial: Params, x: Leaf, truth: Leaf): Promise<Task> {
  const lossAndGradient = valueAndGrad(loss as never) as unknown as (...args: Parameters<Loss>) => [Leaf, Params];
  const step = jit((params: Params, state: ReturnType<Optimizer['init']>, batch: Leaf, labels: Leaf) => {
    const [value, gradient] = lossAndGradient(tree.ref(params), batch, labels);
    const [updates, next] = optimizer.update(gradient, state, tree.ref(params));
    return { value, params: applyUpdates(params, updates), state: next };
  });
  let params = initial;
  let state = optimizer.init(tree.ref(initial));
  await blockUntilReady([params, state]);
  const losses: number[] = [];
  return {
    call: async () => {
      const out = step(params, state, x.ref, truth.ref);
      ({ params, state } = out);
      await blockUntilReady(out);
      losses.push((await out.value.data())[0]!);
    },
    check: () => losses,
  };
}

/** A function of arrays that stay as they are; the result is waited for and let go. */
const applying = (f: (...args: Leaf[]) => Leaf, ...args: Leaf[]): Task => {
  const apply = () => f(...args.map((x) => x.ref));
  return {
    call: async () => {
      const y = apply();
      await y.blockUntilReady();
      y.dispose();
    },
    check: async () => data.probes(await apply().ravel().data()),
  };
};

const chain = (x: Leaf, w: Leaf, b: Leaf): Leaf => np.tanh(x.ref.mul(w).add(b)).mul(nn.sigmoid(x));
const summed = (x: Leaf, w: Leaf, b: Leaf): Leaf => chain(x, w, b).sum();

type Ternary = (x: Leaf, w: Leaf, b: Leaf) => Leaf;
const elementwise = (f: Ternary) => async (): Promise<Task> => {
  const { x, w, b } = data.elementwise();
  return applying(jit(f) as never, await array(x), await array(w), await array(b));
};
const eights = (f: (a: Leaf, b: Leaf) => Leaf) => async (): Promise<Task> => {
  const { a, b } = data.eights();
  return applying(f as never, await array(a), await array(b));
};

const tasks: Tasks = {
  mlp: async () => {
    const { params, x, labels, classes } = data.mlp();
    const loss: Loss = (p, batch, truth) => {
      const first = nn.relu(linear(batch, p['w1']!, p['b1']!));
      const second = nn.relu(linear(first, p['w2']!, p['b2']!));
      return crossEntropy(linear(second, p['w3']!, p['b3']!), truth);
    };
    return training(loss, adam(1e-3), await arrays(params), await array(x), await array(data.oneHot(labels, classes)));
  },
  lenet: async () => {
    const { params, x, labels, classes } = data.lenet();
    const pool = (y: Leaf): Leaf => lax.reduceWindow(y, np.max, [2, 2], [2, 2]);
    const loss: Loss = (p, batch, truth) => {
      const padding: [number, number][] = [
        [2, 2],
        [2, 2],
      ];
      const conv1 = lax.convGeneralDilated(batch, p['cw1']!, [1, 1], padding).add(p['cb1']!.reshape([6, 1, 1]));
      const pooled = pool(nn.relu(conv1));
      const conv2 = lax.convGeneralDilated(pooled, p['cw2']!, [1, 1], 'VALID').add(p['cb2']!.reshape([16, 1, 1]));
      const features = pool(nn.relu(conv2)).reshape([labels.length, 400]);
      const first = nn.relu(linear(features, p['w1']!, p['b1']!));
      const second = nn.relu(linear(first, p['w2']!, p['b2']!));
      return crossEntropy(linear(second, p['w3']!, p['b3']!), truth);
    };
    const truth = await array(data.oneHot(labels, classes));
    return training(loss, sgd(0.01, 0.9), await arrays(params), await array(x), truth);
  },
  lstm: async () => {
    const { params, x, labels, classes } = data.lstm();
    const { steps, batch, hidden } = data.lstmSizes;
    const loss: Loss = (p, xs, truth) => {
      const { wx, wh, b, wo, bo } = p as Record<'wx' | 'wh' | 'b' | 'wo' | 'bo', Leaf>;
      let [h, c] = [np.zeros([batch, hidden]), np.zeros([batch, hidden])];
      for (let t = 0; t < steps; t++) {
        const gates = np.matmul(xs.ref.slice(t), wx.ref).add(np.matmul(h, wh.ref)).add(b.ref);
        const [input, forget, update, output] = np.split(gates, 4, 1) as [Leaf, Leaf, Leaf, Leaf];
        c = nn
          .sigmoid(forget)
          .mul(c)
          .add(nn.sigmoid(input).mul(np.tanh(update)));
        h = nn.sigmoid(output).mul(np.tanh(c.ref));
      }
      for (const used of [c, xs, wx, wh, b]) used.dispose();
      return crossEntropy(linear(h, wo, bo), truth);
    };
    return training(loss, sgd(0.1), await arrays(params), await array(x), await array(data.oneHot(labels, classes)));
  },
  gpt: async () => {
    const { params, blocks, ids, labels, classes } = data.gpt();
    const { dim, heads, length, batch } = data.gptSizes;
    const names = Object.keys(blocks[0]!) as (keyof (typeof blocks)[0])[];
    const inBlocks = blocks.map((block, i) => Object.fromEntries(names.map((name) => [`${i}.${name}`, block[name]])));
    const loss: Loss = (p, symbols, truth) => {
      let x = p['wte']!.slice(symbols).add(p['wpe']!);
      for (let i = 0; i < blocks.length; i++) {
        const q = (name: (typeof names)[number]): Leaf => p[`${i}.${name}`]!;
        const qkv = linear(layerNorm(x.ref, q('ln1g'), q('ln1b')), q('qkvw'), q('qkvb'));
        const split = np.split(qkv, 3, -1).map((part) => part.reshape([batch, length, heads, dim / heads]));
        const [query, key, value] = split as [Leaf, Leaf, Leaf];
        const seen = nn.dotProductAttention(query, key, value, { isCausal: true }).reshape([batch, length, dim]);
        x = x.add(linear(seen, q('projw'), q('projb')));
        const wide = nn.gelu(linear(layerNorm(x.ref, q('ln2g'), q('ln2b')), q('fcw'), q('fcb')));
        x = x.add(linear(wide, q('fc2w'), q('fc2b')));
      }
      return crossEntropy(np.matmul(layerNorm(x, p['lnfg']!, p['lnfb']!), p['head']!), truth);
    };
    const hot = data.oneHot(labels, classes).data;
    return training(
      loss,
      adam(1e-3),
      await arrays(Object.assign({}, params, ...inBlocks)),
      await integers(ids, [batch, length]),
      await array({ shape: [batch, length, classes], data: hot }),
    );
  },
  ...data.eachGemm((gemm) => async () => {
    const { a, b } = data.operands(gemm);
    const f = (x: Leaf, y: Leaf): Leaf =>
      np.matmul(gemm.transposed === 'a' ? x.transpose() : x, gemm.transposed === 'b' ? y.transpose() : y);
    return applying(f as never, await array(a), await array(b));
  }),
  ...data.eachConv((conv) => async () => {
    const { x, w } = data.images(conv);
    const f = (image: Leaf, taps: Leaf): Leaf => lax.convGeneralDilated(image, taps, [1, 1], 'SAME');
    return applying(f as never, await array(x), await array(w));
  }),
  ew_chain: elementwise(chain),
  ew_sum: elementwise(summed),
  ew_grad: elementwise(grad(summed as never) as unknown as Ternary),
  softmax: async () => {
    const { x } = data.elementwise();
    return applying(jit((y: Leaf) => nn.softmax(y, -1)) as never, await array(x));
  },
  layernorm: elementwise(layerNorm),
  eager_add8: eights((a, b) => np.add(a, b)),
  jit_tiny: eights(jit((a: Leaf, b: Leaf) => a.mul(2).add(b)) as never),
};

const version = process.env['VERSION'] ?? '';
const threads = workers ? availableParallelism() : 1;
await serve(tasks, { version, threads, relaxed: relaxedSimd() }, 'there is no such workload');
