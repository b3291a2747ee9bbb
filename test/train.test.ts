/** `train.fold` and `train.iterate`: what the loop written out computes, tensors that stay the user's, and refusals. */

import { grad, jit, np, optim, random, referenceDevice, setDefaultDevice, type Tensor, train, vmap } from 'pullback';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { wasmDevice } from '../backends/wasm/device.ts';
import type { Device } from '../src/core/backend.ts';
import { message } from './errors/message.ts';

type Sums = { readonly total: Tensor; readonly count: Tensor };

const zero = (): Sums => ({ total: np.zeros([3]), count: np.zeros([]) });

/** Adds, and returns the sum so far and the same tensor as it is carried. */
const accumulate = ({ total, count }: Sums, x: Tensor) => {
  const next = np.add(total, x);
  return [
    { total: next, count: np.add(count, 1) },
    { sum: next, mean: np.mean(next) },
  ] as const;
};

const vectors = (count: number): Tensor[] => Array.from({ length: count }, (_, i) => np.full([3], i + 1));

/** The numbers of `vectors`, one after the other, as a source that is read from outside gives them. */
async function* asynchronously(count: number): AsyncGenerator<Tensor> {
  for (const x of vectors(count)) {
    await null;
    yield x;
  }
}

describe.each([
  ['reference', () => referenceDevice()],
  ['wasm', () => wasmDevice({ budget: 4 * 2 ** 20 })],
])('on the device %s', (_name, make) => {
  let before: Device | null = null;
  beforeEach(() => {
    before = setDefaultDevice(make());
  });
  afterEach(() => {
    setDefaultDevice(before);
  });

  it('folds as the loop does', () => {
    const [last, ys] = train.fold(accumulate, zero(), vectors(5));
    expect([last.total.toArray(), last.count.item()]).toEqual([[15, 15, 15], 5]);
    // What a step reports is not what the next one overwrites, though it is the same value.
    expect(ys.map(({ sum, mean }) => [sum.toArray(), mean.item()])).toEqual(
      [1, 3, 6, 10, 15].map((n) => [[n, n, n], n]),
    );
  });

  it('leaves the initial tensors and the results of a fold alone', () => {
    const init = zero();
    const [first] = train.fold(accumulate, init, vectors(3));
    const [second] = train.fold(accumulate, first, vectors(2));
    const [again] = train.fold(accumulate, init, vectors(3));
    expect([init, first, second, again].map(({ total, count }) => [total.toArray(), count.item()])).toEqual([
      [[0, 0, 0], 0],
      [[6, 6, 6], 3],
      [[9, 9, 9], 5],
      [[6, 6, 6], 3],
    ]);
  });

  it('leaves the xs alone, even where a step carries one on', () => {
    const xs = vectors(4);
    const [last, ys] = train.fold((before: Tensor, x: Tensor) => [x, before] as const, np.zeros([3]), xs);
    expect(last.toArray()).toEqual([4, 4, 4]);
    expect(ys.map((y) => y.toArray())).toEqual([0, 1, 2, 3].map((n) => [n, n, n]));
    expect(xs.map((x) => x.toArray())).toEqual([1, 2, 3, 4].map((n) => [n, n, n]));
  });

  it('carries leaves that a step does not change, and one tensor in two places', () => {
    const x = np.array([1, 2]);
    type Pair = { readonly a: Tensor; readonly b: Tensor; readonly kept: Tensor };
    const swap = ({ a, b, kept }: Pair): Pair => ({ a: np.add(b, 1), b: a, kept });
    const end = train.iterate(swap, { a: x, b: x, kept: x }, 5);
    expect([end.a, end.b, end.kept, x].map((v) => v.toArray())).toEqual([
      [4, 5],
      [3, 4],
      [1, 2],
      [1, 2],
    ]);
    const same = train.iterate(({ a }: Pair): Pair => ({ a, b: a, kept: a }), { a: x, b: x, kept: x }, 3);
    expect([same.a, same.b, same.kept].map((v) => v.toArray())).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  it('iterates a number of times, and while a condition holds', () => {
    const half = (x: Tensor): Tensor => np.div(x, 2);
    expect(train.iterate(half, np.array([64]), 0).toArray()).toEqual([64]);
    expect(train.iterate(half, np.array([64]), 3).toArray()).toEqual([8]);
    expect(train.iterate(half, np.array([64]), (x) => np.greater(np.max(x), 5)).toArray()).toEqual([4]);
    expect(train.iterate(half, np.array([64]), (x) => np.max(x).item() > 5).toArray()).toEqual([4]);
  });

  it('folds over an async iterable', async () => {
    const [last, ys] = await train.fold(accumulate, zero(), asynchronously(5));
    expect([last.total.toArray(), ys.map(({ mean }) => mean.item())]).toEqual([
      [15, 15, 15],
      [1, 3, 6, 10, 15],
    ]);
  });
});

it('traces a step once, over several calls, and again for other shapes of x', () => {
  let traces = 0;
  const step = (sum: Tensor, x: Tensor) => {
    traces += 1;
    return [np.add(sum, np.sum(x)), null] as const;
  };
  for (let epoch = 0; epoch < 3; epoch++) train.fold(step, np.zeros([]), [np.ones([4]), np.ones([4])]);
  expect(traces).toBe(1);
  const [sum] = train.fold(step, np.zeros([]), [np.ones([4]), np.ones([3])]);
  expect([sum.item(), traces]).toEqual([7, 2]);
});

it('keeps static leaves, and reports them', () => {
  const init = { name: 'sum', scale: 2, x: np.zeros([]) };
  const step = (c: typeof init, x: Tensor) =>
    [{ ...c, x: np.add(c.x, np.mul(np.sum(x), c.scale)) }, { size: x.size }] as const;
  const [{ name, scale, x }, ys] = train.fold(step, init, [np.ones([4]), np.ones([3])]);
  expect([name, scale, x.item(), ys]).toEqual(['sum', 2, 14, [{ size: 4 }, { size: 3 }]]);
});

it('says how far it is, and ends when the data does', () => {
  const seen: [number, number][] = [];
  let enough = false;
  function* endless(): Generator<Tensor> {
    for (let i = 0; !enough; i++) yield np.array(i);
  }
  const step = (sum: Tensor, x: Tensor) => [np.add(sum, x), np.add(sum, x)] as const;
  const [sum] = train.fold(step, np.array(0), endless(), {
    onStep: (y, i) => {
      seen.push([y.item(), i]);
      enough = y.item() >= 10;
    },
  });
  expect([sum.item(), seen]).toEqual([
    10,
    [
      [0, 0],
      [1, 1],
      [3, 2],
      [6, 3],
      [10, 4],
    ],
  ]);
});

it('is the loop written out under transforms', () => {
  const power = (x: Tensor): Tensor =>
    train.fold((y: Tensor, k: Tensor) => [np.mul(np.mul(y, x), k), null] as const, np.ones([]), [
      np.array(1),
      np.array(2),
      np.array(3),
    ])[0];
  const cube = (x: Tensor): Tensor => train.iterate((y: Tensor) => np.mul(y, x), np.ones([]), 3);
  expect(grad(power)(np.array(2)).item()).toBe(72);
  expect(grad(grad(cube))(np.array(2)).item()).toBe(12);
  expect(vmap(cube)(np.array([1, 2, 3])).toArray()).toEqual([1, 8, 27]);
  expect(jit(grad(power))(np.array(1)).item()).toBe(18);
  expect(grad((x: Tensor) => train.iterate((y: Tensor) => np.mul(y, y), x, 3))(np.array(2)).item()).toBe(1024);
});

it('trains as a loop with a jitted step does, to the bit', () => {
  const adam = optim.adam(0.05);
  const init = { w: random.normal(random.key(1), [8]), state: adam.init(np.zeros([8])) };
  const loss = (w: Tensor, x: Tensor): Tensor => np.mean(np.square(np.sub(np.sin(w), x)));
  const step = ({ w, state }: typeof init, x: Tensor) => {
    const [updates, next] = adam.update(grad((v: Tensor) => loss(v, x))(w), state, w);
    return [{ w: optim.applyUpdates(w, updates), state: next }, loss(w, x)] as const;
  };
  const xs = Array.from({ length: 20 }, (_, i) => random.uniform(random.key(i), [8]));
  const [last, losses] = train.fold(step, init, xs);
  const jitted = jit(step);
  let carry = init;
  const wanted = xs.map((x) => {
    const [next, y] = jitted(carry, x);
    carry = next;
    return y.item();
  });
  expect(losses.map((y) => y.item())).toEqual(wanted);
  expect(last.w.toArray()).toEqual(carry.w.toArray());
});

it('overwrites what a condition keeps', () => {
  const seen: Tensor[] = [];
  const last = train.iterate(
    (x: Tensor) => np.add(x, 1),
    np.zeros([2]),
    (x) => seen.push(x) < 4,
  );
  expect(last.toArray()).toEqual([3, 3]);
  expect(seen[0]!.toArray()).toEqual([0, 0]);
  expect(seen[3]!.toArray()).toEqual([3, 3]);
  expect(message(() => seen[1]!.toArray())).toMatchInlineSnapshot(`
    "
    DonatedTensorError: Tensor: float32[2] was donated to a program, which may have overwritten it
      remedy: use the result of that program instead, or do not list the argument in donateArgnums
      at test/train.test.ts:LINE
    "
  `);
});

test('an error in a step leaves the carry before it to nobody, and the initial one as it was', () => {
  const init = np.zeros([2]);
  const onStep = (): void => {
    throw new Error('enough');
  };
  expect(() => train.fold((x: Tensor) => [np.add(x, 1), null] as const, init, [null], { onStep })).toThrow('enough');
  expect(init.toArray()).toEqual([0, 0]);
});

describe('what is refused', () => {
  it('a carry that changes its shape or dtype', () => {
    const init = { w: np.zeros([2]), deep: [np.zeros([3], { dtype: 'int32' })] };
    expect(
      message(() => train.iterate(({ w, deep }: typeof init) => ({ w: np.concatenate([w, w]), deep }), init, 2)),
    ).toMatchInlineSnapshot(`
      "
      ShapeError: train.iterate: the carry changes its type: carry.w is float32[2] before a step and float32[4] after it
        remedy: start from a carry of the shape that the step returns
        at test/train.test.ts:LINE
      "
    `);
    expect(
      message(() =>
        train.fold((c: typeof init) => [{ w: c.w, deep: [np.astype(c.deep[0]!, 'float32')] } as never, 0], init, [0]),
      ),
    ).toMatchInlineSnapshot(`
      "
      DTypeError: train.fold: the carry changes its type: carry.deep[0] is int32[3] before a step and float32[3] after it
        remedy: cast the initial carry, or what the step returns, with np.astype
        at test/train.test.ts:LINE
      "
    `);
  });

  it('a carry that changes its structure, or a number in it', () => {
    const init = { w: np.zeros([2]), n: 0 };
    expect(message(() => train.iterate(({ w }: typeof init) => ({ w }) as never, init, 1))).toMatchInlineSnapshot(`
      "
      TreeError: train.iterate: the step returns a carry of another structure than it takes: carry.n is in only one of the two
        remedy: return a carry with the same keys, lengths and static values; a number that changes is a tensor, np.array(0)
        at test/train.test.ts:LINE
      "
    `);
    expect(message(() => train.iterate(({ w, n }: typeof init) => ({ w, n: n + 1 }), init, 1))).toMatchInlineSnapshot(`
      "
      TreeError: train.iterate: the step returns a carry of another structure than it takes: carry.n: the static 0 beside the static 1
        remedy: return a carry with the same keys, lengths and static values; a number that changes is a tensor, np.array(0)
        at test/train.test.ts:LINE
      "
    `);
  });

  it('a step that returns no pair, or a promise', () => {
    expect(
      message(() => train.fold(((x: Tensor) => np.add(x, 1)) as never, np.zeros([2]), [0])),
    ).toMatchInlineSnapshot(`
      "
      TreeError: train.fold: the step must return [carry, y], got float32[2]
        remedy: return a pair; y is null if there is nothing to report
        at test/train.test.ts:LINE
      "
    `);
    expect(
      message(() => train.fold((async (x: Tensor) => [x, 0]) as never, np.zeros([2]), [0])),
    ).toMatchInlineSnapshot(`
      "
      AsyncTraceError: train.fold: output is a Promise: what is computed after an await would escape the trace
        remedy: make the function synchronous; await data before calling it and pass it as an argument
        at test/train.test.ts:LINE
      "
    `);
  });

  it('what cannot be iterated over, and numbers of steps that are none', () => {
    const step = (x: Tensor) => [x, null] as const;
    expect(message(() => train.fold(step, np.zeros([2]), np.zeros([3]) as never))).toMatchInlineSnapshot(`
      "
      TreeError: train.fold: xs is float32[3], which cannot be iterated over
        remedy: pass an array, a generator or an async generator; scan runs over the first axis of tensors
        at test/train.test.ts:LINE
      "
    `);
    for (const count of [-1, 1.5, Number.NaN, '3' as never]) {
      expect(() => train.iterate((x: Tensor) => x, np.zeros([2]), count)).toThrow('the number of steps is');
    }
    expect(message(() => train.iterate((x: Tensor) => x, np.zeros([2]), -1))).toMatchInlineSnapshot(`
      "
      ShapeError: train.iterate: the number of steps is -1
        remedy: pass a non-negative integer, or a function that says whether to go on
        at test/train.test.ts:LINE
      "
    `);
  });

  it('a condition on values while a program is traced', () => {
    const f = jit((x: Tensor) =>
      train.iterate(
        (y: Tensor) => np.div(y, 2),
        x,
        (y) => np.greater(y, 1),
      ),
    );
    expect(() => f(np.array(8))).toThrow('the value of a tracer was asked for');
  });
});
