/** Cumulative reductions beside loops over the elements, and their derivatives where differences do not exist. */

import fc from 'fast-check';
import { grad, jit, lax, np, referenceDevice, type Tensor, vmap, withDefaultDevice } from 'pullback';
import { checkGrads } from 'pullback/laws';
import { describe, expect, it } from 'vitest';
import { message } from '../errors/message.ts';
import { build, type Dense, dense, tensor } from './oracle.ts';

/** The elements up to an index along `axis`, from its beginning or its end, in the order in which they are reached. */
function reached({ shape, data }: Dense, index: readonly number[], axis: number, reverse: boolean): number[] {
  const element = (i: number): number =>
    data[index.reduce((flat, k, a) => flat * shape[a]! + (a === axis ? i : k), 0)]!;
  const found: number[] = [];
  if (reverse) for (let i = shape[axis]! - 1; i >= index[axis]!; i--) found.push(element(i));
  else for (let i = 0; i <= index[axis]!; i++) found.push(element(i));
  return found;
}

const values = [0, -0, 1, -1, 2, 0.5, -2.5, Infinity, -Infinity, NaN];

/** A tensor of halves and other exact numbers, an axis and a direction; `special` has infinities and NaN. */
const cases = (special: boolean): fc.Arbitrary<readonly [Dense, number, boolean]> =>
  fc
    .tuple(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 }), fc.nat(), fc.boolean())
    .chain(([shape, at, reverse]) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const element = fc.constantFrom(...(special ? values : values.slice(0, 7)));
      return fc
        .array(element, { minLength: size, maxLength: size })
        .map((data) => [{ shape, data }, at % shape.length, reverse] as const);
    });

const agrees = (
  special: boolean,
  apply: (x: Tensor, axis: number, options: { reverse: boolean }) => Tensor,
  reduce: (elements: number[]) => number,
  digits = 0,
): void => {
  fc.assert(
    fc.property(cases(special), ([x, axis, reverse]) => {
      const wanted = build(x.shape, (index) => reduce(reached(x, index, axis, reverse)));
      const found = dense(apply(tensor(x), axis, { reverse }));
      expect(found.shape).toEqual(wanted.shape);
      found.data.forEach((v, i) => {
        const w = wanted.data[i]!;
        if (digits === 0 || !Number.isFinite(w)) expect(v + 0).toBe(w + 0);
        else expect(Math.abs(v - w)).toBeLessThanOrEqual(digits * Math.max(1, Math.abs(w)));
      });
    }),
    { numRuns: 200 },
  );
};

const sum = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0);

/** log Σ eˣ with its largest term in front; what is infinite is the largest. */
function logSumExp(xs: readonly number[]): number {
  if (xs.some(Number.isNaN)) return NaN;
  const top = Math.max(...xs);
  return Number.isFinite(top) ? top + Math.log(sum(xs.map((x) => Math.exp(x - top)))) : top;
}

describe('values are those of a loop', () => {
  it('cumsum', () => agrees(true, lax.cumsum, sum));
  it('cumprod', () => agrees(true, lax.cumprod, (xs) => xs.reduce((a, b) => a * b, 1)));
  it('cummax', () => agrees(true, lax.cummax, (xs) => Math.max(...xs)));
  it('cummin', () => agrees(true, lax.cummin, (xs) => Math.min(...xs)));
  it('cumlogsumexp', () => agrees(true, lax.cumlogsumexp, logSumExp, 3e-7));

  it('cumlogsumexp does not overflow, and adds what is small beside what is large', () => {
    const x = np.array([-1000, -1000, 0, 88, 1000, 1000], { dtype: 'float64' });
    const found = [...lax.cumlogsumexp(x).dataSync()];
    [-1000, -1000 + Math.LN2, 0, 88, 1000, 1000 + Math.LN2].forEach((w, i) => {
      expect(Math.abs(found[i]! - w)).toBeLessThanOrEqual(1e-13 * Math.max(1, Math.abs(w)));
    });
  });

  it('integers wrap; bool has extrema', () => {
    const i = np.array([2147483647, 1, 3], { dtype: 'int32' });
    expect(lax.cumsum(i).toArray()).toEqual([2147483647, -2147483648, -2147483645]);
    expect(lax.cumprod(i).toArray()).toEqual([2147483647, 2147483647, 2147483645]);
    const u = np.array([4294967295, 2, 3], { dtype: 'uint32' });
    expect([lax.cumsum(u).toArray(), lax.cumprod(u).toArray()]).toEqual([
      [4294967295, 1, 4],
      [4294967295, 4294967294, 4294967290],
    ]);
    expect(lax.cummax(np.array([false, true, false])).toArray()).toEqual([false, true, true]);
  });

  describe('sums of float32', () => {
    const tenth = Math.fround(0.1);
    const exact = Array.from({ length: 1000 }, (_, i) => tenth * (i + 1));
    const sums = (): readonly number[] => [...lax.cumsum(np.full([exact.length], 0.1)).dataSync()];

    it('are rounded once for each element on the reference device', () => {
      expect(withDefaultDevice(referenceDevice(), sums)).toEqual(exact.map(Math.fround));
    });

    it('are within 2·√n·u·Σ|terms| on every device, that is, of n terms', () => {
      const far = sums().map((x, i) => Math.abs(x - exact[i]!) / (2 ** -24 * exact[i]! * 2 * Math.sqrt(i + 1)));
      expect(Math.max(...far)).toBeLessThan(1);
    });
  });
});

describe('np', () => {
  const x = np.array([
    [1, 2, 3],
    [4, 5, 6],
  ]);

  it('cumsum and cumprod run over all elements, or along an axis', () => {
    expect(np.cumsum(x).toArray()).toEqual([1, 3, 6, 10, 15, 21]);
    expect(np.cumsum(x, 0).toArray()).toEqual([
      [1, 2, 3],
      [5, 7, 9],
    ]);
    expect(np.cumprod(x, -1).toArray()).toEqual([
      [1, 2, 6],
      [4, 20, 120],
    ]);
    expect(np.cumprod(x, null).toArray()).toEqual([1, 2, 6, 24, 120, 720]);
    expect([np.cumsum(3).toArray(), np.cumsum(np.zeros([0, 2])).shape]).toEqual([[3], [0]]);
    expect(np.cumsum(np.array([true, false, true])).dtype).toBe('int32');
  });

  it('says which axes there are', () => {
    expect(message(() => np.cumsum(x, 2))).toMatchInlineSnapshot(`
      "
      ShapeError: np.cumsum: axis 2 is out of range for float32[2,3], which has 2 axes
        remedy: use an axis from -2 to 1
        at test/ops/cumulative.test.ts:LINE
      "
    `);
    expect(message(() => lax.cummax(x, -1))).toMatchInlineSnapshot(`
      "
      ShapeError: cummax: axis -1 is out of range for float32[2,3], which has 2 axes
        remedy: use an axis from 0 to 1
        at test/ops/cumulative.test.ts:LINE
        while computing lax.cummax
      "
    `);
    expect(message(() => lax.cumlogsumexp(np.array([1], { dtype: 'int32' }) as never))).toMatchInlineSnapshot(`
      "
      DTypeError: cumlogsumexp: needs a floating-point dtype, got int32[1]
        remedy: cast first: np.astype(x, 'float32')
        at test/ops/cumulative.test.ts:LINE
        while computing lax.cumlogsumexp
      "
    `);
    expect(message(() => lax.cumsum(x, 0, { reversed: true } as never))).toMatchInlineSnapshot(`
      "
      DTypeError: lax.cumsum: there is no option 'reversed'
        remedy: the options are { reverse }
        at test/ops/cumulative.test.ts:LINE
      "
    `);
    expect(message(() => lax.cumsum(np.array(1)))).toMatchInlineSnapshot(`
      "
      ShapeError: cumsum: axis 0 is out of range for float32[], which has 0 axes
        remedy: use an axis from 0 to -1
        at test/ops/cumulative.test.ts:LINE
        while computing lax.cumsum
      "
    `);
  });
});

describe('derivatives', () => {
  const gradOf = (f: (x: Tensor) => Tensor, x: readonly number[], weights?: readonly number[]): unknown =>
    grad((v: Tensor) => np.sum(weights ? np.mul(f(v), np.array([...weights])) : f(v)))(np.array([...x])).toArray();

  it('agree with differences, to second order', () => {
    const x = np.array([
      [0.5, -1, 0, 2, 1.5],
      [0, 0, 3, -0.5, 1],
    ]);
    for (const reverse of [false, true]) {
      for (const axis of [0, 1]) {
        const options = { order: 2 };
        checkGrads((v: Tensor) => np.sum(np.sin(lax.cumsum(v, axis, { reverse }))), [x], options);
        checkGrads((v: Tensor) => np.sum(np.sin(lax.cumprod(v, axis, { reverse }))), [x], options);
        checkGrads((v: Tensor) => np.sum(np.sin(lax.cumlogsumexp(v, axis, { reverse }))), [x], options);
      }
      const apart = np.array([0.5, -1, 2, 1.5, 3, -2]);
      checkGrads((v: Tensor) => np.sum(np.sin(lax.cummax(v, 0, { reverse }))), [apart], { order: 2 });
      checkGrads((v: Tensor) => np.sum(np.sin(lax.cummin(v, 0, { reverse }))), [apart], { order: 2 });
    }
  });

  it('of cumprod are right beside any number of zeros', () => {
    expect(gradOf(lax.cumprod, [2, 0, 3, 4])).toEqual([1, 2 + 6 + 24, 0, 0]);
    expect(gradOf(lax.cumprod, [0, 5, 0, 4])).toEqual([1 + 5, 0, 0, 0]);
    expect(gradOf(lax.cumprod, [0, 0])).toEqual([1, 0]);
  });

  it('of cummax are halved at each tie of the scan, as in JAX', () => {
    // JAX's scan joins (0,1), (2,3), then their halves; what is between gets (first pairs) joined with one element.
    expect(gradOf(lax.cummax, [1, 1, 1], [0, 0, 1])).toEqual([0.25, 0.25, 0.5]);
    expect(gradOf(lax.cummax, [1, 1, 1, 1], [0, 0, 0, 1])).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(gradOf(lax.cummax, [1, 1, 1, 1, 1], [0, 0, 0, 0, 1])).toEqual([0.125, 0.125, 0.125, 0.125, 0.5]);
    expect(gradOf((v) => lax.cummin(v, 0, { reverse: true }), [1, 1, 1], [1, 0, 0])).toEqual([0.5, 0.25, 0.25]);
    expect(gradOf(lax.cummax, [1, 2, 2, 0], [1, 1, 1, 1])).toEqual([1, 2, 1, 0]);
  });

  it('of cumlogsumexp are finite where values are not', () => {
    const both = gradOf(lax.cumlogsumexp, [-Infinity, -Infinity, 0, 0], [0, 0, 0, 1]);
    expect(both).toEqual([0, 0, 0.5, 0.5]);
    // Infinite results are maxima, and ties share.
    expect(gradOf(lax.cumlogsumexp, [-Infinity, -Infinity], [0, 1])).toEqual([0.5, 0.5]);
    expect(gradOf(lax.cumlogsumexp, [1, Infinity, 2], [0, 0, 1])).toEqual([0, 1, 0]);
    expect(gradOf(lax.cumlogsumexp, [1000, 1000, -1000], [0, 0, 1])).toEqual([0.5, 0.5, 0]);
    // The second derivatives of log Σ eˣ in one of its operands are p(1 − p), of the probability p.
    const last = (v: Tensor): Tensor => np.index(lax.cumlogsumexp(v), -1);
    const second = grad((v: Tensor) => np.index(grad(last)(v), 2))(np.array([-Infinity, -Infinity, 0, 1]));
    const p = 1 / (1 + Math.E);
    [0, 0, p * (1 - p), -p * (1 - p)].forEach((w, i) => expect(second.dataSync()[i]).toBeCloseTo(w, 6));
  });

  it('batch, compile, and need no elements', () => {
    const x = np.reshape(np.arange(12), [3, 4]);
    const g = grad((v: Tensor) => np.sum(np.square(lax.cumprod(np.sin(v)))));
    const lanes = [0, 1, 2].map((i) => dense(g(np.index(np.astype(x, 'float32'), i))).data);
    const batched = dense(jit(vmap(g))(np.astype(x, 'float32'))).data;
    batched.forEach((v, i) => expect(Math.abs(v - lanes.flat()[i]!)).toBeLessThanOrEqual(1e-6));
    for (const f of [lax.cumsum, lax.cumprod, lax.cummax, lax.cumlogsumexp]) {
      expect(grad((v: Tensor) => np.sum(f(v)))(np.zeros([0])).shape).toEqual([0]);
      expect(grad((v: Tensor) => np.sum(f(v)))(np.ones([1])).toArray()).toEqual([1]);
    }
  });
});
