/** Rows of reductions and contractions. */

import * as fc from 'fast-check';
import { makeAval } from '../../src/core/aval.ts';
import { isFloat } from '../../src/core/dtype.ts';
import { range, type Shape, sizeOf } from '../../src/core/shape.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { axesOf } from '../arbitrary/axes.ts';
import { dtype, everyDType, logicals, numbers } from '../arbitrary/dtype.ts';
import { separated } from '../arbitrary/elements.ts';
import { permutation } from '../arbitrary/shape.ts';
import {
  aval,
  type Call,
  claims,
  everywhere,
  makeCall,
  notFloat,
  nowhere,
  ofShape,
  piecewise,
  type Row,
  smooth,
  weaknesses,
  zero,
} from './row.ts';

/** The lengths of the axes that stay. */
const kept = ({ ins, params: { axes } }: Call<{ readonly axes: readonly number[] }>): Shape =>
  ins[0]!.shape.filter((_, axis) => !axes.includes(axis));

const reduceSum: Row<FirstOrderParams<'reduce_sum'>> = {
  takes: numbers,
  calls: (dtypes) => aval(dtypes).chain((x) => axesOf(x.shape.length).map((axes) => makeCall([x], { axes }))),
  operands: claims(smooth),
  linear: everywhere,
  results: ofShape(kept),
  terms: ({ ins, params: { axes } }) => sizeOf(axes.map((axis) => ins[0]!.shape[axis]!)),
};

const reduceProd: Row<FirstOrderParams<'reduce_prod'>> = { ...reduceSum, linear: nowhere };

/** Over an empty axis there is no extremum to differentiate, so differences are taken of axes with elements. */
const extremum: Row<FirstOrderParams<'reduce_max'>> = {
  takes: everyDType,
  calls: (dtypes) =>
    aval(dtypes, { empty: dtypes.some((d) => !isFloat(d)) }).chain((x) =>
      axesOf(x.shape.length).map((axes) => makeCall([x], { axes })),
    ),
  operands: claims(piecewise('where it is attained more than once'), separated),
  linear: nowhere,
  results: ofShape(kept),
};

const logical: Row<FirstOrderParams<'reduce_and'>> = {
  takes: logicals,
  calls: reduceSum.calls,
  operands: claims(notFloat),
  linear: nowhere,
  results: ofShape(kept),
};

/** Among no elements there is no first one, so the axis has some; others may have none. */
const search: Row<FirstOrderParams<'argmax'>> = {
  takes: everyDType,
  calls: (dtypes) =>
    aval(dtypes, { minRank: 1 }).chain((x) => {
      const axes = range(x.shape.length).filter((axis) => x.shape[axis]! > 0);
      return axes.length === 0
        ? fc.constant(makeCall([makeAval([1, ...x.shape], x.dtype, x.weak)], { axis: 0 }))
        : fc.constantFrom(...axes).map((axis) => makeCall([x], { axis }));
    }),
  operands: claims(zero),
  linear: nowhere,
  results: ({ ins, params }) => [makeAval(kept({ ins, params: { axes: [params.axis] } }), 'int32')],
};

/** Lengths of the axes of one role: batch, contracted, free; 0 now and then. */
const lengths = fc.array(
  fc.oneof({ weight: 30, arbitrary: fc.integer({ min: 1, max: 3 }) }, { weight: 1, arbitrary: fc.constant(0) }),
  { maxLength: 2 },
);

/** The lengths of the axes that are not `used`. */
const free = (lengths: Shape, used: readonly number[]): Shape =>
  range(lengths.length)
    .filter((axis) => !used.includes(axis))
    .map((axis) => lengths[axis]!);

/** The axes of both operands stand in any order. */
const dotGeneral: Row<FirstOrderParams<'dot_general'>> = {
  takes: numbers,
  calls: (dtypes) =>
    fc
      .tuple(lengths, lengths, lengths, lengths, dtype(dtypes), weaknesses(2))
      .chain(([allBatch, contracted, lhsFree, rhsFree, d, weak]) => {
        const batch = allBatch.slice(
          0,
          4 - Math.max(contracted.length + lhsFree.length, contracted.length + rhsFree.length),
        );
        const lhs = [...batch, ...contracted, ...lhsFree];
        const rhs = [...batch, ...contracted, ...rhsFree];
        return fc.tuple(permutation(lhs.length), permutation(rhs.length)).map(([p, q]) => {
          const placed = (at: number[], from: number, count: number): number[] =>
            Array.from({ length: count }, (_, i) => at.indexOf(from + i));
          return makeCall(
            [
              makeAval(
                p.map((i) => lhs[i]!),
                d,
                weak[0]!,
              ),
              makeAval(
                q.map((i) => rhs[i]!),
                d,
                weak[1]!,
              ),
            ],
            {
              lhsBatch: placed(p, 0, batch.length),
              rhsBatch: placed(q, 0, batch.length),
              lhsContracting: placed(p, batch.length, contracted.length),
              rhsContracting: placed(q, batch.length, contracted.length),
            },
          );
        });
      }),
  operands: claims(smooth),
  linear: ({ ins }) => (isFloat(ins[0]!.dtype) ? [[0], [1]] : []),
  results: ofShape(({ ins: [lhs, rhs], params }) => [
    ...params.lhsBatch.map((axis) => lhs!.shape[axis]!),
    ...free(lhs!.shape, [...params.lhsBatch, ...params.lhsContracting]),
    ...free(rhs!.shape, [...params.rhsBatch, ...params.rhsContracting]),
  ]),
  terms: ({ ins, params }) => sizeOf(params.lhsContracting.map((axis) => ins[0]!.shape[axis]!)),
};

/** Rows by name. */
export const reduceRows = {
  reduce_sum: reduceSum,
  reduce_max: extremum,
  reduce_min: extremum,
  reduce_prod: reduceProd,
  reduce_and: logical,
  reduce_or: logical,
  argmax: search,
  argmin: search,
  dot_general: dotGeneral,
} as const;
