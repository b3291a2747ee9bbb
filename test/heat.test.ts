/** Words in the cells of a heat map, and paths over them. */

import * as viz from 'pullback/viz';
import { expect, test } from 'vitest';

test('a heat map writes words over numbers, and draws paths from cell to cell', () => {
  const values = [
    [0, -1],
    [-0.01, -2],
  ];
  const text = [
    ['•', '←'],
    ['↑', '<'],
  ];
  const points = [
    [1, 1],
    [0, 1],
    [0, 0],
  ] as const;
  const svg = viz.heatMap({ values, text, digits: 1, paths: [{ name: 'the way', points }] });
  for (const written of ['>the way<', '>•<', '>↑<', '>&lt;<', '>0.0<', '>-2.0<']) expect(svg).toContain(written);
  expect(svg).not.toContain('>-0.0<');
  const [, way = ''] = /<path[^>]* d="(M[\d.]+,[\d.]+(?:L[\d.]+,[\d.]+){2})"/.exec(svg) ?? [];
  const [x0, y0, x1, y1, x2, y2] = way.match(/[\d.]+/g)!.map(Number);
  // From the lower right cell to the left, then up.
  expect(x1).toBeLessThan(x0!);
  expect(y1).toBe(y0);
  expect(x2).toBe(x1);
  expect(y2).toBeLessThan(y1!);
  // Words alone, without numbers.
  const words = viz.heatMap({ values, text });
  expect(words).toContain('>•<');
  expect(words).not.toContain('>0.0<');
});

test('a heat map refuses words that are missing, and paths that leave it', () => {
  const values = [[1, 2]];
  expect(() => viz.heatMap({ values, text: [['a']] })).toThrow('viz.heatMap: row 0 has 1 words for 2 cells');
  expect(() => viz.heatMap({ values, text: [] })).toThrow('viz.heatMap: there are 0 rows of words for 1 of numbers');
  for (const point of [
    [0, 1],
    [0.5, 0],
    [-1, 0],
    [Number.NaN, 0],
  ] as const)
    expect(() => viz.heatMap({ values, paths: [{ name: 'out', points: [point] }] })).toThrow(
      'viz.heatMap: the path out passes [',
    );
});
