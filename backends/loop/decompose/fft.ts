/**
 * `fft` in stages of elementwise steps and small contractions: Stockham's mixed radix, as on the reference device, with an axis for
 * each of its loops. A length is known when a program is made, so the stages are written out, log n of them.
 *
 * Roots of unity are constants, computed in double and rounded once.
 */

import { range, type Shape, sizeOf } from '../../../src/core/shape.ts';
import type { Value } from '../../../src/core/value.ts';
import { add, div, mul, sub } from '../../../src/prim/arithmetic.ts';
import { fullLike, scalar } from '../../../src/prim/compose.ts';
import { dotGeneral } from '../../../src/prim/dot.ts';
import type { FftParams, Pair } from '../../../src/prim/fft.ts';
import { broadcastInDim, concatenate, moveAxis, pad, reshape, sliceAxis } from '../../../src/prim/structural.ts';
import { lineOf } from '../../fourier.ts';
import {
  type Complexes,
  chirp,
  chirpKernel,
  chirpLength,
  complexes,
  largestRadix,
  radices,
  rootsOfUnity,
} from '../../roots.ts';
import { constant } from './formulas.ts';

/** Complex numbers of the type of `x`. */
const constants = ({ re, im }: Complexes, shape: Shape, x: Value): Pair => [
  constant(re, shape, x),
  constant(im, shape, x),
];

const product = ([a, b]: Pair, [c, d]: Pair): Pair => [sub(mul(a, c), mul(b, d)), add(mul(a, d), mul(b, c))];

const mapped = ([re, im]: Pair, f: (x: Value) => Value): Pair => [f(re), f(im)];

/** The roots of `n` numbered by `at(i)`. */
function picked(roots: Complexes, count: number, at: (i: number) => number): Complexes {
  const found = complexes(count);
  for (let i = 0; i < count; i++) {
    found.re[i] = roots.re[at(i)]!;
    found.im[i] = roots.im[at(i)]!;
  }
  return found;
}

/** Transforms of length `radix` along axis 1 of `[rows, radix, m, stride]`, which comes to be axis 2. */
function butterflies(x: Pair, radix: number, roots: Complexes): Pair {
  const n = roots.re.length;
  if (radix === 2) {
    const [a, b] = [0, 1].map((i) => mapped(x, (part) => sliceAxis(part, 1, i, i + 1))) as [Pair, Pair];
    const both = (f: (a: Value, b: Value) => Value): Pair => [f(a[0], b[0]), f(a[1], b[1])];
    const [sums, gaps] = [both(add), both(sub)];
    return [0, 1].map((i) => moveAxis(concatenate([sums[i]!, gaps[i]!], 1), 1, 2)) as unknown as Pair;
  }
  const square = picked(roots, radix * radix, (i) => (((i % radix) * Math.floor(i / radix)) % radix) * (n / radix));
  const [c, s] = constants(square, [radix, radix], x[0]);
  // The matrix from the right: the new axis comes last, and moves to its place.
  const times = (part: Value, matrix: Value): Value =>
    moveAxis(dotGeneral(part, matrix, { lhsContracting: [1], rhsContracting: [0], lhsBatch: [], rhsBatch: [] }), 3, 2);
  const [re, im] = x;
  return [sub(times(re, c), times(im, s)), add(times(re, s), times(im, c))];
}

/** The transform along the last axis of `[rows, n]`. */
function mixedRadix(x: Pair, factors: readonly number[]): Pair {
  const [rows, n] = x[0].shape as readonly [number, number];
  const roots = rootsOfUnity(n);
  let found = x;
  let stride = 1;
  for (const radix of factors) {
    const m = n / stride / radix;
    const split = mapped(found, (part) => reshape(part, [rows, radix, m, stride]));
    const joined = butterflies(split, radix, roots);
    const step = stride;
    const twiddles = picked(roots, m * radix, (i) => Math.floor(i / radix) * (i % radix) * step);
    const turned =
      m === 1
        ? joined
        : product(
            joined,
            mapped(constants(twiddles, [m, radix], x[0]), (part) => broadcastInDim(part, joined[0].shape, [1, 2])),
          );
    found = mapped(turned, (part) => reshape(part, [rows, n]));
    stride *= radix;
  }
  return found;
}

const padded = (x: Value, length: number): Value =>
  pad(x, scalar(0, x.dtype, x.aval.weak), [0, 0], [0, length - x.shape[1]!], [0, 0]);

/** Bluestein's convolution, as on the reference device; its kernel, transformed, is a constant. */
function bluestein(x: Pair): Pair {
  const [rows, n] = x[0].shape as readonly [number, number];
  const length = chirpLength(n);
  const factors = radices(length);
  const waves = chirp(n);
  const along = (values: Complexes): Pair =>
    mapped(constants(values, [values.re.length], x[0]), (part) => broadcastInDim(part, [rows, values.re.length], [1]));
  const [a, b] = mapped(product(x, along(waves)), (part) => padded(part, length));
  const kernel = chirpKernel(waves, length);
  lineOf(length)(kernel);
  const spectrum = product(mixedRadix([a, b], factors), along(kernel));
  const [im, re] = mixedRadix([spectrum[1], spectrum[0]], factors);
  const first = (part: Value): Value => div(sliceAxis(part, 1, 0, n), fullLike(sliceAxis(part, 1, 0, n), length));
  return product([first(re), first(im)], along(waves));
}

/** The transform along the last axis of `[rows, n]`. */
function line(x: Pair): Pair {
  const factors = radices(x[0].shape[1]!);
  return factors.every((radix) => radix <= largestRadix) ? mixedRadix(x, factors) : bluestein(x);
}

/** Real and imaginary part of the transform over the last axes, one after the other. */
export function fft([re, im]: readonly Value[], { kind, fftLengths }: FftParams): readonly Value[] {
  const { shape } = re!;
  const inverse = kind === 'IFFT';
  let found: Pair = inverse ? [im!, re!] : [re!, im!];
  if (re!.size === 0) return [re!, im!];
  for (const axis of range(fftLengths.length).map((i) => shape.length - 1 - i)) {
    found = mapped(found, (part) => {
      const last = moveAxis(part, axis, shape.length - 1);
      return reshape(last, [sizeOf(shape) / shape[axis]!, shape[axis]!]);
    });
    const order = [...shape.slice(0, axis), ...shape.slice(axis + 1), shape[axis]!];
    found = mapped(line(found), (part) => moveAxis(reshape(part, order), shape.length - 1, axis));
  }
  const terms = sizeOf(fftLengths);
  if (!inverse) return found;
  return [found[1], found[0]].map((part) => div(part, fullLike(part, terms)));
}
