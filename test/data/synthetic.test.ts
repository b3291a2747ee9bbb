/** Generated sets: what they say of themselves is true, and the same key gives the same everywhere. */
import {
  grad,
  jit,
  np,
  random,
  referenceDevice,
  setDefaultDevice,
  type Tensor,
  wasmDevice,
  withDefaultDevice,
} from 'pullback';
import {
  addingProblem,
  blobs,
  captionedShapes,
  circles,
  copyTask,
  dates,
  type LabelledPoints,
  type Shape,
  spirals,
  translations,
  twoMoons,
} from 'pullback/data';
import { describe, expect, test } from 'vitest';

// Many small operations of many shapes: a device that compiles would do nothing else.
setDefaultDevice(referenceDevice());

const key = random.key(3);
const wasm = wasmDevice();

describe('sets that are made on the host', () => {
  test.each([
    ['dates', (k: typeof key, n: number) => dates(k, n)],
    ['translations', (k: typeof key, n: number) => translations(k, n)],
    ['captionedShapes', (k: typeof key, n: number) => captionedShapes(k, n, { size: 8 })],
  ] as const)('%s: by key and index alone, on every device', (_, make) => {
    const all = [...make(key, 20)] as unknown[];
    expect(make(key, 50).at(7)).toEqual(all[7]);
    expect(withDefaultDevice(wasm, () => [...make(random.key(3), 20)])).toEqual(all);
    expect([...make(random.key(4), 20)]).not.toEqual(all);
    expect(() => make(key, -1)).toThrow('the count is -1');
    expect(() => make(np.zeros([2]) as never, 1)).toThrow('a key is uint32[2], got float32[2]');
  });
});

describe('dates', () => {
  const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

  test('both mean the same day, and its weekday is that of the calendar', () => {
    const seen = { weekdays: 0, ordinals: new Set<string>(), upper: 0 };
    for (const { human, iso } of dates(key, 1500)) {
      expect(iso).toMatch(/^(19|20)\d\d-\d\d-\d\d$/);
      const date = new Date(`${iso}T00:00:00Z`);
      expect(date.toISOString().slice(0, 10)).toBe(iso);
      const words = human.toLowerCase().match(/[a-z]+|\d+[a-z]*/g)!;
      const numbers = words.filter((w) => /^\d/.test(w)).map((w) => Number.parseInt(w));
      const month = words.map((w) => months.indexOf(w.slice(0, 3))).find((m) => m >= 0);
      const year = numbers.find((n) => n > 31);
      const [day, second] = numbers.filter((n) => n <= 31);
      expect([year, (month ?? second! - 1) + 1, day], human).toEqual(iso.split('-').map(Number));
      const weekday = words.find((w) => /^(sun|mon|tue|wed|thu|fri|sat)/.test(w));
      if (weekday) {
        seen.weekdays++;
        expect(date.toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' }).toLowerCase()).toContain(weekday);
      }
      for (const w of words) if (/^\d+[a-z]+$/.test(w)) seen.ordinals.add(w);
      if (human === human.toUpperCase() && /[A-Z]/.test(human)) seen.upper++;
    }
    expect(seen.weekdays).toBeGreaterThan(200);
    expect(seen.upper).toBeGreaterThan(200);
    const expected = Array.from({ length: 31 }, (_, i) => i + 1).map(
      (n) =>
        `${n}${
          new Map([
            [1, 'st'],
            [2, 'nd'],
            [3, 'rd'],
            [21, 'st'],
            [22, 'nd'],
            [23, 'rd'],
            [31, 'st'],
          ]).get(n) ?? 'th'
        }`,
    );
    expect([...seen.ordinals].sort()).toEqual(expected.sort());
  });
});

describe('translations', () => {
  const pairs = [...translations(key, 1000)];

  test('agreement of article, noun and adjective, in gender and number', () => {
    const feminine = /^(niña|profesora|mujer|manzana|casa|carta|mesa|flor)(es|s)?$/;
    for (const { spanish } of pairs) {
      const words = spanish.split(' ');
      words.forEach((word, i) => {
        if (!/^(el|la|los|las|un|una|unos|unas)$/.test(word)) return;
        const [noun, next] = [words[i + 1]!, words[i + 2]];
        const [isFeminine, isPlural] = [feminine.test(noun), /s$/.test(noun)];
        expect(/^(la|las|una|unas)$/.test(word), spanish).toBe(isFeminine);
        expect(/s$/.test(word), spanish).toBe(isPlural);
        if (next && /^(roj|negr|blanc|pequeñ|viej|nuev|azul|verde|alt|cansad|content)/.test(next)) {
          expect(/s$/.test(next), spanish).toBe(isPlural);
          if (!/^(azul|verde)/.test(next)) expect(/as?$/.test(next), spanish).toBe(isFeminine);
        }
      });
    }
  });

  test('verbs agree with their subjects, in both languages', () => {
    for (const { english, spanish } of pairs) {
      const third =
        /^(he|she|(the|an?) (small |old |tall |tired |happy )?(cat|dog|girl|boy|teacher|doctor|woman|man)) /.test(
          english,
        );
      expect(/ (does not \w+|sees|buys|paints|wants|carries|finds|sells) /.test(english), english).toBe(third);
      expect(/ not /.test(english), english).toBe(/ no /.test(spanish));
      const we = / (vemos|compramos|pintamos|queremos|llevamos|encontramos|vendemos) /;
      expect(we.test(spanish), spanish).toBe(/^we /.test(english));
      const i = / (veo|compro|pinto|quiero|llevo|encuentro|vendo) /;
      expect(i.test(spanish), spanish).toBe(/^i /.test(english));
    }
  });

  test('some, translated by hand', () => {
    const known = new Map(Array.from(translations(key, 50_000), ({ english, spanish }) => [english, spanish]));
    const byHand: Readonly<Record<string, string>> = {
      'he sees a red house': 'él ve una casa roja',
      'we do not want the letter': 'nosotros no queremos la carta',
      'they find the blue flowers': 'ellos encuentran las flores azules',
      'i buy an apple': 'yo compro una manzana',
      'she sells the table': 'ella vende la mesa',
      'we see the trees': 'nosotros vemos los árboles',
      'the woman carries the book': 'la mujer lleva el libro',
      'i do not paint the car': 'yo no pinto el coche',
    };
    const met = Object.keys(byHand).filter((english) => known.has(english));
    expect(met.length).toBeGreaterThan(5);
    for (const english of met) expect(known.get(english)).toBe(byHand[english]);
  });
});

describe('shapes with captions', () => {
  const pictures = [...captionedShapes(key, 120, { size: 24 })];

  test('captions say what is there', () => {
    for (const { caption, shapes } of pictures) {
      const [a, b] = shapes as [Shape, Shape?];
      const said = ({ size, colour, kind }: Shape) => `a ${size} ${colour} ${kind}`;
      expect(caption.startsWith(said(a))).toBe(true);
      if (b) {
        const relation = caption.slice(said(a).length + 1, -said(b).length - 1);
        expect(caption.endsWith(said(b))).toBe(true);
        const [dx, dy] = [a.x - b.x, a.y - b.y];
        const true_ = { 'left of': dx < -0.3, 'right of': dx > 0.3, above: dy < -0.3, below: dy > 0.3 };
        expect(true_[relation as keyof typeof true_], caption).toBe(true);
      } else {
        const where = caption.slice(said(a).length + 1);
        const true_ = {
          'on the left': a.x < 0.4,
          'on the right': a.x > 0.6,
          'at the top': a.y < 0.4,
          'at the bottom': a.y > 0.6,
          'in the middle': Math.max(Math.abs(a.x - 0.5), Math.abs(a.y - 0.5)) < 0.1,
        };
        expect(true_[where as keyof typeof true_], caption).toBe(true);
      }
    }
    expect(new Set(pictures.map(({ caption }) => caption)).size).toBeGreaterThan(100);
  });

  test('pictures show it: paper around, the colour at the centre, the area of the shape', () => {
    const colours: Readonly<Record<string, readonly [number, number, number]>> = {
      red: [0.9, 0.1, 0.1],
      green: [0.1, 0.7, 0.2],
      blue: [0.1, 0.2, 0.9],
      yellow: [0.95, 0.85, 0.1],
      purple: [0.6, 0.1, 0.7],
      orange: [0.95, 0.5, 0.1],
    };
    for (const { image, shapes } of pictures) {
      expect(image.shape).toEqual([24, 24, 3]);
      expect(Array.from(image.data.subarray(0, 3))).toEqual([1, 1, 1]);
      let area = 0;
      for (const { x, y, colour, kind, size } of shapes) {
        const at = (Math.floor(y * 24) * 24 + Math.floor(x * 24)) * 3;
        const shade = colours[colour]!;
        for (let c = 0; c < 3; c++) expect(Math.abs(image.data[at + c]! - shade[c]!)).toBeLessThan(0.2);
        const r = size === 'small' ? 0.1 : 0.19;
        area += { circle: Math.PI * r * r, square: 4 * r * r, triangle: 2 * r * r }[kind];
      }
      let covered = 0;
      for (let i = 0; i < 24 * 24; i++) {
        const pixel = Array.from(image.data.subarray(3 * i, 3 * i + 3));
        const most = Math.max(
          ...shapes.map(({ colour }) => (1 - Math.min(...pixel)) / (1 - Math.min(...colours[colour]!))),
        );
        covered += Math.min(1, most) / (24 * 24);
      }
      expect(Math.abs(covered - area)).toBeLessThan(0.02);
    }
  });
});

describe('points of the plane', () => {
  const rowsOf = ({ x, label }: LabelledPoints) =>
    (x.toArray() as [number, number][]).map(([a, b], i) => ({ a, b, label: (label.toArray() as number[])[i]! }));

  test.each<readonly [string, LabelledPoints, (p: { a: number; b: number; label: number }) => number]>([
    [
      'moons',
      twoMoons(key, 100, { noise: 0 }),
      ({ a, b, label }) =>
        label === 0 ? Math.hypot(a, b) - 1 + Math.min(0, b) : Math.hypot(1 - a, 0.5 - b) - 1 + Math.min(0, 0.5 - b),
    ],
    [
      'circles',
      circles(key, 100, { noise: 0, factor: 0.3 }),
      ({ a, b, label }) => Math.hypot(a, b) - (label === 0 ? 1 : 0.3),
    ],
    [
      'spirals',
      spirals(key, 100, { noise: 0, classes: 3, turns: 2 }),
      ({ a, b, label }) => {
        const t = Math.hypot(a, b);
        const angle = 2 * Math.PI * (2 * t + label / 3);
        return Math.hypot(a - t * Math.cos(angle), b - t * Math.sin(angle));
      },
    ],
    [
      'blobs',
      blobs(key, 100, { noise: 0, classes: 4 }),
      ({ a, b, label }) => Math.hypot(a - Math.cos((Math.PI / 2) * label), b - Math.sin((Math.PI / 2) * label)),
    ],
  ])('%s lie on their curves', (_, set, distance) => {
    const points = rowsOf(set);
    expect(points.length).toBe(100);
    for (const point of points) expect(Math.abs(distance(point))).toBeLessThan(1e-4);
    expect(new Set(points.map(({ a, b }) => `${a} ${b}`)).size).toBeGreaterThanOrEqual(4);
    points.forEach(({ label }, i) => {
      expect(label).toBe(i % (Math.max(...points.map((p) => p.label)) + 1));
    });
  });

  test('noise has its standard deviation', () => {
    const noisy = twoMoons(key, 2000, { noise: 0.3 });
    const clean = twoMoons(key, 2000, { noise: 0 });
    expect(Math.abs(np.std(np.sub(noisy.x, clean.x)).item() - 0.3)).toBeLessThan(0.02);
  });

  test('what is refused', () => {
    expect(() => twoMoons(key, 2, { noise: -1 })).toThrow('twoMoons: the noise is -1');
    expect(() => spirals(key, 2, { arms: 3 } as never)).toThrow("spirals: there is no option 'arms'");
    expect(() => circles(key, 2, { factor: 2 })).toThrow(
      'circles: the factor is 2\n  remedy: use a number from 0 to 1',
    );
    expect(() => blobs(key, 2, { classes: 0 })).toThrow('blobs: the number of classes is 0');
  });
});

describe('sequences', () => {
  test('the adding problem: one mark in each half, and their sum', () => {
    const { x, y } = addingProblem(key, 200, 7);
    const rows = x.toArray() as [number, number][][];
    const sums = y.toArray() as number[];
    const places = new Set<number>();
    rows.forEach((row, i) => {
      const marked = row.flatMap(([, mark], t) => (mark === 1 ? [t] : []));
      expect(marked.length).toBe(2);
      expect(marked[0]).toBeLessThan(3);
      expect(marked[1]).toBeGreaterThanOrEqual(3);
      for (const t of marked) places.add(t);
      expect(sums[i]).toBeCloseTo(row[marked[0]!]![0] + row[marked[1]!]![0], 6);
    });
    expect(places.size).toBe(7);
    expect(() => addingProblem(key, 1, 1)).toThrow(
      'addingProblem: the length is 1\n  remedy: use a whole number of at least 2',
    );
  });

  test('the copying task: what is said comes back after the sign', () => {
    const { input, target } = copyTask(key, 50, { symbols: 5, length: 4, delay: 6 });
    const said = new Set<number>();
    (input.toArray() as number[][]).forEach((row, i) => {
      const answer = (target.toArray() as number[][])[i]!;
      expect(row.slice(4)).toEqual([0, 0, 0, 0, 0, 6, 0, 0, 0, 0]);
      expect(answer).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...row.slice(0, 4)]);
      for (const token of row.slice(0, 4)) said.add(token);
    });
    expect([...said].sort()).toEqual([1, 2, 3, 4, 5]);
    expect(() => copyTask(key, 1, { delay: 0 })).toThrow('copyTask: the delay is 0');
  });

  test('they are functions of a key like any other', () => {
    const compiled = jit(
      (k: Tensor<'uint32'>) =>
        [addingProblem(k, 3, 6), copyTask(k, 2, { length: 3, delay: 2 }), twoMoons(k, 4)] as const,
    );
    const [adding, copying, moons] = compiled(key);
    expect(adding.x.toArray()).toEqual(addingProblem(key, 3, 6).x.toArray());
    expect(copying.input.toArray()).toEqual(copyTask(key, 2, { length: 3, delay: 2 }).input.toArray());
    expect(np.allclose(moons.x, twoMoons(key, 4).x, { rtol: 1e-5 }).item()).toBe(true);
    const slope = grad((w: Tensor) => np.sum(np.mul(w, addingProblem(key, 1, 4).y)))(np.ones([1]));
    expect(slope.toArray()).toEqual(addingProblem(key, 1, 4).y.toArray());
  });
});
