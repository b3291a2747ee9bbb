/**
 * From what users write to what primitives take: operands of one shape and one dtype.
 *
 * Primitives never broadcast or promote; everything they need is done here, in three steps. Tensors meet in the join of
 * their dtypes ({@link promote}). JS numbers and booleans are weak: they take the dtype of the tensors beside them, and
 * whether they can is decided by what they are beside, not by their value, except that an integer dtype refuses a number
 * that it cannot hold. Then all are broadcast to one shape.
 *
 * The code is flat where it stages equations: a location is found among the ten innermost frames only.
 */

import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { type DType, integerRange, isFloat, isInteger, promote, type WeakDType } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { range, type Shape, sameShape } from '../core/shape.ts';
import { scalarTensor, Value } from '../core/value.ts';
import { convertElementType } from '../prim/arithmetic.ts';
import { broadcastInDim } from '../prim/structural.ts';
import type { ArrayLike } from './types.ts';
import { describe } from './untyped.ts';

/** A JS number by itself. */
export const weakNumber: WeakDType = { dtype: 'float32', weak: true };
const weakBoolean: WeakDType = { dtype: 'bool', weak: true };

/** A scalar, at home on every device; while staging it becomes a literal. */
export const constant = (value: number | boolean, { dtype, weak }: WeakDType): Value =>
  scalarTensor(makeAval([], dtype, weak), dtype === 'bool' ? Number(Boolean(value)) : Number(value));

/**
 * The only way in: `x` as a tensor, a JS number or boolean as a weak scalar.
 *
 * @throws DTypeError for anything else, naming it
 */
export function toValue(op: string, x: ArrayLike): Value {
  if (x instanceof Value) return x;
  if (typeof x === 'number') return constant(x, weakNumber);
  if (typeof x === 'boolean') return constant(x, weakBoolean);
  throw notAnOperand(op, x);
}

/** @throws DTypeError unless `x` is a tensor: for operations on which a number would make no sense */
export function expectTensor(op: string, x: Value): Value {
  if (x instanceof Value) return x;
  throw notAnOperand(op, x);
}

function notAnOperand(op: string, x: unknown): DTypeError {
  const isHostArray = Array.isArray(x) || ArrayBuffer.isView(x);
  return new DTypeError({
    op,
    problem: `an operand is ${describe(x)}, which is not a tensor`,
    // Where a number or boolean gets here, the function takes tensors alone.
    remedy:
      isHostArray || typeof x === 'number' || typeof x === 'boolean'
        ? 'wrap it with np.array(…)'
        : 'pass tensors; most functions take JS numbers and booleans too',
  });
}

/**
 * The dtype in which operands meet.
 *
 * @throws DTypeError for an operand that is none
 */
export function meet(op: string, operands: readonly ArrayLike[]): WeakDType {
  let tensors: WeakDType | null = null;
  let hasNumber = false;
  for (const x of operands) {
    if (x instanceof Value) tensors = tensors ? promote(tensors, x.aval) : x.aval;
    else if (typeof x === 'number') hasNumber = true;
    else if (typeof x !== 'boolean') throw notAnOperand(op, x);
  }
  if (!tensors) return hasNumber ? weakNumber : weakBoolean;
  return hasNumber && tensors.dtype === 'bool' ? weakNumber : tensors;
}

/**
 * @param beside - the tensors that give the number its dtype; left out where a dtype was asked for
 * @throws DTypeError if `dtype` is an integer dtype that cannot hold `x`
 */
export function expectHolds(op: string, x: number, dtype: DType, beside?: string): void {
  if (!isInteger(dtype)) return;
  const [least, greatest] = integerRange(dtype);
  if (Number.isInteger(x) && x >= least && x <= greatest) return;
  throw new DTypeError({
    op,
    problem: Number.isInteger(x)
      ? `the number ${x} is out of the range of ${beside ?? dtype}: ${dtype} holds ${least} to ${greatest}`
      : beside
        ? `the number ${x} is not an integer, but beside ${beside} it must be one`
        : `the number ${x} is not an integer, as ${dtype} needs`,
    remedy: beside
      ? "cast the tensor first: np.astype(x, 'float32')"
      : "convert the number first, or ask for another dtype: { dtype: 'float32' }",
  });
}

/**
 * Operands in one dtype, each in its own shape. Weakness alone needs no conversion: primitives take weak and strong operands
 * together.
 *
 * @throws DTypeError for a JS number that an integer dtype cannot hold
 */
export function promoted(op: string, operands: readonly ArrayLike[]): readonly Value[] {
  const target = meet(op, operands);
  const values: Value[] = [];
  for (const x of operands) {
    if (x instanceof Value) {
      values.push(x.dtype === target.dtype ? x : convertElementType(x, target.dtype, target.weak));
    } else {
      if (typeof x === 'number' && isInteger(target.dtype)) expectHolds(op, x, target.dtype, besides(operands));
      values.push(constant(x, target));
    }
  }
  return values;
}

const besides = (operands: readonly ArrayLike[]): string =>
  operands.flatMap((x) => (x instanceof Value ? [showAval(x.aval)] : [])).join(' and ');

/**
 * The shape in which shapes meet: aligned at their last axes, where lengths are equal or 1.
 *
 * @throws ShapeError naming the axis that does not fit
 */
export function broadcastShapes(op: string, avals: readonly Aval[]): Shape {
  const ndim = Math.max(...avals.map((a) => a.shape.length));
  const result = new Array<number>(ndim).fill(1);
  for (const { shape } of avals) {
    const offset = ndim - shape.length;
    for (let i = 0; i < shape.length; i++) {
      const length = shape[i]!;
      const met = result[offset + i]!;
      if (met === 1) result[offset + i] = length;
      else if (length !== 1 && length !== met) throw notBroadcastable(op, avals, offset + i - ndim, met, length);
    }
  }
  return result;
}

const notBroadcastable = (op: string, avals: readonly Aval[], axis: number, a: number, b: number): ShapeError =>
  new ShapeError({
    op,
    problem: `shapes ${avals.map(showAval).join(' and ')} do not broadcast: axis ${axis} has length ${a} beside ${b}`,
    remedy: 'lengths of axes, aligned at the last one, must be equal or 1; np.reshape and np.expandDims insert axes',
  });

/** The last `count` of `ndim` axes: where broadcasting puts those of an operand. */
export const lastAxes = (count: number, ndim: number): readonly number[] =>
  range(count).map((axis) => axis + ndim - count);

/** Values broadcast to one shape. @throws ShapeError if they do not */
export function broadcast(op: string, values: readonly Value[]): readonly Value[] {
  const avals = values.map((x) => x.aval);
  if (avals.every((aval) => sameShape(aval.shape, avals[0]!.shape))) return values;
  const shape = broadcastShapes(op, avals);
  const met: Value[] = [];
  for (const x of values) {
    met.push(sameShape(x.shape, shape) ? x : broadcastInDim(x, shape, lastAxes(x.ndim, shape.length)));
  }
  return met;
}

/** Operands in one dtype and one shape, as elementwise primitives take them; of two, mostly they are that already. */
export function aligned(op: string, operands: readonly ArrayLike[]): readonly Value[] {
  const [x, y] = operands;
  if (x instanceof Value && y instanceof Value && x.aval === y.aval && operands.length === 2) return [x, y];
  return broadcast(op, promoted(op, operands));
}

/** `x` in a floating-point dtype: integers and bool become `float32`. */
export function toFloat(op: string, x: ArrayLike): Value {
  const value = toValue(op, x);
  return isFloat(value.dtype) ? value : convertElementType(value, 'float32', value.aval.weak);
}
