/** The parameters of distributions: numbers or float tensors that broadcast, and the shape of what is drawn with them. */

import { type Aval, showAval } from '../core/aval.ts';
import { type FloatDType, isFloat } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import { type Shape, sameShape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { shapeOf } from '../ops/axes.ts';
import { broadcastShapes, toValue } from '../ops/convert.ts';
import { stretchTo } from '../ops/shape.ts';
import type { ShapeLike } from '../ops/types.ts';
import { dtypeIn } from '../ops/untyped.ts';
import { convertElementType } from '../prim/arithmetic.ts';
import { scalar, zeros } from '../prim/compose.ts';
import { expectFloat } from './samplers.ts';

/** The floating-point dtype that options ask for. @throws DTypeError for another one, or an option that is not there */
export function floatIn(
  op: string,
  options: { readonly dtype?: FloatDType },
  ...others: readonly string[]
): FloatDType {
  const dtype = dtypeIn(op, options, ...others) ?? 'float32';
  expectFloat(op, dtype);
  return dtype;
}

/** A parameter as a tensor of `dtype`, in its own shape. @throws DTypeError unless it is a number or a float tensor */
export function parameter(op: string, what: string, x: number | Value, dtype: FloatDType): Value {
  if (typeof x === 'number') return scalar(x, dtype);
  const value = toValue(op, x);
  if (isFloat(value.dtype)) return convertElementType(value, dtype);
  throw new DTypeError({
    op,
    problem: `${what} must be floating-point numbers, got ${showAval(value.aval)}`,
    remedy: `cast first: np.astype(x, '${dtype}')`,
  });
}

/**
 * The shape of what is drawn: that asked for, or that in which the parameters meet.
 *
 * @throws ShapeError if they do not broadcast to it
 */
export function drawnShape(op: string, shape: ShapeLike | undefined, parameters: readonly Aval[]): Shape {
  if (shape === undefined) return broadcastShapes(op, parameters);
  const lengths = shapeOf(op, shape);
  for (const aval of parameters) if (!sameShape(aval.shape, lengths)) stretchTo(op, zeros(aval), lengths);
  return lengths;
}
