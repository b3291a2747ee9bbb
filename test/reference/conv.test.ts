/** Convolution against its definition, with whole numbers, so that sums are exact in any order. */

import fc from 'fast-check';
import { describe, it } from 'vitest';
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
});
