/** Points of the plane in classes that no line divides, for classifiers that one can look at. */

import * as np from '../../ops/np.ts';
import type { Tensor } from '../../ops/types.ts';
import { expectOptions } from '../../ops/untyped.ts';
import { type Key, split } from '../../random/key.ts';
import { normal, uniform } from '../../random/samplers.ts';
import { expectNumber } from '../augment/images.ts';
import { expectCount } from '../counts.ts';

/** Points with their classes, which alternate: point i is of class i mod the number of classes. */
export interface LabelledPoints {
  /** float32[count, 2] */
  readonly x: Tensor;
  /** int32[count] */
  readonly label: Tensor<'int32'>;
}

/** Options of sets of points. */
export interface NoiseOptions {
  /** Standard deviation of normal noise on each coordinate; default 0.1. */
  readonly noise?: number;
}

/** Classes and places along their curves, and points of those with noise. */
function points(
  op: string,
  key: Key,
  count: number,
  classes: number,
  noise: number,
  place: (t: Tensor, label: Tensor<'int32'>) => readonly [Tensor, Tensor],
): LabelledPoints {
  expectCount(op, 'the count', count);
  expectCount(op, 'the number of classes', classes, 1);
  expectNumber(op, 'the noise', noise);
  const [along, around] = split(key);
  const label = np.remainder(np.arange(count, { dtype: 'int32' }), classes);
  const exact = np.stack(place(uniform(along, [count]), label) as readonly [Tensor, Tensor], 1);
  return { x: np.add(exact, np.mul(normal(around, [count, 2]), noise)), label };
}

/**
 * Two half circles that reach into each other, as scikit-learn's `make_moons`: (cos t, sin t) and (1 − cos t, ½ − sin t), t in [0, π].
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * import { dataset, twoMoons } from 'pullback/data';
 * const { x, label } = twoMoons(random.key(0), 200, { noise: 0.05 });
 * console.log(x.shape, label.shape, dataset.rows({ x, label }).length); // => [ 200, 2 ] [ 200 ] 200
 * ```
 */
export function twoMoons(key: Key, count: number, options: NoiseOptions = {}): LabelledPoints {
  const op = 'twoMoons';
  expectOptions(op, options, 'noise');
  return points(op, key, count, 2, options.noise ?? 0.1, (t, label) => {
    const angle = np.mul(t, Math.PI);
    const [x, y] = [np.cos(angle), np.sin(angle)];
    const upper = np.equal(label, 0);
    return [np.where(upper, x, np.sub(1, x)), np.where(upper, y, np.sub(0.5, y))];
  });
}

/** Options of {@link spirals}. */
export interface SpiralOptions extends NoiseOptions {
  /** Arms; default 2. */
  readonly classes?: number;
  /** How often an arm goes around; default 1. */
  readonly turns?: number;
}

/** Arms of a spiral about the origin, one for each class: radius t, angle 2π (turns · t + class / classes), t in [0, 1]. */
export function spirals(key: Key, count: number, options: SpiralOptions = {}): LabelledPoints {
  const op = 'spirals';
  expectOptions(op, options, 'noise', 'classes', 'turns');
  const { noise = 0.02, classes = 2, turns = 1 } = options;
  expectNumber(op, 'turns', turns);
  return points(op, key, count, classes, noise, (t, label) => {
    const phase = np.div(np.astype(label, 'float32'), classes);
    const angle = np.mul(np.add(np.mul(t, turns), phase), 2 * Math.PI);
    return [np.mul(t, np.cos(angle)), np.mul(t, np.sin(angle))];
  });
}

/** Options of {@link circles}. */
export interface CirclesOptions extends NoiseOptions {
  /** Radius of the inner circle, whose points are of class 1; default ½. */
  readonly factor?: number;
}

/** A circle of radius 1 about a smaller one, as scikit-learn's `make_circles`. */
export function circles(key: Key, count: number, options: CirclesOptions = {}): LabelledPoints {
  const op = 'circles';
  expectOptions(op, options, 'noise', 'factor');
  const { noise = 0.1, factor = 0.5 } = options;
  expectNumber(op, 'the factor', factor, 0, 1);
  return points(op, key, count, 2, noise, (t, label) => {
    const angle = np.mul(t, 2 * Math.PI);
    const radius = np.where(np.equal(label, 0), 1, factor);
    return [np.mul(radius, np.cos(angle)), np.mul(radius, np.sin(angle))];
  });
}

/** Options of {@link blobs}. */
export interface BlobsOptions extends NoiseOptions {
  /** Classes; default 3. */
  readonly classes?: number;
}

/** Normal clouds, one for each class, about centres on the unit circle; the noise (default 0.2) is their standard deviation. */
export function blobs(key: Key, count: number, options: BlobsOptions = {}): LabelledPoints {
  const op = 'blobs';
  expectOptions(op, options, 'noise', 'classes');
  const { noise = 0.2, classes = 3 } = options;
  return points(op, key, count, classes, noise, (_, label) => {
    const angle = np.mul(np.div(np.astype(label, 'float32'), classes), 2 * Math.PI);
    return [np.cos(angle), np.sin(angle)];
  });
}
