/**
 * Pooling: the largest, least or mean element of each window over the spatial axes. Axes of batches and channels are left alone,
 * so that one function serves sequences, images and volumes, batched or not.
 */

import { showAval } from '../../core/aval.ts';
import type { DType } from '../../core/dtype.ts';
import { ShapeError } from '../../core/errors.ts';
import { inserted, range } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { toFloat } from '../../ops/convert.ts';
import { type Padding, paddingPairs } from '../../ops/padding.ts';
import { staged } from '../../ops/staged.ts';
import type { DTypeOf, Floated, Tensor } from '../../ops/types.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { div } from '../../prim/arithmetic.ts';
import { filled, fullLike } from '../../prim/compose.ts';
import { broadcastInDim } from '../../prim/structural.ts';
import { reduceWindowMax, reduceWindowMin, reduceWindowSum, type Windows } from '../../prim/window.ts';
import { expectFlag } from '../params.ts';

/** Where the channels are: behind the spatial axes, `[..., height, width, channels]`, or before, `[..., channels, height, width]`. */
export type Layout = 'channelsLast' | 'channelsFirst';

/** Options of {@link maxPool} and {@link minPool}. */
export interface PoolOptions {
  /** From one window to the next, on each spatial axis; default: the lengths of the window. */
  readonly strides?: readonly number[];
  /** Padding of the spatial axes; default `'VALID'`. */
  readonly padding?: Padding;
  /** From one place of a window to the next, on each spatial axis; default 1. */
  readonly windowDilation?: readonly number[];
  /** Default `'channelsLast'`. */
  readonly layout?: Layout;
}

/** Options of {@link avgPool}. */
export interface AvgPoolOptions extends PoolOptions {
  /** Does padding count, as zeros? Default true. Otherwise a mean is over the elements that there are. */
  readonly countIncludePad?: boolean;
}

const poolOptions = ['strides', 'padding', 'windowDilation', 'layout'] as const;

/** An entry for each spatial axis among such as leave the other axes alone. */
interface Spatial {
  readonly axes: readonly number[];
  readonly windows: Windows;
}

const isTuple = (tuple: unknown, length: number): boolean =>
  Array.isArray(tuple) && tuple.length === length && tuple.every((n) => Number.isSafeInteger(n) && n >= 1);

/** @throws ShapeError unless windows and options fit `x` */
function spatialWindows(op: string, x: Value, windowShape: readonly number[], options: PoolOptions): Spatial {
  const rank: unknown = windowShape?.length;
  if (!isTuple(windowShape, Number(rank)) || rank === 0) {
    throw new ShapeError({
      op,
      problem: `${Array.isArray(windowShape) ? `[${windowShape.join()}]` : describe(windowShape)} is not the shape of a window`,
      remedy: 'give a positive length for each spatial axis, [2, 2] for images',
    });
  }
  const spatial = windowShape.length;
  const { layout = 'channelsLast', padding = 'VALID' } = options;
  const { strides = windowShape, windowDilation = windowShape.map(() => 1) } = options;
  if (layout !== 'channelsLast' && layout !== 'channelsFirst') {
    throw new ShapeError({
      op,
      problem: `${describe(layout)} is not a layout`,
      remedy: "use 'channelsLast' or 'channelsFirst'",
    });
  }
  if (!isTuple(strides, spatial) || !isTuple(windowDilation, spatial)) {
    throw new ShapeError({
      op,
      problem: `strides (${String(strides)}) and window dilation (${String(windowDilation)}) do not fit a window [${windowShape.join()}]`,
      remedy: `give ${spatial} positive integers, one for each spatial axis`,
    });
  }
  if (x.ndim < spatial + 1) {
    throw new ShapeError({
      op,
      problem: `${showAval(x.aval)} has too few axes for a window [${windowShape.join()}]`,
      remedy: `pool over ${spatial} spatial axes and one of channels; np.expandDims inserts one`,
    });
  }
  const first = x.ndim - spatial - (layout === 'channelsLast' ? 1 : 0);
  const axes = range(spatial).map((i) => first + i);
  const extents = windowShape.map((n, i) => ({ extent: (n - 1) * windowDilation[i]! + 1, stride: strides[i]! }));
  const lengths = axes.map((axis) => x.shape[axis]!);
  const pairs = paddingPairs(op, padding, lengths, extents);
  const among = (tuple: readonly number[], rest: number): readonly number[] =>
    tuple.reduce<readonly number[]>(
      (all, n, i) => inserted(all, axes[i]!, n),
      range(x.ndim - spatial).map(() => rest),
    );
  return {
    axes,
    windows: {
      windowDimensions: among(windowShape, 1),
      windowStrides: among(strides, 1),
      paddingLow: among(
        pairs.map(([low]) => low),
        0,
      ),
      paddingHigh: among(
        pairs.map(([, high]) => high),
        0,
      ),
      baseDilation: range(x.ndim).map(() => 1),
      windowDilation: among(windowDilation, 1),
    },
  };
}

function extremePool<D extends DType>(
  op: string,
  x: Value,
  windowShape: readonly number[],
  options: PoolOptions,
  reduce: (x: Value, windows: Windows) => Value,
): Tensor<D> {
  expectOptions(op, options, ...poolOptions);
  return staged(op, [x], (v) => reduce(v!, spatialWindows(op, v!, windowShape, options).windows)) as Tensor<D>;
}

/**
 * The largest element of each window over the spatial axes: `[..., height, width, channels]` → the same with fewer rows and
 * columns.
 *
 * Padding never is the largest; NaN always is. The derivative is that of the first of equal elements. As in PyTorch, windows do
 * not overlap unless `strides` says so (in flax strides are 1).
 *
 * @param windowShape - the lengths of a window on the spatial axes, `[2, 2]` for images
 * @throws ShapeError for windows or options that do not fit
 *
 * @example
 * ```ts
 * import { grad, nn, np, type Tensor } from 'pullback';
 * const image = np.reshape(np.array([1, 2, 8, 4, 5, 6, 7, 3]), [2, 4, 1]);
 * const pooled = nn.functional.maxPool(image, [2, 2]);
 * console.log(pooled.shape, np.ravel(pooled).toArray()); // => [ 1, 2, 1 ] [ 6, 8 ]
 * const g = grad((x: Tensor) => np.sum(nn.functional.maxPool(x, [2, 2])))(image);
 * console.log(np.ravel(g).toArray()); // => [ 0, 0, 1, 0, 0, 1, 0, 0 ]
 * ```
 */
export const maxPool = <D extends DType>(
  x: Tensor<D>,
  windowShape: readonly number[],
  options: PoolOptions = {},
): Tensor<D> => extremePool('nn.functional.maxPool', x, windowShape, options, reduceWindowMax);

/** The least element of each window over the spatial axes, as {@link maxPool} has the largest. @throws as {@link maxPool} */
export const minPool = <D extends DType>(
  x: Tensor<D>,
  windowShape: readonly number[],
  options: PoolOptions = {},
): Tensor<D> => extremePool('nn.functional.minPool', x, windowShape, options, reduceWindowMin);

/**
 * The mean of each window over the spatial axes: `[..., height, width, channels]` → the same with fewer rows and columns.
 * Integers and `bool` become `float32` first.
 *
 * As in PyTorch and flax padding counts as zeros, unless `countIncludePad` is false: then a window of nothing but padding has
 * the mean NaN. Windows do not overlap unless `strides` says so (in flax strides are 1).
 *
 * @param windowShape - the lengths of a window on the spatial axes, `[2, 2]` for images
 * @throws as {@link maxPool}
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const sequence = np.reshape(np.array([1, 3, 5]), [3, 1]);
 * const options = { strides: [1], padding: 'SAME' } as const;
 * console.log(np.ravel(nn.functional.avgPool(sequence, [2], options)).toArray()); // => [ 2, 4, 2.5 ]
 * const counted = nn.functional.avgPool(sequence, [2], { ...options, countIncludePad: false });
 * console.log(np.ravel(counted).toArray()); // => [ 2, 4, 5 ]
 * ```
 */
export function avgPool<A extends Tensor<DType>>(
  x: A,
  windowShape: readonly number[],
  options: AvgPoolOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.functional.avgPool';
  expectOptions(op, options, ...poolOptions, 'countIncludePad');
  const { countIncludePad = true } = options;
  expectFlag(op, 'countIncludePad', countIncludePad);
  return staged(op, [x], (v) => {
    const value = toFloat(op, v!);
    const { axes, windows } = spatialWindows(op, value, windowShape, options);
    const total = reduceWindowSum(value, windows);
    if (countIncludePad) {
      return div(
        total,
        fullLike(
          total,
          windowShape.reduce((product, n) => product * n, 1),
        ),
      );
    }
    // The counts are those of any channel of any image.
    const one = value.shape.map((n, axis) => (axes.includes(axis) ? n : 1));
    const counts = reduceWindowSum(filled(one, 1, value.dtype), windows);
    return div(total, broadcastInDim(counts, total.shape, range(total.ndim)));
  }) as Tensor<Floated<DTypeOf<A>>>;
}
