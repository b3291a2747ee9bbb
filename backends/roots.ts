/** Arithmetic of Fourier transforms: roots of unity to a unit in the last place, and the ways in which a length is taken apart. */

/** Real and imaginary parts. */
export interface Complexes {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

export const complexes = (length: number): Complexes => ({
  re: new Float64Array(length),
  im: new Float64Array(length),
});

/** cos and sin of the part k/n of a full turn, for 0 ≤ k < n: by symmetry of an angle of at most an eighth, so that ¼ is exact. */
function turn(k: number, n: number): readonly [number, number] {
  if (2 * k > n) {
    const [c, s] = turn(n - k, n);
    return [c, -s];
  }
  if (4 * k > n) {
    // The half less the angle: numerators are of n/2, so both are doubled.
    const [c, s] = turn(n - 2 * k, 2 * n);
    return [-c, s];
  }
  if (8 * k > n) {
    const [c, s] = turn(n - 4 * k, 4 * n);
    return [s, c];
  }
  const angle = (2 * Math.PI * k) / n;
  return [Math.cos(angle), Math.sin(angle)];
}

/** e^(−2πi k/n) for k = 0, …, n − 1. */
export function rootsOfUnity(n: number): Complexes {
  const roots = complexes(n);
  for (let k = 0; k < n; k++) {
    const [c, s] = turn(k, n);
    roots.re[k] = c;
    roots.im[k] = -s;
  }
  return roots;
}

/** The largest prime of which a transform is computed by its definition; of larger ones it is a convolution. */
export const largestRadix = 31;

/** The radices of a length, their product: 4 as long as it divides, then primes. */
export function radices(n: number): readonly number[] {
  const found: number[] = [];
  let rest = n;
  for (let radix = 4; rest > 1; radix = radix === 4 ? 2 : radix === 2 ? 3 : radix + 2) {
    if (radix > 4 && radix * radix > rest) radix = rest;
    for (; rest % radix === 0; rest /= radix) found.push(radix);
  }
  return found;
}

/** The chirp e^(−πi k²/n) for k = 0, …, n − 1, which turns a transform of length n into a convolution (Bluestein). */
export function chirp(n: number): Complexes {
  const waves = complexes(n);
  for (let k = 0; k < n; k++) {
    const [c, s] = turn((k * k) % (2 * n), 2 * n);
    waves.re[k] = c;
    waves.im[k] = -s;
  }
  return waves;
}

/** The length to which that convolution is padded: a power of two of at least 2n − 1. */
export const chirpLength = (n: number): number => 2 ** Math.ceil(Math.log2(2 * n - 1));

/** The conjugate of the chirp, around the ends of a row of `length`. */
export function chirpKernel({ re, im }: Complexes, length: number): Complexes {
  const kernel = complexes(length);
  re.forEach((c, k) => {
    for (const at of [k, (length - k) % length]) {
      kernel.re[at] = c;
      kernel.im[at] = -im[k]!;
    }
  });
  return kernel;
}
