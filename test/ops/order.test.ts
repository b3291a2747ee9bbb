/** Sorting by several keys and the largest elements, as users meet them. */
import { DTypeError, grad, lax, np, type Tensor, vmap } from 'pullback';
import { describe, expect, it } from 'vitest';

const integers = (values: readonly number[]): Tensor<'int32'> => np.array(Int32Array.from(values));

describe('lax.sort with keys', () => {
  it('orders by the first key, then by the second', () => {
    const [a, b, c] = lax.sort([integers([1, 0, 1, 0]), np.array([3, NaN, 2, 5]), integers([0, 1, 2, 3])], {
      numKeys: 2,
    });
    expect([a.toArray(), b.toArray(), c.toArray()]).toEqual([
      [0, 0, 1, 1],
      [5, NaN, 2, 3],
      [3, 1, 2, 0],
    ]);
    const rows = lax.sort(
      [
        np.array([
          [2, 1],
          [1, 1],
        ]),
      ] as const,
      { dimension: 0 },
    );
    expect(rows[0].toArray()).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  it('refuses what cannot be meant', () => {
    const x = np.zeros([2]);
    expect(() => lax.sort([x, x], { numKeys: 3 })).toThrow('sort: cannot sort 2 operands by 3 keys');
    expect(() => lax.sort(x, { numKeys: 0 })).toThrow('sort: cannot sort 1 operands by 0 keys');
    expect(() => lax.sort(x, 0 as never)).toThrow('lax.sort: 0 stands where options are expected');
  });
});

describe('np.lexsort', () => {
  it("is NumPy's", () => {
    // np.lexsort(([9,4,0,4,0,2,1], [1,5,1,4,3,4,4])), the example of NumPy's documentation.
    const [a, b] = [integers([1, 5, 1, 4, 3, 4, 4]), integers([9, 4, 0, 4, 0, 2, 1])];
    expect(np.lexsort([b, a]).toArray()).toEqual([2, 0, 4, 6, 5, 3, 1]);
    const columns = np.lexsort(
      [
        np.array([
          [1, 0],
          [0, 1],
        ]),
        np.array([2]),
      ],
      0,
    );
    expect(columns.toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(() => np.lexsort([])).toThrow('np.lexsort: there are no keys');
  });
});

describe('lax.topK', () => {
  const x = np.array([
    [1, NaN, 3, 3],
    [-0, 0, -1, 0],
  ]);

  it('gives values and indices', () => {
    const [values, indices] = lax.topK(x, 3);
    expect(values.toArray()).toEqual([
      [NaN, 3, 3],
      [-0, 0, 0],
    ]);
    expect(indices.toArray()).toEqual([
      [1, 2, 3],
      [0, 1, 3],
    ]);
    expect(lax.topK(x, 0)[0].shape).toEqual([2, 0]);
    expect(lax.topK(np.array([false, true, true]), 2)[1].toArray()).toEqual([1, 2]);
    const columns = vmap((row: Tensor) => lax.topK(row, 1)[1], [1]);
    expect(columns(x).toArray()).toEqual([[0], [0], [0], [0]]);
  });

  it('the derivative goes with the elements', () => {
    const weights = np.array([10, 1]);
    const g = grad((y: Tensor) => np.sum(np.mul(lax.topK(y, 2)[0], weights)));
    expect(g(np.array([4, 9, 5])).toArray()).toEqual([0, 10, 1]);
  });

  it('refuses what cannot be meant', () => {
    expect(() => lax.topK(x, 5)).toThrow('top_k: float32[2,4] has no 5 elements along its last axis');
    expect(() => lax.topK(np.array(1), 1)).toThrow('top_k: float32[] has no 1 elements along its last axis');
  });
});

describe('options of sort and argsort', () => {
  const x = np.array([2, NaN, 1, 2, -Infinity]);
  it('descending: from the largest on, NaN first as JAX has it, equal elements in their order', () => {
    expect(np.sort(x, -1, { descending: true }).toArray()).toEqual([NaN, 2, 2, 1, -Infinity]);
    expect(np.argsort(x, -1, { descending: true }).toArray()).toEqual([1, 0, 3, 2, 4]);
    expect(np.sort(np.reshape(np.arange(4), [2, 2]), null, { descending: true }).toArray()).toEqual([3, 2, 1, 0]);
    expect(np.argsort(np.zeros([2, 0]), 1, { descending: true }).shape).toEqual([2, 0]);
    const weights = np.array([1, 2, 3]);
    const g = grad((y: Tensor) => np.sum(np.mul(np.sort(y, 0, { descending: true }), weights)));
    expect(g(np.array([5, 9, 7])).toArray()).toEqual([3, 1, 2]);
  });

  it('others are refused', () => {
    for (const f of [np.sort, np.argsort]) {
      expect(() => f(x, 0, { stable: false } as never)).toThrow(DTypeError);
      expect(() => f(x, 0, { stable: false } as never)).toThrow("there is no option 'stable'");
      expect(() => f(x, 0, true as never)).toThrow('true stands where options are expected');
      expect(() => f(x, { descending: true } as never)).toThrow('{ descending } stands where an axis is expected');
    }
  });
});
