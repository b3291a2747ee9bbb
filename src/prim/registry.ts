/**
 * The first-order primitives, by the name they print. Device tables and laws are total over this list (and the higher-order
 * ones of `transforms/registry.ts`): adding a line here makes the compiler name every row that is missing.
 */

import type { ParamsOf } from '../core/primitive.ts';
import { addP, convertElementTypeP, divP, integerPowP, maxP, minP, mulP, negP, subP } from './arithmetic.ts';
import {
  andP,
  bitcastConvertTypeP,
  notP,
  orP,
  shiftLeftP,
  shiftRightArithmeticP,
  shiftRightLogicalP,
  threefry2x32P,
  xorP,
} from './bits.ts';
import { eqP, geP, gtP, leP, ltP, neP, selectP } from './compare.ts';
import { dotGeneralP } from './dot.ts';
import { optimizationBarrierP, stopGradientP } from './identity.ts';
import { cosP, erfInvP, expP, logisticP, logP, sinP, sqrtP, tanhP } from './math.ts';
import { argmaxP, reduceMaxP, reduceSumP } from './reduce.ts';
import { broadcastInDimP, concatenateP, iotaP, padP, reshapeP, sliceP, transposeP } from './structural.ts';

export const firstOrder = {
  broadcast_in_dim: broadcastInDimP,
  reshape: reshapeP,
  transpose: transposeP,
  slice: sliceP,
  pad: padP,
  concatenate: concatenateP,
  iota: iotaP,
  add: addP,
  sub: subP,
  mul: mulP,
  div: divP,
  neg: negP,
  max: maxP,
  min: minP,
  integer_pow: integerPowP,
  convert_element_type: convertElementTypeP,
  eq: eqP,
  ne: neP,
  lt: ltP,
  le: leP,
  gt: gtP,
  ge: geP,
  select: selectP,
  exp: expP,
  log: logP,
  tanh: tanhP,
  logistic: logisticP,
  sin: sinP,
  cos: cosP,
  sqrt: sqrtP,
  erf_inv: erfInvP,
  reduce_sum: reduceSumP,
  reduce_max: reduceMaxP,
  argmax: argmaxP,
  dot_general: dotGeneralP,
  and: andP,
  or: orP,
  xor: xorP,
  not: notP,
  shift_left: shiftLeftP,
  shift_right_logical: shiftRightLogicalP,
  shift_right_arithmetic: shiftRightArithmeticP,
  bitcast_convert_type: bitcastConvertTypeP,
  threefry2x32: threefry2x32P,
  stop_gradient: stopGradientP,
  optimization_barrier: optimizationBarrierP,
} as const;

/** The names of the first-order primitives. */
export type FirstOrderName = keyof typeof firstOrder;

/** The parameters of a first-order primitive. */
export type FirstOrderParams<Name extends FirstOrderName> = ParamsOf<(typeof firstOrder)[Name]>;
