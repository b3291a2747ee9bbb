/**
 * `eigh`: reduction to a tridiagonal matrix by Householder's reflections, then the QL method with implicit shifts (EISPACK's tred2
 * and tql2; Golub and Van Loan, Matrix Computations, §8.3). The matrix is scaled to the neighbourhood of 1 first.
 */

import type { Lower } from './kernel.ts';
import { largest, load, matricesOf, scaleOf } from './matrix.ts';

/**
 * The symmetric n × n matrix `v` becomes the orthogonal one that makes it tridiagonal, with the diagonal in `d` and the elements
 * beside it in `e`, from e[1] on.
 */
function tridiagonalize(v: Float64Array, n: number, d: Float64Array, e: Float64Array): void {
  for (let j = 0; j < n; j++) d[j] = v[(n - 1) * n + j]!;
  for (let i = n - 1; i > 0; i--) {
    let scale = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(d[k]!);
    let h = 0;
    if (scale === 0) {
      e[i] = d[i - 1]!;
      for (let j = 0; j < i; j++) {
        d[j] = v[(i - 1) * n + j]!;
        v[i * n + j] = 0;
        v[j * n + i] = 0;
      }
    } else {
      for (let k = 0; k < i; k++) {
        d[k]! /= scale;
        h += d[k]! * d[k]!;
      }
      const f = d[i - 1]!;
      const g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h);
      e[i] = scale * g;
      h -= f * g;
      d[i - 1] = f - g;
      for (let j = 0; j < i; j++) e[j] = 0;
      for (let j = 0; j < i; j++) {
        const head = d[j]!;
        v[j * n + i] = head;
        let sum = e[j]! + v[j * n + j]! * head;
        for (let k = j + 1; k < i; k++) {
          sum += v[k * n + j]! * d[k]!;
          e[k]! += v[k * n + j]! * head;
        }
        e[j] = sum;
      }
      let inner = 0;
      for (let j = 0; j < i; j++) {
        e[j]! /= h;
        inner += e[j]! * d[j]!;
      }
      const half = inner / (h + h);
      for (let j = 0; j < i; j++) e[j]! -= half * d[j]!;
      for (let j = 0; j < i; j++) {
        const [head, other] = [d[j]!, e[j]!];
        for (let k = j; k < i; k++) v[k * n + j]! -= head * e[k]! + other * d[k]!;
        d[j] = v[(i - 1) * n + j]!;
        v[i * n + j] = 0;
      }
    }
    d[i] = h;
  }
  for (let i = 0; i + 1 < n; i++) {
    v[(n - 1) * n + i] = v[i * n + i]!;
    v[i * n + i] = 1;
    const h = d[i + 1]!;
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = v[k * n + i + 1]! / h;
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k <= i; k++) sum += v[k * n + i + 1]! * v[k * n + j]!;
        for (let k = 0; k <= i; k++) v[k * n + j]! -= sum * d[k]!;
      }
    }
    for (let k = 0; k <= i; k++) v[k * n + i + 1] = 0;
  }
  for (let j = 0; j < n; j++) {
    d[j] = v[(n - 1) * n + j]!;
    v[(n - 1) * n + j] = 0;
  }
  if (n > 0) v[n * n - 1] = 1;
  e[0] = 0;
}

/** Steps for one eigenvalue, of which two or three are usual. */
const patience = 60;

/** Eigenvalues of the tridiagonal matrix in `d`, in any order; its rotations are applied to `v`. False if that does not end. */
function diagonalize(v: Float64Array, n: number, d: Float64Array, e: Float64Array): boolean {
  for (let i = 1; i < n; i++) e[i - 1] = e[i]!;
  if (n > 0) e[n - 1] = 0;
  let shift = 0;
  let reach = 0;
  for (let l = 0; l < n; l++) {
    reach = Math.max(reach, Math.abs(d[l]!) + Math.abs(e[l]!));
    let m = l;
    while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * reach) m++;
    for (let step = 0; m > l && Math.abs(e[l]!) > Number.EPSILON * reach; step++) {
      if (step === patience) return false;
      const g = d[l]!;
      const p = (d[l + 1]! - g) / (2 * e[l]!);
      const r = p < 0 ? -Math.hypot(p, 1) : Math.hypot(p, 1);
      d[l] = e[l]! / (p + r);
      d[l + 1] = e[l]! * (p + r);
      const next = d[l + 1]!;
      const h = g - d[l]!;
      for (let i = l + 2; i < n; i++) d[i]! -= h;
      shift += h;
      chase(v, n, d, e, l, m, next);
    }
    d[l]! += shift;
    e[l] = 0;
  }
  return true;
}

/** One implicit QL step on the rows l to m. */
function chase(v: Float64Array, n: number, d: Float64Array, e: Float64Array, l: number, m: number, next: number): void {
  let p = d[m]!;
  let [c, c2, c3] = [1, 1, 1];
  let [s, s2] = [0, 0];
  const beside = e[l + 1]!;
  for (let i = m - 1; i >= l; i--) {
    c3 = c2;
    c2 = c;
    s2 = s;
    const g = c * e[i]!;
    const h = c * p;
    const r = Math.hypot(p, e[i]!);
    e[i + 1] = s * r;
    s = e[i]! / r;
    c = p / r;
    p = c * d[i]! - s * g;
    d[i + 1] = h + s * (c * g + s * d[i]!);
    for (let k = 0, at = i; k < n; k++, at += n) {
      const [a, b] = [v[at]!, v[at + 1]!];
      v[at + 1] = s * a + c * b;
      v[at] = c * a - s * b;
    }
  }
  p = (-s * s2 * c3 * beside * e[l]!) / next;
  e[l] = s * p;
  d[l] = c * p;
}

/** −1 if the first element that is nearly as large as the largest is negative, else 1. */
export function signOf(x: Float64Array, offset: number, step: number, length: number): number {
  let most = 0;
  for (let i = 0, at = offset; i < length; i++, at += step) most = Math.max(most, Math.abs(x[at]!));
  for (let i = 0, at = offset; i < length; i++, at += step)
    if (Math.abs(x[at]!) >= 0.99 * most) return x[at]! < 0 ? -1 : 1;
  return 1;
}

/** Eigenvectors as columns, and eigenvalues. */
export const eigh: Lower<{ readonly lower: boolean }> = (ins, _outs, { lower }) => {
  const [count, n] = matricesOf(ins[0]!.shape);
  return ([a], [vectors, values]) => {
    const [v, sorted] = [new Float64Array(n * n), new Float64Array(n * n)];
    const [d, e, w] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
    for (let k = 0; k < count; k++) {
      load(a!, k * v.length, v);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < i; j++) {
          if (lower) v[j * n + i] = v[i * n + j]!;
          else v[i * n + j] = v[j * n + i]!;
        }
      }
      const size = largest(v);
      const scale = scaleOf(size);
      for (let i = 0; i < v.length; i++) v[i]! *= scale;
      let converged = size < Infinity;
      if (converged) {
        tridiagonalize(v, n, d, e);
        converged = diagonalize(v, n, d, e);
      }
      if (!converged) {
        sorted.fill(Number.NaN);
        w.fill(Number.NaN);
      } else {
        const order = Array.from(d.keys()).sort((p, q) => d[p]! - d[q]!);
        order.forEach((from, to) => {
          w[to] = d[from]! / scale;
          const sign = signOf(v, from, n, n);
          for (let i = 0; i < n; i++) sorted[i * n + to] = sign < 0 ? 0 - v[i * n + from]! : v[i * n + from]!;
        });
      }
      vectors!.set(sorted, k * v.length);
      values!.set(w, k * n);
    }
  };
};
