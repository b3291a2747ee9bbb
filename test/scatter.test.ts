/** Points over two axes. */

import * as viz from 'pullback/viz';
import { expect, test } from 'vitest';

test('a scatter plot draws the points that can be placed, and lines', () => {
  const points = [
    [0, 1],
    [2, Number.NaN],
    [1, 0],
  ];
  const line = {
    name: 'fit',
    points: [
      [0, 0],
      [1, 1],
    ] as const,
  };
  const svg = viz.scatterPlot({ xLabel: 'x', yLabel: 'y', groups: [{ name: 'g', points }], lines: [line] });
  expect(svg.split('<circle').length - 1).toBe(2);
  expect(svg).toContain('g (1 not finite)');
  expect(svg).toContain('fit');
  const three = { xLabel: 'x', yLabel: 'y', groups: [{ name: 'g', points: [[1, 2, 3]] }] };
  expect(() => viz.scatterPlot(three)).toThrow('viz.scatterPlot: row 0 has 3 numbers');
});

test('a legend that is wider than the figure goes on in the next line', () => {
  const names = ['a name that is rather long', 'another that is as long', 'and a third one, longer still', 'short'];
  const series = names.map((name, i) => ({
    name,
    points: [
      [0, i],
      [1, i],
    ] as const,
  }));
  const svg = viz.lineChart({ title: 'four lines', xLabel: 'x', yLabel: 'y', series });
  const places = [...svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)">(?:a name|another|and a|short)/g)].map(
    ([, x, y]) => [Number(x), Number(y)],
  );
  expect(places.length).toBe(4);
  expect(new Set(places.map(([, y]) => y)).size).toBe(2);
  for (const [i, [x]] of places.entries()) expect(x! + 7 * names[i]!.length).toBeLessThanOrEqual(640);
});
