/** Lines over two axes, and histograms. */

import * as Plot from '@observablehq/plot';
import { colourOf, dashOf, figure, isDrawable, plain } from './figure.ts';
import type { FigureOptions } from './options.ts';

/** A named line. */
export interface Series {
  readonly name: string;
  /** Points in the order in which they are joined; one with a NaN or an infinity is a gap. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What a chart shows. */
export interface LineChart extends FigureOptions {
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Of an axis; on a logarithmic one numbers that are not positive are gaps. Linear unless said. */
  readonly xScale?: 'linear' | 'log';
  readonly yScale?: 'linear' | 'log';
}

/** An axis from what is on it; an empty one runs from 0 to 1, and what says nothing of a length has some around it. */
export function domainOf(values: readonly number[], scale: 'linear' | 'log' = 'linear'): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const x of values) [low, high] = [Math.min(low, x), Math.max(high, x)];
  if (low > high) return scale === 'log' ? [1, 10] : [0, 1];
  // In between two subnormal numbers, or far from 0, there is no room for ticks.
  if (high - low > 1e-12 * Math.max(Math.abs(low), Math.abs(high)) && high - low > 1e-290) return [low, high];
  return scale === 'log'
    ? [low / 2, high * 2]
    : [low - Math.max(0.5, Math.abs(low) / 2), high + Math.max(0.5, Math.abs(high) / 2)];
}

/**
 * Draw lines over two axes, with ticks, a grid and a legend.
 *
 * @example
 * ```ts
 * import { lineChart } from 'pullback/viz';
 * const points = [0, 1, 2, 3].map((x): [number, number] => [x, x * x]);
 * const svg = lineChart({ title: 'Squares', xLabel: 'x', yLabel: 'x²', series: [{ name: 'x²', points }] });
 * console.log(svg.startsWith('<svg ')); // => true
 * ```
 */
export function lineChart(chart: LineChart): string {
  const { xLabel, yLabel, series, xScale = 'linear', yScale = 'linear', ...options } = chart;
  const placed = (x: number, scale: 'linear' | 'log'): boolean => isDrawable(x) && (scale === 'linear' || x > 0);
  const isPoint = ([x, y]: Series['points'][number]): boolean => placed(x, xScale) && placed(y, yScale);
  const points = series.flatMap((line) => line.points.filter(isPoint));
  const lines = series.flatMap(({ points }, i) => {
    const alone = points.filter(
      (point, k) => isPoint(point) && ![k - 1, k + 1].some((j) => points[j] && isPoint(points[j])),
    );
    return [
      Plot.line(
        points.map((point) => (isPoint(point) ? point : [Number.NaN, Number.NaN])),
        { stroke: colourOf(i), strokeWidth: 2, strokeDasharray: dashOf(i), clip: true },
      ),
      ...(alone.length > 0 ? [Plot.dot(alone, { fill: colourOf(i), r: 3 })] : []),
    ];
  });
  const axis = (label: string, at: 0 | 1, type: 'linear' | 'log') => ({
    label: plain(label),
    type,
    domain: domainOf(
      points.map((point) => point[at]),
      type,
    ),
    nice: type === 'linear',
    ...(type === 'log' ? { tickFormat: shownPower } : {}),
    grid: true,
    labelArrow: 'none' as const,
    labelAnchor: 'center' as const,
  });
  return figure({
    ...options,
    legend: series.map(({ name }, i) => ({ name, colour: colourOf(i), dash: dashOf(i) })),
    plot: { x: axis(xLabel, 0, xScale), y: axis(yLabel, 1, yScale), marks: [Plot.frame({ stroke: '#bbb' }), ...lines] },
  });
}

/** A tick of a logarithmic axis: 0.01, 1, 100, and 1e-7. */
const shownPower = (x: number): string => (x >= 1e-3 && x < 1e5 ? String(x) : x.toExponential().replace('+', ''));

/** What a histogram shows. */
export interface Histogram extends FigureOptions {
  readonly xLabel: string;
  /** Numbers by the names of their groups; those that are not finite are left out, and their number is said in the legend. */
  readonly groups: readonly { readonly name: string; readonly values: readonly number[] }[];
  /** Bars from the least number to the greatest; 30 unless said. */
  readonly bins?: number;
}

/**
 * Draw how often numbers fall between others, a colour for each group.
 *
 * @example
 * ```ts
 * import { histogram } from 'pullback/viz';
 * const svg = histogram({ title: 'Weights', xLabel: 'w', groups: [{ name: 'layer 1', values: [0, 0.5, 0.5, 1] }] });
 * console.log(svg.includes('layer 1')); // => true
 * ```
 */
export function histogram({ xLabel, groups, bins = 30, ...options }: Histogram): string {
  const finite = groups.map(({ values }) => values.filter(isDrawable));
  const [low, high] = domainOf(finite.flat());
  const width = (high - low) / bins;
  const marks = finite.map((values, i) => {
    const counts = new Array<number>(bins).fill(0);
    // The greatest number belongs to the last bar.
    for (const x of values) counts[Math.min(bins - 1, Math.floor((x - low) / width))]! += 1;
    const bars = counts.flatMap((count, k) =>
      count === 0 ? [] : [{ x1: low + k * width, x2: low + (k + 1) * width, count }],
    );
    return Plot.rect(bars, {
      x1: 'x1',
      x2: 'x2',
      y1: 0,
      y2: 'count',
      fill: colourOf(i),
      fillOpacity: 0.55,
      inset: 0.5,
    });
  });
  return figure({
    ...options,
    legend: groups.map(({ name, values }, i) => {
      const left = values.length - finite[i]!.length;
      return { name: left === 0 ? name : `${name} (${left} not finite)`, colour: colourOf(i) };
    }),
    plot: {
      x: { label: plain(xLabel), domain: [low, high], labelArrow: 'none', labelAnchor: 'center' },
      y: { label: 'count', grid: true, labelArrow: 'none', labelAnchor: 'center' },
      marks: [Plot.ruleY([0]), ...marks],
    },
  });
}
