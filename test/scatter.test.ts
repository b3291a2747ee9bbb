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
