/** Pictures: that they are XML whatever they are given, show what they should, and say what they cannot draw. */

import fc from 'fast-check';
import { decode } from 'fast-png';
import { grad, jit, makeJaxpr, np, random, type Tensor } from 'pullback';
import * as viz from 'pullback/viz';
import { describe, expect, it, test } from 'vitest';
import { message } from './errors/message.ts';

/** An element of a picture. */
interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  text: string;
}

const unescaped = (text: string): string =>
  text.replace(/&(\w+|#\d+);/g, (_, name: string) =>
    name.startsWith('#')
      ? String.fromCodePoint(Number(name.slice(1)))
      : { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }[name]!,
  );

/** A reader of the XML that we need: nested elements, double-quoted attributes, entities. Throws at what is not well-formed. */
function elementsOf(xml: string): readonly Element[] {
  const open: Element[] = [];
  const elements: Element[] = [];
  const token =
    /<(\/?)([a-zA-Z]+)((?:\s[\w:-]+="[^"<&]*(?:&(?:\w+|#\d+);[^"<&]*)*")*)\s?(\/?)>|((?:[^<>&]|&(?:\w+|#\d+);)+)/y;
  let closed = false;
  while (token.lastIndex < xml.length) {
    const at = token.lastIndex;
    const match = token.exec(xml);
    if (match === null || closed) throw new Error(`not well-formed at ${at}: ${xml.slice(at, at + 60)}`);
    const [, end, name, given = '', empty, text] = match;
    if (text !== undefined) {
      if (open.length > 0) open.at(-1)!.text += unescaped(text);
    } else if (end === '/') {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes another element`);
      closed = open.length === 0;
    } else {
      const attributes = Object.fromEntries(
        [...given.matchAll(/\s([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key!, unescaped(value!)]),
      );
      const element = { name: name!, attributes, text: '' };
      elements.push(element);
      if (empty === '') open.push(element);
    }
  }
  if (open.length > 0) throw new Error(`<${open.at(-1)!.name}> is not closed`);
  return elements;
}

const named = (svg: string, name: string): readonly Element[] =>
  elementsOf(svg).filter((element) => element.name === name);
const textsOf = (svg: string): readonly string[] => named(svg, 'text').map(({ text }) => text.trim());

const number = fc.oneof(
  fc.double(),
  fc.integer({ min: -10, max: 10 }),
  fc.constantFrom(Number.NaN, Infinity, -0, 1e300, 5e-324),
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
  xScale: fc.constantFrom('linear' as const, 'log' as const),
  yScale: fc.constantFrom('linear' as const, 'log' as const),
  series: fc.array(fc.record({ name: text, points: fc.array(fc.tuple(number, number)) }), { maxLength: 3 }),
});

/** Well-formed, and no coordinate that is not a number. */
function expectDrawn(svg: string): void {
  const elements = elementsOf(svg);
  expect(elements[0]!.name).toBe('svg');
  for (const { attributes } of elements) {
    for (const [key, value] of Object.entries(attributes)) {
      if (key !== 'href') expect(`${key}="${value}"`).not.toMatch(/NaN|Infinity|undefined/);
    }
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is left is the point
  expect(svg).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
}

/** The longest path: of a chart with one line, the line. */
const longestPath = (svg: string): string =>
  named(svg, 'path').reduce((longest, { attributes: { d = '' } }) => (d.length > longest.length ? d : longest), '');

describe('lineChart', () => {
  const chart = (points: viz.Series['points'], rest: Partial<viz.LineChart> = {}): string =>
    viz.lineChart({ xLabel: 'x', yLabel: 'y', series: [{ name: 'line', points }], ...rest });

  test('is well-formed XML for any text and any numbers, none of them in its coordinates', () => {
    fc.assert(
      fc.property(charts, (any) => expectDrawn(viz.lineChart(any))),
      { numRuns: 60 },
    );
  });

  test('text comes back from the XML as it went in', () => {
    const svg = chart([], { title: 'a "b" > c', series: [{ name: 'R&D <3', points: [] }] });
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['a "b" > c', 'R&D <3']));
  });

  test('points are where the axes say, gaps are gaps, and a point alone is a dot', () => {
    const line = longestPath(
      chart([
        [0, 0],
        [1, 10],
        [2, 5],
        [3, Number.NaN],
        [4, 1],
        [5, 2],
      ]),
    );
    expect(line.split('M').length - 1).toBe(2);
    const [x0, y0, x1, y1, x2, y2] = line.match(/[\d.]+/g)!.map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    expect([x1 - x0, y0 - y1]).toEqual([x2 - x1, 2 * (y2 - y1)]);
    expect(
      named(
        chart([
          [0, 1],
          [1, Number.NaN],
          [2, 1],
        ]),
        'circle',
      ).length,
    ).toBe(2);
  });

  test('a logarithmic axis has equal steps for equal ratios', () => {
    const svg = chart(
      [
        [0, 1],
        [1, 10],
        [2, 100],
      ],
      { yScale: 'log' },
    );
    const ys = longestPath(svg)
      .match(/[\d.]+/g)!
      .map(Number);
    expect(ys[1]! - ys[3]!).toBeCloseTo(ys[3]! - ys[5]!, 6);
  });
});

test('a histogram counts every finite number once, and says how many are not', () => {
  const values = [0, 0, 0.4, 1, 1, Number.NaN, Infinity];
  const svg = viz.histogram({ xLabel: 'x', groups: [{ name: 'g', values }], bins: 2 });
  expectDrawn(svg);
  expect(textsOf(svg)).toContain('g (2 not finite)');
  const bars = named(svg, 'rect')
    .slice(1)
    .map(({ attributes }) => Number(attributes['height']));
  expect(bars.length).toBe(2);
  expect(bars[0]! / bars[1]!).toBeCloseTo(3 / 2, 1);
});

describe('heatMap', () => {
  it('has a cell for each finite element, with its number, and the names of rows and columns', () => {
    const svg = viz.heatMap({
      values: np.array([
        [1, 2, 3],
        [4, Number.NaN, 6],
      ]),
      rows: ['a', 'b'],
      columns: ['x', 'y', 'z'],
      digits: 1,
    });
    expectDrawn(svg);
    expect(named(svg, 'rect').length).toBe(1 + 5);
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['1.0', '6.0', 'a', 'b', 'x', 'y', 'z']));
  });

  it('draws any matrix, and attention over words', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(number, number, number), { maxLength: 4 }),
        fc.constantFrom('sequential' as const, 'diverging' as const),
        (values, colours) => expectDrawn(viz.heatMap({ values, colours })),
      ),
      { numRuns: 30 },
    );
    expect(textsOf(viz.attentionOverWords({ weights: [[0.25, 0.75]], queries: ['le'], keys: ['the', 'cat'] }))).toEqual(
      expect.arrayContaining(['le', 'the', 'cat', '0.25', '0.75']),
    );
  });

  it('refuses what is no matrix', () => {
    expect(message(() => viz.heatMap({ values: np.zeros([3]) }))).toMatchInlineSnapshot(`
      "
      ShapeError: viz.heatMap: the matrix is float32[3]
        remedy: pass a matrix: a tensor of two axes, or rows of one length
        at test/viz.test.ts:LINE
      "
    `);
    expect(message(() => viz.heatMap({ values: [[1], [1, 2]] }))).toMatchInlineSnapshot(`
      "
      ShapeError: viz.heatMap: row 1 has 2 numbers, row 0 has 1
        remedy: pass a matrix: a tensor of two axes, or rows of one length
        at test/viz.test.ts:LINE
      "
    `);
    expect(message(() => viz.heatMap({ values: [[1, 2]], columns: ['a'] }))).toMatchInlineSnapshot(`
      "
      ShapeError: viz.heatMap: there are 1 names of 2 columns
        remedy: name each of them
        at test/viz.test.ts:LINE
      "
    `);
    expect(
      message(() => jit((x: Tensor) => np.array(viz.heatMap({ values: x }).length))(np.zeros([2, 2]))),
    ).toMatchInlineSnapshot(`
      "
      ShapeError: viz.heatMap: float32[2,2] is a tracer and has no elements to draw
        remedy: draw what a transformed function returns, or use debug.callback inside of it
        at test/viz.test.ts:LINE
      "
    `);
  });
});

describe('pictures of the plane', () => {
  const bowl = (p: Tensor): Tensor => np.sum(np.square(p), 1);

  it('contours lie where the function has their value', () => {
    const svg = viz.contourPlot({
      f: bowl,
      x: [-1, 1],
      y: [-1, 1],
      levels: 3,
      width: 400,
      height: 400,
      paths: [
        {
          name: 'path',
          points: [
            [1, 1],
            [0, 0],
          ],
        },
      ],
    });
    expectDrawn(svg);
    const rings = elementsOf(svg).filter(
      ({ name, attributes }) => name === 'path' && (attributes['d']?.length ?? 0) > 500,
    );
    expect(rings.length).toBeGreaterThanOrEqual(3);
    expect(textsOf(svg)).toContain('path');
  });

  it('a boundary has the colours of the classes on their sides', () => {
    const svg = viz.decisionBoundary({
      scores: (p) => np.index(p, [null], 0) as Tensor,
      points: [
        [-1, 0],
        [1, 0.5],
      ],
      labels: [0, 1],
      resolution: 20,
    });
    expectDrawn(svg);
    const pixels = decode(Buffer.from(named(svg, 'image')[0]!.attributes['href']!.split(',')[1]!, 'base64'));
    expect([...pixels.data.slice(0, 3)]).toEqual([0x00, 0x72, 0xb2]);
    expect([...pixels.data.slice(19 * 4, 19 * 4 + 3)]).toEqual([0xd5, 0x5e, 0x00]);
    expect(named(svg, 'circle').length).toBe(2);
  });

  it('refuses scores that are not of the points', () => {
    const some = { points: [[0, 1]], labels: [0], resolution: 2 };
    expect(message(() => viz.decisionBoundary({ ...some, scores: () => np.zeros([3]) }))).toMatchInlineSnapshot(`
      "
      ShapeError: viz.decisionBoundary: of float32[4,2] the function has made float32[3]
        remedy: return one row for each point, float32[4] or float32[4,classes]
        at test/viz.test.ts:LINE
      "
    `);
    expect(message(() => viz.decisionBoundary({ ...some, labels: [], scores: bowl }))).toMatchInlineSnapshot(`
      "
      ShapeError: viz.decisionBoundary: there are 1 points and 0 labels
        remedy: label each point
        at test/viz.test.ts:LINE
      "
    `);
    expect(message(() => viz.contourPlot({ f: (p) => p, x: [0, 1], y: [0, 1], resolution: 2 }))).toMatchInlineSnapshot(`
      "
      ShapeError: viz.contourPlot: of float32[4,2] the function has made float32[4,2]
        remedy: return one row for each point, float32[4]
        at test/viz.test.ts:LINE
      "
    `);
  });
});

describe('images', () => {
  it('are the pixels that they were', () => {
    const images = np.reshape(np.arange(24), [2, 2, 2, 3]);
    const svg = viz.imageGrid({ images, captions: ['one & only', 'two'], range: [0, 255] });
    expectDrawn(svg);
    expect(textsOf(svg)).toEqual(['one &', 'only', 'two']);
    const [, second] = named(svg, 'image').map(({ attributes }) =>
      decode(Buffer.from(attributes['href']!.split(',')[1]!, 'base64')),
    );
    expect([...second!.data]).toEqual([12, 13, 14, 255, 15, 16, 17, 255, 18, 19, 20, 255, 21, 22, 23, 255]);
  });

  it('are light where attention is', () => {
    const svg = viz.attentionOverImage({
      image: np.ones([4, 4]),
      weights: [
        [
          [1, 0],
          [0.5, 0],
        ],
      ],
      words: ['w'],
    });
    const shade = decode(Buffer.from(named(svg, 'image')[1]!.attributes['href']!.split(',')[1]!, 'base64'));
    expect([3, 7, 11, 15].map((i) => shade.data[i])).toEqual([0, 200, 100, 200]);
  });

  it('refuse what is no image', () => {
    expect(message(() => viz.imageGrid({ images: np.zeros([4, 4]) }))).toMatchInlineSnapshot(`
      "
      ShapeError: viz.imageGrid: these are no images: float32[4,4]
        remedy: pass [n, height, width], or [n, height, width, channels] with 1, 3 or 4 channels
        at test/viz.test.ts:LINE
      "
    `);
    expect(message(() => viz.imageGrid({ images: np.zeros([1, 4, 4]), captions: [] }))).toMatchInlineSnapshot(`
      "
      ShapeError: viz.imageGrid: there are 0 captions of 1 images
        remedy: give each image one
        at test/viz.test.ts:LINE
      "
    `);
    expect(
      message(() => viz.attentionOverImage({ image: np.zeros([4, 4]), weights: [], words: ['a'] })),
    ).toMatchInlineSnapshot(`
      "
      ShapeError: viz.attentionOverImage: there are 0 steps and 1 words
        remedy: give each step its word
        at test/viz.test.ts:LINE
      "
    `);
  });
});

test('a sparkline', () => {
  expect(viz.sparkline([0, 1, 2, 3, 4, 5, 6, 7])).toBe('▁▂▃▄▅▆▇█');
  expect(viz.sparkline([1, Number.NaN, 1])).toBe('▁ ▁');
  expect(viz.sparkline([0, 2, 10, 10], 2)).toBe('▁█');
  expect(viz.sparkline([])).toBe('');
});

describe('graph', () => {
  const f = (x: Tensor, y: Tensor) => np.mul(np.add(x, y), np.sin(x));
  const program = makeJaxpr(f)(np.zeros([]), np.zeros([]));

  it('has a node for each input, equation and output', () => {
    const svg = viz.graph(program, { title: 'f' });
    expectDrawn(svg);
    expect(named(svg, 'rect').length).toBe(1 + 2 + 3 + 1);
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['a', 'b', 'add', 'sin', 'mul', 'output', 'c:f32[]']));
  });

  it('carries values and derivatives', () => {
    const [x, y] = [1.25, 2.5];
    const texts = textsOf(viz.graph(program, { at: [x, y], names: ['x', 'y'] }));
    const dx = grad(f)(np.array(x), np.array(y)).item();
    expect(texts).toEqual(
      expect.arrayContaining([
        'x = 1.25',
        'y = 2.5',
        `∂ = ${dx.toPrecision(3)}`,
        `∂ = ${Math.sin(x).toPrecision(3)}`,
        'c = 3.75',
        `e = ${(3.75 * Math.sin(x)).toPrecision(3)}`,
        '∂ = 1',
      ]),
    );
  });

  it('shows three digits of numbers of any size', () => {
    const shown = (x: number): string | undefined => {
      const same = makeJaxpr((x: Tensor<'float64'>) => np.mul(x, 1))(np.array(1, { dtype: 'float64' }));
      const texts = textsOf(viz.graph(same, { at: [np.array(x, { dtype: 'float64' })], names: ['x'] }));
      return texts.find((text) => text.startsWith('x = '))?.slice('x = '.length);
    };
    const cases = [100.4, 120.4, -1234.5, 1e-10, 2.5e-20, 0.5, 0.1004, Number.NaN, Number.NEGATIVE_INFINITY];
    expect(cases.map(shown)).toEqual(['100', '120', '-1230', '1e-10', '2.5e-20', '0.5', '0.1', 'NaN', '-Infinity']);
  });

  it('draws programs with literals, constants, integers, calls and several outputs', () => {
    const key = random.key(0);
    const g = (x: Tensor, n: Tensor<'int32'>) =>
      [jit(np.tanh)(np.mul(x, 2)), np.add(n, 1), random.normal(key, [2])] as const;
    expectDrawn(viz.graph(makeJaxpr(g)(np.zeros([3]), np.array(1, { dtype: 'int32' })), { at: [np.ones([3]), 4] }));
  });

  it('refuses as many values as there are not', () => {
    expect(message(() => viz.graph(program, { at: [1] }))).toMatchInlineSnapshot(`
      "
      ShapeError: viz.graph: there are 1 values of 2 inputs
        remedy: pass one for each input of the jaxpr, leaves of trees in their order
        at test/viz.test.ts:LINE
      "
    `);
  });
});

test('a page holds its figures and escapes its words', () => {
  const html = viz.page({
    title: 'a < b',
    about: 'R&D',
    figures: [{ svg: '<svg></svg>', caption: '"x"' }, { svg: '<svg/>' }],
  });
  expect(html).toContain(
    '<h1>a &lt; b</h1>\n<p>R&amp;D</p>\n<figure><svg></svg><figcaption>&quot;x&quot;</figcaption></figure>\n<figure><svg/></figure>',
  );
});
