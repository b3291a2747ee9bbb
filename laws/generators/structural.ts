/** Rows of the primitives that move elements, and of the identities. */

import * as fc from 'fast-check';
import { makeAval } from '../../src/core/aval.ts';
import type { DType } from '../../src/core/dtype.ts';
import type { None } from '../../src/core/params.ts';
import { noParams } from '../../src/core/primitive.ts';
import { range, sizeOf } from '../../src/core/shape.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { axesOf } from '../arbitrary/axes.ts';
import { dtype, everyDType, numbers } from '../arbitrary/dtype.ts';
import { axisLength, maxSize, permutation, shape } from '../arbitrary/shape.ts';
import {
  alike,
  aval,
  type Call,
  claims,
  everywhere,
  likeFirst,
  makeCall,
  nowhere,
  ofShape,
  type Row,
  smooth,
  weaknesses,
  zero,
} from './row.ts';

const linear = { takes: everyDType, operands: claims(smooth), linear: everywhere, moves: true } as const;

const broadcastInDim: Row<FirstOrderParams<'broadcast_in_dim'>> = {
  ...linear,
  results: ofShape(({ params }) => params.shape),
  calls: (dtypes) =>
    shape().chain((result) =>
      fc
        .tuple(
          fc.subarray(range(result.length)),
          fc.array(fc.nat({ max: 2 }), { minLength: 4, maxLength: 4 }),
          dtype(dtypes),
          weaknesses(1),
        )
        .map(([dims, stretch, d, [weak]]) => {
          const lengths = dims.map((axis) => (stretch[axis] === 0 ? 1 : result[axis]!));
          return makeCall([makeAval(lengths, d, weak)], { shape: result, broadcastDimensions: dims });
        }),
    ),
};

/** Another shape of the same size: axes merged, split or of length 1. */
const reshape: Row<FirstOrderParams<'reshape'>> = {
  ...linear,
  results: ofShape(({ params }) => params.shape),
  calls: (dtypes) =>
    fc.tuple(aval(dtypes), fc.nat({ max: 4 }), fc.nat({ max: 3 }), fc.boolean()).map(([x, at, unit, split]) => {
      const merged = [...x.shape.slice(0, at), sizeOf(x.shape.slice(at))];
      const last = merged.at(-1)!;
      const divided = split && last > 0 && last % 2 === 0 ? [...merged.slice(0, -1), last / 2, 2] : merged;
      const wide = [...divided.slice(0, unit), ...(unit === 3 ? [] : [1]), ...divided.slice(unit)];
      return makeCall([x], { shape: wide });
    }),
};

const transpose: Row<FirstOrderParams<'transpose'>> = {
  ...linear,
  results: ofShape(({ ins, params }) => params.permutation.map((axis) => ins[0]!.shape[axis]!)),
  calls: (dtypes) =>
    aval(dtypes).chain((x) => permutation(x.shape.length).map((p) => makeCall([x], { permutation: p }))),
};

const slice: Row<FirstOrderParams<'slice'>> = {
  ...linear,
  // As many as there are indices: counted, not computed.
  results: ofShape(({ ins, params: { start, limit, strides } }) =>
    ins[0]!.shape.map(
      (n, axis) =>
        range(n).filter((i) => i >= start[axis]! && i < limit[axis]! && (i - start[axis]!) % strides[axis]! === 0)
          .length,
    ),
  ),
  calls: (dtypes) =>
    aval(dtypes).chain((x) =>
      fc
        .tuple(
          fc.tuple(...x.shape.map((n) => fc.tuple(fc.nat({ max: n }), fc.nat({ max: n })))),
          fc.tuple(...x.shape.map(() => fc.integer({ min: 1, max: 3 }))),
        )
        .map(([ends, strides]) =>
          makeCall([x], {
            start: ends.map(([a, b]) => Math.min(a, b)),
            limit: ends.map(([a, b]) => Math.max(a, b)),
            strides,
          }),
        ),
    ),
};

const rev: Row<FirstOrderParams<'rev'>> = {
  ...linear,
  results: likeFirst,
  calls: (dtypes) =>
    aval(dtypes).chain((x) => axesOf(x.shape.length).map((dimensions) => makeCall([x], { dimensions }))),
};

const pad: Row<FirstOrderParams<'pad'>> = {
  ...linear,
  // The elements lie interior + 1 apart, the last one ends them.
  results: ofShape(({ ins, params: { low, high, interior } }) =>
    ins[0]!.shape.map((n, axis) => (n === 0 ? 0 : 1 + (n - 1) * (interior[axis]! + 1)) + low[axis]! + high[axis]!),
  ),
  calls: (dtypes) =>
    fc.tuple(shape({ maxRank: 3 }), dtype(dtypes), weaknesses(2)).chain(([s, d, [weak, valueWeak]]) =>
      fc
        .tuple(
          ...s.map(() =>
            fc.tuple(fc.integer({ min: -1, max: 2 }), fc.integer({ min: -2, max: 1 }), fc.nat({ max: 2 })),
          ),
        )
        .map((config) => {
          const spread = s.map((n, i) => n + Math.max(0, n - 1) * config[i]![2]);
          // What is cut is there; results stay small.
          const fits = (low: number, high: number, n: number): boolean => n + low + high >= 0;
          const kept = config.map(([low, high, interior], i) =>
            fits(low, high, spread[i]!) ? [low, high, interior] : [0, 0, interior],
          ) as readonly (readonly [number, number, number])[];
          const total = sizeOf(spread.map((n, i) => n + kept[i]![0] + kept[i]![1]));
          const used = total <= 4 * maxSize ? kept : s.map(() => [0, 0, 0] as const);
          return makeCall([makeAval(s, d, weak), makeAval([], d, valueWeak)], {
            low: used.map(([low]) => low),
            high: used.map(([, high]) => high),
            interior: used.map(([, , interior]) => interior),
          });
        }),
    ),
};

const concatenate: Row<FirstOrderParams<'concatenate'>> = {
  ...linear,
  results: ofShape(({ ins, params: { dimension } }) =>
    ins[0]!.shape.map((n, axis) => (axis === dimension ? ins.reduce((sum, x) => sum + x.shape[axis]!, 0) : n)),
  ),
  calls: (dtypes) =>
    fc
      .tuple(
        shape({ minRank: 1, maxRank: 3 }),
        fc.nat({ max: 2 }),
        dtype(dtypes),
        fc.array(axisLength(), { minLength: 1, maxLength: 3 }),
        weaknesses(3),
      )
      .map(([s, at, d, parts, weak]) => {
        const dimension = at % s.length;
        const avals = parts.map((n, i) =>
          makeAval(
            s.map((length, axis) => (axis === dimension ? n : length)),
            d,
            weak[i]!,
          ),
        );
        return makeCall(avals, { dimension });
      }),
};

const iota: Row<FirstOrderParams<'iota'>> = {
  takes: numbers,
  calls: (dtypes) =>
    fc
      .tuple(shape({ minRank: 1 }), fc.nat({ max: 3 }), dtype(dtypes))
      .map(([s, at, d]) => makeCall([], { shape: s, dimension: at % s.length, dtype: d })),
  operands: () => [],
  linear: nowhere,
  results: ({ params }) => [makeAval(params.shape, params.dtype)],
};

const stopGradient: Row<None> = {
  takes: everyDType,
  calls: (dtypes) => aval(dtypes).map((x) => makeCall([x], noParams)),
  operands: claims(zero),
  linear: nowhere,
  results: likeFirst,
};

const name: Row<FirstOrderParams<'name'>> = {
  takes: everyDType,
  calls: (dtypes) => aval(dtypes as readonly DType[]).map((x) => makeCall([x], { name: 'x' })),
  operands: claims(smooth),
  linear: everywhere,
  results: ({ ins }) => ins,
  moves: true,
};

/** One to three operands of any avals: each has its own result. */
const together = <P>(params: P): Row<P> => ({
  takes: everyDType,
  calls: (dtypes): fc.Arbitrary<Call<P>> =>
    fc
      .tuple(
        fc.integer({ min: 1, max: 2 }),
        alike(2, { maxRank: 3 })(dtypes),
        aval(dtypes as readonly DType[], { maxRank: 2 }),
      )
      .map(([count, pair, other]) => makeCall([...pair.slice(0, count), other], params)),
  operands: claims(smooth),
  linear: everywhere,
  results: ({ ins }) => ins,
  moves: true,
});

/** Rows by name. */
export const structuralRows = {
  broadcast_in_dim: broadcastInDim,
  reshape,
  transpose,
  slice,
  pad,
  concatenate,
  iota,
  rev,
  stop_gradient: stopGradient,
  name,
  optimization_barrier: together(noParams),
  tap: together<FirstOrderParams<'tap'>>({ label: 'tap', deliver: () => undefined }),
} as const;
