/** Fourier transforms against their definition, in double precision, at lengths of every kind. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lowerings } from '../../backends/reference/lowering.ts';
import { radices, rootsOfUnity } from '../../backends/roots.ts';
import type { FftKind } from '../../src/prim/fft.ts';
import { host, run } from './oracle.ts';

const lengths = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 31, 32, 37, 41, 64, 74, 97, 101, 128, 210, 243, 961, 1000, 1009];

/** e^(sign·2πi m/n) in which the angle is reduced before it is rounded. */
const root = (m: number, n: number, sign: number): readonly [number, number] => {
  const part = (((m % n) + n) % n) / n;
  return [Math.cos(2 * Math.PI * part), sign * Math.sin(2 * Math.PI * part)];
};

/** The definition: n² steps, summed with compensation, so that it is more precise than what it judges. */
function definition(re: ArrayLike<number>, im: ArrayLike<number>, kind: FftKind): readonly [number[], number[]] {
  const n = re.length;
  const sign = kind === 'FFT' ? -1 : 1;
  const roots = Array.from({ length: n }, (_, m) => root(m, n, sign));
  const out: readonly [number[], number[]] = [[], []];
  for (let k = 0; k < n; k++) {
    const sums = [0, 0];
    const lost = [0, 0];
    for (let j = 0; j < n; j++) {
      const [c, s] = roots[(j * k) % n]!;
      [re[j]! * c, -im[j]! * s, re[j]! * s, im[j]! * c].forEach((term, i) => {
        const part = i < 2 ? 0 : 1;
        const y = term - lost[part]!;
        const t = sums[part]! + y;
        lost[part] = t - sums[part]! - y;
        sums[part] = t;
      });
    }
    out[0].push(sums[0]! / (kind === 'IFFT' ? n : 1));
    out[1].push(sums[1]! / (kind === 'IFFT' ? n : 1));
  }
  return out;
}

const norm = (...parts: readonly ArrayLike<number>[]): number =>
  Math.hypot(...parts.flatMap((part) => Array.from(part)));

const noise = (n: number, seed: number): number[] =>
  Array.from({ length: n }, (_, i) => Math.sin(1e4 * (i + 1) * (seed + 0.123)));

describe('fft', () => {
  it.each(lengths)('of length %i is its definition, up to 1e-15·log₂n of its norm', (n) => {
    for (const kind of ['FFT', 'IFFT'] as const) {
      const [a, b] = [noise(n, 1), noise(n, 2)];
      const ins = [host('float64', [n], a), host('float64', [n], b)];
      const [re, im] = run(lowerings.fft, ins, ins, { kind, fftLengths: [n] });
      const [wantedRe, wantedIm] = definition(a, b, kind);
      const error = norm(
        wantedRe.map((x, k) => x - re![k]!),
        wantedIm.map((x, k) => x - im![k]!),
      );
      expect(error).toBeLessThanOrEqual(1e-15 * Math.max(1, Math.log2(n)) * norm(wantedRe, wantedIm));
    }
  });

  it('rounds float32 once, after all axes', () => {
    const n = 60;
    const ins = [host('float32', [2, n], noise(2 * n, 3)), host('float32', [2, n], noise(2 * n, 4))];
    const wide = ins.map((x) => host('float64', x.shape, x.data));
    const params = { kind: 'FFT', fftLengths: [2, n] } as const;
    const exact = run(lowerings.fft, wide, wide, params);
    run(lowerings.fft, ins, ins, params).forEach((part, i) => {
      expect([...part]).toEqual(Array.from(exact[i]!, Math.fround));
    });
  });

  it('over several axes is one axis after the other, and the inverse undoes it', () => {
    const shapes = fc.tuple(
      fc.array(fc.nat({ max: 3 }), { maxLength: 1 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 3 }),
    );
    fc.assert(
      fc.property(shapes, ([batch, fftLengths]) => {
        const shape = [...batch, ...fftLengths];
        const size = shape.reduce((a, b) => a * b, 1);
        const ins = [host('float64', shape, noise(size, 5)), host('float64', shape, noise(size, 6))];
        const outs = run(lowerings.fft, ins, ins, { kind: 'FFT', fftLengths }).map((data) =>
          host('float64', shape, data),
        );
        const back = run(lowerings.fft, outs, outs, { kind: 'IFFT', fftLengths });
        back.forEach((part, i) => {
          part.forEach((x, k) => {
            expect(Math.abs(x - ins[i]!.data[k]!)).toBeLessThan(1e-13);
          });
        });
        // The first element of the transform is the sum.
        const total = fftLengths.reduce((a, b) => a * b, 1);
        for (let at = 0; at < size; at += total) {
          const sum = Array.from(ins[0]!.data.subarray(at, at + total)).reduce((a, b) => a + b, 0);
          expect(Math.abs(outs[0]!.data[at]! - sum)).toBeLessThan(1e-12);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('takes lengths apart', () => {
    expect([1, 2, 8, 12, 30, 101, 961, 1024].map((n) => radices(n))).toEqual([
      [],
      [2],
      [4, 2],
      [4, 3],
      [2, 3, 5],
      [101],
      [31, 31],
      [4, 4, 4, 4, 4],
    ]);
    const { re, im } = rootsOfUnity(8);
    expect([re[0], im[0], re[2], im[2], re[4], im[6]]).toEqual([1, -0, 0, -1, -1, 1]);
    expect(Math.abs(im[1]! + Math.SQRT1_2)).toBeLessThanOrEqual(2 ** -53);
  });
});
