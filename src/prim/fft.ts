/**
 * `fft`: the discrete Fourier transform over the last axes, of complex numbers that are two tensors, real and imaginary part.
 *
 * There is no complex dtype (see README): as a function of two real tensors the transform is linear and has an adjoint, which is
 * all that differentiation asks for.
 */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { ints } from '../core/params.ts';
import { isHole, type Primitive } from '../core/primitive.ts';
import { sameShape, sizeOf } from '../core/shape.ts';
import { bind } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { div, mul } from './arithmetic.ts';
import { fullLike } from './compose.ts';
import { allWeak, batchAt, expectCount, expectKind, expectSame, instantiate } from './define.ts';

/** The codec of {@link FftKind}. */
const fftKindCodec = t.keyof({ FFT: null, IFFT: null }, 'FftKind');

/**
 * Which transform, by StableHLO's name. `FFT`: Xₖ = Σⱼ xⱼ e^(−2πi jk/n). `IFFT`, its inverse: with e^(+2πi jk/n), divided by the number
 * of terms.
 */
export type FftKind = t.TypeOf<typeof fftKindCodec>;

const fftParams = t.readonly(t.strict({ kind: fftKindCodec, fftLengths: ints }));

/** The parameters of `fft`. */
export type FftParams = t.TypeOf<typeof fftParams>;

/** A real and an imaginary part. */
export type Pair = readonly [re: Value, im: Value];

/** @throws ShapeError unless `lengths` are those of the last axes, none of which is empty */
function expectLengths(x: Aval, lengths: readonly number[]): void {
  const last = x.shape.slice(x.shape.length - lengths.length);
  if (lengths.length > 0 && lengths.length <= x.shape.length && sameShape(last, lengths) && !lengths.includes(0))
    return;
  throw new ShapeError({
    op: 'fft',
    problem: `lengths (${lengths.join()}) are not those of the last axes of ${showAval(x)}, or there is nothing to transform`,
    remedy: 'name the lengths of at least one axis, none of which is 0; np.fft pads and cuts',
  });
}

/** The transform with the other sign, and without its division or with another: the adjoint of real and imaginary part together. */
function adjoint([re, im]: Pair, { kind, fftLengths }: FftParams): Pair {
  const [a, b] = fft(re, im, { kind: kind === 'FFT' ? 'IFFT' : 'FFT', fftLengths });
  const terms = fullLike(a, sizeOf(fftLengths));
  return kind === 'FFT' ? [mul(a, terms), mul(b, terms)] : [div(a, terms), div(b, terms)];
}

/**
 * Real and imaginary part of the transform of `re + i·im` over the last axes. Linear in both together: the matrix F of the
 * transform is symmetric, so that its adjoint Fᴴ is its conjugate, the transform with the other sign.
 */
export const fftP: Primitive<'fft', FftParams> = {
  name: 'fft',
  params: fftParams,
  abstractEval(ins, { fftLengths }) {
    expectCount('fft', 2, ins);
    expectKind('fft', 'float', ins[0]!);
    expectSame('fft', ins);
    expectLengths(ins[0]!, fftLengths);
    const aval = makeAval(ins[0]!.shape, ins[0]!.dtype, allWeak(ins));
    return [aval, aval];
  },
  jvp: ([re, im], [dRe, dIm], params) => ({
    outs: fft(re!, im!, params),
    tangents: fft(instantiate(dRe!, re!), instantiate(dIm!, im!), params),
  }),
  transpose([ctRe, ctIm], [re, im], params) {
    const like = (ctRe ?? ctIm)!;
    const [a, b] = adjoint([instantiate(ctRe!, like), instantiate(ctIm!, like)], params);
    return [isHole(re!) ? a : null, isHole(im!) ? b : null];
  },
  vmap: (size, [re, im], [dim, imDim], params) => ({
    outs: fft(batchAt(size, re!, dim!, 0), batchAt(size, im!, imDim!, 0), params),
    dims: [0, 0],
  }),
};

/** The transform of `re + i·im`. */
export const fft = (re: Value, im: Value, params: FftParams): Pair => bind(fftP, [re, im], params) as unknown as Pair;
