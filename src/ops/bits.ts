/** Bitwise operations on integers; on `bool` they are logic. None has a derivative. */

import type { DType } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import * as prim from '../prim/bits.ts';
import { expectKind, type Kind } from '../prim/define.ts';
import { aligned, toValue } from './convert.ts';
import type { ArrayLike, DTypeOf, Promoted, Tensor } from './types.ts';

function bitwise<D extends DType>(
  op: string,
  kind: Kind,
  apply: (x: Value, y: Value) => Value,
  x: ArrayLike,
  y: ArrayLike,
): Tensor<D> {
  const [a, b] = aligned(op, [x, y]);
  expectKind(op, kind, a!.aval);
  return apply(a!, b!) as Tensor<D>;
}

/**
 * x ∧ y, bit by bit.
 *
 * @throws ShapeError if the shapes do not broadcast
 * @throws DTypeError for floating-point operands
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.bitwiseAnd(np.arange(5), 1).toArray()); // => [ 0, 1, 0, 1, 0 ]
 * ```
 */
export function bitwiseAnd<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return bitwise('np.bitwiseAnd', 'logical', prim.and, x, y);
}

/** x ∨ y, bit by bit. @throws as {@link bitwiseAnd} */
export function bitwiseOr<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return bitwise('np.bitwiseOr', 'logical', prim.or, x, y);
}

/** x ⊕ y, bit by bit. @throws as {@link bitwiseAnd} */
export function bitwiseXor<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return bitwise('np.bitwiseXor', 'logical', prim.xor, x, y);
}

/** ¬x, bit by bit. @throws DTypeError for a floating-point operand */
export function bitwiseNot<A extends ArrayLike>(x: A): Tensor<DTypeOf<A>> {
  const value = toValue('np.bitwiseNot', x);
  expectKind('np.bitwiseNot', 'logical', value.aval);
  return prim.not(value) as Tensor<DTypeOf<A>>;
}

/** x shifted left by y bits; 0 from 32 bits on. @throws as {@link bitwiseAnd}, also for `bool` */
export function leftShift<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  return bitwise('np.leftShift', 'integer', prim.shiftLeft, x, y);
}

/**
 * x shifted right by y bits: the sign enters into `int32`, zeros into `uint32`.
 *
 * @throws as {@link bitwiseAnd}, also for `bool`
 */
export function rightShift<A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Promoted<A, B>> {
  const shift = (a: Value, b: Value): Value =>
    a.dtype === 'uint32' ? prim.shiftRightLogical(a, b) : prim.shiftRightArithmetic(a, b);
  return bitwise('np.rightShift', 'integer', shift, x, y);
}
