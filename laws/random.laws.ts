/**
 * The laws of random numbers: they are functions of a key, whatever runs them, and different keys have nothing in common.
 * Statistics are judged at more than five standard deviations, which no seed is unlucky enough to meet.
 */

import * as fc from 'fast-check';
import { defaultDevice } from '../src/core/backend.ts';
import { range, sizeOf } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import * as np from '../src/ops/np.ts';
import * as random from '../src/random/index.ts';
import { jit } from '../transforms/jit.ts';
import { vmap } from '../transforms/vmap.ts';
import { shape } from './arbitrary/shape.ts';
import { closeValues, sameValues } from './host.ts';
import { every, expect, fails, type Law, law, type Suite } from './law.ts';

type Key = Value<'uint32'>;

const seeds = fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const words = (x: Value): string => x.dataSync().join();

/** What draws from a key, in a shape. */
const samplers: Readonly<Record<string, (key: Key, shape: readonly number[]) => Value>> = {
  bits: (key, s) => random.bits(key, s),
  uniform: (key, s) => random.uniform(key, s),
  'uniform of an interval': (key, s) => random.uniform(key, s, { minval: -3, maxval: 5 }),
  'uniform in float64': (key, s) => random.uniform(key, s, { dtype: 'float64' }),
  normal: (key, s) => random.normal(key, s),
  gumbel: (key, s) => random.gumbel(key, s),
  exponential: (key, s) => random.exponential(key, s),
  laplace: (key, s) => random.laplace(key, s),
  cauchy: (key, s) => random.cauchy(key, s),
  logistic: (key, s) => random.logistic(key, s),
  truncatedNormal: (key, s) => random.truncatedNormal(key, -2, 3, s),
  randint: (key, s) => random.randint(key, s, -1000000, 1000000),
  'randint of all words': (key, s) => random.randint(key, s, 0, 2 ** 32, { dtype: 'uint32' }),
};

const sampler = fc.constantFrom(...Object.keys(samplers));

const keyLaws: readonly Law[] = [
  law(
    'split: all keys are distinct, and not the one they come from',
    [seeds, fc.integer({ min: 1, max: 20 })],
    (seed, n) => {
      const key = random.key(seed);
      const all = [key, ...random.split(key, n)].map(words);
      return expect(new Set(all).size === n + 1, () => `a key occurs twice among ${all}`);
    },
  ),
  law(
    'split: the first keys do not depend on how many there are',
    [seeds, fc.integer({ min: 1, max: 10 })],
    (seed, n) => {
      const key = random.key(seed);
      return sameValues('keys', random.split(key, n + 3).slice(0, n), random.split(key, n));
    },
  ),
  law(
    'foldIn: different data, different keys; numbers and tensors alike',
    [seeds, fc.nat(), fc.nat()],
    (seed, a, b) => {
      const key = random.key(seed);
      const [one, other] = [random.foldIn(key, a), random.foldIn(key, b)];
      if ((words(one) === words(other)) !== (a === b))
        return fails(`foldIn of ${a} and ${b}: ${words(one)}, ${words(other)}`);
      const tensor = np.full([], a, { dtype: 'int32' });
      return sameValues('foldIn', [random.foldIn(key, tensor), jit(random.foldIn)(key, tensor)], [one, one]);
    },
  ),
  law('key: a number and a tensor make the same one', [fc.nat()], (seed) =>
    sameValues('key', [random.key(np.full([], seed, { dtype: 'int32' }))], [random.key(seed)]),
  ),
];

const samplerLaws: readonly Law[] = [
  law('the same key gives the same numbers, eagerly and under jit', [sampler, seeds, shape()], (name, seed, s) => {
    const draw = samplers[name]!;
    const key = random.key(seed);
    const once = draw(key, s);
    return sameValues(name, [draw(key, s), jit((k: Key) => draw(k, s))(key)], [once, once]);
  }),
  law('vmap over keys = one key at a time', [sampler, seeds, shape({ maxRank: 2 })], (name, seed, s) => {
    const draw = samplers[name]!;
    const keys = random.split(random.key(seed), 3);
    const all = vmap((k: Key) => draw(k, s))(np.stack([...keys]) as Key);
    return sameValues(name, [all], [np.stack(keys.map((k) => draw(k, s)))]);
  }),
  law('a shape is row-major: the same numbers as flat', [sampler, seeds, shape()], (name, seed, s) => {
    const draw = samplers[name]!;
    const key = random.key(seed);
    return sameValues(name, [np.reshape(draw(key, s), [sizeOf(s)])], [draw(key, [sizeOf(s)])]);
  }),
  law('different keys give different numbers', [sampler, seeds], (name, seed) => {
    const [a, b] = random.split(random.key(seed));
    const [x, y] = [samplers[name]!(a, [16]), samplers[name]!(b, [16])];
    const equal = Array.from(x.dataSync()).filter((v, i) => v === y.dataSync()[i]).length;
    return expect(equal < 3, () => `${equal} of 16 numbers are equal`);
  }),
];

const interval = fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 1, max: 1000 }));

/** Is the mean of `xs` that of a distribution with this mean and deviation? */
const meanIs = (what: string, xs: ArrayLike<number>, mean: number, deviation: number) => {
  const found = Array.from(xs).reduce((sum, x) => sum + x, 0) / xs.length;
  const sigmas = Math.abs(found - mean) / (deviation / Math.sqrt(xs.length));
  return expect(
    sigmas < 5.5,
    () => `${what}: the mean is ${found}, ${sigmas.toFixed(1)} standard deviations from ${mean}`,
  );
};

/**
 * What draws vectors, matrices, signs or small numbers: not the same numbers in another shape, or few values; and what draws until it
 * accepts, from a key for each element.
 */
const others: typeof samplers = {
  rademacher: (key, s) => random.rademacher(key, s),
  multivariateNormal: (key, s) =>
    random.multivariateNormal(
      key,
      np.array([1, -1]),
      np.array([
        [4, 2],
        [2, 2],
      ]),
      s,
    ),
  orthogonal: (key, s) => random.orthogonal(key, 2, s),
  gamma: (key, s) => random.gamma(key, 0.75, s),
  beta: (key, s) => random.beta(key, 2, 0.5, s),
  t: (key, s) => random.t(key, 3, s),
  dirichlet: (key, s) => random.dirichlet(key, np.array([0.5, 1, 2]), s),
  poisson: (key, s) => random.poisson(key, 3, s),
  'poisson of a large rate': (key, s) => random.poisson(key, 40, s),
};

const otherLaws: readonly Law[] = [
  law(
    'vectors, matrices, signs, and what is drawn until it is accepted: the same eagerly, under jit, and under vmap over keys',
    [fc.constantFrom(...Object.keys(others)), seeds, shape({ maxRank: 1 })],
    (name, seed, s) => {
      const draw = (key: Key): Value => others[name]!(key, s);
      const keys = random.split(random.key(seed), 3);
      const each = keys.map(draw);
      const all = vmap(draw)(np.stack([...keys]) as Key);
      // Sums of a few terms, which other devices than the reference add up as they like.
      const rounds = defaultDevice().name === 'reference' ? 0 : 16 * 2 ** -24;
      return closeValues(name, [jit(draw)(keys[1]), all], [each[1]!, np.stack(each)], rounds);
    },
  ),
];

const distributionLaws: readonly Law[] = [
  law('uniform: within [minval, maxval), evenly', [seeds, interval], (seed, [minval, width]) => {
    const xs = random.uniform(random.key(seed), [2048], { minval, maxval: minval + width }).dataSync();
    if (!xs.every((x) => x >= minval && x <= minval + width)) return fails(`outside of [${minval}, ${minval + width})`);
    const unit = random.uniform(random.key(seed), [2048]).dataSync();
    if (!unit.every((x) => x >= 0 && x < 1)) return fails('outside of [0, 1)');
    return every([1, 2], (power) =>
      meanIs(
        `moment ${power}`,
        unit.map((x) => x ** power),
        1 / (power + 1),
        Math.sqrt(1 / (2 * power + 1) - 1 / (power + 1) ** 2),
      ),
    );
  }),
  law('bits: every bit is set half of the time', [seeds], (seed) => {
    const xs = random.bits(random.key(seed), [1024]).dataSync();
    return every(range(32), (bit) =>
      meanIs(
        `bit ${bit}`,
        Array.from(xs, (x) => (x >>> bit) & 1),
        0.5,
        0.5,
      ),
    );
  }),
  law('normal: finite, mean 0, variance 1', [seeds], (seed) => {
    const xs = random.normal(random.key(seed), [2048]).dataSync();
    if (!xs.every(Number.isFinite)) return fails('not finite');
    const mean = meanIs('mean', xs, 0, 1);
    return mean._tag === 'Fails'
      ? mean
      : meanIs(
          'variance',
          xs.map((x) => x * x),
          1,
          Math.SQRT2,
        );
  }),
  law('gamma, t and poisson: in their range, with their means', [seeds, fc.integer({ min: 1, max: 12 })], (seed, n) => {
    const key = random.key(seed);
    const shapeOf = n / 2;
    const gammas = random.gamma(key, shapeOf, [256]).dataSync();
    if (!gammas.every((x) => x > 0 && x < Infinity)) return fails(`gamma of ${shapeOf}: not positive`);
    const students = random.t(key, n + 2, [256]).dataSync();
    const counts = random.poisson(key, 3 * n, [256]).dataSync();
    if (!counts.every((x) => Number.isInteger(x) && x >= 0)) return fails(`poisson of ${3 * n}: no counts`);
    return every(
      [
        ['gamma', gammas, shapeOf, Math.sqrt(shapeOf)],
        ['t', students, 0, Math.sqrt((n + 2) / n)],
        ['poisson', counts, 3 * n, Math.sqrt(3 * n)],
      ] as const,
      ([name, xs, mean, deviation]) => meanIs(`${name}, parameter ${n}`, xs, mean, deviation),
    );
  }),
];

const sorted = (x: Value): readonly number[] => Array.from(x.dataSync(), Number).sort((a, b) => a - b);

const discreteLaws: readonly Law[] = [
  law('randint: within [minval, maxval), evenly', [seeds, interval], (seed, [minval, width]) => {
    const xs = random.randint(random.key(seed), [1024], minval, minval + width).dataSync();
    if (!xs.every((x) => x >= minval && x < minval + width)) return fails(`outside of [${minval}, ${minval + width})`);
    return meanIs('randint', xs, minval + (width - 1) / 2, Math.sqrt((width ** 2 - 1) / 12) || 1);
  }),
  law('permutation: the same elements, whichever axis', [seeds, shape({ minRank: 1 }), fc.nat()], (seed, s, at) => {
    const x = np.reshape(np.arange(sizeOf(s)), s);
    const axis = at % s.length;
    return every([false, true], (independent) => {
      const y = random.permutation(random.key(seed), x, axis, { independent });
      if (sorted(y).join() !== sorted(x).join()) return fails(`${y.toArray()} of ${x.toArray()}`);
      // Along the other axes nothing moves: every row keeps its elements.
      const rows = (z: Value): readonly (readonly number[])[] => {
        const lines = np.reshape(np.moveaxis(z as typeof x, axis, -1), [sizeOf(s) / Math.max(1, s[axis]!), s[axis]!]);
        return np.sort(lines).toArray() as unknown as readonly (readonly number[])[];
      };
      return expect(
        s[axis] === 0 || JSON.stringify(rows(y)) === JSON.stringify(rows(x)),
        () => `rows of ${y.toArray()}`,
      );
    });
  }),
  law(
    'permutation: all rows alike, unless they are independent',
    [seeds, fc.integer({ min: 1, max: 9 })],
    (seed, n) => {
      const x = np.reshape(np.arange(3 * n), [n, 3]);
      const y = random.permutation(random.key(seed), x);
      const first = np.index(y, [], 0);
      return sameValues('columns', [np.sub(np.index(y, [], 2), first)], [np.full([n], 2, { dtype: 'int32' })]);
    },
  ),
  law('choice without replacement: elements of it, none twice', [seeds, fc.integer({ min: 1, max: 9 })], (seed, n) =>
    every([undefined, np.linspace(1, n, n)], (p) => {
      const draws = 1 + (seed % n);
      const x = random.choice(random.key(seed), n, [draws], { replace: false, ...(p ? { p } : {}) });
      const chosen = sorted(x);
      return expect(
        new Set(chosen).size === draws && chosen.every((i) => i >= 0 && i < n),
        () => `${draws} of ${n}: ${chosen}`,
      );
    }),
  ),
  law('bernoulli and choice: as often as p says', [seeds, fc.integer({ min: 1, max: 9 })], (seed, tenths) => {
    const p = tenths / 10;
    const deviation = Math.sqrt(p * (1 - p));
    const coins = random.bernoulli(random.key(seed), p, [2048]).dataSync();
    const drawn = random.choice(random.key(seed), 2, [2048], { p: np.array([1 - p, p]) }).dataSync();
    const logits = np.log(np.array([1 - p, p]));
    const categories = random.categorical(random.key(seed), logits, -1, { shape: [2048] }).dataSync();
    return every([coins, drawn, categories], (xs) => meanIs(`p = ${p}`, xs, p, deviation));
  }),
];

/** The laws of random numbers. */
export const randomLaws: Suite = {
  name: 'random',
  laws: [...keyLaws, ...samplerLaws, ...otherLaws, ...distributionLaws, ...discreteLaws],
};
