/** The data are those of NumPy in `bench/peers/pytorch.py`, from which these numbers come. */

import { expect, test } from 'vitest';
import * as data from '../../bench/data.ts';
import { convs, gemms, workloadNames, workloads } from '../../bench/workloads.ts';

test('the hash, as NumPy computes it', () => {
  expect([...data.uniform(4, 11)]).toEqual([
    0.1533505916595459, 0.8555258512496948, 0.8560166954994202, 0.7590923309326172,
  ]);
  expect([...data.mlp().labels].slice(0, 8)).toEqual([1, 4, 2, 1, 8, 9, 6, 7]);
});

test('operands have the shapes that their workload says', () => {
  expect(data.operands(gemms.matmul_512_ATB).a.shape).toEqual([512, 512]);
  expect(data.operands({ m: 2, k: 3, n: 4, transposed: 'a' })).toMatchObject({
    a: { shape: [3, 2] },
    b: { shape: [3, 4] },
  });
  expect(data.operands({ m: 2, k: 3, n: 4, transposed: 'b' })).toMatchObject({
    a: { shape: [2, 3] },
    b: { shape: [4, 3] },
  });
  expect(data.images(convs.conv_3x3).w.shape).toEqual([64, 64, 3, 3]);
  expect(data.oneHot(Int32Array.of(2, 0), 3).data).toEqual(Float32Array.of(0, 0, 1, 1, 0, 0));
  expect(workloads.conv_5x5.flops).toBe(2 * 64 * 32 * 28 * 28 * 16 * 25);
  expect(workloads.matmul_128x784x512.flops).toBe(2 * 128 * 784 * 512);
  expect(new Set(workloadNames).size).toBe(29);
});
