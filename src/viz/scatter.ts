/** Points over two axes. */

import * as Plot from '@observablehq/plot';
import { ShapeError } from '../core/errors.ts';
import { domainOf, type Series } from './curves.ts';
import { colourOf, dashOf, figure, isDrawable, plain } from './figure.ts';
import { type Grid, rowsOf } from './grid.ts';
import type { FigureOptions } from './options.ts';
import type { Range } from './plane.ts';

/** What a plot of points shows. */
export interface ScatterPlot extends FigureOptions {
  readonly xLabel: string;
  readonly yLabel: string;
  /** Points by the names of their groups, float[n, 2]; those that are not finite are left out, and their number is said in the legend. */
  readonly groups: readonly { readonly name: string; readonly points: Grid }[];
  /** Lines over them: what was fitted, or a truth. */
  readonly lines?: readonly Series[];
  /** From where to where; all points and lines unless said. */
  readonly x?: Range;
  readonly y?: Range;
}

/**
 * Draw points, a colour for each group, and lines over them.
 *
 * @throws ShapeError unless the points of a group have two numbers each
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * import { scatterPlot } from 'pullback/viz';
 * const points = random.normal(random.key(0), [100, 2]);
 * const svg = scatterPlot({ title: 'A cloud', xLabel: 'x', yLabel: 'y', groups: [{ name: 'samples', points }] });
 * console.log(svg.split('<circle').length - 1); // => 100
 * ```
 */
export function scatterPlot({ xLabel, yLabel, groups, lines = [], x, y, ...options }: ScatterPlot): string {
  const clouds = groups.map(({ name, points }) => {
    const rows = pairsOf(points);
    const drawn = rows.filter((row) => row.every(isDrawable));
    return { drawn, name: drawn.length === rows.length ? name : `${name} (${rows.length - drawn.length} not finite)` };
  });
  const all = [...clouds.flatMap(({ drawn }) => drawn), ...lines.flatMap(({ points }) => points)];
  const axis = (label: string, at: 0 | 1, range: Range | undefined) => ({
    label: plain(label),
    domain: range ?? domainOf(all.map((point) => point[at]).filter(isDrawable)),
    nice: range === undefined,
    grid: true,
    labelArrow: 'none' as const,
    labelAnchor: 'center' as const,
  });
  const after = clouds.length;
  return figure({
    ...options,
    legend: [
      ...clouds.map(({ name }, i) => ({ name, colour: colourOf(i) })),
      ...lines.map(({ name }, i) => ({ name, colour: colourOf(after + i), dash: dashOf(i) })),
    ],
    plot: {
      x: axis(xLabel, 0, x),
      y: axis(yLabel, 1, y),
      marks: [
        Plot.frame({ stroke: '#bbb' }),
        ...clouds.map(({ drawn }, i) =>
          Plot.dot(drawn, { fill: colourOf(i), fillOpacity: 0.6, r: drawn.length < 100 ? 4 : 2.2, clip: true }),
        ),
        ...lines.map(({ points }, i) =>
          Plot.line(
            points.map((point) => (point.every(isDrawable) ? point : [Number.NaN, Number.NaN])),
            { stroke: colourOf(after + i), strokeWidth: 2, strokeDasharray: dashOf(i), clip: true },
          ),
        ),
      ],
    },
  });
}

/** Rows of two numbers. */
function pairsOf(points: Grid): readonly (readonly [number, number])[] {
  const rows = rowsOf('viz.scatterPlot', points);
  const odd = rows.findIndex((row) => row.length !== 2);
  if (odd < 0) return rows as readonly (readonly [number, number])[];
  throw new ShapeError({
    op: 'viz.scatterPlot',
    problem: `row ${odd} has ${rows[odd]!.length} numbers`,
    remedy: 'give points of the plane, float[n, 2]',
  });
}
