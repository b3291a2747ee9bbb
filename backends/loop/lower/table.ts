/** How each first-order primitive becomes loops: total, so that a primitive without a row does not type-check. */

import type { FirstOrderName, FirstOrderParams } from '../../../src/prim/registry.ts';
import { type DecomposedName, decompositions } from '../decompose/index.ts';
import { math } from '../math/index.ts';
import * as pointwise from './pointwise.ts';
import type { Reduce } from './reductions.ts';
import * as reductions from './reductions.ts';
import type { Pointwise } from './rule.ts';
import * as views from './views.ts';

/** What is known of a primitive. */
export type Lowering<P> =
  /** One element of the result from elements of the operands; `view` if it only moves them. */
  | { readonly kind: 'pointwise' | 'view'; readonly element: Pointwise<P> }
  | { readonly kind: 'reduction'; readonly reduce: Reduce<P> }
  /** The result is the operand of the same position, in its memory. */
  | { readonly kind: 'alias' }
  /** Loops of its own. */
  | { readonly kind: 'kernel' }
  /** A program of simpler primitives stands in its place. */
  | { readonly kind: 'decomposed' };

const view = <P>(element: Pointwise<P>): Lowering<P> => ({ kind: 'view', element });
const each = <P>(element: Pointwise<P>): Lowering<P> => ({ kind: 'pointwise', element });
const reduced = <P>(reduce: Reduce<P>): Lowering<P> => ({ kind: 'reduction', reduce });
/** A function of `math`. */
const function_ = (name: string): Lowering<unknown> =>
  each((read, at, { ins, params }) =>
    math[name]!(
      ins.map((_, i) => read(i, at)),
      params as never,
    ),
  );
const alias: Lowering<unknown> = { kind: 'alias' };
const kernel: Lowering<unknown> = { kind: 'kernel' };
const decomposed: Lowering<unknown> = { kind: 'decomposed' };

const rows = {
  broadcast_in_dim: view(views.broadcastInDim),
  reshape: view(views.reshape),
  transpose: view(views.transpose),
  slice: view(views.slice),
  rev: view(views.rev),
  pad: view(views.pad),
  concatenate: view(views.concatenate),
  iota: view(views.iota),
  dynamic_slice: view(views.dynamicSlice),
  gather: view(views.gather),
  stop_gradient: view(pointwise.identity),
  name: view(pointwise.identity),
  optimization_barrier: alias,
  tap: alias,

  add: each(pointwise.add),
  sub: each(pointwise.sub),
  mul: each(pointwise.mul),
  div: each(pointwise.div),
  neg: each(pointwise.neg),
  max: each(pointwise.max),
  min: each(pointwise.min),
  abs: each(pointwise.abs),
  clamp: each(pointwise.clamp),
  floor: each(pointwise.floor),
  ceil: each(pointwise.ceil),
  round: each(pointwise.round),
  sqrt: each(pointwise.sqrt),

  sign: function_('sign'),
  rem: function_('rem'),
  is_finite: function_('is_finite'),
  integer_pow: function_('integer_pow'),
  exp: function_('exp'),
  exp2: function_('exp2'),
  expm1: function_('expm1'),
  log: function_('log'),
  log2: function_('log2'),
  log1p: function_('log1p'),
  tanh: function_('tanh'),
  logistic: function_('logistic'),
  sin: function_('sin'),
  cos: function_('cos'),
  tan: function_('tan'),
  asin: function_('asin'),
  acos: function_('acos'),
  atan: function_('atan'),
  atan2: function_('atan2'),
  sinh: function_('sinh'),
  cosh: function_('cosh'),
  asinh: function_('asinh'),
  acosh: function_('acosh'),
  atanh: function_('atanh'),
  rsqrt: function_('rsqrt'),
  cbrt: function_('cbrt'),
  pow: function_('pow'),
  erf: function_('erf'),
  erfc: function_('erfc'),
  erf_inv: function_('erf_inv'),

  eq: each(pointwise.eq),
  ne: each(pointwise.ne),
  lt: each(pointwise.lt),
  le: each(pointwise.le),
  gt: each(pointwise.gt),
  ge: each(pointwise.ge),
  select: each(pointwise.choose),
  convert_element_type: each(pointwise.convertElementType),
  bitcast_convert_type: each(pointwise.bitcastConvertType),
  threefry2x32: each(pointwise.threefry),
  and: each(pointwise.and),
  or: each(pointwise.or),
  xor: each(pointwise.xor),
  not: each(pointwise.not),
  shift_left: each(pointwise.shiftLeft),
  shift_right_logical: each(pointwise.shiftRightLogical),
  shift_right_arithmetic: each(pointwise.shiftRightArithmetic),
  population_count: each(pointwise.populationCount),
  clz: each(pointwise.clz),

  reduce_sum: reduced(reductions.reduceSum),
  reduce_max: reduced(reductions.reduceMax),
  reduce_min: reduced(reductions.reduceMin),
  reduce_prod: reduced(reductions.reduceProd),
  reduce_and: reduced(reductions.reduceAnd),
  reduce_or: reduced(reductions.reduceOr),
  reduce_window_sum: reduced(reductions.reduceWindowSum),
  reduce_window_max: reduced(reductions.reduceWindowMax),
  reduce_window_min: reduced(reductions.reduceWindowMin),
  dot_general: reduced(reductions.dotGeneral),
  conv_general_dilated: reduced(reductions.convGeneralDilated),

  argmax: kernel,
  argmin: kernel,
  select_and_gather_add: kernel,
  select_and_scatter_add: kernel,
  cumsum: kernel,
  cumprod: kernel,
  cummax: kernel,
  cummin: kernel,
  cumlogsumexp: kernel,
  sort: kernel,
  top_k: kernel,
  scatter: kernel,
  scatter_add: kernel,
  scatter_mul: kernel,
  scatter_min: kernel,
  scatter_max: kernel,
  dynamic_update_slice: kernel,

  fft: decomposed,
  triangular_solve: decomposed,
  cholesky: decomposed,
  qr: decomposed,
  lu: decomposed,
  eigh: decomposed,
  svd: decomposed,
  tridiagonal_solve: decomposed,
  lgamma: decomposed,
  digamma: decomposed,
  polygamma: decomposed,
  igamma: decomposed,
  igammac: decomposed,
  igamma_grad: decomposed,
  random_gamma_grad: decomposed,
  regularized_incomplete_beta: decomposed,
  regularized_incomplete_beta_grad: decomposed,
  bessel_i0e: decomposed,
  bessel_i1e: decomposed,
  nextafter: decomposed,
} as const;

/** Total over the first-order primitives. */
const table: { readonly [Name in FirstOrderName]: Lowering<FirstOrderParams<Name>> } = rows;

const byName: Readonly<Record<string, Lowering<unknown> | undefined>> = table as never;

/** What is known of a primitive; `null` for those that hold programs. */
export const loweringOf = (name: string): Lowering<unknown> | null => byName[name] ?? null;

/** How one element is computed, if that can be seen through. */
export function pointwiseOf(name: string): Pointwise<unknown> | null {
  const row = byName[name];
  return row?.kind === 'pointwise' || row?.kind === 'view' ? row.element : null;
}

/** The primitives that have no loops of their own. */
export const decomposedNames: readonly DecomposedName[] = Object.keys(decompositions).filter(
  (name): name is DecomposedName => byName[name]?.kind === 'decomposed',
);
