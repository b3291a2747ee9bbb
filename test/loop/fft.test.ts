/** The stages of the transform at lengths larger than the laws', against the reference device. */

import { type Complex, lax, makeJaxpr, np, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { decomposing } from '../../backends/loop/decompose/index.ts';

const noise = (shape: readonly number[], seed: number): Tensor<'float64'> =>
  np.reshape(
    np.array(Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(1e4 * (i + seed)))),
    shape,
  );

const distance = (a: Complex<'float64'>, b: Complex<'float64'>): number =>
  Math.hypot(...np.sub(a.re, b.re).dataSync(), ...np.sub(a.im, b.im).dataSync());

describe('the stages of fft', () => {
  it.each([[[101]], [[128]], [[210]], [[2, 97]], [[37, 8]], [[3, 5, 7]], [[1009]]])('of %j', (shape) => {
    const x = { re: noise(shape, 1), im: noise(shape, 2) };
    for (const lengths of [shape, shape.slice(-1)]) {
      for (const kind of ['FFT', 'IFFT'] as const) {
        const wanted = lax.fft(x, kind, lengths);
        const found = decomposing(['fft'], () => lax.fft(x, kind, lengths));
        expect(distance(found, wanted)).toBeLessThan(
          1e-14 * Math.hypot(...wanted.re.dataSync(), ...wanted.im.dataSync()),
        );
      }
    }
  });

  it('are log n many', () => {
    const equations = (n: number): number =>
      decomposing(['fft'], () =>
        makeJaxpr((re: Tensor, im: Tensor) => lax.fft({ re, im }, 'FFT', [n]))(np.zeros([n]), np.zeros([n])),
      ).jaxpr.eqns.length;
    const [small, large] = [equations(4 ** 3), equations(4 ** 6)];
    expect(large).toBeLessThan(2.5 * small);
    expect(small).toBeLessThan(80);
  });
});
