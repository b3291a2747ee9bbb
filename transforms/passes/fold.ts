/**
 * Constant folding: an operation on constants is replaced by its result, without a device.
 *
 * That is possible where all devices must agree on the bits: arithmetic on integers and bools, comparisons, choices, casts, and
 * those operations on floats that IEEE 754 rounds correctly (+ − · / √), as far as nothing is rounded at all. A result that
 * must be rounded is left to the device, because one that keeps float32 in more digits (`precision: 'float64'`) does not round
 * there; so are NaN, whose bits are free, and float32 below the normal range, which a device may flush to zero. Transcendental
 * functions are never folded.
 *
 * A broadcast of a constant is a constant too and stays a broadcast.
 */

import { allocate, type DType, integerRange, isFloat, isInteger } from '../../src/core/dtype.ts';
import type { Eqn, Jaxpr } from '../../src/core/jaxpr.ts';
import type { Primitive } from '../../src/core/primitive.ts';
import { type FirstOrderName, type FirstOrderParams, firstOrder } from '../../src/prim/registry.ts';
import { constant, constantOf, type Definitions, type Replacement, type Rewrite, rewrite } from './rewrite.ts';

/** The exact result for constants of dtype `from`, before it is wrapped to an integer dtype `to`; `null` if it is not known. */
type Evaluate<P> = (values: readonly number[], from: DType, to: DType, params: P) => number | null;

/** Why there is nothing to evaluate: the device decides the bits; the operation moves elements, or ties them together. */
type NotFolded = 'device' | 'moves' | 'barrier';

const arithmetic =
  (float: (x: number, y: number) => number, word: (x: number, y: number) => number): Evaluate<unknown> =>
  ([x, y], from) =>
    (isFloat(from) ? float : word)(x!, y!);

const comparison =
  (holds: (x: number, y: number) => boolean): Evaluate<unknown> =>
  ([x, y]) =>
    holds(x!, y!) ? 1 : 0;

const bitwise =
  (word: (x: number, y: number) => number): Evaluate<unknown> =>
  ([x, y]) =>
    word(x!, y!);

/** A shift by the unsigned count `y`; from 32 on, `beyond`. */
const shift =
  (word: (x: number, y: number) => number, beyond: (x: number) => number): Evaluate<unknown> =>
  ([x, y]) =>
    y! >>> 0 < 32 ? word(x!, y!) : beyond(x!);

/** Repeated multiplication of words; of floats only the powers that are one correctly rounded product. */
function power(x: number, exponent: number, dtype: DType): number | null {
  if (isFloat(dtype)) return exponent === 2 ? x * x : null;
  let result = 1;
  let base = x;
  for (let bits = exponent; bits > 0; bits = Math.floor(bits / 2)) {
    if (bits % 2 === 1) result = Math.imul(result, base);
    base = Math.imul(base, base);
  }
  return result;
}

function cast(x: number, from: DType, to: DType): number {
  if (to === 'bool') return x !== 0 ? 1 : 0;
  if (!isFloat(from) || !isInteger(to)) return x;
  const [low, high] = integerRange(to);
  return Math.min(Math.max(Math.trunc(x), low), high);
}

const views = { float32: Float32Array, int32: Int32Array, uint32: Uint32Array } as const;

function bitcast(x: number, from: DType, to: DType): number {
  const words = allocate(from, 1);
  words[0] = x;
  return new views[to as keyof typeof views](words.buffer as ArrayBuffer)[0]!;
}

/** What each primitive computes of constants: total, so that a new one must say. */
const evaluators: { readonly [Name in FirstOrderName]: Evaluate<FirstOrderParams<Name>> | NotFolded } = {
  add: arithmetic(
    (x, y) => x + y,
    (x, y) => x + y,
  ),
  sub: arithmetic(
    (x, y) => x - y,
    (x, y) => x - y,
  ),
  mul: arithmetic((x, y) => x * y, Math.imul),
  div: arithmetic(
    (x, y) => x / y,
    (x, y) => (y === 0 ? -1 : Math.trunc(x / y)),
  ),
  max: arithmetic(Math.max, Math.max),
  min: arithmetic(Math.min, Math.min),
  neg: ([x]) => -x!,
  abs: ([x]) => Math.abs(x!),
  sign: ([x]) => Math.sign(x!),
  rem: arithmetic(
    (x, y) => x % y,
    (x, y) => (y === 0 ? x : x % y),
  ),
  clamp: ([low, x, high]) => Math.min(Math.max(x!, low!), high!),
  floor: ([x]) => Math.floor(x!),
  ceil: ([x]) => Math.ceil(x!),
  round: 'device',
  is_finite: ([x]) => (Number.isFinite(x!) ? 1 : 0),
  sqrt: ([x]) => Math.sqrt(x!),
  integer_pow: ([x], from, _to, { exponent }) => power(x!, exponent, from),

  eq: comparison((x, y) => x === y),
  ne: comparison((x, y) => x !== y),
  lt: comparison((x, y) => x < y),
  le: comparison((x, y) => x <= y),
  gt: comparison((x, y) => x > y),
  ge: comparison((x, y) => x >= y),
  select: ([predicate, onTrue, onFalse]) => (predicate !== 0 ? onTrue! : onFalse!),
  convert_element_type: ([x], from, to) => cast(x!, from, to),
  bitcast_convert_type: ([x], from, to) => bitcast(x!, from, to),

  and: bitwise((x, y) => x & y),
  or: bitwise((x, y) => x | y),
  xor: bitwise((x, y) => x ^ y),
  not: ([x], from) => (from === 'bool' ? 1 - x! : ~x!),
  shift_left: shift(
    (x, y) => x << y,
    () => 0,
  ),
  shift_right_logical: shift(
    (x, y) => x >>> y,
    () => 0,
  ),
  shift_right_arithmetic: shift(
    (x, y) => x >> y,
    (x) => x >> 31,
  ),

  exp: 'device',
  exp2: 'device',
  expm1: 'device',
  log: 'device',
  log2: 'device',
  log1p: 'device',
  tanh: 'device',
  logistic: 'device',
  sin: 'device',
  cos: 'device',
  tan: 'device',
  asin: 'device',
  acos: 'device',
  atan: 'device',
  atan2: 'device',
  sinh: 'device',
  cosh: 'device',
  asinh: 'device',
  acosh: 'device',
  atanh: 'device',
  rsqrt: 'device',
  cbrt: 'device',
  pow: 'device',
  erf: 'device',
  erfc: 'device',
  erf_inv: 'device',
  lgamma: 'device',
  digamma: 'device',
  polygamma: 'device',
  bessel_i0e: 'device',
  bessel_i1e: 'device',
  nextafter: 'device',
  igamma: 'device',
  igammac: 'device',
  igamma_grad: 'device',
  random_gamma_grad: 'device',
  regularized_incomplete_beta: 'device',
  regularized_incomplete_beta_grad: 'device',
  population_count: 'device',
  clz: 'device',
  reduce_sum: 'device',
  reduce_max: 'device',
  reduce_min: 'device',
  reduce_prod: 'device',
  reduce_and: 'device',
  reduce_or: 'device',
  argmax: 'device',
  argmin: 'device',
  dot_general: 'device',
  reduce_window_sum: 'device',
  reduce_window_max: 'device',
  reduce_window_min: 'device',
  select_and_scatter_add: 'device',
  cumsum: 'device',
  cumprod: 'device',
  cummax: 'device',
  cummin: 'device',
  cumlogsumexp: 'device',
  conv_general_dilated: 'device',
  threefry2x32: 'device',
  scatter_add: 'device',
  triangular_solve: 'device',
  cholesky: 'device',
  qr: 'device',
  scatter_mul: 'device',
  scatter_min: 'device',
  scatter_max: 'device',
  lu: 'device',
  eigh: 'device',
  svd: 'device',
  tridiagonal_solve: 'device',

  broadcast_in_dim: 'moves',
  reshape: 'moves',
  transpose: 'moves',
  slice: 'moves',
  pad: 'moves',
  concatenate: 'moves',
  iota: 'moves',
  rev: 'moves',
  gather: 'moves',
  scatter: 'moves',
  dynamic_slice: 'moves',
  dynamic_update_slice: 'moves',
  sort: 'moves',
  top_k: 'device',
  fft: 'device',
  select_and_gather_add: 'moves',
  stop_gradient: 'moves',
  name: 'moves',
  optimization_barrier: 'barrier',
  tap: 'barrier',
};

/** The least normal float32. */
const leastNormal = 2 ** -126;

/** Is `x` a value of this dtype that every device represents by the same bits? */
function isPortable(x: number, dtype: DType): boolean {
  if (dtype === 'float32') return Math.fround(x) === x && (x === 0 || Math.abs(x) >= leastNormal);
  return !Number.isNaN(x);
}

/** The low 32 bits as an integer of this dtype; other dtypes unchanged. */
const wrap = (x: number, dtype: DType): number => (dtype === 'int32' ? x | 0 : dtype === 'uint32' ? x >>> 0 : x);

function foldEqn(eqn: Eqn, definitions: Definitions): Replacement | null {
  const values: number[] = [];
  for (const atom of eqn.ins) {
    const value = constantOf(atom, definitions);
    if (value === null || !isPortable(value, atom.aval.dtype)) return null;
    values.push(value);
  }
  const evaluate = evaluators[eqn.primitive.name as FirstOrderName] as Evaluate<unknown>;
  const { aval } = eqn.outs[0]!;
  const exact = evaluate(values, eqn.ins[0]!.aval.dtype, aval.dtype, eqn.params);
  if (exact === null) return null;
  const result = wrap(exact, aval.dtype);
  return isPortable(result, aval.dtype) ? constant(aval, result) : null;
}

const folded = (Object.keys(evaluators) as FirstOrderName[]).filter((name) => typeof evaluators[name] === 'function');

/** The names of the primitives that are folded. */
export const foldedNames: readonly FirstOrderName[] = folded;

/** Constant folding as a rewrite. */
export const folding: Rewrite = {
  name: 'fold',
  states: 'f(constants) = its value, where that is exact',
  on: folded.map((name) => firstOrder[name] as Primitive),
  apply: foldEqn,
};

const onlyFolding: readonly Rewrite[] = [folding];

/** Replace operations on constants by their results. */
export const fold = (jaxpr: Jaxpr): Jaxpr => rewrite(jaxpr, onlyFolding);
