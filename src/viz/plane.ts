/** Functions of the plane: contours with the paths that optimizers take on them, and where classifiers decide. */

import * as Plot from '@observablehq/plot';
import { makeAval, showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { tensorFrom, type Value } from '../core/value.ts';
import { domainOf, type Series } from './curves.ts';
import { colourOf, dashOf, figure, isDrawable, legendHeight, plain } from './figure.ts';
import { type Grid, numbersOf, rowsOf } from './grid.ts';
import type { FigureOptions } from './options.ts';
import { bytesOfColour, pngAddress } from './png.ts';

/** From and to. */
export type Range = readonly [from: number, to: number];

/** The centres of `n`×`n` cells, row by row: float32[n·n, 2]. */
function centres([x1, x2]: Range, [y1, y2]: Range, n: number): Value<'float32'> {
  const points = new Float32Array(n * n * 2);
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      points[2 * (j * n + i)] = x1 + ((i + 0.5) / n) * (x2 - x1);
      points[2 * (j * n + i) + 1] = y1 + ((j + 0.5) / n) * (y2 - y1);
    }
  }
  return tensorFrom(makeAval([n * n, 2], 'float32'), points) as Value<'float32'>;
}

const axes = (x: Range, y: Range, xLabel: string, yLabel: string) => ({
  x: { domain: x, label: plain(xLabel), labelArrow: 'none' as const, labelAnchor: 'center' as const },
  y: { domain: y, label: plain(yLabel), labelArrow: 'none' as const, labelAnchor: 'center' as const },
});

/** What a plot of contours shows. */
export interface ContourPlot extends FigureOptions {
  /** Values of points: float32[n, 2] → float[n]. */
  readonly f: (points: Value<'float32'>) => Value;
  readonly x: Range;
  readonly y: Range;
  readonly xLabel?: string;
  readonly yLabel?: string;
  /** Paths over the contours: a dot for each point, such as the parameters after each step. */
  readonly paths?: readonly Series[];
  /** Contours; about 20 unless said. */
  readonly levels?: number;
  /** Points along each axis at which `f` is taken; 80 unless said. */
  readonly resolution?: number;
}

/**
 * Draw the contours of a function of two variables, and paths on them.
 *
 * Contours are at equal parts of the values' ranks, so that a valley shows beside cliffs.
 *
 * @throws ShapeError if `f` does not return one number for each point
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * import { contourPlot } from 'pullback/viz';
 * const svg = contourPlot({
 *   f: (p) => np.sum(np.multiply(np.square(p), np.array([1, 5])), 1),
 *   x: [-2, 2],
 *   y: [-1, 1],
 *   paths: [{ name: 'gradient descent', points: [[-2, 1], [-1, -0.4], [0, 0]] }],
 * });
 * console.log(svg.includes('gradient descent')); // => true
 * ```
 */
export function contourPlot(plot: ContourPlot): string {
  const { f, x, y, xLabel = 'x', yLabel = 'y', paths = [], levels = 20, resolution = 80, ...options } = plot;
  const values = valuesOf('viz.contourPlot', f(centres(x, y, resolution)), resolution);
  const ranked = values.filter(isDrawable).sort((a, b) => a - b);
  // From the least value on, so that no part is left white.
  const thresholds = Array.from({ length: levels }, (_, i) => ranked[Math.floor((i / levels) * ranked.length)] ?? 0);
  const [least, greatest] = domainOf(ranked);
  return figure({
    ...options,
    legend: paths.map(({ name }, i) => ({ name, colour: colourOf(i + 1), dash: dashOf(i) })),
    plot: {
      ...axes(x, y, xLabel, yLabel),
      color: {
        type: 'quantile',
        domain: ranked.length > 0 ? ranked : [least, greatest],
        n: 9,
        scheme: 'blues',
        reverse: true,
      },
      marks: [
        Plot.contour(values, {
          width: resolution,
          height: resolution,
          x1: x[0],
          x2: x[1],
          y1: y[0],
          y2: y[1],
          thresholds: [...new Set(thresholds)],
          fill: Plot.identity,
          stroke: '#fff',
          strokeWidth: 0.6,
          clip: true,
        }),
        Plot.frame({ stroke: '#bbb' }),
        ...paths.flatMap(({ points }, i) => {
          const path = points.map((point) => (point.every(isDrawable) ? point : [Number.NaN, Number.NaN]));
          const colour = colourOf(i + 1);
          return [
            Plot.line(path, { stroke: colour, strokeWidth: 1.8, strokeDasharray: dashOf(i), clip: true }),
            Plot.dot(path, { fill: colour, r: 2.4, clip: true }),
          ];
        }),
      ],
    },
  });
}

/** What a picture of decisions shows. */
export interface DecisionBoundary extends FigureOptions {
  /** Scores of points: float32[n, 2] → float[n, classes], or float[n] for two classes that 0 divides. */
  readonly scores: (points: Value<'float32'>) => Value;
  /** Points that are drawn: float[n, 2]. */
  readonly points: Grid;
  /** The class of each point. */
  readonly labels: readonly number[];
  readonly xLabel?: string;
  readonly yLabel?: string;
  /** Points along each axis at which the scores are taken; 120 unless said. */
  readonly resolution?: number;
}

/**
 * Draw which class a model of two features gives to each point of the plane, with labelled points over it.
 *
 * Regions have the colours of their classes, paler where the second class is close; lines are where two are equal.
 *
 * @throws ShapeError unless there are scores for each point, and a label
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * import { decisionBoundary } from 'pullback/viz';
 * const svg = decisionBoundary({ scores: (p) => np.sum(p, 1), points: [[0, 1], [-1, -1]], labels: [1, 0] });
 * console.log(svg.includes('<image')); // => true
 * ```
 */
export function decisionBoundary(plot: DecisionBoundary): string {
  const op = 'viz.decisionBoundary';
  const { scores, points, labels, xLabel = 'x₁', yLabel = 'x₂', resolution: n = 120, ...options } = plot;
  const rows = rowsOf(op, points);
  if (rows.length !== labels.length) {
    throw new ShapeError({
      op,
      problem: `there are ${rows.length} points and ${labels.length} labels`,
      remedy: 'label each point',
    });
  }
  const [x, y] = [0, 1].map((axis) => around(rows.map((row) => row[axis]!))) as [Range, Range];
  const margins = marginsOf(op, scores(centres(x, y, n)), n);
  const { width = 560, height = 480 } = options;
  const isOf = (k: number) => (_: unknown, i: number) => labels[i] === k;
  const legend = margins.map((_, k) => ({ name: `class ${k}`, colour: colourOf(k) }));
  return figure({
    ...options,
    width,
    height,
    legend,
    plot: {
      ...axes(x, y, xLabel, yLabel),
      marks: [
        Plot.image([regions(margins, n)], {
          x: (x[0] + x[1]) / 2,
          y: (y[0] + y[1]) / 2,
          src: (address: string) => address,
          // Of the frame, which ends at the default margins.
          width: width - 84,
          height: height - 46 - 20 - (options.title ? 24 : 0) - legendHeight(legend, width),
          preserveAspectRatio: 'none',
        }),
        ...margins.map((margin) =>
          Plot.contour(margin, {
            width: n,
            height: n,
            x1: x[0],
            x2: x[1],
            y1: y[0],
            y2: y[1],
            thresholds: [0],
            stroke: '#444',
            strokeWidth: 1,
            fill: 'none',
          }),
        ),
        Plot.frame({ stroke: '#bbb' }),
        ...margins.map((_, k) =>
          Plot.dot(rows.filter(isOf(k)), { fill: colourOf(k), stroke: '#fff', strokeWidth: 0.7, r: 3 }),
        ),
      ],
    },
  });
}

/** A range with a margin of a tenth. */
function around(values: readonly number[]): Range {
  const [low, high] = domainOf(values.filter(isDrawable));
  return [low - 0.1 * (high - low), high + 0.1 * (high - low)];
}

/** How far each class is ahead of the best other one, in each cell. */
function marginsOf(op: string, scores: Value, n: number): readonly (readonly number[])[] {
  if (scores.ndim === 1) {
    const positive = valuesOf(op, scores, n);
    return [positive.map((score) => -score), positive];
  }
  const rows = scores.ndim === 2 && scores.shape[0] === n * n && scores.shape[1]! > 1 ? rowsOf(op, scores) : null;
  if (rows === null) throw notScores(op, scores, n);
  return rows[0]!.map((_, k) => rows.map((row) => row[k]! - Math.max(...row.filter((_, other) => other !== k))));
}

function valuesOf(op: string, values: Value, n: number): number[] {
  if (values.ndim === 1 && values.shape[0] === n * n) return numbersOf(op, values);
  throw notScores(op, values, n);
}

const notScores = (op: string, scores: Value, n: number): ShapeError =>
  new ShapeError({
    op,
    problem: `of float32[${n * n},2] the function has made ${showAval(scores.aval)}`,
    remedy: `return one row for each point, float32[${n * n}]${op === 'viz.decisionBoundary' ? ` or float32[${n * n},classes]` : ''}`,
  });

/** The class that is ahead in each cell as its colour, the further ahead the stronger. */
function regions(margins: readonly (readonly number[])[], n: number): string {
  const rgba = new Uint8Array(n * n * 4);
  const ahead = Array.from({ length: n * n }, (_, i) => Math.max(...margins.map((margin) => margin[i]!)));
  const typical = ahead.filter(isDrawable).reduce((sum, x) => sum + x, 0) / ahead.length || 1;
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      const cell = j * n + i;
      const best = margins.findIndex((margin) => margin[cell] === ahead[cell]);
      if (best < 0) continue;
      // An image begins on top, the plane below.
      const at = 4 * ((n - 1 - j) * n + i);
      rgba.set(bytesOfColour(colourOf(best)), at);
      rgba[at + 3] = 30 + 90 * Math.min(1, ahead[cell]! / (2 * typical));
    }
  }
  return pngAddress(n, n, rgba);
}
