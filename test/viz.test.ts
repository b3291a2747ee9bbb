/** Charts: what they look like as text, and that they are XML whatever they are given. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LineChart, lineChart, type Series } from '../src/viz/chart.ts';
import { axisOf } from '../src/viz/scale.ts';

const chart = (series: readonly Series[], rest: Partial<LineChart> = {}): LineChart => ({
  title: 'Title',
  xLabel: 'x',
  yLabel: 'y',
  series,
  ...rest,
});

/** A reader of the XML that we need: nested elements, double-quoted attributes, entities. Throws at what is not well-formed. */
function elementsOf(xml: string): { readonly names: string[]; readonly texts: string[] } {
  const open: string[] = [];
  const names: string[] = [];
  const texts: string[] = [];
  const token = /<(\/?)([a-z]+)((?: [\w:-]+="[^"<&]*")*)(\/?)>|((?:[^<>&]|&(?:amp|lt|gt);)+)/y;
  let closed = false;
  while (token.lastIndex < xml.length) {
    const at = token.lastIndex;
    const match = token.exec(xml);
    if (match === null || closed) throw new Error(`not well-formed at ${at}: ${xml.slice(at, at + 40)}`);
    const [, end, name, , empty, text] = match;
    if (text !== undefined) texts.push(text);
    else if (end === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> closes another element`);
      closed = open.length === 0;
    } else {
      names.push(name!);
      if (empty === '') open.push(name!);
    }
  }
  if (open.length > 0) throw new Error(`<${open.at(-1)}> is not closed`);
  return { names, texts };
}

const number = fc.oneof(
  fc.double(),
  fc.integer({ min: -10, max: 10 }),
  fc.constantFrom(Number.NaN, Infinity, -0, 1e300),
);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom('<b>', '"&amp;\'', '\u0000\ud800', ']]>'),
);
const charts = fc.record({
  title: text,
  xLabel: text,
  yLabel: text,
  series: fc.array(fc.record({ name: text, points: fc.array(fc.tuple(number, number)) })),
});

describe('lineChart', () => {
  test('a small one, verbatim', () => {
    const points: Series['points'] = [
      [0, 0.5],
      [1, 0.25],
      [2, Number.NaN],
      [3, 0.1],
    ];
    expect(lineChart(chart([{ name: 'a<b', points }], { width: 300, height: 200 }))).toMatchInlineSnapshot(`
      "<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200" viewBox="0 0 300 200" role="img">
      <title>Title</title>
      <style>text{font:13px system-ui,"Segoe UI","DejaVu Sans",sans-serif;fill:#333}.title{font-size:16px;font-weight:600;fill:#000}.grid{stroke:#e4e4e4}.frame{fill:none;stroke:#555}.line{fill:none;stroke-width:2;stroke-linejoin:round}</style>
      <rect width="300" height="200" fill="#fff"/>
      <text class="title" x="68" y="24">Title</text>
      <path class="line" stroke="#0072b2" d="M68 45h26"/>
      <text x="100" y="45" dy="0.35em">a&lt;b</text>
      <line class="grid" x1="68" x2="68" y1="66" y2="146"/>
      <text x="68" y="164" text-anchor="middle">0.0</text>
      <line class="grid" x1="103.33" x2="103.33" y1="66" y2="146"/>
      <text x="103.33" y="164" text-anchor="middle">0.5</text>
      <line class="grid" x1="138.67" x2="138.67" y1="66" y2="146"/>
      <text x="138.67" y="164" text-anchor="middle">1.0</text>
      <line class="grid" x1="174" x2="174" y1="66" y2="146"/>
      <text x="174" y="164" text-anchor="middle">1.5</text>
      <line class="grid" x1="209.33" x2="209.33" y1="66" y2="146"/>
      <text x="209.33" y="164" text-anchor="middle">2.0</text>
      <line class="grid" x1="244.67" x2="244.67" y1="66" y2="146"/>
      <text x="244.67" y="164" text-anchor="middle">2.5</text>
      <line class="grid" x1="280" x2="280" y1="66" y2="146"/>
      <text x="280" y="164" text-anchor="middle">3.0</text>
      <line class="grid" x1="68" x2="280" y1="146" y2="146"/>
      <text x="60" y="146" dy="0.35em" text-anchor="end">0.1</text>
      <line class="grid" x1="68" x2="280" y1="126" y2="126"/>
      <text x="60" y="126" dy="0.35em" text-anchor="end">0.2</text>
      <line class="grid" x1="68" x2="280" y1="106" y2="106"/>
      <text x="60" y="106" dy="0.35em" text-anchor="end">0.3</text>
      <line class="grid" x1="68" x2="280" y1="86" y2="86"/>
      <text x="60" y="86" dy="0.35em" text-anchor="end">0.4</text>
      <line class="grid" x1="68" x2="280" y1="66" y2="66"/>
      <text x="60" y="66" dy="0.35em" text-anchor="end">0.5</text>
      <path class="frame" d="M68 66V146H280"/>
      <path class="line" stroke="#0072b2" d="M68 66L138.67 116"/>
      <circle cx="280" cy="146" r="3" fill="#0072b2"/>
      <text x="174" y="188" text-anchor="middle">x</text>
      <text x="18" y="106" text-anchor="middle" transform="rotate(-90 18 106)">y</text>
      </svg>"
    `);
  });

  test('is well-formed XML for any text and any numbers, none of them in its coordinates', () => {
    fc.assert(
      fc.property(charts, (any) => {
        const svg = lineChart(any);
        const { names } = elementsOf(svg);
        expect(names[0]).toBe('svg');
        expect(svg.replace(/<(text|title|style)[^>]*>[^<]*/g, '')).not.toMatch(/NaN|Infinity|undefined/);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is left is the point
        expect(svg).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
      }),
    );
  });

  test('text comes back from the XML as it went in', () => {
    const { texts } = elementsOf(lineChart(chart([{ name: 'R&D <3', points: [] }], { title: 'a "b" > c' })));
    expect(texts).toContain('R&amp;D &lt;3');
    expect(texts).toContain('a "b" &gt; c');
  });

  test('values that are not finite are gaps, and a point alone is a dot', () => {
    const line = (ys: readonly number[]): string[] => {
      const svg = lineChart(chart([{ name: '', points: ys.map((y, x): [number, number] => [x, y]) }]));
      return elementsOf(svg)
        .names.filter((name) => name === 'path' || name === 'circle')
        .slice(2);
    };
    expect(line([1, 2, 3])).toEqual(['path']);
    expect(line([1, 2, Number.NaN, 3, 4])).toEqual(['path', 'path']);
    expect(line([Infinity, 1, Number.NaN, 3, 4])).toEqual(['circle', 'path']);
    expect(line([Number.NaN])).toEqual([]);
  });
});

describe('axisOf', () => {
  test('examples', () => {
    const ticks = (values: readonly number[], count: number): string[] => {
      const axis = axisOf(values, count);
      return axis.ticks.map(axis.show);
    };
    expect(ticks([0, 10], 5)).toEqual(['0', '2', '4', '6', '8', '10']);
    expect(ticks([0.012, 0.49], 5)).toEqual(['0.0', '0.1', '0.2', '0.3', '0.4', '0.5']);
    expect(ticks([-1, 1], 4)).toEqual(['-1.0', '-0.5', '0.0', '0.5', '1.0']);
    expect(ticks([0, 3e7], 3)).toEqual(['0', '1e7', '2e7', '3e7']);
    expect(ticks([1e-7, 6e-7], 3)).toEqual(['0', '2e-7', '4e-7', '6e-7']);
    expect(ticks([3], 2)).toEqual(['2.5', '3.0', '3.5']);
    expect(ticks([], 2)).toEqual(['0.0', '0.5', '1.0']);
  });

  test('holds every value between ticks that rise and differ in print', () => {
    const value = fc.double({ noNaN: true, min: -1e100, max: 1e100 }).map((x) => (Math.abs(x) < 1e-100 ? 0 : x));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), fc.integer({ min: 2, max: 10 }), (values, count) => {
        const { low, high, ticks, show } = axisOf(values, count);
        const slack = (high - low) * 1e-6;
        for (const x of values) expect(low - slack <= x && x <= high + slack).toBe(true);
        expect(ticks.length).toBeGreaterThanOrEqual(2);
        expect(ticks.length).toBeLessThanOrEqual(2 * count + 3);
        for (let i = 1; i < ticks.length; i++) expect(ticks[i]!).toBeGreaterThan(ticks[i - 1]!);
        expect(new Set(ticks.map(show)).size).toBe(ticks.length);
      }),
    );
  });
});
