/**
 * How far the float32 functions of `backends/loop/math` are from the truth, in units in the last place: one row for each, with the
 * bound of DESIGN's table, where the truth is the reference device's float64, and the intervals that are looked at closely.
 */

import type { Expr } from '../../backends/loop/ir/expr.ts';
import { math } from '../../backends/loop/math/index.ts';
import { complementaryErrorFunction, erfInverse, errorFunction } from '../../backends/reference/special.ts';
import { compiled, type Rounding } from './compiled.ts';

export interface Row {
  readonly bound: number;
  readonly truth: (x: number) => number;
  readonly near: readonly (readonly [number, number])[];
}

const row = (bound: number, truth: Row['truth'], ...near: Row['near']): Row => ({ bound, truth, near });

const logistic = (x: number): number => {
  const e = Math.exp(-Math.abs(x));
  return (x < 0 ? e : 1) / (1 + e);
};

/** Functions of one operand. */
export const rows = {
  exp: row(2, Math.exp, [-104, 89], [-1, 1]),
  exp2: row(4, (x) => 2 ** x, [-150, 128], [-1, 1]),
  expm1: row(4, Math.expm1, [-18, 89], [-1, 1]),
  log: row(2, Math.log, [0, 4], [0.9, 1.1]),
  log2: row(4, Math.log2, [0, 4], [0.9, 1.1]),
  log1p: row(4, Math.log1p, [-1, 4], [-0.5, 1]),
  tanh: row(2, Math.tanh, [-10, 10], [0.1, 1]),
  logistic: row(3, logistic, [-104, 20], [-4, 4]),
  sinh: row(4, Math.sinh, [-90, 90], [-2, 2]),
  cosh: row(4, Math.cosh, [-90, 90], [-2, 2]),
  sin: row(2, Math.sin, [-4, 4], [-12_800, 12_800], [12_000, 1e6]),
  cos: row(2, Math.cos, [-4, 4], [-12_800, 12_800], [12_000, 1e6]),
  tan: row(4, Math.tan, [-4, 4], [-12_800, 12_800], [12_000, 1e6]),
  asin: row(4, Math.asin, [-1, 1], [0.45, 0.55]),
  acos: row(4, Math.acos, [-1, 1], [0.9, 1]),
  atan: row(4, Math.atan, [-4, 4], [-40, 40]),
  asinh: row(4, Math.asinh, [-4, 4], [-40, 40], [16_000, 17_000]),
  acosh: row(4, Math.acosh, [1, 4], [1, 1.1], [16_000, 17_000]),
  atanh: row(4, Math.atanh, [-1, 1], [0.99, 1]),
  rsqrt: row(4, (x) => 1 / Math.sqrt(x), [0.25, 4]),
  cbrt: row(4, Math.cbrt, [-1, 1], [1, 8]),
  erf: row(3, errorFunction, [-4, 4], [-1, 1]),
  erfc: row(4, complementaryErrorFunction, [-4, 10.1], [-1, 1]),
  erf_inv: row(4, erfInverse, [-1, 1], [0.99, 1]),
  sign: row(0, Math.sign),
} satisfies Record<string, Row>;

export const names = Object.keys(rows) as readonly (keyof typeof rows)[];

/** Floats where a result changes its kind. */
export const edges: readonly number[] = [
  0,
  1,
  2,
  3,
  0.5,
  0.75,
  1.5,
  2 ** -149,
  2 ** -127,
  2 ** -126,
  2 ** -24,
  2 ** 23,
  2 ** 24,
  2 ** 30,
  2 ** 126,
  2 ** 127,
  3.4028234663852886e38,
  88.72283935546875,
  88.72284698486328,
  87.33654022216797,
  103.97207641601562,
  103.9720840454,
  104,
  127.99999237060547,
  128,
  149,
  149.5,
  150,
  89.41598510742188,
  89.41599273681641,
  12_800,
  12_800.001,
  355,
  0.99999994,
  1.0000001192092896,
  3.8325066,
  9.194548,
  10.0546875,
  Number.POSITIVE_INFINITY,
]
  .flatMap((x) => [x, -x])
  .concat(Number.NaN);

/** A sequence of 32-bit words (Knuth's linear congruence, with the high bits mixed into the low ones). */
export function words(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state ^ (state >>> 15)) >>> 0;
  };
}

/** Floats of every exponent and sign, as many of each, with random mantissas; then those of some intervals; then the edges. */
export function sample(seed: number, perExponent: number, near: Row['near'] = [], perInterval = 0): Float32Array {
  const next = words(seed);
  const size = 512 * perExponent + near.length * perInterval + edges.length;
  const xs = new Float32Array(size);
  const raw = new Uint32Array(xs.buffer);
  let k = 0;
  for (let exponent = 0; exponent < 512; exponent++) {
    for (let i = 0; i < perExponent; i++) raw[k++] = ((exponent << 23) | (next() >>> 9)) >>> 0;
  }
  for (const [low, high] of near) {
    for (let i = 0; i < perInterval; i++) xs[k++] = low + (high - low) * (next() / 2 ** 32);
  }
  xs.set(edges, k);
  return xs;
}

/** The distance of float32 floats at `truth`. */
const spacing = (truth: number): number => {
  const a = Math.abs(truth);
  if (a < 2 ** -126) return 2 ** -149;
  const power = 2 ** Math.floor(Math.log2(a));
  return (power > a ? power / 2 : power) * 2 ** -23;
};

/**
 * The error of `got`, in units in the last place of `truth`: 0 of the nearest float, and infinite where NaN, infinities or the sign of a
 * zero differ.
 */
export function error(got: number, truth: number): number {
  const rounded = Math.fround(truth);
  if (Object.is(got, rounded)) return 0;
  const comparable = Number.isFinite(got) && Number.isFinite(rounded) && !(got === 0 && rounded === 0);
  return comparable ? Math.abs(got - truth) / spacing(truth) : Number.POSITIVE_INFINITY;
}

export interface Worst {
  readonly error: number;
  readonly at: readonly number[];
  readonly got: number;
}

/** The worst of a function's errors on these operands. */
export function worst(
  name: string,
  operands: readonly Float32Array[],
  truths: Float64Array,
  rounding: Rounding,
  params = {},
): Worst {
  const f = (...args: Expr[]): Expr => math[name]!(args, params);
  const got = new Float32Array(truths.length);
  compiled(
    operands.map(() => 'float32'),
    f,
    rounding,
  )(operands, got, got.length);
  let found = { error: 0, index: 0 };
  for (let i = 0; i < got.length; i++) {
    const e = error(got[i]!, truths[i]!);
    if (e > found.error) found = { error: e, index: i };
  }
  return { error: found.error, at: operands.map((xs) => xs[found.index]!), got: got[found.index]! };
}
