/**
 * What is measured: one row for each workload, the same for everybody.
 *
 * A row says how results are checked and counted; how a library does the work is in `ours.ts` and `peers/`.
 */

/** What a workload's numbers are in. */
export type Metric = 'ms/step' | 'ms' | 'us';

/** A product of [m, k] and [k, n], of which one may be stored transposed. */
export interface Gemm {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  /** Which operand is stored transposed. */
  readonly transposed: 'none' | 'a' | 'b';
}

/** A convolution of [images, input, size, size] with [output, input, taps, taps], stride 1, of the same size. */
export interface Conv {
  readonly images: number;
  readonly input: number;
  readonly size: number;
  readonly taps: number;
  readonly output: number;
}

/** A workload. */
export interface Workload {
  readonly metric: Metric;
  /** What is done, in a line. */
  readonly about: string;
  /** Calls that are timed as one, where one alone is shorter than the clock is good for. */
  readonly batch: number;
  /** Steps of training that must be taken, because their losses are compared; 1 where nothing is trained. */
  readonly steps: number;
  /** Floating-point operations of a call, where these are what takes the time. */
  readonly flops: number | null;
}

const gemm = (m: number, k: number, n: number, transposed: Gemm['transposed'] = 'none'): Gemm => ({
  m,
  k,
  n,
  transposed,
});

/** The matrix products. */
export const gemms = {
  matmul_128: gemm(128, 128, 128),
  matmul_256: gemm(256, 256, 256),
  matmul_512: gemm(512, 512, 512),
  matmul_1024: gemm(1024, 1024, 1024),
  matmul_2048: gemm(2048, 2048, 2048),
  matmul_128x784x512: gemm(128, 784, 512),
  matmul_512_ATB: gemm(512, 512, 512, 'a'),
  matmul_512_ABT: gemm(512, 512, 512, 'b'),
  matmul_1024_ATB: gemm(1024, 1024, 1024, 'a'),
  matmul_1024_ABT: gemm(1024, 1024, 1024, 'b'),
} as const satisfies Record<string, Gemm>;

/** The convolutions. */
export const convs = {
  conv_5x5: { images: 64, input: 16, size: 28, taps: 5, output: 32 },
  conv_3x3: { images: 8, input: 64, size: 56, taps: 3, output: 64 },
} as const satisfies Record<string, Conv>;

/** The operand of elementwise and row operations. */
export const rows = { rows: 4096, columns: 1024 } as const;

/** Sizes of the layers that are trained by themselves, on mean squared errors. */
export const layerSizes = {
  conv: { images: 32, size: 28, input: 16, output: 32, taps: 3 },
  attention: { batch: 16, length: 64, size: 128, heads: 4, feedForward: 512 },
  recurrent: { batch: 32, length: 64, inputs: 64, hidden: 128 },
  tree: { count: 16, size: 256 },
} as const;

const model = (about: string): Workload => ({ metric: 'ms/step', about, batch: 1, steps: 5, flops: null });
const whole = (about: string): Workload => ({ metric: 'ms', about, batch: 1, steps: 1, flops: null });
const tiny = (about: string): Workload => ({ metric: 'us', about, batch: 500, steps: 1, flops: null });

const product = ({ m, k, n, transposed }: Gemm): Workload => ({
  metric: 'ms',
  about: `[${m}, ${k}] · [${k}, ${n}]${transposed === 'none' ? '' : `, ${transposed} stored transposed`}`,
  batch: m * k * n <= 256 ** 3 ? 10 : 1,
  steps: 1,
  flops: 2 * m * k * n,
});

const convolution = ({ images, input, size, taps, output }: Conv): Workload => ({
  metric: 'ms',
  about: `[${images}, ${input}, ${size}, ${size}] ∗ [${output}, ${input}, ${taps}, ${taps}], same size`,
  batch: 1,
  steps: 1,
  flops: 2 * images * output * size * size * input * taps * taps,
});

const each = <K extends string, A>(table: Readonly<Record<K, A>>, f: (a: A) => Workload): Record<K, Workload> =>
  Object.fromEntries(Object.entries<A>(table).map(([name, a]) => [name, f(a)])) as Record<K, Workload>;

/** All workloads, in the order of the table. */
export const workloads = {
  mlp: model('784-512-256-10, relu, batch 128, Adam 1e-3'),
  lenet: model('LeNet-5, relu and max-pooling, batch 64, SGD 0.01 with momentum 0.9'),
  lstm: model('LSTM of 128 over 64 steps of 64, batch 32, loss of the last step, SGD 0.1'),
  gpt: model('GPT: 4 layers of 128, 4 heads, 64 positions, 65 symbols, batch 16, Adam 1e-3'),
  conv_block: model('convolution 3×3 of [32, 28, 28, 16] to 32 channels, batch norm in training, relu, Adam 1e-3'),
  encoder_block: model('transformer encoder layer: 128, 4 heads, 512 units, 64 positions, batch 16, Adam 1e-3'),
  attention: model('multi-head attention, causal: 128, 4 heads, 64 positions, batch 16, Adam 1e-3'),
  gru_layer: model('GRU of 128 over 64 steps of 64, batch 32, loss of all steps, Adam 1e-3'),
  lstm_layer: model('LSTM of 128 over 64 steps of 64, batch 32, loss of all steps, Adam 1e-3'),
  adam_1m: model('Adam of 16 float32[256, 256], the loss half their squares'),
  ...each(gemms, product),
  ...each(convs, convolution),
  ew_chain: whole('tanh(x·w + b)·σ(x), x float32[4096, 1024], w and b [1024]'),
  ew_sum: whole('its sum'),
  ew_grad: whole('the gradient of its sum'),
  softmax: whole('softmax of the rows of float32[4096, 1024]'),
  layernorm: whole('layer norm of the rows of float32[4096, 1024], with scale and bias'),
  eager_add8: tiny('a + b of two float32[8], not compiled'),
  jit_tiny: tiny('a·2 + b of two float32[8], compiled'),
} as const satisfies Record<string, Workload>;

/** The name of a workload. */
export type WorkloadName = keyof typeof workloads;

/** All names. */
export const workloadNames = Object.keys(workloads) as readonly WorkloadName[];
