/** What functions of matrices take: floats, matrices on the last two axes, batch axes that broadcast. */

import { makeAval, showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { range, type Shape, sameShape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { batchOf, expectMatrices, expectSquare, sidesOf } from '../prim/matrices.ts';
import { broadcastInDim } from '../prim/structural.ts';
import { broadcastShapes, expectTensor, promoted, toFloat } from './convert.ts';

/** A tensor of matrices, in a floating-point dtype. @throws ShapeError for fewer than two axes */
export function matrices(op: string, x: Value): Value {
  const value = toFloat(op, expectTensor(op, x));
  expectMatrices(op, value.aval);
  return value;
}

/** A tensor of square matrices. @throws ShapeError unless they are */
export function squares(op: string, x: Value): Value {
  const value = toFloat(op, expectTensor(op, x));
  expectSquare(op, value.aval);
  return value;
}

/** A tensor of matrices, square ones if they are said to be symmetric. @throws ShapeError unless they are */
export const matricesOf = (op: string, x: Value, hermitian: boolean | undefined): Value =>
  hermitian ? squares(op, x) : matrices(op, x);

/** Operands in one floating-point dtype. */
export function floats(op: string, operands: readonly Value[]): readonly Value[] {
  const met = promoted(
    op,
    operands.map((x) => expectTensor(op, x)),
  );
  return met.map((x) => toFloat(op, x));
}

/** `x` with the batch axes `batch`. */
export function withBatch(x: Value, batch: Shape): Value {
  if (sameShape(batchOf(x.shape), batch)) return x;
  const shape = [...batch, ...sidesOf(x.shape)];
  return broadcastInDim(
    x,
    shape,
    range(x.ndim).map((axis) => axis + shape.length - x.ndim),
  );
}

/** Two tensors of matrices with their batch axes broadcast. @throws ShapeError if they do not */
export function batched(op: string, x: Value, y: Value): readonly [Value, Value] {
  const [a, b] = [batchOf(x.shape), batchOf(y.shape)];
  if (sameShape(a, b)) return [x, y];
  const meets = range(Math.min(a.length, b.length)).every((i) => {
    const [m, n] = [a.at(-1 - i)!, b.at(-1 - i)!];
    return m === n || m === 1 || n === 1;
  });
  if (!meets) {
    throw new ShapeError({
      op,
      problem: `the batch axes of ${showAval(x.aval)} and ${showAval(y.aval)} do not broadcast`,
      remedy: 'the axes before the last two, aligned at their ends, must have equal lengths, or length 1',
    });
  }
  const batch = broadcastShapes(op, [makeAval(a, x.dtype), makeAval(b, x.dtype)]);
  return [withBatch(x, batch), withBatch(y, batch)];
}
