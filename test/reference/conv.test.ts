import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lowerings } from '../../backends/reference/lowering.ts';
import type { DType } from '../../src/core/dtype.ts';
import { range, type Shape, sizeOf } from '../../src/core/shape.ts';
import type { ConvParams } from '../../src/prim/conv.ts';
import { at, expectElements, type Host, host, indices, type Precision, run1 } from './oracle.ts';

/** One spatial axis. */
const spatial = fc.record({
  length: fc.nat(6),
  taps: fc.nat(3),
  stride: fc.integer({ min: 1, max: 3 }),
  low: fc.integer({ min: -2, max: 3 }),
  high: fc.integer({ min: -2, max: 3 }),
  lhsDilation: fc.integer({ min: 1, max: 3 }),
  rhsDilation: fc.integer({ min: 1, max: 3 }),
});

const order = (n: number) => fc.shuffledSubarray(range(n), { minLength: n });

const problem = fc.array(spatial, { maxLength: 3 }).chain((axes) =>
  fc.record({
    axes: fc.constant(axes),
    batch: fc.nat(3),
    inputs: fc.nat(3),
    outputs: fc.nat(6),
    groups: fc.integer({ min: 1, max: 3 }),
    kind: fc.constantFrom('feature', 'batch'),
    specs: fc.tuple(order(axes.length + 2), order(axes.length + 2), order(axes.length + 2)),
    dtype: fc.constantFrom<DType>('float32', 'float64', 'int32', 'uint32'),
    precision: fc.constantFrom<Precision>('rounded', 'float64'),
  }),
);

/** The shape whose lengths, in the order of the spec, are these. */
function placed(lengths: Shape, spec: readonly number[]): number[] {
  const shape = new Array<number>(lengths.length);
  spec.forEach((axis, i) => {
    shape[axis] = lengths[i]!;
  });
  return shape;
}

/** The element of which the index, in the order of the spec, is this. */
const element = (x: Host, spec: readonly number[], index: readonly number[]): number => at(x, placed(index, spec));

/** The number of windows: counted. */
function windowsOn({
  length,
  taps,
  stride,
  low,
  high,
  lhsDilation,
  rhsDilation,
}: typeof spatial extends fc.Arbitrary<infer A> ? A : never): number {
  const whole = low + high + (length === 0 ? 0 : 1 + (length - 1) * lhsDilation);
  const extent = taps === 0 ? 0 : 1 + (taps - 1) * rhsDilation;
  let count = 0;
  while (whole > 0 && count * stride + extent <= whole) count++;
  return count;
}

/** One spatial axis or more, and nothing special. */
const plain = (n: number): ConvParams => {
  const fill = (value: number) => range(n).map(() => value);
  return {
    windowStrides: fill(1),
    paddingLow: fill(0),
    paddingHigh: fill(0),
    lhsDilation: fill(1),
    rhsDilation: fill(1),
    lhsSpec: range(n + 2),
    rhsSpec: range(n + 2),
    outSpec: range(n + 2),
    featureGroupCount: 1,
    batchGroupCount: 1,
  };
};

describe('conv_general_dilated', () => {
  it('is the sum over taps and features, for any geometry', () => {
    fc.assert(
      fc.property(problem, ({ axes, batch, inputs, outputs, groups, kind, specs, dtype, precision }) => {
        const [lhsSpec, rhsSpec, outSpec] = specs;
        const whole = axes.map((a) => (a.length === 0 ? 0 : 1 + (a.length - 1) * a.lhsDilation) + a.low + a.high);
        fc.pre(whole.every((n) => n >= 0));
        const [featureGroups, batchGroups] = kind === 'feature' ? [groups, 1] : [1, groups];
        const lhsShape = placed([batch * batchGroups, inputs * featureGroups, ...axes.map((a) => a.length)], lhsSpec);
        const rhsShape = placed([outputs * groups, inputs, ...axes.map((a) => a.taps)], rhsSpec);
        const outShape = placed([batch, outputs * groups, ...axes.map(windowsOn)], outSpec);
        const big = dtype === 'int32' || dtype === 'uint32' ? 2 ** 20 + 7 : 1;
        const x = host(
          dtype,
          lhsShape,
          range(sizeOf(lhsShape)).map((i) => (((i * 7) % 11) - 5) * big),
          precision,
        );
        const y = host(
          dtype,
          rhsShape,
          range(sizeOf(rhsShape)).map((i) => (((i * 5) % 13) - 6) * big),
          precision,
        );
        const p: ConvParams = {
          windowStrides: axes.map((a) => a.stride),
          paddingLow: axes.map((a) => a.low),
          paddingHigh: axes.map((a) => a.high),
          lhsDilation: axes.map((a) => a.lhsDilation),
          rhsDilation: axes.map((a) => a.rhsDilation),
          lhsSpec,
          rhsSpec,
          outSpec,
          featureGroupCount: featureGroups,
          batchGroupCount: batchGroups,
        };
        const out = run1(lowerings.conv_general_dilated, [x, y], outShape, dtype, p, precision);
        expectElements(out, outShape, (index) => {
          const [image, output, ...window] = outSpec.map((axis) => index[axis]!) as [number, number, ...number[]];
          const group = Math.floor(output / outputs);
          let sum = 0n;
          for (const [feature, ...tap] of indices([inputs, ...axes.map((a) => a.taps)])) {
            // The place in the dilated and padded axis, then the element there, if there is one.
            const places = axes.map((a, i) => window[i]! * a.stride + tap[i]! * a.rhsDilation - a.low);
            if (!places.every((q, i) => q >= 0 && q % axes[i]!.lhsDilation === 0)) continue;
            const source = places.map((q, i) => q / axes[i]!.lhsDilation);
            if (!source.every((q, i) => q < axes[i]!.length)) continue;
            const from = kind === 'feature' ? [image, group * inputs + feature!] : [group * batch + image, feature!];
            sum +=
              BigInt(element(x, lhsSpec, [...from, ...source])) *
              BigInt(element(y, rhsSpec, [output, feature!, ...tap]));
          }
          if (dtype === 'int32') return Number(BigInt.asIntN(32, sum));
          if (dtype === 'uint32') return Number(BigInt.asUintN(32, sum));
          return Number(sum);
        });
      }),
      { numRuns: 600 },
    );
  });

  /** Channels first, in integers that doubles hold, by loops over strides: quick enough for blocks that do not fit at once. */
  function direct(
    x: Host,
    y: Host,
    [images, outputs, rows, columns]: Shape,
    stride: number,
    low: number,
    groups: number,
  ) {
    const [, features, height, width] = x.shape as [number, number, number, number];
    const [, inputs, tall, wide] = y.shape as [number, number, number, number];
    const out: number[] = [];
    for (let n = 0; n < images!; n++)
      for (let o = 0; o < outputs!; o++)
        for (let r = 0; r < rows!; r++)
          for (let c = 0; c < columns!; c++) {
            let sum = 0;
            for (let i = 0; i < inputs; i++)
              for (let a = 0; a < tall; a++)
                for (let b = 0; b < wide; b++) {
                  const [h, w] = [r * stride + a - low, c * stride + b - low];
                  if (h < 0 || w < 0 || h >= height || w >= width) continue;
                  const feature = Math.floor(o / (outputs! / groups)) * inputs + i;
                  sum +=
                    x.data[((n * features + feature) * height + h) * width + w]! *
                    y.data[((o * inputs + i) * tall + a) * wide + b]!;
                }
            out.push(sum);
          }
    return out;
  }

  it.each([
    ['more taps than a block', [1, 70, 9, 9], [5, 70, 3, 3], [1, 5, 9, 9], 1, 1, 1],
    ['more windows than a block', [1, 2, 30, 31], [9, 2, 2, 2], [1, 9, 29, 30], 1, 0, 1],
    ['more images than are worked on together', [300, 3, 8, 8], [2, 3, 3, 3], [300, 2, 4, 4], 2, 1, 1],
    ['both, in groups of one output', [3, 4, 20, 20], [4, 1, 5, 5], [3, 4, 20, 20], 1, 2, 4],
    ['both, in groups of six outputs', [2, 120, 18, 18], [12, 60, 3, 3], [2, 12, 18, 18], 1, 1, 2],
    ['one large image', [1, 40, 40, 40], [4, 40, 40, 40], [1, 4, 1, 1], 1, 0, 1],
  ] as const)('%s', (_, lhs, rhs, shape, stride, low, groups) => {
    const x = host(
      'float32',
      lhs,
      range(sizeOf(lhs)).map((i) => ((i * 7) % 23) - 11),
    );
    const y = host(
      'float32',
      rhs,
      range(sizeOf(rhs)).map((i) => ((i * 5) % 19) - 9),
    );
    const high = (shape[2] - 1) * stride + rhs[2] - lhs[2] - low;
    const p: ConvParams = {
      windowStrides: [stride, stride],
      paddingLow: [low, low],
      paddingHigh: [high, (shape[3] - 1) * stride + rhs[3] - lhs[3] - low],
      lhsDilation: [1, 1],
      rhsDilation: [1, 1],
      lhsSpec: [0, 1, 2, 3],
      rhsSpec: [0, 1, 2, 3],
      outSpec: [0, 1, 2, 3],
      featureGroupCount: groups,
      batchGroupCount: 1,
    };
    const out = run1(lowerings.conv_general_dilated, [x, y], shape, 'float32', p);
    expect([...out]).toEqual(direct(x, y, shape, stride, low, groups));
    // Integers in loops of their own.
    const words = [host('int32', lhs, x.data), host('int32', rhs, y.data)];
    const whole = run1(lowerings.conv_general_dilated, words, shape, 'int32', p);
    expect([...whole]).toEqual([...out]);
  });

  it('rounds once: what float32 would lose on the way is there at the end', () => {
    const n = 4000;
    const x = host(
      'float32',
      [1, 1, n],
      range(n).map((i) => (i === 0 ? 2 ** 24 : i === n - 1 ? -(2 ** 24) : 1 / 4)),
    );
    const y = host(
      'float32',
      [1, 1, n],
      range(n).map(() => 1),
    );
    const out = run1(lowerings.conv_general_dilated, [x, y], [1, 1, 1], 'float32', plain(1));
    expect([...out]).toEqual([(n - 2) / 4]);
  });

  it('multiplies the zeros of padding as elements, and sums nothing to 0', () => {
    const x = host('float32', [1, 1, 2], [1, 2]);
    const y = host('float32', [1, 1, 2], [Infinity, 1]);
    const over = run1(lowerings.conv_general_dilated, [x, y], [1, 1, 2], 'float32', { ...plain(1), paddingLow: [1] });
    expect([...over]).toEqual([Number.NaN, Infinity]);
    const nothing = [host('float32', [2, 0, 3], []), host('float32', [4, 0, 2], [])];
    expect([...run1(lowerings.conv_general_dilated, nothing, [2, 4, 2], 'float32', plain(1))]).toEqual(
      new Array(16).fill(0),
    );
  });
});
