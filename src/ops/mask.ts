/**
 * Masks as subscripts: a mask whose elements are known is short for the indices of its true elements. The shape of what a traced
 * mask selects would depend on its elements, so that it is refused.
 */

import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { ConcretizationError, DTypeError, ShapeError } from '../core/errors.ts';
import { stridesOf } from '../core/shape.ts';
import { Tensor as Concrete, type NestedArray, tensorFrom, Value } from '../core/value.ts';
import { array, type Nested } from './array.ts';
import type { Tensor } from './types.ts';

/** A mask: a `bool` tensor, or JS booleans, nested as its axes are. */
export type Mask = Tensor<'bool'> | Nested<boolean>;

/** Is this a mask, or an array that begins as one? */
export function isMask(item: unknown): item is Mask {
  if (item instanceof Value) return item.dtype === 'bool';
  let leaf = item;
  while (Array.isArray(leaf) && leaf.length > 0) leaf = leaf[0];
  return typeof leaf === 'boolean';
}

/** How many axes a mask stands for. */
export function maskAxes(mask: Mask): number {
  if (mask instanceof Value) return mask.ndim;
  let axes = 0;
  for (let leaf: unknown = mask; Array.isArray(leaf); leaf = leaf[0]) axes += 1;
  return axes;
}

/**
 * The elements of a mask.
 *
 * @throws DTypeError if numbers are among them
 * @throws ConcretizationError if it is traced
 */
export function knownMask(op: string, mask: Mask): Concrete<'bool'> {
  const value: Value = mask instanceof Value ? mask : array(mask as NestedArray);
  if (value.dtype !== 'bool') {
    throw new DTypeError({ op, problem: 'a mask holds booleans and numbers', remedy: 'make all of them booleans' });
  }
  if (value instanceof Concrete) return value as Concrete<'bool'>;
  throw new ConcretizationError({
    op,
    problem: `the mask ${showAval(value.aval)} is traced: how many elements it selects is not known yet`,
    remedy: 'use np.where(mask, x, other), or give the number: np.nonzero(mask, { size })',
  });
}

/**
 * The indices (int32) of the true elements of a mask, one tensor for each of its axes.
 *
 * @param axis - the first axis of `aval` that the mask stands for
 * @throws ShapeError unless the axes of the mask are as long as those it stands for
 */
export function maskIndices(op: string, mask: Mask, aval: Aval, axis: number): readonly Value[] {
  const known = knownMask(op, mask);
  const wrong = known.shape.findIndex((n, i) => n !== aval.shape[axis + i]);
  if (wrong >= 0) {
    throw new ShapeError({
      op,
      problem: `the mask ${showAval(known.aval)} does not fit ${showAval(aval)}: axis ${axis + wrong} has length ${aval.shape[axis + wrong]}, the mask ${known.shape[wrong]}`,
      remedy: 'give a mask of the lengths of the axes that it stands for',
    });
  }
  const found: number[] = [];
  known.dataSync().forEach((bit, i) => {
    if (bit) found.push(i);
  });
  const strides = stridesOf(known.shape);
  return known.shape.map((n, i) =>
    tensorFrom(
      makeAval([found.length], 'int32'),
      Int32Array.from(found, (at) => Math.floor(at / strides[i]!) % n),
    ),
  );
}
