/** Rows of cumulative reductions. */

import * as fc from 'fast-check';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { everyDType, floats, numbers } from '../arbitrary/dtype.ts';
import { type Domain, inWords, separated, tied, within } from '../arbitrary/elements.ts';
import { aval, claims, everywhere, likeFirst, makeCall, nowhere, piecewise, type Row, smooth } from './row.ts';

const cumsum: Row<FirstOrderParams<'cumsum'>> = {
  takes: numbers,
  calls: (dtypes) =>
    fc
      .tuple(aval(dtypes, { minRank: 1 }), fc.nat({ max: 3 }), fc.boolean())
      .map(([x, at, reverse]) => makeCall([x], { axis: at % x.shape.length, reverse })),
  operands: claims(smooth),
  linear: everywhere,
  results: likeFirst,
  terms: ({ ins, params: { axis } }) => ins[0]!.shape[axis]!,
};

/** Many factors are zero: there a derivative must not divide by them. */
const withZeros: Domain = inWords('[-2, 2], many 0', (dtype, n) => fc.oneof(within(-2, 2)(dtype, n), tied(dtype, n)));

const cumprod: Row<FirstOrderParams<'cumprod'>> = { ...cumsum, operands: claims(smooth, withZeros), linear: nowhere };

const extremum: Row<FirstOrderParams<'cummax'>> = {
  takes: everyDType,
  calls: cumsum.calls,
  operands: claims(piecewise('where it is attained more than once'), separated),
  linear: nowhere,
  results: likeFirst,
};

const cumlogsumexp: Row<FirstOrderParams<'cumlogsumexp'>> = { ...cumsum, takes: floats, linear: nowhere };

/** Rows by name. */
export const cumulativeRows = {
  cumsum,
  cumprod,
  cummax: extremum,
  cummin: extremum,
  cumlogsumexp,
} as const;
