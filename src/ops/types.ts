/**
 * The types that `np` shows: tensors by dtype, what may stand for one, and the dtype of a result.
 *
 * These conditional types say at compile time what {@link promote} says at run time; a JS number or boolean is weak in both.
 */

import type { DType, FloatDType, Promote } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';

/** A tensor, or a tracer in its place: what a user's function receives and returns. */
export type Tensor<D extends DType = 'float32'> = Value<D>;

/** What an operation takes as an operand: a tensor, or a JS number or boolean that stands for a scalar. */
export type ArrayLike = Value | number | boolean;

/** One length, or the lengths of all axes. */
export type ShapeLike = number | readonly number[];

/** The axes that a reduction runs over: one, several, or all (`null` or `undefined`). Negative ones count from the end. */
export type Axis = number | readonly number[] | null | undefined;

/** The dtype of an operand by itself: that of a tensor, `float32` for a number, `bool` for a boolean. */
export type DTypeOf<A> =
  A extends Value<infer D> ? D : A extends boolean ? 'bool' : A extends number ? 'float32' : never;

/** The dtype in which a tensor of `D` meets a JS number. */
export type WithNumber<D extends DType> = D extends 'bool' ? 'float32' : D;

/** The dtype in which two operands meet: JAX's lattice, where JS numbers and booleans give way to tensors. */
export type Promoted<A, B> =
  A extends Value<infer X>
    ? B extends Value<infer Y>
      ? Promote<X, Y>
      : B extends boolean
        ? X
        : WithNumber<X>
    : B extends Value<infer Y>
      ? A extends boolean
        ? Y
        : WithNumber<Y>
      : A extends boolean
        ? B extends boolean
          ? 'bool'
          : 'float32'
        : 'float32';

/** The dtype in which the members of a tuple meet; of a list whose length is unknown, any of its members' dtypes. */
export type PromotedAll<T extends readonly unknown[]> = T extends readonly [infer A]
  ? DTypeOf<A>
  : T extends readonly [infer A, infer B, ...infer Rest]
    ? PromotedAll<readonly [Value<Promoted<A, B>>, ...Rest]>
    : DTypeOf<T[number]>;

/** What `D` becomes where only floating-point numbers make sense: itself, or `float32`. */
export type Floated<D extends DType> = D extends FloatDType ? D : 'float32';

/** The dtype of a sum, product or power: `bool` counts in `int32`. */
export type Summed<D extends DType> = D extends 'bool' ? 'int32' : D;

/** Options of what makes a tensor. */
export interface DTypeOptions<D extends DType> {
  /** The dtype of the result. */
  readonly dtype?: D;
}

/** Options of a reduction. */
export interface ReduceOptions {
  /** Keep the reduced axes, with length 1, so that the result broadcasts against the operand. */
  readonly keepdims?: boolean;
}
