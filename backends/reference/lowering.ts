/**
 * The meaning of every first-order primitive on the reference device, as one table from its name to its lowering.
 *
 * Each entry is in its family's file; what holds programs is in `control.ts`.
 */

import * as bessel from './bessel.ts';
import * as compare from './compare.ts';
import { convGeneralDilated } from './conv.ts';
import * as cumulative from './cumulative.ts';
import * as dot from './dot.ts';
import * as elementary from './elementary.ts';
import * as elementwise from './elementwise.ts';
import * as elimination from './elimination.ts';
import { fft } from './fft.ts';
import * as gamma from './gamma.ts';
import * as householder from './householder.ts';
import * as incompleteBeta from './incomplete-beta.ts';
import * as incompleteGamma from './incomplete-gamma.ts';
import * as indexing from './indexing.ts';
import * as random from './random.ts';
import * as reduce from './reduce.ts';
import * as scatter from './scatter.ts';
import * as search from './search.ts';
import { svd } from './singular.ts';
import { sort, topK } from './sort.ts';
import * as special from './special.ts';
import * as structural from './structural.ts';
import { eigh } from './symmetric.ts';
import * as triangular from './triangular.ts';
import * as window from './window.ts';

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
  rev: structural.rev,
  stop_gradient: structural.copyAll,
  name: structural.copyAll,
  optimization_barrier: structural.copyAll,
  tap: structural.copyAll,

  add: elementwise.add,
  sub: elementwise.sub,
  mul: elementwise.mul,
  div: elementwise.div,
  neg: elementwise.neg,
  max: elementwise.max,
  min: elementwise.min,
  abs: elementwise.abs,
  sign: elementwise.sign,
  rem: elementwise.rem,
  clamp: elementwise.clamp,
  floor: elementwise.floor,
  ceil: elementwise.ceil,
  round: elementwise.round,
  is_finite: elementwise.finite,

  exp: elementary.exp,
  exp2: elementary.exp2,
  expm1: elementary.expm1,
  log: elementary.log,
  log2: elementary.log2,
  log1p: elementary.log1p,
  tanh: elementary.tanh,
  logistic: elementary.logistic,
  sin: elementary.sin,
  cos: elementary.cos,
  tan: elementary.tan,
  asin: elementary.asin,
  acos: elementary.acos,
  atan: elementary.atan,
  atan2: elementary.atan2,
  sinh: elementary.sinh,
  cosh: elementary.cosh,
  asinh: elementary.asinh,
  acosh: elementary.acosh,
  atanh: elementary.atanh,
  sqrt: elementary.sqrt,
  rsqrt: elementary.rsqrt,
  cbrt: elementary.cbrt,
  pow: elementary.pow,
  integer_pow: elementary.integerPow,
  erf: special.erf,
  erfc: special.erfc,
  erf_inv: special.erfInv,
  lgamma: gamma.lgamma,
  digamma: gamma.digamma,
  polygamma: gamma.polygamma,
  bessel_i0e: bessel.besselI0e,
  bessel_i1e: bessel.besselI1e,
  nextafter: bessel.nextafter,
  igamma: incompleteGamma.igamma,
  igammac: incompleteGamma.igammac,
  igamma_grad: incompleteGamma.igammaGrad,
  random_gamma_grad: incompleteGamma.randomGammaGrad,
  regularized_incomplete_beta: incompleteBeta.betainc,
  regularized_incomplete_beta_grad: incompleteBeta.betaincGrad,

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
  reduce_min: reduce.reduceMin,
  reduce_prod: reduce.reduceProd,
  reduce_and: reduce.reduceAnd,
  reduce_or: reduce.reduceOr,
  argmax: search.argmax,
  argmin: search.argmin,
  dot_general: dot.dotGeneral,
  conv_general_dilated: convGeneralDilated,

  reduce_window_sum: window.reduceWindowSum,
  reduce_window_max: window.reduceWindowMax,
  reduce_window_min: window.reduceWindowMin,
  select_and_gather_add: window.selectAndGatherAdd,
  select_and_scatter_add: window.selectAndScatterAdd,
  cumsum: cumulative.cumsum,
  cumprod: cumulative.cumprod,
  cummax: cumulative.cummax,
  cummin: cumulative.cummin,
  cumlogsumexp: cumulative.cumlogsumexp,

  gather: indexing.gather,
  scatter: indexing.scatter,
  scatter_add: indexing.scatterAdd,
  scatter_mul: scatter.scatterMul,
  scatter_min: scatter.scatterMin,
  scatter_max: scatter.scatterMax,
  dynamic_slice: indexing.dynamicSlice,
  dynamic_update_slice: indexing.dynamicUpdateSlice,
  sort,
  top_k: topK,
  fft,

  triangular_solve: triangular.triangularSolve,
  cholesky: triangular.cholesky,
  qr: householder.qr,
  lu: elimination.lu,
  eigh,
  svd,
  tridiagonal_solve: elimination.tridiagonalSolve,

  threefry2x32: random.threefry2x32,
  and: random.and,
  or: random.or,
  xor: random.xor,
  not: random.not,
  shift_left: random.shiftLeft,
  shift_right_logical: random.shiftRightLogical,
  shift_right_arithmetic: random.shiftRightArithmetic,
  population_count: random.populationCount,
  clz: random.clz,
  bitcast_convert_type: random.bitcastConvertType,
} as const;
