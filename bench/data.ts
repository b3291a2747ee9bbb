/**
 * The data of all workloads: the same numbers for every library, from a hash of the index.
 *
 * `peers/pytorch.py` has the same in Python.
 */

import { type Conv, convs, type Gemm, gemms, rows } from './workloads.ts';

/** A tensor as every library takes it: row-major float32. */
export interface Host {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** `count` numbers from `low` up to `high`, uniform by the finalizer of MurmurHash3. */
export function uniform(count: number, seed: number, low = -1, high = 1): Float32Array {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let h = (Math.imul(i, 0x9e3779b1) + seed) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
    h = (h ^ (h >>> 16)) >>> 0;
    out[i] = low + (high - low) * (h / 4294967296);
  }
  return out;
}

/** Uniform numbers of a shape. */
export const drawn = (shape: readonly number[], seed: number, low = -1, high = 1): Host => ({
  shape,
  data: uniform(sizeOf(shape), seed, low, high),
});

/** Weights within ±1/√fanIn. */
export const weights = (shape: readonly number[], seed: number, fanIn: number): Host =>
  drawn(shape, seed, -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));

/** One number everywhere. */
export const filled = (shape: readonly number[], value: number): Host => ({
  shape,
  data: new Float32Array(sizeOf(shape)).fill(value),
});

/** `count` classes below `classes`. */
const labels = (count: number, classes: number, seed: number): Int32Array =>
  Int32Array.from(uniform(count, seed, 0, 1), (u) => Math.min(classes - 1, Math.floor(u * classes)));

/** Rows with a 1 at each label, for libraries whose cross entropy takes these. */
export function oneHot(indices: Int32Array, classes: number): Host {
  const data = new Float32Array(indices.length * classes);
  indices.forEach((c, i) => {
    data[i * classes + c] = 1;
  });
  return { shape: [indices.length, classes], data };
}

/** A multilayer perceptron and its batch. */
export const mlp = () => ({
  params: {
    w1: weights([784, 512], 101, 784),
    b1: filled([512], 0),
    w2: weights([512, 256], 102, 512),
    b2: filled([256], 0),
    w3: weights([256, 10], 103, 256),
    b3: filled([10], 0),
  },
  x: drawn([128, 784], 1, 0, 1),
  labels: labels(128, 10, 2),
  classes: 10,
});

/** LeNet-5, taps as [output, input, rows, columns], and its batch of [images, 1, 28, 28]. */
export const lenet = () => ({
  params: {
    cw1: weights([6, 1, 5, 5], 201, 25),
    cb1: filled([6], 0),
    cw2: weights([16, 6, 5, 5], 202, 150),
    cb2: filled([16], 0),
    w1: weights([400, 120], 203, 400),
    b1: filled([120], 0),
    w2: weights([120, 84], 204, 120),
    b2: filled([84], 0),
    w3: weights([84, 10], 205, 84),
    b3: filled([10], 0),
  },
  x: drawn([64, 1, 28, 28], 3, 0, 1),
  labels: labels(64, 10, 4),
  classes: 10,
});

/** Sizes of the LSTM. */
export const lstmSizes = { steps: 64, batch: 32, inputs: 64, hidden: 128, classes: 10 } as const;

/** An LSTM, gates in the order input, forget, cell, output, and its sequences [steps, batch, inputs]. */
export function lstm() {
  const { steps, batch, inputs, hidden, classes } = lstmSizes;
  return {
    params: {
      wx: weights([inputs, 4 * hidden], 301, hidden),
      wh: weights([hidden, 4 * hidden], 302, hidden),
      b: filled([4 * hidden], 0),
      wo: weights([hidden, classes], 303, hidden),
      bo: filled([classes], 0),
    },
    x: drawn([steps, batch, inputs], 5),
    labels: labels(batch, classes, 6),
    classes,
  };
}

/** Sizes of the GPT. */
export const gptSizes = { layers: 4, dim: 128, heads: 4, length: 64, batch: 16, symbols: 65 } as const;

/** A GPT and its batch: `ids` and the `labels` that follow them, [batch × length]. */
export function gpt() {
  const { layers, dim, length, batch, symbols } = gptSizes;
  return {
    params: {
      wte: weights([symbols, dim], 401, 1000),
      wpe: weights([length, dim], 402, 1000),
      lnfg: filled([dim], 1),
      lnfb: filled([dim], 0),
      head: weights([dim, symbols], 403, dim),
    },
    blocks: Array.from({ length: layers }, (_, layer) => {
      const seed = 410 + 10 * layer;
      return {
        ln1g: filled([dim], 1),
        ln1b: filled([dim], 0),
        qkvw: weights([dim, 3 * dim], seed, dim),
        qkvb: filled([3 * dim], 0),
        projw: weights([dim, dim], seed + 1, dim),
        projb: filled([dim], 0),
        ln2g: filled([dim], 1),
        ln2b: filled([dim], 0),
        fcw: weights([dim, 4 * dim], seed + 2, dim),
        fcb: filled([4 * dim], 0),
        fc2w: weights([4 * dim, dim], seed + 3, 4 * dim),
        fc2b: filled([dim], 0),
      };
    }),
    ids: labels(batch * length, symbols, 7),
    labels: labels(batch * length, symbols, 8),
    classes: symbols,
  };
}

/** Operands of a product; a transposed one is drawn as it is stored. */
export const operands = ({ m, k, n, transposed }: Gemm) => ({
  a: drawn(transposed === 'a' ? [k, m] : [m, k], 11),
  b: drawn(transposed === 'b' ? [n, k] : [k, n], 12),
});

/** Operands of a convolution. */
export const images = ({ images: count, input, size, taps, output }: Conv) => ({
  x: drawn([count, input, size, size], 13),
  w: weights([output, input, taps, taps], 14, input * taps * taps),
});

/** Operands of the elementwise and row workloads. */
export const elementwise = () => ({
  x: drawn([rows.rows, rows.columns], 21, -2, 2),
  w: drawn([rows.columns], 22),
  b: drawn([rows.columns], 23),
});

/** Two vectors of eight. */
export const eights = () => ({ a: drawn([8], 31), b: drawn([8], 32) });

/** One entry for each product, made by `f`. */
export const eachGemm = <A>(f: (gemm: Gemm) => A): Record<keyof typeof gemms, A> => mapped(gemms, f);

/** One entry for each convolution, made by `f`. */
export const eachConv = <A>(f: (conv: Conv) => A): Record<keyof typeof convs, A> => mapped(convs, f);

const mapped = <K extends string, A, B>(table: Readonly<Record<K, A>>, f: (a: A) => B): Record<K, B> =>
  Object.fromEntries(Object.entries<A>(table).map(([name, a]) => [name, f(a)])) as Record<K, B>;

/** Five elements of a result, by which results are compared. */
export function probes(data: ArrayLike<number>): readonly number[] {
  const last = data.length - 1;
  return [0, 0.31, 0.5, 0.77, 1].map((part) => data[Math.floor(part * last)]!);
}
