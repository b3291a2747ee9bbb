/** Repeating against NumPy's. */

import { grad, jit, np, type Tensor } from 'pullback';
import { expect, test } from 'vitest';

const x = np.array([
  [1, 2],
  [3, 4],
]);

test('repeat', () => {
  expect(np.repeat(x, 2, 0).toArray()).toEqual([
    [1, 2],
    [1, 2],
    [3, 4],
    [3, 4],
  ]);
  expect(np.repeat(x, 3, -1).shape).toEqual([2, 6]);
  expect(np.repeat(x, 2).toArray()).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
  expect(np.repeat(x, 0, 1).shape).toEqual([2, 0]);
  expect(np.repeat(true, 2).toArray()).toEqual([true, true]);
  expect(jit(grad((v: Tensor) => np.sum(np.mul(np.repeat(v, 2, 1), np.arange(4)))))(x).toArray()).toEqual([
    [1, 5],
    [1, 5],
  ]);
  expect(() => np.repeat(x, 2, 2)).toThrow('np.repeat: 2 times along axis 2 of a tensor of 2 axes');
  expect(() => np.repeat(x, -1, 0)).toThrow('np.repeat: -1 times');
});

test('tile', () => {
  expect(np.tile(np.array([1, 2]), 2).toArray()).toEqual([1, 2, 1, 2]);
  expect(np.tile(x, [2, 1]).toArray()).toEqual([
    [1, 2],
    [3, 4],
    [1, 2],
    [3, 4],
  ]);
  expect(np.tile(x, 2).toArray()).toEqual([
    [1, 2, 1, 2],
    [3, 4, 3, 4],
  ]);
  expect(np.tile(x, [3, 1, 1]).shape).toEqual([3, 2, 2]);
  expect(np.tile(5, []).item()).toBe(5);
  expect(np.tile(x, 0).shape).toEqual([2, 0]);
  expect(() => np.tile(x, [-1])).toThrow('np.tile: the repeats are');
});
