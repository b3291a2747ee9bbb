/**
 * The first-order primitives, by the name they print. Device tables and laws are total over this list (and the higher-order
 * ones of `transforms/registry.ts`): adding a line here makes the compiler name every row that is missing.
 */

import type { ParamsOf } from '../core/primitive.ts';
import {
  absP,
  addP,
  clampP,
  convertElementTypeP,
  divP,
  integerPowP,
  maxP,
  minP,
  mulP,
  negP,
  remP,
  signP,
  subP,
} from './arithmetic.ts';
import {
  andP,
  bitcastConvertTypeP,
  clzP,
  notP,
  orP,
  populationCountP,
  shiftLeftP,
  shiftRightArithmeticP,
  shiftRightLogicalP,
  threefry2x32P,
  xorP,
} from './bits.ts';
import { eqP, geP, gtP, leP, ltP, neP, selectP } from './compare.ts';
import { convGeneralDilatedP } from './conv.ts';
import { cumlogsumexpP, cummaxP, cumminP, cumprodP, cumsumP } from './cumulative.ts';
import { dotGeneralP } from './dot.ts';
import { dynamicSliceP, dynamicUpdateSliceP } from './dynamic.ts';
import { fftP } from './fft.ts';
import { gatherP } from './gather.ts';
import { nameP, optimizationBarrierP, stopGradientP, tapP } from './identity.ts';
import { betaincGradP, betaincP, igammacP, igammaGradP, igammaP, randomGammaGradP } from './incomplete.ts';
import { luP, tridiagonalSolveP } from './lu.ts';
import {
  acoshP,
  acosP,
  asinhP,
  asinP,
  atan2P,
  atanhP,
  atanP,
  cbrtP,
  coshP,
  cosP,
  erfcP,
  erfInvP,
  erfP,
  exp2P,
  expm1P,
  expP,
  log1pP,
  log2P,
  logisticP,
  logP,
  powP,
  rsqrtP,
  sinhP,
  sinP,
  sqrtP,
  tanhP,
  tanP,
} from './math.ts';
import { eighP, qrP, svdP } from './orthogonal.ts';
import { argmaxP, argminP, reduceAndP, reduceMaxP, reduceMinP, reduceOrP, reduceProdP, reduceSumP } from './reduce.ts';
import { ceilP, floorP, isFiniteP, roundP } from './rounding.ts';
import { scatterAddP, scatterP } from './scatter.ts';
import { scatterMaxP, scatterMinP, scatterMulP } from './scatter-combine.ts';
import { sortP, topKP } from './sort.ts';
import { besselI0eP, besselI1eP, digammaP, lgammaP, nextafterP, polygammaP } from './special.ts';
import { broadcastInDimP, concatenateP, iotaP, padP, reshapeP, revP, sliceP, transposeP } from './structural.ts';

import { choleskyP, triangularSolveP } from './triangular.ts';

import {
  reduceWindowMaxP,
  reduceWindowMinP,
  reduceWindowSumP,
  selectAndGatherAddP,
  selectAndScatterAddP,
} from './window.ts';

export const firstOrder = {
  broadcast_in_dim: broadcastInDimP,
  reshape: reshapeP,
  transpose: transposeP,
  slice: sliceP,
  pad: padP,
  concatenate: concatenateP,
  iota: iotaP,
  rev: revP,
  add: addP,
  sub: subP,
  mul: mulP,
  div: divP,
  neg: negP,
  max: maxP,
  min: minP,
  abs: absP,
  sign: signP,
  rem: remP,
  clamp: clampP,
  integer_pow: integerPowP,
  floor: floorP,
  ceil: ceilP,
  round: roundP,
  is_finite: isFiniteP,
  convert_element_type: convertElementTypeP,
  eq: eqP,
  ne: neP,
  lt: ltP,
  le: leP,
  gt: gtP,
  ge: geP,
  select: selectP,
  exp: expP,
  exp2: exp2P,
  expm1: expm1P,
  log: logP,
  log2: log2P,
  log1p: log1pP,
  tanh: tanhP,
  logistic: logisticP,
  sin: sinP,
  cos: cosP,
  tan: tanP,
  asin: asinP,
  acos: acosP,
  atan: atanP,
  atan2: atan2P,
  sinh: sinhP,
  cosh: coshP,
  asinh: asinhP,
  acosh: acoshP,
  atanh: atanhP,
  sqrt: sqrtP,
  rsqrt: rsqrtP,
  cbrt: cbrtP,
  pow: powP,
  erf: erfP,
  erfc: erfcP,
  erf_inv: erfInvP,
  lgamma: lgammaP,
  digamma: digammaP,
  polygamma: polygammaP,
  bessel_i0e: besselI0eP,
  bessel_i1e: besselI1eP,
  nextafter: nextafterP,
  igamma: igammaP,
  igammac: igammacP,
  igamma_grad: igammaGradP,
  random_gamma_grad: randomGammaGradP,
  regularized_incomplete_beta: betaincP,
  regularized_incomplete_beta_grad: betaincGradP,
  reduce_sum: reduceSumP,
  reduce_max: reduceMaxP,
  reduce_min: reduceMinP,
  reduce_prod: reduceProdP,
  reduce_and: reduceAndP,
  reduce_or: reduceOrP,
  argmax: argmaxP,
  argmin: argminP,
  dot_general: dotGeneralP,
  reduce_window_sum: reduceWindowSumP,
  reduce_window_max: reduceWindowMaxP,
  reduce_window_min: reduceWindowMinP,
  select_and_gather_add: selectAndGatherAddP,
  select_and_scatter_add: selectAndScatterAddP,
  cumsum: cumsumP,
  cumprod: cumprodP,
  cummax: cummaxP,
  cummin: cumminP,
  cumlogsumexp: cumlogsumexpP,
  conv_general_dilated: convGeneralDilatedP,
  gather: gatherP,
  scatter: scatterP,
  scatter_add: scatterAddP,
  scatter_mul: scatterMulP,
  scatter_min: scatterMinP,
  scatter_max: scatterMaxP,
  dynamic_slice: dynamicSliceP,
  dynamic_update_slice: dynamicUpdateSliceP,
  sort: sortP,
  triangular_solve: triangularSolveP,
  cholesky: choleskyP,
  qr: qrP,
  top_k: topKP,
  fft: fftP,
  lu: luP,
  eigh: eighP,
  svd: svdP,
  tridiagonal_solve: tridiagonalSolveP,
  and: andP,
  or: orP,
  xor: xorP,
  not: notP,
  shift_left: shiftLeftP,
  shift_right_logical: shiftRightLogicalP,
  shift_right_arithmetic: shiftRightArithmeticP,
  population_count: populationCountP,
  clz: clzP,
  bitcast_convert_type: bitcastConvertTypeP,
  threefry2x32: threefry2x32P,
  stop_gradient: stopGradientP,
  optimization_barrier: optimizationBarrierP,
  name: nameP,
  tap: tapP,
} as const;

/** The names of the first-order primitives. */
export type FirstOrderName = keyof typeof firstOrder;

/** The parameters of a first-order primitive. */
export type FirstOrderParams<Name extends FirstOrderName> = ParamsOf<(typeof firstOrder)[Name]>;
