/**
 * How the ten digits are written by hand: the paths of a pen.
 *
 * A glyph is a few strokes, a stroke the points that the pen passes through (joined by a smooth curve), on a square of
 * 100 × 100 with y downwards. A corner is the end of one stroke and the beginning of the next. The hands differ as people's do:
 * a one with and without its flag, an open and a closed four, a barred seven.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as RA from 'fp-ts/lib/ReadonlyArray.js';

/** Points of a curve: x₀, y₀, x₁, y₁, … */
export type Path = Float64Array;

/** The strokes of one digit by one hand. */
export type Glyph = readonly Path[];

const hands: readonly (readonly string[])[] = [
  [
    '52,10 32,18 23,50 31,82 50,90 69,81 77,50 69,19 50,10 42,12',
    '60,14 42,11 29,34 27,62 38,86 57,88 71,66 72,35 60,14 50,9',
    '66,22 52,10 31,22 23,52 33,84 52,90 71,76 77,46 66,17 48,12 40,16',
    '48,12 28,30 26,66 44,90 66,84 76,56 70,24 50,10',
  ],
  [
    '50,8 50,50 50,92',
    '36,30 46,22 54,8 / 54,8 53,50 52,92',
    '34,28 54,8 / 54,8 54,90 / 34,91 74,90',
    '60,8 52,50 42,92',
    '42,20 54,9 / 54,9 50,50 50,92',
  ],
  [
    '24,28 34,12 54,8 71,20 68,40 48,64 24,88 / 24,88 50,87 78,88',
    '26,26 40,10 61,12 71,30 60,54 38,78 25,87 22,79 32,74 54,84 78,86',
    '22,24 44,8 67,18 65,42 43,70 22,90 / 22,90 50,84 80,88',
    '28,18 52,9 70,22 60,46 26,86 / 26,86 76,84',
    '30,30 34,14 56,10 68,26 56,50 30,78 24,88 36,80 56,82 72,92 80,84',
  ],
  [
    '26,18 46,8 67,16 67,34 44,46 / 44,46 69,54 75,74 56,90 24,84',
    '24,12 72,12 / 72,12 46,42 / 46,42 70,50 76,72 56,90 24,84',
    '28,16 50,8 69,22 60,40 42,46 60,50 75,67 64,87 42,91 22,80',
    '30,14 58,10 66,28 46,44 / 40,45 66,50 70,74 50,92 24,86',
  ],
  [
    '34,10 29,34 24,56 / 24,56 50,56 78,54 / 64,14 62,50 60,92',
    '62,92 62,50 62,8 / 62,8 20,62 / 20,62 82,62',
    '30,10 25,36 31,53 52,55 70,47 / 70,9 66,50 62,92',
    '50,8 20,58 / 20,58 80,56 / 58,40 56,92',
    '36,14 24,50 / 24,50 46,56 72,48 / 72,12 68,40 66,92',
  ],
  [
    '72,12 32,12 / 32,12 28,46 / 28,46 50,38 73,52 73,76 52,91 24,82',
    '70,10 37,13 31,43 54,42 73,58 68,83 45,92 22,82',
    '34,10 29,44 / 29,44 54,42 73,60 64,86 40,92 22,83 / 34,10 74,9',
    '76,10 40,12 / 40,12 32,44 / 32,44 58,44 70,64 58,86 28,90',
  ],
  [
    '66,10 42,27 27,57 30,82 50,92 70,82 72,63 54,51 35,60 28,74',
    '50,8 33,36 27,66 38,89 60,88 71,69 59,55 39,60 28,76',
    '40,8 30,34 28,64 36,87 56,90 71,76 62,58 43,57 29,70',
    '70,16 48,12 30,40 28,74 46,92 68,82 66,62 46,56 30,68',
  ],
  [
    '22,14 50,13 76,12 / 76,12 56,48 44,92',
    '22,14 50,13 76,12 / 76,12 54,52 42,92 / 36,52 68,50',
    '24,26 25,12 / 25,12 76,12 / 76,12 60,44 52,92',
    '20,20 42,12 70,12 70,30 56,58 48,92',
    '26,10 74,14 / 74,14 62,50 38,90',
  ],
  [
    '66,20 50,8 32,18 36,37 58,50 71,69 60,89 40,90 29,74 40,54 61,39 68,22 58,10',
    '50,48 33,34 36,15 54,8 67,20 64,37 50,48 / 50,48 31,62 29,80 48,92 69,82 69,63 50,48',
    '70,14 48,9 34,23 47,46 65,67 57,88 37,88 31,70 50,48 70,28 70,14',
    '60,12 40,12 34,28 50,45 68,62 66,84 46,92 30,80 36,60 56,44 66,26 58,11',
  ],
  [
    '68,30 53,46 33,40 31,20 50,8 67,18 68,32 / 68,30 67,60 66,92',
    '70,26 55,10 35,16 30,35 45,48 64,39 70,22 70,52 61,80 42,91 28,86',
    '68,14 46,10 31,28 40,46 59,40 70,16 / 70,16 66,50 58,92',
    '66,20 46,9 30,24 36,44 58,44 68,22 / 68,22 64,60 44,92',
  ],
];

function glyphOf(text: string): Glyph {
  return text.split(' / ').map((stroke) => smooth(stroke.split(' ').map((point) => point.split(',').map(Number))));
}

const stepsPerSpan = 6;

/**
 * The Catmull–Rom curve through points, as a polyline: on each span the cubic with value pᵢ, pᵢ₊₁ and slope
 * (pᵢ₊₁ − pᵢ₋₁)/2, (pᵢ₊₂ − pᵢ)/2 at its ends. An end counts twice.
 */
function smooth(points: readonly (readonly number[])[]): Path {
  const at = (i: number, axis: number): number => points[Math.min(Math.max(i, 0), points.length - 1)]![axis]!;
  const spans = points.length - 1;
  const path = new Float64Array(2 * (spans * stepsPerSpan + 1));
  for (let k = 0; k <= spans * stepsPerSpan; k++) {
    const i = Math.min(Math.floor(k / stepsPerSpan), spans - 1);
    const t = k / stepsPerSpan - i;
    for (let axis = 0; axis < 2; axis++) {
      const [a, b, c, d] = [at(i - 1, axis), at(i, axis), at(i + 1, axis), at(i + 2, axis)];
      path[2 * k + axis] = b + (t / 2) * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
    }
  }
  return path;
}

/** The glyphs of each digit, by class. */
export const glyphs: readonly (readonly Glyph[])[] = pipe(hands, RA.map(RA.map(glyphOf)));
