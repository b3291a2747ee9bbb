/** Triangular systems and Cholesky's factorization, row by row. */

import type { Lower } from './kernel.ts';
import { load, matricesOf } from './matrix.ts';

/** How a triangular system is to be solved. */
export interface SolveParams {
  readonly leftSide: boolean;
  readonly lower: boolean;
  readonly transposeA: boolean;
  readonly unitDiagonal: boolean;
}

/**
 * Substitution, in place: `x` holds the right-hand sides of t x = b, row i at `i * rowStep` and column c at `c * columnStep`. Element
 * (i, j) of t is at `i * ti + j * tj`.
 */
function substitute(
  t: Float64Array,
  ti: number,
  tj: number,
  lower: boolean,
  unit: boolean,
  x: Float64Array,
  n: number,
  columns: number,
  rowStep: number,
  columnStep: number,
): void {
  for (let step = 0; step < n; step++) {
    const i = lower ? step : n - 1 - step;
    for (let before = 0; before < step; before++) {
      const j = lower ? before : n - 1 - before;
      const factor = t[i * ti + j * tj]!;
      for (let c = 0, p = i * rowStep, q = j * rowStep; c < columns; c++, p += columnStep, q += columnStep) {
        x[p]! -= factor * x[q]!;
      }
    }
    if (unit) continue;
    const pivot = t[i * ti + i * tj]!;
    for (let c = 0, p = i * rowStep; c < columns; c++, p += columnStep) x[p]! /= pivot;
  }
}

/** x op(a) = b is op(a)ᵀ xᵀ = bᵀ: the same loop, with other strides. */
export const triangularSolve: Lower<SolveParams> = (ins, _outs, { leftSide, lower, transposeA, unitDiagonal }) => {
  const [count, n] = matricesOf(ins[0]!.shape);
  const [, rows, columns] = matricesOf(ins[1]!.shape);
  const flipped = transposeA === leftSide;
  const [ti, tj] = flipped ? [1, n] : [n, 1];
  const [sides, rowStep, columnStep] = leftSide ? [columns, columns, 1] : [rows, 1, columns];
  return ([a, b], [out]) => {
    const t = new Float64Array(n * n);
    const x = new Float64Array(rows * columns);
    for (let k = 0; k < count; k++) {
      load(a!, k * t.length, t);
      load(b!, k * x.length, x);
      substitute(t, ti, tj, lower !== flipped, unitDiagonal, x, n, sides, rowStep, columnStep);
      out!.set(x, k * x.length);
    }
  };
};

/** Replace the lower triangle of the n × n matrix `a` by its factor; false if it is not positive definite. */
function factor(a: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0, p = i * n, q = j * n; k < j; k++, p++, q++) sum -= a[p]! * a[q]!;
      if (j < i) a[i * n + j] = sum / a[j * n + j]!;
      else if (!(sum > 0)) return false;
      else a[i * n + i] = Math.sqrt(sum);
    }
  }
  return true;
}

/** The factor, zeros above the diagonal; NaN in the triangle if there is none. */
export const cholesky: Lower<unknown> = (ins) => {
  const [count, n] = matricesOf(ins[0]!.shape);
  return ([a], [out]) => {
    const l = new Float64Array(n * n);
    for (let k = 0; k < count; k++) {
      load(a!, k * l.length, l);
      const definite = factor(l, n);
      for (let i = 0; i < n; i++) {
        if (!definite) l.fill(Number.NaN, i * n, i * n + i + 1);
        l.fill(0, i * n + i + 1, (i + 1) * n);
      }
      out!.set(l, k * l.length);
    }
  };
};
