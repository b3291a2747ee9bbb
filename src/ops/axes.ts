/** Axes, shapes and sizes as users give them: negative, partial, wrong. What leaves this file is plain and checked. */

import { type Aval, showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { range, type Shape, sizeOf } from '../core/shape.ts';
import type { Axis, ShapeLike } from './types.ts';

/** The axis of `aval` that `axis` names, counted from 0. @throws ShapeError if there is none */
export const axisOf = (op: string, axis: number, aval: Aval): number =>
  axisAmong(op, axis, aval.shape.length, () => showAval(aval));

/**
 * `axis`, which may be negative, among `ndim` axes.
 *
 * @param what - whose axes they are, for the error
 * @throws ShapeError if it is not an integer from −ndim to ndim − 1
 */
export function axisAmong(op: string, axis: number, ndim: number, what: () => string): number {
  if (Number.isInteger(axis) && axis >= -ndim && axis < ndim) return axis < 0 ? axis + ndim : axis;
  throw new ShapeError({
    op,
    problem: `axis ${axis} is out of range for ${what()}, which has ${ndim === 1 ? '1 axis' : `${ndim} axes`}`,
    remedy: ndim === 0 ? 'a scalar has no axes: leave the axis out' : `use an axis from ${-ndim} to ${ndim - 1}`,
  });
}

/** The axes of `aval` that `axis` names, in the order given; all for `null`. @throws ShapeError if one is named twice */
export function axesOf(op: string, axis: Axis, aval: Aval): readonly number[] {
  if (axis === null || axis === undefined) return range(aval.shape.length);
  if (typeof axis === 'number') return [axisOf(op, axis, aval)];
  const axes = axis.map((a) => axisOf(op, a, aval));
  expectDistinct(op, axes, axis, () => showAval(aval));
  return axes;
}

/** @throws ShapeError if one of `axes` (given as `written`) comes twice */
export function expectDistinct(
  op: string,
  axes: readonly number[],
  written: readonly number[],
  what: () => string,
): void {
  const twice = axes.find((axis, i) => axes.indexOf(axis) !== i);
  if (twice === undefined) return;
  throw new ShapeError({
    op,
    problem: `axes (${written.join(', ')}) name axis ${twice} of ${what()} twice`,
    remedy: 'name each axis once',
  });
}

/** A shape: `3` is `[3]`. @throws ShapeError unless all lengths are non-negative integers */
export function shapeOf(op: string, shape: ShapeLike): Shape {
  const lengths = typeof shape === 'number' ? [shape] : shape;
  if (lengths.every((n) => Number.isSafeInteger(n) && n >= 0)) return lengths;
  throw new ShapeError({
    op,
    problem: `[${lengths.join(',')}] is not a shape`,
    remedy: 'use non-negative integers',
  });
}

/**
 * A shape in which at most one length is −1, for a tensor of this aval.
 *
 * @throws ShapeError if the sizes differ, or the −1 has no or more than one answer
 */
export function reshapeTarget(op: string, shape: ShapeLike, aval: Aval): Shape {
  const lengths = typeof shape === 'number' ? [shape] : shape;
  const unknown = lengths.indexOf(-1);
  const rest = unknown < 0 ? lengths : lengths.filter((_, i) => i !== unknown);
  if (!rest.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new ShapeError({
      op,
      problem: `[${lengths.join(',')}] is not a shape`,
      remedy: 'use non-negative integers and at most one -1, which stands for what remains',
    });
  }
  const known = sizeOf(rest);
  if (unknown < 0 ? known === aval.size : known > 0 && aval.size % known === 0) {
    return unknown < 0 ? lengths : lengths.map((n, i) => (i === unknown ? aval.size / known : n));
  }
  throw new ShapeError({
    op,
    problem: `${showAval(aval)} has ${aval.size} elements, which do not fill [${lengths.join(',')}]`,
    remedy: 'choose a shape with the same number of elements',
  });
}
