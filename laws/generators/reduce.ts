/** Rows of reductions and contractions. */

import * as fc from 'fast-check';
import { makeAval } from '../../src/core/aval.ts';
import { isFloat } from '../../src/core/dtype.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { axesOf } from '../arbitrary/axes.ts';
import { dtype, everyDType, numbers, weakness } from '../arbitrary/dtype.ts';
import { separated } from '../arbitrary/elements.ts';
import { permutation } from '../arbitrary/shape.ts';
import { aval, claims, everywhere, makeCall, nowhere, piecewise, type Row, sameDType, smooth, zero } from './row.ts';

const reduceSum: Row<FirstOrderParams<'reduce_sum'>> = {
  takes: numbers,
  calls: (dtypes) => aval(dtypes).chain((x) => axesOf(x.shape.length).map((axes) => makeCall([x], { axes }))),
  operands: claims(smooth),
  linear: everywhere,
  results: sameDType,
  sums: true,
};

/** Over an empty axis there is no maximum to differentiate, so differences are taken of axes with elements. */
const reduceMax: Row<FirstOrderParams<'reduce_max'>> = {
  takes: everyDType,
  calls: (dtypes) =>
    aval(dtypes, { empty: dtypes.some((d) => !isFloat(d)) }).chain((x) =>
      axesOf(x.shape.length).map((axes) => makeCall([x], { axes })),
    ),
  operands: claims(piecewise('where the maximum is attained more than once'), separated),
  linear: nowhere,
  results: sameDType,
};

const argmax: Row<FirstOrderParams<'argmax'>> = {
  takes: everyDType,
  calls: (dtypes) =>
    fc
      .tuple(aval(dtypes, { minRank: 1, empty: false }), fc.nat({ max: 3 }))
      .map(([x, at]) => makeCall([x], { axis: at % x.shape.length })),
  operands: claims(zero),
  linear: nowhere,
  results: () => ['int32'],
};

/** Lengths of the axes of one role: batch, contracted, free. */
const lengths = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 });

/** The axes of both operands stand in any order. */
const dotGeneral: Row<FirstOrderParams<'dot_general'>> = {
  takes: numbers,
  calls: (dtypes) =>
    fc
      .tuple(lengths, lengths, lengths, lengths, dtype(dtypes), weakness(), weakness())
      .chain(([allBatch, contracted, lhsFree, rhsFree, d, lhsWeak, rhsWeak]) => {
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
                lhsWeak,
              ),
              makeAval(
                q.map((i) => rhs[i]!),
                d,
                rhsWeak,
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
  results: sameDType,
  sums: true,
};

/** Rows by name. */
export const reduceRows = {
  reduce_sum: reduceSum,
  reduce_max: reduceMax,
  argmax,
  dot_general: dotGeneral,
} as const;
