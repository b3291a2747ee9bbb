/**
 * Convolutions beside the machine's peak: `npx tsx bench/conv.ts [plain] [NAME…]`, in the columns of `bench/gemm.ts`. Each network's layer is
 * measured forward, and backward for its taps and its images.
 */

import { emitConv } from '../backends/wasm/conv/conv.ts';
import type { ConvShape, ConvStrides } from '../backends/wasm/conv/shape.ts';
import { fastest, line, newModule, peak, reserve, runner } from './machine.ts';

interface Layer {
  readonly name: string;
  readonly images: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly length: number;
  readonly window: number;
  readonly pad: number;
  readonly stride?: number;
  readonly groups?: number;
}

const layers: Layer[] = [
  { name: 'N64 C16 28² k5 O32', images: 64, inputs: 16, outputs: 32, length: 28, window: 5, pad: 2 },
  { name: 'N8 C64 56² k3 O64', images: 8, inputs: 64, outputs: 64, length: 56, window: 3, pad: 1 },
  { name: 'LeNet 1', images: 64, inputs: 1, outputs: 6, length: 28, window: 5, pad: 2 },
  { name: 'LeNet 2', images: 64, inputs: 6, outputs: 16, length: 14, window: 5, pad: 0 },
  { name: 'pointwise C64 O128 28²', images: 8, inputs: 64, outputs: 128, length: 28, window: 1, pad: 0 },
  { name: 'stride 2 C64 O128 28²', images: 8, inputs: 64, outputs: 128, length: 28, window: 3, pad: 1, stride: 2 },
  { name: 'C256 O256 7²', images: 8, inputs: 256, outputs: 256, length: 7, window: 3, pad: 1 },
  { name: 'depthwise C64 56²', images: 8, inputs: 64, outputs: 64, length: 56, window: 3, pad: 1, groups: 64 },
];

/** Strides of dense arrays, by the order of their axes (batch, feature, height, width). */
function dense(order: readonly number[], extents: readonly number[]): ConvStrides {
  const all = [0, 0, 0, 0];
  let size = 1;
  for (const axis of [...order].reverse()) {
    all[axis] = size;
    size *= extents[axis]!;
  }
  return { batch: all[0]!, feature: all[1]!, spatial: [all[2]!, all[3]!] };
}

const exchanged = (s: ConvStrides): ConvStrides => ({ ...s, batch: s.feature, feature: s.batch });

/** The three convolutions of a layer, with channels first or last. */
function passes(l: Layer, last: boolean): [string, ConvShape][] {
  const { images, inputs, outputs, length, window, pad, stride = 1, groups = 1 } = l;
  const out = Math.floor((length + 2 * pad - window) / stride) + 1;
  const order = last ? [0, 2, 3, 1] : [0, 1, 2, 3];
  const x = dense(order, [images, inputs, length, length]);
  const w = dense(last ? [2, 3, 1, 0] : [0, 1, 2, 3], [outputs, inputs / groups, window, window]);
  const y = dense(order, [images, outputs, out, out]);
  const shared = { dtype: 'float32', relaxed, epilogue: null } as const;
  const low = window - 1 - pad;
  const axis = { padLow: pad, stride: 1, lhsDilation: 1, rhsDilation: 1 };
  const square = (a: ConvShape['spatial'][number]) => [a, a];
  const forward: ConvShape = {
    ...shared,
    batch: images,
    inFeatures: inputs,
    outFeatures: outputs,
    groups,
    batchGroups: 1,
    spatial: square({ ...axis, in: length, out, window, stride }),
    lhs: x,
    rhs: w,
    out: y,
  };
  const ofTaps: ConvShape = {
    ...shared,
    batch: inputs,
    inFeatures: images,
    outFeatures: outputs,
    groups: 1,
    batchGroups: groups,
    spatial: square({ ...axis, in: length, out: window, window: out, rhsDilation: stride }),
    lhs: exchanged(x),
    rhs: exchanged(y),
    out: exchanged(w),
  };
  // With groups the taps are rearranged by the rule of the transpose: [inputs, outputs of a group].
  const turned = groups === 1 ? exchanged(w) : dense([0, 1, 2, 3], [inputs, outputs / groups, window, window]);
  const ofImages: ConvShape = {
    ...shared,
    batch: images,
    inFeatures: outputs,
    outFeatures: inputs,
    groups,
    batchGroups: 1,
    spatial: square({ ...axis, in: out, out: length, window, lhsDilation: stride, padLow: low }),
    lhs: y,
    rhs: turned,
    out: x,
  };
  return [
    [`${l.name}${last ? ' NHWC' : ''}`, forward],
    ['  its dW', ofTaps],
    ['  its dX', ofImages],
  ];
}

const relaxed = !process.argv.includes('plain');
const chosen = process.argv.slice(2).filter((x) => x !== 'plain');
const limit = peak();
console.log(`peak ${limit.toFixed(1)} GFLOP/s${relaxed ? ', relaxed' : ''}`);
for (const layer of layers) {
  if (chosen.length > 0 && !chosen.some((x) => layer.name.includes(x))) continue;
  const { images, inputs, outputs, length, window, pad, stride = 1, groups = 1 } = layer;
  const out = Math.floor((length + 2 * pad - window) / stride) + 1;
  const flops = (2 * images * outputs * out * out * inputs * window * window) / groups;
  const sizes = [images * inputs * length ** 2, (outputs * inputs * window ** 2) / groups, images * outputs * out ** 2];
  for (const last of [false, true]) {
    for (const [name, shape] of passes(layer, last)) {
      const module = newModule();
      const { func, scratchBytes, blocks } = emitConv(module, shape);
      const run = runner(module, func);
      const operands = name.includes('dW') ? [0, 2, 1] : name.includes('dX') ? [2, 1, 0] : [0, 1, 2];
      const [a, b, c, scratch] = reserve([...operands.map((i) => sizes[i]! * 4), scratchBytes]);
      const time = fastest(() => run(a!, b!, c!, scratch!, 0, blocks));
      const bytes = 4 * sizes.reduce((sum, n) => sum + n);
      console.log(line(name, time, flops, bytes, limit), ` ${blocks} blocks`);
    }
  }
}
