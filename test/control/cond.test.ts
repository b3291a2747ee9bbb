/** `cond` and `switch_`: JavaScript's own `if`, and derivatives that stay finite beside a branch that is not taken. */

import {
  checkFinite,
  cond,
  debug,
  grad,
  hessian,
  jit,
  jvp,
  makeJaxpr,
  np,
  scan,
  showJaxpr,
  switch_,
  type Tensor,
  vmap,
} from 'pullback';
import { describe, expect, test } from 'vitest';
import { dce } from '../../transforms/passes/index.ts';

const [yes, no] = [np.array(true), np.array(false)];
const x = np.array([0.3, -1.2, 0.7]);

/** Σ sin y · y · x if `pred`, else Σ y³; the first branch captures x. */
const f =
  (pred: Tensor<'bool'>) =>
  (y: Tensor): Tensor =>
    cond(
      pred,
      (v: Tensor) => np.sum(np.mul(np.sin(v), np.mul(v, y))),
      (v: Tensor) => np.sum(np.mul(v, np.mul(v, v))),
      y,
    );
const plain = {
  yes: (y: Tensor): Tensor => np.sum(np.mul(np.sin(y), np.mul(y, y))),
  no: (y: Tensor): Tensor => np.sum(np.mul(y, np.mul(y, y))),
};

const near = (a: Tensor, b: Tensor): void => {
  expect(a.shape).toEqual(b.shape);
  const wanted = b.dataSync();
  a.dataSync().forEach((v, i) => expect(v).toBeCloseTo(wanted[i]!, 4));
};

describe('cond is if', () => {
  test.each([
    ['taken', yes, plain.yes],
    ['not taken', no, plain.no],
  ] as const)('%s: values and derivatives, in every order with jit', (_, pred, wanted) => {
    near(f(pred)(x), wanted(x));
    near(grad(f(pred))(x), grad(wanted)(x));
    near(grad(jit(f(pred)))(x), grad(wanted)(x));
    near(jit(grad(f(pred)))(x), grad(wanted)(x));
    near(jit((p: Tensor<'bool'>, y: Tensor) => grad(f(p))(y))(pred, x), grad(wanted)(x));
    near(jvp(f(pred), [x], [np.ones([3])])[1], jvp(wanted, [x], [np.ones([3])])[1]);
    near(hessian(f(pred))(x) as Tensor, hessian(wanted)(x) as Tensor);
  });
  test('only the branch that is taken runs', () => {
    const seen: string[] = [];
    const g = jit((p: Tensor<'bool'>, y: Tensor) =>
      cond(
        p,
        (v: Tensor) => debug.callback(() => void seen.push('yes'), v),
        (v: Tensor) => debug.callback(() => void seen.push('no'), np.neg(v)),
        y,
      ),
    );
    g(yes, x);
    g(no, x);
    expect(seen).toEqual(['yes', 'no']);
  });
  test('a JS boolean is a predicate; numbers take the dtype of the other branch; trees', () => {
    expect(
      cond(
        true,
        (v: Tensor) => v,
        () => 0,
        np.array(3),
      ).item(),
    ).toBe(3);
    const ints = np.array([1, 2], { dtype: 'int32' });
    const out = cond(
      no,
      (v: Tensor<'int32'>) => ({ a: np.sum(v), tag: 't' }),
      () => ({ a: 7, tag: 't' }) as never,
      ints,
    );
    expect([`${out.a}`, out.tag]).toEqual(['int32[] 7', 't']);
  });
  test('the branches share places for their residuals', () => {
    const g = (p: Tensor<'bool'>) => (y: Tensor) =>
      cond(
        p,
        (v: Tensor) => np.sin(v),
        (v: Tensor) => np.tanh(v),
        y,
      );
    expect(`${makeJaxpr((p: Tensor<'bool'>, y: Tensor) => grad(g(p))(y))(yes, np.array(1))}`).toMatchInlineSnapshot(`
      "{ lambda ; a:bool[] b:f32[]. let
        c:i32[] = convert_element_type[dtype=int32 weak=false] a
        d:f32[] e:f32[] = cond[branches=({ lambda ; a:f32[]. let
          b:f32[] = tanh a
          c:f32[] = sub 1:f32[] b
          d:f32[] = add 1:f32[] b
          e:f32[] = mul c d
        in (b, e) } { lambda ; a:f32[]. let
          b:f32[] = sin a
          c:f32[] = cos a
        in (b, c) })] c b
        f:f32[] = cond[branches=({ lambda ; a:f32[] b:f32[]. let
          c:f32[] = mul b a
        in (c,) } { lambda ; a:f32[] b:f32[]. let
          c:f32[] = mul b a
        in (c,) })] c e 1:f32[]
      in (f,) }"
    `);
  });
});

describe('a predicate for each lane', () => {
  const xs = np.array([
    [0.3, -1.2, 0.7],
    [1, 2, -0.5],
  ]);
  const preds = np.array([true, false]);
  test('values and derivatives are those of each lane', () => {
    const g = (p: Tensor<'bool'>, y: Tensor): Tensor => grad(f(p))(y);
    const rows = (h: (p: Tensor<'bool'>, y: Tensor) => Tensor): Tensor =>
      np.stack([h(yes, np.array([0.3, -1.2, 0.7])), h(no, np.array([1, 2, -0.5]))]);
    near(
      vmap((p: Tensor<'bool'>, y: Tensor) => f(p)(y))(preds, xs),
      rows((p, y) => f(p)(y)),
    );
    near(vmap(g)(preds, xs), rows(g));
    near(grad((all: Tensor) => np.sum(vmap((p: Tensor<'bool'>, y: Tensor) => f(p)(y))(preds, all)))(xs), rows(g));
    near(vmap(g, [null, 0])(no, xs), np.stack([g(no, np.array([0.3, -1.2, 0.7])), g(no, np.array([1, 2, -0.5]))]));
    expect(
      vmap((p: Tensor<'bool'>, y: Tensor) => f(p)(y))(np.zeros([0], { dtype: 'bool' }), np.zeros([0, 3])).shape,
    ).toEqual([0]);
  });

  /** Functions that are not finite at 0, or have no finite derivative there. */
  const singular = { sqrt: np.sqrt, log: np.log, reciprocal: (v: Tensor) => np.div(1, v) } as const;
  const slopes = { sqrt: 0.25, log: 0.25, reciprocal: -1 / 16 } as const;
  test.each(['sqrt', 'log', 'reciprocal'] as const)('%s at 0 stays in the branch that is not taken', (name) => {
    const g = (v: Tensor): Tensor =>
      cond(
        np.greater(v, 0),
        (u: Tensor) => singular[name](u) as Tensor,
        () => 0,
        v,
      );
    for (const [points, wanted] of [
      [
        [4, 0],
        [slopes[name], 0],
      ],
      [
        [0, 4, 0],
        [0, slopes[name], 0],
      ],
      [
        [0, 0],
        [0, 0],
      ],
    ] as const) {
      const at = np.array(points as readonly number[]);
      expect(vmap(grad(g))(at).toArray()).toEqual(wanted);
      expect(grad((v: Tensor) => np.sum(vmap(g)(v)))(at).toArray()).toEqual(wanted);
      expect(jvp((v: Tensor) => vmap(g)(v), [at], [np.ones([points.length])])[1].toArray()).toEqual(wanted);
      expect(vmap((v: Tensor) => jvp(g, [v], [np.array(1)])[1])(at).toArray()).toEqual(wanted);
      expect(jit(vmap(grad(g)))(at).toArray()).toEqual(wanted);
      expect(
        vmap(grad(grad(g)))(at)
          .dataSync()
          .every(Number.isFinite),
      ).toBe(true);
      checkFinite(vmap(grad(g)))(at);
    }
  });
});

test('results that are not used, and operands that no branch needs, are left out', () => {
  const g = (y: Tensor, z: Tensor): Tensor =>
    cond(
      np.greater(y, 0),
      (v: Tensor, u: Tensor) => [np.sin(v), np.exp(u)] as const,
      (v: Tensor) => [np.cos(v), np.neg(v)] as const,
      y,
      z,
    )[0];
  expect(showJaxpr(dce(makeJaxpr(g)(np.array(1), np.array(2)).jaxpr))).toMatchInlineSnapshot(`
    "{ lambda ; a:f32[] b:f32[]. let
      c:bool[] = gt a 0:f32[]
      d:i32[] = convert_element_type[dtype=int32 weak=false] c
      e:f32[] = cond[branches=({ lambda ; a:f32[]. let
        b:f32[] = cos a
      in (b,) } { lambda ; a:f32[]. let
        b:f32[] = sin a
      in (b,) })] d a
    in (e,) }"
  `);
});

test('in a loop', () => {
  const g = (y: Tensor): Tensor =>
    scan(
      (c: Tensor, p: Tensor<'bool'>) => {
        const next = cond(
          p,
          (v: Tensor) => np.mul(v, np.sin(v)),
          (v: Tensor) => np.mul(v, v),
          c,
        );
        return [next, next];
      },
      y,
      np.array([true, false, true]),
    )[0];
  const written = (y: Tensor): Tensor => {
    const a = np.mul(y, np.sin(y));
    const b = np.mul(a, a);
    return np.mul(b, np.sin(b));
  };
  near(grad(g)(np.array(1.3)), grad(written)(np.array(1.3)));
  near(vmap(grad(g))(np.array([1.3, 0.2])), vmap(grad(written))(np.array([1.3, 0.2])));
});

describe('switch_', () => {
  const branches = [(v: Tensor) => np.sin(v), (v: Tensor) => np.mul(v, v), () => 5] as ((v: Tensor) => Tensor)[];
  test('takes the branch of the index, the nearest one beyond the ends', () => {
    const at = (i: number): number => switch_(np.array(i, { dtype: 'int32' }), branches, np.array(3)).item();
    expect([-7, 0, 1, 2, 3, 99].map(at).map((v) => v.toFixed(3))).toEqual(
      [Math.sin(3), Math.sin(3), 9, 5, 5, 5].map((v) => v.toFixed(3)),
    );
    expect(switch_(np.array(4e9, { dtype: 'uint32' }), branches, np.array(3)).item()).toBe(5);
    expect(switch_(1, branches, np.array(3)).item()).toBe(9);
  });
  test('an index for each lane', () => {
    const indices = np.array([1, 0, 2, 1], { dtype: 'int32' });
    const slope = (i: Tensor<'int32'>, v: Tensor): Tensor => grad((u: Tensor) => switch_(i, branches, u))(v);
    near(vmap(slope)(indices, np.array([1, 2, 3, 4])), np.array([2, Math.cos(2), 0, 8]));
  });
});
