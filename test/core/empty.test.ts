/** Tensors without elements, which have a shape of any length: what is printed and read is bounded. */

import { np, ShapeError } from 'pullback';
import { describe, expect, it } from 'vitest';

describe('printing', () => {
  it('elides empty rows as elements', () => {
    const rows = ['[]', '[]', '[]', '…', '[]', '[]', '[]'].join(',\n ');
    expect(`${np.zeros([5000000, 0])}`).toBe(`float32[5000000,0] [${rows}]`);
    expect(`${np.zeros([99999999, 0])}`).toBe(`float32[99999999,0] [${rows}]`);
    expect(`${np.zeros([99999999999999, 0])}`).toBe(`float32[99999999999999,0] [${rows}]`);
  });

  it('shows few rows all, and none of what many axes would repeat', () => {
    expect(`${np.zeros([2, 0])}`).toBe('float32[2,0] [[],\n []]');
    expect(`${np.zeros([0, 99999999])}`).toBe('float32[0,99999999] []');
    expect(`${np.zeros([1000, 0])}`.split('\n').length).toBe(1000);
    expect(`${np.zeros([1001, 0])}`.split('\n').length).toBe(7);
    expect(`${np.zeros([...new Array<number>(40).fill(2), 0])}`).toMatch(/\] \[…\]$/);
  });

  it('of elements as before', () => {
    expect(`${np.zeros([2, 2])}`).toBe('float32[2,2] [[0, 0],\n [0, 0]]');
    expect(`${np.zeros([1001])}`).toBe('float32[1001] [0, 0, 0, …, 0, 0, 0]');
  });
});

describe('reading', () => {
  it('gives empty rows', () => {
    expect(np.zeros([3, 0]).toArray()).toEqual([[], [], []]);
    expect(np.zeros([2, 1, 0]).toArray()).toEqual([[[]], [[]]]);
    expect(np.zeros([0, 99999999999]).toArray()).toEqual([]);
  });

  it('refuses more rows than memory holds', () => {
    const refusal = 'toArray: float32[99999999999999,0] has no elements, but 99999999999999 rows, more than 67108864';
    expect(() => np.zeros([99999999999999, 0]).toArray()).toThrow(refusal);
    expect(() => JSON.stringify(np.zeros([99999999999999, 0]))).toThrow(refusal);
    expect(() => np.zeros([2 ** 25, 3, 0]).toArray()).toThrow(ShapeError);
    expect(np.zeros([99999999999999, 0]).dataSync()).toHaveLength(0);
  });
});

describe('shapes', () => {
  it('have no negative zero, whoever asks for them first', () => {
    const { shape } = np.zeros([-0, 17, 3]);
    expect(Object.is(shape[0], 0)).toBe(true);
    expect(Object.is(np.zeros([0, 17, 3]).shape[0], 0)).toBe(true);
  });
});
