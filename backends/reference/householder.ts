/**
 * `qr` by Householder's reflections, as LAPACK's geqrf and orgqr compute it. Every column is scaled by a power of two before its
 * reflection is made, so that neither huge nor subnormal numbers spoil it.
 */

import type { Lower } from './kernel.ts';
import { load, matricesOf, scaleOf } from './matrix.ts';

/**
 * Factor the m × n matrix `a` in place: r on and above the diagonal, below it the reflections H = I − τ v vᵀ, where v begins
 * with 1. The factors τ go to `taus`.
 */
export function reflect(a: Float64Array, m: number, n: number, taus: Float64Array): void {
  const steps = Math.min(m, n);
  for (let j = 0; j < steps; j++) {
    let below = 0;
    for (let i = j + 1; i < m; i++) {
      const size = Math.abs(a[i * n + j]!);
      if (size > below || Number.isNaN(size)) below = size;
    }
    taus[j] = 0;
    if (below === 0) continue;
    const head = a[j * n + j]!;
    const scale = scaleOf(Math.max(below, Math.abs(head)));
    let squares = 0;
    for (let i = j; i < m; i++) squares += (a[i * n + j]! * scale) ** 2;
    const alpha = head * scale;
    const beta = alpha >= 0 ? -Math.sqrt(squares) : Math.sqrt(squares);
    const tau = (beta - alpha) / beta;
    for (let i = j + 1; i < m; i++) a[i * n + j] = (a[i * n + j]! * scale) / (alpha - beta);
    taus[j] = tau;
    a[j * n + j] = beta / scale;
    for (let c = j + 1; c < n; c++) {
      let sum = a[j * n + c]!;
      for (let i = j + 1; i < m; i++) sum += a[i * n + j]! * a[i * n + c]!;
      sum *= tau;
      a[j * n + c]! -= sum;
      for (let i = j + 1; i < m; i++) a[i * n + c]! -= sum * a[i * n + j]!;
    }
  }
}

/** The first `columns` columns of the product of the reflections in `a`, as {@link reflect} left them, into the m × columns matrix `q`. */
export function formQ(
  a: Float64Array,
  m: number,
  n: number,
  taus: Float64Array,
  q: Float64Array,
  columns: number,
): void {
  q.fill(0);
  for (let i = 0; i < Math.min(m, columns); i++) q[i * columns + i] = 1;
  for (let j = Math.min(m, n) - 1; j >= 0; j--) {
    const tau = taus[j]!;
    if (tau === 0) continue;
    for (let c = j; c < columns; c++) {
      let sum = q[j * columns + c]!;
      for (let i = j + 1; i < m; i++) sum += a[i * n + j]! * q[i * columns + c]!;
      sum *= tau;
      q[j * columns + c]! -= sum;
      for (let i = j + 1; i < m; i++) q[i * columns + c]! -= sum * a[i * n + j]!;
    }
  }
}

/** q and r. */
export const qr: Lower<{ readonly fullMatrices: boolean }> = (ins, _outs, { fullMatrices }) => {
  const [count, m, n] = matricesOf(ins[0]!.shape);
  const side = fullMatrices ? m : Math.min(m, n);
  return ([a], [qs, rs]) => {
    const work = new Float64Array(m * n);
    const taus = new Float64Array(Math.min(m, n));
    const q = new Float64Array(m * side);
    const r = new Float64Array(side * n);
    for (let k = 0; k < count; k++) {
      load(a!, k * work.length, work);
      reflect(work, m, n, taus);
      formQ(work, m, n, taus, q, side);
      qs!.set(q, k * q.length);
      for (let i = 0; i < side; i++) for (let j = 0; j < n; j++) r[i * n + j] = j >= i ? work[i * n + j]! : 0;
      rs!.set(r, k * r.length);
    }
  };
};
