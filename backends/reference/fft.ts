/**
 * Fourier transforms over the last axes: each axis in turn, row by row, in double; what is stored is rounded once, at the end.
 */

import { sizeOf } from '../../src/core/shape.ts';
import type { FftParams } from '../../src/prim/fft.ts';
import { lineOf } from '../fourier.ts';
import { complexes } from '../roots.ts';
import type { Lower } from './kernel.ts';

/** Real and imaginary part of the transform over the last axes. */
export const fft: Lower<FftParams> = (ins, _outs, { kind, fftLengths }) => {
  const { size } = ins[0]!;
  const lines = new Map(fftLengths.map((n) => [n, lineOf(n)]));
  const terms = kind === 'IFFT' ? sizeOf(fftLengths) : 1;
  // The inverse is the transform of the parts exchanged.
  const [first, second] = kind === 'IFFT' ? [1, 0] : [0, 1];
  return (ins, outs) => {
    const re = Float64Array.from(ins[first]!);
    const im = Float64Array.from(ins[second]!);
    let step = 1;
    for (const n of [...fftLengths].reverse()) {
      const row = complexes(n);
      const line = lines.get(n)!;
      for (let block = 0; block < size; block += n * step) {
        for (let at = block; at < block + step; at++) {
          for (let k = 0; k < n; k++) {
            row.re[k] = re[at + k * step]!;
            row.im[k] = im[at + k * step]!;
          }
          line(row);
          for (let k = 0; k < n; k++) {
            re[at + k * step] = row.re[k]!;
            im[at + k * step] = row.im[k]!;
          }
        }
      }
      step *= n;
    }
    if (terms > 1) {
      for (let k = 0; k < size; k++) {
        re[k] = re[k]! / terms;
        im[k] = im[k]! / terms;
      }
    }
    outs[first]!.set(re);
    outs[second]!.set(im);
  };
};
