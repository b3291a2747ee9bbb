/** How far windows see that slide over the results of windows. */

import { ShapeError } from '../core/errors.ts';
import { range } from '../core/shape.ts';
import { paddingPairs } from '../ops/padding.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { type ConvLayerOptions, spread } from './conv.ts';
import { expectSizes } from './params.ts';

/** A window that slides: of a convolution or of pooling. */
export interface SlidingWindow {
  /** Its length on each spatial axis. */
  readonly window: readonly number[];
  /** From one window to the next; default 1. */
  readonly strides?: number | readonly number[];
  /** From one place of a window to the next; default 1. */
  readonly dilation?: number | readonly number[];
  /** As of {@link conv}; default `'VALID'`. */
  readonly padding?: ConvLayerOptions['padding'];
}

/** What an element behind sliding windows depends on, on each spatial axis. */
export interface ReceptiveField {
  /** How many elements of the input. */
  readonly size: readonly number[];
  /** How far apart the fields of neighbours are. */
  readonly strides: readonly number[];
  /** The middle of the field of the first element, as an index of the input, which may lie between two or in the padding. */
  readonly center: readonly number[];
}

/** Options of {@link receptiveField}. */
export interface ReceptiveFieldOptions {
  /** The lengths of the input on the spatial axes, which `'SAME'` asks for where strides are not 1. */
  readonly lengths?: readonly number[];
}

const op = 'nn.receptiveField';

/** A layer on one axis. */
interface Step {
  readonly extent: number;
  readonly stride: number;
  readonly low: number;
  readonly high: number;
}

/** A layer on each axis. @throws ShapeError for one that does not fit `rank` axes, or whose padding is not known */
function stepsOf(layer: SlidingWindow, rank: number, lengths: readonly number[] | undefined): readonly Step[] {
  expectOptions(op, layer, 'window', 'strides', 'dilation', 'padding');
  const each = (n: number | readonly number[]): readonly number[] =>
    typeof n === 'number' ? range(rank).map(() => n) : n;
  const { window } = layer;
  const { padding } = spread(rank, layer.padding === undefined ? {} : { padding: layer.padding });
  const [strides, dilation] = [each(layer.strides ?? 1), each(layer.dilation ?? 1)];
  for (const [what, tuple] of Object.entries({ window, strides, dilation })) {
    if (!(Array.isArray(tuple) && tuple.length === rank)) {
      throw new ShapeError({
        op,
        problem: Array.isArray(tuple)
          ? `${what} [${tuple.join(',')}] has not ${rank} axes`
          : `${what} is ${describe(tuple)}, not a tuple`,
        remedy: 'give all layers a positive integer for each of the same axes',
      });
    }
    expectSizes(op, Object.fromEntries(tuple.map((n, i) => [`${what}[${i}]`, n])));
  }
  const sliding = window.map((n, i) => ({ extent: (n - 1) * dilation[i]! + 1, stride: strides[i]! }));
  if ((padding === 'SAME' || padding === 'SAME_LOWER') && !lengths && strides.some((n) => n > 1)) {
    throw new ShapeError({
      op,
      problem: `'${padding}' beside strides [${strides.join(',')}] pads as the lengths of the input say`,
      remedy: 'give { lengths }, the spatial lengths of the input, or the padding as pairs',
    });
  }
  // With strides of 1 'SAME' pads alike whatever the lengths.
  const pairs = paddingPairs(op, padding, lengths ?? window.map(() => 1), sliding);
  return sliding.map((windows, i) => ({ ...windows, low: pairs[i]![0], high: pairs[i]![1] }));
}

/** @throws ShapeError where windows are longer than what they slide over */
function lengthsBehind(lengths: readonly number[], steps: readonly Step[], at: number): readonly number[] {
  return lengths.map((n, i) => {
    const { extent, stride, low, high } = steps[i]!;
    const rest = n + low + high - extent;
    if (rest >= 0) return Math.floor(rest / stride) + 1;
    throw new ShapeError({
      op,
      problem: `layer ${at} has a window over ${extent} of axis ${i}, which is ${n + low + high} long by then`,
      remedy: 'give longer inputs, or pad',
    });
  });
}

/**
 * Of how many elements of the input (`size`) an element depends on behind layers one after the other, on each spatial axis; how far
 * apart the fields of neighbours are (`strides`); and the middle of the first one's field (`center`). The field of element i is
 * the `size` elements about `center + i·strides`, as far as there are such.
 *
 * With strides s, extents k and paddings p, size = 1 + Σ (k_l − 1)·s_1⋯s_{l−1} and center = (size − 1)/2 − Σ p_l·s_1⋯s_{l−1}
 * (A. Araujo, W. Norris, J. Sim, "Computing receptive fields of convolutional neural networks", 2019). L layers of one window K
 * and no strides have 1 + L·(K − 1). Where a stride is greater than the window before it, elements between are not seen.
 *
 * @throws ShapeError for windows of different ranks, lengths that are not positive, windows longer than what they slide over, and
 *   `'SAME'` beside strides where `lengths` are not given
 *
 * @example
 * ```ts
 * import { nn } from 'pullback';
 * const layers = [
 *   { window: [5, 5], padding: 'SAME' }, // LeNet-5
 *   { window: [2, 2], strides: 2 },
 *   { window: [5, 5] },
 *   { window: [2, 2], strides: 2 },
 * ] as const;
 * console.log(nn.receptiveField(layers)); // => { size: [ 16, 16 ], strides: [ 4, 4 ], center: [ 5.5, 5.5 ] }
 * ```
 */
export function receptiveField(layers: readonly SlidingWindow[], options: ReceptiveFieldOptions = {}): ReceptiveField {
  expectOptions(op, options, 'lengths');
  const rank = layers[0]?.window?.length ?? 0;
  let lengths = options.lengths;
  if (lengths && lengths.length !== rank) {
    throw new ShapeError({
      op,
      problem: `lengths [${lengths.join(',')}] beside windows of ${rank} axes`,
      remedy: 'give the length of the input on each spatial axis',
    });
  }
  expectSizes(op, Object.fromEntries((lengths ?? []).map((n, i) => [`lengths[${i}]`, n])));
  let fields = range(rank).map(() => ({ size: 1, stride: 1, padded: 0 }));
  for (const [at, layer] of layers.entries()) {
    const steps = stepsOf(layer, rank, lengths);
    fields = fields.map(({ size, stride, padded }, i) => ({
      size: size + (steps[i]!.extent - 1) * stride,
      padded: padded + steps[i]!.low * stride,
      stride: stride * steps[i]!.stride,
    }));
    lengths = lengths && lengthsBehind(lengths, steps, at);
  }
  return {
    size: fields.map(({ size }) => size),
    strides: fields.map(({ stride }) => stride),
    center: fields.map(({ size, padded }) => (size - 1) / 2 - padded),
  };
}
