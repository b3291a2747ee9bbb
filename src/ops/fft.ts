/**
 * `np.fft`: discrete Fourier transforms as NumPy has them, of real tensors or of {@link Complex} numbers, at any length.
 *
 * All of them are one primitive over some axes, with what is in front (cutting, padding) and behind it (a factor).
 */

import { makeAval } from '../core/aval.ts';
import type { DType, FloatDType } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { range, sizeOf, without } from '../core/shape.ts';
import { tensorFrom, Value } from '../core/value.ts';
import { mul, neg } from '../prim/arithmetic.ts';
import { fullLike, scalar } from '../prim/compose.ts';
import { type FftKind, fft as fftOf, type Pair } from '../prim/fft.ts';
import { concatenate, pad, rev, sliceAxis, transpose } from '../prim/structural.ts';
import { axesOf, axisOf } from './axes.ts';
import { type Complex, type ComplexOf, type Numbers, type PartOf, toPair, toReal } from './complex.ts';
import { located } from './located.ts';
import { roll } from './shape.ts';
import type { Axis, DTypeOptions, Tensor } from './types.ts';
import { describe, dtypeIn, expectOptions } from './untyped.ts';

export type { Complex } from './complex.ts';

/**
 * Where the factor 1/n of a transform and its inverse goes: to the inverse (`backward`, default), to the transform (`forward`), or
 * 1/√n to both (`ortho`).
 */
export type FftNorm = 'backward' | 'ortho' | 'forward';

/** Options of transforms. */
export interface FftOptions {
  readonly norm?: FftNorm;
}

/** @throws DTypeError for a norm that there is not */
function normIn(op: string, options: FftOptions): FftNorm {
  expectOptions(op, options, 'norm');
  const { norm = 'backward' } = options;
  if (norm === 'backward' || norm === 'ortho' || norm === 'forward') return norm;
  throw new DTypeError({
    op,
    problem: `there is no norm ${describe(norm)}`,
    remedy: 'the norms are backward, ortho, forward',
  });
}

/** @throws ShapeError unless `n` is a number of points */
function expectPoints(op: string, n: number): number {
  if (Number.isSafeInteger(n) && n >= 1) return n;
  throw new ShapeError({
    op,
    problem: `cannot transform ${String(n)} points`,
    remedy: 'transform along an axis with elements, to at least 1 point',
  });
}

/** The first `n` elements along an axis, with zeros behind if there are fewer. */
function resized(x: Value, axis: number, n: number): Value {
  const length = x.shape[axis]!;
  if (n <= length) return sliceAxis(x, axis, 0, n);
  const none = x.shape.map(() => 0);
  return pad(x, scalar(0, x.dtype, x.aval.weak), none, none.with(axis, n - length), none);
}

const mapped = ([re, im]: Pair, f: (x: Value) => Value): Pair => [f(re), f(im)];

const complex = ([re, im]: Pair): Complex<FloatDType> => ({ re, im }) as unknown as Complex<FloatDType>;

/** By what a transform of this many terms is multiplied, besides the division that the primitive does. */
function factor(kind: FftKind, norm: FftNorm, terms: number): number {
  if (norm === 'backward') return 1;
  const scale = norm === 'ortho' ? Math.sqrt(terms) : terms;
  return kind === 'FFT' ? 1 / scale : scale;
}

/** The transform over `axes`, which are brought to `lengths`. */
function transformed(x: Pair, axes: readonly number[], lengths: readonly number[], kind: FftKind, norm: FftNorm): Pair {
  const sized = mapped(x, (part) => axes.reduce((v, axis, i) => resized(v, axis, lengths[i]!), part));
  const order = [...without(range(x[0].ndim), axes), ...axes];
  const back = order.map((_, axis) => order.indexOf(axis));
  const last = mapped(sized, (part) => transpose(part, order));
  const found = axes.length === 0 ? last : fftOf(last[0], last[1], { kind, fftLengths: lengths });
  const by = factor(kind, norm, sizeOf(lengths));
  return mapped(found, (part) => transpose(by === 1 ? part : mul(part, fullLike(part, by)), back));
}

/** The axes of a transform over several, and their lengths. */
function grid(
  op: string,
  x: Value,
  s: readonly number[] | null | undefined,
  axes: Axis,
): readonly [axes: readonly number[], lengths: readonly number[]] {
  const named = axes ?? (s ? range(s.length).map((i) => i - s.length) : null);
  const over = axesOf(op, named, x.aval);
  if (s && s.length !== over.length) {
    throw new ShapeError({
      op,
      problem: `${s.length} numbers of points are not those of ${over.length} axes`,
      remedy: 'give a number of points for each axis',
    });
  }
  return [over, over.map((axis, i) => expectPoints(op, s?.[i] ?? x.shape[axis]!))];
}

const overOne =
  (op: string, kind: FftKind) =>
  <A extends Numbers>(x: A, n?: number | null, axis = -1, options: FftOptions = {}): ComplexOf<A> =>
    located(() => {
      const norm = normIn(op, options);
      const pair = toPair(op, x);
      const along = axisOf(op, axis, pair[0].aval);
      return complex(transformed(pair, [along], [expectPoints(op, n ?? pair[0].shape[along]!)], kind, norm));
    }) as ComplexOf<A>;

const overMany =
  (op: string, kind: FftKind, standard?: readonly number[]) =>
  <A extends Numbers>(x: A, s?: readonly number[] | null, axes?: Axis, options: FftOptions = {}): ComplexOf<A> =>
    located(() => {
      const norm = normIn(op, options);
      const pair = toPair(op, x);
      const [over, lengths] = grid(op, pair[0], s, axes ?? standard);
      return complex(transformed(pair, over, lengths, kind, norm));
    }) as ComplexOf<A>;

/**
 * The discrete Fourier transform along an axis: Xₖ = Σⱼ xⱼ e^(−2πi jk/n), of `n` points (default: all; `x` is cut or padded with
 * zeros), along `axis` (default the last), of real or complex numbers.
 *
 * O(n log n) for every n. On the reference device it is computed in double precision and rounded once; the error of `float64` is
 * below 10⁻¹⁵·log₂ n of the norm of the result (`test/reference/fft.test.ts`).
 *
 * @throws ShapeError for an axis out of range or no points
 *
 * @example
 * ```ts
 * import { grad, np, type Tensor } from 'pullback';
 * const { re, im } = np.fft.fft(np.array([1, 2, 3, 4]));
 * console.log(re.toArray(), im.toArray()); // => [ 10, -2, -2, -2 ] [ 0, 2, 0, -2 ]
 * const power = (x: Tensor) => {
 *   const { re, im } = np.fft.fft(x, null, -1, { norm: 'ortho' });
 *   return np.sum(np.add(np.square(re), np.square(im)));
 * };
 * console.log(grad(power)(np.array([1, 2, 3, 4])).toArray()); // => [ 2, 4, 6, 8 ]
 * ```
 */
export const fft = overOne('np.fft.fft', 'FFT');

/** The inverse of {@link fft}: xⱼ = ¹⁄ₙ Σₖ Xₖ e^(2πi jk/n). @throws as {@link fft} */
export const ifft = overOne('np.fft.ifft', 'IFFT');

/** {@link fft} over two axes, by default the last, of `s` points. @throws as {@link fft} */
export const fft2 = overMany('np.fft.fft2', 'FFT', [-2, -1]);

/** The inverse of {@link fft2}. @throws as {@link fft} */
export const ifft2 = overMany('np.fft.ifft2', 'IFFT', [-2, -1]);

/**
 * {@link fft} over several axes: all, or the last ones if `s` says of how many points, or those of `axes`.
 *
 * @throws ShapeError for an axis out of range or named twice, no points, or numbers of points that do not fit the axes
 */
export const fftn = overMany('np.fft.fftn', 'FFT');

/** The inverse of {@link fftn}. @throws as {@link fftn} */
export const ifftn = overMany('np.fft.ifftn', 'IFFT');

/** The frequencies from 0 to n/2 of real numbers; those above are their conjugates. */
function realTransform(
  op: string,
  x: Numbers,
  axes: readonly number[],
  lengths: readonly number[],
  norm: FftNorm,
): Pair {
  const along = axes.at(-1)!;
  const kept = Math.floor(lengths.at(-1)! / 2) + 1;
  const pair = transformed(toPair(op, toReal(op, x)), axes.slice(-1), lengths.slice(-1), 'FFT', norm);
  const half = mapped(pair, (part) => sliceAxis(part, along, 0, kept));
  return transformed(half, axes.slice(0, -1), lengths.slice(0, -1), 'FFT', norm);
}

/** The real numbers whose frequencies from 0 to n/2 these are. */
function realInverse(x: Pair, axes: readonly number[], lengths: readonly number[], norm: FftNorm): Value {
  const along = axes.at(-1)!;
  const n = lengths.at(-1)!;
  const kept = Math.floor(n / 2) + 1;
  const others = transformed(x, axes.slice(0, -1), lengths.slice(0, -1), 'IFFT', norm);
  const half = mapped(others, (part) => resized(part, along, kept));
  // What should be real and is not (at 0 and n/2) only adds to the imaginary part of the result.
  const [re, im] = mapped(half, (part) => rev(sliceAxis(part, along, 1, 1 + n - kept), [along]));
  const whole: Pair = [concatenate([half[0], re], along), concatenate([half[1], neg(im)], along)];
  return transformed(whole, [along], [n], 'IFFT', norm)[0];
}

/** @throws ShapeError for no axes, of which none could be the halved one */
function expectAxes(op: string, axes: readonly number[]): void {
  if (axes.length > 0) return;
  throw new ShapeError({ op, problem: 'there is no axis to transform', remedy: 'name at least one' });
}

/**
 * The transform of real numbers along an axis: the n/2 + 1 frequencies that are not conjugates of others.
 *
 * @throws ShapeError as {@link fft}
 * @throws DTypeError for complex numbers
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([1, 2, 4]);
 * const half = np.fft.rfft(x);
 * console.log(half.re.shape); // => [ 2 ]
 * console.log(np.allclose(np.fft.irfft(half, 3), x).item()); // => true
 * ```
 */
export const rfft = <A extends Numbers>(x: A, n?: number | null, axis = -1, options: FftOptions = {}): ComplexOf<A> =>
  located(() => {
    const norm = normIn('np.fft.rfft', options);
    const real = toReal('np.fft.rfft', x);
    const along = axisOf('np.fft.rfft', axis, real.aval);
    const length = expectPoints('np.fft.rfft', n ?? real.shape[along]!);
    return complex(realTransform('np.fft.rfft', real, [along], [length], norm));
  }) as ComplexOf<A>;

/**
 * The inverse of {@link rfft}: the `n` real numbers (default 2(m − 1), an even number) whose first m frequencies these are.
 *
 * @throws ShapeError as {@link fft}
 */
export const irfft = <A extends Numbers>(
  x: A,
  n?: number | null,
  axis = -1,
  options: FftOptions = {},
): Tensor<PartOf<A>> =>
  located(() => {
    const norm = normIn('np.fft.irfft', options);
    const pair = toPair('np.fft.irfft', x);
    const along = axisOf('np.fft.irfft', axis, pair[0].aval);
    const length = expectPoints('np.fft.irfft', n ?? 2 * (pair[0].shape[along]! - 1));
    return realInverse(pair, [along], [length], norm);
  }) as Tensor<PartOf<A>>;

const realMany =
  (op: string, standard?: readonly number[]) =>
  <A extends Numbers>(x: A, s?: readonly number[] | null, axes?: Axis, options: FftOptions = {}): ComplexOf<A> =>
    located(() => {
      const norm = normIn(op, options);
      const real = toReal(op, x);
      const [over, lengths] = grid(op, real, s, axes ?? standard);
      expectAxes(op, over);
      return complex(realTransform(op, real, over, lengths, norm));
    }) as ComplexOf<A>;

const realInverseMany =
  (op: string, standard?: readonly number[]) =>
  <A extends Numbers>(x: A, s?: readonly number[] | null, axes?: Axis, options: FftOptions = {}): Tensor<PartOf<A>> =>
    located(() => {
      const norm = normIn(op, options);
      const pair = toPair(op, x);
      const [over, lengths] = grid(op, pair[0], s, axes ?? standard);
      expectAxes(op, over);
      const last = s ? lengths.at(-1)! : expectPoints(op, 2 * (lengths.at(-1)! - 1));
      return realInverse(pair, over, lengths.with(-1, last), norm);
    }) as Tensor<PartOf<A>>;

/** {@link rfft} along the last of two axes, {@link fft} along the other. @throws as {@link rfft} */
export const rfft2 = realMany('np.fft.rfft2', [-2, -1]);

/** The inverse of {@link rfft2}. @throws as {@link irfft} */
export const irfft2 = realInverseMany('np.fft.irfft2', [-2, -1]);

/** {@link rfft} along the last of several axes, {@link fft} along the others. @throws as {@link fftn} */
export const rfftn = realMany('np.fft.rfftn');

/** The inverse of {@link rfftn}. @throws as {@link fftn} */
export const irfftn = realInverseMany('np.fft.irfftn');

const swapped: { readonly [N in FftNorm]: FftNorm } = { backward: 'forward', ortho: 'ortho', forward: 'backward' };

/**
 * The transform, which is real, of numbers that are symmetric, x₋ⱼ = x̄ⱼ, and of which these are the first half: the `n` (default
 * 2(m − 1)) frequencies.
 *
 * @throws ShapeError as {@link fft}
 */
export const hfft = <A extends Numbers>(
  x: A,
  n?: number | null,
  axis = -1,
  options: FftOptions = {},
): Tensor<PartOf<A>> =>
  located(() => {
    const norm = swapped[normIn('np.fft.hfft', options)];
    const [re, im] = toPair('np.fft.hfft', x);
    const along = axisOf('np.fft.hfft', axis, re.aval);
    const length = expectPoints('np.fft.hfft', n ?? 2 * (re.shape[along]! - 1));
    return realInverse([re, neg(im)], [along], [length], norm);
  }) as Tensor<PartOf<A>>;

/** The inverse of {@link hfft}. @throws as {@link rfft} */
export const ihfft = <A extends Numbers>(x: A, n?: number | null, axis = -1, options: FftOptions = {}): ComplexOf<A> =>
  located(() => {
    const norm = swapped[normIn('np.fft.ihfft', options)];
    const real = toReal('np.fft.ihfft', x);
    const along = axisOf('np.fft.ihfft', axis, real.aval);
    const length = expectPoints('np.fft.ihfft', n ?? real.shape[along]!);
    const [re, im] = realTransform('np.fft.ihfft', real, [along], [length], norm);
    return complex([re, neg(im)]);
  }) as ComplexOf<A>;

/** Multiples of 1/(n·d). */
function multiples(op: string, numbers: readonly number[], n: number, d: number, options: DTypeOptions<DType>): Value {
  const dtype = dtypeIn(op, options) ?? 'float32';
  const values = numbers.map((k) => k / (n * d));
  const host = dtype === 'float64' ? Float64Array.from(values) : Float32Array.from(values);
  if (dtype === 'float64' || dtype === 'float32') return tensorFrom(makeAval([values.length], dtype), host);
  throw new DTypeError({ op, problem: `frequencies are no ${dtype}`, remedy: "ask for 'float32' or 'float64'" });
}

/**
 * The frequencies of the elements of {@link fft} of `n` points that are `d` apart: 0, 1/(nd), …, then the negative ones.
 *
 * @throws ShapeError for no points
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.fft.fftfreq(4).toArray(), np.fft.rfftfreq(4).toArray()); // => [ 0, 0.25, -0.5, -0.25 ] [ 0, 0.25, 0.5 ]
 * ```
 */
export function fftfreq<D extends FloatDType = 'float32'>(n: number, d = 1, options: DTypeOptions<D> = {}): Tensor<D> {
  const op = 'np.fft.fftfreq';
  const positive = Math.floor((expectPoints(op, n) - 1) / 2) + 1;
  const numbers = range(n).map((k) => (k < positive ? k : k - n));
  return multiples(op, numbers, n, d, options) as Tensor<D>;
}

/** The frequencies of the elements of {@link rfft} of `n` points that are `d` apart. @throws as {@link fftfreq} */
export function rfftfreq<D extends FloatDType = 'float32'>(n: number, d = 1, options: DTypeOptions<D> = {}): Tensor<D> {
  const op = 'np.fft.rfftfreq';
  return multiples(op, range(Math.floor(expectPoints(op, n) / 2) + 1), n, d, options) as Tensor<D>;
}

const shifting =
  (op: string, by: (n: number) => number) =>
  <A extends Value | Complex<FloatDType>>(x: A, axes?: Axis): A =>
    located(() => {
      const one = (v: Value): Value => {
        const over = axesOf(op, axes, v.aval);
        return roll(
          v,
          over.map((axis) => by(v.shape[axis]!)),
          over,
        );
      };
      return x instanceof Value ? one(x) : complex(mapped(toPair(op, x), one));
    }) as A;

/**
 * The elements along `axes` (default all) moved on by half, so that frequency 0 comes to the middle.
 *
 * @throws ShapeError for an axis out of range or named twice
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.fft.fftshift(np.fft.fftfreq(4)).toArray()); // => [ -0.5, -0.25, 0, 0.25 ]
 * ```
 */
export const fftshift = shifting('np.fft.fftshift', (n) => Math.floor(n / 2));

/** The inverse of {@link fftshift}. @throws as {@link fftshift} */
export const ifftshift = shifting('np.fft.ifftshift', (n) => -Math.floor(n / 2));
