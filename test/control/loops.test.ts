/** `foriLoop`, `map` and `associativeScan`. */

import {
  associativeScan,
  countEqns,
  foriLoop,
  grad,
  jit,
  jvp,
  makeJaxpr,
  map,
  np,
  scan,
  type Tensor,
  vmap,
} from 'pullback';
import { describe, expect, test } from 'vitest';

const x = np.array([1, 2, 3, 4, 5]);

describe('foriLoop', () => {
  const weighted = (i: Tensor<'int32'>, s: Tensor): Tensor => np.add(s, np.mul(np.astype(i, 'float32'), s));
  test('JS numbers for bounds: a scan, which has derivatives of both modes', () => {
    // Π (1 + i) from 2 to 4 is 3·4·5.
    const f = (s: Tensor): Tensor => foriLoop(2, 5, weighted, s);
    expect([f(np.array(1)).item(), grad(f)(2).item()]).toEqual([60, 60]);
    expect(jvp(f, [np.array(1)], [np.array(1)])[1].item()).toBe(60);
    expect(`${makeJaxpr(f)(np.array(1))}`).toContain('scan[');
    expect(foriLoop(5, 2, weighted, np.array(7)).item()).toBe(7);
    expect(foriLoop(0, 4, (i, _: Tensor<'int32'>) => i, 0).dtype).toBe('int32');
  });
  test('a tensor for a bound: a while loop, which has a forward derivative', () => {
    const f = (n: Tensor<'int32'>, s: Tensor): Tensor => foriLoop(2, n, weighted, s);
    const five = np.array(5, { dtype: 'int32' });
    expect(f(five, np.array(1)).item()).toBe(60);
    expect(jvp((s: Tensor) => f(five, s), [np.array(1)], [np.array(1)])[1].item()).toBe(60);
    expect(vmap(f, [0, null])(np.array([5, 1, 3], { dtype: 'int32' }), np.array(1)).toArray()).toEqual([60, 1, 3]);
    expect(() => grad((s: Tensor) => f(five, s))(1)).toThrow('has no reverse-mode derivative');
  });
  test('it indexes what the body captures', () => {
    const sum = (v: Tensor): Tensor =>
      foriLoop(0, 5, (i, s: Tensor) => np.add(s, np.mul(np.index(v, i), np.index(v, i)) as Tensor), 0);
    expect(sum(x).item()).toBe(55);
    expect(grad(sum)(x).toArray()).toEqual([2, 4, 6, 8, 10]);
  });
});

describe('map', () => {
  test.each([1, 2, 3, 5, 8])('in batches of %i it is vmap', (batchSize) => {
    const f = (v: { readonly a: Tensor }) => ({ y: np.mul(v.a, v.a), n: 7, tag: 't' });
    const out = map(f, { a: x }, { batchSize });
    expect([out.y.toArray(), out.n.toArray(), out.tag]).toEqual([[1, 4, 9, 16, 25], [7, 7, 7, 7, 7], 't']);
    const total = (v: Tensor): Tensor => np.sum(map((u: Tensor) => np.mul(u, u), v, { batchSize }));
    expect(grad(total)(x).toArray()).toEqual([2, 4, 6, 8, 10]);
  });
  test('nothing to map', () => {
    expect(map((v: Tensor) => np.sum(v), np.zeros([0, 3]), { batchSize: 2 }).shape).toEqual([0]);
  });
});

describe('associativeScan', () => {
  const matrices = (n: number): Tensor => np.sin(np.reshape(np.arange(n * 4), [n, 2, 2]) as Tensor) as Tensor;
  test('of every length up to 17, from both ends, it is scan', () => {
    for (let n = 0; n <= 17; n++) {
      const elems = { m: matrices(n), v: np.cos(np.arange(n)) as Tensor };
      type Elems = typeof elems;
      const fn = (a: Elems, b: Elems): Elems => ({
        m: np.matmul(b.m, a.m) as Tensor,
        v: np.add(a.v, np.mul(0.5, b.v)),
      });
      if (n === 0) {
        expect(associativeScan(fn, elems).m.shape).toEqual([0, 2, 2]);
        continue;
      }
      for (const reverse of [false, true]) {
        const found = associativeScan((a: Tensor, b: Tensor) => np.matmul(b, a) as Tensor, elems.m, { reverse });
        const [, wanted] = scan(
          (c: Tensor, m: Tensor) => {
            const next = np.matmul(m, c) as Tensor;
            return [next, next];
          },
          np.eye(2),
          elems.m,
          { reverse },
        );
        expect(found.shape).toEqual([n, 2, 2]);
        const all = wanted.dataSync();
        found.dataSync().forEach((v, i) => expect(v).toBeCloseTo(all[i]!, 4));
      }
    }
  });
  test('derivatives, batches and another axis', () => {
    const f = (v: Tensor): Tensor => np.sum(np.square(associativeScan(np.add, v) as Tensor));
    const g = (v: Tensor): Tensor => np.sum(np.square(np.cumsum(v)));
    expect(grad(f)(x).toArray()).toEqual(grad(g)(x).toArray());
    const rows = np.array([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect(associativeScan(np.add, rows, { axis: -1 }).toArray()).toEqual([
      [0, 1, 3],
      [3, 7, 12],
    ]);
    expect(
      vmap((v: Tensor) => associativeScan(np.maximum, v, { reverse: true }) as Tensor)(np.neg(rows)).toArray(),
    ).toEqual([
      [-0, -1, -2],
      [-3, -4, -5],
    ]);
    expect(jit((v: Tensor) => associativeScan(np.mul, v) as Tensor)(x).toArray()).toEqual([1, 2, 6, 24, 120]);
  });
  test('its depth is logarithmic', () => {
    const size = (n: number): number =>
      countEqns(makeJaxpr((v: Tensor) => associativeScan(np.add, v))(np.zeros([n])).jaxpr);
    const level = size(2048) - size(1024);
    expect(size(1024) - size(512)).toBe(level);
    expect(level).toBeLessThan(20);
  });
});
