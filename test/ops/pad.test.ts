/** Padding against NumPy's. */

import { grad, jit, np, type Tensor, vmap } from 'pullback';
import { describe, expect, test } from 'vitest';

const x = np.array([
  [1, 2, 3],
  [4, 5, 6],
]);

describe('pad', () => {
  // numpy 1.24: np.pad([[1, 2, 3], [4, 5, 6]], [(1, 0), (2, 3)], mode)[0], and of one axis [1, 2, 3] by (5, 4).
  test.each([
    ['edge', [1, 1, 1, 2, 3, 3, 3, 3], [1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3]],
    ['wrap', [5, 6, 4, 5, 6, 4, 5, 6], [2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1]],
    ['reflect', [6, 5, 4, 5, 6, 5, 4, 5], [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]],
    ['symmetric', [2, 1, 1, 2, 3, 3, 2, 1], [2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1]],
  ] as const)('%s', (mode, row, far) => {
    const padded = np.pad(
      x,
      [
        [1, 0],
        [2, 3],
      ],
      { mode },
    );
    expect(padded.shape).toEqual([3, 8]);
    expect((padded.toArray() as number[][])[0]).toEqual(row);
    expect(np.pad(np.array([1, 2, 3]), [5, 4], { mode }).toArray()).toEqual(far);
  });

  test('constant, of every dtype', () => {
    expect(np.pad(x, 1, { constantValues: 9 }).toArray()).toEqual([
      [9, 9, 9, 9, 9],
      [9, 1, 2, 3, 9],
      [9, 4, 5, 6, 9],
      [9, 9, 9, 9, 9],
    ]);
    const flags = np.pad(np.array([true]), [1, 0]);
    expect([flags.dtype, flags.toArray()]).toEqual(['bool', [false, true]]);
    expect(np.pad(np.zeros([0]), 2).toArray()).toEqual([0, 0, 0, 0]);
    expect(np.pad(3, []).item()).toBe(3);
  });

  test('gradients count how often an element is repeated; under jit and vmap', () => {
    const repeated = grad((v: Tensor) =>
      np.sum(
        np.pad(
          v,
          [
            [0, 0],
            [2, 1],
          ],
          { mode: 'edge' },
        ),
      ),
    );
    expect(jit(repeated)(x).toArray()).toEqual([
      [3, 1, 2],
      [3, 1, 2],
    ]);
    expect(vmap((row: Tensor) => np.pad(row, 1, { mode: 'reflect' }))(x).toArray()).toEqual([
      [2, 1, 2, 3, 2],
      [5, 4, 5, 6, 5],
    ]);
  });

  test('what does not fit', () => {
    expect(() => np.pad(x, [[1, 1]])).toThrow('np.pad: the widths');
    expect(() => np.pad(x, -1)).toThrow('np.pad: the widths -1 do not fit 2 axes');
    expect(() => np.pad(x, 1, { mode: 'mirror' as 'edge' })).toThrow('there is no mode');
    expect(() => np.pad(np.zeros([2, 0]), 1, { mode: 'wrap' })).toThrow(
      'axis 1 has no elements that could be repeated',
    );
  });
});
