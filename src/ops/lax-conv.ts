/** The part of `lax` that convolves. As everywhere in deep learning the taps are not flipped: it is a correlation. */

import { showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import { range } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { type ConvParams, convGeneralDilated as convolve, pick } from '../prim/conv.ts';
import { rev, transpose } from '../prim/structural.ts';
import { dilated } from '../prim/window.ts';
import { type Padding, paddingPairs } from './padding.ts';
import { staged } from './staged.ts';
import type { Tensor } from './types.ts';
import { describe, expectOptions } from './untyped.ts';

/**
 * Which axis is what, for `lhs`, `rhs` and the result: three texts such as `['NHWC', 'HWIO', 'NHWC']` (N batch, C features, O and I the
 * output and input features of `rhs`, other letters the spatial axes, which keep the order of the second text), or three lists of
 * axes in the order batch, features, …spatial (for `rhs`: output, input, …spatial).
 */
export type ConvDimensionNumbers =
  | readonly [lhs: string, rhs: string, out: string]
  | readonly [lhs: readonly number[], rhs: readonly number[], out: readonly number[]];

/** Options of {@link convGeneralDilated}. */
export interface ConvOptions {
  /** From one element of `lhs` to the next, with zeros between, on each spatial axis; default 1. */
  readonly lhsDilation?: readonly number[];
  /** From one tap to the next, on each spatial axis; default 1. */
  readonly rhsDilation?: readonly number[];
  /** Which axis is what; default batch, features, …spatial, and for `rhs` output, input, …spatial. */
  readonly dimensionNumbers?: ConvDimensionNumbers;
  /** Into how many parts the features of `lhs` are divided, each with output features of its own; default 1. */
  readonly featureGroupCount?: number;
  /** Into how many parts the batch is divided, each with output features of its own; default 1. */
  readonly batchGroupCount?: number;
}

type Specs = Pick<ConvParams, 'lhsSpec' | 'rhsSpec' | 'outSpec'>;

/** The axes that the letters of `text` name. */
function specOf(op: string, text: string, [first, second]: readonly [string, string], spatial: readonly string[]) {
  const axes = [first, second, ...spatial].map((letter) => text.indexOf(letter));
  if (new Set(text).size === text.length && text.length === axes.length && !axes.includes(-1)) return axes;
  throw new ShapeError({
    op,
    problem: `the dimension numbers ${JSON.stringify(text)} do not name ${[first, second, ...spatial].join(', ')} once each`,
    remedy: "name each axis by one letter: ['NHWC', 'HWIO', 'NHWC']",
  });
}

/** Dimension numbers as lists of axes. @throws ShapeError unless they name each axis once */
function specsOf(op: string, numbers: ConvDimensionNumbers | undefined, ndim: number): Specs {
  if (numbers === undefined) return { lhsSpec: range(ndim), rhsSpec: range(ndim), outSpec: range(ndim) };
  const given: readonly unknown[] = Array.isArray(numbers) ? numbers : [];
  const [lhs, rhs, out] = given;
  if (given.length === 3 && typeof lhs === 'string' && typeof rhs === 'string' && typeof out === 'string') {
    const spatial = [...rhs].filter((letter) => letter !== 'O' && letter !== 'I');
    return {
      lhsSpec: specOf(op, lhs, ['N', 'C'], spatial),
      rhsSpec: specOf(op, rhs, ['O', 'I'], spatial),
      outSpec: specOf(op, out, ['N', 'C'], spatial),
    };
  }
  if (given.length === 3 && given.every(Array.isArray)) {
    return { lhsSpec: lhs as number[], rhsSpec: rhs as number[], outSpec: out as number[] };
  }
  throw new ShapeError({
    op,
    problem: `${describe(numbers)} are no dimension numbers`,
    remedy: "give three texts, ['NHWC', 'HWIO', 'NHWC'], or three lists of axes",
  });
}

/**
 * Dimension numbers as three lists of axes, in the order batch, features, …spatial (for `rhs`: output, input, …spatial): what texts
 * stand for, or, of `null`, that order itself. Functions that convolve take either.
 *
 * @throws ShapeError if the ranks differ, or an axis is not named once
 *
 * @example
 * ```ts
 * import { lax } from 'pullback';
 * const [lhs, rhs, out] = lax.convDimensionNumbers([8, 28, 28, 3], [5, 5, 3, 16], ['NHWC', 'HWIO', 'NHWC']);
 * console.log([lhs, rhs, out]); // => [ [ 0, 3, 1, 2 ], [ 3, 2, 0, 1 ], [ 0, 3, 1, 2 ] ]
 * ```
 */
export function convDimensionNumbers(
  lhsShape: readonly number[],
  rhsShape: readonly number[],
  dimensionNumbers: ConvDimensionNumbers | null,
): readonly [lhs: readonly number[], rhs: readonly number[], out: readonly number[]] {
  const op = 'lax.convDimensionNumbers';
  const [ndim, other] = [lhsShape.length, rhsShape.length];
  if (ndim !== other || ndim < 2) {
    throw new ShapeError({
      op,
      problem: `shapes of ${ndim} and ${other} axes are not convolved with each other`,
      remedy: 'both need batch and features (or output and input features), and the same number of spatial axes',
    });
  }
  const specs = specsOf(op, dimensionNumbers ?? undefined, ndim);
  const lists = [specs.lhsSpec, specs.rhsSpec, specs.outSpec] as const;
  for (const list of lists) {
    if (list.length === ndim && range(ndim).every((axis) => list.includes(axis))) continue;
    throw new ShapeError({
      op,
      problem: `the dimension numbers [${list.join()}] do not name the axes 0 to ${ndim - 1} once each`,
      remedy: 'list batch, features, and the spatial axes',
    });
  }
  return lists;
}

/** @throws ShapeError unless the ranks are equal and there is a spatial entry for each axis but two */
function expectRanks(op: string, lhs: Value, rhs: Value, windowStrides: readonly number[]): void {
  if (lhs.ndim === rhs.ndim && lhs.ndim >= 2 && windowStrides.length === lhs.ndim - 2) return;
  throw new ShapeError({
    op,
    problem: `${windowStrides.length} strides do not fit ${showAval(lhs.aval)} and ${showAval(rhs.aval)}`,
    remedy: 'both need batch and features (or output and input features), and an axis for each stride',
  });
}

/**
 * The convolution of `lhs` with the taps `rhs`: at each window, the sum over taps and input features.
 *
 * StableHLO's convolution, in JAX's form; any number of spatial axes. Integers wrap.
 *
 * @param windowStrides - from one window to the next, on each spatial axis
 * @param padding - of the spatial axes of `lhs`, after its dilation; with one, pairs, as in JAX
 * @throws ShapeError for operands, dimension numbers or groups that do not fit, and for a padding by name beside `lhsDilation`
 * @throws DTypeError unless the dtypes are equal
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const signal = np.reshape(np.array([1, 2, 4, 8]), [1, 1, 4]);
 * const difference = np.reshape(np.array([-1, 1]), [1, 1, 2]);
 * console.log(lax.convGeneralDilated(signal, difference, [1], 'VALID').toArray()); // => [ [ [ 1, 2, 4 ] ] ]
 * const options = { rhsDilation: [2], dimensionNumbers: ['NCW', 'OIW', 'NWC'] } as const;
 * console.log(lax.convGeneralDilated(signal, difference, [1], 'VALID', options).toArray()); // => [ [ [ 3 ], [ 6 ] ] ]
 * ```
 */
export const convGeneralDilated = <D extends DType>(
  lhs: Tensor<D>,
  rhs: Tensor<D>,
  windowStrides: readonly number[],
  padding: Padding,
  options: ConvOptions = {},
): Tensor<D> => convolved('lax.convGeneralDilated', lhs, rhs, windowStrides, padding, options);

/** {@link convGeneralDilated} for the function `op`, under whose name errors are reported. */
function convolved<D extends DType>(
  op: string,
  lhs: Tensor<D>,
  rhs: Tensor<D>,
  windowStrides: readonly number[],
  padding: Padding,
  options: ConvOptions,
): Tensor<D> {
  expectOptions(op, options, 'lhsDilation', 'rhsDilation', 'dimensionNumbers', 'featureGroupCount', 'batchGroupCount');
  return staged(op, [lhs, rhs], (x, y) => {
    expectRanks(op, x!, y!, windowStrides);
    const ones = windowStrides.map(() => 1);
    const { lhsDilation = ones, rhsDilation = ones, featureGroupCount = 1, batchGroupCount = 1 } = options;
    if (typeof padding === 'string' && lhsDilation.some((step) => step !== 1)) {
      throw new ShapeError({
        op,
        problem: `the padding ${JSON.stringify(padding)} is not defined for an operand with lhsDilation [${lhsDilation.join()}]`,
        remedy: 'give the padding as pairs [low, high], or use lax.convTranspose',
      });
    }
    const specs = specsOf(op, options.dimensionNumbers, x!.ndim);
    const lengths = pick(x!.shape, specs.lhsSpec.slice(2)).map((n, i) => dilated(n, lhsDilation[i]!));
    const windows = pick(y!.shape, specs.rhsSpec.slice(2)).map((n, i) => ({
      extent: dilated(n, rhsDilation[i]!),
      stride: windowStrides[i]!,
    }));
    const pairs = paddingPairs(op, padding, lengths, windows);
    return convolve(x!, y!, {
      windowStrides,
      paddingLow: pairs.map(([low]) => low),
      paddingHigh: pairs.map(([, high]) => high),
      lhsDilation,
      rhsDilation,
      featureGroupCount,
      batchGroupCount,
      ...specs,
    });
  }) as Tensor<D>;
}

/**
 * The convolution of `lhs`, [batch, features, …spatial], with `rhs`, [output, input, …spatial]: {@link convGeneralDilated} without
 * options.
 *
 * @throws as {@link convGeneralDilated}
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * console.log(lax.conv(np.ones([1, 3, 8, 8]), np.ones([6, 3, 3, 3]), [2, 2], 'SAME').shape); // => [ 1, 6, 4, 4 ]
 * ```
 */
export const conv = <D extends DType>(
  lhs: Tensor<D>,
  rhs: Tensor<D>,
  windowStrides: readonly number[],
  padding: Padding,
): Tensor<D> => convolved('lax.conv', lhs, rhs, windowStrides, padding, {});

/** Options of {@link convTranspose}. */
export interface ConvTransposeOptions {
  /** From one tap to the next, on each spatial axis; default 1. */
  readonly rhsDilation?: readonly number[];
  /** Which axis is what; default batch, …spatial, features, and for `rhs` …spatial, input, output. */
  readonly dimensionNumbers?: ConvDimensionNumbers;
  /**
   * True for the gradient of a convolution with respect to its operand: `rhs` is that convolution's, and is turned around, its input
   * and output features exchanged. Default false: `rhs` is used as it is.
   */
  readonly transposeKernel?: boolean;
}

/** Padding of the dilated operand: 'VALID' reaches as far as there are taps, 'SAME' makes the length times the stride. */
function transposedPadding(name: 'SAME' | 'VALID', taps: number, stride: number): readonly [number, number] {
  const total = taps + stride - 2 + (name === 'VALID' ? Math.max(taps - stride, 0) : 0);
  const low = name === 'VALID' || stride > taps - 1 ? taps - 1 : Math.ceil(total / 2);
  return [low, total - low];
}

/**
 * A convolution with stride 1 over `lhs` with `strides` − 1 zeros between its elements: what is also called a deconvolution, or a
 * fractionally strided convolution. It makes axes longer.
 *
 * @param padding - `'SAME'`: axes become `strides` times as long; `'VALID'`: as long as there is anything to add up;
 *   or pairs, of the dilated operand
 * @throws as {@link convGeneralDilated}
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const x = np.reshape(np.array([1, 2]), [1, 2, 1]);
 * const taps = np.reshape(np.array([1, 10, 100]), [3, 1, 1]);
 * console.log(np.ravel(lax.convTranspose(x, taps, [2], 'VALID')).toArray()); // => [ 100, 10, 201, 20, 2 ]
 * const options = { transposeKernel: true } as const;
 * console.log(np.ravel(lax.convTranspose(x, taps, [2], 'VALID', options)).toArray()); // => [ 1, 10, 102, 20, 200 ]
 * ```
 */
export function convTranspose<D extends DType>(
  lhs: Tensor<D>,
  rhs: Tensor<D>,
  strides: readonly number[],
  padding: Padding,
  options: ConvTransposeOptions = {},
): Tensor<D> {
  const op = 'lax.convTranspose';
  expectOptions(op, options, 'rhsDilation', 'dimensionNumbers', 'transposeKernel');
  return staged(op, [lhs, rhs], (x, y) => {
    expectRanks(op, x!, y!, strides);
    const { ndim } = x!;
    const spatial = range(ndim - 2);
    const last: ConvDimensionNumbers = [
      [0, ndim - 1, ...spatial.map((i) => i + 1)],
      [ndim - 1, ndim - 2, ...spatial],
      [0, ndim - 1, ...spatial.map((i) => i + 1)],
    ];
    const specs = specsOf(op, options.dimensionNumbers ?? last, ndim);
    const { rhsDilation = strides.map(() => 1) } = options;
    const [outputs, inputs, ...places] = specs.rhsSpec as [number, number, ...number[]];
    const swapped = range(ndim).map((axis) => (axis === outputs ? inputs : axis === inputs ? outputs : axis));
    const taps = options.transposeKernel ? transpose(rev(y!, places), swapped) : y!;
    const extents = pick(taps.shape, places).map((n, i) => dilated(n, rhsDilation[i]!));
    const lengths = pick(x!.shape, specs.lhsSpec.slice(2)).map((n, i) => dilated(n, strides[i]!));
    const pairs =
      padding === 'SAME' || padding === 'VALID'
        ? extents.map((extent, i) => transposedPadding(padding, extent, strides[i]!))
        : paddingPairs(
            op,
            padding,
            lengths,
            extents.map((extent) => ({ extent, stride: 1 })),
          );
    return convolve(x!, taps, {
      windowStrides: strides.map(() => 1),
      paddingLow: pairs.map(([low]) => low),
      paddingHigh: pairs.map(([, high]) => high),
      lhsDilation: strides,
      rhsDilation,
      featureGroupCount: 1,
      batchGroupCount: 1,
      ...specs,
    });
  }) as Tensor<D>;
}
