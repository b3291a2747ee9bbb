/** What rules build from primitives: constants, zeros, small non-broadcasting combinations. */

import { type Aval, makeAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import type { Shape } from '../core/shape.ts';
import { scalarTensor, type Value } from '../core/value.ts';
import { provide } from './define.ts';
import { broadcastInDim } from './structural.ts';

/** A scalar constant; while staging it becomes a literal. */
export const scalar = (value: number, dtype: DType, weak = false): Value =>
  scalarTensor(makeAval([], dtype, weak), value);

/** `value` in every element of this aval. */
export function full(aval: Aval, value: number): Value {
  const constant = scalar(value, aval.dtype, aval.weak);
  return aval.shape.length === 0 ? constant : broadcastInDim(constant, aval.shape, []);
}

/** `value` in the shape and dtype of `x`. */
export const fullLike = (x: Value, value: number): Value => full(x.aval, value);

/** Zeros of this aval. */
export const zeros = (aval: Aval): Value => full(aval, 0);

/** Ones of this aval. */
export const ones = (aval: Aval): Value => full(aval, 1);

/** `value` everywhere in this shape. */
export const filled = (shape: Shape, value: number, dtype: DType): Value => full(makeAval(shape, dtype), value);

provide({ zeros });
