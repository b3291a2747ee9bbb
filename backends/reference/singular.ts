/**
 * `svd` by one-sided Jacobi rotations (Hestenes 1958; Demmel and Veselić 1992): pairs of columns are rotated until all are
 * orthogonal; their lengths are the singular values. Tall matrices are reduced by a QR factorization first, wide ones transposed.
 */

import { formQ, reflect } from './householder.ts';
import type { Lower } from './kernel.ts';
import { largest, load, matricesOf, scaleOf } from './matrix.ts';
import { signOf } from './symmetric.ts';

/** Sweeps over all pairs, of which five to ten are usual: each leaves less to do, down to rounding. */
const patience = 60;

/** Squares of lengths below this, of a matrix scaled to 1, are beyond what products of elements can tell from 0. */
const floor = 2 ** -900;

/** The length of a column, without overflow or loss of small ones. */
function lengthOf(x: Float64Array, at: number, n: number): number {
  const scale = scaleOf(largest(x.subarray(at, at + n)));
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (x[at + i]! * scale) ** 2;
  return Math.sqrt(squares) / scale;
}

/** Rotate two vectors of length n. */
function rotate(x: Float64Array, p: number, q: number, n: number, c: number, s: number): void {
  for (let i = 0; i < n; i++) {
    const [a, b] = [x[p + i]!, x[q + i]!];
    x[p + i] = c * a - s * b;
    x[q + i] = s * a + c * b;
  }
}

/** Make the n vectors of length n in `x`, one after the other, orthogonal by rotations, which are applied to `v` as well. */
function orthogonalize(x: Float64Array, n: number, v: Float64Array | null): void {
  const tolerance = Number.EPSILON * Math.max(4, Math.sqrt(n));
  for (let sweep = 0, rotated = true; rotated && sweep < patience; sweep++) {
    rotated = false;
    for (let i = 0; i + 1 < n; i++) {
      for (let j = i + 1; j < n; j++) {
        const [p, q] = [i * n, j * n];
        let alpha = 0;
        let beta = 0;
        let gamma = 0;
        for (let k = 0; k < n; k++) {
          const a = x[p + k]!;
          const b = x[q + k]!;
          alpha += a * a;
          beta += b * b;
          gamma += a * b;
        }
        if (alpha < floor || beta < floor || Math.abs(gamma) <= tolerance * Math.sqrt(alpha) * Math.sqrt(beta))
          continue;
        rotated = true;
        const zeta = (beta - alpha) / (2 * gamma);
        const size = Math.abs(zeta);
        const t = (zeta < 0 ? -1 : 1) / (size + (size > 1e100 ? size : Math.sqrt(1 + zeta * zeta)));
        const c = 1 / Math.sqrt(1 + t * t);
        rotate(x, p, q, n, c, c * t);
        if (v) rotate(v, p, q, n, c, c * t);
      }
    }
  }
}

/** Complete the first `rank` of n orthonormal vectors of length n in `v`. */
function complete(v: Float64Array, n: number, rank: number): void {
  if (rank === n) return;
  const a = new Float64Array(n * rank);
  for (let i = 0; i < n; i++) for (let j = 0; j < rank; j++) a[i * rank + j] = v[j * n + i]!;
  const taus = new Float64Array(rank);
  const q = new Float64Array(n * n);
  reflect(a, n, rank, taus);
  formQ(a, n, rank, taus, q, n);
  for (let j = rank; j < n; j++) for (let i = 0; i < n; i++) v[j * n + i] = q[i * n + j]!;
}

/** The decomposition of one m × n matrix, m ≥ n; vectors lie one after the other. */
interface Decomposition {
  readonly s: Float64Array;
  /** The vectors of length m that were asked for, of which there may be more than n. */
  readonly u: Float64Array;
  /** All n vectors of length n. */
  readonly v: Float64Array;
  /** How many vectors belong together by a singular value that is not 0. */
  readonly rank: number;
}

/** Decompose the m × n matrix `a`, which is overwritten, m ≥ n; with `sides` = 0 only the singular values are meant. */
function decompose(a: Float64Array, m: number, n: number, sides: number): Decomposition {
  const [s, u, v] = [new Float64Array(n), new Float64Array(m * sides), new Float64Array(n * n)];
  const size = largest(a);
  if (!(size < Infinity)) {
    for (const all of [s, u, v]) all.fill(Number.NaN);
    return { s, u, v, rank: n };
  }
  const scale = scaleOf(size);
  for (let i = 0; i < a.length; i++) a[i]! *= scale;
  const taus = new Float64Array(n);
  reflect(a, m, n, taus);
  // With a = q r and rotations j of the rows of r into orthogonal ones, j r = s vᵀ, so that a = (q jᵀ) s vᵀ.
  const [x, j] = [new Float64Array(n * n), new Float64Array(sides > 0 ? n * n : 0)];
  for (let i = 0; i < n; i++) for (let k = i; k < n; k++) x[i * n + k] = a[i * n + k]!;
  for (let i = 0; i < j.length; i += n + 1) j[i] = 1;
  orthogonalize(x, n, sides > 0 ? j : null);
  const lengths = Float64Array.from({ length: n }, (_, i) => lengthOf(x, i * n, n));
  const order = Array.from(lengths.keys()).sort((p, q) => lengths[q]! - lengths[p]!);
  order.forEach((from, to) => {
    s[to] = lengths[from]! / scale;
  });
  const rank = order.filter((from) => lengths[from]! ** 2 >= floor).length;
  if (sides === 0) return { s, u, v, rank };
  for (let to = 0; to < rank; to++) {
    const from = order[to]!;
    for (let k = 0; k < n; k++) v[to * n + k] = x[from * n + k]! / lengths[from]!;
  }
  complete(v, n, rank);
  const q = new Float64Array(m * sides);
  formQ(a, m, n, taus, q, sides);
  for (let to = 0; to < sides; to++) {
    for (let i = 0; i < m; i++) {
      let sum = to < n ? 0 : q[i * sides + to]!;
      if (to < n) for (let k = 0, p = order[to]! * n; k < n; k++, p++) sum += q[i * sides + k]! * j[p]!;
      u[to * m + i] = sum;
    }
  }
  return { s, u, v, rank };
}

/** Flip the k-th vector. */
function flip(x: Float64Array, k: number, n: number): void {
  for (let i = k * n; i < (k + 1) * n; i++) x[i] = 0 - x[i]!;
}

/** Make the signs those that the record promises: `left` decides for the pairs of the first `rank` vectors. */
function settleSigns(left: Float64Array, m: number, right: Float64Array, n: number, rank: number): void {
  for (let k = 0; k * m < left.length; k++) {
    if (signOf(left, k * m, 1, m) > 0) continue;
    flip(left, k, m);
    if (k < rank) flip(right, k, n);
  }
  for (let k = rank; k * n < right.length; k++) if (signOf(right, k * n, 1, n) < 0) flip(right, k, n);
}

/** The parameters of `svd`. */
export interface SvdParams {
  readonly fullMatrices: boolean;
  readonly computeUv: boolean;
}

/** Singular values and, if asked for, the left vectors as columns and the right ones as rows. */
export const svd: Lower<SvdParams> = (ins, _outs, { fullMatrices, computeUv }) => {
  const [count, rows, columns] = matricesOf(ins[0]!.shape);
  const tall = rows >= columns;
  const [m, n] = tall ? [rows, columns] : [columns, rows];
  const sides = computeUv ? (fullMatrices ? m : n) : 0;
  const given = new Float64Array(rows * columns);
  const a = tall ? given : new Float64Array(rows * columns);
  return ([matrices], [values, us, vts]) => {
    for (let k = 0; k < count; k++) {
      load(matrices!, k * given.length, given);
      if (!tall) for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) a[i * n + j] = given[j * m + i]!;
      const { s, u, v, rank } = decompose(a, m, n, sides);
      values!.set(s, k * n);
      if (!computeUv) continue;
      const [left, right] = tall ? [u, v] : [v, u];
      settleSigns(left, rows, right, columns, rank);
      const width = left.length / Math.max(rows, 1);
      const base = k * left.length;
      for (let j = 0; j < width; j++) for (let i = 0; i < rows; i++) us![base + i * width + j] = left[j * rows + i]!;
      vts!.set(right, k * right.length);
    }
  };
};
