/** `scan`: values against loops in JavaScript, derivatives against those of the loop written out, and the shape of programs. */

import {
  checkFinite,
  countEqns,
  debug,
  grad,
  hessian,
  jacfwd,
  jit,
  jvp,
  linearTranspose,
  makeJaxpr,
  np,
  scan,
  showJaxpr,
  type Tensor,
  vmap,
} from 'pullback';
import { describe, expect, test } from 'vitest';
import { dce } from '../../transforms/passes/index.ts';

const w = np.array([0.3, -0.2, 0.5, 0.9]);
const batch = np.array([
  [0.3, -0.2, 0.5, 0.9],
  [1, 0.2, 0.3, -0.1],
]);

/** A loop that uses what it captures, its carry and its slices, and whose results are a carry and a stack. */
const looped = (x: Tensor): Tensor => {
  const total = np.sum(x);
  const [last, ys] = scan(
    (c: Tensor, v: Tensor) => {
      const next = np.sin(np.add(np.mul(total, c), v));
      return [next, np.mul(next, next)];
    },
    0.5,
    x,
  );
  return np.add(last, np.sum(ys));
};

/** The same, written out. */
const written = (x: Tensor): Tensor => {
  const total = np.sum(x);
  let c: Tensor = np.array(0.5);
  let sum: Tensor = np.array(0);
  for (let i = 0; i < 4; i++) {
    c = np.sin(np.add(np.mul(total, c), np.index(x, i) as Tensor));
    sum = np.add(sum, np.mul(c, c));
  }
  return np.add(c, sum);
};

const near = (a: Tensor, b: Tensor): void => {
  expect(a.shape).toEqual(b.shape);
  const wanted = b.dataSync();
  a.dataSync().forEach((x, i) => expect(x).toBeCloseTo(wanted[i]!, 4));
};

describe('derivatives are those of the loop written out', () => {
  test('value, grad, jvp, second order', () => {
    near(looped(w), written(w));
    near(grad(looped)(w), grad(written)(w));
    near(jvp(looped, [w], [np.ones([4])])[1], jvp(written, [w], [np.ones([4])])[1]);
    near(jacfwd(looped)(w) as Tensor, grad(written)(w));
    near(hessian(looped)(w) as Tensor, hessian(written)(w) as Tensor);
  });
  test('in every order with jit and vmap', () => {
    near(vmap(grad(jit(looped)))(batch), vmap(grad(written))(batch));
    near(grad((x: Tensor) => np.sum(vmap(looped)(x)))(batch), grad((x: Tensor) => np.sum(vmap(written)(x)))(batch));
    near(jit(hessian(looped))(w) as Tensor, hessian(written)(w) as Tensor);
    near(jit(vmap(grad(looped)))(batch), vmap(grad(written))(batch));
  });
  test('a carry that begins without a tangent, and one that never has any', () => {
    const f = (x: Tensor): Tensor => {
      const [[sum], steps] = scan(
        ([s, n]: readonly [Tensor, Tensor<'int32'>], v: Tensor) => {
          const count = np.add(n, np.array(1, { dtype: 'int32' }));
          return [[np.add(s, np.mul(v, np.astype(count, 'float32'))), count] as const, count];
        },
        [np.array(0), np.array(0, { dtype: 'int32' })] as const,
        x,
      );
      expect(steps.dtype).toBe('int32');
      return np.mul(sum, sum);
    };
    // (Σ i·xᵢ)², whose gradient is 2 (Σ i·xᵢ) i.
    expect(grad(f)(np.array([1, 1, 2])).toArray()).toEqual([18, 36, 54]);
  });
  test('the transpose of a loop that is linear in one carry and counts in another', () => {
    const f = (x: Tensor): Tensor => {
      const [[last]] = scan(
        ([c, n]: readonly [Tensor, Tensor]) => [[np.mul(c, n), np.add(n, 1)] as const, null],
        [x, np.array(1)] as const,
        null,
        { length: 4 },
      );
      return last;
    };
    expect(linearTranspose(f, [np.array(0)])(np.array(2))[0].item()).toBe(48);
  });
});

describe('what it takes and returns', () => {
  const running = (c: Tensor, x: Tensor): readonly [Tensor, Tensor] => [np.add(np.mul(c, 2), x), c];
  test.each([1, 2, 3, 4, 9, true, false])('unroll %s, from both ends', (unroll) => {
    const xs = np.array([1, 2, 3, 4, 5]);
    const [last, ys] = scan(running, 1, xs, { unroll });
    expect([last.item(), ys.toArray()]).toEqual([89, [1, 3, 8, 19, 42]]);
    const [first, zs] = scan(running, 1, xs, { unroll, reverse: true });
    expect([first.item(), zs.toArray()]).toEqual([161, [80, 39, 18, 7, 1]]);
    near(
      grad((x: Tensor) => np.sum(np.square(scan(running, 1, x, { unroll })[1])))(xs),
      grad((x: Tensor) => np.sum(np.square(scan(running, 1, x)[1])))(xs),
    );
  });
  test('trees, statics among them; no xs; no ys', () => {
    const [state, ys] = scan(
      (s: { readonly n: Tensor; readonly name: string }, x: { readonly a: Tensor }) => [
        { ...s, n: np.add(s.n, x.a) },
        { before: s.n, twice: [np.mul(x.a, 2), 7], tag: 'y' },
      ],
      { n: 1, name: 'sum' },
      { a: np.array([1, 2]) },
    );
    expect([state.n.item(), state.name]).toEqual([4, 'sum']);
    expect([ys.before.toArray(), ys.twice[0]!.toArray(), ys.twice[1]!.toArray(), ys.tag]).toEqual([
      [1, 2],
      [2, 4],
      [7, 7],
      'y',
    ]);
    const [power, nothing] = scan((c: Tensor) => [np.mul(c, 2), null], 1, null, { length: 5 });
    expect([power.item(), nothing]).toEqual([32, null]);
  });
  test('no steps', () => {
    for (const unroll of [1, 3, true]) {
      const [last, ys] = scan(running, np.array(3), np.zeros([0]), { unroll });
      expect([last.item(), ys.shape]).toEqual([3, [0]]);
    }
    expect(grad((x: Tensor) => scan(running, x, np.zeros([0]))[0])(np.array(2)).item()).toBe(1);
  });
  test('a JS number is carried in the dtype that the body gives it', () => {
    const [single] = scan((c: Tensor, x: Tensor) => [np.add(c, x), null], 0, np.array([1, 2]));
    expect(single.aval).toMatchObject({ dtype: 'float32', weak: false });
    const doubles = np.array([1, 2], { dtype: 'float64' });
    const [double] = scan((c: Tensor<'float64'>, x: Tensor<'float64'>) => [np.add(c, x), null], 0, doubles);
    expect(double.aval).toMatchObject({ dtype: 'float64', weak: false });
    const ints = np.array([1, 2], { dtype: 'int32' });
    const [int] = scan((c: Tensor<'int32'>, x: Tensor<'int32'>) => [np.add(c, x), 0], 0, ints);
    expect(int.aval).toMatchObject({ dtype: 'int32', weak: false });
    const [count] = scan((c: Tensor) => [np.add(c, 1), null], 0, null, { length: 3 });
    expect(count.dtype).toBe('float32');
    expect(() => scan((c: Tensor<'int32'>, x: Tensor<'int32'>) => [np.mul(c, x), null], 0.5, ints)).toThrow(
      'scan: the number 0.5 is carried as int32, which cannot hold it',
    );
  });
});

describe('programs', () => {
  test('a scan of 10,000 steps is traced once, and no larger than one of 10', () => {
    let traces = 0;
    const f = (x: Tensor): Tensor => {
      const [, ys] = scan(
        (c: Tensor, v: Tensor) => {
          traces += 1;
          const next = np.sin(np.add(c, v));
          return [next, next];
        },
        np.array(0),
        x,
      );
      return np.sum(ys);
    };
    f(np.ones([10_000]));
    expect(traces).toBe(1);
    grad(f)(np.ones([10_000]));
    expect(traces).toBe(2);
    const size = (n: number): number => countEqns(makeJaxpr(grad(f))(np.ones([n])).jaxpr);
    expect(size(10_000)).toBe(size(10));
  });
  test('residuals that are inputs or outputs are not stacked again, loop-invariant ones not at all', () => {
    const f = (a: Tensor, x: Tensor): Tensor => {
      const [last] = scan((c: Tensor, v: Tensor) => [np.tanh(np.add(np.mul(np.sin(a), c), v)), c], np.array(1), x);
      return last;
    };
    expect(`${makeJaxpr(grad(f, { argnums: [0, 1] }))(np.array(1), np.ones([3]))}`).toMatchInlineSnapshot(`
      "{ lambda ; a:f32[] b:f32[3]. let
        c:f32[] = sin a
        d:f32[] = cos a
        e:f32[] f:f32[3] g:f32[3] = scan[carry=1 consts=3 length=3 reverse=false jaxpr={ lambda ; a:f32[] b:f32[] c:f32[] d:f32[] e:f32[]. let
          f:f32[] = mul c d
          g:f32[] = add f e
          h:f32[] = tanh g
          i:f32[] = sub 1:f32[] h
          j:f32[] = add 1:f32[] h
          k:f32[] = mul i j
        in (h, d, k) }] a d c 1:f32[] b
        h:f32[] i:f32[] j:f32[3] = scan[carry=2 consts=2 length=3 reverse=true jaxpr={ lambda ; a:f32[] b:f32[] c:f32[] d:f32[] e:f32[] f:f32[]. let
          g:f32[] = mul d f
          h:f32[] = mul b g
          i:f32[] = mul g e
          j:f32[] = mul i a
          k:f32[] = add c j
        in (k, h, g) }] d c 0:f32[] 1:f32[] f g
      in (h, j) }"
    `);
  });
  test('what is not used of a loop is not computed: a carry stays if what is used depends on it', () => {
    const f = (x: Tensor): Tensor => {
      const [[a]] = scan(
        ([p, q, r]: readonly [Tensor, Tensor, Tensor], v: Tensor) => [
          [np.add(p, np.mul(q, v)), np.add(q, 1), np.add(r, q)] as const,
          np.exp(r),
        ],
        [np.array(0), np.array(1), np.array(2)] as const,
        x,
      );
      return a;
    };
    expect(showJaxpr(dce(makeJaxpr(f)(w).jaxpr))).toMatchInlineSnapshot(`
      "{ lambda ; a:f32[4]. let
        b:f32[] c:f32[] = scan[carry=2 consts=0 length=4 reverse=false jaxpr={ lambda ; a:f32[] b:f32[] c:f32[]. let
          d:f32[] = mul b c
          e:f32[] = add a d
          f:f32[] = add b 1:f32[]
        in (e, f) }] 0:f32[] 1:f32[] a
      in (b,) }"
    `);
    expect(jit(f)(w).item()).toBeCloseTo(0.3 - 0.4 + 1.5 + 3.6, 5);
  });
});

test('what passes a tap is shown once, stacked', () => {
  const seen: unknown[] = [];
  const f = jit(
    (x: Tensor) =>
      scan(
        (c: Tensor, v: Tensor) => [debug.callback((y: Tensor) => seen.push(y.toArray()), np.add(c, v)), null],
        0,
        x,
      )[0],
  );
  f(np.array([1, 2, 3]));
  expect(seen).toEqual([[1, 3, 6]]);
});

test('checkFinite looks into the steps', () => {
  const f = (x: Tensor): Tensor => scan((c: Tensor, v: Tensor) => [np.add(c, np.log(v)), null], 0, x)[0];
  expect(checkFinite(f)(np.array([1, 1])).item()).toBe(0);
  expect(() => checkFinite(f)(np.array([1, -1]))).toThrow('log is the first to make NaN');
  expect(checkFinite(f)(np.zeros([0])).item()).toBe(0);
});
