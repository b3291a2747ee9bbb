/** `debug`: what passes is seen, once, in order, whatever the transforms around it; and nothing else changes. */

import { debug, grad, jit, jvp, makeJaxpr, np, type Tensor, vmap } from 'pullback';
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
