/**
 * A set of handwritten-looking digits, made of random bits.
 *
 * Each image is a pure function of {@link wordsPerDigit} words: a hand's glyph, bent by a smooth random field, slanted, turned,
 * scaled and shifted, drawn by a pen of some width and softness on noisy paper. All arithmetic is +, −, ×, ÷ and square root, which
 * IEEE 754 defines to the last bit, and the bits are Threefry's: the same key gives the same bytes on every machine.
 *
 * Elastic distortion after P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural networks applied to
 * visual document analysis" (2003), with a cubic B-spline field in place of smoothed noise, applied to the pen's path.
 */

import type { LabelledImages } from '../io/mnist.ts';
import type { Key } from '../random/key.ts';
import { bits } from '../random/samplers.ts';
import { type Glyph, glyphs } from './glyphs.ts';

/** Rows and columns of an image. */
const side = 28;
const size = side * side;

/** Knots of the elastic field along each axis. */
const knots = 6;
/** Components of the field: displacement in x and y, and pressure of the pen. */
const components = 3;
const fieldWords = components * knots * knots;
const shapeWords = 12;
const noiseWords = size / 4;

/** Random 32-bit words that one image takes. */
export const wordsPerDigit = shapeWords + fieldWords + noiseWords;

/**
 * `count` handwritten-looking digits, 28 × 28 with classes 0–9, as they follow from `key`.
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * import { digits } from 'pullback/data';
 * const { rows, columns, labels } = await digits(random.key(0), 5);
 * console.log(rows, columns, labels); // => 28 28 Uint8Array(5) […]
 * ```
 */
export async function digits(key: Key, count: number): Promise<LabelledImages> {
  return drawDigits(await bits(key, [count, wordsPerDigit]).data());
}

/**
 * Draw one digit for each {@link wordsPerDigit} words.
 *
 * @param words - independent uniform bits, such as those of `random.bits`
 */
export function drawDigits(words: Uint32Array): LabelledImages {
  const count = Math.floor(words.length / wordsPerDigit);
  const pixels = new Uint8Array(count * size);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const own = words.subarray(i * wordsPerDigit, (i + 1) * wordsPerDigit);
    const label = Math.floor(10 * unit(own[0]!));
    labels[i] = label;
    drawDigit(label, own, pixels.subarray(i * size, (i + 1) * size));
  }
  return { count, rows: side, columns: side, pixels, labels };
}

/** A word as a number in [0, 1). */
const unit = (word: number): number => word / 2 ** 32;

function drawDigit(label: number, words: Uint32Array, pixels: Uint8Array): void {
  const between = (i: number, low: number, high: number): number => low + (high - low) * unit(words[i]!);
  const hands = glyphs[label]!;
  const glyph = hands[Math.floor(between(1, 0, hands.length))]!;
  const ink = paint(glyph, placement(between), penOf(between), words.subarray(shapeWords, shapeWords + fieldWords));
  const noise = words.subarray(shapeWords + fieldWords);
  const darkness = between(10, 170, 255);
  const grain = between(11, 0, 0.3);
  for (let i = 0; i < size; i++) {
    const byte = (noise[i >> 2]! >>> (8 * (i & 3))) & 255;
    pixels[i] = Math.min(255, Math.max(0, Math.round(darkness * ink[i]! + grain * (byte - 128))));
  }
}

type Between = (i: number, low: number, high: number) => number;

/** The map of the glyph's square to the image: scale, then slant, turn and shift. x′ = xx·x + xy·y + x0, likewise y′. */
interface Placement {
  readonly xx: number;
  readonly xy: number;
  readonly yx: number;
  readonly yy: number;
  readonly x0: number;
  readonly y0: number;
}

function placement(between: Between): Placement {
  const width = between(2, 0.16, 0.24);
  const height = between(3, 0.19, 0.25);
  const slant = between(4, -0.2, 0.35);
  // A turn by 2·atan(t): cosine and sine as rational functions, exact on every machine.
  const t = between(5, -0.1, 0.1);
  const cos = (1 - t * t) / (1 + t * t);
  const sin = (2 * t) / (1 + t * t);
  const xx = cos * width;
  const yx = sin * width;
  const xy = -(cos * slant + sin) * height;
  const yy = (cos - sin * slant) * height;
  const centre = side / 2 - 0.5;
  return {
    xx,
    xy,
    yx,
    yy,
    x0: centre + between(6, -1.5, 1.5) - 50 * (xx + xy),
    y0: centre + between(7, -1.5, 1.5) - 50 * (yx + yy),
  };
}

/** Half the width of the line, and how many pixels its edge takes from black to white. */
interface Pen {
  readonly radius: number;
  readonly softness: number;
}

const penOf = (between: Between): Pen => ({ radius: between(8, 0.7, 1.7), softness: between(9, 0.7, 1.7) });

/** Displacement of the elastic field, in hundredths of the glyph's square; and pressure, relative. */
const strength = [15, 15, 0.5] as const;

/** The smooth field at a point of the glyph's square: a uniform cubic B-spline over random knots, one value a component. */
function fieldAt(x: number, y: number, words: Uint32Array, out: Float64Array): void {
  // Glyphs stay inside [0, 100]; the spline's inner cells cover [−10, 110].
  const u = ((x + 10) / 120) * (knots - 3);
  const v = ((y + 10) / 120) * (knots - 3);
  const column = Math.min(Math.max(Math.floor(u), 0), knots - 4);
  const row = Math.min(Math.max(Math.floor(v), 0), knots - 4);
  splineWeights(u - column, acrossColumns);
  splineWeights(v - row, acrossRows);
  for (let c = 0; c < components; c++) {
    let sum = 0;
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 4; j++) {
        const knot = c * knots * knots + (row + i) * knots + column + j;
        sum += acrossRows[i]! * acrossColumns[j]! * (2 * unit(words[knot]!) - 1);
      }
    }
    out[c] = strength[c]! * sum;
  }
}

const acrossColumns = new Float64Array(4);
const acrossRows = new Float64Array(4);

function splineWeights(t: number, weights: Float64Array): void {
  const s = 1 - t;
  weights[0] = (s * s * s) / 6;
  weights[1] = (4 - 3 * t * t * (2 - t)) / 6;
  weights[2] = (4 - 3 * s * s * (2 - s)) / 6;
  weights[3] = (t * t * t) / 6;
}

/** The line as ink in [0, 1] for each pixel. */
function paint(glyph: Glyph, place: Placement, pen: Pen, field: Uint32Array): Float64Array {
  const ink = new Float64Array(size);
  const bend = new Float64Array(components);
  for (const path of glyph) {
    let [lastX, lastY, lastRadius] = [0, 0, 0];
    for (let k = 0; k < path.length; k += 2) {
      fieldAt(path[k]!, path[k + 1]!, field, bend);
      const x = path[k]! + bend[0]!;
      const y = path[k + 1]! + bend[1]!;
      const toX = place.xx * x + place.xy * y + place.x0;
      const toY = place.yx * x + place.yy * y + place.y0;
      const radius = pen.radius * (1 + bend[2]!);
      if (k > 0) paintSegment(ink, lastX, lastY, toX, toY, (lastRadius + radius) / 2, pen.softness);
      [lastX, lastY, lastRadius] = [toX, toY, radius];
    }
  }
  return ink;
}

/** A straight piece with round ends: ink falls from 1 to 0 across `softness` pixels about the distance `radius`. */
function paintSegment(
  ink: Float64Array,
  ax: number,
  ay: number,
  bx: number,
  by: number,
  radius: number,
  softness: number,
): void {
  const reach = radius + softness / 2;
  const [dx, dy] = [bx - ax, by - ay];
  const lengthSquared = dx * dx + dy * dy;
  const right = Math.min(side - 1, Math.floor(Math.max(ax, bx) + reach));
  const bottom = Math.min(side - 1, Math.floor(Math.max(ay, by) + reach));
  for (let y = Math.max(0, Math.ceil(Math.min(ay, by) - reach)); y <= bottom; y++) {
    for (let x = Math.max(0, Math.ceil(Math.min(ax, bx) - reach)); x <= right; x++) {
      const along = lengthSquared === 0 ? 0 : ((x - ax) * dx + (y - ay) * dy) / lengthSquared;
      const t = Math.min(1, Math.max(0, along));
      const [offX, offY] = [x - ax - t * dx, y - ay - t * dy];
      const covered = Math.min(1, (reach - Math.sqrt(offX * offX + offY * offY)) / softness);
      if (covered > ink[y * side + x]!) ink[y * side + x] = covered;
    }
  }
}
