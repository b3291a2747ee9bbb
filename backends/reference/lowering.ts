/**
 * The meaning of every first-order primitive on the reference device, as one table from its name to its lowering.
 *
 * Each entry is in its family's file: `elementwise`, `compare`, `structural`, `reduce`, `dot`, `random`, `special`.
 */

import * as compare from './compare.ts';
import * as dot from './dot.ts';
import * as elementwise from './elementwise.ts';
import * as random from './random.ts';
import * as reduce from './reduce.ts';
import * as special from './special.ts';
import * as structural from './structural.ts';

export type { Kernel, Lower } from './kernel.ts';

/** A lowering for each first-order primitive. */
export const lowerings = {
  broadcast_in_dim: structural.broadcastInDim,
  reshape: structural.reshape,
  transpose: structural.transpose,
  slice: structural.slice,
  pad: structural.pad,
  concatenate: structural.concatenate,
  iota: structural.iota,
  stop_gradient: structural.copyAll,
  optimization_barrier: structural.copyAll,

  add: elementwise.add,
  sub: elementwise.sub,
  mul: elementwise.mul,
  div: elementwise.div,
  neg: elementwise.neg,
  max: elementwise.max,
  min: elementwise.min,
  exp: elementwise.exp,
  log: elementwise.log,
  tanh: elementwise.tanh,
  logistic: elementwise.logistic,
  sin: elementwise.sin,
  cos: elementwise.cos,
  sqrt: elementwise.sqrt,
  integer_pow: elementwise.integerPow,
  erf_inv: special.erfInv,

  eq: compare.eq,
  ne: compare.ne,
  lt: compare.lt,
  le: compare.le,
  gt: compare.gt,
  ge: compare.ge,
  select: compare.select,
  convert_element_type: compare.convertElementType,

  reduce_sum: reduce.reduceSum,
  reduce_max: reduce.reduceMax,
  argmax: reduce.argmax,
  dot_general: dot.dotGeneral,

  threefry2x32: random.threefry2x32,
  and: random.and,
  or: random.or,
  xor: random.xor,
  not: random.not,
  shift_left: random.shiftLeft,
  shift_right_logical: random.shiftRightLogical,
  shift_right_arithmetic: random.shiftRightArithmetic,
  bitcast_convert_type: random.bitcastConvertType,
} as const;
