/** The vision transformer: an image as a sequence of patches, behind a row that stands for its class. */

import { showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { ShapeError, TreeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import { expectTensor } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { type Key, split } from '../random/key.ts';
import { normal } from '../random/samplers.ts';
import { type DenseParams, dense } from './dense.ts';
import { dropped } from './dropout.ts';
import type { Layer } from './layer.ts';
import { expectSizes } from './params.ts';
import { learnedPositions, type PositionParams } from './positions.ts';
import { type EncoderLayerParams, expectLayerOptions, type TransformerActivation } from './transformer-layer.ts';
import {
  expectStack,
  lastNorm,
  type TransformerStackParams,
  through,
  transformerEncoder,
} from './transformer-stack.ts';

/** Parameters of {@link vit}. */
export interface VitParams<D extends FloatDType = 'float32'> {
  /** From the pixels of a patch, row by row with their channels: w float[patch·patch·channels, size]. */
  readonly patches: DenseParams<D>;
  /** float[size]: the row from which the class is read. */
  readonly classToken: Value<D>;
  /** A row for the class and for each patch. */
  readonly positions: PositionParams<D>;
  /** Layers and a last norm. */
  readonly blocks: TransformerStackParams<EncoderLayerParams<D>, D>;
  /** From the row of the class to scores. */
  readonly head: DenseParams<D>;
}

/** What a vision transformer is besides its sizes. */
export interface VitOptions {
  /** Norms before what residual connections bridge (default, with a last norm), or behind. */
  readonly norm?: 'pre' | 'post';
  /** Of the perceptrons; default `gelu`. */
  readonly activation?: TransformerActivation;
  /** The probability of what is dropped, with a key; default 0. */
  readonly dropout?: number;
  /** Added to the variances of the norms; default 1e-6, as published. */
  readonly epsilon?: number;
  /** Compute layers again in reverse mode instead of keeping what they computed; default false. */
  readonly checkpoint?: boolean;
}

/** A vision transformer by its sizes. */
export interface VitConfig extends VitOptions {
  /** Height and width of the images. */
  readonly image: readonly [number, number];
  /** Channels of the images; default 3. */
  readonly channels?: number;
  /** Edge of a patch, which divides height and width. */
  readonly patch: number;
  /** Features of a patch. */
  readonly size: number;
  /** Heads of attention, which divide the size. */
  readonly heads: number;
  /** How many layers. */
  readonly layers: number;
  /** Features between the two maps of a perceptron; default 4·size. */
  readonly feedForwardSize?: number;
  /** How many classes. */
  readonly classes: number;
  /** One loop over stacked layers; default false. */
  readonly stacked?: boolean;
}

const name = 'nn.vit';
const names = [
  'image',
  'channels',
  'patch',
  'size',
  'heads',
  'layers',
  'feedForwardSize',
  'classes',
  'stacked',
  'norm',
  'activation',
  'dropout',
  'epsilon',
  'checkpoint',
] as const;

/**
 * Images cut into squares: [batch, height, width, channels] → [batch, patches, patch·patch·channels], row by row, and each patch row by
 * row with its channels innermost. A {@link dense} layer on them is a convolution of that kernel and stride.
 *
 * @throws ShapeError unless there are four axes and the edge divides height and width
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const image = np.reshape(np.arange(16), [1, 4, 4, 1]);
 * console.log(np.index(nn.patchesOf(image, 2), 0, 1).toArray()); // => [ 2, 3, 6, 7 ]
 * ```
 */
export function patchesOf<T extends Value>(images: T, patch: number): T {
  const op = 'nn.patchesOf';
  const x = expectTensor(op, images);
  const [batch, height, width, channels] = x.shape as unknown as [number, number, number, number];
  const whole = Number.isSafeInteger(patch) && patch > 0 && height % patch === 0 && width % patch === 0;
  if (x.ndim !== 4 || !whole) {
    throw new ShapeError({
      op,
      problem: `${showAval(x.aval)} does not divide into patches of ${describe(patch)}`,
      remedy: 'give [batch, height, width, channels] and an edge that divides height and width',
    });
  }
  const [rows, columns] = [height / patch, width / patch];
  const cut = np.transpose(np.reshape(x, [batch, rows, patch, columns, patch, channels]), [0, 1, 3, 2, 4, 5]);
  return np.reshape(cut, [batch, rows * columns, patch * patch * channels]) as T;
}

const apply = <D extends FloatDType>(params: VitParams<D>, config: VitOptions & Pick<VitConfig, 'patch'>) => {
  expectOptions(name, config, ...names);
  const { norm = 'pre', activation = 'gelu', dropout = 0, epsilon = 1e-6, checkpoint = false, patch } = config;
  const how = { norm, activation, dropout, epsilon, checkpoint };
  expectLayerOptions(name, how);
  const token: unknown = params?.classToken;
  if (!(token instanceof Value) || token.ndim !== 1) {
    throw new TreeError({
      op: name,
      problem: `params.classToken is ${describe(token)}`,
      remedy: `make parameters with ${name}.init(key, config)`,
    });
  }
  const layers = expectStack(name, params.blocks as never, false);
  return (images: Value<D>, { key }: { readonly key?: Key } = {}): Value<D> => {
    const pieces = dense(params.patches)(patchesOf(images, patch));
    const wanted = params.positions.table.shape[0]!;
    if (pieces.shape[1]! + 1 !== wanted) {
      throw new ShapeError({
        op: name,
        problem: `${showAval(images.aval)} has ${pieces.shape[1]} patches, there are positions for ${wanted - 1}`,
        remedy: 'give images of the size of the config',
      });
    }
    const first = np.broadcastTo(params.classToken, [pieces.shape[0]!, 1, params.classToken.shape[0]!]);
    const rows = np.concatenate([first as Value, pieces as Value], 1) as Value<D>;
    const [forInput, forLayers] = key === undefined ? [] : split(key);
    let x: Value = learnedPositions(params.positions)(rows);
    if (forInput !== undefined) x = dropped(name, forInput, dropout, x);
    const [y] = through(name, layers, x, how, forLayers === undefined ? {} : { key: forLayers });
    const last = lastNorm(np.index(y, [], 0) as Value, params.blocks.norm, epsilon);
    return dense(params.head)(last as Value<D>);
  };
};

/**
 * The vision transformer: scores of the classes of images, float[batch, height, width, channels] → float[batch, classes].
 *
 * The patches ({@link patchesOf}) are mapped to rows, a learned row for the class is put before them, learned positions are added, and
 * after the layers the class is read from its row. `vit.init(key, config)`; the config is one plain object for parameters and model.
 *
 * A. Dosovitskiy et al., "An image is worth 16×16 words" (2021).
 *
 * @throws ShapeError for images and sizes that do not fit, TreeError for parameters of something else
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const config = { image: [8, 8], channels: 1, patch: 4, size: 8, heads: 2, layers: 2, classes: 10 } as const;
 * const params = nn.vit.init(random.key(0), config);
 * console.log(nn.vit(params, config)(np.ones([3, 8, 8, 1])).shape); // => [ 3, 10 ]
 * ```
 */
export const vit = Object.assign(apply, {
  /** A configured layer: `{ init(key), apply(params) }`. */
  layer: (config: VitConfig): Layer<VitParams, Tensor, Tensor> => ({
    name: 'vit',
    init: (key: Key): VitParams => vit.init(key, config),
    apply: (params: VitParams) => apply(params, config),
  }),
  init: (key: Key, config: VitConfig): VitParams => {
    const op = `${name}.init`;
    expectOptions(op, config, ...names);
    const { image, channels = 3, patch, size, heads, layers, classes, stacked = false, norm = 'pre' } = config;
    const [height, width] = image;
    expectSizes(op, { channels, patch, size, classes });
    if (height % patch !== 0 || width % patch !== 0) {
      throw new ShapeError({
        op,
        problem: `images of ${height}×${width} do not divide into patches of ${patch}`,
        remedy: 'let the edge of a patch divide height and width',
      });
    }
    const { feedForwardSize = 4 * size } = config;
    const [forPatches, forToken, forPositions, forBlocks, forHead] = split(key, 5);
    const count = (height / patch) * (width / patch);
    return {
      patches: dense.init(forPatches, patch * patch * channels, size),
      classToken: np.mul(normal(forToken, [size]), 0.02),
      positions: learnedPositions.init(forPositions, count + 1, size),
      blocks: transformerEncoder.init(forBlocks, {
        size,
        heads,
        layers,
        feedForwardSize,
        stacked,
        norm: norm === 'pre',
      }),
      head: dense.init(forHead, size, classes),
    };
  },
});
