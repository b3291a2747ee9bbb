/** Rows of special functions. Poles and kinks lie outside of the domains in which differences are taken. */

import * as fc from 'fast-check';
import type { None } from '../../src/core/params.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { floats } from '../arbitrary/dtype.ts';
import { awayFromZero, type Domain, within } from '../arbitrary/elements.ts';
import { elementary, equally } from './elementwise.ts';
import {
  alike,
  type Call,
  claims,
  likeFirst,
  makeCall,
  nowhere,
  type OperandClaim,
  type Row,
  refused,
  smooth,
  zero,
} from './row.ts';

/** Between the poles at 0 and −1, and above. */
const offPoles: Domain = (_dtype, n) => {
  const onGrid = (low: number, high: number) => fc.integer({ min: low * 256, max: high * 256 }).map((k) => k / 256);
  return fc.array(fc.oneof(onGrid(0.5, 5), onGrid(-0.75, -0.25)), { minLength: n, maxLength: n, size: 'max' });
};

/**
 * Few shapes, of few elements: each of these takes some microseconds, and a device that compiles needs a tenth of a second for the
 * program of a shape. They are functions of each element, and what a shape can do to them the other rows have shown.
 */
const small = { among: [[], [0], [7], [2, 3]] };

/** Whole numbers, of which a derivative can be taken. */
const orders: Domain = (_dtype, n) => fc.array(fc.nat({ max: 4 }), { minLength: n, maxLength: n, size: 'max' });

const polygamma: Row<None> = {
  ...equally(2, floats, small),
  operands: (call) => [claims(refused, orders)(call)[0]!, claims(smooth, within(0.75, 5))(call)[1]!],
  linear: nowhere,
};

/** Of doubles: the neighbours of a float32 are too far apart for differences. */
const nextafter: Row<None> = {
  ...equally(2, floats),
  differentiableCalls: equally(2, floats).calls(['float64']),
  operands: (call) => [claims(smooth)(call)[0]!, claims(zero)(call)[1]!],
  linear: nowhere,
};

/** Two positive numbers. */
const incompleteGamma: Row<None> = {
  ...equally(2, floats, small),
  operands: claims(smooth, within(0.25, 4)),
  linear: nowhere,
  reordered: 16,
};

/** Two positive numbers, and one inside of (0, 1). */
const betaOperands = (call: Call<unknown>): readonly OperandClaim[] =>
  [within(0.5, 3), within(0.5, 3), within(0.125, 0.875)].map((domain, i) => claims(smooth, domain)(call)[i]!);

const incompleteBeta: Row<None> = {
  ...equally(3, floats, small),
  operands: betaOperands,
  linear: nowhere,
  reordered: 16,
};

/** Orders of a derivative in so many operands: a few in all, and at least one. */
const orderTuples = (count: number, most: number): fc.Arbitrary<readonly number[]> =>
  fc
    .array(fc.nat({ max: count - 1 }), { minLength: 1, maxLength: most })
    .map((picks) => Array.from({ length: count }, (_, i) => picks.filter((pick) => pick === i).length));

/** Partial derivatives. */
const partials = (count: number, operands: Row<unknown>['operands']): Row<FirstOrderParams<'igamma_grad'>> => ({
  takes: floats,
  calls: (dtypes) =>
    fc.tuple(alike(count, small)(dtypes), orderTuples(count, 2)).map(([ins, orders]) => makeCall(ins, { orders })),
  operands,
  linear: nowhere,
  results: likeFirst,
  reordered: 64,
});

/** Rows by name. */
export const specialRows = {
  lgamma: elementary(offPoles),
  digamma: elementary(offPoles),
  polygamma,
  bessel_i0e: elementary(awayFromZero),
  bessel_i1e: elementary(awayFromZero),
  nextafter,
  igamma: incompleteGamma,
  igammac: incompleteGamma,
  igamma_grad: partials(2, claims(smooth, within(0.5, 4))),
  random_gamma_grad: incompleteGamma,
  regularized_incomplete_beta: incompleteBeta,
  regularized_incomplete_beta_grad: partials(3, betaOperands),
} as const;
