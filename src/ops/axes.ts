/** Axes, shapes and sizes as users give them: negative, partial, wrong. What leaves this file is plain and checked. */

import { type Aval, showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { range, type Shape, sizeOf } from '../core/shape.ts';
import type { Axis, ShapeLike } from './types.ts';
import { describe } from './untyped.ts';

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
  if (typeof axis !== 'number') throw notAnAxis(op, axis);
  throw new ShapeError({
    op,
    problem: `axis ${axis} is out of range for ${what()}, which has ${countAxes(ndim)}`,
    remedy:
      ndim === 0
        ? 'a scalar has no axes: leave the axis out, or make one with np.reshape(x, [1])'
        : `use an axis from ${-ndim} to ${ndim - 1}`,
  });
}

/** `1 axis`, `2 axes`. */
export const countAxes = (ndim: number): string => (ndim === 1 ? '1 axis' : `${ndim} axes`);

function notAnAxis(op: string, axis: unknown): ShapeError {
  const isOptions = typeof axis === 'object' && axis !== null && !Array.isArray(axis);
  return new ShapeError({
    op,
    problem: `${describe(axis)} stands where an axis is expected`,
    remedy: isOptions
      ? `options come after the axis: ${op}(x, null, { ${Object.keys(axis).join(', ')} }) is over all axes`
      : 'an axis is an integer',
  });
}

/** The axes of `aval` that `axis` names, in the order given; all for `null`. @throws ShapeError if one is named twice */
export function axesOf(op: string, axis: Axis, aval: Aval): readonly number[] {
  if (axis === null || axis === undefined) return range(aval.shape.length);
  if (typeof axis === 'number') return [axisOf(op, axis, aval)];
  if (!Array.isArray(axis)) throw notAnAxis(op, axis);
  const axes = axis.map((a: number) => axisOf(op, a, aval));
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

const isLength = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0;

/** A shape as it was written, whatever it is. */
const showWritten = (shape: unknown): string =>
  Array.isArray(shape)
    ? `[${Array.from(shape, (n) => (typeof n === 'number' ? n : describe(n))).join(',')}]`
    : describe(shape);

function notAShape(op: string, shape: unknown, remedy: string): ShapeError {
  return new ShapeError({ op, problem: `${showWritten(shape)} is not a shape`, remedy });
}

/** More elements than that have no index in 32 bits. */
const maxSize = 2 ** 32 - 1;

/** A shape: `3` is `[3]`. @throws ShapeError unless all lengths are non-negative integers and their product fits 32 bits */
export function shapeOf(op: string, shape: ShapeLike): Shape {
  const lengths: unknown = typeof shape === 'number' ? [shape] : shape;
  if (!Array.isArray(lengths) || !lengths.every(isLength)) throw notAShape(op, lengths, 'use non-negative integers');
  const size = sizeOf(lengths);
  if (size <= maxSize) return lengths;
  throw new ShapeError({
    op,
    problem: `[${lengths.join(',')}] is too large: it has ${size} elements, a tensor at most ${maxSize}`,
    remedy: 'work on parts of it',
  });
}

/**
 * A shape in which at most one length is −1, for a tensor of this aval.
 *
 * @throws ShapeError if the sizes differ, or the −1 has no or more than one answer
 */
export function reshapeTarget(op: string, shape: ShapeLike, aval: Aval): Shape {
  const lengths: readonly number[] = typeof shape === 'number' ? [shape] : shape;
  const needed = 'use non-negative integers and at most one -1, which stands for what remains';
  if (!Array.isArray(lengths)) throw notAShape(op, lengths, needed);
  const unknown = lengths.indexOf(-1);
  const rest = unknown < 0 ? lengths : lengths.filter((_, i) => i !== unknown);
  if (!rest.every(isLength)) throw notAShape(op, lengths, needed);
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
