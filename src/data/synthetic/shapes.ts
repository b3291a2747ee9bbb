/**
 * Pictures of coloured shapes with a sentence about them: small enough to learn from in minutes, and whether a caption is right can be
 * computed.
 *
 * A picture shows one shape and says where, or two and how they lie to each other. Edges are smooth: a pixel is the mean of sixteen
 * points, inside or not, so that pictures are the same on every machine.
 */

import { expectOptions } from '../../ops/untyped.ts';
import type { Key } from '../../random/key.ts';
import { expectCount } from '../counts.ts';
import type { Dataset } from '../dataset.ts';
import { type HostArray, madeOf } from '../element.ts';
import { type Chance, drawn } from './chance.ts';

/** A shape in a picture; the side of the picture is 1, with y downwards. */
export interface Shape {
  readonly kind: 'circle' | 'square' | 'triangle';
  readonly colour: keyof typeof colours;
  readonly size: 'small' | 'large';
  /** Its centre. */
  readonly x: number;
  readonly y: number;
}

/** A picture and what is to be said of it. */
export interface CaptionedPicture {
  /** float32[size, size, 3], from 0 to 1. */
  readonly image: HostArray<'float32'>;
  /** `a small red circle on the left`, or `a large blue square above a small green triangle`. */
  readonly caption: string;
  readonly shapes: readonly Shape[];
}

const colours = {
  red: [0.9, 0.1, 0.1],
  green: [0.1, 0.7, 0.2],
  blue: [0.1, 0.2, 0.9],
  yellow: [0.95, 0.85, 0.1],
  purple: [0.6, 0.1, 0.7],
  orange: [0.95, 0.5, 0.1],
} as const;

const kinds = ['circle', 'square', 'triangle'] as const;
const names = Object.keys(colours) as readonly Shape['colour'][];
const sizes = ['small', 'large'] as const;
/** Half of the height of a shape. */
const radii = { small: 0.1, large: 0.19 } as const;

const places = [
  ['on the left', 0.25, 0.5],
  ['on the right', 0.75, 0.5],
  ['at the top', 0.5, 0.25],
  ['at the bottom', 0.5, 0.75],
  ['in the middle', 0.5, 0.5],
] as const;

const relations = [
  ['left of', 0.25, 0.5],
  ['right of', 0.75, 0.5],
  ['above', 0.5, 0.25],
  ['below', 0.5, 0.75],
] as const;

const kindOf = (chance: Chance): Pick<Shape, 'kind' | 'colour' | 'size'> => ({
  kind: chance.pick(kinds),
  colour: chance.pick(names),
  size: chance.pick(sizes),
});

const say = ({ size, colour, kind }: Pick<Shape, 'kind' | 'colour' | 'size'>): string =>
  `a${/^[aeiou]/.test(size) ? 'n' : ''} ${size} ${colour} ${kind}`;

/** How far a shape may be from its place. */
const slack = 0.06;

function picture(chance: Chance, size: number): CaptionedPicture {
  const [first, second] = [kindOf(chance), kindOf(chance)];
  const two = chance.below(2) === 1;
  const [where, x, y] = chance.pick(places);
  const [relation, rx, ry] = chance.pick(relations);
  const shift = [0, 1, 2, 3].map(() => chance.between(-slack, slack)) as [number, number, number, number];
  const [px, py] = two ? [rx, ry] : [x, y];
  const shapes: Shape[] = [{ ...first, x: px + shift[0], y: py + shift[1] }];
  // The other one lies opposite.
  if (two) shapes.push({ ...second, x: 1 - px + shift[2], y: 1 - py + shift[3] });
  const caption = two ? `${say(first)} ${relation} ${say(second)}` : `${say(first)} ${where}`;
  return { image: madeOf('float32', [size, size, 3], drawing(shapes, size)), caption, shapes };
}

/** Is a point inside of a shape? */
function covers({ kind, size, x, y }: Shape, px: number, py: number): boolean {
  const r = radii[size];
  const [dx, dy] = [Math.abs(px - x), py - y];
  if (kind === 'circle') return dx * dx + dy * dy <= r * r;
  if (kind === 'square') return dx <= r && Math.abs(dy) <= r;
  // Its base is below; halfway down it is half as wide.
  return Math.abs(dy) <= r && dx <= (dy + r) / 2;
}

/** Points of a pixel along each axis. */
const samples = 4;

function drawing(shapes: readonly Shape[], size: number): Float32Array {
  const pixels = new Float32Array(size * size * 3).fill(1);
  for (const shape of shapes) {
    const colour = colours[shape.colour];
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        let inside = 0;
        for (let k = 0; k < samples * samples; k++) {
          const px = (column + ((k % samples) + 0.5) / samples) / size;
          const py = (row + (Math.floor(k / samples) + 0.5) / samples) / size;
          if (covers(shape, px, py)) inside++;
        }
        const share = inside / (samples * samples);
        for (let c = 0; c < 3 && share > 0; c++) {
          const at = (row * size + column) * 3 + c;
          pixels[at] = pixels[at]! * (1 - share) + colour[c]! * share;
        }
      }
    }
  }
  return pixels;
}

/** Options of {@link captionedShapes}. */
export interface ShapesOptions {
  /** Pixels of a side; default 32. */
  readonly size?: number;
}

/**
 * `count` pictures of one or two shapes, each of a kind, a colour and a size, with captions.
 *
 * @throws ShapeError unless the size is an integer of at least 8
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { random } from 'pullback';
 * import { captionedShapes, characters, dataset } from 'pullback/data';
 * const pictures = captionedShapes(random.key(0), 100);
 * const letters = characters([...pictures].map(({ caption }) => caption).join(''), { specials: ['<pad>'] });
 * const tokens = (caption: string) => letters.encode(caption.padEnd(60, ' '));
 * const batches = pipe(
 *   pictures,
 *   dataset.map(({ image, caption }) => ({ image, tokens: tokens(caption) })),
 *   dataset.batch(10),
 * );
 * const { image, tokens: text } = batches.at(0);
 * console.log(image.shape, text.shape); // => [ 10, 32, 32, 3 ] [ 10, 60 ]
 * ```
 */
export function captionedShapes(key: Key, count: number, options: ShapesOptions = {}): Dataset<CaptionedPicture> {
  const op = 'captionedShapes';
  expectOptions(op, options, 'size');
  const size = expectCount(op, 'the size', options.size ?? 32, 8);
  return drawn(op, key, count, 13, (chance) => picture(chance, size));
}
