/** Trees as vectors, and back. */

import { grad, jit, np, type Tensor, tree } from 'pullback';
import { expect, test } from 'vitest';

const params = {
  w: np.array([
    [1, 2],
    [3, 4],
  ]),
  steps: np.array([7], { dtype: 'int32' }),
  b: np.array(5),
  name: 'layer',
};

test('a vector of all leaves, and the tree again with its dtypes and statics', () => {
  const [flat, unravel] = tree.ravel(params);
  expect(flat.toArray()).toEqual([5, 7, 1, 2, 3, 4]);
  const again = unravel(np.add(flat, 1));
  expect([again.w.toArray(), again.steps.toArray(), again.steps.dtype, again.b.item(), again.name]).toEqual([
    [
      [2, 3],
      [4, 5],
    ],
    [8],
    'int32',
    6,
    'layer',
  ]);
});

test('inside of transforms', () => {
  const { w, b } = params;
  const loss = (p: { w: Tensor; b: Tensor }): Tensor => np.sum(np.square(tree.ravel(p)[0]));
  expect(jit(grad(loss))({ w, b }).w.toArray()).toEqual([
    [2, 4],
    [6, 8],
  ]);
  const [flat, unravel] = tree.ravel({ w, b });
  expect(grad((v: Tensor) => np.sum(np.mul(unravel(v).w, w)))(flat).toArray()).toEqual([0, 1, 2, 3, 4]);
});

test('nothing, and what does not fit', () => {
  const [flat, unravel] = tree.ravel({ name: 'none' });
  expect([flat.shape, unravel(flat)]).toEqual([[0], { name: 'none' }]);
  expect(() => tree.ravel(params)[1](np.zeros([5]))).toThrow('tree.ravel: float32[5] is not a tree of 6 elements');
});
