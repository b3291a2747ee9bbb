/** Putting tensors together along an axis, and taking them apart. */

import { showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import { inserted, sameShape, without } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import * as prim from '../prim/structural.ts';
import { axisAmong, axisOf } from './axes.ts';
import { expectTensor, promoted } from './convert.ts';
import type { ArrayLike, PromotedAll, Tensor } from './types.ts';

const nothing = (op: string): ShapeError =>
  new ShapeError({ op, problem: 'there are no tensors to put together', remedy: 'pass at least one' });

const list = (values: readonly Value[]): string => values.map((x) => showAval(x.aval)).join(', ');

/**
 * Tensors one after the other along `axis`, in the dtype in which they meet.
 *
 * @throws ShapeError if they differ in an axis other than `axis`, or there are none
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.concatenate([np.zeros([2]), np.ones([1])]).toArray()); // => [ 0, 0, 1 ]
 * ```
 */
export function concatenate<const T extends readonly Value[]>(tensors: T, axis = 0): Tensor<PromotedAll<T>> {
  const op = 'np.concatenate';
  const first = tensors[0];
  if (!first) throw nothing(op);
  for (const x of tensors) expectTensor(op, x);
  if (tensors.some((x) => x.ndim === 0)) {
    throw new ShapeError({
      op,
      problem: `a scalar has no axis to be put along, got ${list(tensors)}`,
      remedy: 'use np.stack, which puts scalars side by side, or give them an axis with np.reshape(x, [1])',
    });
  }
  const at = axisOf(op, axis, first.aval);
  const others = without(first.shape, [at]);
  if (tensors.some((x) => x.ndim !== first.ndim || !sameShape(without(x.shape, [at]), others))) {
    throw new ShapeError({
      op,
      problem: `tensors must agree in every axis but ${at}, got ${list(tensors)}`,
      remedy: 'reshape or slice them to equal lengths on the other axes, or use np.stack for a new axis',
    });
  }
  return prim.concatenate(promoted(op, tensors), at) as Tensor<PromotedAll<T>>;
}

/**
 * Tensors of one shape side by side along a new axis, at position `axis` of the result.
 *
 * @throws ShapeError if the shapes differ, or there are none
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.stack([np.array([1, 2]), np.array([3, 4])], 1).toArray()); // => [ [ 1, 3 ], [ 2, 4 ] ]
 * ```
 */
export function stack<const T extends readonly ArrayLike[]>(tensors: T, axis = 0): Tensor<PromotedAll<T>> {
  const op = 'np.stack';
  if (tensors.length === 0) throw nothing(op);
  const values = promoted(op, tensors);
  const first = values[0]!;
  if (values.some((x) => !sameShape(x.shape, first.shape))) {
    throw new ShapeError({
      op,
      problem: `tensors must have equal shapes, got ${list(values)}`,
      remedy: 'broadcast or reshape them, or use np.concatenate along an existing axis',
    });
  }
  const at = axisAmong(op, axis, first.ndim + 1, () => `the stack of ${list(values)}`);
  const shape = inserted(first.shape, at, 1);
  return prim.concatenate(
    values.map((x) => prim.reshape(x, shape)),
    at,
  ) as Tensor<PromotedAll<T>>;
}

/**
 * The parts of `x` along `axis`: `sections` of equal length, or what lies before, between and behind the given indices.
 *
 * @throws ShapeError if the axis does not divide, or the indices are not in order and in range
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * console.log(np.split(np.arange(6), 3).map((part) => part.toArray())); // => [ [ 0, 1 ], [ 2, 3 ], [ 4, 5 ] ]
 * console.log(np.split(np.arange(6), [1, -1]).map((part) => part.size)); // => [ 1, 4, 1 ]
 * ```
 */
export function split<D extends DType>(x: Tensor<D>, sections: number | readonly number[], axis = 0): Tensor<D>[] {
  const { aval } = expectTensor('np.split', x);
  const at = axisOf('np.split', axis, aval);
  const length = aval.shape[at]!;
  const bounds = typeof sections === 'number' ? evenBounds(sections, length) : givenBounds(sections, length);
  if (!bounds) {
    throw new ShapeError({
      op: 'np.split',
      problem:
        typeof sections === 'number'
          ? `axis ${at} of ${showAval(aval)} does not divide into ${sections} parts`
          : `indices (${sections.join(', ')}) do not cut axis ${at} of ${showAval(aval)}`,
      remedy:
        typeof sections === 'number'
          ? 'use a number that divides the length, or give the indices to cut at'
          : `use increasing integers from 0 to ${length}; negative ones count from the end`,
    });
  }
  return bounds.slice(1).map((end, i) => prim.sliceAxis(x, at, bounds[i]!, end) as Tensor<D>);
}

function evenBounds(sections: number, length: number): readonly number[] | null {
  if (!Number.isInteger(sections) || sections < 1 || length % sections !== 0) return null;
  return Array.from({ length: sections + 1 }, (_, i) => (i * length) / sections);
}

function givenBounds(indices: readonly number[], length: number): readonly number[] | null {
  const bounds = [0, ...indices.map((i) => (i < 0 ? i + length : i)), length];
  return bounds.every((b, i) => Number.isInteger(b) && (i === 0 || b >= bounds[i - 1]!)) ? bounds : null;
}
