/** The whole product on one screen. */

import { grad, jit, jvp, makeJaxpr, nn, np, optim, random, type Tensor, tree, valueAndGrad, vjp, vmap } from 'pullback';
import { expect, test } from 'vitest';

test('arithmetic broadcasts and promotes', () => {
  expect(np.add(np.array([[1], [2]]), np.array([10, 20])).toArray()).toEqual([
    [11, 21],
    [12, 22],
  ]);
  expect(np.mul(np.array([1, 2], { dtype: 'int32' }), 3).dtype).toBe('int32');
  expect(np.mul(np.array([1, 2], { dtype: 'int32' }), np.array(0.5)).toArray()).toEqual([0.5, 1]);
});

test('derivatives', () => {
  const cube = (x: Tensor) => np.mul(x, np.mul(x, x));
  expect(grad(cube)(2).item()).toBe(12);
  expect(grad(grad(cube))(2).item()).toBe(12);
  expect(jvp(cube, [np.array(2)], [np.array(1)])[1].item()).toBe(12);
  expect(vjp(cube, [np.array(2)])[1](np.array(1))[0].item()).toBe(12);
});

test('batches and programs', () => {
  const norm2 = (x: Tensor) => np.sum(np.mul(x, x));
  expect(
    vmap(grad(norm2))(
      np.array([
        [1, 2],
        [3, 4],
      ]),
    ).toArray(),
  ).toEqual([
    [2, 4],
    [6, 8],
  ]);
  expect(
    jit(vmap(norm2))(
      np.array([
        [1, 2],
        [3, 4],
      ]),
    ).toArray(),
  ).toEqual([5, 25]);
  expect(`${makeJaxpr(norm2)(np.zeros([3]))}`).toContain('mul a a');
});

test('random numbers are functions of a key', () => {
  const [a, b] = random.split(random.key(0));
  expect(random.uniform(a, [3]).toArray()).toEqual(random.uniform(a, [3]).toArray());
  expect(random.uniform(a, [3]).toArray()).not.toEqual(random.uniform(b, [3]).toArray());
});

test('a model is a tree and a function; a step is pure', () => {
  const params = nn.dense.init(random.key(1), 3, 2);
  const x = random.normal(random.key(2), [8, 3]);
  const labels = np.array([0, 1, 0, 1, 0, 1, 0, 1], { dtype: 'int32' });
  const loss = (p: typeof params) => nn.crossEntropy(nn.dense(p)(x), labels);
  const sgd = optim.sgd(0.5);
  const [before, gradient] = valueAndGrad(loss)(params);
  const [updates] = sgd.update(gradient, sgd.init(params), params);
  const after = loss(optim.applyUpdates(params, updates));
  expect(after.item()).toBeLessThan(before.item());
  expect(tree.leaves(gradient).map((g) => g.shape)).toEqual([[2], [3, 2]]);
});
