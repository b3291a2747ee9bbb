/** Matrices as colours: heat maps, and attention over words. */

import * as Plot from '@observablehq/plot';
import { ShapeError } from '../core/errors.ts';
import type { Series } from './curves.ts';
import { colourOf, dashOf, figure, isDrawable, plain } from './figure.ts';
import { type Grid, rowsOf } from './grid.ts';
import type { FigureOptions } from './options.ts';

/** What a heat map shows. */
export interface HeatMap extends FigureOptions {
  readonly values: Grid;
  /** Names of the columns, under them. */
  readonly xLabel?: string;
  readonly columns?: readonly string[];
  /** Names of the rows, beside them. */
  readonly yLabel?: string;
  readonly rows?: readonly string[];
  /** Write the numbers into the cells: with so many digits after the point. */
  readonly digits?: number;
  /** Words in the cells, over the number if there is one: the move of a policy, say. */
  readonly text?: readonly (readonly string[])[];
  /** Paths from cell to cell, by [column, row]. */
  readonly paths?: readonly Series[];
  /**
   * `'sequential'` from light to dark (default), or `'diverging'`: blue below 0, white at 0, red above.
   */
  readonly colours?: 'sequential' | 'diverging';
}

/**
 * Draw a matrix as coloured cells, row 0 on top. Elements that are not finite are left white.
 *
 * @throws ShapeError for rows of different lengths, or as many names or words as there are not, and for a path that leaves the matrix
 *
 * @example
 * ```ts
 * import { heatMap } from 'pullback/viz';
 * import { np } from 'pullback';
 * const svg = heatMap({ title: 'Confusion', values: np.array([[5, 1], [0, 4]]), rows: ['cat', 'dog'], digits: 0 });
 * console.log(svg.includes('dog')); // => true
 * ```
 */
export function heatMap({
  values,
  xLabel = '',
  yLabel = '',
  columns,
  rows,
  digits,
  text,
  paths = [],
  colours = 'sequential',
  ...options
}: HeatMap): string {
  const op = 'viz.heatMap';
  const matrix = rowsOf(op, values);
  const [height, width] = [matrix.length, matrix[0]?.length ?? 0];
  const rowNames = namesOf(op, 'rows', rows, height);
  const columnNames = namesOf(op, 'columns', columns, width);
  if (text !== undefined) expectWords(op, text, height, width);
  for (const path of paths) expectWithin(op, path, height, width);
  const cells = matrix.flatMap((row, y) => row.flatMap((value, x) => (isDrawable(value) ? [{ x, y, value }] : [])));
  const { least, greatest } = rangeOf(
    cells.map(({ value }) => value),
    colours,
  );
  const dark = (value: number): boolean => {
    const at = (value - least) / (greatest - least);
    return colours === 'sequential' ? at > 0.55 : Math.abs(at - 0.5) > 0.3;
  };
  const longest = (names: readonly string[]): number => Math.max(0, ...names.map((name) => name.length));
  const turned = longest(columnNames) * 7 > 520 / Math.max(width, 1);
  const written = ({ x, y, value }: { readonly x: number; readonly y: number; readonly value: number }): string =>
    [
      ...(text === undefined ? [] : [plain(text[y]![x]!)]),
      ...(digits === undefined ? [] : [roundedTo(digits, value)]),
    ].join('\n');
  return figure({
    ...options,
    legend: paths.map(({ name }, i) => ({ name, colour: colourOf(i + 1), dash: dashOf(i) })),
    plot: {
      marginLeft: 24 + 7 * longest(rowNames) + (yLabel === '' ? 0 : 16),
      marginBottom: (turned ? 24 + 6 * longest(columnNames) : 30) + (xLabel === '' ? 0 : 16),
      padding: 0,
      x: {
        domain: columnNames.map((_, i) => i),
        tickFormat: (i: number) => columnNames[i]!,
        tickRotate: turned ? -60 : 0,
        label: xLabel === '' ? null : plain(xLabel),
        tickSize: 0,
      },
      y: {
        domain: rowNames.map((_, i) => i),
        tickFormat: (i: number) => rowNames[i]!,
        label: yLabel === '' ? null : plain(yLabel),
        tickSize: 0,
      },
      color: {
        type: 'linear',
        scheme: colours === 'sequential' ? 'blues' : 'rdbu',
        reverse: colours === 'diverging',
        domain: [least, greatest],
      },
      marks: [
        Plot.cell(cells, { x: 'x', y: 'y', fill: 'value', inset: 0.5 }),
        ...paths.flatMap(({ points }, i) => [
          Plot.line(points, {
            stroke: colourOf(i + 1),
            strokeWidth: 3,
            strokeDasharray: dashOf(i),
            strokeOpacity: 0.6,
          }),
          Plot.dot(points.slice(0, 1), { fill: colourOf(i + 1), r: 5 }),
        ]),
        ...(digits === undefined && text === undefined
          ? []
          : [
              Plot.text(cells, {
                x: 'x',
                y: 'y',
                text: written,
                fill: ({ value }: { value: number }) => (dark(value) ? '#fff' : '#222'),
              }),
            ]),
      ],
    },
  });
}

function rangeOf(values: readonly number[], colours: 'sequential' | 'diverging') {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const x of values) [least, greatest] = [Math.min(least, x), Math.max(greatest, x)];
  if (values.length === 0) return { least: 0, greatest: 1 };
  if (colours === 'diverging') {
    const furthest = Math.max(Math.abs(least), Math.abs(greatest)) || 1;
    return { least: -furthest, greatest: furthest };
  }
  return greatest > least ? { least, greatest } : { least: least - 1, greatest };
}

/** The names of rows or columns as they were given, or their numbers while these are few. */
function namesOf(op: string, what: string, names: readonly string[] | undefined, count: number): readonly string[] {
  if (names === undefined) {
    const every = Math.ceil(count / 20);
    return Array.from({ length: count }, (_, i) => (i % every === 0 ? String(i) : ''));
  }
  if (names.length === count) return names.map(plain);
  throw new ShapeError({
    op,
    problem: `there are ${names.length} names of ${count} ${what}`,
    remedy: 'name each of them',
  });
}

/** With so many digits after the point; what rounds to zero has no sign. */
const roundedTo = (digits: number, value: number): string => value.toFixed(digits).replace(/^-(0(?:\.0*)?)$/, '$1');

/** @throws ShapeError unless there is a word for each cell */
function expectWords(op: string, text: readonly (readonly string[])[], height: number, width: number): void {
  const odd = text.findIndex((row) => row.length !== width);
  if (text.length === height && odd < 0) return;
  throw new ShapeError({
    op,
    problem:
      odd < 0
        ? `there are ${text.length} rows of words for ${height} of numbers`
        : `row ${odd} has ${text[odd]!.length} words for ${width} cells`,
    remedy: "give a word for each cell; '' is none",
  });
}

/** @throws ShapeError if a path leaves the matrix, or goes between cells */
function expectWithin(op: string, { name, points }: Series, height: number, width: number): void {
  const isCell = (i: number, count: number): boolean => Number.isInteger(i) && i >= 0 && i < count;
  const odd = points.find(([x, y]) => !isCell(x, width) || !isCell(y, height));
  if (odd === undefined) return;
  throw new ShapeError({
    op,
    problem: `the path ${plain(name)} passes [${odd.join(', ')}], which is no cell of ${height} rows and ${width} columns`,
    remedy: 'give points as [column, row], counted from 0',
  });
}

/** What attention over words shows. */
export interface AttentionOverWords extends FigureOptions {
  /** Weights float[queries, keys], such as the rows that softmax has made. */
  readonly weights: Grid;
  /** The words that ask, one for each row. */
  readonly queries: readonly string[];
  /** The words that are looked at, one for each column. */
  readonly keys: readonly string[];
}

/**
 * Draw attention weights between two lists of words, or within one.
 *
 * @throws ShapeError unless there is a word for each row and each column
 *
 * @example
 * ```ts
 * import { attentionOverWords } from 'pullback/viz';
 * const svg = attentionOverWords({ weights: [[0.9, 0.1], [0.2, 0.8]], queries: ['le', 'chat'], keys: ['the', 'cat'] });
 * console.log(svg.includes('chat')); // => true
 * ```
 */
export const attentionOverWords = ({ weights, queries, keys, ...options }: AttentionOverWords): string =>
  heatMap({
    width: 140 + 42 * keys.length,
    height: 140 + 30 * queries.length,
    ...options,
    values: weights,
    rows: queries,
    columns: keys,
    ...(queries.length * keys.length <= 400 ? { digits: 2 } : {}),
  });
