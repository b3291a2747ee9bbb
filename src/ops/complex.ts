/** Complex numbers as pairs of real tensors. */

import { showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import { zeros } from '../prim/compose.ts';
import type { Pair } from '../prim/fft.ts';
import { aligned, toFloat } from './convert.ts';
import type { ArrayLike, DTypeOf, Floated, Tensor } from './types.ts';
import { describe } from './untyped.ts';

/**
 * Complex numbers: a tensor of real parts and one of imaginary parts, of one shape. It is a plain tree, so that all transforms
 * take it apart as they do any other, and its derivative is that of a function of two real tensors.
 */
export interface Complex<D extends FloatDType = 'float32'> {
  readonly re: Tensor<D>;
  readonly im: Tensor<D>;
}

/** Real numbers, or complex ones. */
export type Numbers = ArrayLike | Complex<FloatDType>;

/** The complex numbers that `A` becomes. */
export type ComplexOf<A> =
  A extends Complex<infer D> ? Complex<D> : A extends ArrayLike ? Complex<Floated<DTypeOf<A>>> : never;

/** The dtype of the parts of {@link ComplexOf}. */
export type PartOf<A> = A extends Complex<infer D> ? D : A extends ArrayLike ? Floated<DTypeOf<A>> : never;

const isComplex = (x: Numbers): x is Complex<FloatDType> =>
  typeof x === 'object' && !(x instanceof Value) && 're' in x && 'im' in x;

/**
 * Real and imaginary part, floats of one shape and dtype.
 *
 * @throws DTypeError for what is neither real nor complex numbers
 * @throws ShapeError if the parts do not broadcast
 */
export function toPair(op: string, x: Numbers): Pair {
  if (isComplex(x)) {
    const [re, im] = aligned(op, [toFloat(op, x.re), toFloat(op, x.im)]);
    return [re!, im!];
  }
  const re = toFloat(op, x);
  return [re, zeros(re.aval)];
}

/** Real numbers as floats. @throws DTypeError for complex ones */
export function toReal(op: string, x: Numbers): Value {
  if (!isComplex(x)) return toFloat(op, x);
  const shown = x.re instanceof Value ? showAval(x.re.aval) : describe(x.re);
  throw new DTypeError({
    op,
    problem: `takes real numbers, got complex ones of parts ${shown}`,
    remedy: 'pass the real part, x.re, or use the transform of complex numbers',
  });
}
