/**
 * How far the results of a device may be from those of the reference device, for each primitive: a table that is total over them.
 *
 * What is rounded once, or moves elements, is the same bits. An elementary function is within units in the last place of the value that is
 * not rounded; a sum of n terms within 2·√n roundings of the sum of their magnitudes; what a device computes by a program of simpler
 * primitives is judged as that program is (`decompositions.laws.ts`).
 */

import type { DecomposedName } from '../backends/loop/decompose/index.ts';
import { defaultDevice } from '../src/core/backend.ts';
import { isFloat } from '../src/core/dtype.ts';
import { range } from '../src/core/shape.ts';
import type { FirstOrderName } from '../src/prim/registry.ts';
import { decompositionJudges } from './decompositions.laws.ts';
import type { Call } from './generators/row.ts';
import { closeSum, type HostTensor, indexText, sameBits, sameType, toTensor } from './host.ts';
import { every, expect, type Verdict } from './law.ts';

/** Results for the same operands: of the device, of the reference device, and of float64 throughout. */
export interface Results {
  readonly found: readonly HostTensor[];
  readonly wanted: readonly HostTensor[];
  readonly truth: readonly HostTensor[];
  readonly call: Call<unknown>;
  readonly operands: readonly HostTensor[];
  /** How many terms an element of a sum has, and Σ|terms| of each element of each result. */
  readonly terms: number;
  readonly magnitudes: () => readonly ArrayLike<number>[];
}

/** Says whether the results agree. */
export type Agreement = (results: Results) => Verdict;

/** What may be lost where the default device takes subnormal intermediate results for 0. */
const flushed = (): number => (defaultDevice().flushesSubnormals ? leastNormal : 0);

const each = (
  { found, wanted, truth }: Results,
  judge: (what: string, a: HostTensor, b: HostTensor, truth: HostTensor, i: number) => Verdict,
): Verdict =>
  found.length === wanted.length
    ? every(range(wanted.length), (i) => judge(`result ${i}`, found[i]!, wanted[i]!, truth[i]!, i))
    : expect(false, () => `${found.length} results, expected ${wanted.length}`);

/** Below it are the subnormal numbers of float32, which some devices take for 0. */
export const leastNormal = 2 ** -126;

/** May both numbers count as zero on the default device? */
const vanish = (x: number, y: number): boolean =>
  defaultDevice().flushesSubnormals === true && Math.abs(x) < leastNormal && Math.abs(y) < leastNormal;

/** The same bits; but what the default device may take for 0 is as good as any other of such numbers. */
export function bitsOnDevice(what: string, found: HostTensor, wanted: HostTensor): Verdict {
  if (!defaultDevice().flushesSubnormals || found.dtype !== 'float32') return sameBits(what, found, wanted);
  const data = Array.from(found.data, (x, i) => (vanish(x, wanted.data[i]!) ? wanted.data[i]! : x));
  return sameBits(what, { ...found, data }, wanted);
}

const exactly: Agreement = (results) => each(results, bitsOnDevice);

/** The distance of float32 numbers at `x`. */
function spacing(x: number): number {
  const size = Math.max(Math.abs(x), 2 ** -126);
  const power = 2 ** Math.floor(Math.log2(size));
  return (power > size ? power / 2 : power) * 2 ** -23;
}

/** Of a double, which is not held to the last place: relative, and where it has all its digits. */
const doubles = { relative: 1e-14, least: 2 ** -1022 } as const;

/**
 * Within so many units in the last place of float32, and 10⁻¹⁴ of float64: NaN, infinities and the signs of zeros are the reference's. What
 * is less than `vanishing` is within as many units of it: near a zero of the function, of the largest term.
 */
const units =
  (bound: number, vanishing = 0): Agreement =>
  (results) =>
    each(results, (what, a, b, truth) => {
      const types = sameType(what, a, b);
      if (types._tag === 'Fails' || !isFloat(b.dtype)) return types._tag === 'Fails' ? types : sameBits(what, a, b);
      return every(range(b.data.length), (k) => {
        const [x, y, exact] = [a.data[k]!, b.data[k]!, truth.data[k]!];
        const most =
          b.dtype === 'float32'
            ? bound * spacing(Math.max(Math.abs(exact), vanishing)) + flushed()
            : doubles.relative * Math.max(Math.abs(exact), vanishing) + doubles.least;
        const zeros = x === 0 && y === 0;
        return expect(
          Object.is(x, y) ||
            vanish(x, y) ||
            (!zeros && Number.isFinite(x) && Number.isFinite(y) && Math.abs(x - exact) <= most),
          () => `${what}: element ${indexText(b.shape, k)} is ${x}, expected ${exact}`,
        );
      });
    });

/** Sums (and products) in another order of terms; whatever is no float is the same. */
const summed: Agreement = (results) =>
  each(results, (what, a, b, _, i) => closeSum(what, a, b, results.terms, () => results.magnitudes()[i]!));

const decomposed =
  (name: DecomposedName): Agreement =>
  ({ found, wanted, operands, call }) =>
    decompositionJudges[name](
      found.map((x) => toTensor(x)),
      wanted.map((x) => toTensor(x)),
      { operands: operands.map((x) => toTensor(x)), params: call.params },
    );

/** The bounds of DESIGN: 2 for the functions that are used most, 4 for the others. */
export const agreements: { readonly [Name in FirstOrderName]: Agreement } = {
  broadcast_in_dim: exactly,
  reshape: exactly,
  transpose: exactly,
  slice: exactly,
  rev: exactly,
  pad: exactly,
  concatenate: exactly,
  iota: exactly,
  dynamic_slice: exactly,
  dynamic_update_slice: exactly,
  gather: exactly,
  scatter: exactly,
  stop_gradient: exactly,
  name: exactly,
  optimization_barrier: exactly,
  tap: exactly,

  add: exactly,
  sub: exactly,
  mul: exactly,
  div: exactly,
  neg: exactly,
  max: exactly,
  min: exactly,
  abs: exactly,
  sign: exactly,
  rem: exactly,
  clamp: exactly,
  floor: exactly,
  ceil: exactly,
  round: exactly,
  sqrt: exactly,
  is_finite: exactly,
  eq: exactly,
  ne: exactly,
  lt: exactly,
  le: exactly,
  gt: exactly,
  ge: exactly,
  select: exactly,
  convert_element_type: exactly,
  bitcast_convert_type: exactly,
  threefry2x32: exactly,
  and: exactly,
  or: exactly,
  xor: exactly,
  not: exactly,
  shift_left: exactly,
  shift_right_logical: exactly,
  shift_right_arithmetic: exactly,
  population_count: exactly,
  clz: exactly,
  nextafter: exactly,

  exp: units(2),
  log: units(2),
  tanh: units(2),
  sin: units(2),
  cos: units(2),
  logistic: units(3),
  erf: units(3),
  exp2: units(4),
  expm1: units(4),
  log2: units(4),
  log1p: units(4),
  tan: units(4),
  asin: units(4),
  acos: units(4),
  atan: units(4),
  atan2: units(4),
  sinh: units(4),
  cosh: units(4),
  asinh: units(4),
  acosh: units(4),
  atanh: units(4),
  rsqrt: units(4),
  cbrt: units(4),
  pow: units(4),
  integer_pow: units(4),
  erfc: units(4),
  erf_inv: units(4),

  reduce_max: exactly,
  reduce_min: exactly,
  reduce_and: exactly,
  reduce_or: exactly,
  argmax: exactly,
  argmin: exactly,
  reduce_window_max: exactly,
  reduce_window_min: exactly,
  cummax: exactly,
  cummin: exactly,
  scatter_min: exactly,
  scatter_max: exactly,
  select_and_gather_add: exactly,
  reduce_sum: summed,
  reduce_prod: summed,
  reduce_window_sum: summed,
  cumsum: summed,
  cumprod: summed,
  scatter_add: summed,
  scatter_mul: summed,
  select_and_scatter_add: summed,
  dot_general: summed,
  conv_general_dilated: summed,

  sort: exactly,
  top_k: exactly,
  fft: decomposed('fft'),
  cumlogsumexp: summed,
  triangular_solve: decomposed('triangular_solve'),
  cholesky: decomposed('cholesky'),
  qr: decomposed('qr'),
  lu: decomposed('lu'),
  eigh: decomposed('eigh'),
  svd: decomposed('svd'),
  tridiagonal_solve: decomposed('tridiagonal_solve'),
  lgamma: decomposed('lgamma'),
  digamma: decomposed('digamma'),
  polygamma: decomposed('polygamma'),
  igamma: decomposed('igamma'),
  igammac: decomposed('igammac'),
  igamma_grad: decomposed('igamma_grad'),
  random_gamma_grad: decomposed('random_gamma_grad'),
  regularized_incomplete_beta: decomposed('regularized_incomplete_beta'),
  regularized_incomplete_beta_grad: decomposed('regularized_incomplete_beta_grad'),
  bessel_i0e: decomposed('bessel_i0e'),
  bessel_i1e: decomposed('bessel_i1e'),
};
