/** `np.fft` against NumPy's own, and what transforms make of it. */
import { readFileSync } from 'node:fs';
import * as t from 'io-ts';
import { type Complex, grad, jit, jvp, lax, np, type Tensor, vjp, vmap } from 'pullback';
import { describe, expect, expectTypeOf, it } from 'vitest';

const numbers = t.array(t.number);
const some = t.union([t.number, t.null, numbers]);
const Cases = t.type({
  transforms: t.array(
    t.intersection([
      t.type({
        name: t.string,
        shape: numbers,
        complex: t.boolean,
        args: t.tuple([some, some]),
        norm: t.keyof({ backward: null, ortho: null, forward: null }),
        result: numbers,
        re: numbers,
      }),
      t.partial({ im: numbers }),
    ]),
  ),
  frequencies: t.array(t.type({ n: t.number, d: t.number, fftfreq: numbers, rfftfreq: numbers })),
  shifts: t.array(t.type({ shape: numbers, axes: some, shift: numbers, inverse: numbers })),
});
const decoded = Cases.decode(JSON.parse(readFileSync(new URL('../fixtures/numpy-fft.json', import.meta.url), 'utf8')));
if (decoded._tag === 'Left') throw new Error('test/fixtures/numpy-fft.json has another form');
const { transforms, frequencies, shifts } = decoded.right;

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const filled = (shape: readonly number[], f: (k: number) => number): Tensor<'float64'> =>
  np.reshape(np.array(Float64Array.from({ length: sizeOf(shape) }, (_, k) => f(k))), shape);

const expectNear = (found: Tensor<'float64'>, shape: readonly number[], wanted: readonly number[]): void => {
  expect(found.shape).toEqual(shape);
  expect(found.dtype).toBe('float64');
  const data = found.dataSync();
  wanted.forEach((x, k) => {
    expect(Math.abs(data[k]! - x), `${data[k]} beside ${x}`).toBeLessThanOrEqual(1e-13 * Math.max(1, Math.abs(x)));
  });
};

describe("NumPy's answers", () => {
  it.each(transforms)('$name of $shape with $args, $norm', ({ name, shape, complex, args, norm, result, re, im }) => {
    const real = filled(shape, (k) => ((7 * k + 3) % 11) - 5);
    const x = complex ? { re: real, im: filled(shape, (k) => ((5 * k + 1) % 7) - 3) } : real;
    type Transform = (
      x: unknown,
      n: unknown,
      axis: unknown,
      options: unknown,
    ) => Tensor<'float64'> | Complex<'float64'>;
    const transform = np.fft[name as 'fft'] as unknown as Transform;
    const axis = args[1] === null ? undefined : args[1];
    const found = transform(x, args[0], axis, { norm });
    if (im) {
      const parts = found as Complex<'float64'>;
      expectNear(parts.re, result, re);
      expectNear(parts.im, result, im);
    } else expectNear(found as Tensor<'float64'>, result, re);
  });

  it.each(frequencies)('frequencies of $n points', ({ n, d, fftfreq, rfftfreq }) => {
    expectNear(np.fft.fftfreq(n, d, { dtype: 'float64' }), [fftfreq.length], fftfreq);
    expectNear(np.fft.rfftfreq(n, d, { dtype: 'float64' }), [rfftfreq.length], rfftfreq);
    expect([...np.fft.fftfreq(n, d).dataSync()]).toEqual(fftfreq.map(Math.fround));
  });

  it.each(shifts)('shifts of $shape along $axes', ({ shape, axes, shift, inverse }) => {
    const x = np.reshape(np.arange(sizeOf(shape)), shape);
    expect([...np.fft.fftshift(x, axes).dataSync()]).toEqual(shift);
    expect([...np.fft.ifftshift(x, axes).dataSync()]).toEqual(inverse);
    const both = np.fft.fftshift({ re: np.astype(x, 'float32'), im: np.astype(x, 'float32') }, axes);
    expect([...both.im.dataSync()]).toEqual(shift);
  });
});

describe('what transforms make of it', () => {
  const x = filled([6], (k) => Math.sin(k * k + 1));
  const y = filled([6], (k) => Math.cos(3 * k));
  const sumOfSquares = ({ re, im }: Complex<'float64'>) => np.sum(np.add(np.square(re), np.square(im)));

  it('power is kept, up to the factor (Parseval), and so is its gradient', () => {
    const power = (z: Complex<'float64'>) => sumOfSquares(np.fft.fft(z));
    const { re, im } = grad(power)({ re: x, im: y });
    expectNear(
      re,
      [6],
      Array.from(x.dataSync(), (v) => 12 * v),
    );
    expectNear(
      im,
      [6],
      Array.from(y.dataSync(), (v) => 12 * v),
    );
    const ortho = (z: Tensor<'float64'>) => sumOfSquares(np.fft.rfft(z, 7, -1, { norm: 'ortho' }));
    const half = grad(ortho)(x);
    const step = 1e-6;
    const moved = (by: number) => ortho(np.add(x, np.mul(by, y))).item();
    const slope = np.sum(np.mul(half, y)).item();
    expect(Math.abs((moved(step) - moved(-step)) / (2 * step) - slope)).toBeLessThan(1e-8);
  });

  it('circular convolution is a product of transforms, with its gradient', () => {
    const convolve = (a: Tensor<'float64'>, b: Tensor<'float64'>): Tensor<'float64'> => {
      const [f, g] = [np.fft.rfft(a), np.fft.rfft(b)];
      const re = np.sub(np.mul(f.re, g.re), np.mul(f.im, g.im));
      const im = np.add(np.mul(f.re, g.im), np.mul(f.im, g.re));
      return np.fft.irfft({ re, im }, a.shape[0]!);
    };
    const direct = (a: ArrayLike<number>, b: ArrayLike<number>, sign: number): number[] =>
      Array.from({ length: 6 }, (_, k) =>
        Array.from({ length: 6 }, (_, j) => a[j]! * b[(((k - sign * j) % 6) + 6) % 6]!).reduce((s, v) => s + v, 0),
      );
    expectNear(jit(convolve)(x, y), [6], direct(x.dataSync(), y.dataSync(), 1));
    const [, pull] = vjp((b: Tensor<'float64'>) => convolve(x, b), [y]);
    expectNear(pull(x)[0], [6], direct(x.dataSync(), x.dataSync(), -1));
  });

  it('is linear: its tangent is itself', () => {
    const g = (v: Tensor<'float64'>) => np.fft.irfft(np.fft.rfft(v, 9), 5);
    const [, tangent] = jvp(g, [x], [y]);
    expectNear(tangent, [5], [...g(y).dataSync()]);
    const rows = np.stack([x, y]);
    const lanes = vmap(g)(rows);
    expectNear(lanes, [2, 5], [...g(x).dataSync(), ...g(y).dataSync()]);
    expectNear(vmap(g, [1])(np.transpose(rows)), [2, 5], [...g(x).dataSync(), ...g(y).dataSync()]);
  });

  it('keeps float64, makes floats of integers, and says so in the type', () => {
    expectTypeOf(np.fft.fft(np.arange(3))).toEqualTypeOf<Complex>();
    expectTypeOf(np.fft.irfft({ re: x, im: y })).toEqualTypeOf<Tensor<'float64'>>();
    expectTypeOf(np.fft.fftshift({ re: x, im: y })).toExtend<Complex<'float64'>>();
    expect(np.fft.fft(np.arange(3)).re.dtype).toBe('float32');
    expect(np.fft.fft(np.zeros([0, 2])).re.shape).toEqual([0, 2]);
    expect(np.fft.fftn(np.array(5), []).re.item()).toBe(5);
  });
});

describe('refusals', () => {
  const x = np.zeros([2, 3]);
  it('name the function and what is wrong', () => {
    expect(() => np.fft.fft(x, 0)).toThrow('np.fft.fft: cannot transform 0 points');
    expect(() => np.fft.fft(np.zeros([0]))).toThrow('np.fft.fft: cannot transform 0 points');
    expect(() => np.fft.irfft(np.zeros([1]))).toThrow('np.fft.irfft: cannot transform 0 points');
    expect(() => np.fft.ifft(x, null, 2)).toThrow('np.fft.ifft: axis 2 is out of range for float32[2,3]');
    expect(() => np.fft.fft2(np.zeros([3]))).toThrow('np.fft.fft2: axis -2 is out of range for float32[3]');
    expect(() => np.fft.fftn(x, [2], [0, 1])).toThrow('1 numbers of points are not those of 2 axes');
    expect(() => np.fft.fftn(x, null, [0, -2])).toThrow('np.fft.fftn: axes (0, -2) name axis 0');
    expect(() => np.fft.rfftn(np.array(1))).toThrow('np.fft.rfftn: there is no axis to transform');
    expect(() => np.fft.fft(x, null, -1, { norm: 'unitary' as 'ortho' })).toThrow('there is no norm "unitary"');
    expect(() => np.fft.rfft({ re: x, im: x })).toThrow(
      'np.fft.rfft: takes real numbers, got complex ones of parts float32[2,3]',
    );
    expect(() => np.fft.fft({ re: x, im: np.zeros([4]) })).toThrow('do not broadcast');
    expect(() => np.fft.fft([1, 2] as never)).toThrow('np.fft.fft: an operand is an array, which is not a tensor');
    expect(() => np.fft.fftfreq(3, 1, { dtype: 'int32' as 'float32' })).toThrow('frequencies are no int32');
    expect(() => lax.fft({ re: x, im: x }, 'FFT', [2])).toThrow(
      'fft: lengths (2) are not those of the last axes of float32[2,3]',
    );
    expect(() => lax.fft({ re: x, im: x }, 'RFFT' as 'FFT', [3])).toThrow('fft: the parameters do not fit');
  });
});
