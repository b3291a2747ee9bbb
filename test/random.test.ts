/** `random`: JAX's numbers, the laws of keys, and the same numbers under every transform. */
import { readFileSync } from 'node:fs';
import { describe, expect, expectTypeOf, test } from 'vitest';
import '../src/entry/device.ts';
import * as t from 'io-ts';
import { makeAval } from '../src/core/aval.ts';
import { DTypeError, ShapeError } from '../src/core/errors.ts';
import { tensorFrom, type Value } from '../src/core/value.ts';
import { threefry2x32 } from '../src/prim/bits.ts';
import { scalar } from '../src/prim/compose.ts';
import { concatenate, reshape } from '../src/prim/structural.ts';
import * as random from '../src/random/index.ts';
import { hashPath, mapKeys } from '../src/random/trees.ts';
import { jit, makeJaxpr, vmap } from '../transforms/index.ts';

const Numbers = t.array(t.number);
const Fixture = t.type({
  hash: t.array(t.type({ key: Numbers, counter: Numbers, out: Numbers })),
  key: t.record(t.string, Numbers),
  fold_in: t.array(t.type({ seed: t.number, data: t.number, out: Numbers })),
  partitionable: t.type({
    split: t.array(t.type({ seed: t.number, n: t.number, out: t.array(Numbers) })),
    bits: t.array(t.type({ seed: t.number, n: t.number, out: Numbers })),
    uniform: t.array(t.type({ seed: t.number, n: t.number, out: Numbers })),
    uniform_range: t.array(t.type({ seed: t.number, n: t.number, minval: t.number, maxval: t.number, out: Numbers })),
    normal: t.array(t.type({ seed: t.number, n: t.number, out: Numbers })),
    exponential: t.array(t.type({ seed: t.number, n: t.number, out: Numbers })),
  }),
});

const decoded = Fixture.decode(
  JSON.parse(readFileSync(new URL('./fixtures/jax-random.json', import.meta.url), 'utf8')),
);
if (decoded._tag === 'Left') throw new Error('test/fixtures/jax-random.json has another form');
const jax = decoded.right;

const uint32 = (...words: number[]): Value<'uint32'> =>
  tensorFrom(makeAval([words.length], 'uint32'), Uint32Array.from(words));
const stack = (keys: readonly Value[]): Value =>
  concatenate(
    keys.map((k) => reshape(k, [1, 2])),
    0,
  );
const numbers = (x: Value): number[] => Array.from(x.dataSync());

describe("JAX's numbers", () => {
  test.each(jax.hash)('hash of $counter under $key', ({ key, counter, out }) => {
    const words = [...key, ...counter].map((w) => scalar(w, 'uint32'));
    expect(threefry2x32(words[0]!, words[1]!, words[2]!, words[3]!).map((x) => x.item())).toEqual(out);
  });

  test.each(Object.entries(jax.key))('key(%s)', (seed, out) => {
    expect(random.key(Number(seed)).toArray()).toEqual(out);
  });

  test('seeds beyond 32 bits are taken modulo 2³², as by JAX without 64-bit types', () => {
    expect(random.key(2 ** 32 + 3).toArray()).toEqual([0, 3]);
    expect(random.key(-(2 ** 32) - 2).toArray()).toEqual([0, 4294967294]);
  });

  test.each(jax.fold_in)('foldIn(key($seed), $data)', ({ seed, data, out }) => {
    expect(random.foldIn(random.key(seed), data).toArray()).toEqual(out);
  });

  test.each(jax.partitionable.split)('split(key($seed), $n)', ({ seed, n, out }) => {
    expect(random.split(random.key(seed), n).map((k) => k.toArray())).toEqual(out);
  });

  test.each(jax.partitionable.bits)('bits(key($seed), [$n])', ({ seed, n, out }) => {
    expect(random.bits(random.key(seed), [n]).toArray()).toEqual(out);
  });

  // The fixture's decimals are JAX's shortest: they name one float32 each.
  test.each(jax.partitionable.uniform)('uniform(key($seed), [$n])', ({ seed, n, out }) => {
    expect(random.uniform(random.key(seed), [n]).toArray()).toEqual(out.map(Math.fround));
  });

  test.each(jax.partitionable.uniform_range)('uniform in [$minval, $maxval)', ({ seed, n, minval, maxval, out }) => {
    expect(random.uniform(random.key(seed), [n], { minval, maxval }).toArray()).toEqual(out.map(Math.fround));
  });

  test.each(jax.partitionable.normal)('normal(key($seed), [$n]) within 4 ulp', ({ seed, n, out }) => {
    const got = numbers(random.normal(random.key(seed), [n]));
    expect(got).toHaveLength(n);
    for (const [i, x] of got.entries()) expect(ulps(x, Math.fround(out[i]!))).toBeLessThanOrEqual(4);
  });

  test.each(jax.partitionable.exponential)('exponential(key($seed), [$n]) within 4 ulp', ({ seed, n, out }) => {
    const got = numbers(random.exponential(random.key(seed), [n]));
    expect(got).toHaveLength(n);
    for (const [i, x] of got.entries()) expect(ulps(x, Math.fround(out[i]!))).toBeLessThanOrEqual(4);
  });
});

/** The distance of two float32 of one sign in units in the last place. */
function ulps(a: number, b: number): number {
  const bits = new Int32Array(Float32Array.of(a, b).buffer);
  return Math.abs(bits[0]! - bits[1]!);
}

describe('laws of keys', () => {
  const key = random.key(7);

  test('foldIn(key, i) is key i of split(key, n)', () => {
    for (const [i, k] of random.split(key, 5).entries()) {
      expect(random.foldIn(key, i).toArray()).toEqual(k.toArray());
      expect(random.foldIn(key, scalar(i, 'int32')).toArray()).toEqual(k.toArray());
    }
  });

  test('an element depends on its row-major index alone', () => {
    const long = numbers(random.bits(key, [24]));
    expect(numbers(random.bits(key, [2, 3, 4]))).toEqual(long);
    expect(numbers(random.bits(key, [5]))).toEqual(long.slice(0, 5));
    expect(random.bits(key).item()).toBe(long[0]);
    expect(random.bits(key, [2, 0, 3]).shape).toEqual([2, 0, 3]);
  });

  test('a tensor is a seed as its number is', () => {
    for (const seed of [0, 42, -1, -2147483648]) {
      expect(random.key(scalar(seed, 'int32')).toArray()).toEqual(random.key(seed).toArray());
    }
  });

  test('many keys from one are different, and split gives a tuple', () => {
    expect(new Set(random.split(key, 1000).map((k) => numbers(k).join())).size).toBe(1000);
    const three = random.split(key, 3);
    expectTypeOf(three).toEqualTypeOf<readonly [random.Key, random.Key, random.Key]>();
    expectTypeOf(random.split(key)).toEqualTypeOf<readonly [random.Key, random.Key]>();
    expectTypeOf(random.split(key, three.length as number)).toEqualTypeOf<readonly random.Key[]>();
  });
});

describe('under transforms', () => {
  const draw = (k: random.Key) => {
    const [a, b, c] = random.split(random.foldIn(k, 3), 3);
    return { bits: random.bits(a, [3, 2]), uniform: random.uniform(b, [4]), normal: random.normal(c, [4]) };
  };

  test('jit(f) draws what f draws, for any key by one trace', () => {
    const jitted = jit(draw);
    for (const seed of [0, 1, -5]) {
      const [a, b] = [draw(random.key(seed)), jitted(random.key(seed))];
      expect(b.bits.toArray()).toEqual(a.bits.toArray());
      expect(b.uniform.toArray()).toEqual(a.uniform.toArray());
      expect(b.normal.toArray()).toEqual(a.normal.toArray());
    }
    expect(jitted.traces).toBe(1);
  });

  test('vmap(f) over keys is f of each', () => {
    const keys = random.split(random.key(0), 3);
    const batched = vmap(draw)(stack(keys) as random.Key);
    const each = keys.map(draw);
    expect(batched.bits.toArray()).toEqual(each.map((x) => x.bits.toArray()));
    expect(batched.uniform.toArray()).toEqual(each.map((x) => x.uniform.toArray()));
    expect(batched.normal.toArray()).toEqual(each.map((x) => x.normal.toArray()));
  });

  test('vmap over what is folded in, and over bounds', () => {
    const key = random.key(1);
    const data = tensorFrom(makeAval([3], 'int32'), Int32Array.of(0, 9, -1));
    const folded = vmap((d: Value) => random.foldIn(key, d))(data);
    expect(folded.toArray()).toEqual([0, 9, -1].map((d) => random.foldIn(key, d).toArray()));
    const maxval = tensorFrom(makeAval([2], 'float32'), Float32Array.of(1, 10));
    const scaled = vmap((m: Value) => random.uniform(key, [4], { maxval: m }))(maxval);
    expect(scaled.toArray()).toEqual([1, 10].map((m) => random.uniform(key, [4], { maxval: m }).toArray()));
  });

  test('the program is the hash and bit operations, and holds no constant array', () => {
    const { jaxpr, consts } = makeJaxpr((k: random.Key) => random.uniform(k, [1000]))(random.key(0));
    expect(consts).toEqual([]);
    expect(jaxpr.eqns.filter((e) => e.primitive.name === 'threefry2x32')).toHaveLength(1);
  });
});

describe('distributions', () => {
  const n = 100_000;
  const mean = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0) / xs.length;

  test('uniform: in [minval, maxval), moments within 5 standard errors', () => {
    const xs = numbers(random.uniform(random.key(2), [n], { minval: -1, maxval: 3 }));
    expect(Math.min(...xs)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...xs)).toBeLessThan(3);
    const sigma = 4 / Math.sqrt(12);
    expect(Math.abs(mean(xs) - 1)).toBeLessThan((5 * sigma) / Math.sqrt(n));
    // Var((x − μ)²) = w⁴/180.
    expect(Math.abs(mean(xs.map((x) => (x - 1) ** 2)) - 16 / 12)).toBeLessThan(
      (5 * (16 / Math.sqrt(180))) / Math.sqrt(n),
    );
  });

  test('normal: the first four moments within 5 standard errors', () => {
    const xs = numbers(random.normal(random.key(3), [n]));
    for (const [power, expected, variance] of [
      [1, 0, 1],
      [2, 1, 2],
      [3, 0, 15],
      [4, 3, 96],
    ] as const) {
      expect(Math.abs(mean(xs.map((x) => x ** power)) - expected)).toBeLessThan(5 * Math.sqrt(variance / n));
    }
  });

  test('float64: the upper 52 of 64 bits as the mantissa of a number in [1, 2), minus 1', () => {
    const key = random.key(11);
    const got = random.uniform(key, [64], { dtype: 'float64' });
    expect(got.dtype).toBe('float64');
    const view = new DataView(new ArrayBuffer(8));
    const [k1, k2, zero] = [...numbers(key), 0].map((w) => scalar(w, 'uint32'));
    for (const [i, x] of numbers(got).entries()) {
      const [high, low] = threefry2x32(k1!, k2!, zero!, scalar(i, 'uint32')).map((w) => BigInt(Number(w.item())));
      view.setBigUint64(0, (((high! << 32n) | low!) >> 12n) | 0x3ff0000000000000n);
      expect(x).toBe(view.getFloat64(0) - 1);
    }
    expect(random.normal(key, [3], { dtype: 'float64' }).dtype).toBe('float64');
  });

  test('bounds may be tensors that broadcast to the shape', () => {
    const maxval = tensorFrom(makeAval([2], 'float32'), Float32Array.of(1, 100));
    const unit = numbers(random.uniform(random.key(0), [3, 2]));
    const scaled = numbers(random.uniform(random.key(0), [3, 2], { maxval }));
    expect(scaled).toEqual(unit.map((x, i) => Math.fround(x * (i % 2 === 0 ? 1 : 100))));
  });
});

describe('mapKeys', () => {
  const like = { b: makeAval([2], 'float32'), layers: [{ w: makeAval([2, 2], 'float32') }] };
  const draw = (key: random.Key, { shape }: { readonly shape: readonly number[] }) => random.uniform(key, shape);

  test('64-bit FNV-1a, its published values', () => {
    const hex = (path: string) =>
      hashPath(path)
        .map((w) => w.toString(16).padStart(8, '0'))
        .join('');
    expect(hex('')).toBe('cbf29ce484222325');
    expect(hex('a')).toBe('af63dc4c8601ec8c');
    expect(hex('foobar')).toBe('85944171f73967e8');
  });

  test('the key of a leaf is that of its path, which init is told', () => {
    const key = random.key(5);
    const paths: string[] = [];
    const drawn = mapKeys(
      key,
      (k, leaf, path) => {
        paths.push(path);
        return draw(k, leaf);
      },
      like,
    );
    expect(paths).toEqual(['b', 'layers[0].w']);
    const [high, low] = hashPath('b');
    const own = random.foldIn(random.foldIn(key, high), low);
    expect(drawn.b.toArray()).toEqual(random.uniform(own, [2]).toArray());
  });

  test('adding a leaf changes no other', () => {
    const few = mapKeys(random.key(5), draw, like);
    const many = mapKeys(random.key(5), draw, { a: like.b, ...like });
    expect(many.b.toArray()).toEqual(few.b.toArray());
    expect(many.a.toArray()).not.toEqual(few.b.toArray());
  });
});

describe('errors', () => {
  const thrown = (f: () => unknown): string => {
    try {
      f();
    } catch (error) {
      if (error instanceof DTypeError || error instanceof ShapeError) {
        return `${error.name}: ${error.message.replace(/\n {2}at .*/, '')}`;
      }
    }
    return 'nothing of ours was thrown';
  };

  test('each names the rule and the remedy', () => {
    const key = random.key(0);
    expect(thrown(() => random.key(0.5))).toMatchInlineSnapshot(`
      "DTypeError: random.key: the seed must be an integer below 2⁵³ in magnitude, got 0.5
        remedy: use a whole number"
    `);
    expect(thrown(() => random.foldIn(key, scalar(1, 'float32')))).toMatchInlineSnapshot(`
      "DTypeError: random.foldIn: the data must be an integer, got float32[]
        remedy: cast first: np.astype(x, 'int32')"
    `);
    expect(thrown(() => random.foldIn(key, uint32(1, 2)))).toMatchInlineSnapshot(`
      "ShapeError: random.foldIn: the data must be a scalar, got uint32[2]
        remedy: use vmap to make many keys at once"
    `);
    expect(thrown(() => random.bits(uint32(1, 2, 3), [2]))).toMatchInlineSnapshot(`
      "ShapeError: random.bits: a key is uint32[2], got uint32[3]
        remedy: make keys with random.key(seed), random.split(key) and random.foldIn(key, data)"
    `);
    expect(thrown(() => random.bits(scalar(1, 'int32') as random.Key, [2]))).toMatchInlineSnapshot(`
      "DTypeError: random.bits: a key is uint32[2], got int32[]
        remedy: make keys with random.key(seed), random.split(key) and random.foldIn(key, data)"
    `);
    expect(thrown(() => random.bits(key, [2, -1]))).toMatchInlineSnapshot(`
      "ShapeError: random.bits: [2,-1] is not a shape
        remedy: use non-negative integers"
    `);
    expect(thrown(() => random.uniform(key, [2], { dtype: 'int32' as 'float32' }))).toMatchInlineSnapshot(`
      "DTypeError: random.uniform: makes floating-point numbers, not int32
        remedy: use dtype: 'float32'"
    `);
    expect(thrown(() => random.uniform(key, [2], { maxval: scalar(3, 'int32') }))).toMatchInlineSnapshot(`
      "DTypeError: random.uniform: the bounds must be floating-point numbers, got int32[]
        remedy: cast first: np.astype(x, 'float32')"
    `);
    expect(thrown(() => random.uniform(key, [2], { maxval: random.uniform(key, [3]) }))).toMatchInlineSnapshot(`
      "ShapeError: random.uniform: float32[3] does not broadcast to [2]
        remedy: lengths, aligned at the last axis, must be 1 or those of the shape"
    `);
    expect(thrown(() => random.normal(key, [2], { dtype: 'float16' as 'float32' }))).toMatchInlineSnapshot(`
      "DTypeError: random.normal: "float16" is not a dtype here
        remedy: use one of 'bool', 'uint32', 'int32', 'float32', 'float64'"
    `);
    expect(thrown(() => random.normal(uint32(1, 2, 3)))).toMatchInlineSnapshot(`
      "ShapeError: random.normal: a key is uint32[2], got uint32[3]
        remedy: make keys with random.key(seed), random.split(key) and random.foldIn(key, data)"
    `);
    expect(thrown(() => random.uniform(key, [2], { minval: '0' as unknown as number }))).toMatchInlineSnapshot(`
      "DTypeError: random.uniform: an operand is "0", which is not a tensor
        remedy: pass tensors; most functions take JS numbers and booleans too"
    `);
    expect(thrown(() => random.foldIn(key, '1' as unknown as number))).toMatchInlineSnapshot(`
      "DTypeError: random.foldIn: the data must be an integer, got "1"
        remedy: pass a JS number or an integer tensor"
    `);
    expect(thrown(() => mapKeys(7 as unknown as random.Key, (k) => random.normal(k), {}))).toMatchInlineSnapshot(`
      "DTypeError: tree.mapKeys: a key is uint32[2], got 7
        remedy: make keys with random.key(seed), random.split(key) and random.foldIn(key, data)"
    `);
  });
});
