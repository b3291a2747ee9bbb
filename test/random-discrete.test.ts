/** Integers, choices and orders: JAX's numbers, their laws, and the same numbers under every transform. */
import { readFileSync } from 'node:fs';
import * as t from 'io-ts';
import { grad, jit, np, random, ShapeError, type Tensor, vmap } from 'pullback';
import { describe, expect, expectTypeOf, test } from 'vitest';

const Numbers = t.array(t.number);
const Fixture = t.type({
  partitionable: t.type({
    randint: t.array(t.type({ seed: t.number, n: t.number, minval: t.number, maxval: t.number, out: Numbers })),
    randint_more: t.array(
      t.type({
        seed: t.number,
        n: t.number,
        minval: t.number,
        maxval: t.number,
        dtype: t.union([t.literal('int32'), t.literal('uint32')]),
        out: Numbers,
      }),
    ),
    bernoulli: t.array(t.type({ seed: t.number, n: t.number, p: t.number, out: t.array(t.boolean) })),
    permutation: t.array(t.type({ seed: t.number, n: t.number, out: Numbers })),
    permutation_of_table: t.array(
      t.type({ seed: t.number, shape: Numbers, axis: t.number, independent: t.boolean, out: t.array(Numbers) }),
    ),
    choice: t.array(t.type({ seed: t.number, n: t.number, draws: t.number, replace: t.boolean, out: Numbers })),
    choice_weighted: t.array(t.type({ seed: t.number, p: Numbers, draws: t.number, replace: t.boolean, out: Numbers })),
    categorical: t.array(
      t.type({ seed: t.number, axis: t.number, prefix: Numbers, replace: t.boolean, out: t.array(t.unknown) }),
    ),
  }),
});
const decoded = Fixture.decode(
  JSON.parse(readFileSync(new URL('./fixtures/jax-random.json', import.meta.url), 'utf8')),
);
if (decoded._tag === 'Left') throw new Error('test/fixtures/jax-random.json has another form');
const jax = decoded.right.partitionable;
const { key } = random;
const int32 = (x: number): Tensor<'int32'> => np.array(x, { dtype: 'int32' });

describe("JAX's numbers", () => {
  test.each(jax.randint)('randint(key($seed), [$n], $minval, $maxval)', ({ seed, n, minval, maxval, out }) => {
    expect(random.randint(key(seed), [n], minval, maxval).toArray()).toEqual(out);
  });

  test.each(jax.randint_more)('$dtype in [$minval, $maxval)', ({ seed, n, minval, maxval, dtype, out }) => {
    const drawn = random.randint(key(seed), [n], minval, maxval, { dtype });
    expect([drawn.dtype, drawn.toArray()]).toEqual([dtype, out]);
  });

  test.each(jax.bernoulli)('bernoulli(key($seed), $p, [$n])', ({ seed, n, p, out }) => {
    expect(random.bernoulli(key(seed), p, [n]).toArray()).toEqual(out);
  });

  test.each(jax.permutation)('permutation(key($seed), $n)', ({ seed, n, out }) => {
    expect(random.permutation(key(seed), n).toArray()).toEqual(out);
    expect(random.permutation(key(seed), np.arange(n)).toArray()).toEqual(out);
  });

  test.each(jax.permutation_of_table)(
    'permutation of a table along $axis, independent: $independent',
    ({ seed, shape, axis, independent, out }) => {
      const table = np.reshape(np.arange(24), shape);
      expect(random.permutation(key(seed), table, axis, { independent }).toArray()).toEqual(out);
    },
  );

  test.each(jax.choice)('choice of $draws among $n, replace: $replace', ({ seed, n, draws, replace, out }) => {
    expect(random.choice(key(seed), n, [draws], { replace }).toArray()).toEqual(out);
    const tens = np.mul(np.arange(n), 10);
    expect(random.choice(key(seed), tens, [draws], { replace }).toArray()).toEqual(out.map((i) => 10 * i));
  });

  test.each(jax.choice_weighted)('weighted choice, replace: $replace', ({ seed, p, draws, replace, out }) => {
    expect(random.choice(key(seed), p.length, [draws], { replace, p: np.array(p) }).toArray()).toEqual(out);
  });

  test.each(jax.categorical)('categorical along $axis, replace: $replace', ({ seed, axis, prefix, replace, out }) => {
    const logits = np.array([
      [0, 1, 2],
      [3, 0, -1],
    ]);
    const shape = [...prefix, axis === 0 ? 3 : 2];
    expect(random.categorical(key(seed), logits, axis, { shape, replace }).toArray()).toEqual(out);
  });
});

describe('laws', () => {
  test('a permutation has every element once, and every order comes', () => {
    const orders = new Map<string, number>();
    const draws = 3000;
    const keys = np.stack(random.split(key(1), draws));
    const all = vmap((k: random.Key) => random.permutation(k, 3))(keys).toArray() as number[][];
    for (const order of all) {
      expect([...order].sort()).toEqual([0, 1, 2]);
      orders.set(order.join(), (orders.get(order.join()) ?? 0) + 1);
    }
    // Six orders, each 500 ± 5σ, σ = √(3000·1/6·5/6) ≈ 20.4.
    expect(orders.size).toBe(6);
    for (const count of orders.values()) expect(Math.abs(count - 500)).toBeLessThan(102);
  });

  test('frequencies are the probabilities', () => {
    const n = 20000;
    const p = [0.1, 0, 0.3, 0.6];
    const share = (x: Tensor<'int32'>): number[] => p.map((_, i) => np.mean(np.equal(x, i)).item());
    const near = (found: readonly number[]): void => {
      // 5σ of the largest variance is 0.018.
      found.forEach((f, i) => {
        expect(Math.abs(f - p[i]!)).toBeLessThan(0.018);
      });
      expect(found[1]).toBe(0);
    };
    near(share(random.choice(key(2), 4, [n], { p: np.array(p) })));
    near(share(random.choice(key(2), 4, [n], { p: np.mul(np.array(p), 7) })));
    near(share(random.categorical(key(3), np.log(np.array(p)), -1, { shape: [n] })));
    expect(Math.abs(np.mean(random.bernoulli(key(4), 0.6, [n])).item() - 0.6)).toBeLessThan(0.018);
    expect(Math.abs(np.mean(random.gumbel(key(5), [n])).item() - 0.5772)).toBeLessThan(0.046);
  });

  test('without replacement nothing comes twice, whatever the weights', () => {
    const p = np.array([0.9, 0.02, 0.02, 0.02, 0.02, 0.02]);
    for (let seed = 0; seed < 20; seed++) {
      const drawn = random.choice(key(seed), 6, [6], { replace: false, p }).toArray() as number[];
      expect([...drawn].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    }
    const logits = np.zeros([2, 5]);
    const five = random.categorical(key(1), logits, -1, { shape: [5, 2], replace: false }).toArray() as number[][];
    for (const column of [0, 1]) expect(five.map((row) => row[column]).sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test('bounds, probabilities and logits may be tensors, and broadcast', () => {
    const bounds = np.array([[10], [1000]], { dtype: 'int32' });
    const drawn = random.randint(key(0), [2, 50], np.sub(bounds, 5), bounds).toArray() as number[][];
    drawn.forEach((row, i) => {
      for (const x of row) expect(x >= [5, 995][i]! && x < [10, 1000][i]!).toBe(true);
    });
    expect(random.randint(key(4), [6], -2147483648, 2147483647).toArray()).toEqual(
      random.randint(key(4), [6], int32(-2147483648), int32(2147483647)).toArray(),
    );
    const limit = np.array(2147483648, { dtype: 'uint32' });
    expect(random.randint(key(4), [6], -2147483648, limit).toArray()).toEqual(
      random.randint(key(4), [6], -2147483648, 2 ** 31).toArray(),
    );
    expect(random.randint(key(7), [6], int32(-7), int32(6), { dtype: 'uint32' }).toArray()).toEqual(
      random.randint(key(7), [6], 0, 6, { dtype: 'uint32' }).toArray(),
    );
    const coins = random.bernoulli(key(0), np.array([0, 1]));
    expect(coins.toArray()).toEqual([false, true]);
    expect(random.bernoulli(key(0), np.array([0, 1]), [3, 2]).shape).toEqual([3, 2]);
  });

  test('axes: the draws stand in place of the axis', () => {
    const table = np.reshape(np.arange(12), [3, 4]);
    const columns = random.choice(key(0), table, [2, 5], { axis: 1 });
    expect(columns.shape).toEqual([3, 2, 5]);
    const rows = np.reshape(columns, [3, 10]).toArray() as number[][];
    for (let j = 0; j < 10; j++) expect([rows[1]![j]! - rows[0]![j]!, rows[2]![j]! - rows[0]![j]!]).toEqual([4, 8]);
    const some = random.choice(key(0), table, [2], { axis: 1, replace: false });
    expect(some.shape).toEqual([3, 2]);
    expect(random.choice(key(0), table, []).shape).toEqual([4]);
    expect(random.choice(key(0), table, [0]).shape).toEqual([0, 4]);
  });
});

describe('under transforms', () => {
  const keys = np.stack(random.split(key(9), 4));
  const programs: readonly (readonly [string, (k: random.Key) => Tensor<'int32'>])[] = [
    ['randint', (k) => random.randint(k, [5], 0, 100)],
    ['permutation', (k) => random.permutation(k, 7)],
    ['choice', (k) => random.choice(k, 7, [5], { p: np.array([1, 2, 3, 4, 5, 6, 7]) })],
    ['categorical', (k) => random.categorical(k, np.array([0, 1, 2]), -1, { shape: [4], replace: true })],
  ];
  test.each(programs)('%s', (_, draw) => {
    const one = random.split(key(9), 4).map((k) => draw(k).toArray());
    expect(vmap(draw)(keys).toArray()).toEqual(one);
    expect(jit(draw)(random.split(key(9), 4)[1]).toArray()).toEqual(one[1]);
  });

  test('a permutation moves derivatives with the elements', () => {
    const x = np.array([1, 2, 3, 4]);
    const weights = np.array([10, 20, 30, 40]);
    const order = random.permutation(key(3), 4).toArray() as number[];
    const g = grad((y: Tensor) => np.sum(np.mul(random.permutation(key(3), y), weights)))(x).toArray() as number[];
    expect(order.map((i) => g[i])).toEqual([10, 20, 30, 40]);
  });
});

describe('refusals and types', () => {
  test('what cannot be drawn', () => {
    expect(() => random.randint(key(0), [2], 0, 1.5)).toThrow('random.randint: bounds are integers, got 1.5');
    expect(() => random.randint(key(0), [2], 0, np.array(3))).toThrow('bounds are integers, got float32[]');
    expect(() => random.randint(key(0), [2], 0, 5, { dtype: 'float32' as 'int32' })).toThrow(
      'makes integers, not float32',
    );
    expect(() => random.permutation(key(0), np.arange(3), 0, true as never)).toThrow('true stands where options are');
    expect(() => random.choice(key(0), 3, [1], { replaced: false } as object)).toThrow("there is no option 'replaced'");
    expect(() => random.permutation(key(0), -1)).toThrow('random.permutation: cannot count to -1');
    const tooMany = 'the numbers below 100000000000 are not all int32';
    expect(() => random.permutation(key(0), 1e11)).toThrow(ShapeError);
    expect(() => random.permutation(key(0), 1e11)).toThrow(`random.permutation: ${tooMany}`);
    for (const replace of [true, false]) {
      expect(() => random.choice(key(0), 1e11, [2], { replace })).toThrow(`random.choice: ${tooMany}`);
    }
    expect(() => random.choice(key(0), 3, [4], { replace: false })).toThrow('4 of 3 elements cannot differ');
    expect(() => random.choice(key(0), 0, [1])).toThrow('there is nothing to draw from');
    expect(() => random.choice(key(0), 3, [1], { p: np.array([1, 2]) })).toThrow('float32[2] is not a probability');
    expect(() => random.categorical(key(0), np.zeros([2, 3]), -1, { shape: [3] })).toThrow('[3] does not end with [2]');
    expect(() => random.categorical(key(0), np.zeros([3]), -1, { shape: [4], replace: false })).toThrow('4 of 3');
    expect(() => random.bernoulli(key(0), np.array(1, { dtype: 'int32' }))).toThrow('probabilities must be');
    expect(() => random.bernoulli(key(0), np.zeros([3]), [2])).toThrow('does not broadcast');
  });

  test('errors name the function that was called', () => {
    const notAKey = np.zeros([3]) as never;
    expect(() => random.categorical(notAKey, np.zeros([2]))).toThrow('random.categorical: a key is uint32[2]');
    expect(() => random.choice(notAKey, 5, [2])).toThrow('random.choice: a key is uint32[2]');
    expect(() => random.choice(notAKey, 2, [2], { p: np.ones([2]) })).toThrow('random.choice: a key is uint32[2]');
    expect(() => random.categorical(key(0), np.zeros([2, 0]))).toThrow(
      'random.categorical: float32[2,0] has no categories',
    );
  });

  test('weights need not sum to 1; those of 0 are drawn only when others are out; impossible ones stay within', () => {
    const drawn = (p: readonly number[], replace: boolean, shape: number): readonly number[] =>
      random.choice(key(3), p.length, [shape], { p: np.array(p), replace }).toArray() as readonly number[];
    expect(new Set(drawn([0, 2, 0, 6], true, 200))).toEqual(new Set([1, 3]));
    expect([...drawn([0, 2, 0, 6], false, 2)].sort()).toEqual([1, 3]);
    expect([...drawn([0, 2, 0, 6], false, 4)].sort()).toEqual([0, 1, 2, 3]);
    for (const p of [
      [0, 0, 0],
      [NaN, 1, 1],
      [-1, 2, 1],
      [Infinity, 1, 1],
    ]) {
      for (const replace of [true, false]) {
        const numbers = drawn(p, replace, 3);
        expect(
          numbers.every((i) => [0, 1, 2].includes(i)),
          `${p}`,
        ).toBe(true);
        if (!replace) expect(new Set(numbers).size).toBe(3);
      }
    }
  });

  test('types', () => {
    expectTypeOf(random.randint(key(0), [2], 0, 5)).toEqualTypeOf<Tensor<'int32'>>();
    expectTypeOf(random.randint(key(0), [2], 0, 5, { dtype: 'uint32' })).toEqualTypeOf<Tensor<'uint32'>>();
    expectTypeOf(random.permutation(key(0), 5)).toEqualTypeOf<Tensor<'int32'>>();
    expectTypeOf(random.choice(key(0), np.zeros([3]), [2])).toEqualTypeOf<Tensor>();
  });
});
