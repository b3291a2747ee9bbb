/** What transforms do, as printed programs. */

import { eqJaxpr, grad, hashJaxpr, jit, jvp, makeJaxpr, np, type Tensor, vmap } from 'pullback';
import { expect, test } from 'vitest';

const f = (x: Tensor): Tensor => np.sum(np.mul(np.sin(x), x));
const x = np.zeros([3]);
const show = (g: (x: Tensor) => unknown, at: Tensor = x): string => `\n${makeJaxpr(g)(at)}\n`;

test('a function', () => {
  expect(show(f)).toMatchInlineSnapshot(`
    "
    { lambda ; a:f32[3]. let
      b:f32[3] = sin a
      c:f32[3] = mul b a
      d:f32[] = reduce_sum[axes=(0)] c
    in (d,) }
    "
  `);
});

test('grad runs the function, then its adjoint', () => {
  expect(show(grad(f))).toMatchInlineSnapshot(`
    "
    { lambda ; a:f32[3]. let
      b:f32[3] = sin a
      c:f32[3] = cos a
      d:f32[3] = broadcast_in_dim[broadcastDimensions=() shape=(3)] 1:f32[]
      e:f32[3] = mul b d
      f:f32[3] = mul d a
      g:f32[3] = mul f c
      h:f32[3] = add e g
    in (h,) }
    "
  `);
});

test('jvp', () => {
  expect(show((v) => jvp(f, [v], [np.ones([3])])[1])).toMatchInlineSnapshot(`
    "
    { lambda ; a:f32[3]. let
      b:f32[3] = broadcast_in_dim[broadcastDimensions=() shape=(3)] 1:f32[]
      c:f32[3] = sin a
      d:f32[3] = cos a
      e:f32[3] = mul b d
      f:f32[3] = mul e a
      g:f32[3] = mul c b
      h:f32[3] = add f g
      i:f32[] = reduce_sum[axes=(0)] h
    in (i,) }
    "
  `);
});

test('vmap adds an axis', () => {
  expect(show(vmap(f), np.zeros([2, 3]))).toMatchInlineSnapshot(`
    "
    { lambda ; a:f32[2,3]. let
      b:f32[2,3] = sin a
      c:f32[2,3] = mul b a
      d:f32[2] = reduce_sum[axes=(1)] c
    in (d,) }
    "
  `);
});

test('grad(jit): the forward call returns residuals, the backward call takes them', () => {
  expect(show(grad(jit(f)))).toMatchInlineSnapshot(`
    "
    { lambda ; a:f32[3]. let
      b:f32[] c:f32[3] d:f32[3] = jit[name=f jaxpr={ lambda ; a:f32[3]. let
        b:f32[3] = sin a
        c:f32[3] = cos a
        d:f32[3] = mul b a
        e:f32[] = reduce_sum[axes=(0)] d
      in (e, c, b) }] a
      e:f32[3] = jit[name=f jaxpr={ lambda ; a:f32[3] b:f32[3] c:f32[3] d:f32[]. let
        e:f32[3] = broadcast_in_dim[broadcastDimensions=() shape=(3)] d
        f:f32[3] = mul c e
        g:f32[3] = mul e b
        h:f32[3] = mul g a
        i:f32[3] = add f h
      in (i,) }] c a d 1:f32[]
    in (e,) }
    "
  `);
});

test('a matrix product: both adjoints are products', () => {
  const loss = (w: Tensor, v: Tensor): Tensor => np.sum(np.matmul(v, w));
  expect(
    `\n${makeJaxpr(grad(loss, { argnums: [0, 1] }))(np.zeros([4, 5]), np.zeros([2, 4]))}\n`,
  ).toMatchInlineSnapshot(`
    "
    { lambda ; a:f32[4,5] b:f32[2,4]. let
      c:f32[2,5] = broadcast_in_dim[broadcastDimensions=() shape=(2,5)] 1:f32[]
      d:f32[5,4] = dot_general[lhsBatch=() lhsContracting=(0) rhsBatch=() rhsContracting=(0)] c b
      e:f32[4,5] = transpose[permutation=(1,0)] d
      f:f32[2,4] = dot_general[lhsBatch=() lhsContracting=(1) rhsBatch=() rhsContracting=(1)] c a
    in (e, f) }
    "
  `);
});

test('captured arrays are constants, scalars are literals', () => {
  const weights = np.array([1, 2, 3]);
  expect(show((v) => np.add(np.mul(weights, v), 2))).toMatchInlineSnapshot(`
    "
    { lambda a:f32[3] ; b:f32[3]. let
      c:f32[3] = mul a b
      d:f32[3] = broadcast_in_dim[broadcastDimensions=() shape=(3)] 2:f32[]
      e:f32[3] = add c d
    in (e,) }
    "
  `);
});

test('programs are compared up to the names of variables', () => {
  const one = makeJaxpr(f)(x).jaxpr;
  const again = makeJaxpr((renamed: Tensor) => f(renamed))(x).jaxpr;
  const other = makeJaxpr((v: Tensor) => np.sum(np.mul(v, np.sin(v))))(x).jaxpr;
  expect(eqJaxpr.equals(one, again)).toBe(true);
  expect(hashJaxpr(one)).toBe(hashJaxpr(again));
  expect(eqJaxpr.equals(one, other)).toBe(false);
  expect(hashJaxpr(one)).not.toBe(hashJaxpr(other));
});
