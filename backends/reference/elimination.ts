/** Gaussian elimination: `lu` with partial pivoting, and tridiagonal systems. */

import type { Lower } from './kernel.ts';
import { load, matricesOf } from './matrix.ts';

/** Factor the m × n matrix `a` in place; `rows` undergoes the exchanges that `pivots` says. */
function eliminate(a: Float64Array, m: number, n: number, pivots: Int32Array, rows: Int32Array): void {
  for (let i = 0; i < m; i++) rows[i] = i;
  for (let k = 0; k < Math.min(m, n); k++) {
    let pivot = k;
    for (let i = k + 1; i < m; i++) if (Math.abs(a[i * n + k]!) > Math.abs(a[pivot * n + k]!)) pivot = i;
    pivots[k] = pivot;
    if (pivot !== k) {
      for (let j = 0, p = k * n, q = pivot * n; j < n; j++, p++, q++) {
        const swapped = a[p]!;
        a[p] = a[q]!;
        a[q] = swapped;
      }
      const row = rows[k]!;
      rows[k] = rows[pivot]!;
      rows[pivot] = row;
    }
    const divisor = a[k * n + k]!;
    // Nothing is left to eliminate below a pivot of zero.
    if (divisor === 0) continue;
    for (let i = k + 1; i < m; i++) {
      const factor = a[i * n + k]! / divisor;
      a[i * n + k] = factor;
      for (let j = k + 1, p = i * n + j, q = k * n + j; j < n; j++, p++, q++) a[p]! -= factor * a[q]!;
    }
  }
}

/** The packed factors, the pivots and the permutation. */
export const lu: Lower<unknown> = (ins) => {
  const [count, m, n] = matricesOf(ins[0]!.shape);
  return ([a], [factors, pivots, permutations]) => {
    const work = new Float64Array(m * n);
    const exchanged = new Int32Array(Math.min(m, n));
    const rows = new Int32Array(m);
    for (let k = 0; k < count; k++) {
      load(a!, k * work.length, work);
      eliminate(work, m, n, exchanged, rows);
      factors!.set(work, k * work.length);
      pivots!.set(exchanged, k * exchanged.length);
      permutations!.set(rows, k * rows.length);
    }
  };
};

/**
 * Solve in place for the right-hand sides `x`, n × columns. A row exchanged with the next reaches one place further to the
 * right: these elements go to `far`.
 */
function solveBands(
  dl: Float64Array,
  d: Float64Array,
  du: Float64Array,
  far: Float64Array,
  x: Float64Array,
  n: number,
  columns: number,
): void {
  far.fill(0);
  for (let i = 0; i + 1 < n; i++) {
    const [p, q] = [i * columns, (i + 1) * columns];
    const right = i + 2 < n ? du[i + 1]! : 0;
    const exchange = Math.abs(dl[i + 1]!) > Math.abs(d[i]!);
    if (exchange) {
      const factor = d[i]! / dl[i + 1]!;
      const above = du[i]!;
      d[i] = dl[i + 1]!;
      du[i] = d[i + 1]!;
      far[i] = right;
      d[i + 1] = above - factor * du[i]!;
      if (i + 2 < n) du[i + 1] = -factor * right;
      for (let c = 0; c < columns; c++) {
        const top = x[p + c]!;
        x[p + c] = x[q + c]!;
        x[q + c] = top - factor * x[p + c]!;
      }
    } else {
      const factor = d[i] === 0 && dl[i + 1] === 0 ? 0 : dl[i + 1]! / d[i]!;
      d[i + 1]! -= factor * du[i]!;
      for (let c = 0; c < columns; c++) x[q + c]! -= factor * x[p + c]!;
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let c = 0, p = i * columns; c < columns; c++, p++) {
      let sum = x[p]!;
      if (i + 1 < n) sum -= du[i]! * x[p + columns]!;
      if (i + 2 < n) sum -= far[i]! * x[p + 2 * columns]!;
      x[p] = sum / d[i]!;
    }
  }
}

/** The solutions, matrix by matrix. */
export const tridiagonalSolve: Lower<unknown> = (ins) => {
  const [count, n, columns] = matricesOf(ins[3]!.shape);
  return (operands, [out]) => {
    const [dl, d, du, far] = [0, 0, 0, 0].map(() => new Float64Array(n)) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const x = new Float64Array(n * columns);
    for (let k = 0; k < count; k++) {
      [dl, d, du].forEach((band, i) => load(operands[i]!, k * n, band));
      load(operands[3]!, k * x.length, x);
      solveBands(dl, d, du, far, x, n, columns);
      out!.set(x, k * x.length);
    }
  };
};
