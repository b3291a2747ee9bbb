/** The part of `lax` that transforms to frequencies. */

import type { FloatDType } from '../core/dtype.ts';
import { type FftKind, fft as fftOf } from '../prim/fft.ts';
import type { Complex } from './complex.ts';
import { staged } from './staged.ts';

export type { FftKind } from '../prim/fft.ts';

/**
 * The discrete Fourier transform over the last axes, whose lengths are `fftLengths`: `FFT`, Σⱼ xⱼ e^(−2πi jk/n), or `IFFT`, its
 * inverse. Any lengths, in O(n log n) steps.
 *
 * @throws ShapeError unless the lengths are those of the last axes, none of which is empty
 * @throws DTypeError for integers
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const { re, im } = lax.fft({ re: np.array([1, 2, 3, 4]), im: np.zeros([4]) }, 'FFT', [4]);
 * console.log(re.toArray(), im.toArray()); // => [ 10, -2, -2, -2 ] [ 0, 2, 0, -2 ]
 * ```
 */
export function fft<D extends FloatDType>(x: Complex<D>, kind: FftKind, fftLengths: readonly number[]): Complex<D> {
  const [re, im] = staged('lax.fft', [x.re, x.im], (a, b) => fftOf(a!, b!, { kind, fftLengths }));
  return { re, im } as Complex<D>;
}
