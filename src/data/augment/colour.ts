/** Images changed where they are: covered, mixed, brightened, made noisy. Each image has chances of its own, all from one key. */

import { showAval } from '../../core/aval.ts';
import type { FloatDType } from '../../core/dtype.ts';
import { ShapeError } from '../../core/errors.ts';
import { Value } from '../../core/value.ts';
import * as np from '../../ops/np.ts';
import type { Tensor } from '../../ops/types.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { permutation, randint } from '../../random/discrete.ts';
import { beta } from '../../random/gamma.ts';
import { type Key, split } from '../../random/key.ts';
import { normal, uniform } from '../../random/samplers.ts';
import { expectCount } from '../counts.ts';
import { expectImages, expectNumber, type Images } from './images.ts';

/**
 * (x − mean) / std in each channel.
 *
 * @param mean - a number, or one for each channel
 * @param std - likewise
 * @throws ShapeError unless there are as many as channels
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * import { augment } from 'pullback/data';
 * const x = np.ones([1, 1, 1, 3]);
 * console.log(np.squeeze(augment.normalize(x, [0, 0.5, 1], 0.5)).toArray()); // => [ 2, 1, 0 ]
 * ```
 */
export function normalize<D extends FloatDType>(
  x: Images<D>,
  mean: number | readonly number[],
  std: number | readonly number[],
): Tensor<D> {
  const op = 'augment.normalize';
  const channels = expectImages(op, x)[3];
  const each = (what: string, numbers: number | readonly number[]): Tensor<D> | number => {
    if (typeof numbers === 'number') return numbers;
    if (numbers.length === channels) return np.array(numbers, { dtype: x.dtype }) as Tensor<D>;
    throw new ShapeError({
      op,
      problem: `${numbers.length} numbers for the ${what} of ${showAval(x.aval)}`,
      remedy: `give one, or ${channels}`,
    });
  };
  return np.div(np.sub(x, each('mean', mean)), each('std', std)) as Tensor<D>;
}

/**
 * A square of zeros in each image, `size` pixels wide, about a random pixel, and so partly outside at times.
 *
 * T. DeVries, G. Taylor, "Improved regularization of convolutional neural networks with cutout" (2017).
 *
 * @throws ShapeError unless the size is a non-negative integer
 */
export function cutout<D extends FloatDType>(key: Key, x: Images<D>, size: number): Tensor<D> {
  const op = 'augment.cutout';
  const [batch, height, width] = expectImages(op, x);
  expectCount(op, 'the size', size);
  const [down, right] = split(key);
  const row = np.sub(randint(down, [batch, 1, 1, 1], 0, height), Math.floor(size / 2));
  const column = np.sub(randint(right, [batch, 1, 1, 1], 0, width), Math.floor(size / 2));
  const within = (at: Value, axis: readonly number[], n: number): Tensor<'bool'> => {
    const i = np.reshape(np.arange(n, { dtype: 'int32' }), axis);
    return np.logicalAnd(np.greaterEqual(i, at), np.less(i, np.add(at, size)));
  };
  const covered = np.logicalAnd(within(row, [1, height, 1, 1], height), within(column, [1, 1, width, 1], width));
  return np.where(covered, 0, x) as Tensor<D>;
}

/** @throws ShapeError unless `y` has a row for each image */
function expectLabels(op: string, y: Value, batch: number): void {
  if (y instanceof Value && y.ndim >= 1 && y.shape[0] === batch) return;
  throw new ShapeError({
    op,
    problem: `the labels are ${y instanceof Value ? showAval(y.aval) : describe(y)} for ${batch} images`,
    remedy: `give float[${batch}, classes], such as nn.oneHot makes`,
  });
}

/**
 * λ x + (1 − λ) x′ of each image and another of the batch, and of their labels likewise; λ ~ Beta(α, α), one for the batch.
 *
 * H. Zhang, M. Cissé, Y. Dauphin, D. Lopez-Paz, "mixup: beyond empirical risk minimization" (2018).
 *
 * @param y - labels as float[batch, …]: probabilities of classes, not indices
 * @returns `[x, y]`, mixed
 * @throws ShapeError unless there is a label for each image and α is positive
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * import { augment } from 'pullback/data';
 * const [x, y] = augment.mixup(random.key(0), np.ones([4, 8, 8, 1]), nn.oneHot(np.arange(4), 4), 0.2);
 * console.log(np.allclose(np.sum(y, 1), 1).item(), x.shape); // => true [ 4, 8, 8, 1 ]
 * ```
 */
export function mixup<D extends FloatDType, E extends FloatDType>(
  key: Key,
  x: Images<D>,
  y: Tensor<E>,
  alpha: number,
): readonly [Tensor<D>, Tensor<E>] {
  const op = 'augment.mixup';
  const [batch] = expectImages(op, x);
  expectLabels(op, y, batch);
  expectNumber(op, 'alpha', alpha, Number.MIN_VALUE);
  const [share, partner] = split(key);
  const lambda = beta(share, alpha, alpha, [], { dtype: x.dtype }) as Tensor<D>;
  const order = permutation(partner, batch);
  const mixed = (z: Value): Value => {
    const part = np.astype(lambda, z.dtype as FloatDType);
    return np.add(np.mul(z, part), np.mul(np.take(z, order, 0), np.sub(1, part)));
  };
  return [mixed(x) as Tensor<D>, mixed(y) as Tensor<E>];
}

/** Options of {@link colourJitter}: how far each factor may be from 1; default 0. */
export interface JitterOptions {
  readonly brightness?: number;
  readonly contrast?: number;
  readonly saturation?: number;
}

/** Grey as ITU-R 601 weighs it; what has not three channels, by their mean. */
function grey<D extends FloatDType>(x: Images<D>): Value {
  if (x.shape[3] !== 3) return np.mean(x, 3, { keepdims: true });
  return np.sum(np.mul(x, np.array([0.299, 0.587, 0.114], { dtype: x.dtype })), 3, { keepdims: true });
}

/**
 * Brightness, contrast and saturation, each changed by a factor uniform in [max(0, 1 − a), 1 + a], in this order, and cut off to [0, 1].
 *
 * Brightness multiplies; contrast moves away from the mean grey of the image, saturation from the grey of the pixel. As in
 * torchvision's `ColorJitter`, but in a fixed order, and without hue.
 *
 * @param x - images from 0 to 1
 * @throws ShapeError for a range that is negative
 */
export function colourJitter<D extends FloatDType>(key: Key, x: Images<D>, options: JitterOptions): Tensor<D> {
  const op = 'augment.colourJitter';
  const [batch] = expectImages(op, x);
  expectOptions(op, options, 'brightness', 'contrast', 'saturation');
  const { brightness = 0, contrast = 0, saturation = 0 } = options;
  const [k1, k2, k3] = split(key, 3);
  const factor = (k: Key, what: string, range: number): Value => {
    expectNumber(op, what, range);
    return uniform(k, [batch, 1, 1, 1], { minval: Math.max(0, 1 - range), maxval: 1 + range, dtype: x.dtype });
  };
  const blended = (from: Value, to: Value, f: Value): Images<D> =>
    np.clip(np.add(from, np.mul(np.sub(to, from), f)), 0, 1) as Images<D>;
  const bright: Value = np.mul(x, factor(k1, 'brightness', brightness));
  const lit = np.clip(bright, 0, 1) as Images<D>;
  const contrasted = blended(np.mean(grey(lit), [1, 2, 3], { keepdims: true }), lit, factor(k2, 'contrast', contrast));
  return blended(grey(contrasted), contrasted, factor(k3, 'saturation', saturation));
}

/** Normal noise of this standard deviation on every sample. @throws ShapeError if it is negative */
export function noise<D extends FloatDType>(key: Key, x: Images<D>, stddev: number): Tensor<D> {
  const op = 'augment.noise';
  expectImages(op, x);
  expectNumber(op, 'the standard deviation', stddev);
  return np.add(x, np.mul(normal(key, x.shape, { dtype: x.dtype }), stddev)) as Tensor<D>;
}

/** A change of images by chance. */
export type Augmentation = (key: Key, x: Tensor) => Tensor;

/**
 * One change after the other, each with a key of its own.
 *
 * @example
 * ```ts
 * import { jit, np, random } from 'pullback';
 * import { augment } from 'pullback/data';
 * const change = jit(
 *   augment.chain(
 *     (key, x) => augment.randomCrop(key, x, [28, 28], { padding: 2 }),
 *     (key, x) => augment.randomRotate(key, x, 10),
 *     (key, x) => augment.noise(key, x, 0.05),
 *   ),
 * );
 * console.log(change(random.key(0), np.ones([4, 28, 28, 1])).shape); // => [ 4, 28, 28, 1 ]
 * ```
 */
export const chain =
  (...changes: readonly Augmentation[]): Augmentation =>
  (key, x) => {
    const keys = split(key, changes.length);
    return changes.reduce((y, change, i) => change(keys[i]!, y), x);
  };
