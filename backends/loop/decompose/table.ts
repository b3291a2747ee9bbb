/**
 * What a loop nest cannot express well, as a program of simpler primitives: written once, for every device that has no better.
 *
 * A decomposition is a function on values, as rules are, so staging it gives a jaxpr, and it may use primitives that are
 * themselves decomposed. Law: a decomposition computes what the reference device does, as exactly as
 * `laws/decompositions.laws.ts` says of each.
 */

import type { Value } from '../../../src/core/value.ts';
import type { PrimitiveName, PrimitiveParams } from '../../../transforms/registry.ts';
import { besselI0e, besselI1e, nextafter } from './bessel.ts';
import { cumlogsumexp, cummax, cummin, cumprod, cumsum } from './cumulative.ts';
import { lu, tridiagonalSolve } from './elimination.ts';
import { erf, erfc, erfInv } from './error-function.ts';
import { fft } from './fft.ts';
import { digamma, lgamma } from './gamma.ts';
import { qr } from './householder.ts';
import { betainc, betaincGrad } from './incomplete-beta.ts';
import { igamma, igammac, igammaGrad, randomGammaGrad } from './incomplete-gamma.ts';
import { eigh, svd } from './jacobi.ts';
import { polygamma } from './polygamma.ts';
import { scatterMax, scatterMin, scatterMul } from './scatter.ts';
import { sort, topK } from './sort.ts';
import { cholesky, triangularSolve } from './triangular.ts';
import { selectAndScatterAdd } from './window.ts';

/** A primitive in terms of others. */
export type Decompose<P> = (operands: readonly Value[], params: P) => readonly Value[];

/** The decompositions, by the name of the primitive. */
export const decompositions = {
  sort,
  top_k: topK,
  fft,
  scatter_mul: scatterMul,
  scatter_min: scatterMin,
  scatter_max: scatterMax,
  select_and_scatter_add: selectAndScatterAdd,
  cumsum,
  cumprod,
  cummax,
  cummin,
  cumlogsumexp,
  triangular_solve: triangularSolve,
  cholesky,
  qr,
  lu,
  eigh,
  svd,
  tridiagonal_solve: tridiagonalSolve,
  lgamma,
  digamma,
  bessel_i0e: besselI0e,
  bessel_i1e: besselI1e,
  nextafter,
  erf,
  erfc,
  erf_inv: erfInv,
  polygamma,
  igamma,
  igammac,
  igamma_grad: igammaGrad,
  random_gamma_grad: randomGammaGrad,
  regularized_incomplete_beta: betainc,
  regularized_incomplete_beta_grad: betaincGrad,
} as const satisfies { readonly [Name in PrimitiveName]?: Decompose<PrimitiveParams<Name>> };

/** The names of the primitives that have a decomposition. */
export type DecomposedName = keyof typeof decompositions;

/** Does this primitive have a decomposition? */
export const isDecomposed = (name: string): name is DecomposedName => Object.hasOwn(decompositions, name);
