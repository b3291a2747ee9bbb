/**
 * Convolution of sequences, images and volumes, and its transpose, over as many spatial axes as the taps have. Axes of batches
 * are left alone, none or several.
 */

import { makeAval, showAval } from '../../core/aval.ts';
import type { DType } from '../../core/dtype.ts';
import { ShapeError } from '../../core/errors.ts';
import { range, sizeOf } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { type Padding, paddingPairs } from '../../ops/padding.ts';
import { staged } from '../../ops/staged.ts';
import type { Tensor } from '../../ops/types.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { add } from '../../prim/arithmetic.ts';
import { type ConvParams, convAdjoint, convGeneralDilated, pick } from '../../prim/conv.ts';
import { broadcastInDim, reshape } from '../../prim/structural.ts';
import { dilated } from '../../prim/window.ts';
import type { Layout } from './pool.ts';

/** Options of {@link conv}. */
export interface ConvOptions<D extends DType = 'float32'> {
  /** Added to each output feature: [output]. */
  readonly bias?: Tensor<D>;
  /** From one window to the next, on each spatial axis; default 1. */
  readonly strides?: readonly number[];
  /** Padding of the spatial axes; default `'VALID'`. */
  readonly padding?: Padding;
  /** From one tap to the next, on each spatial axis; default 1. */
  readonly dilation?: readonly number[];
  /** In how many groups the features are divided, which do not meet; default 1. */
  readonly groups?: number;
  /** Default `'channelsLast'`. */
  readonly layout?: Layout;
}

/** Options of {@link convTranspose}. */
export interface ConvTransposeOptions<D extends DType = 'float32'> extends ConvOptions<D> {
  /** How much longer results are than need be, on each spatial axis, less than the stride or the dilation; default 0. */
  readonly outputPadding?: readonly number[];
}

const names = ['bias', 'strides', 'padding', 'dilation', 'groups', 'layout'] as const;

/** The convolution that options mean. */
interface Meant {
  readonly batch: readonly number[];
  readonly lengths: readonly number[];
  readonly extents: readonly number[];
  readonly strides: readonly number[];
  readonly groups: number;
  /** Without paddings. */
  readonly params: Omit<ConvParams, 'paddingLow' | 'paddingHigh'>;
}

function expectTuple(op: string, what: string, tuple: readonly number[], count: number, least: number): void {
  if (Array.isArray(tuple) && tuple.length === count && tuple.every((n) => Number.isSafeInteger(n) && n >= least))
    return;
  throw new ShapeError({
    op,
    problem: `${what} ${Array.isArray(tuple) ? `(${tuple.join()})` : describe(tuple)} do not fit ${count} spatial axes`,
    remedy: `give an integer of at least ${least} for each spatial axis`,
  });
}

/** @throws ShapeError unless `x`, with any axes of batches, taps and options fit in rank */
function meant(op: string, x: Value, w: Value, options: ConvOptions<DType>): Meant {
  const spatial = w.ndim - 2;
  const { layout = 'channelsLast', groups = 1 } = options;
  if (layout !== 'channelsLast' && layout !== 'channelsFirst') {
    throw new ShapeError({
      op,
      problem: `${describe(layout)} is not a layout`,
      remedy: "use 'channelsLast' or 'channelsFirst'",
    });
  }
  if (spatial < 0 || x.ndim < spatial + 1) {
    throw new ShapeError({
      op,
      problem: `${showAval(x.aval)} does not fit taps ${showAval(w.aval)}`,
      remedy: 'the operand has the spatial axes of the taps and one of features, behind any axes of batches',
    });
  }
  if (!Number.isSafeInteger(groups) || groups < 1) {
    throw new ShapeError({
      op,
      problem: `${describe(groups)} is not a number of groups`,
      remedy: 'use a positive integer',
    });
  }
  const { strides = range(spatial).map(() => 1), dilation = range(spatial).map(() => 1) } = options;
  expectTuple(op, 'strides', strides, spatial, 1);
  expectTuple(op, 'dilation', dilation, spatial, 1);
  const last = layout === 'channelsLast';
  const operand = last ? [0, spatial + 1, ...range(spatial).map((i) => i + 1)] : range(spatial + 2);
  const taps = last ? [spatial + 1, spatial, ...range(spatial)] : range(spatial + 2);
  const first = x.ndim - spatial - 1 + (last ? 0 : 1);
  return {
    batch: x.shape.slice(0, x.ndim - spatial - 1),
    lengths: x.shape.slice(first, first + spatial),
    extents: pick(w.shape, taps.slice(2)).map((n, i) => dilated(n, dilation[i]!)),
    strides,
    groups,
    params: {
      windowStrides: strides,
      lhsDilation: strides.map(() => 1),
      rhsDilation: dilation,
      lhsSpec: operand,
      rhsSpec: taps,
      outSpec: operand,
      featureGroupCount: groups,
      batchGroupCount: 1,
    },
  };
}

/** `x` with one axis of batches. */
const flattened = (x: Value, { batch }: Meant): Value => reshape(x, [sizeOf(batch), ...x.shape.slice(batch.length)]);

/** The result with the axes of batches that there were, and the bias. */
function finished(op: string, y: Value, { batch, params }: Meant, bias: Value | undefined): Value {
  const out = reshape(y, [...batch, ...y.shape.slice(1)]);
  if (bias === undefined) return out;
  const axis = batch.length - 1 + params.outSpec[1]!;
  if (bias.ndim !== 1 || bias.shape[0] !== out.shape[axis] || bias.dtype !== out.dtype) {
    throw new ShapeError({
      op,
      problem: `the bias ${showAval(bias.aval)} does not fit ${out.shape[axis]} output features of ${showAval(out.aval)}`,
      remedy: 'give one number of the same dtype for each output feature',
    });
  }
  return add(out, broadcastInDim(bias, out.shape, [axis]));
}

/**
 * The convolution of `x` with taps `w`, which are not flipped: `[..., height, width, input]` and `[rows, columns, input/groups,
 * output]` → `[..., height', width', output]`; with `layout: 'channelsFirst'` `[..., input, height, width]` and, as in
 * PyTorch, `[output, input/groups, rows, columns]`. The same for one, three or any number of spatial axes.
 *
 * @throws ShapeError for operands or options that do not fit
 * @throws DTypeError for operands of two dtypes
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const sequence = np.reshape(np.array([1, 2, 3, 4]), [4, 1]);
 * const taps = np.reshape(np.array([1, 10]), [2, 1, 1]);
 * console.log(np.ravel(nn.functional.conv(sequence, taps)).toArray()); // => [ 21, 32, 43 ]
 * const options = { strides: [2], padding: 'SAME', bias: np.array([0.5]) } as const;
 * console.log(np.ravel(nn.functional.conv(sequence, taps, options)).toArray()); // => [ 21.5, 43.5 ]
 * console.log(nn.functional.conv(np.ones([8, 28, 28, 3]), np.ones([5, 5, 3, 6])).shape); // => [ 8, 24, 24, 6 ]
 * ```
 */
export function conv<D extends DType>(x: Tensor<D>, w: Tensor<D>, options: ConvOptions<D> = {}): Tensor<D> {
  const op = 'nn.functional.conv';
  expectOptions(op, options, ...names);
  const { bias, padding = 'VALID' } = options;
  return staged(op, bias === undefined ? [x, w] : [x, w, bias], (v, taps, b) => {
    const m = meant(op, v!, taps!, options);
    const windows = m.extents.map((extent, i) => ({ extent, stride: m.strides[i]! }));
    const pairs = paddingPairs(op, padding, m.lengths, windows);
    const y = convGeneralDilated(flattened(v!, m), taps!, {
      ...m.params,
      paddingLow: pairs.map(([low]) => low),
      paddingHigh: pairs.map(([, high]) => high),
    });
    return finished(op, y, m, b);
  }) as Tensor<D>;
}

/**
 * The transpose of {@link conv} with the same taps and options, as in PyTorch: it takes what that gives to what that takes.
 *
 * Taps are those of the convolution, `[rows, columns, output/groups, input]`, or with `layout: 'channelsFirst'` `[input,
 * output/groups, rows, columns]`. On each spatial axis results have the length (n − 1)·stride − low − high + extent of the taps +
 * outputPadding; with padding `'SAME'` n·stride.
 *
 * @throws ShapeError for operands or options that do not fit
 * @throws DTypeError for operands of two dtypes
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const x = np.reshape(np.array([1, 2]), [2, 1]);
 * const taps = np.reshape(np.array([1, 10, 100]), [3, 1, 1]);
 * console.log(np.ravel(nn.functional.convTranspose(x, taps, { strides: [2] })).toArray()); // => [ 1, 10, 102, 20, 200 ]
 * ```
 */
export function convTranspose<D extends DType>(
  x: Tensor<D>,
  w: Tensor<D>,
  options: ConvTransposeOptions<D> = {},
): Tensor<D> {
  const op = 'nn.functional.convTranspose';
  expectOptions(op, options, ...names, 'outputPadding');
  const { bias, padding = 'VALID' } = options;
  return staged(op, bias === undefined ? [x, w] : [x, w, bias], (v, taps, b) => {
    const m = meant(op, v!, taps!, options);
    const { outputPadding = m.strides.map(() => 0) } = options;
    expectTuple(op, 'outputPadding', outputPadding, m.strides.length, 0);
    if (outputPadding.some((n, i) => n >= Math.max(m.strides[i]!, m.params.rhsDilation[i]!))) {
      throw new ShapeError({
        op,
        problem: `the output padding (${outputPadding.join()}) is not less than the strides (${m.strides.join()})`,
        remedy: 'it chooses among the lengths that a convolution takes to the same one',
      });
    }
    // 'SAME' is that of the convolution of n·stride elements; what strides leave over behind the taps is part of them.
    const same = padding === 'SAME' || padding === 'SAME_LOWER';
    const whole = m.lengths.map((n, i) => n * m.strides[i]!);
    const windows = m.extents.map((extent, i) => ({ extent, stride: m.strides[i]! }));
    const pairs = paddingPairs(op, padding, whole, windows);
    const lengths = m.lengths.map((n, i) =>
      same
        ? whole[i]! + outputPadding[i]!
        : (n - 1) * m.strides[i]! - pairs[i]![0] - pairs[i]![1] + m.extents[i]! + outputPadding[i]!,
    );
    const [inputs, perGroup] = pick(taps!.shape, m.params.rhsSpec) as [number, number];
    const features = v!.shape[m.batch.length - 1 + m.params.lhsSpec[1]!]!;
    if (inputs !== features || inputs % m.groups !== 0 || lengths.some((n) => n < 0)) {
      throw new ShapeError({
        op,
        problem: `${showAval(v!.aval)} and taps ${showAval(taps!.aval)} do not fit in ${m.groups} groups`,
        remedy: 'the taps are those of the convolution that this transposes, whose outputs are the features here',
      });
    }
    const ct = flattened(v!, m);
    const shape: number[] = [];
    [ct.shape[0]!, perGroup * m.groups, ...lengths].forEach((n, i) => {
      shape[m.params.lhsSpec[i]!] = n;
    });
    const y = convAdjoint(ct, makeAval(shape, ct.dtype, ct.aval.weak), taps!, {
      ...m.params,
      paddingLow: pairs.map(([low]) => low),
      paddingHigh: pairs.map(([, high]) => high),
    });
    return finished(op, y, m, b);
  }) as Tensor<D>;
}
