/** Padding: elements around a tensor. */

import { ShapeError } from '../core/errors.ts';
import { range } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { pad as padPrimitive } from '../prim/structural.ts';
import { array } from './array.ts';
import { toValue } from './convert.ts';
import { astype } from './create.ts';
import { take } from './indexing.ts';
import { reshape } from './shape.ts';
import type { ArrayLike, DTypeOf, Tensor } from './types.ts';
import { describe, expectOptions } from './untyped.ts';

/** How many elements before and after: one number for all axes, a pair for all, or a pair for each. */
export type PadWidth = number | readonly [number, number] | readonly (readonly [number, number])[];

/** Where the index of an element around `n` of them leads, for each mode. */
const sources = {
  /** The outermost element, again and again. */
  edge: (i: number, n: number): number => Math.min(Math.max(i, 0), n - 1),
  /** The other side: a torus. */
  wrap: (i: number, n: number): number => modulo(i, n),
  /** A mirror in the outermost element. */
  reflect: (i: number, n: number): number => {
    const at = modulo(i, Math.max(2 * (n - 1), 1));
    return Math.min(at, 2 * (n - 1) - at);
  },
  /** A mirror at the edge: the outermost element twice. */
  symmetric: (i: number, n: number): number => {
    const at = modulo(i, 2 * n);
    return Math.min(at, 2 * n - 1 - at);
  },
} as const;

const modulo = (i: number, n: number): number => ((i % n) + n) % n;

/** Options of {@link pad}. */
export interface PadOptions {
  /** `'constant'` (default), `'edge'`, `'wrap'`, `'reflect'` or `'symmetric'`, as NumPy's. */
  readonly mode?: 'constant' | keyof typeof sources;
  /** What is put around in mode `'constant'`; default 0. */
  readonly constantValues?: number | boolean;
}

/**
 * `x` with elements around it, as NumPy's `pad`.
 *
 * @param width - how many before and after on each axis
 * @throws ShapeError for widths that are negative, no integers or not one pair for each axis, for a mode that there is not, and for
 *   a mode that repeats elements where an axis has none
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.array([1, 2, 3]);
 * console.log(np.pad(x, [1, 2]).toArray()); // => [ 0, 1, 2, 3, 0, 0 ]
 * console.log(np.pad(x, 2, { mode: 'edge' }).toArray()); // => [ 1, 1, 1, 2, 3, 3, 3 ]
 * console.log(np.pad(x, 2, { mode: 'wrap' }).toArray()); // => [ 2, 3, 1, 2, 3, 1, 2 ]
 * console.log(np.pad(x, 2, { mode: 'reflect' }).toArray()); // => [ 3, 2, 1, 2, 3, 2, 1 ]
 * ```
 */
export function pad<A extends ArrayLike>(x: A, width: PadWidth, options: PadOptions = {}): Tensor<DTypeOf<A>> {
  const op = 'np.pad';
  expectOptions(op, options, 'mode', 'constantValues');
  const { mode = 'constant', constantValues = 0 } = options;
  const value = toValue(op, x);
  const widths = widthsOf(op, width, value.ndim);
  if (mode === 'constant') {
    const around = reshape(astype(array([Number(constantValues)]), value.dtype), []);
    const [low, high] = [widths.map(([before]) => before), widths.map(([, after]) => after)];
    return padPrimitive(
      value,
      around,
      low,
      high,
      low.map(() => 0),
    ) as Tensor<DTypeOf<A>>;
  }
  const source = Object.hasOwn(sources, mode) ? sources[mode] : null;
  if (!source) {
    const known = ['constant', ...Object.keys(sources)].join(', ');
    throw new ShapeError({ op, problem: `there is no mode ${describe(mode)}`, remedy: `use one of ${known}` });
  }
  return widths.reduce<Value>((padded, [before, after], axis) => {
    if (before + after === 0) return padded;
    const n = padded.shape[axis]!;
    if (n === 0) {
      throw new ShapeError({
        op,
        problem: `axis ${axis} has no elements that could be repeated`,
        remedy: "use mode 'constant'",
      });
    }
    const indices = range(before + n + after).map((i) => source(i - before, n));
    return take(padded, array(indices, { dtype: 'int32' }), axis);
  }, value) as Tensor<DTypeOf<A>>;
}

function widthsOf(op: string, width: PadWidth, ndim: number): readonly (readonly [number, number])[] {
  const given: unknown = width;
  const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  const isPair = (x: unknown): x is readonly [number, number] => Array.isArray(x) && x.length === 2 && x.every(isCount);
  if (isCount(given)) return range(ndim).map(() => [given, given]);
  if (isPair(given)) return range(ndim).map(() => given);
  if (Array.isArray(given) && given.length === ndim && given.every(isPair)) return given;
  throw new ShapeError({
    op,
    problem: `the widths ${describe(given)} do not fit ${ndim} axes`,
    remedy:
      'give a number, a pair [before, after], or a pair for each axis; numbers of elements are integers of at least 0',
  });
}
