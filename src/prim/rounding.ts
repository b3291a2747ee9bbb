/** Rounding to whole numbers, and the test for finite ones. All are steps, whose derivative is zero. */

import { noParams } from '../core/primitive.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { elementwise } from './define.ts';

export const floorP = elementwise('floor', { count: 1, kind: 'float' });
export const ceilP = elementwise('ceil', { count: 1, kind: 'float' });
/** To the nearest whole number, halves to the even one (StableHLO's `round_nearest_even`). */
export const roundP = elementwise('round', { count: 1, kind: 'float' });
export const isFiniteP = elementwise('is_finite', { count: 1, kind: 'float', result: 'bool' });

/** The greatest whole number that is at most x. */
export const floor = (x: Value): Value => bind1(floorP, [x], noParams);
/** The least whole number that is at least x. */
export const ceil = (x: Value): Value => bind1(ceilP, [x], noParams);
/** The nearest whole number; of two the even one. */
export const round = (x: Value): Value => bind1(roundP, [x], noParams);
/** Is x neither infinite nor NaN? */
export const finite = (x: Value): Value => bind1(isFiniteP, [x], noParams);
