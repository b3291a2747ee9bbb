/** Augmentation: affine maps as PyTorch samples them, windows that are windows, colours by formulas; compiled and batched alike. */
import {
  grad,
  jit,
  nn,
  np,
  random,
  referenceDevice,
  setDefaultDevice,
  type Tensor,
  vmap,
  wasmDevice,
  withDefaultDevice,
} from 'pullback';
import { augment } from 'pullback/data';
import { describe, expect, test } from 'vitest';
import fixtures from '../fixtures/data/affine.json' with { type: 'json' };

// Many small operations of many shapes: a device that compiles would do nothing else.
setDefaultDevice(referenceDevice());

const key = random.key(7);
const floats = (x: { dataSync(): ArrayLike<number> }): number[] => Array.from(x.dataSync());
const images = (shape: readonly number[], seed = 1) => random.uniform(random.key(seed), shape);
const expectClose = (actual: readonly number[], expected: readonly number[], tolerance: number) => {
  expect(actual.length).toBe(expected.length);
  const worst = actual.reduce((most, a, i) => Math.max(most, Math.abs(a - expected[i]!)), 0);
  expect(worst).toBeLessThan(tolerance);
};

describe('affine maps', () => {
  test.each(fixtures.cases)('$shape: values and derivatives are PyTorch’s', ({ shape, x, maps, ct, y, dx, dmaps }) => {
    const of = (data: readonly number[], s: readonly number[]) => np.reshape(np.array(data, { dtype: 'float64' }), s);
    const [image, map] = [of(x, shape), of(maps, [shape[0]!, 2, 3])];
    const loss = (p: Tensor<'float64'>, m: Tensor<'float64'>) => np.sum(np.mul(augment.affine(p, m), of(ct, shape)));
    expectClose(floats(augment.affine(image, map)), y, 1e-10);
    const [gx, gm] = grad(loss as never, { argnums: [0, 1] } as never)(
      image as never,
      map as never,
    ) as unknown as readonly Tensor[];
    expectClose(floats(gx!), dx, 1e-10);
    expectClose(floats(gm!), dmaps, 1e-8);
  });

  test('turning by nothing is nothing; ranges are kept to', () => {
    const x = images([3, 5, 6, 2]);
    expect(floats(augment.randomAffine(key, x))).toEqual(floats(x));
    expect(floats(augment.randomRotate(key, x, 0))).toEqual(floats(x));
    // The centre of an odd square stays where it is, whatever its turn and slant.
    const square = images([8, 5, 5, 1]);
    const bent = augment.randomAffine(key, square, { degrees: 180, shear: 30, scale: [0.5, 2] });
    const centre = (z: Tensor) => floats(np.index(z, [null, null], 2, 2, 0));
    expectClose(centre(bent), centre(square), 1e-5);
    // A shift by up to one pixel of a dot moves its centre of mass by as much, and not all alike.
    const dot = np.reshape(
      np.array(Float32Array.from({ length: 40 * 81 }, (_, i) => Number(i % 81 === 40))),
      [40, 9, 9, 1],
    );
    const moved = augment.randomAffine(key, dot, { translate: 1 / 9 });
    const mass = floats(np.sum(np.mul(moved, np.reshape(np.arange(9), [1, 1, 9, 1])), [1, 2, 3]));
    expect(Math.max(...mass.map((m) => Math.abs(m - 4)))).toBeLessThanOrEqual(1 + 1e-5);
    expect(Math.max(...mass) - Math.min(...mass)).toBeGreaterThan(1.5);
  });

  test('a quarter turn is counter-clockwise, and a scale of two is twice as large', () => {
    const x = np.reshape(np.arange(9, { dtype: 'float32' }), [1, 3, 3, 1]);
    const turned = augment.affine(
      x,
      np.array([
        [
          [0, -1, 0],
          [1, 0, 0],
        ],
      ]),
    );
    expect(floats(turned)).toEqual([2, 5, 8, 1, 4, 7, 0, 3, 6]);
    const line = np.reshape(np.array([0, 0, 1, 0, 0]), [1, 1, 5, 1]);
    expect(floats(augment.randomAffine(key, line, { scale: [2, 2] }))).toEqual([0, 0.5, 1, 0.5, 0]);
  });
});

describe('windows and mirrors', () => {
  test('a crop is one of the windows, and all of them come', () => {
    const x = np.reshape(np.arange(12, { dtype: 'float32' }), [1, 3, 4, 1]);
    const many = np.broadcastTo(x, [300, 3, 4, 1]) as Tensor;
    const crops = augment.randomCrop(key, many, [2, 2]).toArray() as number[][][][];
    const firsts = crops.map((crop) => {
      const [[[a]], [[c]]] = crop as [[[number], number[]], [[number], number[]]];
      expect(crop).toEqual([
        [[a], [a + 1]],
        [[c], [c + 1]],
      ]);
      expect(c).toBe(a + 4);
      return a;
    });
    const counts = new Map<number, number>();
    for (const a of firsts) counts.set(a, (counts.get(a) ?? 0) + 1);
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([0, 1, 2, 4, 5, 6]);
    // 50 expected; five standard deviations of a binomial are 32.
    for (const n of counts.values()) expect(Math.abs(n - 50)).toBeLessThan(32);
  });

  test('padding is zeros', () => {
    const x = np.ones([60, 2, 2, 1]);
    const sums = floats(np.sum(augment.randomCrop(key, x, [2, 2], { padding: 1 }), [1, 2, 3]));
    expect([...new Set(sums)].sort()).toEqual([1, 2, 4]);
    expect(floats(augment.randomCrop(key, images([2, 3, 3, 2]), [3, 3]))).toEqual(floats(images([2, 3, 3, 2])));
  });

  test('mirrors, by their probability', () => {
    const x = images([200, 2, 3, 1]);
    expect(floats(augment.randomFlip(key, x, { p: 0 }))).toEqual(floats(x));
    expect(floats(augment.randomFlip(key, x, { p: 1 }))).toEqual(floats(np.flip(x, 2)));
    expect(floats(augment.randomFlip(key, x, { p: 1, direction: 'vertical' }))).toEqual(floats(np.flip(x, 1)));
    const some = augment.randomFlip(key, x);
    const same = floats(np.all(np.equal(some, x), [1, 2, 3]));
    const other = floats(np.all(np.equal(some, np.flip(x, 2)), [1, 2, 3]));
    expect(same.every((s, i) => s + other[i]! === 1)).toBe(true);
    expect(Math.abs(same.reduce((a, b) => a + b) - 100)).toBeLessThan(36);
  });

  test('cutout leaves out one square', () => {
    const out = augment.cutout(key, np.ones([100, 8, 8, 2]), 3).toArray() as number[][][][];
    for (const image of out) {
      const [rows, columns] = [new Set<number>(), new Set<number>()];
      let count = 0;
      image.forEach((row, i) => {
        row.forEach(([a, b], j) => {
          expect(a).toBe(b);
          if (a !== 0) return;
          rows.add(i);
          columns.add(j);
          count++;
        });
      });
      expect(count).toBe(rows.size * columns.size);
      expect(Math.min(rows.size, columns.size)).toBeGreaterThanOrEqual(2);
      expect(Math.max(rows.size, columns.size)).toBeLessThanOrEqual(3);
    }
    expect(floats(augment.cutout(key, np.ones([1, 2, 2, 1]), 0))).toEqual([1, 1, 1, 1]);
  });
});

describe('colours', () => {
  test('normalize', () => {
    const x = images([2, 2, 2, 3]);
    const expected = floats(x).map((v, i) => (v - [0.1, 0.2, 0.3][i % 3]!) / [1, 2, 4][i % 3]!);
    expectClose(floats(augment.normalize(x, [0.1, 0.2, 0.3], [1, 2, 4])), expected, 1e-6);
  });

  test('brightness is a factor, contrast keeps the mean, saturation the grey', () => {
    const x = np.add(np.mul(images([30, 4, 4, 3]), 0.2), 0.4);
    const ratio = floats(np.div(augment.colourJitter(key, x, { brightness: 0.5 }), x));
    for (let i = 0; i < 30; i++) {
      const own = ratio.slice(i * 48, (i + 1) * 48);
      expectClose(
        own,
        own.map(() => own[0]!),
        1e-5,
      );
      expect(own[0]).toBeGreaterThan(0.5 - 1e-5);
      expect(own[0]).toBeLessThan(1.5 + 1e-5);
    }
    expect(new Set(ratio.map((r) => r.toFixed(3))).size).toBeGreaterThan(20);
    const weights = np.array([0.299, 0.587, 0.114]);
    const grey = (z: Tensor) => np.sum(np.mul(z, weights), 3);
    const contrasted = augment.colourJitter(key, x, { contrast: 0.9 });
    expectClose(floats(np.mean(grey(contrasted), [1, 2])), floats(np.mean(grey(x), [1, 2])), 1e-5);
    expect(np.allclose(contrasted, x).item()).toBe(false);
    const saturated = augment.colourJitter(key, x, { saturation: 0.9 });
    expectClose(floats(grey(saturated)), floats(grey(x)), 1e-5);
    expect(np.allclose(saturated, x).item()).toBe(false);
    expectClose(floats(augment.colourJitter(key, x, {})), floats(x), 1e-6);
    const extreme = floats(
      augment.colourJitter(key, images([9, 2, 2, 3]), { brightness: 9, contrast: 9, saturation: 9 }),
    );
    expect(Math.min(...extreme) >= 0 && Math.max(...extreme) <= 1).toBe(true);
  });

  test('mixup mixes images and labels by the same share', () => {
    const labels = nn.oneHot(np.arange(6), 6);
    const x = np.mul(np.ones([6, 2, 2, 1]), np.reshape(np.arange(6, { dtype: 'float32' }), [6, 1, 1, 1]));
    const [mixed, soft] = augment.mixup(key, x, labels, 0.4);
    const meant = np.sum(np.mul(soft, np.arange(6, { dtype: 'float32' })), 1);
    expectClose(floats(np.index(mixed, [null, null], 0, 1, 0)), floats(meant), 1e-5);
    expectClose(floats(np.sum(soft, 1)), [1, 1, 1, 1, 1, 1], 1e-6);
    expectClose([np.sum(mixed).item()], [np.sum(x).item()], 1e-3);
    expect(np.allclose(mixed, x).item()).toBe(false);
  });

  test('noise has its standard deviation', () => {
    const x = np.zeros([4, 20, 20, 3]);
    const noisy = augment.noise(key, x, 0.25);
    expect(Math.abs(np.std(noisy).item() - 0.25)).toBeLessThan(0.015);
  });
});

const all: Readonly<Record<string, augment.Augmentation>> = {
  randomFlip: (k, x) => augment.randomFlip(k, x),
  randomCrop: (k, x) => augment.randomCrop(k, x, [3, 4], { padding: 1 }),
  randomRotate: (k, x) => augment.randomRotate(k, x, 30),
  randomAffine: (k, x) => augment.randomAffine(k, x, { degrees: 20, translate: 0.2, scale: [0.8, 1.2], shear: 10 }),
  cutout: (k, x) => augment.cutout(k, x, 2),
  mixup: (k, x) => augment.mixup(k, x, np.mean(x, [1, 2]), 1)[0],
  colourJitter: (k, x) => augment.colourJitter(k, x, { brightness: 0.2, contrast: 0.3, saturation: 0.4 }),
  noise: (k, x) => augment.noise(k, x, 0.1),
  chain: augment.chain(
    (k, x) => augment.randomFlip(k, x),
    (k, x) => augment.noise(k, x, 0.1),
  ),
};

describe.each(Object.entries(all))('%s', (_, f) => {
  const x = images([2, 3, 4, 3]);

  test('the same key gives the same, another another', () => {
    expect(floats(f(key, x))).toEqual(floats(f(key, x)));
    const others = [1, 2, 3, 4].map((i) => floats(f(random.foldIn(key, i), x)).join());
    expect(new Set(others).size).toBeGreaterThan(1);
  });

  test('compiled, and over batches of batches', () => {
    const eager = floats(f(key, x));
    expectClose(floats(jit(f)(key, x)), eager, 1e-6);
    const keys = np.stack(random.split(key, 2) as readonly Tensor<'uint32'>[]) as Tensor<'uint32'>;
    const both = np.stack([x, images([2, 3, 4, 3], 2)]);
    const one = [0, 1].flatMap((i) => floats(f(np.index(keys, i), np.index(both, i))));
    expectClose(floats(vmap(f)(keys, both)), one, 1e-6);
  });

  test('a batch of nothing', () => {
    expect(f(key, np.zeros([0, 4, 5, 3])).shape[0]).toBe(0);
  });
});

test('several as one program, on another device', () => {
  const { randomFlip, randomCrop, randomAffine, cutout, colourJitter, noise } = all;
  const changes = [randomFlip!, randomCrop!, randomAffine!, cutout!, colourJitter!, noise!];
  const run = () => floats(jit(augment.chain(...changes))(random.key(7), images([2, 3, 4, 3])));
  expectClose(withDefaultDevice(wasmDevice(), run), run(), 1e-5);
});

describe('what is refused', () => {
  const x = np.zeros([2, 4, 4, 1]);
  test.each<readonly [string, () => unknown, string]>([
    [
      'integers',
      () => augment.randomFlip(key, np.zeros([1, 2, 2, 1], { dtype: 'int32' }) as never),
      'augment.randomFlip: images are floating-point tensors, got int32[1,2,2,1]\n' +
        "  remedy: cast and scale them first: np.div(np.astype(x, 'float32'), 255)",
    ],
    [
      'one image',
      () => augment.cutout(key, np.zeros([2, 2, 1]), 1),
      'augment.cutout: images are [batch, height, width, channels], got float32[2,2,1]\n' +
        '  remedy: np.reshape(x, [-1, height, width, channels])',
    ],
    [
      'a window',
      () => augment.randomCrop(key, x, [6, 4]),
      'augment.randomCrop: a window of 6 × 4 is larger than float32[2,4,4,1] with 0 zeros on each side\n' +
        '  remedy: cut a smaller window, or pad more',
    ],
    [
      'an option',
      () => augment.randomCrop(key, x, [2, 2], { pad: 1 } as never),
      "augment.randomCrop: there is no option 'pad'",
    ],
    [
      'a probability',
      () => augment.randomFlip(key, x, { p: 2 }),
      'augment.randomFlip: p is 2\n  remedy: use a number from 0 to 1',
    ],
    [
      'a direction',
      () => augment.randomFlip(key, x, { direction: 'x' as never }),
      'augment.randomFlip: there is no direction "x"',
    ],
    [
      'degrees',
      () => augment.randomRotate(key, x, -1),
      'augment.randomRotate: degrees is -1\n  remedy: use a number of at least 0',
    ],
    ['scales', () => augment.randomAffine(key, x, { scale: [2, 1] }), 'augment.randomAffine: the greatest scale is 1'],
    [
      'maps',
      () => augment.affine(x, np.zeros([1, 2, 3])),
      'augment.affine: the maps are float32[1,2,3] for float32[2,4,4,1]\n  remedy: give float32[2,2,3]',
    ],
    [
      'a mean',
      () => augment.normalize(x, [1, 2], 1),
      'augment.normalize: 2 numbers for the mean of float32[2,4,4,1]\n  remedy: give one, or 1',
    ],
    [
      'labels',
      () => augment.mixup(key, x, np.zeros([3, 2]), 1),
      'augment.mixup: the labels are float32[3,2] for 2 images\n  remedy: give float[2, classes], such as nn.oneHot makes',
    ],
    ['alpha', () => augment.mixup(key, x, np.zeros([2, 2]), 0), 'augment.mixup: alpha is 0'],
    ['noise', () => augment.noise(key, x, -1), 'augment.noise: the standard deviation is -1'],
    ['a size', () => augment.cutout(key, x, 1.5), 'augment.cutout: the size is 1.5'],
    ['brightness', () => augment.colourJitter(key, x, { brightness: -1 }), 'augment.colourJitter: brightness is -1'],
  ])('%s', (_, f, said) => {
    expect(f).toThrow(said);
  });
});
