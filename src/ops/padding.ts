/** Padding by name: what 'SAME' and 'VALID' mean on each axis over which windows slide. */

import { ShapeError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import { describe } from './untyped.ts';

/**
 * How an operand is padded: on each axis `[low, high]` places before and after, where negative numbers cut; `'VALID'`, none; or
 * `'SAME'`, so many that there are ⌈length/stride⌉ windows, of an odd number the larger part behind (`'SAME_LOWER'`: before).
 */
export type Padding = 'SAME' | 'SAME_LOWER' | 'VALID' | readonly (readonly [low: number, high: number])[];

/** What slides over an axis. */
export interface Sliding {
  /** The length of a window with its holes. */
  readonly extent: number;
  readonly stride: number;
}

/** Padding for axes of these lengths, as pairs. @throws ShapeError unless it is a name, or a pair of integers for each axis */
export function paddingPairs(
  op: string,
  padding: Padding,
  shape: Shape,
  windows: readonly Sliding[],
): readonly (readonly [low: number, high: number])[] {
  if (padding === 'VALID') return shape.map(() => [0, 0]);
  if (padding === 'SAME' || padding === 'SAME_LOWER') {
    return shape.map((n, i) => {
      const { extent, stride } = windows[i]!;
      const total = Math.max((Math.ceil(n / stride) - 1) * stride + extent - n, 0);
      const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
      return padding === 'SAME' ? [less, more] : [more, less];
    });
  }
  const given: unknown = padding;
  const isPair = (x: unknown): boolean => Array.isArray(x) && x.length === 2 && x.every(Number.isSafeInteger);
  if (Array.isArray(given) && given.length === shape.length && given.every(isPair)) return padding;
  throw new ShapeError({
    op,
    problem: `the padding ${Array.isArray(given) ? JSON.stringify(given) : describe(given)} does not fit ${shape.length} axes`,
    remedy: `use 'SAME', 'SAME_LOWER', 'VALID', or ${shape.length} pairs [low, high] of integers`,
  });
}
