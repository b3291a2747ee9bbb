/** Comparisons, logic on `bool`, and the choice between two tensors. Comparisons have no derivative. */

import { range } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { abs, add, mul, sub } from '../prim/arithmetic.ts';
import { and, not, or, xor } from '../prim/bits.ts';
import * as prim from '../prim/compare.ts';
import { fullLike } from '../prim/compose.ts';
import { reduceAnd } from '../prim/reduce.ts';
import { finite } from '../prim/rounding.ts';
import { aligned, broadcast, promoted, toFloat, toValue } from './convert.ts';
import type { ArrayLike, Promoted, Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

const comparison =
  (op: string, apply: (x: Value, y: Value) => Value) =>
  (x: ArrayLike, y: ArrayLike): Tensor<'bool'> => {
    const [a, b] = aligned(op, [x, y]);
    return apply(a!, b!) as Tensor<'bool'>;
  };

/**
 * x = y, elementwise; NaN equals nothing.
 *
 * @throws ShapeError if the shapes do not broadcast
 * @throws DTypeError for a JS number beside an integer tensor that cannot hold it
 */
export const equal = comparison('np.equal', prim.eq);
/** x ≠ y, elementwise; NaN differs from everything. @throws as {@link equal} */
export const notEqual = comparison('np.notEqual', prim.ne);
/** x < y, elementwise. @throws as {@link equal} */
export const less = comparison('np.less', prim.lt);
/** x ≤ y, elementwise. @throws as {@link equal} */
export const lessEqual = comparison('np.lessEqual', prim.le);
/**
 * x > y, elementwise.
 *
 * @throws as {@link equal}
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.greater(np.array([1, 2, 3]), 2).toArray()); // => [ false, false, true ]
 * ```
 */
export const greater = comparison('np.greater', prim.gt);
/** x ≥ y, elementwise. @throws as {@link equal} */
export const greaterEqual = comparison('np.greaterEqual', prim.ge);

/** `x` as `bool`: what is not 0 is true, NaN included. */
export function truth(op: string, x: ArrayLike): Value {
  const value = toValue(op, x);
  if (value.dtype === 'bool') return value;
  const [number, zero] = aligned(op, [value, 0]);
  return prim.ne(number!, zero!);
}

const logical =
  (op: string, apply: (x: Value, y: Value) => Value) =>
  (x: ArrayLike, y: ArrayLike): Tensor<'bool'> => {
    const [a, b] = broadcast(op, [truth(op, x), truth(op, y)]);
    return apply(a!, b!) as Tensor<'bool'>;
  };

/** Are both true, that is, not 0? Elementwise. @throws ShapeError if the shapes do not broadcast */
export const logicalAnd = logical('np.logicalAnd', and);
/** Is at least one true? Elementwise. @throws as {@link logicalAnd} */
export const logicalOr = logical('np.logicalOr', or);
/** Is exactly one true? Elementwise. @throws as {@link logicalAnd} */
export const logicalXor = logical('np.logicalXor', xor);
/** Is it false, that is, 0? Elementwise. */
export const logicalNot = (x: ArrayLike): Tensor<'bool'> => not(truth('np.logicalNot', x)) as Tensor<'bool'>;

/**
 * `x` where `condition` is true, else `y`, elementwise; all three broadcast.
 *
 * No value or derivative of the branch not taken reaches the result. Still, 0 · ∞ is NaN: where a derivative of that branch
 * is infinite, guard its argument by a `where` of its own.
 *
 * @param condition - `bool`, or numbers, of which all but 0 are true
 * @throws ShapeError if the shapes do not broadcast
 * @throws DTypeError for a JS number beside an integer tensor that cannot hold it
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([-1, 0, 4]);
 * const positive = np.greater(x, 0);
 * console.log(np.where(positive, np.log(np.where(positive, x, 1)), 0).toArray()); // => [ 0, 0, 1.386294… ]
 * ```
 */
export function where<A extends ArrayLike, B extends ArrayLike>(
  condition: ArrayLike,
  x: A,
  y: B,
): Tensor<Promoted<A, B>> {
  const branches = promoted('np.where', [x, y]);
  const [pred, onTrue, onFalse] = broadcast('np.where', [truth('np.where', condition), ...branches]);
  return prim.select(pred!, onTrue!, onFalse!) as Tensor<Promoted<A, B>>;
}

/** Options of {@link isclose} and {@link allclose}. */
export interface CloseOptions {
  /** How far apart, relative to the second operand; default 1e-5. */
  readonly rtol?: number;
  /** How far apart in any case; default 1e-8. */
  readonly atol?: number;
  /** Is NaN close to NaN? Default false. */
  readonly equalNan?: boolean;
}

/**
 * Is |x − y| ≤ atol + rtol·|y|? Elementwise; infinities are close to themselves only. Integers and `bool` become `float32`.
 *
 * @throws ShapeError if the shapes do not broadcast
 */
export function isclose(x: ArrayLike, y: ArrayLike, options: CloseOptions = {}): Tensor<'bool'> {
  return closeness('np.isclose', x, y, options) as Tensor<'bool'>;
}

/**
 * Are all elements close, as {@link isclose} says? A scalar `bool`.
 *
 * @throws as {@link isclose}
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.allclose(np.array([1, 1e-9]), np.array([1.000001, 0])).item()); // => true
 * ```
 */
export function allclose(x: ArrayLike, y: ArrayLike, options: CloseOptions = {}): Tensor<'bool'> {
  const close = closeness('np.allclose', x, y, options);
  return reduceAnd(close, range(close.ndim)) as Tensor<'bool'>;
}

function closeness(op: string, x: ArrayLike, y: ArrayLike, options: CloseOptions): Value {
  expectOptions(op, options, 'rtol', 'atol', 'equalNan');
  const { rtol = 1e-5, atol = 1e-8, equalNan = false } = options;
  const [a, b] = aligned(op, [x, y]).map((v) => toFloat(op, v)) as [Value, Value];
  const tolerance = add(fullLike(b, atol), mul(fullLike(b, rtol), abs(b)));
  const near = prim.le(abs(sub(a, b)), tolerance);
  const close = prim.select(and(finite(a), finite(b)), near, prim.eq(a, b));
  return equalNan ? or(close, and(prim.ne(a, a), prim.ne(b, b))) : close;
}
