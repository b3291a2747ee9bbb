/** What every change of images asks of them: a batch of floating-point images, channels last, a key, and options that there are. */

import { showAval } from '../../core/aval.ts';
import { type FloatDType, isFloat } from '../../core/dtype.ts';
import { DTypeError, ShapeError } from '../../core/errors.ts';
import { Value } from '../../core/value.ts';
import type { Tensor } from '../../ops/types.ts';
import { describe } from '../../ops/untyped.ts';

/** Floating-point tensors. */
export type Images<D extends FloatDType = FloatDType> = Tensor<D>;

/** @throws DTypeError or ShapeError unless `x` is float[batch, height, width, channels] */
export function expectImages(op: string, x: Value): readonly [batch: number, height: number, width: number, c: number] {
  const got = x instanceof Value ? showAval(x.aval) : describe(x);
  if (!(x instanceof Value) || !isFloat(x.dtype)) {
    throw new DTypeError({
      op,
      problem: `images are floating-point tensors, got ${got}`,
      remedy: "cast and scale them first: np.div(np.astype(x, 'float32'), 255)",
    });
  }
  if (x.ndim !== 4) {
    throw new ShapeError({
      op,
      problem: `images are [batch, height, width, channels], got ${got}`,
      remedy: 'np.reshape(x, [-1, height, width, channels])',
    });
  }
  return x.shape as readonly [number, number, number, number];
}

/** @throws ShapeError unless `n` is a number of at least `least` and at most `most` */
export function expectNumber(op: string, what: string, n: number, least = 0, most = Number.POSITIVE_INFINITY): number {
  if (typeof n === 'number' && n >= least && n <= most) return n;
  const range = most === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new ShapeError({ op, problem: `${what} is ${describe(n)}`, remedy: `use a number ${range}` });
}
