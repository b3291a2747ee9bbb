/** The row of convolution: each spatial axis has a geometry of its own, and the axes of all tensors stand in any order. */

import * as fc from 'fast-check';
import { makeAval } from '../../src/core/aval.ts';
import { isFloat } from '../../src/core/dtype.ts';
import { range, type Shape, sizeOf } from '../../src/core/shape.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { dtype, numbers } from '../arbitrary/dtype.ts';
import { bounded, permutation } from '../arbitrary/shape.ts';
import { claims, makeCall, ofShape, type Row, smooth, weaknesses } from './row.ts';

/** A spatial axis: the lengths of both operands on it, and how they meet. */
interface Axis {
  readonly length: number;
  readonly taps: number;
  readonly stride: number;
  readonly low: number;
  readonly high: number;
  readonly lhsDilation: number;
  readonly rhsDilation: number;
}

/** Mostly 1. */
const step = fc.oneof(
  { weight: 2, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.integer({ min: 2, max: 3 }) },
);

/** 0 now and then. */
const length = (max: number): fc.Arbitrary<number> =>
  fc.oneof({ weight: 15, arbitrary: fc.integer({ min: 1, max }) }, { weight: 1, arbitrary: fc.constant(0) });

/** Padding may cut, but no more than there is. */
const axis: fc.Arbitrary<Axis> = fc
  .record({
    length: length(4),
    taps: length(3),
    stride: step,
    low: fc.integer({ min: -1, max: 2 }),
    high: fc.integer({ min: -1, max: 2 }),
    lhsDilation: step,
    rhsDilation: step,
  })
  .map((a) => (a.length + Math.min(a.low, 0) + Math.min(a.high, 0) < 0 ? { ...a, low: 0, high: 0 } : a));

/** The shape whose lengths, in the order of the spec, are these. */
const placed = (lengths: Shape, spec: readonly number[]): number[] =>
  range(lengths.length).map((i) => lengths[spec.indexOf(i)]!);

/** The windows that fit, counted. */
function windowsOn(n: number, taps: number, i: number, p: FirstOrderParams<'conv_general_dilated'>): number {
  const places = Math.max(0, n + (n - 1) * (p.lhsDilation[i]! - 1)) + p.paddingLow[i]! + p.paddingHigh[i]!;
  const extent = Math.max(0, taps + (taps - 1) * (p.rhsDilation[i]! - 1));
  return range(places + 1).filter((at) => places > 0 && at % p.windowStrides[i]! === 0 && at + extent <= places).length;
}

const convGeneralDilated: Row<FirstOrderParams<'conv_general_dilated'>> = {
  takes: numbers,
  calls: (dtypes) =>
    fc.array(axis, { maxLength: 3 }).chain((all) =>
      fc
        .record({
          batch: length(2),
          inputs: length(2),
          outputs: length(2),
          groups: step,
          grouped: fc.boolean(),
          specs: fc.tuple(permutation(all.length + 2), permutation(all.length + 2), permutation(all.length + 2)),
          d: dtype(dtypes),
          weak: weaknesses(2),
        })
        .map(({ batch, inputs, outputs, groups, grouped, specs, d, weak }) => {
          const [lhsSpec, rhsSpec, outSpec] = specs;
          const [featureGroupCount, batchGroupCount] = grouped ? [groups, 1] : [1, groups];
          // Small tensors: what is too much becomes an axis of length 1.
          const lhs = bounded([batch * batchGroupCount, inputs * featureGroupCount, ...all.map((a) => a.length)]);
          const rhs = bounded([outputs * groups, inputs, ...all.map((a) => a.taps)]);
          const axes = all.map((a, i) => (lhs[i + 2] === a.length ? a : { ...a, low: 0, high: 0 }));
          return makeCall([makeAval(placed(lhs, lhsSpec), d, weak[0]!), makeAval(placed(rhs, rhsSpec), d, weak[1]!)], {
            windowStrides: axes.map((a) => a.stride),
            paddingLow: axes.map((a) => a.low),
            paddingHigh: axes.map((a) => a.high),
            lhsDilation: axes.map((a) => a.lhsDilation),
            rhsDilation: axes.map((a) => a.rhsDilation),
            lhsSpec,
            rhsSpec,
            outSpec,
            featureGroupCount,
            batchGroupCount,
          });
        }),
    ),
  operands: claims(smooth),
  linear: ({ ins }) => (isFloat(ins[0]!.dtype) ? [[0], [1]] : []),
  results: ofShape(({ ins: [lhs, rhs], params }) => {
    const [lhsLengths, rhsLengths] = [
      params.lhsSpec.map((a) => lhs!.shape[a]!),
      params.rhsSpec.map((a) => rhs!.shape[a]!),
    ];
    const windows = params.lhsDilation.map((_, i) => windowsOn(lhsLengths[i + 2]!, rhsLengths[i + 2]!, i, params));
    return placed([lhsLengths[0]! / params.batchGroupCount, rhsLengths[0]!, ...windows], params.outSpec);
  }),
  terms: ({ ins, params }) => sizeOf(params.rhsSpec.slice(1).map((a) => ins[1]!.shape[a]!)),
};

/** Rows by name. */
export const convRows = { conv_general_dilated: convGeneralDilated } as const;
