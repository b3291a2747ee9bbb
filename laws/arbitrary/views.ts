/** Views of a tensor, and the way back: what programs put around an operation, and compiling devices are to see through. */

import * as fc from 'fast-check';
import { range, type Shape } from '../../src/core/shape.ts';
import type { Value } from '../../src/core/value.ts';
import { fullLike, scalar } from '../../src/prim/compose.ts';
import {
  broadcastInDim,
  concatenate,
  inverse,
  pad,
  reshape,
  rev,
  slice,
  sliceAxis,
  transpose,
} from '../../src/prim/structural.ts';

/** Another form of a value, and the value again from that form. */
export interface View {
  readonly there: (x: Value) => Value;
  readonly back: (x: Value) => Value;
}

/** Which view, and a number that is free. */
export type ViewChoice = readonly [kind: number, number: number];

const same: View = { there: (x) => x, back: (x) => x };

/** Axes in another order. */
const permuted = ({ length }: Shape, k: number): View => {
  const permutation = range(length).map((axis) => (length - 1 - axis + k) % length);
  return { there: (x) => transpose(x, permutation), back: (x) => transpose(x, inverse(permutation)) };
};

const flattened = (shape: Shape): View => ({
  there: (x) => reshape(x, [x.size]),
  back: (x) => reshape(x, shape),
});

const reversed = ({ length }: Shape, k: number): View => {
  const along = range(length).filter((axis) => axis === k % length || ((k >> axis) & 1) === 1);
  return { there: (x) => rev(x, along), back: (x) => rev(x, along) };
};

/** Among others, or far from each other. */
const padded = (shape: Shape, k: number): View => {
  const [low, high] = [shape.map(() => 1), shape.map(() => k % 2)];
  const interior = shape.map((_, axis) => (axis === k % shape.length ? k % 3 : 0));
  const limit = shape.map((n, axis) => 1 + (n === 0 ? 0 : (n - 1) * (1 + interior[axis]!) + 1));
  return {
    there: (x) => pad(x, scalar(1, x.dtype, x.aval.weak), low, high, interior),
    back: (x) =>
      slice(
        x,
        low,
        limit,
        interior.map((n) => n + 1),
      ),
  };
};

/** Several times, along an axis of its own. */
const repeated = (shape: Shape, k: number): View => {
  const axis = k % (shape.length + 1);
  const wide = [...shape.slice(0, axis), 2 + (k % 2), ...shape.slice(axis)];
  return {
    there: (x) =>
      broadcastInDim(
        x,
        wide,
        range(wide.length).filter((i) => i !== axis),
      ),
    back: (x) => reshape(sliceAxis(x, axis, 1, 2), shape),
  };
};

/** Behind others along an axis. */
const appended = (shape: Shape, k: number): View => {
  const axis = k % shape.length;
  const n = shape[axis]!;
  return {
    there: (x) => concatenate([fullLike(x, 1), x], axis),
    back: (x) => sliceAxis(x, axis, n, 2 * n),
  };
};

/** The first part of an axis as all of it: what comes back is another value, unless the axis has length 1. */
const constantAlong = (shape: Shape, k: number): View => {
  const axis = k % shape.length;
  if (shape[axis] === 0) return same;
  return {
    there: (x) => sliceAxis(x, axis, 0, 1),
    back: (x) => broadcastInDim(x, shape, range(shape.length)),
  };
};

const kinds = [permuted, flattened, reversed, padded, repeated, appended] as const;

/** A choice among them: 0 is none. */
export const viewChoice: fc.Arbitrary<ViewChoice> = fc.tuple(fc.nat({ max: kinds.length + 1 }), fc.nat({ max: 5 }));

/** The view of values of this shape; with `lossy` possibly one that makes an axis constant. */
export function viewOf([kind, k]: ViewChoice, shape: Shape, lossy = false): View {
  if (kind === 0 || (shape.length === 0 && kind !== 2 && kind !== 5)) return same;
  if (kind > kinds.length) return lossy ? constantAlong(shape, k) : same;
  return kinds[kind - 1]!(shape, k);
}
