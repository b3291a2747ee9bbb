/** What transforms do, as printed programs. */

import { eqJaxpr, grad, hashJaxpr, jit, jvp, makeJaxpr, np, type Tensor, vmap } from 'pullback';
import { expect, test } from 'vitest';

const f = (x: Tensor): Tensor => np.sum(np.mul(np.sin(x), x));
const x = np.zeros([3]);
const show = (g: (x: Tensor) => unknown, at: Tensor = x): string => `\n${makeJaxpr(g)(at)}\n`;

test('a function', () => {
  expect(show(f)).toMatchInlineSnapshot();
});

test('grad runs the function, then its adjoint', () => {
  expect(show(grad(f))).toMatchInlineSnapshot();
});

test('jvp', () => {
  expect(show((v) => jvp(f, [v], [np.ones([3])])[1])).toMatchInlineSnapshot();
});

test('vmap adds an axis', () => {
  expect(show(vmap(f), np.zeros([2, 3]))).toMatchInlineSnapshot();
});

test('grad(jit): the forward call returns residuals, the backward call takes them', () => {
  expect(show(grad(jit(f)))).toMatchInlineSnapshot();
});

test('a matrix product: both adjoints are products', () => {
  const loss = (w: Tensor, v: Tensor): Tensor => np.sum(np.matmul(v, w));
  expect(
    `\n${makeJaxpr(grad(loss, { argnums: [0, 1] }))(np.zeros([4, 5]), np.zeros([2, 4]))}\n`,
  ).toMatchInlineSnapshot();
});

test('captured arrays are constants, scalars are literals', () => {
  const weights = np.array([1, 2, 3]);
  expect(show((v) => np.add(np.mul(weights, v), 2))).toMatchInlineSnapshot();
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
