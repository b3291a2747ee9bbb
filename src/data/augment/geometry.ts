/** Images moved: flipped, cropped, turned. Each image of a batch has chances of its own, all from one key. */

import { vmap } from '../../../transforms/vmap.ts';
import { showAval } from '../../core/aval.ts';
import type { FloatDType } from '../../core/dtype.ts';
import { DTypeError, ShapeError } from '../../core/errors.ts';
import { Value } from '../../core/value.ts';
import { dynamicSlice, pad } from '../../ops/lax.ts';
import * as np from '../../ops/np.ts';
import type { Tensor } from '../../ops/types.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { bernoulli, randint } from '../../random/discrete.ts';
import { type Key, split } from '../../random/key.ts';
import { uniform } from '../../random/samplers.ts';
import { expectCount } from '../counts.ts';
import { expectImages, expectNumber, type Images } from './images.ts';

/** Options of {@link randomFlip}. */
export interface FlipOptions {
  /** `horizontal` (default) exchanges left and right, `vertical` top and bottom. */
  readonly direction?: 'horizontal' | 'vertical';
  /** The probability of being flipped; default ½. */
  readonly p?: number;
}

/**
 * Mirror images, each with probability `p`: float[batch, height, width, channels] → the same.
 *
 * @throws ShapeError or DTypeError unless `x` is a batch of images, or for options that there are not
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * import { augment } from 'pullback/data';
 * const x = np.reshape(np.array([1, 2, 3]), [1, 1, 3, 1]);
 * console.log(np.squeeze(augment.randomFlip(random.key(0), x, { p: 1 })).toArray()); // => [ 3, 2, 1 ]
 * ```
 */
export function randomFlip<D extends FloatDType>(key: Key, x: Images<D>, options: FlipOptions = {}): Tensor<D> {
  const op = 'augment.randomFlip';
  const [batch] = expectImages(op, x);
  expectOptions(op, options, 'direction', 'p');
  const { direction = 'horizontal', p = 0.5 } = options;
  expectNumber(op, 'p', p, 0, 1);
  if (direction !== 'horizontal' && direction !== 'vertical') {
    throw new DTypeError({
      op,
      problem: `there is no direction ${describe(direction)}`,
      remedy: "use 'horizontal' or 'vertical'",
    });
  }
  const flipped = np.flip(x, direction === 'horizontal' ? 2 : 1);
  return np.where(bernoulli(key, p, [batch, 1, 1, 1]), flipped, x) as Tensor<D>;
}

/** Options of {@link randomCrop}. */
export interface CropOptions {
  /** Zeros on each side before the window is cut; default 0. */
  readonly padding?: number;
}

/**
 * A window of each image at a random place, all places equally likely: float[batch, h, w, c] → float[batch, height, width, c].
 *
 * With the size of the image and `padding: n` it shifts images by up to n pixels.
 *
 * @throws ShapeError if the window is larger than the padded image
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * import { augment } from 'pullback/data';
 * const x = np.ones([16, 28, 28, 1]);
 * console.log(augment.randomCrop(random.key(0), x, [28, 28], { padding: 2 }).shape); // => [ 16, 28, 28, 1 ]
 * ```
 */
export function randomCrop<D extends FloatDType>(
  key: Key,
  x: Images<D>,
  size: readonly [height: number, width: number],
  options: CropOptions = {},
): Tensor<D> {
  const op = 'augment.randomCrop';
  const [batch, h, w, channels] = expectImages(op, x);
  expectOptions(op, options, 'padding');
  const padding = expectCount(op, 'the padding', options.padding ?? 0);
  const [height, width] = [expectCount(op, 'the height', size[0], 1), expectCount(op, 'the width', size[1], 1)];
  const [free, across] = [h + 2 * padding - height, w + 2 * padding - width];
  if (free < 0 || across < 0) {
    throw new ShapeError({
      op,
      problem: `a window of ${height} × ${width} is larger than ${showAval(x.aval)} with ${padding} zeros on each side`,
      remedy: 'cut a smaller window, or pad more',
    });
  }
  const [down, right] = split(key);
  const top = randint(down, [batch], 0, free + 1);
  const left = randint(right, [batch], 0, across + 1);
  const [zero, sides] = [np.zeros([], { dtype: x.dtype }) as Tensor<D>, [padding, padding, 0] as const];
  const padded = padding === 0 ? x : pad(x, zero, [[0, 0, 0], sides, sides, [0, 0, 0]]);
  const cut = (image: Tensor<D>, i: Tensor<'int32'>, j: Tensor<'int32'>): Tensor<D> =>
    dynamicSlice(image, [i, j, 0], [height, width, channels]);
  return vmap(cut)(padded, top, left);
}

/**
 * Images under affine maps, by bilinear sampling; outside of an image there are zeros.
 *
 * Pixel p of the result is the image at M p + t, with x to the right and y down from the centre of the image, in pixels: the map
 * goes from the result to the image. It is differentiable in both. As PyTorch's `grid_sample(…, align_corners=False)` of
 * `affine_grid`, whose coordinates are halves of the sides.
 *
 * @param maps - float[batch, 2, 3]: the rows of [M t]
 * @throws ShapeError or DTypeError unless there is a map for each image, of its dtype
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * import { augment } from 'pullback/data';
 * const x = np.reshape(np.array([1, 2, 3, 4]), [1, 2, 2, 1]);
 * const quarterTurn = np.array([[[0, -1, 0], [1, 0, 0]]]);
 * console.log(np.reshape(augment.affine(x, quarterTurn), [2, 2]).toArray()); // => [ [ 2, 4 ], [ 1, 3 ] ]
 * ```
 */
export function affine<D extends FloatDType>(x: Images<D>, maps: Images<D>): Tensor<D> {
  const op = 'augment.affine';
  const [batch, height, width, channels] = expectImages(op, x);
  if (!(maps instanceof Value) || maps.dtype !== x.dtype || maps.shape.join() !== [batch, 2, 3].join()) {
    throw new ShapeError({
      op,
      problem: `the maps are ${maps instanceof Value ? showAval(maps.aval) : describe(maps)} for ${showAval(x.aval)}`,
      remedy: `give ${x.dtype}[${batch},2,3]`,
    });
  }
  const dtype = x.dtype;
  const [cx, cy] = [(width - 1) / 2, (height - 1) / 2];
  const px = np.reshape(np.sub(np.arange(width, { dtype }), cx), [1, 1, width]);
  const py = np.reshape(np.sub(np.arange(height, { dtype }), cy), [1, height, 1]);
  const entry = (row: number, column: number) => np.reshape(np.index(maps, [null, null], row, column), [batch, 1, 1]);
  const along = (row: number, centre: number): Value =>
    np.add(np.add(np.add(np.mul(entry(row, 0), px), np.mul(entry(row, 1), py)), entry(row, 2)), centre);
  const [sx, sy] = [along(0, cx) as Tensor<D>, along(1, cy) as Tensor<D>];
  const [left, top] = [np.floor(sx) as Tensor<D>, np.floor(sy) as Tensor<D>];
  const flat = np.reshape(x, [batch, height * width, channels]);
  const corner = (dx: number, dy: number): Value => {
    const [qx, qy] = [np.add(left, dx), np.add(top, dy)];
    // Far outside an index would not be an int32; there the weight is 0.
    const [ix, iy] = [np.clip(qx, 0, width - 1), np.clip(qy, 0, height - 1)];
    const inside = np.logicalAnd(np.equal(ix, qx), np.equal(iy, qy));
    const weight = np.mul(np.sub(1, np.abs(np.sub(sx, qx))), np.sub(1, np.abs(np.sub(sy, qy))));
    const at = np.add(np.mul(np.astype(iy, 'int32'), width), np.astype(ix, 'int32'));
    const values = np.takeAlongAxis(flat, np.reshape(at, [batch, height * width, 1]), 1, { mode: 'clip' });
    return np.mul(np.reshape(values, x.shape), np.reshape(np.where(inside, weight, 0), [batch, height, width, 1]));
  };
  return np.add(np.add(corner(0, 0), corner(1, 0)), np.add(corner(0, 1), corner(1, 1))) as Tensor<D>;
}

/** Options of {@link randomAffine}; each is a range that the change is drawn from uniformly. */
export interface AffineOptions {
  /** Turned by up to so many degrees, either way; default 0. */
  readonly degrees?: number;
  /** Shifted by up to this fraction of the height and of the width, either way; default 0. */
  readonly translate?: number;
  /** Scaled by a factor between these; default [1, 1]. */
  readonly scale?: readonly [least: number, greatest: number];
  /** Slanted by up to so many degrees, either way; default 0. */
  readonly shear?: number;
}

/**
 * Turn, slant, scale and shift images about their centres, each by chances of its own; see {@link affine} for how they are sampled.
 *
 * @throws ShapeError for a range that is negative or empty
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * import { augment } from 'pullback/data';
 * const x = np.ones([8, 28, 28, 1]);
 * const bent = augment.randomAffine(random.key(0), x, { degrees: 10, translate: 0.1, scale: [0.9, 1.1] });
 * console.log(bent.shape); // => [ 8, 28, 28, 1 ]
 * ```
 */
export function randomAffine<D extends FloatDType>(key: Key, x: Images<D>, options: AffineOptions = {}): Tensor<D> {
  return bentBy('augment.randomAffine', key, x, options);
}

/** Turn images by up to so many degrees, either way; see {@link affine}. @throws ShapeError for negative degrees */
export const randomRotate = <D extends FloatDType>(key: Key, x: Images<D>, degrees: number): Tensor<D> =>
  bentBy('augment.randomRotate', key, x, { degrees });

function bentBy<D extends FloatDType>(op: string, key: Key, x: Images<D>, options: AffineOptions): Tensor<D> {
  const [batch, height, width] = expectImages(op, x);
  expectOptions(op, options, 'degrees', 'translate', 'scale', 'shear');
  const { degrees = 0, translate = 0, scale = [1, 1], shear = 0 } = options;
  expectNumber(op, 'degrees', degrees);
  expectNumber(op, 'translate', translate);
  expectNumber(op, 'shear', shear, 0, 89);
  const [least, greatest] = [
    expectNumber(op, 'the least scale', scale[0], 1e-6),
    expectNumber(op, 'the greatest scale', scale[1], scale[0]),
  ];
  const dtype = x.dtype;
  const [turn, slant, size, right, down] = split(key, 5);
  const between = (k: Key, minval: number, maxval: number): Tensor<D> =>
    uniform(k, [batch], { minval, maxval, dtype }) as Tensor<D>;
  const either = (k: Key, most: number) => between(k, -most, most);
  const angle = np.mul(either(turn, degrees), Math.PI / 180);
  const slope = np.tan(np.mul(either(slant, shear), Math.PI / 180));
  const shrink = np.div(1, between(size, least, greatest));
  const [cos, sin] = [np.cos(angle), np.sin(angle)];
  // The image goes by p ↦ s R H p + t, with H = [1 slope; 0 1]; what is sampled is the inverse, H⁻¹ Rᵀ (p − t) / s.
  const a = np.mul(shrink, np.sub(cos, np.mul(slope, sin)));
  const b = np.mul(shrink, np.neg(np.add(sin, np.mul(slope, cos))));
  const c = np.mul(shrink, sin);
  const d = np.mul(shrink, cos);
  const [tx, ty] = [either(right, translate * width), either(down, translate * height)];
  const row = (p: Value, q: Value): Value =>
    np.stack([p, q, np.neg(np.add(np.mul(p, tx), np.mul(q, ty)))] as const, 1) as Value;
  return affine(x, np.stack([row(a, b), row(c, d)] as const, 1) as Images<D>);
}
