/**
 * Figures as SVG text: pure functions from data to a string, drawn by Observable Plot on a document that needs no browser.
 *
 * The same data give the same characters on every machine. Text may be anything; numbers that are not finite are gaps, never
 * guesses. Colours are those of M. Okabe and K. Ito, which people of every colour vision tell apart.
 */

import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { FigureOptions } from './options.ts';

/** Colours of classes and lines, in turn. */
export const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000'] as const;

export const colourOf = (index: number): string => colours[index % colours.length]!;

/** The dashes that tell lines apart without colour. */
const dashes = ['none', '7 4', '2 3', '9 3 2 3'] as const;

export const dashOf = (index: number): string => dashes[index % dashes.length]!;

/** Beyond it axes run out of doubles: such a value is a gap, as an infinity is. */
const greatest = 1e300;

/** Can a number be placed on an axis? */
export const isDrawable = (x: number): boolean => Math.abs(x) <= greatest;

const notXml = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

/** Text that XML can hold: controls and lone surrogates become U+FFFD. */
export const plain = (text: string): string => text.replace(notXml, '\ufffd');

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for the inside of an element, or of an attribute in double quotes. */
export const escaped = (text: string): string => plain(text).replace(/[&<>"]/g, (character) => entities[character]!);

/** A name with its mark, in the line under the title. */
export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
  readonly dash?: string;
}

/** What Plot draws beyond the marks: scales and margins. */
export interface FigureSpec extends FigureOptions {
  readonly legend?: readonly LegendEntry[];
  readonly plot: Plot.PlotOptions;
}

const margin = { left: 60, right: 24, bottom: 46 } as const;

/** Draw marks with a title and a legend over them, as a document of SVG. */
export function figure({ title = '', width = 640, height = 400, legend = [], plot }: FigureSpec): string {
  const { document } = parseHTML('<!DOCTYPE html><html><body></body></html>');
  const left = plot.marginLeft ?? margin.left;
  const marginTop = 20 + (title === '' ? 0 : 24) + legendHeight(legend, width, left);
  const drawn = Plot.plot({
    width,
    height,
    marginTop,
    marginLeft: margin.left,
    marginRight: margin.right,
    marginBottom: margin.bottom,
    style: { fontSize: '12px', background: '#fff', color: '#222' },
    ...plot,
    document,
  }) as unknown as { readonly innerHTML: string; readonly className: unknown };
  return svgDocument(width, height, title, [
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...(title === '' ? [] : [`<text x="${left}" y="24" font-size="16" font-weight="600">${escaped(title)}</text>`]),
    ...drawLegend(legend, width, left, title === '' ? 18 : 42),
    `<g text-anchor="middle">${withoutStyle(drawn.innerHTML)}</g>`,
  ]);
}

/** Plot's rules are for pages: in a file the attributes of {@link svgDocument} say the same. */
const withoutStyle = (svg: string): string => svg.replace(/<style>[^<]*<\/style>/, '');

/** An SVG document of these parts. */
export const svgDocument = (width: number, height: number, title: string, parts: readonly string[]): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" fill="#222" font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    ...parts,
    '</svg>',
  ].join('\n');

/** From one line of a legend to the next. */
const lineHeight = 18;

/** Where the entries of a legend stand: each as wide as its name is long, in as many lines as they need. */
function placesOf(
  entries: readonly LegendEntry[],
  width: number,
  left: number,
): readonly (readonly [x: number, line: number])[] {
  let [x, line] = [left, 0];
  return entries.map(({ name }) => {
    const wide = 46 + 7 * name.length;
    if (x > left && x + wide - 16 > width) [x, line] = [left, line + 1];
    const place = [x, line] as const;
    x += wide;
    return place;
  });
}

/** How high a legend is. */
export const legendHeight = (entries: readonly LegendEntry[], width: number, left: number = margin.left): number =>
  entries.length === 0 ? 0 : 22 + lineHeight * placesOf(entries, width, left).at(-1)![1];

/** Samples and names. */
function drawLegend(entries: readonly LegendEntry[], width: number, left: number, top: number): string[] {
  const places = placesOf(entries, width, left);
  return entries.map(({ name, colour, dash = 'none' }, i) => {
    const [x, line] = places[i]!;
    const y = top + lineHeight * line;
    const sample = `<line x1="${x}" x2="${x + 24}" y1="${y - 4}" y2="${y - 4}" stroke="${colour}" stroke-width="3" stroke-dasharray="${dash}"/>`;
    return `${sample}<text x="${x + 30}" y="${y}">${escaped(name)}</text>`;
  });
}
