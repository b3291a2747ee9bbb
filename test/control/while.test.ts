/** `whileLoop`: values, forward derivatives, and batches whose lanes stop at different steps. */

import {
  checkFinite,
  debug,
  grad,
  jacfwd,
  jit,
  jvp,
  linearize,
  makeJaxpr,
  np,
  showJaxpr,
  stopGradient,
  type Tensor,
  vmap,
  whileLoop,
} from 'pullback';
import { describe, expect, test } from 'vitest';
import { dce } from '../../transforms/passes/index.ts';

/** x · 2^k, the first that is at least 10. */
const doubled = (x: Tensor): Tensor =>
  whileLoop(
    (v: Tensor) => np.less(v, 10),
    (v: Tensor) => np.mul(v, 2),
    x,
  );

/** √a by Newton's method, until it is exact to 1e-5. */
const root = (a: Tensor): Tensor =>
  whileLoop(
    (x: Tensor) => np.greater(np.abs(np.sub(np.mul(x, x), a)), 1e-5),
    (x: Tensor) => np.mul(0.5, np.add(x, np.div(a, x))),
    1,
  );

describe('values and forward derivatives', () => {
  test('it runs until the predicate is false, and not at all if that is so at first', () => {
    expect(doubled(np.array(3)).item()).toBe(12);
    expect(doubled(np.array(20)).item()).toBe(20);
    expect(jit(doubled)(np.array(3)).item()).toBe(12);
  });
  test('jvp, jacfwd and linearize, through what the body captures as well', () => {
    expect(jvp(doubled, [np.array(3)], [np.array(1)])[1].item()).toBe(4);
    expect(jvp(root, [np.array(4)], [np.array(1)])[1].item()).toBeCloseTo(0.25, 4);
    expect((jacfwd(root)(np.array(9)) as Tensor).item()).toBeCloseTo(1 / 6, 4);
    const [value, derivative] = linearize(root, [np.array(4)]);
    expect([value.item(), derivative(np.array(2)).item()].map((x) => x.toFixed(3))).toEqual(['2.000', '0.500']);
    const second = jvp((x: Tensor) => jvp(doubled, [x], [x])[1], [np.array(3)], [np.array(1)])[1];
    expect(second.item()).toBe(4);
  });
  test('reverse mode passes by what no derivative is taken of', () => {
    const f = (x: Tensor): Tensor => np.mul(x, doubled(stopGradient(x)));
    expect(grad(f)(np.array(3)).item()).toBe(12);
  });
  test('trees, with statics; numbers take the dtype of the body', () => {
    const out = whileLoop(
      (s: { readonly n: Tensor; readonly i: Tensor<'int32'>; readonly tag: string }) => np.less(s.i, 3),
      (s) => ({ ...s, n: np.add(s.n, 1), i: np.add(s.i, np.array(1, { dtype: 'int32' })) }),
      { n: 0, i: 0, tag: 't' },
    );
    expect([out.n.item(), out.i.dtype, out.tag]).toEqual([3, 'int32', 't']);
  });
});

describe('batches', () => {
  const xs = np.array([3, 20, 1, 9]);
  test('each lane stops by itself', () => {
    expect(vmap(doubled)(xs).toArray()).toEqual([12, 20, 16, 18]);
    expect(jit(vmap(doubled))(xs).toArray()).toEqual([12, 20, 16, 18]);
    expect(vmap(vmap(doubled))(np.reshape(xs, [2, 2]) as Tensor).toArray()).toEqual([
      [12, 20],
      [16, 18],
    ]);
    expect(vmap(doubled)(np.zeros([0])).shape).toEqual([0]);
  });
  test('and so do its derivatives', () => {
    const slope = (x: Tensor): Tensor => jvp(doubled, [x], [np.array(1)])[1];
    expect(vmap(slope)(xs).toArray()).toEqual([4, 1, 16, 2]);
    expect(jvp((x: Tensor) => vmap(doubled)(x), [xs], [np.ones([4])])[1].toArray()).toEqual([4, 1, 16, 2]);
  });
  test('a lane that has stopped stays finite, though another step from its carry would not be', () => {
    // √x − 1 until below 1: from 0.5 on, another two steps would be √ of a negative number.
    const f = (x: Tensor): Tensor =>
      whileLoop(
        (v: Tensor) => np.greater(v, 1),
        (v: Tensor) => np.sub(np.sqrt(v), 0.9),
        x,
      );
    const many = np.array([0, 1.5, 400, -1]);
    const slope = (x: Tensor): Tensor => jvp(f, [x], [np.array(1)])[1];
    const one = [0, 1.5, 400, -1].map((x) => np.array(x));
    expect(vmap(f)(many).toArray()).toEqual(one.map((x) => f(x).item()));
    expect(vmap(slope)(many).toArray()).toEqual(one.map((x) => slope(x).item()));
    const [, forward] = jvp((x: Tensor) => vmap(f)(x), [many], [np.ones([4])]);
    expect(forward.toArray()).toEqual(one.map((x) => slope(x).item()));
    expect(Number.isFinite(np.sum(vmap(slope)(many)).item())).toBe(true);
    checkFinite(vmap(slope))(many);
  });
  test('what is batched may be the bound alone, or what the body captures', () => {
    const count = (limit: Tensor): Tensor =>
      whileLoop(
        (v: Tensor) => np.less(v, limit),
        (v: Tensor) => np.add(v, 1),
        0,
      );
    expect(vmap(count)(np.array([2, 0, 5])).toArray()).toEqual([2, 0, 5]);
    const sum = (step: Tensor): Tensor =>
      whileLoop(
        ([, n]: readonly [Tensor, Tensor]) => np.less(n, 3),
        ([s, n]) => [np.add(s, step), np.add(n, 1)] as const,
        [0, 0] as const,
      )[0];
    expect(vmap(sum)(np.array([1, 2])).toArray()).toEqual([3, 6]);
  });
});

test('carries that neither the predicate nor a result depends on are left out', () => {
  const f = (x: Tensor): Tensor =>
    whileLoop(
      ([i]: readonly [Tensor, Tensor, Tensor, Tensor]) => np.less(i, 3),
      ([i, a, b, c]) => [np.add(i, 1), np.add(a, b), np.mul(b, 2), np.exp(np.add(c, a))] as const,
      [np.array(0), x, np.array(1), x] as const,
    )[1];
  expect(showJaxpr(dce(makeJaxpr(f)(np.array(5)).jaxpr))).toMatchInlineSnapshot(`
    "{ lambda ; a:f32[]. let
      b:f32[] c:f32[] d:f32[] = while[bodyConsts=0 condConsts=0 body={ lambda ; a:f32[] b:f32[] c:f32[]. let
        d:f32[] = add a 1:f32[]
        e:f32[] = add b c
        f:f32[] = mul c 2:f32[]
      in (d, e, f) } cond={ lambda ; a:f32[] b:f32[] c:f32[]. let
        d:bool[] = lt a 3:f32[]
      in (d,) }] 0:f32[] a 1:f32[]
    in (c,) }"
  `);
  expect(jit(f)(np.array(5)).item()).toBe(12);
});

test('the last sixteen values that pass a tap are shown', () => {
  const seen: unknown[] = [];
  const watch = (x: Tensor): void => {
    seen.push(x.toArray());
  };
  const f = (limit: number) =>
    jit((x: Tensor) =>
      whileLoop(
        (v: Tensor) => np.less(v, limit),
        (v: Tensor) => debug.callback(watch, np.add(v, 1)),
        x,
      ),
    );
  expect(f(3)(np.array(0)).item()).toBe(3);
  expect(f(20)(np.array(0)).item()).toBe(20);
  expect(seen).toEqual([[1, 2, 3], Array.from({ length: 16 }, (_, i) => i + 5)]);
});

test('checkFinite looks into the steps', () => {
  const f = (x: Tensor): Tensor =>
    whileLoop(
      (v: Tensor) => np.less(v, 2),
      (v: Tensor) => np.log(v),
      x,
    );
  expect(() => checkFinite(f)(np.array(1.5))).toThrow('log is the first to make NaN');
});
