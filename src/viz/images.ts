/** Images in rows, and attention over an image. */

import { showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { escaped, svgDocument } from './figure.ts';
import { type Grid, numbersOf, rowsOf } from './grid.ts';
import type { FigureOptions } from './options.ts';
import { pngAddress } from './png.ts';

/** What a grid of images shows. */
export interface ImageGrid extends Pick<FigureOptions, 'title'> {
  /** Numbers [n, height, width], or [n, height, width, channels] with 1 (grey), 3 (colours) or 4 channels (and opacity). */
  readonly images: Value;
  /** Numbers that are black and white; by default the least and the greatest of all. */
  readonly range?: readonly [black: number, white: number];
  /** Words under each image, in as many lines as they need. */
  readonly captions?: readonly string[];
  /** Images in a row; 10 unless said. */
  readonly columns?: number;
  /** Pixels of the figure for a pixel of an image; as many as make it about 56 wide unless said. */
  readonly scale?: number;
}

/**
 * Draw images in rows. Elements that are not finite are transparent.
 *
 * @throws ShapeError unless these are images, with a caption for each if there are captions
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * import { imageGrid } from 'pullback/viz';
 * const noise = random.uniform(random.key(0), [4, 8, 8, 3]);
 * const svg = imageGrid({ title: 'Noise', images: noise, captions: ['a', 'b', 'c', 'd'] });
 * console.log(svg.split('<image').length - 1); // => 4
 * ```
 */
export function imageGrid({ images, range, captions, columns = 10, scale, title = '' }: ImageGrid): string {
  const op = 'viz.imageGrid';
  const { count, height, width, addresses } = encoded(op, images, range);
  if (captions !== undefined && captions.length !== count) {
    throw new ShapeError({
      op,
      problem: `there are ${captions.length} captions of ${count} images`,
      remedy: 'give each image one',
    });
  }
  const size = scale ?? Math.max(1, Math.round(56 / width));
  const cells = addresses.map(
    (address, i) => [image(address, width * size, height * size, true), captions?.[i] ?? null] as const,
  );
  return inRows(title, cells, width * size, height * size, Math.min(columns, Math.max(count, 1)));
}

/** What attention over an image shows. */
export interface AttentionOverImage extends Pick<FigureOptions, 'title'> {
  /** [height, width] or [height, width, channels]. */
  readonly image: Value;
  /** For each step a matrix of weights over the image's regions, however coarse. */
  readonly weights: readonly Grid[];
  /** What each step said: the words of a caption. */
  readonly words: readonly string[];
  readonly columns?: number;
}

/**
 * Draw an image once for each step, bright where the step looks.
 *
 * @throws ShapeError unless there is a word for each matrix of weights
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * import { attentionOverImage } from 'pullback/viz';
 * const weights = [[[1, 0], [0, 0]], [[0, 0], [0, 1]]];
 * const svg = attentionOverImage({ image: np.ones([16, 16]), weights, words: ['a', 'circle'] });
 * console.log(svg.includes('circle')); // => true
 * ```
 */
export function attentionOverImage({
  image: picture,
  weights,
  words,
  columns = 6,
  title = '',
}: AttentionOverImage): string {
  const op = 'viz.attentionOverImage';
  if (weights.length !== words.length) {
    throw new ShapeError({
      op,
      problem: `there are ${weights.length} steps and ${words.length} words`,
      remedy: 'give each step its word',
    });
  }
  const flat = numbersOf(op, picture);
  const { height, width, addresses } = encodedNumbers(op, flat, [1, ...picture.shape], showAval(picture.aval));
  const size = Math.max(1, Math.round(112 / width));
  const [w, h] = [width * size, height * size];
  const cells = weights.map((grid, i) => {
    const shade = image(shadeOf(rowsOf(op, grid)), w, h, false);
    return [`${image(addresses[0]!, w, h, true)}${shade}`, words[i]!] as const;
  });
  return inRows(title, cells, w, h, Math.min(columns, Math.max(cells.length, 1)));
}

/** Black, the more opaque the less a region is looked at. */
function shadeOf(rows: readonly (readonly number[])[]): string {
  const [height, width] = [rows.length, rows[0]?.length ?? 0];
  const most = rows.flat().reduce((greatest, weight) => Math.max(greatest, weight), 1e-30);
  const rgba = new Uint8Array(height * width * 4);
  rows.flat().forEach((weight, i) => {
    rgba[4 * i + 3] = 200 * (1 - Math.min(1, Math.max(0, weight / most)));
  });
  return pngAddress(width, height, rgba);
}

/** Pixels from a line of a caption to the next, and about what a letter takes of it. */
const [lineHeight, letterWidth] = [14, 6.5];

/** The lines of a caption that fit below a cell, broken between words. */
function brokenInto(caption: string, width: number): readonly string[] {
  const room = width / letterWidth;
  const lines: string[] = [];
  for (const word of caption.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Cells under one another and side by side, each with a caption. */
function inRows(
  title: string,
  cells: readonly (readonly [svg: string, caption: string | null])[],
  width: number,
  height: number,
  columns: number,
): string {
  const gap = 6;
  const lines = cells.map(([, caption]) => (caption === null ? [] : brokenInto(caption, width)));
  const most = Math.max(0, ...lines.map(({ length }) => length));
  const [stepX, stepY] = [width + gap, height + gap + (most === 0 ? 0 : 2 + lineHeight * most)];
  const top = title === '' ? gap : 38;
  const parts = cells.map(([svg], i) => {
    const [x, y] = [gap + (i % columns) * stepX, top + Math.floor(i / columns) * stepY];
    const text = lines[i]!.map(
      (line, j) =>
        `<text x="${width / 2}" y="${height + 13 + lineHeight * j}" text-anchor="middle">${escaped(line)}</text>`,
    );
    return `<g transform="translate(${x},${y})">${svg}${text.join('')}</g>`;
  });
  const head =
    title === '' ? [] : [`<text x="${gap}" y="24" font-size="16" font-weight="600">${escaped(title)}</text>`];
  const total = Math.max(gap + columns * stepX, title.length * 10);
  const tall = top + Math.ceil(cells.length / columns) * stepY;
  return svgDocument(total, tall, title, [`<rect width="${total}" height="${tall}" fill="#fff"/>`, ...head, ...parts]);
}

const image = (address: string, width: number, height: number, pixelated: boolean): string =>
  `<image width="${width}" height="${height}" preserveAspectRatio="none"${pixelated ? ' style="image-rendering:pixelated"' : ''} href="${address}"/>`;

function encoded(op: string, images: Value, range?: readonly [number, number]) {
  return encodedNumbers(op, numbersOf(op, images), images.shape, showAval(images.aval), range);
}

/** Images of numbers as the addresses of their bytes. */
function encodedNumbers(
  op: string,
  numbers: readonly number[],
  shape: readonly number[],
  type: string,
  range?: readonly [number, number],
) {
  const [count = 0, height = 0, width = 0, channels = 1] = shape;
  if (shape.length < 3 || shape.length > 4 || ![1, 3, 4].includes(channels) || height * width === 0) {
    throw new ShapeError({
      op,
      problem: `these are no images: ${type}`,
      remedy: 'pass [n, height, width], or [n, height, width, channels] with 1, 3 or 4 channels',
    });
  }
  let [black, white] = range ?? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  if (range === undefined) {
    for (const x of numbers) if (Number.isFinite(x)) [black, white] = [Math.min(black, x), Math.max(white, x)];
  }
  const byte = (x: number): number => Math.round(255 * Math.min(1, Math.max(0, (x - black) / (white - black || 1))));
  const pixels = height * width;
  const addresses = Array.from({ length: count }, (_, n) => {
    const rgba = new Uint8Array(4 * pixels);
    for (let p = 0; p < pixels; p++) {
      const at = (n * pixels + p) * channels;
      const pixel = numbers.slice(at, at + channels);
      if (!pixel.every(Number.isFinite)) continue;
      const [red, green = red, blue = red, opacity] = pixel.map(byte);
      rgba.set([red!, green!, blue!, opacity ?? 255], 4 * p);
    }
    return pngAddress(width, height, rgba);
  });
  return { count, height, width, addresses };
}
