/**
 * Fourier transforms of rows of doubles, of any length in O(n log n) steps: Stockham's mixed radix, which needs no reordering, and
 * Bluestein's convolution for lengths with a large prime.
 */

import {
  type Complexes,
  chirp,
  chirpKernel,
  chirpLength,
  complexes,
  largestRadix,
  radices,
  rootsOfUnity,
} from './roots.ts';

/** Transforms a row in place. */
export type Line = (x: Complexes) => void;

/**
 * One stage of Stockham's algorithm. The row holds `stride` interleaved sequences of length `radix · m`; each becomes `radix`
 * sequences of length m, whose transforms interleave to that of the whole.
 */
function stage(radix: number, m: number, stride: number, roots: Complexes, x: Complexes, y: Complexes): void {
  const n = roots.re.length;
  const [xr, xi, yr, yi] = [x.re, x.im, y.re, y.im];
  const apart = stride * m;
  for (let p = 0; p < m; p++) {
    for (let j = 0; j < radix; j++) {
      const twiddle = p * j * stride;
      const [wr, wi] = [roots.re[twiddle]!, roots.im[twiddle]!];
      for (let q = 0; q < stride; q++) {
        let [sr, si] = [0, 0];
        let root = 0;
        for (let t = 0, at = q + stride * p; t < radix; t++, at += apart) {
          const [ar, ai, fr, fi] = [xr[at]!, xi[at]!, roots.re[root]!, roots.im[root]!];
          sr += ar * fr - ai * fi;
          si += ar * fi + ai * fr;
          root += j * (n / radix);
          if (root >= n) root -= n;
        }
        const to = q + stride * (radix * p + j);
        yr[to] = sr * wr - si * wi;
        yi[to] = sr * wi + si * wr;
      }
    }
  }
}

/** {@link stage} for radix 4, whose roots are 1, −i, −1 and i. */
function stage4(m: number, stride: number, roots: Complexes, x: Complexes, y: Complexes): void {
  const [xr, xi, yr, yi] = [x.re, x.im, y.re, y.im];
  const apart = stride * m;
  for (let p = 0; p < m; p++) {
    const w = p * stride;
    const [w1r, w1i, w2r, w2i] = [roots.re[w]!, roots.im[w]!, roots.re[2 * w]!, roots.im[2 * w]!];
    const [w3r, w3i] = [roots.re[3 * w]!, roots.im[3 * w]!];
    for (let q = 0; q < stride; q++) {
      const a = q + stride * p;
      const [b, c, d] = [a + apart, a + 2 * apart, a + 3 * apart];
      const sumR = xr[a]! + xr[c]!;
      const sumI = xi[a]! + xi[c]!;
      const gapR = xr[a]! - xr[c]!;
      const gapI = xi[a]! - xi[c]!;
      const oddR = xr[b]! + xr[d]!;
      const oddI = xi[b]! + xi[d]!;
      // i·(b − d)
      const turnR = xi[d]! - xi[b]!;
      const turnI = xr[b]! - xr[d]!;
      const to = q + stride * 4 * p;
      yr[to] = sumR + oddR;
      yi[to] = sumI + oddI;
      const [r1, i1] = [gapR - turnR, gapI - turnI];
      yr[to + stride] = r1 * w1r - i1 * w1i;
      yi[to + stride] = r1 * w1i + i1 * w1r;
      const [r2, i2] = [sumR - oddR, sumI - oddI];
      yr[to + 2 * stride] = r2 * w2r - i2 * w2i;
      yi[to + 2 * stride] = r2 * w2i + i2 * w2r;
      const [r3, i3] = [gapR + turnR, gapI + turnI];
      yr[to + 3 * stride] = r3 * w3r - i3 * w3i;
      yi[to + 3 * stride] = r3 * w3i + i3 * w3r;
    }
  }
}

function mixedRadix(n: number, factors: readonly number[]): Line {
  const roots = rootsOfUnity(n);
  const spare = complexes(n);
  return (x) => {
    let [from, to] = [x, spare];
    let stride = 1;
    for (const radix of factors) {
      const m = n / stride / radix;
      if (radix === 4) stage4(m, stride, roots, from, to);
      else stage(radix, m, stride, roots, from, to);
      [from, to] = [to, from];
      stride *= radix;
    }
    if (from === x) return;
    x.re.set(from.re);
    x.im.set(from.im);
  };
}

/** Xₖ = c̄ₖ Σⱼ (xⱼ c̄ⱼ) cₖ₋ⱼ with the chirp c̄ₖ = e^(−πi k²/n), because 2jk = j² + k² − (k − j)². */
function bluestein(n: number): Line {
  const length = chirpLength(n);
  const transform = mixedRadix(length, radices(length));
  const waves = chirp(n);
  const kernel = chirpKernel(waves, length);
  transform(kernel);
  const row = complexes(length);
  return (x) => {
    row.re.fill(0, n);
    row.im.fill(0, n);
    for (let k = 0; k < n; k++) {
      const [a, b, c, s] = [x.re[k]!, x.im[k]!, waves.re[k]!, waves.im[k]!];
      row.re[k] = a * c - b * s;
      row.im[k] = a * s + b * c;
    }
    transform(row);
    for (let k = 0; k < length; k++) {
      const [a, b, c, s] = [row.re[k]!, row.im[k]!, kernel.re[k]!, kernel.im[k]!];
      row.re[k] = a * c - b * s;
      row.im[k] = a * s + b * c;
    }
    // Exchanging the parts before and after makes it the inverse, but for the division.
    transform({ re: row.im, im: row.re });
    for (let k = 0; k < n; k++) {
      const [a, b, c, s] = [row.re[k]! / length, row.im[k]! / length, waves.re[k]!, waves.im[k]!];
      x.re[k] = a * c - b * s;
      x.im[k] = a * s + b * c;
    }
  };
}

/** The transform of rows of length n. */
export function lineOf(n: number): Line {
  const factors = radices(n);
  return factors.every((radix) => radix <= largestRadix) ? mixedRadix(n, factors) : bluestein(n);
}
