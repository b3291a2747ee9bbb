/** `lax` convolutions: dimension numbers, padding by name, transposed convolutions, against loops and identities. */

import { grad, lax, np, random, type Tensor, vjp } from 'pullback';
import { describe, expect, it } from 'vitest';

const images = random.normal(random.key(0), [2, 5, 4, 3]);
const taps = random.normal(random.key(1), [3, 2, 3, 6]);
const last = ['NHWC', 'HWIO', 'NHWC'] as const;
const first = ['NCHW', 'OIHW', 'NCHW'] as const;

/** Element by element, from the definition: [n, h, w, c] and [h, w, i, o]. */
function naive(x: Tensor, k: Tensor, stride: number, low: readonly [number, number], counts: readonly number[]) {
  const xs = x.toArray() as number[][][][];
  const ks = k.toArray() as number[][][][];
  const at = (n: number, i: number, j: number, c: number): number => xs[n]?.[i]?.[j]?.[c] ?? 0;
  return xs.map((_, n) =>
    Array.from({ length: counts[0]! }, (_, i) =>
      Array.from({ length: counts[1]! }, (_, j) =>
        ks[0]![0]![0]!.map((_, o) => {
          let sum = 0;
          ks.forEach((row, a) => {
            row.forEach((cell, b) => {
              cell.forEach((weights, c) => {
                sum += at(n, i * stride + a - low[0], j * stride + b - low[1], c) * weights[o]!;
              });
            });
          });
          return sum;
        }),
      ),
    ),
  );
}

const expectClose = (x: Tensor, wanted: unknown): void => {
  const expected = np.array(wanted as number[]);
  expect(x.shape).toEqual(expected.shape);
  expect(np.allclose(x, expected, { atol: 1e-5 }).item()).toBe(true);
};

describe('lax.convGeneralDilated', () => {
  it('is the sum over taps, with padding by name', () => {
    const numbers = { dimensionNumbers: last };
    expectClose(lax.convGeneralDilated(images, taps, [1, 1], 'VALID', numbers), naive(images, taps, 1, [0, 0], [3, 3]));
    // Of one place that is too many the larger part is behind, or before.
    expectClose(lax.convGeneralDilated(images, taps, [1, 1], 'SAME', numbers), naive(images, taps, 1, [1, 0], [5, 4]));
    expectClose(
      lax.convGeneralDilated(images, taps, [1, 1], 'SAME_LOWER', numbers),
      naive(images, taps, 1, [1, 1], [5, 4]),
    );
    expectClose(lax.convGeneralDilated(images, taps, [2, 2], 'SAME', numbers), naive(images, taps, 2, [1, 0], [3, 2]));
  });

  it('takes any order of axes, as texts or lists', () => {
    const wanted = lax.convGeneralDilated(images, taps, [2, 1], 'SAME', { dimensionNumbers: last });
    const moved = lax.convGeneralDilated(
      np.transpose(images, [0, 3, 1, 2]),
      np.transpose(taps, [3, 2, 0, 1]),
      [2, 1],
      'SAME',
      { dimensionNumbers: first },
    );
    expectClose(np.transpose(moved, [0, 2, 3, 1]), wanted.toArray());
    const lists = [
      [0, 3, 1, 2],
      [3, 2, 0, 1],
      [0, 3, 1, 2],
    ] as const;
    expectClose(lax.convGeneralDilated(images, taps, [2, 1], 'SAME', { dimensionNumbers: lists }), wanted.toArray());
  });

  it('in groups is the convolutions of the parts', () => {
    const depthwise = random.normal(random.key(2), [3, 2, 1, 6]);
    const whole = lax.convGeneralDilated(images, depthwise, [1, 1], 'VALID', {
      dimensionNumbers: last,
      featureGroupCount: 3,
    });
    const parts = [0, 1, 2].map((g) =>
      lax.convGeneralDilated(
        np.index(images, '...', [g, g + 1]),
        np.index(depthwise, '...', [2 * g, 2 * g + 2]),
        [1, 1],
        'VALID',
        { dimensionNumbers: last },
      ),
    );
    expectClose(whole, np.concatenate(parts, -1).toArray());
  });

  it('says what does not fit', () => {
    expect(() => lax.convGeneralDilated(images, taps, [1, 1], 'VALID')).toThrow(
      /^conv_general_dilated: cannot convolve float32\[2,5,4,3\] with float32\[3,2,3,6\]: 5 features meet 2/,
    );
    expect(() => lax.convGeneralDilated(images, taps, [1], 'VALID')).toThrow(
      /^lax.convGeneralDilated: 1 strides do not fit float32\[2,5,4,3\] and float32\[3,2,3,6\]/,
    );
    expect(() =>
      lax.convGeneralDilated(images, taps, [1, 1], 'VALID', { dimensionNumbers: ['NHWC', 'HWIO', 'NHHC'] }),
    ).toThrow(/the dimension numbers "NHHC" do not name N, C, H, W once each/);
  });
});

describe('lax.convTranspose', () => {
  it('makes axes longer, as it says', () => {
    const shapes = (['SAME', 'VALID'] as const).map(
      (padding) => lax.convTranspose(images, taps, [2, 3], padding).shape,
    );
    expect(shapes).toEqual([
      [2, 10, 12, 6],
      [2, 11, 12, 6],
    ]);
  });

  it('with transposeKernel is the gradient of a convolution', () => {
    const f = (x: Tensor): Tensor => lax.convGeneralDilated(x, taps, [2, 1], 'VALID', { dimensionNumbers: last });
    const [y, pullback] = vjp(f, [images]);
    const ct = random.normal(random.key(3), y.shape);
    expectClose(lax.convTranspose(ct, taps, [2, 1], 'VALID', { transposeKernel: true }), pullback(ct)[0].toArray());
  });

  it('is differentiable to second order', () => {
    const f = (x: Tensor): Tensor => np.sum(np.square(lax.convTranspose(x, taps, [2, 1], 'SAME')));
    const g = grad((x: Tensor) => np.sum(np.square(grad(f)(x))))(images);
    expect(g.shape).toEqual(images.shape);
    expect(np.all(np.isfinite(g)).item()).toBe(true);
  });
});
