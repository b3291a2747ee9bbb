/** Rows of special functions. Poles and kinks lie outside of the domains in which differences are taken. */

import * as fc from 'fast-check';
import type { None } from '../../src/core/params.ts';
import { floats } from '../arbitrary/dtype.ts';
import { awayFromZero, type Domain, within } from '../arbitrary/elements.ts';
import { elementary, equally } from './elementwise.ts';
import { claims, nowhere, type Row, refused, smooth, zero } from './row.ts';

/** Between the poles at 0 and −1, and above. */
const offPoles: Domain = (_dtype, n) => {
  const onGrid = (low: number, high: number) => fc.integer({ min: low * 256, max: high * 256 }).map((k) => k / 256);
  return fc.array(fc.oneof(onGrid(0.5, 5), onGrid(-0.75, -0.25)), { minLength: n, maxLength: n, size: 'max' });
};

/** Whole numbers, of which a derivative can be taken. */
const orders: Domain = (_dtype, n) => fc.array(fc.nat({ max: 4 }), { minLength: n, maxLength: n, size: 'max' });

const polygamma: Row<None> = {
  ...equally(2, floats),
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

/** Rows by name. */
export const specialRows = {
  lgamma: elementary(offPoles),
  digamma: elementary(offPoles),
  polygamma,
  bessel_i0e: elementary(awayFromZero),
  bessel_i1e: elementary(awayFromZero),
  nextafter,
} as const;
