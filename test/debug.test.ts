/** `debug`: what passes is seen, once, in order, whatever the transforms around it; and nothing else changes. */

import { debug, grad, jacfwd, jit, jvp, linearize, makeJaxpr, np, scan, type Tensor, vmap, whileLoop } from 'pullback';
import { encodeJaxpr } from 'pullback/io';
import { describe, expect, it, vi } from 'vitest';

/** A function that shows its argument to `seen`. */
function watching(): { readonly seen: unknown[]; readonly watch: (x: Tensor) => Tensor } {
  const seen: unknown[] = [];
  const see = (x: Tensor): void => {
    seen.push(x.toArray());
  };
  return { seen, watch: (x) => debug.callback(see, x) };
}

const x = np.array([1, 2, 3]);

describe('debug.callback', () => {
  it('returns its argument, and shows it at once where nothing is traced', () => {
    const { seen, watch } = watching();
    expect(watch(x).toArray()).toEqual([1, 2, 3]);
    expect(seen).toEqual([[1, 2, 3]]);
  });

  it('shows values once a jitted program has run, in its order, each time, also what nothing uses', () => {
    const { seen, watch } = watching();
    const f = jit((v: Tensor) => {
      const y = watch(np.mul(v, 2));
      watch(np.add(v, 1));
      watch(np.add(v, 1));
      return np.sum(y);
    });
    expect(f(x).item()).toBe(12);
    f(np.array([0, 0, 1]));
    expect(seen).toEqual([
      [2, 4, 6],
      [2, 3, 4],
      [2, 3, 4],
      [0, 0, 2],
      [1, 1, 2],
      [1, 1, 2],
    ]);
  });

  it('is kept through nested calls, every pass and every derivative', () => {
    const { seen, watch } = watching();
    const inner = jit((v: Tensor) => {
      watch(v);
      return np.square(v);
    });
    const f = (v: Tensor): Tensor => np.sum(np.mul(inner(np.sin(v)), 3));
    const at = np.array([0, 0]);
    jit(grad(f))(at);
    jit(grad((v: Tensor) => np.sum(grad(f)(v))))(at);
    jvp(jit(f), [at], [np.ones([2])]);
    expect(seen).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  it('does not change derivatives', () => {
    const { watch } = watching();
    const f = (v: Tensor): Tensor => np.sum(watch(np.square(watch(v))));
    expect(grad(f)(x).toArray()).toEqual([2, 4, 6]);
    expect(jit(grad(f))(x).toArray()).toEqual([2, 4, 6]);
  });

  it('shows a batch along axis 0, and what is not mapped once', () => {
    const { seen, watch } = watching();
    const rows = np.array([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const f = (column: Tensor, shared: Tensor): Tensor => np.add(watch(np.sum(column)), watch(shared));
    expect(vmap(f, [1, null])(rows, np.array(10)).toArray()).toEqual([15, 17, 19]);
    expect(jit(vmap(f, [1, null]))(rows, np.array(10)).toArray()).toEqual([15, 17, 19]);
    expect(seen).toEqual([[5, 7, 9], 10, [5, 7, 9], 10]);
    seen.length = 0;
    vmap(vmap(watch, 0), 1)(rows);
    expect(seen).toEqual([
      [
        [1, 4],
        [2, 5],
        [3, 6],
      ],
    ]);
  });

  describe('in the predicate of a loop', () => {
    const loop = (watch: (x: Tensor) => Tensor) => (from: Tensor) =>
      whileLoop(
        (c: Tensor) => np.less(watch(c), 10),
        (c: Tensor) => np.mul(2, watch(np.neg(c))),
        from,
      );
    // From 1: −2, 4, −8, 16. The predicate sees one more than the body, and first.
    const shown = [
      [1, -2, 4, -8, 16],
      [-1, 2, -4, 8],
    ];

    it('shows what every evaluation saw, once, whatever the transform', () => {
      const { seen, watch } = watching();
      const f = loop(watch);
      const one = np.array(1);
      const twice = linearize(f, [one])[1];
      expect(seen).toEqual(shown);
      seen.length = 0;
      twice(one);
      expect(seen).toEqual([]);
      for (const run of [
        () => expect(f(one).item()).toBe(16),
        () => expect(jit(f)(one).item()).toBe(16),
        () => expect(jvp(f, [one], [one])[1].item()).toBe(16),
        () => expect(jacfwd(f)(one).item()).toBe(16),
      ]) {
        seen.length = 0;
        run();
        expect(seen).toEqual(shown);
      }
      seen.length = 0;
      f(np.array(20));
      expect(seen).toEqual([[20], []]);
    });

    it('keeps the last 16', () => {
      const { seen, watch } = watching();
      const count = whileLoop(
        (c: Tensor) => np.less(watch(c), 100),
        (c: Tensor) => np.add(c, 1),
        np.array(1),
      );
      expect(count.item()).toBe(100);
      expect(seen).toEqual([Array.from({ length: 16 }, (_, i) => 85 + i)]);
    });

    it('shows all lanes, also where each stops at its own step, and the derivatives are the same', () => {
      const from = np.array([1, 4, 20]);
      for (const f of [
        (x: Tensor, watch: (v: Tensor) => Tensor) => jvp(vmap(loop(watch)), [x], [np.ones([3])]),
        (x: Tensor, watch: (v: Tensor) => Tensor) => vmap((v: Tensor) => jvp(loop(watch), [v], [np.array(1)]))(x),
      ]) {
        const { seen, watch } = watching();
        expect(f(from, watch).map((y) => y.toArray())).toEqual([
          [16, 16, 20],
          [16, 4, 1],
        ]);
        expect(seen[0]).toEqual([
          [1, 4, 20],
          [-2, -8, 20],
          [4, 16, 20],
          [-8, 16, 20],
          [16, 16, 20],
        ]);
        expect(seen.length).toBe(2);
      }
    });

    it('in a loop of a loop', () => {
      const { seen, watch } = watching();
      const outer = scan((c: Tensor, x: Tensor) => [np.add(c, loop(watch)(x)), null], np.array(0), np.array([5, 20]));
      expect(outer[0].item()).toBe(20 + 20);
      expect(seen[0]).toEqual([5, -10, 20, 20]);
    });
  });

  it('takes trees', () => {
    const seen: unknown[] = [];
    const see = (t: { readonly name: string; readonly at: readonly Tensor[] }): void => {
      seen.push([t.name, ...t.at.map((v) => v.item())]);
    };
    jit((v: Tensor) => debug.callback(see, { name: 'pair', at: [v, np.add(v, 1)] }).at[1]!)(np.array(1));
    expect(seen).toEqual([['pair', 1, 2]]);
  });

  it('may compute, and what it throws leaves the call', () => {
    const sums: number[] = [];
    const f = jit((v: Tensor) => debug.callback((w) => sums.push(np.sum(w).item()), np.mul(v, 2)));
    f(x);
    expect(sums).toEqual([12]);
    const failing = jit((v: Tensor) =>
      debug.callback(() => {
        throw new RangeError('mine');
      }, v),
    );
    expect(() => failing(x)).toThrow(new RangeError('mine'));
  });

  it('prints, is no part of files, and is the same equation each time', () => {
    const see = (): void => undefined;
    const f = (v: Tensor): Tensor => np.sin(debug.callback(see, debug.print('v', v)));
    expect(`${makeJaxpr(f)(x)}`).toMatchInlineSnapshot(`
      "{ lambda ; a:f32[3]. let
        b:f32[3] = tap[deliver=delivery label=v] a
        c:f32[3] = tap[deliver=delivery label=] b
        d:f32[3] = sin c
      in (d,) }"
    `);
    expect(() => encodeJaxpr(makeJaxpr(f)(x))).toThrow(/params\.deliver of tap is a function, which JSON cannot hold/);
  });
});

describe('debug.print', () => {
  it('prints the label and the value', () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    try {
      jit((v: Tensor) => np.sum(debug.print('v', v)))(x);
      expect(log.mock.calls.map(([label, value]) => `${label} ${value}`)).toEqual(['v: float32[3] [1, 2, 3]']);
    } finally {
      log.mockRestore();
    }
  });
});
