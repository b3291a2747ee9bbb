/** Pooling and windows as users call them, beside loops over the elements. */

import fc from 'fast-check';
import { grad, hessian, jit, jvp, lax, nn, np, random, type Tensor, vmap } from 'pullback';
import { checkGrads } from 'pullback/laws';
import { describe, expect, it } from 'vitest';
import { message } from './errors/message.ts';
import { build, dense, indices } from './ops/oracle.ts';

const { avgPool, maxPool, minPool } = nn.functional;

const iotaLike = (shape: readonly number[], seed = 1): Tensor => random.normal(random.key(seed), [...shape]);

interface Case {
  readonly image: readonly number[];
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly (readonly [number, number])[];
}

const spatial = fc.integer({ min: 1, max: 3 }).chain((rank) =>
  fc.record({
    image: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: rank, maxLength: rank }),
    window: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
    strides: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
    pads: fc.array(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 })), { minLength: rank, maxLength: rank }),
  }),
) as fc.Arbitrary<Case>;

/** The elements of each window of an image [batch, ...spatial, channels], by a loop. */
function pooled({ image, window, strides, pads }: Case, x: Tensor, combine: (elements: number[]) => number) {
  const source = dense(x);
  const counts = image.map((n, i) =>
    Math.max(0, Math.floor((n + pads[i]![0] + pads[i]![1] - window[i]!) / strides[i]!) + 1),
  );
  const element = (b: number, at: readonly number[], c: number): number =>
    source.data[[b, ...at, c].reduce((flat, i, axis) => flat * source.shape[axis]! + i, 0)]!;
  return build([source.shape[0]!, ...counts, source.shape.at(-1)!], (index) => {
    const found: number[] = [];
    for (const k of indices(window)) {
      const at = k.map((o, i) => index[i + 1]! * strides[i]! + o - pads[i]![0]);
      if (at.every((p, i) => p >= 0 && p < image[i]!)) found.push(element(index[0]!, at, index.at(-1)!));
    }
    return combine(found);
  });
}

describe('pooling', () => {
  it('has the values of a loop, in both layouts', () => {
    fc.assert(
      fc.property(spatial, (one) => {
        const x = iotaLike([2, ...one.image, 3]);
        const options = { strides: one.strides, padding: one.pads };
        const places = one.window.reduce((a, b) => a * b, 1);
        const sum = (xs: number[]): number => xs.reduce((a, b) => a + b, 0);
        const first = (v: Tensor): Tensor => np.moveaxis(v, -1, 1);
        const check = (
          pool: (v: Tensor, layout: nn.functional.Layout) => Tensor,
          combine: (xs: number[]) => number,
        ): void => {
          const wanted = pooled(one, x, combine);
          const last = pool(x, 'channelsLast');
          const found = dense(last);
          expect(found.shape).toEqual(wanted.shape);
          found.data.forEach((v, i) => {
            const w = wanted.data[i]!;
            if (Number.isFinite(w)) expect(Math.abs(v - w)).toBeLessThanOrEqual(1e-6);
            else expect(v).toBe(w);
          });
          expect(dense(pool(first(x), 'channelsFirst'))).toEqual(dense(first(last)));
        };
        check(
          (v, layout) => maxPool(v, one.window, { ...options, layout }),
          (xs) => Math.max(...xs),
        );
        check(
          (v, layout) => minPool(v, one.window, { ...options, layout }),
          (xs) => Math.min(...xs),
        );
        check(
          (v, layout) => avgPool(v, one.window, { ...options, layout }),
          (xs) => sum(xs) / places,
        );
        check(
          (v, layout) => avgPool(v, one.window, { ...options, layout, countIncludePad: false }),
          (xs) => sum(xs) / xs.length,
        );
      }),
      { numRuns: 60 },
    );
  });

  it('SAME gives ⌈length/stride⌉ windows, with the odd place of padding behind', () => {
    const x = np.reshape(np.array([1, 2, 3, 4, 5, 6]), [6, 1]);
    const run = (window: number, stride: number): unknown =>
      np.ravel(maxPool(x, [window], { strides: [stride], padding: 'SAME' })).toArray();
    expect(run(2, 1)).toEqual([2, 3, 4, 5, 6, 6]);
    expect(run(3, 2)).toEqual([3, 5, 6]);
    expect(run(3, 4)).toEqual([3, 6]);
    expect(maxPool(np.zeros([2, 5, 7, 4]), [2, 3], { strides: [2, 2], padding: 'SAME' }).shape).toEqual([2, 3, 4, 4]);
  });

  it('windows lie side by side unless strides say so', () => {
    expect(maxPool(np.zeros([28, 28, 6]), [2, 2]).shape).toEqual([14, 14, 6]);
    expect(avgPool(np.zeros([3, 8, 9, 6]), [2, 3]).shape).toEqual([3, 4, 3, 6]);
    expect(maxPool(np.zeros([0, 4, 4, 2]), [2, 2]).shape).toEqual([0, 2, 2, 2]);
    expect(maxPool(np.zeros([4, 1]), [5]).shape).toEqual([0, 1]);
  });

  it('dilated windows skip elements', () => {
    const x = np.reshape(np.array([5, 1, 2, 3, 4]), [5, 1]);
    const options = { strides: [1], windowDilation: [2] };
    expect(np.ravel(maxPool(x, [2], options)).toArray()).toEqual([5, 3, 4]);
    expect(np.ravel(avgPool(x, [2], options)).toArray()).toEqual([3.5, 2, 3]);
  });

  it('of integers: extrema stay integers, means become float32', () => {
    const x = np.array([[1], [4], [2], [3]], { dtype: 'int32' });
    expect([maxPool(x, [2]).dtype, avgPool(x, [2]).dtype]).toEqual(['int32', 'float32']);
    expect(np.ravel(avgPool(x, [2])).toArray()).toEqual([2.5, 2.5]);
  });

  it('NaN is the largest and the least', () => {
    const x = np.array([[1], [Number.NaN], [2], [3]]);
    expect(np.ravel(maxPool(x, [2])).toArray()).toEqual([Number.NaN, 3]);
    expect(np.ravel(minPool(x, [2])).toArray()).toEqual([Number.NaN, 2]);
  });
});

describe('derivatives', () => {
  const x = iotaLike([2, 5, 4, 2], 3);
  const options = { strides: [1, 2], padding: 'SAME' } as const;

  it('of every pooling agree with differences, to second order', () => {
    const through = (pool: (v: Tensor) => Tensor) => (v: Tensor) => np.sum(np.sin(pool(np.mul(v, v))));
    checkGrads(
      through((v) => maxPool(v, [3, 2], options)),
      [x],
      { order: 2 },
    );
    checkGrads(
      through((v) => minPool(v, [2, 2])),
      [x],
      { order: 2 },
    );
    checkGrads(
      through((v) => avgPool(v, [3, 2], { ...options, countIncludePad: false })),
      [x],
      { order: 2 },
    );
  });

  it('the whole of it goes to the first of equal elements, and to the first NaN', () => {
    const total = (v: Tensor): Tensor => np.sum(maxPool(v, [3]));
    expect(np.ravel(grad(total)(np.zeros([6, 1]))).toArray()).toEqual([1, 0, 0, 1, 0, 0]);
    const withNaN = np.array([[1], [Number.NaN], [Number.NaN], [2], [7], [7]]);
    expect(np.ravel(grad(total)(withNaN)).toArray()).toEqual([0, 1, 0, 0, 1, 0]);
  });

  it('overlapping windows add what they select', () => {
    const total = (v: Tensor): Tensor => np.sum(maxPool(v, [2], { strides: [1] }));
    expect(np.ravel(grad(total)(np.array([[1], [3], [2]]))).toArray()).toEqual([0, 2, 0]);
  });

  it('is linear in the direction: the tangent of a maximum is that of the element', () => {
    const [y, dy] = jvp(
      (v: Tensor) => maxPool(v, [2]),
      [np.array([[3], [1], [2], [4]])],
      [np.array([[10], [20], [30], [40]])],
    );
    expect([np.ravel(y).toArray(), np.ravel(dy).toArray()]).toEqual([
      [3, 4],
      [10, 40],
    ]);
    expect(
      hessian((v: Tensor) => np.sum(maxPool(v, [2])))(np.ones([2, 1]))
        .dataSync()
        .every((h) => h === 0),
    ).toBe(true);
  });

  it('batches and compiles', () => {
    const g = grad((v: Tensor) => np.sum(np.square(maxPool(v, [2, 2], { padding: 'SAME' }))));
    const lanes = iotaLike([3, 5, 5, 2], 9);
    const one = [0, 1, 2].map((i) => dense(g(np.index(lanes, i))).data);
    expect(dense(vmap(g)(lanes)).data).toEqual(one.flat());
    expect(dense(jit(vmap(g))(lanes)).data).toEqual(one.flat());
  });
});

describe('lax.reduceWindow', () => {
  const x = np.array([3, 1, 4, 1, 5]);

  it('takes any function that is addition, maximum or minimum', () => {
    const run = (f: (a: Tensor, b: Tensor) => Tensor, init: number): unknown =>
      lax.reduceWindow(x, init, f, [2], [1], 'VALID').toArray();
    expect(run(lax.add, 0)).toEqual([4, 5, 5, 6]);
    expect(run(np.add, 0)).toEqual([4, 5, 5, 6]);
    expect(run((a, b) => lax.max(b, a), -Infinity)).toEqual([3, 4, 4, 5]);
    expect(run(np.minimum, Infinity)).toEqual([1, 1, 1, 1]);
  });

  it('an initial value takes part in extrema', () => {
    expect(lax.reduceWindow(x, 4, lax.max, [2], [1], 'VALID').toArray()).toEqual([4, 4, 4, 5]);
    expect(lax.reduceWindow(x, 2, lax.min, [1], [2], 'VALID').toArray()).toEqual([2, 2, 2]);
  });

  it('dilates the base as JAX does: windows of holes have the initial value', () => {
    const run = (window: number, low: number): unknown =>
      lax.reduceWindow(x, 0, lax.add, [window], [1], [[low, 0]], { baseDilation: [2] }).toArray();
    expect(run(1, 0)).toEqual([3, 0, 1, 0, 4, 0, 1, 0, 5]);
    expect(run(2, -1)).toEqual([1, 1, 4, 4, 1, 1, 5]);
  });

  it('says what it cannot do', () => {
    expect(message(() => lax.reduceWindow(x, 0, lax.mul, [2], [1], 'VALID'))).toMatchInlineSnapshot(`
      "
      DTypeError: lax.reduceWindow: windows are not reduced by a function that computes mul
        remedy: use lax.add, lax.max or lax.min
        at test/pool.test.ts:LINE
        while computing lax.reduceWindow
      "
    `);
    expect(message(() => lax.reduceWindow(x, 1, lax.add, [2], [1], 'VALID'))).toMatchInlineSnapshot(`
      "
      DTypeError: lax.reduceWindow: a sum begins at 0, got the initial value 1
        remedy: add it to the result, which says whether padding counts
        at test/pool.test.ts:LINE
        while computing lax.reduceWindow
      "
    `);
    expect(message(() => lax.reduceWindow(x, 0, lax.add, [2, 1], [1], 'VALID'))).toMatchInlineSnapshot(`
      "
      ShapeError: lax.reduceWindow: windows (2,1), strides (1), padding ([0,0]), dilations (1) and (1) do not fit float32[5]
        remedy: give one entry for each axis, all but paddings at least 1, cutting no more than there is
        at test/pool.test.ts:LINE
        while computing lax.reduceWindow
      "
    `);
    expect(message(() => lax.reduceWindow(x, 0, lax.add, [2], [0], 'SAME'))).toMatchInlineSnapshot(`
      "
      ShapeError: lax.reduceWindow: windows (2), strides (0), padding ([0,0]), dilations (1) and (1) do not fit float32[5]
        remedy: give one entry for each axis, all but paddings at least 1, cutting no more than there is
        at test/pool.test.ts:LINE
        while computing lax.reduceWindow
      "
    `);
    expect(message(() => lax.reduceWindow(x, 0, lax.add, [2], [1], [[-3, -3]]))).toMatchInlineSnapshot(`
      "
      ShapeError: reduce_window_sum: windows (2), strides (1), padding ([-3,-3]), dilations (1) and (1) do not fit float32[5]
        remedy: give one entry for each axis, all but paddings at least 1, cutting no more than there is
        at test/pool.test.ts:LINE
        while computing lax.reduceWindow
      "
    `);
    expect(message(() => lax.reduceWindow(x, 0, lax.add, [2], [1], 'FULL' as never))).toMatchInlineSnapshot(`
      "
      ShapeError: lax.reduceWindow: the padding "FULL" does not fit 1 axes
        remedy: use 'SAME', 'SAME_LOWER', 'VALID', or 1 pairs [low, high] of integers
        at test/pool.test.ts:LINE
        while computing lax.reduceWindow
      "
    `);
    expect(message(() => lax.selectAndScatterAdd(x, x, 'ge', [2], [2], 'VALID'))).toMatchInlineSnapshot(`
      "
      ShapeError: select_and_scatter_add: there are [2] windows over float32[5], got the source float32[5]
        remedy: give a source with one element for each window
        at test/pool.test.ts:LINE
        while computing lax.selectAndScatterAdd
      "
    `);
    expect(message(() => lax.selectAndGatherAdd(x, x, 'gt' as never, [2], [2], 'VALID'))).toMatchInlineSnapshot(`
      "
      DTypeError: lax.selectAndGatherAdd: "gt" selects nothing
        remedy: use 'ge' for the largest element or 'le' for the least
        at test/pool.test.ts:LINE
        while computing lax.selectAndGatherAdd
      "
    `);
    expect(message(() => maxPool(x, [2]))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.functional.maxPool: float32[5] has too few axes for a window [2]
        remedy: pool over 1 spatial axes and one of channels; np.expandDims inserts one
        at test/pool.test.ts:LINE
        while computing nn.functional.maxPool
      "
    `);
    expect(message(() => maxPool(np.zeros([4, 4, 1]), [2, 0]))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.functional.maxPool: [2,0] is not the shape of a window
        remedy: give a positive length for each spatial axis, [2, 2] for images
        at test/pool.test.ts:LINE
        while computing nn.functional.maxPool
      "
    `);
    expect(message(() => maxPool(np.zeros([4, 4, 1]), 2 as never))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.functional.maxPool: 2 is not the shape of a window
        remedy: give a positive length for each spatial axis, [2, 2] for images
        at test/pool.test.ts:LINE
        while computing nn.functional.maxPool
      "
    `);
    expect(message(() => avgPool(np.zeros([4, 4, 1]), [2, 2], { strides: [2] }))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.functional.avgPool: strides (2) and window dilation (1,1) do not fit a window [2,2]
        remedy: give 2 positive integers, one for each spatial axis
        at test/pool.test.ts:LINE
        while computing nn.functional.avgPool
      "
    `);
    expect(message(() => avgPool(np.zeros([4, 4, 1]), [2, 2], { padding: [[0, 1]] }))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.functional.avgPool: the padding [[0,1]] does not fit 2 axes
        remedy: use 'SAME', 'SAME_LOWER', 'VALID', or 2 pairs [low, high] of integers
        at test/pool.test.ts:LINE
        while computing nn.functional.avgPool
      "
    `);
    expect(message(() => avgPool(np.zeros([4, 4, 1]), [2, 2], { layout: 'NCHW' as never }))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.functional.avgPool: "NCHW" is not a layout
        remedy: use 'channelsLast' or 'channelsFirst'
        at test/pool.test.ts:LINE
        while computing nn.functional.avgPool
      "
    `);
    expect(message(() => avgPool(np.zeros([4, 4, 1]), [2, 2], { stride: [2, 2] } as never))).toMatchInlineSnapshot(`
      "
      DTypeError: nn.functional.avgPool: there is no option 'stride'
        remedy: the options are { strides, padding, windowDilation, layout, countIncludePad }
        at test/pool.test.ts:LINE
      "
    `);
  });
});
