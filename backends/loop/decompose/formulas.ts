/** What formulas are written in: arithmetic of values and numbers, where a number stands for itself in every element. */

import { makeAval } from '../../../src/core/aval.ts';
import { defaultDevice } from '../../../src/core/backend.ts';
import { allocate } from '../../../src/core/dtype.ts';
import { range, type Shape } from '../../../src/core/shape.ts';
import { Tensor, type Value } from '../../../src/core/value.ts';
import { add, div, max, min, mul, sub } from '../../../src/prim/arithmetic.ts';
import { and, or } from '../../../src/prim/bits.ts';
import { eq, gt, lt, select } from '../../../src/prim/compare.ts';
import { fullLike } from '../../../src/prim/compose.ts';
import { broadcastInDim, concatenate, reshape, sliceAxis } from '../../../src/prim/structural.ts';

/** A value, or a number in every element. */
export type Term = Value | number;

const isNumber = (x: Term): x is number => typeof x === 'number';

/** An operation of two values as one of terms, of which one is a value. */
const ofTerms =
  (f: (a: Value, b: Value) => Value) =>
  (a: Term, b: Term): Value =>
    f(isNumber(a) ? fullLike(b as Value, a) : a, isNumber(b) ? fullLike(a as Value, b) : b);

/** a + b. */
export const plus = ofTerms(add);
/** a − b. */
export const minus = ofTerms(sub);
/** a·b. */
export const times = ofTerms(mul);
/** a/b. */
export const over = ofTerms(div);
/** The larger. */
export const larger = ofTerms(max);
/** The smaller. */
export const smaller = ofTerms(min);
/** a < b. */
export const less = ofTerms(lt);
/** a > b. */
export const more = ofTerms(gt);
/** a = b. */
export const equals = ofTerms(eq);

/** `a` where `mask`, else `b`. */
export const choose = (mask: Value, a: Term, b: Term): Value =>
  ofTerms((onTrue, onFalse) => select(mask, onTrue, onFalse))(a, b);

/** Are all of these true? */
export const every = (...masks: readonly Value[]): Value => masks.reduce(and);
/** Is any of these true? */
export const some = (...masks: readonly Value[]): Value => masks.reduce(or);
/** Is it false? */
export const not = (mask: Value): Value => eq(mask, fullLike(mask, 0));

/** Σ cₙ·zⁿ, the lowest power first. */
export const polynomial = (z: Value, coefficients: readonly number[]): Value =>
  coefficients.reduceRight<Value | null>((sum, c) => (sum ? plus(times(sum, z), c) : fullLike(z, c)), null)!;

/** Of the coefficients of a series for |z| ≤ `radius` those that the dtype of z can see. */
export function visible(z: Value, coefficients: readonly number[], radius: number): readonly number[] {
  const unit = z.dtype === 'float32' ? 2 ** -27 : 2 ** -56;
  const sizes = coefficients.map((c, n) => Math.abs(c) * radius ** n);
  const largest = Math.max(...sizes);
  const last = sizes.findLastIndex((size) => size > unit * largest);
  return coefficients.slice(0, last + 1);
}

/** `x` for each of `count`, along a new first axis. */
export const repeated = (x: Value, count: number): Value =>
  broadcastInDim(
    x,
    [count, ...x.shape],
    range(x.ndim).map((axis) => axis + 1),
  );

/** These numbers in this shape, of the type of `x`: a constant, at home on the device of what it meets. */
export function constant(values: ArrayLike<number>, shape: Shape, x: Value): Value {
  const aval = makeAval(shape, x.dtype, x.aval.weak);
  const device = defaultDevice();
  const host = allocate(x.dtype, values.length);
  host.set(values as ArrayLike<number> & Float64Array);
  return new Tensor(aval, device.put(aval, host), device, false);
}

/** Numbers along a new first axis, each in the shape of `x`. */
export const along = (values: readonly number[], x: Value): Value =>
  broadcastInDim(constant(values, [values.length], x), [values.length, ...x.shape], [0]);

/** Values of one shape, one after the other along a new first axis. */
export const stacked = (...xs: readonly Value[]): Value =>
  concatenate(
    xs.map((x) => reshape(x, [1, ...x.shape])),
    0,
  );

/** What lies at `i` of the first axis. */
export const rowOf = (x: Value, i: number): Value => reshape(sliceAxis(x, 0, i, i + 1), x.shape.slice(1));
