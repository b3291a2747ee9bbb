/**
 * Charts as SVG text: a pure function from numbers to a string, with no dependency and no screen.
 *
 * A value that is not finite (or beyond 10³⁰⁰) is a gap in the line, never a guess; a point between two gaps is a dot.
 * Colours are those of M. Okabe and K. Ito, which people of every colour vision tell apart, and each line has its own
 * dashes besides.
 */

import { axisOf, isDrawable } from './scale.ts';

/** A named line. */
export interface Series {
  readonly name: string;
  /** Points in the order in which they are joined; one with a NaN or an infinity is a gap. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What a chart shows. */
export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Pixels; 640 × 400 unless said. */
  readonly width?: number;
  readonly height?: number;
}

const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000'] as const;
const dashes = ['', '7 4', '2 3', '9 3 2 3'] as const;
const margin = { left: 68, right: 20, top: 66, bottom: 54 } as const;

/**
 * Draw lines over two linear axes, with ticks, a grid and a legend, as an SVG document.
 *
 * Text is escaped, so that names may be anything; the same chart gives the same characters on every machine.
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
  const { title, xLabel, yLabel, series, width = 640, height = 400 } = chart;
  const points = series.flatMap((line) => line.points.filter(isPlaced));
  const xAxis = axisOf(column(points, 0), 8);
  const yAxis = axisOf(column(points, 1), 6);
  const [left, right, top, bottom] = [margin.left, width - margin.right, margin.top, height - margin.bottom];
  const toX = (x: number): string => show(left + ((x - xAxis.low) / (xAxis.high - xAxis.low)) * (right - left));
  const toY = (y: number): string => show(bottom - ((y - yAxis.low) / (yAxis.high - yAxis.low)) * (bottom - top));

  const xTicks = xAxis.ticks.flatMap((tick) => [
    tag('line', { class: 'grid', x1: toX(tick), x2: toX(tick), y1: top, y2: bottom }),
    tag('text', { x: toX(tick), y: bottom + 18, 'text-anchor': 'middle' }, escaped(xAxis.show(tick))),
  ]);
  const yTicks = yAxis.ticks.flatMap((tick) => [
    tag('line', { class: 'grid', x1: left, x2: right, y1: toY(tick), y2: toY(tick) }),
    tag('text', { x: left - 8, y: toY(tick), dy: '0.35em', 'text-anchor': 'end' }, escaped(yAxis.show(tick))),
  ]);
  const lines = series.flatMap((line, i) => runsOf(line.points).map((run) => drawRun(run, i, toX, toY)));
  const turned = `rotate(-90 18 ${show((top + bottom) / 2)})`;

  return tag(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img' },
    `\n${[
      tag('title', {}, escaped(title)),
      tag('style', {}, style),
      tag('rect', { width, height, fill: '#fff' }),
      tag('text', { class: 'title', x: left, y: 24 }, escaped(title)),
      ...legend(series, left),
      ...xTicks,
      ...yTicks,
      tag('path', { class: 'frame', d: `M${left} ${top}V${bottom}H${right}` }),
      ...lines,
      tag('text', { x: show((left + right) / 2), y: height - 12, 'text-anchor': 'middle' }, escaped(xLabel)),
      tag('text', { x: 18, y: show((top + bottom) / 2), 'text-anchor': 'middle', transform: turned }, escaped(yLabel)),
    ].join('\n')}\n`,
  );
}

const style =
  'text{font:13px system-ui,"Segoe UI","DejaVu Sans",sans-serif;fill:#333}.title{font-size:16px;font-weight:600;fill:#000}' +
  '.grid{stroke:#e4e4e4}.frame{fill:none;stroke:#555}.line{fill:none;stroke-width:2;stroke-linejoin:round}';

type Point = Series['points'][number];

const isPlaced = ([x, y]: Point): boolean => isDrawable(x) && isDrawable(y);

const column = (points: readonly Point[], axis: 0 | 1): number[] => points.map((point) => point[axis]);

/** The unbroken pieces of a line. */
function runsOf(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [[]];
  for (const point of points) {
    if (isPlaced(point)) runs.at(-1)!.push(point);
    else runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

type Position = (value: number) => string;

function drawRun(run: readonly Point[], index: number, toX: Position, toY: Position): string {
  const [x, y] = run[0]!;
  if (run.length === 1) return tag('circle', { cx: toX(x), cy: toY(y), r: 3, fill: colourOf(index) });
  const d = `M${run.map((point) => `${toX(point[0])} ${toY(point[1])}`).join('L')}`;
  return tag('path', { class: 'line', ...strokeOf(index), d });
}

/** A line of samples and names under the title, each as wide as its name is long. */
function legend(series: readonly Series[], left: number): string[] {
  let x = left;
  return series.flatMap(({ name }, i) => {
    const from = x;
    x += 52 + 7.5 * name.length;
    return [
      tag('path', { class: 'line', ...strokeOf(i), d: `M${show(from)} 45h26` }),
      tag('text', { x: show(from + 32), y: 45, dy: '0.35em' }, escaped(name)),
    ];
  });
}

const colourOf = (index: number): string => colours[index % colours.length]!;

const strokeOf = (index: number): Record<string, string> => {
  const dash = dashes[index % dashes.length]!;
  return dash === '' ? { stroke: colourOf(index) } : { stroke: colourOf(index), 'stroke-dasharray': dash };
};

/** An element; attributes are the chart's own, so only the text inside needs {@link escaped}. */
function tag(name: string, attributes: Readonly<Record<string, string | number>>, inside?: string): string {
  const given = Object.entries(attributes).map(([key, value]) => ` ${key}="${value}"`);
  return inside === undefined ? `<${name}${given.join('')}/>` : `<${name}${given.join('')}>${inside}</${name}>`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Text for XML: its special characters as entities; what it cannot hold (controls, lone surrogates) as U+FFFD. */
const escaped = (text: string): string =>
  text.replace(notXml, '\ufffd').replace(/[&<>]/g, (character) => entities[character]!);

const notXml = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

const show = (pixels: number): string => String(Math.round(pixels * 100) / 100);
